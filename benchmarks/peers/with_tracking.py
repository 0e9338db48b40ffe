"""pytest-sgtrack's own tracker, measured as the others are."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.peers.common import run
from tracking import ExperimentDBManager, Tracker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.peers.common import Record


@contextmanager
def _recording(folder: Path) -> Iterator[Record]:
    tracker = Tracker(folder)
    tracker.set_experiment("benchmark")
    with tracker.run():
        yield partial(tracker.record, "loss")
    tracker.close()


def _count(folder: Path) -> int:
    tracker = Tracker(folder)
    tracker.set_experiment("benchmark")
    tracker.close()
    manager = ExperimentDBManager(folder / "benchmark.db")
    n = sum(len(manager.get_records(info.run_id, "loss")) for info in manager.get_all_runs())
    manager.close()
    return n


if __name__ == "__main__":
    run(_recording, _count)
