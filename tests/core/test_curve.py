"""Long series made short enough to draw."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.report.curve import band_of, downsample, sparkline
from tracking.report.data import Curve

NAN, INF = math.nan, math.inf


def finite(values):
    return [value for value in values if math.isfinite(value)]


@given(st.lists(st.floats(), max_size=300), st.integers(8, 60))
def test_a_curve_keeps_ends_extremes_and_gaps_of_its_series_in_few_points(values, n_max):
    steps = list(range(0, 2 * len(values), 2))
    curve = downsample(steps, values, n_max)
    assert curve.n == len(values)
    assert len(curve.steps) == len(curve.values) <= n_max
    assert list(curve.steps) == sorted(set(curve.steps))
    assert curve.is_whole == (len(values) <= n_max)
    for step, value in zip(curve.steps, curve.values, strict=True):
        assert repr(values[step // 2]) == repr(value)  # points are records
    if values:
        assert (curve.steps[0], curve.steps[-1]) == (steps[0], steps[-1])
        assert any(map(math.isnan, values)) <= (not all(map(math.isfinite, curve.values)))
    if finite(values):
        kept = finite(curve.values)
        assert (min(kept), max(kept)) == (min(finite(values)), max(finite(values)))


def test_a_spike_of_one_record_in_a_million_is_seen():
    values = [0.0] * 1_000_000
    values[123_456] = 1.0
    curve = downsample(range(1_000_000), values, 2_000)
    assert (123_456, 1.0) in zip(curve.steps, curve.values, strict=True)


@pytest.mark.parametrize(
    ("curves", "steps", "low", "high"),
    [
        ([([0, 1], [1.0, 2.0])], [0, 1], [1.0, 2.0], [1.0, 2.0]),
        ([([0, 2], [0.0, 2.0]), ([1], [5.0])], [0, 1, 2], [0.0, 1.0, 2.0], [0.0, 5.0, 2.0]),
        ([([0, 1], [1.0, 1.0]), ([3, 4], [2.0, 2.0])], [0, 1, 3, 4], [1, 1, 2, 2], [1, 1, 2, 2]),
        ([([0, 1, 2], [1.0, NAN, 3.0])], [0, 2], [1.0, 3.0], [1.0, 3.0]),
        ([([0, 1], [-1e308, 1e308])], [0, 1], [-1e308, 1e308], [-1e308, 1e308]),
    ],
    ids=["one", "between points", "apart", "NaN", "huge"],
)
def test_a_band_lies_where_the_curves_do(curves, steps, low, high):
    band = band_of([Curve(len(s), s, v) for s, v in curves], 100)
    assert (band.n_runs, band.steps, band.low, band.high) == (len(curves), steps, low, high)


@pytest.mark.parametrize("curves", [[], [Curve(0, [], [])], [Curve(2, [0, 1], [NAN, INF])]])
def test_without_a_finite_value_there_is_no_band(curves):
    assert band_of(curves, 100) is None


@given(st.integers(1, 40))
def test_a_band_cut_short_holds_all_of_the_longer_one(n_max):
    values = [math.sin(step) for step in range(100)]
    band = band_of([Curve(100, range(100), values)], n_max)
    assert len(band.steps) <= n_max
    assert (min(band.low), max(band.high)) == (min(values), max(values))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([1.0], "▄"),
        ([2.0, 2.0], "▄▄"),
        ([0.0, 1.0], "▁█"),
        ([NAN, None, INF], "   "),
        ([0.0, NAN, 7.0], "▁ █"),
        ([-1e308, 1e308], "▄▄"),
    ],
)
def test_a_sparkline_shows_the_course(values, line):
    assert sparkline(values) == line


def test_a_long_series_is_shown_by_the_means_of_its_pieces():
    shown = sparkline([float(value) for value in range(100)])
    assert (len(shown), shown[0], shown[-1], list(shown)) == (20, "▁", "█", sorted(shown))


@given(st.lists(st.none() | st.floats(), max_size=60), st.integers(1, 30))
def test_a_sparkline_has_one_block_a_value_and_never_more_than_its_width(values, width):
    assert len(sparkline(values, width)) == min(width, len(values))
