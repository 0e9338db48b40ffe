"""Ten thousand runs in one experiment: starting one more, and listing them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks import store
from benchmarks.measure import Lab, Row, cpu_s, interleaved, median, ratio

if TYPE_CHECKING:
    from tracking import Tracker

_START_BOUND = 1.5
_LIST_BOUND = 3.0
_STARTS = 20  # a round
_SAME_ROWS = (
    "SELECT r.*, e.content, m.name, s.n FROM runs AS r"
    " LEFT JOIN environments AS e ON e.id = r.environment_id"
    " LEFT JOIN series AS s ON s.run_id = r.id LEFT JOIN metrics AS m ON m.id = s.metric_id"
    " ORDER BY r.created_at DESC, r.id DESC"
)
_ENVIRONMENT = {"python": "3.11.7", "machine": "x86_64", "numpy": "2.3.5", "git": "06de16d"}
_RUNS_ALONE = "SELECT * FROM runs ORDER BY created_at DESC, id DESC"


def rows(lab: Lab) -> list[Row]:
    """Measure both in a full experiment, the first against an empty one."""
    n = lab.amount(10_000, 20)
    full = store.new_tracker(lab.new_folder())
    _run(full, n)
    empty = store.new_tracker(lab.new_folder())
    starts = interleaved(
        {"empty": lambda: _starts_s(empty), "full": lambda: _starts_s(full)}, lab.amount(31, 2)
    )
    with closing(store.connect(store.path_of(full))) as connection:
        lists = interleaved(
            {
                "runs alone": lambda: cpu_s(lambda: connection.execute(_RUNS_ALONE).fetchall()),
                "same rows": lambda: cpu_s(lambda: connection.execute(_SAME_ROWS).fetchall()),
                "ours": lambda: cpu_s(full.get_all_runs),
            },
            lab.amount(15, 1),
        )
    n_listed = len(full.get_all_runs())
    for tracker in (empty, full):
        tracker.close()
    ours = f"{1e3 * median(lists['ours']):.1f}"
    return [
        Row(
            f"start_run() in an experiment of {n:,} runs, over an empty one",
            ratio(starts["full"], starts["empty"]),
            " against ".join(f"{1e6 * median(starts[side]):.0f}" for side in ("full", "empty"))
            + " us",
            _START_BOUND,
        ),
        Row(
            f"get_all_runs() of {n_listed:,} runs, over a bare SELECT of runs, metrics and counts",
            ratio(lists["ours"], lists["same rows"]),
            f"{ours} against {1e3 * median(lists['same rows']):.1f} ms",
            _LIST_BOUND,
        ),
        Row(
            f"get_all_runs() of {n_listed:,} runs, over a bare SELECT of the table runs alone",
            ratio(lists["ours"], lists["runs alone"]),
            f"{ours} against {1e3 * median(lists['runs alone']):.1f} ms",
        ),
    ]


def _run(tracker: Tracker, n: int) -> None:
    for number in range(n):
        config = {"lr": 0.1, "number": number}
        tracker.start_run(f"run {number}", config, environment=_ENVIRONMENT)
        for step in range(5):
            tracker.log({"loss": 1 / (1 + step), "accuracy": step / 5}, step)
        tracker.end_run(is_durable=False)


def _starts_s(tracker: Tracker) -> float:
    """Return what one start costs, where runs are ended between them and other work is done."""
    total = 0.0
    for _ in range(_STARTS):
        total += cpu_s(tracker.start_run)
        tracker.record("loss", 0.5, 0)
        tracker.end_run(is_durable=False)
    return total / _STARTS
