"""Summaries of a long run, over asking SQL for them."""

from __future__ import annotations

from contextlib import closing

from benchmarks import store
from benchmarks.measure import Lab, Row, cpu_s, interleaved, median, ratio

_FIRST_BOUND = 0.1
_ENDED_BOUND = 0.005
_GROUP_BY = (
    "SELECT metric_id, MIN(value), MAX(value), AVG(value), COUNT(*) FROM records"
    " WHERE run_id = 1 GROUP BY metric_id"
)


def rows(lab: Lab) -> list[Row]:
    """Measure the summary of a run that has just been recorded, and once it has ended."""
    n = lab.amount(1_000_000, 2_000)
    n_rounds = lab.amount(15, 1)
    folder = lab.new_folder()
    plain = folder / "plain.db"
    store.write_plain_table(plain, n)
    tracker = store.new_tracker(folder / "ours")
    run_id = tracker.start_run()
    store.record_ten_metrics(tracker, n)
    store.load_numpy()

    def first_s() -> float:
        tracker.record("metric_0", 0.5, n)  # so that no earlier summary holds
        return cpu_s(tracker.summary)

    def ended_s() -> float:
        return cpu_s(lambda: [tracker.summary(run_id) for _ in range(10)]) / 10

    with closing(store.connect(plain)) as connection:

        def group_by_s() -> float:
            return cpu_s(lambda: connection.execute(_GROUP_BY).fetchall())

        first = interleaved({"sql": group_by_s, "ours": first_s}, n_rounds)
        tracker.end_run()
        ended = interleaved({"sql": group_by_s, "ours": ended_s}, n_rounds)
    tracker.close()
    return [
        Row(
            f"summary() of an active run of {n:,} records, ten metrics, over SQL GROUP BY",
            ratio(first["ours"], first["sql"]),
            f"{1e3 * median(first['ours']):.1f} against {1e3 * median(first['sql']):.1f} ms",
            _FIRST_BOUND,
        ),
        Row(
            "summary() of the same run once it has ended, over SQL GROUP BY",
            ratio(ended["ours"], ended["sql"]),
            f"{1e3 * median(ended['ours']):.3f} against {1e3 * median(ended['sql']):.1f} ms",
            _ENDED_BOUND,
        ),
    ]
