"""Hard bounds on metrics, which need no baseline. Pure."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracking.arguments import checked_name, checked_value
from tracking.errors import InvalidArgumentError
from tracking.model import STATISTICS, encode_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracking.model import Summary

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
"""How a value can be compared with a bound."""


@dataclass(frozen=True)
class Bound:
    """What a statistic of a metric has to be.

    Attributes:
        metric: name of the metric.
        comparison: one of `OPERATORS`.
        limit: a finite number.
        statistic: one of `tracking.model.STATISTICS`.

    Examples:
        >>> from tracking import Bound
        >>> bound = Bound.checked("loss", "<", 0.1, "last")
        >>> db.record(db.create_run(), "loss", step=0, value=0.5)
        >>> loss = db.read_summaries(1)["loss"]
        >>> bound.value_in(loss)
        0.5
        >>> bound.problem(loss)
        'loss: last has to be < 0.1, but it is 0.5'
    """

    metric: str
    comparison: str
    limit: float
    statistic: str

    @classmethod
    def checked(cls, metric: object, comparison: object, limit: object, statistic: object) -> Bound:
        """Make a bound of arguments.

        Args:
            metric: name of the metric: non-empty text without NUL, at most 1,000 characters.
            comparison: one of < <= == >= >.
            limit: a finite number, in the unit of the metric.
            statistic: mean, tail, min, max, std or last.

        Raises:
            InvalidArgumentError: one of them is none of this.

        Examples:
            >>> Bound.checked("loss", "=<", 0.1, "last")
            Traceback (most recent call last):
                ...
            tracking.errors.InvalidArgumentError: comparison: '=<' is none of < <= == >= >
        """
        name = checked_name("metric_name", metric)
        if not isinstance(comparison, str) or comparison not in OPERATORS:
            known = " ".join(OPERATORS)
            raise InvalidArgumentError("comparison", f"{comparison!r} is none of {known}")
        try:
            number = checked_value(limit)
        except InvalidArgumentError as error:
            raise InvalidArgumentError("limit", error.problem) from None
        if not math.isfinite(number):
            raise InvalidArgumentError("limit", f"a finite number is needed, not {number!r}")
        if statistic not in STATISTICS:
            known = ", ".join(STATISTICS)
            raise InvalidArgumentError("statistic", f"{statistic!r} is none of {known}")
        return cls(name, comparison, number, str(statistic))

    def value_in(self, summary: Summary | None) -> float | None:
        """Return the value the bound is about; None where there is none.

        Args:
            summary: of the metric's records, None if there are none.
        """
        value: float | None = getattr(summary, self.statistic) if summary else None
        return value

    def problem(self, summary: Summary | None) -> str:
        """Return what is wrong with a metric, nothing if it is within the bound.

        Args:
            summary: of the metric's records, None if there are none.
        """
        if summary is None:
            return f"{self}, but it was not recorded"
        value = self.value_in(summary)
        if value is not None and OPERATORS[self.comparison](value, self.limit):
            return ""
        return f"{self}, but it is {encode_number(value) if value is not None else 'not finite'}"

    def __str__(self) -> str:
        return f"{self.metric}: {self.statistic} has to be {self.comparison} {self.limit!r}"
