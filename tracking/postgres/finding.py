"""Selections of runs as SQL. Pure."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from tracking.queries.expressions import Metric
from tracking.queries.selection import fits, has_word, is_beginning, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from tracking.queries.expressions import Condition, Order
    from tracking.queries.selection import Selection

_COLUMNS = ("status", "outcome", "verdict", "ended_by", "session", "commit")
_INTEGERS = ("n", "n_nan", "n_inf", "first_step", "last_step")
_ENDED = "lower(concat_ws(' ', r.status, r.outcome, r.verdict, r.ended_by))"
_OWN = {"created": "r.created_at", "id": "r.id", "duration": "r.duration_s"}
_LAST_LETTER = "\U0010ffff"


class Part(NamedTuple):
    """A part of a query, and the values of its placeholders, in their order."""

    sql: str
    values: tuple[object, ...] = ()


class Numbers(NamedTuple):
    """Where the numbers come from that the store has for texts.

    Attributes:
        of_names: gives those of some names of runs.
        of_names_like: gives those of the names that a function says yes to.
        of_metric: gives that of a metric; None where it has none.
    """

    of_names: Callable[[Collection[str]], list[int]]
    of_names_like: Callable[[Callable[[str], bool]], list[int]]
    of_metric: Callable[[str], int | None]


_NO_RUN = Part("FALSE")


def conditions_of(asked: Selection, numbers: Numbers) -> Part:
    """Return what the runs `r` have to fulfil that are asked for."""
    return _all(_conditions(asked, numbers))


def _conditions(asked: Selection, numbers: Numbers) -> Iterator[Part]:
    if "name" in asked.wanted:
        yield _is_one_of("r.name_id", numbers.of_names(list(asked.wanted["name"])))
    for column in _COLUMNS:
        if column in asked.wanted:
            values = list(filter(is_text, asked.wanted[column]))
            # An index knows nothing of what a function makes of a column.
            of_run = f"coalesce(r.{column}, '')" if "" in values else f"r.{column}"
            yield _is_one_of(of_run, values)
    if asked.uuid:
        yield _begins("r.uuid", asked.uuid)
    if asked.name:
        wanted = asked.name
        yield _is_one_of("r.name_id", numbers.of_names_like(lambda name: fits(name, wanted)))
    if asked.search:
        yield _is_meant(asked.search, numbers)
    if asked.before is not None:
        yield Part("(r.created_at, r.id) < (%s::float8, %s::bigint)", asked.before)
    for condition in asked.conditions:
        yield _holds(condition, numbers)


def _is_meant(search: str, numbers: Numbers) -> Part:
    ways = [_all(_has_word(word, numbers) for word in words_of(search))]
    patterned = numbers.of_names_like(lambda name: fnmatchcase(name, search))
    ways.append(_is_one_of("r.name_id", patterned))
    if is_beginning(search):
        ways += [_begins(f"r.{column}", search) for column in ("uuid", "session", "commit")]
    return _any(ways)


def _has_word(word: str, numbers: Numbers) -> Part:
    in_name = _is_one_of("r.name_id", numbers.of_names_like(lambda name: has_word(name, word)))
    if not is_text(word):
        return in_name
    return _any([in_name, Part(f"position(%s IN {_ENDED}) > 0", (word,))])


def _holds(condition: Condition, numbers: Numbers) -> Part:
    """Return the condition in SQL, where NaN is larger than any number, as Python has it."""
    metric = numbers.of_metric(condition.metric.name)
    if metric is None:
        return _NO_RUN
    value = f"s.{condition.metric.statistic}::float8"
    number = condition.number
    if math.isnan(number):
        is_equal = condition.operator in ("==", "<=", ">=")
        is_different = condition.operator == "!="
        if not (is_equal or is_different):
            return _NO_RUN
        fulfilled = f"{value} {'=' if is_equal else '<>'} %s::float8"
    else:
        operator = {"==": "=", "!=": "<>"}.get(condition.operator, condition.operator)
        fulfilled = f"{value} {operator} %s::float8"
        if operator in (">", ">="):
            fulfilled += f" AND {value} <> 'NaN'"
    of_run = "s.run_id = r.id AND s.metric_id = %s"
    return Part(
        f"EXISTS (SELECT FROM sgtrack.series AS s WHERE {of_run} AND {fulfilled})",
        (metric, number),
    )


class Ordering(NamedTuple):
    """What sorts the runs `r`: a join that may be needed, and what stands behind ORDER BY."""

    join: Part
    by: str


def ordering_of(order: Order, numbers: Numbers) -> Ordering:
    """Return how runs are sorted; of equal ones the newest is first, what has no value last."""
    way = "DESC" if order.is_descending else "ASC"
    if order.key == "created":
        return Ordering(Part(""), f"r.created_at {way}, r.id {way}")
    if order.key == "name":
        join = Part("JOIN sgtrack.run_names AS o ON o.id = r.name_id")
        return Ordering(join, f'o.name COLLATE "C" {way}, {_NEWEST}')
    if not isinstance(order.key, Metric):
        return Ordering(Part(""), f"{_OWN[order.key]} {way} NULLS LAST, {_NEWEST}")
    value = f"o.{order.key.statistic}"
    metric = numbers.of_metric(order.key.name)
    join = Part(
        "LEFT JOIN sgtrack.series AS o ON o.run_id = r.id AND o.metric_id = %s",
        (metric,),
    )
    is_none = f"{value} IS NULL"
    if order.key.statistic not in _INTEGERS:
        is_none = f"({is_none} OR {value} = 'NaN')"
    return Ordering(join, f"{is_none}, CASE WHEN NOT {is_none} THEN {value} END {way}, {_NEWEST}")


_NEWEST = "r.created_at DESC, r.id DESC"


def _is_one_of(of_run: str, values: Collection[object]) -> Part:
    if not values:
        return _NO_RUN
    if len(values) == 1:  # which an index gives in its order
        return Part(f"{of_run} = %s", tuple(values))
    return Part(f"{of_run} = ANY(%s)", (list(values),))


def _begins(column: str, beginning: str) -> Part:
    if not is_text(beginning):
        return _NO_RUN
    return Part(f"{column} BETWEEN %s AND %s", (beginning, beginning + _LAST_LETTER))


def _all(parts: Iterable[Part]) -> Part:
    return _joined(" AND ", list(parts)) or Part("TRUE")


def _any(parts: Iterable[Part]) -> Part:
    return _joined(" OR ", list(parts)) or _NO_RUN


def _joined(word: str, parts: list[Part]) -> Part | None:
    if not parts:
        return None
    values = tuple(value for part in parts for value in part.values)
    return Part(f"({word.join(part.sql for part in parts)})", values)


def is_text(text: str) -> bool:
    """Tell whether the store can hold a text at all; what it cannot hold stands nowhere in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
