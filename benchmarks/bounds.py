"""Figures of simulations, each with its bound, and the documents that hold them."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.table import machine, markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HEADING = "## Figures"
_QUICK = "A quick run, to see that everything works: its figures and verdicts mean nothing."
_WORDS = {True: "reached", False: "**MISSED**", None: ""}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: what is simulated.
        expected: the bound, in words; empty for a line that is only there to be known.
        figure: what came out.
        is_reached: whether that is within the bound, None where there is none.
    """

    what: str
    expected: str
    figure: str
    is_reached: bool | None


def run(prog: str, description: str | None, rows: Callable[[Path, bool], Sequence[Row]]) -> int:
    """Print the figures that the command line asks for, and write them where it says.

    Args:
        prog: how the command is called.
        description: what it is about.
        rows: simulates, in a folder of its own; whether quickly.

    Returns:
        The exit status: whether a full run missed a bound.
    """
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help=f"replace what follows `{_HEADING}` in it"
    )
    arguments = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        conditions = machine(Path(name))
        found = rows(Path(name), arguments.quick)
    text = "\n\n".join([*([_QUICK] * arguments.quick), conditions, table(found)])
    print(text)
    print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
    if arguments.write:
        _write(arguments.write, text)
    return int(not arguments.quick and any(row.is_reached is False for row in found))


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out as Markdown."""
    cells = [(row.what, row.expected, row.figure, _WORDS[row.is_reached]) for row in rows]
    return markdown(cells, ("what", "expected", "figure", "verdict"))


def _write(path: Path, text: str) -> None:
    before = path.read_text(encoding="utf-8").partition(_HEADING)[0] if path.exists() else ""
    path.write_text(f"{before}{_HEADING}\n\n{text}\n", encoding="utf-8")
