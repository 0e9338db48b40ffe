"""Many processes open, hold, read and write one experiment, and none gets in the way of another."""

from __future__ import annotations

import sqlite3
import struct
import threading
from contextlib import closing

import pytest

from tracking import (
    ExperimentDBManager,
    NotAnExperimentError,
    StoreBusyError,
    StoreError,
    Tracker,
    connection,
    schema,
)

# Opens fresh experiments one after another, each at the same moment as the other processes.
OPENING = """
import sys, time
import tracking as sg

folder, number, n_processes, n_stores = sys.argv[1], *map(int, sys.argv[2:])
tracker = sg.Tracker(folder)
print("ready", flush=True)
sys.stdin.readline()
for store in range(n_stores):
    with open(f"{folder}/at {store}", "ab", buffering=0) as barrier:
        barrier.write(b".")
        while barrier.seek(0, 2) < n_processes:
            time.sleep(0.0002)
    tracker.set_experiment(f"e{store}")
    tracker.start_run(str(number))
    tracker.record("loss", number, store)
    tracker.end_run(is_durable=False)
    tracker.close()
"""


@pytest.mark.parametrize("n_stores", [10, pytest.param(125, marks=pytest.mark.slow)])
def test_a_fresh_store_can_be_opened_by_many_at_once(children, tmp_path, figure, n_stores):
    n_processes = 8
    started = [
        children.start(OPENING, tmp_path, number, n_processes, n_stores)
        for number in range(n_processes)
    ]
    for child in started:
        assert child.stdout.readline() == "ready\n"
    for child in started:
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in started:
        assert child.communicate(timeout=300) == ("", "")
        assert child.returncode == 0
    for number in range(n_stores):
        with closing(sqlite3.connect(tmp_path / f"e{number}.db")) as database:
            assert database.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            found = database.execute(
                "SELECT r.name, c.value, r.status FROM runs AS r JOIN records AS c"
                " ON c.run_id = r.id ORDER BY CAST(r.name AS INTEGER)"
            ).fetchall()
        assert found == [(str(i), float(i), "completed") for i in range(n_processes)]
    figure(f"{n_stores * n_processes} first opens of {n_stores} fresh stores: 0 failed")


@pytest.mark.parametrize("is_read_only", [False, True])
def test_a_store_that_is_born_while_we_look_at_it_is_not_taken_for_somebody_else_s(
    store, monkeypatch, is_read_only
):
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("CREATE TABLE x (y)")
        other.execute("DROP TABLE x")  # so that there is a -wal to be read
        tables_of = schema._tables

        def late(connection):
            with monkeypatch.context() as patch:
                patch.setattr(schema, "_tables", tables_of)
                if not schema.is_current(other):
                    schema.migrate(other)
            return tables_of(connection)

        monkeypatch.setattr(schema, "_tables", late)
        with closing(ExperimentDBManager(store.path, is_read_only=is_read_only)) as db:
            if is_read_only:  # what it sees is what there was: nothing
                with pytest.raises(StoreError, match="older schema"):
                    db.get_all_runs()
            assert db.get_all_runs() == []


def test_many_bring_home_the_same_dead_process_once(children, store):
    n_segments, n_records = 10, 50
    dying = f"""
import os, sys
import tracking as sg
tracker = sg.Tracker(sys.argv[1])
tracker.set_experiment("e")
tracker.start_run()
for step in range({n_records}):
    tracker.record("loss", step / 2, step)
tracker.leave_note(sg.Note.TERMINATED)
print("ready", flush=True)
sys.stdin.readline()
os._exit(1)
"""
    recovering = """
import sys
from tracking import ExperimentDBManager, recover
db = ExperimentDBManager(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
found = recover(db)
print(found.n_records, len(found.runs), found.damaged)
db.close()
"""
    for script, arguments, n in ((dying, store.folder, n_segments), (recovering, store.path, 4)):
        started = [children.start(script, arguments) for _ in range(n)]
        for child in started:
            assert child.stdout.readline() == "ready\n"
        found = [child.communicate("go\n", timeout=60) for child in started]
        assert [stderr for _, stderr in found] == [""] * n
    counts = [stdout.split(maxsplit=2) for stdout, _ in found]
    assert sum(int(count) for count, _, _ in counts) == n_segments * n_records
    assert sum(int(count) for _, count, _ in counts) == n_segments
    assert {damaged for _, _, damaged in counts} == {"[]\n"}
    assert {(run.status, run.ended_by) for run in store.runs()} == {("failed", "killed")}
    assert store.records() == n_segments * [(step, step / 2) for step in range(n_records)]
    assert store.segments() == []
    store.check()


def test_four_processes_record_into_one_experiment(children, store):
    n_processes, n_runs, n_records = 4, 5, 1000
    script = """
import sys
import tracking as sg
tracker = sg.Tracker(sys.argv[1])
tracker.set_experiment("e")
for number in range(int(sys.argv[3])):
    with tracker.run(f"{sys.argv[2]}.{number}"):
        for step in range(int(sys.argv[4])):
            tracker.record("loss", step / 2, step)
        assert tracker.summary()["loss"]["n"] == int(sys.argv[4])
"""
    started = [
        children.start(script, store.folder, number, n_runs, n_records)
        for number in range(n_processes)
    ]
    for child in started:
        assert child.communicate(timeout=60) == ("", "")
    names = sorted(run.name for run in store.runs())
    assert names == [f"{i}.{j}" for i in range(n_processes) for j in range(n_runs)]
    series = [(step, step / 2) for step in range(n_records)]
    assert store.records() == n_processes * n_runs * series
    assert store.segments() == []
    store.check()


# SQLite's rollback journal (sqlite.org/fileformat.html, section 3): how many pages there were.
ROLLBACK_MAGIC = bytes.fromhex("d9d505f920a163d7")
TORN_PAGE = b"\xa5" * 4096


def rollback_journal(n_pages_before):
    header = struct.pack(">8sIIIII", ROLLBACK_MAGIC, 0, 1, n_pages_before, 512, 4096)
    return header.ljust(512, b"\0")


def test_a_database_that_the_power_was_cut_from_before_it_was_born_is_made_anew(store):
    store.path.write_bytes(TORN_PAGE)
    (store.folder / "e.db-journal").write_bytes(rollback_journal(0))
    with closing(Tracker(store.folder)) as tracker:
        tracker.set_experiment("e")
        with tracker.run("first"):
            tracker.record("loss", 1.0, 0)
    assert store.records() == [(0, 1.0)]
    store.check()


def test_one_that_had_pages_already_is_somebody_else_s_and_left_alone(store):
    store.path.write_bytes(TORN_PAGE)
    (store.folder / "e.db-journal").write_bytes(rollback_journal(1))
    with pytest.raises(NotAnExperimentError):
        Tracker(store.folder).set_experiment("e")
    assert store.path.read_bytes() == TORN_PAGE
    assert (store.folder / "e.db-journal").read_bytes() == rollback_journal(1)


# Locks

HOLDING = """
import fcntl, sqlite3, sys
which, path = sys.argv[1:]
if which == "lock file":
    file = open(path[:-3] + ".journal/lock", "r+b")
    fcntl.flock(file, fcntl.LOCK_EX)
else:  # another program, which knows nothing of our lock
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
print("ready", flush=True)
sys.stdin.readline()
"""
IMPATIENT_S = 0.2


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", IMPATIENT_S)


@pytest.mark.parametrize("which", ["lock file", "another program"])
def test_while_somebody_holds_the_lock_recording_goes_on_and_its_data_waits(
    children, store, impatient, which
):
    tracker = Tracker(store.folder)
    tracker.set_experiment("e")
    run_id = tracker.start_run("held up")
    tracker.record("loss", 1.0, 0)
    holder = children.start(HOLDING, which, store.path)
    assert holder.stdout.readline() == "ready\n"

    tracker.record("loss", 2.0, 1)
    assert tracker.summary()["loss"]["n"] == 2  # no database is needed for it
    with pytest.raises(StoreBusyError, match=r"in use by another (process|program)"):
        tracker.end_run()
    with pytest.raises(StoreBusyError):
        tracker.start_run()
    assert tracker.current_run_id is None

    holder.communicate("go\n", timeout=60)
    tracker.close()  # the end of the run comes late
    assert store.records() == [(0, 1.0), (1, 2.0)]
    (run,) = store.runs()
    assert (run.run_id, run.status, run.ended_by) == (run_id, "completed", "finished")
    assert store.segments() == []
    store.check()


def test_what_could_not_be_stored_until_the_process_ended_is_found_by_the_next(children, store):
    with closing(Tracker(store.folder)) as tracker:
        tracker.set_experiment("e")
    holder = children.start(HOLDING, "lock file", store.path)
    assert holder.stdout.readline() == "ready\n"
    script = f"""
import sys
import tracking as sg, tracking.connection
tracker = sg.Tracker(sys.argv[1])
tracker.set_experiment("e")
tracker.start_run()
print("ready", flush=True)
sys.stdin.readline()
tracking.connection.BUSY_TIMEOUT_S = {IMPATIENT_S}
for step in range(100):
    tracker.record("loss", step / 2, step)
try:
    tracker.end_run()
except sg.StoreBusyError:
    print("busy")
"""
    holder.communicate("go\n", timeout=60)
    child = children.start(script, store.folder)
    assert child.stdout.readline() == "ready\n"
    holder = children.start(HOLDING, "lock file", store.path)
    assert holder.stdout.readline() == "ready\n"
    assert child.communicate("go\n", timeout=60) == ("busy\n", "")
    assert child.returncode == 0
    holder.communicate("go\n", timeout=60)
    assert len(store.segments()) == 1
    assert store.recover().n_records == 100
    assert store.records() == [(step, step / 2) for step in range(100)]
    assert store.segments() == []


def test_a_reader_that_goes_on_to_write_never_meets_a_snapshot_that_is_too_old(store):
    # A deferred transaction that has read and then writes fails at once (SQLITE_BUSY_SNAPSHOT) when
    # another connection has committed meanwhile, however long it would wait.
    first, second = ExperimentDBManager(store.path), ExperimentDBManager(store.path)
    run_id = first.create_run()
    for step in range(20):
        reader, writer = (first, second) if step % 2 else (second, first)
        assert len(reader.get_records(run_id, "loss")) == 2 * step
        writer.record(run_id, "loss", 2 * step, step / 2)
        reader.record(run_id, "loss", 2 * step + 1, step / 2)
    for db in (first, second):
        assert [record.step for record in db.get_records(run_id, "loss")] == list(range(40))
        db.close()
    store.check()


def test_every_transaction_that_writes_begins_by_asking_for_the_lock(store):
    statements = []
    db = ExperimentDBManager(store.path)
    run_id = db.create_run()
    db._db._connection.set_trace_callback(statements.append)
    db.record(run_id, "loss", 0, 1.0)
    db.save_text(run_id, "text", 0, "content")
    db.update_run_status(run_id, "completed")
    db.read_summaries(run_id)
    db.delete_run(run_id)
    db._db._connection.set_trace_callback(None)
    db.close()
    begins = [statement for statement in statements if statement.startswith("BEGIN")]
    assert len(begins) >= 4
    assert set(begins) == {"BEGIN IMMEDIATE"}


@pytest.mark.parametrize("n_bytes", [1 << 18, pytest.param(5 << 20, marks=pytest.mark.slow)])
def test_a_long_reader_neither_stops_writing_nor_sees_it(store, monkeypatch, n_bytes):
    checkpoint_from = 4 * n_bytes
    monkeypatch.setattr(connection, "_CHECKPOINT_FROM_BYTES", checkpoint_from)
    n_rounds = 20
    writer = ExperimentDBManager(store.path)
    run_id = writer.create_run()
    writer.save_text(run_id, "text", 0, "short")
    with closing(sqlite3.connect(store.path)) as reader:
        cursor = reader.execute("SELECT step FROM texts UNION ALL SELECT step FROM texts")
        assert cursor.fetchone() == (0,)
        for number in range(n_rounds):
            writer.save_text(run_id, "text", number + 1, "x" * n_bytes)
            (grown_to,) = [path.stat().st_size for path in store.folder.glob("e.db-wal")]
        assert grown_to > n_rounds * n_bytes  # nothing of it can be let go while somebody reads
        assert cursor.fetchall() == [(0,)]
        reader.rollback()
    for number in range(6):  # until the next checkpoint is due, and once more
        writer.save_text(run_id, "text", n_rounds + number + 1, "x" * n_bytes)
    (grown_to,) = [path.stat().st_size for path in store.folder.glob("e.db-wal")]
    assert grown_to < checkpoint_from
    writer.close()
    assert not list(store.folder.glob("e.db-wal"))
    with closing(ExperimentDBManager(store.path)) as db:
        assert len(db.get_texts(run_id)["text"]) == n_rounds + 7
    store.check()


def test_our_reads_are_over_when_the_call_returns(store, impatient):
    db = ExperimentDBManager(store.path)
    run_id = db.create_run()
    db.record(run_id, "loss", 0, 1.0)
    readers = (
        db.get_all_runs,
        lambda: db.get_run(run_id),
        lambda: db.get_records(run_id, "loss"),
        lambda: db.get_metrics(run_id),
        lambda: db.get_metric_summary(run_id),
        lambda: db.get_texts(run_id),
        lambda: db.get_comp_graphs(run_id),
        db.integrity_problems,
    )
    for read in readers:
        read()
        with closing(sqlite3.connect(store.path, timeout=0)) as other:
            # Fails, or says that it was busy, as long as somebody still reads.
            other.execute("UPDATE runs SET name = name")
            other.commit()
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    db.close()


def test_threads_share_a_manager(store):
    db = ExperimentDBManager(store.path)
    run_ids = [db.create_run(str(number)) for number in range(4)]
    failures = []

    def work(run_id):
        try:
            for step in range(50):
                db.record(run_id, "loss", step, step / 2)
                assert len(db.get_records(run_id, "loss")) == step + 1
        except BaseException as error:  # noqa: BLE001  # a thread tells nobody
            failures.append(error)

    threads = [threading.Thread(target=work, args=(run_id,)) for run_id in run_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.close()
    assert failures == []
    assert store.records() == 4 * [(step, step / 2) for step in range(50)]
    store.check()
