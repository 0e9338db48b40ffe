"""Long series made short enough to draw. Pure."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, TypeGuard

from tracking.report.data import Band, Curve

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"


def downsample(steps: Sequence[int], values: Sequence[float], n_max: int) -> Curve:
    """Return at most `n_max` points of a series that look like all of it when drawn.

    The series is cut into pieces of equally many records; each gives its smallest and its largest
    finite value, in their order (min/max decimation), and a piece that has non-finite values one of
    them too. The first and the last record are kept. A drawing no wider than a piece a pixel has
    the same outline as one of all records.

    Args:
        steps: ascending.
        values: as many.
        n_max: at least 8.
    """
    n = len(values)
    if n <= n_max:
        return Curve(n, list(steps), list(values))
    import numpy as np

    # Three points a piece at the worst, and the two ends.
    edges = np.linspace(0, n, max(1, (n_max - 2) // 3) + 1).astype(np.int64)
    starts, lengths = edges[:-1], np.diff(edges)
    size = int(lengths.max())  # of the others some are one shorter
    numbers = np.append(np.asarray(values, dtype=np.float64), math.nan)
    pieces = np.lib.stride_tricks.sliding_window_view(numbers, size)[starts]
    is_inside = np.arange(size) < lengths[:, None]
    is_finite = np.isfinite(pieces) & is_inside
    is_odd = is_inside & ~is_finite
    has_finite, has_odd = is_finite.any(axis=1), is_odd.any(axis=1)
    kept = [
        np.array([0, n - 1]),
        (starts + np.where(is_finite, pieces, np.inf).argmin(axis=1))[has_finite],
        (starts + np.where(is_finite, pieces, -np.inf).argmax(axis=1))[has_finite],
        (starts + is_odd.argmax(axis=1))[has_odd],
    ]
    places = np.unique(np.concatenate(kept)).tolist()
    return Curve(n, [steps[place] for place in places], [values[place] for place in places])


def band_of(curves: Sequence[Curve], n_max: int) -> Band | None:
    """Return where curves lie at the steps that any of them has; None without a finite value.

    Between its points a curve is a straight line; before its first and after its last it is not.
    Of more than `n_max` steps each piece of equally many gives its first, with the smallest and the
    largest value of the piece.
    """
    import numpy as np

    lines = []
    for curve in curves:
        steps, values = np.asarray(curve.steps), np.asarray(curve.values, dtype=np.float64)
        is_finite = np.isfinite(values)
        if is_finite.any():
            lines.append((steps[is_finite], values[is_finite]))
    if not lines:
        return None
    union = np.unique(np.concatenate([steps for steps, _ in lines]))
    with np.errstate(all="ignore"):  # slopes of huge values overflow
        at_steps = [np.interp(union, *line, left=math.nan, right=math.nan) for line in lines]
    low, high = np.fmin.reduce(at_steps), np.fmax.reduce(at_steps)
    starts = np.linspace(0, len(union), min(n_max, len(union)), endpoint=False).astype(np.int64)
    return Band(
        n_runs=len(lines),
        steps=union[starts].tolist(),
        low=np.fmin.reduceat(low, starts).tolist(),
        high=np.fmax.reduceat(high, starts).tolist(),
    )


def sparkline(values: Sequence[float | None], width: int = 20) -> str:
    """Return a series as a line of block characters; what is not finite is a space.

    >>> sparkline([1, 2, 3, None, 8])
    '▁▂▃ █'
    """
    if len(values) > width:
        edges = [round(place * len(values) / width) for place in range(width + 1)]
        pieces = [values[a:b] for a, b in pairwise(edges)]
        values = [_mean([v for v in piece if _is_finite(v)]) for piece in pieces]
    finite = [value for value in values if _is_finite(value)]
    if not finite:
        return " " * len(values)
    low, span = min(finite), (max(finite) / 2 - min(finite) / 2) * 2  # the difference may overflow
    top = len(_BLOCKS) - 1

    def block(value: float | None) -> str:
        if not _is_finite(value):
            return " "
        if not span or not math.isfinite(span):
            return _BLOCKS[top // 2]
        return _BLOCKS[round((value - low) / span * top)]

    return "".join(map(block, values))


def _is_finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(value / len(values) for value in values) if values else None
