"""What others do to a shard while it is read: another look is taken, or it is said."""

from __future__ import annotations

from contextlib import closing

import pytest

from tracking import ExperimentDBManager, recover
from tracking.errors import StoreBusyError, StoreError
from tracking.merging import merge, shards


def disturbed(monkeypatch, name, disturb, *, where=shards, first=1):
    """Put `disturb` in the place of a function's first calls; it gets the function first."""
    function, calls = getattr(where, name), []

    def called(*arguments, **named):
        calls.append(arguments)
        if len(calls) <= first:
            return disturb(function, *arguments, **named)
        return function(*arguments, **named)

    monkeypatch.setattr(where, name, called)
    return calls


@pytest.fixture
def shard(tmp_path, record):
    return record(tmp_path / "a", "x", "y")


@pytest.fixture
def left(tmp_path, die):
    """What a process has left that died: a shard that is read as a copy."""
    return die(tmp_path / "a")


@pytest.mark.parametrize(
    ("name", "result", "first"),
    [
        ("is_settled", False, 1),
        ("is_settled", False, 10),
        ("signature_of", ((0, 0, 0), None), 1),
    ],
)
def test_a_shard_that_changed_while_it_was_read_is_read_again(
    tmp_path, shard, content, monkeypatch, name, result, first
):
    calls = disturbed(monkeypatch, name, lambda *_: result, first=first)
    merge([shard], tmp_path / "out.db")
    assert len(content(tmp_path / "out.db")) == 2
    assert len(calls) > first


def test_one_that_changes_all_the_time_is_refused(tmp_path, shard, monkeypatch):
    monkeypatch.setattr(shards, "_PAUSE_S", 0)
    calls = disturbed(monkeypatch, "is_settled", lambda *_: False, first=10**6)
    with pytest.raises(StoreBusyError) as caught:
        merge([shard], tmp_path / "out.db")
    assert str(caught.value).startswith(
        f"{shard} is changed all the time; try again when it is at rest"
    )
    assert len(calls) == shards._MOST_ATTEMPTS
    assert not (tmp_path / "out.db").exists()


def test_a_file_that_goes_while_it_is_copied_is_looked_for_again(
    tmp_path, left, content, monkeypatch
):
    def gone(function, source, target):
        raise FileNotFoundError(2, "No such file or directory", str(source))

    disturbed(monkeypatch, "copyfile", gone, where=shards.shutil)
    merge([left], tmp_path / "out.db")
    (run,) = content(tmp_path / "out.db").values()
    assert len(run["records"]["loss"]) == 50


def test_a_shard_that_may_not_be_copied_is_named_with_the_cause(tmp_path, left, monkeypatch):
    def refused(function, source, target):
        raise PermissionError(13, "Permission denied")

    disturbed(monkeypatch, "copyfile", refused, where=shards.shutil)
    with pytest.raises(StoreError) as caught:
        merge([left], tmp_path / "out.db")
    assert str(caught.value).startswith(f"{left} cannot be copied: [Errno 13] Permission denied")
    assert not (tmp_path / "out.db").exists()


def recovered(path):
    with closing(ExperimentDBManager(path)) as db:
        recover(db)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_segment_that_somebody_drains_meanwhile_is_found_in_the_database(
    tmp_path, left, content, monkeypatch, is_first
):
    def overtaken(function, db, path):
        if is_first:
            recovered(left)
            return function(db, path)
        found = function(db, path)
        recovered(left)
        return found

    calls = disturbed(monkeypatch, "drain", overtaken)
    merge([left], tmp_path / "out.db")
    (run,) = content(tmp_path / "out.db").values()
    assert len(run["records"]["loss"]) == 50
    assert len(calls) == 1, "what is in the database needs no second drain"


def test_a_segment_that_cannot_be_read_stops_the_merge(tmp_path, left, monkeypatch):
    def broken(function, db, path):
        raise StoreError(f"cannot read {path}")

    disturbed(monkeypatch, "drain", broken)
    with pytest.raises(StoreError, match=r"cannot read .*\.segment"):
        merge([left], tmp_path / "out.db")
    assert not (tmp_path / "out.db").exists()
