"""Runs whose start and end reach the database later: in the journal at once, stored in one go."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from contextlib import closing

import pytest

import tracking as sg
from tracking.events import EndedRun, NewRun, RunEnd, decode, encode
from tracking.model import Status


def stored_runs(path):
    """What another program sees: names and states, without asking the tracker."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name, status FROM runs ORDER BY id").fetchall()


def record_deferred(tracker, name, n=3, **how):
    tracker.start_run(name, {"lr": 0.1}, environment={"python": "3"}, is_deferred=True)
    for step in range(n):
        tracker.record("loss", 1.0 / (step + 1), step)
    tracker.end_run(how.pop("status", "completed"), is_durable=False, **how)


def test_the_database_learns_of_them_together(tracker, tmp_path):
    for number in range(5):
        record_deferred(tracker, f"run {number}", verdict="within")
    assert stored_runs(tmp_path / "e.db") == []
    tracker.drain()
    assert stored_runs(tmp_path / "e.db") == [(f"run {n}", "completed") for n in range(5)]
    for run in tracker.get_all_runs():
        assert (run.verdict, run.num_records, run.config) == ("within", [3], {"lr": 0.1})
        assert run.environment == {"python": "3"}
        assert tracker.summary(run.run_id)["loss"]["n"] == 3


def test_after_so_many_or_a_second_they_are_stored(tracker, tmp_path, monkeypatch):
    for number in range(64):
        record_deferred(tracker, f"run {number}")
    assert len(stored_runs(tmp_path / "e.db")) == 64
    record_deferred(tracker, "one more")
    assert len(stored_runs(tmp_path / "e.db")) == 64
    monkeypatch.setattr("tracking.recorder._LONGEST_DEFERRED_S", -1.0)
    record_deferred(tracker, "the last")
    assert len(stored_runs(tmp_path / "e.db")) == 66


def test_a_run_gets_its_number_when_somebody_asks(tracker, tmp_path):
    record_deferred(tracker, "before")
    assert tracker.start_run("asked", is_deferred=True) == 0
    tracker.record("loss", 1.0, 0)
    run_id = tracker.current_run_id
    assert stored_runs(tmp_path / "e.db") == [("before", "completed"), ("asked", "running")]
    tracker.text("note", "x", 0)
    tracker.config(lr=1)
    tracker.end_run()
    run = tracker.get_run(run_id)
    assert (run.name, run.status, run.config) == ("asked", "completed", {"lr": 1})
    assert tracker.db_manager.get_texts(run_id)["note"][0]["content"] == "x"


def test_reading_and_closing_store_them(tracker, tmp_path):
    record_deferred(tracker, "read")
    assert [run.name for run in tracker.get_all_runs()] == ["read"]
    record_deferred(tracker, "closed")
    tracker.close()
    assert [name for name, _ in stored_runs(tmp_path / "e.db")] == ["read", "closed"]
    assert list(tmp_path.rglob("*.segment")) == []


def test_attempts_count_within_a_session(tracker):
    for session in ("a", "a", "b"):
        tracker.start_run("test", session=session, is_deferred=True)
        tracker.end_run(is_durable=False)
    runs = tracker.get_all_runs()
    assert [(run.session, run.attempt) for run in reversed(runs)] == [("a", 1), ("a", 2), ("b", 1)]


def die_with_runs(folder):
    tracker = sg.Tracker(folder)
    tracker.set_experiment("e")
    record_deferred(tracker, "passed", outcome="passed", phase="call", verdict="within")
    record_deferred(tracker, "failed", status="failed", outcome="failed", ended_by="exception")
    tracker.start_run("cut off", {"lr": 2}, session="s", is_deferred=True)
    tracker.record("loss", float("nan"), 7)
    os.kill(os.getpid(), signal.SIGKILL)


def test_no_death_loses_a_start_or_an_end(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=die_with_runs, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    db = sg.ExperimentDBManager(tmp_path / "e.db")
    found = sg.recover(db)
    assert (found.n_records, [run.name for run in found.runs]) == (7, ["cut off"])
    cut_off, failed, passed = db.get_all_runs()
    assert (passed.status, passed.outcome, passed.verdict) == ("completed", "passed", "within")
    assert (failed.status, failed.ended_by, failed.num_records) == ("failed", "exception", [3])
    assert (cut_off.status, cut_off.ended_by, cut_off.config) == ("failed", "crashed", {"lr": 2})
    assert cut_off.session == "s"
    assert sg.recover(db) == sg.Recovery(0, [], [])
    db.close()


def test_a_child_records_into_a_deferred_run(tracker):
    tracker.start_run("forked", is_deferred=True)
    tracker.record("loss", 1.0, 0)
    pid = os.fork()
    if pid == 0:
        tracker.record("loss", 2.0, 1)
        os._exit(0)
    os.waitpid(pid, 0)
    run_id = tracker.current_run_id
    tracker.end_run()
    assert [record.value for record in tracker.get_records(run_id, "loss")] == [1.0, 2.0]


def test_a_deleted_run_stays_deleted(tracker):
    record_deferred(tracker, "gone")
    (run,) = tracker.get_all_runs()
    tracker.delete_run(run.run_id)
    record_deferred(tracker, "next")
    assert [run.name for run in tracker.get_all_runs()] == ["next"]


def test_events_are_read_as_they_were_written():
    new = NewRun("ä", {"lr": 0.1}, "ab" * 16, 1.5, None, '{"python":"3"}', "cd" * 16, "s")
    ended = EndedRun("ab" * 16, RunEnd(Status.FAILED, "failed", "call", "exception", None, 0.5))
    assert decode([encode(new), encode(ended)]) == ([new], [ended])


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b"\xff", b'{"started": 3}', b'{"ended": {}}', b'{"started": {"x": 1}}'],
)
def test_what_is_no_event_is_left_out(text):
    assert decode([text]) == ([], [])
