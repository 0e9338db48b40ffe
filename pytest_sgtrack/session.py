"""What runs under --sg-track: pytest's hooks, in the order of a session."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol

from pytest_sgtrack import terminal
from pytest_sgtrack.baselines import prune, write_baselines, write_pending
from pytest_sgtrack.delivery import deliver
from pytest_sgtrack.fixtures import throwaway_tracker
from pytest_sgtrack.gate import (
    FAIL,
    Gate,
    MetricRegressionError,
    TestResult,
    failure_message,
)
from pytest_sgtrack.keys import ATTEMPTS, FRESH_SEED, LEFT, SESSION, TEST
from pytest_sgtrack.markers import NAME, read_markers
from pytest_sgtrack.names import as_run_name, encodable, run_name
from pytest_sgtrack.options import VARIANT_KEYS
from pytest_sgtrack.reports import SessionEnd, how_to_accept
from pytest_sgtrack.seeds import NAME as SEED_NAME
from pytest_sgtrack.seeds import copy_with_seed, sample_under, seed_of
from pytest_sgtrack.tracked import TestTracker, TrackedTest
from tracking import Note, StoreError, Tracker, Verdict, collect_environment, current_device
from tracking.regression import GraphSample, Sample, seen_from
from tracking.report import annotations as github_annotations
from tracking.report import properties

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from pytest_sgtrack.collection import Collection
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

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        collection: Collection,
        deaths: DeathWatch,
    ) -> None:
        self._config = config
        self._settings = settings
        self._collection = collection
        self._deaths = deaths
        self._gate = Gate(settings, config.rootpath)
        self.pid: int = os.getpid()
        self.running: pytest.Item | None = None
        self._phase = "setup"  # of the running test
        self._interrupted: list[TrackedTest] = []
        self._store: Tracker | None = None
        self._environment: dict[str, Any] | None = None
        self.session_id: str = os.urandom(16).hex()
        self._unused: dict[Path, list[str]] = {}
        self._results: dict[str, TestResult] = {}
        self._written: dict[Path, int] = {}
        self._problems: list[str] = []
        self._trouble: list[str] = []  # with the store, beside that of single tests
        self.notices: list[str] = []
        self._reports: list[str] = []
        self._pushed = ""
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
        environment = dict(self._environment_of_session(), device=current_device())
        environment["platform"] = environment["platform"].partition("-")[0]
        return {name: environment[name] for name in VARIANT_KEYS}

    @pytest.hookimpl(trylast=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run tests that ask for a seed under several, where samples are collected."""
        n_samples = self._settings.n_samples
        if n_samples:
            sample_under(metafunc, range(self._settings.seed, self._settings.seed + n_samples))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over in the controller what a worker of xdist could not store."""
        output = getattr(node, "workeroutput", {})
        for said, by_worker in zip(
            (self._trouble, self.notices), output.get(_STORE, ()), strict=False
        ):
            said += [text for text in by_worker if text not in said]

    # A test

    def _tracker(self) -> Iterator[Tracker]:
        """A `tracking.Tracker` with a run for this test, which ends when the outcome is known."""
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
        seed = seed_of(item, self._settings.seed)
        if seed is not None:
            config.pop(SEED_NAME, None)  # a sample has a place of its own for it
        markers = read_markers(item, self._settings.patterns)
        run = tracker.run(
            run_name(item),
            config if seed is None else {**config, SEED_NAME: seed},
            environment=self._environment_of_session(),
            session=self.session_id,
            is_deferred=True,
        )
        test = TrackedTest(tracker, run, run.__enter__(), markers, config, seed)
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
        """Know the running test, and whether its protocol breaks off."""
        with self._running(item):
            return (yield)

    @contextmanager
    def _running(self, item: pytest.Item) -> Iterator[None]:
        """Note that a test runs, perhaps inside another's, and Ctrl-C or pytest.exit in it."""
        outer, self.running = self.running, item
        try:
            yield
        finally:
            self.running = outer
            test = item.stash.get(TEST, None)
            if test is not None:
                del item.stash[TEST]  # items stay until the session ends
            if test is not None and not test.is_ended and self._is_own_process():
                test.outcome, test.phase, test.ended_by = "failed", self._phase, "interrupted"
                self._interrupted.append(test)

    def end_interrupted(self) -> None:
        """End the runs of tests that were interrupted, once their fixtures are torn down."""
        if self._is_own_process():
            for test in self._interrupted:
                test.end()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Forget an earlier attempt: pytest-rerunfailures runs an item again."""
        self._phase = "setup"
        test = item.stash.get(TEST, None)
        if test is not None:
            if test.result is not None:
                item.stash.setdefault(ATTEMPTS, []).append(str(test.result.verdict))
            del item.stash[TEST]
        if LEFT in item.stash:
            del item.stash[LEFT]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Compare a test that passed with its baseline, and fail it if it got worse."""
        self._phase = "call"
        if TEST in item.stash:
            item.stash[TEST].tracker.leave_note(Note.CALL)
        result = yield
        test = item.stash.get(TEST, None)  # only now: a test may ask for its tracker late
        if self._is_own_process() and not _has_failed(item, test):
            if FRESH_SEED in item.stash:
                self._keep(test)
            elif test is not None:
                self._judge(item, test)
            else:
                self._judge_without_tracker(item)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Know where a test was when it is interrupted or its process dies."""
        self._phase = "teardown"
        test = item.stash.get(TEST, None)
        if test is not None and self._is_own_process():
            test.tracker.leave_note(Note.TEARDOWN)
        result = yield
        if test is not None and test.teardown_error is not None:
            raise test.teardown_error
        return result

    def _judge(self, item: pytest.Item, test: TrackedTest) -> None:
        __tracebackhide__ = True
        sample = self._sample_of(test)
        if sample is None:
            return  # what was recorded in part is not compared; see pytest_runtest_makereport
        rerun = partial(self._rerun, item, test)
        given = (item, sample, test.markers, test.tracker.failed_bounds)
        is_collecting = self._settings.n_samples > 0
        result = self._gate.collect(*given) if is_collecting else self._gate.judge(*given, rerun)
        if test.tracker.trouble is None:  # else a rerun could not be recorded
            test.result = result
            self._fail_if_red(result)

    def _judge_without_tracker(self, item: pytest.Item) -> None:
        __tracebackhide__ = True
        if self._settings.n_samples:
            return
        markers = read_markers(item, self._settings.patterns)
        result = self._gate.left(item, markers)
        if result is not None:
            item.stash[LEFT] = result
            self._fail_if_red(result)

    def _fail_if_red(self, result: TestResult | None) -> None:
        __tracebackhide__ = True
        if result is not None and result.action == FAIL:
            started_in = self._config.invocation_params.dir
            shown = seen_from(result.baseline, started_in)
            accept = how_to_accept(result, self._settings, started_in)
            raise MetricRegressionError(failure_message(result, self._settings, shown, accept))

    def _sample_of(self, test: TrackedTest) -> Sample | None:
        """Return what a test recorded; None where it was not recorded in full."""
        metrics = test.tracker.all_summaries()
        if test.tracker.trouble is not None:
            return None
        config = test.config
        if test.tracker.own_config is not None:
            config = {k: v for k, v in test.tracker.own_config.items() if k != SEED_NAME}
        is_off = (test.markers.graph or self._settings.graph) == "off"
        graphs = {} if is_off else test.tracker.graphs
        kept = {name: GraphSample.of(graph) for name, graph in graphs.items()}
        return Sample(metrics, config, self._lasting_environment, test.seed, kept)

    def _keep(self, test: TrackedTest | None) -> None:
        if test is not None:
            test.sample = self._sample_of(test)

    def _rerun(self, item: pytest.Item, test: TrackedTest, seeds: Sequence[int]) -> list[Sample]:
        """Run a test again under other seeds, with new fixtures, and return what it recorded.

        Its own fixtures are torn down before: they may hold what the others need.
        """
        copies = [copy_with_seed(item, seed) for seed in seeds]
        try:
            item.session._setupstate.teardown_exact(copies[0])
        except (KeyboardInterrupt, pytest.exit.Exception):
            raise
        except BaseException as error:  # noqa: BLE001  # it belongs to the teardown of the test
            test.teardown_error = error
        samples = []
        try:
            for one, following in zip(copies, [*copies[1:], item], strict=True):
                sample = self._sample_under(one, following, test)
                samples.append(sample or Sample({}, {}, {}, one.stash[FRESH_SEED]))
        finally:
            self._phase = "call"
        return samples

    def _sample_under(
        self, item: pytest.Item, following: pytest.Item, test: TrackedTest
    ) -> Sample | None:
        """Run a copy of a test, and return what it recorded; None where it didn't get through."""
        with self._running(item):
            reports = runtestprotocol(item, log=False, nextitem=following)
            copied = item.stash.get(TEST, None)
            if copied is None:
                return None
            test.tracker.trouble = test.tracker.trouble or copied.tracker.trouble
            # An xfail mark has its own view of a call that went well; then there is a sample.
            return None if reports[-1].failed else copied.sample

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
        if not self._is_own_process():
            return report
        test = item.stash.get(TEST, None)
        if test is not None:
            test.note(report, call)
        if report.when == "teardown":
            result = self._ended(item, test, report) if test else item.stash.get(LEFT, None)
            if result is not None:
                setattr(report, _PAYLOAD, result.as_plain())
                if item.config.getoption("xmlpath", None):
                    report.user_properties += properties(result.verdict, result.checks)
        return report

    def _ended(
        self, item: pytest.Item, test: TrackedTest, report: pytest.TestReport
    ) -> TestResult | None:
        """End the run of a test, and return what the test came to."""
        test.end()
        if test.tracker.trouble is not None:
            return self._gate.incomplete(item, test.tracker.trouble, test.markers)
        if test.result is None:
            return None
        is_red_by_gate = test.result.action == FAIL and test.outcome == "failed"
        has_not_failed = not report.failed and (
            is_red_by_gate or test.outcome in ("passed", "xpassed")
        )
        attempts = item.stash.get(ATTEMPTS, [])
        earlier = (f"earlier attempts: {', '.join(attempts)}",) if attempts else ()
        return replace(
            test.result,
            is_acceptable=test.result.is_acceptable and has_not_failed,
            notes=test.result.notes + earlier,
        )

    def _is_own_process(self) -> bool:
        """Tell whether this is the process pytest was started in, not a fork a test has made."""
        return os.getpid() == self.pid

    # After the tests

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count failing subtests where tests run; gather results where they are summed up."""
        if report.failed and hasattr(report, "context"):
            self._note_failed_subtest(report.nodeid)
        if report.when == "setup":
            self._results.pop(report.nodeid, None)  # of an earlier attempt
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
        if self._settings.is_pruning:
            self._prune(session)
            return
        if self._is_worker:
            self._config.workeroutput[_STORE] = (  # type: ignore[attr-defined]
                self._trouble,
                self.notices,
            )
            return
        results = list(self._results.values())
        if self._settings.branch is not None:
            self._answer_for_history(results)
        elif self._settings.update or self._settings.n_samples:
            self._written, self._problems = write_baselines(results, self._settings)
        else:
            # Who asked for nothing does not fail for want of a place to put it.
            self._trouble += write_pending(results, self._settings, self._config.rootpath)
        is_incomplete = bool(self._trouble) or any(
            result.verdict is Verdict.INCOMPLETE for result in results
        )
        # Which file cannot be read its tests say.
        if self._settings.branch is None:
            self._unused, _ = self._collection.unused(self._gate.entries_of)
        self._write_reports()
        is_left = not self._push()
        if self._problems:
            session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR
        elif (
            (is_incomplete and (self._settings.is_strict or self._settings.is_ci))
            or (is_left and self._settings.is_strict)
            or (self._unused and self._settings.on_unused == "fail")
        ):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def _push(self) -> bool:
        """Bring what was recorded into the shared store, if there is one; tell whether it is there.

        What cannot be brought now waits in the experiment: no test is the worse for it.
        """
        store = self._settings.store
        if store is None or self._config.option.collectonly:
            return True
        database = os.path.relpath(self._settings.database, self._config.invocation_params.dir)
        self._pushed, problem = deliver(self._settings.database, store, database)
        self.notices += [problem] * bool(problem)
        return not problem

    def _answer_for_history(self, results: Sequence[TestResult]) -> None:
        n_accepted = sum(result.is_accepted and result.is_acceptable for result in results)
        if n_accepted:
            tests = "1 test" if n_accepted == 1 else f"{n_accepted} tests"
            self.notices.append(
                f"{tests} accepted: these runs count as baseline of their branch once in the store"
            )

    def _write_reports(self) -> None:
        end = self._end()
        if end.has_readers:
            self._gate.read_history(as_run_name(nodeid) for nodeid in self._results)
            samples_of = partial(self._gate.samples_for, environment=self._lasting_environment)
            self._reports, notices, problems = end.write(end.report(), samples_of)
            self.notices += notices
            self._problems += problems

    def _end(self) -> SessionEnd:
        of_tests = {check.message for result in self._results.values() for check in result.checks}
        trouble = [text for text in self._trouble if text not in of_tests]
        return SessionEnd(
            settings=self._settings,
            started_in=self._config.invocation_params.dir,
            rootpath=self._config.rootpath,
            session_id=self.session_id,
            environment=self._environment_of_session(),
            results=[*self._results.values()],
            written=self._written,
            unused=self._unused,
            notices=self.notices,
            problems=[*trouble, *self._problems],
            deaths=self._deaths,
        )

    def _prune(self, session: pytest.Session) -> None:
        if self._collection.is_partial:
            problems = ["whole modules are needed: name files or folders, and no --lf"]
        elif session.exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            problems = ["not everything could be collected"]
        else:
            unused, unread = self._collection.unused(self._gate.entries_of)
            self._unused, unwritten = prune(unused)
            problems = unread + unwritten
        if problems:
            self._problems = [f"not pruned: {problem}" for problem in problems]
            session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR

    def _flush_store(self) -> None:
        """Put everything into the database while trouble with it can still be answered for."""
        if self._store is not None:
            try:
                self._store.close()
            except StoreError as error:
                self._trouble.append(str(error))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Sum up: all verdicts, what was written, how to accept."""
        data = self._end().report()
        terminal.summarize(terminalreporter, data, self._reports, self._pushed)
        if self._settings.github:
            for annotation in github_annotations(data):
                terminalreporter.write_line(annotation)

    def pytest_unconfigure(self) -> None:
        """Close the store for good: after Ctrl-C, fixtures are torn down in sessionfinish."""
        # What nobody needs any more pytest's last collections of garbage would all go through.
        self._results.clear()
        self._collection.forget()
        self._gate.forget()
        if self._store is not None and self._is_own_process():
            with suppress(StoreError):  # it was said, and the data waits in its segment
                self._store.close()


def _has_failed(item: pytest.Item, test: TrackedTest | None) -> bool:
    # What fails or skips in a unittest.TestCase does not come through the wrapper; pytest keeps it
    # on the item until the report is made.
    return bool((test and test.n_failed_subtests) or getattr(item, "_excinfo", None))


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
