"""Which run a text means, and which runs gc may remove."""

import dataclasses

import pytest

from tracking import RunInfo
from tracking.cli.references import resolve_name, resolve_run, resolve_session
from tracking.cli.retention import removable
from tracking.errors import TrackingError
from tracking.queries.selection import selected
from tracking.reading import ExperimentReader


def info(run_id, name="t", *, uuid=None, status="completed", **more):
    """A run as a list of them has it."""
    uuid = f"{run_id:032x}" if uuid is None else uuid
    return RunInfo(run_id, name, "2026-11-23 10:00:00", status, {}, uuid=uuid, **more)


class Listed(ExperimentReader):
    """An experiment that has some runs, the newest first, and nothing else."""

    def __init__(self, runs):
        n = len(runs)
        self.runs = [
            dataclasses.replace(run, started_at=float(n - k)) for k, run in enumerate(runs)
        ]

    def get_run(self, run_id):
        return next((run for run in self.runs if run.run_id == run_id), None)

    def select_runs(self, asked):
        return selected(self.runs, asked, None)

    def run_names(self, containing=""):
        return sorted({run.name for run in self.runs if containing in run.name})

    def sessions(self, beginning=""):
        found = [run.session for run in self.runs if run.session]
        return [one for one in dict.fromkeys(found) if one.startswith(beginning)]

    def last_session(self):
        return next(iter(self.sessions()), None)


RUNS = [  # the newest first
    info(12, "b/test_y.py::test_z[1]", uuid="abcd" + "0" * 28),
    info(11, "beef", uuid="1234" + "0" * 28),
    info(10, "a/test_x.py::TestX::test_y", uuid="beef" + "0" * 28, status="failed"),
    info(5, "a/test_x.py::TestX::test_y", uuid="abce" + "0" * 28),
    info(4, "a/test_x.py::test_y", uuid="1235" + "0" * 28),
    info(3, "a/test_x.py::test_only[adam]", uuid="f" * 32),
]


@pytest.mark.parametrize(
    ("reference", "run_id"),
    [
        ("last", 12),
        ("last-failed", 10),
        ("5", 5),
        ("1234", 11),
        ("abcd", 12),
        ("f" * 32, 3),
        ("beef", 11),
        ("beef0", 10),
        ("a/test_x.py::TestX::test_y", 10),
        ("TestX::test_y", 10),
        ("test_x.py::test_y", 4),
        ("test_z[1]", 12),
        ("test_z", 12),
        ("test_only", 3),
        ("adam", 3),
    ],
)
def test_a_run_is_named_in_many_ways(reference, run_id):
    assert resolve_run(reference, Listed(RUNS)).run_id == run_id


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("99", "no run is meant by '99'; `sgtrack runs` lists all"),
        ("nosuch", "no run is meant by 'nosuch'"),
        ("", "no run is meant by ''"),
        ("123", "no run is meant by '123'"),
        ("test_y", "part of several names: a/test_x.py::TestX::test_y, a/test_x.py::test_y"),
        ("test_x.py", "part of several names"),
        ("abc", "no run is meant by 'abc'"),
    ],
)
def test_what_means_no_run_or_several_is_refused_with_what_there_is(reference, problem):
    with pytest.raises(TrackingError) as caught:
        resolve_run(reference, Listed(RUNS))
    assert problem in str(caught.value)


def test_the_beginning_of_several_uuids_lists_them():
    twins = [info(2, "b", uuid="abcd" * 8), info(1, "a", uuid="abcde" + "0" * 27)]
    with pytest.raises(TrackingError, match=r"several runs: 2 \(abcd.*\) b, 1 \(abcde0*\) a"):
        resolve_run("abcd", Listed(twins))


def test_a_long_list_is_cut():
    with pytest.raises(TrackingError, match=r"n07 and 12 more; give more of one$"):
        resolve_name("n", Listed([info(i, f"n{i:02}") for i in range(20)]))


def test_the_last_run_is_found_behind_any_number_of_confirmations():
    fresh = [info(number, **FRESH) for number in range(300, 1, -1)]
    assert resolve_run("last", Listed([*fresh, info(1, **JUDGED)])).run_id == 1


@pytest.mark.parametrize(
    ("reference", "problem"), [("last", "no run yet"), ("last-failed", "no run has failed")]
)
def test_where_no_run_is_there_is_no_last_one(reference, problem):
    with pytest.raises(TrackingError, match=problem):
        resolve_run(reference, Listed([]))


def test_a_session_is_named_by_its_beginning():
    sessions = ["abcd1", "abcd2", "ffff3", None]
    runs = Listed([info(i, session=session) for i, session in enumerate(sessions)])
    assert resolve_session("ffff", runs) == "ffff3"
    for reference, problem in (
        ("abcd", "several sessions: abcd1, abcd2"),
        ("fff", "no session"),
        ("0000", "no session"),
    ):
        with pytest.raises(TrackingError, match=problem):
            resolve_session(reference, runs)


JUDGED = {"session": "s", "outcome": "failed", "verdict": "regressed", "status": "failed"}
FRESH = {"session": "s", "outcome": "passed"}


def test_runs_under_fresh_seeds_stand_behind_the_one_they_confirm():
    runs = Listed([info(3, **FRESH), info(2, **FRESH), info(1, **JUDGED)])
    assert resolve_run("last", runs).run_id == resolve_run("t", runs).run_id == 1
    assert resolve_run("3", runs).run_id == 3


def ids(runs):
    return [run.run_id for run in runs]


@pytest.mark.parametrize(
    ("runs", "n_kept", "accepted", "removed"),
    [
        ([info(3), info(2), info(1)], 1, [], [2, 1]),
        ([info(3), info(2), info(1)], 0, [], [3, 2, 1]),
        ([info(3), info(2), info(1)], 3, [], []),
        ([info(3, "a"), info(2, "b"), info(1, "a")], 1, [], [1]),
        ([info(3), info(2), info(1)], 1, [1], [2]),
        ([info(3), info(2, status="failed"), info(1)], 1, [], [1]),
        ([info(3), info(2, status="running"), info(1)], 1, [], [1]),
        ([info(3, status="failed"), info(2), info(1)], 1, [], [2, 1]),
        # a run inside of another has the other's lot
        ([info(4), info(2, "in", parent=f"{1:032x}"), info(1)], 1, [], [2, 1]),
        ([info(4), info(2, "in", parent=f"{1:032x}", status="failed"), info(1)], 1, [], []),
        ([info(4), info(2, "in", parent=f"{1:032x}"), info(1)], 1, [2], []),
        ([info(5, "in", parent=f"{4:032x}"), info(4), info(3, "in")], 1, [], []),
        # so has one that confirmed another under a fresh seed
        ([info(4), info(3, **FRESH), info(2, **JUDGED), info(1)], 1, [], [1]),
        (
            [info(4), info(3, **FRESH), info(2, session="s", outcome="passed", verdict="within")],
            *(1, [], [3, 2]),
        ),
        # and of one whose outer run is gone nothing is known
        ([info(2, parent="gone"), info(1, parent="gone")], 1, [], [1]),
    ],
)
def test_gc_keeps_the_newest_the_failed_and_the_accepted(runs, n_kept, accepted, removed):
    assert ids(removable(runs, n_kept, accepted)) == removed


def test_a_run_that_got_its_number_after_one_inside_of_it_keeps_that_one():
    outer = info(3, started_at=1.0)
    inner = info(2, "fold", started_at=2.0, parent=outer.uuid)
    newer = info(4, started_at=3.0)
    assert removable([newer, inner, outer], 2, ()) == []
    assert ids(removable([newer, inner, outer], 1, ())) == [2, 3]
