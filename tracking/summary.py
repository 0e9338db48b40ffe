"""The statistics of a series, pure.

Two ways to compute the same numbers: plain Python for short series, where numpy's fixed cost
dominates, and numpy for long ones. Which one is taken depends on the length alone, so that equal
series give bit-equal summaries on every machine and in every process.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from tracking.model import Summary

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMPY_FROM = 2_000
"""Series of this many records and more are summarised by numpy (break-even seen near 1,500)."""

# Squares of deviations beyond these sizes would overflow or vanish; such series are scaled first.
_SAFE_MAX = 1e150
_SAFE_MIN = 1e-150


def tail_length(n: int) -> int:
    """Return how many finite values the tail of a series of `n` records spans.

    >>> [tail_length(n) for n in (1, 49, 51, 200)]
    [5, 5, 6, 20]
    """
    return max(5, -(-n // 10))


def summarize(steps: Sequence[int] | Any, values: Sequence[float] | Any) -> Summary:
    """Summarise one series.

    Args:
        steps: n >= 1 signed 64-bit integers, in the order of recording; a sequence or an array. A
            list is taken to hold nothing but int.
        values: n floats, in the same order. A list is taken to hold nothing but float.

    Returns:
        The summary of the records sorted by step, records of one step in the order of recording.
    """
    if len(values) >= NUMPY_FROM:
        return _summarize_numpy(steps, values)
    return _summarize_python(
        steps if isinstance(steps, list) else list(map(int, steps)),
        values if isinstance(values, list) else list(map(float, values)),
    )


def _summarize_python(steps: list[int], values: list[float]) -> Summary:
    n = len(values)
    if steps != sorted(steps):
        order = sorted(range(n), key=steps.__getitem__)
        steps = [steps[i] for i in order]
        values = [values[i] for i in order]
    finite = values
    n_nan = n_inf = 0
    if not all(map(math.isfinite, values)):
        finite = [value for value in values if math.isfinite(value)]
        n_nan = sum(map(math.isnan, values))
        n_inf = n - n_nan - len(finite)
    smallest = largest = mean = std = tail = None
    if finite:
        smallest, largest = min(finite), max(finite)
        mean = _mean(finite, smallest, largest)
        std = _std(finite, mean, smallest, largest)
        last_values = finite[-tail_length(n) :]
        tail = _mean(last_values, min(last_values), max(last_values))
    return Summary(
        n, n_nan, n_inf, smallest, largest, mean, std, tail, values[-1], steps[0], steps[-1]
    )


def _mean(values: list[float], smallest: float, largest: float) -> float:
    n = len(values)
    if max(-smallest, largest) > _SAFE_MAX:
        # Half of it: the rounded n-ths of the largest float can add up to more than it.
        mean = 2.0 * math.fsum(value / (2 * n) for value in values)
    else:
        mean = math.fsum(values) / n
    # Rounding must not take a mean out of the range of its values.
    return min(max(mean, smallest), largest)


def _std(values: list[float], mean: float, smallest: float, largest: float) -> float:
    half_spread = _half_spread(mean, smallest, largest)
    if not half_spread:
        return 0.0
    if _SAFE_MIN < half_spread < _SAFE_MAX:
        squares = [(deviation := value - mean) * deviation for value in values]
        return math.sqrt(math.fsum(squares) / len(values))
    # Halved, so that the difference of two huge numbers of opposite sign stays finite; subnormal
    # spreads lose a bit to it, which is all they have to lose.
    squares = [((value / 2 - mean / 2) / half_spread) ** 2 for value in values]
    return _times_two(half_spread * math.sqrt(math.fsum(squares) / len(values)))


def _half_spread(mean: float, smallest: float, largest: float) -> float:
    return max(largest / 2 - mean / 2, mean / 2 - smallest / 2)


def _times_two(value: float) -> float:
    return min(2.0 * value, sys.float_info.max)


def _summarize_numpy(steps: Any, values: Any) -> Summary:
    import numpy as np

    steps = np.asarray(steps, dtype=np.int64)
    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    if (steps[1:] < steps[:-1]).any():
        order = np.argsort(steps, kind="stable")
        steps, values = steps[order], values[order]
    finite = values
    n_nan = n_inf = 0
    is_finite = np.isfinite(values)
    if not is_finite.all():
        finite = values[is_finite]
        n_nan = int(np.isnan(values).sum())
        n_inf = n - n_nan - len(finite)
    smallest = largest = mean = std = tail = None
    if len(finite):
        smallest, largest = float(finite.min()), float(finite.max())
        last_values = finite[-tail_length(n) :]
        with np.errstate(all="ignore"):  # squares may vanish, also where the user makes that raise
            mean = _mean_numpy(finite, smallest, largest)
            std = _std_numpy(finite, mean, smallest, largest)
            tail = _mean_numpy(last_values, float(last_values.min()), float(last_values.max()))
    return Summary(
        n,
        n_nan,
        n_inf,
        smallest,
        largest,
        mean,
        std,
        tail,
        float(values[-1]),
        int(steps[0]),
        int(steps[-1]),
    )


def _mean_numpy(values: Any, smallest: float, largest: float) -> float:
    n = len(values)
    if max(-smallest, largest) > _SAFE_MAX:
        mean = 2.0 * float((values / (2 * n)).sum())
    else:
        mean = float(values.sum()) / n
    return min(max(mean, smallest), largest)


def _std_numpy(values: Any, mean: float, smallest: float, largest: float) -> float:
    half_spread = _half_spread(mean, smallest, largest)
    if not half_spread:
        return 0.0
    if _SAFE_MIN < half_spread < _SAFE_MAX:
        squares = (values - mean) ** 2  # not a dot product: BLAS may sum in any order
        return math.sqrt(float(squares.sum()) / len(values))
    squares = ((values / 2 - mean / 2) / half_spread) ** 2
    return _times_two(half_spread * math.sqrt(float(squares.sum()) / len(values)))
