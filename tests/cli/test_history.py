"""`sgtrack history`: what the metrics of a test came to, and what of it was accepted."""

from pathlib import Path

import pytest

from tracking import ExperimentDBManager, cli
from tracking.queries.accepted import key_of
from tracking.queries.histories import commit_text
from tracking.regression import Compared, Entry, Sample, dump_comparison, save_baseline

TEST = "tests/test_a.py::test_x"
PASSED = {"outcome": "passed", "phase": "call", "verdict": "identical"}
GIT = {"git_commit": "0123456789abcdef", "git_dirty": True}


def accept(run_id, key="test_x", path="tests/__baselines__/test_a.json", origin=None):
    """Make a run of the experiment the baseline of a test."""
    with_summaries = []
    for one in (run_id, origin):
        db = ExperimentDBManager("experiments/pytest.db", is_read_only=True)
        with_summaries.append(None if one is None else Sample(db.read_summaries(one), {}, {}, None))
        db.close()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save_baseline(Path(path), {key: Entry((with_summaries[0],), with_summaries[1])})


@pytest.fixture
def four(record):
    """Four runs of a test; the second is its baseline and the first its origin."""
    for last, verdict in (
        (4.0, "no_baseline"),
        (2.0, "improved"),
        (2.0, "identical"),
        (1.0, "within"),
    ):
        series = {"loss": [5.0, last], "acc": [1.0]}
        record(TEST, series, environment=GIT, end={**PASSED, "verdict": verdict})
    accept(2, origin=1)


def rows(out, metric):
    """The lines of one metric's table, as cells."""
    lines = out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(metric))
    table = lines[start + 3 :]
    return [line.split() for line in table[: table.index("") if "" in table else None]]


def test_values_changes_and_what_was_accepted_oldest_first(four, sgtrack):
    code, out, err = sgtrack("history", "test_x", "loss.min")
    assert (code, err) == (cli.OK, "")
    assert out.splitlines()[:3] == [TEST, "", "loss.min  █▃▃▁"]
    shown = [[row[0], *row[3:]] for row in rows(out, "loss.min")]
    assert shown == [
        ["1", "012345678-dirty", "4", "passed", "no_baseline"],
        ["2", "012345678-dirty", "2", "-50.00", "%", "passed", "improved", "*"],
        ["3", "012345678-dirty", "2", "passed", "identical", "*"],
        ["4", "012345678-dirty", "1", "-50.00", "%", "passed", "within"],
    ]


def test_without_a_metric_all_are_shown_by_their_tails(four, sgtrack):
    out = sgtrack("history", TEST)[1]
    assert [row[4] for row in rows(out, "loss.tail")] == ["4.5", "3.5", "3.5", "3"]
    assert [row[-1] for row in rows(out, "acc.tail")] == ["*"] * 4


def test_a_metric_that_a_run_lacks_is_passed_over(record, sgtrack, said_as_json):
    for series in ({"loss": [1.0]}, {"acc": [1.0]}, {"loss": [2.0]}):
        record(TEST, series, end=PASSED)
    (metric,) = said_as_json("history", TEST, "loss")[1]["metrics"]
    assert [one["value"] for one in metric["runs"]] == [1.0, None, 2.0]
    assert [one["relative_change"] for one in metric["runs"]] == [None, None, 1.0]
    assert "loss.tail  ▁·█" in sgtrack("history", TEST, "loss")[1]


def test_the_newest_runs_are_shown_and_the_others_counted(four, sgtrack, said_as_json):
    out = sgtrack("history", TEST, "loss", "--limit=2")[1]
    assert [row[0] for row in rows(out, "loss")[:2]] == ["3", "4"]
    assert out.splitlines()[-1] == "2 earlier runs; --limit 0 shows all"
    document = said_as_json("history", TEST, "loss", "--limit=0")[1]
    assert (document["n_left_out"], len(document["metrics"][0]["runs"])) == (0, 4)


def test_json(four, said_as_json):
    code, document = said_as_json("history", "test_x", "loss")
    (metric,) = document["metrics"]
    run = metric["runs"][1]
    assert code == cli.OK
    assert (document["format"], document["test"]) == ("sgtrack-history", TEST)
    assert (metric["metric"], metric["statistic"]) == ("loss", "tail")
    assert run.pop("uuid")
    assert run.pop("started_at") > 1.7e9
    assert run == {
        "run_id": 2,
        "commit": GIT["git_commit"],
        "is_dirty": True,
        "value": 3.5,
        "relative_change": -1 / 4.5,
        "outcome": "passed",
        "verdict": "improved",
        "is_accepted": True,
    }


def accepted(said_as_json, *arguments):
    metrics = said_as_json("history", *arguments)[1]["metrics"]
    return [run["is_accepted"] for metric in metrics for run in metric["runs"]]


def test_what_is_accepted_is_found_wherever_the_baselines_lie(four, said_as_json, tmp_path):
    assert accepted(said_as_json, TEST, "loss", "--root=elsewhere") == [False] * 4
    (tmp_path / "tests").rename(tmp_path / "moved")
    (tmp_path / "project").mkdir()
    (tmp_path / "moved").rename(tmp_path / "project/tests")
    assert accepted(said_as_json, TEST, "loss") == [False] * 4
    assert accepted(said_as_json, TEST, "loss", "--root=project") == [False, True, True, False]
    (tmp_path / "experiments").rename(tmp_path / "project/experiments")
    assert accepted(said_as_json, TEST, "loss", "--dir=project/experiments")[1]


def test_a_test_is_found_under_the_key_its_marker_gives(record, said_as_json):
    compared = Compared((), "pass", "../tests/__baselines__/test_a.json", "pinned")
    record(TEST, end={**PASSED, "comparison": dump_comparison(compared)})
    accept(1, key="pinned")
    assert accepted(said_as_json, TEST) == [True]


def test_samples_under_seeds_share_the_entry_of_their_test(record, said_as_json):
    record(f"{TEST}[adam-sg_seed=3]", end={"outcome": "passed"})
    accept(1, key="test_x[adam]")
    assert accepted(said_as_json, "sg_seed=3") == [True]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a/test_x.py::test_y", "test_y"),
        ("test_x.py::TestX::test_y[sg_seed=12]", "TestX::test_y"),
        ("test_x.py::test_y[a-sg_seed=-1]", "test_y[a]"),
        ("test_x.py::test_y[sg_seed=1-a]", "test_y[sg_seed=1-a]"),
        ("train", ""),
    ],
)
def test_the_key_of_a_run(name, key):
    assert key_of(name) == key


def test_runs_that_are_no_tests_have_a_history_too(record, sgtrack):
    record("train")
    assert [row[0] for row in rows(sgtrack("history", "train")[1], "loss")] == ["1"]


def test_runs_that_only_confirmed_a_verdict_are_left_out(record, said_as_json):
    failed = {"status": "failed", "outcome": "failed", "verdict": "regressed"}
    record(TEST, end=failed, session="s")
    record(TEST, end={"outcome": "passed"}, session="s")
    assert [r["run_id"] for r in said_as_json("history", TEST)[1]["metrics"][0]["runs"]] == [1]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nosuch"], "no run is meant by 'nosuch'"),
        (["test_x", "nosuch"], f"{TEST} has no metric 'nosuch'; there are acc, loss"),
    ],
)
def test_what_is_not_there_is_named(record, sgtrack, arguments, problem):
    record(TEST, {"acc": [1.0], "loss": [1.0]})
    code, out, err = sgtrack("history", *arguments)
    assert (code, out) == (cli.TROUBLE, "")
    assert problem in err


def test_a_baseline_that_cannot_be_read_is_trouble(four, sgtrack):
    Path("tests/__baselines__/test_a.json").write_text("{")
    code, _, err = sgtrack("history", TEST)
    assert code == cli.TROUBLE
    assert "tests/__baselines__/test_a.json" in err


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({}, ""),
        ({"git_commit": None}, ""),
        ({"git_commit": 3}, ""),
        ({"git_commit": "abcdef", "git_dirty": False}, "abcdef"),
    ],
)
def test_commits(environment, text):
    assert commit_text(environment) == text
