"""What a session came to, as the one value all reports are made of; and where they go."""

from __future__ import annotations

import os
import shlex
import time
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_sgtrack.gate import PASS
from pytest_sgtrack.names import as_run_name
from tracking import (
    ExperimentDBManager,
    InvalidArgumentError,
    MissingDependencyError,
    ReportError,
    StoreError,
    gather_runs,
    write_report,
)
from tracking.regression import MIN_SAMPLES, NOT_IN_BASELINE, accept_command, seen_from
from tracking.report import Death, ReportData, TestReport, step_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_sgtrack.deaths import DeathWatch
    from pytest_sgtrack.gate import TestResult
    from pytest_sgtrack.options import Settings
    from tracking.regression import Sample

_MANY = 3  # tests named one by one in a command


@dataclass(frozen=True)
class SessionEnd:
    """What a session knows when its tests are over.

    Attributes:
        settings: its settings.
        started_in: the folder pytest was started in.
        rootpath: the root of the project, from which node ids are seen.
        session_id: what its runs have in common.
        environment: what it ran on and with.
        results: of all tests that were compared, or run to collect samples.
        written: how many entries of each baseline file were added or changed.
        unused: entries of baseline files that no test has.
        notices: what the store had to say, and what else is no more than worth a line.
        problems: what went wrong beside single tests, with the store or the baselines.
        deaths: knows of processes that died.
    """

    settings: Settings
    started_in: Path
    rootpath: Path
    session_id: str
    environment: Mapping[str, Any]
    results: Sequence[TestResult]
    written: Mapping[Path, int]
    unused: Mapping[Path, Sequence[str]]
    notices: Sequence[str]
    problems: Sequence[str]
    deaths: DeathWatch

    def shown(self, nodeid: str) -> str:
        """Return a node id as it has to be written where pytest was started."""
        path, separator, inside = nodeid.partition("::")
        return os.path.relpath(self.rootpath / path, self.started_in) + separator + inside

    def report(self) -> ReportData:
        """Return what there is to report, as far as it can be told without the experiment."""
        entries = {self._seen(path): keys for path, keys in self.unused.items()}
        is_pruning = self.settings.is_pruning
        deaths = self.deaths
        return ReportData(
            created_at=time.time(),
            experiment=self.settings.experiment,
            database=self._seen(self.settings.database),
            session=self.session_id,
            environment=self.environment,
            tests=[self._test(result) for result in self.results],
            deaths=[Death(self.shown(one.nodeid), *one[1:]) for one in deaths.crashed],
            notices=[*([deaths.left_behind] if deaths.left_behind else []), *self.notices],
            problems=self.problems,
            written={self._seen(path): n for path, n in self.written.items()},
            unused={} if is_pruning else entries,
            removed=entries if is_pruning else {},
            suggestions=self._suggestions(),
        )

    def _seen(self, path: Path | str) -> str:
        return os.path.relpath(path, self.started_in)

    def _test(self, result: TestResult) -> TestReport:
        file, line = result.location
        github = self.settings.github
        if github and github.workspace:
            file = os.path.relpath(self.rootpath / file, github.workspace)
        return TestReport(
            nodeid=self.shown(result.nodeid),
            verdict=result.verdict,
            action=result.action,
            file=file,
            line=line,
            checks=result.checks,
            notes=result.notes,
            baseline=seen_from(result.baseline, self.started_in),
            key=result.key,
            n_samples=result.n_samples,
            accept_command=how_to_accept(result, self.settings, self.started_in),
        )

    def _suggestions(self) -> list[tuple[str, str]]:
        if self.settings.update or self.settings.n_samples:
            return []
        if self.settings.branch is not None:
            is_any = any(result.samples and result.action != PASS for result in self.results)
            accept = "pytest --sg-track --sg-track-update=all"
            return [(f"to accept, once it is on {self.settings.branch}", accept)] if is_any else []
        open_ones = [r for r in self.results if r.action != PASS and r.is_acceptable]
        new = [r for r in open_ones if r.verdict in NOT_IN_BASELINE and r.samples]
        changed = [r for r in open_ones if r not in new and r.samples]
        found = [
            (purpose, accept_command(_tests(results), self.settings.database, self.started_in))
            for purpose, results in (
                ("to add what has no baseline", new),
                ("to accept what changed", changed),
            )
            if results
        ]
        again = [r for r in open_ones if r.n_samples >= MIN_SAMPLES and not r.samples]
        if again:
            tests = _tests(again, self.shown)
            n_samples = max(result.n_samples for result in again)
            command = ["pytest", "--sg-track", f"--sg-track-samples={n_samples}", *tests]
            found.append(("to collect samples again", shlex.join(command)))
        return found

    @property
    def has_readers(self) -> bool:
        """Whether somebody wants a report beside the terminal."""
        github = self.settings.github
        return bool(self.settings.reports or (github and github.summary))

    def write(
        self, data: ReportData, samples_of: Callable[[TestResult], Sequence[Sample]]
    ) -> tuple[list[str], list[str], list[str]]:
        """Write the reports that were asked for, with what the experiment holds of each test.

        Returns:
            The files that were written, what is worth a line, and what went wrong.
        """
        written = []
        notices = []
        problems = []
        try:
            data = self._with_runs(data, samples_of)
        except StoreError as error:
            problems.append(f"the reports lack what the experiment holds: {error}")
        for path in self.settings.reports:
            try:
                write_report(data, path)
            except (ReportError, InvalidArgumentError, MissingDependencyError) as error:
                problems.append(str(error))
            else:
                written.append(self._seen(path))
        github = self.settings.github
        if github and github.summary:
            try:
                with github.summary.open("a", encoding="utf-8") as file:
                    file.write(step_summary(data))
            except OSError as error:
                notices.append(f"GITHUB_STEP_SUMMARY cannot be written: {error}")
        return written, notices, problems

    def _with_runs(
        self, data: ReportData, samples_of: Callable[[TestResult], Sequence[Sample]]
    ) -> ReportData:
        database = self.settings.database
        if not database.exists():
            return data
        known = [
            (report, as_run_name(result.nodeid), samples_of(result))
            for report, result in zip(data.tests, self.results, strict=True)
        ]
        with closing(ExperimentDBManager(database, is_read_only=True)) as db:
            return replace(data, tests=gather_runs(db, self.session_id, known))


def how_to_accept(result: TestResult, settings: Settings, started_in: Path) -> str:
    """Return the command that accepts what a test gave; empty where nothing can be."""
    is_file = settings.branch is None
    if is_file and result.samples and result.is_acceptable and not settings.n_samples:
        return accept_command([result.test], settings.database, started_in)
    return ""


def _tests(
    results: Iterable[TestResult], shown: Callable[[str], str] = lambda test: test
) -> list[str]:
    """Return tests as a command can name them: many by their files."""
    unique = list(dict.fromkeys(shown(result.test) for result in results))
    if len(unique) <= _MANY:
        return unique
    return list(dict.fromkeys(test.partition("::")[0] for test in unique))
