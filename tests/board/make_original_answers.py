"""Writes tests/assets/original_board.db and .json: what the original's own server answers about it.

    python tests/board/make_original_answers.py SIMPLEGRAD

SIMPLEGRAD is a checkout of simplegrad, at commit 55bc048f31a5.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import types
import urllib.error
import urllib.request
from pathlib import Path

ASSETS = Path(__file__).parent.parent / "assets"
REQUESTS = (
    "/api/databases",
    "/api/runs",
    "/api/runs/1",
    "/api/runs/2",
    "/api/runs/3",
    "/api/runs/9",
    "/api/runs/1/records",
    "/api/runs/1/records?metric_name=loss",
    "/api/runs/1/records?metric_name=loss&smoothing=0.6",
    "/api/runs/1/records?metric_name=loss&smoothing=1.5",
    "/api/runs/1/records?metric_name=loss&smoothing=strong",
    "/api/runs/1/records?metric_name=unknown",
    "/api/runs/3/records",
    "/api/runs/9/records",
    "/api/runs/1/metrics",
    "/api/runs/9/metrics",
    "/api/runs/1/graphs",
    "/api/runs/1/histograms",
    "/api/runs/1/images",
    "/api/runs/1/texts",
    "/api/runs/9/texts",
    "/api/runs/1/summary",
    "/api/runs/2/summary",
    "/api/runs/9/summary",
    "/api/runs/1/records.csv",
    "/api/runs/1/records.csv?metric=loss",
    "/api/runs/9/records.csv",
    "/api/runs/1/export.json",
    "/api/runs/9/export.json",
    "/api/runs/compare?metric=loss&ids=1,2,9",
    "/api/runs/compare?metric=loss&ids=1,2&smoothing=0.9",
    "/api/runs/compare?metric=unknown&ids=1",
    "/api/runs/compare",
    "/api/hparams",
)


def main(source: Path) -> None:
    # The package's own __init__ needs what its tracker and dashboard do not.
    package = types.ModuleType("simplegrad")
    package.__path__ = [str(source / "simplegrad")]
    sys.modules["simplegrad"] = package
    folder = ASSETS / "original_board"
    folder.mkdir()
    os.environ["SG_EXPERIMENTS_DIR"] = str(folder)
    from simplegrad.simpleboard.server import make_server
    from simplegrad.track.exp_db_manager import ExperimentDBManager

    fill(ExperimentDBManager(folder / "original_board.db"))
    server = make_server("127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    before = {"/api/runs": ask(address, "/api/runs"), "/api/runs/1": ask(address, "/api/runs/1")}
    selected = [
        (name, ask(address, "/api/databases/select", {"db_name": name}))
        for name in ("unknown.db", "original_board.db")
    ]
    after = {path: ask(address, path) for path in REQUESTS}
    answers = {"before": before, "select": selected, "after": after}
    (folder / "original_board.db").rename(ASSETS / "original_board.db")
    folder.rmdir()
    text = json.dumps(answers, indent=1) + "\n"
    (ASSETS / "original_board.json").write_text(text, encoding="utf-8")


def fill(db) -> None:
    db.init_exp_db()
    for name, config, status, shift in (
        ("first", {"lr": 0.1, "layers": [4, 2]}, "completed", 0.0),
        ("second, with a comma", {"lr": 0.2, "name": "x"}, "completed", 0.25),
        ("third", None, "failed", 1.0),
    ):
        run = db.create_run(name, config)
        for step in range(12):
            db.record(run, "loss", step, 1 / (1 + step) + shift)
        for step in (4, 2, 0):
            db.record(run, "val/accuracy", step, 0.1 * step)
        db.update_run_status(run, status)
    nodes = [
        {"id": "1", "type": "tensor", "label": "x", "shape": [2], "comp_grad": True},
        {"id": "2", "type": "operation", "label": "relu"},
    ]
    db.save_comp_graph(1, {"nodes": nodes, "edges": [{"source": "1", "target": "2"}]})
    for step in (3, 1):
        db.save_histogram(1, "weights", step, [0.0, 0.5, 1.0], [3, step])
        db.save_text(1, "sample", step, f"once upon a time {step}")
    db.save_image(1, "digit", 0, 2, 1, 1, bytes([0, 255]))


def ask(address: str, path: str, body: dict | None = None) -> dict:
    request = urllib.request.Request(
        address + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            status, kind, text = answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        status, kind, text = error.code, error.headers["Content-Type"], error.read()
    decoded = json.loads(text) if kind == "application/json" else text.decode()
    return {"status": status, "type": kind, "answer": decoded}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
