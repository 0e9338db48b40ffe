"""The decision where there are several samples, fresh seeds, or an origin to drift from."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tracking.model import Direction, Summary, Verdict
from tracking.regression.baseline import Entry, Sample, updated_entry
from tracking.regression.rules import Context, compare
from tracking.regression.sampling import screen
from tracking.regression.settings import DEFAULT_SETTINGS, MetricSettings
from tracking.summary import summarize

pytest.importorskip("scipy.special")

NAN, INF = math.nan, math.inf
LOWER, HIGHER, BOTH = Direction.LOWER, Direction.HIGHER, Direction.BOTH
IDENTICAL, WITHIN, IMPROVED = Verdict.IDENTICAL, Verdict.WITHIN, Verdict.IMPROVED
REGRESSED, UNDERPOWERED = Verdict.REGRESSED, Verdict.UNDERPOWERED
NOT_COMPARABLE = Verdict.NOT_COMPARABLE
MEAN = replace(DEFAULT_SETTINGS, statistics=("mean",))
TEN = [0.93, 1.02, 0.97, 1.05, 1.0, 0.96, 1.01, 1.08, 0.99, 1.03]
GOOD, BAD = [1.0, 0.98, 1.02, 1.03], [1.16, 1.14, 1.17, 1.2]
SEED = 7


def summary(value=1.0, n=10, n_nan=0, n_inf=0, **changes):
    """A summary all of whose values are `value`, where `changes` do not say otherwise."""
    fields = dict.fromkeys(("min", "max", "mean", "tail", "last"), value) | {"std": 0.0} | changes
    return Summary(n=n, n_nan=n_nan, n_inf=n_inf, first_step=0, last_step=n - 1, **fields)


def as_summary(item):
    return item if isinstance(item, Summary) else summary(item)


def sample(item, seed, name="loss"):
    return Sample({name: as_summary(item)}, {}, {}, seed)


def samples_of(items, seeds=None):
    """Samples of seeds from 100 on, where no others are given."""
    seeds = seeds or range(100, 100 + len(items))
    return [sample(item, seed) for item, seed in zip(items, seeds, strict=True)]


def judged(now, samples=TEN, *, seed=SEED, fresh=(), settings=MEAN, **context):
    """Compare one run of a loss with samples of other seeds; `fresh` are what fresh seeds gave."""
    known = samples if isinstance(samples[0], Sample) else samples_of(samples)
    again = [item if isinstance(item, dict) else {"loss": as_summary(item)} for item in fresh]
    context = Context(seed, fresh=again, **context)
    return compare(known, {"loss": as_summary(now)}, lambda _: settings, context)


# Screen and confirmation


@pytest.mark.parametrize(
    ("now", "direction", "verdict", "is_suspect"),
    [
        (1.0, LOWER, WITHIN, False),
        (1.08, LOWER, WITHIN, False),
        (1.15, LOWER, REGRESSED, True),
        (0.85, LOWER, IMPROVED, False),
        (0.85, HIGHER, REGRESSED, True),
        (1.15, HIGHER, IMPROVED, False),
        (1.2, BOTH, REGRESSED, True),
        (0.8, BOTH, REGRESSED, True),
        (1e300, LOWER, REGRESSED, True),
        (-1e300, LOWER, IMPROVED, False),
    ],
)
def test_a_run_that_is_worse_than_its_samples_is_suspect_and_red(
    now, direction, verdict, is_suspect
):
    comparison = judged(now, settings=replace(MEAN, direction=direction))
    assert (comparison.verdict, comparison.is_suspect) == (verdict, is_suspect)
    assert ("not confirmed" in comparison.checks[0].message) == is_suspect


@pytest.mark.parametrize(
    ("fresh", "n_checks", "verdict"),
    [
        (BAD, 60, REGRESSED),
        (BAD, 10_000, WITHIN),
        (GOOD, 60, WITHIN),
        (GOOD, 1, WITHIN),
        ([1.0, 1.02, 0.98, 1e6], 60, WITHIN),
        ([1.5, 1.6, 1.5, 1e6], 60, REGRESSED),
        ([0.5, 0.5, 0.5, 0.5], 60, WITHIN),
    ],
)
def test_runs_of_fresh_seeds_confirm_a_suspect_or_acquit_it_with_a_warning(
    fresh, n_checks, verdict
):
    comparison = judged(1.15, fresh=fresh, n_checks=n_checks)
    (check,) = comparison.checks
    assert (comparison.verdict, comparison.is_suspect) == (verdict, False)
    assert ("; confirmed by 4 runs of fresh seeds, from 1.0" in check.message) == (
        verdict is REGRESSED
    )
    assert bool(check.warning) == (verdict is WITHIN)


def test_what_was_acquitted_says_so():
    (check,) = judged(1.25, fresh=GOOD, n_checks=60).checks
    assert check.message == ""
    assert check.warning == (
        "loss: mean went from 1.00312 to 1.25 (+24.6 %) under this seed;"
        " 4 runs of fresh seeds did not confirm it, from 1.00312 to 1.00732 (+0.418 %)"
    )


@pytest.mark.parametrize("now", [1.0, 0.5, 1.08])
def test_fresh_runs_are_asked_about_nothing_but_suspects(now):
    assert judged(now, fresh=BAD) == judged(now)


LOST = summary(None, n_nan=10, std=None, last=NAN)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"acc": summary()},
        LOST,
        summary(n_nan=1),  # the others have a mean
        summary(n_inf=1),
        summary(n=9),
        summary(n=11),
    ],
)
@pytest.mark.parametrize("others", [GOOD, BAD])
def test_a_fresh_run_that_gives_nothing_to_compare_keeps_a_suspect_red(broken, others):
    comparison = judged(1.15, fresh=[*others[1:], broken])
    assert (comparison.verdict, comparison.is_suspect) == (REGRESSED, False)
    message = comparison.checks[0].message
    assert message.endswith("; 1 of 4 runs of fresh seeds gave nothing to compare")


def test_a_fresh_run_may_be_what_a_sample_is():
    known = [*map(summary, TEN), summary(n=20), summary(n_nan=2)]
    fresh = [summary(1.0, n=20), summary(1.0, n_nan=2), summary(1.0, n_nan=1), 1.0]
    comparison = judged(1.2, known, fresh=fresh)
    assert comparison.verdict is WITHIN
    assert comparison.checks[0].warning


def test_each_metric_of_a_run_is_confirmed_by_itself():
    known = [
        Sample({name: summary(value) for name in ("a_loss", "b_loss", "c_loss")}, {}, {}, seed)
        for seed, value in enumerate(TEN)
    ]
    now = {"a_loss": summary(1.15), "b_loss": summary(1.15), "c_loss": summary(1.01)}
    suspect = compare(known, now, lambda _: MEAN, Context(SEED + 50))
    assert suspect.is_suspect
    fresh = [
        {"a_loss": summary(good), "b_loss": summary(bad), "c_loss": summary(bad)}
        for good, bad in zip(GOOD, BAD, strict=True)
    ]
    checks = compare(known, now, lambda _: MEAN, Context(SEED + 50, fresh=fresh)).checks
    assert [check.verdict for check in checks] == [WITHIN, REGRESSED, WITHIN]
    assert [bool(check.warning) for check in checks] == [True, False, False]


# Whom the rule compares


@pytest.mark.parametrize(
    ("n_samples", "own", "foreign"),
    [
        (1, WITHIN, NOT_COMPARABLE),
        (2, UNDERPOWERED, NOT_COMPARABLE),
        (4, UNDERPOWERED, NOT_COMPARABLE),
        (5, WITHIN, WITHIN),
        (9, WITHIN, WITHIN),
    ],
)
def test_five_samples_are_compared_whatever_their_seeds(n_samples, own, foreign):
    assert judged(1.0, TEN[:n_samples]).verdict is foreign
    with_own = samples_of(TEN[:n_samples], [SEED, *range(100, 99 + n_samples)])
    assert judged(0.94, with_own).verdict is own


@pytest.mark.parametrize("seeds", [[SEED] * 10, [None] * 10, range(10), [SEED, *range(9)]])
def test_the_rule_decides_whatever_seeds_the_samples_had(seeds):
    comparison = judged(1.15, samples_of(TEN, seeds))
    assert (comparison.verdict, comparison.is_suspect) == (REGRESSED, True)


def test_the_same_as_a_sample_of_its_own_seed_is_identical_and_no_suspect():
    worst_of_all = samples_of([*TEN, 9.0], [*range(10), SEED])
    comparison = judged(9.0, worst_of_all)
    assert (comparison.verdict, comparison.is_suspect) == (IDENTICAL, False)
    assert judged(9.0, worst_of_all, seed=8).verdict is not IDENTICAL


@pytest.mark.parametrize(("seeds", "verdict"), [([None] * 10, WITHIN), (range(10), NOT_COMPARABLE)])
def test_a_test_that_takes_no_seed_is_compared_by_tolerance(seeds, verdict):
    comparison = judged(1.04, samples_of(TEN, seeds), seed=None)
    assert (comparison.verdict, comparison.is_suspect) == (verdict, False)


def test_only_samples_that_have_a_number_count():
    known = [*map(summary, TEN[:4]), LOST]
    check = judged(summary(0.95), samples_of(known, [SEED, 1, 2, 3, 4])).checks[0]
    assert check.verdict is UNDERPOWERED
    assert "samples: 4, the statistical rule needs 5" in check.message
    assert judged(1.15, [*map(summary, TEN), LOST]).is_suspect


@pytest.mark.parametrize(
    ("now", "own", "verdict"),
    [
        (1.01, True, UNDERPOWERED),
        (1.2, True, REGRESSED),
        (0.8, True, IMPROVED),
        (0.93, True, IDENTICAL),
        (1.0, False, NOT_COMPARABLE),
        (1.2, False, NOT_COMPARABLE),
    ],
)
def test_without_scipy_the_tolerance_decides_and_the_message_says_how_to_get_it(
    monkeypatch, now, own, verdict
):
    monkeypatch.setitem(sys.modules, "scipy", None)
    samples = samples_of([0.93, 0.97, 1.0, 1.02, 1.03, 0.99], [SEED if own else 50] * 6)
    comparison = judged(now, samples)
    assert (comparison.verdict, comparison.is_suspect) == (verdict, False)
    hint = " (scipy is not installed: pip install 'pytest-sgtrack[stats]')"
    is_told = comparison.checks[0].message.endswith(hint)
    assert is_told == (verdict in (UNDERPOWERED, NOT_COMPARABLE))


def test_the_message_of_what_was_compared_by_too_few_samples_says_what_is_missing():
    (check,) = judged(1.02, samples_of([1.0, 1.01, 0.9], [SEED] * 3)).checks
    assert check.message == (
        "loss: mean went from 1 to 1.02 (+2 %); compared by tolerance only"
        " (samples: 3, the statistical rule needs 5)"
    )
    assert (check.verdict, check.baseline, check.allowance, check.detectable) == (
        *(UNDERPOWERED, 1.0, 0.05, 0.05),
    )


@pytest.mark.parametrize(
    ("now", "direction", "change", "allowed"),
    [
        (1.25, LOWER, "from 1.00312 to 1.25 (+24.6 %)", "lower is better, allowance 0.117792"),
        (0.7, LOWER, "from 1.00312 to 0.7 (-30.2 %)", "lower is better, allowance 0.117792"),
        (0.7, BOTH, "from 1.004 to 0.7 (-30.3 %)", "either way counts, allowance 0.131007"),
    ],
)
def test_the_message_of_the_rule_says_what_was_allowed_by_how_many_samples(
    now, direction, change, allowed
):
    (check,) = judged(now, settings=replace(MEAN, direction=direction)).checks
    doubt = "; not confirmed by fresh seeds" if check.verdict is REGRESSED else ""
    assert check.message == f"loss: mean went {change}; {allowed} by 10 samples{doubt}"


def test_what_the_rule_finds_within_needs_no_message():
    (check,) = judged(1.01).checks
    assert (check.verdict, check.message, check.warning) == (WITHIN, "", "")


# Floor, allowance and what would be detected


@pytest.mark.parametrize(
    ("now", "settings", "verdict"),
    [
        (1.0, MEAN, IDENTICAL),
        (1.009, MEAN, WITHIN),
        (1.011, MEAN, REGRESSED),
        (0.989, MEAN, IMPROVED),
        (1.011, replace(MEAN, floor=0.02), WITHIN),
        (1.011, replace(MEAN, abs=0.02), WITHIN),
        (1.011, replace(MEAN, rel=0.5), REGRESSED),  # rel is of the tolerance rule alone
        (1.0001, replace(MEAN, floor=0.0), REGRESSED),
    ],
)
def test_a_history_without_spread_is_red_beyond_the_floor(now, settings, verdict):
    known = samples_of([1.0] * 5, [SEED, 1, 2, 3, 4])
    comparison = judged(now, known, settings=settings)
    assert (comparison.verdict, comparison.is_suspect) == (verdict, verdict is REGRESSED)
    if verdict is REGRESSED:
        confirmed = judged(now, known, settings=settings, fresh=[now] * 4, n_checks=10_000)
        assert confirmed.verdict is REGRESSED


@pytest.mark.parametrize(
    ("now", "fresh", "verdict"),
    [
        (1.01, (), WITHIN),
        (0.7, (), IMPROVED),
        (1.2, (), REGRESSED),
        (1.2, BAD, REGRESSED),
        (1.2, GOOD, WITHIN),
        (0.93, (), IDENTICAL),
    ],
)
def test_checks_carry_what_the_screen_allows_and_would_detect(now, fresh, verdict):
    found = screen(TEN, now, LOWER)
    known = samples_of(TEN, [SEED, *range(9)])
    (check,) = judged(now, known, fresh=fresh, n_checks=60).checks
    assert check.verdict is verdict
    assert (check.allowance, check.detectable) == (found.allowance, found.detectable)
    assert check.detectable > check.allowance > 0
    assert check.baseline == (now if verdict is IDENTICAL else found.centre)
    assert check.current == now


@pytest.mark.parametrize("now", [1.0, 1.03, 1.2])
def test_a_tolerance_detects_what_it_does_not_allow(now):
    (check,) = judged(now, [sample(1.0, SEED)]).checks
    assert check.detectable == check.allowance == 0.05


@pytest.mark.parametrize("now", [summary(n=3), LOST, summary(n_nan=1)])
def test_where_no_size_of_change_decides_none_is_named(now):
    check = judged(now, [sample(summary(), SEED)]).checks[0]
    assert check.detectable is None


# Drift


def drifted(origin, baseline, now, settings=MEAN, *, seed=SEED, of=SEED):
    known = [sample(value, seed) for value in baseline]
    return judged(now, known, settings=settings, seed=seed, origin=sample(origin, of))


@pytest.mark.parametrize(
    ("origin", "baseline", "now", "direction", "expected"),
    [
        # Each step is small; the one across the tolerance of the origin is red.
        (1.0, 1.02, 1.04, LOWER, WITHIN),
        (100.0, 104.0, 105.0, LOWER, WITHIN),
        (1.0, 1.04, 1.0501, LOWER, REGRESSED),
        (1.0, 0.96, 0.9499, HIGHER, REGRESSED),
        (1.0, 0.96, 0.9499, LOWER, WITHIN),
        (1.0, 0.96, 0.9499, BOTH, REGRESSED),
        (-1.0, -0.96, -0.9499, LOWER, REGRESSED),
        # Somebody has accepted the crossing.
        (1.0, 1.06, 1.07, LOWER, WITHIN),
        (1.0, 1.5, 1.52, LOWER, WITHIN),
        # No step at all, or one that is judged by itself.
        (1.0, 1.04, 1.04, LOWER, IDENTICAL),
        (1.0, 1.06, 1.06, LOWER, IDENTICAL),
        (1.0, 1.04, 1.2, LOWER, REGRESSED),
        (1.0, 1.04, 0.9, LOWER, IMPROVED),
    ],
)
@pytest.mark.parametrize("seed", [SEED, None])
def test_small_steps_that_were_accepted_may_not_add_up(
    origin, baseline, now, direction, expected, seed
):
    settings = replace(MEAN, direction=direction)
    comparison = drifted(origin, [baseline], now, settings, seed=seed, of=seed)
    assert (comparison.verdict, comparison.is_suspect) == (expected, False)


def test_the_message_of_a_drift_is_about_the_origin():
    (check,) = drifted(1.0, [1.04], 1.06).checks
    assert check.message == (
        "loss: mean went from 1 to 1.06 (+6 %) since its origin, in steps that were accepted one"
        " by one; lower is better, allowance 0.05"
    )
    assert (check.baseline, check.allowance, check.detectable) == (1.0, 0.05, 0.05)


@pytest.mark.parametrize(
    ("origin", "of"), [(summary(None, n_nan=10, std=None, last=NAN), SEED), (1.0, 8), (1.0, None)]
)
def test_nothing_drifts_from_no_number_nor_from_another_seed(origin, of):
    assert drifted(origin, [1.04], 1.06, of=of).verdict is WITHIN


def test_nothing_drifts_from_an_origin_without_the_metric():
    origin = sample(1.0, SEED, name="acc")
    assert judged(1.06, [sample(1.04, SEED)], origin=origin).verdict is WITHIN


@pytest.mark.parametrize("first", [0, 1])
def test_samples_that_spread_around_an_origin_among_them_have_not_drifted(first):
    values = [1.0, 1.04, 1.06]
    known = [sample(value, SEED) for value in values]
    assert judged(1.07, known, origin=known[first]).verdict is UNDERPOWERED


def test_a_drift_is_red_where_there_are_several_samples_too():
    assert drifted(1.0, [1.03, 1.04, 1.045], 1.06).verdict is REGRESSED


@pytest.mark.parametrize(("step", "flagged"), [(1.01, 5), (1.02, 3), (1.049, 2), (1.06, 1)])
def test_fifty_accepted_steps_are_red_once_where_their_sum_passes_the_tolerance(step, flagged):
    entry = Entry((sample(1.0, SEED),), None)
    red = []
    for commit in range(1, 51):
        run = sample(step**commit, SEED)
        comparison = judged(step**commit, list(entry.samples), origin=entry.origin_sample)
        if comparison.verdict is REGRESSED:
            red.append(commit)
        entry = updated_entry(entry, [run])
    assert red[0] == flagged
    assert red == [flagged] or step > 1.05


# Invariants

values = st.floats(-1e6, 1e6) | st.sampled_from([NAN, INF, -INF])
usual = st.integers(50, 150).map(lambda n: n / 64)
rows = st.lists(values, min_size=1, max_size=4)
usual_rows = st.lists(usual, min_size=3, max_size=3)
seeds = st.none() | st.integers(0, 2)
tolerances = st.sampled_from([0.0, 0.05, 10.0])
settings_ = st.builds(
    MetricSettings,
    st.none() | st.sampled_from(Direction),
    rel=tolerances,
    abs=tolerances,
    statistics=st.sampled_from([("tail", "mean"), ("last",), ("std", "min", "max")]),
    floor=tolerances,
)


def of(series):
    return summarize(range(len(series)), series)


def fresh_of(series):
    return st.lists(st.fixed_dictionaries({}, optional={"loss": series.map(of)}), max_size=4)


def known_of(series):
    return st.lists(
        st.tuples(series, seeds).map(lambda pair: sample(of(pair[0]), pair[1])),
        min_size=1,
        max_size=8,
    )


contexts = st.builds(
    Context,
    seed=seeds,
    n_checks=st.sampled_from([1, 60, 10_000]),
    fresh=fresh_of(usual_rows | rows),
    origin=st.none() | st.tuples(rows, seeds).map(lambda pair: sample(of(pair[0]), pair[1])),
)
RED = {REGRESSED, Verdict.NON_FINITE, Verdict.TRUNCATED, Verdict.MISSING_METRIC}


@given(known_of(usual_rows), usual_rows, st.integers(0, 2), st.data(), settings_, contexts)
def test_an_injected_nan_is_red_whatever_the_samples_seeds_and_fresh_runs(
    known, now, index, data, settings, context
):
    now[index] = data.draw(st.sampled_from([NAN, INF, -INF]))
    comparison = compare(known, {"loss": of(now)}, lambda _: settings, context)
    assert comparison.verdict is Verdict.NON_FINITE


@given(known_of(rows), settings_, contexts)
def test_a_missing_metric_is_red_whatever_the_samples_seeds_and_fresh_runs(
    known, settings, context
):
    comparison = compare(known, {}, lambda _: settings, context)
    assert comparison.verdict is Verdict.MISSING_METRIC


@given(known_of(usual_rows), usual_rows, st.sampled_from([1, 2, 4]), settings_, contexts)
def test_another_number_of_records_is_red_whatever_the_samples_seeds_and_fresh_runs(
    known, now, n, settings, context
):
    comparison = compare(known, {"loss": of([*now, 1.0][:n])}, lambda _: settings, context)
    assert comparison.verdict is Verdict.TRUNCATED


@given(known_of(usual_rows | rows), usual_rows | rows, settings_, contexts, st.randoms())
def test_the_order_of_samples_and_of_fresh_runs_changes_nothing(
    known, now, settings, context, random
):
    def judge(samples, fresh):
        shuffled = replace(context, fresh=fresh)
        return repr(compare(samples, {"loss": of(now)}, lambda _: settings, shuffled))

    expected = judge(known, context.fresh)
    fresh = random.sample(context.fresh, len(context.fresh))
    assert judge(random.sample(known, len(known)), fresh) == expected


@given(known_of(usual_rows | rows), usual_rows | rows, settings_, contexts)
def test_only_what_is_red_is_suspect_and_nothing_that_fresh_runs_were_asked_about(
    known, now, settings, context
):
    comparison = compare(known, {"loss": of(now)}, lambda _: settings, context)
    if comparison.is_suspect:
        assert comparison.verdict in RED
        assert not context.fresh
    for check in comparison.checks:
        if check.warning:
            assert (check.verdict, check.message) == (WITHIN, "")
            assert context.fresh


@given(known_of(usual_rows), usual_rows, settings_, contexts)
def test_fresh_runs_make_nothing_red_that_was_not_suspect(known, now, settings, context):
    alone = compare(known, {"loss": of(now)}, lambda _: settings, replace(context, fresh=()))
    asked = compare(known, {"loss": of(now)}, lambda _: settings, context)
    for before, after in zip(alone.checks, asked.checks, strict=True):
        assert after.verdict is before.verdict or (before.verdict, after.verdict) == (
            *(REGRESSED, WITHIN),
        )


@given(known_of(usual_rows), usual_rows, settings_, contexts)
def test_what_no_fresh_run_answers_for_stays_red(known, now, settings, context):
    lost = replace(context, fresh=[{}] * 4)
    alone = replace(context, fresh=())
    expected, found = (
        compare(known, {"loss": of(now)}, lambda _: settings, one) for one in (alone, lost)
    )
    assert [check.verdict for check in found.checks] == [c.verdict for c in expected.checks]


@given(st.lists(usual, min_size=5, max_size=9), usual, settings_, st.sampled_from([0, 1, 50]))
def test_the_seed_of_a_run_changes_no_verdict_of_the_rule(known, now, settings, seed):
    assume(now not in known)
    samples = [sample(value, index) for index, value in enumerate(known)]
    expected = judged(now, samples, seed=99, settings=replace(settings, statistics=("mean",)))
    assert judged(now, samples, seed=seed, settings=replace(settings, statistics=("mean",))) == (
        expected
    )
