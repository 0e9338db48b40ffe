"""What each verdict does to a test, and which option changes that."""

from __future__ import annotations

import copy
import json

import pytest

MODULE = """
    import os
    import pytest

    NOW = "NOW" in os.environ
    CASES = {
        # what a run records now; at first each has records 0 to 4 of a loss of 1
        "identical": {}, "within": {"loss": 1.01}, "underpowered": {"loss": 1.01},
        "improved": {"loss": 0.5}, "regressed": {"loss": 2.0}, "not_comparable": {"loss": 2.0},
        "new_metric": {"acc": 1.0}, "missing_metric": {"loss": None}, "truncated": {"n": 4},
        "non_finite": {"loss": float("nan")}, "no_baseline": {}, "bound_failed": {},
        "incomplete": {},
    }

    @pytest.mark.parametrize("case", CASES)
    def test_it(tracker, sg_seed, case):
        if case == "no_baseline" and not NOW:
            return
        now = CASES[case] if NOW else {}
        loss = now.get("loss", 1.0)
        for step in range(now.get("n", 5)):
            tracker.record("loss" if loss is not None else "other", loss or 0.0, step)
        if "acc" in now:
            tracker.record("acc", 1.0, 0)
        if NOW and case == "bound_failed":
            tracker.expect("loss", "<", 1.0)
        if NOW and case == "incomplete":
            tracker.trouble = "the disk of dreams is full"
"""
UNREADABLE = """
    def test_it(tracker): tracker.record("loss", 1.0, 0)
"""
WORSE = {"regressed", "non_finite", "missing_metric", "truncated", "bound_failed"}
UNKNOWN = {"new_metric", "no_baseline", "not_comparable"}
ALWAYS_RED = {"unreadable_baseline"}
GREEN = {"identical", "within", "improved", "underpowered", "incomplete"}


@pytest.fixture
def one_of_each(project):
    """A project with a test for each verdict; the variable NOW brings it about."""
    project.write(MODULE).accepted()
    path = project.path / "__baselines__/test_it.json"
    baseline = json.loads(path.read_text())
    (sample,) = baseline["tests"]["test_it[underpowered]"]["samples"]
    baseline["tests"]["test_it[underpowered]"]["samples"] += [{**copy.deepcopy(sample), "seed": 1}]
    baseline["tests"]["test_it[not_comparable]"]["samples"][0]["seed"] = 9
    path.write_text(json.dumps(baseline))
    project.write(UNREADABLE, "test_unreadable.py")
    (project.path / "__baselines__/test_unreadable.json").write_text("<<<<<<< ours\n")
    return project


@pytest.mark.parametrize(
    ("arguments", "environment", "red"),
    [
        ((), {}, WORSE),
        ((), {"CI": "true"}, WORSE | UNKNOWN),
        (("--sg-track-on-missing=fail",), {}, WORSE | UNKNOWN),
        (("--sg-track-on-missing=report",), {"CI": "true"}, WORSE),
        (("--sg-track-on-improvement=fail",), {}, WORSE | {"improved"}),
        (("--sg-track-on-regression=warn",), {}, set()),
        (("--sg-track-on-regression=report", "--sg-track-strict"), {}, set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_verdict_does_to_a_test_what_the_options_say(one_of_each, arguments, environment, red):
    before = one_of_each.baselines()
    result = one_of_each.track("-rA", *arguments, NOW="1", **environment)
    every = GREEN | WORSE | UNKNOWN | ALWAYS_RED
    names = {f"test_it.py::test_it[{verdict}]": verdict for verdict in every - ALWAYS_RED} | {
        "test_unreadable.py::test_it": "unreadable_baseline"
    }
    outcomes = dict(
        line.split(" - ")[0].split(" ", 1)[::-1]
        for line in result.outlines
        if line.startswith(("PASSED ", "FAILED "))
    )
    assert {names[test] for test in outcomes if outcomes[test] == "FAILED"} == red | ALWAYS_RED
    assert len(outcomes) == len(every)
    runs = one_of_each.runs()
    # Nothing is said of what was recorded in part, not even that.
    assert {names[test]: run.verdict for test, run in runs.items()} == {
        verdict: None if verdict == "incomplete" else verdict for verdict in every
    }
    shown = [line.split(" ")[0] for line in result.outlines if " test_" in line and "::" in line]
    assert set(shown) >= every - {"identical", "within"}
    assert one_of_each.baselines() == before


def test_a_failure_begins_with_what_made_it_fail(one_of_each):
    arguments = ("--sg-track-on-improvement=fail", "--sg-track-on-regression=warn")
    one_of_each.write(MODULE.replace('"improved": {', '"improved": {"n": 4, '))
    result = one_of_each.track("-k", "improved", *arguments, NOW="1")
    first = "loss: tail went from 1 to 0.5 (-50 %)*"
    result.stdout.fnmatch_lines(["_* test_it[[]improved] _*", first, "  loss: n went from 5 to 4*"])


PYPROJECT = """
    [tool.sgtrack.metrics]
    "*" = {rel = 0.5}
    "strict_*" = {rel = 0}
    "gain" = {direction = "higher", statistics = ["last"]}
"""
PATTERNS = """
    import os
    import pytest

    MORE = float(os.environ.get("MORE", "0"))

    @pytest.mark.parametrize("metric", ["loss", "strict_loss", "gain", "marked"])
    @pytest.mark.sg_track("marked", rel=0.1)
    def test_it(tracker, metric):
        tracker.record(metric, 1.0 + MORE, 0)
        tracker.record(metric, 1.0 + MORE, 1)
"""


def test_patterns_of_pyproject_hold_for_every_test_unless_a_marker_says_otherwise(project):
    project.write(PYPROJECT, "pyproject.toml").write(PATTERNS).accepted()
    verdicts = {"loss": "within", "strict_loss": "regressed", "gain": "improved",
                "marked": "regressed"}  # fmt: skip
    project.track(
        MORE="0.6",
    )
    found = {name.partition("[")[2][:-1]: run.verdict for name, run in project.runs().items()}
    assert found == verdicts | {"loss": "regressed"}
    project.track(MORE="0.4")
    found = {name.partition("[")[2][:-1]: run.verdict for name, run in project.runs().items()}
    assert found == verdicts | {"gain": "within"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[tool.sgtrack]\nmetric = 1", "'metric' is unknown; there is metrics"),
        ("[tool.sgtrack.metrics]\nloss = {real = 0.1}", "real: is unknown"),
    ],
)
def test_a_pyproject_that_makes_no_sense_is_a_usage_error_that_names_it(project, text, problem):
    (project.path / "pyproject.toml").write_text(text)
    result = project.track()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "pyproject.toml" in result.stderr.str()
    assert problem in result.stderr.str()
    assert project.pytest().ret == pytest.ExitCode.NO_TESTS_COLLECTED  # off
