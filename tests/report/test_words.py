"""How numbers, checks and changes are said."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.model import Verdict
from tracking.regression import Check
from tracking.report.data import MISSING, Change
from tracking.report.words import (
    CHECK_HEADERS,
    changes_text,
    check_cells,
    checks_table,
    counts_text,
    findings,
    is_worth_a_look,
    numbers_text,
    printable,
    reasons,
    verdict_text,
)

TOO_SMALL = 1.0 + 2**-40


def check(baseline=1.0, current=2.0, allowance=0.05, metric="loss", **fields):
    values = (baseline, current, allowance, fields.pop("message", ""))
    return Check(metric, "tail", fields.pop("verdict", Verdict.REGRESSED), *values, **fields)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((1.0, 2.0), ["1", "2"]),
        ((1 / 3, 1 / 3), ["0.333333", "0.333333"]),
        ((1.0, TOO_SMALL), ["1", "1.0000000000009095"]),
        ((None, 0.5), ["", "0.5"]),
        ((math.inf, math.nan), ["inf", "nan"]),
        ((1e-300, -1e300), ["1e-300", "-1e+300"]),
        ((100, 99), ["100", "99"]),
    ],
)
def test_numbers_have_the_digits_it_takes_to_tell_them_apart(values, shown):
    assert numbers_text(*values) == shown


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_two_numbers_look_equal_only_if_they_are(one, other):
    shown = numbers_text(one, other)
    if one != other:
        assert shown[0] != shown[1]


@pytest.mark.parametrize(
    ("baseline", "current", "shown"),
    [
        (1.0, 1.5, "+50.00 %"),
        (-1.0, -1.5, "-50.00 %"),
        (1.0, 1.0, "+0.00 %"),
        (1.0, TOO_SMALL, "+9e-11 %"),
        (1.0, 1 - 1e-7, "-1e-05 %"),
        (0.0, 0.25, "+0.25"),
        (0.0, 0.0, "+0"),
        (None, 0.25, ""),
        (1.0, None, ""),
        (1.0, math.nan, ""),
        (-1e308, 1e308, "+200.00 %"),
    ],
)
def test_a_change_is_said_in_percent_where_it_has_one(baseline, current, shown):
    cells = dict(zip(CHECK_HEADERS, check_cells(check(baseline, current)), strict=True))
    assert cells["change"] == shown


def test_the_cells_of_a_check_are_in_the_order_of_their_headers():
    one = check(0.5, 0.75, 0.025)
    shown = ("loss", "tail", "0.5", "0.75", "+50.00 %", "0.025", "regressed")
    assert check_cells(one) == shown
    assert check_cells(replace(one, allowance=None))[5] == ""


# Tables


def test_a_table_of_checks_looks_like_this():
    checks = [check(0.5, 0.75, 0.025), check(1.0, TOO_SMALL, None, "acc", verdict=Verdict.WITHIN)]
    assert checks_table(checks, 80).splitlines() == [
        "metric    statistic      baseline             current    change    allowed  verdict",
        "--------  -----------  ----------  ------------------  --------  ---------  ---------",
        "loss      tail                0.5                0.75  +50.00 %      0.025  regressed",
        "acc       tail                  1  1.0000000000009095  +9e-11 %             within",
    ]


LONG = "train/encoder.layer_0/attention/self/loss"


def test_a_long_name_is_wrapped_in_its_cell_behind_a_separator():
    rows = checks_table([check(metric=LONG), check(metric="acc")], 80).splitlines()[2:]
    cells = "tail                  1          2  +100.00 %       0.05  regressed"
    assert rows == [
        f"train/      {cells}",
        "encoder.",
        "layer_0/",
        "attention/",
        "self/loss",
        f"acc         {cells}",
    ]


def test_a_name_without_a_separator_is_wrapped_where_it_has_to_be():
    rows = checks_table([check(metric="m" * 25)], 80).splitlines()[2:]
    assert [row[:11].rstrip() for row in rows] == ["m" * 11, "m" * 11, "m" * 3]


@pytest.mark.parametrize("metric", ["m" * 100, LONG, "a b" * 40, "ü" * 60, " m" * 30])
def test_a_table_is_no_wider_than_there_is_room(metric):
    assert max(map(len, checks_table([check(metric=metric)], 80).splitlines())) <= 80


def test_at_200_columns_nothing_is_wrapped():
    assert len(checks_table([check(metric="m" * 100)], 200).splitlines()) == 3


def test_a_table_that_cannot_fit_keeps_its_names_whole():
    wide = check(1.0, TOO_SMALL, metric="m" * 30, verdict=Verdict.UNREADABLE_BASELINE)
    assert "m" * 30 in checks_table([wide], 60)


def test_a_table_of_nothing_is_its_headers():
    assert checks_table([], 80).split()[: len(CHECK_HEADERS)] == list(CHECK_HEADERS)


names = st.text(min_size=1, max_size=60)


@given(st.lists(names, min_size=1, max_size=3), st.integers(80, 200))
def test_wrapping_loses_no_letter_of_a_name(metrics, width):
    lines = checks_table([check(metric=name) for name in metrics], width).splitlines()
    assert max(map(len, lines)) <= width
    column = lines[1].index(" ")
    letters = "".join(line[:column] for line in lines[2:])
    assert "".join(letters.split()) == "".join("".join(map(printable, metrics)).split())


# Tests


def test_counts_are_in_the_order_of_verdicts_with_the_worst_they_did(session, red):
    data = session(
        red(),
        red(verdict=Verdict.IMPROVED, action="show"),
        red(verdict=Verdict.REGRESSED, action="warn"),
        red(verdict=None, action="pass"),
    )
    assert counts_text(data) == [
        ("3 tests compared: 1 improved, 2 regressed", "fail"),
        ("1 test run to collect samples, nothing compared", ""),
    ]
    assert counts_text(session(red(verdict=None))) == [
        ("1 test failed without the gate, nothing compared", "fail")
    ]
    assert counts_text(session()) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"action": "pass"}, False),
        ({"action": "show"}, True),
        ({"action": "pass", "notes": ("earlier attempts: regressed",)}, True),
        ({"action": "pass", "checks": (check(warning="few samples"),)}, True),
    ],
)
def test_what_is_worth_a_look(red, fields, expected):
    assert is_worth_a_look(red(**{"checks": (), **fields})) is expected


def test_findings_are_what_a_table_cannot_say(red):
    test = red(
        checks=(
            check(1.0, 1.5, message="loss: the smaller change"),
            check(1.0, 3.0, message="loss: the larger change", warning="few samples"),
            check(message="acc: n went from 2 to 1", verdict=Verdict.TRUNCATED),
        ),
        notes=("earlier attempts: regressed",),
    )
    assert reasons(test) == ["loss: the larger change", "few samples"]
    assert findings(test) == [
        "loss: the larger change",
        "few samples",
        "acc: n went from 2 to 1",
        "earlier attempts: regressed",
    ]


def test_a_test_without_a_verdict_has_words_all_the_same(red):
    shown = [verdict_text(red(verdict=None, action=action)) for action in ("pass", "fail")]
    assert shown == ["not compared", "failed"]
    assert verdict_text(red()) == "regressed"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (0.1, 0.2, "lr: from 0.1 to 0.2"),
        ("1", 1, 'lr: from "1" to 1'),
        (MISSING, None, "lr: null, which the baseline does not have"),
        (True, MISSING, "lr: gone, true in the baseline"),
        (math.nan, "NaN", 'lr: from NaN to "NaN"'),
        ([1, {"a": 2}], "ü\n", 'lr: from [1, {"a": 2}] to "ü\\n"'),
    ],
)
def test_a_change_of_a_setting_is_said_so_that_types_can_be_told(before, after, said):
    assert changes_text([Change("lr", before, after)]) == [said]


@given(st.text())
def test_what_is_shown_steers_no_terminal_and_hides_nothing(text):
    shown = printable(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text
