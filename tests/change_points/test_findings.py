"""What is said of a metric's runs: levels, changes for the worse, drift, and what is no number."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.change_points.findings import Change, Drift, Effect, Kind, Level, find
from tracking.model import Direction
from tracking.regression import DEFAULT_SETTINGS, MetricSettings

LOWER, HIGHER, BOTH = Direction
NAN, INF = math.nan, math.inf


def settings(**changes):
    return MetricSettings(
        **{"direction": None, "rel": 0.05, "abs": 1e-12, "statistics": ("tail",)} | changes
    )


def found(values, direction=LOWER, **changes):
    return find(values, settings(**changes), direction)


def stairs(*levels_and_lengths):
    return [level for level, length in levels_and_lengths for _ in range(length)]


def test_a_change_has_its_levels_and_the_runs_on_both_sides():
    result = found(stairs((2.0, 5), (2.5, 7)))
    before, after = Level(0, 4, 2.0, 5), Level(5, 11, 2.5, 7)
    assert result.levels == (before, after)
    assert result.changes == (Change(Kind.LEVEL, Effect.WORSE, 4, 5, before, after, 0.0),)
    assert result.changes[0].relative == 0.25
    assert (result.n, result.n_non_finite, result.drift) == (12, 0, None)


@pytest.mark.parametrize(
    ("before", "after", "direction", "effect"),
    [
        (1.0, 1.1, LOWER, Effect.WORSE),
        (1.0, 0.9, LOWER, Effect.BETTER),
        (1.0, 1.1, HIGHER, Effect.BETTER),
        (1.0, 0.9, HIGHER, Effect.WORSE),
        (1.0, 1.1, BOTH, Effect.WORSE),
        (1.0, 0.9, BOTH, Effect.WORSE),
        (-1.0, -1.1, LOWER, Effect.BETTER),
        (1.0, 1.0 + 2**-7, LOWER, Effect.SMALL),
        (1.0, 1.0 + 2**-6, LOWER, Effect.WORSE),
        (1.0, 0.9925, LOWER, Effect.SMALL),
        (0.0, 1e-13, LOWER, Effect.SMALL),
        (0.0, 1e-11, LOWER, Effect.WORSE),
        (-1e308, 1e308, LOWER, Effect.WORSE),
    ],
)
def test_what_a_step_is_for_the_metric(before, after, direction, effect):
    (change,) = found(stairs((before, 4), (after, 4)), direction, floor=2**-7).changes
    assert change.effect is effect


@pytest.mark.parametrize(
    ("values", "n", "is_too_short"),
    [
        ([], 0, True),
        ([1.0, 1.0, 2.0], 3, True),
        ([None, 1.0, NAN, 1.0, None, 2.0], 3, True),
        ([1.0, 1.0, 2.0, 2.0], 4, False),
        ([1.0] * 4, 4, False),
    ],
)
def test_fewer_than_four_runs_are_too_short(values, n, is_too_short):
    result = found(values)
    assert (result.n, result.is_too_short) == (n, is_too_short)
    assert bool(result.levels) != is_too_short


def test_a_run_without_the_metric_is_no_change():
    assert found([1.0, None, 1.0, 1.0, None, None, 1.0]).changes == ()
    (change,) = found([1.0, 1.0, None, None, 2.0, 2.0]).changes
    assert (change.last_before, change.first_after) == (1, 4)


@pytest.mark.parametrize("odd", [NAN, INF, -INF])
def test_a_run_that_became_non_finite_is_a_change_of_its_own_kind(odd):
    result = found([1.0, 1.0, odd, None, odd, 1.0, 1.0])
    said = [(one.kind, one.effect, one.last_before, one.first_after) for one in result.changes]
    assert said == [
        (Kind.NON_FINITE, Effect.WORSE, 1, 2),
        (Kind.FINITE_AGAIN, Effect.BETTER, 4, 5),
    ]
    assert (result.n, result.n_non_finite) == (4, 2)
    assert [one.relative for one in result.changes] == [None, None]


def test_the_newest_run_becoming_non_finite_is_told_however_short_the_history():
    assert [one.kind for one in found([1.0, NAN]).changes] == [Kind.NON_FINITE]


def test_steps_and_what_is_no_number_stand_in_the_order_of_the_runs():
    result = found([*stairs((1.0, 4)), NAN, *stairs((2.0, 4)), INF])
    assert [one.kind for one in result.changes] == [
        Kind.NON_FINITE,
        Kind.LEVEL,
        Kind.FINITE_AGAIN,
        Kind.NON_FINITE,
    ]
    assert [one.first_after for one in result.changes] == [4, 5, 5, 9]


@pytest.mark.parametrize(
    ("levels", "drift"),
    [
        ((1.00, 1.03), None),
        ((1.00, 1.02, 1.04), None),
        ((1.00, 1.04, 1.00, 1.04), None),
        ((1.00, 1.03, 1.06), (Effect.WORSE, 0.06, 2)),
        ((1.00, 0.97, 0.94), (Effect.BETTER, -0.06, 2)),
        ((1.00, 1.20), None),
        ((1.00, 1.20, 1.23, 1.27), (Effect.WORSE, 0.07 / 1.2, 2)),
        ((2.00, 1.00, 1.03, 1.06), (Effect.WORSE, 0.06, 2)),
        ((1.00, 1.03, 1.06, 1.20), None),
    ],
)
def test_small_steps_since_the_last_large_one_add_up(levels, drift):
    result = found(stairs(*((level, 5) for level in levels)))
    if drift is None:
        assert result.drift is None
    else:
        effect, relative, n_steps = drift
        assert (result.drift.effect, result.drift.n_steps) == (effect, n_steps)
        assert result.drift.relative == pytest.approx(relative)
        assert result.drift.first_after == 5 * (len(levels) - 1)


def test_a_slow_drift_is_found_that_no_step_of_which_is_beyond_the_tolerance():
    ramp = np.linspace(1.0, 1.12, 120) + 0.004 * np.random.default_rng(2).normal(size=120)
    result = found(list(ramp))
    assert isinstance(result.drift, Drift)
    assert result.drift.effect is Effect.WORSE
    assert 0.08 < result.drift.relative < 0.12
    assert all(abs(change.relative) <= 0.05 for change in result.changes)
    assert found(list(ramp[::-1])).drift.effect is Effect.BETTER
    assert found(list(ramp), rel=0.2).drift is None


def test_a_deterministic_ratchet_is_found_once_its_sum_is_beyond_the_tolerance():
    values = [1.0 * 1.002**k for k in range(60)]
    assert found(values[:20]).drift is None
    assert found(values).drift.effect is Effect.WORSE


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(4, 30))
def test_a_constant_metric_has_one_level_to_the_bit(value, n):
    result = found([value] * n)
    assert result.levels == (Level(0, n - 1, value, n),)
    assert (result.changes, result.drift) == ((), None)


@given(
    st.lists(st.none() | st.floats(), max_size=30),
    st.sampled_from(Direction),
)
def test_whatever_the_values_levels_and_changes_fit_together(values, direction):
    result = find(values, DEFAULT_SETTINGS, direction)
    steps = [change for change in result.changes if change.kind is Kind.LEVEL]
    assert [change.before for change in steps] == list(result.levels[:-1])
    assert [change.after for change in steps] == list(result.levels[1:])
    assert sum(level.n for level in result.levels) == (0 if result.is_too_short else result.n)
    for change in result.changes:
        assert change.last_before < change.first_after
        assert values[change.last_before] is not None
        assert values[change.first_after] is not None
