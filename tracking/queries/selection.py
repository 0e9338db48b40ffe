"""Which runs are asked for, and in which order. Pure."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tracking.queries.expressions import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracking.model import RunInfo, Summary
    from tracking.queries.expressions import Order

    Summaries = Mapping[int, Mapping[str, Summary]]


def fits(name: str, pattern: str) -> bool:
    """Tell whether a run's name is what a pattern asks for; node ids hold brackets themselves.

    >>> fits("test_x.py::test_y[0]", "test_y[0]"), fits("test_x.py::test_y[0]", "*test_z*")
    (True, False)
    """
    return pattern in name or fnmatchcase(name, pattern)


def in_order(fitting: Sequence[RunInfo], order: Order, summaries: Summaries) -> list[RunInfo]:
    """Return runs sorted; those that have no such value, or NaN, come last either way.

    Args:
        fitting: the newest first, which decides between equal ones.
        order: what they are sorted by.
        summaries: of each run, by its number.
    """

    def value(run: RunInfo) -> int | float | str | None:
        if isinstance(order.key, Metric):
            return order.key.of(summaries.get(run.run_id, {}))
        own: dict[str, int | float | str | None] = {
            "id": run.run_id,
            "name": run.name,
            "created": run.started_at,
            "duration": run.duration_s,
        }
        return own[order.key]

    def is_sortable(run: RunInfo) -> bool:
        found = value(run)
        return found is not None and not (isinstance(found, float) and math.isnan(found))

    sortable = [run for run in fitting if is_sortable(run)]
    rest = [run for run in fitting if not is_sortable(run)]
    if order.key == "created":
        return sortable if order.is_descending else sortable[::-1]
    return sorted(sortable, key=value, reverse=order.is_descending) + rest  # type: ignore[arg-type]
