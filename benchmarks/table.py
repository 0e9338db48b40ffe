"""Rows laid out as Markdown, with the machine they were measured on."""

from __future__ import annotations

import os
import platform
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from tracking import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measure import Estimate, Row

_HEADERS = ("what", "bound", "measured", "quartiles", "verdict", "figures")


def rows_table(rows: Sequence[Row]) -> str:
    """Return the table of rows: figure, bound and verdict of each."""
    cells = [
        (
            row.what,
            _bound(row),
            _number(row.measured.median, row.unit) if row.measured else "-",
            _quartiles(row.measured) if row.measured else "-",
            f"**{row.verdict}**" if row.verdict.isupper() else row.verdict,
            row.figures,
        )
        for row in rows
    ]
    return markdown(cells, _HEADERS)


def markdown(cells: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    """Lay out a table of texts."""
    return tabulate(cells, headers, tablefmt="github", disable_numparse=True)


def _bound(row: Row) -> str:
    if row.bound is None:
        return ""
    return f"{'>=' if row.is_floor else '<='} {_number(row.bound, row.unit)}"


def _quartiles(measured: Estimate) -> str:
    low, high = (_digits(value) for value in (measured.low, measured.high))
    return low if low == high else f"{low} to {high}"


def _number(value: float, unit: str) -> str:
    return f"{_digits(value)}{'' if unit == 'x' else ' '}{unit}"


def _digits(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}".rstrip("0").rstrip(".")


def machine(folder: Path) -> str:
    """Describe what the figures depend on, as a Markdown list.

    Args:
        folder: where the benchmarks write.
    """
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "pytest-sgtrack": __version__,
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "load": f"{os.getloadavg()[0]:.2f} (mean of the minute before)",
        "system": f"{platform.system()} {platform.release()}, {_file_system(folder)}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "SQLite": sqlite3.sqlite_version,
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _file_system(folder: Path) -> str:
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown file system"
    fields = [mount.split() for mount in mounts]
    above = [mount for mount in fields if folder.resolve().is_relative_to(mount[1])]
    return max(above, key=lambda mount: len(mount[1]))[2]
