"""One attempt of one test: its tracker, its run, and how it went."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import pytest

from tracking import (
    Bound,
    RunNotFoundError,
    StoreError,
    Tracker,
    TrackingError,
    TrackingWarning,
    Verdict,
)
from tracking.regression import Check, graph_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import SupportsFloat

    from pytest_sgtrack.gate import TestResult
    from pytest_sgtrack.markers import MarkerSettings
    from tracking import Summary
    from tracking.graph.model import Graph
    from tracking.regression import Sample


P = ParamSpec("P")

# Of the outcomes of a test's phases the first of the largest weight is the test's. An xfail mark
# takes in what breaks in the teardown too, and then the test has not simply passed.
_WEIGHTS = {"passed": 0, "skipped": 1, "xpassed": 1, "xfailed": 2, "failed": 3, "error": 3}


def _sparing(
    method: Callable[Concatenate[Any, P], None],
) -> Callable[Concatenate[TestTracker, P], None]:
    """Wrap a method of a tracker so that trouble with the store doesn't reach the test."""

    @functools.wraps(method)
    def spared(self: TestTracker, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except StoreError as error:
            self._note_trouble(error)

    return spared


@contextmanager
def noticing(notices: list[str]) -> Iterator[None]:
    """Keep our warnings for the end of the session: inside a test they may count as errors."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TrackingWarning)
        try:
            yield
        finally:
            ours = [one for one in caught if issubclass(one.category, TrackingWarning)]
            notices += [str(one.message) for one in ours]
    for one in caught:
        if one not in ours:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


class TestTracker(Tracker):
    """A tracker that keeps the summaries of all runs of a test, for the gate.

    The test's own run is the first one. Metrics of runs started inside of it are called
    `<run>/<metric>`; a run without a name is `run_<n>`, and one of a name used before `<name>#2`.

    Trouble with the store is noted and never fails the test: its own asserts decide. Where no run
    can be started at all, the test goes on in a throwaway store.

    Args:
        directory: folder of the experiments.
        notices: takes warnings of the tracker, of a corrupt database that was set aside.
        store: a tracker whose experiment is open already; this one begins there.

    Attributes:
        trouble: the first error of the store, None while all is well.
        failed_bounds: checks of bounds that metrics were out of.
        directory: folder of the experiments that tests record into.
        own_config: config of the test's own run once it was added to, else None.
        graphs: computation graphs that were saved in the test's runs, by the name in its baseline.
    """

    __test__ = False

    directory: Path

    def __init__(self, directory: Path, notices: list[str], store: Tracker | None = None) -> None:
        self._begin_test(notices)
        self.directory = directory
        if store is not None:
            self._begin_beside(store)
            return
        try:
            super().__init__(directory)
        except StoreError as error:
            self._note_trouble(error)
            super().__init__(_throwaway_folder(directory))

    def _begin_test(self, notices: list[str]) -> None:
        self.trouble: str | None = None
        self._notices = notices
        self._ended: dict[str, Summary] = {}
        self._prefixes: list[str] = []  # of the active runs, the outermost first
        self._n_named: Counter[str] = Counter()
        self.graphs: dict[str, Graph] = {}
        self.failed_bounds: list[Check] = []
        self.own_config: dict[str, Any] | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        # In a process that a test has spawned: the gate looks at this one only.
        self._begin_test([])
        super().__setstate__(state)
        self.directory = self.all_exp_dir
        self._prefixes = ["" for _ in self.active_runs]
        self._n_named.update(self.active_runs)

    def _note_trouble(self, error: TrackingError) -> None:
        self.trouble = self.trouble or str(error)

    def set_all_exp_dir(self, directory: str | os.PathLike[str]) -> None:
        """Set the experiments directory; see `Tracker.set_all_exp_dir`."""
        try:
            super().set_all_exp_dir(directory)
        except StoreError as error:
            self._note_trouble(error)
            super().set_all_exp_dir(_throwaway_folder(self.directory))

    def set_experiment(self, exp_name: str) -> None:
        """Choose an experiment; see `Tracker.set_experiment`."""
        try:
            with noticing(self._notices):
                super().set_experiment(exp_name)
        except StoreError as error:
            self._note_trouble(error)
            self._fall_back()

    def _fall_back(self) -> None:
        super().set_all_exp_dir(_throwaway_folder(self.directory))
        super().set_experiment("throwaway")

    def start_run(
        self,
        name: str | None = None,
        config: Mapping[str, Any] | None = None,
        *,
        run_name: str | None = None,
        **more: Any,
    ) -> int:
        """Start a run; see `Tracker.start_run`."""
        if name is None and run_name is None:
            name = f"run_{self._n_named.total()}"
        try:
            run_id = super().start_run(name, config, run_name=run_name, **more)
        except StoreError as error:
            self._note_trouble(error)
            self._fall_back()
            run_id = super().start_run(name, config, run_name=run_name, **more)
        self._prefixes = self._prefixes[: len(self.active_runs) - 1]
        self._prefixes.append(self._prefix())
        return run_id

    def _prefix(self) -> str:
        name = self.active_runs[-1]
        is_first = not self._n_named
        path = f"{''.join(self._prefixes)}{name}"
        self._n_named[path] += 1
        if is_first:
            return ""
        return f"{name}/" if self._n_named[path] == 1 else f"{name}#{self._n_named[path]}/"

    def end_run(self, status: str = "completed", **how: Any) -> int:
        """End the active run; see `Tracker.end_run`."""
        self._ended |= self._spared_summaries()
        try:
            run_id = super().end_run(status, **how)
        except StoreError as error:
            self._note_trouble(error)
            return -1
        return run_id

    _record_unusual = _sparing(Tracker._record_unusual)
    log = _sparing(Tracker.log)
    histogram = _sparing(Tracker.histogram)
    image = _sparing(Tracker.image)
    text = _sparing(Tracker.text)
    leave_note = _sparing(Tracker.leave_note)
    delete_run = _sparing(Tracker.delete_run)

    def config(self, /, **hparams: Any) -> dict[str, Any]:
        """Add hyper-parameters to the active run; see `Tracker.config`."""
        try:
            known = super().config(**hparams)
        except StoreError as error:
            self._note_trouble(error)
            return hparams
        if len(self.active_runs) == 1:
            self.own_config = known
        return known

    def expect(
        self, metric_name: str, comparison: str, limit: SupportsFloat, statistic: str = "last"
    ) -> None:
        """Set a bound; see `Tracker.expect`. The gate answers for it when the test is over."""
        said = Bound.checked(metric_name, comparison, limit, statistic)
        bound = replace(said, metric=self._prefix_now() + said.metric)
        summary = self._spared_summaries().get(bound.metric)
        if self.trouble is None and (problem := bound.problem(summary)):
            value = bound.value_in(summary)
            identity = (bound.metric, bound.statistic, Verdict.BOUND_FAILED)
            self.failed_bounds.append(Check(*identity, None, value, None, problem))

    def _prefix_now(self) -> str:
        return "".join(self._prefixes[: len(self.active_runs)])

    def _save_graph(self, run_id: int | None, name: str, graph: Graph) -> int:
        """Store a graph; see `Tracker.save_comp_graph`, which returns -1 if it cannot be stored."""
        if run_id is None:
            self.graphs[graph_name(name, self._prefix_now(), self.graphs)] = graph
        try:
            return super()._save_graph(run_id, name, graph)
        except StoreError as error:
            self._note_trouble(error)
            return -1

    def close(self) -> None:
        """Leave the experiment open: the tests of a session share it, and the session closes it."""

    def _spared_summaries(self) -> dict[str, Summary]:
        """Return the summaries of the active run; none where they cannot be had."""
        prefix = self._prefix_now()
        try:
            found = self._active_summaries() if self.active_runs else {}
        except (StoreError, RunNotFoundError) as error:
            self._note_trouble(error)
            return {}
        return {f"{prefix}{name}": summary for name, summary in found.items()}

    def all_summaries(self) -> dict[str, Summary]:
        """End what the test left open inside its own run; summarise everything it recorded."""
        while len(self.active_runs) > 1:
            self.end_run(is_durable=False)
        return self._spared_summaries() | self._ended


@functools.cache
def _throwaway_folder(avoided: Path) -> str:
    """Make a folder for as long as this process lives, if it can be on another disk."""
    places = [Path(tempfile.gettempdir()), Path("/dev/shm")]  # noqa: S108  # memory never breaks

    def fitness(place: Path) -> tuple[bool, int]:
        return _device_of(place) != _device_of(avoided), shutil.disk_usage(place).free

    usable = [place for place in places if os.access(place, os.W_OK)]
    folder = tempfile.mkdtemp(prefix="sgtrack-", dir=max(usable, key=fitness, default=None))
    atexit.register(_remove_throwaway, folder, os.getpid())
    return folder


def _device_of(path: Path) -> int | None:
    try:
        return path.stat().st_dev
    except OSError:
        return None if path == path.parent else _device_of(path.parent)


def _remove_throwaway(folder: str, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class TrackedTest:
    """One attempt of a test that uses the tracker.

    Attributes:
        tracker: what the test records with.
        run: the context of the test's run, entered.
        run_id: number of the run.
        markers: what the test's markers say.
        config: parameters and markers of the test, as they are stored with the run.
        seed: what `sg_seed` gives to it, None where it doesn't ask.
        result: what comparing with the baseline found, once it was compared.
        n_failed_subtests: how many subtests have failed in it.
        outcome: see `tracking.RunInfo`, like the next two; passed until something else is known.
        phase: where the outcome was decided.
        ended_by: why the run ended.
        sample: what it recorded, of a test that confirms another one's result.
        teardown_error: what its fixtures raised when they were torn down before their time.
    """

    tracker: TestTracker
    run: AbstractContextManager[int]
    run_id: int
    markers: MarkerSettings
    config: dict[str, Any]
    seed: int | None
    result: TestResult | None = None
    n_failed_subtests: int = 0
    outcome: str = "passed"
    phase: str = "call"
    ended_by: str = "finished"
    is_ended: bool = False
    sample: Sample | None = None
    teardown_error: BaseException | None = None

    def note(self, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        """Take in how a phase went: the worst decides, of equals the first."""
        outcome = _outcome(report)
        if outcome == "passed" and self.n_failed_subtests:
            outcome = "failed"
        if _WEIGHTS[outcome] > _WEIGHTS[self.outcome]:
            self.outcome, self.phase = outcome, report.when
            self.ended_by = _ended_by(call)

    def end(self) -> None:
        """End the run as the test ended; only the first call does something."""
        if self.is_ended:
            return
        self.is_ended = True
        while len(self.tracker.active_runs) > 1:
            self.tracker.end_run("failed", ended_by=self.ended_by, is_durable=False)
        if self.tracker.active_runs:  # else the test has ended its run itself
            self.tracker.end_run(
                "completed" if self.outcome in ("passed", "xpassed") else "failed",
                outcome=self.outcome,
                phase=self.phase,
                ended_by=self.ended_by,
                verdict=self.result.verdict if self.result else None,
                comparison=self.result.comparison(self.tracker.directory) if self.result else None,
                is_durable=False,
            )
        self.run.__exit__(None, None, None)


def _outcome(report: pytest.TestReport) -> str:
    is_xfail = hasattr(report, "wasxfail")
    if report.skipped:
        return "xfailed" if is_xfail else "skipped"
    if report.passed:
        return "xpassed" if is_xfail else "passed"
    return "failed" if report.when == "call" else "error"


def _ended_by(call: pytest.CallInfo[None]) -> str:
    """Tell a failing check (a finished test) from an exception that stopped the test."""
    if call.excinfo is None:
        return "finished"
    error = call.excinfo.value
    if isinstance(error, pytest.fail.Exception) and str(error).startswith("Timeout "):
        return "timeout"  # pytest-timeout's signal method
    is_check = isinstance(error, AssertionError | pytest.fail.Exception | pytest.skip.Exception)
    return "finished" if is_check else "exception"
