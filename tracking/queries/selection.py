"""Which runs are asked for, and in which order. Pure."""

from __future__ import annotations

import math
from collections import Counter
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.queries.expressions import Metric, Order

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tracking.model import RunInfo, Summary
    from tracking.queries.expressions import Condition

    Summaries = Mapping[int, Mapping[str, Summary]]

NEWEST_FIRST = Order("created", is_descending=True)

_SHORTEST_BEGINNING = 4  # of a uuid, a session or a commit


def commit_of(run: RunInfo) -> str | None:
    """Return the commit of the code a run ran on."""
    found = (run.environment or {}).get("git_commit")
    return found if isinstance(found, str) else None


PROPERTIES: dict[str, Callable[[RunInfo], str | None]] = {
    "name": lambda run: run.name,
    "status": lambda run: run.status,
    "outcome": lambda run: run.outcome,
    "verdict": lambda run: run.verdict,
    "ended_by": lambda run: run.ended_by,
    "session": lambda run: run.session,
    "commit": commit_of,
}
"""What runs can be filtered and grouped by."""


class Selection(NamedTuple):
    """Which runs are asked for.

    Attributes:
        wanted: of `PROPERTIES`, the values that are asked for; an empty text is none.
        uuid: what it begins with.
        name: a part of it, or a pattern it fits; see `fits`.
        search: words that each stand in the name or say how the run ended; or a pattern the name
            fits, or the beginning of the uuid, the session or the commit.
        before: start (Unix seconds) and number of a run; those that come behind it where the newest
            is first.
        conditions: what metrics have to fulfil, all of it.
        order: what the runs are sorted by.
        offset: how many of them are passed over.
        limit: how many are wanted; None for all.
        is_counted: whether it matters how many there are.
    """

    wanted: Mapping[str, Collection[str]] = MappingProxyType({})
    uuid: str = ""
    name: str = ""
    search: str = ""
    before: tuple[float, int] | None = None
    conditions: Sequence[Condition] = ()
    order: Order = NEWEST_FIRST
    offset: int = 0
    limit: int | None = None
    is_counted: bool = False


class Page(NamedTuple):
    """Runs that were asked for.

    Attributes:
        runs: as many as were wanted.
        n: how many there are; where nobody asked to count them, how many are known.
        is_more: whether there are more than `n`: of very many not all are counted.
    """

    runs: list[RunInfo]
    n: int
    is_more: bool = False


class Group(NamedTuple):
    """Runs that have a property in common.

    Attributes:
        key: the property; None of those that have none.
        n_runs: how many there are.
        newest_started_at: Unix seconds.
        statuses: how many there are of each.
        verdicts: how many there are of each.
    """

    key: str | None
    n_runs: int
    newest_started_at: float
    statuses: Mapping[str, int]
    verdicts: Mapping[str, int]


def grouped(runs: Iterable[tuple[str | None, float, str, str | None]]) -> list[Group]:
    """Return groups, in the order of the first of each.

    Args:
        runs: of each the property, when it started, its status and its verdict.
    """
    members: dict[str | None, list[tuple[Any, ...]]] = {}
    for key, *rest in runs:
        members.setdefault(key, []).append(tuple(rest))
    return [_group(key, *zip(*rows, strict=True)) for key, rows in members.items()]


def _group(
    key: str | None, starts: Sequence[float], statuses: Sequence[str], verdicts: Sequence[str]
) -> Group:
    return Group(
        key,
        len(starts),
        max(starts),
        Counter(map(str, statuses)),
        Counter(verdict for verdict in verdicts if verdict),
    )


def selected(
    runs: Iterable[RunInfo],
    asked: Selection,
    summaries_of: Callable[[Sequence[RunInfo]], Summaries],
) -> Page:
    """Return those of all runs that are asked for.

    Args:
        runs: all there are, the newest first.
        asked: which of them.
        summaries_of: gives the summaries of runs, by their numbers.
    """
    found = [run for run in runs if _is_wanted(run, asked)]
    is_by_metric = isinstance(asked.order.key, Metric)
    summaries = summaries_of(found) if asked.conditions or is_by_metric else {}
    if asked.conditions:
        found = [
            run
            for run in found
            if all(one.holds(summaries.get(run.run_id, {})) for one in asked.conditions)
        ]
    ordered = in_order(found, asked.order, summaries)
    end = None if asked.limit is None else asked.offset + asked.limit
    return Page(ordered[asked.offset : end], len(ordered))


def _is_wanted(run: RunInfo, asked: Selection) -> bool:
    return (
        all((PROPERTIES[name](run) or "") in values for name, values in asked.wanted.items())
        and (run.uuid or "").startswith(asked.uuid)
        and (not asked.name or fits(run.name, asked.name))
        and (not asked.search or _is_meant(run, asked.search))
        and (asked.before is None or (run.started_at, run.run_id) < asked.before)
    )


def _is_meant(run: RunInfo, search: str) -> bool:
    ended = ending_text((run.status, run.outcome, run.verdict, run.ended_by))
    if all(has_word(run.name, word) or word in ended for word in words_of(search)):
        return True
    if fnmatchcase(run.name, search):
        return True
    beginnings = (run.uuid, run.session, commit_of(run))
    return is_beginning(search) and any(
        text is not None and text.startswith(search) for text in beginnings
    )


def words_of(search: str) -> list[str]:
    """Return the words of a text, as they are searched for."""
    return search.lower().split()


def has_word(name: str, word: str) -> bool:
    """Tell whether a word of `words_of` stands in a name."""
    return word in name.lower()


def ending_text(parts: Iterable[str | None]) -> str:
    """Return how a run ended as a text to look for words in."""
    return " ".join(part for part in parts if part).lower()


def is_beginning(search: str) -> bool:
    """Tell whether a text is long enough to be taken for the beginning of an identity."""
    return len(search) >= _SHORTEST_BEGINNING


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
