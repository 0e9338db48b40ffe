"""What the terminal shows: the header, and the summary at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tracking.report import lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from pytest_sgtrack.options import Settings
    from tracking.report import ReportData


_UNBOUNDED = 10**6


def header(settings: Settings, rootpath: Path) -> str:
    """Return the line of pytest's header: what is on and why."""
    folder = os.path.relpath(settings.directory, rootpath)
    parts = [
        f"sg-track: on ({settings.source}), recording into {folder}/{settings.experiment}.db",
        f"regressions {settings.on_regression}",
        f"missing baselines {settings.on_missing}{' (CI)' if settings.is_ci else ''}",
    ]
    if settings.store is not None:
        parts.insert(1, f"pushing to {settings.store}")
    if settings.branch is not None:
        parts.append(f"baselines: the last {settings.n_history} runs of {settings.branch}")
    if settings.update:
        parts.append(f"updating baselines: {settings.update}")
    if settings.is_strict:
        parts.append("strict")
    return ", ".join(parts)


def summarize(
    reporter: pytest.TerminalReporter, data: ReportData, written: Sequence[str], pushed: str
) -> None:
    """Write the section `sg-track`, if there is something to say.

    Args:
        reporter: pytest's terminal.
        data: what there is to show.
        written: files that hold a report.
        pushed: what was brought where; empty for nothing.
    """
    is_verbose = reporter.config.get_verbosity() > 0
    # In a file a line of its own for each test can be searched for.
    terminal = reporter.config.get_terminal_writer()
    width = terminal.fullwidth if reporter.isatty else _UNBOUNDED
    shown = lines(data, width=width, is_verbose=is_verbose)
    if not shown and not pushed:
        return
    reporter.ensure_newline()
    reporter.section("sg-track", sep="=")
    for text, tone in shown:
        reporter.write_line(text, **({tone: True} if tone else {}))
    for path in written:
        reporter.write_line(f"report: {path}")
    if pushed:
        reporter.write_line(pushed)
