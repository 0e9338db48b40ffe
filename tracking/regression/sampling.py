"""The statistical rule: are new runs worse than five or more baseline samples? Pure.

A run that the screen suspects is confirmed on fresh seeds alone: its own value was chosen for
being bad, and a rerun with its seed would only repeat it.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from tracking.errors import InvalidArgumentError
from tracking.model import Direction
from tracking.regression.student import critical_t, detectable_errors, upper_tail
from tracking.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_SAMPLES = 5
"""From how many baseline samples on the rule applies."""

N_FRESH = 4
"""How many fresh seeds confirm a suspect."""

SCREEN_ALPHA = 0.02
"""Rate at which the screen suspects a run that is as good as the baseline."""

FLOOR_REL = 0.01
"""Smallest effect that counts, as a fraction of the size of the baseline's centre."""

FLOOR_ABS = 1e-12
"""Smallest effect that counts, in the unit of the metric. The larger of the two holds."""

MAX = sys.float_info.max
"""Largest float: what lies beyond is as large as this."""


@dataclass(frozen=True)
class SampleTest:
    """What comparing new values with baseline samples found.

    Attributes:
        p: how often values as good as the baseline would look at least this much worse; where
            both directions count, this different.
        effect: `current - centre`, in the unit of the metric.
        centre: mean of the baseline, the geometric one on the log.
        current: the same of the new values.
        allowance: size of the largest change towards worse that passes given the spread seen, in
            the unit of the metric: of floor and critical value the larger.
        is_log: whether the logarithms were compared.
        is_significant_worse: p <= alpha, and the effect is towards worse and beyond the floor.
        is_significant_better: the mirror image; never where both directions count.
        floor: size of the largest effect too small to count, in the unit of the metric.
        standard_error: of the difference of the centres, on the scale compared.
        df: degrees of freedom of the spread.
        alpha: significance level of one side.
    """

    p: float
    effect: float
    centre: float
    current: float
    allowance: float
    is_log: bool
    is_significant_worse: bool
    is_significant_better: bool
    floor: float
    standard_error: float
    df: int
    alpha: float

    @property
    def detectable(self) -> float:
        """Smallest true change found with 80 % power, in the unit of the metric.

        Taken as true is the spread that was seen. It is what the noncentral t distribution gives,
        and more where the floor asks for more. Computed on request, in about a millisecond.
        """
        if self.standard_error == 0:
            return self.floor
        floor = math.log1p(self.floor / self.centre) if self.is_log else self.floor
        # Errors so much smaller than the floor add nothing to it that a float could show.
        n_errors = min(floor / self.standard_error, 1e12)
        by = detectable_errors(self.df, self.alpha, n_errors) * self.standard_error
        return max(self.floor, grown(self.centre, by) if self.is_log else min(by, MAX))


def confirm_alpha(n_checks: int, n_samples: int) -> float:
    """Return the significance level that confirms a suspect.

    0.001 for 60 checks with 10 samples. More checks leave each a smaller share of the session's
    rate of false reds, which stays below 1 % for 1 to 10,000 checks with 5 and more samples (by
    integration over normal samples, benchmarks/gate_simulation.py). It falls faster than their
    number, and with fewer samples, because screen and confirmation share the baseline: the more
    extreme the level, the likelier a baseline that came out too good passes both.

    Args:
        n_checks: how many checks of the session are gated, >= 1.
        n_samples: baseline samples of this check.

    Raises:
        InvalidArgumentError: a number is too small.
    """
    if n_checks < 1:
        raise InvalidArgumentError("n_checks", f"a number >= 1 is needed, not {n_checks}")
    if n_samples < MIN_SAMPLES:
        raise InvalidArgumentError(
            "n_samples", f"{MIN_SAMPLES} and more are needed, not {n_samples}"
        )
    return min(SCREEN_ALPHA, 1e-4 * min(n_samples, 30) * math.pow(60 / n_checks, 1.2))


def screen(
    baseline: Sequence[float],
    value: float,
    direction: Direction,
    floor_rel: float = FLOOR_REL,
    floor_abs: float = FLOOR_ABS,
) -> SampleTest:
    """Judge one run: it is suspect where the result is significantly worse.

    Arguments, result and errors are those of `predict`.
    """
    return predict(baseline, [value], direction, SCREEN_ALPHA, floor_rel, floor_abs)


def confirm(
    baseline: Sequence[float],
    fresh: Sequence[float],
    direction: Direction,
    n_checks: int,
    floor_rel: float = FLOOR_REL,
    floor_abs: float = FLOOR_ABS,
) -> SampleTest:
    """Judge a suspect by runs of fresh seeds alone: red where the result is significantly worse.

    It is so where all fresh runs together are, or each of them alone is. The second keeps a
    change that also makes runs unstable from hiding behind the spread it brought: one seed that
    diverges, of four that all got worse.

    Args:
        baseline: the samples, at least 5.
        fresh: values of the fresh runs, without the suspect's own.
        direction: which way the metric gets better.
        n_checks: how many checks of the session are gated, the same in every process.
        floor_rel: as `predict` takes it.
        floor_abs: as `predict` takes it.

    Returns:
        The test of all together; of the fresh run closest to the baseline where only each alone
        is worse.

    Raises:
        InvalidArgumentError: as `predict` and `confirm_alpha`.
        MissingDependencyError: scipy is not installed.
    """
    alpha = confirm_alpha(n_checks, len(baseline))
    together = predict(baseline, fresh, direction, alpha, floor_rel, floor_abs)
    if together.is_significant_worse:
        return together
    alone = [predict(baseline, [one], direction, alpha, floor_rel, floor_abs) for one in fresh]
    if all(one.is_significant_worse for one in alone):
        return min(alone, key=lambda one: abs(one.effect))
    return together


def predict(
    baseline: Sequence[float],
    new: Sequence[float],
    direction: Direction,
    alpha: float,
    floor_rel: float = FLOOR_REL,
    floor_abs: float = FLOOR_ABS,
) -> SampleTest:
    """Test whether new values are worse than the baseline's samples.

    t = (mean(new) - mean(baseline)) / (s * sqrt(1/k + 1/m)), Student's test of two samples with
    the pooled spread s and k + m - 2 degrees of freedom (Student, "The probable error of a mean",
    Biometrika 6, 1908; Fisher, "Applications of Student's distribution", Metron 5, 1925). With
    m = 1 it is the prediction interval of one more value (Hahn and Meeker, "Statistical
    Intervals", 1991, chapter 4). Where lower is better and all values are > 0, their logarithms are
    compared, for the spread of a loss grows with its size.

    A history without spread still alerts: any change beyond the floor has p = 0.

    Args:
        baseline: k >= 5 finite values.
        new: m >= 1 finite values.
        direction: which way the metric gets better; BOTH tests two-sided, alpha/2 a side.
        alpha: significance level, above 0 and below 0.5.
        floor_rel: smallest effect that counts, of the size of the baseline's centre.
        floor_abs: the same in the unit of the metric; the larger holds, its bound does not count.

    Raises:
        InvalidArgumentError: an argument is none of this.
        MissingDependencyError: scipy is not installed.
    """
    require_values(baseline, "baseline", MIN_SAMPLES)
    require_values(new, "new", 1)
    require_level(alpha, "alpha")
    require_size(floor_rel, "floor_rel")
    require_size(floor_abs, "floor_abs")
    scale = Scale.of(baseline, new, direction)
    before, after = scale.taken(baseline), scale.taken(new)
    (mean_before, root_before), (mean_after, root_after) = moments(before), moments(after)
    gap = mean_after - mean_before
    k, m = len(before), len(after)
    df = k + m - 2
    error = math.hypot(root_before, root_after) / math.sqrt(df) * math.sqrt(1 / k + 1 / m)
    t = 0.0 if gap == 0 else gap / error if error > 0 else math.copysign(math.inf, gap)
    worse = {Direction.LOWER: t, Direction.HIGHER: -t, Direction.BOTH: abs(t)}[direction]
    n_sides = 2 if direction is Direction.BOTH else 1
    p = n_sides * upper_tail(df, worse)
    centre, current = scale.centre(mean_before, baseline), scale.centre(mean_after, new)
    effect = current - centre if scale.is_log else gap
    floor = max(scale.shifted(floor_abs), floor_rel * abs(centre))
    critical = critical_t(df, alpha / n_sides) * error
    is_beyond = abs(effect) > floor
    return SampleTest(
        p=p,
        effect=scale.restored(effect),
        centre=scale.restored(centre),
        current=scale.restored(current),
        allowance=scale.restored(max(floor, grown(centre, critical) if scale.is_log else critical)),
        is_log=scale.is_log,
        is_significant_worse=is_beyond and p <= alpha,
        is_significant_better=is_beyond and upper_tail(df, -worse) <= alpha / n_sides,
        floor=scale.restored(floor),
        standard_error=scale.restored(error),
        df=df,
        alpha=alpha / n_sides,
    )


@dataclass(frozen=True)
class Scale:
    """On what values are compared: their logarithms, or a power of two of them.

    Dividing by the power of two next to the largest is exact, and keeps differences and squares
    of the largest and the smallest floats from overflowing and vanishing.
    """

    is_log: bool
    exponent: int

    @classmethod
    def of(cls, baseline: Sequence[float], new: Sequence[float], direction: Direction) -> Scale:
        """Return the scale for these values."""
        if direction is Direction.LOWER and min(baseline) > 0 and min(new) > 0:
            return cls(is_log=True, exponent=0)
        largest = max(map(abs, (*baseline, *new)))
        return cls(is_log=False, exponent=math.frexp(largest)[1])

    def taken(self, values: Sequence[float]) -> list[float]:
        """Return values on this scale."""
        return [math.log(v) if self.is_log else self.shifted(v) for v in values]

    def centre(self, mean: float, values: Sequence[float]) -> float:
        """Return the centre of `values` where `mean` is that of them taken to this scale."""
        if not self.is_log:
            return mean
        # Rounding must not take a mean out of the range of its values, nor e**log over the top.
        return min(max(math.exp(min(mean, 709.0)), min(values)), max(values))

    def shifted(self, value: float) -> float:
        """Return a value, or a size, divided by the power of two."""
        return _ldexp(value, -self.exponent)

    def restored(self, value: float) -> float:
        """Undo `shifted`."""
        return _ldexp(value, self.exponent)


def require_level(value: float, name: str) -> None:
    """Refuse what is no significance level."""
    if not 0 < value < 0.5:
        raise InvalidArgumentError(name, f"0 < {name} < 0.5 is needed, not {value!r}")


def require_size(value: float, name: str) -> None:
    """Refuse what is no size of a change."""
    if not 0 <= value <= MAX:
        raise InvalidArgumentError(name, f"a finite number >= 0 is needed, not {value!r}")


def require_values(values: Sequence[float], name: str, least: int) -> None:
    """Refuse too few values, and those that are not finite."""
    if len(values) < least:
        raise InvalidArgumentError(name, f"{least} or more values are needed, not {len(values)}")
    if not all(map(math.isfinite, values)):
        raise InvalidArgumentError(name, "finite numbers are needed; rules.py judges the others")


def moments(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and root of the sum of squared deviations from it."""
    summary = summarize(range(len(values)), values)
    mean, std = cast("float", summary.mean), cast("float", summary.std)  # all values are finite
    return mean, std * math.sqrt(len(values))


def _ldexp(value: float, exponent: int) -> float:
    """Return value * 2**exponent, the largest float where that is too large."""
    try:
        shifted = math.ldexp(value, exponent)
    except OverflowError:
        shifted = math.copysign(MAX, value)
    return min(max(shifted, -MAX), MAX)


def grown(centre: float, by_log: float) -> float:
    """Return how much `centre` > 0 grows where its logarithm does by `by_log`."""
    try:
        return min(centre * math.expm1(by_log), MAX)
    except OverflowError:
        return MAX
