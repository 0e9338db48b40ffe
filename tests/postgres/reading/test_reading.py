"""A manager of a store gives what that of the database gives, at one moment."""

from __future__ import annotations

import itertools
import shutil
import threading
from contextlib import closing

import pytest

from tests.postgres.filling import bring
from tests.postgres.reading.conftest import TEST
from tracking import ExperimentDBManager, Tracker
from tracking.errors import InvalidArgumentError, RunNotFoundError
from tracking.postgres import reading
from tracking.postgres.address import Address
from tracking.postgres.experiments import StoredExperiments
from tracking.postgres.reading import PostgresDBManager


@pytest.fixture(scope="module")
def managers(world):
    with (
        closing(ExperimentDBManager(world.root / "experiments/pytest.db", is_read_only=True)) as db,
        closing(PostgresDBManager(Address(world.url), "pytest")) as stored,
    ):
        yield db, stored


RUNS = range(1, 12)
OF_A_RUN = {
    "get_run": lambda db, run: db.get_run(run),
    "get_metrics": lambda db, run: db.get_metrics(run),
    "get_records": lambda db, run: {m: db.get_records(run, m) for m in db.get_metrics(run)},
    "series": lambda db, run: [
        [column.tolist() for column in db.series(run, m)] for m in db.get_metrics(run)
    ],
    "dtypes": lambda db, run: [column.dtype for column in db.series(run, "loss")],
    "iter_records": lambda db, run: {
        metric: [record for _, part in parts for record in part]
        for metric, parts in itertools.groupby(db.iter_records(run), lambda part: part[0])
    },
    "read_summaries": lambda db, run: db.read_summaries(run),
    "get_comparison": lambda db, run: db.get_comparison(run),
    "get_histograms": lambda db, run: db.get_histograms(run),
    "get_images": lambda db, run: db.get_images(run),
    "get_texts": lambda db, run: db.get_texts(run),
    "get_graphs": lambda db, run: [
        (one.name, one.created_at, one.n_nodes, one.fingerprint, one.whole(), one.overview())
        for one in db.get_graphs(run)
    ],
    "get_comp_graphs": lambda db, run: [one | {"id": 0} for one in db.get_comp_graphs(run)],
}


@pytest.mark.parametrize("what", OF_A_RUN)
def test_all_of_a_run_is_as_the_database_has_it(managers, monkeypatch, what):
    monkeypatch.setattr(reading, "_CHUNKS_AT_ONCE", 2)  # so that series come in parts
    of = OF_A_RUN[what]
    db, stored = managers
    found = [repr(of(stored, run)) for run in RUNS]
    assert found == [repr(of(db, run)) for run in RUNS]
    assert len(set(found)) > (what != "dtypes")


@pytest.mark.parametrize("what", [*OF_A_RUN, "nested_runs", "run_id_of", "find_run"])
def test_what_is_not_there_is_told(managers, what):
    _, stored = managers
    if what in ("get_run", "find_run"):
        assert stored.get_run(99) is stored.find_run("99") is stored.find_run("f" * 32) is None
        assert stored.find_run("x") is None
    elif what == "nested_runs":
        assert stored.nested_runs([]) == []
    else:
        with pytest.raises(RunNotFoundError, match="pytest in postgresql://owner@127"):
            stored.run_id_of("f" * 32) if what == "run_id_of" else OF_A_RUN[what](stored, 99)


@pytest.mark.parametrize("number", [-1, True, "1", 1.5, 2**63])
def test_what_is_no_number_of_a_run_is_refused_as_the_database_does(managers, number):
    for manager in managers:
        with pytest.raises((InvalidArgumentError, RunNotFoundError)) as caught:
            manager.get_texts(number)
        assert str(number) in str(caught.value)


def test_runs_inside_of_others_are_found(managers):
    db, stored = managers
    (outer,) = stored.find_runs(name="outer")
    nested = stored.nested_runs([outer])
    assert nested == db.nested_runs([outer])
    assert [run.config for run in nested] == [{"fold": 0}, {"fold": 1}]


def test_summaries_and_comparisons_of_several_runs_are_those_of_each(managers):
    for manager in managers:
        runs = manager.find_runs()
        assert repr(manager.summaries_of(runs)) == repr(
            {run.run_id: manager.read_summaries(run.run_id) for run in runs}
        )
        compared = {run.run_id: manager.get_comparison(run.run_id) for run in runs}
        found = dict(manager.comparisons_of(runs))
        assert found == {number: text for number, text in compared.items() if text is not None}
        assert len(found) == 2


def test_a_manager_stays_at_its_moment(world, server, tmp_path):
    folder = shutil.copytree(world.root / "experiments", tmp_path / "experiments")
    url = server.database()
    bring(folder / "pytest.db", url)
    with closing(PostgresDBManager(Address(url), "pytest")) as stored:
        before = stored.find_runs()
        tracker = Tracker(folder)
        tracker.set_experiment("pytest")
        with tracker.run(TEST):
            tracker.record("loss", 1.0, 0)
        tracker.close()
        bring(folder / "pytest.db", url)
        assert stored.find_runs() == before
        assert stored.find_runs(name=TEST) == [run for run in before if run.name == TEST]
    with closing(PostgresDBManager(Address(url), "pytest")) as stored:
        assert len(stored.find_runs()) == len(before) + 1


def test_threads_have_a_connection_each(world):
    with closing(StoredExperiments(Address(world.url))) as store:
        barrier = threading.Barrier(4, timeout=20)
        found = []

        def look():
            def question(db):
                barrier.wait()  # all of them are within a moment
                return [run.run_id for run in db.find_runs()]

            found.append(store.ask("pytest", question))

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [list(reversed(RUNS))] * 4


def test_a_question_that_fails_leaves_the_connection_usable(world):
    with closing(StoredExperiments(Address(world.url))) as store:
        for _ in range(20):
            with pytest.raises(ZeroDivisionError):
                store.ask("pytest", lambda db: len(db.find_runs()) / 0)
        assert store.ask("pytest", lambda db: db.n_runs()) == len(RUNS)
        assert len(store._connections._idle) == 1
