"""Reports of what tests came to: one value, `ReportData`, and a file for each format it takes.

Pure: nothing in here reads an experiment or writes a file. `tracking.reporting` does.
"""

from tracking.report.data import ACTIONS, Death, ReportData, TestReport, deciding_check
from tracking.report.formats import check_format, render
from tracking.report.github import annotations, step_summary
from tracking.report.junit import properties
from tracking.report.terminal import Line, lines
from tracking.report.words import checks_table, said_beside

__all__ = [
    "ACTIONS",
    "Death",
    "Line",
    "ReportData",
    "TestReport",
    "annotations",
    "check_format",
    "checks_table",
    "deciding_check",
    "lines",
    "properties",
    "render",
    "said_beside",
    "step_summary",
]
