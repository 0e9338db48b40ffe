"""Baselines out of history: which runs count, and that small steps do not move the bar."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tracking.errors import BaselineError
from tracking.model import Verdict
from tracking.regression import (
    DEFAULT_SETTINGS,
    Check,
    Compared,
    Context,
    Sample,
    acceptance_of,
    compare,
    dump_comparison,
    history_entry,
    sample_as_text,
)
from tracking.summary import summarize

MAIN = {"git_branch": "main", "git_dirty": False, "git_pull_request": False}


def sample(value, seed=None):
    return Sample({"loss": summarize(range(5), [value] * 5)}, {}, {"device": "cpu"}, seed)


def comparison(one, *, is_accepted=False):
    text = sample_as_text(one)
    check = Check("loss", "tail", Verdict.WITHIN, 1.0, 1.0, 0.05, "")
    compared = Compared((check,), "pass", "store:main", "k", sample=text, is_accepted=is_accepted)
    return dump_comparison(compared)


def properties(**changed):
    green = {"status": "completed", "outcome": "passed", "verdict": "within", "parent": None}
    return {**green, "comparison": comparison(sample(1.0)), **changed}


@pytest.mark.parametrize(
    ("changed", "environment", "expected"),
    [
        ({}, {}, "green"),
        ({"verdict": "identical"}, {}, "green"),
        ({"verdict": "improved"}, {}, "green"),
        ({"verdict": "underpowered"}, {}, "green"),
        ({"verdict": "no_baseline"}, {}, "green"),
        ({"verdict": "new_metric"}, {}, "green"),
        ({"verdict": "not_comparable"}, {}, "green"),
        ({"verdict": "regressed"}, {}, None),
        ({"verdict": "non_finite"}, {}, None),
        ({"verdict": "missing_metric"}, {}, None),
        ({"verdict": "truncated"}, {}, None),
        ({"verdict": "bound_failed"}, {}, None),
        ({"verdict": "graph_changed"}, {}, None),
        ({"verdict": "unreadable_baseline"}, {}, None),
        ({"verdict": "incomplete"}, {}, None),
        ({"verdict": None}, {}, None),
        ({"status": "failed"}, {}, None),
        ({"status": "running"}, {}, None),
        ({"outcome": "failed"}, {}, None),
        ({"outcome": "xpassed"}, {}, None),
        ({"outcome": None}, {}, None),
        ({"parent": "0" * 32}, {}, None),
        ({}, {"git_branch": None}, None),
        ({}, {"git_dirty": True}, None),
        ({}, {"git_pull_request": True}, None),
        ({}, {"git_pull_request": None}, None),
        ({"comparison": None}, {}, None),
        ({"comparison": "{"}, {}, None),
        ({"comparison": '{"version": 99}'}, {}, None),
        (
            {"verdict": "regressed", "comparison": comparison(sample(2.0), is_accepted=True)},
            {},
            "explicit",
        ),
        ({"outcome": "failed", "comparison": comparison(sample(2.0), is_accepted=True)}, {}, None),
    ],
)
def test_a_run_counts_that_passed_on_the_branch_and_was_green_or_accepted(
    changed, environment, expected
):
    assert acceptance_of(properties(**changed), {**MAIN, **environment}) == expected


def test_every_verdict_is_known_to_count_or_not():
    known = {v: acceptance_of(properties(verdict=str(v)), MAIN) for v in Verdict}
    assert {verdict for verdict, counts in known.items() if counts is None} == {
        *(Verdict.REGRESSED, Verdict.NON_FINITE, Verdict.MISSING_METRIC, Verdict.TRUNCATED),
        *(Verdict.BOUND_FAILED, Verdict.GRAPH_CHANGED, Verdict.UNREADABLE_BASELINE),
        Verdict.INCOMPLETE,
    }


def test_a_checkout_of_nothing_known_counts_for_no_branch():
    assert acceptance_of(properties(), {}) is None


def test_of_runs_under_one_seed_the_newest_stands_for_it():
    newest = [comparison(sample(value, seed)) for value, seed in [(3.0, 1), (2.0, 0), (1.0, 1)]]
    entry = history_entry(newest, newest[::-1], 10)
    assert [(one.seed, one.metrics["loss"].last) for one in entry.samples] == [(1, 3.0), (0, 2.0)]
    assert [(one.seed, one.metrics["loss"].last) for one in entry.first] == [(1, 1.0), (0, 2.0)]
    assert entry.origin_sample.metrics["loss"].last == 1.0


def test_runs_without_a_seed_are_taken_as_they_are_and_no_more_than_asked():
    newest = [comparison(sample(float(value))) for value in range(9)]
    entry = history_entry(newest, newest[::-1], 4)
    assert [one.metrics["loss"].last for one in entry.samples] == [0.0, 1.0, 2.0, 3.0]
    assert history_entry([], [], 4) is None


def test_a_damaged_run_is_no_baseline():
    with pytest.raises(BaselineError, match="damaged"):
        history_entry(["{"], [], 4)


def judged(history, value, seed, fresh_values):
    """Return the verdict on a run after the runs that counted, the oldest first."""
    comparisons = [comparison(one) for one in history]
    entry = history_entry(comparisons[::-1], comparisons, 10)
    if entry is None:
        return Verdict.NO_BASELINE
    context = Context(seed, n_checks=2, origin=entry.origin_sample, first=entry.first)
    settings = replace(DEFAULT_SETTINGS)
    found = compare(entry.samples, sample(value, seed).metrics, lambda _: settings, context)
    if found.is_suspect:
        fresh = tuple(sample(one, 1000).metrics for one in fresh_values)
        context = replace(context, fresh=fresh)
        found = compare(entry.samples, sample(value, seed).metrics, lambda _: settings, context)
    return found.verdict


def commits(step, n, *, noise=0.0, seeded=False, rng_seed=0):
    """Return at which commit a history of equal steps was first red; None if never."""
    rng = random.Random(rng_seed)
    history = []
    if seeded:
        history = [sample(1 + rng.gauss(0, noise), seed) for seed in range(10)]
    for number in range(n):
        seed = 100 + number if seeded else None
        level = (1 + step) ** number
        value, *fresh = (level * (1 + rng.gauss(0, noise)) for _ in range(5))
        if judged(history, value, seed, fresh) is Verdict.REGRESSED:
            return number
        history.append(sample(value, seed))
    return None


def test_fifty_commits_of_one_percent_are_red_when_the_sum_passes_the_tolerance():
    assert commits(0.01, 50) == 5  # 1.01**5 is the first beyond 5 %


def test_so_are_those_of_noisy_runs_under_ever_new_seeds():
    pytest.importorskip("scipy")
    found = [commits(0.01, 50, noise=0.01, seeded=True, rng_seed=n) for n in range(20)]
    assert None not in found
    assert max(found) <= 15  # a mean of ten runs lags behind the newest by five


def test_of_a_history_that_only_has_noise_less_than_one_commit_in_a_hundred_is_red():
    pytest.importorskip("scipy")
    found = [commits(0.0, 30, noise=0.01, seeded=True, rng_seed=n) for n in range(20)]
    n_commits = sum(30 if one is None else one + 1 for one in found)
    n_red = sum(one is not None for one in found)
    assert n_red / n_commits <= 0.01
