"""A process dies: what it recorded is kept, its runs end, and who lives is left alone."""

from __future__ import annotations

import fcntl
import os
import random
import resource
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing

import pytest

from tracking import ExperimentDBManager, Recovery, dead_segments, journal, recovery
from tracking.journal import Header, Owner
from tracking.recovery import is_alive

NOTHING = Recovery(0, [], [])

OPENED = """
import os, signal, sys, time
import tracking as sg
tracker = sg.Tracker(sys.argv[1])
tracker.set_experiment("e")
"""

# Acknowledges every record with one byte, and works meanwhile as a training script may.
ACKNOWLEDGING = f"""{OPENED}
tracker.start_run(sys.argv[2])
step = 0
while True:
    tracker.record("loss", step / 2, step)
    os.write(1, b".")
    step += 1
    if step % 700 == 0:
        tracker.get_metrics(tracker.current_run_id)
    if step % 3000 == 0:
        tracker.end_run(is_durable=False)
        tracker.start_run(sys.argv[2])
"""


@pytest.mark.parametrize(
    ("n_kills", "n_records"),
    [(10, 20_000), pytest.param(500, 1_000_000, marks=pytest.mark.slow)],
)
def test_no_kill_loses_or_doubles_a_record_that_was_acknowledged(
    children, store, figure, n_kills, n_records
):
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    acknowledged = {}
    for number in range(n_kills):
        wanted = chance.randrange(2 * n_records // n_kills + 1)
        if number == n_kills - 1:  # the others came to less or more
            wanted = max(wanted, n_records - sum(acknowledged.values()))
        with children.start(ACKNOWLEDGING, store.folder, number, stdin=None, bufsize=0) as child:
            received = 0
            while received < wanted:
                received += len(os.read(child.stdout.fileno(), 1 << 16))
            time.sleep(chance.random() / 500)
            child.kill()
            while rest := os.read(child.stdout.fileno(), 1 << 16):
                received += len(rest)
            assert child.stderr.read() == ""
        acknowledged[str(number)] = received
    store.recover()
    store.check()

    with closing(sqlite3.connect(store.path)) as connection:
        found = connection.execute(
            "SELECT r.name, c.step, c.value FROM records AS c JOIN runs AS r ON r.id = c.run_id"
            " ORDER BY c.id"
        ).fetchall()
    stored = {str(number): [] for number in range(n_kills)}
    for name, step, value in found:
        stored[name].append(step)
        assert value == step / 2
    lost = {
        name: received - len(stored[name])
        for name, received in acknowledged.items()
        # What was under way when the kill came may be there or not.
        if stored[name] != list(range(received)) and stored[name] != list(range(received + 1))
    }
    assert lost == {}, f"seed {seed}"
    ends = Counter((run.status, run.ended_by) for run in store.runs())
    assert ends.keys() <= {("completed", "finished"), ("failed", "crashed")}
    # A child may have been killed before its run began, or between two runs.
    assert 0.8 * n_kills <= ends["failed", "crashed"] <= n_kills
    assert store.segments() == []
    n_acknowledged = sum(acknowledged.values())
    assert n_acknowledged >= n_records
    figure(f"{n_kills} kills, {n_acknowledged:,} acknowledged records: 0 lost, 0 corrupt")


DEATHS = {
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "SIGSEGV": "os.kill(os.getpid(), signal.SIGSEGV)",
    "null pointer": "import ctypes; ctypes.string_at(0)",
    "abort": "os.abort()",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)",
    "os._exit": "os._exit(0)",
    "exec": "os.execv('/bin/true', ['true'])",
    "SIGKILL after a fork": """
if os.fork() == 0:
    os._exit(0)
os.kill(os.getpid(), signal.SIGKILL)""",
}


@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS)
def test_however_a_process_dies_its_records_are_kept_and_its_runs_end_as_crashed(
    children, store, death
):
    script = f"""{OPENED}
tracker.start_run("outer")
tracker.record("loss", 1.5, 0)
tracker.start_run("inner")
tracker.log({{"loss": float("inf"), "acc": 2.0}}, -1)
{death}
"""
    child = children.start(script, store.folder)
    child.communicate(timeout=60)
    assert {(run.status, run.ended_by) for run in store.runs()} == {("running", None)}
    found = store.recover()
    assert (found.n_records, found.damaged) == (3, [])
    assert [(run.name, run.ended_by) for run in found.runs] == [
        ("outer", "crashed"),
        ("inner", "crashed"),
    ]
    assert {(run.status, run.ended_by) for run in store.runs()} == {("failed", "crashed")}
    assert store.records() == [(0, 1.5), (-1, float("inf"))]
    assert store.recover() == NOTHING
    assert store.segments() == []
    store.check()


LEAVINGS = {
    "the end of the script": "",
    "sys.exit": "sys.exit(3)",
    "an exception": "raise RuntimeError",
}


@pytest.mark.parametrize("leaving", LEAVINGS.values(), ids=LEAVINGS)
def test_a_script_that_leaves_without_end_run_keeps_every_record_and_its_run_is_lost(
    children, store, leaving
):
    script = f"""{OPENED}
tracker.start_run("left open")
tracker.log({{"loss": 1.5, "acc": 2.0}}, 0)
{leaving}
"""
    children.start(script, store.folder).communicate(timeout=60)
    assert store.segments() == []
    assert (store.records("loss"), store.records("acc")) == ([(0, 1.5)], [(0, 2.0)])
    found = store.recover()
    assert [(run.name, run.ended_by, run.phase) for run in found.runs] == [
        ("left open", "lost", None)
    ]
    assert store.run().status == "failed"
    assert store.recover() == NOTHING
    store.check()


# Who is alive

WORKING = f"""{OPENED}
tracker.start_run("works")
tracker.record("loss", 1.0, 0)
print("ready", flush=True)
sys.stdin.readline()
tracker.record("loss", 2.0, 0)
tracker.end_run()
tracker.close()
"""


OWN = {"prefix": ["env"]}  # a child of this process, which can wait for what becomes of it


def started(children, script, *arguments, **options):
    child = children.start(script, *arguments, **options)
    assert child.stdout.readline() == "ready\n"
    return child


def finish(child):
    _, stderr = child.communicate("go on\n", timeout=60)
    assert (child.returncode, stderr) == (0, "")


def test_a_stopped_process_is_not_called_dead(children, store):
    child = started(children, WORKING, store.folder, **OWN)
    child.send_signal(signal.SIGSTOP)
    os.waitpid(child.pid, os.WUNTRACED)
    assert store.recover() == NOTHING
    assert store.run().status == "running"
    child.send_signal(signal.SIGCONT)
    finish(child)
    assert (store.run().status, store.run().ended_by) == ("completed", "finished")
    assert store.records() == [(0, 1.0), (0, 2.0)]


CLOCK = """
import time
real, shift = time.time, {before}
time.time = lambda: real() + shift
"""
JUMP = """
shift = {after}
"""
DAY = 86_400


@pytest.mark.parametrize(("before", "after"), [(0, DAY), (0, -DAY), (DAY, 0), (-DAY, 0)])
def test_a_clock_that_jumps_by_a_day_kills_nobody_and_changes_no_order(
    children, store, before, after
):
    opening, then = WORKING.split("sys.stdin.readline()")
    script = CLOCK.format(before=before) + opening + "sys.stdin.readline()"
    child = started(children, script + JUMP.format(after=after) + then, store.folder)
    recovering = f"""
import sys
from pathlib import Path
from tracking import ExperimentDBManager, recover
for shift in {(-DAY, 0, DAY)}:
    print(tuple(recover(ExperimentDBManager(Path(sys.argv[1]) / "e.db"))))
"""
    found = children.run(CLOCK.format(before=0) + recovering, store.folder)
    assert found == 3 * f"{(*NOTHING,)}\n"
    assert store.run().status == "running"
    finish(child)
    assert store.records() == [(0, 1.0), (0, 2.0)]
    assert 0 <= store.run().duration_s < 60


def segment_of(folder, **changes):
    """Write a segment as this process would, with another owner; return it and its open file."""
    writer = journal.SegmentWriter(folder)
    header = Header(writer.writer, Owner.this_process()._replace(**changes), time.time())
    os.pwrite(writer._fd, header.pack(), 0)
    return writer


OWNERS = {
    # who the header names -> is it alive while somebody has the lock
    "this process": ({}, True),
    "a pid that is used again": ({"start_time": 12345}, False),
    "a pid that nobody has": ({"pid": 2**22 + 1}, False),
    "a pid that is no pid": ({"pid": 2**63}, False),
    "a system that does not tell": ({"start_time": 0}, True),
    "before the machine started anew": ({"boot_id": bytes(16), "start_time": 12345}, True),
    "another container": ({"pid_namespace": 1, "start_time": 12345}, True),
}


@pytest.mark.parametrize(("changes", "expected"), OWNERS.values(), ids=OWNERS)
def test_while_another_process_keeps_the_lock_the_owner_decides(tmp_path, changes, expected):
    writer = segment_of(tmp_path, **changes)
    heir = subprocess.Popen(["sleep", "60"], pass_fds=[writer._fd])
    try:
        writer.close()
        assert is_alive(writer.path) is expected
    finally:
        heir.kill()
        heir.wait()
    assert not is_alive(writer.path)  # with the lock gone the owner is too


def test_a_locked_segment_that_names_nobody_is_left_alone(tmp_path):
    writer = journal.SegmentWriter(tmp_path)
    os.pwrite(writer._fd, b"\xff", 40)
    assert is_alive(writer.path)
    writer.close()


ORPHANING = f"""
import subprocess
{OPENED}
tracker.start_run("dies")
tracker.record("loss", 1.0, 0)
heir = subprocess.Popen(
    ["sleep", "60"], pass_fds=[tracker._recorder._segment._fd], stdin=subprocess.DEVNULL,
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
)
print("ready", heir.pid, flush=True)
sys.stdin.readline()
os._exit(0)
"""


def test_a_zombie_is_dead_though_a_child_of_it_keeps_its_lock(children, store):
    child = children.start(ORPHANING, store.folder, **OWN)
    word, heir = child.stdout.readline().split()
    assert word == "ready"
    try:
        assert store.recover() == NOTHING
        child.stdin.write("die\n")
        child.stdin.flush()
        assert child.stdout.read() == ""  # it is gone, and nobody has waited for it
        while journal.start_time_of(child.pid):
            time.sleep(0.001)
        assert os.path.exists(f"/proc/{child.pid}/stat")  # noqa: PTH110
        (segment,) = store.segments()
        with segment.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert [run.ended_by for run in store.recover().runs] == ["crashed"]
        assert store.records() == [(0, 1.0)]
    finally:
        os.kill(int(heir), signal.SIGKILL)


def test_a_process_that_cannot_open_files_calls_nobody_dead(children, store):
    child = started(children, WORKING, store.folder)
    with closing(ExperimentDBManager(store.path)) as db:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        try:
            alive = [is_alive(path) for path in [store.folder / "e.journal" / "x.segment"]]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert alive == [True]
        assert dead_segments(store.path) == []
        assert db.abandoned_runs(lambda _: True) == []
    finish(child)


def test_a_process_of_another_user_that_proc_hides_is_alive(tmp_path, monkeypatch):
    writer = segment_of(tmp_path)
    monkeypatch.setattr(journal, "start_time_of", lambda pid: 0)

    def not_ours(pid, number):
        assert (pid, number) == (os.getpid(), 0)
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(recovery.os, "kill", not_ours)
        assert is_alive(writer.path)
    assert not is_alive(writer.path)
    writer.close()
