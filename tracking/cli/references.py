"""Which run a text on the command line means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracking.errors import TrackingError
from tracking.model import Status
from tracking.queries.attempts import own_runs
from tracking.queries.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracking.model import RunInfo
    from tracking.reading import ExperimentReader

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_UUID = re.compile(r"[0-9a-f]{4,32}")
_MOST_LISTED = 8
_NO_SESSION = "no run belongs to a session"


def resolve_run(reference: str, db: ExperimentReader) -> RunInfo:
    """Return the run that a text means.

    In this order: `last`, `last-failed`, an id, the name of a test, the beginning of a uuid, a part
    of a name.

    Args:
        reference: the text.
        db: the experiment.

    Raises:
        TrackingError: it means none of them, or several; lists these.
    """
    if reference == "last":
        return _first(own_runs(db, {}), "there is no run yet")
    if reference == "last-failed":
        failed = Selection(wanted={"status": (Status.FAILED,)}, limit=1)
        return _first(db.select_runs(failed).runs, "no run has failed")
    by_id = db.get_run(int(reference)) if _NUMBER.fullmatch(reference) else None
    if by_id is not None:
        return by_id
    if _UUID.fullmatch(reference) and not _is_name(reference, db):
        by_uuid = db.select_runs(Selection(uuid=reference)).runs
        if len(by_uuid) > 1:
            listed = (f"{run.run_id} ({run.uuid}) {run.name}" for run in by_uuid)
            raise TrackingError(
                f"{reference} begins the uuids of several runs: {_list(listed)}; give more of one"
            )
        if by_uuid:
            return by_uuid[0]
    name = resolve_name(reference, db)
    return _first(
        own_runs(db, {"name": (name,)}),
        f"no run is called {name!r} any more; `sgtrack runs` lists all",
    )


def _is_name(text: str, db: ExperimentReader) -> bool:
    return bool(db.select_runs(Selection(wanted={"name": (text,)}, limit=1)).runs)


def _first(runs: Iterable[RunInfo], otherwise: str) -> RunInfo:
    for run in runs:
        return run
    raise TrackingError(otherwise)


def resolve_name(reference: str, db: ExperimentReader) -> str:
    """Return the name that a text means: the whole name, its end, or an unmistakable part of it.

    Args:
        reference: the text.
        db: the experiment.

    Raises:
        TrackingError: it means none of them, or several; lists these.
    """
    if not reference or _is_name(reference, db):
        fitting = [reference] if reference else []
    else:
        names = db.run_names(containing=reference)
        ends = (f"::{reference}", f"/{reference}")
        fitting = [name for name in names if name.endswith(ends)] or names
    if not fitting:
        raise TrackingError(f"no run is meant by {reference!r}; `sgtrack runs` lists all")
    if len(fitting) > 1:
        raise TrackingError(
            f"{reference!r} is part of several names: {_list(fitting)}; give more of one"
        )
    return fitting[0]


def resolve_session(reference: str, db: ExperimentReader) -> str:
    """Return the session whose identity begins with a text; `last` is the newest.

    Args:
        reference: the text.
        db: the experiment.

    Raises:
        TrackingError: it is none, or several; lists these.
    """
    if reference == "last":
        newest = db.last_session()
        if newest is None:
            raise TrackingError(_NO_SESSION)
        return newest
    fitting = db.sessions(reference) if len(reference) > 3 else []
    if not fitting:
        raise TrackingError(
            f"no session is meant by {reference!r}; give its first four digits or more, or last"
        )
    if len(fitting) > 1:
        raise TrackingError(
            f"{reference} begins the names of several sessions: {_list(fitting)}; give more of one"
        )
    return fitting[0]


def newest_sessions(db: ExperimentReader, n: int) -> list[str]:
    """Return the identities of the newest sessions, the newest first.

    Args:
        db: the experiment.
        n: how many at most.

    Raises:
        TrackingError: there is none.
    """
    found = db.sessions()[:n]
    if not found:
        raise TrackingError(_NO_SESSION)
    return found


def _list(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _MOST_LISTED
    return ", ".join(listed[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
