"""Reports as JSON: what is written is read back, described by a schema, and damage is named."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import NewerFormatError, ReportError
from tracking.model import Direction, Verdict
from tracking.regression import Check
from tracking.report import data as d
from tracking.report.json_report import dump, load
from tracking.summary import summarize

TESTS = Path(__file__).parents[1]
ASSET = TESTS / "assets" / "report_v1.json"
SCHEMA = json.loads((TESTS.parent / "docs" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

names = st.text(max_size=6)
maybe = st.none() | names
counts = st.integers(0, 9)
floats = st.floats()
numbers = st.none() | floats
series = st.lists(floats, max_size=4).map(tuple)
steps = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4).map(tuple)
# As experiments hold them: JSON, in which a number that is not finite is a text.
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | names | st.just("NaN"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
configs = st.dictionaries(names, values, max_size=2)
directions = st.sampled_from(Direction)
summaries = st.lists(floats, min_size=1, max_size=4).map(
    lambda values: summarize(range(len(values)), values)
)


def some(strategy):
    return st.lists(strategy, max_size=2).map(tuple)


checks = st.builds(
    Check,
    metric=names,
    statistic=names,
    verdict=st.sampled_from(Verdict),
    baseline=numbers | counts,
    current=numbers | counts,
    allowance=numbers,
    message=names,
    detectable=numbers,
    warning=names,
    direction=st.none() | directions,
)
sides = st.just(d.MISSING) | values
changes = st.builds(d.Change, names, sides, sides)
metrics = st.builds(
    d.MetricDetails,
    name=names,
    direction=directions,
    summary=st.none() | summaries,
    baseline=some(st.tuples(st.none() | st.integers(), summaries)),
    curve=st.none() | st.builds(d.Curve, counts, steps, series),
    band=st.none() | st.builds(d.Band, counts, steps, series, series),
    history=some(st.builds(d.PastValue, counts, floats, numbers, maybe, maybe, st.booleans())),
)
runs = st.builds(
    d.RunDetails,
    run_id=counts,
    uuid=names,
    created_at=floats,
    status=names,
    outcome=maybe,
    phase=maybe,
    ended_by=maybe,
    duration_s=numbers,
    config=configs,
    environment=configs,
    config_changes=some(changes),
    environment_changes=some(changes),
    metrics=some(metrics),
    histograms=some(
        st.builds(d.Histogram, names, counts, series, some(counts), n_non_finite=counts)
    ),
    images=some(st.builds(d.Image, names, counts, counts, counts, st.binary(max_size=8))),
    texts=some(st.builds(d.Text, names, counts, names)),
    graphs=some(configs),
    left_out=some(names),
)
tests = st.builds(
    d.TestReport,
    nodeid=names,
    verdict=st.none() | st.sampled_from(Verdict),
    action=st.sampled_from(d.ACTIONS),
    file=names,
    line=counts,
    checks=some(checks),
    notes=some(names),
    baseline=names,
    key=names,
    n_samples=counts,
    accept_command=names,
    run=st.none() | runs,
)
reports = st.builds(
    d.ReportData,
    created_at=floats,
    experiment=names,
    database=names,
    session=maybe,
    environment=configs,
    tests=some(tests),
    deaths=some(st.builds(d.Death, names, names, names)),
    notices=some(names),
    problems=some(names),
    written=st.dictionaries(names, counts, max_size=2),
    unused=st.dictionaries(names, some(names), max_size=2),
    removed=st.dictionaries(names, some(names), max_size=2),
    suggestions=some(st.tuples(names, names)),
)


def records():
    named = [Check, *(kind for kind in vars(d).values() if dataclasses.is_dataclass(kind))]
    return [kind for kind in named if kind.__module__ in (d.__name__, Check.__module__)]


def no_bare_token(name):
    raise AssertionError(f"a bare {name}")


# There and back


@given(reports)
def test_what_was_written_is_read_back_to_the_last_bit(data):
    # repr tells 1 from 1.0, 0.0 from -0.0 and a tuple from a list, and NaN is NaN.
    assert repr(load(dump(data))) == repr(data)


@given(reports)
def test_a_dump_is_strict_json_that_fits_its_schema(data):
    text = dump(data)
    assert text.isascii()
    assert "\n" not in text
    VALIDATOR.validate(json.loads(text, parse_constant=no_bare_token))


def test_the_sample_of_version_1_is_read_as_ever(everything):
    document = json.loads(ASSET.read_text(encoding="utf-8"))
    VALIDATOR.validate(document)
    assert repr(load(json.dumps(document))) == repr(everything)
    assert json.loads(dump(everything)) == document


def instances(value):
    """Yield the dataclasses in a value, at any depth."""
    if dataclasses.is_dataclass(value):
        yield value
        value = [getattr(value, field.name) for field in dataclasses.fields(value)]
    for item in value if isinstance(value, (list, tuple)) else ():
        yield from instances(item)


@pytest.mark.parametrize("kind", records(), ids=lambda kind: kind.__name__)
def test_the_sample_uses_every_field(everything, kind):
    of_kind = [one for one in instances(everything) if type(one) is kind]
    for field in dataclasses.fields(kind):
        assert any(getattr(one, field.name) not in (None, "", (), {}, 0) for one in of_kind), field


def test_a_dump_says_beside_its_fields_what_follows_from_them(everything):
    document = json.loads(dump(everything))
    assert (document["format"], document["version"]) == ("sgtrack-report", 1)
    assert document["counts"]["missing_metric"] == 1
    assert "regressed" not in document["counts"]
    assert [one["message"] for one in document["tests"]] == [t.message for t in everything.tests]


def test_a_side_that_a_change_lacks_is_no_key_and_none_is_null(everything):
    run = json.loads(dump(everything))["tests"][0]["run"]
    assert run["config_changes"][1:] == [
        {"name": "clip", "after": None},
        {"name": "opt.momentum", "before": 0.9},
    ]


def test_a_number_that_is_not_finite_is_a_text_wherever_it_is():
    config = {"lr": math.nan, "deep": [{"clip": math.inf}, -math.inf]}
    run = d.RunDetails(1, "", 0.0, "completed", None, None, None, None, config, {})
    text = dump(d.ReportData(0.0, "", "", tests=[d.TestReport("t", None, "pass", run=run)]))
    again = load(text).tests[0].run.config
    assert again == {"lr": "NaN", "deep": [{"clip": "Infinity"}, "-Infinity"]}


# Other versions


def test_keys_that_nobody_knows_are_ignored_at_every_level(everything):
    def with_more(value):
        if isinstance(value, list):
            return [with_more(item) for item in value]
        if not isinstance(value, dict):
            return value
        more = {key: with_more(item) for key, item in value.items()}
        return more | ({"later": [1]} if "name" in value or "nodeid" in value else {})

    document = with_more(json.loads(dump(everything)))
    document["tests"][0]["run"]["config"] = everything.tests[0].run.config
    document["tests"][0]["run"]["graphs"] = everything.tests[0].run.graphs
    assert document["tests"][0]["checks"] != []
    assert repr(load(json.dumps(document | {"later": 1}))) == repr(everything)


def test_a_field_that_has_a_default_may_be_missing():
    document = json.loads(dump(d.ReportData(0.0, "e", "d")))
    short = {key: document[key] for key in ("format", "version", *REQUIRED)}
    assert load(json.dumps(short)) == d.ReportData(0.0, "e", "d")


REQUIRED = ("created_at", "experiment", "database")


@pytest.mark.parametrize("version", [2, 10**6])
def test_a_newer_version_is_refused_as_newer(session, version):
    document = json.loads(dump(session())) | {"version": version, "tests": "of another shape"}
    with pytest.raises(NewerFormatError, match=f"format {version} is newer than 1.*upgrade"):
        load(json.dumps(document))


# Damage


def at(document, path, change):
    """Return a document in which one place is changed."""
    changed = copy.deepcopy(document)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = change
    return changed


RUN = ("tests", 0, "run")
LOSS = (*RUN, "metrics", 0)


@pytest.mark.parametrize(
    ("path", "value", "needed"),
    [
        (("format",), "something", '"sgtrack-report" is needed, not "something"'),
        (("version",), "1", 'an integer is needed, not "1"'),
        (("version",), True, "an integer is needed, not true"),
        (("version",), 0, "the number 1 is needed, not 0"),
        (("created_at",), "yesterday", 'a number is needed, not "yesterday"'),
        (("created_at",), True, "a number is needed, not true"),
        (("created_at",), None, "a number is needed, not null"),
        (("created_at",), 10**400, "a number is needed, not 1000"),
        (("session",), 1, "a text is needed, not 1"),
        (("tests",), {}, "an array is needed, not {}"),
        (("tests", 1), [], "an object is needed, not []"),
        (("tests", 1, "action"), "explode", '"pass" or "show" or "warn" or "fail" is needed'),
        (("tests", 1, "verdict"), "fine", '"identical" or "within" or "improved"'),
        (("tests", 1, "line"), 1.5, "an integer is needed, not 1.5"),
        (("tests", 0, "checks", 0, "current"), math.nan, "a number is needed, not NaN"),
        ((*RUN, "config", "opt", "betas", 1), math.inf, "a finite number is needed, not Infinity"),
        ((*RUN, "config_changes", 0, "name"), None, "a text is needed, not null"),
        ((*RUN, "config_changes", 0, "after"), math.nan, "a finite number is needed, not NaN"),
        ((*RUN, "images", 0, "png"), "ü", "base64 is needed"),
        ((*RUN, "images", 0, "png"), "a", 'base64 is needed, not "a"'),
        ((*RUN, "images", 0, "png"), "aaa!a", 'base64 is needed, not "aaa!a"'),
        ((*LOSS, "direction"), "up", '"lower" or "higher" or "both" is needed, not "up"'),
        ((*LOSS, "baseline", 0, "seed"), 0.5, "an integer is needed, not 0.5"),
        ((*LOSS, "baseline", 0, "summary"), None, "an object is needed, not null"),
        ((*LOSS, "curve", "values", 2), "1", 'a number is needed, not "1"'),
        ((*LOSS, "history", 0, "is_accepted"), 1, "true or false is needed, not 1"),
        (("suggestions", 0), ["only one"], 'an array of two texts is needed, not ["only one"]'),
    ],
)
def test_damage_is_named_with_its_place(everything, path, value, needed):
    document = at(json.loads(dump(everything)), path, value)
    with pytest.raises(ReportError) as caught:
        load(json.dumps(document))
    message = str(caught.value)
    assert message.startswith(f"report: {' > '.join(map(str, path))}: ")
    assert needed in message
    assert message.endswith("; write the document again")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON"),
        ('{"format": "sgtrack-report", "version": 1, "tests"', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("1" * 10_000, "not JSON"),
        ("[]", "top level: an object is needed, not []"),
        ("{}", 'format: "sgtrack-report" is needed, not null'),
        ('{"format": "sgtrack-report"}', "version: an integer is needed, not null"),
        ('{"format": "sgtrack-report", "version": 1}', 'the key "created_at" is missing'),
    ],
)
def test_what_is_no_report_is_refused(text, problem):
    with pytest.raises(ReportError) as caught:
        load(text)
    assert problem in str(caught.value)


@given(st.data())
def test_whatever_is_damaged_is_loaded_or_refused_but_never_trips(data):
    document = json.loads(ASSET.read_text(encoding="utf-8"))
    place = document
    while isinstance(place, (dict, list)) and place:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(list(keys)))
        if data.draw(st.booleans()):
            place[key] = data.draw(values)
            break
        place = place[key]
    try:
        again = load(json.dumps(document))
    except (ReportError, NewerFormatError):
        return
    assert repr(load(dump(again))) == repr(again)


# The schema


def fields_in_schema(kind):
    return (SCHEMA if kind is d.ReportData else SCHEMA["$defs"][kind.__name__])["properties"]


@pytest.mark.parametrize("kind", records(), ids=lambda kind: kind.__name__)
def test_the_schema_has_every_field_of_every_dataclass(kind):
    derived = {d.TestReport: {"message"}, d.ReportData: {"format", "version", "counts"}}
    expected = {field.name for field in dataclasses.fields(kind)} | derived.get(kind, set())
    assert set(fields_in_schema(kind)) == expected


def test_the_schema_is_one():
    VALIDATOR.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("more",), 1),
        (("tests", 0, "more"), 1),
        ((*LOSS, "more"), 1),
        ((*RUN, "config_changes", 0, "more"), 1),
        (("tests", 0, "verdict"), "fine"),
        (("counts", "fine"), 1),
        ((*LOSS, "curve", "values", 0), "nan"),
        (("suggestions", 0), ["a", "b", "c"]),
    ],
)
def test_the_schema_refuses_what_a_dump_never_has(everything, path, value):
    assert not VALIDATOR.is_valid(at(json.loads(dump(everything)), path, value))
