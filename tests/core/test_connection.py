"""The one place that opens SQLite: who may open what, what is set aside, what errors become."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tracking import ExperimentDBManager, Tracker, TrackingWarning, connection, filesystem, schema
from tracking.connection import Connection
from tracking.errors import (
    NewerSchemaError,
    NotAnExperimentError,
    RunNotFoundError,
    StoreBusyError,
    StoreError,
)

ASSETS = Path(__file__).parents[1] / "assets"
NEW_ONE = "SELECT COUNT(*) FROM runs"


@pytest.fixture
def path(tmp_path):
    """A database of ours with one run, complete in its one file."""
    path = tmp_path / "e.db"
    with closing(ExperimentDBManager(path)) as db:
        db.record(db.create_run("first"), "loss", 0, 0.5)
    return path


def query(path, statement):
    with closing(sqlite3.connect(path)) as plain:
        rows = plain.execute(statement).fetchall()
        plain.commit()
    return rows


def names(path):
    with closing(ExperimentDBManager(path)) as db:
        return [run.name for run in db.get_all_runs()]


def patch_bytes(path, offset, data):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def files(folder):
    """Return all files below a folder with their contents."""
    return {file: file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


# SQLite that fails


class Failing(sqlite3.Connection):
    """Fails statements that begin with a text, with a code, a number of times."""

    statement, code, times = "", 0, 0

    def execute(self, sql, *values):
        if sql.startswith(Failing.statement) and Failing.times > 0:
            Failing.times -= 1
            error = sqlite3.OperationalError("made to fail")
            error.sqlite_errorcode = Failing.code
            raise error
        return super().execute(sql, *values)


@pytest.fixture
def fail(monkeypatch):
    """Make statements fail from now on."""
    connect = sqlite3.connect

    def failing(*arguments, **named):
        return connect(*arguments, **named, factory=Failing)

    monkeypatch.setattr(sqlite3, "connect", failing)
    monkeypatch.setattr(Failing, "times", 0)

    def fail(statement, code, times=1):
        Failing.statement, Failing.code, Failing.times = statement, code, times

    return fail


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (sqlite3.SQLITE_BUSY, StoreBusyError, "in use by another program"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreBusyError, "in use by another program"),
        (sqlite3.SQLITE_LOCKED, StoreBusyError, "in use by another program"),
        (sqlite3.SQLITE_FULL, StoreError, "cannot use"),
        (sqlite3.SQLITE_IOERR_WRITE, StoreError, "cannot use"),
        (sqlite3.SQLITE_CANTOPEN, StoreError, "cannot use"),
        (0, StoreError, "cannot use"),
    ],
)
def test_errors_of_sqlite_become_ours_and_name_the_file(path, fail, code, error, message):
    with closing(ExperimentDBManager(path)) as db:
        db.init_exp_db()
        fail("INSERT INTO runs", code)
        with pytest.raises(error, match=message) as caught:
            db.create_run()
        assert type(caught.value) is error
        assert str(path) in str(caught.value)
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert db.create_run("after") == 2


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT INTO runs", "COMMIT", "PRAGMA synchronous"])
def test_a_statement_that_fails_leaves_nothing_and_keeps_nobody_out(path, fail, statement):
    with closing(ExperimentDBManager(path)) as db, closing(ExperimentDBManager(path)) as other:
        db.init_exp_db()
        fail(statement, sqlite3.SQLITE_IOERR)
        with pytest.raises(StoreError), db._db.writing(is_durable=True) as found:
            found.execute("INSERT INTO runs (name, created_at) VALUES ('half', 0)")
        assert [run.name for run in other.get_all_runs()] == ["first"]
        assert other.create_run("second") == 2
        assert db.create_run("third") == 3


def test_a_rollback_that_fails_too_loses_the_connection_and_nothing_else(path, fail, monkeypatch):
    with closing(ExperimentDBManager(path)) as db:
        db.init_exp_db()
        fail(("COMMIT", "ROLLBACK"), sqlite3.SQLITE_IOERR, times=2)
        with pytest.raises(StoreError, match="made to fail"):
            db.create_run("half")
        assert db.create_run("after") == 2
    assert names(path) == ["after", "first"]


# Flushing


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC])
def test_once_a_flush_failed_nothing_is_called_durable_any_more(path, fail, code):
    with closing(ExperimentDBManager(path)) as db:
        db.init_exp_db()
        fail("COMMIT", code)
        with pytest.raises(StoreError, match="made to fail"), db._db.writing(is_durable=True):
            pass
        for name in ("second", "third"):
            with pytest.raises(StoreError, match="flush to its disk has failed"):
                insert_durably(db, name)
        assert db.create_run("not durable") == 4
    assert names(path) == ["not durable", "third", "second", "first"]
    with (
        closing(ExperimentDBManager(path)) as again,
        pytest.raises(StoreError, match="flush to its disk has failed"),
    ):
        insert_durably(again, "fifth")


def insert_durably(db, name):
    with db._db.writing(is_durable=True) as found:
        found.execute("INSERT INTO runs (name, created_at) VALUES (?, ?)", (name, time.time()))


@pytest.mark.parametrize("is_durable", [False, True])
def test_a_durable_commit_is_a_full_one_and_no_other_is(path, is_durable):
    with closing(ExperimentDBManager(path)) as db:
        with db._db.writing(is_durable=is_durable) as found:
            assert found.execute("PRAGMA synchronous").fetchone() == (1 + is_durable,)
        with db._db.reading() as found:
            assert found.execute("PRAGMA synchronous").fetchone() == (1,)


# Read-only


def test_a_read_only_manager_reads_and_leaves_no_trace(path):
    before = files(path.parent)
    with closing(ExperimentDBManager(path, is_read_only=True)) as db:
        assert [run.name for run in db.get_all_runs()] == ["first"]
        assert db.get_records(1, "loss")[0].value == 0.5
        for call in (db.create_run, lambda: db.record(1, "loss", 1, 1.0), lambda: db.delete_run(1)):
            with pytest.raises(StoreError, match="for reading only; open it without is_read_only"):
                call()
        assert db.integrity_problems() == []
    assert files(path.parent) == before


def test_a_read_only_manager_sees_what_a_writer_has_not_checkpointed(path):
    with closing(ExperimentDBManager(path)) as writer:
        writer.create_run("second")
        with closing(ExperimentDBManager(path, is_read_only=True)) as reader:
            assert [run.name for run in reader.get_all_runs()] == ["second", "first"]
            writer.create_run("third")
            assert len(reader.get_all_runs()) == 3


def test_a_read_only_manager_makes_nothing(tmp_path):
    path = tmp_path / "nothing" / "e.db"
    db = ExperimentDBManager(path, is_read_only=True)
    for call in (db.init_exp_db, db.get_all_runs, db.create_run):
        with pytest.raises(StoreError):
            call()
    assert not db.check_connection()
    assert not path.parent.exists()


@pytest.mark.parametrize("is_read_only", [False, True])
def test_an_older_schema_cannot_be_read_where_it_cannot_be_changed(
    tmp_path, monkeypatch, is_read_only
):
    path = tmp_path / "e.db"
    shutil.copy(next(ASSETS.glob("original*.db")), path)
    if not is_read_only:
        monkeypatch.setattr(os, "access", lambda place, mode: False)
    before = files(tmp_path)
    db = ExperimentDBManager(path, is_read_only=is_read_only)
    with pytest.raises(StoreError, match="older schema"):
        db.get_all_runs()
    assert files(tmp_path) == before


def test_where_nothing_can_be_written_a_tracker_still_reads(path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    before = files(path.parent)
    tracker = Tracker(path.parent)
    tracker.set_experiment("e")
    assert [run.name for run in tracker.get_all_runs()] == ["first"]
    assert tracker.summary(1)["loss"]["last"] == 0.5
    with pytest.raises(StoreError):
        tracker.start_run()
    tracker.close()
    assert {file for file in files(path.parent) if file.suffix != ".segment"} == set(before)


def test_what_became_writable_again_is_written_again(path, monkeypatch):
    with closing(ExperimentDBManager(path)) as db:
        with monkeypatch.context() as patch:
            patch.setattr(os, "access", lambda place, mode: False)
            assert len(db.get_all_runs()) == 1
        assert db.create_run("second") == 2
        assert len(db.get_all_runs()) == 2


# Network file systems


def test_on_a_network_there_is_no_wal(tmp_path, monkeypatch):
    monkeypatch.setattr(filesystem, "is_network", lambda folder: True)
    with closing(ExperimentDBManager(tmp_path / "e.db")) as db:
        db.record(db.create_run("first"), "loss", 0, 0.5)
        assert query(db.db_path, "PRAGMA journal_mode") == [("delete",)]
        assert {file.name for file in tmp_path.iterdir()} == {"e.db", "e.journal"}
        assert db.get_records(1, "loss")[0].value == 0.5


def test_a_database_that_moved_to_a_network_loses_its_wal_and_gets_it_back(path, monkeypatch):
    for is_network, mode in ((True, "delete"), (False, "wal")):
        monkeypatch.setattr(filesystem, "is_network", lambda folder, found=is_network: found)
        with closing(ExperimentDBManager(path)) as db:
            db.create_run()
        assert query(path, "PRAGMA journal_mode") == [(mode,)]
    assert len(names(path)) == 3


# Damage


def lose_a_table(path):
    query(path, "DROP TABLE series")


def lose_a_column(path):
    query(path, "ALTER TABLE runs RENAME COLUMN verdict TO judgement")


def turn_a_table_into_a_view(path):
    query(path, "ALTER TABLE records RENAME TO hidden")
    query(path, "CREATE VIEW records AS SELECT * FROM hidden")


def lose_the_version(path):
    query(path, "PRAGMA user_version = 0")


def get_a_version_below_all(path):
    query(path, "PRAGMA user_version = -5")


def get_a_file_format_to_come(path):
    patch_bytes(path, 44, (9).to_bytes(4, "big"))


def get_a_read_version_to_come(path):
    patch_bytes(path, 18, b"\3\3")


def lose_its_end(path):
    os.truncate(path, 2 * 4096)


def get_a_first_page_of_noise(path):
    patch_bytes(path, 100, b"\xa5" * 3996)


DAMAGES = (
    *(lose_a_table, lose_a_column, turn_a_table_into_a_view),
    *(lose_the_version, get_a_version_below_all),
    *(get_a_file_format_to_come, get_a_read_version_to_come, lose_its_end),
    *(get_a_first_page_of_noise,),
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_of_ours_is_set_aside_and_recording_goes_on(path, damage):
    damage(path)
    content = path.read_bytes()
    with (
        closing(ExperimentDBManager(path)) as db,
        pytest.warns(TrackingWarning, match=r"e\.db is corrupt \(.+\); it was set aside as e\.db"),
    ):
        assert db.create_run("new") == 1
    (aside,) = path.parent.glob("e.db.corrupt-*")
    assert aside.read_bytes() == content
    assert names(path) == ["new"]
    assert not list(path.parent.glob("*-wal"))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_refused_where_it_cannot_be_set_aside(path, damage):
    damage(path)
    before = files(path.parent)
    db = ExperimentDBManager(path, is_read_only=True)
    with pytest.raises(StoreError, match=str(path)):
        db.get_all_runs()
    assert files(path.parent) == before


def test_databases_set_aside_in_one_second_do_not_replace_each_other(path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda layout: "20261123T120000")
    for n_aside in (1, 2, 3):
        lose_the_version(path)
        with pytest.warns(TrackingWarning), closing(ExperimentDBManager(path)) as db:
            db.create_run(f"{n_aside}")
        assert len(list(path.parent.glob("e.db.corrupt-*"))) == n_aside


def test_what_is_set_aside_takes_its_wal_along(path, tmp_path):
    writer = sqlite3.connect(path)
    writer.execute("INSERT INTO runs (name, created_at) VALUES ('in the wal', 0)")
    writer.execute("PRAGMA user_version = 0")
    writer.commit()
    copy = tmp_path / "copy" / "e.db"
    copy.parent.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    writer.close()
    with pytest.warns(TrackingWarning), closing(ExperimentDBManager(copy)) as db:
        db.create_run("new")
    (aside,) = copy.parent.glob("*.corrupt-*[0-9]")
    assert names(copy) == ["new"]
    assert [name for (name,) in query(aside, "SELECT name FROM runs")] == ["first", "in the wal"]


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("content", [b"", b"junk", bytes(range(256)) * 64])
def test_a_lone_file_of_sqlites_is_no_database_and_in_nobodys_way(tmp_path, suffix, content):
    path = tmp_path / "e.db"
    Path(f"{path}{suffix}").write_bytes(content)
    assert not ExperimentDBManager(path).check_connection()
    with closing(ExperimentDBManager(path)) as db:
        db.record(db.create_run("first"), "loss", 0, 0.5)
    assert names(path) == ["first"]
    assert query(path, "PRAGMA quick_check") == [("ok",)]


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("content", [b"", b"junk", bytes(range(256)) * 64])
def test_junk_beside_a_database_changes_nothing_in_it(path, suffix, content):
    Path(f"{path}{suffix}").write_bytes(content)
    assert names(path) == ["first"]


def test_a_database_without_its_wal_reads_as_far_as_it_was_checkpointed(path, tmp_path):
    with closing(ExperimentDBManager(path)) as db:
        db.create_run("in the wal only")
        lone = tmp_path / "lone" / "e.db"
        lone.parent.mkdir()
        shutil.copy(path, lone)
    assert names(lone) == ["first"]
    assert query(lone, "PRAGMA quick_check") == [("ok",)]


def test_what_another_process_is_just_writing_is_not_taken_for_damage(path, monkeypatch):
    # Without locks a reader may see half of a checkpoint; here it sees one that has just ended.
    seen = []

    def half_a_checkpoint(self):
        seen.append(self.path)
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    monkeypatch.setattr(Connection, "_refuse_what_is_not_ours", half_a_checkpoint)
    assert names(path) == ["first"]
    assert seen == [path]
    assert not list(path.parent.glob("*.corrupt-*"))


def test_a_whole_database_has_the_columns_that_are_asked_for(path):
    with closing(sqlite3.connect(path)) as plain:
        found = schema._plain_columns(plain)
    ours = {column for column in found if column[0] != "sqlite_sequence"}
    assert ours == schema._columns_of_ours()


def test_what_others_have_added_is_no_damage(path):
    for statement in (
        "ALTER TABLE runs ADD COLUMN mine TEXT",
        "CREATE TABLE theirs (id INTEGER PRIMARY KEY)",
        "CREATE VIEW seen AS SELECT * FROM runs",
        "CREATE INDEX their_index ON records (value)",
        "VACUUM",
    ):
        query(path, statement)
    with closing(ExperimentDBManager(path)) as db:
        assert db.create_run("second") == 2
    assert names(path) == ["second", "first"]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}", NewerSchemaError),
        ("PRAGMA application_id = 7", StoreError),
    ],
)
def test_what_may_be_somebody_elses_is_not_set_aside(path, statement, error):
    query(path, statement)
    runs = query(path, "SELECT * FROM runs")
    with pytest.raises(error):
        ExperimentDBManager(path).create_run()
    assert query(path, "SELECT * FROM runs") == runs
    assert not list(path.parent.glob("*.corrupt-*"))


def test_text_is_not_touched(tmp_path):
    path = tmp_path / "e.db"
    path.write_text("not a database")
    with pytest.raises(NotAnExperimentError):
        ExperimentDBManager(path).create_run()
    assert files(tmp_path) == {path: b"not a database"}


# A database that goes away while it is in use


def remove(path):
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def replace(path):
    remove(path)
    with closing(ExperimentDBManager(path)) as other:
        other.create_run("of another database")


def remove_everything(path):
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("vanish", [remove, replace, remove_everything])
def test_a_database_that_is_not_there_any_more_is_not_written_in_its_successor(path, vanish):
    db = ExperimentDBManager(path)
    db.create_run("mine")
    vanish(path)
    for call in (db.create_run, lambda: db.record(1, "loss", 1, 1.0), db.get_all_runs):
        with pytest.raises(StoreError, match="removed or replaced") as caught:
            call()
        assert "choose the experiment again" in str(caught.value)
    assert not db.is_usable()
    db.close()
    expected = ["of another database"] if vanish is replace else []
    assert db.create_run("mine again") == len(expected) + 1
    db.close()
    assert names(path) == ["mine again", *expected]


def test_records_of_a_run_whose_database_went_away_come_home_to_the_next(tmp_path):
    tracker, other = Tracker(tmp_path), Tracker(tmp_path)
    tracker.set_experiment("e")
    tracker.start_run("early")
    tracker.record("loss", 0.5, 0)
    remove(tmp_path / "e.db")
    with pytest.raises(StoreError, match="removed or replaced"):
        tracker.end_run()
    other.set_experiment("e")
    (run,) = other.get_all_runs()
    assert (run.name, run.status, run.ended_by) == ("early", "completed", "finished")
    assert [record.value for record in other.get_records(run.run_id, "loss")] == [0.5]
    assert other.start_run("late") == 2
    other.end_run()
    tracker.close()
    other.close()


def test_a_lock_file_that_was_removed_locks_nobody_out_and_nobody_in(path):
    with closing(ExperimentDBManager(path)) as db, closing(ExperimentDBManager(path)) as other:
        db.create_run()
        shutil.rmtree(path.with_suffix(".journal"))
        with other._db.writing(), other._db._lock:
            original = connection.BUSY_TIMEOUT_S
            connection.BUSY_TIMEOUT_S = 0.02
            try:
                with pytest.raises(StoreBusyError):
                    db.create_run()
            finally:
                connection.BUSY_TIMEOUT_S = original
        assert db.create_run() == 3


def test_what_turns_out_corrupt_in_use_is_set_aside_by_the_next_to_open_it(tmp_path):
    n_records = 5_000
    tracker, path = Tracker(tmp_path), tmp_path / "e.db"
    tracker.set_experiment("e")
    with tracker.run("sound"):
        for step in range(n_records):
            tracker.record("loss", 0.5, step)
    tracker.close()
    middle = path.stat().st_size // 2 // 4096 * 4096
    patch_bytes(path, middle, b"\xa5" * 4096)  # a page of records that opening does not visit

    run_id = tracker.start_run("meets the damage")
    tracker.record("loss", 0.25, 0)
    with pytest.raises(StoreError, match=r"corrupt .*; choose the experiment again to go on"):
        tracker.get_records(1, "loss")
    with pytest.raises(StoreError, match="corrupt"):
        tracker.end_run()
    with pytest.warns(TrackingWarning, match="set aside"):
        tracker.set_experiment("e")
    (run,) = tracker.get_all_runs()
    assert (run.name, run.ended_by) == ("meets the damage", "finished")
    assert [record.value for record in tracker.get_records(run.run_id, "loss")] == [0.25]
    with tracker.run("goes on"):
        tracker.record("loss", 0.125, 0)
    tracker.close()
    (aside,) = tmp_path.glob("e.db.corrupt-*[0-9]")
    assert [name for (name,) in query(aside, "SELECT name FROM runs ORDER BY id")][:run_id] == [
        "sound",
        "meets the damage",
    ]
    assert query(path, "PRAGMA quick_check") == [("ok",)]


def test_an_unknown_run_is_no_damage(path):
    with closing(ExperimentDBManager(path)) as db, pytest.raises(RunNotFoundError):
        db.get_records(99, "loss")
