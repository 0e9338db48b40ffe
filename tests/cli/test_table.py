"""Cells of tables: cut to fit, and never more than that."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tabulate import tabulate

from tracking.cli.table import (
    change_text,
    duration_text,
    fitted,
    number_text,
    numbers_text,
    shortened,
    value_text,
)


@given(st.text(), st.integers(1, 50))
def test_a_shortened_text_keeps_its_ends_and_has_the_width(text, width):
    short = shortened(text, width)
    assert len(short) == min(len(text), width)
    head, cut, tail = short.partition("…") if len(text) > width else (text, "", "")
    assert text.startswith(head)
    assert text.endswith(tail)
    assert bool(cut) == (len(text) > width)


def printed_width(rows, headers):
    return max(map(len, tabulate(rows, headers, tablefmt="simple").splitlines()))


def test_the_longest_names_give_way_first():
    headers = ("name", "metric", "x")
    rows = [["n" * 60, "m" * 20, "x" * 10]]
    fit = fitted(rows, headers, 64)
    assert printed_width(fit, headers) == 64
    assert [len(cell) for cell in fit[0]] == [30, 20, 10]
    assert fitted(rows, headers, 94) == rows


def test_numbers_stay_whole_and_names_recognisable():
    headers = ("name", "x")
    assert fitted([["n" * 60, "0" * 30]], headers, 20) == [["nnnnn…nnnnnn", "0" * 30]]
    assert fitted([], headers, 3) == []


cells = st.text(st.characters(categories=["Lu"]), min_size=1, max_size=80)


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=3), st.integers(50, 200))
def test_a_table_fits_or_none_of_its_names_can_be_shorter(rows, width):
    headers = ("test", "statistic", "metric")
    rows = [list(row) for row in rows]
    fit = fitted(rows, headers, width)
    assert [row[1] for row in fit] == [row[1] for row in rows]
    if printed_width(fit, headers) > width:
        assert all(len(row[place]) <= 12 for row in fit for place in (0, 2))
    elif fit != rows:
        assert printed_width(fit, headers) == width


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.0, "0.00 s"),
        (59.994, "59.99 s"),
        (60, "1:00"),
        (3599.4, "59:59"),
        (3600, "1:00:00"),
    ],
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (3, "3"),
        (1234567, "1234567"),
        (0.1, "0.1"),
        (1e-9, "1e-09"),
        (-math.inf, "-Infinity"),
    ],
)
def test_numbers(value, text):
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("before", "after", "texts", "change"),
    [
        (1.0, 2.0, ("1", "2"), "+100.00 %"),
        (2.0, 1.0, ("2", "1"), "-50.00 %"),
        (-2.0, -1.0, ("-2", "-1"), "+50.00 %"),
        (1.0, 1.0000001, ("1.0", "1.0000001"), "+1e-05 %"),
        (math.nan, math.nan, ("NaN", "NaN"), ""),
        (0.0, 1.0, ("0", "1"), ""),
        (None, 1.0, ("", "1"), ""),
        (1.0, math.inf, ("1", "Infinity"), ""),
        (-1e308, 1e308, ("-1e+308", "1e+308"), "+200.00 %"),
    ],
)
def test_changes_show_the_digits_that_differ(before, after, texts, change):
    assert numbers_text(before, after) == texts
    assert change_text(before, after) == change


def test_values_of_configs_are_texts_as_they_are_and_json_else():
    assert [value_text(value) for value in ("a", None, [1], {"a": 1.5}, False)] == [
        *("a", "null", "[1]", '{"a":1.5}', "false")
    ]
