"""Where the level of a series of numbers moved: change points, and how sure each is. Pure.

E-divisive (Matteson and James, 2014) with the exponent 2, which looks at means alone: a stretch is
split where the divergence of its two sides is largest, if permuting the stretch seldom gives one as
large, and its parts are split on. With this exponent the divergence of two sides of m and n values
is 2 m n / (m + n) times the squared difference of their means, so that sums which are known
beforehand give all of them at once: it is the square of the CUSUM statistic, whose permutation test
is that of Antoch and Huskova (2001).

Where a level moved and came back, neither side of any split is of one level. Hunter (Fleming et
al., 2023) therefore looks through a window of fixed width; this looks through windows of widths
that grow, as the multiscale MOSUM does (Cho and Kirch, 2022), and one permutation test is for the
largest of all that is seen. In the end change points give way that are not significant between
their neighbours, the weakest first, as in Hunter's second step.

    D. S. Matteson, N. A. James. A nonparametric approach for multiple change point analysis of
        multivariate data. J. American Statistical Association 109 (2014) 334-345.
    M. Fleming, P. Kolaczkowski, I. Kumar, S. Das, S. McCarthy, P. Pattabhiraman, H. Ingo. Hunter:
        using change point detection to hunt for performance regressions. ICPE (2023) 199-206.
    J. Antoch, M. Huskova. Permutation tests in change point analysis. Statistics & Probability
        Letters 53 (2001) 37-46.
    H. Cho, C. Kirch. Two-stage data segmentation permitting multiscale change points, heavy tails
        and dependence. Annals of the Institute of Statistical Mathematics 74 (2022) 653-684.
    A. Wald, J. Wolfowitz. On a test whether two samples are from the same population. Annals of
        Mathematical Statistics 11 (1940) 147-162.
    J. Besag, P. Clifford. Sequential Monte Carlo p-values. Biometrika 78 (1991) 301-304.
"""

from __future__ import annotations

import math
import zlib
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from tracking.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

SIGNIFICANCE = 0.01
"""How often values that do not move may be said to have, where nobody chooses."""

SHORTEST = 4
"""Fewer values have no change point: two levels of two values each are the least there can be."""

MIN_SIGNIFICANCE = 1e-4
"""The smallest that can be asked for: what it takes to test for it grows with its inverse."""

_LEAST = 3  # values on each side of a split, where they differ from each other
_NARROWEST = 5  # values on each side in a window
_GROWTH = 1.5  # of windows
_FINENESS = 16  # steps in which a wide window moves by half its width
_ALLOWED = 5  # how many of the orders in a significant test may be as extreme, its own included
_BATCH = 2**18  # numbers that are permuted at once
_ROUNDING = 1e-9  # of sums; two that are closer are equal


class Split(NamedTuple):
    """A place where the level of a series moved.

    Attributes:
        place: of the first value after it.
        significance: how often values of one level, in chance order, look at least as much like
            two; 0 where the values on each side are equal to each other, to the bit.
    """

    place: int
    significance: float


def change_points(values: Sequence[float], significance: float = SIGNIFICANCE) -> list[Split]:
    """Return where the level of a series moved, in its order.

    Of values that do not move it finds any change point with at most the probability
    `significance`, whatever their distribution is, if they are independent of each other. A series
    gives the same change points again, and those of one that is scaled or shifted are the same.

    Between levels of equal values, two or more each, that do not come back, no chance has a part:
    their change points are exact, however few values there are. Where they come back, it is tested
    how often neighbours are equal, as Wald and Wolfowitz (1940) count runs.

    Args:
        values: finite.
        significance: from `MIN_SIGNIFICANCE` up, below 1.

    Raises:
        InvalidArgumentError: a value is not finite, or `significance` is none.
    """
    import numpy as np

    if not MIN_SIGNIFICANCE <= significance < 1:
        raise InvalidArgumentError(
            "significance", f"{significance!r} is not between {MIN_SIGNIFICANCE} and 1"
        )
    series = np.asarray(values, dtype=np.float64)
    if not np.isfinite(series).all():
        raise InvalidArgumentError("values", "they have to be finite")
    if len(series) < SHORTEST:
        return []
    # By a power of two, which keeps every digit: sums of huge values would overflow.
    stretches = _Stretches(np.ldexp(series, -math.frexp(np.abs(series).max())[1]), significance)
    return _confirmed(_split(stretches), stretches)


class _Stretches:
    """What is known of the stretches of a series, each looked at once."""

    def __init__(self, series: Array, significance: float) -> None:
        self.n = len(series)
        self.significance = significance
        self._series = series
        self.steps = cache(self._steps)
        self.best = cache(self._best)

    def _steps(self, start: int, end: int) -> dict[int, float]:
        """Return the significance of all changes, by place, where levels are of equal values.

        One value alone is no level. Values that come back may do so by chance: that neighbours
        are equal so often is tested, by permuting them.
        """
        import numpy as np

        series = self._series[start:end]
        moves = np.flatnonzero(np.diff(series)) + 1
        if not len(moves) or np.diff(moves, prepend=0, append=len(series)).min() < 2:
            return {}
        significance = 0.0
        if len(np.unique(series)) <= len(moves):
            significance = _p_value(series, _n_equal, self.significance)
        if significance > self.significance:
            return {}
        return dict.fromkeys((start + moves).tolist(), significance)

    def _best(self, start: int, end: int) -> Split | None:
        """Return where a stretch of values that differ is split best; None where it cannot be."""
        series = self._series[start:end]
        if len(series) < 2 * _LEAST or series.min() == series.max():
            return None
        deviations = series - series.mean()
        significance = _p_value(deviations, _largest_sizes, self.significance)
        return Split(start + _largest(_sums_of(deviations)), significance)

    def between(self, start: int, place: int, end: int) -> Split:
        """Return the change point of a stretch that has one about `place`."""
        steps = self.steps(start, end)
        if place in steps:
            return Split(place, steps[place])
        return self.best(start, end) or Split(place, 1.0)


def _split(stretches: _Stretches) -> list[int]:
    """Return where stretches are split, and their parts, until no split is significant."""
    places: list[int] = []
    waiting = [(0, stretches.n)]
    while waiting:
        start, end = waiting.pop()
        if steps := stretches.steps(start, end):
            places += steps
            continue
        best = stretches.best(start, end)
        if best is not None and best.significance <= stretches.significance:
            places.append(best.place)
            waiting += [(start, best.place), (best.place, end)]
    return sorted(places)


def _confirmed(places: list[int], stretches: _Stretches) -> list[Split]:
    """Return change points that are significant between their neighbours, each where it is best."""
    while True:
        bounds = [0, *places, stretches.n]
        for i in range(1, len(bounds) - 1):
            bounds[i] = stretches.between(*bounds[i - 1 : i + 2]).place
        splits = [
            Split(around[1], stretches.between(*around).significance)
            for around in zip(bounds, bounds[1:], bounds[2:], strict=False)
        ]
        weakest = max(splits, key=attrgetter("significance"), default=None)
        if weakest is None or weakest.significance <= stretches.significance:
            return splits
        places = [split.place for split in splits if split is not weakest]


def _sums_of(deviations: Array) -> Array:
    """Return the sums of the first k deviations from a mean, for k from 0 to all."""
    import numpy as np

    sums = np.zeros((*deviations.shape[:-1], deviations.shape[-1] + 1))
    np.cumsum(deviations, axis=-1, out=sums[..., 1:])
    return sums


def _cusum(sums: Array) -> Array:
    """Return how far the means of both sides are apart, in deviations of one value, by place."""
    import numpy as np

    n = sums.shape[-1] - 1
    k = np.arange(_LEAST, n - _LEAST + 1)
    return np.abs(sums[..., _LEAST : n - _LEAST + 1]) * np.sqrt(n / (k * (n - k)))


def _window(sums: Array, half: int, step: int = 1) -> Array:
    """Return what `_cusum` does, of as many values on each side as half a window.

    Args:
        sums: of deviations.
        half: half the width.
        step: from one place of the window to the next.
    """
    import numpy as np

    n = sums.shape[-1] - 1
    middle = sums[..., half : n + 1 - half : step]
    sizes = sums[..., 2 * half :: step] - middle
    sizes -= middle - sums[..., : n + 1 - 2 * half : step]
    sizes /= math.sqrt(2 * half)
    found: Array = np.abs(sizes, out=sizes)
    return found


@cache
def _halves(n_sums: int) -> tuple[int, ...]:
    """Return half the widths of the windows through which values are looked at, by their sums."""
    found = []
    half = _NARROWEST
    while 2 * half < n_sums:
        found.append(half)
        half = max(half + 1, int(half * _GROWTH))
    return tuple(found)


def _largest(sums: Array) -> int:
    """Return where the difference of two sides is largest, of equal ones the first."""
    looks = [(_LEAST, _cusum(sums)), *((half, _window(sums, half)) for half in _halves(len(sums)))]
    size = max(float(sizes.max()) for _, sizes in looks)
    found = ((first, sizes >= size * (1 - _ROUNDING)) for first, sizes in looks)
    return next(first + int(is_one.argmax()) for first, is_one in found if is_one.any())


def _largest_sizes(shuffled: Array) -> Array:
    """Return the largest difference of two sides that is seen, of deviations in many orders.

    Wide windows move in steps of a small part of their width, which they hardly notice.
    """
    import numpy as np

    sums = _sums_of(shuffled)
    sizes = _cusum(sums).max(axis=-1)
    for half in _halves(sums.shape[-1]):
        windows = _window(sums, half, max(1, half // _FINENESS))
        np.maximum(sizes, windows.max(axis=-1), out=sizes)
    found: Array = sizes
    return found


def _n_equal(shuffled: Array) -> Array:
    """Return how many values are equal to the one before, in many orders."""
    import numpy as np

    found: Array = (np.diff(shuffled, axis=-1) == 0).sum(axis=-1)
    return found


def _p_value(series: Array, statistic: Callable[[Array], Array], significance: float) -> float:
    """Return how often values in chance order have a statistic as large as in their own.

    The orders are drawn anew for each series, yet the same for the same one. Drawing ends when
    it is known that their own is not significant.
    """
    import numpy as np

    least = statistic(series[np.newaxis])[0] * (1 - _ROUNDING)
    n_orders = math.ceil(_ALLOWED / significance)
    random = np.random.default_rng(zlib.crc32(np.argsort(series, kind="stable").tobytes()))
    n_seen, n_extreme, batch = 1, 1, 32
    while n_seen < n_orders and n_extreme <= _ALLOWED:
        batch = max(1, min(2 * batch, n_orders - n_seen, _BATCH // len(series)))
        shuffled = np.tile(series, (batch, 1))
        random.permuted(shuffled, axis=1, out=shuffled)
        n_seen += batch
        n_extreme += int((statistic(shuffled) >= least).sum())
    return n_extreme / n_seen
