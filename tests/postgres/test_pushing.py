"""A push brings every run into the store once, whole and in its most complete form."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import struct
import threading
from contextlib import ExitStack, closing

import psycopg
import pytest

from tests.contents import of_postgres, of_sqlite, rows_without_a_run
from tracking import Tracker, columns, pushing
from tracking.errors import InvalidArgumentError, StoreError
from tracking.merging.content import ContentDBManager
from tracking.postgres.address import Address
from tracking.postgres.writing import StoreWriter
from tracking.pushing import push


def counts(pushed):
    return [(s.n_runs, s.n_added, s.n_completed, s.n_known) for s in pushed.shards]


@pytest.fixture
def two(tmp_path, record):
    return record(tmp_path / "here", "x", "y")


def test_a_run_is_there_with_all_it_has(two, store, files):
    before = files(two.parent)
    pushed = push([two], store)
    assert counts(pushed) == [(2, 2, 0, 0)]
    assert (pushed.n_pushed, pushed.unread) == (2, [])
    assert of_postgres(store) == of_sqlite(two)
    assert rows_without_a_run(store) == (0, 0)
    assert files(two.parent) == before


def test_to_push_again_changes_nothing(two, store):
    push([two], store)
    before = of_postgres(store)
    assert counts(push([two, two.parent], store)) == [(2, 0, 0, 2)]
    assert of_postgres(store) == before


def test_a_folder_means_every_experiment_in_it_by_its_name(tmp_path, record, store):
    paths = [record(tmp_path, name, experiment=name) for name in ("first", "second")]
    assert counts(push([tmp_path], store)) == [(1, 1, 0, 0)] * 2
    for path in paths:
        assert of_postgres(store, path.stem) == of_sqlite(path)


def test_what_waits_in_segments_is_brought_too(tmp_path, die, store, files):
    path = die(tmp_path)
    before = files(tmp_path)
    assert counts(push([path], store)) == [(1, 1, 0, 0)]
    assert files(tmp_path) == before
    (run,) = of_postgres(store).values()
    assert (run["status"], run["ended_by"]) == ("failed", "crashed")
    assert run["records"]["loss"] == [
        (step, repr(step / 2), at) for step, (_, _, at) in enumerate(run["records"]["loss"])
    ]
    assert len(run["records"]["loss"]) == 50
    assert run["summaries"].keys() == {"loss"}


def test_an_experiment_at_rest_is_read_where_it_lies(two, store, monkeypatch):
    monkeypatch.setattr(shutil, "copyfile", None)
    push([two], store)
    assert len(of_postgres(store)) == 2


def test_a_run_that_goes_on_is_left_for_the_next_push(tmp_path, store):
    tracker = Tracker(tmp_path)
    tracker.set_experiment("pytest")
    with tracker.run("ended"):
        tracker.record("loss", 1.0, 0)
    tracker.start_run("live")
    tracker.record("loss", 1.0, 0)
    (shard,) = push([tmp_path], store).shards
    assert (shard.n_runs, shard.n_added, shard.n_recording, shard.n_known) == (2, 1, 1, 0)
    assert [run["name"] for run in of_postgres(store).values()] == ["ended"]
    tracker.end_run()
    tracker.close()
    assert counts(push([tmp_path], store)) == [(2, 1, 0, 1)]
    assert of_postgres(store) == of_sqlite(tmp_path / "pytest.db")


@pytest.fixture
def grown(tmp_path):
    """An experiment, and an older copy of it in which its process had died."""
    tracker = Tracker(tmp_path / "new")
    tracker.set_experiment("pytest")
    tracker.start_run("grown", {"lr": 0.1})
    tracker.record("loss", 1.0, 0)
    tracker.record("early", 1.0, 0)
    tracker.text("said", "early", 0)
    tracker.get_metrics(1)
    (tmp_path / "old").mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / "new" / f"pytest.db{suffix}", tmp_path / "old")
    tracker.record("loss", 0.5, 1)
    tracker.text("said", "late", 1)
    tracker.end_run()
    tracker.close()
    return tmp_path / "old" / "pytest.db", tmp_path / "new" / "pytest.db"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("is_together", [True, False])
def test_of_several_forms_of_a_run_the_most_complete_stays(grown, store, order, is_together):
    listed = [grown[number] for number in order]
    groups = [listed] if is_together else [[path] for path in listed]
    assert [one for group in groups for one in counts(push(group, store))] == (
        [(1, 1, 0, 0), (1, 0, 1, 0)] if order == (0, 1) else [(1, 1, 0, 0), (1, 0, 0, 1)]
    )
    assert of_postgres(store) == of_sqlite(grown[1])
    assert rows_without_a_run(store) == (0, 0)


def test_of_forms_that_come_together_the_most_complete_is_taken(grown, store):
    with (
        closing(StoreWriter(Address(store), "pytest")) as writer,
        closing(ContentDBManager(grown[0])) as old,
        closing(ContentDBManager(grown[1])) as new,
    ):
        old.end_abandoned_runs(lambda _: False, lambda _: ("lost", None))
        contents = [db.content_of(db.held_runs()[0]) for db in (new, old)]
        for listed in (contents, contents[::-1]):
            (uuid,) = writer.take(listed)
            assert of_postgres(store) == of_sqlite(grown[1])
            assert writer.delete([uuid]) == 1
            with psycopg.connect(store) as connection:
                connection.execute("DELETE FROM sgtrack.deleted_runs")


def test_a_run_that_was_deleted_from_the_store_stays_away(two, store, record):
    push([two], store)
    kept, away = of_sqlite(two)
    with closing(StoreWriter(Address(store), "pytest")) as writer:
        assert writer.delete([away, "f" * 32]) == 1
    assert of_postgres(store).keys() == {kept}
    assert rows_without_a_run(store) == (0, 0)
    (shard,) = push([two], store).shards
    assert (shard.n_known, shard.n_kept_away, shard.n_added) == (1, 1, 0)
    assert of_postgres(store).keys() == {kept}


def test_what_cannot_be_read_is_named_and_no_hindrance(tmp_path, record, store):
    record(tmp_path, "x")
    with closing(sqlite3.connect(tmp_path / "another.db")) as connection:
        connection.execute("CREATE TABLE cats (name)")
    (tmp_path / "noise.db").write_bytes(b"noise" * 5000)
    pushed = push([tmp_path, tmp_path / "missing.db"], store)
    assert counts(pushed) == [(1, 1, 0, 0)]
    names = ("another.db", "noise.db", "missing.db")
    for name, text in zip(names, pushed.unread, strict=True):
        assert name in text


def test_a_folder_without_an_experiment_is_an_error(tmp_path, store):
    with pytest.raises(StoreError, match="there is no experiment in"):
        push([tmp_path], store)


def test_records_that_are_missing_are_not_passed_over(two, store):
    with closing(sqlite3.connect(two)) as connection:
        connection.execute("DELETE FROM records WHERE id = 1")
        connection.commit()
    with pytest.raises(StoreError, match="holds 2 records, and 3 were recorded"):
        push([two], store)
    assert of_postgres(store) == {}


def test_damaged_records_of_a_segment_are_left_out_and_said(tmp_path, die, store):
    path = die(tmp_path)
    (segment,) = tmp_path.glob("pytest.journal/*.segment")
    data = bytearray(segment.read_bytes())
    data[len(data.rstrip(b"\0")) - 20] ^= 0xFF
    segment.write_bytes(data)
    (shard,) = push([path], store).shards
    assert shard.remarks == (f"{segment}: 1 damaged records were left out",)
    (run,) = of_postgres(store).values()
    assert len(run["records"]["loss"]) == 49


def test_an_experiment_that_is_written_meanwhile_is_read_anew(tmp_path, two, store, record):
    take = StoreWriter.take
    names = iter(["meanwhile", "and again"])

    def take_late(self, runs, **more):
        for name in names:
            record(two.parent, name)
            break
        return take(self, runs, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoreWriter, "take", take_late)
        (shard,) = push([two], store).shards
    assert (shard.n_runs, shard.n_added, shard.n_known) == (4, 4, 0)
    assert of_postgres(store) == of_sqlite(two)


def test_an_experiment_that_is_written_all_the_time_is_given_up(two, store, record):
    take = StoreWriter.take

    def take_late(self, runs, **more):
        record(two.parent, "meanwhile")
        return take(self, runs, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoreWriter, "take", take_late)
        with pytest.raises(StoreError, match="was changed while it was read; try again"):
            push([two], store)
    assert of_postgres(store) == {}
    push([two], store)
    assert of_postgres(store) == of_sqlite(two)


@pytest.mark.parametrize(("limit", "n"), [("_RECORDS_A_BATCH", 7), ("_RUNS_A_BATCH", 4)])
def test_runs_go_in_batches_each_of_them_whole(tmp_path, record, store, monkeypatch, limit, n):
    path = record(tmp_path, *(f"r{number}" for number in range(10)))  # of 6 records each
    monkeypatch.setattr(pushing, limit, n)
    monkeypatch.setattr(pushing, "_RUNS_A_QUESTION", 9)
    taken = []
    take = StoreWriter.take

    def failing_third(self, runs, **more):
        if len(taken) == 2:
            raise StoreError("for the test")
        taken.append(take(self, runs, **more))
        return taken[-1]

    monkeypatch.setattr(StoreWriter, "take", failing_third)
    with pytest.raises(StoreError, match="for the test"):
        push([path], store)
    size = {"_RECORDS_A_BATCH": 2, "_RUNS_A_BATCH": 4}[limit]
    assert [len(one) for one in taken] == [size] * 2
    whole = of_sqlite(path)
    assert of_postgres(store) == {uuid: whole[uuid] for one in taken for uuid in one}
    monkeypatch.setattr(StoreWriter, "take", take)
    assert counts(push([path], store)) == [(10, 10 - 2 * size, 0, 2 * size)]
    assert of_postgres(store) == whole


@pytest.mark.parametrize("order", [lambda step: step, lambda step: (step * 7919) % 1000])
@pytest.mark.parametrize("odd", [None, float("nan")])
def test_a_long_series_is_read_in_parts(tmp_path, store, monkeypatch, order, odd):
    monkeypatch.setattr(columns, "_AT_ONCE", 400)
    tracker = Tracker(tmp_path)
    tracker.set_experiment("pytest")
    with tracker.run("long"):
        for number in range(1000):
            value = odd if odd is not None and number % 5 == 0 else number / 7
            tracker.record("loss", value, order(number))
        tracker.record("loss", -1.0, order(3))
    tracker.close()
    push([tmp_path], store)
    assert of_postgres(store) == of_sqlite(tmp_path / "pytest.db")
    (run,) = of_postgres(store).values()
    assert len(run["records"]["loss"]) == 1001


@pytest.mark.filterwarnings("ignore:.*lay there as bytes:tracking.TrackingWarning")
def test_what_the_original_stored_as_bytes_is_brought_as_it_is_read(tmp_path, record, store):
    path = record(tmp_path, "x")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE records SET value = ? WHERE id = 1", (struct.pack("<f", 0.0),))
        connection.commit()
    push([path], store)
    assert of_postgres(store) == of_sqlite(path)


# Servers that do not answer, and people who do not want to wait


@pytest.fixture
def hang_when_taking(server, store, monkeypatch):
    """Has the server of the store hang once something is pushed."""
    assert store
    take = StoreWriter.take
    hangs = ExitStack()

    def take_late(self, runs, **more):
        hangs.enter_context(server.hanging())
        return take(self, runs, **more)

    with hangs, monkeypatch.context() as patch:
        patch.setattr(StoreWriter, "take", take_late)
        yield


def pushes():
    return [thread for thread in threading.enumerate() if thread.name == "sgtrack-push"]


@pytest.mark.usefixtures("hang_when_taking")
def test_a_push_with_a_limit_does_not_wait_for_a_server_that_hangs(two, store):
    with pytest.raises(StoreError, match=r"took longer than 0.3 s; 0 runs are there, push again"):
        push([two], store, limit_s=0.3)


def test_nor_for_one_that_hangs_before_it_has_let_us_in(two, server, store, monkeypatch):
    monkeypatch.setattr(pushing, "_GRACE_S", 0.1)
    with server.hanging(), pytest.raises(StoreError, match=r"took longer than 0.3 s"):
        push([two], store, limit_s=0.3)
    for thread in pushes():
        thread.join()
    StoreWriter(Address(store), "pytest").close()  # makes sure that there is a store
    assert of_postgres(store) == {}  # let in later, it had given up


@pytest.mark.usefixtures("hang_when_taking")
def test_ctrl_c_does_not_wait_for_a_server_that_hangs(two, store):
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        push([two], store, limit_s=60)
    timer.join()
    for thread in pushes():
        thread.join(1)
    assert pushes() == []


def test_what_was_left_by_a_push_that_took_too_long_comes_with_the_next(
    tmp_path, record, server, store, monkeypatch
):
    path = record(tmp_path, "a", "b", "c")
    monkeypatch.setattr(pushing, "_RUNS_A_BATCH", 1)
    take = StoreWriter.take
    with ExitStack() as hangs, monkeypatch.context() as patch:

        def take_one(self, runs, **more):
            taken = take(self, runs, **more)
            hangs.enter_context(server.hanging())
            return taken

        patch.setattr(StoreWriter, "take", take_one)
        with pytest.raises(StoreError, match=r"; 1 runs are there, push again for the others"):
            push([path], store, limit_s=4)
    assert counts(push([path], store, limit_s=60)) == [(3, 2, 0, 1)]
    assert of_postgres(store) == of_sqlite(path)


# Telling only


def test_a_dry_run_tells_what_would_come_and_creates_nothing(two, store, record):
    told = push([two], store, is_dry_run=True)
    assert counts(told) == [(2, 2, 0, 0)]
    with psycopg.connect(store) as connection:
        assert connection.execute("SELECT to_regclass('sgtrack.runs')").fetchone() == (None,)
    push([two], store)
    record(two.parent, "z")
    assert counts(push([two], store, is_dry_run=True)) == [(3, 1, 0, 2)]
    assert len(of_postgres(store)) == 2


def test_what_is_no_url_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"expected a URL as postgresql://"):
        push([tmp_path / "missing"], "experiments/pytest.db")
