"""The tolerance that samples propose."""

from __future__ import annotations

import itertools
import math
import random
import statistics
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import InvalidArgumentError
from tracking.model import Direction
from tracking.regression.sampling import MIN_SAMPLES
from tracking.regression.settings import MetricSettings
from tracking.regression.tolerance import propose_tolerance

stats = pytest.importorskip("scipy.stats")

LOWER, HIGHER, BOTH = Direction
MAX, TINY, ULP = sys.float_info.max, sys.float_info.min, math.ulp(0.0)
TEN = [0.93, 1.02, 0.97, 1.05, 1.0, 0.96, 1.01, 1.08, 0.99, 1.03]

every_finite = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [MAX, -MAX, MAX / 2, TINY, ULP, -ULP, 0.0]
)
every_baseline = st.lists(every_finite, min_size=MIN_SAMPLES, max_size=12)
usual_positive = st.integers(1, 10_000).map(lambda n: n / 128)
every_direction = st.sampled_from(Direction)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("rate", [0.2, 0.01, 1e-4])
def test_a_proposal_is_the_smallest_of_two_digits_that_keeps_the_rate(direction, rate):
    found = propose_tolerance(TEN, direction, rate)
    again = propose_tolerance(TEN, direction, rate, present_rel=found.rel)
    less = propose_tolerance(TEN, direction, rate, present_rel=_step_down(found.rel))
    assert found.rel == float(f"{found.rel:.1e}")
    assert found.false_red_rate == again.present_rate <= rate < less.present_rate


def _step_down(value):
    return value - 10 ** (math.floor(math.log10(value)) - 1)


def test_the_rate_of_a_tolerance_is_that_of_the_prediction_interval():
    found = propose_tolerance(TEN, HIGHER, present_rel=0.1)
    low = statistics.median(TEN) * 0.9
    error = statistics.stdev(TEN) * math.sqrt(1.1)
    expected = stats.t.sf((statistics.mean(TEN) - low) / error, 9)
    assert found.present_rate == pytest.approx(expected)


@pytest.mark.parametrize(
    ("samples", "rel", "absolute"),
    [
        ([3.0] * 5, 0.01, 1e-12),
        ([0.0] * 5, 0.01, 1e-12),
        ([1.0, 1.0001, 0.9999, 1.0, 1.0], 0.01, 1e-12),
        ([-1.0, 1.0, 0.0, 2.0, -2.0], 0.0, 6.5),
        ([-1e-200, 1e-200, 0.0, 2e-200, -2e-200], 0.01, 1e-12),
        ([-MAX, MAX, 0.0, MAX, -MAX], 0.0, MAX),
    ],
)
def test_proposals_where_no_share_of_the_median_fits(samples, rel, absolute):
    found = propose_tolerance(samples, LOWER)
    assert (found.rel, found.abs) == (rel, absolute)


@given(every_baseline, every_direction, st.sampled_from([0.2, 0.01, 1e-6]))
def test_every_proposal_keeps_the_rate(samples, direction, rate):
    found = propose_tolerance(samples, direction, rate)
    assert all(map(math.isfinite, vars(found).values()))
    is_within_floats = max(found.abs, found.rel * abs(statistics.median(samples))) < MAX / 4
    assert found.false_red_rate <= rate * (1 + 1e-6) or not is_within_floats


@given(st.lists(usual_positive, min_size=5, max_size=9), every_direction)
def test_a_wider_tolerance_is_never_red_more_often(samples, direction):
    rates = [
        propose_tolerance(samples, direction, present_rel=rel).present_rate
        for rel in (0.0, 0.01, 0.05, 0.5)
    ]
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates))


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"samples": [1.0] * 4}, "samples"),
        ({"samples": [*TEN, math.nan]}, "samples"),
        ({"rate": 0.0}, "rate"),
        ({"rate": 0.5}, "rate"),
        ({"rate": math.nan}, "rate"),
        ({"present_rel": -0.1}, "present_rel"),
        ({"present_abs": math.inf}, "present_abs"),
    ],
)
def test_what_no_tolerance_can_be_proposed_for_is_refused_by_name(changes, argument):
    with pytest.raises(InvalidArgumentError) as caught:
        propose_tolerance(**{"samples": TEN, "direction": LOWER} | changes)
    assert caught.value.argument == argument


@pytest.mark.parametrize(("centre", "direction"), [(1.0, LOWER), (1.0, BOTH), (0.0, HIGHER)])
def test_one_more_run_is_beyond_the_proposed_tolerance_as_rarely_as_asked(centre, direction):
    rng = random.Random(3)
    n, red = 3_000, 0
    for _ in range(n):
        *samples, now = (rng.gauss(centre, 0.05) for _ in range(11))
        found = propose_tolerance(samples, direction, 0.1)
        chosen = MetricSettings(direction, found.rel, found.abs, ("mean",))
        median = statistics.median(samples)
        change = {LOWER: now - median, HIGHER: median - now, BOTH: abs(now - median)}[direction]
        red += change > chosen.allowance(median)
    assert red / n == pytest.approx(0.1, abs=0.02)
