"""What the terminal shows: the header, and the summary at the end."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from pytest_sgtrack.gate import (
    FAIL,
    PASS,
    SHOW,
    WARN,
    TestResult,
    accept_command,
    deciding_check,
)
from tracking import Verdict
from tracking.regression import SEVERITY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pytest

    from pytest_sgtrack.deaths import DeathWatch
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


def summarize(
    reporter: pytest.TerminalReporter,
    settings: Settings,
    results: Sequence[TestResult],
    written: Mapping[Path, int],
    problems: Sequence[str],
    deaths: DeathWatch,
    shown: Callable[[str], str],
) -> None:
    """Write the section `sg-track`: counts of all verdicts, then every test worth a look.

    Args:
        reporter: pytest's terminal.
        settings: the session's.
        results: of all tests that were compared.
        written: how many entries of each baseline file were added or changed.
        problems: what went wrong beside single tests, with the store or the baselines.
        deaths: knows of processes that died.
        shown: gives a node id as it has to be written in a command.
    """
    if not (results or problems or deaths.crashed or deaths.left_behind):
        return
    reporter.ensure_newline()
    reporter.section("sg-track", sep="=")
    if deaths.left_behind:
        reporter.write_line(deaths.left_behind, yellow=True)
    for test in deaths.crashed:
        last = f" - last records: {test.last_records}" if test.last_records else ""
        reporter.write_line(f"{test.ended_by} {shown(test.nodeid)}{last}", red=True)
    if results:
        _count(reporter, results)
    unsettled = [r for r in results if not (settings.update and r.verdict in _SETTLED)]
    _list_tests(reporter, unsettled, shown)
    for path, n_entries in written.items():
        name = os.path.relpath(path, reporter.config.invocation_params.dir)
        reporter.write_line(f"wrote {name}: {n_entries} of its tests; review and commit it")
    for problem in problems:
        reporter.write_line(problem, red=True)
    _suggest(reporter, settings, results, shown)


def _count(reporter: pytest.TerminalReporter, results: Sequence[TestResult]) -> None:
    counts = Counter(result.verdict for result in results)
    counted = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    n_tests = "1 test" if len(results) == 1 else f"{len(results)} tests"
    worst = max((result.action for result in results), key=list(_COLOURS).index, default=PASS)
    reporter.write_line(f"{n_tests} compared: {counted}", **{_COLOURS[worst]: True})


def _list_tests(
    reporter: pytest.TerminalReporter,
    results: Sequence[TestResult],
    shown: Callable[[str], str],
) -> None:
    """Write a line for each test worth a look, the worst last; with -v, for every test."""
    is_verbose = reporter.config.get_verbosity() > 0
    for verdict in SEVERITY:
        of_verdict = [
            r for r in results if r.verdict is verdict and (is_verbose or r.action != PASS)
        ]
        n_listed = 1 if verdict is Verdict.INCOMPLETE else _LISTED  # all for the same reason
        listed = of_verdict if is_verbose else of_verdict[:n_listed]
        for result in listed:
            check = deciding_check(result)
            reason = f" - {check.message}" if check else ""
            line = f"{verdict} {shown(result.nodeid)}{reason}"
            reporter.write_line(line, **{_COLOURS[result.action]: True})
        if len(of_verdict) > len(listed):
            n_more = len(of_verdict) - len(listed)
            reporter.write_line(f"... and {n_more} more {verdict} (-v lists them)")


def _suggest(
    reporter: pytest.TerminalReporter,
    settings: Settings,
    results: Sequence[TestResult],
    shown: Callable[[str], str],
) -> None:
    if settings.update:
        return
    new = [r for r in results if r.verdict in _SETTLED]
    if new:
        _write_command(reporter, "to add what has no baseline", new, "new", shown)
    changed = [
        r
        for r in results
        if r not in new and (r.action in (FAIL, WARN) or r.verdict is Verdict.IMPROVED)
        if r.verdict not in (Verdict.UNREADABLE_BASELINE, Verdict.INCOMPLETE)
    ]
    if changed:
        _write_command(reporter, "to accept what changed", changed, "all", shown)


def _write_command(
    reporter: pytest.TerminalReporter,
    purpose: str,
    results: Sequence[TestResult],
    update: str,
    shown: Callable[[str], str],
) -> None:
    nodeids = [shown(result.nodeid) for result in results]
    if len(nodeids) > _MANY:
        nodeids = list(dict.fromkeys(nodeid.partition("::")[0] for nodeid in nodeids))
    reporter.write_line(f"{purpose}: {accept_command(nodeids, update)}")
