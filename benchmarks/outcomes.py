"""A plugin of pytest that writes down how each phase of each test ended; company.py loads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_found: list[str] = []


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note what could not be collected."""
    if report.failed:
        _found.append(f"{report.nodeid}\tcollect failed")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how a phase ended; an expected failure is one that says so."""
    expected = " expected" * hasattr(report, "wasxfail")
    _found.append(f"{report.nodeid}\t{report.when} {report.outcome}{expected}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Write all of it to the file that OUTCOMES names; workers have told their controller."""
    if not hasattr(config, "workerinput"):
        Path(os.environ["OUTCOMES"]).write_text("\n".join(sorted(_found)), encoding="utf-8")
