"""What a comparison found, and the words for it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from tracking.model import Direction, Verdict, encode_number

if TYPE_CHECKING:
    from collections.abc import Iterable

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

NOT_IN_BASELINE = (Verdict.NO_BASELINE, Verdict.NEW_METRIC)
"""Verdicts that say no more than that nobody has accepted anything yet: any update settles them."""

_RANK = {verdict: rank for rank, verdict in enumerate(SEVERITY)}

# Differences of numbers beyond this size could overflow; such numbers are halved first.
_SAFE_MAX = 1e300


@dataclass(frozen=True, slots=True)
class Check:
    """What comparing one number of a metric found.

    Attributes:
        metric: name of the metric, or of a computation graph.
        statistic: what was compared: a name of `tracking.model.STATISTICS`, or n, n_nan or n_inf;
            of a computation graph the number of its nodes. A metric that only one side has gets one
            check, under its first statistic.
        verdict: what was found.
        baseline: the baseline's value, of several the median or for counts the nearest; None where
            it has none.
        current: the run's value, None where it has none.
        allowance: size of the largest change that passes, None where no size of change decides.
        message: what a reader has to know, in one line; empty for identical and within.
        detectable: size of the smallest change that would be found: for certain by a tolerance,
            in 80 % of runs by the statistical rule's screen. None where no size of change decides.
        warning: what makes the verdict less than it seems, in one line.
        direction: which way the statistic gets better, where a value was compared.
        at_most: the worst that the verdict may do to the test, `show` or `warn`; empty where the
            verdict alone decides.
        details: more of what a reader has to know, a line each.
    """

    metric: str
    statistic: str
    verdict: Verdict
    baseline: float | None
    current: float | None
    allowance: float | None
    message: str
    detectable: float | None = None
    warning: str = ""
    direction: Direction | None = None
    at_most: str = ""
    details: tuple[str, ...] = ()

    @property
    def change(self) -> float | None:
        """`current - baseline`, None unless both are finite; infinite where it overflows."""
        if is_finite(self.current) and is_finite(self.baseline):
            return self.current - self.baseline
        return None

    @property
    def relative_change(self) -> float | None:
        """`(current - baseline) / abs(baseline)`, None where that is no finite number."""
        return relative_change(self.baseline, self.current)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing a run with its baseline found.

    Attributes:
        verdict: the worst of the checks by `SEVERITY`. Where a policy colours verdicts in another
            order, colour the checks and take the worst colour.
        checks: by metric, then counts before statistics.
        is_suspect: whether only runs of fresh seeds can confirm that it is red, or acquit it.
    """

    verdict: Verdict
    checks: tuple[Check, ...]
    is_suspect: bool = False


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the last of `verdicts` in the order of `SEVERITY`; IDENTICAL where there are none."""
    return max(verdicts, key=_RANK.__getitem__, default=Verdict.IDENTICAL)


def is_finite(value: float | None) -> TypeGuard[float]:
    """Tell whether there is a value, and a finite one."""
    return value is not None and math.isfinite(value)


def is_same(a: float | None, b: float | None) -> bool:
    """Tell whether two values are equal; NaN is equal to NaN, and none to none."""
    if a is None or b is None:
        return a is b
    return a == b or (math.isnan(a) and math.isnan(b))


def scaled(*values: float) -> tuple[float, ...]:
    """Return `values`, all halved where their differences could overflow."""
    if max(map(abs, values)) <= _SAFE_MAX:
        return values
    return tuple(value / 2 for value in values)


def relative_change(baseline: float | None, current: float | None) -> float | None:
    """Return `(current - baseline) / abs(baseline)`, None where that is no finite number."""
    if not is_finite(current) or not is_finite(baseline):
        return None
    now, before = scaled(current, baseline)
    change = (now - before) / abs(before) if before else math.inf
    return change if math.isfinite(change) else None


def number_text(value: float | None) -> str:
    """Return a value as people read it."""
    if value is None:
        return "no finite value"
    return f"{value:.6g}" if math.isfinite(value) else str(encode_number(value))


def from_to(baseline: float | None, current: float | None) -> str:
    """Return the change as text, with the digits it takes to see it."""
    before, after = number_text(baseline), number_text(current)
    if before == after and not is_same(baseline, current):
        before, after = repr(baseline), repr(current)
    relative = relative_change(baseline, current)
    return f"from {before} to {after}" + ("" if relative is None else f" ({100 * relative:+.3g} %)")
