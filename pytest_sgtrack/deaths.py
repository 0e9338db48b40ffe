"""Processes that die: what earlier sessions left, workers that crash, signals and timeouts."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_sgtrack.keys import SESSION, TEST
from pytest_sgtrack.names import as_run_name
from pytest_sgtrack.tracked import noticing
from tracking import (
    ExperimentDBManager,
    Note,
    Recovery,
    RunInfo,
    Status,
    StoreError,
    dead_segments,
    recover,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

    from pytest_sgtrack.options import Settings

_WORKER_DEATH_TIMEOUT_S = 2.0
_NO_RUN_TIMEOUT_S = 0.3  # of a test that most likely has recorded nothing
_BEFORE_TIMEOUT_S = 0.02  # how long before pytest-timeout ends the process we leave our note


class CrashedTest(NamedTuple):
    """A test whose process died in it, and the last its run recorded."""

    nodeid: str
    ended_by: str
    last_records: str


class DeathWatch:
    """Hooks that bring home what dead processes recorded, and prepare for our own death.

    Attributes:
        crashed: tests of this session whose process died.
        left_behind: what an earlier session had left and this one brought home, in a sentence.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self._path = settings.database
        self._is_worker = hasattr(config, "workerinput")
        self._pid = os.getpid()
        self._old_handler: Any = None
        self._timer: threading.Timer | None = None
        self._has_warned = False
        self._seen: set[int] = set()  # runs of crashed tests
        self.crashed: list[CrashedTest] = []
        self.left_behind: str = ""

    # Others

    def pytest_sessionstart(self) -> None:
        """Bring home what an earlier session has left; be ready for SIGTERM."""
        if not self._is_worker and self._has_leftovers():
            found = self._recover()
            self.left_behind = _sentence(found) if found else ""
        is_default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        if is_default and threading.current_thread() is threading.main_thread():
            self._old_handler = signal.signal(signal.SIGTERM, self._terminate)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """End the run of a test whose worker died; xdist reports it with an unknown phase."""
        if str(report.when) == "???" and not self._is_worker:
            self._recover_crashed(report.nodeid)

    def _recover_crashed(self, nodeid: str) -> None:
        begin = time.monotonic()
        while True:
            self._recover()
            run = self._last_run(nodeid)  # another worker may have been faster and ended it
            if run is not None and run.status != Status.RUNNING:
                if run.outcome is None:
                    last_records = self._last_records(run.run_id)
                    self.crashed.append(CrashedTest(nodeid, run.ended_by or "", last_records))
                self._seen.add(run.run_id)
                return
            timeout_s = _WORKER_DEATH_TIMEOUT_S if run else _NO_RUN_TIMEOUT_S
            if time.monotonic() - begin > timeout_s:
                return
            time.sleep(0.01)  # the channel of a dying worker closes before the process is gone

    def _last_run(self, nodeid: str) -> RunInfo | None:
        """Return the last run, not seen yet, of a test; its node id is as xdist gives it."""
        names = {as_run_name(nodeid), as_run_name(nodeid.rpartition("@")[0])}  # @group
        session_id = self._config.stash[SESSION].session_id
        try:
            with closing(ExperimentDBManager(self._path)) as db:
                runs = [
                    run
                    for run in db.get_all_runs()
                    if run.session == session_id
                    and run.name in names
                    and run.run_id not in self._seen
                ]
        except StoreError:
            return None
        return max(runs, key=lambda run: run.run_id, default=None)

    def _last_records(self, run_id: int) -> str:
        try:
            with closing(ExperimentDBManager(self._path)) as db:
                summaries = db.get_metric_summary(run_id)
        except StoreError:
            return ""
        return ", ".join(
            f"{name} {summary['last']:.6g} at step {summary['last_step']} (n {summary['n']})"
            for name, summary in summaries.items()
        )

    def _recover(self) -> Recovery | None:
        db = ExperimentDBManager(self._path)
        try:
            with noticing(self._config.stash[SESSION].notices), closing(db):
                return recover(db)
        except StoreError:
            return None  # whoever records next meets the same trouble and reports it

    def _has_leftovers(self) -> bool:
        return self._path.exists() or bool(dead_segments(self._path))

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Bring home what processes of this session have left, after its store is closed."""
        if os.getpid() != self._pid:
            return
        if self._old_handler is not None:
            signal.signal(signal.SIGTERM, self._old_handler)
        if not self._is_worker and dead_segments(self._path):
            self._recover()

    # Ourselves

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """End the run that Ctrl-C has interrupted, whatever happens in here: it may be the end.

        A worker whose controller is gone gets no further.
        """
        try:
            return (yield)
        finally:
            self._config.stash[SESSION].end_interrupted()

    def _terminate(self, number: int, _frame: FrameType | None) -> None:
        self._leave_note(Note.TERMINATED)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, settings: Any) -> None:
        """Leave word before pytest-timeout's thread method stops the process without one."""
        if settings.method == "thread" and settings.timeout:
            delay_s = max(settings.timeout - _BEFORE_TIMEOUT_S, 0)
            self._has_warned = False
            self._timer = threading.Timer(delay_s, self._warn_of_timeout)
            self._timer.daemon = True
            self._timer.start()

    def _warn_of_timeout(self) -> None:
        self._leave_note(Note.TIMED_OUT)
        self._has_warned = True

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_cancel_timer(self) -> None:
        """Take it back: the test was in time."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            timer.join()
            if self._has_warned:
                self._leave_note(Note.WENT_ON)

    def _leave_note(self, note: Note) -> None:
        item = self._config.stash[SESSION].running
        if item is not None and TEST in item.stash:
            item.stash[TEST].tracker.leave_note(note)


def _sentence(found: Recovery) -> str:
    """Say what was brought home; nothing when there was nothing."""
    parts = []
    if found.runs:
        names = ", ".join(f"{run.name} ({run.ended_by})" for run in found.runs[:3])
        more = f" and {len(found.runs) - 3} more" if len(found.runs) > 3 else ""
        parts.append(f"an earlier session left runs without an end: {names}{more}")
    if found.n_records:
        parts.append(f"{found.n_records} records of dead processes were recovered")
    parts += found.damaged
    return "; ".join(parts)
