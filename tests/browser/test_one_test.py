"""What the page shows of one test, and the controls of its charts."""

from __future__ import annotations

import math
from dataclasses import replace
from urllib.parse import quote

import pytest

from tracking.model import Verdict
from tracking.regression import Check
from tracking.report.data import Curve, ReportData

ON_SCREEN = "(canvas) => canvas.toDataURL()"


def report(*tests):
    return ReportData(created_at=1.76e9, experiment="e", database="e.db", tests=tests)


@pytest.fixture
def open_test(open_page):
    """Opens the report of one test at that test."""

    def open_test(test, **options):
        return open_page(report(test), f"test={quote(test.nodeid)}", **options)

    return open_test


@pytest.fixture
def red(session_report):
    return session_report.tests[0]


@pytest.fixture
def loss(open_test, red):
    """The card of the first metric of a page, with its chart drawn."""
    card = open_test(red).locator(".metric").first
    card.locator("canvas").wait_for()
    return card


def picture(card):
    return card.locator("canvas").evaluate(ON_SCREEN)


def until(page, condition):
    """Wait until a condition holds: what is drawn comes a frame after what was asked."""
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(20)
    pytest.fail("it did not come to that")


def hover(card, step, n):
    """Go to a step of a curve of `n`; return what is said there, by line."""
    over = card.locator(".u-over")
    over.hover(position={"x": over.bounding_box()["width"] * step / (n - 1), "y": 50})
    until(card.page, lambda: told(card).get("step") == str(step))
    return told(card)


def told(card):
    lines = card.locator(".tip > div").all_inner_texts()
    return dict(line.split("\n") for line in lines if "\n" in line)


def drag(card, start, end):
    box = card.locator(".u-over").bounding_box()
    y = box["y"] + box["height"] / 2
    mouse = card.page.mouse
    mouse.move(box["x"] + box["width"] * start, y)
    mouse.down()
    mouse.move(box["x"] + box["width"] * end, y, steps=4)
    mouse.up()


def test_a_test_tells_its_whole_story(open_test, red):
    page = open_test(red)
    text = page.locator("main").inner_text()
    for expected in (
        red.message,
        red.accept_command,
        "failed in call · 1.24 s",
        "tests/models/test_transformer.py:12",
        "run 42",
        "the seed of this run is one that the baseline has",
        "2 of 5 images: a report has room for 3 of a test",
        "the quick brown fox",
    ):
        assert expected in text
    rows = page.locator(".test .plain").first.locator("tbody tr:not(.note)")
    assert rows.count() == len(red.checks)
    cells = rows.first.locator("td").all_inner_texts()
    assert cells[:2] == ["regressed", "loss tail"]
    assert cells[5] == "+0.05"


def test_a_check_says_all_its_lines(open_test, make_test):
    said = ("graph: 2 nodes added", ("added: parameter 'g' [2]", "added: <b>scale</b> [4]"))
    check = Check("graph", "nodes", Verdict.GRAPH_CHANGED, 4, 6, None, said[0], details=said[1])
    page = open_test(make_test(verdict=Verdict.GRAPH_CHANGED, action="fail", checks=(check,)))
    assert page.locator("tr.note div").all_text_contents() == list(said[1])


def test_differences_are_shown_and_all_on_demand(open_test, red):
    card = open_test(red).locator(".card", has_text="Config")
    assert card.locator("tbody tr").count() == 2
    assert card.locator("tbody tr").first.inner_text().split() == ["lr", "0.05", "0.1"]
    card.get_by_label("all").check()
    names = card.locator("td:first-child").all_inner_texts()
    assert names == ["lr", "optimizer.beta", "optimizer.name", "batch"]


def test_dragging_zooms_and_the_button_resets(loss):
    whole = picture(loss)
    reset = loss.get_by_role("button", name="Reset zoom")
    assert reset.is_hidden()
    drag(loss, 0.2, 0.5)
    reset.wait_for()
    until(loss.page, lambda: picture(loss) != whole)
    reset.click()
    reset.wait_for(state="hidden")
    until(loss.page, lambda: picture(loss) == whole)


def test_the_axis_turns_logarithmic_and_back(loss):
    linear = picture(loss)
    button = loss.get_by_role("button", name="Log")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    until(loss.page, lambda: picture(loss) != linear)
    button.click()
    until(loss.page, lambda: picture(loss) == linear)


def test_points_that_a_log_axis_cannot_show_are_counted(open_test, make_test, make_run, metric):
    values = [1.0, 0.0, -1.0, *[2.0] * 20]
    test = make_test(run=make_run(metrics=[metric("x", values=values)]))
    card = open_test(test).locator(".metric")
    card.get_by_role("button", name="Log").click()
    assert "2 points at or below 0 cannot be shown on a log axis." in card.inner_text()


def test_smoothing_is_drawn_over_the_raw_line_and_stays_in_the_address(loss):
    raw = picture(loss)
    loss.page.locator("#smoothing").fill("0.9")
    until(loss.page, lambda: picture(loss) != raw)
    assert "smooth=0.9" in loss.page.url
    assert "smoothed" in hover(loss, 40, 160)


def test_hovering_tells_the_values_of_all_lines(loss, red):
    metric = red.run.metrics[0]
    step = 80
    lines = hover(loss, step, 160)
    assert float(lines["this run"]) == pytest.approx(metric.curve.values[step], rel=1e-5)
    assert lines["accepted"].startswith(f"{metric.band.low[step]:.6g}")
    assert {"baseline tail", "baseline mean"} <= lines.keys()
    loss.page.mouse.move(0, 0)
    loss.locator(".tip").wait_for(state="hidden")


@pytest.mark.parametrize("has_clipboard", [True, False])
def test_the_accept_command_can_be_copied(open_test, red, has_clipboard):
    broken = "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
    page = open_test(
        red,
        before=None if has_clipboard else broken,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page.evaluate(
        "document.addEventListener('copy', () => { window.copied = String(getSelection())"
        " || document.activeElement.value; })"
    )
    page.locator(".accept button").click()
    page.locator(".accept button", has_text="Copied").wait_for()
    copied = "navigator.clipboard.readText()" if has_clipboard else "window.copied"
    assert page.evaluate(copied) == red.accept_command


def test_the_numbers_behind_a_curve_are_there(loss, red):
    loss.locator("summary").click()
    tables = loss.locator(".numbers table")
    tables.first.wait_for()
    assert tables.count() == 4
    summary = red.run.metrics[0].summary
    rows = [row.inner_text().split("\t") for row in tables.first.locator("tbody tr").all()]
    tail = next(row for row in rows if row[0] == "tail")
    assert tail[1] == f"{summary.tail:.6g}"
    assert tables.nth(2).locator("tbody tr").count() == summary.n


def test_the_history_tells_runs_commits_and_what_was_accepted(loss):
    points = loss.locator(".strip .past")
    assert points.count() == 15
    said = points.nth(1).locator("title").text_content()
    assert "run 2," in said
    assert said.endswith("within · accepted · commit 000000000000")
    assert loss.locator(".strip .ring").count() == 4


def test_steps_of_images_and_histograms_can_be_walked(open_test, red):
    page = open_test(red)
    for kind, steps in (("images", "0"), ("histograms", "0")):
        card = page.locator(f".cards-{kind} .card").first
        shown = "(card) => card.querySelector('img')?.src ?? card.querySelector('svg').innerHTML"
        before = card.evaluate(shown)
        card.locator("input").fill(steps)
        assert card.locator("output").inner_text() == "step 0"
        assert card.evaluate(shown) != before
    picture = page.locator(".cards-images img").first
    assert picture.evaluate("(one) => [one.naturalWidth, one.width]") == [16, 224]


def test_values_that_are_not_finite_are_said_and_drawn(open_test, make_test, make_run, metric):
    values = [1.0] * 30
    clean = metric("y", values=values)
    values[3:6] = math.nan, math.inf, -math.inf
    test = make_test(run=make_run(metrics=[metric("x", values=values), clean]))
    first, second = open_test(test).locator(".metric").all()
    assert "1 NaN · 2 infinite" in first.inner_text()
    first.locator("canvas").wait_for()
    second.locator("canvas").wait_for()
    until(first.page, lambda: picture(first) != picture(second))
    seen = {hover(first, step, 30)["this run"] for step in (3, 4, 5)}
    assert seen == {"NaN", "Infinity", "-Infinity"}


@pytest.mark.parametrize(
    "values",
    [
        [math.nan] * 5,
        [math.inf],
        [3.0],
        [0.0] * 9,
        [1e308, -1e308, 1e308],
        [5e-324, 0.0, 5e-324],
        [1e200, 1e-200],
    ],
    ids=str,
)
def test_odd_curves_are_drawn_all_the_same(open_test, make_test, make_run, metric, values):
    test = make_test(run=make_run(metrics=[metric("x", values=values, n_accepted=0)]))
    card = open_test(test).locator(".metric")
    card.locator("canvas").wait_for()
    card.get_by_role("button", name="Log").click()
    card.locator(".u-over").hover(position={"x": 5, "y": 50})
    card.locator(".tip", has_text="this run").wait_for()


@pytest.mark.parametrize(
    "steps", [[0, 0, 1, 1, 1], [5] * 5, [-(2**63), -1, 0, 1, 2**63 - 1]], ids=str
)
def test_repeated_and_far_steps_are_drawn(open_test, make_test, make_run, metric, steps):
    curve = Curve(5, steps, [1.0, 2.0, math.nan, 3.0, 1.5])
    test = make_test(run=make_run(metrics=[replace(metric(n_accepted=0), curve=curve)]))
    card = open_test(test).locator(".metric")
    card.locator("canvas").wait_for()
    card.locator(".u-over").hover(position={"x": 200, "y": 50})
    card.locator(".tip", has_text="this run").wait_for()
    card.locator("summary").click()
    rows = card.locator('[aria-label="Points"] tbody tr')
    rows.first.wait_for()
    points = rows.all_inner_texts()
    assert [point.split()[1] for point in points] == ["1", "2", "NaN", "3", "1.5"]


def test_a_test_without_a_baseline_shows_its_curve(
    open_test, make_test, make_run, metric, check_of
):
    alone = replace(metric(), baseline=(), band=None, history=())
    check = replace(
        check_of(metric()),
        verdict=Verdict.NO_BASELINE,
        baseline=None,
        allowance=None,
        message="loss: no baseline; this run gave tail 0.13",
    )
    test = make_test(
        verdict=Verdict.NO_BASELINE, action="warn", checks=[check], run=make_run(metrics=[alone])
    )
    page = open_test(test)
    page.locator(".metric canvas").wait_for()
    assert check.message in page.locator("main").inner_text()
    cells = page.locator(".test .plain td").all_inner_texts()
    assert [cells[2], *cells[4:6]] == ["\N{EN DASH}"] * 3


def test_a_metric_without_a_curve_says_why(open_test, make_test, make_run, metric):
    missing = replace(metric("gone"), summary=None, curve=None, band=None)
    no_room = replace(metric("large"), curve=None, band=None)
    gone, large = (
        open_test(make_test(run=make_run(metrics=[missing, no_room]))).locator(".metric").all()
    )
    assert "This run recorded no such metric." in gone.inner_text()
    assert "The report has no room for this curve." in large.inner_text()


def test_a_test_whose_run_is_unknown_shows_its_checks(open_test, make_test, metric, check_of):
    page = open_test(make_test(checks=[check_of(metric())], run=None))
    text = page.locator("main").inner_text()
    assert "its run is not in it" in text
    assert page.locator(".test .plain tbody tr").count() == 1


def test_a_million_points_are_drawn_at_once(open_test, make_test, make_run, metric):
    import numpy as np

    values = np.sin(np.arange(1_000_000) / 50_000) + 2
    long = metric(values=values, n_accepted=0)
    page = open_test(make_test(run=make_run(metrics=[long])))
    page.locator(".metric canvas").wait_for()
    assert "of 1,000,000 points" in page.locator(".metric .facts").inner_text()
    assert page.evaluate("document.getElementById('report-data').textContent.length") < 1_000_000
    drawn_ms = page.evaluate("performance.getEntriesByName('sgtrack:chart')[0].startTime")
    assert drawn_ms < 3_000
