"""What a marker and pyproject.toml say of metrics."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import InvalidArgumentError, SettingsError, TrackingError
from tracking.model import STATISTICS, Direction
from tracking.regression.settings import (
    DEFAULT_SETTINGS,
    SETTING_NAMES,
    checked_settings,
    read_patterns,
    said_of,
)


def test_what_can_be_said_of_a_metric_is_what_its_settings_are():
    assert set(SETTING_NAMES) == set(asdict(DEFAULT_SETTINGS))


# What is said


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {}),
        ({"rel": 0.1}, {"rel": 0.1}),
        ({"abs": 0, "floor": 0.0}, {"abs": 0, "floor": 0.0}),
        ({"direction": "lower"}, {"direction": Direction.LOWER}),
        ({"direction": Direction.BOTH}, {"direction": Direction.BOTH}),
        ({"statistics": ["last"]}, {"statistics": ("last",)}),
        ({"statistics": ("last", "std")}, {"statistics": ("last", "std")}),
    ],
)
def test_what_is_said_becomes_settings(said, expected):
    before = dict(said)
    checked = checked_settings(said)
    assert checked == expected
    assert said == before
    assert replace(DEFAULT_SETTINGS, **checked) == replace(DEFAULT_SETTINGS, **expected)


REFUSED = {
    "unknown name": ({"relative": 0.1}, "relative", "is unknown; there are direction, rel, abs"),
    "a name in other letters": ({"Rel": 0.1}, "Rel", "is unknown"),
    "unknown direction": ({"direction": "down"}, "direction", "'down' is unknown; there are lower"),
    "direction of no kind": ({"direction": None}, "direction", "None is unknown"),
    "direction a list": ({"direction": ["lower"]}, "direction", "is unknown"),
    "a text as number": ({"rel": "5%"}, "rel", "a finite number >= 0 is needed, not '5%'"),
    "a boolean as number": ({"abs": True}, "abs", "not True"),
    "negative": ({"floor": -0.1}, "floor", "not -0.1"),
    "nan": ({"rel": float("nan")}, "rel", "not nan"),
    "infinite": ({"floor": float("inf")}, "floor", "not inf"),
    "no statistics": ({"statistics": []}, "statistics", "one or more of mean, tail"),
    "unknown statistic": ({"statistics": ["median"]}, "statistics", "'median'"),
    "statistics a text": ({"statistics": "mean"}, "statistics", "in a tuple"),
    "one bad of several": ({"rel": 0.1, "abs": None}, "abs", "not None"),
}


@pytest.mark.parametrize(("said", "argument", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused_and_named(said, argument, problem):
    with pytest.raises(InvalidArgumentError) as caught:
        checked_settings(said)
    assert caught.value.argument == argument
    assert problem in str(caught.value)


# pyproject.toml


def pyproject(tmp_path, text):
    path = tmp_path / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_patterns_of_a_file_come_in_its_order(tmp_path):
    text = """
        [tool.other]
        metrics = 1
        [tool.sgtrack.metrics]
        "*loss*" = {direction = "lower", rel = 0.02}
        "größe_?" = {statistics = ["last"], abs = 1}
        lr = {}
    """
    assert read_patterns(pyproject(tmp_path, text)) == (
        ("*loss*", {"direction": Direction.LOWER, "rel": 0.02}),
        ("größe_?", {"statistics": ("last",), "abs": 1}),
        ("lr", {}),
    )


@pytest.mark.parametrize("text", ["", "[tool]", "[tool.sgtrack]", "[tool.sgtrack.metrics]"])
def test_a_file_that_says_nothing_has_no_patterns(tmp_path, text):
    assert read_patterns(pyproject(tmp_path, text)) == ()


def test_without_a_file_there_are_no_patterns(tmp_path):
    assert read_patterns(tmp_path / "pyproject.toml") == ()


PLACE = r"\[tool\.sgtrack\.metrics\.'\*loss\*'\]: "
WRONG = {
    "no toml": ("[tool\n", r"cannot be read: .*at line 1.*; mend it"),
    "a key twice": ("[tool.sgtrack.metrics]\na = {}\na = {}\n", "cannot be read: .*at line 3"),
    "tool no table": ("tool = 1", r"\[tool\] has to be a table, not 1"),
    "sgtrack no table": ("[tool]\nsgtrack = []", r"\[tool\.sgtrack\] has to be a table, not \[\]"),
    "an unknown table": (
        "[tool.sgtrack.metric]",
        r"\[tool\.sgtrack\]: 'metric' is unknown; there is metrics",
    ),
    "metrics no table": (
        "[tool.sgtrack]\nmetrics = 'loss'",
        r"\[tool\.sgtrack\.metrics\] has to be a table, not 'loss'",
    ),
    "a pattern no table": (
        "[tool.sgtrack.metrics]\n'*loss*' = 0.1",
        r"\[tool\.sgtrack\.metrics\.'\*loss\*'\] has to be a table, not 0\.1",
    ),
    "an unknown setting": (
        "[tool.sgtrack.metrics]\n'*loss*' = {tolerance = 0.1}",
        PLACE + "tolerance: is unknown; there are direction, rel",
    ),
    "an impossible value": (
        "[tool.sgtrack.metrics]\n'*loss*' = {rel = -1}",
        PLACE + "rel: a finite number >= 0 is needed, not -1",
    ),
    "infinity": ("[tool.sgtrack.metrics]\n'*loss*' = {rel = inf}", PLACE + "rel: .* not inf"),
    "a date": (
        "[tool.sgtrack.metrics]\n'*loss*' = {direction = 2024-01-01}",
        PLACE + "direction: .* is unknown",
    ),
}


@pytest.mark.parametrize(("text", "problem"), WRONG.values(), ids=WRONG)
def test_a_file_that_is_wrong_is_refused_and_the_error_names_file_and_place(
    tmp_path, text, problem
):
    path = pyproject(tmp_path, text)
    with pytest.raises(SettingsError, match=problem) as caught:
        read_patterns(path)
    assert str(caught.value).startswith(str(path))
    assert isinstance(caught.value, TrackingError)


def test_a_file_that_is_no_text_or_no_file_is_refused(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_patterns(path)
    with pytest.raises(SettingsError, match="cannot be read") as caught:
        read_patterns(tmp_path)
    assert isinstance(caught.value.__cause__, IsADirectoryError)


# Patterns


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("loss", {"rel": 0.1, "abs": 0.5}),
        ("val_loss", {"rel": 0.2, "abs": 0.5}),
        ("val_acc", {"rel": 0.2}),
        ("Loss", {}),
        ("lr", {}),
        ("acc1", {"floor": 0.3}),
        ("acc[1]", {}),
    ],
)
def test_all_patterns_that_match_count_and_a_later_one_goes_before(metric, expected):
    patterns = (
        ("*loss*", {"rel": 0.1, "abs": 0.5}),
        ("val_*", {"rel": 0.2}),
        ("acc[1]", {"floor": 0.3}),
    )
    assert said_of(metric, patterns) == expected


tolerances = st.floats(0, sys.float_info.max)
said = st.fixed_dictionaries(
    {},
    optional={
        "direction": st.sampled_from([str(way) for way in Direction]),
        "rel": tolerances,
        "abs": tolerances,
        "floor": tolerances,
        "statistics": st.lists(st.sampled_from(STATISTICS), min_size=1),
    },
)
globs = st.sampled_from(["*", "?", "a*", "*a", "[ab]", "a", "b"])
patterns = st.lists(st.tuples(globs, said.map(checked_settings)), max_size=4).map(tuple)


@given(st.text("ab", max_size=3), patterns)
def test_whatever_patterns_say_together_makes_settings(metric, patterns):
    replace(DEFAULT_SETTINGS, **said_of(metric, patterns))


@given(st.text("ab", max_size=3), patterns, said)
def test_what_the_last_pattern_says_holds(metric, patterns, said):
    checked = checked_settings(said)
    assert said_of(metric, (*patterns, ("*", checked))) == said_of(metric, patterns) | checked
