"""The decision where a history of runs, each of which passed, has drifted from its first ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tracking.model import Direction, Summary, Verdict
from tracking.regression.baseline import Sample
from tracking.regression.checks import Check
from tracking.regression.rules import Context, compare
from tracking.regression.sampling import confirm_alpha, predict
from tracking.regression.settings import DEFAULT_SETTINGS

pytest.importorskip("scipy.special")

LOWER, HIGHER, BOTH = Direction.LOWER, Direction.HIGHER, Direction.BOTH
WITHIN, REGRESSED = Verdict.WITHIN, Verdict.REGRESSED
MEAN = replace(DEFAULT_SETTINGS, statistics=("mean",))
FIRST = [1.0, 1.01, 0.99, 1.005, 0.995]
DRIFTED = [1.1, 1.11, 1.09, 1.105, 1.095, 1.1]
BETTER = [2 - value for value in DRIFTED]
NOW = 1.102
SEED = 7


def summary(value):
    """A summary of ten records that all are `value`; of ten NaN where it is None."""
    numbers = dict.fromkeys(("min", "max", "mean", "tail", "last"), value)
    n_nan = 10 if value is None else 0
    return Summary(n=10, n_nan=n_nan, n_inf=0, std=0.0, first_step=0, last_step=9, **numbers)


def samples_of(values, first_seed=100, name="loss"):
    return [Sample({name: summary(v)}, {}, {}, s) for s, v in enumerate(values, first_seed)]


def judged(now=NOW, recent=DRIFTED, first=FIRST, settings=MEAN, **context):
    """Compare a run of a loss with recent samples, in a history that began with `first`."""
    first = first if first and isinstance(first[0], Sample) else samples_of(first, 50)
    context = Context(SEED, first=first, **context)
    return compare(samples_of(recent), {"loss": summary(now)}, lambda _: settings, context)


@pytest.mark.parametrize(
    ("first", "recent", "now", "direction", "verdict"),
    [
        (FIRST, DRIFTED, NOW, LOWER, REGRESSED),
        (FIRST, DRIFTED, NOW, BOTH, REGRESSED),
        (FIRST, DRIFTED, NOW, HIGHER, WITHIN),
        (FIRST, BETTER, 0.9, HIGHER, REGRESSED),
        (FIRST, BETTER, 0.9, BOTH, REGRESSED),
        (FIRST, BETTER, 0.9, LOWER, WITHIN),
        (FIRST, FIRST, 1.0, LOWER, WITHIN),
        (FIRST, [value + 0.04 for value in FIRST], 1.04, LOWER, WITHIN),  # below the tolerance
        # Fewer than five of the first tell nothing of their spread.
        (FIRST[:4], DRIFTED, NOW, LOWER, WITHIN),
        ([*FIRST[:4], None], DRIFTED, NOW, LOWER, WITHIN),
        ([*FIRST, None], DRIFTED, NOW, LOWER, REGRESSED),
        ([], DRIFTED, NOW, LOWER, WITHIN),
    ],
)
def test_runs_that_each_passed_may_not_have_drifted_from_the_first(
    first, recent, now, direction, verdict
):
    comparison = judged(now, recent, first, replace(MEAN, direction=direction))
    assert (comparison.verdict, comparison.is_suspect) == (verdict, False)


def test_what_drift_is_told_as():
    found = predict(FIRST, [*DRIFTED, NOW], LOWER, confirm_alpha(60, 5), MEAN.rel, MEAN.abs)
    message = (
        "loss: mean went from 0.999975 to 1.10027 (+10 %) since the first runs, in steps that were"
        " green one by one; lower is better, allowance 0.0499987"
    )
    numbers = (found.centre, NOW, found.allowance)
    expected = Check("loss", "mean", REGRESSED, *numbers, message, found.detectable, "", LOWER)
    assert judged(n_checks=60).checks == (expected,)


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        (MEAN, REGRESSED),
        (replace(MEAN, rel=0.2), WITHIN),
        (replace(MEAN, abs=0.2, floor=0.0), WITHIN),
        (replace(MEAN, floor=0.2), REGRESSED),
    ],
)
def test_a_drift_counts_beyond_the_tolerance_of_the_metric(settings, verdict):
    assert judged(settings=settings).verdict is verdict


NOISY = [1.0, 1.1, 0.9, 1.05, 0.95]


@pytest.mark.parametrize(
    ("n_checks", "first", "verdict"),
    [
        (1, NOISY, REGRESSED),
        (10_000, NOISY, WITHIN),
        # The more of the first there are, the less it takes to be sure.
        (200, NOISY, WITHIN),
        (200, NOISY * 2, REGRESSED),
    ],
)
def test_more_checks_ask_for_more_certainty_of_a_drift(n_checks, first, verdict):
    recent = [1.14, 1.19, 1.09, 1.16, 1.12, 1.14]
    assert judged(1.15, recent, first, n_checks=n_checks).verdict is verdict


def test_first_runs_without_the_metric_are_passed_over():
    first = samples_of(FIRST, 50)
    others = samples_of([9.0] * 5, 60, "acc")
    assert judged(first=others).verdict is WITHIN
    assert judged(first=[*others, *first]) == judged(first=first)


def test_the_value_of_this_run_counts_among_the_recent_ones():
    recent = [1.045, 1.055, 1.04, 1.055, 1.05]
    assert judged(1.045, recent).verdict is WITHIN
    assert judged(1.06, recent).verdict is REGRESSED
    assert "since the first runs" in judged(1.06, recent).checks[0].message


def test_a_run_that_is_worse_than_its_samples_is_no_drift():
    comparison = judged(1.5)
    assert (comparison.verdict, comparison.is_suspect) == (REGRESSED, True)
    assert "not confirmed by fresh seeds" in comparison.checks[0].message
