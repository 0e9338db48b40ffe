"""Shards become one experiment: every run once, in its most complete form, and nothing else."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.merging.conftest import ending, is_sound
from tracking import ExperimentDBManager, Tracker, recover, schema
from tracking.errors import (
    InvalidArgumentError,
    JournalError,
    NewerFormatError,
    NewerSchemaError,
    NotAnExperimentError,
    StoreBusyError,
    StoreError,
)
from tracking.merging import merge, shards
from tracking.merging.store import MergingDBManager

ASSETS = Path(__file__).parents[1] / "assets"


def ids(path):
    with closing(ExperimentDBManager(path, is_read_only=True)) as db:
        return {run.uuid: run.run_id for run in db.get_all_runs()}


def dump(path):
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.fixture
def two(tmp_path, record):
    return [record(tmp_path / "a", "x", "y"), record(tmp_path / "b", "z", n=5)]


def test_a_merged_experiment_has_every_run_with_all_it_holds(tmp_path, two, content):
    out = tmp_path / "all" / "pytest.db"
    (merged,) = merge(two, out)
    assert content(out) == {**content(two[0]), **content(two[1])}
    assert [(one.n_runs, one.n_added, one.n_known) for one in merged.shards] == [
        (2, 2, 0),
        (1, 1, 0),
    ]
    assert is_sound(out)
    assert sorted(path.name for path in out.parent.iterdir()) == ["pytest.db", "pytest.journal"]


def test_equal_graphs_and_environments_lie_there_once(tmp_path, two, n_rows):
    out = tmp_path / "out.db"
    merge(two, out)
    assert [n_rows(out, table) for table in ("run_graphs", "graph_contents", "environments")] == [
        *(3, 1, 1)
    ]


@pytest.mark.parametrize("again", [(0,), (1,), (1, 0), (0, 0, 1)])
def test_to_merge_again_changes_nothing(tmp_path, two, again):
    out = tmp_path / "out.db"
    merge(two, out)
    before = dump(out)
    (merged,) = merge([two[number] for number in again], out)
    assert dump(out) == before
    assert sum(one.n_known for one in merged.shards) == sum(one.n_runs for one in merged.shards)


def test_a_new_database_numbers_runs_as_they_started_in_whatever_order_shards_come(tmp_path, two):
    found = []
    for number, order in enumerate(itertools.permutations([*two, two[0]])):
        merge(order, tmp_path / f"{number}.db")
        found.append(ids(tmp_path / f"{number}.db"))
    assert list(found[0].values()) == [3, 2, 1]
    assert all(one == found[0] for one in found)


def test_runs_that_are_there_keep_their_numbers_and_others_follow(tmp_path, two, content, record):
    out = record(tmp_path / "out", "own")
    own = ids(out)
    merge(two, out)
    assert ids(out).items() >= own.items()
    assert sorted(ids(out).values()) == [1, 2, 3, 4]
    assert content(out).items() >= {**content(two[0]), **content(two[1])}.items()
    assert is_sound(out)
    record(tmp_path / "out", "later")
    assert sorted(ids(out).values()) == [1, 2, 3, 4, 5]


@pytest.fixture
def grown(tmp_path, record):
    """A shard, and an older copy of it in which its run had not ended."""
    tracker = Tracker(tmp_path / "new")
    tracker.set_experiment("pytest")
    tracker.start_run("grown")
    tracker.record("loss", 1.0, 0)
    tracker.get_metrics(1)
    (tmp_path / "old").mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / "new" / f"pytest.db{suffix}", tmp_path / "old")
    tracker.record("loss", 0.5, 1)
    tracker.end_run()
    tracker.close()
    return tmp_path / "old" / "pytest.db", tmp_path / "new" / "pytest.db"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("is_together", [True, False])
def test_of_several_forms_of_a_run_the_most_complete_stays(
    tmp_path, grown, content, order, is_together
):
    out = tmp_path / "out.db"
    listed = [grown[number] for number in order]
    for group in [listed] if is_together else [[one] for one in listed]:
        merge(group, out)
    assert content(out) == content(grown[1])
    assert is_sound(out)
    assert set(ids(out).values()) == {1}


def test_a_run_that_goes_on_is_merged_as_far_as_it_is_and_completed_later(tmp_path, content, files):
    tracker = Tracker(tmp_path / "live")
    tracker.set_experiment("pytest")
    tracker.start_run("live")
    tracker.record("loss", 1.0, 0)
    out = tmp_path / "out.db"
    before = files(tmp_path / "live")
    merge([tmp_path / "live" / "pytest.db"], out)
    assert files(tmp_path / "live") == before
    with closing(ExperimentDBManager(out)) as db:
        assert recover(db).runs == []  # nobody calls it dead
    (run,) = content(out).values()
    assert (run["status"], len(run["records"]["loss"])) == ("running", 1)
    tracker.record("loss", 0.5, 1)
    merge([tmp_path / "live" / "pytest.db"], out)
    (run,) = content(out).values()
    assert (run["status"], len(run["records"]["loss"])) == ("running", 2)
    tracker.end_run()
    tracker.close()
    (merged,) = merge([tmp_path / "live" / "pytest.db"], out)
    assert merged.shards[0].n_completed == 1
    assert content(out) == content(tmp_path / "live" / "pytest.db")


def test_what_a_dead_process_left_comes_along_as_recovery_would_bring_it(
    tmp_path, die, content, files
):
    shard = die(tmp_path / "dead")
    before = files(tmp_path / "dead")
    merge([shard], tmp_path / "out.db")
    assert files(tmp_path / "dead") == before
    with closing(ExperimentDBManager(shard)) as db:
        recover(db)
    expected = content(shard)
    assert {ending(run) for run in expected.values()} == {("failed", "crashed")}
    assert content(tmp_path / "out.db") == expected


def test_a_shard_that_has_left_nothing_but_its_journal_is_merged(tmp_path, die, content):
    shard = die(tmp_path / "dead")
    for path in tmp_path.glob("dead/pytest.db*"):
        path.unlink()
    merge([tmp_path / "dead"], tmp_path / "out")
    (run,) = content(tmp_path / "out" / "pytest.db").values()
    assert (run["name"], len(run["records"]["loss"])) == ("died", 50)
    assert not shard.exists()


def test_what_a_dead_process_left_in_the_target_is_not_doubled(tmp_path, die, content):
    out = die(tmp_path / "out")
    shutil.copytree(tmp_path / "out", tmp_path / "shard")
    merge([tmp_path / "shard" / "pytest.db"], out)
    (run,) = content(out).values()
    assert len(run["records"]["loss"]) == 50


def test_what_is_being_recorded_into_the_target_is_left_to_its_process(tmp_path, content):
    tracker = Tracker(tmp_path / "out")
    tracker.set_experiment("pytest")
    tracker.start_run("live")
    tracker.record("loss", 1.0, 0)
    shutil.copytree(tmp_path / "out", tmp_path / "copy")
    out = tmp_path / "out" / "pytest.db"
    (merged,) = merge([tmp_path / "copy" / "pytest.db"], out)
    assert merged.shards[0].n_kept_away == 1
    tracker.end_run()
    tracker.close()
    (run,) = content(out).values()
    assert (run["status"], len(run["records"]["loss"])) == ("completed", 1)


def test_what_was_deleted_from_the_target_stays_away(tmp_path, two, content):
    out = tmp_path / "out.db"
    merge(two, out)
    with closing(ExperimentDBManager(out)) as db:
        db.delete_run(1)
    before = content(out)
    (merged,) = merge(two, out)
    assert content(out) == before
    assert [one.n_kept_away for one in merged.shards] == [1, 0]


def test_shards_at_rest_are_not_copied_and_nothing_is_left_beside_them(
    tmp_path, two, files, monkeypatch
):
    monkeypatch.setattr(shards, "_read_copy", lambda *_: pytest.fail("it was copied"))
    before = [files(shard.parent) for shard in two]
    merge(two, tmp_path / "out.db")
    assert [files(shard.parent) for shard in two] == before


def test_the_journal_mode_of_a_shard_does_not_matter(tmp_path, two, content):
    with closing(sqlite3.connect(two[0])) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    merge(two, tmp_path / "out.db")
    assert content(tmp_path / "out.db") == {**content(two[0]), **content(two[1])}


@pytest.mark.parametrize("version", range(1, schema.SCHEMA_VERSION + 1))
def test_shards_of_each_schema_version_are_merged(tmp_path, record, content, files, version):
    old = tmp_path / "old" / "e.db"
    old.parent.mkdir()
    shutil.copy(ASSETS / f"schema_v{version}.db", old)
    before = files(old.parent)
    merge([record(tmp_path / "new", "x"), old], tmp_path / "out.db")
    assert files(old.parent) == before
    assert content(tmp_path / "out.db").items() >= content(old).items()


def make_newer(path):
    shutil.copy(ASSETS / "schema_v3.db", path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 77")


def make_foreign(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (a)")


def break_a_page(path):
    shutil.copy(ASSETS / "schema_v3.db", path)
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 2000)


def drop_a_column(path):
    shutil.copy(ASSETS / "schema_v3.db", path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE runs DROP COLUMN verdict")


def write_a_segment(at, byte):
    def make(path):
        shutil.copy(ASSETS / "schema_v3.db", path)
        segment = path.with_suffix(".journal") / f"{'0' * 32}.segment"
        segment.parent.mkdir()
        content = bytearray((ASSETS / "segment_v1.segment").read_bytes())
        content[at] = byte
        segment.write_bytes(content)

    return make


REFUSED = {
    "newer": (make_newer, NewerSchemaError, r"bad\.db has schema version 77.*upgrade"),
    "the original's": (
        lambda path: shutil.copy(ASSETS / "original.db", path),
        NotAnExperimentError,
        r"bad\.db was recorded by the original tracker; `sgtrack import`",
    ),
    "foreign": (make_foreign, NotAnExperimentError, r"bad\.db is a database of another program"),
    "a text": (
        lambda path: path.write_text("hello\n" * 1000),
        NotAnExperimentError,
        r"bad\.db is not a SQLite database; leave it out",
    ),
    "broken": (break_a_page, StoreError, r"bad\.db"),
    "without a column": (drop_a_column, StoreError, r"bad\.db is damaged: runs has lost its"),
    "a newer segment": (write_a_segment(8, 77), NewerFormatError, r"segment has journal format"),
    "a broken segment": (write_a_segment(0, 0), JournalError, r"segment is not a journal segment"),
    "nothing": (lambda path: None, StoreError, r"there is no experiment at .*bad\.db"),
}


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize(("make", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_merged_is_named_and_nothing_else_is_merged(
    tmp_path, two, files, make, error, message, is_there
):
    bad = tmp_path / "shards" / "bad.db"
    bad.parent.mkdir()
    make(bad)
    out = tmp_path / "out" / "pytest.db"
    out.parent.mkdir()
    if is_there:
        merge(two[:1], out)
    before = files(bad.parent), files(out.parent)
    with pytest.raises(error, match=message) as raised:
        merge([*two, bad], out)
    assert ".sgtrack-merge" not in str(raised.value)
    assert (files(bad.parent), files(out.parent)) == before


@pytest.mark.parametrize(
    "name", ["newer", "the original's", "foreign", "broken", "without a column"]
)
def test_a_target_that_cannot_take_them_is_refused_and_stays_as_it_is(tmp_path, two, files, name):
    make, error, _ = REFUSED[name]
    out = tmp_path / "out" / "bad.db"
    out.parent.mkdir()
    make(out)
    before = out.read_bytes()
    with pytest.raises(error):
        merge(two, out)
    assert out.read_bytes() == before


def test_a_segment_whose_frames_are_damaged_gives_the_others_and_is_named(tmp_path, die, content):
    shard = die(tmp_path / "dead")
    (segment,) = tmp_path.glob("dead/pytest.journal/*.segment")
    with segment.open("r+b") as file:
        file.seek(len(segment.read_bytes().rstrip(b"\0")) - 100)
        file.write(b"\xff")
    (merged,) = merge([shard], tmp_path / "out.db")
    assert merged.remarks == [f"{segment}: 1 damaged records were left out"]
    (run,) = content(tmp_path / "out.db").values()
    assert len(run["records"]["loss"]) == 49


def test_a_shard_that_is_written_meanwhile_is_not_mixed_from_two_moments(
    tmp_path, two, record, monkeypatch
):
    out = tmp_path / "out.db"
    merge(two[1:], out)
    before = dump(out)
    take = MergingDBManager.take

    def write_and_take(self, *arguments, **named):
        os.utime(two[0], (1, 1))
        take(self, *arguments, **named)

    monkeypatch.setattr(MergingDBManager, "take", write_and_take)
    with pytest.raises(StoreBusyError, match="was changed while it was read; try again"):
        merge(two[:1], out)
    assert dump(out) == before


def test_folders_are_merged_database_by_database(tmp_path, record, content):
    for name in ("a", "b"):
        record(tmp_path / name, f"of {name}")
    record(tmp_path / "b", "other", experiment="other")
    found = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert [one.path.name for one in found] == ["pytest.db", "other.db"]
    names = {
        one.path.stem: sorted(run["name"] for run in content(one.path).values()) for one in found
    }
    assert names == {"pytest": ["of a", "of b"], "other": ["other"]}


MISTAKEN = {
    "folders into a database": (
        ("a",),
        "out.db",
        r"out\.db is one database, and the folder a goes",
    ),
    "folders into a file": (("a",), "file", "file is one database, and the folder a goes"),
    "a database into a name": (("a/pytest.db",), "out", "out is no folder, .* are called"),
    "a folder without experiments": (("empty",), "out", "there is no experiment in empty"),
    "nothing": ((), "out", "shards: there are none"),
    "into a shard": (("a/pytest.db", "b/pytest.db"), "b/pytest.db", "b/pytest.db is what the othe"),
    "into a shard, by a link": (("a", "link"), "b", "link/pytest.db is what the others go into"),
    "into a folder of shards": (("a", "b"), "a", "a/pytest.db is what .*; leave it out"),
    "from a server": (
        ("postgresql://u:secret@h/d",),
        "out.db",
        r"shards: postgresql://\.\.\. is an addr",
    ),
    "to a server": (
        ("a/pytest.db",),
        "postgresql://u:secret@h/d.db",
        r"out: postgresql://\.\.\. is an addr",
    ),
}


@pytest.mark.parametrize(("given", "out", "message"), MISTAKEN.values(), ids=MISTAKEN)
def test_a_mistake_is_named_with_what_to_do_and_nothing_is_written(
    tmp_path, record, files, monkeypatch, given, out, message
):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        record(tmp_path / name, name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("b")
    (tmp_path / "file").write_text("")
    before = files(tmp_path)
    with pytest.raises((InvalidArgumentError, StoreError), match=message) as raised:
        merge([Path(one) for one in given], Path(out))
    assert "secret" not in str(raised.value)
    assert files(tmp_path) == before


def test_a_root_that_is_not_there_is_named(tmp_path, two):
    with pytest.raises(InvalidArgumentError, match=r"root: .*nowhere is no folder"):
        merge(two, tmp_path / "out.db", root=tmp_path / "nowhere")
    assert not (tmp_path / "out.db").exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_a_dry_run_tells_what_the_real_one_does_and_writes_nothing(
    tmp_path, two, grown, files, is_there
):
    out = tmp_path / "out" / "pytest.db"
    if is_there:
        merge([two[0], grown[0]], out)
    before = files(tmp_path)
    told = merge([*two, *grown], out, is_dry_run=True)
    assert files(tmp_path) == before
    assert merge([*two, *grown], out) == told


def test_a_failure_leaves_the_target_as_it_was(tmp_path, two, grown, monkeypatch, files):
    out = tmp_path / "out" / "pytest.db"
    merge([two[0], grown[0]], out)
    before = dump(out)

    def fail(*_):
        raise StoreError("the disk is full")

    monkeypatch.setattr("tracking.merging._Merge._before_commit", fail)
    with pytest.raises(StoreError, match="full"):
        merge([two[1], grown[1]], out)
    with pytest.raises(StoreError, match="full"):
        merge(two, tmp_path / "out" / "new.db")
    assert dump(out) == before
    journal = out.parent / "pytest.journal"
    assert sorted(files(out.parent)) == [out, journal, journal / "lock"]


def test_a_target_that_appears_meanwhile_is_not_replaced(
    tmp_path, two, record, monkeypatch, content
):
    out = tmp_path / "out" / "pytest.db"
    put = MergingDBManager.put_in_place

    def record_and_put(self, made):
        record(out.parent, "faster")
        return put(self, made)

    monkeypatch.setattr(MergingDBManager, "put_in_place", record_and_put)
    merge(two, out)
    assert sorted(run["name"] for run in content(out).values()) == ["faster", "x", "y", "z"]
