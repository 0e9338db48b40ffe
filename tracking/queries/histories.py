"""What metrics came to in the runs of a test."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.errors import TrackingError
from tracking.model import encode_number
from tracking.queries.accepted import Accepted, identity
from tracking.queries.attempts import own_runs
from tracking.queries.expressions import Metric
from tracking.queries.selection import Selection
from tracking.regression.checks import relative_change

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from tracking.model import RunInfo, Summary
    from tracking.reading import ExperimentReader

STATISTIC = "tail"
"""Of a metric that names none: what the gate compares first."""

_COMMIT_LENGTH = 9


class Point(NamedTuple):
    """What a metric came to in one run.

    Attributes:
        run: the run.
        value: None where it has none.
        before: of the run before it that has one.
        is_accepted: whether the test's baseline holds this very summary.
        n_non_finite: how many of its records are not finite.
    """

    run: RunInfo
    value: float | None
    before: float | None
    is_accepted: bool
    n_non_finite: int


class History(NamedTuple):
    """What metrics came to in the runs of a test.

    Attributes:
        test: what its runs are called.
        points: of each metric, the oldest first.
        n_left_out: how many earlier runs it has, those that confirmed a verdict among them.
        is_more: whether there are more than `n_left_out`: of very many not all are counted.
    """

    test: str
    points: dict[Metric, list[Point]]
    n_left_out: int
    is_more: bool


def read_history(
    db: ExperimentReader, test: str, metric: Metric | None, limit: int, root: Path | None
) -> History:
    """Read what metrics came to in the runs of a test; not those that confirmed a verdict only.

    Args:
        db: the experiment.
        test: what its runs are called.
        metric: one of them; the tail of all by default, which is what the gate compares first.
        limit: how many runs, the newest ones; 0 for all.
        root: the folder that node ids start from; None where no baseline is to be looked at.

    Raises:
        TrackingError: the test has no such metric.
        BaselineError: its baseline cannot be read.
        StoreError: the experiment cannot be read.
    """
    wanted = {"name": (test,)}
    newest = own_runs(db, wanted)
    runs = list(islice(newest, limit) if limit else newest)[::-1]
    summaries = db.summaries_of(runs)
    held = set() if root is None else _held(Accepted(db, root), runs)
    points = {
        one: points_of(one, runs, summaries, held) for one in _metrics(metric, summaries, test)
    }
    return History(test, points, *_n_before(db, wanted, runs))


def _n_before(
    db: ExperimentReader, wanted: Mapping[str, Collection[str]], runs: Sequence[RunInfo]
) -> tuple[int, bool]:
    if not runs:
        return 0, False
    before = (runs[0].started_at, runs[0].run_id)
    earlier = Selection(wanted=wanted, before=before, limit=0, is_counted=True)
    _, n, is_more = db.select_runs(earlier)
    return n, is_more


def _held(
    accepted: Accepted, runs: Sequence[RunInfo]
) -> set[tuple[int, str, tuple[float | str | None, ...]]]:
    return {
        (run_id, metric, identity(summary))
        for run_id, entry in accepted.entries(runs).items()
        for sample in entry.samples
        for metric, summary in sample.metrics.items()
    }


def _metrics(
    asked: Metric | None, summaries: Mapping[int, Mapping[str, Summary]], test: str
) -> list[Metric]:
    names = list(dict.fromkeys(name for of_run in summaries.values() for name in of_run))
    if asked is None:
        return [Metric(name, STATISTIC) for name in names]
    if asked.name not in names:
        there = f"there are {', '.join(names)}" if names else "there is none"
        raise TrackingError(f"{test} has no metric {asked.name!r}; {there}")
    return [asked]


def points_of(
    metric: Metric,
    runs: Sequence[RunInfo],
    summaries: Mapping[int, Mapping[str, Summary]],
    held: set[tuple[int, str, tuple[float | str | None, ...]]],
) -> list[Point]:
    """Return what a metric came to in runs.

    Args:
        metric: the metric.
        runs: the oldest first.
        summaries: of each run, by its number.
        held: number of a run, metric and `identity` of the summaries that the baseline of its test
            holds.
    """
    points: list[Point] = []
    before = None
    for run in runs:
        of_run = summaries[run.run_id]
        value = metric.of(of_run)
        summary = of_run.get(metric.name)
        is_accepted = summary is not None and (run.run_id, metric.name, identity(summary)) in held
        n_non_finite = 0 if summary is None else summary.n_nan + summary.n_inf
        points.append(Point(run, value, before, is_accepted, n_non_finite))
        before = before if value is None else value
    return points


def plain_history(found: History) -> dict[str, Any]:
    """Return a history as JSON has it."""
    plain = [
        {
            "metric": metric.name,
            "statistic": metric.statistic,
            "runs": [plain_point(point) for point in of_metric],
        }
        for metric, of_metric in found.points.items()
    ]
    return {"test": found.test, "metrics": plain, "n_left_out": found.n_left_out}


def plain_point(point: Point) -> dict[str, Any]:
    """Return what a metric came to in a run as JSON has it."""
    run = point.run
    return {
        "run_id": run.run_id,
        "uuid": run.uuid,
        "started_at": run.started_at,
        "commit": (run.environment or {}).get("git_commit"),
        "is_dirty": (run.environment or {}).get("git_dirty"),
        "value": encode_number(point.value),
        "relative_change": relative_change(point.before, point.value),
        "outcome": run.outcome,
        "verdict": run.verdict,
        "is_accepted": point.is_accepted,
    }


def commit_text(environment: Mapping[str, Any]) -> str:
    """Return the commit a run was made of, and whether files had changed since.

    >>> commit_text({"git_commit": "0123456789abcdef", "git_dirty": True})
    '012345678-dirty'
    """
    commit = environment.get("git_commit")
    if not isinstance(commit, str):
        return ""
    return commit[:_COMMIT_LENGTH] + ("-dirty" if environment.get("git_dirty") else "")
