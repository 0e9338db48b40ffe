"""The list of runs: searched, filtered, sorted, grouped, a page at a time. Pure."""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.model import encode_number
from tracking.queries.plain import plain_run
from tracking.queries.selection import fits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tracking.model import RunInfo, Summary

SHOWN = ("n", "last", "tail", "min", "max")
"""Statistics of a metric that lists have where none is named."""

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


class Group(NamedTuple):
    """Runs that have a property in common.

    Attributes:
        key: the property; None of those that have none.
        runs: the newest first.
    """

    key: str | None
    runs: list[RunInfo]

    def plain(self) -> dict[str, Any]:
        """Return what there is to say of it without naming its runs."""
        return {
            "key": self.key,
            "n_runs": len(self.runs),
            "newest_started_at": max(run.started_at for run in self.runs),
            "statuses": Counter(str(run.status) for run in self.runs),
            "verdicts": Counter(run.verdict for run in self.runs if run.verdict),
        }


def fitting(
    runs: Iterable[RunInfo], search: str, wanted: Mapping[str, Collection[str]]
) -> list[RunInfo]:
    """Return the runs that are asked for.

    Args:
        runs: all there are.
        search: a part of the name or a pattern it fits, or the beginning of the uuid, the session
            or the commit; empty for all.
        wanted: of `PROPERTIES`, the values that are asked for; an empty text is none.
    """
    return [
        run
        for run in runs
        if not search or _is_meant(run, search)
        if all((PROPERTIES[name](run) or "") in values for name, values in wanted.items())
    ]


def _is_meant(run: RunInfo, search: str) -> bool:
    if search.lower() in run.name.lower() or fits(run.name, search):
        return True
    beginnings = (run.uuid, run.session, commit_of(run))
    return len(search) >= _SHORTEST_BEGINNING and any(
        text is not None and text.startswith(search) for text in beginnings
    )


def grouped(runs: Iterable[RunInfo], name: str) -> list[Group]:
    """Return runs by one of `PROPERTIES`, in the order of the first of each group."""
    groups: dict[str | None, list[RunInfo]] = {}
    for run in runs:
        groups.setdefault(PROPERTIES[name](run), []).append(run)
    return [Group(key, of_group) for key, of_group in groups.items()]


def row(
    run: RunInfo, confirmed: Mapping[int, RunInfo], abandoned: Collection[int]
) -> dict[str, Any]:
    """Return a run as a list shows it.

    Args:
        run: the run.
        confirmed: see `tracking.attempts.confirmed_by`.
        abandoned: numbers of runs that never ended and whose process is gone.
    """
    original = confirmed.get(run.run_id)
    environment = run.environment or {}
    return plain_run(run) | {
        "run_id": number_of(run),
        "created_at": run.created_at,
        "config": run.config,
        "commit": commit_of(run),
        "is_dirty": environment.get("git_dirty"),
        "is_abandoned": run.status == "running" and run.run_id in abandoned,
        "confirms": None if original is None else original.uuid,
        "metrics": run.metrics,
        "num_records": run.num_records,
    }


def number_of(run: RunInfo) -> int | None:
    """Return the number of a run; None where the database has not given it one yet."""
    return run.run_id if run.run_id >= 0 else None


def statistics_of(
    summaries: Mapping[str, Summary], metrics: Collection[str], statistics: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return some statistics of some metrics, of all of them where none is named."""
    # Of so many numbers each step counts. A name twice makes one number a tuple of two.
    pick = attrgetter(*statistics, *statistics[:1])
    found = {
        metric: dict(zip(statistics, pick(summary), strict=False))
        for metric, summary in summaries.items()
        if not metrics or metric in metrics
    }
    if "last" in statistics:  # the only one that may not be finite
        for numbers in found.values():
            numbers["last"] = encode_number(numbers["last"])
    return found
