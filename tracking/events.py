"""What happens to a run, as it stands in the journal before the database knows of it. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.arguments import as_json
from tracking.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracking.model import Summary


class NewRun(NamedTuple):
    """What a run starts with; texts and mappings are checked already."""

    name: str
    config: dict[str, Any]
    uuid: str
    created_at: float
    parent: str | None = None
    environment: str | None = None  # JSON text
    writer: str | None = None
    session: str | None = None


class RunEnd(NamedTuple):
    """How a run ended; see `RunInfo` for the fields."""

    status: Status
    outcome: str | None = None
    phase: str | None = None
    ended_by: str | None = None
    verdict: str | None = None
    duration_s: float | None = None


class EndedRun(NamedTuple):
    """A run that has ended, and the summaries of its metrics as far as they are known."""

    uuid: str
    end: RunEnd
    summaries: Mapping[str, Summary] = {}


def encode(event: NewRun | EndedRun) -> bytes:
    """Return an event as the journal keeps it: JSON. Summaries are left out; they follow."""
    if isinstance(event, NewRun):
        return as_json({"started": event._asdict()}).encode()
    return as_json({"ended": {"uuid": event.uuid, **event.end._asdict()}}).encode()


def decode(events: Iterable[bytes]) -> tuple[list[NewRun], list[EndedRun]]:
    """Undo `encode`; what is no event of ours, since it is damaged or newer, is left out."""
    started: list[NewRun] = []
    ended: list[EndedRun] = []
    for text in events:
        try:
            ((kind, fields),) = json.loads(text).items()
            if kind == "started":
                started.append(NewRun(**fields))
            elif kind == "ended":
                uuid = fields.pop("uuid")
                status = Status(fields.pop("status"))
                ended.append(EndedRun(uuid, RunEnd(status, **fields)))
        except (AttributeError, TypeError, ValueError, KeyError):
            continue
    return started, ended
