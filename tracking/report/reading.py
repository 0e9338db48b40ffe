"""Readers of what JSON holds, for documents of our own: each refuses what is not as it should be.

A reader takes a value and returns what it stands for. Pure.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from tracking.model import decode_number

if TYPE_CHECKING:
    from collections.abc import Collection
    from enum import StrEnum

Reader = Callable[[Any], Any]

_SHOWN = 40  # characters of what is wrong


class DamageError(Exception):
    """What is wrong in a document, where, and what to do.

    Attributes:
        problem: what is wrong, and what to do.
        path: the keys that lead to it, the outermost first.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: list[str] = []

    def __str__(self) -> str:
        return f"{' > '.join(self.path) or 'top level'}: {self.problem}"


def wrong(wanted: str, value: object) -> DamageError:
    """Return the error that says what is needed, and what is there."""
    found = json.dumps(value)
    shown = found if len(found) <= _SHOWN else f"{found[:_SHOWN]}..."
    return DamageError(f"{wanted} is needed, not {shown}; write the document again")


def inside(key: object, reader: Reader, value: Any) -> Any:
    """Read the value of a key.

    Raises:
        DamageError: it is not as it should be; its path begins with the key.
    """
    try:
        return reader(value)
    except DamageError as damage:
        damage.path.insert(0, str(key))
        raise


def as_object(value: Any) -> dict[str, Any]:
    """Return the members of an object."""
    if not isinstance(value, dict):
        raise wrong("an object", value)
    return value


def text(value: Any) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise wrong("a text", value)
    return value


def integer(value: Any) -> int:
    """Read an integer."""
    if type(value) is not int:
        raise wrong("an integer", value)
    return value


def boolean(value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise wrong("true or false", value)
    return value


def number(value: Any) -> float:
    """Read a number, or the name of one that is not finite."""
    with suppress(ValueError, OverflowError):  # no such name; an int too large to be a float
        if isinstance(value, str) or (type(value) in (int, float) and math.isfinite(value)):
            return cast("float", decode_number(value))
    raise wrong("a number", value)


def json_value(value: Any) -> Any:
    """Read what may be anything; but Python's parser takes a bare NaN, which is no JSON."""
    if isinstance(value, dict):
        return {key: inside(key, json_value, item) for key, item in value.items()}
    if isinstance(value, list):
        return [inside(place, json_value, item) for place, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise wrong("a finite number", value)
    return value


def base64_bytes(value: Any) -> bytes:
    """Read bytes written in base64."""
    try:
        return base64.b64decode(text(value), validate=True)
    except ValueError:
        raise wrong("base64", value) from None


def one_of(values: Collection[str]) -> Reader:
    """Make a reader of one of some texts."""

    def read(value: Any) -> Any:
        if not isinstance(value, str) or value not in values:
            raise wrong(" or ".join(f'"{one}"' for one in values), value)
        return value

    return read


def enum_of(kind: type[StrEnum]) -> Reader:
    """Make a reader of a member of an enum."""
    read_value = one_of([member.value for member in kind])
    return lambda value: kind(read_value(value))


def optional(reader: Reader) -> Reader:
    """Make a reader of what may be null: None."""
    return lambda value: None if value is None else reader(value)


def sequence(reader: Reader) -> Reader:
    """Make a reader of an array: a tuple."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise wrong("an array", value)
        return tuple(inside(place, reader, item) for place, item in enumerate(value))

    return read


def mapping(reader: Reader) -> Reader:
    """Make a reader of an object whose keys are not known."""
    return lambda value: {key: inside(key, reader, item) for key, item in as_object(value).items()}


def record(kind: type[Any], **readers: Reader) -> Reader:
    """Make a reader of an object that stands for a dataclass.

    Keys that are no fields are ignored; fields that have a default may be missing.

    Args:
        kind: the dataclass.
        readers: of each of its fields.
    """
    unset = dataclasses.MISSING
    needed = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is unset and field.default_factory is unset
    ]

    def read(value: Any) -> Any:
        members = as_object(value)
        if missing := [name for name in needed if name not in members]:
            raise DamageError(f'the key "{missing[0]}" is missing; write the document again')
        return kind(
            **{
                name: inside(name, reader, members[name])
                for name, reader in readers.items()
                if name in members
            }
        )

    return read
