"""trackio, into its local SQLite store."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.peers.common import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.peers.common import Record


@contextmanager
def _recording(folder: Path) -> Iterator[Record]:
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio  # type: ignore[import-not-found,unused-ignore]

    trackio.init(
        project="benchmark", name="run", embed=False, auto_log_gpu=False, auto_log_cpu=False
    )
    yield lambda value, step: trackio.log({"loss": value}, step=step)
    trackio.finish()


def _count(folder: Path) -> int:
    os.environ["TRACKIO_DIR"] = str(folder)
    from trackio.sqlite_storage import SQLiteStorage  # type: ignore[import-not-found,unused-ignore]

    return len(SQLiteStorage.get_logs("benchmark", "run"))


if __name__ == "__main__":
    run(_recording, _count)
