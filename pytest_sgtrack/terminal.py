"""What the terminal shows: the header, and the summary at the end."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_sgtrack.gate import (
    FAIL,
    PASS,
    SHOW,
    WARN,
    accept_command,
    deciding_check,
)
from tracking import Verdict
from tracking.regression import MIN_SAMPLES, SEVERITY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pytest

    from pytest_sgtrack.deaths import DeathWatch
    from pytest_sgtrack.gate import TestResult
    from pytest_sgtrack.options import Settings

_MANY = 3  # tests named one by one in a command
_LISTED = 10  # tests of one verdict listed without -v
_SETTLED = (Verdict.NO_BASELINE, Verdict.NEW_METRIC)  # by any update
_COLOURS = {PASS: "green", SHOW: "green", WARN: "yellow", FAIL: "red"}


def header(settings: Settings, rootpath: Path) -> str:
    """Return the line of pytest's header: what is on and why."""
    folder = os.path.relpath(settings.directory, rootpath)
    parts = [
        f"sg-track: on ({settings.source}), recording into {folder}/{settings.experiment}.db",
        f"regressions {settings.on_regression}",
        f"missing baselines {settings.on_missing}{' (CI)' if settings.is_ci else ''}",
    ]
    if settings.update:
        parts.append(f"updating baselines: {settings.update}")
    if settings.is_strict:
        parts.append("strict")
    return ", ".join(parts)


@dataclass(frozen=True)
class SessionSummary:
    """What a session came to.

    Attributes:
        settings: its settings.
        started_in: the folder pytest was started in.
        results: of all tests that were compared, or run to collect samples.
        written: how many entries of each baseline file were added or changed.
        unused: entries of baseline files that no test has.
        problems: what went wrong beside single tests, with the store or the baselines.
        deaths: knows of processes that died.
    """

    settings: Settings
    started_in: Path
    results: Sequence[TestResult]
    written: Mapping[Path, int]
    unused: Mapping[Path, Sequence[str]]
    problems: Sequence[str]
    deaths: DeathWatch

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        deaths = self.deaths
        return not (
            *self.results,
            *self.unused,
            *self.problems,
            *deaths.crashed,
            *deaths.left_behind,
        )


def summarize(
    reporter: pytest.TerminalReporter, summary: SessionSummary, shown: Callable[[str], str]
) -> None:
    """Write the section `sg-track`: counts of all verdicts, then every test worth a look.

    Args:
        reporter: pytest's terminal.
        summary: what there is to show.
        shown: gives a node id as it has to be written in a command.
    """
    if summary.is_empty:
        return
    settings, deaths = summary.settings, summary.deaths
    reporter.ensure_newline()
    reporter.section("sg-track", sep="=")
    if deaths.left_behind:
        reporter.write_line(deaths.left_behind, yellow=True)
    for test in deaths.crashed:
        last = f" - last records: {test.last_records}" if test.last_records else ""
        reporter.write_line(f"{test.ended_by} {shown(test.nodeid)}{last}", red=True)
    _count(reporter, summary.results)
    unsettled = [r for r in summary.results if not (settings.update and r.verdict in _SETTLED)]
    _list_tests(reporter, unsettled, shown)
    for path, n_entries in summary.written.items():
        name = os.path.relpath(path, reporter.config.invocation_params.dir)
        reporter.write_line(f"wrote {name}: {n_entries} of its tests; review and commit it")
    _list_unused(reporter, summary)
    for problem in summary.problems:
        reporter.write_line(problem, red=True)
    _suggest(reporter, summary, shown)


def _count(reporter: pytest.TerminalReporter, results: Sequence[TestResult]) -> None:
    compared = [result for result in results if result.verdict is not None]
    if compared:
        counts = Counter(result.verdict for result in compared)
        counted = ", ".join(
            f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]
        )
        worst = max((result.action for result in compared), key=list(_COLOURS).index, default=PASS)
        line = f"{_n_tests(len(compared))} compared: {counted}"
        reporter.write_line(line, **{_COLOURS[worst]: True})
    n_collected = len(results) - len(compared)
    if n_collected:
        reporter.write_line(f"{_n_tests(n_collected)} run to collect samples, nothing compared")


def _n_tests(n: int) -> str:
    return "1 test" if n == 1 else f"{n} tests"


def _list_unused(reporter: pytest.TerminalReporter, summary: SessionSummary) -> None:
    is_pruned = summary.settings.is_pruning
    for path, keys in summary.unused.items():
        name = os.path.relpath(path, reporter.config.invocation_params.dir)
        listed = ", ".join(keys[:_LISTED]) + (", ..." if len(keys) > _LISTED else "")
        if is_pruned:
            reporter.write_line(f"removed from {name}, having no test: {listed}")
        else:
            reporter.write_line(f"{name} has entries without a test: {listed}", yellow=True)
    if summary.unused and not is_pruned:
        reporter.write_line("to remove them: sgtrack prune")


def _list_tests(
    reporter: pytest.TerminalReporter,
    results: Sequence[TestResult],
    shown: Callable[[str], str],
) -> None:
    """Write a line for each test worth a look, the worst last; with -v, for every test."""
    is_verbose = reporter.config.get_verbosity() > 0
    for verdict in SEVERITY:
        of_verdict = [
            r
            for r in results
            if r.verdict is verdict and (is_verbose or r.action != PASS or _has_warning(r))
        ]
        n_listed = 1 if verdict is Verdict.INCOMPLETE else _LISTED  # all for the same reason
        listed = of_verdict if is_verbose else of_verdict[:n_listed]
        for result in listed:
            check = deciding_check(result, result.verdict)
            warnings = [one.warning for one in result.checks if one.warning]
            reasons = ([check.message] if check else []) + warnings
            reason = f" - {'; '.join(reasons)}" if reasons else ""
            line = f"{verdict} {shown(result.nodeid)}{reason}"
            reporter.write_line(line, **{_COLOURS[result.action]: True})
            for note in result.notes:
                reporter.write_line(f"  {note}")
        if len(of_verdict) > len(listed):
            n_more = len(of_verdict) - len(listed)
            reporter.write_line(f"... and {n_more} more {verdict} (-v lists them)")


def _has_warning(result: TestResult) -> bool:
    return any(check.warning for check in result.checks) or bool(result.notes)


def _suggest(
    reporter: pytest.TerminalReporter, summary: SessionSummary, shown: Callable[[str], str]
) -> None:
    settings = summary.settings
    if settings.update or settings.n_samples:
        return
    open_ones = [r for r in summary.results if r.action != PASS and r.is_acceptable]
    new = [r for r in open_ones if r.verdict in _SETTLED and r.samples]
    changed = [r for r in open_ones if r not in new and r.samples]
    for purpose, results in (
        ("to add what has no baseline", new),
        ("to accept what changed", changed),
    ):
        if results:
            tests = _as_arguments([result.test for result in results])
            command = accept_command(tests, settings, summary.started_in)
            reporter.write_line(f"{purpose}: {command}")
    again = [r for r in open_ones if r.n_samples >= MIN_SAMPLES and not r.samples]
    if again:
        tests = _as_arguments([shown(result.test) for result in again])
        n_samples = max(result.n_samples for result in again)
        command = shlex.join(["pytest", "--sg-track", f"--sg-track-samples={n_samples}", *tests])
        reporter.write_line(f"to collect samples again: {command}")


def _as_arguments(tests: Sequence[str]) -> list[str]:
    """Return tests as a command can name them: many by their files."""
    unique = list(dict.fromkeys(tests))
    if len(unique) <= _MANY:
        return unique
    return list(dict.fromkeys(test.partition("::")[0] for test in unique))
