"""What stands behind the question mark of an address, read and checked. Pure."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from tracking.board.answers import AskedWrongError

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.datastructures import QueryParams

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_LARGEST = 2**63 - 1


def integer(
    asked: QueryParams, name: str, default: int | None = None, *, least: int = -_LARGEST - 1
) -> int | None:
    """Return a whole number.

    Raises:
        AskedWrongError: it is none, or too small or large.
    """
    text = asked.get(name)
    if not text:
        return default
    if not _INTEGER.fullmatch(text) or not least <= int(text) <= _LARGEST:
        raise AskedWrongError(400, f"{name}: a whole number is needed, {least} or more")
    return int(text)


def bounded(asked: QueryParams, name: str, default: int, least: int, most: int) -> int:
    """Return a whole number; the nearest that is allowed where it lies outside.

    Raises:
        AskedWrongError: it is none.
    """
    return max(least, min(integer(asked, name, default) or 0, most))


def smoothing(asked: QueryParams) -> float:
    """Return how strongly to smooth: 0 where it is no number, as the original takes it."""
    try:
        number = float(asked.get("smoothing") or 0)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


def flag(asked: QueryParams, name: str) -> bool:
    """Tell whether something is switched on."""
    return asked.get(name, "").lower() in ("1", "true", "yes")


def one_of(asked: QueryParams, name: str, allowed: Collection[str]) -> str:
    """Return one of some words.

    Raises:
        AskedWrongError: it is another.
    """
    found = asked.get(name, "")
    if found not in allowed:
        raise AskedWrongError(400, f"{name}: there are {', '.join(allowed)}")
    return found
