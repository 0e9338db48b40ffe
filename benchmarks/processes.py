"""Four processes recording into one experiment, over raw inserts that commit one by one."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import store
from benchmarks.measure import Lab, Row, interleaved, median, ratio
from tracking import ExperimentDBManager

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Barrier

_BOUND = 4.0
_PROCESSES = 4


def rows(lab: Lab) -> list[Row]:
    """Measure from the moment all processes are ready until the last of them has stored all."""
    n = lab.amount(20_000, 200)
    costs = interleaved(
        {"raw": lambda: _raw_s(lab.new_folder(), n), "ours": lambda: _ours_s(lab.new_folder(), n)},
        lab.amount(9, 1),
    )
    ours, raw = (f"{_PROCESSES * n / median(costs[side]):,.0f}" for side in ("ours", "raw"))
    return [
        Row(
            f"records/s of {_PROCESSES} processes, {n:,} records each into one experiment, over raw"
            " WAL inserts, autocommit",
            ratio(costs["raw"], costs["ours"]),
            f"{ours} against {raw} records/s, by the clock, run start and end included, 0 errors",
            _BOUND,
            is_floor=True,
        )
    ]


def _ours_s(folder: Path, n: int) -> float:
    tracker = store.new_tracker(folder)
    path = store.path_of(tracker)
    tracker.close()
    cost = _together_s(_record, folder, n)
    manager = ExperimentDBManager(path)
    found = [
        sum(run.num_records or ()) for run in manager.get_all_runs() if run.status == "completed"
    ]
    manager.close()
    for n_found in found:
        store.check_count(n_found, n)
    store.check_count(sum(found), _PROCESSES * n)
    return cost


def _raw_s(folder: Path, n: int) -> float:
    path = folder / "raw.db"
    store.write_table(path, store.PLAIN, [])
    cost = _together_s(_insert, folder, n)
    with closing(store.connect(path)) as connection:
        (n_found,) = connection.execute("SELECT COUNT(*) FROM records").fetchone()
    store.check_count(n_found, _PROCESSES * n)
    return cost


def _record(folder: Path, n: int, wait: Callable[[], object]) -> None:
    tracker = store.new_tracker(folder)
    store.load_numpy()
    wait()
    with tracker.run():
        for step in range(n):
            tracker.record("loss", 1.0 / (1 + step), step)


def _insert(folder: Path, n: int, wait: Callable[[], object]) -> None:
    statement = "INSERT INTO records VALUES (?, ?, ?, ?, ?)"
    with closing(store.connect(folder / "raw.db")) as connection:
        wait()
        for step in range(n):
            connection.execute(statement, (1, 1, step, 1.0 / (1 + step), time.time()))


_Work = Callable[[Path, int, Callable[[], object]], None]


def _together_s(work: _Work, folder: Path, n: int) -> float:
    """Run `work` in several new processes at once and return how long they took together.

    Raises:
        RuntimeError: one of them failed.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(_PROCESSES, timeout=60)
    ends = [context.Pipe(duplex=False) for _ in range(_PROCESSES)]
    processes = [
        context.Process(target=_timed, args=(work, folder, n, barrier, sender))
        for _, sender in ends
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode != 0:
            raise RuntimeError(f"a process of {work.__name__} exited with {process.exitcode}")
    started, ended = zip(*(receiver.recv() for receiver, _ in ends), strict=True)
    return float(max(ended) - min(started))


def _timed(work: _Work, folder: Path, n: int, barrier: Barrier, sender: Connection) -> None:
    started_at: list[float] = []

    def wait() -> None:
        barrier.wait()
        started_at.append(time.monotonic())

    work(folder, n, wait)
    sender.send((started_at[0], time.monotonic()))
