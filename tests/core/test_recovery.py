"""What dead processes left is brought home once, whoever does it and however far they got."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import (
    ExperimentDBManager,
    Note,
    Recovery,
    StoreError,
    Tracker,
    TrackingWarning,
    dead_segments,
    journal,
    recover,
    recovery,
)
from tracking.journal import SegmentWriter, read_segment
from tracking.recovery import EndedBy, is_alive

NONE = Recovery(0, [], [])


def opened(folder):
    tracker = Tracker(folder)
    tracker.set_experiment("e")
    return tracker


LEAVING_RUNS_BEHIND = """
import os, signal, sys
from tracking import Note, Tracker
folder, *notes = sys.argv[1:]
tracker = Tracker(folder)
tracker.set_experiment("e")
for name in ("outer", "inner"):
    tracker.start_run(name)
    for step in range(3):
        tracker.record("loss", step / 2, step)
    tracker.record("acc", float("nan"), 0)
for note in notes:
    tracker.leave_note(Note(int(note)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def died(folder, *notes):
    """Let a process of its own die with two runs that have not ended."""
    arguments = [str(folder), *(str(int(note)) for note in notes)]
    command = [sys.executable, "-c", LEAVING_RUNS_BEHIND, *arguments]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (segment,) = dead_segments(folder / "e.db")
    return segment


@pytest.fixture(scope="module")
def remains(tmp_path_factory):
    """A folder in which a process has died; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("remains")
    died(folder, Note.CALL)
    return folder


@pytest.fixture
def folder(remains, tmp_path):
    shutil.copytree(remains, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def db(folder):
    with closing(ExperimentDBManager(folder / "e.db")) as db:
        yield db


def ends(db):
    return {run.name: (run.status, run.ended_by, run.phase) for run in db.get_all_runs()}


def series(db, name):
    return [
        [(record.step, record.value) for record in db.get_records(run.run_id, name)]
        for run in db.get_all_runs()
    ]


CRASHED = ("failed", "crashed", "call")


def check(db):
    """All is at home, once."""
    assert ends(db) == {"outer": CRASHED, "inner": CRASHED}
    assert series(db, "loss") == [[(step, step / 2) for step in range(3)]] * 2
    assert [len(rows) for rows in series(db, "acc")] == [1, 1]
    for run in db.get_all_runs():
        summary = db.get_metric_summary(run.run_id)
        assert (summary["loss"]["n"], summary["loss"]["mean"]) == (3, 0.5)
        assert summary["acc"]["n_nan"] == 1
    assert db.integrity_problems() == []
    assert dead_segments(db.db_path) == []
    assert recover(db) == NONE


def test_records_come_home_and_runs_end(db):
    found = recover(db)
    assert (found.n_records, found.damaged) == (8, [])
    assert [(run.name, run.ended_by, run.phase) for run in found.runs] == [
        ("outer", "crashed", "call"),
        ("inner", "crashed", "call"),
    ]
    check(db)


def test_the_next_to_open_the_experiment_brings_them_home(folder, db):
    opened(folder).close()
    check(db)


def test_where_there_is_nothing_nothing_is_made(tmp_path):
    with closing(ExperimentDBManager(tmp_path / "e.db")) as db:
        assert recover(db) == NONE
        (tmp_path / "e.journal").mkdir()
        assert recover(db) == NONE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.journal"]


def test_a_journal_without_its_database_is_enough(folder, db):
    for path in folder.glob("e.db*"):
        path.unlink()
    recover(db)
    check(db)


NOTES = {
    # what the process said -> why its runs ended, and in which phase
    "nothing": ((), ("crashed", None)),
    "phases": ((Note.SETUP, Note.CALL, Note.TEARDOWN), ("crashed", "teardown")),
    "told to terminate": ((Note.SETUP, Note.TERMINATED), ("killed", "setup")),
    "timeout": ((Note.CALL, Note.TIMED_OUT), ("timeout", "call")),
    "in time after all": ((Note.CALL, Note.TIMED_OUT, Note.WENT_ON), ("crashed", "call")),
    "another test": ((Note.CALL, Note.TIMED_OUT, Note.SETUP), ("crashed", "setup")),
    "another test in time": ((Note.TIMED_OUT, Note.SETUP, Note.TIMED_OUT), ("timeout", "setup")),
}


@pytest.mark.parametrize(("notes", "expected"), NOTES.values(), ids=NOTES)
def test_last_words_tell_why_and_where(tmp_path, notes, expected):
    died(tmp_path, *notes)
    with closing(ExperimentDBManager(tmp_path / "e.db")) as db:
        recover(db)
        assert set(ends(db).values()) == {("failed", *expected)}


def test_what_a_restarted_machine_left_is_lost_however_it_ended(folder, db, monkeypatch):
    monkeypatch.setattr(journal, "_boot_id", lambda: bytes(16))
    recover(db)
    assert {end[1] for end in ends(db).values()} == {EndedBy.LOST}
    assert series(db, "loss") == [[(step, step / 2) for step in range(3)]] * 2


def test_runs_whose_segment_is_gone_are_lost(db):
    for segment in dead_segments(db.db_path):
        segment.unlink()
    assert [run.ended_by for run in recover(db).runs] == ["lost", "lost"]


def test_runs_without_a_writer_are_left_alone(folder, db):
    run_id = db.create_run("of another program")
    recover(db)
    assert db.get_run(run_id).status == "running"


# Others at work


@pytest.mark.parametrize("at", ["append", "end_abandoned_runs", "forget_segment"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_who_is_stopped_in_the_middle_leaves_the_rest_to_the_next(db, monkeypatch, at, when):
    method = getattr(db, at)

    def stopped(*args, **kwargs):
        if when == "after":
            method(*args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(db, at, stopped)
        with pytest.raises(KeyboardInterrupt):
            recover(db)
    recover(db)
    check(db)


@pytest.mark.parametrize("at", ["append", "end_abandoned_runs", "forget_segment"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_who_is_overtaken_in_the_middle_finds_it_done(folder, db, monkeypatch, at, when):
    method = getattr(db, at)

    def overtaken(*args, **kwargs):
        result = method(*args, **kwargs) if when == "after" else None
        with closing(ExperimentDBManager(folder / "e.db")) as other:
            recover(other)
        return result if when == "after" else method(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(db, at, overtaken)
        found = recover(db)
    assert found.damaged == []
    check(db)


def test_who_dies_while_we_look_keeps_its_last_words_for_the_next(db, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(recovery, "dead_segments", lambda _: [])  # it lived when we asked
        assert recover(db) == NONE
    assert {end[0] for end in ends(db).values()} == {"running"}
    recover(db)
    check(db)


def test_a_late_end_does_not_change_the_first(folder):
    tracker = opened(folder)  # brings home what there is
    run_id = tracker.start_run("declared dead")
    (segment,) = (folder / "e.journal").glob("*.segment")
    with closing(ExperimentDBManager(folder / "e.db")) as db:
        db.end_abandoned_runs(lambda writer: writer != segment.stem, lambda _: ("crashed", None))
        tracker.record("loss", 1.0, 0)
        tracker.end_run("completed")
        run = db.get_run(run_id)
        assert (run.status, run.ended_by) == ("failed", "crashed")
        assert [record.value for record in db.get_records(run_id, "loss")] == [1.0]
    tracker.close()


def test_late_records_of_a_run_that_has_ended_are_in_its_summary(folder, db):
    recover(db)
    (run,) = (run for run in db.get_all_runs() if run.name == "outer")
    assert db.get_metric_summary(run.run_id)["loss"]["n"] == 3
    late = SegmentWriter(folder / "e.journal")
    channel = late.define_channel(run.uuid, "loss")
    payload = journal.pack_payload(3, 4.5, 1.7e9, channel)
    late.append(journal.pack_frame(payload, journal.adler32(payload)))
    late.close()
    assert recover(db) == Recovery(1, [], [])
    assert db.get_metric_summary(run.run_id)["loss"]["mean"] == 1.5
    assert ends(db)["outer"] == CRASHED


def test_late_records_of_a_deleted_run_stay_away(db):
    for run in db.get_all_runs():
        db.delete_run(run.run_id)
    recover(db)
    assert db.get_all_runs() == []
    with closing(sqlite3.connect(db.db_path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM records").fetchone() == (0,)


def record_and_die(tracker):
    tracker.record("child", 1.0, 0)
    os.kill(os.getpid(), signal.SIGKILL)


def leave_a_child_behind(folder):
    tracker = opened(folder)
    tracker.start_run("parent's", {"lr": 0.5}, session="s", is_deferred=True)
    tracker.record("parent", 1.0, 0)
    child = multiprocessing.get_context("fork").Process(target=record_and_die, args=(tracker,))
    child.start()
    child.join()
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("first", ["parent", "child"])
def test_a_run_is_itself_also_when_the_records_of_a_child_come_home_first(
    tmp_path, monkeypatch, first
):
    process = multiprocessing.get_context("spawn").Process(
        target=leave_a_child_behind, args=(tmp_path,)
    )
    process.start()
    process.join()
    for path in tmp_path.glob("e.db*"):
        path.unlink()  # so that only the parent's segment knows of the run
    order = sorted(
        dead_segments(tmp_path / "e.db"),
        key=lambda path: (b"parent" in path.read_bytes()) is (first == "child"),
    )
    assert len(order) == 2
    monkeypatch.setattr(recovery, "dead_segments", lambda _: order)
    with closing(ExperimentDBManager(tmp_path / "e.db")) as db:
        assert recover(db).n_records == 2
        (run,) = db.get_all_runs()
        assert (run.name, run.config, run.session, run.attempt) == ("parent's", {"lr": 0.5}, "s", 1)
        assert (run.status, run.ended_by) == ("failed", "crashed")
        assert sorted(run.metrics) == ["child", "parent"]
        assert db.integrity_problems() == []


# Damage

BAD_SEGMENTS = {
    "empty": b"",
    "zeros, as a loss of power leaves": bytes(1 << 18),
    "of another program": b"no segment at all" * 20,
    "cut off in its header": journal._MAGIC + bytes(20),
}


@pytest.mark.parametrize("content", BAD_SEGMENTS.values(), ids=BAD_SEGMENTS)
def test_what_is_no_segment_is_set_aside_and_named_and_the_rest_comes_home(folder, db, content):
    bad = folder / "e.journal" / f"{'0' * 32}.segment"
    bad.write_bytes(content)
    found = recover(db)
    (problem,) = found.damaged
    assert str(bad) in problem
    assert f"set aside as {bad.name}.damaged" in problem
    assert bad.with_name(f"{bad.name}.damaged").read_bytes() == content
    assert found.n_records == 8
    check(db)


def test_a_segment_of_a_newer_version_is_left_untouched_with_one_warning(folder):
    (segment,) = dead_segments(folder / "e.db")
    with segment.open("r+b") as file:
        file.seek(8)
        file.write((journal.FORMAT_VERSION + 1).to_bytes(2, "little"))
    content = segment.read_bytes()
    with pytest.warns(TrackingWarning, match=f"{segment} .*upgrade pytest-sgtrack") as caught:
        tracker = opened(folder)
    assert [one.filename for one in caught] == [__file__]
    tracker.set_experiment("e")  # any further warning would fail this test
    with closing(tracker), tracker.run("mine"):
        tracker.record("loss", 1.0, 0)
    with closing(ExperimentDBManager(folder / "e.db")) as db:
        found = recover(db)
        assert (found.n_records, found.runs, found.damaged, len(found.newer)) == (0, [], [], 1)
        assert {name: end[0] for name, end in ends(db).items()} == {
            **dict.fromkeys(("outer", "inner"), "running"),
            "mine": "completed",
        }
    assert segment.read_bytes() == content


@given(at=st.integers(0, 8 * journal.FRAME_SIZE - 1), change=st.integers(1, 255))
@settings(max_examples=30, deadline=None)
def test_a_damaged_segment_gives_what_is_intact_and_says_what_is_missing(
    tmp_path_factory, remains, at, change
):
    folder = tmp_path_factory.mktemp("damaged")
    shutil.copytree(remains, folder, dirs_exist_ok=True)
    (segment,) = dead_segments(folder / "e.db")
    data = bytearray(segment.read_bytes())
    last = len(data.rstrip(b"\0")) - journal.HEADER_SIZE - 1
    data[journal.HEADER_SIZE + last - at % last] ^= change
    segment.write_bytes(data)
    with closing(ExperimentDBManager(folder / "e.db")) as db:
        found = recover(db)
        (problem,) = found.damaged
        assert "1 damaged records were left out; set aside as" in problem
        assert [path.name for path in folder.rglob("*.damaged")] == [f"{segment.name}.damaged"]
        assert {end[0] for end in ends(db).values()} == {"failed"}
        found_steps = [step for rows in series(db, "loss") for step, _ in rows]
        assert set(found_steps) <= {0, 1, 2}
        assert recover(db) == NONE
    shutil.rmtree(folder)


def test_two_who_find_the_same_damage_both_go_on(folder, db, monkeypatch):
    (segment,) = dead_segments(folder / "e.db")
    data = bytearray(segment.read_bytes())
    data[len(data.rstrip(b"\0")) - 5] ^= 1
    segment.write_bytes(data)
    end_abandoned_runs = db.end_abandoned_runs

    def overtaken(*args):
        with closing(ExperimentDBManager(folder / "e.db")) as other:
            assert len(recover(other).damaged) == 1
        return end_abandoned_runs(*args)

    monkeypatch.setattr(db, "end_abandoned_runs", overtaken)
    assert len(recover(db).damaged) == 1
    assert len(list(folder.rglob("*.damaged"))) == 1


def test_what_cannot_be_read_now_is_named_and_left_for_later(folder, db, monkeypatch):
    (segment,) = dead_segments(folder / "e.db")

    def no_file_can_be_opened(path, start=0):
        raise journal.JournalError(f"cannot read {path}") from OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "read_segment", no_file_can_be_opened)
        assert recover(db) == Recovery(0, [], [f"cannot read {segment}"])
    assert {end[0] for end in ends(db).values()} == {"running"}
    recover(db)
    check(db)


def test_a_segment_that_may_not_be_removed_is_drained_once(folder, db, monkeypatch):
    (segment,) = dead_segments(folder / "e.db")
    with monkeypatch.context() as patch:
        patch.setattr(type(segment), "unlink", refuse)
        assert (recover(db).n_records, segment.exists()) == (8, True)
        assert recover(db).n_records == 0
    assert recover(db) == NONE
    check(db)


def refuse(*_, **__):
    raise PermissionError(1, "Operation not permitted")


def test_while_the_database_cannot_be_written_everything_stays(folder, db, monkeypatch):
    (segment,) = dead_segments(folder / "e.db")
    before = segment.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("tracking.connection.Connection.can_write", lambda _: False)
        with pytest.raises(StoreError):
            recover(db)
    assert segment.read_bytes() == before
    recover(db)
    check(db)


# Who is alive


def test_the_segment_of_this_process_is_alive_until_it_is_closed(tmp_path):
    writer = SegmentWriter(tmp_path)
    assert is_alive(writer.path)
    writer.close()
    assert not is_alive(writer.path)
    assert not is_alive(tmp_path / "none.segment")


@pytest.mark.parametrize("name", ["\0", "x" * 1000, "../" * 2000])
def test_a_name_that_is_no_file_s_is_nobody_s(tmp_path, name):
    assert not is_alive(tmp_path / f"{name}.segment")


def test_asking_whether_somebody_lives_takes_nothing_from_it(tmp_path):
    writer = SegmentWriter(tmp_path)
    for _ in range(3):
        assert is_alive(writer.path)
    with closing(writer):
        assert read_segment(writer.path)[0] == writer.header


DAY_S = 86_400


@pytest.mark.parametrize(
    ("age_s", "is_locked", "is_kept"),
    [(0, False, True), (2 * DAY_S, False, False), (2 * DAY_S, True, True), (-DAY_S, True, True)],
)
def test_a_segment_without_a_name_is_removed_when_nobody_has_it_and_it_is_old(
    folder, db, age_s, is_locked, is_kept
):
    writer = SegmentWriter(folder / "e.journal")
    unnamed = writer.path.with_suffix(journal.UNNAMED_SUFFIX)
    writer.path.rename(unnamed)
    then = unnamed.stat().st_mtime - age_s
    os.utime(unnamed, (then, then))
    if not is_locked:
        writer.close()
    recover(db)
    assert unnamed.exists() is is_kept
    writer.close()


def test_an_experiment_that_a_process_opens_again_is_recovered_again(tmp_path):
    tracker = opened(tmp_path)
    tracker.close()
    died(tmp_path)
    tracker.set_experiment("e")
    ended = {run.name: run.ended_by for run in tracker.get_all_runs()}
    assert ended == {"outer": "crashed", "inner": "crashed"}
