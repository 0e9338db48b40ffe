"""The section of a session at the end of a terminal, and the story of one test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.model import Direction, Verdict
from tracking.regression import Check
from tracking.report.data import (
    ACTIONS,
    Death,
    MetricDetails,
    PastValue,
    ReportData,
    RunDetails,
    TestReport,
)
from tracking.report.terminal import lines, one_test

WHY = "loss: tail went from 0.5 to 0.75 (+50 %); lower is better"
WORDS = "expected much more of this run than it gave after all"


def shown(data, width=100, is_verbose=False):
    return [tuple(line) for line in lines(data, width=width, is_verbose=is_verbose)]


def texts(data, width=100, is_verbose=False):
    return [line.text for line in lines(data, width=width, is_verbose=is_verbose)]


def green(nodeid="test_it.py::test_same", **fields):
    return TestReport(nodeid, Verdict.IDENTICAL, "pass", **fields)


# What is said


def test_nothing_is_said_of_nothing(session):
    assert lines(session(), width=80, is_verbose=True) == []


def test_green_needs_one_line(session):
    assert shown(session(green())) == [("1 test compared: 1 identical", "green")]


def test_a_red_test_is_listed_with_its_reason_and_its_notes(session, red):
    data = session(red("t.py::test_a", notes=("earlier attempts: regressed",)), green())
    assert shown(data) == [
        ("2 tests compared: 1 identical, 1 regressed", "red"),
        (f"regressed t.py::test_a - {WHY}", "red"),
        ("  earlier attempts: regressed", ""),
    ]


@pytest.mark.parametrize(
    ("action", "tone"), [("show", "green"), ("warn", "yellow"), ("fail", "red")]
)
def test_the_tone_is_what_the_verdict_did(session, red, action, tone):
    assert {line[1] for line in shown(session(red(action=action)))} == {tone}


def test_the_worst_verdict_is_last_and_green_only_with_v(session, red):
    data = session(
        red("t.py::test_a"),
        green(),
        red("t.py::test_b", verdict=Verdict.IMPROVED, action="show", checks=()),
    )
    assert texts(data, is_verbose=True)[1:] == [
        "identical test_it.py::test_same",
        "improved t.py::test_b",
        f"regressed t.py::test_a - {WHY}",
    ]
    assert "identical test_it.py::test_same" not in texts(data)


@pytest.mark.parametrize(("verdict", "n_listed"), [("regressed", 10), ("incomplete", 1)])
def test_of_many_tests_of_one_verdict_some_are_listed_and_all_with_v(
    session, red, verdict, n_listed
):
    tests = [red(f"t.py::test_{i}", verdict=Verdict(verdict)) for i in range(12)]
    listed = [text for text in texts(session(*tests), 200) if text.startswith(f"{verdict} ")]
    assert len(listed) == n_listed
    assert texts(session(*tests), 200)[-1] == (
        f"... and {12 - n_listed} more {verdict} (-v lists them)"
    )
    assert len(texts(session(*tests), 200, is_verbose=True)) == 13


def test_a_warning_makes_a_green_test_worth_a_line(session):
    warned = Check("loss", "tail", Verdict.WITHIN, 1.0, 1.0, 0.1, "", warning="few samples")
    data = session(green(checks=(warned,)))
    assert texts(data)[1] == "identical test_it.py::test_same - few samples"


def test_deaths_come_first_and_problems_after_the_tests(session, red):
    data = session(
        red("t.py::test_a"),
        deaths=[
            Death("t.py::test_b", "crashed", "loss 1 at step 2 (n 3)"),
            Death("t.py::test_c", "killed"),
        ],
        notices=["an earlier session left runs without an end: x (killed)"],
        problems=["pytest.db: disk I/O error\nand more of it"],
    )
    assert shown(data)[0] == ("an earlier session left runs without an end: x (killed)", "yellow")
    assert shown(data)[1:3] == [
        ("crashed t.py::test_b - last records: loss 1 at step 2 (n 3)", "red"),
        ("killed t.py::test_c", "red"),
    ]
    assert shown(data)[-2:] == [("pytest.db: disk I/O error", "red"), ("and more of it", "red")]


def test_files_are_said_to_be_written_pruned_and_in_need_of_it(session):
    data = session(
        written={"__baselines__/a.json": 2},
        removed={"__baselines__/b.json": ["test_old"]},
        unused={"__baselines__/c.json": [f"t{i}" for i in range(11)]},
    )
    first = ", ".join(f"t{i}" for i in range(10))
    assert shown(data, 120) == [
        ("wrote __baselines__/a.json: 2 of its tests; review and commit it", ""),
        ("removed from __baselines__/b.json, having no test: test_old", ""),
        (f"__baselines__/c.json has entries without a test: {first}, ...", "yellow"),
        ("to remove them: sgtrack prune", ""),
    ]


@pytest.mark.parametrize("verdict", [Verdict.NO_BASELINE, Verdict.NEW_METRIC])
def test_what_an_update_settled_is_counted_and_not_listed(session, red, verdict):
    test = red(verdict=verdict, action="warn", checks=())
    assert texts(session(test))[1:] == [f"{verdict} {test.nodeid}"]
    written = session(test, written={"a.json": 1})
    assert texts(written, is_verbose=True) == [
        f"1 test compared: 1 {verdict}",
        "wrote a.json: 1 of its tests; review and commit it",
    ]


def test_a_suggestion_is_its_purpose_and_its_command(session):
    command = f"sgtrack accept {' '.join(f'tests/test_{i}.py' for i in range(20))}"
    data = session(suggestions=[("to accept what changed", command)])
    assert texts(data) == [f"to accept what changed: {command}"]


# How it is laid out


def test_what_is_too_long_hangs_by_two_and_keeps_its_tone(session, red):
    check = Check("loss", "tail", Verdict.REGRESSED, 1, 2, 0, f"loss: {WORDS}")
    test = red("t.py::test_a", checks=(check,), notes=(WORDS,))
    data = session(test, problems=[f"pytest.db: {WORDS}"])
    assert shown(data, 40)[1:] == [
        ("regressed t.py::test_a - loss: expected", "red"),
        ("  much more of this run than it gave", "red"),
        ("  after all", "red"),
        ("  expected much more of this run than it", ""),
        ("    gave after all", ""),
        ("pytest.db: expected much more of this", "red"),
        ("  run than it gave after all", "red"),
    ]


def test_a_node_id_with_spaces_stays_whole_and_so_do_commands_in_backquotes(session, red):
    nodeid = "tests/test_it.py::test_train[a long name of a parameter]"
    check = Check(
        "m", "tail", Verdict.REGRESSED, 1, 2, 0, "m: wrong; `sgtrack recover --dir x` helps"
    )
    data = session(
        red(nodeid, checks=(check,)), unused={"my base.json": ["test_a[1 2]", "test_b[3 4]"]}
    )
    assert texts(data, 30) == [
        "1 test compared: 1 regressed",
        f"regressed {nodeid}",
        "  - m: wrong;",
        "  `sgtrack recover --dir x`",
        "  helps",
        "my base.json has entries",
        "  without a test: test_a[1 2],",
        "  test_b[3 4]",
        "to remove them: sgtrack prune",
    ]


names = st.text("ab [`", min_size=1, max_size=30)
checks = st.builds(
    Check,
    metric=names,
    statistic=names,
    verdict=st.sampled_from(Verdict),
    baseline=st.none(),
    current=st.none(),
    allowance=st.none(),
    message=names,
    warning=names,
)
tests = st.builds(
    TestReport,
    nodeid=names,
    verdict=st.sampled_from(Verdict),
    action=st.sampled_from(ACTIONS),
    checks=st.lists(checks, max_size=2),
    notes=st.lists(names, max_size=1),
)
reports = st.builds(
    ReportData,
    created_at=st.just(0.0),
    experiment=st.just(""),
    database=st.just(""),
    tests=st.lists(tests, max_size=4),
    problems=st.lists(names, max_size=2),
    unused=st.dictionaries(names, st.lists(names, min_size=1, max_size=3), max_size=1),
    suggestions=st.lists(st.tuples(names, names), max_size=1),
)


@given(reports, st.integers(20, 120), st.booleans())
def test_the_width_changes_where_lines_end_and_nothing_else(data, width, is_verbose):
    whole = texts(data, 10**6, is_verbose)
    narrow = texts(data, width, is_verbose)
    assert "".join(narrow).split() == [] or "".join("".join(narrow).split()) == "".join(
        "".join(whole).split()
    )
    if all(len(line) <= width for line in whole):
        assert narrow == whole
    for test in data.tests:
        if any(f"{test.verdict} {test.nodeid}" in line for line in whole):
            assert any(f"{test.verdict} {test.nodeid}" in line for line in narrow)


@given(st.lists(st.text("abc", min_size=1, max_size=8), min_size=1, max_size=40))
def test_prose_is_no_wider_than_the_width(words):
    data = ReportData(0, "", "", problems=[" ".join(words)])
    assert max(map(len, texts(data, 30))) <= 30


def test_what_would_steer_the_terminal_is_shown_as_an_escape(session, red):
    text = "\n".join(texts(session(red("t.py::test_\x1b[31m\u200f")), 200))
    assert "\x1b" not in text
    assert r"t.py::test_\x1b[31m\u200f" in text


# One test


def test_the_story_of_one_test_has_everything(everything):
    assert one_test(everything.tests[0], 120).splitlines() == [
        r"missing_metric test_x.py::test_y[</script>-a::b|`c`-@all-#1-\n-\u200f-\x1b[31m-ü]",
        "  val/acc: not recorded by this run; the baseline has tail 0.375",
        "  loss: n_nan went from 0 to 1; more non-finite records than in the baseline",
        "  loss: last",
        "  graph: 2 nodes added",
        "  added: parameter 'g' [2]",
        "  added: scale [4, 8]",
        "  earlier attempts: regressed",
        "",
        "metric    statistic      baseline    current    change    allowed  verdict",
        "--------  -----------  ----------  ---------  --------  ---------  --------------",
        "loss      tail                0.5       0.75  +50.00 %      0.025  regressed",
        "loss      n_nan                 0          1        +1          0  non_finite",
        "loss      last                inf        nan                       non_finite",
        "val/acc   tail              0.375                                  missing_metric",
        "lr        last                0.1        0.1   +0.00 %      0.005  within",
        "graph     nodes                 4          6  +50.00 %             graph_changed",
        "",
        "config:",
        "  lr: from 0.05 to 0.1",
        "  clip: null, which the baseline does not have",
        "  opt.momentum: gone, 0.9 in the baseline",
        "",
        "environment:",
        '  python: from "3.11.8" to "3.11.9"',
        "",
        "█▁                    loss: 3 records, lower is better",
        "▁ █                   loss: the tails of 3 runs, the last one is this",
        "                      val/acc: not recorded by this run, higher is better",
        "",
        "baseline:  tests/__baselines__/test_x.json",
        "to accept: sgtrack accept 'tests/test_x.py::test_y[...]'",
    ]


@pytest.mark.parametrize(("n_runs", "said"), [(1, []), (2, ["▁█"])])
def test_a_history_is_drawn_from_two_runs_on(red, n_runs, said):
    history = [PastValue(i, 0.0, float(i), None, None, False) for i in range(n_runs)]
    loss = MetricDetails("loss", Direction.LOWER, None, history=history)
    run = RunDetails(1, "", 0.0, "completed", *[None] * 4, {}, {}, metrics=(loss,))
    drawn = [line for line in one_test(red(run=run), 100).splitlines() if "the tails of" in line]
    assert [line.split()[0] for line in drawn] == said


def test_a_test_of_which_little_is_known_has_a_short_story():
    assert one_test(TestReport("t.py::test_a", None, "pass"), 80) == "not compared t.py::test_a"
    message = "a.json: not JSON"
    check = Check("", "", Verdict.UNREADABLE_BASELINE, None, None, None, message)
    test = TestReport("t.py::test_a", check.verdict, "fail", checks=(check,), baseline="a.json")
    assert one_test(test, 80).splitlines() == [
        "unreadable_baseline t.py::test_a",
        f"  {message}",
        "",
        "baseline:  a.json",
    ]
