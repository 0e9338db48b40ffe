"""The page as a whole: safe whatever it shows, for every reader, in every light and width."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest

from tracking.model import Verdict
from tracking.report.data import Change, Death, ReportData, Text

HOSTILE = {
    "image": "<img src=x onerror=alert(1)>",
    "script": "</script><script>alert(1)</script>",
    "comment": "<!--<script>",
    "template": "${alert(1)}{{7*7}}",
    "link": "javascript:alert(1)",
    "turned": "\u202eabc\u2066",
    "right to left": "שלום עולם",
    "lines": "a\nb\tc\u2028d",
    "control": "\x1b[31m\x00",
    "half a pair": "\ud83d",
    "long": "x" * 10_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_names_and_texts_stay_text(
    open_page, make_test, make_run, metric, check_of, make_graph, text
):
    shown = metric(text)
    graph = make_graph(1)
    graph["nodes"][0]["label"] = text
    test = make_test(
        f"tests/{text}.py::test[{text}]",
        Verdict.REGRESSED,
        "fail",
        checks=[replace(check_of(shown, verdict=Verdict.REGRESSED), message=text, warning=text)],
        notes=[text],
        accept_command=text,
        baseline=text,
        run=make_run(
            metrics=[shown],
            config={text: {text: text}},
            config_changes=[Change(text, text, {text: text})],
            texts=[Text(text, 0, text)],
            graphs=[graph],
            left_out=[text],
        ),
    )
    data = ReportData(
        created_at=0,
        experiment=text,
        database=text,
        environment={text: text},
        tests=[test],
        deaths=[Death(text, text, text)],
        problems=[text],
        written={text: 1},
        unused={text: [text]},
        suggestions=[(text, text)],
    )
    page = open_page(data)
    page.locator(".session summary").click()
    page.locator("a.test-link").click()
    page.locator(".metric .chart").scroll_into_view_if_needed()
    page.locator(".metric canvas").wait_for()
    page.locator(".metric summary").click()
    assert (
        page.locator("body img, body script:not([id]):not(:last-of-type), a[href^=java]").count()
        == 0
    )
    assert page.locator("pre").text_content() == text
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_system_chooses_light_or_dark_until_the_reader_does(open_page, session_report, scheme):
    page = open_page(session_report, color_scheme=scheme)
    background = "getComputedStyle(document.body).backgroundColor"
    system = page.evaluate(background)
    assert (system == "rgb(14, 17, 22)") == (scheme == "dark")
    page.locator("#theme").click()
    chosen = page.evaluate(background)
    assert chosen != system
    page.reload()
    assert page.evaluate(background) == chosen


def test_charts_follow_the_theme(open_page, session_report):
    fragment = f"test={quote(session_report.tests[0].nodeid)}"
    page = open_page(session_report, fragment, color_scheme="light")
    canvas = page.locator(".metric canvas").first
    canvas.wait_for()
    light = canvas.evaluate("(one) => one.toDataURL()")
    page.locator("#theme").click()
    drawn = "([canvas, light]) => canvas.toDataURL() !== light"
    page.wait_for_function(drawn, arg=[canvas.element_handle(), light])


@pytest.mark.parametrize("width", [380, 800, 1180, 1600])
def test_nothing_is_wider_than_the_window(open_page, session_report, width):
    page = open_page(session_report, width=width)
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    page.locator("a.test-link").first.click()
    assert page.evaluate(fits)
    assert page.locator(".list").is_visible() == (width >= 1180)


def test_charts_are_drawn_when_they_come_near_and_all_for_print(
    open_page, make_test, make_run, metric
):
    metrics = [metric(f"m{k}", n_max=50) for k in range(30)]
    test = make_test(run=make_run(metrics=metrics))
    data = ReportData(created_at=0, experiment="e", database="e.db", tests=[test])
    page = open_page(data, f"test={quote(test.nodeid)}", width=380)
    page.locator("canvas").first.wait_for()
    assert page.locator("canvas").count() < 6
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("canvas").count() == 30


@pytest.mark.parametrize("place", ["list", "test"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 380)])
def test_axe_finds_nothing_serious(
    open_page, session_report, serious_findings, scheme, place, width
):
    fragment = f"test={quote(session_report.tests[0].nodeid)}" if place == "test" else ""
    page = open_page(session_report, fragment, width=width, color_scheme=scheme)
    for disclosure in (".session", ".metric:first-child", ".cards-graphs"):
        summary = page.locator(f"{disclosure} summary")
        if summary.is_visible():
            summary.click()
    assert serious_findings(page) == []
