"""The statistics of a series."""

from __future__ import annotations

import math
import random
import sys
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.model import Summary
from tracking.summary import (
    NUMPY_FROM,
    _summarize_numpy,
    _summarize_python,
    summarize,
    tail_length,
)

NAN, INF = math.nan, math.inf
MAX, TINY, ULP = sys.float_info.max, sys.float_info.min, math.ulp(0.0)
PATHS = [_summarize_python, _summarize_numpy]
EACH_PATH = pytest.mark.parametrize("path", PATHS)

every_float = st.floats() | st.sampled_from([MAX, -MAX, TINY, ULP, -ULP, 0.0, NAN, INF, -INF])
every_step = st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1)
every_series = st.lists(st.tuples(every_step, every_float), min_size=1, max_size=80)


def of(path, values):
    return path(list(range(len(values))), list(values))


def exact_statistics(values):
    """Return mean and population variance in exact arithmetic."""
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return mean, sum((value - mean) ** 2 for value in exact) / len(exact)


# Known values


@EACH_PATH
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # n, n_nan, n_inf, min, max, mean, std, tail, last, first_step, last_step
        ([2.5], (1, 0, 0, 2.5, 2.5, 2.5, 0.0, 2.5, 2.5, 0, 0)),
        ([1, 2, 3, 4], (4, 0, 0, 1, 4, 2.5, math.sqrt(1.25), 2.5, 4, 0, 3)),
        ([2, 4, 4, 4, 5, 5, 7, 9], (8, 0, 0, 2, 9, 5, 2, 6, 9, 0, 7)),
        ([1, NAN, 3], (3, 1, 0, 1, 3, 2, 1, 2, 3, 0, 2)),
        ([1, INF, 3, -INF], (4, 0, 2, 1, 3, 2, 1, 2, -INF, 0, 3)),
        ([INF], (1, 0, 1, None, None, None, None, None, INF, 0, 0)),
        ([NAN, -INF, INF, -INF], (4, 1, 3, None, None, None, None, None, -INF, 0, 3)),
        ([MAX, -MAX], (2, 0, 0, -MAX, MAX, 0, MAX, 0, -MAX, 0, 1)),
        ([1e308, 1.5e308], (2, 0, 0, 1e308, 1.5e308, 1.25e308, 2.5e307, 1.25e308, 1.5e308, 0, 1)),
        ([4 * ULP, 8 * ULP], (2, 0, 0, 4 * ULP, 8 * ULP, 6 * ULP, 2 * ULP, 6 * ULP, 8 * ULP, 0, 1)),
        ([0, 1e-200], (2, 0, 0, 0, 1e-200, 5e-201, 5e-201, 5e-201, 1e-200, 0, 1)),
        ([-0.0, 0.0], (2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)),
        ([0, ULP], (2, 0, 0, 0, ULP, 0, 0, 0, ULP, 0, 1)),
        (
            [-1e308, -1.5e308],
            (2, 0, 0, -1.5e308, -1e308, -1.25e308, 2.5e307, -1.25e308, -1.5e308, 0, 1),
        ),
    ],
)
def test_known_series(path, values, expected):
    found = of(path, [float(value) for value in values]).as_dict()
    assert tuple(found.values()) == expected
    assert list(found) == list(Summary.__slots__)


@EACH_PATH
def test_last_may_be_nan(path):
    summary = of(path, [1.0, 2.0, NAN])
    assert math.isnan(summary.last)
    assert summary.max == 2.0


@pytest.mark.parametrize(
    ("n", "expected"), [(1, 5), (5, 5), (50, 5), (51, 6), (60, 6), (61, 7), (10**6, 10**5)]
)
def test_the_tail_is_a_tenth_rounded_up_and_at_least_five(n, expected):
    assert tail_length(n) == expected


@EACH_PATH
@pytest.mark.parametrize("n", [5, 6, 50, 51, 200, 2_000])
def test_tail_is_the_mean_of_the_last_values(path, n):
    values = [0.0] * (n - tail_length(n)) + [3.0] * tail_length(n)
    assert of(path, values).tail == 3.0
    values[-tail_length(n)] = 3.0 + tail_length(n)
    assert of(path, values).tail == 4.0


@EACH_PATH
def test_tail_skips_what_is_not_finite_and_counts_it_in_n(path):
    values = [1.0] * 30 + [2.0] * 6 + [NAN, INF] * 12  # 60 records: a tail of 6
    assert of(path, values).tail == 2.0


# To the last bit


def skewed(seed, exponent, sign=1.0):
    """Forty numbers of one sign, most of them small, up to 2 ** exponent."""
    rng = random.Random(seed)
    roots = [rng.random() for _ in range(40)]
    return [math.ldexp(sign * root * root * root * root, exponent) for root in roots]


@pytest.mark.parametrize(
    ("values", "python", "numpy"),
    [
        (
            skewed(1, 0),
            ["0x1.3327ddbfc8d7ap-3", "0x1.d234afce0ea47p-3", "0x1.370eafc27f292p-3"],
            None,
        ),
        (
            skewed(2, 0, -1.0),
            ["-0x1.e3edc99debbc6p-3", "0x1.3b9ca88dc53f2p-2", "-0x1.9b418741d8f22p-2"],
            ["-0x1.e3edc99debbc5p-3", "0x1.3b9ca88dc53f2p-2", "-0x1.9b418741d8f22p-2"],
        ),
        (
            skewed(3, -1060),
            ["0x0.0000000000decp-1022", "0x0.000000000109ap-1022", "0x0.000000000117ap-1022"],
            None,
        ),
        (
            skewed(4, -1060, -1.0),
            ["-0x0.0000000000e74p-1022", "0x0.00000000010a8p-1022", "-0x0.0000000001897p-1022"],
            None,
        ),
        (
            skewed(5, -520),
            ["0x1.22139ec2a0050p-522", "0x1.424b189c486c1p-522", "0x1.ad80efb50b6f5p-522"],
            ["0x1.22139ec2a0050p-522", "0x1.424b189c486c1p-522", "0x1.ad80efb50b6f6p-522"],
        ),
        (
            skewed(6, -520, -1.0),
            ["-0x1.a71f7fa74e83ap-523", "0x1.cf35ea9ff15b0p-523", "-0x1.5ec37f07d64a8p-522"],
            None,
        ),
        (
            skewed(7, 510),
            ["0x1.de8a0ce591803p+506", "0x1.b67e156c36efap+507", "0x1.34b7dcd28829bp+506"],
            ["0x1.de8a0ce591804p+506", "0x1.b67e156c36ef9p+507", "0x1.34b7dcd28829bp+506"],
        ),
        (
            skewed(8, 510, -1.0),
            ["-0x1.92dab96e1154cp+507", "0x1.39f869cda0269p+508", "-0x1.541364ca17b04p+508"],
            None,
        ),
        (
            skewed(9, 1023),
            ["0x1.353856e79f569p+1020", "0x1.b5ce6bba1d0eep+1020", "0x1.0916c5ecd672cp+1021"],
            None,
        ),
        (
            skewed(10, 1023, -1.0),
            ["-0x1.d3959c6f6fc27p+1020", "0x1.32cadce6999ccp+1021", "-0x1.33bf508a7d0edp+1020"],
            ["-0x1.d3959c6f6fc28p+1020", "0x1.32cadce6999cdp+1021", "-0x1.33bf508a7d0eep+1020"],
        ),
        (
            skewed(11, 1023, -1.9),
            ["-0x1.9b5a731da1001p+1021", "0x1.1e82fad68426ep+1022", "-0x1.0977a83a4ab82p+1023"],
            ["-0x1.9b5a731da1001p+1021", "0x1.1e82fad68426dp+1022", "-0x1.0977a83a4ab82p+1023"],
        ),
        # At the bounds of what is scaled.
        (
            [-2e-150, 2e-150, 1.68e-150, -1.68e-150, -1.68e-150, 1.68e-150],
            ["0x0.0p+0", "0x1.77a20f4a8fa61p-498", "0x1.4f31f8832dd2ap-500"],
            None,
        ),
        (
            [-2e150, 2e150, 1.52e150, -1.52e150, -1.52e150, 1.52e150],
            ["0x0.0p+0", "0x1.09256887481f5p+499", "0x1.f485516e7577ep+496"],
            None,
        ),
        (
            [1e150, 9.1e149, 5e149, 2.8000000000000004e149, 7.6e149],
            ["0x1.afb2fca278843p+497", "0x1.4cc2fa222be62p+496", "0x1.afb2fca278843p+497"],
            None,
        ),
        (
            [-1e150, -6.2e149, -2.5e149, -9.1e149, -9.8e149],
            ["-0x1.d67d51aa642e3p+497", "0x1.656408cc4282fp+496", "-0x1.d67d51aa642e3p+497"],
            None,
        ),
    ],
)
def test_summaries_stay_what_they_were_to_the_last_bit(values, python, numpy):
    # Or what was accepted yesterday would not be identical today.
    for path, expected in zip(PATHS, (python, numpy or python), strict=True):
        summary = of(path, values)
        assert [one.hex() for one in (summary.mean, summary.std, summary.tail)] == expected


# Which way is taken


@pytest.mark.parametrize("n", [3, 1_000, NUMPY_FROM - 1, NUMPY_FROM, NUMPY_FROM + 1])
def test_the_choice_depends_on_the_length_alone(n):
    values = [[1e16, 1.0, -1e16][i % 3] for i in range(n)]
    python, vector = (of(path, values) for path in PATHS)
    assert python != vector, "numpy rounds where Python does not"
    assert summarize(range(n), values) == (vector if n >= NUMPY_FROM else python)


@EACH_PATH
def test_records_of_few_steps_keep_the_order_of_recording(path):
    n = NUMPY_FROM
    steps, values = [i % 3 for i in range(n)], [float(i) for i in range(n)]
    summary = path(steps, values)
    by_step = [value for step in range(3) for value in values[step::3]]
    assert summary.last == by_step[-1]
    assert summary.tail == pytest.approx(math.fsum(by_step[-200:]) / 200, rel=1e-12, abs=0)


@pytest.mark.parametrize("n", [3, NUMPY_FROM])
def test_numbers_of_another_width_are_summarised_as_the_floats_they_are(n):
    narrow = np.random.default_rng(n).normal(size=n).astype(np.float32)
    steps = np.arange(n, dtype=np.int32)
    assert summarize(steps, narrow) == summarize(list(range(n)), narrow.tolist())
    whole = np.arange(n, dtype=np.int64) + 2**55
    assert summarize(steps, whole) == summarize(list(range(n)), whole.astype(float).tolist())
    assert type(summarize(steps, whole).last) is float


@pytest.mark.parametrize("n", [3, NUMPY_FROM - 1, NUMPY_FROM, 30_000])
def test_equal_series_give_bit_equal_summaries_in_every_container(n):
    rng = np.random.default_rng(n)
    table = np.zeros(n, dtype=[("step", "<i8"), ("value", "<f8"), ("rest", "V16")])
    table["step"], table["value"] = rng.permutation(n), rng.normal(size=n)
    steps, values = table["step"].tolist(), table["value"].tolist()
    expected = repr(summarize(steps, values))
    packed = np.ascontiguousarray(table["step"]), np.ascontiguousarray(table["value"])
    for container in [(tuple(steps), tuple(values)), packed, (table["step"], table["value"])]:
        assert repr(summarize(*container)) == expected


@pytest.mark.parametrize("n", [1, 7, 500, NUMPY_FROM - 1, NUMPY_FROM, 10_000])
@pytest.mark.parametrize("scale", [1.0, 1e-310, 1e-160, 1e-5, 1e149, 1e151, 1e308])
def test_both_paths_agree_with_exact_arithmetic(n, scale):
    if scale == 1e-310:  # subnormal: all bits that there are
        values = [ULP * i for i in np.random.default_rng(n).integers(1, 2**50, n).tolist()]
    else:
        values = (scale * np.random.default_rng(n).uniform(0.5, 1.5, n)).tolist()
    python, vector = (of(path, values) for path in PATHS)
    mean, variance = exact_statistics(values)
    for summary in (python, vector):
        assert (summary.min, summary.max) == (min(values), max(values))
        assert abs(Fraction(summary.mean) - mean) <= mean / 10**12
        assert abs(Fraction(summary.std) ** 2 - variance) <= variance / 10**11
    assert python.std == pytest.approx(vector.std, rel=1e-12, abs=2 * ULP)
    assert python.tail == pytest.approx(vector.tail, rel=1e-12, abs=0)


def test_the_short_path_sums_without_rounding():
    assert of(_summarize_python, [1e16, 1.0, -1e16]).mean == 1 / 3
    assert of(_summarize_python, [0.1] * 10).mean == 0.1


# What holds for every series


@given(every_series)
@settings(deadline=None)
def test_statistics_lie_where_they_must(series):
    steps, values = map(list, zip(*series, strict=True))
    finite = [value for value in values if math.isfinite(value)]
    for path in PATHS:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            summary = path(steps, values)
        assert summary.n == len(values)
        assert summary.n_nan == sum(map(math.isnan, values))
        assert summary.n_inf == sum(map(math.isinf, values))
        assert (summary.first_step, summary.last_step) == (min(steps), max(steps))
        if not finite:
            statistics = (summary.min, summary.max, summary.mean, summary.std, summary.tail)
            assert statistics == (None,) * 5
            continue
        assert (summary.min, summary.max) == (min(finite), max(finite))
        assert summary.min <= summary.mean <= summary.max
        assert summary.min <= summary.tail <= summary.max
        # No deviation is larger than half of the range (Popoviciu), but for rounding.
        assert 0.0 <= summary.std <= (summary.max / 2 - summary.min / 2) * (1 + 1e-9) + ULP


@given(every_series)
@settings(deadline=None)
def test_both_paths_agree_on_every_series(series):
    steps, values = map(list, zip(*series, strict=True))
    python, vector = (path(steps, values) for path in PATHS)
    size = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    for name, ours in python.as_dict().items():
        theirs = getattr(vector, name)
        if name in {"mean", "tail", "std"} and ours is not None:
            assert abs(ours / 2 - theirs / 2) <= size * 1e-12 + ULP, name
        else:
            assert theirs == ours or (math.isnan(ours) and math.isnan(theirs)), name


@given(every_series, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_records_are_taken_by_step_and_then_in_the_order_of_recording(series, rng):
    in_order = [value for _, value in sorted(series, key=lambda record: record[0])]
    steps, values = map(list, zip(*series, strict=True))
    # The same records met in another order, those of one step still in theirs.
    queues = {step: [v for s, v in series if s == step] for step in steps}
    shuffled = rng.sample(steps, len(steps))
    met = [queues[step].pop(0) for step in shuffled]
    for path in PATHS:
        expected = path(sorted(steps), in_order)
        assert repr(path(steps, values)) == repr(expected)
        assert repr(path(shuffled, met)) == repr(expected)
        assert repr(expected.last) == repr(in_order[-1])


@EACH_PATH
@pytest.mark.parametrize("value", [0.1, -3.0, 0.0, MAX, -MAX, TINY, ULP, 1e-200, 1e151, 1 / 3])
@pytest.mark.parametrize("n", [1, 3, 6, 7, 9, 10, 49, 333, 1999, 4097])
def test_a_constant_series_has_its_value_and_no_deviation(path, value, n):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary = of(path, [value] * n)
    found = (summary.min, summary.mean, summary.max, summary.tail, summary.last, summary.std)
    assert found == (value,) * 5 + (0.0,)


@pytest.mark.parametrize("values", [[0.0, 1.0, -1.0, 1e-200], [1e-310, 1e300], [ULP, 3 * ULP]])
def test_a_user_who_makes_numpy_raise_gets_the_same_summary(values):
    series = values * NUMPY_FROM
    expected = of(_summarize_numpy, series)
    with np.errstate(all="raise"):
        assert of(_summarize_numpy, series) == expected


def test_the_series_handed_in_is_left_as_it_was():
    steps, values = np.arange(NUMPY_FROM)[::-1].copy(), np.arange(NUMPY_FROM) * 1.0
    summarize(steps, values)
    assert steps[0] == NUMPY_FROM - 1
    assert values[-1] == NUMPY_FROM - 1
