"""The decision whether a metric got worse."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tracking.errors import InvalidArgumentError
from tracking.model import STATISTICS, Direction, Summary, Verdict
from tracking.regression.baseline import Sample
from tracking.regression.checks import SEVERITY, Check, worst
from tracking.regression.rules import Context, compare
from tracking.regression.settings import DEFAULT_SETTINGS, MetricSettings
from tracking.summary import summarize

NAN, INF = math.nan, math.inf
LOWER, HIGHER, BOTH = Direction.LOWER, Direction.HIGHER, Direction.BOTH
IDENTICAL, WITHIN, IMPROVED = Verdict.IDENTICAL, Verdict.WITHIN, Verdict.IMPROVED
REGRESSED, NON_FINITE, TRUNCATED = Verdict.REGRESSED, Verdict.NON_FINITE, Verdict.TRUNCATED
NOT_COMPARABLE = Verdict.NOT_COMPARABLE
RED = {REGRESSED, NON_FINITE, TRUNCATED, Verdict.MISSING_METRIC}
EXACT = MetricSettings(None, rel=0.0, abs=0.0, statistics=STATISTICS)


def summary(value=1.0, n=10, n_nan=0, n_inf=0, **changes):
    """A summary all of whose values are `value`, where `changes` do not say otherwise."""
    fields = dict.fromkeys(("min", "max", "mean", "tail", "last"), value) | {"std": 0.0} | changes
    return Summary(n=n, n_nan=n_nan, n_inf=n_inf, first_step=0, last_step=n - 1, **fields)


def of(values):
    return summarize(range(len(values)), values)


def sample(seed=0, **metrics):
    return Sample(metrics, {}, {}, seed)


def run(before, now, settings=DEFAULT_SETTINGS, *, name="loss", seed=0, own=0, **context):
    """Compare one metric with a baseline: a summary or several, of seed `own` or with theirs."""
    items = before if isinstance(before, list) else [before]
    pairs = [item if isinstance(item, tuple) else (own, item) for item in items]
    samples = [sample(seed_, **{name: item}) for seed_, item in pairs]
    return compare(samples, {name: now}, lambda _: settings, Context(seed, **context))


def found(comparison):
    return {(check.statistic, check.verdict) for check in comparison.checks}


# The order of verdicts


def test_the_severity_order_covers_every_verdict_once():
    assert sorted(SEVERITY) == sorted(Verdict)


def test_every_verdict_that_is_red_by_default_outweighs_all_others():
    red = RED | {Verdict.BOUND_FAILED, Verdict.GRAPH_CHANGED, Verdict.UNREADABLE_BASELINE}
    assert set(SEVERITY[-len(red) :]) == red


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], IDENTICAL),
        ([WITHIN, IDENTICAL], WITHIN),
        ([IMPROVED, REGRESSED, WITHIN], REGRESSED),
        ([Verdict.NEW_METRIC, NOT_COMPARABLE], NOT_COMPARABLE),
        ([Verdict.INCOMPLETE, REGRESSED], REGRESSED),
    ],
)
def test_the_worst_of_several_verdicts_counts(verdicts, expected):
    assert worst(verdicts) is expected


# Settings


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("direction", "lower"),
        ("rel", -0.01),
        ("rel", NAN),
        ("rel", INF),
        ("rel", 10**400),
        ("rel", True),
        ("rel", "0.1"),
        ("rel", None),
        ("abs", -1e-300),
        ("abs", NAN),
        ("abs", INF),
        ("abs", False),
        ("floor", -0.01),
        ("floor", NAN),
        ("floor", "0.01"),
        ("statistics", ()),
        ("statistics", ("mean", "median")),
        ("statistics", ("n",)),
        ("statistics", "mean"),
        ("statistics", ["mean"]),
        ("statistics", (["mean"],)),
        ("statistics", None),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(field, value):
    with pytest.raises(InvalidArgumentError) as caught:
        replace(DEFAULT_SETTINGS, **{field: value})
    assert caught.value.argument == field


@pytest.mark.parametrize("direction", [None, *Direction])
@pytest.mark.parametrize("tolerance", [0, 0.0, 5e-324, 1, 1.7e308])
def test_settings_at_their_bounds_are_accepted(direction, tolerance):
    settings = MetricSettings(direction, tolerance, tolerance, STATISTICS, tolerance)
    assert run(summary(), summary(), settings).verdict is IDENTICAL


@pytest.mark.parametrize(
    ("direction", "metric", "statistic", "expected"),
    [
        (None, "loss", "mean", LOWER),
        (None, "acc", "tail", HIGHER),
        (None, "lr", "mean", BOTH),
        (None, "loss", "std", BOTH),
        (None, "acc", "std", BOTH),
        (LOWER, "acc", "mean", LOWER),
        (LOWER, "acc", "std", LOWER),
        (BOTH, "loss", "mean", BOTH),
    ],
)
def test_a_chosen_direction_holds_and_an_inferred_one_says_nothing_about_std(
    direction, metric, statistic, expected
):
    settings = replace(DEFAULT_SETTINGS, direction=direction)
    assert settings.direction_of(metric, statistic) is expected


def test_the_defaults_are_those_that_are_documented():
    assert MetricSettings(None, 0.05, 1e-12, ("tail", "mean"), 0.01) == DEFAULT_SETTINGS


def test_each_metric_is_compared_by_its_own_settings():
    settings = {"a_loss": DEFAULT_SETTINGS, "b_loss": replace(DEFAULT_SETTINGS, rel=0.5)}
    before = sample(a_loss=summary(1.0), b_loss=summary(1.0))
    now = {"a_loss": summary(1.2), "b_loss": summary(1.2)}
    checks = compare([before], now, settings.__getitem__, Context(0)).checks
    assert [(check.metric, check.verdict) for check in checks] == [
        ("a_loss", REGRESSED),
        ("a_loss", REGRESSED),
        ("b_loss", WITHIN),
        ("b_loss", WITHIN),
    ]


# Metrics that one side lacks


@pytest.mark.parametrize("samples", [None, []])
def test_without_a_baseline_every_metric_is_shown_and_nothing_is_identical(samples):
    comparison = compare(samples, {"b": summary(2.0), "a": summary()}, lambda _: EXACT, Context(0))
    assert comparison.verdict is Verdict.NO_BASELINE
    assert [(check.metric, check.verdict, check.current) for check in comparison.checks] == [
        ("a", Verdict.NO_BASELINE, 1.0),
        ("b", Verdict.NO_BASELINE, 2.0),
    ]
    values = "mean 1, tail 1, min 1, max 1, std 0, last 1"
    assert comparison.checks[0].message == f"a: no baseline yet; this run gave {values}"
    assert not comparison.is_suspect


def test_without_a_baseline_each_metric_is_shown_by_its_own_settings():
    settings = {"a": replace(EXACT, statistics=("last", "std")), "b": replace(EXACT)}
    now = {"a": summary(last=3.0), "b": summary(min=0.5)}
    checks = compare(None, now, settings.__getitem__, Context(0)).checks
    assert [(check.metric, check.statistic, check.current) for check in checks] == [
        ("a", "last", 3.0),
        ("b", STATISTICS[0], getattr(now["b"], STATISTICS[0])),
    ]
    assert checks[0].message == "a: no baseline yet; this run gave last 3, std 0"


def test_a_run_without_metrics_and_baseline_has_no_baseline():
    assert compare(None, {}, lambda _: EXACT, Context(0)).verdict is Verdict.NO_BASELINE


def test_a_run_without_metrics_is_identical_to_a_baseline_without_metrics():
    comparison = compare([sample()], {}, lambda _: EXACT, Context(0))
    assert (comparison.verdict, comparison.checks) == (IDENTICAL, ())


@pytest.mark.parametrize("seed", [0, 1, None])
def test_a_metric_that_is_gone_is_red_whatever_the_seed(seed):
    comparison = compare([sample(loss=summary(0.5))], {}, lambda _: DEFAULT_SETTINGS, Context(seed))
    message = "loss: not recorded by this run; the baseline has tail 0.5, mean 0.5"
    expected = Check("loss", "tail", Verdict.MISSING_METRIC, 0.5, None, None, message)
    assert comparison.checks == (expected,)
    assert not comparison.is_suspect, "no run of another seed brings it back"


def test_a_metric_that_only_some_samples_have_is_missed_all_the_same():
    samples = [sample(), sample(loss=summary())]
    assert compare(samples, {}, lambda _: EXACT, Context(0)).verdict is Verdict.MISSING_METRIC


def test_a_metric_that_no_sample_has_is_new():
    now = {"acc": summary(), "loss": summary(2.0)}
    comparison = compare([sample(acc=summary())], now, lambda _: DEFAULT_SETTINGS, Context(0))
    assert comparison.verdict is Verdict.NEW_METRIC
    message = "loss: not in the baseline; this run gave tail 2, mean 2"
    expected = Check("loss", "tail", Verdict.NEW_METRIC, None, 2.0, None, message)
    assert comparison.checks[-1] == expected
    assert not comparison.is_suspect


# Counts


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (
            summary(n=10),
            summary(n=9),
            Check(
                *("loss", "n", TRUNCATED, 10, 9, 0),
                "loss: n went from 10 to 9 (-10 %);"
                " a run has to have as many records as the baseline, allowance 0",
            ),
        ),
        (
            summary(n_nan=1),
            summary(n_nan=2),
            Check(
                *("loss", "n_nan", NON_FINITE, 1, 2, 0),
                "loss: n_nan went from 1 to 2 (+100 %);"
                " more non-finite records than in the baseline, allowance 0",
            ),
        ),
        (
            summary(n_inf=2),
            summary(n_inf=1),
            Check(
                *("loss", "n_inf", IMPROVED, 2, 1, 0),
                "loss: n_inf went from 2 to 1 (-50 %)",
            ),
        ),
    ],
)
def test_a_count_that_differs_is_told_by_both_sides_and_allows_nothing(before, now, expected):
    assert run(before, now).checks[0] == expected


@pytest.mark.parametrize("n", [1, 9, 11])
@pytest.mark.parametrize("seed", [0, 1])
def test_another_number_of_records_is_truncated_whatever_the_seed(n, seed):
    comparison = run(summary(n=10), summary(n=n), seed=seed)
    assert comparison.verdict is TRUNCATED
    check = comparison.checks[0]
    assert (check.statistic, check.baseline, check.current) == ("n", 10, n)


@pytest.mark.parametrize(
    ("before", "n", "expected"),
    [
        ([(0, 10), (0, 20)], 10, set()),
        ([(0, 10), (0, 20)], 15, {("n", TRUNCATED)}),
        # Another seed's early stop does not excuse this one's.
        ([(0, 10), (1, 20)], 20, {("n", TRUNCATED)}),
        ([(1, 10), (2, 20)], 20, set()),
        ([(1, 10), (2, 20)], 30, {("n", TRUNCATED)}),
    ],
)
def test_as_many_records_as_any_sample_of_the_seed_is_enough(before, n, expected):
    comparison = run([(seed, summary(n=m)) for seed, m in before], summary(n=n))
    assert {pair for pair in found(comparison) if pair[0] == "n"} == expected


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([(0, 0)], (1, 0), {("n_nan", NON_FINITE)}),
        ([(0, 0)], (0, 1), {("n_inf", NON_FINITE)}),
        ([(0, 0)], (1, 1), {("n_nan", NON_FINITE), ("n_inf", NON_FINITE)}),
        ([(1, 0)], (2, 0), {("n_nan", NON_FINITE)}),
        ([(1, 0)], (1, 0), set()),
        ([(1, 0)], (0, 0), {("n_nan", IMPROVED)}),
        ([(0, 2)], (0, 1), {("n_inf", IMPROVED)}),
        ([(1, 0)], (0, 1), {("n_nan", IMPROVED), ("n_inf", NON_FINITE)}),
        ([(0, 0), (2, 0)], (2, 0), set()),
        ([(0, 0), (2, 0)], (3, 0), {("n_nan", NON_FINITE)}),
        ([(1, 0), (2, 0)], (0, 0), {("n_nan", IMPROVED)}),
        # The NaN of one sample and the infinities of the other allow neither with both.
        ([(3, 0), (0, 3)], (3, 3), {("n_inf", NON_FINITE)}),
        # The nearest is the one that excuses most, however far it is otherwise.
        ([(0, 5), (0, 0)], (0, 5), set()),
        ([(9, 0), (1, 0)], (2, 0), {("n_nan", IMPROVED)}),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_more_non_finite_records_are_red_and_fewer_improved(before, now, expected, seed):
    baseline = [summary(n_nan=nan, n_inf=inf) for nan, inf in before]
    comparison = run(baseline, summary(n_nan=now[0], n_inf=now[1]), seed=seed)
    assert {pair for pair in found(comparison) if pair[0] in ("n_nan", "n_inf")} == expected


def test_the_non_finite_records_of_another_seed_do_not_excuse_those_of_this_one():
    before = [(0, summary(n_nan=0)), (1, summary(n_nan=3))]
    assert run(before, summary(n_nan=3), seed=0).verdict is NON_FINITE
    assert run(before, summary(n_nan=3), seed=1).verdict is IDENTICAL


# Values that are not finite

LAST = replace(DEFAULT_SETTINGS, statistics=("last",))
MEAN = replace(DEFAULT_SETTINGS, statistics=("mean",))


def last(value, n_nan=0, n_inf=0):
    return summary(last=value, n_nan=n_nan, n_inf=n_inf)


LOST = summary(None, n_nan=10, std=None, last=NAN)


@pytest.mark.parametrize(
    ("before", "now", "settings", "expected"),
    [
        # Same on both sides.
        ([last(NAN, 1)], last(NAN, 1), LAST, IDENTICAL),
        ([last(INF, 0, 1)], last(INF, 0, 1), LAST, IDENTICAL),
        ([LOST], LOST, EXACT, IDENTICAL),
        ([last(NAN, 1), last(1.0, 1)], last(NAN, 1), LAST, IDENTICAL),
        # A number before, none now.
        ([last(1.0)], last(NAN, 1), LAST, NON_FINITE),
        ([summary()], LOST, MEAN, NON_FINITE),
        ([last(1.0, 1)], last(NAN, 1), LAST, NON_FINITE),
        ([last(1.0, 0, 1)], last(-INF, 0, 1), LAST, NON_FINITE),
        # Another kind of none.
        ([last(INF, 0, 1)], last(-INF, 0, 1), LAST, NON_FINITE),
        ([last(NAN, 1, 1)], last(INF, 1, 1), LAST, NON_FINITE),
        # None before, a number now.
        ([LOST], summary(), EXACT, IMPROVED),
        ([last(NAN, 1)], last(5.0, 0), LAST, IMPROVED),
        ([last(NAN, 1)], last(5.0, 1), LAST, NON_FINITE),
        ([last(NAN, 1)], last(5.0, 0, 1), LAST, NON_FINITE),
        ([last(NAN, 2), last(INF, 0, 1)], last(5.0, 1), LAST, NON_FINITE),
        ([last(INF, 0, 2)], last(5.0, 0, 1), LAST, IMPROVED),
        # Numbers of the samples that have one.
        ([last(NAN, 1), last(1.0, 1)], last(1.01, 1), LAST, WITHIN),
        ([last(NAN, 1), last(1.0, 1)], last(2.0, 1), LAST, REGRESSED),
    ],
)
def test_a_value_that_is_not_finite_on_one_side_only_never_passes(before, now, settings, expected):
    comparison = run(before, now, settings)
    assert (comparison.verdict, comparison.checks[-1].verdict) == (expected, expected)
    assert not comparison.is_suspect


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([last(1.0, 1)], last(NAN, 1), NON_FINITE),
        ([last(NAN, 1)], last(NAN, 1), NOT_COMPARABLE),
        ([last(NAN, 1), last(1.0, 1)], last(NAN, 1), NOT_COMPARABLE),
        ([last(NAN, 1)], last(1.0, 1), NON_FINITE),
        ([last(NAN, 1)], last(1.0, 0), NOT_COMPARABLE),
    ],
)
def test_another_seed_excuses_no_value_that_is_not_finite(before, now, expected):
    comparison = run(before, now, LAST, seed=1)
    assert (comparison.verdict, comparison.is_suspect) == (expected, False)


# Seeds


@pytest.mark.parametrize(
    ("seeds", "seed", "expected"),
    [
        ([0], 0, IDENTICAL),
        ([None], None, IDENTICAL),
        ([0, 1], 1, IDENTICAL),
        ([0], 1, NOT_COMPARABLE),
        ([0, 1], 2, NOT_COMPARABLE),
        ([0], None, NOT_COMPARABLE),
        ([None], 0, NOT_COMPARABLE),
    ],
)
def test_values_are_compared_with_samples_of_the_same_seed_only(seeds, seed, expected):
    assert run([(s, summary()) for s in seeds], summary(), seed=seed).verdict is expected


def test_the_samples_of_other_seeds_do_not_move_the_median():
    before = [(0, summary(1.0)), (1, summary(9.0)), (2, summary(9.0))]
    check = run(before, summary(1.2), seed=0).checks[0]
    assert (check.verdict, check.baseline) == (REGRESSED, 1.0)


def test_the_message_names_the_seeds_that_differ():
    before = [(2, summary(0.9)), (None, summary(0.9)), (1, summary(0.9))]
    message = run(before, summary(0.9), seed=7).checks[0].message
    assert message == (
        "loss: tail went from 0.9 to 0.9 (+0 %), but it had seed 7 and the baseline no seed,"
        " seed 1, seed 2, and runs of different seeds need not agree"
        " (samples: 3, the statistical rule needs 5)"
    )


def test_the_message_says_so_where_the_run_has_no_seed():
    message = run(summary(0.9), summary(0.9), seed=None).checks[0].message
    assert message == (
        "loss: tail went from 0.9 to 0.9 (+0 %), but it had no seed and the baseline seed 0, and"
        " runs of different seeds need not agree (the statistical rule needs runs with a seed)"
    )


# Tolerance


@pytest.mark.parametrize(
    ("before", "now", "direction", "expected"),
    [
        (1.0, 1.0, LOWER, IDENTICAL),
        (0.0, -0.0, LOWER, IDENTICAL),
        (1.0, 1.04, LOWER, WITHIN),
        (1.0, 0.96, LOWER, WITHIN),
        (100.0, 105.0, LOWER, WITHIN),
        (100.0, 95.0, HIGHER, WITHIN),
        (100.0, math.nextafter(105.0, INF), LOWER, REGRESSED),
        (100.0, math.nextafter(95.0, 0), HIGHER, REGRESSED),
        (1.0, 1.06, LOWER, REGRESSED),
        (1.0, 0.94, LOWER, IMPROVED),
        (1.0, 1.06, HIGHER, IMPROVED),
        (1.0, 0.94, HIGHER, REGRESSED),
        (1.0, 1.06, BOTH, REGRESSED),
        (1.0, 0.94, BOTH, REGRESSED),
        (-1.0, -1.06, LOWER, IMPROVED),
        (-1.0, -0.94, LOWER, REGRESSED),
        (-1.0, -0.96, LOWER, WITHIN),
        # The absolute floor, where a fraction of the baseline is next to nothing.
        (0.0, 1e-12, LOWER, WITHIN),
        (0.0, 2e-12, LOWER, REGRESSED),
        (0.0, -2e-12, LOWER, IMPROVED),
        # Differences beyond the largest float.
        (1e308, -1e308, LOWER, IMPROVED),
        (1e308, -1e308, HIGHER, REGRESSED),
        (-1.7e308, 1.7e308, LOWER, REGRESSED),
        (1.7e308, 1.75e308, LOWER, WITHIN),
        (5e-324, 1e308, LOWER, REGRESSED),
    ],
)
def test_a_change_beyond_the_allowance_counts_by_its_direction(before, now, direction, expected):
    settings = replace(MEAN, direction=direction)
    check = run(summary(before), summary(now), settings).checks[0]
    assert check.verdict is expected


@pytest.mark.parametrize(
    ("rel", "before", "now", "expected"),
    [
        (1.5, 1.5e308, -1.5e308, REGRESSED),
        (2.0, 1.5e308, -1.5e308, WITHIN),
        (10.0, 1.7e308, -1.7e308, WITHIN),
    ],
)
def test_an_allowance_beyond_the_largest_float_is_no_free_pass(rel, before, now, expected):
    settings = replace(MEAN, direction=HIGHER, rel=rel)
    assert run(summary(before), summary(now), settings).verdict is expected


@pytest.mark.parametrize(
    ("before", "now", "expected", "baseline"),
    [
        ([1.0, 2.0], 1.5, WITHIN, 1.5),
        ([1.0, 2.0], 2.0, IDENTICAL, 2.0),
        ([1.0, 2.0], 2.01, REGRESSED, 1.5),
        ([3.0, 1.0, 1.1], 1.12, WITHIN, 1.1),
        ([1e308, 1.7e308], 1.35e308, WITHIN, 1.35e308),
        ([1.7e308, -1.7e308], 1.0, REGRESSED, 0.0),
        ([5e-324, 5e-324], 1.0, REGRESSED, 5e-324),
    ],
)
def test_several_samples_are_met_in_any_one_or_in_their_median(before, now, expected, baseline):
    items = [summary(value) for value in before]
    check = run(items, summary(now), MEAN, seed=None, own=None).checks[0]
    assert (check.verdict, check.baseline) == (expected, pytest.approx(baseline, 1e-12, 0))
    with_seed = run(items, summary(now), MEAN).checks[0]
    assert with_seed.verdict is (Verdict.UNDERPOWERED if expected is WITHIN else expected)
    assert (with_seed.baseline, with_seed.allowance) == (check.baseline, check.allowance)


def test_only_the_statistics_that_were_chosen_are_compared_in_their_order():
    settings = replace(DEFAULT_SETTINGS, statistics=("max", "mean"))
    comparison = run(summary(), summary(last=9.0, tail=9.0, max=2.0), settings)
    assert [(check.statistic, check.verdict) for check in comparison.checks] == [
        ("max", REGRESSED),
        ("mean", IDENTICAL),
    ]


def test_a_larger_spread_of_an_accuracy_is_no_improvement():
    settings = replace(DEFAULT_SETTINGS, statistics=("std",))
    assert run(summary(std=0.1), summary(std=0.2), settings, name="acc").verdict is REGRESSED


# What a check tells


@pytest.mark.parametrize(
    ("baseline", "current", "change", "relative"),
    [
        (2.0, 2.5, 0.5, 0.25),
        (-2.0, -2.5, -0.5, -0.25),
        (0.0, 1.0, 1.0, None),
        (None, 1.0, None, None),
        (1.0, None, None, None),
        (NAN, 1.0, None, None),
        (1.0, INF, None, None),
        (1e308, -1e308, -INF, -2.0),
        (5e-324, 1.0, 1.0, None),
        (5e-324, 1e308, 1e308, None),
        (100, 80, -20, -0.2),
    ],
)
def test_a_check_gives_its_change_where_there_is_one(baseline, current, change, relative):
    check = Check("loss", "mean", WITHIN, baseline, current, None, "")
    assert (check.change, check.relative_change) == (change, relative)


@pytest.mark.parametrize(
    ("before", "now", "settings", "message"),
    [
        (
            summary(0.5),
            summary(0.6),
            MEAN,
            "loss: mean went from 0.5 to 0.6 (+20 %); lower is better, allowance 0.025",
        ),
        (
            summary(0.0),
            summary(0.1),
            replace(MEAN, direction=BOTH),
            "loss: mean went from 0 to 0.1; either way counts, allowance 1e-12",
        ),
        (
            summary(1.0),
            summary(1.00000001),
            replace(MEAN, rel=0.0),
            ("loss: mean went from 1.0 to 1.00000001 (+1e-06 %); lower is better, allowance 1e-12"),
        ),
        (
            summary(n=100),
            summary(n=80),
            MEAN,
            (
                "loss: n went from 100 to 80 (-20 %);"
                " a run has to have as many records as the baseline, allowance 0"
            ),
        ),
        (
            summary(),
            summary(n_nan=2),
            MEAN,
            (
                "loss: n_nan went from 0 to 2;"
                " more non-finite records than in the baseline, allowance 0"
            ),
        ),
        (
            last(0.5, 1),
            last(NAN, 1),
            LAST,
            (
                "loss: last went from 0.5 to NaN;"
                " a value that is not finite passes only if the baseline has the same"
            ),
        ),
    ],
)
def test_the_message_of_a_red_check_says_what_changed_by_how_much_and_what_was_allowed(
    before, now, settings, message
):
    assert run(before, now, settings).checks[0].message == message


@pytest.mark.parametrize(
    ("before", "now", "seed", "expected"),
    [
        (
            last(INF, 0, 1),
            last(5.0),
            0,
            Check("loss", "last", IMPROVED, INF, 5.0, None, "loss: last went from Infinity to 5"),
        ),
        (
            last(0.5),
            last(-INF, 0, 1),
            0,
            Check(
                *("loss", "last", NON_FINITE, 0.5, -INF, None),
                "loss: last went from 0.5 to -Infinity;"
                " a value that is not finite passes only if the baseline has the same",
            ),
        ),
        (
            last(INF, 0, 1),
            last(INF, 0, 1),
            1,
            Check(
                *("loss", "last", NOT_COMPARABLE, INF, INF, None),
                "loss: last went from Infinity to Infinity, but it had seed 1 and the baseline"
                " seed 0, and runs of different seeds need not agree",
            ),
        ),
    ],
)
def test_a_check_of_what_is_not_finite_has_both_sides_and_no_allowance(before, now, seed, expected):
    comparison = run(before, now, LAST, seed=seed)
    assert comparison.checks[-1] == replace(expected, direction=LOWER)
    assert not comparison.is_suspect


@pytest.mark.parametrize("now", [1.0, 1.01, 2.0, 0.5, NAN])
@pytest.mark.parametrize(("name", "direction"), [("loss", LOWER), ("acc", HIGHER), ("lr", BOTH)])
def test_a_check_of_a_value_says_which_way_is_better(name, direction, now):
    (check,) = run(summary(), summary(now), MEAN, name=name).checks
    assert check.direction is direction


# Invariants

values = st.floats(-1e6, 1e6) | st.sampled_from([NAN, INF, -INF])
series = st.lists(values, min_size=1, max_size=8)
tolerances = st.floats(0, 1e3) | st.sampled_from([0.0, 1.7e308])
statistics = st.permutations(STATISTICS).flatmap(
    lambda names: st.integers(1, len(names)).map(lambda count: tuple(names[:count]))
)
settings_ = st.builds(
    MetricSettings, st.none() | st.sampled_from(Direction), tolerances, tolerances, statistics
)
seeds = st.none() | st.integers(0, 2)


@given(series, settings_, seeds, st.data())
def test_an_injected_nan_is_red_whatever_the_settings_and_seed(rows, settings, seed, data):
    index = data.draw(st.integers(0, len(rows) - 1))
    assume(not math.isnan(rows[index]))
    injected = [*rows[:index], NAN, *rows[index + 1 :]]
    assert run(of(rows), of(injected), settings, seed=seed).verdict is NON_FINITE


@given(series, settings_, seeds, st.data())
def test_a_truncated_series_is_red_whatever_the_settings_and_seed(rows, settings, seed, data):
    length = data.draw(st.integers(0, len(rows) - 1))
    current = {"loss": of(rows[:length])} if length else {}
    comparison = compare([sample(loss=of(rows))], current, lambda _: settings, Context(seed))
    assert comparison.verdict in RED


@given(series, settings_, seeds)
def test_identical_summaries_are_identical_whatever_the_settings(rows, settings, seed):
    assert run([(seed, of(rows))], of(rows), settings, seed=seed).verdict is IDENTICAL


@given(st.lists(series, min_size=1, max_size=4), series, settings_, seeds)
def test_every_verdict_but_a_match_carries_a_message_that_names_metric_and_statistic(
    before, now, settings, seed
):
    comparison = run([of(rows) for rows in before], of(now), settings, seed=seed)
    for check in comparison.checks:
        if check.verdict in (IDENTICAL, WITHIN):
            assert check.message == ""
        else:
            assert check.message.startswith(f"loss: {check.statistic} went from ")
    assert comparison.verdict is worst(check.verdict for check in comparison.checks)


def negated(one):
    def minus(value):
        return None if value is None else -value

    flipped = {name: minus(getattr(one, name)) for name in ("mean", "tail", "last")}
    return replace(one, min=minus(one.max), max=minus(one.min), **flipped)


@given(
    st.lists(series, min_size=1, max_size=4), series, st.sampled_from(Direction), tolerances, seeds
)
def test_flipping_the_sign_and_the_direction_flips_nothing_else(before, now, way, rel, seed):
    flipped_way = {LOWER: HIGHER, HIGHER: LOWER, BOTH: BOTH}[way]
    straight = MetricSettings(way, rel, 1e-3, ("mean", "tail", "last", "min", "max"))
    flipped = MetricSettings(flipped_way, rel, 1e-3, ("mean", "tail", "last", "max", "min"))
    summaries = [of(rows) for rows in before]
    a = run(summaries, of(now), straight, seed=seed)
    b = run([negated(one) for one in summaries], negated(of(now)), flipped, seed=seed)
    assert [check.verdict for check in a.checks] == [check.verdict for check in b.checks]


def scaled(one, factor):
    names = ("min", "max", "mean", "std", "tail", "last")
    return replace(one, **{name: getattr(one, name) * factor for name in names})


@given(
    st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=5),
    st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=5),
    settings_,
    st.integers(-40, 40),
)
def test_a_change_of_unit_changes_no_verdict(before, now, settings, exponent):
    factor = 2.0**exponent
    settings = replace(settings, abs=min(settings.abs, 1e3))
    in_unit = replace(settings, abs=settings.abs * factor)
    a = run(of(before), of(now), settings)
    b = run(scaled(of(before), factor), scaled(of(now), factor), in_unit)
    assert found(a) == found(b)


@given(
    st.floats(-1e150, 1e150),
    st.floats(-1e150, 1e150),
    st.floats(0, 2),
    st.floats(0, 1e150),
    st.sampled_from(Direction),
)
def test_what_passes_is_what_pytest_approx_calls_equal(before, now, rel, abs_, direction):
    settings = MetricSettings(direction, rel, abs_, ("mean",))
    verdict = run(summary(before), summary(now), settings).verdict
    assert (verdict in (IDENTICAL, WITHIN)) == (now == pytest.approx(before, rel=rel, abs=abs_))


@given(st.dictionaries(st.text(max_size=5), st.tuples(series, series)), settings_, st.randoms())
def test_the_order_of_metrics_does_not_matter(rows, settings, random):
    def both(names):
        before = Sample({name: of(rows[name][0]) for name in names}, {}, {}, 0)
        return compare(
            [before], {name: of(rows[name][1]) for name in names}, lambda _: settings, Context(0)
        )

    shuffled = list(rows)
    random.shuffle(shuffled)
    assert repr(both(shuffled)) == repr(both(list(rows)))


@given(st.lists(series, min_size=2, max_size=4), series, settings_, seeds, st.randoms())
def test_the_order_of_samples_does_not_matter(before, now, settings, seed, random):
    shuffled = list(before)
    random.shuffle(shuffled)
    a = run([of(rows) for rows in before], of(now), settings, seed=seed)
    b = run([of(rows) for rows in shuffled], of(now), settings, seed=seed)
    assert a.verdict is b.verdict


@given(st.lists(series, min_size=1, max_size=4), series, settings_)
def test_a_looser_tolerance_never_makes_a_verdict_worse(before, now, settings):
    summaries = [of(rows) for rows in before]
    looser = replace(settings, rel=min(2 * settings.rel, 1e308), abs=min(2 * settings.abs, 1e308))
    assume(looser.rel >= settings.rel)
    assume(looser.abs >= settings.abs)
    tight, loose = (
        # What is within for want of samples is within.
        [c.verdict if c.verdict != Verdict.UNDERPOWERED else WITHIN for c in found.checks]
        for found in (run(summaries, of(now), chosen) for chosen in (settings, looser))
    )
    assert all(SEVERITY.index(b) <= SEVERITY.index(a) for a, b in zip(tight, loose, strict=True))
