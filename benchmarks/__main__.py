"""Run the benchmarks: `python -m benchmarks [NAME ...] [--quick] [--peers] [--write FILE]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import (
    board,
    disk,
    graphs,
    imports,
    merging,
    plugin_off,
    plugin_on,
    processes,
    pushing,
    record,
    runs,
    summary,
    throughput,
)
from benchmarks.measure import ROOT, Lab
from benchmarks.peers import compare
from benchmarks.table import machine, rows_table

_TOPICS = {
    "record": record.rows,
    "throughput": throughput.rows,
    "disk": disk.rows,
    "summary": summary.rows,
    "imports": imports.rows,
    "plugin_off": plugin_off.rows,
    "plugin_on": plugin_on.rows,
    "processes": processes.rows,
    "runs": runs.rows,
    "merging": merging.rows,
    "board": board.rows,
    "graphs": graphs.rows,
    "store": pushing.rows,
}
_BUILD = ROOT / "build" / "benchmarks"  # on the disk of the checkout: /tmp may be in memory
_QUICK = "A quick run, to see that everything works: its figures and verdicts mean nothing."


def main() -> int:
    """Measure what the command line asks for, print the table, and write it where asked."""
    arguments = _parsed()
    _BUILD.mkdir(parents=True, exist_ok=True)
    conditions = machine(_BUILD)
    if arguments.peers:
        _say("installing other tools into an environment of their own")
        compare.install(_BUILD)
    rows = []
    with tempfile.TemporaryDirectory(dir=_BUILD) as folder:
        lab = Lab(Path(folder), arguments.quick, compare.python_of(_BUILD))
        for name in arguments.names or _TOPICS:
            _say(name)
            rows += _TOPICS[name](lab)
        parts = [_QUICK] * arguments.quick + [conditions, rows_table(rows)]
        if arguments.peers:
            _say("peers")
            parts += ["## Other tools", compare.table(lab, _BUILD)]
    text = "\n\n".join(parts)
    print(text)
    if arguments.write:
        _write(arguments.write, text)
    return 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(_TOPICS)}")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument("--peers", action="store_true", help="install and measure other tools too")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="replace what follows `## Figures` in it"
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in _TOPICS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(_TOPICS)}")
    return arguments


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def _write(path: Path, text: str) -> None:
    heading = "## Figures"
    before = path.read_text(encoding="utf-8").partition(heading)[0] if path.exists() else ""
    path.write_text(f"{before}{heading}\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
