"""Killed before any system call that writes, or cut off from its power after any: nothing breaks.

strace kills the process as it enters the n-th call of a kind, for every kind and every n, until it
survives. Power is cut on paper: from the traced writes and flushes of a session come the files that
a disk could hold after each of them.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tracking import ExperimentDBManager, Tracker, schema
from tracking.merging import merge
from tracking.regression import Kind, Pending, PendingTest, Sample, load_pending, save_pending

ORIGINAL = Path(__file__).parents[1] / "assets" / "original.db"
OLD = ORIGINAL.with_name("schema_v1.db")
OLD_LOSS = [(0, 1.0), (1, 0.5), (2, 1 / 3), (1, 0.0)]
WRITING = "/^(pwrite64|write|ftruncate|fallocate|fdatasync|fsync|rename.*|unlink.*)$"
_CALL = re.compile(r"^\d+ +(\w+)\(", re.MULTILINE)

# The count of acknowledged records lies in shared memory: it costs no call and survives the kill.
ACKNOWLEDGING = """
import mmap, os, sys
import tracking as sg
with open(sys.argv[1] + "/acknowledged", "r+b") as file:
    acknowledged = mmap.mmap(file.fileno(), 8)

def record(tracker, n):
    for _ in range(n):
        step = int.from_bytes(acknowledged[:], "little")
        tracker.record("loss", step / 2, step)
        acknowledged[:] = (step + 1).to_bytes(8, "little")
"""

RECORDING = f"""{ACKNOWLEDGING}
tracker = sg.Tracker(sys.argv[1])
tracker.set_experiment("e")
tracker.start_run("durable")
record(tracker, 20)
tracker.get_metrics(1)
record(tracker, 20)
tracker.end_run()
tracker.start_run("fast")
record(tracker, 20)
tracker.end_run(is_durable=False)
tracker.close()
"""

RETIRING = f"""{ACKNOWLEDGING}
import tracking.recorder
tracking.recorder._ROTATE_FROM_BYTES = 500
tracker = sg.Tracker(sys.argv[1])
tracker.set_experiment("e")
for number in range(3):
    with tracker.run(str(number)):
        record(tracker, 20)
tracker.close()
"""

DYING = f"""{ACKNOWLEDGING}
import signal
tracker = sg.Tracker(sys.argv[1])
tracker.set_experiment("e")
tracker.start_run("outer")
record(tracker, 20)
tracker.get_metrics(1)
tracker.start_run("inner")
record(tracker, 20)
tracker.leave_note(sg.Note.TERMINATED)
os.kill(os.getpid(), signal.SIGKILL)
"""

RECOVERING = """
import sys
from tracking import ExperimentDBManager, recover
db = ExperimentDBManager(sys.argv[1] + "/e.db")
recover(db)
db.close()
"""

ADOPTING = """
import sys
from tracking import ExperimentDBManager
db = ExperimentDBManager(sys.argv[1] + "/e.db")
db.init_exp_db()
db.close()
"""

SHARDS = ("dead", "ended", "old")
MERGING = f"""
import sys
from pathlib import Path
from tracking.merging import merge
folder = Path(sys.argv[1])
merge([folder / name / "e.db" for name in {SHARDS}], folder / "e.db")
"""


def prepare_nothing(children, folder):
    folder.mkdir()
    (folder / "acknowledged").write_bytes(bytes(8))


def prepare_an_empty_experiment(children, folder):
    prepare_nothing(children, folder)
    open_experiment(folder)


def prepare_a_dead_process(children, folder):
    prepare_nothing(children, folder)
    child = children.start(DYING, folder)
    assert child.communicate(timeout=60) == ("", "")
    assert child.returncode == -signal.SIGKILL


def prepare_a_database_of_the_original(children, folder):
    folder.mkdir()
    shutil.copy(ORIGINAL, folder / "e.db")


def prepare_shards(children, folder):
    """A shard whose process died, one that has ended with something pending, and an old one."""
    folder.mkdir()
    prepare_a_dead_process(children, folder / "dead")
    tracker = Tracker(folder / "ended")
    tracker.set_experiment("e")
    with tracker.run("ended"):
        for step in range(20):
            tracker.record("loss", step / 2, step)
    summaries = tracker.db_manager.read_summaries(1)
    tracker.close()
    sample = Sample(summaries, {}, {}, None)
    test = PendingTest("ended", {"loss": Kind.NEW}, (sample,))
    save_pending(folder / "ended" / "e.pending.json", Pending("..", {("b.json", "t"): test}))
    (folder / "old").mkdir()
    shutil.copy(OLD, folder / "old" / "e.db")


def prepare_shards_and_what_was_merged_before(children, folder):
    prepare_shards(children, folder)
    merge([folder / "dead" / "e.db"], folder / "e.db")


def check_records(store):
    """All acknowledged records are there once; the one under way may be; no run goes on."""
    with (store.folder / "acknowledged").open("rb") as file:
        n_acknowledged = int.from_bytes(file.read(), "little")
    store.recover()
    if not store.path.exists():
        assert n_acknowledged == 0
        return
    store.check()
    steps = [(step, step / 2) for step in range(n_acknowledged + 1)]
    assert store.records() in (steps[:-1], steps)
    ends = {(run.status, run.ended_by) for run in store.runs()}
    assert ends <= {("completed", "finished"), ("failed", "crashed")}
    assert store.segments() == []


def check_recovered(store):
    """What two recoveries find is what one would have found."""
    store.recover()
    store.check()
    assert store.records() == [(step, step / 2) for step in range(40)]
    assert [(run.name, run.status, run.ended_by) for run in store.runs()] == [
        ("outer", "failed", "killed"),
        ("inner", "failed", "killed"),
    ]
    assert store.segments() == []


def check_adopted(store):
    """It is the old database or the new one, and the next to open it makes it the new one."""
    with closing(sqlite3.connect(store.path)) as connection:
        is_new = schema.origin_of(connection) is schema.Origin.US
        assert schema.version_of(connection) == (schema.SCHEMA_VERSION if is_new else 0)
        assert schema.is_current(connection) is is_new
        if not is_new:
            assert contents(connection) == contents_of(ORIGINAL)
    open_experiment(store.folder)
    store.check()
    with closing(sqlite3.connect(store.path)) as connection:
        assert schema.is_current(connection)
        assert contents(connection) == contents_of_adopted()


def check_merged(store):
    """It is as it was or holds everything; to merge again completes it, and leaves nothing over."""
    if store.path.exists():
        with closing(ExperimentDBManager(store.path, is_read_only=True)) as db:
            found = {run.name: run.num_records for run in db.get_all_runs()}
        merged_before = {"outer": [20], "inner": [20]}
        assert found in (merged_before, {**merged_before, "ended": [20], "known": [4, 3]})
    for _ in range(2):
        merge([store.folder / name / "e.db" for name in SHARDS], store.path)
        store.check()
        steps = [*range(40), *range(20)]
        assert Counter(store.records()) == Counter([(step, step / 2) for step in steps] + OLD_LOSS)
        assert {(run.name, run.status, run.ended_by) for run in store.runs()} == {
            *(("outer", "failed", "killed"), ("inner", "failed", "killed")),
            *(("ended", "completed", "finished"), ("known", "completed", "finished")),
        }
        assert len(load_pending(store.folder / "e.pending.json").tests) == 1
        assert list(store.folder.glob(".sgtrack-merge-*")) == []
    prepared = store.folder.parent / "prepared"
    for name in SHARDS:
        assert files_in(store.folder / name) == files_in(prepared / name)


def files_in(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder): path.read_bytes() for path in files}


def open_experiment(folder):
    tracker = Tracker(folder)
    tracker.set_experiment("e")
    tracker.close()


def contents(connection):
    """Return what the original wrote, wherever it lies now."""
    return {
        table: connection.execute(
            f"SELECT {', '.join(columns)} FROM {table} ORDER BY id"
        ).fetchall()
        for table, columns in schema._ORIGINAL_COLUMNS.items()
    }


def contents_of(path):
    uri = f"{path.as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return contents(connection)


@functools.cache
def contents_of_adopted():
    """Return what the original wrote, without what it had left of deleted runs."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ORIGINAL, Path(folder) / "e.db")
        open_experiment(folder)
        return contents_of(Path(folder) / "e.db")


SCENARIOS = {
    "record and drain": (prepare_nothing, RECORDING, check_records),
    "retire segments": (prepare_an_empty_experiment, RETIRING, check_records),
    "recover": (prepare_a_dead_process, RECOVERING, check_recovered),
    "merge": (prepare_shards, MERGING, check_merged),
    "merge more": (prepare_shards_and_what_was_merged_before, MERGING, check_merged),
    "adopt": (prepare_a_database_of_the_original, ADOPTING, check_adopted),
}


class Traced:
    """Runs scripts under strace without waiting for imports; see traced.py."""

    def __init__(self, children, strace, errors):
        self._strace = strace
        self._errors = errors
        command = [sys.executable, Path(__file__).with_name("traced.py")]
        with errors.open("w") as file:
            self._server = children.start_command(command, stderr=file)

    def run(self, script, folder, *options):
        """Run a script on a folder; return its exit code and the log."""
        log = folder.parent / f"{folder.name}.log"
        quiet = "--quiet=exit,path-resolution,personality"
        tracer = [self._strace, "-f", quiet, "-o", log, "-e", f"trace={WRITING}", *options, "-p"]
        request = {"script": script, "arguments": [str(folder)], "tracer": [*map(str, tracer)]}
        self._server.stdin.write(f"{json.dumps(request)}\n")
        self._server.stdin.flush()
        code = self._server.stdout.readline()
        assert self._errors.read_text() == ""
        return int(code), log.read_text()


@pytest.fixture
def traced(children, strace, tmp_path, unmeasured):
    return Traced(children, strace, tmp_path / "errors")


# The short version takes few of the points that write one page of many.
@pytest.mark.parametrize("stride", [80, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("prepare", "script", "check"), SCENARIOS.values(), ids=SCENARIOS)
def test_a_kill_at_any_call_that_writes_loses_nothing_and_breaks_nothing(
    children, traced, store_in, tmp_path, figure, prepare, script, check, stride
):
    prepared = tmp_path / "prepared"
    prepare(children, prepared)
    survivor = tmp_path / "survivor"
    shutil.copytree(prepared, survivor)
    code, log = traced.run(script, survivor)
    assert code == 0
    n_calls = Counter(_CALL.findall(log))
    assert {"pwrite64", "fdatasync", "unlink"} <= n_calls.keys()
    points = [
        (call, number)
        for call, n in n_calls.items()
        for number in range(1, n + 1, stride if call == "pwrite64" else min(stride, 8))
    ]
    beyond = [("pwrite64", n_calls["pwrite64"] + 1)]
    if stride == 1:
        beyond = [(call, n + 1) for call, n in n_calls.items()]
    for call, number in points + beyond:
        folder = tmp_path / f"{call}-{number}"
        shutil.copytree(prepared, folder)
        kill = f"inject={call}:signal=SIGKILL:when={number}"
        code, _ = traced.run(script, folder, "-e", kill)
        assert code == (-signal.SIGKILL if number <= n_calls[call] else 0)
        check(store_in(folder))
        shutil.rmtree(folder)
    figure(f"killed at {len(points)} of {n_calls.total()} points: nothing lost, nothing broken")


# Power

POWERED = """
import os, sys
import tracking as sg, tracking.connection
tracking.connection._CHECKPOINT_FROM_BYTES = 30_000
marks = os.open(sys.argv[1] + "/marks", os.O_WRONLY | os.O_CREAT)
tracker = sg.Tracker(sys.argv[1])
tracker.set_experiment("e")
for number in range(4):
    tracker.start_run(str(number))
    for step in range(10):
        tracker.record("loss", step / 2, step)
    tracker.end_run(is_durable=number % 2 == 1)
    if number % 2:
        os.write(marks, b"%d" % (number + 1))
tracker.start_run("4")
tracker.record("loss", 0.5, 0)
tracker.end_run(is_durable=False)
tracker.close()
os.write(marks, b"5")
"""
_LINE = re.compile(r"^\d+ +(\w+)\((.*)\) += \d+$")
_SECTOR = 512


class Disk:
    """What a disk holds of the files of one folder, and what it has been told and may not hold yet.

    A flush makes all that a file was told durable; one of the folder, what was removed from it.
    """

    def __init__(self):
        self.durable = {}
        self.pending = {}

    def tell(self, name, change):
        self.pending.setdefault(name, []).append(change)

    def flush(self, name):
        self.durable[name] = self.after(name, self.pending.pop(name, []))

    def flush_folder(self):
        for name, changes in self.pending.items():
            removals = [i for i, change in enumerate(changes, 1) if change == ("unlink",)]
            if removals:
                self.durable[name] = None
                del changes[: removals[-1]]

    def after(self, name, changes):
        content = self.durable.get(name)
        for kind, *details in changes:
            content = None if kind == "unlink" else CHANGES[kind](content or b"", *details)
        return content

    def lose_power(self, is_kept):
        """Return the files as they may be found; `is_kept` decides on what was not flushed."""
        names = self.durable.keys() | self.pending.keys()
        kept = {
            name: [change for change in _torn(self.pending.get(name, [])) if is_kept()]
            for name in names
        }
        return {name: content for name in names if (content := self.after(name, kept[name]))}


def _torn(changes):
    """Take writes apart into sectors, which a disk writes whole."""
    for change in changes:
        if change[0] != "pwrite64":
            yield change
            continue
        _, data, offset = change
        starts = [0, *range(_SECTOR - offset % _SECTOR, len(data), _SECTOR), len(data)]
        for start, end in itertools.pairwise(starts):
            yield ("pwrite64", data[start:end], offset + start)


def _written(content, data, offset):
    return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]


CHANGES = {"pwrite64": _written, "ftruncate": lambda content, n: content[:n].ljust(n, b"\0")}


def _decoded(argument):
    """Read an argument as strace -y -xx writes it: a file's path, bytes, or a number."""
    found = re.search(r'["<](.*)[">]', argument)
    return bytes.fromhex(found[1].replace("\\x", "")) if found else int(argument, 0)


def replayed(log, folder):
    """Play a traced session; yield the disk after each change and how many runs must be on it."""
    disk, n_promised = Disk(), 0
    for line in log.splitlines():
        call, text = _LINE.match(line).groups()
        path, *details = map(_decoded, text.split(", "))
        name = Path(os.fsdecode(path)).name
        if name == "marks":
            n_promised = int(details[0])
        elif name == folder.name:
            disk.flush_folder()
        elif not name.startswith("e.db") or name == "e.db-shm":
            continue
        elif call in ("fdatasync", "fsync"):
            disk.flush(name)
        elif call == "pwrite64":
            data, _, offset = details
            disk.tell(name, (call, data, offset))
        else:
            disk.tell(name, (call, *details))
        yield disk, n_promised


@pytest.mark.parametrize("stride", [40, pytest.param(1, marks=pytest.mark.slow)])
def test_whenever_the_power_goes_the_database_is_sound_and_durable_runs_are_in_it(
    traced, store_in, tmp_path, figure, stride
):
    session = tmp_path / "session"
    session.mkdir()
    code, log = traced.run(POWERED, session, "-y", "-xx", "-s", "100000")
    assert code == 0
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    n_states = 0
    keep = {"nothing": lambda: False, "all": lambda: True, "some": lambda: chance.random() < 0.5}
    for number, (disk, n_promised) in enumerate(replayed(log, session)):
        for what, is_kept in keep.items():
            if number % stride:
                continue
            folder = tmp_path / f"{number} {what}, seed {seed}"
            folder.mkdir()
            for name, content in disk.lose_power(is_kept).items():
                (folder / name).write_bytes(content)
            store = store_in(folder)
            open_experiment(folder)
            store.check()
            runs = store.runs()
            ended = [run.name for run in runs if run.status == "completed"]
            assert ended == ["0", "1", "2", "3", "4"][: len(ended)], folder
            assert len(ended) >= n_promised, folder
            assert {run.ended_by for run in runs[len(ended) :]} <= {"lost"}
            steps = [(step, step / 2) for step in range(10)]
            assert store.records() == (4 * steps + [(0, 0.5)])[: 10 * len(ended)]
            shutil.rmtree(folder)
            n_states += 1
    assert n_promised == 5
    figure(f"{n_states} states of the disk after a loss of power: sound, durable runs complete")
