"""The decision: did a metric get worse? Pure.

A metric is compared with the samples of the baseline that have it. Samples of the run's own seed
are its references; where there are none, all samples stand in for them, which settles missing
metrics, counts and non-finite values and leaves other values `not_comparable`.

Five samples and more, of a test that takes a seed, are compared by the statistical rule of
`sampling`, whatever the seeds. A run that it suspects is red until runs of fresh seeds say
otherwise.

Where a rule leaves a doubt it is never green: a metric that only some samples have is missed when
it is absent, and a value that is not finite passes only if a reference has the very same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracking.model import Direction, Summary, Verdict
from tracking.regression.checks import (
    Check,
    Comparison,
    from_to,
    is_finite,
    is_same,
    number_text,
    scaled,
    worst,
)
from tracking.regression.sampling import (
    MIN_SAMPLES,
    SampleTest,
    confirm,
    confirm_alpha,
    predict,
    screen,
)
from tracking.regression.student import has_scipy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from tracking.regression.sample import Sample
    from tracking.regression.settings import MetricSettings


@dataclass(frozen=True)
class Context:
    """What a comparison knows beside the numbers.

    Attributes:
        seed: seed of the run, or None where it had none.
        n_checks: how many checks of the session the statistical rule decides, the same in every
            process: they share the session's rate of false reds.
        fresh: what runs of fresh seeds gave, to confirm a suspect; none before it is one.
        origin: the sample that drift is measured from; None where that is of another variant.
        first: samples that drift is measured from by their spread, where history has them.
    """

    seed: int | None = None
    n_checks: int = 1
    fresh: Sequence[Mapping[str, Summary]] = ()
    origin: Sample | None = None
    first: Sequence[Sample] = ()


@dataclass(frozen=True)
class _Case:
    """One statistic of one metric of a run, and what it is compared with."""

    metric: str
    statistic: str
    chosen: MetricSettings
    context: Context
    population: Sequence[Summary]  # of all samples
    references: Sequence[Summary]  # of those that have the run's seed, where there are any
    current: Summary
    foreign: str  # what to say of the seeds where no sample has the run's

    @property
    def now(self) -> float | None:
        value: float | None = getattr(self.current, self.statistic)
        return value

    def values_of(self, summaries: Sequence[Summary]) -> list[float | None]:
        return [getattr(summary, self.statistic) for summary in summaries]

    @property
    def direction(self) -> Direction:
        return self.chosen.direction_of(self.metric, self.statistic)

    def sampled(self) -> list[float]:
        """What the statistical rule compares with."""
        return [value for value in self.values_of(self.population) if is_finite(value)]

    def wanting(self) -> str:
        """What the statistical rule lacks; empty where it decides."""
        if self.context.seed is None:
            return "the statistical rule needs runs with a seed"
        if len(self.sampled()) < MIN_SAMPLES:
            return f"samples: {len(self.sampled())}, the statistical rule needs {MIN_SAMPLES}"
        if not has_scipy():
            return "scipy is not installed: pip install 'pytest-sgtrack[stats]'"
        return ""

    def check(
        self,
        verdict: Verdict,
        baseline: float | None,
        allowance: float | None,
        message: str,
        *,
        detectable: float | None = None,
        warning: str = "",
    ) -> Check:
        identity = (self.metric, self.statistic, verdict)
        values = (baseline, self.now, allowance)
        return Check(*identity, *values, message, detectable, warning, self.direction)

    def went(self, baseline: float | None) -> str:
        return f"{self.metric}: {self.statistic} went {from_to(baseline, self.now)}"


def compare(
    samples: Sequence[Sample] | None,
    current: Mapping[str, Summary],
    settings: Callable[[str], MetricSettings],
    context: Context,
) -> Comparison:
    """Compare what a run recorded with its baseline.

    Args:
        samples: the samples of the baseline's entry; None (or none) where there is no baseline.
        current: summary of each metric of the run, by name.
        settings: gives how a metric is compared, by its name.
        context: what else is known.

    Returns:
        The checks of all metrics of either side and the worst of their verdicts.
    """
    if not samples:
        new = [
            _check_new(metric, Verdict.NO_BASELINE, current[metric], settings(metric))
            for metric in sorted(current)
        ]
        return Comparison(Verdict.NO_BASELINE, tuple(new))
    metrics = set(current).union(*(sample.metrics for sample in samples))
    judged = [
        found
        for metric in sorted(metrics)
        for found in _check_metric(metric, samples, current.get(metric), settings(metric), context)
    ]
    checks = tuple(found for found, _ in judged)
    is_suspect = any(is_suspect for _, is_suspect in judged)
    return Comparison(worst(check.verdict for check in checks), checks, is_suspect)


def _check_metric(
    metric: str,
    samples: Sequence[Sample],
    current: Summary | None,
    chosen: MetricSettings,
    context: Context,
) -> Iterator[tuple[Check, bool]]:
    """Yield checks, each with whether it is but a suspicion."""
    known = [sample for sample in samples if metric in sample.metrics]
    population = [sample.metrics[metric] for sample in known]
    own = [sample.metrics[metric] for sample in known if sample.seed == context.seed]
    references = own or population
    if current is None:
        yield _check_missing(metric, references, chosen), False
    elif not references:
        yield _check_new(metric, Verdict.NEW_METRIC, current, chosen), False
    else:
        for check in _check_counts(metric, references, current):
            yield check, False
        foreign = "" if own else _seeds_text(context.seed, {sample.seed for sample in known})
        known_as = (chosen, context, population, references, current, foreign)
        for statistic in chosen.statistics:
            yield _check_statistic(_Case(metric, statistic, *known_as))


def _check_new(metric: str, verdict: Verdict, current: Summary, chosen: MetricSettings) -> Check:
    statistic = chosen.statistics[0]
    lacking = "no baseline yet" if verdict is Verdict.NO_BASELINE else "not in the baseline"
    message = f"{metric}: {lacking}; this run gave {_values_text([current], chosen)}"
    return Check(metric, statistic, verdict, None, getattr(current, statistic), None, message)


def _check_missing(metric: str, references: Sequence[Summary], chosen: MetricSettings) -> Check:
    statistic = chosen.statistics[0]
    baseline = _middle([getattr(reference, statistic) for reference in references])
    had = _values_text(references, chosen)
    message = f"{metric}: not recorded by this run; the baseline has {had}"
    return Check(metric, statistic, Verdict.MISSING_METRIC, baseline, None, None, message)


def _check_counts(metric: str, references: Sequence[Summary], current: Summary) -> Iterator[Check]:
    """Yield a check for each count that differs from the nearest reference's."""
    n = min((reference.n for reference in references), key=lambda n: (abs(n - current.n), n))
    if current.n != n:
        change = f"{metric}: n went {from_to(n, current.n)}"
        message = f"{change}; a run has to have as many records as the baseline, allowance 0"
        yield Check(metric, "n", Verdict.TRUNCATED, n, current.n, 0, message)
    # The nearest in both counts together: the NaN of one sample and the infinities of another
    # would allow what no sample has.
    nearest = min(references, key=lambda reference: _non_finite_distance(reference, current))
    for statistic in ("n_nan", "n_inf"):
        before, now = getattr(nearest, statistic), getattr(current, statistic)
        change = f"{metric}: {statistic} went {from_to(before, now)}"
        if now > before:
            message = f"{change}; more non-finite records than in the baseline, allowance 0"
            yield Check(metric, statistic, Verdict.NON_FINITE, before, now, 0, message)
        elif now < before:
            yield Check(metric, statistic, Verdict.IMPROVED, before, now, 0, change)


def _non_finite_distance(reference: Summary, current: Summary) -> tuple[int, int, int]:
    """Return how many non-finite records `current` has too many, and how far it is in all.

    The last number only tells apart what is as far, whatever the order of samples.
    """
    changes = (current.n_nan - reference.n_nan, current.n_inf - reference.n_inf)
    return sum(max(0, change) for change in changes), sum(map(abs, changes)), -reference.n_nan


def _check_statistic(case: _Case) -> tuple[Check, bool]:
    now, values = case.now, case.values_of(case.references)
    is_known = any(is_same(now, value) for value in values)
    if is_known and not case.foreign:
        return _identical(case), False
    baseline = _middle(values)
    if is_finite(now) and is_finite(baseline):
        return _check_value(case, now, baseline)
    # A number where the baseline has none is a gain only if fewer records are non-finite; else
    # the NaN has merely moved, as from the last record to the one before it.
    is_gain = is_finite(now) and _has_fewer(case.current, case.references)
    if case.foreign and (is_known or is_gain):
        return _not_comparable(case, baseline), False
    if is_gain:
        return case.check(Verdict.IMPROVED, baseline, None, case.went(baseline)), False
    message = f"{case.went(baseline)}; a value that is not finite passes only if the baseline has"
    return case.check(Verdict.NON_FINITE, baseline, None, f"{message} the same"), False


def _identical(case: _Case) -> Check:
    now, allowance, detectable = case.now, None, None
    if is_finite(now):
        allowance = detectable = case.chosen.allowance(now)
        if not case.wanting():
            found = _screened(case, now)
            allowance, detectable = found.allowance, found.detectable
    return case.check(Verdict.IDENTICAL, now, allowance, "", detectable=detectable)


def _check_value(case: _Case, now: float, baseline: float) -> tuple[Check, bool]:
    """Check a finite value against finite ones."""
    if not case.wanting():
        return _check_samples(case, now)
    if case.foreign:
        return _not_comparable(case, baseline, case.wanting()), False
    check = _check_tolerance(case, now, baseline)
    if check.verdict is Verdict.WITHIN:
        check = _check_drift(case, now, baseline) or check
    has_several = case.context.seed is not None and len(case.sampled()) > 1
    if check.verdict is Verdict.WITHIN and has_several:
        message = f"{case.went(baseline)}; compared by tolerance only ({case.wanting()})"
        check = replace(check, verdict=Verdict.UNDERPOWERED, message=message)
    return check, False


def _not_comparable(case: _Case, baseline: float | None, wanting: str = "") -> Check:
    message = f"{case.went(baseline)}, but {case.foreign}, and runs of different seeds need not"
    message += f" agree ({wanting})" if wanting else " agree"
    return case.check(Verdict.NOT_COMPARABLE, baseline, None, message)


def _check_tolerance(case: _Case, now: float, baseline: float) -> Check:
    allowance = case.chosen.allowance(baseline)
    verdict = _tolerated(case, now, baseline)
    message = ""
    if verdict is not Verdict.WITHIN:
        shown = number_text(allowance)
        message = f"{case.went(baseline)}; {_wish(case.direction)}, allowance {shown}"
    return case.check(verdict, baseline, allowance, message, detectable=allowance)


def _tolerated(case: _Case, now: float, baseline: float) -> Verdict:
    now, baseline, absolute = scaled(now, baseline, case.chosen.abs)
    change = now - baseline
    if abs(change) <= max(absolute, case.chosen.rel * abs(baseline)):
        return Verdict.WITHIN
    better = Direction.LOWER if change < 0 else Direction.HIGHER
    return Verdict.IMPROVED if case.direction is better else Verdict.REGRESSED


def _check_drift(case: _Case, now: float, baseline: float) -> Check | None:
    """Return a check where small accepted steps have added up; None where they have not.

    It is the step across the tolerance of the origin that is red. Who accepts it has seen it. An
    origin of another seed need not agree, and from one that still is a sample nothing has drifted.
    """
    origin = case.context.origin
    if origin is None or origin.seed != case.context.seed or case.metric not in origin.metrics:
        return None
    first: float | None = getattr(origin.metrics[case.metric], case.statistic)
    # What a file holds was accepted one by one; of a history nobody has looked at the sum.
    is_sample = first in case.values_of(case.references) and not case.context.first
    if not is_finite(first) or is_sample:
        return None
    is_crossed = _tolerated(case, now, first) is Verdict.REGRESSED
    if not is_crossed or _tolerated(case, baseline, first) is Verdict.REGRESSED:
        return None
    allowance = case.chosen.allowance(first)
    message = (
        f"{case.went(first)} since its origin, in steps that were accepted one by one;"
        f" {_wish(case.direction)}, allowance {number_text(allowance)}"
    )
    return case.check(Verdict.REGRESSED, first, allowance, message, detectable=allowance)


def _screened(case: _Case, now: float) -> SampleTest:
    return screen(case.sampled(), now, case.direction, case.chosen.floor, case.chosen.abs)


def _check_samples(case: _Case, now: float) -> tuple[Check, bool]:
    """Check a value by the statistical rule; a suspect by runs of fresh seeds, once there are."""
    found, fresh = _screened(case, now), case.context.fresh
    is_suspect = found.is_significant_worse
    verdict, message, warning = Verdict.WITHIN, "", ""
    if is_suspect or found.is_significant_better:
        verdict = Verdict.REGRESSED if is_suspect else Verdict.IMPROVED
        allowed = f"allowance {number_text(found.allowance)} by {len(case.sampled())} samples"
        message = f"{case.went(found.centre)}; {_wish(case.direction)}, {allowed}"
    if is_suspect and fresh:
        is_confirmed, what = _confirmed(case, fresh)
        if is_confirmed:
            message = f"{message}; {what}"
        else:
            went = case.went(found.centre)
            verdict, message, warning = Verdict.WITHIN, "", f"{went} under this seed; {what}"
    elif is_suspect:
        message = f"{message}; not confirmed by fresh seeds"
    check = case.check(
        *(verdict, found.centre, found.allowance, message),
        detectable=found.detectable,
        warning=warning,
    )
    if verdict is Verdict.WITHIN:
        check = _check_drift_of_samples(case, now) or check
    return check, is_suspect and not fresh


def _check_drift_of_samples(case: _Case, now: float) -> Check | None:
    """Return a check where runs that each passed have drifted away from the first; else None.

    All of them together are compared with the first ones, as runs of fresh seeds are with samples;
    what counts is an effect beyond the metric's tolerance.
    """
    summaries = [
        one.metrics[case.metric] for one in case.context.first if case.metric in one.metrics
    ]
    first = [value for value in case.values_of(summaries) if is_finite(value)]
    if len(first) < MIN_SAMPLES:
        return None
    recent = [*case.sampled(), now]
    alpha = confirm_alpha(case.context.n_checks, len(first))
    found = predict(first, recent, case.direction, alpha, case.chosen.rel, case.chosen.abs)
    if not found.is_significant_worse:
        return None
    message = (
        f"{case.metric}: {case.statistic} went {from_to(found.centre, found.current)} since the"
        f" first runs, in steps that were green one by one; {_wish(case.direction)}, allowance"
        f" {number_text(found.allowance)}"
    )
    return case.check(
        Verdict.REGRESSED, found.centre, found.allowance, message, detectable=found.detectable
    )


def _confirmed(case: _Case, fresh: Sequence[Mapping[str, Summary]]) -> tuple[bool, str]:
    """Return whether runs of fresh seeds leave a suspect red, and what they gave."""
    values = [_fresh_value(case, metrics.get(case.metric)) for metrics in fresh]
    finite = [value for value in values if is_finite(value)]
    n = len(fresh)
    if len(finite) < n:
        # Runs that failed cannot acquit: who lacks them would compare the lucky seeds.
        return True, f"{n - len(finite)} of {n} runs of fresh seeds gave nothing to compare"
    rule = (case.direction, case.context.n_checks, case.chosen.floor, case.chosen.abs)
    found = confirm(case.sampled(), finite, *rule)
    gave = from_to(found.centre, found.current)
    if found.is_significant_worse:
        return True, f"confirmed by {n} runs of fresh seeds, {gave}"
    return False, f"{n} runs of fresh seeds did not confirm it, {gave}"


def _fresh_value(case: _Case, summary: Summary | None) -> float | None:
    """Return a fresh run's value, None where its records would be red whatever their values."""
    if summary is None:
        return None
    counts = _check_counts(case.metric, case.population, summary)
    if any(check.verdict is not Verdict.IMPROVED for check in counts):
        return None
    value: float | None = getattr(summary, case.statistic)
    return value


def _wish(direction: Direction) -> str:
    return "either way counts" if direction is Direction.BOTH else f"{direction} is better"


def _has_fewer(current: Summary, references: Sequence[Summary]) -> bool:
    now = current.n_nan + current.n_inf
    return all(now < reference.n_nan + reference.n_inf for reference in references)


def _middle(values: Sequence[float | None]) -> float | None:
    """Return the median of the finite ones among `values`, or any where none is."""
    finite = sorted(filter(is_finite, values))
    if not finite:
        return min(values, key=repr)  # the same in whatever order they come
    low, high = finite[(len(finite) - 1) // 2], finite[len(finite) // 2]
    middle = (low + high) / 2
    return middle if math.isfinite(middle) else low / 2 + high / 2


def _values_text(summaries: Sequence[Summary], chosen: MetricSettings) -> str:
    """Return what summaries have of each statistic that is compared, of several the median."""
    middles = {
        name: _middle([getattr(summary, name) for summary in summaries])
        for name in chosen.statistics
    }
    return ", ".join(f"{name} {number_text(value)}" for name, value in middles.items())


def _seeds_text(seed: int | None, seeds: Collection[int | None]) -> str:
    own = "no seed" if seed is None else f"seed {seed}"
    others = ["no seed" if other is None else f"seed {other}" for other in seeds]
    return f"it had {own} and the baseline {', '.join(sorted(others))}"
