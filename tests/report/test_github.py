"""What GitHub Actions shows: annotations and the summary of a job."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.model import Verdict
from tracking.report.data import Death, ReportData, TestReport
from tracking.report.github import annotations, step_summary
from tracking.report.markdown import render
from tracking.report.words import printable

WHY = "loss: tail went from 0.5 to 0.75 (+50 %25); lower is better"


def parsed(command):
    """Return kind, properties and message as the runner of GitHub Actions reads a command."""
    assert "\n" not in command
    assert "\r" not in command
    kind, said, message = re.fullmatch(r"::(\w+) (.*?)::(.*)", command).groups()
    properties = dict(one.split("=", 1) for one in said.split(","))
    known = {name: unescaped(value, "%3A:", "%2C,") for name, value in properties.items()}
    return kind, known, unescaped(message)


def unescaped(text, *more):
    for code in (*more, "%0D\r", "%0A\n", "%25%"):
        text = text.replace(code[:3], code[3:])
    return text


def test_a_red_test_is_an_error_at_its_place(session, red):
    test = red("t.py::test_a", file="tests/t.py", line=7, accept_command="sgtrack accept t.py")
    (command,) = annotations(session(test))
    place, _, said = command.partition(f"::{WHY}")
    assert place == "::error file=tests/t.py,line=7,title=regressed%3A t.py%3A%3Atest_a"
    assert said == "%0Ato accept: sgtrack accept t.py"


@pytest.mark.parametrize(
    ("action", "kind"), [("fail", "error"), ("warn", "warning"), ("show", None), ("pass", None)]
)
def test_what_a_verdict_did_decides_what_it_is(session, red, action, kind):
    commands = annotations(session(red(action=action)))
    assert [parsed(command)[0] for command in commands] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("place", "properties"),
    [
        ({}, {}),
        ({"line": 7}, {}),
        ({"file": "t.py"}, {"file": "t.py"}),
        ({"file": "a,b:c%.py", "line": 1}, {"file": "a,b:c%.py", "line": "1"}),
    ],
)
def test_a_place_is_said_as_far_as_it_is_known(session, red, place, properties):
    (command,) = annotations(session(red("t", **place)))
    assert parsed(command)[1] == {**properties, "title": "regressed: t"}


def test_a_test_without_a_message_has_its_verdict_for_one(session, red):
    (command,) = annotations(session(red("t", verdict=None, checks=())))
    assert command == "::error title=failed%3A t::failed"


def test_deaths_are_errors_before_all_others(session, red):
    deaths = [Death("t.py::b", "crashed", "loss 1 at step 2 (n 3)"), Death("c", "killed")]
    commands = annotations(session(red(), deaths=deaths))
    died = "the process of the test died"
    assert commands[:2] == [
        f"::error title=crashed%3A t.py%3A%3Ab::{died}, last records: loss 1 at step 2 (n 3)",
        f"::error title=killed%3A c::{died}",
    ]
    assert len(commands) == 3


def test_of_each_kind_the_worst_are_shown_and_the_last_says_how_many_more(session, red):
    failed = [red(f"t{i:02}", verdict=Verdict.REGRESSED) for i in range(12)]
    worst = red("z", verdict=Verdict.MISSING_METRIC)
    warned = [red(f"w{i:02}", verdict=Verdict.NO_BASELINE, action="warn") for i in range(11)]
    commands = [parsed(one) for one in annotations(session(*warned, *failed, worst))]
    assert [kind for kind, _, _ in commands] == ["error"] * 10 + ["warning"] * 10
    titles = [properties["title"] for _, properties, _ in commands]
    assert titles[:2] == ["missing_metric: z", "regressed: t00"]
    assert titles[9:11] == ["regressed: t08", "no_baseline: w00"]
    said = [message.splitlines()[-1] for _, _, message in commands]
    assert said[9] == "and 3 more errors"
    assert said[19] == "and 1 more warning"
    assert not any(text.startswith("and ") for text in said[:9] + said[10:19])
    assert len(annotations(session(*failed), limit=3)) == 3


names = st.text(st.characters() | st.sampled_from("%:,\r\n=ü@"), min_size=1, max_size=12)


@given(names, names, st.integers(1, 99))
def test_no_name_leaves_its_place_in_a_command(nodeid, file, line):
    test = TestReport(nodeid, Verdict.REGRESSED, "fail", file=file, line=line)
    (command,) = annotations(ReportData(0.0, "", "", tests=[test]))
    title = printable(f"regressed: {nodeid}")
    properties = {"file": printable(file), "line": str(line), "title": title}
    assert parsed(command) == ("error", properties, "regressed")


def test_a_hostile_name_is_harmless(session, red, hostile):
    (command,) = annotations(session(red(hostile)))
    assert command.count("::") == 2
    assert "\x1b" not in command


def test_the_summary_of_a_job_is_the_report_in_markdown(everything):
    assert step_summary(everything) == render(everything)


def test_the_summary_of_a_job_is_cut_to_a_mebibyte(session, red):
    data = session(*(red(f"test_ü.py::test_{i}", notes=("x" * 2000,)) for i in range(700)))
    size = len(step_summary(data).encode())
    assert 1024 * 1024 - 4000 < size <= 1024 * 1024
