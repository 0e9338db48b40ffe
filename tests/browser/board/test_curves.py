"""The curves of many runs, over each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

ON_SCREEN = "(canvas) => canvas.toDataURL()"


def card(page, metric):
    return page.locator(f'.metric[aria-label="{metric}"]')


def picture(one):
    return one.locator("canvas").first.evaluate(ON_SCREEN)


@pytest.fixture
def curves(open_board, board):
    """The curves of three runs of one metric each."""

    def curves(fragment="", **series):
        for values in series.values():
            board.add(f"test_{len(board.experiments['pytest.db'])}", curves={"loss": values})
        page = open_board(f"view=curves&{fragment}")
        page.locator(".metric canvas").first.wait_for()
        return page

    return curves


@pytest.fixture
def hover(until):
    """Goes to a place of a chart; returns what is said there."""

    def hover(one, share, y=0.5):
        over = one.locator(".u-over")
        while (box := over.bounding_box()) is None:  # it is being drawn anew
            over.wait_for()
        over.hover(position={"x": box["width"] * share, "y": box["height"] * y})
        until(one.page, lambda: one.locator(".tip").is_visible())
        return [line.split("\n") for line in one.locator(".tip > div").all_inner_texts()]

    return hover


def test_metrics_have_a_chart_each_in_groups(open_board, board):
    board.add()
    board.add(curves={"lr": [0.1, 0.2]})
    page = open_board("view=curves")
    page.locator("canvas").first.wait_for()
    groups = [one.split() for one in page.locator(".metric-group summary").all_inner_texts()]
    assert groups == [["Metrics", "1"], ["train", "2"], ["val", "1"]]
    page.get_by_label("Filter metrics").fill("TRAIN acc")
    assert page.locator(".metric h3").all_inner_texts() == ["train/accuracy"]
    page.get_by_label("Filter metrics").fill("nothing")
    assert "No metric is like that" in page.locator("main").inner_text()


def test_the_newest_runs_are_chosen_and_boxes_choose_others(open_board, board, until):
    for _ in range(12):
        board.add(n=5)
    page = open_board("view=curves")
    page.locator("canvas").first.wait_for()
    facts = card(page, "val/loss").locator(".card-head .muted")
    until(page, lambda: facts.inner_text() == "10 runs")
    page.locator(".side-runs input").first.uncheck()
    until(page, lambda: facts.inner_text() == "9 runs")
    assert "runs=11%2C10" in page.url
    page.get_by_role("button", name="None").click()
    assert "No run is chosen" in page.locator("main").inner_text()
    page.get_by_role("button", name="Newest").click()
    until(page, lambda: facts.inner_text() == "10 runs")


def test_one_question_asks_for_all_runs_and_only_for_new_ones(open_board, board, until):
    for _ in range(4):
        board.add(n=5, curves={"loss": [1, 2]})
    page = open_board("view=curves&runs=1,2,3")
    page.locator("canvas").first.wait_for()
    until(page, lambda: len(board.questions("/api/curves")) == 1)
    page.locator(".side-runs input").first.check()
    until(page, lambda: len(board.questions("/api/curves")) == 2)
    assert [one["runs"] for one in board.questions("/api/curves")] == [["1,2,3"], ["4"]]


def test_a_tip_has_the_values_of_all_runs_the_largest_first(curves, hover):
    page = curves(a=[1.0] * 11, b=[3.0] * 11, c=[2.0] * 11)
    lines = hover(card(page, "loss"), 0.5)
    assert lines[0] == ["step", "5"]
    assert [(label, float(value)) for label, value in lines[1:]] == [
        ("test_1 · 2", 3),
        ("test_2 · 3", 2),
        ("test_0 · 1", 1),
    ]


def test_a_click_on_a_line_has_its_run_stand_out_everywhere(curves, until):
    page = curves(a=[1.0] * 11, b=[3.0] * 11, c=[2.0] * 11)
    one = card(page, "loss")
    until(page, lambda: one.locator(".card-head .muted").inner_text() == "3 runs")
    before = picture(one)
    box = one.locator(".u-over").bounding_box()
    one.locator(".u-over").click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    pinned = page.locator(".side-runs .is-pinned")
    pinned.wait_for()
    assert "test_2" in pinned.inner_text()
    until(page, lambda: picture(one) != before)
    pinned.get_by_role("button").click()
    pinned.wait_for(state="hidden")
    page.mouse.move(0, 0)
    until(page, lambda: picture(one) == before)


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ("step", ["step", "5"]),
        ("relative", ["after", "2.5 s"]),
        ("metric:lr", ["lr", "0.5"]),
    ],
)
def test_the_axis_is_of_steps_times_or_another_metric(open_board, board, hover, until, axis, said):
    board.add(curves={"loss": np.linspace(3, 1, 11), "lr": np.linspace(0, 1, 11)})
    page = open_board("view=curves&metrics=loss")
    page.locator("canvas").first.wait_for()
    page.get_by_label("Horizontal axis").select_option(axis)
    one = card(page, "loss")
    until(page, lambda: one.locator("canvas").count() == 1 and hover(one, 0.5)[0] == said)


def test_the_axis_of_wall_time_says_dates(open_board, board, hover):
    board.add(curves={"loss": [1.0] * 11})
    page = open_board("view=curves&x=wall")
    page.locator("canvas").first.wait_for()
    assert "2025" in hover(card(page, "loss"), 0.5)[0][1]


def test_smoothing_and_a_log_axis_are_drawn_and_stay_in_the_address(curves, until):
    page = curves(a=[1.0, 9.0] * 20, b=[2.0, 0.0] * 20)
    one = card(page, "loss")
    until(page, lambda: one.locator(".card-head .muted").inner_text() == "2 runs")
    raw = picture(one)
    page.locator("#smoothing").fill("0.9")
    until(page, lambda: picture(one) != raw)
    assert "smooth=0.9" in page.url
    smooth = picture(one)
    page.get_by_role("button", name="Log").click()
    until(page, lambda: picture(one) != smooth)
    assert "log=1" in page.url
    assert "20 points at or below 0 cannot be shown" in one.inner_text()


def test_zooming_fetches_more_of_what_was_thinned(open_board, board, until):
    board.add(curves={"loss": np.sin(np.arange(40_000) / 900)})
    page = open_board("view=curves")
    page.locator("canvas").first.wait_for()
    one = card(page, "loss")
    until(page, lambda: one.locator(".card-head .muted").inner_text() == "1 run")
    before = picture(one)
    box = one.locator(".u-over").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, y, steps=4)
    page.mouse.up()
    reset = one.get_by_role("button", name="Reset zoom")
    reset.wait_for()
    until(page, lambda: len(board.questions("/api/curves")) == 2)
    asked = board.questions("/api/curves")[-1]
    assert 10_000 < int(asked["start"][0]) < 16_000
    assert 24_000 < int(asked["end"][0]) < 30_000
    until(page, lambda: picture(one) != before)
    page.mouse.move(0, 0)
    reset.click()
    reset.wait_for(state="hidden")
    until(page, lambda: picture(one) == before)


def test_values_that_are_not_finite_are_drawn_in_the_colour_of_their_run(curves, hover):
    page = curves(a=[1.0, math.nan, 1.0, 1.0], b=[2.0, 2.0, math.inf, 2.0])
    lines = hover(card(page, "loss"), 1 / 3)
    assert dict(line for line in lines if len(line) == 2)["test_0 · 1"] == "NaN"
    lines = hover(card(page, "loss"), 2 / 3)
    assert dict(line for line in lines if len(line) == 2)["test_1 · 2"] == "Infinity"


def test_runs_of_one_test_stand_before_what_was_accepted(
    open_board, board, until, hover, make_test, make_run, metric, check_of
):
    import json

    from tracking.report import json_report
    from tracking.report.data import ReportData

    loss = metric("loss", n_max=200)
    test = make_test("test_it", checks=[check_of(loss)], run=make_run(metrics=[loss]))
    report = ReportData(created_at=0, experiment="e", database="e.db", tests=[test])
    board.details["test_it"] = {"report": json.loads(json_report.dump(report))}
    for _ in range(2):
        board.add("test_it", curves={"loss": [0.2] * 160})
    board.add("another", curves={"loss": [0.2] * 160})
    page = open_board("view=curves&runs=3")
    page.locator("canvas").first.wait_for()
    assert not board.questions("/api/runs/2/details")
    page.goto("http://board.test/#view=curves&runs=1,2")
    one = card(page, "loss")
    until(page, lambda: one.locator(".card-head .muted").inner_text() == "2 runs")
    until(page, lambda: "accepted" in dict(hover(one, 0.5)))
    assert "baseline tail" in dict(hover(one, 0.5))
    assert not board.questions("/api/runs/1/details")


def test_two_hundred_runs_are_drawn_over_each_other(open_board, board, until):
    for k in range(200):
        board.add(curves={"loss": np.sin(np.arange(1_000) / (50 + k))})
    page = open_board("view=curves&runs=" + ",".join(str(k + 1) for k in range(200)))
    facts = card(page, "loss").locator(".card-head .muted")
    until(page, lambda: facts.inner_text() == "200 runs")
    asked = board.questions("/api/curves")
    assert len(asked) == 2
    assert {int(one["points"][0]) for one in asked} == {300}
    box = card(page, "loss").locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    until(page, lambda: card(page, "loss").locator(".tip").is_visible())
    assert "and 188 more" in card(page, "loss").locator(".tip").inner_text()
