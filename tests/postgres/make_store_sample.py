"""Writes a real store as SQL: `python -m tests.postgres.make_store_sample`.

Once for each version of its schema; later releases are tested against all of them.
"""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

from tests.postgres.server import PASSWORD, Server, binary
from tracking import Tracker
from tracking.postgres.schema import SCHEMA_VERSION
from tracking.pushing import push

ASSETS = Path(__file__).parent.parent / "assets"


def record(folder: Path) -> None:
    """Record what a store can hold."""
    with closing(Tracker(folder)) as tracker:
        tracker.set_experiment("sample")
        with tracker.run("test_fit.py::test_fit[sgd]", config={"lr": 0.1}):
            for step in range(400):
                tracker.record("loss", 1 / (step + 1), step)
            for step, value in enumerate([0.5, float("nan"), float("inf"), float("-inf")]):
                tracker.record("norm", value, step)
            tracker.histogram("weights", [0.0, 0.5, 1.0], step=0)
            tracker.image("pixels", [[0, 255], [255, 0]], step=0)
            tracker.text("said", "the cat\0sat", step=0)
            tracker.db_manager.save_comp_graph(
                tracker.current_run_id, {"nodes": [], "edges": []}, name="graph"
            )
        with tracker.run("test_fit.py::test_fit[adam]"):
            tracker.record("loss", 0.25, 7)


def main() -> None:
    """Write the sample of the present version."""
    server = Server()
    try:
        url = server.database()
        with tempfile.TemporaryDirectory() as folder:
            record(Path(folder))
            push([Path(folder) / "sample.db"], url)
        dumped = subprocess.run(
            [binary("pg_dump"), "-n", "sgtrack", "--no-owner", "--column-inserts", url],
            check=True,
            capture_output=True,
            text=True,
            env={"PGPASSWORD": PASSWORD},
        ).stdout
    finally:
        server.stop()
    lines = [line for line in dumped.splitlines() if line and not line.startswith(("--", "\\"))]
    path = ASSETS / f"store_v{SCHEMA_VERSION}.sql"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
