"""What is pending: who leaves it, who takes it away, and who alone changes a baseline."""

from __future__ import annotations

import json

import pytest

# What each test records is in the variable RUNS: values of a loss and so on at one step.
MODULE = """
    import json
    import os
    import pytest

    RUNS = json.loads(os.environ.get("RUNS", "{}"))

    @pytest.mark.parametrize("case", ["a", "b", "c"])
    def test_it(tracker, case):
        for metric, value in (RUNS.get(case) or {"loss": 1.0, "acc": 1.0}).items():
            tracker.record(metric, value, 0)
        assert "fail" not in RUNS
"""
FIRST = {"loss": 1.0, "acc": 1.0}
A, B, C = (f"test_it.py::test_it[{case}]" for case in "abc")
PENDING = "experiments/pytest.pending.json"


@pytest.fixture
def accepted(project):
    """A project of three tests, each with a loss and an accuracy of 1."""
    return project.write(MODULE).accepted()


def runs(**cases):
    return {"RUNS": json.dumps(cases)}


def means(project, case="a"):
    tests = json.loads((project.path / "__baselines__/test_it.json").read_text())["tests"]
    (sample,) = tests[f"test_it[{case}]"]["samples"]
    return {name: summary["mean"] for name, summary in sample["metrics"].items()}


@pytest.mark.parametrize(
    ("now", "kinds"),
    [
        ({"loss": 2.0, "acc": 1.0}, {"loss": "worse"}),
        ({"loss": 1.0, "acc": 2.0}, {"acc": "better"}),
        ({"loss": 1.0, "acc": 1.0, "auc": 1.0}, {"auc": "new"}),
        ({"loss": 1.0}, {"acc": "removed"}),
        ({"loss": 2.0, "acc": 1.01}, {"loss": "worse", "acc": "rewritten"}),
        ({"loss": 1.0, "acc": 1.01}, None),
        (FIRST, None),
    ],
    ids=["worse", "better", "new", "removed", "worse-and-within", "within", "identical"],
)
def test_what_somebody_has_to_decide_on_is_pending_and_green_once_accepted(accepted, now, kinds):
    before = accepted.baselines()
    accepted.track(**runs(a=now))
    assert accepted.baselines() == before
    assert accepted.pending() == ({A: kinds} if kinds else {})
    code, said = accepted.sgtrack("pending")
    assert (code, len(said)) == ((1, 2 + len(kinds)) if kinds else (0, 1))
    if kinds:
        assert accepted.sgtrack("accept")[0] == 0
        assert means(accepted) == now
        assert not (accepted.path / PENDING).exists()
        result = accepted.track(CI="true", **runs(a=now))
        result.stdout.fnmatch_lines("3 tests compared: 3 identical")


def test_a_test_without_a_baseline_is_pending_and_one_that_fails_by_itself_is_not(project):
    project.write(MODULE).track(**runs(fail=True)).assert_outcomes(failed=3)
    assert project.pending() == {}
    project.track(A, B)
    both = {"loss": "new", "acc": "new"}
    assert project.pending() == {A: both, B: both}
    assert project.sgtrack("accept", A)[0] == 0
    assert project.entries() == {"test_it[a]": {"loss", "acc"}}


def test_a_session_replaces_what_its_own_tests_had_left_and_nothing_else(accepted):
    accepted.track(**runs(a={"loss": 2.0, "acc": 1.0}, b={"loss": 2.0, "acc": 1.0}))
    accepted.track(A, C, **runs(a={"loss": 1.0, "acc": 0.5}, c={"loss": 3.0, "acc": 1.0}))
    assert accepted.pending() == {A: {"acc": "worse"}, B: {"loss": "worse"}, C: {"loss": "worse"}}
    accepted.track(B, C)
    assert accepted.pending() == {A: {"acc": "worse"}}
    accepted.track(A, "--collect-only")
    assert accepted.pending() == {A: {"acc": "worse"}}
    accepted.track()
    assert not (accepted.path / PENDING).exists()


def test_a_part_of_what_is_pending_can_be_chosen(accepted):
    worse = {"loss": 2.0, "acc": 0.5, "auc": 1.0}
    accepted.track(**runs(a=worse, b=worse, c={"loss": 0.5, "acc": 1.0}))
    pending = accepted.pending()
    assert accepted.sgtrack("accept", "--metric=a*", "--kind=new", A)[0] == 0
    assert means(accepted) == {"loss": 1.0, "acc": 1.0, "auc": 1.0}
    assert accepted.sgtrack("accept", "--metric=loss", "*[[]a]")[0] == 0
    assert means(accepted) == {"loss": 2.0, "acc": 1.0, "auc": 1.0}
    assert accepted.pending() == {**pending, A: {"acc": "worse"}}

    before = accepted.baselines()
    assert accepted.sgtrack("reject", "--kind=worse", "test_it.py::test_it")[0] == 0
    assert accepted.pending() == {B: {"auc": "new"}, C: {"loss": "better"}}
    assert accepted.sgtrack("reject", B) == (0, [f"{PENDING}: 1 tests rejected, 1 are pending"])
    assert accepted.baselines() == before
    assert accepted.sgtrack("accept", "test_it.py")[0] == 0
    assert means(accepted, "c") == {"loss": 0.5, "acc": 1.0}
    assert accepted.sgtrack("accept") == (0, [f"{PENDING}: nothing is pending"])


def test_a_choice_that_nothing_pending_meets_is_an_error_and_changes_nothing(accepted):
    accepted.track(**runs(a={"loss": 2.0, "acc": 1.0}))
    before, pending = accepted.baselines(), (accepted.path / PENDING).read_bytes()
    for command in ("accept", "reject"):
        for choice in (("no_such_test", A), ("--metric=no_such",), ("--kind=new", A)):
            code, said = accepted.sgtrack(command, *choice)
            assert code == 3
            assert said[0].startswith("sgtrack: nothing is pending of ")
            assert said[0].endswith("; `sgtrack pending` lists all")
    assert accepted.baselines() == before
    assert (accepted.path / PENDING).read_bytes() == pending


def test_pending_lists_kinds_tests_and_numbers_of_all_or_of_some(accepted):
    accepted.track(**runs(a={"loss": 2.0, "acc": 1.0}, b={"loss": 1.0}, c={**FIRST, "\x1bx": 5.0}))
    _, said = accepted.sgtrack("pending")
    assert [line.split() for line in said[2:]] == [
        ["new", C, r"\x1bx", "5"],
        ["worse", A, "loss", "1", "2"],
        ["removed", B, "acc", "1"],
    ]
    assert len(accepted.sgtrack("pending", "--kind=worse")[1]) == 3
    assert accepted.sgtrack("pending", "--metric=x") == (0, [f"{PENDING}: nothing is pending"])


def test_workers_leave_what_a_plain_session_leaves(accepted):
    pytest.importorskip("xdist")
    now = runs(a={"loss": 2.0, "acc": 1.0}, b={"loss": 1.0}, c={"loss": 0.5, "acc": 1.0})
    accepted.track(**now)
    pending, before = (accepted.path / PENDING).read_bytes(), accepted.baselines()
    (accepted.path / PENDING).unlink()
    accepted.track(way="n2", **now)
    assert (accepted.path / PENDING).read_bytes() == pending
    assert accepted.baselines() == before


def test_small_accepted_steps_are_red_where_they_add_up_until_the_origin_is_moved(trained):
    losses = ["1.04", "1.08"]
    trained.track(LOSS=losses[0]).assert_outcomes(passed=1)
    assert trained.sgtrack("accept")[1][0].endswith("nothing is pending")  # within is no news
    trained.track("--sg-track-update=all", LOSS=losses[0])
    result = trained.track(LOSS=losses[1])
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("loss: tail went from 1 to 1.08 * since its origin, in steps *")
    assert trained.sgtrack("accept", "--reset-origin")[0] == 0
    trained.track("--sg-track-update=all", LOSS="1.12").assert_outcomes(passed=1)
    assert '"origin"' in (trained.path / "__baselines__/test_it.json").read_text()
    trained.track(LOSS="1.14").stdout.fnmatch_lines(
        "loss: tail went from 1.08 to 1.14 * since its origin, *"
    )


@pytest.mark.parametrize("path", [PENDING, "__baselines__/test_it.json"])
def test_a_merge_conflict_is_said_and_nothing_is_written(accepted, path):
    worse = runs(a={"loss": 2.0, "acc": 1.0})
    accepted.track(**worse)
    file = accepted.path / path
    conflict = b"<<<<<<< ours\n" + file.read_bytes() + b"=======\n>>>>>>> theirs\n"
    file.write_bytes(conflict)
    before = accepted.baselines()
    for command in ("pending", "accept"):
        code, said = accepted.sgtrack(command)
        assert code == 3
        assert "conflict marker" in said[0]
    if path == PENDING:
        result = accepted.track(**worse)
        result.stdout.fnmatch_lines("pending file *pytest.pending.json: *conflict marker*")
        assert accepted.track(B).ret == 0
        assert accepted.track(B, CI="true").ret == 1
    assert file.read_bytes() == conflict
    assert accepted.baselines() == before


def test_another_folder_and_experiment_are_named_by_the_command_that_is_shown(accepted):
    options = ("--sg-track-dir=my runs", "--sg-track-experiment=other")
    result = accepted.track(*options, **runs(a={"loss": 2.0, "acc": 1.0}))
    result.stdout.fnmatch_lines(
        f"to accept what changed: sgtrack accept '--dir=my runs' --experiment=other '{A}'"
        .replace("[", "[[]")
    )  # fmt: skip
    code, said = accepted.sgtrack("accept", "--dir=my runs", "--experiment=other", A)
    assert (code, said[0].partition(":")[0]) == (0, "wrote __baselines__/test_it.json")


def test_what_was_recorded_elsewhere_is_accepted_where_root_says(accepted, tmp_path_factory):
    accepted.track(**runs(a={"loss": 2.0, "acc": 1.0}))
    elsewhere = tmp_path_factory.mktemp("artifact") / "experiments"
    (accepted.path / "experiments").rename(elsewhere)
    assert accepted.sgtrack("accept", f"--dir={elsewhere}", "--root=.")[0] == 0
    assert means(accepted) == {"loss": 2.0, "acc": 1.0}
    assert accepted.sgtrack("accept", f"--dir={elsewhere}", "--root=no/such")[0] == 0


def test_other_digits_alone_are_nothing_to_accept(project):
    project.write(
        """
        import os
        def test_it(tracker, sg_seed):
            tracker.record("loss", 1 + sg_seed / 10 + float(os.environ.get("MORE", 0)), 0)
        """
    )
    assert project.track("--sg-track-samples=2").ret == 0
    result = project.track(MORE="0.001")
    assert result.ret == 0
    result.stdout.fnmatch_lines("1 test compared: 1 underpowered")
    result.stdout.no_fnmatch_line("*sgtrack accept*")
