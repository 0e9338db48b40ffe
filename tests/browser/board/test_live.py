"""What the server says of its own accord, and what the page makes of it."""

from __future__ import annotations

import pytest


@pytest.fixture
def running(open_board, board, until):
    """The curve of a run that goes on."""
    run = board.add("going", curves={"loss": [3.0, 2.0]}, status="running", verdict=None)
    page = open_board("view=curves")
    page.locator(".metric canvas").first.wait_for()
    until(page, lambda: page.locator(".connection").inner_text() == "live")
    return page, run


def told(page):
    over = page.locator(".metric .u-over").first
    box = over.bounding_box()
    over.hover(position={"x": box["width"] - 2, "y": 40})
    return page.locator(".metric .tip").first.inner_text().split("\n")


def records(run, steps, values):
    series = {"n_new": len(steps), "steps": steps, "values": values, "times": [2e9] * len(steps)}
    return {"run": run["uuid"], "metrics": {"loss": series}}


def test_points_of_a_run_appear_without_another_question(running, board, until):
    page, run = running
    n_asked = len(board.asked)
    board.say("records", **records(run, [2, 3], [1.0, 0.5]))
    until(page, lambda: told(page)[:2] == ["step", "3"])
    assert told(page)[-1] == "0.5"
    assert len(board.asked) == n_asked


def test_what_is_said_of_another_experiment_is_not_heard(running, board, until):
    page, run = running
    board.say("records", **{**records(run, [9], [1.0]), "database": "other.db"})
    board.say("records", **records(run, [2], [1.0]))
    until(page, lambda: told(page)[:2] == ["step", "2"])


def test_a_first_record_of_a_metric_makes_a_chart(running, board):
    page, run = running
    series = {"n": 1, "n_new": 1, "steps": [0], "values": [1.0], "times": [1.0]}
    board.experiments["pytest.db"][run["uuid"]][1]["new"] = series
    board.say("records", run=run["uuid"], metrics={"new": series})
    page.locator('.metric[aria-label="new"] canvas').wait_for()


def test_a_new_run_appears_and_is_chosen_where_new_ones_are_followed(running, board, until):
    page, _ = running
    fresh = board.add("fresh", curves={"loss": [4.0] * 9})
    board.say("runs", n_all=2, is_whole=True, changed=[fresh], removed=[])
    page.locator(".side-runs li", has_text="fresh").wait_for()
    facts = page.locator(".metric .card-head .muted").first
    until(page, lambda: facts.inner_text() == "2 runs")
    page.get_by_label("Follow new runs").uncheck()
    assert "runs=2%2C1" in page.url
    other = board.add("later", curves={"loss": [4.0] * 9})
    board.say("runs", n_all=3, is_whole=True, changed=[other], removed=[])
    page.locator(".side-runs li", has_text="later").wait_for()
    assert not page.locator(".side-runs li", has_text="later").locator("input").is_checked()


def test_a_run_keeps_its_choice_when_it_gets_its_number(running, board, until):
    page, _ = running
    fresh = board.add("fresh", curves={"loss": [4.0] * 9})
    unnumbered = {**fresh, "run_id": None}
    page.locator(".side-runs input").uncheck()
    page.locator(".side-runs input").check()
    board.say("runs", n_all=2, is_whole=True, changed=[unnumbered], removed=[])
    row = page.locator(".side-runs li", has_text="fresh")
    row.wait_for()
    assert row.locator("input").is_checked()
    assert "new" in row.inner_text()
    board.say("runs", n_all=2, is_whole=True, changed=[fresh], removed=[])
    until(page, lambda: row.locator(".side-facts").inner_text().startswith("2 ·"))
    assert row.locator("input").is_checked()


def test_a_deleted_run_leaves_the_list(running, board):
    page, run = running
    board.say("runs", n_all=0, is_whole=True, changed=[], removed=[run["uuid"]])
    page.locator(".side-runs li").wait_for(state="detached")


def test_more_than_was_fetched_is_loaded_anew(running, board, until):
    page, _ = running
    board.add("unsaid")
    board.say("reload", reason="more has happened than was fetched")
    page.locator(".side-runs li", has_text="unsaid").wait_for()
    until(page, lambda: len(board.questions("/api/curves")) >= 2)


def test_a_lost_connection_is_said_and_made_again(running, board, until):
    page, _ = running
    page.evaluate("sources.at(-1).go()")
    assert page.locator(".connection").inner_text() == "connection lost, trying again"
    board.add("meanwhile")
    until(page, lambda: page.evaluate("sources.length") == 2)
    until(page, lambda: page.locator(".connection").inner_text() == "live")
    page.locator(".side-runs li", has_text="meanwhile").wait_for()


def test_one_connection_follows_the_experiment_that_is_shown(running, board):
    page, _ = running
    board.experiments["second.db"] = {}
    board.add("elsewhere", db="second.db")
    board.say("databases", database=None, available_databases=["pytest.db", "second.db"])
    page.locator("option", has_text="second").wait_for(state="attached")
    page.get_by_label("Experiment").select_option("second.db")
    page.locator(".side-runs li", has_text="elsewhere").wait_for()
    assert page.evaluate("sources.filter((one) => !one.isClosed).map((one) => one.address)") == [
        "/api/live?db=second.db"
    ]
    page.go_back()
    page.locator(".side-runs li", has_text="going").wait_for()
