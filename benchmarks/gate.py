"""How often the gate is wrong, and what it catches.

    python -m benchmarks.gate [--quick] [--write docs/gate.md]

The exit status of a full run says whether every bound is reached.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import gate_simulation
from benchmarks.gate_faults import real_training
from benchmarks.gate_sessions import Project, same_verdicts
from benchmarks.gate_training import RECIPES
from benchmarks.table import machine, markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.gate_simulation import Row

_HEADING = "## Figures"
_QUICK = "A quick run, to see that everything works: its figures and verdicts mean nothing."
_WORDS = {True: "reached", False: "**MISSED**", None: ""}


def main() -> int:
    """Simulate, run sessions, print the table, and write it where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help=f"replace what follows `{_HEADING}` in it"
    )
    arguments = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        conditions = machine(Path(name))
        names, n_samples = (tuple(RECIPES)[-2:], 5) if arguments.quick else (tuple(RECIPES), 10)
        project = Project.new(Path(name) / "project", names, n_samples)
        rows = [
            *gate_simulation.rows(arguments.quick),
            *same_verdicts(project, arguments.quick),
            *real_training(project, arguments.quick),
        ]
    text = "\n\n".join([*([_QUICK] * arguments.quick), conditions, table(rows)])
    print(text)
    print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
    if arguments.write:
        _write(arguments.write, text)
    return int(not arguments.quick and any(row.is_reached is False for row in rows))


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out as Markdown."""
    cells = [(row.what, row.expected, row.figure, _WORDS[row.is_reached]) for row in rows]
    return markdown(cells, ("what", "expected", "figure", "verdict"))


def _write(path: Path, text: str) -> None:
    before = path.read_text(encoding="utf-8").partition(_HEADING)[0] if path.exists() else ""
    path.write_text(f"{before}{_HEADING}\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
