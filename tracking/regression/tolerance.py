"""A tolerance for those who compare by one: the smallest that samples rarely exceed. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracking.model import Direction
from tracking.regression.sampling import (
    FLOOR_ABS,
    FLOOR_REL,
    MAX,
    MIN_SAMPLES,
    Scale,
    grown,
    moments,
    require_level,
    require_size,
    require_values,
)
from tracking.regression.student import critical_t, upper_tail

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Proposal:
    """A tolerance around the median of samples, as the tolerance rule takes it.

    Attributes:
        rel: tolerance as a fraction of the size of the median; 0 where `abs` says it all.
        abs: tolerance in the unit of the metric. The larger of the two counts.
        false_red_rate: how often one more run, as good as the samples, is beyond it.
        present_rate: the same for the tolerance there is now.
    """

    rel: float
    abs: float
    false_red_rate: float
    present_rate: float


def propose_tolerance(
    samples: Sequence[float],
    direction: Direction,
    rate: float = 0.01,
    present_rel: float = 0.05,
    present_abs: float = FLOOR_ABS,
) -> Proposal:
    """Return the smallest tolerance around the median that one more run is rarely beyond.

    By the prediction interval of one more value (as in `predict`), rounded up to two significant
    digits. Never less than 1 %, which is the least that counts elsewhere; in the unit of the
    metric where the median is no measure of its size, being smaller than the tolerance.

    Args:
        samples: k >= 5 finite values of one statistic of one metric.
        direction: which way the metric gets better.
        rate: how often a run as good as the samples may be red, above 0 and below 0.5.
        present_rel: the tolerance there is now, as a fraction of the size of the median.
        present_abs: the same in the unit of the metric.

    Raises:
        InvalidArgumentError: an argument is none of this.
        MissingDependencyError: scipy is not installed.
    """
    import statistics  # slow to import, and few ask for a proposal

    require_values(samples, "samples", MIN_SAMPLES)
    require_level(rate, "rate")
    require_size(present_rel, "present_rel")
    require_size(present_abs, "present_abs")
    scale = Scale.of(samples, samples, direction)
    median = statistics.median([scale.shifted(value) for value in samples])
    interval = _Interval.of(scale.taken(samples), median, scale.is_log, direction)

    def rate_of(rel: float, absolute: float) -> float:
        return interval.rate_beyond(max(scale.shifted(absolute), rel * abs(median)))

    size, least = abs(median), max(scale.shifted(present_abs), FLOOR_REL * abs(median))
    wanted = interval.allowance(rate)
    if wanted <= least:
        rel, absolute = FLOOR_REL, present_abs
    elif wanted <= size:
        rel, absolute = _rounded_up(wanted / size), present_abs
    else:
        rel, absolute = 0.0, _rounded_up(scale.restored(wanted))
    return Proposal(rel, absolute, rate_of(rel, absolute), rate_of(present_rel, present_abs))


@dataclass(frozen=True)
class _Interval:
    """Where one more value is expected around the median of samples.

    Attributes:
        mean: of the samples on the scale compared.
        error: standard error of one more value's distance from it.
        df: degrees of freedom of the spread.
        median: of the samples, not on the log.
        is_log: whether the scale is the logarithm.
        direction: which way the metric gets better.
    """

    mean: float
    error: float
    df: int
    median: float
    is_log: bool
    direction: Direction

    @classmethod
    def of(
        cls, taken: Sequence[float], median: float, is_log: bool, direction: Direction
    ) -> _Interval:
        mean, root = moments(taken)
        df = len(taken) - 1
        error = root / math.sqrt(df) * math.sqrt(1 + 1 / len(taken))
        return cls(mean, error, df, median, is_log, direction)

    def rate_beyond(self, allowance: float) -> float:
        """Return how often one more value is worse than the median by more than `allowance`."""
        if self.error == 0:
            return 0.0
        high, low = self.median + allowance, self.median - allowance
        above = (math.log(min(high, MAX)) if self.is_log else high) - self.mean
        if self.direction is Direction.LOWER:
            return upper_tail(self.df, above / self.error)
        below = upper_tail(self.df, (self.mean - low) / self.error)
        is_both = self.direction is Direction.BOTH
        return below + is_both * upper_tail(self.df, above / self.error)

    def allowance(self, rate: float) -> float:
        """Return the smallest allowance that one more value is beyond at `rate` at most."""
        is_both = self.direction is Direction.BOTH
        reach = critical_t(self.df, rate / (2 if is_both else 1)) * self.error
        if self.is_log:
            return grown(self.median, self.mean - math.log(self.median) + reach)
        low, high = 0.0, reach + abs(self.mean - self.median)
        if self.rate_beyond(low) <= rate:
            return low
        for _ in range(60):
            middle = (low + high) / 2
            if self.rate_beyond(middle) <= rate:
                high = middle
            else:
                low = middle
        return high


def _rounded_up(value: float) -> float:
    from decimal import ROUND_UP, Context  # slow to import, and few ask for a proposal

    return min(float(Context(prec=2, rounding=ROUND_UP).create_decimal(repr(value))), MAX)
