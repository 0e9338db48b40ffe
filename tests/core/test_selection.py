"""Which runs an experiment gives when it is asked for some of them."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings

from tests import selections
from tracking import ExperimentDBManager, Tracker
from tracking.live import LiveExperiment
from tracking.queries.attempts import confirmed_among, own_runs
from tracking.queries.selection import Selection


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(selections.RUNS, selections.SELECTIONS)
def test_a_database_answers_as_a_search_of_all_its_runs(tmp_path_factory, runs, asked):
    path = tmp_path_factory.mktemp("selection") / "e.db"
    selections.fill(path, runs)
    with closing(ExperimentDBManager(path, is_read_only=True)) as db:
        found = selections.answer(db, asked)
        assert found == selections.expected(db, asked)
    assert LiveExperiment(path).ask(lambda live: selections.answer(live, asked)) == found


def test_runs_that_the_database_has_not_heard_of_are_among_those_asked_for(tmp_path):
    tracker = Tracker(tmp_path)
    tracker.set_experiment("e")
    with tracker.run("old"):
        tracker.record("loss", 1.0, 0)
    tracker.start_run("new", session="s")
    tracker.record("loss", 0.5, 0)
    live = LiveExperiment(tmp_path / "e.db")

    def found(**asked):
        return live.ask(lambda db: [run.name for run in db.select_runs(Selection(**asked)).runs])

    assert found() == ["new", "old"]
    assert found(wanted={"status": ["running"]}) == ["new"]
    assert found(wanted={"status": ["completed"]}) == ["old"]
    assert found(limit=1, offset=1) == ["old"]
    assert found(search="new running") == ["new"]
    tracker.close()


@pytest.mark.parametrize("n", [1, 49, 50, 51, 200])
def test_own_runs_come_one_by_one_without_those_that_confirm(tmp_path, n):
    passed = selections.ENDS[2]
    judged = selections.ENDS[3]
    runs = [
        {
            "name": "t",
            "session": f"{k // 3:032x}",
            "commit": None,
            "end": passed if k % 3 else judged,
            "created_at": 1.0 + k // 2,
            "uuid": f"{k:03x}",
            "series": {},
        }
        for k in range(n)
    ]
    selections.fill(tmp_path / "e.db", runs)
    with closing(ExperimentDBManager(tmp_path / "e.db", is_read_only=True)) as db:
        # Every third run was judged; those behind it in its session are further attempts.
        own = [run.uuid for run in own_runs(db, {"name": ("t",)})]
        assert own == [f"{k:03x}{'0' * 29}" for k in reversed(range(0, n, 3))]
        every = db.find_runs()
        assert len(confirmed_among(db, every)) == n - len(own)
        assert confirmed_among(db, [run for run in every if run.verdict]) == {}
