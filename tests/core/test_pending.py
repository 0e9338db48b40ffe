"""The file of what tests gave that nobody has accepted yet."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import BaselineError
from tracking.model import Summary, Verdict
from tracking.regression.baseline import Entry, Sample, dump_baseline, parse_baseline
from tracking.regression.checks import Check
from tracking.regression.pending import (
    Kind,
    Pending,
    PendingTest,
    dump_pending,
    kinds_of,
    load_pending,
    parse_pending,
    pending_path,
    save_pending,
)
from tracking.summary import summarize

ASSET = Path(__file__).parents[1] / "assets" / "pending_v1.json"
SUMMARY = Summary(4, 0, 0, 1.0, 2.0, 1.5, 0.5, 1.25, 2.0, 0, 3)
SAMPLE = Sample({"loss": SUMMARY}, {"lr": 0.1}, {"python": "3.11"}, seed=0)
PLACE = ("tests/__baselines__/test_x.json", "test_a")
TEST = PendingTest("tests/test_x.py::test_a", {"loss": Kind.WORSE}, (SAMPLE,))
PENDING = Pending("..", {PLACE: TEST}, ("device",))

names = st.text(max_size=8)
series = st.lists(st.floats(), min_size=1, max_size=4)
summaries = series.map(lambda values: summarize(range(len(values)), values))
samples = st.builds(
    Sample,
    metrics=st.dictionaries(names, summaries, max_size=2),
    config=st.dictionaries(names, st.none() | st.booleans() | st.integers() | names, max_size=2),
    environment=st.dictionaries(names, names | st.lists(names, max_size=2), max_size=2),
    seed=st.none() | st.integers(),
)
tests = st.builds(
    PendingTest,
    test=names,
    kinds=st.dictionaries(names, st.sampled_from(Kind), max_size=3),
    samples=st.lists(samples, min_size=1, max_size=2).map(tuple),
)
pendings = st.builds(
    Pending,
    root=names,
    tests=st.dictionaries(st.tuples(names, names), tests, max_size=3),
    variant_keys=st.lists(names, max_size=2).map(tuple),
)


# Format


@given(pendings)
def test_reading_what_was_written_gives_the_same_and_the_same_text(pending):
    text = dump_pending(pending)
    again = parse_pending(text)
    assert dump_pending(again) == text
    assert (again.root, again.variant_keys) == (pending.root, pending.variant_keys)
    assert set(again.tests) == set(pending.tests)
    for place, test in pending.tests.items():
        assert (again.tests[place].test, again.tests[place].kinds) == (test.test, test.kinds)


def as_baseline(samples_):
    return dump_baseline({"t": Entry(samples_, None)})


@given(pendings)
def test_samples_come_back_bit_by_bit(pending):
    again = parse_pending(dump_pending(pending))
    for place, test in pending.tests.items():
        assert as_baseline(again.tests[place].samples) == as_baseline(test.samples)


@given(pendings, st.randoms())
def test_the_text_is_strict_json_and_does_not_depend_on_the_order_of_tests(pending, random):
    places = list(pending.tests)
    random.shuffle(places)
    shuffled = replace(pending, tests={place: pending.tests[place] for place in places})
    text = dump_pending(shuffled)
    assert text == dump_pending(pending)
    json.loads(text, parse_constant=pytest.fail)
    assert text.encode().decode().replace("\n", "").isprintable()


def test_a_file_of_version_1_is_written_back_byte_for_byte():
    assert dump_pending(load_pending(ASSET)).encode() == ASSET.read_bytes()


def test_a_file_with_graphs_is_of_version_2_and_written_back_byte_for_byte():
    asset = ASSET.with_name("pending_v2.json")
    pending = load_pending(asset)
    assert dump_pending(pending).encode() == asset.read_bytes()
    (test,) = pending.tests.values()
    assert test.kinds == {"graph": Kind.CHANGED, "loss": Kind.REWRITTEN}
    assert test.samples[0].graphs["graph"].n_nodes == 7


def test_a_file_of_version_1_is_read_as_what_it_says():
    pending = load_pending(ASSET)
    assert (pending.root, pending.variant_keys) == ("..", ("device", "python"))
    module = "tests/__baselines__/test_optimisers.json"
    assert list(pending.tests) == [
        (module, "TestSgd::test_converges[0.1]"),
        (module, "test_schedule"),
        ("tests/__baselines__/test_size.json", "test_größe"),
    ]
    sgd = pending.tests[module, "TestSgd::test_converges[0.1]"]
    assert sgd.test == "tests/test_optimisers.py::TestSgd::test_converges[0.1]"
    assert sgd.kinds == {"loss": Kind.WORSE, "val_acc": Kind.BETTER}
    assert [sample.seed for sample in sgd.samples] == [0]
    assert sgd.samples[0].environment == {"device": "cpu", "python": "3.11.7"}
    schedule = pending.tests[module, "test_schedule"]
    assert schedule.kinds == {"lr": Kind.REWRITTEN, "momentum": Kind.REMOVED, "warmup": Kind.NEW}
    assert [sample.seed for sample in schedule.samples] == [0, 101, 102, 103, 104]
    (lost,) = pending.tests["tests/__baselines__/test_size.json", "test_größe"].samples
    assert lost.seed is None
    assert math.isnan(lost.metrics["loss"].last)


def test_what_has_no_sample_or_none_that_could_be_read_back_is_not_written(tmp_path):
    path = tmp_path / "x.json"
    endless: dict[str, object] = {}
    endless["self"] = endless
    place = "baselines > tests/__baselines__/test_x.json > test_a"
    for samples_, problem in (
        ((), f"{place}: .* at least one sample"),
        ((SAMPLE, replace(SAMPLE, seed=True)), f"{place} > samples > 1 > seed: "),
        ((replace(SAMPLE, config={"a": {1}}),), f"{place} > samples > 0 > config > a: "),
        ((replace(SAMPLE, config=endless),), "nested too deeply"),
    ):
        with pytest.raises(BaselineError, match=problem):
            save_pending(path, Pending("..", {PLACE: replace(TEST, samples=samples_)}))
    assert not path.exists()


# Reading what is broken

TEXT = dump_pending(PENDING)
WHERE = f"baselines > {PLACE[0]} > test_a"


def edited(old, new):
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


BROKEN = {
    "empty file": ("", "line 1 column 1"),
    "cut short": (TEXT[: len(TEXT) // 2], "not JSON at line"),
    "conflict markers": (f"<<<<<<< ours\n{TEXT}", "line 1 is a git conflict marker"),
    "a list": ("[]", "top level: an object is needed"),
    "no version": (edited('"version": 1,', ""), 'top level: the key "version" is missing'),
    "newer version": ('{"version": 3, "x": 0}', "version: format 3 is newer than 2, .*upgrade"),
    "older version": (
        edited('"version": 1', '"version": 0'),
        "version: .* 1 to 2 is needed",
    ),
    "no root": (edited('"root": "..",', ""), 'the key "root" is missing'),
    "root null": (edited('"root": ".."', '"root": null'), "root: a path is needed, not null"),
    "unknown key": (edited('"root"', '"x": 1, "root"'), 'top level: the key "x" is unknown'),
    "duplicate key": (edited('"root"', '"root": "", "root"'), '"root" appears more than once'),
    "variant keys a text": (
        edited('["device"]', '"device"'),
        'variant_keys: a list of names is needed, not "device"',
    ),
    "variant key a number": (edited('["device"]', "[1]"), "variant_keys: a list of names"),
    "baselines a list": (
        '{"version": 1, "root": "", "variant_keys": [], "baselines": []}',
        "baselines: an object is needed",
    ),
    "file a list": (
        '{"version": 1, "root": "", "variant_keys": [], "baselines": {"f": []}}',
        "baselines > f: an object is needed",
    ),
    "test null": (
        '{"version": 1, "root": "", "variant_keys": [], "baselines": {"f": {"t": null}}}',
        "baselines > f > t: an object is needed, not null",
    ),
    "node id a number": (
        edited('"tests/test_x.py::test_a"', "1"),
        f"{WHERE} > test: a node id is needed, not 1",
    ),
    "no node id": (edited('"test": "tests', '"toast": "tests'), 'the key "test" is missing'),
    "kinds a list": (edited('{"loss": "worse"}', "[]"), f"{WHERE} > kinds: an object"),
    "unknown kind": (
        edited('"worse"', '"awful"'),
        f"{WHERE} > kinds > loss: 'awful' is unknown; there are new, worse",
    ),
    "kind of no kind": (edited('"worse"', '["worse"]'), "kinds > loss: .* is unknown"),
    "kind null": (edited('"worse"', "null"), "kinds > loss: None is unknown"),
    "samples missing": (edited('"samples"', '"simples"'), 'the key "samples" is missing'),
    "seed a float": (edited('"seed": 0', '"seed": 0.0'), "samples > 0 > seed: an integer"),
    "bare NaN": (edited('"last": 2.0', '"last": NaN'), "metrics > loss > last: bare NaN"),
    "impossible summary": (edited('"n": 4', '"n": 0'), "samples > 0 > metrics > loss: n 0"),
    "nested too deeply": (edited("0.1", "[" * 60 + "]" * 60), "config > lr > .*too deeply"),
    "nested without end": (edited("0.1", "[" * 200_000), "nested too deeply|not JSON"),
}
NO_SAMPLES = edited(TEXT[TEXT.index('"samples": [') :], '"samples": []}}}}')
BROKEN["no samples"] = (NO_SAMPLES, f"{WHERE} > samples: a list of at least one sample")


@pytest.mark.parametrize(("text", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_and_the_error_names_file_place_and_next_step(
    tmp_path, text, problem
):
    path = tmp_path / "e.pending.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BaselineError, match=problem) as caught:
        load_pending(path)
    assert str(caught.value).startswith(f"pending file {path}: ")
    steps = ("mend", "resolve", "upgrade", "write", "flatten")
    assert any(step in str(caught.value) for step in steps)


def test_a_baseline_is_no_pending_file_and_the_other_way_round(tmp_path):
    with pytest.raises(BaselineError, match="top level: the key"):
        parse_pending(dump_baseline({"t": Entry((SAMPLE,), None)}))
    with pytest.raises(BaselineError, match="top level: the key"):
        parse_baseline(TEXT)


# Files


def test_a_file_lies_beside_its_experiment():
    assert pending_path(Path("experiments"), "my.exp") == Path("experiments/my.exp.pending.json")


def test_what_is_saved_is_loaded_and_nothing_pending_needs_no_file(tmp_path):
    path = tmp_path / "experiments" / "e.pending.json"
    assert load_pending(path).tests == {}
    save_pending(path, PENDING)
    assert load_pending(path) == PENDING
    save_pending(path, replace(PENDING, tests={}))
    assert not path.exists()
    save_pending(path, replace(PENDING, tests={}))


def test_a_file_that_cannot_be_read_written_or_removed_is_an_error_that_names_it(tmp_path):
    for call in (
        lambda: load_pending(tmp_path),
        lambda: save_pending(tmp_path, PENDING),
        lambda: save_pending(tmp_path, Pending("..", {})),
    ):
        with pytest.raises(BaselineError, match=r"pending file .* cannot be \w+ \(.+\); check"):
            call()


# What metrics did


def check(verdict, metric="loss"):
    return Check(metric, "mean", verdict, 1.0, 2.0, None, "")


KINDS = {
    Verdict.NO_BASELINE: Kind.NEW,
    Verdict.NEW_METRIC: Kind.NEW,
    Verdict.MISSING_METRIC: Kind.REMOVED,
    Verdict.REGRESSED: Kind.WORSE,
    Verdict.NON_FINITE: Kind.WORSE,
    Verdict.TRUNCATED: Kind.WORSE,
    Verdict.NOT_COMPARABLE: Kind.WORSE,
    Verdict.GRAPH_CHANGED: Kind.CHANGED,
    Verdict.IMPROVED: Kind.BETTER,
    Verdict.WITHIN: Kind.REWRITTEN,
    Verdict.UNDERPOWERED: Kind.REWRITTEN,
    # What accepting changes nothing about.
    Verdict.IDENTICAL: None,
    Verdict.BOUND_FAILED: None,
    Verdict.INCOMPLETE: None,
    Verdict.UNREADABLE_BASELINE: None,
}


def test_every_verdict_has_its_kind_or_none():
    assert set(KINDS) == set(Verdict)


@pytest.mark.parametrize(("verdict", "kind"), KINDS.items())
def test_what_a_metric_did_is_told_by_its_verdict(verdict, kind):
    assert kinds_of([check(verdict)]) == ({} if kind is None else {"loss": kind})


@pytest.mark.parametrize(
    ("verdicts", "kind"),
    [
        ([Verdict.WITHIN, Verdict.IDENTICAL], Kind.REWRITTEN),
        ([Verdict.WITHIN, Verdict.IMPROVED], Kind.BETTER),
        ([Verdict.IMPROVED, Verdict.TRUNCATED], Kind.WORSE),
        ([Verdict.REGRESSED, Verdict.IMPROVED, Verdict.WITHIN], Kind.WORSE),
    ],
)
def test_of_several_checks_of_a_metric_the_worst_counts_in_any_order(verdicts, kind):
    checks = [check(verdict) for verdict in verdicts]
    assert kinds_of(checks) == kinds_of(reversed(checks)) == {"loss": kind}


def test_metrics_are_told_apart():
    checks = [
        check(Verdict.IMPROVED, "a"),
        check(Verdict.IDENTICAL, "b"),
        check(Verdict.WITHIN, "c"),
    ]
    assert kinds_of(checks) == {"a": Kind.BETTER, "c": Kind.REWRITTEN}
