"""What record() accepts reads back equal, through the whole stack; what it refuses leaves no trace.

Equal means `==`, with NaN equal to NaN. SQLite stores a REAL that is a whole number as an integer
and so drops the sign of zero: -0.0 reads back as 0.0, which it equals.
"""

from __future__ import annotations

import math
import sqlite3
import tempfile
from collections.abc import Hashable
from contextlib import closing
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tracking import ExperimentDBManager, InvalidArgumentError, Tracker, filesystem
from tracking.arguments import MAX_NAME_LENGTH
from tracking.summary import summarize

NAN, INF = math.nan, math.inf

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
steps = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2)
values = st.floats() | st.sampled_from([NAN, INF, -INF, 0.0, -0.0, 5e-324, -1.7976931348623157e308])
spellings = st.sampled_from([float, np.float64, lambda value: np.array(value)])

bad_names = st.sampled_from(
    ["", "\0", "a\0b", "\ud800", "x" * (MAX_NAME_LENGTH + 1), "x" * 100_000]
)
bad_names |= st.none() | st.integers() | st.binary() | st.just(["loss"])
bad_steps = st.integers(min_value=2**63) | st.integers(max_value=-(2**63) - 1) | st.booleans()
bad_steps |= st.floats() | st.none() | st.text() | st.just(np.float64(1.0)) | st.just(np.True_)
bad_values = st.none() | st.text() | st.booleans() | st.complex_numbers() | st.binary()
bad_values |= st.sampled_from([np.True_, np.array([1.0]), [], {}, 10**400, Decimal("sNaN")])
bad_values |= st.sampled_from([np.datetime64("2026-01-01"), Fraction(10**400), object()])


def comparable(value):
    return "NaN" if value is not None and math.isnan(value) else value


def comparable_summary(summary):
    return {field: comparable(number) for field, number in summary.items()}


def by_step(rows):
    return [(step, comparable(value)) for step, value in sorted(rows, key=lambda row: row[0])]


def dump(path):
    """Return everything a database holds, as text."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def series(source, run_id, name):
    return [(row.step, comparable(row.value)) for row in source.get_records(run_id, name)]


@pytest.fixture(scope="module", params=["mapped", "written"])
def tracker(request):
    """A tracker whose experiment the examples share, for either way of writing a segment."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(filesystem, "is_network", lambda _: request.param == "written")
        tracker = Tracker(folder)
        tracker.set_experiment("e")
        yield tracker
        tracker.close()


@given(
    rows=st.lists(st.tuples(names, values, steps, spellings), min_size=1, max_size=30),
    way=st.sampled_from(["record", "log", "straight"]),
)
@settings(max_examples=60, deadline=None)
def test_what_is_accepted_reads_back_equal(tracker, rows, way):
    run_id = tracker.start_run()
    expected = {}
    for name, value, step, spelled in rows:
        expected.setdefault(name, []).append((step, value))
        if way == "record":
            tracker.record(name, spelled(value), step)
        elif way == "log":
            tracker.log({name: spelled(value)}, step)
        else:
            tracker.db_manager.record(run_id, name, step, spelled(value))
    tracker.end_run()
    with closing(ExperimentDBManager(tracker.cur_exp_path)) as db:
        for source in (tracker, db):
            assert set(source.get_metrics(run_id)) == set(expected)
            for name, of_name in expected.items():
                assert series(source, run_id, name) == by_step(of_name)
        for name, of_name in expected.items():
            stored = comparable_summary(db.get_metric_summary(run_id)[name])
            expected_one = summarize(*zip(*of_name, strict=True)).as_dict()
            assert stored == comparable_summary(expected_one)


@pytest.mark.parametrize("run_is_long", [False, True])
@pytest.mark.parametrize("value", [NAN, INF, -INF, 0.0, -0.0, 5e-324, 1.7976931348623157e308])
def test_every_special_value_is_told_apart_from_the_missing(tracker, value, run_is_long):
    n = 5_000 if run_is_long else 3
    with tracker.run() as run_id:
        for step in range(n):
            tracker.record("special", value, step)
        tracker.record("other", 1.0, 0)
    assert series(tracker, run_id, "special") == [(step, comparable(value)) for step in range(n)]
    summary = tracker.summary(run_id)["special"]
    assert (summary["n"], comparable(summary["last"])) == (n, comparable(value))
    assert summary["n_nan"] == (n if math.isnan(value) else 0)
    assert summary["n_inf"] == (n if math.isinf(value) else 0)
    assert (summary["mean"] is None) == (not math.isfinite(value))
    assert series(tracker, run_id, "missing") == []


def test_minus_zero_reads_back_as_the_zero_it_equals(tracker):
    with tracker.run() as run_id:
        tracker.record("zero", -0.0, 0)
    (record,) = tracker.get_records(run_id, "zero")
    assert record.value == -0.0
    assert math.copysign(1, record.value) == 1


one_bad = st.one_of(
    st.tuples(bad_names, values, steps, st.just("metric_name")),
    st.tuples(names, bad_values, steps, st.just("value")),
    st.tuples(names, values, bad_steps, st.just("step")),
)


@pytest.mark.parametrize("way", ["record", "log", "straight"])
def test_what_is_refused_is_named_and_leaves_everything_unchanged(tmp_path, way):
    tracker = Tracker(tmp_path)
    tracker.set_experiment("e")
    run_id = tracker.start_run()
    tracker.record("known", 0.5, 0)
    tracker.get_run(run_id)  # drains
    segment = segment_of(tracker)
    before = dump(tmp_path / "e.db"), end_of(segment)

    @given(bad=one_bad)
    @settings(max_examples=80, deadline=None)
    def refuse(bad):
        name, value, step, argument = bad
        if way == "record":
            call = partial(tracker.record, name, value, step)
        elif way == "straight":
            call = partial(tracker.db_manager.record, run_id, name, step, value)
        else:
            assume(isinstance(name, Hashable))
            call = partial(tracker.log, {"good": 1.0, name: value}, step)
            argument = "step" if argument == "step" else "metrics"
        with pytest.raises(InvalidArgumentError) as caught:
            call()
        assert caught.value.argument == argument
        assert len(str(caught.value)) < MAX_NAME_LENGTH
        tracker.get_run(run_id)
        assert (dump(tmp_path / "e.db"), end_of(segment)) == before

    refuse()
    tracker.end_run()
    tracker.close()


def segment_of(tracker):
    (segment,) = tracker.cur_exp_path.with_suffix(".journal").glob("*.segment")
    return segment


def end_of(segment):
    """Return the length of what was written into a segment."""
    return len(segment.read_bytes().rstrip(b"\0"))


# Names of experiments, on disk

ACCEPTED = (
    *("mnist", "a b", "lr=0.01,wd=1e-4", "größe", "実験", "x.y", "e.db", "con1", "-rf", "~", "%s"),
    *("*", "?", "'; DROP TABLE runs; --", "#fragment", "a?mode=ro", "file", ":memory:"[1:-1]),
    "x" * 200,
)
REFUSED = (
    *("", " ", ".", "..", "../evil", "..\\evil", "/tmp/evil", "a/b", "a\\b", "C:evil", ".hidden"),
    *("con", "NUL", "com1", "aux.txt", "lpt9", "a\nb", "a\0b", "\x1b[2J", "tail.", "tail "),
    *("x.journal", "x" * 201, "\N{GRINNING FACE}" * 51, "\ud800", ":memory:", "file:x"),
    *(None, 7, b"bytes", Path("x"), ["x"]),
)


def everything_below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_accepted_experiment_is_one_file_in_the_folder(tmp_path, name):
    tracker = Tracker(tmp_path / "experiments")
    tracker.set_experiment(name)
    with tracker.run("one"):
        tracker.record("loss", 0.5, 0)
    tracker.close()
    stem = name.removesuffix(".db")
    assert everything_below(tmp_path) == {
        "experiments",
        f"experiments/{stem}.db",
        f"experiments/{stem}.journal",
        f"experiments/{stem}.journal/lock",
    }
    again = Tracker(tmp_path / "experiments")
    assert [path.name for path in again.get_all_exp_paths()] == [f"{stem}.db"]
    again.set_experiment(name)
    assert [run.name for run in again.get_all_runs()] == ["one"]
    again.close()


@pytest.mark.parametrize("name", REFUSED, ids=ascii)
def test_a_refused_experiment_leaves_no_trace_anywhere(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    tracker = Tracker("experiments")
    before = everything_below(tmp_path)
    with pytest.raises(InvalidArgumentError) as caught:
        tracker.set_experiment(name)
    assert caught.value.argument == "exp_name"
    assert tracker.cur_exp_path is None
    assert everything_below(tmp_path) == before == {"experiments"}
