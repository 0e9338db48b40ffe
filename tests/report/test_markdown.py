"""Reports in Markdown: what is in them, that data stays data, and that they fit."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.model import Direction, Verdict
from tracking.regression import Check
from tracking.report.data import (
    MISSING,
    Change,
    Curve,
    Death,
    MetricDetails,
    PastValue,
    ReportData,
    RunDetails,
    TestReport,
)
from tracking.report.markdown import render
from tracking.report.words import printable
from tracking.summary import summarize

TITLE = ["verdict", "test", "metric", "statistic", "baseline", "current", "change", "trend"]


def text_of(markdown):
    """Return what is read where this is shown: entities and <code> are known, markup is not."""
    return html.unescape(re.sub("</?code>", "", markdown)).replace("\u200b", "")


def without_commands(markdown):
    return re.sub(r"(?s)\n(`{3,})\n.*?\n\1\n", "\n", markdown)


def tables(markdown):
    """Return the tables as lists of rows of texts, without the rows of dashes."""
    found = []
    before = ""
    for line in markdown.split("\n"):
        if line.startswith("| "):
            if not before.startswith("| "):
                found.append([])
            assert line.endswith(" |")
            # Cells have no bar of their own, so that every one parts two cells.
            found[-1].append([text_of(cell) for cell in line[2:-2].split(" | ")])
        before = line
    assert all({"---", "--:"}.issuperset(table[1]) for table in found)
    return [[table[0], *table[2:]] for table in found]


def blocks(markdown):
    return re.findall(r"<details>\n.*?\n</details>", markdown, re.DOTALL)


# What is in it


def test_green_is_a_title(session, red):
    data = session(red(verdict=Verdict.IDENTICAL, action="pass", checks=()))
    assert render(data) == "## sg-track - 1 test compared: 1 identical\n"
    assert render(session()) == "## sg-track - nothing compared\n"


def test_a_red_test_has_a_row_and_all_that_is_to_know(session, red):
    changes = (Change("lr", 0.1, 0.2), Change("seed", MISSING, 1))
    run = RunDetails(1, "", 0.0, "completed", *[None] * 4, {}, {}, changes, changes[:1])
    checks = (*red().checks, Check("acc", "tail", Verdict.WITHIN, 1.0, 1.0, 0.05, ""))
    fields = {"notes": ("earlier attempts: regressed",), "accept_command": "sgtrack accept t.py"}
    data = session(
        red("t.py::test_a", checks=checks, run=run, **fields),
        suggestions=[("to accept what changed", "sgtrack accept t.py")],
    )
    why = "loss: tail went from 0.5 to 0.75 (+50 %); lower is better"
    assert (
        render(data)
        == f"""\
## sg-track - 1 test compared: 1 regressed

| verdict | test | metric | statistic | baseline | current | change | trend |
| --- | --- | --- | --- | --: | --: | --: | --- |
| regressed | <code>t.py::test_a</code> | <code>loss</code> | tail | 0.5 | 0.75 | +50.00 % |  |

<details>
<summary>regressed <code>t.py::test_a</code></summary>

- {why}
- earlier attempts: regressed

| metric | statistic | baseline | current | change | allowed | verdict |
| --- | --- | --: | --: | --: | --: | --- |
| <code>loss</code> | tail | 0.5 | 0.75 | +50.00 % | 0.025 | regressed |
| <code>acc</code> | tail | 1 | 1 | +0.00 % | 0.05 | within |

Config:

- lr: from 0.1 to 0.2
- seed: 1, which the baseline does not have

Environment:

- lr: from 0.1 to 0.2

To accept:

```
sgtrack accept t.py
```

</details>

to accept what changed:

```
sgtrack accept t.py
```
"""
    )


def test_the_worst_is_first_and_only_red_tests_have_details(session, red):
    data = session(
        red("t.py::test_a", verdict=Verdict.IMPROVED, action="show"),
        red("t.py::test_b", verdict=Verdict.NO_BASELINE, action="warn"),
        red("t.py::test_c"),
        red("t.py::test_d", verdict=Verdict.WITHIN, action="pass"),
        red("t.py::test_e", verdict=Verdict.NON_FINITE),
    )
    table, *_ = tables(render(data))
    assert table[0] == TITLE
    assert [row[1][-1] for row in table[1:]] == ["e", "c", "b", "a"]
    assert len(blocks(render(data))) == 2


def test_what_went_wrong_beside_the_tests_is_listed_before_them(session):
    data = session(
        deaths=[Death("t.py::test_a", "crashed", "loss 1 at step 2 (n 3)")],
        problems=["pytest.db: disk I/O error"],
        notices=["3 records of dead processes were recovered"],
        unused={"base.json": [f"t{i}" for i in range(11)]},
    )
    listed = [text_of(line) for line in render(data).splitlines() if line.startswith("- ")]
    entries = ", ".join(f"t{i}" for i in range(10))
    assert listed == [
        "- crashed t.py::test_a - last records: loss 1 at step 2 (n 3)",
        "- pytest.db: disk I/O error",
        "- 3 records of dead processes were recovered",
        f"- base.json has entries without a test: {entries}, ...",
    ]


@pytest.mark.parametrize(
    ("past", "curve", "trend"),
    [
        ((1.0, 2.0, None, 3.0), (3.0, 1.0), "▁▅ █"),
        ((1.0,), (3.0, 1.0), "█▁"),
        ((), (), ""),
    ],
)
def test_the_trend_is_over_runs_and_in_the_run_where_that_is_all(session, red, past, curve, trend):
    history = [PastValue(i, 0.0, value, None, None, False) for i, value in enumerate(past)]
    loss = MetricDetails(
        name="loss",
        direction=Direction.LOWER,
        summary=summarize([0], [1.0]),
        curve=Curve(len(curve), range(len(curve)), curve) if curve else None,
        history=history,
    )
    run = RunDetails(1, "", 0.0, "completed", *[None] * 4, {}, {}, metrics=(loss,))
    assert tables(render(session(red(run=run))))[0][1][-1] == trend


def test_of_very_many_checks_the_worst_are_shown(session, red):
    mild = [Check(f"m{i}", "tail", Verdict.WITHIN, 1.0, 1.0, 0.1, "") for i in range(150)]
    test = red(checks=(*mild, *red().checks))
    _, checks = tables(render(session(test)))
    assert len(checks) == 101
    assert checks[1][0] == "loss"
    assert "... and 51 milder checks" in render(session(test))
    _, checks = tables(render(session(red(checks=(*mild[:99], *red().checks)))))
    assert [row[0] for row in checks[-2:]] == ["m98", "loss"]


def test_a_test_without_numbers_has_no_table_of_them(session):
    check = Check("", "", Verdict.UNREADABLE_BASELINE, None, None, None, "a.json: not JSON")
    test = TestReport("t.py::test_a", check.verdict, "fail", checks=(check,))
    assert tables(render(session(test))) == [
        [TITLE, ["unreadable_baseline", "t.py::test_a", "", "", "", "", "", ""]]
    ]


# Data stays data


def hostile_report(text):
    check = Check(text, "tail", Verdict.REGRESSED, 1.0, 2.0, 0.1, text)
    run = RunDetails(1, "", 0.0, "", *[None] * 4, {}, {}, (Change(text, 1, 2),))
    test = TestReport(text, check.verdict, "fail", checks=(check,), accept_command=text, run=run)
    return ReportData(0.0, "", "", tests=[test], problems=[text], deaths=[Death(text, "killed")])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a&#124;b"),
        ("`a`", "&#96;a&#96;"),
        ("<b>&amp;", "&#60;b&#62;&#38;amp;"),
        ("a\nb", "a&#92;nb"),
        ("@all", "@&#8203;all"),
        ("fixes #1", "fixes #&#8203;1"),
        ("a_b", "a_b"),
        ("__init__", "&#95;&#95;init&#95;&#95;"),
        ("[x](http://y.z)", "&#91;x&#93;(http:&#47;&#47;y.z)"),
        ("www.y.z", "www&#46;y.z"),
        ("~~x~~ *x* $x$", "&#126;&#126;x&#126;&#126; &#42;x&#42; &#36;x&#36;"),
        ("# x", "#&#8203; x"),
        ("1. x", "&#49;&#46; x"),
        ("--- x", "&#45;-- x"),
        (" x", "&#32;x"),
        ("-1.5", "-1.5"),
        ("a\u200fb", "a&#92;u200fb"),
    ],
)
def test_what_is_markup_elsewhere_is_text_here(text, shown):
    assert f"\n- {shown}\n" in render(ReportData(0.0, "", "", problems=[text]))


def test_names_are_in_code_and_can_be_copied(hostile):
    markdown = render(hostile_report(hostile))
    first, *_ = tables(markdown)
    assert first[1][1:3] == [printable(hostile)] * 2
    names = re.findall("<code>(.*?)</code>", markdown)
    assert {html.unescape(name) for name in names} == {printable(hostile)}
    assert not any("\u200b" in html.unescape(name) for name in names)


markup = ("</details>", "<code>", "</code>", "-->", "&amp;", "[x](y)", "http://y.z", "www.y.z")
pieces = st.sampled_from(
    (*" _*`|\\!+-=~$ü\n\r\t\u200f\u2028\ud800", "@all", "#1", "```", "1.", *markup)
)
texts = st.lists(pieces | st.text(min_size=1, max_size=3), min_size=1, max_size=5).map("".join)


@given(texts)
def test_no_text_leaves_its_place(text):
    markdown = without_commands(render(hostile_report(text)))
    shown = printable(text)
    (_, row), checks = tables(markdown)
    assert [row[0], *row[3:7]] == ["regressed", "tail", "1", "2", "+100.00 %"]
    assert row[1:3] == [shown, shown]
    assert checks[1] == [shown, "tail", "1", "2", "+100.00 %", "0.1", "regressed"]
    tags = re.findall("<[^>]*>", markdown)
    assert set(tags) == {
        *("<details>", "</details>", "<summary>", "</summary>", "<code>", "</code>")
    }
    listed = [text_of(line[2:]) for line in markdown.split("\n") if line.startswith("- ")]
    assert listed == [f"killed {shown}", shown, shown, f"{shown}: from 1 to 2"]


@given(st.text("`a\n~", max_size=12))
def test_a_command_is_in_a_fence_that_it_does_not_close(command):
    data = ReportData(0.0, "", "", suggestions=[("to accept", command)])
    _, _, fence, *shown, end, _ = render(data).split("to accept:")[1].split("\n")
    assert fence == end
    assert set(fence) == {"`"}
    assert len(fence) >= 3
    assert fence not in "\n".join(shown)
    assert "\n".join(shown) == printable(command)


# It fits


def many(n):
    return [
        TestReport(
            f"test_ü.py::test_{i:04}",
            Verdict.REGRESSED,
            "fail",
            checks=(Check("loss", "tail", Verdict.REGRESSED, 1.0, 2.0, 0.1, "loss: worse"),),
        )
        for i in range(n)
    ]


def test_what_has_no_room_is_left_out_by_whole_tests_the_mildest_first():
    data = ReportData(0.0, "", "", tests=many(100), problems=["trouble"])
    markdown = render(data, limit_bytes=10_000)
    rows = tables(markdown)[0][1:]
    assert 9_000 < len(markdown.encode()) <= 10_000
    assert [row[1] for row in rows] == [test.nodeid for test in data.tests[: len(rows)]]
    assert len(blocks(markdown)) == len(rows)
    assert markdown.splitlines()[-1] == f"Left out for want of room: {100 - len(rows)} tests."
    assert "\n- trouble\n" in markdown


@given(
    st.integers(0, 30),
    st.lists(st.text(max_size=300), max_size=20),
    st.lists(st.text(max_size=50), max_size=3),
    st.integers(1000, 20_000),
)
def test_a_limit_holds_and_what_fits_is_whole(n, problems, commands, limit):
    suggestions = [("to accept", command) for command in commands]
    data = ReportData(0.0, "", "", tests=many(n), problems=problems, suggestions=suggestions)
    whole = render(data)
    cut = render(data, limit_bytes=limit)
    assert len(cut.encode()) <= limit
    assert (cut == whole) == (len(whole.encode()) <= limit)
    if cut != whole:
        assert cut.splitlines()[-1].startswith("Left out for want of room: ")
