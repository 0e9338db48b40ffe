"""Bounds: what they are made of, and when a metric is within one."""

from __future__ import annotations

import math
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import Bound, BoundError, InvalidArgumentError, NoActiveRunError, Tracker
from tracking.bounds import OPERATORS
from tracking.model import STATISTICS
from tracking.summary import summarize

numbers = st.floats(allow_nan=False, allow_infinity=False)


def summary_of(*values):
    return summarize(range(len(values)), values)


@given(value=numbers, limit=numbers, comparison=st.sampled_from(sorted(OPERATORS)))
def test_a_bound_holds_exactly_where_its_comparison_does(value, limit, comparison):
    bound = Bound.checked("loss", comparison, limit, "last")
    is_within = {"<": value < limit, "<=": value <= limit, "==": value == limit,
                 ">=": value >= limit, ">": value > limit}[comparison]  # fmt: skip
    assert (bound.problem(summary_of(value)) == "") is is_within


@pytest.mark.parametrize("statistic", STATISTICS)
def test_every_statistic_of_a_summary_can_be_bounded(statistic):
    summary = summary_of(1.0, 5.0, 2.0)
    value = getattr(summary, statistic)
    bound = Bound.checked("loss", "<", value, statistic)
    assert bound.value_in(summary) == value
    problem = f"loss: {statistic} has to be < {value!r}, but it is {value!r}"
    assert bound.problem(summary) == problem
    assert Bound.checked("loss", "==", value, statistic).problem(summary) == ""


@pytest.mark.parametrize("comparison", OPERATORS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_within_no_bound_it_is_not_ordered_by(comparison, value):
    bound = Bound.checked("loss", comparison, 1.0, "last")
    is_within = (value, comparison[0]) in ((math.inf, ">"), (-math.inf, "<"))
    assert (bound.problem(summary_of(value)) == "") is is_within
    mean = Bound.checked("loss", comparison, 1.0, "mean")
    assert mean.problem(summary_of(value)).endswith("but it is not finite")
    assert bound.problem(None).endswith("but it was not recorded")


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        (("", "<", 1, "last"), "metric_name"),
        ((5, "<", 1, "last"), "metric_name"),
        (("loss", "=", 1, "last"), "comparison"),
        (("loss", None, 1, "last"), "comparison"),
        (("loss", [], 1, "last"), "comparison"),
        (("loss", "<", "1", "last"), "limit"),
        (("loss", "<", math.inf, "last"), "limit"),
        (("loss", "<", 1, "median"), "statistic"),
        (("loss", "<", 1, None), "statistic"),
    ],
)
def test_a_bound_that_makes_no_sense_names_the_argument(arguments, argument):
    with pytest.raises(InvalidArgumentError) as caught:
        Bound.checked(*arguments)
    assert caught.value.argument == argument


def test_a_tracker_raises_where_a_metric_is_out_of_its_bound_by_then(tmp_path):
    with closing(Tracker(tmp_path)) as tracker:
        tracker.set_experiment("e")
        with pytest.raises(NoActiveRunError):
            tracker.expect("loss", "<", 1)
        with tracker.run():
            tracker.record("loss", 2.0, 0)
            with pytest.raises(BoundError, match="loss: last has to be < 1"):
                tracker.expect("loss", "<", 1)
            with pytest.raises(BoundError, match="acc: max has to be > 0"):
                tracker.expect("acc", ">", 0, statistic="max")
            tracker.record("loss", 0.5, 1)
            tracker.expect("loss", "<", 1)
