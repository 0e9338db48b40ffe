"""Attributes of nodes: plain, strict JSON, and the same in every process."""

from __future__ import annotations

import functools
import json
import math
import operator
import re
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.graph.adapters import array_text, attributes, element, scalar
from tracking.graph.model import Kind


class Mode(Enum):
    CLIP = 1


class Level(IntEnum):
    HIGH = 2


@dataclass
class Numbers:
    axis: int
    names: tuple[str, ...]


Pair = namedtuple("Pair", "left right")  # noqa: PYI024


class Addressed:
    pass


class Named:
    def __str__(self):
        return "cpu:0"


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.5, 0.5),
        ("same", "same"),
        (Text("same"), "same"),
        (b"NCHW", "NCHW"),
        (b"\xff", "\\xff"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (np.float32(0.1), 0.1),
        (np.float64("nan"), "NaN"),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array(2), 2),
        (np.str_("a"), "a"),
        (Mode.CLIP, "CLIP"),
        (Level.HIGH, "HIGH"),
        ((1, "1", None), "(1, '1', None)"),
        ([2], "(2,)"),
        ([], "()"),
        (((1,), [0]), "((1,), (0,))"),
        (range(2), "(0, 1)"),
        ({"b": 1, "a": (2,)}, "{'a': (2,), 'b': 1}"),
        (OrderedDict(a=1), "{'a': 1}"),
        ({"b", "a"}, "{'a', 'b'}"),
        (slice(1, None), "slice(1, None, None)"),
        (Pair(1, "x"), "Pair(left=1, right='x')"),
        (Numbers(1, ("a",)), "Numbers(axis=1, names=('a',))"),
        (math.log, "log"),
        (np.log1p, "log1p"),
        (int, "int"),
        (np.float32, "float32"),
        (np.dtype("float32"), "float32"),
        (functools.partial(operator.add, 1), "partial(add, (1,), {})"),
        (Named(), "cpu:0"),
        (Addressed(), "Addressed"),
        ([Addressed()], "(Addressed,)"),
    ],
)
def test_values_become_scalars(value, expected):
    found = scalar(value)
    assert found == expected
    assert type(found) is type(expected)


def test_a_function_made_on_the_fly_has_no_address():
    assert scalar(lambda x: x).endswith("<lambda>")


def test_long_texts_are_cut_and_still_told_apart():
    one, other = scalar("a" * 10_000 + "b"), scalar("a" * 10_000 + "c")
    assert one != other
    assert len(one) == len(other) == 200


def test_what_holds_itself_ends():
    itself = []
    itself.append(itself)
    assert scalar(itself).count("(") < 20


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3)), True),
        (np.zeros((2, 3)), np.zeros((3, 2)), False),
        (np.zeros(3, "float32"), np.zeros(3, "int32"), False),
        (np.arange(3.0), np.arange(3.0)[::-1], False),
        (
            np.arange(6.0).reshape(2, 3).T,
            np.ascontiguousarray(np.arange(6.0).reshape(2, 3).T),
            True,
        ),
        (np.arange(3, dtype=">i4"), np.arange(3, dtype="<i4"), True),
        (np.array(["a", "b"], object), np.array(["a", "b"], object), True),
        (np.array(["a", "b"], object), np.array(["a", "c"], object), False),
    ],
)
def test_arrays_are_known_by_dtype_shape_and_content(one, other, are_equal):
    assert (array_text(one) == array_text(other)) is are_equal
    assert re.fullmatch(r"\w+\[[\d, ]*\] [0-9a-f]{16}", array_text(one))


def test_attributes_are_sorted_by_name():
    assert attributes([("b", 1), ("a", (2,))]) == (("a", "(2,)"), ("b", 1))


def test_one_of_several_results_has_its_number():
    assert element(1, (2,), "float32", "net") == Kind(
        "getitem", (2,), "float32", "net", "", (("index", 1),)
    )


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=8,
)


@given(values)
def test_every_attribute_fits_strict_json_and_is_stable(value):
    found = scalar(value)
    assert isinstance(found, (str, int, float, bool, type(None)))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert scalar(found) == found
