"""Which run a text on the command line means. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracking.attempts import without_confirmations
from tracking.errors import TrackingError
from tracking.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracking.model import RunInfo

_UUID = re.compile(r"[0-9a-f]{4,32}")
_MOST_LISTED = 8


def resolve_run(reference: str, runs: Sequence[RunInfo]) -> RunInfo:
    """Return the run that a text means.

    In this order: `last`, `last-failed`, an id, the name of a test, the beginning of a uuid, a part
    of a name.

    Args:
        reference: the text.
        runs: all runs of the experiment, the newest first.

    Raises:
        TrackingError: it means none of them, or several; lists these.
    """
    if reference == "last":
        return _first(without_confirmations(runs), "there is no run yet")
    if reference == "last-failed":
        return _first([run for run in runs if run.status == Status.FAILED], "no run has failed")
    by_id = [run for run in runs if str(run.run_id) == reference]
    if by_id:
        return by_id[0]
    names = dict.fromkeys(run.name for run in runs)
    if reference not in names and _UUID.fullmatch(reference):
        by_uuid = [run for run in runs if (run.uuid or "").startswith(reference)]
        if len(by_uuid) > 1:
            listed = (f"{run.run_id} ({run.uuid}) {run.name}" for run in by_uuid)
            raise TrackingError(f"{reference} begins the uuids of several runs: {_list(listed)}")
        if by_uuid:
            return by_uuid[0]
    return newest_of(resolve_name(reference, names), runs)


def newest_of(name: str, runs: Sequence[RunInfo]) -> RunInfo:
    """Return the newest run of a name; not one that only confirmed it under a fresh seed."""
    return without_confirmations([run for run in runs if run.name == name])[0]


def _first(runs: Sequence[RunInfo], otherwise: str) -> RunInfo:
    if not runs:
        raise TrackingError(otherwise)
    return runs[0]


def resolve_name(reference: str, names: Iterable[str]) -> str:
    """Return the name that a text means: the whole name, its end, or an unmistakable part of it.

    Args:
        reference: the text.
        names: of all runs.

    Raises:
        TrackingError: it means none of them, or several; lists these.
    """
    listed = list(dict.fromkeys(names))
    if reference in listed:
        return reference
    ends = (f"::{reference}", f"/{reference}")
    fitting = [name for name in listed if reference and name.endswith(ends)]
    fitting = fitting or [name for name in listed if reference and reference in name]
    if not fitting:
        raise TrackingError(f"no run is meant by {reference!r}; `sgtrack runs` lists all")
    if len(fitting) > 1:
        raise TrackingError(f"{reference!r} is part of several names: {_list(fitting)}")
    return fitting[0]


def resolve_session(reference: str, runs: Sequence[RunInfo]) -> str:
    """Return the session whose identity begins with a text; `last` is the newest.

    Args:
        reference: the text.
        runs: all runs of the experiment, the newest first.

    Raises:
        TrackingError: it is none, or several; lists these.
    """
    sessions = list(dict.fromkeys(run.session for run in runs if run.session))
    if reference == "last":
        if not sessions:
            raise TrackingError("no run belongs to a session")
        return sessions[0]
    fitting = [one for one in sessions if one.startswith(reference)] if len(reference) > 3 else []
    if not fitting:
        raise TrackingError(
            f"no session is meant by {reference!r}; give its first four digits or more, or last"
        )
    if len(fitting) > 1:
        raise TrackingError(f"{reference} begins the names of several sessions: {_list(fitting)}")
    return fitting[0]


def newest_sessions(runs: Sequence[RunInfo], n: int) -> list[str]:
    """Return the identities of the newest sessions, the newest first.

    Args:
        runs: all runs of the experiment, the newest first.
        n: how many at most.

    Raises:
        TrackingError: there is none.
    """
    sessions = list(dict.fromkeys(run.session for run in runs if run.session))[:n]
    if not sessions:
        raise TrackingError("no run belongs to a session")
    return sessions


def _list(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _MOST_LISTED
    return ", ".join(listed[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
