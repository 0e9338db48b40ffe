"""Metrics, conditions and orders as they are written on a command line. Pure.

    METRIC      loss   loss.min   "odd name".last
    CONDITION   METRIC OPERATOR NUMBER, as in   val_acc > 0.9
    ORDER       id, name, created, duration or a METRIC; with a - before it, descending

What stands behind the last dot of a metric is a statistic if there is one of that name; a metric
whose own name ends like that, or holds an operator, goes into quotes.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, NamedTuple

from tracking.errors import InvalidArgumentError
from tracking.model import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STATISTICS: tuple[str, ...] = Summary.__slots__
"""Names of what can be asked of a metric: the fields of `Summary`."""

PROPERTIES = ("id", "name", "created", "duration")
"""What runs can be sorted by beside metrics."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_ALLOWED = ", ".join(_OPERATORS)
_FORM = "write METRIC OPERATOR NUMBER, as in 'val_acc > 0.9'"


class Metric(NamedTuple):
    """A statistic of a metric."""

    name: str
    statistic: str

    def __str__(self) -> str:
        return f"{self.name}.{self.statistic}"

    def of(self, summaries: Mapping[str, Summary]) -> float | None:
        """Return its value in a run, by the run's summaries; None where it has none."""
        summary = summaries.get(self.name)
        value: float | None = None if summary is None else getattr(summary, self.statistic)
        return value


class Condition(NamedTuple):
    """What is asked of a metric."""

    metric: Metric
    operator: str
    number: float

    def holds(self, summaries: Mapping[str, Summary]) -> bool:
        """Tell whether a run fulfils it; one without such a value does not.

        NaN is equal to NaN, and neither less nor greater than anything.
        """
        value = self.metric.of(summaries)
        if value is None:
            return False
        if math.isnan(value) and math.isnan(self.number):
            return self.operator in ("==", "<=", ">=")
        return _OPERATORS[self.operator](value, self.number)


class Order(NamedTuple):
    """What runs are sorted by: one of `PROPERTIES`, or a metric."""

    key: str | Metric
    is_descending: bool


def parse_metric(text: str, statistic: str = "last") -> Metric:
    """Return the metric that a text names.

    Args:
        text: a METRIC.
        statistic: which one is meant where the text names none.

    Raises:
        InvalidArgumentError: it is none; says what is allowed.
    """
    name, rest = _split_name(text.strip())
    if not rest:
        return Metric(name, statistic)
    if rest[0] != "." or rest[1:] not in STATISTICS:
        raise InvalidArgumentError(
            "metric",
            f"{text!r}: {rest!r} is no statistic; there are {', '.join(STATISTICS)}, written behind"
            " a dot",
        )
    return Metric(name, rest[1:])


def _split_name(text: str) -> tuple[str, str]:
    """Return the name of a metric, and what stands behind it."""
    if text[:1] in ("'", '"') and text[:1]:
        name, quote, rest = text[1:].partition(text[0])
        if not quote:
            raise InvalidArgumentError("metric", f"{text!r}: its quote {text[0]} is not closed")
    else:
        name, dot, last = text.rpartition(".")
        rest = dot + last
        if last not in STATISTICS or not name:
            name, rest = text, ""
    if not name:
        raise InvalidArgumentError("metric", f"{text!r} names no metric; {_FORM}")
    return name, rest


def parse_condition(text: str) -> Condition:
    """Return the condition that a text states.

    Raises:
        InvalidArgumentError: it states none; says what is wrong and what is allowed.
    """
    start = _operator_start(text)
    rest = text[start:].lstrip("<>=!")
    found = text[start : len(text) - len(rest)]
    if not found:
        raise InvalidArgumentError("condition", f"{text!r} compares nothing; {_FORM}")
    if found not in _OPERATORS:
        raise InvalidArgumentError(
            "condition", f"{text!r}: {found} is no operator; there are {_ALLOWED}"
        )
    try:
        number = float(rest)
    except ValueError:
        raise InvalidArgumentError(
            "condition",
            f"{text!r}: {rest.strip()!r} is no number; {_FORM}, one condition at a time",
        ) from None
    return Condition(parse_metric(text[:start]), found, number)


def _operator_start(text: str) -> int:
    """Return where the operator begins; behind the end of the text where there is none."""
    quote = ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"" and not text[:place].strip():
            quote = character
        elif character in "<>=!":
            return place
    return len(text)


def parse_order(text: str) -> Order:
    """Return the order that a text states.

    Raises:
        InvalidArgumentError: it states none; says what is allowed.
    """
    key = text.removeprefix("-")
    is_descending = key != text
    return Order(key if key in PROPERTIES else parse_metric(key), is_descending)
