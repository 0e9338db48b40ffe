"""Whatever call to the system fails, once or for good: what was acknowledged is kept, in its order.

A shim stands between us and the system: from its k-th call on, the disk is full, fails, interrupts,
or takes half of what it is given, once or until it is healed. Statements of SQLite fail likewise,
before or after they took effect. Only our own errors may come through, and after healing

    acknowledged records  ⊆  stored records  ⊆  attempted records

as series in the order of recording, with equal floats, sums that agree, at most one end for each
run, and a database that SQLite finds sound.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tracking import ExperimentDBManager, Tracker, TrackingError, filesystem, journal, recover
from tracking.summary import summarize

SYSTEM_CALLS = (
    "open",
    "pwrite",
    "posix_fallocate",
    "ftruncate",
    "fsync",
    "rename",
    "unlink",
    "mkdir",
)
ERRNOS = (errno.ENOSPC, errno.EIO, errno.EINTR)
SQL_CODES = (
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC),
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CANTOPEN),
)
SHORT_WRITE = "half of it"
IN_MEMORY = "/dev/shm"  # thousands of flushes

faults = st.tuples(st.sampled_from([*SYSTEM_CALLS, "any"]), st.sampled_from(ERRNOS))
faults |= st.tuples(st.just("pwrite"), st.just(SHORT_WRITE))
faults |= st.tuples(
    st.sampled_from(["statement", "COMMIT", "late COMMIT"]), st.sampled_from(SQL_CODES)
)
values = st.floats() | st.integers(0, 9).map(float)


class Shim:
    """The system below one folder, in whose calls errors can be planted."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.injected = Counter()
        self.heal()

    def heal(self):
        self.where, self.error, self.remaining, self.is_persistent = "nowhere", None, 0, False

    def plant(self, where, error, k, is_persistent):
        self.where, self.error = where, error
        self.remaining, self.is_persistent = k, is_persistent

    def strikes(self, *names):
        """Count a call that goes by these names; tell whether it is the one to fail."""
        if self.where not in names:
            return False
        self.remaining -= 1
        if self.remaining == 0 or (self.remaining < 0 and self.is_persistent):
            self.injected[names[0]] += 1
            return True
        return False

    def concerns(self, target):
        if isinstance(target, int):
            target = Path(f"/proc/self/fd/{target}").readlink()
        return str(target).startswith(self.folder)

    def system_call(self, name):
        real = getattr(os, name)

        def call(target, *arguments, **named):
            if self.where == "nowhere" or not self.concerns(target):
                return real(target, *arguments, **named)
            if not self.strikes(name, "any"):
                return real(target, *arguments, **named)
            if self.error == SHORT_WRITE:
                data, offset = arguments
                return real(target, data[: len(data) // 2], offset)
            raise OSError(self.error, os.strerror(self.error), str(target))

        return call

    def statement(self, execute, sql, *arguments):
        is_commit = sql == "COMMIT"
        if is_commit and self.strikes("late COMMIT"):
            execute(sql, *arguments)
            raise self.sql_error()
        if self.strikes(*(["COMMIT"] if is_commit else []), "statement"):
            raise self.sql_error()
        return execute(sql, *arguments)

    def sql_error(self):
        error = sqlite3.OperationalError("the shim struck")
        error.sqlite_errorcode = self.error
        return error


def connection_class(shim):
    class Shimmed(sqlite3.Connection):
        def execute(self, *arguments):
            return shim.statement(super().execute, *arguments)

        def executemany(self, *arguments):
            return shim.statement(super().executemany, *arguments)

    return Shimmed


class Run:
    """What may be stored of a run.

    Attributes:
        attempted: values by metric, in the order of the attempts.
        acknowledged: those whose call returned.
        ends: statuses that somebody tried to end it with.
        is_certain: its start was acknowledged, and nobody has tried to delete it since.
    """

    def __init__(self):
        self.attempted = {}
        self.acknowledged = {}
        self.ends = set()
        self.final = None
        self.is_certain = False
        self.is_deleted = False

    def attempt(self, metric, value):
        self.attempted.setdefault(metric, []).append(value)

    def acknowledge(self, metric, value):
        self.acknowledged.setdefault(metric, []).append(value)


def comparable(value):
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def is_subsequence(part, whole):
    remaining = iter(map(comparable, whole))
    return all(comparable(item) in remaining for item in part)


class FaultyStore(RuleBasedStateMachine):
    """A tracker and a manager work on one experiment while the system fails under them."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if Path(IN_MEMORY).is_dir() else None))
        self.shim = Shim(self.folder)
        self.patch = pytest.MonkeyPatch()
        for name in SYSTEM_CALLS:
            self.patch.setattr(os, name, self.shim.system_call(name))
        connect, shimmed = sqlite3.connect, connection_class(self.shim)

        def shimmed_connect(*arguments, **named):
            return connect(*arguments, **named, factory=shimmed)

        self.patch.setattr(sqlite3, "connect", shimmed_connect)
        self.patch.setattr(journal, "_FIRST_SIZE", 4096)  # so that segments grow often
        self.tracker = None
        self.db = ExperimentDBManager(self.folder / "e.db")
        self.unclosed = []  # trackers whose close failed; it is tried again when all is well
        self.runs = {}
        self.active = []

    def teardown(self):
        try:
            self.settle()
        finally:
            self.tracker = None
            self.patch.undo()
            self.db.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def spared(self, call, *arguments, **named):
        """Make a call of ours; tell whether it returned, and what."""
        try:
            return True, call(*arguments, **named)
        except TrackingError:
            return False, None

    @initialize(is_network=st.booleans())
    def choose_a_file_system(self, is_network):
        self.patch.setattr(filesystem, "is_network", lambda folder: is_network)

    # Faults

    @rule(fault=faults, k=st.integers(1, 30), is_persistent=st.booleans())
    def plant(self, fault, k, is_persistent):
        where, error = fault
        self.shim.plant(where, error, k if where == "statement" else 1 + k % 4, is_persistent)

    @rule(fault=faults, k=st.integers(1, 30), is_persistent=st.booleans(), value=values)
    def live_a_life_with_a_fault(self, fault, k, is_persistent, value):
        self.plant(fault, k, is_persistent)
        self.live(value, is_durable=is_persistent)

    def live(self, value=0.5, *, is_durable=True):
        """Do everything once, in one order."""
        self.reopen()
        self.start_run(is_deferred=False)
        if self.active:
            self.record("loss", value, 130)
            self.read()
            self.log({"loss": value, "new": math.nan})
            self.start_run(is_deferred=True)
            self.record("größe", value, 3)
            self.record_straight(value)
            self.read()
            self.record("größe", value, 2)
        while self.active:
            self.end_run("completed", is_durable=is_durable)
        self.reopen()

    @rule()
    def heal(self):
        self.shim.heal()

    # What users do

    def open(self):
        is_made, tracker = self.spared(Tracker, self.folder)
        if is_made and self.spared(tracker.set_experiment, "e")[0]:
            self.tracker = tracker

    @rule()
    def reopen(self):
        if self.tracker is not None and not self.spared(self.tracker.close)[0]:
            self.unclosed.append(self.tracker)
        self.tracker, self.active = None, []
        self.open()

    @rule(is_deferred=st.booleans())
    def start_run(self, is_deferred):
        if self.tracker is None:
            self.open()
        if self.tracker is None:
            return
        name = f"run {len(self.runs)}"
        run = self.runs[name] = Run()
        is_started, _ = self.spared(self.tracker.start_run, name, is_deferred=is_deferred)
        if is_started:
            run.is_certain = True
            self.active.append(name)

    @precondition(lambda self: self.active)
    @rule(
        metric=st.sampled_from(["loss", "größe"]), value=values, n=st.sampled_from([1, 2, 130, 300])
    )
    def record(self, metric, value, n):
        run = self.runs[self.active[-1]]
        for recorded in (value, *map(float, range(1, n))):
            run.attempt(metric, recorded)
            if self.spared(self.tracker.record, metric, recorded, 0)[0]:
                run.acknowledge(metric, recorded)

    @precondition(lambda self: self.active)
    @rule(named=st.dictionaries(st.sampled_from(["loss", "new"]), values, min_size=1))
    def log(self, named):
        run = self.runs[self.active[-1]]
        is_logged, _ = self.spared(self.tracker.log, named, 0)
        for metric, value in named.items():
            run.attempt(metric, value)
            if is_logged:
                run.acknowledge(metric, value)

    @precondition(lambda self: self.active)
    @rule(value=values)
    def record_straight(self, value):
        run = self.runs[self.active[-1]]
        is_known, run_id = self.spared(lambda: self.tracker.current_run_id)
        if is_known:
            run.attempt("straight", value)
            if self.spared(self.db.record, run_id, "straight", 0, value)[0]:
                run.acknowledge("straight", value)

    @precondition(lambda self: self.active)
    @rule(status=st.sampled_from(["completed", "failed"]), is_durable=st.booleans())
    def end_run(self, status, is_durable):
        run = self.runs[self.active.pop()]
        run.ends.add(status)
        is_ended, _ = self.spared(self.tracker.end_run, status, is_durable=is_durable)
        if is_ended and run.final is None:
            run.final = status
        assert len(self.tracker.active_runs) == len(self.active)

    @precondition(lambda self: self.active)
    @rule()
    def delete_run(self):
        name = self.active[-1]
        is_known, run_id = self.spared(lambda: self.tracker.current_run_id)
        if is_known:
            self.runs[name].is_certain = False
            self.runs[name].is_deleted, _ = self.spared(self.tracker.delete_run, run_id)
            self.active = self.active[: len(self.tracker.active_runs)]

    @precondition(lambda self: self.active)
    @rule()
    def read(self):
        self.spared(self.tracker.get_all_runs)
        self.spared(self.tracker.summary)

    @rule()
    def drain_the_dead(self):
        with closing(ExperimentDBManager(self.folder / "e.db")) as other:
            self.spared(recover, other)
            self.spared(other.close)

    # After healing

    @rule()
    def settle(self):
        """Heal, let go of everything, bring home what was left, and look at what is there."""
        self.shim.heal()
        for tracker in (*self.unclosed, self.tracker):
            if tracker is not None:
                tracker.close()
        self.tracker, self.active, self.unclosed = None, [], []
        self.db.close()
        if not (self.folder / "e.db").exists():
            assert not any(run.acknowledged for run in self.runs.values())
            return
        with closing(ExperimentDBManager(self.folder / "e.db")) as db:
            recover(db)
            assert db.integrity_problems() == []
            found = {info.name: info for info in db.get_all_runs()}
            assert len(found) == len(db.get_all_runs())
            assert found.keys() <= self.runs.keys()
            for name, run in self.runs.items():
                if name in found:
                    assert not run.is_deleted
                    self.check_end(run, found[name])
                    self.check_records(run, db, found[name].run_id)
                else:
                    assert not run.is_certain
        assert not list((self.folder / "e.journal").glob("*.segment*"))

    def check_end(self, run, info):
        assert info.status in {*run.ends, "failed"}  # nothing runs any more
        run.final = run.final or info.status
        assert info.status == run.final, "a run ended twice"

    def check_records(self, run, db, run_id):
        summaries = db.get_metric_summary(run_id)
        metrics = db.get_metrics(run_id)
        assert set(metrics) == set(summaries)
        assert set(run.acknowledged) <= set(metrics) <= set(run.attempted)
        for metric in metrics:
            rows = db.get_records(run_id, metric)
            stored = [row.value for row in rows]
            assert is_subsequence(run.acknowledged.get(metric, []), stored), "a record was lost"
            assert is_subsequence(stored, run.attempted[metric]), "nobody recorded that"
            recomputed = summarize([row.step for row in rows], stored).as_dict()
            found = {field: comparable(number) for field, number in summaries[metric].items()}
            assert found == {field: comparable(number) for field, number in recomputed.items()}


TestFaultyStore = FaultyStore.TestCase
TestFaultyStore.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


@pytest.mark.slow
class TestFaultyStoreInFull(FaultyStore.TestCase):
    """The same, for minutes."""

    settings = settings(max_examples=3_000, stateful_step_count=50, deadline=None)


SHORT = 64  # the short version takes the first calls and then every so many, others for each case


@pytest.mark.parametrize("stride", [SHORT, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("is_network", [False, True])
@pytest.mark.parametrize("is_persistent", [False, True])
@pytest.mark.parametrize(
    ("where", "error"),
    [
        *((where, errno.EIO) for where in SYSTEM_CALLS),
        ("any", errno.ENOSPC),
        ("pwrite", SHORT_WRITE),
        ("statement", sqlite3.SQLITE_FULL),
        ("statement", sqlite3.SQLITE_IOERR_WRITE),
        ("COMMIT", sqlite3.SQLITE_IOERR_FSYNC),
        ("late COMMIT", sqlite3.SQLITE_IOERR_WRITE),
    ],
)
def test_a_life_survives_a_fault_at_each_of_its_calls(
    where, error, is_persistent, is_network, stride
):
    n_struck = 0
    offset = (2 * is_persistent + is_network) * SHORT // 4 % stride
    for k in (1, 2, 3, *range(4 + offset, 10_000, stride)):
        store = FaultyStore()
        try:
            store.choose_a_file_system(is_network)
            store.shim.plant(where, error, k, is_persistent)
            store.live()
            is_struck = bool(store.shim.injected)
            store.settle()
            store.live()
        finally:
            store.teardown()
        if not is_struck:
            break
        n_struck += 1
    assert n_struck or where in CALLED_NOWHERE[is_network]


# A life does without: SQLite does the flushing, and a part is cut off only after a short write.
CALLED_NOWHERE = {
    False: ("fsync", "ftruncate", "pwrite"),
    True: ("fsync", "ftruncate", "posix_fallocate"),
}


@pytest.mark.parametrize("where", SYSTEM_CALLS)
def test_the_shim_reaches_every_call_it_names(tmp_path, monkeypatch, where):
    shim = Shim(tmp_path)
    monkeypatch.setattr(os, where, shim.system_call(where))
    shim.plant(where, errno.EIO, 1, is_persistent=False)
    fd = os.open("/dev/null", os.O_RDWR)
    arguments = {
        "open": (tmp_path / "x", os.O_RDONLY),
        "rename": (tmp_path / "x", tmp_path / "y"),
        "unlink": (tmp_path / "x",),
        "mkdir": (tmp_path / "x",),
    }
    monkeypatch.setattr(Path, "readlink", lambda path: tmp_path)
    with pytest.raises(OSError, match="Input/output error"):
        getattr(os, where)(*arguments.get(where, (fd, b"")))
    os.close(fd)
    assert shim.injected == {where: 1}


@pytest.mark.parametrize("is_network", [False, True])
@pytest.mark.parametrize(
    ("where", "error"),
    [("statement", sqlite3.SQLITE_FULL), ("COMMIT", sqlite3.SQLITE_FULL), ("any", errno.ENOSPC)],
)
def test_a_start_that_fails_leaves_no_run_active(where, error, is_network):
    for k in range(1, 12):
        store = FaultyStore()
        store.choose_a_file_system(is_network)
        store.start_run(is_deferred=False)
        store.shim.plant(where, error, k, False)
        store.start_run(is_deferred=False)
        assert list(store.tracker.active_runs) == store.active
        store.record("loss", 0.5, 1)
        store.teardown()
