"""Runs on their way: what of them can be kept, under which names, and once."""

from __future__ import annotations

import json
import math
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.arguments import checked_experiment_name, checked_name
from tracking.errors import InvalidArgumentError
from tracking.importers.model import (
    ImportedRun,
    Part,
    name_of_experiment,
    name_of_run,
    number_or_text,
    time_of_run,
    uuid_of,
)
from tracking.importers.rows import Graph, Histogram, Image, Text, finite_time
from tracking.importers.store import Known, Lack, lack_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1", 0.1),
        ("1e-08", 1e-08),
        ("-3", -3),
        ("True", True),
        ("False", False),
        ("1e-3", "1e-3"),
        ("1_000", "1_000"),
        (" 1", " 1"),
        ("007", "007"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("None", "None"),
        ("true", "true"),
        ("", ""),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_parameter_is_a_number_where_its_text_is_that_of_one(text, expected):
    found = number_or_text(text)
    assert (found, type(found)) == (expected, type(expected))


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans()))
def test_what_str_made_of_a_number_is_that_number_again(number):
    found = number_or_text(str(number))
    assert (repr(found), type(found)) == (repr(number), type(number))


@given(st.text())
def test_every_text_becomes_a_name(text):
    name = name_of_run(text)
    assert checked_name("name", name) == name
    experiment = name_of_experiment(text)
    assert checked_experiment_name(experiment) == experiment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mnist", "mnist"),
        ("/Users/me/mnist", "Users-me-mnist"),
        ("..", "imported-204d04f7"),
        ("a\\b:c\n", "a-b-c"),
        ("ü" * 150, "ü" * 100),
        ("x.journal", "imported-2f383eed"),
        ("e.db", "e"),
        ("con", "imported-09eda13b"),
    ],
)
def test_an_experiment_keeps_as_much_of_its_name_as_a_file_can_have(text, expected):
    assert name_of_experiment(text) == expected


def test_identities_are_told_apart_by_kind_type_and_order():
    identities = [("a", 1), ("a", "1"), ("b", 1), (1, "a"), ("a", 1.0), ("a", 1, ""), ("a1",)]
    uuids = [uuid_of(*identity) for identity in identities]
    assert len(set(uuids)) == len(identities)
    assert uuids == [uuid_of(*identity) for identity in identities]
    # Runs that were imported are found again by later versions only if this never changes.
    assert uuid_of("mlflow", "0" * 32) == "be589ec4dbf551569fdb3328115f43f1"


@given(st.floats())
def test_a_time_can_be_kept_and_that_of_a_run_be_shown(time):
    assert math.isfinite(finite_time(time))
    assert not math.isfinite(time) or finite_time(time) == time
    assert 0 <= time_of_run(time) < 253_402_300_800  # the end of the year 9999


@pytest.mark.parametrize(
    ("build", "values", "problem"),
    [
        (Histogram.checked, ("h", 0, [0.0, 1.0], [1, 2], 0.0), "2 counts have 2 edges"),
        (Histogram.checked, ("h", 0, [0.0], [], 0.0), "0 counts have 1 edges"),
        (Histogram.checked, ("h", 0, [0.0, math.nan], [1], 0.0), "not a list of finite numbers"),
        (Histogram.checked, ("h", 0, [0, 10**400], [1], 0.0), "not a list of finite numbers"),
        (Histogram.checked, ("h", 0, None, [1], 0.0), "not a list of finite numbers"),
        (Histogram.checked, ("", 0, [0.0, 1.0], [1], 0.0), "must not be empty"),
        (Histogram.checked, ("h", None, [0.0, 1.0], [1], 0.0), "expected an int"),
        (Image.checked, ("i", 0, (2, 2, 3), b"", 0.0), "has 0 bytes for 2 x 2 x 3"),
        (Image.checked, ("i", 0, (0, 2, 3), b"", 0.0), "are no pixels"),
        (Image.checked, ("i", 0, ("1", 1, 1), b"x", 0.0), "are no pixels"),
        (Image.checked, ("i", 0, (1, 1, 1), "x", 0.0), "are no pixels"),
        (Text.checked, ("t", 0, None, 0.0), "expected a str"),
        (Text.checked, ("t", 2**63, "x", 0.0), "64 bits"),
        (Graph.checked, (None, 0.0), "is a NoneType"),
        (Graph.checked, ({"nodes": [math.nan], "edges": []}, 0.0), "not strict JSON"),
    ],
)
def test_what_cannot_be_stored_is_left_out_with_its_reason(build, values, problem):
    with pytest.raises(InvalidArgumentError, match=problem):
        build(*values)
    part = Part()
    part.add(build, *values)
    ((reason, n),) = part.left_out.items()
    assert problem in reason
    assert reason.partition(":")[0] in ("histograms", "images", "texts", "graphs")
    assert n == 1
    assert part.counts() == {"records": 0}


def test_media_are_kept_as_the_tables_have_them():
    part = Part()
    part.add(Histogram.checked, "h", 1, [0.0, 0.5, 1.0], [3, 4], 5.0)
    part.add(Image.checked, "i", 2, (1, 2, 1), b"\0\xff", math.inf)
    part.add(Text.checked, "t", -3, "once", 5.0)
    part.add(Graph.checked, {"nodes": [], "edges": []}, 5.0)
    assert part.counts() == {"records": 0, "histograms": 1, "images": 1, "texts": 1, "graphs": 1}
    assert part.media["histograms"] == [("h", 1, "[0.0,0.5,1.0]", "[3,4]", 5.0)]
    (image,) = part.media["images"]
    assert image.unpacked() == ("i", 2, 1, 2, 1, b"\0\xff", 0.0)
    assert zlib.decompress(image.image_data) == b"\0\xff"
    assert part.media["texts"] == [("t", -3, "once", 5.0)]
    assert json.loads(part.media["graphs"][0].graph_json) == {"nodes": [], "edges": []}


@pytest.mark.parametrize(
    ("name", "step"), [("", 0), ("x" * 1001, 0), ("a\0b", 0), ("loss", 2**63), ("loss", -(2**64))]
)
def test_a_record_that_cannot_be_stored_is_left_out_and_the_others_are_not(name, step):
    part = Part()
    part.record("loss", 1, 0.5, 2.0)
    part.record(name, step, 1.0, 0.0)
    part.record("loss", 2, 0.25, math.nan)
    assert sum(part.left_out.values()) == 1
    (batch,) = part.batches("u", 0)
    assert (list(batch.steps), list(batch.values)) == ([1, 2], [0.5, 0.25])
    assert list(batch.wall_times) == [2.0, 0.0]


records = st.lists(st.tuples(st.sampled_from("abc"), st.integers(-9, 9), st.floats()), max_size=30)


@given(records, st.integers(0, 35))
def test_batches_from_anywhere_on_hold_what_came_after(rows, start):
    part = Part()
    for name, step, value in rows:
        part.record(name, step, value, 0.0)
    found = {
        batch.metric_name: list(zip(batch.steps, map(repr, batch.values), strict=True))
        for batch in part.batches("u", start)
    }
    expected = {}
    for name, step, value in rows[start:]:
        expected.setdefault(name, []).append((step, repr(value)))
    assert found == expected
    assert part.counts() == {"records": len(rows)}


def run_of(n_records, config=None, end="ended"):
    part = Part("file")
    for step in range(n_records):
        part.record("loss", step, 1.0, 0.0)
    part.add(Text.checked, "t", 0, "x", 0.0)
    return ImportedRun("u", "run", "e", 0.0, end, [part], config or {})


def taken(**counts):
    return {uuid_of("stream", "u", "file", kind): n for kind, n in counts.items()}


@pytest.mark.parametrize(
    ("run", "known", "expected"),
    [
        (run_of(3), Known(), Lack(False, False, {"records": 3, "texts": 1}, {}, True)),
        (run_of(0), Known(is_deleted=True), Lack(False, is_deleted=True)),
        (
            run_of(3),
            Known("running", taken=taken(records=1, texts=1)),
            Lack(True, False, {"records": 2}, {}, True),
        ),
        (run_of(3), Known("completed", taken=taken(records=9, texts=1)), Lack(True)),
        (run_of(3, end=None), Known("running", taken=taken(records=3, texts=1)), Lack(True)),
        (
            run_of(1, {"lr": 0.1, "seed": 1}),
            Known("failed", config={"lr": 0.2}, taken=taken(records=1, texts=1)),
            Lack(True, config={"seed": 1}),
        ),
    ],
)
def test_what_is_lacking_is_what_is_not_there(run, known, expected):
    found = lack_of(run, known)
    assert found == expected
    assert found.is_nothing() == (expected in (Lack(True), Lack(False, is_deleted=True)))
