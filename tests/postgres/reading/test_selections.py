"""Which runs a store gives when it is asked for some of them."""

from __future__ import annotations

import random
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from tests import selections
from tests.postgres.filling import bring
from tracking import ExperimentDBManager
from tracking.postgres import runs as stored_runs
from tracking.postgres.address import Address
from tracking.postgres.reading import PostgresDBManager
from tracking.queries.selection import Selection

N_RUNS = 40


def some_runs():
    """Runs of all kinds, many of which started at one moment."""
    choose = random.Random(7).choice
    values = selections.VALUES
    return [
        {
            "name": choose(selections.NAMES),
            "session": choose(selections.SESSIONS),
            "commit": choose(selections.COMMITS),
            "end": choose(selections.ENDS),
            "created_at": choose([100.0, 200.0, 300.5, 400.25]),
            "uuid": f"{choose(['aab', 'aba', 'bab'])}",
            "series": {
                metric: [choose(values) for _ in range(choose([1, 2, 3]))]
                for metric in selections.METRICS[:2]
                if choose([True, True, False])
            },
        }
        for _ in range(N_RUNS)
    ]


@pytest.fixture(scope="module")
def both(server, tmp_path_factory):
    """The same runs in a database and in a store, which has more experiments."""
    folder = tmp_path_factory.mktemp("selections")
    url = server.database()
    for name in ("other", "e"):
        for k, run in enumerate(some_runs()):
            selections.fill(folder / f"{name}.db", [run], f"{name.encode().hex():0<25}{k:04x}")
        bring(folder / f"{name}.db", url)

    @contextmanager
    def opened():
        with (
            closing(ExperimentDBManager(folder / "e.db", is_read_only=True)) as db,
            closing(PostgresDBManager(Address(url), "e")) as stored,
        ):
            yield db, stored

    return opened


def test_all_runs_of_the_experiment_are_there_as_they_were(both):
    with both() as (db, stored):
        in_store = {run.uuid: run for run in stored.find_runs()}
        assert len(in_store) == N_RUNS
        for run in db.find_runs():
            found = in_store[run.uuid]
            assert found == replace(run, run_id=found.run_id)
            assert repr(stored.read_summaries(found.run_id)) == repr(db.read_summaries(run.run_id))


@pytest.fixture(scope="module")
def opened(both):
    with both() as (db, stored):
        every = {run.run_id: run.uuid for run in db.find_runs()}
        yield db, stored, every


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200
)
@given(selections.SELECTIONS)
def test_any_selection_is_that_of_the_database(opened, asked):
    db, stored, _ = opened
    assert selections.answer(stored, asked) == selections.expected(stored, asked)
    if asked.before is None:  # numbers of runs, and what they decide, are the store's own
        whole = asked._replace(offset=0, limit=None)
        found = {run.uuid for run in stored.select_runs(whole).runs}
        assert found == {run.uuid for run in db.select_runs(whole).runs}


@pytest.mark.parametrize("part", ["", "test_", "x", "ä", "%", "a\0", "\ud800", "nothing"])
def test_names_are_those_that_hold_a_text(opened, part):
    db, stored, _ = opened
    assert stored.run_names(part) == db.run_names(part)


def test_sessions_and_metrics_are_those_of_the_database(opened):
    db, stored, _ = opened
    assert stored.metric_names() == db.metric_names() == ["acc", "loss"]
    for beginning in ("", "abc", "abcd", "ff", "\0"):
        assert set(stored.sessions(beginning)) == set(db.sessions(beginning))
    newest = max(run.started_at for run in stored.find_runs() if run.session)
    last = {run.session for run in stored.find_runs() if run.started_at == newest}
    assert stored.last_session() in last


def test_of_very_many_runs_not_all_are_counted(both, monkeypatch):
    monkeypatch.setattr(stored_runs, "_MOST_COUNTED", 10)
    with both() as (_, stored):
        page = stored.select_runs(Selection(limit=3, is_counted=True))
        assert (len(page.runs), page.n, page.is_more) == (3, 10, True)
        page = stored.select_runs(Selection(limit=3, offset=30, is_counted=True))
        assert (page.n, page.is_more) == (33, True)
        some = Selection(wanted={"verdict": ("regressed",)}, is_counted=True)
        n = len(stored.select_runs(some).runs)
        assert n <= 10
        assert stored.select_runs(some._replace(limit=1))[1:] == (n, False)
