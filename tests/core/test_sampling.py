"""The statistical rule."""

from __future__ import annotations

import math
import random
import statistics
import subprocess
import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tracking.errors import InvalidArgumentError, MissingDependencyError
from tracking.model import Direction
from tracking.regression import student
from tracking.regression.sampling import (
    MIN_SAMPLES,
    N_FRESH,
    SCREEN_ALPHA,
    SampleTest,
    confirm,
    confirm_alpha,
    predict,
    screen,
)
from tracking.regression.student import has_scipy
from tracking.regression.tolerance import propose_tolerance

stats = pytest.importorskip("scipy.stats")

LOWER, HIGHER, BOTH = Direction
MAX, TINY, ULP = sys.float_info.max, sys.float_info.min, math.ulp(0.0)
TEN = [0.93, 1.02, 0.97, 1.05, 1.0, 0.96, 1.01, 1.08, 0.99, 1.03]
NO_FLOOR = {"floor_rel": 0.0, "floor_abs": 0.0}

every_finite = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [MAX, -MAX, MAX / 2, TINY, ULP, -ULP, 0.0]
)
every_baseline = st.lists(every_finite, min_size=MIN_SAMPLES, max_size=12)
every_new = st.lists(every_finite, min_size=1, max_size=6)
usual = st.integers(-10_000, 10_000).map(lambda n: n / 128)
usual_positive = st.integers(1, 10_000).map(lambda n: n / 128)
usual_baseline = st.lists(usual, min_size=MIN_SAMPLES, max_size=12)
every_direction = st.sampled_from(Direction)
every_floor = st.sampled_from([{}, NO_FLOOR, {"floor_rel": MAX, "floor_abs": MAX}])
every_alpha = st.sampled_from([0.4, 0.05, 0.02, 0.001, 1e-6, 1e-12])


def numbers(found):
    """Return all numbers of a result."""
    fields = [value for value in vars(found).values() if isinstance(value, float)]
    return [*fields, found.detectable] if isinstance(found, SampleTest) else fields


def is_red(*arguments, **options):
    return predict(*arguments, **options).is_significant_worse


# Agreement with others' formulas


@pytest.mark.parametrize(
    ("direction", "alternative"), [(LOWER, "greater"), (HIGHER, "less"), (BOTH, "two-sided")]
)
@pytest.mark.parametrize("m", [1, 2, 4, 9])
def test_p_is_that_of_students_test_with_the_pooled_spread(direction, alternative, m):
    rng = random.Random(m)
    base = [rng.gauss(-3, 0.5) for _ in range(8)]
    new = [rng.gauss(-2.6, 0.5) for _ in range(m)]
    if m == 1:
        error = statistics.stdev(base) * math.sqrt(1 + 1 / 8)
        upper = stats.t.sf((new[0] - statistics.mean(base)) / error, 7)
        expected = {LOWER: upper, HIGHER: 1 - upper, BOTH: 2 * min(upper, 1 - upper)}[direction]
    else:
        expected = stats.ttest_ind(new, base, equal_var=True, alternative=alternative).pvalue
    found = predict(base, new, direction, 0.05)
    assert found.p == pytest.approx(expected, rel=1e-9)
    assert not found.is_log
    assert found.df == 8 + m - 2


def test_a_positive_loss_is_compared_on_the_log():
    new = [1.3, 1.1]
    expected = stats.ttest_ind(
        [math.log(x) for x in new], [math.log(x) for x in TEN], alternative="greater"
    )
    found = predict(TEN, new, LOWER, 0.05)
    assert found.is_log
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.centre == pytest.approx(statistics.geometric_mean(TEN))
    assert found.current == pytest.approx(statistics.geometric_mean(new))
    assert found.effect == found.current - found.centre


@pytest.mark.parametrize(
    ("base", "new", "direction", "is_log"),
    [
        (TEN, [1.0], LOWER, True),
        (TEN, [1.0], HIGHER, False),
        (TEN, [1.0], BOTH, False),
        (TEN, [0.0], LOWER, False),
        ([0.0, *TEN], [1.0], LOWER, False),
        (TEN, [1.0, -1.0], LOWER, False),
    ],
)
def test_the_log_needs_lower_is_better_and_all_values_positive(base, new, direction, is_log):
    assert predict(base, new, direction, 0.05).is_log == is_log


@pytest.mark.parametrize("df", [4, 9, 12, 20, 40])
@pytest.mark.parametrize("alpha", [0.05, 0.02, 0.001, 1e-5])
def test_detectable_without_a_floor_is_that_of_the_noncentral_t(df, alpha):
    rng = random.Random(df)
    base = [rng.gauss(0, 1) for _ in range(df + 1)]
    found = predict(base, [0.0], HIGHER, alpha, **NO_FLOOR)
    change = found.detectable / found.standard_error
    power = stats.nct.sf(stats.t.isf(alpha, df), df, change)
    assert power == pytest.approx(0.8, abs=0.003)


@pytest.mark.parametrize("floor", [0.5, 2.0, 4.0, 20.0])
def test_a_change_of_the_detectable_size_is_found_in_eight_of_ten_runs(floor):
    np = pytest.importorskip("numpy")
    rng = np.random.default_rng(5)
    base, new = rng.standard_normal((100_000, 10)), rng.standard_normal(100_000)
    # A baseline of mean 0 and spread 1 in truth and in what was seen.
    seen = [math.sqrt(0.9) * sign for sign in (-1, 1)] * 5
    change = predict(seen, [0.0], LOWER, 0.02, floor_rel=0, floor_abs=floor).detectable
    gap = new + change - base.mean(1)
    critical = stats.t.isf(0.02, 9) * base.std(1, ddof=1) * math.sqrt(1.1)
    assert ((gap > critical) & (gap > floor)).mean() == pytest.approx(0.8, abs=0.01)


# Floor and history without spread


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("centre", [100.0, -100.0, 2.0**1000, 2.0**-1000])
@pytest.mark.parametrize("change", [-1.25, -1.0, -0.5, 0.0, 0.5, 1.0, 1.25])
def test_without_spread_a_change_is_red_beyond_the_floor_alone(direction, centre, change):
    value = centre + change / 128 * abs(centre)
    found = predict([centre] * 5, [value], direction, 0.001, 1 / 128, 0.0)
    is_towards_worse = {LOWER: change > 0, HIGHER: change < 0, BOTH: change != 0}[direction]
    is_beyond = abs(change) > 1
    assert found.is_significant_worse == (is_beyond and is_towards_worse)
    assert found.is_significant_better == (is_beyond and not is_towards_worse)
    assert (found.p == 0) == is_towards_worse
    assert found.allowance == found.detectable == found.floor == abs(centre) / 128


@pytest.mark.parametrize(
    ("floor_rel", "floor_abs", "floor"), [(0.5, 0.0, 2.0), (0.5, 3.0, 3.0), (0.0, 3.0, 3.0)]
)
def test_the_larger_floor_holds_and_its_bound_passes(floor_rel, floor_abs, floor):
    def found(value):
        return predict([4.0] * 5, [value], LOWER, 0.02, floor_rel, floor_abs)

    assert found(4 + floor).floor == floor
    assert not found(4 + floor).is_significant_worse
    assert found(math.nextafter(4 + floor, math.inf)).is_significant_worse


def test_an_effect_within_the_floor_passes_however_significant():
    base = [1 + i * 1e-9 for i in range(10)]
    found = predict(base, [1.009], LOWER, 0.02)
    assert found.p < 1e-12
    assert not found.is_significant_worse
    assert predict(base, [1.011], LOWER, 0.02).is_significant_worse


@given(
    st.lists(usual_positive, min_size=5, max_size=9) | usual_baseline,
    st.lists(usual, min_size=1, max_size=1),
    every_direction,
    st.sampled_from([0.2, 0.02, 0.001]),
    st.sampled_from([0.0, 0.01, 0.5]),
)
def test_one_value_is_red_exactly_beyond_the_allowance(base, new, direction, alpha, rel):
    found = predict(base, new, direction, alpha, rel)
    worse = {LOWER: found.effect, HIGHER: -found.effect, BOTH: abs(found.effect)}[direction]
    assume(not math.isclose(worse, found.allowance, rel_tol=1e-9))
    assert found.is_significant_worse == (worse > found.allowance)


# Invariants


@given(every_baseline, every_new, every_direction, every_alpha, every_floor)
def test_finite_values_give_finite_results(base, new, direction, alpha, floors):
    found = predict(base, new, direction, alpha, **floors)
    assert all(map(math.isfinite, numbers(found)))
    assert 0 <= found.p <= 1
    assert found.allowance >= found.floor >= 0
    assert found.detectable >= found.floor
    assert not (found.is_significant_worse and found.is_significant_better)


@given(usual_baseline, every_new, every_direction, st.randoms())
def test_the_order_of_values_does_not_matter(base, new, direction, shuffler):
    expected = predict(base, new, direction, 0.02)
    assert predict(_shuffled(base, shuffler), _shuffled(new, shuffler), direction, 0.02) == expected


def _shuffled(values, shuffler):
    return shuffler.sample(values, len(values))


@given(usual_baseline, st.lists(usual, min_size=1, max_size=4), st.integers(-900, 900))
def test_a_power_of_two_as_unit_changes_nothing_but_the_unit(base, new, exponent):
    def scaled(values):
        return [math.ldexp(value, exponent) for value in values]

    one = predict(base, new, HIGHER, 0.02, floor_abs=0.0)
    other = predict(scaled(base), scaled(new), HIGHER, 0.02, floor_abs=0.0)
    assert other.p == one.p
    assert other.is_significant_worse == one.is_significant_worse
    assert [other.effect, other.allowance] == scaled([one.effect, one.allowance])


@given(st.lists(usual_positive, min_size=5), usual_positive, st.floats(1e-100, 1e100))
def test_the_unit_of_a_positive_loss_does_not_matter(base, value, unit):
    assume(len(set(base)) > 1)
    one = predict(base, [value], LOWER, 0.02, **NO_FLOOR)
    other = predict([x * unit for x in base], [value * unit], LOWER, 0.02, **NO_FLOOR)
    assert other.p == pytest.approx(one.p, rel=1e-6, abs=1e-12)


@given(usual_baseline, st.lists(usual, min_size=1, max_size=4), every_alpha)
def test_higher_is_lower_mirrored(base, new, alpha):
    assume(min(base) <= 0)  # else the loss is compared on the log
    lower = predict(base, new, LOWER, alpha)
    higher = predict([-x for x in base], [-x for x in new], HIGHER, alpha)
    assert higher.p == lower.p
    assert higher.effect == -lower.effect
    assert higher.allowance == lower.allowance
    assert higher.is_significant_worse == lower.is_significant_worse
    assert higher.is_significant_better == lower.is_significant_better


@given(usual_baseline, st.lists(usual, min_size=1, max_size=4), every_alpha)
def test_better_is_worse_the_other_way_round(base, new, alpha):
    assume(min(base) <= 0)
    lower, higher = (predict(base, new, direction, alpha) for direction in (LOWER, HIGHER))
    assert lower.is_significant_better == higher.is_significant_worse


@given(usual_baseline, st.lists(usual, min_size=1, max_size=4), every_alpha)
def test_both_ways_test_each_side_at_half_the_level(base, new, alpha):
    assume(min(base) <= 0)
    both = predict(base, new, BOTH, alpha)
    sides = [is_red(base, new, direction, alpha / 2) for direction in (LOWER, HIGHER)]
    assert both.is_significant_worse == any(sides)
    assert both.allowance == predict(base, new, HIGHER, alpha / 2).allowance
    assert not both.is_significant_better


@given(usual_baseline, every_finite, every_finite, every_alpha)
def test_a_worse_value_is_never_judged_better_than_a_good_one(base, one, other, alpha):
    good, bad = sorted((one, other))
    assert is_red(base, [bad], LOWER, alpha) >= is_red(base, [good], LOWER, alpha)
    assert is_red(base, [good], HIGHER, alpha) >= is_red(base, [bad], HIGHER, alpha)


@given(usual_baseline, usual, every_direction)
def test_a_smaller_level_reddens_no_more(base, value, direction):
    levels = [is_red(base, [value], direction, alpha) for alpha in (0.001, 0.02, 0.3)]
    assert levels == sorted(levels)


# Arguments


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"baseline": [1.0] * 4}, "baseline"),
        ({"baseline": [1.0] * 5 + [math.nan]}, "baseline"),
        ({"baseline": [1.0] * 5 + [-math.inf]}, "baseline"),
        ({"new": []}, "new"),
        ({"new": [math.nan]}, "new"),
        ({"new": [math.inf]}, "new"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 0.5}, "alpha"),
        ({"alpha": math.nan}, "alpha"),
        ({"floor_rel": -0.1}, "floor_rel"),
        ({"floor_rel": math.nan}, "floor_rel"),
        ({"floor_abs": math.inf}, "floor_abs"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(changes, argument):
    usual_call = {"baseline": [1.0] * 5, "new": [1.0], "direction": LOWER, "alpha": 0.02}
    with pytest.raises(InvalidArgumentError) as caught:
        predict(**usual_call | changes)
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("n_checks", "n_samples", "argument"), [(0, 5, "n_checks"), (1, 4, "n_samples")]
)
def test_a_level_needs_checks_and_samples(n_checks, n_samples, argument):
    with pytest.raises(InvalidArgumentError) as caught:
        confirm_alpha(n_checks, n_samples)
    assert caught.value.argument == argument


# Without scipy


def test_without_scipy_the_error_says_how_to_get_it(monkeypatch):
    assert has_scipy()
    monkeypatch.setitem(sys.modules, "scipy", None)
    student.critical_t.cache_clear()
    assert not has_scipy()
    for call in (
        lambda: screen(TEN, 1.0, LOWER),
        lambda: confirm(TEN, [1.0], LOWER, 60),
        lambda: propose_tolerance(TEN, LOWER),
    ):
        with pytest.raises(MissingDependencyError, match=r"pip install 'pytest-sgtrack\[stats\]'"):
            call()


def test_importing_the_rule_imports_no_scipy_and_using_it_no_scipy_stats():
    script = (
        "import sys; from tracking.model import Direction;"
        " from tracking.regression import sampling;"
        " assert 'scipy' not in sys.modules;"
        " sampling.screen([1.0, 2.0, 3.0, 4.0, 5.0], 3.0, Direction.LOWER).detectable;"
        " assert 'scipy.special' in sys.modules; assert 'scipy.stats' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


# The two stages


@pytest.mark.parametrize(
    ("n_checks", "n_samples", "level"),
    [(60, 10, 0.001), (60, 5, 0.0005), (60, 25, 0.0025), (60, 30, 0.003), (60, 99, 0.003)],
)
def test_sixty_checks_with_ten_samples_are_confirmed_at_a_thousandth(n_checks, n_samples, level):
    assert confirm_alpha(n_checks, n_samples) == pytest.approx(level)


def test_levels_fall_with_more_checks_and_fewer_samples_and_never_pass_the_screens():
    numbers_of_checks = (1, 2, 10, 60, 600, 10_000, 10**9)
    for k in (5, 10, 40):
        levels = [confirm_alpha(n, k) for n in numbers_of_checks]
        assert levels == sorted(levels, reverse=True)
        assert levels[0] == SCREEN_ALPHA
        assert levels[-1] > 0
    for n in numbers_of_checks:
        levels = [confirm_alpha(n, k) for k in (5, 7, 10, 30, 40)]
        assert levels == sorted(levels)


@pytest.mark.parametrize(
    ("value", "direction", "is_suspect"),
    [
        (1.15, LOWER, True),
        (1.08, LOWER, False),
        (0.5, LOWER, False),
        (0.85, HIGHER, True),
        (1.15, HIGHER, False),
        (1.15, BOTH, True),
        (0.85, BOTH, True),
    ],
)
def test_the_screen_suspects_what_is_clearly_worse(value, direction, is_suspect):
    assert screen(TEN, value, direction).is_significant_worse == is_suspect


@pytest.mark.parametrize(
    ("fresh", "n_checks", "is_confirmed"),
    [
        ([1.0, 0.98, 1.02, 1.03], 60, False),
        ([1.16, 1.14, 1.17, 1.2], 60, True),
        ([1.16, 1.14, 1.17, 1.2], 10_000, False),
        ([1.26, 1.24, 1.27, 1.3], 10_000, True),
        ([1.1, 1.08, 1.14, 1.1], 60, True),
        ([1.0, 1.02, 0.98, 1e6], 60, False),  # one outlier confirms nothing
        ([1.5, 1.6, 1.5, 1e6], 60, True),  # and hides nothing
        ([1.5, 1e9, 1e30, 1e300], 60, True),
        ([0.3, 1.5, 1.6, 1.7], 60, False),  # three of four confirm nothing
        ([0.5, 0.5, 0.5, 0.5], 60, False),
    ],
)
def test_fresh_runs_confirm_what_all_of_them_show(fresh, n_checks, is_confirmed):
    assert confirm(TEN, fresh, LOWER, n_checks).is_significant_worse == is_confirmed


def test_where_only_each_run_alone_is_worse_the_mildest_is_shown():
    found = confirm(TEN, [1.6, 1.5, 1e6, 1.7], LOWER, 60)
    assert found.current == 1.5
    assert found.p <= confirm_alpha(60, 10)


@given(
    st.lists(st.floats(1.3, 1e300), min_size=N_FRESH, max_size=N_FRESH),
    st.sampled_from([1, 60, 500]),
)
def test_runs_that_are_all_far_off_are_red_however_they_spread(fresh, n_checks):
    assert confirm(TEN, [2 * value for value in fresh], LOWER, n_checks).is_significant_worse


@given(
    usual.filter(bool),
    st.lists(st.floats(1.02, 50), min_size=N_FRESH, max_size=N_FRESH),
    st.sampled_from([1, 60, 10_000]),
)
def test_a_history_without_spread_is_confirmed_worse_whatever_the_fresh_spread(
    centre, factors, n_checks
):
    fresh = [centre + (factor - 1) * abs(centre) for factor in factors]
    assert confirm([centre] * 10, fresh, LOWER, n_checks).is_significant_worse


def test_runs_as_good_as_the_baseline_are_suspect_and_confirmed_as_often_as_promised():
    rng = random.Random(11)
    n, suspects, red = 20_000, 0, 0
    for _ in range(n):
        base = [rng.gauss(0, 1) for _ in range(10)]
        if screen(base, rng.gauss(0, 1), LOWER).is_significant_worse:
            suspects += 1
            fresh = [rng.gauss(0, 1) for _ in range(N_FRESH)]
            red += confirm(base, fresh, LOWER, 1).is_significant_worse
    assert suspects / n == pytest.approx(SCREEN_ALPHA, rel=0.2)
    assert red / n < 0.005


def test_a_change_of_four_spreads_is_caught():
    rng = random.Random(12)
    n, red = 2_000, 0
    for _ in range(n):
        base = [rng.gauss(0, 1) for _ in range(10)]
        if screen(base, rng.gauss(4, 1), LOWER).is_significant_worse:
            fresh = [rng.gauss(4, 1) for _ in range(N_FRESH)]
            red += confirm(base, fresh, LOWER, 60).is_significant_worse
    assert red / n > 0.85
