"""Series as pages draw them: whole, a part of them, made short, smoothed. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tracking.board.answers import finite
from tracking.model import encode_number
from tracking.report.curve import downsample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracking.columns import Columns

FEWEST_POINTS = 8
MOST_POINTS = 2_000
"""Of a curve: no screen shows more."""

_STRONGEST = 0.999
_TIME_DIGITS = 3


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Return the exponential moving average of values, without its bias towards 0.

    With w the weight, s_i = w s_(i-1) + (1 - w) x_i and s_0 = 0, it is s_i / (1 - w^i) (Kingma and
    Ba, 2015, section 3), as TensorBoard and the original have it. A value that is not finite stays
    as it is, and the average goes on behind it.

    Args:
        values: in their order.
        weight: from 0, which changes nothing, to below 1; at most 0.999 is used.
    """
    if weight <= 0:
        return list(values)
    weight = min(weight, _STRONGEST)
    average = share = 0.0
    found = []
    for value in values:
        if math.isfinite(value):
            average = average * weight + value * (1 - weight)
            share = share * weight + (1 - weight)
            found.append(average / share)
        else:
            found.append(value)
    return found


def items(columns: Columns, weight: float) -> list[dict[str, Any]]:
    """Return records as the original's page takes them, one object each.

    It calculates with values, so that one that is not finite is null, and its name stands beside
    it as `non_finite`.
    """
    steps, values, times = (column.tolist() for column in columns)
    rows: list[dict[str, Any]] = [
        {"step": step, "value": value, "log_time": time}
        for step, value, time in zip(steps, values, times, strict=True)
    ]
    if weight > 0:
        for row, value in zip(rows, smoothed(values, weight), strict=True):
            row["smoothed"] = finite(value)
    if not all(map(math.isfinite, values)):
        for row, value in zip(rows, values, strict=True):
            if not math.isfinite(value):
                row.update(value=None, non_finite=encode_number(value))
    return rows


def curve(columns: Columns, n_points: int, weight: float) -> dict[str, Any]:
    """Return a series as reports have their curves, with the times of its points.

    The smoothed values are those of the whole series at the points.
    """
    steps, values, times = columns
    shown = places_shown(values, n_points)
    found = {
        "n": len(values),
        "steps": steps[shown].tolist(),
        "values": [encode_number(value) for value in values[shown].tolist()],
        "times": [round(time, _TIME_DIGITS) for time in times[shown].tolist()],
    }
    if weight > 0:
        average = smoothed(values.tolist(), weight)
        found["smoothed"] = [encode_number(average[place]) for place in shown]
    return found


def places_shown(values: Any, n_max: int) -> list[int]:
    """Return the places of at most `n_max` of some values that look like all of them when drawn.

    See `tracking.report.curve.downsample`.
    """
    return list(downsample(range(len(values)), values, n_max).steps)
