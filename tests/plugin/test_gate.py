"""Verdicts: what each does to a test, and what a failure says."""

from __future__ import annotations

import fnmatch
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

# What the tests record is a list of values for each metric, by test.
MODULE = """
    import json
    import os
    import pytest

    RUNS = json.loads(os.environ["RUNS"])

    @pytest.mark.parametrize("case", RUNS)
    def test_case(tracker, case):
        for metric, values in RUNS[case].items():
            for step, value in enumerate(values):
                tracker.record(metric, float(value), step)
"""
ONES = "[1, 1, 1, 1, 1, 1]"
BASELINE = f'{{"loss": {ONES}, "acc": {ONES}}}'
CASES = {
    # case: what it records this time, its verdict, whether it passes, what its line says
    "identical": (BASELINE, "identical", True, None),
    "within": (f'{{"loss": [1.05, 1, 1, 1, 1, 1], "acc": {ONES}}}', "within", True, None),
    "lower": (f'{{"loss": [0.5, 0.5, 0.5, 0.5, 0.5, 0.5], "acc": {ONES}}}', "improved", True,
              "loss: tail went from 1 to 0.5 (-50 %)*"),
    "higher": (f'{{"loss": {ONES}, "acc": [2, 2, 2, 2, 2, 2]}}', "improved", True,
               "acc: tail went from 1 to 2 (+100 %)*"),
    "worse_loss": (f'{{"loss": [2, 2, 2, 2, 2, 2], "acc": {ONES}}}', "regressed", False,
                   "loss: tail went from 1 to 2 (+100 %)*"),
    "worse_acc": ('{"loss": [1.2, 1.2, 1.2, 1.2, 1.2, 1.2], "acc": [0, 0, 0, 0, 0, 0]}',
                  "regressed", False, "acc: tail went from 1 to 0 (-100 %)*"),
    "nan": (f'{{"loss": ["nan", 1, 1, 1, 1, 1], "acc": {ONES}}}', "non_finite", False,
            "loss: n_nan went from 0 to 1*"),
    "inf": (f'{{"loss": [1, 1, 1, 1, 1, "inf"], "acc": {ONES}}}', "non_finite", False,
            "loss: n_inf went from 0 to 1*"),
    "missing": (f'{{"loss": {ONES}}}', "missing_metric", False, "acc: not recorded by this run*"),
    "silent": ("{}", "missing_metric", False, "acc: not recorded by this run*"),
    "short": (f'{{"loss": [1, 1, 1], "acc": {ONES}}}', "truncated", False,
              "loss: n went from 6 to 3*"),
    "long": (f'{{"loss": [1, 1, 1, 1, 1, 1, 1], "acc": {ONES}}}', "truncated", False,
             "loss: n went from 6 to 7*"),
    "new": (f'{{"loss": {ONES}, "acc": {ONES}, "auc": {ONES}}}', "new_metric", True,
            "auc: not in the baseline*"),
}  # fmt: skip


def runs_of(cases):
    return "{" + ", ".join(f'"{name}": {values}' for name, values in cases.items()) + "}"


@pytest.fixture
def cases(project):
    return project.write(MODULE).accept(RUNS=runs_of(dict.fromkeys(CASES, BASELINE)))


NOW = runs_of({name: case[0] for name, case in CASES.items()})


def test_each_verdict_does_to_a_test_what_the_table_says(cases):
    result = cases.track("--junitxml=junit.xml", RUNS=NOW)
    n_passed = sum(case[2] for case in CASES.values())
    result.assert_outcomes(passed=n_passed, failed=len(CASES) - n_passed)
    runs = cases.runs()
    for name, (_, verdict, is_green, message) in CASES.items():
        nodeid = f"test_it.py::test_case[{name}]"
        shown = nodeid.replace("[", "[[]")
        status = "completed" if is_green else "failed"
        assert (runs[nodeid].verdict, runs[nodeid].end[0]) == (verdict, status)
        if message is None:
            result.stdout.no_fnmatch_line(f"{verdict} {shown}*")
        else:
            result.stdout.fnmatch_lines(f"{verdict} {shown} - {message}")
        if not is_green:
            result.stdout.fnmatch_lines(f"FAILED {shown} - MetricRegressionError: *")

    tree = ET.parse(cases.path / "junit.xml")
    failures = {
        case.get("name"): case.find("failure").get("message")
        for case in tree.iter("testcase")
        if case.find("failure") is not None
    }
    assert not list(tree.iter("error"))
    red = {f"test_case[{name}]": case[3] for name, case in CASES.items() if not case[2]}
    assert failures.keys() == red.keys()
    for name, message in red.items():
        first_line = failures[name].splitlines()[0].removeprefix("MetricRegressionError: ")
        assert fnmatch.fnmatchcase(first_line, message)


def test_regressions_that_do_not_fail_are_still_shown(cases):
    for action in ("warn", "report"):
        result = cases.track(f"--sg-track-on-regression={action}", RUNS=NOW)
        result.assert_outcomes(passed=len(CASES))
        for name, (_, verdict, _, message) in CASES.items():
            if message:
                result.stdout.fnmatch_lines(f"{verdict} *[[]{name}] - {message}")


def test_a_failure_says_what_is_wrong_and_how_to_accept_it(trained):
    result = trained.track(LOSS="2")
    result.stdout.fnmatch_lines(
        [
            "*FAILURES*",
            "loss: tail went from 1 to 2 (+100 %); lower is better, allowance 0.05",
            "*metric*statistic*baseline*current*change*allowed*verdict",
            "*loss*tail*1*2*+100.00 %*0.05*regressed",
            "*loss*mean*1*2*+100.00 %*0.05*regressed",
            "*baseline:  __baselines__/test_it.json",
            "*to accept: sgtrack accept test_it.py::test_train",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_sgtrack*")  # no traceback through our own code


@pytest.mark.parametrize("folder", [".", "elsewhere"])
def test_the_shown_command_accepts_the_change_when_it_is_pasted(project, folder):
    (project.path / "elsewhere").mkdir()
    project.write(
        """
        import os
        import pytest

        @pytest.mark.parametrize("x", ["it's $HOME", "[::]"], ids=str)
        def test_x(tracker, x):
            tracker.record("loss", float(os.environ.get("LOSS", "1")), 0)
        """,
        "tests/test_it.py",
    ).accept()
    arguments = [] if folder == "." else ["../tests"]
    red = project.track(*arguments, folder=folder, LOSS="2")
    red.assert_outcomes(failed=2)
    shown = [line.partition("to accept: ")[2] for line in red.outlines if "to accept: " in line]
    (summed_up,) = (
        line.partition(": ")[2] for line in red.outlines if line.startswith("to accept what ")
    )
    assert len(shown) == 2
    assert summed_up.startswith("sgtrack accept ")

    commands = [summed_up] if folder == "elsewhere" else shown
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for command in commands:
        subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=project.path / folder,
            env=environment,
            check=True,
            capture_output=True,
        )
    project.track(*arguments, folder=folder, LOSS="2").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("arguments", "environment", "is_green"),
    [
        ((), {}, True),
        ((), {"CI": "true"}, False),
        (("--sg-track-on-missing=fail",), {}, False),
        (("--sg-track-on-missing=report",), {"CI": "true"}, True),
    ],
    ids=["default", "ci", "fail", "report-in-ci"],
)
def test_what_has_no_baseline_is_listed_and_red_only_where_that_is_asked(
    trained, arguments, environment, is_green
):
    trained.write("def test_new(tracker): tracker.record('loss', 1.0, 0)", "test_new.py")
    with (trained.path / "test_it.py").open("a") as file:
        file.write("    tracker.record('acc', 1.0, 0)\n")
    result = trained.track(*arguments, **environment)
    result.assert_outcomes(passed=2 * is_green, failed=2 * (not is_green))
    result.stdout.fnmatch_lines(
        [
            "2 tests compared: 1 new_metric, 1 no_baseline",
            "new_metric test_it.py::test_train - acc: not in the baseline*",
            "no_baseline test_new.py::test_new - loss: no baseline yet*",
            "to add what has no baseline: sgtrack accept test_*",
        ]
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--sg-track-on-regression=report", "--sg-track-on-missing=report"),
        ("--sg-track-update=all",),
        ("--sg-track-update=new",),
    ],
    ids=["report", "all", "new"],
)
def test_an_unreadable_baseline_is_red_whatever_the_options(trained, arguments):
    path = trained.path / "__baselines__/test_it.json"
    conflict = b"<<<<<<< ours\n" + path.read_bytes() + b"=======\n>>>>>>> theirs\n"
    path.write_bytes(conflict)
    result = trained.track(*arguments)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*baseline *test_it.json: *conflict marker*", "1 test compared: 1 unreadable_baseline"]
    )
    assert path.read_bytes() == conflict
    assert trained.runs()["test_it.py::test_train"].verdict == "unreadable_baseline"


def test_a_baseline_that_cannot_be_written_makes_the_session_fail(project):
    project.write("def test_a(tracker): tracker.record('loss', 1.0, 0)")
    (project.path / "__baselines__").write_text("a file where the folder should be")
    result = project.track("--sg-track-update=all")
    assert result.ret != 0
    result.stdout.fnmatch_lines("*baseline *test_it.json: cannot be *")
