"""Reports of sessions of tests: gathered from an experiment and written to files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tracking.attempts import without_confirmations
from tracking.details import Room, gather, with_prefixes
from tracking.errors import BaselineError, ReportError, RunNotFoundError
from tracking.filesystem import replace_file
from tracking.model import Verdict
from tracking.regression import (
    STORE,
    Compared,
    accept_command,
    load_baseline,
    load_pending,
    parse_comparison,
    pending_path,
    seen_from,
)
from tracking.report.data import Death, ReportData, TestReport, severity
from tracking.report.formats import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracking.model import RunInfo
    from tracking.reading import ExperimentReader
    from tracking.regression import Entry, Sample


def write_report(data: ReportData, path: Path) -> None:
    """Write a report in the format that the suffix of its file names; the file is replaced whole.

    Args:
        data: what there is to report; see `stored_report`.
        path: the file, its folder is created: `.html`, `.json` or `.md`.

    Raises:
        InvalidArgumentError: there is no such format.
        MissingDependencyError: the page of the HTML report is not built.
        ReportError: the file cannot be written.

    Examples:
        >>> from pathlib import Path
        >>> from tracking import stored_report, write_report
        >>> run_id = tracker.start_run("test_mnist.py::test_training", session="nightly")
        >>> tracker.end_run(outcome="passed") == run_id
        True
        >>> write_report(stored_report(db), Path("reports/nightly.json"))
        >>> [path.name for path in Path("reports").iterdir()]
        ['nightly.json']
    """
    text = render(data, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode())
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror or error}") from error


def gather_runs(
    db: ExperimentReader,
    session: str,
    tests: Iterable[tuple[TestReport, str, Sequence[Sample]]],
) -> list[TestReport]:
    """Add to reports of tests what the experiment holds of their runs.

    Args:
        db: the experiment.
        session: the tests' session in it.
        tests: of each its report, what its run is called, and the samples of its baseline. While a
            report takes in more they are served the worst first.

    Returns:
        The reports, the worst first.

    Raises:
        StoreError: the experiment cannot be read.

    Examples:
        >>> from tracking import Verdict, gather_runs
        >>> from tracking.report.data import TestReport
        >>> name = "test_mnist.py::test_training"
        >>> with tracker.run(name, session="nightly"):
        ...     tracker.record("loss", 0.5, step=0)
        >>> test = TestReport(name, Verdict.NO_BASELINE, action="warn")
        >>> (gathered,) = gather_runs(db, "nightly", [(test, name, ())])
        >>> [metric.name for metric in gathered.run.metrics]
        ['loss']
    """
    return _gathered(db, db.find_runs(session=session), tests)


def _gathered(
    db: ExperimentReader,
    runs: Sequence[RunInfo],
    tests: Iterable[tuple[TestReport, str, Sequence[Sample]]],
) -> list[TestReport]:
    latest = _latest(runs)
    inside = db.nested_runs(runs)
    room = Room()
    return [
        _with_run(db, report, latest.get(name), inside, samples, room)
        for report, name, samples in sorted(tests, key=lambda test: severity(test[0]))
    ]


def _with_run(
    db: ExperimentReader,
    report: TestReport,
    run: RunInfo | None,
    inside: Sequence[RunInfo],
    samples: Sequence[Sample],
    room: Room,
) -> TestReport:
    if run is None:
        return report
    children = with_prefixes(run, inside)
    return replace(report, run=gather(db, run, children, samples, report.checks, room))


def _latest(runs: Sequence[RunInfo]) -> dict[str, RunInfo]:
    """Return the last attempt of each test, by name; of runs that are the newest first."""
    own = without_confirmations(runs)
    return {run.name: run for run in reversed(own) if run.parent is None}


def stored_report(
    db: ExperimentReader,
    session: str | Sequence[str] | None = None,
    *,
    started_in: Path | None = None,
) -> ReportData:
    """Report a session as its experiment and the baseline files have it now.

    Args:
        db: the experiment.
        session: which one; the last by default. Several are reported as one, as shards are that
            were merged; of a test that is in more than one the newest run counts.
        started_in: the folder that files are named from; the present one by default.

    Returns:
        What `write_report` writes.

    Raises:
        RunNotFoundError: there is no such session.
        StoreError: the experiment cannot be read.

    Examples:
        >>> from tracking import stored_report
        >>> run_id = tracker.start_run("test_mnist.py::test_training", session="nightly")
        >>> tracker.end_run(outcome="passed", verdict="within") == run_id
        True
        >>> [(test.nodeid, str(test.verdict)) for test in stored_report(db, "nightly").tests]
        [('test_mnist.py::test_training', 'within')]
    """
    folder = started_in or Path.cwd()
    asked = [session or db.last_session()] if isinstance(session, str | None) else session
    sessions = [one for one in asked if one]
    runs = [run for one in sessions for run in db.find_runs(session=one)]
    runs.sort(key=lambda run: run.started_at, reverse=True)
    if not runs:
        name = f"of session {', '.join(sessions)}" if sessions else "of a test"
        raise RunNotFoundError(name, db.where)
    latest = _latest(runs)
    store = _Stored(db, folder)
    # A test that has come to its end has an outcome, whatever it was.
    died = [run for run in latest.values() if run.outcome is None and run.ended_by]
    tests = [store.test(run) for run in latest.values() if run not in died]
    return ReportData(
        created_at=runs[-1].started_at,
        experiment=db.experiment,
        database=os.path.relpath(_database(db), folder),
        session=sessions[0] if len(sessions) == 1 else None,
        environment=runs[0].environment or {},
        tests=_gathered(db, runs, tests),
        deaths=[Death(run.name, run.ended_by or "") for run in died],
        problems=store.problems,
    )


def stored_run(db: ExperimentReader, run: RunInfo, *, started_in: Path | None = None) -> ReportData:
    """Report one run of a test, as a report of its session would have it.

    Args:
        db: the experiment.
        run: the run; also one that is no test's.
        started_in: the folder that files are named from; the present one by default.

    Raises:
        StoreError: the experiment cannot be read.
    """
    folder = started_in or Path.cwd()
    store = _Stored(db, folder)
    report, _, samples = store.test(run)
    inside = db.nested_runs([run])
    return ReportData(
        created_at=run.started_at,
        experiment=db.experiment,
        database=os.path.relpath(_database(db), folder),
        session=run.session,
        environment=run.environment or {},
        tests=[_with_run(db, report, run, inside, samples, Room())],
        problems=store.problems,
    )


def _database(db: ExperimentReader) -> Path:
    """Return where an experiment is recorded, also one that was read from a store."""
    return db.folder / f"{db.experiment}.db"


class _Stored:
    """Finds what belongs to stored runs: comparisons, baselines, what is pending."""

    def __init__(self, db: ExperimentReader, folder: Path) -> None:
        self._db = db
        self._folder = folder
        self._baselines: dict[Path, dict[str, Entry]] = {}
        self.problems: list[str] = []
        path = pending_path(db.folder, db.experiment)
        try:
            self._pending = {test.test for test in load_pending(path).tests.values()}
        except BaselineError as error:
            self.problems.append(str(error))
            self._pending = set()

    def test(self, run: RunInfo) -> tuple[TestReport, str, Sequence[Sample]]:
        """Return the report of a test, what its run is called, and the samples of its baseline."""
        compared = self._compared(run)
        verdict = Verdict(run.verdict) if run.verdict else None
        if compared is None:
            failed = run.outcome in ("failed", "error")
            return TestReport(run.name, verdict, "fail" if failed else "pass"), run.name, ()
        is_file = not compared.baseline.startswith(STORE)
        baseline = self._db.folder / compared.baseline
        file, _, _ = run.name.partition("::")
        report = TestReport(
            nodeid=run.name,
            verdict=verdict,
            action=compared.action,
            file=file,
            checks=compared.checks,
            notes=compared.notes,
            baseline=seen_from(str(baseline), self._folder) if is_file else compared.baseline,
            key=compared.key,
            n_samples=compared.n_samples,
            accept_command=self._accept_command(run.name),
        )
        entry = self._entries(baseline).get(compared.key) if is_file else None
        return report, run.name, entry.samples if entry else ()

    def _compared(self, run: RunInfo) -> Compared | None:
        text = self._db.get_comparison(run.run_id)
        try:
            return parse_comparison(text) if text else None
        except ValueError as error:
            self.problems.append(f"run {run.run_id} {run.name}: {error}")
            return None

    def _entries(self, path: Path) -> dict[str, Entry]:
        if path not in self._baselines:
            try:
                self._baselines[path] = load_baseline(path)
            except BaselineError as error:
                self.problems.append(str(error))
                self._baselines[path] = {}
        return self._baselines[path]

    def _accept_command(self, test: str) -> str:
        if test not in self._pending:
            return ""
        return accept_command([test], _database(self._db), self._folder)
