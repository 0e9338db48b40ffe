"""The original's page works against our server: it is answered as by its own."""

from __future__ import annotations

import json
import math
import re
import warnings

import pytest

from tests.board.conftest import ASSETS
from tracking import Tracker

ORIGINAL = json.loads((ASSETS / "original_board.json").read_text(encoding="utf-8"))
AFTER = ORIGINAL["after"]
LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def differences(theirs, ours, place=""):
    """What is not answered as by the original; more than it says is allowed."""
    if isinstance(theirs, dict):
        if not isinstance(ours, dict):
            return [f"{place}: {ours!r}"]
        missing = [f"{place}.{key} is missing" for key in theirs if key not in ours]
        return missing + [
            found
            for key in theirs.keys() & ours.keys()
            for found in differences(theirs[key], ours[key], f"{place}.{key}")
        ]
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        return [
            found
            for number, sides in enumerate(zip(theirs, ours, strict=True))
            for found in differences(*sides, f"{place}[{number}]")
        ]
    if isinstance(theirs, float) and isinstance(ours, float):
        is_same = math.isclose(theirs, ours, rel_tol=1e-12)  # sums in another order
    elif isinstance(theirs, str) and LOCAL_TIME.fullmatch(theirs):
        is_same = isinstance(ours, str) and LOCAL_TIME.fullmatch(ours)  # of another time zone
    else:
        is_same = theirs == ours
    return [] if is_same else [f"{place}: {ours!r} is not {theirs!r}"]


@pytest.fixture
def selected(client, asset):
    """A dashboard on the original's database, selected as its page does."""
    asset("original_board.db")
    asset("schema_v2.db")  # with one alone, that would be meant
    for name, theirs in ORIGINAL["select"]:
        answer = client.post("/api/databases/select", {"db_name": name})
        assert answer.status_code == theirs["status"]
        if answer.status_code == 200:
            assert answer.json() == theirs["answer"]
    return client


def test_before_a_database_is_selected_there_are_no_runs_and_no_run(client, asset):
    asset("original_board.db")
    asset("schema_v2.db")
    for path, theirs in ORIGINAL["before"].items():
        answer = client.get(path)
        assert answer.status_code == theirs["status"], path
        if answer.status_code == 200:
            assert answer.json() == theirs["answer"]


@pytest.mark.parametrize("path", AFTER)
def test_each_request_is_answered_as_by_the_original(selected, path):
    theirs = AFTER[path]
    answer = selected.get(path)
    assert answer.status_code == theirs["status"]
    assert answer.headers["content-type"].partition(";")[0] == theirs["type"]
    if theirs["status"] != 200:
        assert list(answer.json()) == ["error"]
        return
    if theirs["type"] == "text/csv":
        assert answer.text.splitlines() == theirs["answer"].splitlines()
        return
    found = differences(theirs["answer"], answer.json())
    # The original says of no run that has not completed what it recorded.
    found = [one for one in found if not re.search(r"\.(num_records|metrics): \[.* None$", one)]
    # It lists files in the order of the folder; there is one more here.
    assert [one for one in found if not one.startswith(".available_databases")] == []


def test_all_that_can_differ_is_seen():
    assert differences({"a": [1.0]}, {"a": [1.0], "more": 1}) == []
    assert differences({"a": [1.0]}, {}) == [".a is missing"]
    assert differences([1, 2], [1]) == [": [1] is not [1, 2]"]
    assert differences({"a": 1.0}, {"a": 1.1}) == [".a: 1.1 is not 1.0"]
    assert differences("2026-01-01 00:00:00", "2026-01-01 01:00:00") == []


def test_files_are_sent_under_the_originals_names(selected):
    for path, name in (("records.csv", "run_1.csv"), ("export.json", "run_1.json")):
        answer = selected.get(f"/api/runs/1/{path}")
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


def test_the_database_of_the_original_stays_as_it_is(selected, experiments):
    path = experiments / "original_board.db"
    before = path.read_bytes()
    for request in AFTER:
        selected.get(request)
    selected.get("/api/list")
    selected.get("/api/runs/1/details")
    assert path.read_bytes() == before
    names = {one.name for one in experiments.iterdir()}
    assert names == {"original_board.db", "schema_v2.db"}


def test_what_numpy_left_as_bytes_is_decoded_without_a_word(client, asset):
    asset("original.db")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = client.json("/api/runs/1/records", metric_name="loss")["metrics"]["loss"]
    assert [(one["step"], one["value"]) for one in found] == [
        *((0, 1.0), (1, 0.5), (2, 0.25), (3, 3.0), (4, 0.125))
    ]


@pytest.mark.parametrize("version", ["schema_v1.db", "schema_v2.db"])
def test_every_version_of_ours_answers_all_the_requests(client, asset, version, experiments):
    path = asset(version, "pytest.db")
    before = path.read_bytes()
    for request in AFTER:
        wanted = 404 if "/9" in request or "/2" in request or "/3" in request else 200
        assert client.get(request).status_code == (400 if request.endswith("compare") else wanted)
    client.json("/api/runs/1/details")
    assert path.read_bytes() == before


def test_values_that_are_not_finite_are_null_where_its_page_calculates(client, experiments):
    tracker = Tracker(experiments)
    tracker.set_experiment("pytest")
    with tracker.run("diverged"):
        for step, value in enumerate([1.0, math.nan, math.inf, -math.inf, 2.0]):
            tracker.record("loss", value, step)
    tracker.close()
    found = client.json("/api/runs/1/records", smoothing=0.5)["metrics"]["loss"]
    assert [one["value"] for one in found] == [1.0, None, None, None, 2.0]
    assert [one.get("non_finite") for one in found] == [None, "NaN", "Infinity", "-Infinity", None]
    assert [one["smoothed"] for one in found] == [1.0, None, None, None, pytest.approx(5 / 3)]
    summary = client.json("/api/runs/1/summary")["metrics"]["loss"]
    assert (summary["n"], summary["n_nan"], summary["last"], summary["mean"]) == (5, 1, 2.0, 1.5)


def test_a_summary_is_the_one_that_the_tracker_gives(client, experiments):
    tracker = Tracker(experiments)
    tracker.set_experiment("pytest")
    with tracker.run("baseline") as run_id:
        for step, loss in enumerate([1.0, 0.5, 0.25]):
            tracker.log({"loss": loss, "acc": 1 - loss}, step)
    summary = tracker.summary(run_id)
    tracker.close()
    assert client.json(f"/api/runs/{run_id}/summary")["metrics"] == summary


def test_its_socket_is_closed_at_once(client):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client.http.websocket_connect("/ws/1"):
        pass
