"""What commands say, and the codes they exit with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OK = 0
FOUND = 1
"""There is something to look at."""
USAGE = 2
"""The command line is wrong: argparse's."""
TROUBLE = 3
"""A file could not be used."""


def say(line: str) -> None:
    """Print a line without what would steer the terminal."""
    print(printable(line))


def say_table(rows: Iterable[Sequence[object]], headers: Sequence[str]) -> None:
    """Print a table."""
    from tabulate import tabulate

    shown = [[printable(str(cell)) for cell in row] for row in rows]
    for line in tabulate(shown, headers, tablefmt="simple", disable_numparse=True).splitlines():
        say(line)


def complain(text: str) -> None:
    """Say on standard error what went wrong."""
    print(printable(f"sgtrack: {text}"), file=sys.stderr)


def printable(text: str) -> str:
    """Return a line without what would steer the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
