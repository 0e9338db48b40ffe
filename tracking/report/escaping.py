"""Text made harmless in Markdown. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracking.report.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

# An underscore inside a word is no markup; what begins a text could begin a block.
_SPECIAL = r"[\\`*\[\]<>&|~$]|(?<![^\W_])_|_(?![^\W_])|(?<=:)//|(?<=www)\."
_IN_CODE = re.compile(_SPECIAL)
_BLOCK_START = r"\A(?:[-+=](?![^-+=\s])|\d+[.)](?!\S)|\s)"
_IN_TEXT = re.compile(rf"{_BLOCK_START}|{_SPECIAL}|[@#]")


def code(text: str) -> str:
    """Return a name, in which no one is mentioned and nothing is linked."""
    return f"<code>{_IN_CODE.sub(_harmless, printable(text))}</code>" if text else ""


def escaped(text: str) -> str:
    """Return a text that is read as it stands."""
    return _IN_TEXT.sub(_harmless, printable(text))


def row(cells: Iterable[str]) -> str:
    """Return a row of a table; its cells are Markdown."""
    return f"| {' | '.join(cells)} |"


def _harmless(found: re.Match[str]) -> str:
    if found[0] in "@#":
        return f"{found[0]}&#8203;"
    return "".join(f"&#{ord(char)};" for char in found[0])
