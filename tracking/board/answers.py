"""Answers of the dashboard: strict JSON, also where something went wrong."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from tracking.errors import (
    BaselineError,
    InvalidArgumentError,
    NewerSchemaError,
    NotAnExperimentError,
    RunNotFoundError,
    StoreBusyError,
    StoreError,
    StoreUnreachableError,
    TrackingError,
)
from tracking.model import encode_number

if TYPE_CHECKING:
    from collections.abc import Mapping


class AskedWrongError(Exception):
    """A request that cannot be answered as it is.

    Attributes:
        status: of HTTP.
        reason: what is wrong, and what to do.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


def as_json(value: Any) -> bytes:
    """Return a value as strict JSON in ASCII; non-finite numbers by their names."""
    try:
        text = _ENCODER.encode(value)
    except ValueError:  # rarely: to look at every number takes as long as encoding it
        text = _ENCODER.encode(_strict(value))
    return text.encode()


_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return encode_number(value)
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    return value


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer of JSON."""
    return Response(as_json(value), status, headers, "application/json")


def problem(status: int, reason: str) -> Response:
    """Return an answer that says what is wrong."""
    return answer({"error": reason}, status)


def problem_of(error: Exception, database: str | None) -> Response:
    """Return what to answer where reading an experiment failed.

    Messages of errors name files of this machine, which are nobody's business: they stay here.
    """
    if isinstance(error, AskedWrongError):
        return problem(error.status, error.reason)
    if isinstance(error, InvalidArgumentError):
        return problem(400, str(error))
    name = database or "the database"
    for kind, (status, reason) in _REASONS.items():
        if isinstance(error, kind):
            return problem(status, reason.format(name=name))
    return problem(500, "the dashboard has failed; its terminal says why")


_REASONS: dict[type[TrackingError], tuple[int, str]] = {
    RunNotFoundError: (404, "{name} has no such run"),
    NewerSchemaError: (
        409,
        "{name} was written by a newer version of pytest-sgtrack; upgrade the dashboard's",
    ),
    NotAnExperimentError: (409, "{name} is no database of an experiment"),
    StoreBusyError: (503, "{name} is in use; try again"),
    StoreUnreachableError: (
        503,
        "the server of the store does not answer; this page goes on by itself when it does",
    ),
    StoreError: (409, "{name} cannot be read; `sgtrack check` says what is wrong"),
    BaselineError: (409, "a baseline of {name} cannot be read; `sgtrack history` says why"),
}


def finite(value: float) -> float | None:
    """Return a number that pages calculate with; None where it is not finite."""
    return value if math.isfinite(value) else None
