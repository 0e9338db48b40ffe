"""Processes that push at once: no error, every run once and whole, one store."""

from __future__ import annotations

import functools
import shutil
from contextlib import closing

import psycopg
import pytest

from tests.contents import of_postgres, of_sqlite, rows_without_a_run
from tests.postgres.processes import at_once
from tracking import ExperimentDBManager, Tracker
from tracking.postgres.address import Address
from tracking.postgres.writing import StoreWriter
from tracking.pushing import push


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Experiments that have some runs in common, some in different forms, and share names."""
    folder = tmp_path_factory.mktemp("many")
    made = []
    graph = {"nodes": [{"id": "a", "type": "tensor"}], "edges": []}
    for number in range(8):
        path = folder / str(number) / "pytest.db"
        if made:
            path.parent.mkdir()
            shutil.copy(made[-1], path)
            with closing(ExperimentDBManager(path)) as db:
                db.record(db.create_run(f"left {number}"), "loss", 0, 1.0)
                for run in db.get_all_runs()[:2]:
                    db.save_text(run.run_id, "said", number, f"later, {number}")
        tracker = Tracker(path.parent)
        tracker.set_experiment("pytest")
        for name in ("a", "b", f"own {number}"):
            with tracker.run(name, environment={"shared": 1}) as _:
                for step in range(20):
                    tracker.record("loss", step / 7, step)
                    tracker.record(f"m{(number + step) % 5}", 1.0, step)
            tracker.db_manager.save_comp_graph(tracker.get_all_runs()[0].run_id, graph)
        tracker.close()
        made.append(path)
    return made


def test_32_pushes_at_once_bring_every_run_once_and_whole(many, store):
    works = [functools.partial(push, [many[number % 8]], store) for number in range(32)]
    assert at_once(works) == [0] * 32
    assert rows_without_a_run(store) == (0, 0)
    found = of_postgres(store)
    forms = [of_sqlite(path) for path in many]
    assert found.keys() == {uuid for form in forms for uuid in form}
    for uuid, run in found.items():
        known = [form[uuid] for form in forms if uuid in form]
        assert run in known
        assert len(run["texts"]) == max(len(one["texts"]) for one in known)


def test_32_first_pushes_at_once_create_one_store(many, server):
    store = server.database()
    works = [functools.partial(push, [many[0]], store) for _ in range(32)]
    assert at_once(works) == [0] * 32
    assert of_postgres(store) == of_sqlite(many[0])
    with psycopg.connect(store) as connection:
        assert connection.execute("SELECT version FROM sgtrack.migrations").fetchall() == [(1,)]


def test_what_is_deleted_while_it_is_pushed_stays_away(many, store):
    push([many[0]], store)
    uuids = sorted(of_sqlite(many[-1]))[::2]

    def delete():
        with closing(StoreWriter(Address(store), "pytest")) as writer:
            writer.delete(uuids)

    works = [functools.partial(push, [many[-1 - number]], store) for number in range(8)]
    assert at_once([*works, delete, *works, delete]) == [0] * 18
    assert not of_postgres(store).keys() & set(uuids)
    assert rows_without_a_run(store) == (0, 0)
