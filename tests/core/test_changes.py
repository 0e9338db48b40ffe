"""What differs between two mappings."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.report.changes import changes
from tracking.report.data import MISSING, Change

trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.text("ab", min_size=1, max_size=2), inner, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(st.text("abc", min_size=1, max_size=2), trees, max_size=4)


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({}, {}, []),
        ({"lr": 0.1}, {"lr": 0.1}, []),
        ({"lr": 0.1}, {"lr": 0.2}, [Change("lr", 0.1, 0.2)]),
        ({"a": None}, {}, [Change("a", None, MISSING)]),
        ({}, {"a": None}, [Change("a", MISSING, None)]),
        ({"x": 1}, {"x": 1.0}, [Change("x", 1, 1.0)]),
        ({"x": 1}, {"x": True}, [Change("x", 1, True)]),
        ({"x": math.nan}, {"x": math.nan}, []),
        ({"b": 1, "a": 1}, {"b": 2, "a": 2}, [Change("a", 1, 2), Change("b", 1, 2)]),
        ({"o": {"lr": 1, "m": 2}}, {"o": {"lr": 3, "m": 2}}, [Change("o.lr", 1, 3)]),
        ({"o": {}}, {"o": {"lr": 3}}, [Change("o", {}, MISSING), Change("o.lr", MISSING, 3)]),
        ({"l": [1, 2]}, {"l": [1, 3]}, [Change("l", [1, 2], [1, 3])]),
    ],
)
def test_differences_are_named(before, after, found):
    assert changes(before, after) == found


@given(mappings)
def test_nothing_differs_from_itself(mapping):
    assert changes(mapping, mapping) == []


@given(mappings, mappings)
def test_there_and_back_differ_in_the_same_names(one, other):
    there, back = changes(one, other), changes(other, one)
    assert [change.name for change in there] == [change.name for change in back]
    assert repr([(c.before, c.after) for c in there]) == repr([(c.after, c.before) for c in back])
