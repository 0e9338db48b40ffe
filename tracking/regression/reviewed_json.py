"""JSON for people to review: one thing a line, strict to read, every problem with its place.

Floats are written by repr, so reading gives back the same bits; non-finite numbers are the texts
"NaN", "Infinity" and "-Infinity". What Python's reader takes beyond JSON is refused, and so is a
key that appears twice.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.errors import BaselineError
from tracking.filesystem import replace_file
from tracking.model import decode_number, encode_number

if TYPE_CHECKING:
    from collections.abc import Sequence

MEND = "mend it by hand or restore it from version control"

_CONFLICT = re.compile(r"^(?:<{7}|\|{7}|={7}|>{7})(?:\s|$)", re.MULTILINE)
# What is deeper could be read by one version of Python and not written by another.
_MAX_LEVELS = 50
_INFINITIES = (math.inf, -math.inf)


def read_text(path: Path, what: str) -> str | None:
    """Read a file; None where there is none.

    Args:
        path: the file.
        what: what errors call it.

    Raises:
        BaselineError: it cannot be read.
    """
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8; {MEND}"
        raise BaselineError(f"{what} {path}: {problem}") from error
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); check the file and its permissions"
        raise BaselineError(f"{what} {path}: {problem}") from error


def write_text(path: Path, text: str, what: str) -> None:
    """Write a file whole or not at all, and only if its text changes.

    A new file takes the place of the old one at once and keeps its permissions; a symbolic link
    stays one. Missing folders are made.

    Raises:
        BaselineError: the operating system refused; the file is as it was or as it should be.
    """
    content = text.encode()
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != content:
            replace_file(target, content)
    except OSError as error:
        problem = f"cannot be written ({error.strerror}); check the folder and its permissions"
        raise BaselineError(f"{what} {path}: {problem}") from error


def plain(value: Any, where: str, levels: int = _MAX_LEVELS) -> Any:
    """Return `value` as JSON knows it: keys sorted, tuples as lists, non-finite numbers by name.

    Raises:
        BaselineError: JSON has nothing like it, or it is nested in more than `levels`.
    """
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return encode_number(value)
    if levels == 0:
        raise BaselineError(f"{where}: nested too deeply; flatten it first")
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{where} > {i}", levels - 1) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise BaselineError(f"{where}: its keys have to be texts; convert them first")
        return {key: plain(value[key], f"{where} > {key}", levels - 1) for key in sorted(value)}
    raise BaselineError(f"{where}: JSON has no {type(value).__name__}; convert the value first")


def on_one_line(value: Any) -> str:
    """Return `value` on one line, with what a reviewer could not see (or a file hold) escaped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text if text.isprintable() else json.dumps(value, allow_nan=False)


def object_text(members: Mapping[str, str]) -> str:
    """Return an object, one member a line; the members are texts already."""
    return block_text("{", [f"{on_one_line(key)}: {text}" for key, text in members.items()], "}")


def block_text(start: str, items: Sequence[str], end: str) -> str:
    """Return items between two brackets, one a line; the items are texts already."""
    if not items:
        return start + end
    inside = ("\n" + ",\n".join(items)).replace("\n", "\n  ")
    return f"{start}{inside}\n{end}"


@dataclass(frozen=True)
class _Refused:
    """Stands in the tree for what Python's reader takes and a baseline may not hold."""

    problem: str


_Refuse = Callable[[str], _Refused]


def parse(text: str) -> Any:
    """Return the tree of a text.

    Raises:
        BaselineError: it is no strict JSON; names the place in it and what to do.
    """
    refused: list[_Refused] = []

    def refuse(problem: str) -> _Refused:
        refused.append(_Refused(problem))
        return refused[-1]

    try:
        tree = json.loads(
            text,
            object_pairs_hook=partial(_object_of, refuse),
            parse_constant=lambda name: refuse(f'bare {name} is not JSON; write "{name}"'),
            parse_float=partial(_number_of, float, refuse),
            parse_int=partial(_number_of, int, refuse),
        )
        if refused:
            _raise_first(tree, [])
    except json.JSONDecodeError as error:
        if conflict := _CONFLICT.search(text):
            line = text.count("\n", 0, conflict.start()) + 1
            problem = f"line {line} is a git conflict marker; resolve the merge conflict first"
            raise BaselineError(problem) from error
        problem = f"not JSON at line {error.lineno} column {error.colno} ({error.msg}); {MEND}"
        raise BaselineError(problem) from error
    except RecursionError as error:
        raise BaselineError(f"nested too deeply to be one of ours; {MEND}") from error
    return tree


def _object_of(refuse: _Refuse, pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Refused:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    names = [name for name, _ in pairs]
    twice = next(name for name in names if names.count(name) > 1)
    return refuse(f'the key "{twice}" appears more than once; keep one; {MEND}')


def _number_of(kind: type[float], refuse: _Refuse, text: str) -> float | _Refused:
    try:
        value = kind(text)
    except ValueError:  # Python's limit on the digits of an int
        return refuse(f"a number of {len(text)} digits is out of range; {MEND}")
    return refuse(f"{text} is out of range; {MEND}") if value in _INFINITIES else value


def _raise_first(value: Any, path: list[str]) -> None:
    if isinstance(value, _Refused):
        raise BaselineError(f"{' > '.join(path) or 'top level'}: {value.problem}")
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            _raise_first(item, [*path, str(key)])


def parse_int(value: Any, where: str) -> int:
    """Return an integer; anything else is refused with its place."""
    if type(value) is not int:
        raise wrong(where, "an integer", value)
    return value


def parse_float(value: Any, where: str) -> float | None:
    """Return a number, null as None; anything else is refused with its place."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, type(None))):
        raise wrong(where, "a number", value)
    try:
        number = decode_number(value)
        return None if number is None else float(number)
    except (ValueError, OverflowError):
        raise wrong(where, "a number", value) from None


def members_of(
    value: Any, where: str, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the members of an object that has all of one list of keys, and some of another."""
    members = as_object(value, where)
    if missing := [key for key in required if key not in members]:
        raise BaselineError(f'{where}: the key "{missing[0]}" is missing; {MEND}')
    if unknown := [key for key in members if key not in (*required, *optional)]:
        raise BaselineError(f'{where}: the key "{unknown[0]}" is unknown; {MEND}')
    return members


def as_object(value: Any, where: str) -> dict[str, Any]:
    """Return an object; anything else is refused with its place."""
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    return value


def wrong(where: str, wanted: str, value: Any) -> BaselineError:
    """Return the error that says what is needed in a place, and what is there."""
    text = on_one_line(value)
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    return BaselineError(f"{where}: {wanted} is needed, not {shown}; {MEND}")


def checked_version(tree: Any, newest: int, keys: Sequence[str]) -> dict[str, Any]:
    """Return the members of a file's tree: its version, 1 to `newest`, and `keys`.

    Raises:
        BaselineError: it is newer, or nothing of ours.
    """
    version = tree.get("version") if isinstance(tree, dict) else None
    if type(version) is int and version > newest:
        problem = f"format {version} is newer than {newest}, the newest this version reads"
        raise BaselineError(f"version: {problem}; upgrade pytest-sgtrack")
    members = members_of(tree, "top level", ("version", *keys))
    if type(version) is not int or version < 1:
        raise wrong("version", f"a number from 1 to {newest}", version)
    return members
