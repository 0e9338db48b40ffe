"""The checks of what users hand in."""

from __future__ import annotations

import enum
import json
import math
from collections import OrderedDict, namedtuple
from collections.abc import Set as AbstractSet
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.arguments import (
    MAX_NAME_LENGTH,
    as_json,
    checked_experiment_name,
    checked_id,
    checked_mapping,
    checked_name,
    checked_status,
    checked_step,
    checked_text,
    checked_value,
    described,
)
from tracking.errors import InvalidArgumentError
from tracking.model import Status, decode_number

NAN, INF = math.nan, math.inf
HUGE = 10**5_000  # more digits than Python converts to text


class Unspeakable:
    """An object of which not even the repr works."""

    ndim = 0
    dtype = None

    def __repr__(self):
        raise RuntimeError("no repr")

    def item(self):
        raise RuntimeError("no number inside a compiled function")


class Text(str, enum.Enum):  # noqa: UP042  # its str() is "Text.LOSS"
    LOSS = "loss"
    FAILED = "failed"


class Number(enum.IntEnum):
    TWO = 2


class Plain(enum.Enum):
    ADAM = object()


def huge(value):
    """Name in a test's id what cannot be written out there."""
    return "huge" if type(value) is int and abs(value) >= HUGE else None


def refused(check, *arguments, **keywords):
    """Return the error with which a check refuses."""
    with pytest.raises(InvalidArgumentError) as caught:
        check(*arguments, **keywords)
    assert str(caught.value).startswith(f"{caught.value.argument}: ")
    return caught.value


# Names and texts

NO_TEXT = [
    None,
    5,
    0.5,
    b"loss",
    ["loss"],
    NAN,
    HUGE,
    Unspeakable(),
    np.array(["loss"]),
    Plain.ADAM,
]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        *((other, "expected a str, got") for other in NO_TEXT),
        ("", "empty"),
        ("a" * (MAX_NAME_LENGTH + 1), "has 1001 characters"),
        ("a\0b", "NUL"),
        ("loss\ud800", "lone surrogate at position 4"),
        ("\udfff", "lone surrogate at position 0"),
    ],
    ids=huge,
)
def test_a_name_no_store_can_hold_is_refused(name, problem):
    error = refused(checked_name, "metric_name", name)
    assert error.argument == "metric_name"
    assert problem in error.problem


@pytest.mark.parametrize(
    "name",
    ["a", " ", "a" * MAX_NAME_LENGTH, "😀" * MAX_NAME_LENGTH, "a/b", "\n", "é", "e\u0301", "\x7f"],
)
def test_any_other_text_is_a_name_and_stays_as_it_is(name):
    assert checked_name("name", name) == name


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_names_read_back_equal(name):
    assert checked_name("name", name) == name == name.encode().decode()


@pytest.mark.parametrize("text", [Text.LOSS, np.str_("loss")])
def test_subclasses_of_str_become_the_text_they_equal(text):
    for plain in (
        checked_name("name", text),
        checked_text("content", text),
        checked_experiment_name(text),
        checked_mapping("config", {"key": text})["key"],
        *checked_mapping("config", {text: 1}),
    ):
        assert plain == "loss"
        assert type(plain) is str


@pytest.mark.parametrize(
    "text",
    [*NO_TEXT, "\ud800"],
    ids=huge,
)
def test_what_is_no_text_is_refused(text):
    assert refused(checked_text, "content", text).argument == "content"


@pytest.mark.parametrize("text", ["", "a\0b", "😀" * 5_000])
def test_texts_may_be_empty_and_long_and_hold_nul(text):
    assert checked_text("content", text) == text


# Steps and ids

INTS = [0, -1, 2**63 - 1, -(2**63), Number.TWO, np.int8(-3), np.uint64(7), np.array(5)]
NO_INTS = [None, True, False, 1.0, "1", b"1", 1j, NAN, [1], Decimal(1), Fraction(1), Plain.ADAM]
NO_INTS += [np.float64(1), np.True_, np.array(True), np.array([1]), np.timedelta64(1, "ns")]
NO_INTS += [np.array(1.0), Unspeakable(), np.datetime64(1, "ns")]
TOO_LARGE = [2**63, -(2**63) - 1, np.uint64(2**63), HUGE, -HUGE]


@pytest.mark.parametrize("number", INTS)
def test_whole_numbers_are_steps_and_ids(number):
    for plain in (checked_step(number), checked_id("run_id", number)):
        assert plain == number
        assert type(plain) is int


@pytest.mark.parametrize(
    "number",
    NO_INTS,
    ids=huge,
)
def test_what_is_no_int_is_no_step_and_no_id(number):
    assert refused(checked_step, number).argument == "step"
    assert refused(checked_id, "graph_id", number).argument == "graph_id"


@pytest.mark.parametrize(
    "number",
    TOO_LARGE,
    ids=huge,
)
def test_a_step_of_more_than_64_bits_is_refused_and_such_an_id_belongs_to_nothing(number):
    assert "64 bits" in refused(checked_step, number).problem
    assert checked_id("run_id", number) == -1


@given(st.integers())
def test_steps_are_taken_exactly_when_they_fit(step):
    if -(2**63) <= step < 2**63:
        assert checked_step(step) == step
    else:
        refused(checked_step, step)


# Values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, 0.5),
        (3, 3.0),
        (2**1023, 2.0**1023),
        (INF, INF),
        (-INF, -INF),
        (Number.TWO, 2.0),
        (Fraction(1, 4), 0.25),
        (Decimal("0.1"), 0.1),
        (Decimal("-Infinity"), -INF),
        (Decimal("1e-400"), 0.0),
        (np.float16(0.5), 0.5),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float64(0.1), 0.1),
        (np.float32(INF), INF),
        (np.longdouble(0.5), 0.5),
        (np.longdouble("-inf"), -INF),
        (np.int64(-7), -7.0),
        (np.uint8(200), 200.0),
        (np.array(1.5), 1.5),
        (np.array(Decimal("1.5")), 1.5),
        (np.arange(3)[1], 1.0),
    ],
)
def test_real_numbers_are_values(value, expected):
    found = checked_value(value)
    assert found == expected
    assert type(found) is float


@pytest.mark.parametrize("value", [NAN, np.float32(NAN), np.array(NAN), Decimal("NaN")])
def test_nan_is_a_value(value):
    assert math.isnan(checked_value(value))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        *((other, "expected a real number") for other in (None, True, "0.5", b"1", 1j, [1.0], {})),
        *((kind(1), "expected a real number") for kind in (np.bool_, np.complex64, np.str_)),
        (np.array(True), "expected a real number"),
        (np.array("0.5"), "expected a real number"),
        (np.array([0.5]), "expected a real number"),
        (np.array([]), "expected a real number"),
        (np.timedelta64(5, "ns"), "expected a real number"),
        (np.timedelta64(5, "s"), "expected a real number"),
        (np.array(5, "datetime64[ns]"), "expected a real number"),
        (Plain.ADAM, "expected a real number"),
        (10**400, "too large"),
        (-HUGE, "too large"),
        (Fraction(10**400), "too large"),
        (Decimal("1e400"), "too large"),
        (Decimal("-1e400"), "too large"),
        (np.array(10**400, dtype=object), "too large"),
        (Decimal("sNaN"), "signaling"),
        (Unspeakable(), "Unspeakable does not give its number: no number inside a compiled"),
    ],
    ids=huge,
)
def test_anything_else_is_no_value(value, problem):
    error = refused(checked_value, value)
    assert error.argument == "value"
    assert problem in error.problem


@pytest.mark.skipif(np.finfo(np.longdouble).maxexp == 1024, reason="long double is double here")
def test_a_long_double_beyond_all_floats_is_refused_not_turned_into_infinity():
    assert "too large" in refused(checked_value, np.longdouble("1e400")).problem


@given(st.floats(allow_nan=False) | st.integers(-(2**53), 2**53))
def test_values_read_back_equal(value):
    assert checked_value(value) == checked_value(np.array(value)) == value


# Status


@pytest.mark.parametrize("status", ["running", "completed", "failed", Text.FAILED, *Status])
def test_a_status_is_known_by_its_text(status):
    found = checked_status(status)
    assert type(found) is Status
    assert found == status


@pytest.mark.parametrize(
    "status",
    ["", "FAILED", "done", None, 1, b"failed", np.array(["a", "b"]), Unspeakable(), HUGE],
    ids=huge,
)
def test_another_status_is_refused_with_the_choice(status):
    error = refused(checked_status, status)
    assert error.argument == "status"
    assert "running, completed, failed" in error.problem


def test_a_run_does_not_end_as_running():
    assert checked_status("failed", final=True) is Status.FAILED
    assert "use one of completed, failed" in refused(checked_status, "running", final=True).problem


# Experiment names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mnist", "mnist"),
        ("mnist.db", "mnist"),
        ("a.b", "a.b"),
        ("a..b", "a..b"),
        ("lr=0.1, v2 (new)", "lr=0.1, v2 (new)"),
        ("größe 😀", "größe 😀"),
        ("console", "console"),
        ("x" * 200, "x" * 200),
        ("x" * 200 + ".db", "x" * 200),
    ],
)
def test_an_experiment_is_named_like_a_file(name, expected):
    assert checked_experiment_name(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "\t", ".db", ".", "..", "..db", ".hidden", "a.", "a ", "a .db", "a.journal"),
        *("../evil", "a/../../evil", "/etc/passwd", "a/b", "a\\b", "..\\evil", "C:evil", "/", "\\"),
        *("con", "CON", "nul.db", "com1", "LPT9.txt", "aux.tar.gz", "prn .x"),
        *("a\nb", "a\x1bb", "a\x7fb", "a\x85b", "a\0b", "\ud800"),
        *("x" * 201, "é" * 101, "😀" * 51, "x" * 1_001),
        *(None, 5, b"mnist", PurePosixPath("mnist"), Unspeakable()),
    ],
)
def test_a_name_that_would_leave_the_folder_or_is_no_file_name_is_refused(name):
    assert refused(checked_experiment_name, name).argument == "exp_name"


@given(st.text() | st.text("./\\:~ab", max_size=8))
def test_every_accepted_experiment_is_one_file_in_the_folder(name):
    try:
        accepted = checked_experiment_name(name)
    except InvalidArgumentError:
        return
    folder = PurePosixPath("/folder")
    assert (folder / f"{accepted}.db").parent == folder
    assert not {"..", "."} & set((folder / f"{accepted}.db").parts)
    assert accepted in (name, name.removesuffix(".db"))


# Configurations

Point = namedtuple("Point", "x y")  # noqa: PYI024  # the kind without annotations


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (np.True_, True),
        (3, 3),
        (2**600, 2**600),
        (Number.TWO, 2),
        (0.1, 0.1),
        (NAN, "NaN"),
        (INF, "Infinity"),
        (np.float32(-INF), "-Infinity"),
        (np.float64(0.1), 0.1),
        (np.float16(0.5), 0.5),
        (np.int32(-3), -3),
        (np.array(7), 7),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([0.5, NAN, INF]), [0.5, "NaN", "Infinity"]),
        (np.array(["a", None], dtype=object), ["a", None]),
        (np.zeros((2, 0)), [[], []]),
        ("text", "text"),
        ('a\0\n"é😀', 'a\0\n"é😀'),
        (Plain.ADAM, "Plain.ADAM"),
        (PurePosixPath("data/x"), "data/x"),
        ((1, (2, 3)), [1, [2, 3]]),
        (Point(1, 2), [1, 2]),
        ([], []),
        ({10, 9, 1}, [1, 9, 10]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({2, "1", None}, ["1", 2, None]),
        ({(2, 1), (1, 2)}, [[1, 2], [2, 1]]),
        ({1: "a", 2.5: {"b": ()}}, {"1": "a", "2.5": {"b": []}}),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": {1}}), {"a": [1]}),
    ],
)
def test_a_configuration_becomes_plain_json(value, expected):
    plain = checked_mapping("config", {"key": value})
    assert plain == {"key": expected}
    assert type(plain["key"]) is type(expected)
    assert json.loads(as_json(plain)) == plain
    assert checked_mapping("config", plain) == plain


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (object(), "config['key'] is object"),
        ([1, {"a": lambda: 0}], "config['key'][1]['a'] is function"),
        (b"bytes", "config['key'] is bytes b'bytes'"),
        (1j, "config['key'] is complex 1j"),
        (np.complex64(1j), "is complex"),
        (Decimal("0.1"), "is Decimal"),
        (range(3), "is range"),
        (np.timedelta64(5, "ns"), "is timedelta64"),
        (np.array([5], "datetime64[ns]"), "is ndarray"),
        (np.array([object()]), "config['key'][0] is object"),
        (Unspeakable(), "is Unspeakable that cannot be shown"),
        (HUGE, "config['key'] holds an int of more than 600 digits"),
        ({HUGE}, "config['key'][0] holds an int of more than 600 digits"),
        ({HUGE: 1}, "config['key'] holds an int of more than 600 digits"),
        ({None: 1}, "config['key'] has the key NoneType None"),
        ({True: 1}, "config['key'] has the key bool True"),
        ({(1, 2): 1}, "config['key'] has the key tuple (1, 2)"),
        ({Unspeakable(): 1}, "config['key'] has the key Unspeakable that cannot be shown"),
        ({1: "a", "1": "b"}, "config['key'] has the key '1' twice"),
        ("\ud800", "lone surrogate"),
        ({"\ud800": 1}, "lone surrogate"),
        (PurePosixPath("\udcff"), "lone surrogate"),
    ],
    ids=huge,
)
def test_what_json_cannot_hold_is_refused_with_its_place(value, place):
    error = refused(checked_mapping, "config", {"key": value})
    assert error.argument == "config"
    assert place in error.problem


@pytest.mark.parametrize("mapping", [[], "a=1", 5, [("a", 1)], Unspeakable()])
def test_only_a_mapping_is_a_configuration(mapping):
    assert "expected a dict" in refused(checked_mapping, "hparams", mapping).problem


def test_no_configuration_is_an_empty_one():
    assert checked_mapping("config", None) == {}


def nested(depth, wrap):
    value = 1
    for _ in range(depth):
        value = wrap(value)
    return {"key": value}


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"k": x}, lambda x: (x,)])
def test_fifty_levels_are_kept_and_more_refused(wrap):
    plain = checked_mapping("config", nested(49, wrap))
    assert json.loads(as_json(plain)) == plain
    assert "deeper than 50 levels" in refused(checked_mapping, "config", nested(50, wrap)).problem


def test_a_list_that_holds_itself_is_refused():
    loop = []
    loop += [loop, loop]
    assert "deeper than 50 levels" in refused(checked_mapping, "config", {"key": loop}).problem


every_leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
every_tree = st.recursive(
    every_leaf,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), every_tree))
@settings(max_examples=80, deadline=None)
def test_every_accepted_configuration_reads_back_equal(config):
    try:
        plain = checked_mapping("config", config)
    except InvalidArgumentError:
        return
    assert json.loads(as_json(plain)) == plain
    assert list(plain) == list(config)
    for name, value in config.items():
        if isinstance(value, float):
            assert repr(decode_number(plain[name])) == repr(value)
        elif not isinstance(value, list | dict):
            assert plain[name] == value
            assert type(plain[name]) is type(value)


class Listed(AbstractSet):
    """A set that iterates in the order of a list."""

    def __init__(self, members):
        self.members = list(members)

    def __contains__(self, member):
        return member in self.members

    def __iter__(self):
        return iter(self.members)

    def __len__(self):
        return len(self.members)


@given(st.lists(st.integers() | st.text("ab") | st.none() | st.floats(), unique=True), st.randoms())
def test_equal_sets_become_equal_lists_in_whatever_order_they_iterate(members, rng):
    shuffled = rng.sample(members, len(members))
    one, other = (checked_mapping("config", {"key": Listed(m)}) for m in (members, shuffled))
    assert as_json(one) == as_json(other)


# Messages


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, "int 5"),
        ("x" * 100, "str '" + "x" * 56 + "..."),
        (HUGE, "int that cannot be shown"),
        (Unspeakable(), "Unspeakable that cannot be shown"),
    ],
    ids=huge,
)
def test_whatever_was_refused_can_be_described(value, expected):
    assert described(value) == expected
