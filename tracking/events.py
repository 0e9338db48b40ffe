"""What happens to a run, as it stands in the journal before the database knows of it. Pure."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.arguments import (
    as_json,
    checked_mapping,
    checked_name,
    checked_status,
    checked_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracking.model import Status, Summary


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
    comparison: str | None = None  # JSON text


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
                started.append(_checked_start(NewRun(**fields)))
            elif kind == "ended":
                uuid = fields.pop("uuid")
                end = _checked_end(RunEnd(**fields))
                ended.append(EndedRun(checked_name("uuid", uuid), end))
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ):
            continue
    return started, ended


def _checked_start(run: NewRun) -> NewRun:
    environment = _checked_optional(run.environment)
    return NewRun(
        name=checked_name("name", run.name),
        config=checked_mapping("config", run.config),
        uuid=checked_name("uuid", run.uuid),
        created_at=_checked_number(run.created_at),
        parent=_checked_optional(run.parent),
        environment=None if environment is None else as_json(json.loads(environment)),
        writer=_checked_optional(run.writer),
        session=_checked_optional(run.session),
    )


def _checked_end(end: RunEnd) -> RunEnd:
    return RunEnd(
        status=checked_status(end.status, final=True),
        outcome=_checked_optional(end.outcome),
        phase=_checked_optional(end.phase),
        ended_by=_checked_optional(end.ended_by),
        verdict=_checked_optional(end.verdict),
        duration_s=None if end.duration_s is None else _checked_number(end.duration_s),
        comparison=_checked_optional(end.comparison),
    )


def _checked_number(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(number)
    return float(number)


def _checked_optional(text: str | None) -> str | None:
    return None if text is None else checked_text("event", text)
