"""What a record takes on disk, and what reading a series from there costs."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks import store
from benchmarks.measure import Estimate, Lab, Row, cpu_s, interleaved, median, ratio
from tracking import ExperimentDBManager, RecordInfo

if TYPE_CHECKING:
    from pathlib import Path

_BOUND_BYTES = 36.0
_READ_BOUND = 1.5
_SERIES = (
    "SELECT step, value, wall_time FROM records WHERE run_id = 1 AND metric_id = ? ORDER BY seq"
)


def rows(lab: Lab) -> list[Row]:
    """Measure the size of one long run and of many short ones, and reading a series of the long."""
    n = lab.amount(1_000_000, 2_000)
    n_runs = lab.amount(2_000, 5)
    folder = lab.new_folder()
    plain, clustered = folder / "plain.db", folder / "clustered.db"
    store.write_plain_table(plain, n)
    store.write_clustered_table(clustered, n)
    ours = _one_run(folder / "one", n)
    many = _many_runs(folder / "many", n_runs)
    return [
        Row(
            f"bytes on disk per record after close, a run of {n:,} records of ten metrics",
            Estimate.of([_size(ours) / n]),
            f"plain table {_size(plain) / n:.1f}, clustered table {_size(clustered) / n:.1f} bytes",
            _BOUND_BYTES,
            unit="bytes",
        ),
        Row(
            f"bytes on disk per record after close, {n_runs:,} runs of 100 records of two metrics",
            Estimate.of([_size(many) / (100 * n_runs)]),
            "runs, their configs and summaries included",
            unit="bytes",
        ),
        _reading(lab, ours, clustered, n),
    ]


def _size(path: Path) -> int:
    return path.stat().st_size


def _one_run(folder: Path, n: int) -> Path:
    tracker = store.new_tracker(folder)
    with tracker.run():
        store.record_ten_metrics(tracker, n)
    tracker.close()
    return store.path_of(tracker)


def _many_runs(folder: Path, n_runs: int) -> Path:
    tracker = store.new_tracker(folder)
    for number in range(n_runs):
        tracker.start_run(f"run {number}", {"lr": 0.1})
        for step in range(50):
            tracker.log({"loss": 1 / (1 + step), "accuracy": step / 50}, step)
        tracker.end_run(is_durable=False)
    tracker.close()
    return store.path_of(tracker)


def _reading(lab: Lab, ours: Path, clustered: Path, n: int) -> Row:
    manager = ExperimentDBManager(ours)
    names = manager.get_metrics(1)

    def read_ours() -> None:
        store.check_count(sum(len(manager.get_records(1, name)) for name in names), n)

    with closing(store.connect(clustered)) as connection:

        def read_clustered() -> None:
            found = (
                [RecordInfo(*row) for row in connection.execute(_SERIES, (metric_id,)).fetchall()]
                for metric_id in range(10)
            )
            store.check_count(sum(map(len, found)), n)

        costs = interleaved(
            {"clustered": lambda: cpu_s(read_clustered), "ours": lambda: cpu_s(read_ours)},
            lab.amount(9, 1),
        )
    manager.close()
    series = {side: f"{1e3 * median(costs[side], 10):.1f} ms" for side in costs}
    return Row(
        f"get_records() of a series of {n // 10:,}, over the same from the clustered table",
        ratio(costs["ours"], costs["clustered"]),
        f"{series['ours']} against {series['clustered']}",
        _READ_BOUND,
    )
