"""From the first record to everything readable, over a list and one raw transaction."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import store
from benchmarks.measure import Lab, Row, cpu_s, interleaved, median, ratio, wall_s
from tracking import ExperimentDBManager

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BOUND = 0.7
_LINEAR_BOUND = 11.0


def rows(lab: Lab) -> list[Row]:
    """Measure the throughput, and that every step of the way grows linearly."""
    n = lab.amount(1_000_000, 5_000)
    n_rounds = lab.amount(7, 1)
    store.load_numpy()
    return [
        _throughput(
            lab,
            f"records/s, the first of {n:,} until all are readable, over list and raw executemany",
            _store_raw,
            _store_ours,
            n,
            _BOUND,
        ),
        _throughput(
            lab,
            "records/s, the same until all are read back, over list, raw executemany and SELECT",
            _read_raw,
            _read_ours,
            n,
            _BOUND,
        ),
        _linear(lab, "record()", lambda folder, n: _phases_s(folder, n)[0], n, n_rounds),
        _linear(lab, "end_run()", lambda folder, n: _phases_s(folder, n)[1], n, n_rounds),
        _linear(lab, "reading it all", lambda folder, n: _phases_s(folder, n)[2], n, n_rounds),
    ]


def _throughput(
    lab: Lab,
    what: str,
    raw: Callable[[Path, int], object],
    ours: Callable[[Path, int], object],
    n: int,
    bound: float,
) -> Row:
    costs = interleaved(
        {
            "raw": lambda: wall_s(lambda: raw(lab.new_folder(), n)),
            "ours": lambda: wall_s(lambda: ours(lab.new_folder(), n)),
        },
        lab.amount(7, 1),
    )
    per_s = {side: f"{n / median(of_side):,.0f}" for side, of_side in costs.items()}
    return Row(
        what,
        ratio(costs["raw"], costs["ours"]),
        f"{per_s['ours']} against {per_s['raw']} records/s, by the clock, our fsync included",
        bound,
        is_floor=True,
    )


def _store_ours(folder: Path, n: int) -> tuple[Path, int]:
    tracker = store.new_tracker(folder)
    run_id = tracker.start_run()
    store.record_ten_metrics(tracker, n)
    tracker.end_run()
    path = store.path_of(tracker)
    tracker.close()
    return path, run_id


def _read_ours(folder: Path, n: int) -> None:
    _read(*_store_ours(folder, n), n)


def _read(path: Path, run_id: int, n: int) -> None:
    manager = ExperimentDBManager(path)
    series = {name: manager.get_records(run_id, name) for name in manager.get_metrics(run_id)}
    store.check_count(sum(map(len, series.values())), n)
    manager.close()


def _store_raw(folder: Path, n: int) -> Path:
    path = folder / "raw.db"
    store.write_plain_table(path, n)
    return path


def _read_raw(folder: Path, n: int) -> None:
    query = "SELECT metric_id, step, value, wall_time FROM records WHERE run_id = 1"
    with closing(store.connect(_store_raw(folder, n))) as connection:
        store.check_count(len(connection.execute(query).fetchall()), n)


def _linear(
    lab: Lab, what: str, cost_s: Callable[[Path, int], float], n: int, n_rounds: int
) -> Row:
    sides = {
        "tenth": lambda: cost_s(lab.new_folder(), n // 10),
        "all": lambda: cost_s(lab.new_folder(), n),
    }
    costs = interleaved(sides, n_rounds)
    return Row(
        f"linear: {what}, {n:,} records over {n // 10:,}",
        ratio(costs["all"], costs["tenth"]),
        f"{1e3 * median(costs['all']):,.1f} against {1e3 * median(costs['tenth']):,.1f} ms",
        _LINEAR_BOUND,
    )


def _phases_s(folder: Path, n: int) -> tuple[float, float, float]:
    tracker = store.new_tracker(folder)
    run_id = tracker.start_run()
    recording_s = cpu_s(partial(store.record_ten_metrics, tracker, n))
    ending_s = cpu_s(tracker.end_run)
    reading_s = cpu_s(partial(_read, store.path_of(tracker), run_id, n))
    tracker.close()
    return recording_s, ending_s, reading_s
