"""A session that was split into shards and merged says what the whole one does."""

from __future__ import annotations

import json
import shutil

import pytest

PROJECT = """
    import os
    import signal
    import pytest

    WORSE = float(os.environ.get("WORSE", "0"))

    @pytest.mark.parametrize("number", range(6))
    def test_x(tracker, number):
        for step in range(5):
            tracker.record("loss", 1 / (step + 1) + (WORSE if number in (1, 4) else 0), step)
        if number == 5 and "DIES" in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 3:
            tracker.text("said", "three", 0)
"""
SHARDS = ("0 or 1", "2 or 3", "4 or 5")  # of the last one the process dies


def verdicts(project, *arguments):
    """What `sgtrack report` says of each test, and who has died."""
    _, said = project.sgtrack("report", "--json", *arguments)
    report = json.loads("\n".join(said))
    tests = {test["nodeid"]: (test["verdict"], test["action"]) for test in report["tests"]}
    return tests, [(death["nodeid"], death["ended_by"]) for death in report["deaths"]]


def runs(project):
    _, said = project.sgtrack("runs", "--json")
    listed = json.loads("\n".join(said))["runs"]
    kept = ("name", "status", "outcome", "ended_by", "verdict")
    return sorted([str(run[key]) for key in kept] for run in listed)


def pending(project):
    _, said = project.sgtrack("pending", "--json")
    return json.loads("\n".join(said))["tests"]


def accepted(project):
    """The baselines after `sgtrack accept`."""
    assert project.sgtrack("accept")[0] == 0
    return project.baselines()


@pytest.fixture
def whole_and_shards(project):
    """Records one session of all tests, and three of some; gives their folders."""

    def record(**environment):
        project.write(PROJECT).accepted()
        project.track(WORSE="1", new=True, **environment)
        recorded = project.path / "experiments"
        recorded.rename(project.path / "whole")
        for number, chosen in enumerate(SHARDS):
            project.track("-k", chosen, WORSE="1", new=True, **environment)
            recorded.rename(project.path / f"shard-{number}")
        return "whole", [f"shard-{number}" for number in range(3)]

    return record


def merged(project, shards):
    code, said = project.sgtrack("merge", *shards, "-o", "experiments")
    assert code == 0, said


def test_merged_shards_say_what_a_whole_session_does(project, whole_and_shards):
    whole, shards = whole_and_shards()
    merged(project, shards)
    before = project.baselines()
    split = verdicts(project, "--last", "3"), runs(project), pending(project), accepted(project)
    shutil.rmtree(project.path / "experiments")
    for path, content in before.items():
        (project.path / path).write_bytes(content)
    (project.path / whole).rename(project.path / "experiments")
    assert split == (verdicts(project), runs(project), pending(project), accepted(project))
    (tests, deaths), listed, left, _ = split
    assert {name[-2]: verdict for name, (verdict, _) in tests.items()} == {
        "0": "identical",
        "1": "regressed",
        "2": "identical",
        "3": "identical",
        "4": "regressed",
        "5": "identical",
    }
    assert (deaths, len(listed), len(left)) == ([], 6, 2)


def test_a_shard_that_died_tells_of_its_tests_as_the_whole_session_does(project, whole_and_shards):
    whole, shards = whole_and_shards(DIES="1")
    assert list(project.path.glob("shard-2/pytest.journal/*.segment"))
    merged(project, shards)
    split = verdicts(project, "--last", "3"), runs(project)
    shutil.rmtree(project.path / "experiments")
    (project.path / whole).rename(project.path / "experiments")
    project.sgtrack("recover")
    assert split == (verdicts(project), runs(project))
    (tests, deaths), listed = split
    assert {name[-2] for name in tests} == {*"01234"}
    assert (deaths, len(listed)) == ([("test_it.py::test_x[5]", "crashed")], 6)
