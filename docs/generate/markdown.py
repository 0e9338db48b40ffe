"""Pieces of Markdown, the same for all generated pages."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WORDS_OF_CODE = re.compile(
    r"(?:\bpytest )?(?<![\w-])--[a-z][\w-]*(?:=[\w:.]*\w)?|\b__\w+__|\b[A-Z]+_[A-Z_]+\b"
)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Return a table.

    >>> print(table(["a", "b"], [["`x`", "two\nwords"]]))
    | a | b |
    |---|---|
    | `x` | two words |

    Raises:
        ValueError: a cell has a `|`, which GitHub and the site take for different things in code.
    """
    cells = [[" ".join(cell.split()) for cell in line] for line in (headers, *rows)]
    if any("|" in cell for line in cells for cell in line):
        raise ValueError(f"a cell of the table of {', '.join(headers)} has a |; use other words")
    shown = [f"| {' | '.join(line)} |" for line in cells]
    return "\n".join([shown[0], f"|{'---|' * len(headers)}", *shown[1:]])


def code(text: str) -> str:
    """Return text as code, or nothing of nothing.

    >>> code("x"), code("")
    ('`x`', '')
    """
    return f"`{text}`" if text else ""


def plain(text: str) -> str:
    r"""Return text of a command's help as Markdown that shows it as it is.

    >>> print(plain("`new` or --all=2. pytest --sg-track of __x__ (* ? [ ])"))
    `new` or `--all=2`. `pytest --sg-track` of `__x__` (\* ? \[ \])
    """

    def shown(part: str) -> str:
        if part.startswith("`"):
            return part
        if _WORDS_OF_CODE.fullmatch(part):
            return code(part)
        return re.sub(r"([*\[\]])", r"\\\1", part).replace("<", "&lt;")

    return "".join(map(shown, re.split(f"(`[^`]*`|{_WORDS_OF_CODE.pattern})", text)))


def docstring(thing: object) -> str:
    """Return what a thing says of itself, without the indentation of its source."""
    return inspect.cleandoc(getattr(thing, "__doc__", None) or "")


def attributes(text: str) -> dict[str, str]:
    r"""Return the attributes that a Google docstring describes, by their names.

    >>> attributes("A.\n\nAttributes:\n    a: one\n        thing.\n    b: two.\n")
    {'a': 'one thing.', 'b': 'two.'}
    """
    section = re.search(r"^Attributes:\n((?: {4}.*\n?)*)", text, re.MULTILINE)
    described = re.split(r"^ {4}(\w+): ", section[1] if section else "", flags=re.MULTILINE)[1:]
    pairs = zip(described[::2], described[1::2], strict=True)
    return {name: " ".join(words.split()) for name, words in pairs}


def prose(text: str) -> str:
    r"""Return a docstring as Markdown: its list of versions as a list.

    >>> print(prose("One.\n\nVersions:\n    1: the first\n       (2026).\n    2: more."))
    One.
    <BLANKLINE>
    Versions:
    <BLANKLINE>
    - 1: the first (2026).
    - 2: more.
    """

    def listed(found: re.Match[str]) -> str:
        items = re.split(r"^ {4}(?=\d)", found[1], flags=re.MULTILINE)[1:]
        return "Versions:\n\n" + "\n".join(f"- {' '.join(item.split())}" for item in items)

    return re.sub(r"^Versions:\n((?: {4}.*\n?)*)", listed, text, flags=re.MULTILINE)


def fenced(text: str) -> str:
    r"""Return text whose indented blocks are fenced, so that nothing in them is taken for Markdown.

    >>> print(fenced("One:\n\n    [a]\n\n    [b]\n\nTwo."))
    One:
    <BLANKLINE>
    ```text
    [a]
    <BLANKLINE>
    [b]
    ```
    <BLANKLINE>
    Two.
    """

    def block(found: re.Match[str]) -> str:
        return f"```text\n{textwrap.dedent(found[0]).strip()}\n```\n"

    return re.sub(r"(?<=\n\n)(?: {4}.*(?:\n|$)|\n(?= {4}))+", block, text)
