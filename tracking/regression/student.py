"""Student's distribution, by scipy, which is loaded at first use. Pure.

All that asks it for a number raises MissingDependencyError where scipy is not installed.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from tracking.errors import MissingDependencyError

_POWER = 0.8


def has_scipy() -> bool:
    """Return whether scipy is there, which the statistical rule needs."""
    try:
        _special()
    except MissingDependencyError:
        return False
    return True


def _special() -> Any:
    try:
        from scipy import special  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError as error:
        raise MissingDependencyError(
            "the statistical rule needs scipy, which is not installed;"
            " pip install 'pytest-sgtrack[stats]'"
        ) from error
    return special


def upper_tail(df: int, t: float) -> float:
    """Return P(T >= t) of Student's distribution."""
    return float(_special().stdtr(df, -t))


@lru_cache(maxsize=256)
def critical_t(df: int, alpha: float) -> float:
    """Return the t that is exceeded with probability `alpha` < 0.5."""
    return -float(_special().stdtrit(df, alpha))


@lru_cache(maxsize=64)
def _spreads(df: int) -> tuple[float, ...]:
    """Return equally likely ratios of the spread seen to the true one, by chi-squared."""
    n = 64
    inverse = _special().gammaincinv
    return tuple(math.sqrt(2 * float(inverse(df / 2, (i + 0.5) / n)) / df) for i in range(n))


@lru_cache(maxsize=256)
def detectable_errors(df: int, alpha: float, floor: float) -> float:
    """Return the change found with 80 % power, floor and change in standard errors.

    A change is found where it is seen beyond both t * s and the floor. Without a floor that is
    the upper tail of the noncentral t, here as an average over the distribution of s: scipy's
    inverse does not return for some extreme levels.
    """
    t = critical_t(df, alpha)
    limits = [max(floor, t * spread) for spread in _spreads(df)]
    low, high = 0.0, limits[-1] + 10
    for _ in range(60):
        middle = (low + high) / 2
        missed = [math.erfc((middle - limit) / math.sqrt(2)) / 2 for limit in limits]
        if math.fsum(missed) / len(limits) <= 1 - _POWER:
            high = middle
        else:
            low = middle
    return high
