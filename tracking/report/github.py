"""What GitHub Actions shows of a session: annotations of files, and the summary of the job. Pure.

Workflow commands are lines `::error file=...,line=...,title=...::message`; see GitHub's page
"Workflow commands for GitHub Actions".
"""

# No annotations from __future__: here they are something else.
from typing import TYPE_CHECKING, NamedTuple

from tracking.report.markdown import render
from tracking.report.words import count_of, printable, verdict_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracking.report.data import Death, ReportData, TestReport

_SUMMARY_BYTES = 1024 * 1024  # GitHub refuses what is larger

# "%" first: the others bring in new ones.
_IN_MESSAGES = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_IN_PROPERTIES = (*_IN_MESSAGES, (":", "%3A"), (",", "%2C"))


class _Annotation(NamedTuple):
    """What is said about a place: a file, empty where it is not known, and a line, 0 likewise."""

    file: str
    line: int
    title: str
    message: str


def annotations(data: "ReportData", *, limit: int = 10) -> list[str]:
    """Return workflow commands that annotate what went red and what warns, the worst first.

    Args:
        data: the session.
        limit: how many errors, and how many warnings, GitHub shows of one step; at least 1. Where
            there are more, the last one says how many.
    """
    tests = data.by_severity()
    red = [_of_test(test) for test in tests if test.action == "fail"]
    warned = [_of_test(test) for test in tests if test.action == "warn"]
    return [
        *_commands("error", [*map(_of_death, data.deaths), *red], limit),
        *_commands("warning", warned, limit),
    ]


def step_summary(data: "ReportData") -> str:
    """Return the summary of a job, in Markdown: no more than GitHub takes, 1 MiB in UTF-8."""
    return render(data, limit_bytes=_SUMMARY_BYTES)


def _of_test(test: "TestReport") -> _Annotation:
    accept = f"\nto accept: {printable(test.accept_command)}" if test.accept_command else ""
    message = printable(test.message or verdict_text(test)) + accept
    return _Annotation(test.file, test.line, f"{verdict_text(test)}: {test.nodeid}", message)


def _of_death(death: "Death") -> _Annotation:
    last = f", last records: {death.last_records}" if death.last_records else ""
    message = printable(f"the process of the test died{last}")
    return _Annotation("", 0, f"{death.ended_by}: {death.nodeid}", message)


def _commands(kind: str, found: "Sequence[_Annotation]", limit: int) -> list[str]:
    shown = list(found[:limit])
    if n_more := len(found) - len(shown):
        message = f"{shown[-1].message}\nand {count_of(n_more, f'more {kind}')}"
        shown[-1] = shown[-1]._replace(message=message)
    return [_command(kind, one) for one in shown]


def _command(kind: str, one: _Annotation) -> str:
    properties = {
        "file": printable(one.file),
        "line": str(one.line) if one.file and one.line else "",
        "title": printable(one.title),
    }
    said = ",".join(
        f"{name}={_escaped(value, _IN_PROPERTIES)}" for name, value in properties.items() if value
    )
    return f"::{kind} {said}::{_escaped(one.message, _IN_MESSAGES)}"


def _escaped(text: str, replacements: "Sequence[tuple[str, str]]") -> str:
    for char, code in replacements:
        text = text.replace(char, code)
    return text
