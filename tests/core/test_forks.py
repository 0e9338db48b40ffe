"""A forked child records into its parent's run and neither harms the other.

With more than one thread, as under pytest-xdist, Python 3.12 and later warn at every fork that the
child may deadlock on a lock another thread holds. That ours does not is what is tested here.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import traceback
from contextlib import closing
from pathlib import Path

import pytest

import tracking
from tracking import connection

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


def forked(body):
    """Run `body` in a child that ends without any clean-up of its own; return its pid."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)  # ends a child that waits for a lock that nobody will release
        code = 1
        try:
            body()
            code = 0
        except BaseException:  # noqa: BLE001  # the child must not return into pytest
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def join(pid):
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def values(tracker, run_id, name):
    return [record.value for record in tracker.get_records(run_id, name)]


def is_sound(path):
    with closing(sqlite3.connect(path)) as database:
        checks = database.execute("PRAGMA quick_check").fetchall()
        return checks == [("ok",)] and not database.execute("PRAGMA foreign_key_check").fetchall()


def test_parent_and_child_record_into_one_run_and_nothing_is_lost_or_doubled(tracker, tmp_path):
    run_id = tracker.start_run()
    for step in range(10):
        tracker.record("loss", step, step)

    def child():
        assert tracker.current_run_id == run_id
        for step in range(10, 20):
            tracker.record("loss", step, step)
            tracker.record("child's", step, step)
        segments = list(tmp_path.rglob("*.segment"))
        assert len(segments) == 2
        tracker.close()
        assert len(list(tmp_path.rglob("*.segment"))) == 1

    pid = forked(child)
    for step in range(20, 30):
        tracker.record("loss", step, step)
    join(pid)
    assert tracker.summary()["loss"]["n"] == 30
    assert tracker.summary()["child's"]["n"] == 10
    tracker.end_run()
    assert values(tracker, run_id, "loss") == [float(step) for step in range(30)]
    assert values(tracker, run_id, "child's") == [float(step) for step in range(10, 20)]
    assert tracker.summary(run_id)["loss"]["mean"] == 14.5
    assert is_sound(tmp_path / "e.db")


def test_what_a_child_brings_after_the_parent_ended_the_run_is_in_its_summary(tracker):
    run_id = tracker.start_run()
    tracker.record("loss", 1.0, 0)
    released, release = os.pipe()

    def child():
        os.read(released, 1)
        tracker.record("loss", 3.0, 1)
        tracker.close()

    pid = forked(child)
    tracker.end_run()
    assert tracker.summary(run_id)["loss"]["n"] == 1
    os.write(release, b"x")
    join(pid)
    assert tracker.summary(run_id)["loss"]["mean"] == 2.0
    for fd in (released, release):
        os.close(fd)


def test_what_a_child_commits_outlives_its_parents_closing(tracker, tmp_path):
    # The danger: SQLite in the child, sure of the parent's locks, goes on in a -wal file that the
    # parent has removed when it closed.
    run_id = tracker.start_run()
    tracker.record("loss", 1.0, 0)
    tracker.get_all_runs()
    committed, commit = os.pipe()
    released, release = os.pipe()

    def child():
        tracker.record("loss", 2.0, 1)
        tracker.get_all_runs()
        os.write(commit, b"x")
        os.read(released, 1)
        tracker.record("loss", 3.0, 2)
        tracker.get_all_runs()

    pid = forked(child)
    os.read(committed, 1)
    tracker.end_run()
    tracker.close()
    os.write(release, b"x")
    join(pid)
    assert values(tracker, run_id, "loss") == [1.0, 2.0, 3.0]
    assert is_sound(tmp_path / "e.db")
    for fd in (committed, commit, released, release):
        os.close(fd)


def test_a_child_inherits_no_open_database(tracker, tmp_path):
    tracker.start_run()
    tracker.record("loss", 1.0, 0)
    assert open_files(tmp_path) > {"e.db"}
    pid = forked(lambda: check_open_files(tmp_path, "lock", "e.db"))
    tracker.record("loss", 2.0, 1)
    join(pid)
    assert tracker.summary()["loss"]["n"] == 2


def open_files(folder):
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    paths = [Path(os.readlink(link)) for link in links]  # noqa: PTH115  # pipes are no paths
    return {path.name for path in paths if folder in path.parents}


def check_open_files(folder, *absent):
    assert open_files(folder).isdisjoint(absent)


def test_a_child_ends_its_own_runs_and_leaves_its_parents_alone(tracker):
    parent = tracker.start_run("parent")

    def child():
        with tracker.run("child's"):
            tracker.record("loss", 1.0, 0)
        assert tracker.current_run_id == parent
        tracker.close()

    join(forked(child))
    runs = {run.name: run for run in tracker.get_all_runs()}
    assert (runs["child's"].status, runs["parent"].status) == ("completed", "running")
    assert runs["child's"].parent == runs["parent"].uuid
    assert runs["child's"].num_records == [1]
    assert tracker.current_run_id == parent


def test_children_of_children_record_too(tracker):
    run_id = tracker.start_run()

    def child():
        tracker.record("loss", 1.0, 1)
        join(forked(grandchild))
        tracker.record("loss", 3.0, 3)
        tracker.close()

    def grandchild():
        tracker.record("loss", 2.0, 2)
        tracker.close()

    tracker.record("loss", 0.0, 0)
    join(forked(child))
    assert values(tracker, run_id, "loss") == [0.0, 1.0, 2.0, 3.0]


def test_a_thread_records_while_another_forks(tracker, tmp_path):
    n_forks, n_of_child = 20, 10
    run_id = tracker.start_run()
    is_done = threading.Event()
    n_of_thread = 0

    def record():
        nonlocal n_of_thread
        while not is_done.is_set():
            tracker.record("thread", n_of_thread, n_of_thread)
            n_of_thread += 1
            if n_of_thread % 50 == 0:
                tracker.get_metrics(run_id)

    def child(number):
        for step in range(n_of_child):
            tracker.record("child", number, step)
        tracker.close()

    thread = threading.Thread(target=record)
    thread.start()
    for number in range(n_forks):
        join(forked(lambda number=number: child(number)))
    is_done.set()
    thread.join()
    tracker.end_run()
    assert values(tracker, run_id, "thread") == [float(i) for i in range(n_of_thread)]
    records = tracker.get_records(run_id, "child")
    assert sorted((record.value, record.step) for record in records) == [
        (float(number), step) for number in range(n_forks) for step in range(n_of_child)
    ]
    assert is_sound(tmp_path / "e.db")


def test_a_thread_that_keeps_the_database_delays_a_fork_and_does_not_prevent_it(
    tracker, monkeypatch
):
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.05)
    run_id = tracker.start_run()
    is_held, is_released = threading.Event(), threading.Event()

    def hold():
        with tracker.db_manager._db.reading():
            is_held.set()
            is_released.wait(10)

    def child():
        assert len(connection._ABANDONED) == 1  # neither used nor closed
        tracker.record("loss", 1.0, 0)
        tracker.close()

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait(10)
    pid = forked(child)
    join(pid)
    is_released.set()
    thread.join()
    assert connection._ABANDONED == []
    tracker.record("loss", 2.0, 1)
    assert values(tracker, run_id, "loss") == [1.0, 2.0]


def test_a_lock_that_another_thread_holds_is_free_in_the_child(tracker):
    run_id = tracker.start_run()
    recorder = tracker._recorder
    is_held, is_released = threading.Event(), threading.Event()

    def hold():
        with recorder._lock, tracking.recorder._RECORDERS_LOCK:
            is_held.set()
            is_released.wait(10)

    def child():
        tracker.record("loss", 1.0, 0)
        tracker.set_experiment("other")
        tracker.close()
        recorder.close()

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait(10)
    join(forked(child))
    is_released.set()
    thread.join()
    assert values(tracker, run_id, "loss") == [1.0]


_EXITING_CHILD = """
import json, os, sys
import tracking as sg

tracker = sg.Tracker(sys.argv[1])
tracker.set_experiment("e")
run_id = tracker.start_run("parent")
tracker.record("loss", 0.0, 0)
pid = os.fork()
if pid == 0:
    tracker.record("loss", 1.0, 1)
    sys.exit(7)
tracker.record("loss", 2.0, 2)
_, status = os.waitpid(pid, 0)
tracker.end_run()
result = [record.value for record in tracker.get_records(run_id, "loss")]
print(json.dumps([os.waitstatus_to_exitcode(status), result, tracker.get_run(run_id).status]))
"""


def run_script(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        env=os.environ | {"PYTHONPATH": str(Path(tracking.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_a_child_that_exits_brings_home_its_records_and_ends_no_run(tmp_path):
    code, found, status = run_script(_EXITING_CHILD, str(tmp_path))
    assert (code, found, status) == (7, [0.0, 1.0, 2.0], "completed")
    assert not list(tmp_path.rglob("*.segment"))


def record_in_worker(tracker, number):
    for step in range(5):
        tracker.record("loss", number, step)
    tracker.close()


def test_workers_of_multiprocessing_record_into_the_run(tracker):
    context = multiprocessing.get_context("fork")
    run_id = tracker.start_run()
    workers = [
        context.Process(target=record_in_worker, args=(tracker, number)) for number in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    found = sorted(values(tracker, run_id, "loss"))
    assert found == [float(number) for number in range(4) for _ in range(5)]
    assert tracker.summary()["loss"]["n"] == 20
