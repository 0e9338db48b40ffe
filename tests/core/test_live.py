"""What is read beside a writer is all there is, once, of one moment, and in nobody's way."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

import pytest

from tracking import ExperimentDBManager, Tracker, recover, snapshot
from tracking.columns import Columns, joined
from tracking.connection import journal_folder
from tracking.errors import RunNotFoundError, StoreBusyError, StoreError
from tracking.journal import read_segment
from tracking.live import LiveExperiment
from tracking.snapshot import Snapshot, TornReadError


@pytest.fixture
def experiment(tmp_path):
    return LiveExperiment(tmp_path / "e.db")


def steps_of(experiment, reference, metric="loss"):
    def read(db):
        run = db.find_run(str(reference))
        return db.series(run.run_id, metric).steps.tolist()

    return experiment.ask(read)


def test_records_are_there_before_they_are_drained(tracker, experiment):
    run_id = tracker.start_run("live")
    for step in range(3):
        tracker.record("loss", step / 2, step)
        assert steps_of(experiment, run_id) == list(range(step + 1))
    assert experiment.ask(lambda db: db.get_metrics(run_id)) == ["loss"]
    run = experiment.ask(lambda db: db.get_run(run_id))
    assert (run.status, run.metrics, run.num_records) == ("running", ["loss"], [3])


def test_records_on_both_sides_of_a_drain_are_there_once(tracker, experiment):
    run_id = tracker.start_run("live")
    for step in range(6):
        tracker.record("loss", step / 2, step)
        if step % 2:
            tracker.get_records(run_id, "loss")  # which drains
        assert steps_of(experiment, run_id) == list(range(step + 1))
        assert experiment.ask(lambda db: db.get_run(run_id)).num_records == [step + 1]
    tracker.end_run()
    assert steps_of(experiment, run_id) == list(range(6))


def test_the_steps_of_both_sides_are_brought_into_order(tracker, experiment):
    run_id = tracker.start_run("live")
    for value, step in enumerate([5, 1, 3]):
        tracker.record("loss", value, step)
    tracker.get_records(run_id, "loss")
    for value, step in enumerate([4, 1, 0], 3):
        tracker.record("loss", value, step)
    rows = experiment.ask(lambda db: db.get_records(run_id, "loss"))
    tracker.end_run()
    expected = [(0, 5), (1, 1), (1, 4), (3, 2), (4, 3), (5, 0)]
    assert [(row.step, row.value) for row in rows] == expected
    again = experiment.ask(lambda db: db.get_records(run_id, "loss"))
    assert [(row.step, row.value) for row in again] == expected


def test_all_records_of_a_run_are_given_metric_after_metric(tracker, experiment):
    run_id = tracker.start_run("live")
    for step in range(3):
        tracker.log({"loss": step / 2, "acc": float(step)}, step)
        if step == 1:
            tracker.get_records(run_id, "loss")
    found = experiment.ask(lambda db: dict(db.iter_records(run_id)))
    assert {name: [row.value for row in rows] for name, rows in found.items()} == {
        "loss": [0.0, 0.5, 1.0],
        "acc": [0.0, 1.0, 2.0],
    }


def test_values_that_are_not_finite_are_there_on_both_sides(tracker, experiment):
    run_id = tracker.start_run("live")
    values = [1.0, math.nan, math.inf]
    for step, value in enumerate(values):
        tracker.record("loss", value, step)
    tracker.get_records(run_id, "loss")
    for step, value in enumerate([-math.inf, 2.0, math.nan], 3):
        tracker.record("loss", value, step)
    found = experiment.ask(lambda db: db.series(run_id, "loss")).values.tolist()
    assert list(map(repr, found)) == ["1.0", "nan", "inf", "-inf", "2.0", "nan"]


def deferred(tracker, name, **more):
    return tracker.start_run(name, is_deferred=True, **more)


def test_a_run_that_the_database_does_not_know_is_there(tmp_path, experiment):
    from tracking.recorder import recorder_of
    from tracking.stored_runs import new_run

    recorder = recorder_of(tmp_path / "e.db")
    recorder.open()
    start = new_run("waiting", {"lr": 0.1}, environment={"git_commit": "abc"}, session="s" * 32)
    run = recorder.start_run(start, is_deferred=True)
    recorder.append(run, [("loss", 0.5), ("accuracy", 0.75)], 7)
    with closing(ExperimentDBManager(tmp_path / "e.db", is_read_only=True)) as db:
        assert db.get_all_runs() == []
    found = experiment.ask(lambda db: db.find_run(run.uuid))
    assert found.run_id < 0
    assert (found.name, found.status, found.config) == ("waiting", "running", {"lr": 0.1})
    assert (found.environment, found.session) == ({"git_commit": "abc"}, "s" * 32)
    assert (found.metrics, found.num_records) == (["loss", "accuracy"], [1, 1])
    assert [one.uuid for one in experiment.ask(lambda db: db.find_runs())] == [run.uuid]
    assert experiment.ask(lambda db: db.find_runs(name="other")) == []
    assert steps_of(experiment, run.uuid) == [7]
    for read in ("get_texts", "get_images", "get_histograms", "get_comp_graphs"):
        assert not experiment.ask(lambda db, read=read: getattr(db, read)(found.run_id))
    assert experiment.ask(lambda db: db.get_comparison(found.run_id)) is None
    number = run.run_id  # which drains
    assert experiment.ask(lambda db: db.find_run(run.uuid)).run_id == number
    assert steps_of(experiment, run.uuid) == [7]
    assert experiment.ask(lambda db: db.n_runs()) == 1
    recorder.close()


def test_an_end_that_the_database_does_not_know_is_there(tmp_path, experiment):
    from tracking.events import RunEnd
    from tracking.model import Status
    from tracking.recorder import recorder_of
    from tracking.stored_runs import new_run

    recorder = recorder_of(tmp_path / "e.db")
    recorder.open()
    run = recorder.start_run(new_run("ends", {}), is_deferred=True)
    recorder.append(run, [("loss", 0.5)], 0)
    end = RunEnd(Status.FAILED, "failed", "call", "finished", "regressed", 1.5)
    recorder.end_run(run, end, is_durable=False)
    with closing(ExperimentDBManager(tmp_path / "e.db", is_read_only=True)) as db:
        assert db.get_all_runs() == []
    found = experiment.ask(lambda db: db.find_run(run.uuid))
    assert (found.status, found.outcome, found.verdict, found.duration_s) == (
        *("failed", "failed", "regressed"),
        1.5,
    )
    (summary,) = experiment.ask(lambda db: db.read_summaries(found.run_id)).values()
    assert (summary.mean, summary.tail) == (0.5, 0.5)  # all of it is known
    recorder.close()


def test_a_deleted_run_stays_away_though_its_segment_is_there(tracker, experiment, tmp_path):
    run_id = tracker.start_run("gone")
    tracker.record("loss", 0.5, 0)
    uuid = tracker.get_run(run_id).uuid
    tracker.record("loss", 0.5, 1)
    with closing(ExperimentDBManager(tmp_path / "e.db")) as db:
        db.delete_run(run_id)
    assert experiment.ask(lambda db: db.find_runs()) == []
    assert experiment.ask(lambda db: db.find_run(uuid)) is None
    with pytest.raises(RunNotFoundError):
        experiment.ask(lambda db: db.series(run_id, "loss"))


def test_summaries_of_what_is_recorded_know_what_needs_no_second_look(tracker, experiment):
    def summaries():
        return experiment.ask(lambda db: db.summaries_of(db.find_runs()))[run_id]

    run_id = tracker.start_run("live")
    for step, value in enumerate([2.0, 1.0, math.nan, 3.0]):
        tracker.record("loss", value, step)
    going_on = summaries()["loss"]
    assert (going_on.n, going_on.n_nan, going_on.min, going_on.max) == (4, 1, 1.0, 3.0)
    assert (going_on.last, going_on.last_step, going_on.mean) == (3.0, 3, None)
    whole = experiment.ask(lambda db: db.read_summaries(run_id))["loss"]
    assert whole.mean == 2.0
    tracker.get_records(run_id, "loss")
    tracker.record("loss", 4.0, 4)  # some of it is in the database now
    assert summaries()["loss"].mean == 2.5
    tracker.record("accuracy", 1.0, 0)
    assert summaries()["accuracy"].last == 1.0
    tracker.end_run()
    assert summaries()["loss"].mean == 2.5


def test_summaries_that_are_not_stored_are_computed_once(tmp_path, experiment, monkeypatch):
    from tracking import live

    with closing(ExperimentDBManager(tmp_path / "e.db")) as db:
        run_id = db.create_run("slow")
        for step in range(5):
            db.record(run_id, "loss", step, 1.0)
    reads = []
    original = live.LiveDBManager._summarized

    def counted(self, run):
        reads.append(run.run_id)
        return original(self, run)

    monkeypatch.setattr(live.LiveDBManager, "_summarized", counted)
    for _ in range(3):
        assert experiment.ask(lambda db: db.read_summaries(run_id))["loss"].n == 5
    assert len(reads) == 1
    with closing(ExperimentDBManager(tmp_path / "e.db")) as db:
        db.record(run_id, "loss", 5, 2.0)
    assert experiment.ask(lambda db: db.read_summaries(run_id))["loss"].n == 6


RECORDING = """
import os, random, signal, sys, time
from tracking import Tracker
folder, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
chance = random.Random(seed)
over_at = time.monotonic() + seconds
number = 0
while time.monotonic() < over_at:
    tracker = Tracker(folder)
    tracker.set_experiment("e")
    for _ in range(chance.randint(1, 3)):
        run_id = tracker.start_run(f"{seed}-{number}")
        n = chance.choice([0, 1, 5, 300, 5_000])
        for step in range(n):
            tracker.record("loss", step / 2, step)
            if chance.random() < 0.002:
                tracker.get_records(run_id, "loss")
            if n < 1_000 or step % 100 == 0:
                os.write(1, f"{seed}-{number} {step + 1}\\n".encode())
        tracker.end_run(is_durable=False)
        number += 1
    tracker.close()
"""


@contextmanager
def recorders(folder, n, seconds):
    """Processes that record, drain and remove their segments; what they have done, as it grows."""
    acked = {}

    def follow(process):
        for line in process.stdout:
            name, n_records = line.split()
            acked[name] = int(n_records)

    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RECORDING, str(folder), str(seed), str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(n)
    ]
    threads = [threading.Thread(target=follow, args=(one,)) for one in processes]
    for thread in threads:
        thread.start()
    try:
        yield acked, lambda: any(one.poll() is None for one in processes)
    finally:
        for process in processes:
            assert process.wait() == 0
            process.stdout.close()
        for thread in threads:
            thread.join()


def look_at_all(experiment, acked, n_newest=4):
    """Compare what is read with what had been recorded before: nothing lost, nothing twice."""
    before = dict(acked)

    def read(db):
        runs = db.find_runs()
        return [run.name for run in runs], {
            run.name: db.series(run.run_id, "loss").steps.tolist() for run in runs[:n_newest]
        }

    names, series = experiment.ask(read)
    assert len(set(names)) == len(names)
    assert before.keys() <= set(names)
    for name, steps in series.items():
        assert steps == list(range(len(steps))), name
        assert len(steps) >= before.get(name, 0), name


@pytest.mark.parametrize(
    "seconds", [2.0, pytest.param(60.0, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_nothing_is_lost_or_doubled_while_others_record_and_drain(tmp_path, experiment, seconds):
    with recorders(tmp_path, 3, seconds) as (acked, is_going_on):
        while not (tmp_path / "e.db").exists():
            time.sleep(0.01)
        n_looks = 0
        while is_going_on():
            try:
                look_at_all(experiment, acked)
            except StoreError:
                if n_looks:
                    raise
                continue  # it is just being created
            n_looks += 1
    assert n_looks >= 10
    look_at_all(experiment, acked, n_newest=10**6)
    with closing(ExperimentDBManager(tmp_path / "e.db", is_read_only=True)) as db:
        assert db.integrity_problems() == []


def test_what_a_dead_process_left_is_read_until_it_is_brought_home(tmp_path, experiment):
    script = (
        "import os, signal, sys; from tracking import Tracker; t = Tracker(sys.argv[1]);"
        "t.set_experiment('e'); t.start_run('killed'); t.record('loss', 0.5, 0);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert steps_of(experiment, 1) == [0]
    assert experiment.ask(lambda db: db.abandoned()) == {1}
    with closing(ExperimentDBManager(tmp_path / "e.db")) as db:
        recover(db)
    assert steps_of(experiment, 1) == [0]
    run = experiment.ask(lambda db: db.get_run(1))
    assert (run.ended_by, experiment.ask(lambda db: db.abandoned())) == ("crashed", set())


def test_a_living_process_is_not_taken_for_gone(tracker, experiment):
    tracker.start_run("running")
    assert experiment.ask(lambda db: db.abandoned()) == set()


# Between the two reads: each order of events a reader can meet


def drained_after_a_look(tracker, experiment, monkeypatch, do):
    """Have something done between the look at the segments and the look at the database."""
    original = experiment.journal.advance

    def advance():
        seen = original()
        monkeypatch.setattr(experiment.journal, "advance", original)
        do()
        return seen

    monkeypatch.setattr(experiment.journal, "advance", advance)


@pytest.mark.parametrize("what", ["drain", "end", "close", "record"])
@pytest.mark.parametrize("n_before", [0, 1])
def test_what_happens_between_two_looks_is_seen_once(
    tracker, experiment, monkeypatch, what, n_before
):
    run_id = tracker.start_run("live")
    for step in range(3):
        tracker.record("loss", 1.0, step)
        if step < n_before:
            tracker.get_records(run_id, "loss")
    do = {
        "drain": lambda: tracker.get_records(run_id, "loss"),
        "end": tracker.end_run,
        "close": tracker.close,  # which removes the segment, and the note how far it was drained
        "record": lambda: tracker.record("loss", 1.0, 3),
    }
    drained_after_a_look(tracker, experiment, monkeypatch, do[what])
    assert steps_of(experiment, run_id) == [0, 1, 2]


def test_a_segment_removed_right_after_our_moment_is_not_missed(experiment, monkeypatch, tmp_path):
    monkeypatch.setattr("tracking.connection.BUSY_TIMEOUT_S", 0.05)  # we are in the way, for once
    tracker = Tracker(tmp_path)
    tracker.set_experiment("e")
    run_id = tracker.start_run("live")
    tracker.record("loss", 1.0, 0)
    original = Snapshot.moment
    is_done = []

    @contextmanager
    def moment(self):
        with original(self) as connection:
            if not is_done:
                is_done.append(tracker.close())
            yield connection

    monkeypatch.setattr(Snapshot, "moment", moment)
    assert steps_of(experiment, run_id) == [0]


# In nobody's way


def test_a_writer_closes_its_database_while_readers_come_and_go(tracker, experiment, tmp_path):
    """To move the -wal into it takes those readers gone alone that came before."""
    tracker.start_run("live")
    tracker.record("loss", 0.5, 0)
    is_over = threading.Event()

    def read():
        while not is_over.is_set():
            experiment.ask(lambda db: (db.find_runs(), time.sleep(0.02)))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    tracker.end_run()
    before = (tmp_path / "e.db").stat().st_size
    tracker.close()
    is_over.set()
    for reader in readers:
        reader.join()
    wal = tmp_path / "e.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0
    assert (tmp_path / "e.db").stat().st_size >= before


def test_a_reader_that_took_over_the_slot_of_an_earlier_one_is_not_waited_for(tracker, tmp_path):
    """SQLite would wait as long as somebody is there: readers may hand the slot on for ever."""
    tracker.start_run("live")

    def begin():
        reader = sqlite3.connect(tmp_path / "e.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM runs").fetchone()
        return reader

    reader = begin()
    tracker.end_run()
    closer = threading.Thread(target=tracker.close)
    closer.start()
    time.sleep(0.05)  # it waits for the reader now
    reader.close()
    reader = begin()
    while closer.is_alive():
        following = begin()
        reader.close()
        reader = following
        closer.join(0.002)
    assert (tmp_path / "e.db-wal").stat().st_size == 0
    reader.close()


# The database


def test_a_database_at_rest_is_read_without_a_trace(tracker, experiment, tmp_path):
    tracker.start_run("ended")
    tracker.end_run()
    tracker.close()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    experiment.ask(lambda db: db.find_runs())
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_what_was_read_of_a_file_that_changed_meanwhile_is_read_again(tracker, tmp_path):
    tracker.start_run("first")
    tracker.end_run()
    tracker.close()
    experiment = LiveExperiment(tmp_path / "e.db")
    n_asked = []

    def question(db):
        n_asked.append(len(db.find_runs()))
        if len(n_asked) < 3:
            tracker.set_experiment("e")
            tracker.start_run(f"{len(n_asked)}")
            tracker.end_run()
            tracker.close()
        return n_asked[-1]

    assert experiment.ask(question) == 3
    assert n_asked == [1, 2, 3]


def test_a_file_that_changes_all_the_time_is_said_to_be_busy(tracker, tmp_path, monkeypatch):
    tracker.start_run("first")
    tracker.end_run()
    tracker.close()
    path = tmp_path / "e.db"
    monkeypatch.setattr("tracking.live._MOST_ATTEMPTS", 3)
    stamps = iter(range(10))

    def question(_db):
        os.utime(path, ns=(0, next(stamps)))

    with pytest.raises(StoreBusyError, match="try again"):
        LiveExperiment(path).ask(question)


def test_an_error_met_in_a_file_that_changed_is_no_error(tracker, tmp_path):
    tracker.start_run("first")
    tracker.end_run()
    tracker.close()
    path = tmp_path / "e.db"
    torn = Snapshot(path)

    def read():
        with torn.moment():
            os.utime(path, ns=(0, 0))
            raise StoreError("torn")

    with closing(torn), pytest.raises(TornReadError):
        read()


def test_a_file_written_a_moment_ago_is_waited_for(tracker, tmp_path, monkeypatch):
    tracker.start_run("first")
    tracker.end_run()
    tracker.close()
    waits = []
    monkeypatch.setattr(snapshot.time, "sleep", waits.append)
    now = time.time_ns()
    monkeypatch.setattr(snapshot.time, "time_ns", lambda: now + len(waits) * 10_000_000)
    os.utime(tmp_path / "e.db", ns=(now, now - 1))
    LiveExperiment(tmp_path / "e.db").ask(lambda db: db.find_runs())
    assert len(waits) == 2


def test_versions_differ_whenever_an_answer_may(tracker, experiment):
    def version():
        while (found := experiment.version()) is None:
            pass
        return found

    found = [version()]
    tracker.start_run("running")
    found.append(version())
    tracker.record("loss", 0.5, 0)
    found.append(version())
    tracker.end_run()
    found.append(version())
    assert len(set(found)) == 4
    assert version() == found[-1]


def test_the_series_of_the_original_are_found_without_reading_every_record_for_each_run(tmp_path):
    path = tmp_path / "original.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT, created_at REAL, status TEXT,"
            " config TEXT);"
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE records (id INTEGER PRIMARY KEY, run_id INTEGER, metric_id INTEGER,"
            " step INTEGER, value REAL, wall_time REAL);"
            "INSERT INTO metrics VALUES (1, 'loss');"
        )
        runs = [(n, f"{n}", 1e9 + n, "completed", json.dumps({"n": n})) for n in range(1, 201)]
        connection.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?)", runs)
        rows = [(run, 1, step, 0.5, 1e9) for run in range(1, 201) for step in range(5)]
        connection.executemany(
            "INSERT INTO records (run_id, metric_id, step, value, wall_time)"
            " VALUES (?, ?, ?, ?, ?)",
            rows,
        )
        connection.commit()
    before = path.read_bytes()
    experiment = LiveExperiment(path)
    runs = experiment.ask(lambda db: db.find_runs())
    assert [(run.run_id, run.metrics, run.num_records) for run in runs[:2]] == [
        (200, ["loss"], [5]),
        (199, ["loss"], [5]),
    ]
    assert steps_of(experiment, 7) == list(range(5))
    assert experiment.ask(lambda db: db.get_images(7)) == {}  # an old one has no such table
    assert path.read_bytes() == before


# Columns


@pytest.mark.parametrize(
    ("parts", "steps"),
    [
        ([], []),
        ([[]], []),
        ([[3, 1, 2]], [1, 2, 3]),
        ([[1, 5], [2], []], [1, 2, 5]),
        ([[2, 2], [2]], [2, 2, 2]),
    ],
)
def test_parts_of_a_series_are_joined_in_order(parts, steps):
    import numpy as np

    columns = [
        Columns(np.array(part, np.int64), np.arange(len(part)) * 1.0, np.zeros(len(part)))
        for part in parts
    ]
    found = joined(columns)
    assert found.steps.tolist() == steps
    assert all(len(column) == len(steps) for column in found)
    assert found.between(2, None).steps.tolist() == [step for step in steps if step >= 2]


def test_the_writers_segment_is_as_it_was_when_others_have_read_it(tracker, experiment, tmp_path):
    tracker.start_run("live")
    for step in range(10):
        tracker.record("loss", random.random(), step)
    (path,) = journal_folder(tmp_path / "e.db").glob("*.segment")
    before = path.read_bytes()
    steps_of(experiment, 1)
    assert path.read_bytes() == before
    assert read_segment(path)[1].n_damaged == 0


def test_runs_that_are_at_home_cost_no_look_into_their_segment(tracker, experiment, monkeypatch):
    """A session of tests leaves thousands of them behind in the segment it goes on writing."""
    for number in range(5):
        tracker.start_run(f"{number}")
        tracker.record("loss", 0.5, number)
        tracker.end_run()
    tracker.start_run("going on")
    for step in range(10):
        tracker.record("loss", 0.5, step)

    def fail(*_):
        raise AssertionError("the segment was read")

    experiment.ask(lambda db: db.find_runs())
    monkeypatch.setattr("tracking.tail.SegmentTail.frames", fail)
    runs = experiment.ask(lambda db: db.find_runs())
    assert [run.num_records for run in runs] == [[10], *[[1]] * 5]
    summaries = experiment.ask(lambda db: db.summaries_of(runs))
    assert [one["loss"].n for one in summaries.values()] == [10, *[1] * 5]


def test_a_segment_with_a_run_of_no_uuid_spoils_nothing(tracker, experiment, tmp_path):
    from tracking.events import NewRun, encode
    from tracking.journal import SegmentWriter

    tracker.start_run("live")
    writer = SegmentWriter(journal_folder(tmp_path / "e.db"))
    writer.append_event(encode(NewRun("odd", {}, "no uuid at all", 1.0)))
    assert [run.name for run in experiment.ask(lambda db: db.find_runs())] == ["live"]
    writer.remove()
