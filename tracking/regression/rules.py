"""The decision: did a metric get worse? Pure.

A metric is compared with the samples of the baseline that have it. Samples of the run's own seed
are its references; where there are none, all samples stand in for them, which settles missing
metrics, counts and non-finite values and leaves other values `not_comparable`.

Where a rule leaves a doubt it is never green: a metric that only some samples have is missed when
it is absent, and a value that is not finite passes only if a reference has the very same.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from tracking.errors import InvalidArgumentError
from tracking.model import STATISTICS, Direction, Verdict, encode_number
from tracking.regression.direction import infer_direction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from tracking.model import Summary
    from tracking.regression.baseline import Sample

SEVERITY = (
    Verdict.IDENTICAL,
    Verdict.WITHIN,
    Verdict.IMPROVED,
    Verdict.UNDERPOWERED,
    Verdict.NEW_METRIC,
    Verdict.NOT_COMPARABLE,
    Verdict.NO_BASELINE,
    Verdict.INCOMPLETE,
    Verdict.GRAPH_CHANGED,
    Verdict.REGRESSED,
    Verdict.BOUND_FAILED,
    Verdict.TRUNCATED,
    Verdict.NON_FINITE,
    Verdict.MISSING_METRIC,
    Verdict.UNREADABLE_BASELINE,
)
"""Every verdict from the mildest to the worst: what passes, what warns, what fails by default."""

_RANK = {verdict: rank for rank, verdict in enumerate(SEVERITY)}

# Differences of numbers beyond this size could overflow; such numbers are halved first.
_SAFE_MAX = 1e300


@dataclass(frozen=True)
class MetricSettings:
    """How one metric is compared.

    Attributes:
        direction: which way the metric gets better, or None to infer it from its name.
        rel: tolerance as a fraction of the size of the baseline's value.
        abs: tolerance in the unit of the metric. The larger of the two counts, its bound included.
        statistics: names of the statistics that are compared, one or more of
            `tracking.model.STATISTICS`.

    Raises:
        InvalidArgumentError: a field is none of this.
    """

    direction: Direction | None
    rel: float
    abs: float
    statistics: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.direction is not None and not isinstance(self.direction, Direction):
            raise InvalidArgumentError("direction", f"{self.direction!r} is not a Direction")
        for name, value in (("rel", self.rel), ("abs", self.abs)):
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not 0 <= value <= sys.float_info.max:
                raise InvalidArgumentError(name, f"a finite number >= 0 is needed, not {value!r}")
        names = self.statistics
        are_known = isinstance(names, tuple) and all(name in STATISTICS for name in names)
        if not names or not are_known:
            wanted = f"one or more of {', '.join(STATISTICS)} in a tuple"
            raise InvalidArgumentError("statistics", f"{wanted} are needed, not {names!r}")

    def allowance(self, baseline: float) -> float:
        """Return the size of the largest change from `baseline` that passes, as pytest.approx."""
        return max(self.abs, self.rel * abs(baseline))

    def direction_of(self, metric: str, statistic: str) -> Direction:
        """Return which way a statistic of `metric` gets better.

        A direction that was chosen holds for every statistic. An inferred one says nothing about
        `std`: a larger spread of an accuracy is no improvement.
        """
        if self.direction is not None:
            return self.direction
        return Direction.BOTH if statistic == "std" else infer_direction(metric)


DEFAULT_SETTINGS = MetricSettings(None, rel=0.05, abs=1e-12, statistics=("tail", "mean"))
"""How a metric is compared that nobody said anything about."""


@dataclass(frozen=True, slots=True)
class Check:
    """What comparing one number of a metric found.

    Attributes:
        metric: name of the metric.
        statistic: what was compared: a name of `tracking.model.STATISTICS`, or n, n_nan or n_inf.
            A metric that only one side has gets one check, under its first statistic.
        verdict: what was found.
        baseline: the baseline's value, of several the median or for counts the nearest; None where
            it has none.
        current: the run's value, None where it has none.
        allowance: size of the largest change that passes, None where no size of change decides.
        message: what a reader has to know, in one line; empty for identical and within.
    """

    metric: str
    statistic: str
    verdict: Verdict
    baseline: float | None
    current: float | None
    allowance: float | None
    message: str

    @property
    def change(self) -> float | None:
        """`current - baseline`, None unless both are finite; infinite where it overflows."""
        if _is_finite(self.current) and _is_finite(self.baseline):
            return self.current - self.baseline
        return None

    @property
    def relative_change(self) -> float | None:
        """`(current - baseline) / abs(baseline)`, None where that is no finite number."""
        return _relative_change(self.baseline, self.current)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing a run with its baseline found.

    Attributes:
        verdict: the worst of the checks by `SEVERITY`. Where a policy colours verdicts in another
            order, colour the checks and take the worst colour.
        checks: by metric, then counts before statistics.
    """

    verdict: Verdict
    checks: tuple[Check, ...]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the last of `verdicts` in the order of `SEVERITY`; IDENTICAL where there are none."""
    return max(verdicts, key=_RANK.__getitem__, default=Verdict.IDENTICAL)


def compare(
    samples: Sequence[Sample] | None,
    current: Mapping[str, Summary],
    settings: Callable[[str], MetricSettings],
    seed: int | None,
) -> Comparison:
    """Compare what a run recorded with its baseline.

    Args:
        samples: the samples of the baseline's entry; None (or none) where there is no baseline.
        current: summary of each metric of the run, by name.
        settings: gives how a metric is compared, by its name.
        seed: seed of the run, or None where it had none.

    Returns:
        The checks of all metrics of either side and the worst of their verdicts.
    """
    if not samples:
        checks = [
            _check_new(metric, Verdict.NO_BASELINE, current[metric], settings(metric))
            for metric in sorted(current)
        ]
        return Comparison(Verdict.NO_BASELINE, tuple(checks))
    metrics = set(current).union(*(sample.metrics for sample in samples))
    checks = [
        check
        for metric in sorted(metrics)
        for check in _check_metric(metric, samples, current.get(metric), settings(metric), seed)
    ]
    return Comparison(worst(check.verdict for check in checks), tuple(checks))


def _check_metric(
    metric: str,
    samples: Sequence[Sample],
    current: Summary | None,
    chosen: MetricSettings,
    seed: int | None,
) -> Iterator[Check]:
    known = [sample for sample in samples if metric in sample.metrics]
    own = [sample for sample in known if sample.seed == seed]
    references = [sample.metrics[metric] for sample in own or known]
    if current is None:
        yield _check_missing(metric, references, chosen)
    elif not references:
        yield _check_new(metric, Verdict.NEW_METRIC, current, chosen)
    else:
        yield from _check_counts(metric, references, current)
        foreign = "" if own else _seeds_text(seed, {sample.seed for sample in known})
        for statistic in chosen.statistics:
            yield _check_statistic(metric, statistic, references, current, chosen, foreign)


def _check_new(metric: str, verdict: Verdict, current: Summary, chosen: MetricSettings) -> Check:
    statistic = chosen.statistics[0]
    lacking = "no baseline yet" if verdict is Verdict.NO_BASELINE else "not in the baseline"
    message = f"{metric}: {lacking}; this run gave {_values_text(current, chosen)}"
    return Check(metric, statistic, verdict, None, getattr(current, statistic), None, message)


def _check_missing(metric: str, references: Sequence[Summary], chosen: MetricSettings) -> Check:
    statistic = chosen.statistics[0]
    baseline = _middle([getattr(reference, statistic) for reference in references])
    message = (
        f"{metric}: not recorded by this run; the baseline has"
        f" {_values_text(references[0], chosen)}"
    )
    return Check(metric, statistic, Verdict.MISSING_METRIC, baseline, None, None, message)


def _check_counts(metric: str, references: Sequence[Summary], current: Summary) -> Iterator[Check]:
    """Yield a check for each count that differs from the nearest reference's."""
    n = min((reference.n for reference in references), key=lambda n: (abs(n - current.n), n))
    if current.n != n:
        change = f"{metric}: n went {_from_to(n, current.n)}"
        message = f"{change}; a run has to have as many records as the baseline, allowance 0"
        yield Check(metric, "n", Verdict.TRUNCATED, n, current.n, 0, message)
    # The nearest in both counts together: the NaN of one sample and the infinities of another
    # would allow what no sample has.
    nearest = min(references, key=lambda reference: _non_finite_distance(reference, current))
    for statistic in ("n_nan", "n_inf"):
        before, now = getattr(nearest, statistic), getattr(current, statistic)
        change = f"{metric}: {statistic} went {_from_to(before, now)}"
        if now > before:
            message = f"{change}; more non-finite records than in the baseline, allowance 0"
            yield Check(metric, statistic, Verdict.NON_FINITE, before, now, 0, message)
        elif now < before:
            yield Check(metric, statistic, Verdict.IMPROVED, before, now, 0, change)


def _non_finite_distance(reference: Summary, current: Summary) -> tuple[int, int]:
    """Return how many non-finite records `current` has too many, and how far it is in all."""
    changes = (current.n_nan - reference.n_nan, current.n_inf - reference.n_inf)
    return sum(max(0, change) for change in changes), sum(map(abs, changes))


def _check_statistic(
    metric: str,
    statistic: str,
    references: Sequence[Summary],
    current: Summary,
    chosen: MetricSettings,
    foreign: str,
) -> Check:
    now: float | None = getattr(current, statistic)
    values: list[float | None] = [getattr(reference, statistic) for reference in references]
    baseline = _middle(values)
    is_known = any(_is_same(now, value) for value in values)
    if is_known and not foreign:
        allowance = chosen.allowance(now) if _is_finite(now) else None
        return Check(metric, statistic, Verdict.IDENTICAL, now, now, allowance, "")
    if not foreign and _is_finite(now) and _is_finite(baseline):
        return _check_tolerance(metric, statistic, baseline, now, chosen)
    change = f"{metric}: {statistic} went {_from_to(baseline, now)}"
    # A number where the baseline has none is a gain only if fewer records are non-finite; else
    # the NaN has merely moved, as from the last record to the one before it.
    is_gain = _is_finite(now) and not _is_finite(baseline) and _has_fewer(current, references)
    if foreign and (is_known or is_gain or (_is_finite(now) and _is_finite(baseline))):
        message = f"{change}, but {foreign}, and runs of different seeds need not agree"
        return Check(metric, statistic, Verdict.NOT_COMPARABLE, baseline, now, None, message)
    if is_gain:
        return Check(metric, statistic, Verdict.IMPROVED, baseline, now, None, change)
    message = f"{change}; a value that is not finite passes only if the baseline has the same"
    return Check(metric, statistic, Verdict.NON_FINITE, baseline, now, None, message)


def _check_tolerance(
    metric: str, statistic: str, baseline: float, now: float, chosen: MetricSettings
) -> Check:
    allowance = chosen.allowance(baseline)
    scaled_now, scaled_baseline, scaled_abs = _scaled(now, baseline, chosen.abs)
    change = scaled_now - scaled_baseline
    if abs(change) <= max(scaled_abs, chosen.rel * abs(scaled_baseline)):
        return Check(metric, statistic, Verdict.WITHIN, baseline, now, allowance, "")
    direction = chosen.direction_of(metric, statistic)
    is_better = change < 0 if direction is Direction.LOWER else change > 0
    if is_better and direction is not Direction.BOTH:
        verdict, better = Verdict.IMPROVED, f"{direction} is better"
    elif direction is Direction.BOTH:
        verdict, better = Verdict.REGRESSED, "either way counts"
    else:
        verdict, better = Verdict.REGRESSED, f"{direction} is better"
    message = (
        f"{metric}: {statistic} went {_from_to(baseline, now)};"
        f" {better}, allowance {_number_text(allowance)}"
    )
    return Check(metric, statistic, verdict, baseline, now, allowance, message)


def _is_finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _is_same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return a == b or (math.isnan(a) and math.isnan(b))


def _has_fewer(current: Summary, references: Sequence[Summary]) -> bool:
    now = current.n_nan + current.n_inf
    return all(now < reference.n_nan + reference.n_inf for reference in references)


def _middle(values: Sequence[float | None]) -> float | None:
    """Return the median of the finite ones among `values`, or the first where none is."""
    finite = sorted(filter(_is_finite, values))
    if not finite:
        return values[0]
    low, high = finite[(len(finite) - 1) // 2], finite[len(finite) // 2]
    middle = (low + high) / 2
    return middle if math.isfinite(middle) else low / 2 + high / 2


def _scaled(*values: float) -> tuple[float, ...]:
    """Return `values`, all halved where their differences could overflow."""
    if max(map(abs, values)) <= _SAFE_MAX:
        return values
    return tuple(value / 2 for value in values)


def _relative_change(baseline: float | None, current: float | None) -> float | None:
    if not _is_finite(current) or not _is_finite(baseline):
        return None
    now, before = _scaled(current, baseline)
    change = (now - before) / abs(before) if before else math.inf
    return change if math.isfinite(change) else None


def _number_text(value: float | None) -> str:
    if value is None:
        return "no finite value"
    return f"{value:.6g}" if math.isfinite(value) else str(encode_number(value))


def _from_to(baseline: float | None, current: float | None) -> str:
    """Return the change as text, with the digits it takes to see it."""
    before, after = _number_text(baseline), _number_text(current)
    if before == after and not _is_same(baseline, current):
        before, after = repr(baseline), repr(current)
    relative = _relative_change(baseline, current)
    return f"from {before} to {after}" + ("" if relative is None else f" ({100 * relative:+.3g} %)")


def _values_text(summary: Summary, chosen: MetricSettings) -> str:
    values = (f"{name} {_number_text(getattr(summary, name))}" for name in chosen.statistics)
    return ", ".join(values)


def _seeds_text(seed: int | None, seeds: Collection[int | None]) -> str:
    own = "no seed" if seed is None else f"seed {seed}"
    others = ["no seed" if other is None else f"seed {other}" for other in seeds]
    return f"it had {own} and the baseline {', '.join(sorted(others))}"
