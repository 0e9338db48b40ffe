"""Conditions, metrics and orders on a command line: what they mean, what is refused and how."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import InvalidArgumentError
from tracking.queries.expressions import (
    STATISTICS,
    Condition,
    Metric,
    Order,
    parse_condition,
    parse_metric,
    parse_order,
)
from tracking.summary import summarize


@pytest.mark.parametrize(
    ("text", "name", "statistic"),
    [
        ("loss", "loss", "last"),
        ("loss.min", "loss", "min"),
        ("loss.n_nan", "loss", "n_nan"),
        ("  loss.min ", "loss", "min"),
        ("layer.0.loss", "layer.0.loss", "last"),
        ("layer.0.loss.max", "layer.0.loss", "max"),
        ("loss.mim", "loss.mim", "last"),
        (".min", ".min", "last"),
        ("a b/c", "a b/c", "last"),
        ('"loss.min"', "loss.min", "last"),
        ('"loss.min".max', "loss.min", "max"),
        ("'a > b'.n", "a > b", "n"),
        ("it's", "it's", "last"),
    ],
)
def test_a_metric_is_a_name_and_perhaps_a_statistic(text, name, statistic):
    assert parse_metric(text) == Metric(name, statistic)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("val_acc > 0.9", Condition(Metric("val_acc", "last"), ">", 0.9)),
        ("loss.min<=1e-3", Condition(Metric("loss", "min"), "<=", 0.001)),
        ("loss<-1", Condition(Metric("loss", "last"), "<", -1.0)),
        ("n.n == 100", Condition(Metric("n", "n"), "==", 100.0)),
        ("loss != inf", Condition(Metric("loss", "last"), "!=", math.inf)),
        ("a b >= 1", Condition(Metric("a b", "last"), ">=", 1.0)),
        ("'a>b' < 1", Condition(Metric("a>b", "last"), "<", 1.0)),
        ("it's < 1", Condition(Metric("it's", "last"), "<", 1.0)),
    ],
)
def test_a_condition_is_a_metric_an_operator_and_a_number(text, condition):
    assert parse_condition(text) == condition


@pytest.mark.parametrize(
    ("parse", "text", "problem"),
    [
        (parse_condition, "", "compares nothing; write METRIC OPERATOR NUMBER"),
        (parse_condition, "loss", "compares nothing"),
        (parse_condition, "loss = 1", "= is no operator; there are <, <=, >, >=, ==, !="),
        (parse_condition, "loss =< 1", "=< is no operator"),
        (parse_condition, "loss <> 1", "<> is no operator"),
        (parse_condition, "loss > ", "'' is no number"),
        (parse_condition, "loss > 1 and acc > 2", "'1 and acc > 2' is no number"),
        (parse_condition, "> 1", "names no metric"),
        (parse_condition, "'loss > 1", "compares nothing"),
        (parse_metric, "", "names no metric"),
        (parse_metric, '""', "names no metric"),
        (parse_metric, '"loss', 'its quote " is not closed'),
        (parse_metric, '"loss".mim', "'.mim' is no statistic; there are n, n_nan, n_inf, min"),
        (parse_metric, '"loss"min', "'min' is no statistic"),
        (parse_order, "-", "names no metric"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(parse, text, problem):
    with pytest.raises(InvalidArgumentError) as caught:
        parse(text)
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("id", Order("id", is_descending=False)),
        ("-created", Order("created", is_descending=True)),
        ("-loss.min", Order(Metric("loss", "min"), is_descending=True)),
        ('"id"', Order(Metric("id", "last"), is_descending=False)),
    ],
)
def test_an_order_is_a_property_or_a_metric(text, order):
    assert parse_order(text) == order


@given(st.text(min_size=1).filter(lambda text: '"' not in text), st.sampled_from(STATISTICS))
def test_every_name_can_be_written_in_quotes(name, statistic):
    assert parse_metric(f'"{name}".{statistic}') == Metric(name, statistic)
    assert parse_condition(f'"{name}".{statistic} > 1').metric == Metric(name, statistic)


@given(
    st.text(alphabet="ab. '\"<>=!-1"), st.sampled_from([parse_metric, parse_condition, parse_order])
)
def test_a_text_means_something_or_is_refused(text, parse):
    with contextlib.suppress(InvalidArgumentError):
        assert parse(text)


NAN = math.nan


@pytest.mark.parametrize(
    ("values", "text", "holds"),
    [
        ([1.0, 2.0], "loss > 1.5", True),
        ([1.0, 2.0], "loss.min > 1.5", False),
        ([1.0, 2.0], "loss == 2", True),
        ([1.0, 2.0], "loss != 2", False),
        ([1.0, 2.0], "loss.n >= 2", True),
        ([1.0, 2.0], "other != 2", False),
        ([NAN], "loss == nan", True),
        ([NAN], "loss != nan", False),
        ([NAN], "loss > 0", False),
        ([NAN], "loss < 0", False),
        ([NAN], "loss.min != 0", False),
        ([math.inf], "loss > 1e308", True),
    ],
)
def test_a_condition_holds_for_runs_that_have_such_a_value(values, text, holds):
    summaries = {"loss": summarize(list(range(len(values))), values)}
    assert parse_condition(text).holds(summaries) is holds
