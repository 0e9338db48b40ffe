"""Children that are forked or spawned, and threads: each records, none harms another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections import Counter

import pytest

from tests.core.conftest import tracker
from tracking import Recovery, journal

__all__ = ["tracker"]

# The threads that pytest-xdist adds make Python 3.12 and later warn at every fork that the child
# may deadlock on a lock another thread holds. That ours does not is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


# multiprocessing


def record_and_leave(tracker, number, how, has_recorded):
    for step in range(100):
        tracker.record("loss", number, step)
    has_recorded.set()
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "terminate":
        signal.pause()


ENDS = {
    # how a worker ends -> its exit code
    "return": 0,  # without closing the tracker: multiprocessing runs no exit handlers
    "kill": -signal.SIGKILL,
    "terminate": -signal.SIGTERM,
}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_multiprocessing_record_into_the_run_however_they_end(tracker, store, method):
    context = multiprocessing.get_context(method)
    run_id = tracker.start_run("parent's")
    has_recorded = {how: context.Event() for how in ENDS}
    workers = [
        context.Process(target=record_and_leave, args=(tracker, number, how, has_recorded[how]))
        for number, how in enumerate(ENDS)
    ]
    for worker in workers:
        worker.start()
    tracker.record("loss", -1.0, 0)
    for worker, how in zip(workers, ENDS, strict=True):
        if how == "terminate":
            assert has_recorded[how].wait(60)
            while tracker.summary()["loss"]["n"] < 201:
                pass  # the others are home, this one still waits
            worker.terminate()
        worker.join(60)
    assert [worker.exitcode for worker in workers] == list(ENDS.values())
    assert tracker.summary()["loss"]["n"] == 301
    tracker.end_run()
    found = Counter(record.value for record in tracker.get_records(run_id, "loss"))
    assert found == {-1.0: 1, 0.0: 100, 1.0: 100, 2.0: 100}
    assert [(run.run_id, run.status, run.ended_by) for run in tracker.get_all_runs()] == [
        (run_id, "completed", "finished")
    ]
    assert tracker.summary(run_id)["loss"]["n"] == 301
    assert len(store.segments()) == 1  # its own


def test_every_process_has_a_segment_of_its_own(tracker, store):
    tracker.start_run()
    tracker.record("loss", 0.0, 0)
    context = multiprocessing.get_context("fork")
    have_recorded = [context.Event() for _ in range(3)]
    workers = [
        context.Process(target=record_and_leave, args=(tracker, number, "terminate", has_recorded))
        for number, has_recorded in enumerate(have_recorded)
    ]
    for worker in workers:
        worker.start()
    assert all(has_recorded.wait(60) for has_recorded in have_recorded)
    assert len(store.segments()) == 4
    assert all(worker.is_alive() for worker in workers)
    for worker in workers:
        worker.terminate()
        worker.join(60)
    assert tracker.summary()["loss"]["n"] == 301


# A fork while locks are held


def test_a_fork_in_the_middle_of_everything_never_leaves_a_child_waiting(tracker, store):
    n_forks = 25
    run_id = tracker.start_run()
    is_done = threading.Event()

    def work(write):
        step = 0
        while not is_done.wait(0.0005):
            write(step)
            step += 1

    busy = (
        lambda step: tracker.record("thread", step, step),
        lambda step: tracker.record(f"new {step}", step, step),
        lambda step: tracker.get_metrics(run_id),
        lambda step: tracker.text("text", "content", step),
    )
    threads = [threading.Thread(target=work, args=(write,)) for write in busy]
    for thread in threads:
        thread.start()
    try:
        for number in range(n_forks):
            pid = os.fork()
            if pid == 0:
                signal.alarm(20)  # ends a child that waits for a lock that nobody will release
                code = 1
                try:
                    tracker.record("child", number, 0)
                    tracker.record("child's own", number, 0)
                    code = 0 if tracker.get_run(run_id).status == "running" else 2
                finally:
                    os._exit(code)
            _, status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0
    finally:
        is_done.set()
        for thread in threads:
            thread.join()
    tracker.end_run()
    for name in ("child", "child's own"):
        found = [record.value for record in tracker.get_records(run_id, name)]
        assert sorted(found) == [float(number) for number in range(n_forks)]
    steps = [record.step for record in tracker.get_records(run_id, "thread")]
    assert steps == list(range(len(steps)))
    tracker.close()
    store.check()


# Threads


@pytest.mark.parametrize("is_busy", [False, True], ids=["recording only", "draining meanwhile"])
def test_sixteen_threads_lose_nothing_and_each_keeps_its_order(tracker, store, is_busy):
    n_threads, n_records = 16, 1000
    run_id = tracker.start_run()
    start = threading.Barrier(n_threads)

    def record(number):
        start.wait()
        for index in range(n_records):
            # All in one series and at one step: their order is that of recording.
            tracker.record("together", number * n_records + index, 0)
            if index % 2:
                tracker.log({f"own {number}": index, "pairs": number}, index)
            if is_busy and index % 200 == 0:
                tracker.get_metrics(run_id)

    threads = [threading.Thread(target=record, args=(number,)) for number in range(n_threads)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    tracker.end_run()
    together = [int(record.value) for record in tracker.get_records(run_id, "together")]
    assert sorted(together) == list(range(n_threads * n_records))
    for number in range(n_threads):
        own = [value for value in together if value // n_records == number]
        assert own == sorted(own)
        records = tracker.get_records(run_id, f"own {number}")
        assert [record.value for record in records] == list(range(1, n_records, 2))
    assert tracker.summary(run_id)["pairs"]["n"] == n_threads * n_records / 2
    tracker.close()
    store.check()


def test_threads_may_end_and_start_runs_while_others_record(tracker, store):
    """A record goes into the run that was active at some moment of the call, or is refused."""
    n_records, n_runs = 2000, 30
    is_done = threading.Event()
    tracker.start_run("0")
    refused = Counter()

    def record(name):
        for step in range(n_records):
            try:
                tracker.record(name, step, step)
            except RuntimeError:
                refused[name] += 1
        is_done.set()

    threads = [threading.Thread(target=record, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for number in range(1, n_runs):
        tracker.start_run(str(number))
        tracker.end_run(is_durable=False)
    for thread in threads:
        thread.join()
    while tracker.current_run_id is not None:
        tracker.end_run(is_durable=False)
    for name in ("a", "b", "c"):
        records = [
            record.step
            for run in tracker.get_all_runs()
            for record in tracker.get_records(run.run_id, name)
        ]
        assert len(records) + refused[name] == n_records
        assert len(set(records)) == len(records)
    assert not any(refused.values())  # there was an active run at every moment
    tracker.close()
    store.check()


INTERRUPTED = """
import signal, sys
import tracking as sg
from tracking import journal

journal._FIRST_SIZE = journal._LARGEST_GROWTH = journal._PAGE
if sys.argv[2] == "write":
    journal._allocate = lambda *_: False
tracker = sg.Tracker(sys.argv[1])
tracker.set_experiment("e")
tracker.start_run()
n_notes = 0

def handle(*_):
    global n_notes
    tracker.leave_note(sg.Note.CALL)
    n_notes += 1

signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
step = 0
while step < 5000 or n_notes < 500:
    tracker.record("loss" if step % 4 else f"new {step}", step, step)
    step += 1
signal.setitimer(signal.ITIMER_REAL, 0)
tracker.end_run()
found = [record.step for record in tracker.get_records(1, "loss")]
print(found == [number for number in range(step) if number % 4])
"""


@pytest.mark.parametrize("way", ["mmap", "write"])
def test_a_handler_of_signals_may_leave_a_note_at_any_moment(children, store, way):
    assert children.run(INTERRUPTED, store.folder, way) == "True\n"
    store.check()


def test_no_drain_passes_the_gap_of_a_write_that_a_signal_has_interrupted(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_allocate", lambda *_: False)
    writer = journal.SegmentWriter(tmp_path)
    channel = writer.define_channel("ab" * 16, "loss")
    start = writer.tell()
    ends = []
    pwrite = os.pwrite

    def interrupted(fd, data, offset):
        monkeypatch.setattr(os, "pwrite", pwrite)
        writer.leave_note(journal.Note.CALL)  # by the handler
        ends.append(writer.tell())
        return pwrite(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", interrupted)
    payload = journal.pack_payload(7, 0.5, 1.7e9, channel)
    writer.append(journal.pack_frame(payload, journal.adler32(payload)))
    assert ends == [start]
    assert writer.tell() == start + 2 * journal.FRAME_SIZE
    writer.close()
    _, frames = journal.read_segment(writer.path)
    assert list(zip(*journal.columns_of(frames.records[channel]), strict=True)) == [(7, 0.5, 1.7e9)]
    assert (frames.notes, frames.n_damaged) == ([journal.Note.CALL], 0)


# A child that returns into pytest

FORKING = """
    import os
    import pytest

    PIDS = []

    @pytest.fixture
    def slow_to_go(tracker):
        yield
        tracker.record("teardown", 1.0, 0)

    def test_before(tracker):
        tracker.record("loss", 1.0, 0)

    def test_forks(tracker, slow_to_go):
        tracker.record("loss", 1.0, 0)
        PIDS.append(os.fork())
        if PIDS == [0]:
            tracker.record("child", 1.0, 0)
            raise AssertionError("only in the child")
        os.waitpid(PIDS[0], 0)
        tracker.record("parent", 1.0, 0)

    def test_after(tracker):
        tracker.record("loss", 1.0, 0)
"""


def test_a_child_that_returns_into_pytest_ends_no_run_and_starts_none(
    pytester, monkeypatch, store_in
):
    # Not in a worker of xdist: there the child would speak to the controller in its parent's name.
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(FORKING)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they are slow to load
    result = pytester.runpytest_subprocess(
        "-psgtrack", "--sg-track", "--sg-track-experiment=e", timeout=60
    )
    assert result.ret == 0, result.stdout.str()
    store = store_in(pytester.path / "experiments")
    assert [
        (run.name.partition("::")[2], run.status, run.outcome, run.ended_by, run.attempt)
        for run in store.runs()
    ] == [
        (name, "completed", "passed", "finished", 1)
        for name in ("test_before", "test_forks", "test_after")
    ]
    counts = {"loss": 3, "child": 1, "parent": 1, "teardown": 2}
    assert {name: len(store.records(name)) for name in counts} == counts
    assert store.segments() == []
    store.check()


def test_a_child_that_execs_leaves_its_parents_segment_locked(tracker, store):
    tracker.start_run()
    tracker.record("loss", 1.0, 0)
    done = subprocess.run(
        ["ls", "-l", "/proc/self/fd"], capture_output=True, text=True, check=True, close_fds=False
    )
    assert str(store.folder) not in done.stdout  # nothing of ours was inherited
    assert store.recover() == Recovery(0, [], [])
    tracker.end_run()
    assert store.run().status == "completed"
