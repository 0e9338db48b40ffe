"""Where the metrics of tests moved over their runs, and what their small steps add up to."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.attempts import without_confirmations
from tracking.change_points.findings import find
from tracking.change_points.segmentation import SIGNIFICANCE
from tracking.model import STATISTICS, Direction, Status
from tracking.queries.expressions import Metric
from tracking.queries.histories import STATISTIC, plain_point, points_of
from tracking.regression import DEFAULT_SETTINGS, parse_comparison, said_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tracking.change_points.findings import Change, Drift, Findings, Level
    from tracking.model import RunInfo
    from tracking.queries.histories import History, Point
    from tracking.reading import ExperimentReader
    from tracking.regression import MetricSettings, Patterns


class Series(NamedTuple):
    """What a metric of a test came to in its runs, and what became of it.

    Attributes:
        test: what the runs are called.
        metric: the metric.
        direction: which way it gets better.
        points: one for each run, the oldest first.
        findings: what became of it; places in it are of `points`.
        n_left_out: how many earlier runs the test has.
    """

    test: str
    metric: Metric
    direction: Direction
    points: list[Point]
    findings: Findings
    n_left_out: int

    def run(self, place: int) -> RunInfo:
        """Return the run of a place."""
        return self.points[place].run

    def since(self, start_s: float) -> Series:
        """Return this without what happened before a time, in Unix seconds.

        A change is as old as the first run after it, a drift as its last step.
        """
        drift = self.findings.drift
        is_old = drift is not None and self.run(drift.first_after).started_at < start_s
        changes = tuple(
            change
            for change in self.findings.changes
            if self.run(change.first_after).started_at >= start_s
        )
        findings = self.findings._replace(changes=changes, drift=None if is_old else drift)
        return self._replace(findings=findings)


class Criteria(NamedTuple):
    """How to look for changes.

    Attributes:
        significance: how often a metric that does not move may be said to have.
        patterns: what a project says of its metrics.
        rel: the tolerance, in place of what `patterns` say; None for that.
    """

    significance: float = SIGNIFICANCE
    patterns: Patterns = ()
    rel: float | None = None

    def settings_of(self, metric: Metric) -> MetricSettings:
        """Return how the gate would compare a metric where no marker chooses."""
        said = said_of(metric.name, self.patterns)
        return replace(DEFAULT_SETTINGS, **(said if self.rel is None else said | {"rel": self.rel}))


def read_drift(
    store: ExperimentReader,
    criteria: Criteria,
    *,
    is_wanted: Callable[[str], bool] = lambda _test: True,
    metric: Metric | None = None,
    limit: int = 0,
) -> Iterator[Series]:
    """Yield what became of the metrics of tests, by the names of the tests.

    Left out are runs that only confirmed a verdict, that go on, or that were started inside of
    others. A few questions are put to the store for each test.

    Args:
        store: the experiment.
        criteria: how to look.
        is_wanted: of which tests, by name.
        metric: one metric; the tail of all by default, which is what the gate compares first.
        limit: how many runs of a test, the newest ones; 0 for all.

    Raises:
        InvalidArgumentError: what is asked for makes no sense.
        StoreError: the experiment cannot be read.
    """
    for test in filter(is_wanted, store.run_names()):
        all_runs = [
            run
            for run in reversed(without_confirmations(store.find_runs(name=test)))
            if run.parent is None and run.status != Status.RUNNING
        ]
        runs = all_runs[-limit:]
        summaries = store.summaries_of(runs)
        names = dict.fromkeys(name for of_run in summaries.values() for name in of_run)
        asked = [Metric(name, STATISTIC) for name in names] if metric is None else [metric]
        chosen = directions(store, runs)
        for one in asked:
            if one.name in names:
                points = points_of(one, runs, summaries, set())
                n_left_out = len(all_runs) - len(runs)
                yield series_of(test, one, points, criteria, chosen, n_left_out)


def series_of_history(
    store: ExperimentReader, history: History, criteria: Criteria
) -> list[Series]:
    """Return what became of the metrics of a history, in its order.

    Raises:
        StoreError: the experiment cannot be read.
    """
    points = next(iter(history.points.values()), [])
    chosen = directions(store, [point.run for point in points])
    return [
        series_of(history.test, metric, points, criteria, chosen, history.n_left_out)
        for metric, points in history.points.items()
    ]


def directions(
    store: ExperimentReader, runs: Sequence[RunInfo]
) -> dict[tuple[str, str], Direction]:
    """Return the directions that the newest compared one of some runs was compared with.

    Args:
        store: the experiment.
        runs: of a test, the oldest first.

    Returns:
        Directions by metric and statistic; empty where none was compared.
    """
    compared = next((run for run in reversed(runs) if run.verdict), None)
    text = compared and store.get_comparison(compared.run_id)
    with suppress(ValueError):  # damaged, or newer: names of metrics say it nearly always
        checks = parse_comparison(text).checks if text else ()
        return {(one.metric, one.statistic): one.direction for one in checks if one.direction}
    return {}


def series_of(
    test: str,
    metric: Metric,
    points: list[Point],
    criteria: Criteria,
    chosen: Mapping[tuple[str, str], Direction],
    n_left_out: int = 0,
) -> Series:
    """Return what became of a metric of a test.

    Args:
        test: what its runs are called.
        metric: the metric.
        points: what it came to, the oldest first; what goes on is passed over.
        criteria: how to look.
        chosen: directions that are known, see `directions`.
        n_left_out: how many earlier runs the test has.
    """
    settings = criteria.settings_of(metric)
    direction = Direction.BOTH
    if metric.statistic in STATISTICS:
        inferred = settings.direction_of(metric.name, metric.statistic)
        direction = chosen.get(metric, inferred)
    findings = find(
        [_value(point) for point in points],
        settings,
        direction,
        criteria.significance,
        {place for place, point in enumerate(points) if point.n_non_finite},
    )
    return Series(test, metric, direction, points, findings, n_left_out)


def _value(point: Point) -> float | None:
    """Return what a metric came to in a run that has ended; NaN where that is no finite number."""
    if point.run.status == Status.RUNNING:
        return None
    return math.nan if point.value is None and point.n_non_finite else point.value


def plain_series(series: Series, *, with_runs: bool = False) -> dict[str, Any]:
    """Return what became of a metric of a test as JSON has it.

    Args:
        series: the metric.
        with_runs: whether to tell what it came to in each run, too.
    """
    plain = {
        "test": series.test,
        "metric": series.metric.name,
        "statistic": series.metric.statistic,
        "n_left_out": series.n_left_out,
        **plain_findings(series),
    }
    runs = {"runs": [plain_point(point) for point in series.points]}
    return plain | (runs if with_runs else {})


def plain_findings(series: Series) -> dict[str, Any]:
    """Return what became of a metric as JSON has it."""
    findings = series.findings
    return {
        "direction": str(series.direction),
        "n": findings.n,
        "n_non_finite": findings.n_non_finite,
        "is_too_short": findings.is_too_short,
        "levels": [_plain_level(level, series) for level in findings.levels],
        "changes": [_plain_change(change, series) for change in findings.changes],
        "drift": findings.drift and _plain_drift(findings.drift, series),
    }


def _plain_level(level: Level, series: Series) -> dict[str, Any]:
    return {
        "first_run": series.run(level.start).run_id,
        "last_run": series.run(level.end).run_id,
        "value": level.value,
        "n": level.n,
    }


def _plain_change(change: Change, series: Series) -> dict[str, Any]:
    return {
        "kind": str(change.kind),
        "effect": str(change.effect),
        "before": change.before and change.before.value,
        "after": change.after and change.after.value,
        "relative_change": change.relative,
        "n_before": change.before and change.before.n,
        "n_after": change.after and change.after.n,
        "significance": None if change.before is None else change.significance,
        "last_before": _plain_run(series.run(change.last_before)),
        "first_after": _plain_run(series.run(change.first_after)),
    }


def _plain_drift(drift: Drift, series: Series) -> dict[str, Any]:
    return {
        "effect": str(drift.effect),
        "before": drift.before.value,
        "after": drift.after.value,
        "relative_change": drift.relative,
        "n_steps": drift.n_steps,
        "began_after": _plain_run(series.run(drift.before.end)),
        "last_step": _plain_run(series.run(drift.first_after)),
    }


def _plain_run(run: RunInfo) -> dict[str, Any]:
    environment = run.environment or {}
    return {
        "run_id": run.run_id,
        "uuid": run.uuid,
        "started_at": run.started_at,
        "commit": environment.get("git_commit"),
        "is_dirty": environment.get("git_dirty"),
    }
