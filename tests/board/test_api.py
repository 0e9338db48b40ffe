"""What the dashboard answers about experiments, beside what the original's page asks for."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.board.conftest import TEST, Client
from tracking import ExperimentDBManager, Tracker
from tracking.board.curves import smoothed
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import Kind
from tracking.report import json_report

NAMES = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=40
)
VALUES = st.lists(st.floats(), min_size=1, max_size=20)
FINITE = st.lists(st.floats(-1e100, 1e100), max_size=50)


@pytest.fixture
def three(record):
    """Three runs, the oldest first: a test that passed and then failed, and one that diverged."""
    passed = {"outcome": "passed", "phase": "call", "verdict": "identical"}
    failed = {"status": "failed", "outcome": "failed", "phase": "call", "verdict": "regressed"}
    commit = {"git_commit": "0123456789abcdef", "git_dirty": True}
    record(
        series={"loss": [1.0, 0.5], "acc": [0.1]},
        config={"lr": 0.1},
        end=passed,
        session="a" * 32,
        environment=commit,
    )
    record(series={"loss": [2.0, 1.5]}, config={"lr": 0.2}, end=failed, session="b" * 32)
    record("tests/test_b.py::test_y[0]", {"loss": [math.nan]}, session="b" * 32)


def numbers(document):
    return [run["run_id"] for run in document["runs"]]


# Names and values


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25
)
@given(NAMES, NAMES, VALUES)
def test_any_name_and_any_value_comes_back(tmp_path_factory, run, metric, values):
    folder = tmp_path_factory.mktemp("any")
    tracker = Tracker(folder)
    tracker.set_experiment("any")
    tracker.start_run(run, {metric: values})
    for step, value in enumerate(values):
        tracker.record(metric, value, step)
    tracker.end_run()
    tracker.close()
    client = Client(folder)
    named = [_named(value) for value in values]
    expected = [one if isinstance(one, str) else one + 0.0 for one in named]  # SQLite has no -0.0
    assert client.json("/api/runs/1")["name"] == run
    assert client.json("/api/runs/1/metrics")["metrics"] == [metric]
    found = client.json("/api/runs/1/records", metric_name=metric)["metrics"]
    assert list(found) == [metric]
    read = [one.get("non_finite", one["value"]) for one in found[metric]]
    assert list(map(repr, read)) == list(map(repr, expected))
    curve = client.json("/api/runs/1/curves", metric=metric)["metrics"][metric]
    assert list(map(repr, curve["values"])) == list(map(repr, expected))
    assert client.json("/api/curves", metric=metric, runs="1")["runs"]["1"]["name"] == run
    assert client.json("/api/list", q=run)["n"] == 1
    assert client.json("/api/list", name=run)["n"] == 1
    assert client.json("/api/history", test=run)["metrics"][0]["metric"] == metric
    assert client.json("/api/runs/1/export.json")["run"]["config"] == {metric: named}
    rows = list(csv.reader(io.StringIO(client.get("/api/runs/1/records.csv").text, newline="")))
    assert [row[0] in (metric, f"'{metric}") for row in rows[1:]] == [True] * len(values)


def _named(value):
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


@given(FINITE, st.floats(0, 2))
def test_smoothing_is_that_of_the_original(values, weight):
    assert smoothed(values, weight) == as_the_original(values, weight)


def as_the_original(values, weight):
    """What its server computes, written down from its definition."""
    if weight <= 0:
        return values
    weight = min(weight, 0.999)
    found, numerator, denominator = [], 0.0, 0.0
    for value in values:
        numerator = numerator * weight + value * (1 - weight)
        denominator = denominator * weight + (1 - weight)
        found.append(numerator / denominator)
    return found


def test_smoothing_goes_on_behind_what_is_not_finite():
    found = smoothed([1.0, math.nan, 3.0, math.inf], 0.5)
    assert found[0] == 1.0
    assert math.isnan(found[1])
    assert found[2:] == [pytest.approx(7 / 3), math.inf]


# The list


def test_a_row_of_the_list_says_how_a_run_came_out(client, three):
    document = client.json("/api/list")
    assert (document["database"], document["n_all"], document["n"]) == ("pytest.db", 3, 3)
    row = document["runs"][2]
    assert {key: row[key] for key in ("run_id", "name", "outcome", "verdict", "ended_by")} == {
        "run_id": 1,
        "name": TEST,
        "outcome": "passed",
        "verdict": "identical",
        "ended_by": "finished",
    }
    assert (row["session"], row["commit"], row["is_dirty"]) == (
        "a" * 32,
        "0123456789abcdef",
        True,
    )
    assert row["duration_s"] > 0
    assert (row["metrics"], row["num_records"]) == (["loss", "acc"], [2, 1])
    assert row["summaries"]["loss"]["min"] == 0.5
    assert not row["is_abandoned"]
    assert document["runs"][0]["summaries"]["loss"]["last"] == "NaN"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [3, 2, 1]),
        ({"q": "test_y"}, [3]),
        ({"q": "TEST_Y[0]"}, [3]),
        ({"q": "*test_?"}, [2, 1]),
        ({"q": "bbbb"}, [3, 2]),
        ({"q": "0123456"}, [1]),
        ({"q": "nothing"}, []),
        ({"verdict": "regressed"}, [2]),
        ({"verdict": ""}, [3]),
        ({"verdict": ["regressed", "identical"]}, [2, 1]),
        ({"session": "b" * 32, "status": "failed"}, [2]),
        ({"commit": "0123456789abcdef"}, [1]),
        ({"name": TEST}, [2, 1]),
        ({"sort": "created"}, [1, 2, 3]),
        ({"sort": "-id"}, [3, 2, 1]),
        ({"sort": "loss.min"}, [1, 2, 3]),
        ({"sort": "-loss"}, [2, 1, 3]),
        ({"limit": 2}, [3, 2]),
        ({"limit": 2, "offset": 2}, [1]),
        ({"offset": 100}, []),
        ({"limit": 0}, []),
    ],
)
def test_the_list_is_searched_filtered_sorted_and_paged(client, three, asked, found):
    assert numbers(client.json("/api/list", **asked)) == found


def test_a_page_says_how_many_there_are(client, three):
    document = client.json("/api/list", name=TEST, limit=1)
    assert (document["n_all"], document["n"], document["offset"]) == (3, 2, 0)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("name", {"tests/test_b.py::test_y[0]": 1, TEST: 2}),
        ("session", {"b" * 32: 2, "a" * 32: 1}),
        ("verdict", {None: 1, "regressed": 1, "identical": 1}),
        ("commit", {None: 2, "0123456789abcdef": 1}),
    ],
)
def test_runs_are_grouped(client, three, kind, keys):
    groups = client.json("/api/list", group=kind)["groups"]
    assert {group["key"]: group["n_runs"] for group in groups} == keys


def test_a_group_says_how_its_runs_came_out(client, three):
    group = client.json("/api/list", group="name")["groups"][1]
    assert group["verdicts"] == {"regressed": 1, "identical": 1}
    assert group["statuses"] == {"failed": 1, "completed": 1}
    assert group["newest_started_at"] > 1.7e9


def test_a_list_has_the_statistics_that_are_asked_for(client, three):
    asked = {"metric": "loss", "statistic": ["last", "n"]}
    rows = client.json("/api/list", **asked)["runs"]
    assert rows[2]["summaries"] == {"loss": {"last": 0.5, "n": 2}}


def test_a_list_takes_as_many_queries_for_many_runs_as_for_few(client, record, monkeypatch):
    statements = []
    original = sqlite3.connect

    def connect(*arguments, **more):
        connection = original(*arguments, **more)
        connection.set_trace_callback(statements.append)
        return connection

    def n_queries():
        statements.clear()
        client.json("/api/list")
        client.json("/api/hparams")
        client.json("/api/runs")
        return len(statements)

    record()
    monkeypatch.setattr(sqlite3, "connect", connect)
    n_queries()  # the first look finds out whether the schema is whole
    few = n_queries()
    assert few > 5
    for _ in range(10):
        record()
    assert n_queries() == few


# Curves


@pytest.fixture
def long(record):
    record(series={"loss": [math.sin(step / 50) for step in range(5_000)], "acc": [1.0]})


def test_a_long_series_is_made_short_with_its_extremes(client, long):
    curve = client.json("/api/runs/1/curves", points=100)["metrics"]["loss"]
    assert curve["n"] == 5_000
    assert len(curve["steps"]) == len(curve["values"]) == len(curve["times"]) <= 100
    assert (curve["steps"][0], curve["steps"][-1]) == (0, 4_999)
    every = [math.sin(step / 50) for step in range(5_000)]
    assert (min(curve["values"]), max(curve["values"])) == (min(every), max(every))
    assert curve["values"] == [every[step] for step in curve["steps"]]


@pytest.mark.parametrize("path", ["/api/runs/1/records", "/api/runs/compare"])
def test_records_are_made_short_and_cut_in_the_originals_shape_too(client, long, path):
    asked = {"metric_name": "loss", "metric": "loss", "ids": "1"}

    def found(**more):
        document = client.json(path, **asked, **more)
        return (
            document["runs"]["1"]["records"]
            if "runs" in document
            else (document["metrics"]["loss"])
        )

    assert len(found()) == 5_000
    assert 50 < len(found(points=100)) <= 100
    assert [one["step"] for one in found(start=10, end=12)] == [10, 11, 12]
    every = {one["step"]: one["smoothed"] for one in found(smoothing=0.9)}
    for one in found(smoothing=0.9, points=50):
        assert one["smoothed"] == every[one["step"]]


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        ({"start": 4_998}, [4_998, 4_999]),
        ({"end": 0}, [0]),
        ({"start": -5, "end": 1}, [0, 1]),
        ({"start": 5_000}, []),
        ({"start": 3, "end": 2}, []),
        ({"start": -(2**63), "end": 0}, [0]),
    ],
)
def test_a_curve_is_cut_by_steps(client, long, asked, steps):
    assert client.json("/api/runs/1/curves", metric="loss", **asked)["metrics"]["loss"][
        "steps"
    ] == (steps)


@pytest.mark.parametrize(("points", "most"), [(1, 8), (0, 8), (10**6, 2_000), ("", 1_000)])
def test_a_curve_never_has_too_few_or_too_many_points(client, long, points, most):
    curve = client.json("/api/runs/1/curves", metric="loss", points=points)["metrics"]["loss"]
    assert most / 2 < len(curve["steps"]) <= most


@pytest.mark.parametrize(
    "asked",
    [{"points": "many"}, {"start": "1.5"}, {"end": "9" * 20}, {"start": "٣"}, {"points": "1e3"}],
)
def test_what_is_no_whole_number_is_refused_by_name(client, long, asked):
    (name,) = asked
    error = client.json("/api/runs/1/curves", 400, **asked)["error"]
    assert error.startswith(f"{name}: ")


def test_curves_of_several_runs_are_compared(client, three):
    uuid = client.json("/api/runs/2")["uuid"]
    found = client.json("/api/curves", metric="loss", runs=f"1,{uuid},99,x")["runs"]
    assert {key: one["curve"]["values"] for key, one in found.items()} == {
        "1": [1.0, 0.5],
        uuid: [2.0, 1.5],
    }


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"runs": "1"}, "metric: a name is needed"),
        ({"metric": "loss", "runs": ",".join(map(str, range(101)))}, "runs: at most 100 runs"),
    ],
)
def test_curves_of_no_metric_or_of_too_many_runs_are_refused_by_name(client, three, asked, error):
    assert client.json("/api/curves", 400, **asked)["error"] == error


# One run, two runs, a test


def test_a_run_is_found_by_its_number_and_by_its_uuid(client, three):
    run = client.json("/api/runs/1")
    assert client.json(f"/api/runs/{run['uuid']}") == run
    for wrong in ("9", "0", "f" * 32, "x", "-1", "٣", "9" * 30, "1.0", run["uuid"][:8]):
        client.json(f"/api/runs/{wrong}", 404)


def test_a_link_leads_to_a_run_whatever_database_it_is_in(client, record, asset):
    asset("original.db")
    asset("mlflow_store.db")
    record(experiment="first")
    record("other", experiment="second")
    uuid = client.json("/api/runs/1", db="second")["uuid"]
    found = client.json("/api/find", run=uuid)
    assert (found["database"], found["run"]["name"]) == ("second.db", "other")
    assert client.json("/api/find", run="1", db="original")["run"]["name"] == "first"
    client.json("/api/find", 404, run="f" * 32)
    client.json("/api/find", 400, run="1")
    client.json("/api/find", 404, run="1", db="unknown")


def test_a_run_is_told_as_the_report_of_a_test_has_it(client, three, asset):
    document = client.json("/api/runs/1/details")
    report = json_report.load(json.dumps(document["report"]))
    (test,) = report.tests
    assert (test.nodeid, test.verdict, test.run.run_id) == (TEST, "identical", 1)
    assert {one.name: list(one.curve.values) for one in test.run.metrics} == {
        "loss": [1.0, 0.5],
        "acc": [0.1],
    }
    assert document["run"]["uuid"] == test.run.uuid
    asset("original.db")
    document = client.json("/api/runs/1/details", db="original")
    assert json_report.load(json.dumps(document["report"])).tests[0].nodeid == "first"


def test_two_runs_are_compared(client, three):
    document = client.json("/api/diff", a=1, b=2)
    found = {(one["metric"], one["statistic"]): one for one in document["metrics"]}
    assert found["loss", "last"]["relative_change"] == 2.0
    assert document["config"] == [{"name": "lr", "a": 0.1, "b": 0.2}]
    assert ("loss", "n") not in found
    every = client.json("/api/diff", a=1, b=2, all=1)["metrics"]
    assert ("loss", "n") in {(one["metric"], one["statistic"]) for one in every}
    client.json("/api/diff", 404, a=1)


def test_the_history_of_a_test_is_told(client, three):
    document = client.json("/api/history", test=TEST, metric="loss.min")
    (metric,) = document["metrics"]
    assert [(one["run_id"], one["value"]) for one in metric["runs"]] == [(1, 0.5), (2, 1.5)]
    assert client.json("/api/history", test=TEST, limit=1)["n_left_out"] == 1
    assert client.json("/api/history", test="nobody")["metrics"] == []
    assert "acc" in client.json("/api/history", 404, test=TEST, metric="nope")["error"]
    client.json("/api/history", 400)


def test_a_history_tells_where_its_metrics_moved(client, record):
    for loss in (1.0, 1.0, 1.0, 1.5, 1.5, math.nan):
        record(TEST, {"loss": [loss], "acc": [0.5]}, end={"outcome": "passed"})
    metrics = {one["metric"]: one for one in client.json("/api/history", test=TEST)["metrics"]}
    loss, acc = metrics["loss"], metrics["acc"]
    assert [(level["value"], level["n"]) for level in loss["levels"]] == [(1.0, 3), (1.5, 2)]
    assert [(one["kind"], one["effect"]) for one in loss["changes"]] == [
        *(("level", "worse"), ("non_finite", "worse")),
    ]
    assert loss["changes"][0]["first_after"]["run_id"] == 4
    assert (loss["direction"], loss["drift"]) == ("lower", None)
    assert (len(acc["levels"]), acc["changes"]) == (1, [])


def test_a_run_that_goes_on_is_no_change(client, record, tracker):
    for _ in range(4):
        record(TEST, {"loss": [1.0]}, end={"outcome": "passed"})
    tracker.start_run(TEST)
    tracker.record("loss", math.nan, 0)
    (metric,) = client.json("/api/history", test=TEST)["metrics"]
    assert len(metric["runs"]) == 5
    assert (metric["n"], metric["n_non_finite"], metric["changes"]) == (4, 0, [])


def test_settings_that_cannot_be_read_do_not_hide_the_history(client, three, experiments):
    (experiments.parent / "pyproject.toml").write_text("no toml", encoding="utf-8")
    document = client.json("/api/history", test=TEST)
    assert [one["metric"] for one in document["metrics"]]
    assert document["problems"] == ["pyproject.toml cannot be read; `sgtrack drift` says why"]


def test_a_baseline_that_cannot_be_read_does_not_hide_the_history(client, three, experiments):
    folder = experiments.parent / "tests" / "__baselines__"
    folder.mkdir(parents=True)
    (folder / "test_a.json").write_text("not a baseline", encoding="utf-8")
    document = client.json("/api/history", test=TEST)
    assert len(document["metrics"]) == 2
    assert document["problems"]
    assert str(experiments.parent) not in json.dumps(document)


def test_what_is_pending_and_cannot_be_read_is_told_without_its_place(client, three, experiments):
    (experiments / "pytest.pending.json").write_text("{", encoding="utf-8")
    report = client.json("/api/runs/1/details")["report"]
    (problem,) = report["problems"]
    assert problem.endswith("cannot be read; `sgtrack report` says why")


# Databases


def test_any_database_can_be_asked_whatever_is_selected(client, record):
    record(experiment="first")
    record("other", experiment="second")
    assert client.json("/api/databases")["current_database"] is None
    client.json("/api/runs/1", 400)
    for name in ("second", "second.db"):
        assert client.json("/api/runs/1", db=name)["name"] == "other"
    assert client.post("/api/databases/select", {"db_name": "second.db"}).status_code == 200
    assert client.json("/api/databases")["current_database"] == "second.db"
    assert client.json("/api/runs/1")["name"] == "other"


def test_the_usual_database_or_the_only_one_is_meant_by_itself(client, record, experiments):
    record(experiment="only")
    assert client.json("/api/databases")["current_database"] == "only.db"
    record()
    assert client.json("/api/databases")["current_database"] == "pytest.db"
    (experiments / "pytest.db").unlink()
    assert client.json("/api/databases")["current_database"] == "only.db"


@pytest.mark.parametrize(
    "name",
    [
        *("../secret", "../secret.db", "..", ".", "", "/etc/passwd", "sub/inner", "a\0b", "*"),
        *("pytest.db/../pytest", "PYTEST", "pytest.journal", "folder", "~", "%2e%2e/secret"),
    ],
)
def test_a_name_never_becomes_a_path(client, record, experiments, name):
    record()
    (experiments / "folder.db").mkdir()
    os.mkfifo(experiments / "pipe.db")
    record_elsewhere = experiments.parent / "secret.db"
    record_elsewhere.write_bytes((experiments / "pytest.db").read_bytes())
    client.json("/api/runs", 404, db=name)
    assert client.post("/api/databases/select", {"db_name": name}).status_code == 404
    assert client.json("/api/databases")["available_databases"] == ["pytest.db"]


def test_a_folder_that_is_not_there_has_no_databases(new_client, tmp_path):
    client = new_client(tmp_path / "none")
    assert client.json("/api/databases")["available_databases"] == []
    assert client.json("/api/runs") == []
    client.json("/api/list", 400)


def damaged(path):
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 40_000)


def newer(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def strange_config(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE runs SET config = 'not json'")
        connection.commit()


@pytest.mark.parametrize(
    "spoil",
    [
        damaged,
        newer,
        strange_config,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"hello" * 1000),
        lambda path: path.write_bytes(path.read_bytes()[:50]),
    ],
    ids=["damaged", "newer", "config", "empty", "text", "short"],
)
def test_a_database_that_cannot_be_read_is_named_without_its_place(client, record, asset, spoil):
    path = asset("schema_v2.db", "spoilt.db")
    record()
    spoil(path)
    before = path.read_bytes()
    for request in ("/api/runs", "/api/list", "/api/runs/1", "/api/runs/1/records.csv"):
        error = client.json(request, 409, db="spoilt")["error"]
        assert error.startswith("spoilt.db ")
        assert str(path.parent) not in error
        assert "Traceback" not in error
    assert path.read_bytes() == before
    assert len(client.json("/api/runs")) == 1


def test_a_database_is_left_without_a_trace(client, record, experiments, asset):
    record()
    asset("schema_v1.db")
    before = {path.name for path in experiments.rglob("*")}
    for name in ("pytest", "schema_v1"):
        for path in ("/api/runs", "/api/list", "/api/runs/1/records", "/api/hparams"):
            client.json(path, db=name)
    assert {path.name for path in experiments.rglob("*")} == before


def test_readers_leave_no_file_open(client, record):
    record()
    client.json("/api/list")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        client.json("/api/list")
        client.json("/api/runs/1/records")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


def test_an_error_of_our_own_is_told_without_its_inside(client, record, monkeypatch):
    record()

    def fail(*_):
        raise RuntimeError("inside /secret/place")

    monkeypatch.setattr(ExperimentDBManager, "get_texts", fail)
    error = client.json("/api/runs/1/texts", 500)["error"]
    assert "secret" not in error


# Versions


def test_an_answer_that_has_not_changed_is_not_sent_again(client, record, tracker):
    record("ended")
    first = client.get("/api/runs", db="pytest")
    for _ in range(100):  # until the clock of file times has gone on
        first = client.get("/api/runs", db="pytest")
        if "etag" in first.headers:
            break
    tag = {"if-none-match": first.headers["etag"]}
    again = client.http.get("/api/runs?db=pytest", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert client.http.get("/api/runs?db=pytest&x=1", headers=tag).status_code == 200
    tracker.start_run("next")
    assert client.http.get("/api/runs?db=pytest", headers=tag).status_code == 200


def test_of_a_graph_too_large_to_draw_comes_an_overview(client, tracker):
    run_id = tracker.start_run("large")
    for n_nodes in (3, 2_500):
        builder = GraphBuilder("seed")
        last = builder.add(Kind("input"))
        for number in range(n_nodes - 1):
            last = builder.add(Kind("add", namespace=f"layer{number % 7}"), [last])
        tracker._save_graph(None, f"of {n_nodes}", builder.build([last]))
    tracker.end_run()
    small, large = client.json(f"/api/runs/{run_id}/graphs")["graphs"]
    assert (small["name"], large["name"]) == ("of 3", "of 2500")
    assert "is_overview" not in small["graph"]
    assert (large["graph"]["is_overview"], large["graph"]["n_nodes"]) == (True, 2_500)
    assert len(large["graph"]["nodes"]) <= 400


def test_every_record_makes_a_new_version(client, tracker):
    tracker.start_run("running")
    tags = set()
    for step in range(5):
        tracker.record("loss", 0.5, step)
        while (tag := client.get("/api/runs/1/records").headers.get("etag")) is None:
            pass
        tags.add(tag)
    assert len(tags) == 5


# Deleting


def test_a_run_is_deleted_by_who_confirms_it(client, three, experiments):
    uuid = client.json("/api/runs/1")["uuid"]
    other = client.json("/api/runs/2")["uuid"]
    for confirm in (None, "", "1", other, uuid[:8], uuid.upper()):
        assert client.delete("/api/runs/1", {"confirm": confirm}).status_code == 400
    assert client.delete("/api/runs/1", {"confirm": uuid}).status_code == 200
    client.json("/api/runs/1", 404)
    assert client.delete("/api/runs/1", {"confirm": uuid}).status_code == 404
    assert numbers(client.json("/api/list")) == [3, 2]
    with closing(ExperimentDBManager(experiments / "pytest.db")) as db:
        assert db.integrity_problems() == []


def test_a_run_that_is_being_recorded_is_not_deleted(client, tracker):
    tracker.start_run("running")
    uuid = client.json("/api/runs/1")["uuid"]
    answer = client.delete("/api/runs/1", {"confirm": uuid})
    assert (answer.status_code, "recorded" in answer.json()["error"]) == (409, True)


def test_nothing_is_deleted_from_a_database_of_the_original(client, asset):
    path = asset("original_board.db")
    before = path.read_bytes()
    answer = client.delete("/api/runs/1", {"confirm": None})
    assert (answer.status_code, "original" in answer.json()["error"]) == (409, True)
    assert path.read_bytes() == before


def test_nothing_is_deleted_from_a_dashboard_that_only_reads(new_client, three):
    client = new_client(is_read_only=True)
    uuid = client.json("/api/runs/1")["uuid"]
    assert client.delete("/api/runs/1", {"confirm": uuid}).status_code == 403
    assert client.json("/api/config")["is_read_only"]
    client.json("/api/runs/1")
