"""Checks of what users hand in, pure: each returns the value as it will be stored, or raises.

Every check raises `InvalidArgumentError` naming the argument, and runs before anything is written.
"""

from __future__ import annotations

import enum
import json
import math
import numbers
import operator
import os
import sys
import unicodedata
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, SupportsFloat, TypeGuard

from tracking.errors import InvalidArgumentError
from tracking.model import Status, encode_number

MAX_NAME_LENGTH = 1_000
"""Longest name of a metric, run, histogram, image or text, in characters."""

_MAX_STEP = 2**63 - 1
_MIN_STEP = -(2**63)
_NUMPY_TIMES = ("m", "M")  # numpy makes ints of some durations and dates, depending on the unit
_MAX_INT_BITS = 2_000  # 603 digits: Python can be told to convert no more than 640
_RESERVED_ON_WINDOWS = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))]
)


def checked_name(argument: str, name: object) -> str:
    """Return `name` if it is a text that every store and every file of ours can hold."""
    if not isinstance(name, str):
        raise InvalidArgumentError(argument, f"expected a str, got {described(name)}")
    if not name:
        raise InvalidArgumentError(argument, "must not be empty")
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidArgumentError(
            argument, f"has {len(name)} characters; at most {MAX_NAME_LENGTH} are kept"
        )
    if "\0" in name:
        raise InvalidArgumentError(argument, f"must not contain NUL: {name!r}")
    return _checked_encodable(argument, name)


def checked_text(argument: str, text: object) -> str:
    """Return `text` if it is a str that can be stored."""
    if not isinstance(text, str):
        raise InvalidArgumentError(argument, f"expected a str, got {described(text)}")
    return _checked_encodable(argument, text)


def _checked_encodable(argument: str, text: str) -> str:
    plain = str.__str__(text)  # str() of an enum member is another text than the one it equals
    try:
        plain.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            argument, f"holds a lone surrogate at position {error.start}, which is not text"
        ) from None
    return plain


def checked_step(step: object) -> int:
    """Return `step` as an int: any whole number, numpy's included, in signed 64 bits; no bool."""
    index = _index_of(step)
    if index is None:
        raise InvalidArgumentError("step", f"expected an int, got {described(step)}")
    if not _MIN_STEP <= index <= _MAX_STEP:
        raise InvalidArgumentError("step", f"{described(step)} does not fit into 64 bits")
    return index


def checked_value(value: object) -> float:
    """Return `value` as a float: any real number or 0-d array of one; no bool, str or complex.

    NaN and the infinities are values.
    """
    number = value
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:
        try:
            number = item()  # numpy scalars, 0-d arrays, tensors of every framework
        except Exception as error:  # whatever a framework raises, inside its compiler for example
            raise InvalidArgumentError(
                "value", f"{type(value).__name__} does not give its number: {error}"
            ) from error
    is_other = isinstance(number, bool) or _numpy_kind(value) in _NUMPY_TIMES
    if is_other or not (isinstance(number, numbers.Real) or _is_decimal(number)):
        problem = f"expected a real number, got {described(value)}"
        hint = "; record one element of it, or its mean" if getattr(value, "ndim", 0) else ""
        raise InvalidArgumentError("value", problem + hint)
    try:
        converted = float(number)
        is_too_large = math.isinf(converted) and converted != number
    except OverflowError:
        is_too_large = True
    except ValueError as error:  # a signalling NaN of decimal
        raise InvalidArgumentError("value", f"cannot be a float: {error}") from None
    if is_too_large:
        raise InvalidArgumentError("value", "is too large for a float")
    return converted


def checked_status(status: object, *, final: bool = False) -> Status:
    """Return `status` as a `Status`; with `final`, one that ends a run."""
    allowed = [member for member in Status if not (final and member is Status.RUNNING)]
    if not isinstance(status, str) or status not in allowed:
        choices = ", ".join(allowed)
        raise InvalidArgumentError(
            "status", f"{described(status)} is unknown; use one of {choices}"
        )
    return Status(str.__str__(status))


def checked_id(argument: str, number: object) -> int:
    """Return the number of a run or graph as an int; one that no row can have becomes -1."""
    index = _index_of(number)
    if index is None:
        raise InvalidArgumentError(argument, f"expected an int, got {described(number)}")
    return index if _MIN_STEP <= index <= _MAX_STEP else -1


def _index_of(number: object) -> int | None:
    if isinstance(number, bool) or _numpy_kind(number) == "b":
        return None
    try:
        return operator.index(number)  # type: ignore[arg-type]  # that is what is asked here
    except TypeError:
        return None


def checked_experiment_name(exp_name: object) -> str:
    """Return the experiment's name without `.db`, if its files would lie directly in the folder.

    Refused are path separators, names of parent folders, leading dots, control characters, and
    what some file system cannot hold: device names of Windows, names over 200 bytes, names that
    end in a dot or a space.
    """
    argument = "exp_name"
    name = checked_name(argument, exp_name)
    name = name.removesuffix(".db")
    problem = None
    if not name.strip():
        problem = "must not be blank"
    elif "/" in name or "\\" in name or ":" in name:
        problem = "must not contain / \\ or : (an experiment is one file in the folder)"
    elif name.startswith(".") or name.endswith((".", " ", ".journal")):
        problem = "must not start with a dot, nor end with a dot, a space or .journal"
    elif any(unicodedata.category(character) == "Cc" for character in name):
        problem = "must not contain control characters"
    elif name.split(".")[0].strip().lower() in _RESERVED_ON_WINDOWS:
        problem = "is the name of a device on Windows"
    elif len(name.encode()) > 200:
        problem = "is longer than 200 bytes"
    if problem:
        raise InvalidArgumentError(argument, f"{name!r} {problem}")
    return name


def checked_mapping(argument: str, mapping: object) -> dict[str, Any]:
    """Return a mapping as plain JSON values, for hyper-parameters and environments.

    Numpy scalars and arrays become numbers and lists, tuples lists, sets sorted lists, paths text,
    members of enums the str or int they are, else text, non-finite numbers their names ("NaN").
    Anything else is refused with the place where it stands.
    """
    if mapping is None:
        return {}
    if not isinstance(mapping, Mapping):
        raise InvalidArgumentError(argument, f"expected a dict, got {described(mapping)}")
    plain = _as_json_value(argument, argument, mapping, depth=0)
    if not isinstance(plain, dict):  # pragma: no cover  # a Mapping always becomes a dict
        raise TypeError(argument)
    return plain


_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def as_json(plain: object) -> str:
    """Return plain JSON values as compact strict JSON."""
    return _ENCODER.encode(plain)


def _as_json_value(argument: str, place: str, value: object, depth: int) -> Any:
    if depth > 50:
        raise InvalidArgumentError(argument, f"{place[:80]}... is nested deeper than 50 levels")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _checked_encodable(argument, value)
    if isinstance(value, int):
        return _checked_length(argument, place, value)
    if isinstance(value, float):
        return encode_number(float(value))
    if isinstance(value, enum.Enum):
        return _checked_encodable(argument, str(value))
    if isinstance(value, os.PathLike):
        return _checked_encodable(argument, os.fsdecode(value))
    if isinstance(value, Mapping):
        plain = {}
        for key, member in value.items():
            if not isinstance(key, str | int | float) or isinstance(key, bool):
                raise InvalidArgumentError(
                    argument, f"{place} has the key {described(key)}; use a str"
                )
            if isinstance(key, int):
                _checked_length(argument, place, key)
            name = _checked_encodable(argument, key if isinstance(key, str) else str(key))
            if name in plain:
                raise InvalidArgumentError(argument, f"{place} has the key {name!r} twice")
            plain[name] = _as_json_value(argument, f"{place}[{name!r}]", member, depth + 1)
        return plain
    if isinstance(value, list | tuple | AbstractSet):
        members = [
            _as_json_value(argument, f"{place}[{index}]", member, depth + 1)
            for index, member in enumerate(value)
        ]
        return _sorted(members) if isinstance(value, AbstractSet) else members
    is_array = callable(getattr(value, "tolist", None)) and hasattr(value, "dtype")
    if is_array and _numpy_kind(value) not in _NUMPY_TIMES:
        listed = value.tolist()  # type: ignore[attr-defined]  # numpy scalars and arrays
        if type(listed) is not type(value):
            return _as_json_value(argument, place, listed, depth + 1)
    raise InvalidArgumentError(
        argument, f"{place} is {described(value)}, which cannot be stored; pass a number or text"
    )


def _checked_length(argument: str, place: str, number: int) -> int:
    if number.bit_length() > _MAX_INT_BITS:
        raise InvalidArgumentError(argument, f"{place} holds an int of more than 600 digits")
    return int(number)


def _sorted(members: list[Any]) -> list[Any]:
    try:
        return sorted(members)
    except TypeError:  # members of several types
        return sorted(members, key=as_json)


def _is_decimal(number: object) -> TypeGuard[SupportsFloat]:
    # decimal is imported only where somebody has one.
    decimal = sys.modules.get("decimal")
    return decimal is not None and isinstance(number, decimal.Decimal)


def _numpy_kind(value: object) -> object:
    return getattr(getattr(value, "dtype", None), "kind", None)


def described(value: object) -> str:
    """Return the type and the beginning of the repr of what was refused, whatever it is."""
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001  # a broken __repr__, an int of too many digits
        shown = "that cannot be shown"
    if len(shown) > 60:
        shown = f"{shown[:57]}..."
    return f"{type(value).__name__} {shown}"
