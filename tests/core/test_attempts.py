"""Which runs of a test only confirm what another one gave."""

from __future__ import annotations

import pytest

from tracking.attempts import confirmed_by, without_confirmations
from tracking.model import RunInfo

JUDGED = {"session": "s", "outcome": "failed", "verdict": "regressed"}
FRESH = {"session": "s", "outcome": "passed"}


def info(run_id, name="t", **more):
    return RunInfo(run_id, name, "", "completed", {}, **more)


def test_runs_under_fresh_seeds_belong_to_the_one_they_confirm():
    runs = [info(3, **FRESH), info(2, **FRESH), info(1, **JUDGED)]
    assert {one: run.run_id for one, run in confirmed_by(runs).items()} == {2: 1, 3: 1}
    assert [run.run_id for run in without_confirmations(runs)] == [1]


@pytest.mark.parametrize(
    "others",
    [
        [info(3, session="other", outcome="passed"), info(1, **JUDGED)],  # in another session
        [info(3, "other", **FRESH), info(1, **JUDGED)],  # another test
        [info(3, session="s", outcome="failed"), info(1, **JUDGED)],  # an attempt that failed
        [info(3, **JUDGED), info(1, **FRESH)],  # before it
        [info(3, outcome="passed"), info(1, outcome="failed", verdict="regressed")],  # no session
    ],
)
def test_other_runs_without_a_verdict_stand_for_themselves(others):
    assert confirmed_by(others) == {}
    assert without_confirmations(others) == others


def test_the_order_of_attempts_counts_where_runs_got_their_numbers_late():
    runs = [info(1, attempt=2, **FRESH), info(3, attempt=3, **FRESH), info(2, attempt=1, **JUDGED)]
    assert {one: run.run_id for one, run in confirmed_by(runs).items()} == {1: 2, 3: 2}
