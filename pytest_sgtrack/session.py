"""What runs under --sg-track: pytest's hooks, in the order of a session."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sgtrack import terminal
from pytest_sgtrack.fixtures import throwaway_tracker
from pytest_sgtrack.gate import (
    FAIL,
    Gate,
    MetricRegressionError,
    TestResult,
    accept_command,
    failure_message,
    write_baselines,
)
from pytest_sgtrack.keys import SESSION, TEST
from pytest_sgtrack.markers import NAME, read_markers
from pytest_sgtrack.names import baseline_key, encodable, nodeid_of, run_name
from pytest_sgtrack.tracked import TestTracker, TrackedTest
from tracking import Note, StoreError, Tracker, Verdict, collect_environment
from tracking.regression import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

    from pytest_sgtrack.deaths import DeathWatch
    from pytest_sgtrack.options import Settings

_MAX_INT_BITS = 64  # of a number in JSON that every reader gets right
_PAYLOAD = "sg_track"  # attribute of reports: what one test came to, as xdist can send it
_STORE = "sg_track_store"  # what a worker has to say of the store: its trouble and its notices


class SessionPlugin:
    """The plugin while tracking is on: in a plain session, in xdist's controller and its workers.

    Tests run in a plain session or in workers; there they record and are judged. Results travel on
    the teardown reports to the plain session or the controller, which alone writes baselines and
    sums up.

    Attributes:
        running: the test that runs in this process now.
        pid: of the process pytest was started in; a test may fork one that goes on in here.
        session_id: what the runs of this session have in common, those of all workers.
        notices: what the store had to say, for the end of the session.
    """

    def __init__(self, config: pytest.Config, settings: Settings, deaths: DeathWatch) -> None:
        self._config = config
        self._settings = settings
        self._deaths = deaths
        self._gate = Gate(settings)
        self.pid = os.getpid()
        self.running: pytest.Item | None = None
        self._phase = "setup"  # of the running test
        self._interrupted: TrackedTest | None = None
        self._store: Tracker | None = None
        self._environment: dict[str, Any] | None = None
        self.session_id = os.urandom(16).hex()
        self._results: dict[str, TestResult] = {}
        self._written: dict[Path, int] = {}
        self._problems: list[str] = []
        self._trouble: list[str] = []  # with the store, beside that of single tests
        self.notices: list[str] = []
        worker_input = getattr(config, "workerinput", None)
        self._is_worker = worker_input is not None
        if worker_input is not None:
            self._environment, self.session_id = worker_input[_PAYLOAD]
        config.stash[SESSION] = self

    # Before the tests

    def pytest_report_header(self) -> str:
        """Say what is on and why."""
        return terminal.header(self._settings, self._config.rootpath)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand to a worker of xdist what need not be found out again."""
        node.workerinput[_PAYLOAD] = (self._environment_of_session(), self.session_id)

    def _environment_of_session(self) -> dict[str, Any]:
        if self._environment is None:
            self._environment = collect_environment(self._config.rootpath)
        return self._environment

    @cached_property
    def _lasting_environment(self) -> dict[str, Any]:
        """Return what of the environment is worth reviewing beside a baseline."""
        environment = self._environment_of_session()
        return {name: environment[name] for name in ("python", "machine", "numpy")}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Refuse markers that say something unknown, and two tests of one name in a baseline."""
        try:
            _check_markers(items)
        except pytest.UsageError as error:
            if self._is_worker:
                self._config.workeroutput[_PAYLOAD] = str(error)  # type: ignore[attr-defined]
            raise

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over in the controller what a worker of xdist refused or could not store."""
        output = getattr(node, "workeroutput", {})
        for said, by_worker in zip(
            (self._trouble, self.notices), output.get(_STORE, ()), strict=False
        ):
            said += [text for text in by_worker if text not in said]
        refused = output.get(_PAYLOAD)
        if refused is not None:
            raise pytest.UsageError(refused)

    # A test

    def _tracker(self) -> Iterator[Tracker]:
        """Give the tracker of the running test; its run ends when the whole outcome is known."""
        # `request` would know the test too, and cost as much as all of its recording.
        item = self.running
        if item is None:
            raise RuntimeError("a tracker was asked for while no test was running")
        if self._is_own_process():
            test = item.stash.get(TEST, None) or self.start_test(item)
            yield test.tracker
        else:  # in a fork of a test, which goes on with others
            with throwaway_tracker(run_name(item)) as tracker:
                yield tracker

    # Not one by the other, for the same reason.
    sg_tracker = pytest.fixture(_tracker, name="sg_tracker")
    tracker = pytest.fixture(_tracker, name="tracker")

    def start_test(self, item: pytest.Item) -> TrackedTest:
        """Start the run of a test."""
        store = self._usable_store()
        tracker = TestTracker(self._settings.directory, self.notices, store)
        if store is None:
            tracker.set_experiment(self._settings.experiment)
            if tracker.trouble is None:
                self._hold(tracker)
        config = _config_of(item)
        markers = read_markers(item)
        run = tracker.run(
            run_name(item),
            config,
            environment=self._environment_of_session(),
            session=self.session_id,
            is_deferred=True,
        )
        test = TrackedTest(tracker, run, run.__enter__(), markers, config)
        tracker.leave_note(Note.SETUP)
        item.stash[TEST] = test
        return test

    def _usable_store(self) -> Tracker | None:
        db = self._store.db_manager if self._store else None
        return self._store if db is not None and db.is_usable() else None

    def _hold(self, tracker: Tracker) -> None:
        """Hold what a test records with, so that all share one connection and one segment."""
        if self._store is None or self._store.db_manager is not tracker.db_manager:
            if self._store is not None:
                self._trouble.append(
                    f"{tracker.cur_exp_path} was removed, replaced or found corrupt while tests"
                    " were running; what earlier ones recorded may be incomplete there"
                )
            self._store = Tracker(self._settings.directory)
            self._store.set_experiment(self._settings.experiment)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note when the protocol of a test breaks off: Ctrl-C, pytest.exit."""
        self.running = item
        try:
            return (yield)
        finally:
            self.running = None
            test = item.stash.get(TEST, None)
            if test is not None:
                del item.stash[TEST]  # items stay until the session ends
            if test is not None and not test.is_ended and self._is_own_process():
                test.outcome, test.phase, test.ended_by = "failed", self._phase, "interrupted"
                self._interrupted = test

    def end_interrupted(self) -> None:
        """End the run of a test that was interrupted, once its fixtures are torn down."""
        if self._interrupted is not None and self._is_own_process():
            self._interrupted.end()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Forget an earlier attempt: pytest-rerunfailures runs an item again."""
        self._phase = "setup"
        if TEST in item.stash:
            del item.stash[TEST]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Compare a test that passed with its baseline, and fail it if it got worse."""
        self._phase = "call"
        if TEST in item.stash:
            item.stash[TEST].tracker.leave_note(Note.CALL)
        result = yield
        test = item.stash.get(TEST, None)  # only now: a test may ask for its tracker late
        if test is not None and self._is_own_process() and not _has_failed(item, test):
            self._judge(item, test)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Know where a test was when it is interrupted or its process dies."""
        self._phase = "teardown"
        if TEST in item.stash and self._is_own_process():
            item.stash[TEST].tracker.leave_note(Note.TEARDOWN)

    def _judge(self, item: pytest.Item, test: TrackedTest) -> None:
        __tracebackhide__ = True
        metrics = test.tracker.all_summaries()
        if test.tracker.trouble is not None:
            return  # what was recorded in part is not compared; see pytest_runtest_makereport
        sample = Sample(
            metrics=metrics,
            config=test.config,
            environment=self._lasting_environment,
            seed=None,
        )
        result = test.result = self._gate.judge(item, sample, test.markers)
        if result is not None and result.action == FAIL:
            shown = os.path.relpath(result.baseline, self._config.invocation_params.dir)
            accept = accept_command([self._shown(nodeid_of(item))], "all")
            raise MetricRegressionError(failure_message(result, shown, accept))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note how a phase went; after the last one, end the run and send the result along."""
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, MetricRegressionError):
            # The message has it all; a traceback would show our own code only. Editors and others
            # who point at the place of a failure have to point at the test.
            shown = call.excinfo.getrepr(style="value")
            if shown.reprcrash is not None:
                shown.reprcrash.path = str(item.path)
                shown.reprcrash.lineno = (item.location[1] or 0) + 1
            report.longrepr = shown
        test = item.stash.get(TEST, None)
        if test is None or not self._is_own_process():
            return report
        test.note(report, call)
        if report.when == "teardown":
            test.end()
            if test.tracker.trouble is not None:
                test.result = self._gate.incomplete(item, test.tracker.trouble, test.markers)
            if test.result is not None:
                is_red_by_gate = test.result.action == FAIL and test.outcome == "failed"
                is_acceptable = not report.failed and (
                    is_red_by_gate or test.outcome in ("passed", "xpassed")
                )
                result = replace(test.result, is_acceptable=is_acceptable)
                setattr(report, _PAYLOAD, result.as_plain())
        return report

    def _is_own_process(self) -> bool:
        """Tell whether this is the process pytest was started in, not a fork a test has made."""
        return os.getpid() == self.pid

    # After the tests

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count failing subtests where tests run; gather results where they are summed up."""
        if report.failed and hasattr(report, "context"):
            self._note_failed_subtest(report.nodeid)
        payload = getattr(report, _PAYLOAD, None)
        if payload is not None and not self._is_worker:
            self._results[report.nodeid] = TestResult.from_plain(payload)

    def _note_failed_subtest(self, nodeid: str) -> None:
        item = self.running
        if item is not None and item.nodeid == nodeid and TEST in item.stash:
            item.stash[TEST].n_failed_subtests += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the baselines that were asked for; answer for runs recorded in part."""
        if not self._is_own_process():
            return
        self._flush_store()
        if self._is_worker:
            self._config.workeroutput[_STORE] = (  # type: ignore[attr-defined]
                self._trouble,
                self.notices,
            )
            return
        is_incomplete = bool(self._trouble) or any(
            result.verdict is Verdict.INCOMPLETE for result in self._results.values()
        )
        if is_incomplete and (self._settings.is_strict or self._settings.is_ci):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        if self._settings.update is None:
            return
        self._written, errors = write_baselines(self._results.values(), self._settings.update)
        self._problems += map(str, errors)
        if errors:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def _flush_store(self) -> None:
        """Put everything into the database while trouble with it can still be answered for."""
        if self._store is not None:
            try:
                self._store.close()
            except StoreError as error:
                self._trouble.append(str(error))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Sum up: all verdicts, what was written, how to accept."""
        of_tests = {check.message for result in self._results.values() for check in result.checks}
        trouble = [text for text in self._trouble if text not in of_tests]
        terminal.summarize(
            terminalreporter,
            self._settings,
            [*self._results.values()],
            self._written,
            [*self.notices, *trouble, *self._problems],
            self._deaths,
            self._shown,
        )

    def pytest_unconfigure(self) -> None:
        """Close the store for good: after Ctrl-C, fixtures are torn down in sessionfinish."""
        # What nobody needs any more pytest's last collections of garbage would all go through.
        self._results.clear()
        self._gate.forget()
        if self._store is not None and self._is_own_process():
            with suppress(StoreError):  # it was said, and the data waits in its segment
                self._store.close()

    def _shown(self, nodeid: str) -> str:
        """Return a node id as it has to be written where pytest was started."""
        path, separator, inside = nodeid.partition("::")
        started_in = self._config.invocation_params.dir
        return os.path.relpath(self._config.rootpath / path, started_in) + separator + inside


def _check_markers(items: Iterable[pytest.Item]) -> None:
    owners: dict[tuple[Path, str], tuple[str, str | None]] = {}
    for item in items:
        pinned = read_markers(item).key
        nodeid = nodeid_of(item)
        owner, pinned_there = owners.setdefault(
            (item.path, baseline_key(item, pinned)), (nodeid, pinned)
        )
        if owner != nodeid and (pinned or pinned_there):
            named, key, other = (nodeid, pinned, owner) if pinned else (owner, pinned_there, nodeid)
            raise pytest.UsageError(
                f"{named}: @pytest.mark.{NAME}(key={key!r}) is the name of {other} in the baseline"
                " file too; choose another"
            )


def _has_failed(item: pytest.Item, test: TrackedTest) -> bool:
    # What fails or skips in a unittest.TestCase does not come through the wrapper; pytest keeps it
    # on the item until the report is made.
    return bool(test.n_failed_subtests or getattr(item, "_excinfo", None))


def _config_of(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    config = {name: _plain(value) for name, value in callspec.params.items()} if callspec else {}
    names = sorted({marker.name for marker in item.iter_markers()} - {"parametrize", NAME})
    return config | ({"markers": names} if names else {})


def _plain(value: object) -> object:
    """Return a parameter as JSON can hold it, equal in every process."""
    if isinstance(value, str):
        return encodable(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _MAX_INT_BITS else hex(value)
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str):
        return name
    shown = repr(value)
    return type(value).__qualname__ if " at 0x" in shown else shown
