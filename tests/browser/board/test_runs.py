"""The table of runs: searched, sorted, grouped, chosen, deleted."""

from __future__ import annotations

import pytest

from tracking.model import Verdict


def shown(page):
    return page.locator(".runs tbody .run-link .own").all_inner_texts()


@pytest.fixture
def table(open_board, board):
    """The table of twelve runs of three tests."""
    for k in range(12):
        verdict = Verdict.REGRESSED if k == 4 else Verdict.WITHIN
        board.add(f"tests/test_it.py::test_{k % 3}", verdict=verdict, duration_s=100 - k, n=5 + k)
    page = open_board()
    page.locator(".run-link").first.wait_for()
    return page


def test_the_newest_stands_first_with_all_there_is_to_say(table):
    assert shown(table) == [f"test_{k % 3}" for k in range(11, -1, -1)]
    assert table.title() == "pytest · sg-track board"
    row = table.locator(".runs tbody tr").first.inner_text()
    for text in ("tests/test_it.py::test_2", "12", "within", "passed", "1 min 29 s", "00000000"):
        assert text in row
    assert "12 of 12 runs" in table.locator(".list-status").inner_text()


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("test_1", [11, 8, 5, 2]),
        ("regressed", [5]),
        ("TEST_1 regressed", [5]),
        ("optimizer.name=adam test_0", [10, 7, 4, 1]),
        ("nothing is called this", []),
    ],
)
def test_the_filter_finds_words_of_names_verdicts_and_configs(table, words, numbers):
    table.locator(".list-tools input").first.fill(words)
    found = table.locator("tbody .run-number").all_inner_texts()
    assert list(map(int, found)) == numbers
    assert table.locator(".nothing").count() == (not numbers)


@pytest.mark.parametrize(
    ("title", "first", "last"), [("Run", "test_0", "test_2"), ("Time", "test_0", "test_2")]
)
def test_columns_sort_both_ways(table, title, first, last):
    head = table.locator(".runs thead").get_by_role("button", name=title)
    head.click()
    assert (shown(table)[0], shown(table)[-1]) == (first, last)
    head.click()
    assert (shown(table)[0], shown(table)[-1]) == (last, first)


def test_a_metric_sorts_by_what_it_came_to(table, board):
    tails = {
        run["run_id"]: run["summaries"]["train/loss"]["tail"]
        for run, _ in board.experiments["pytest.db"].values()
    }
    table.locator(".runs thead").get_by_role("button", name="train/loss").click()
    found = [int(one) for one in table.locator("tbody .run-number").all_inner_texts()]
    assert found == sorted(tails, key=tails.__getitem__, reverse=True)


def test_runs_of_a_test_form_a_group_that_opens(table):
    table.get_by_role("button", name="Group by test").click()
    openers = table.locator(".group-opener")
    assert openers.first.inner_text().split() == [
        "tests/test_it.py::test_2",
        "4",
        "runs",
    ]
    assert openers.count() == 3
    assert table.locator(".group .sparkline").count() > 0
    openers.first.press("Enter")
    assert shown(table) == ["test_2"] * 4
    assert openers.first.evaluate("(one) => one === document.activeElement")
    openers.first.press("Enter")
    assert shown(table) == []


def test_two_chosen_runs_can_be_compared(table):
    compare = table.locator("main").get_by_role("link", name="Compare")
    assert compare.is_hidden()
    table.goto("http://board.test/#runs=none")
    table.locator(".runs tbody input").nth(1).check()
    table.locator(".runs tbody input").nth(3).check()
    href = compare.get_attribute("href")
    assert "view=compare" in href
    assert href.endswith("&a=9&b=11")
    assert "runs=11%2C9" in table.url


def test_deleting_names_the_runs_and_asks_first(table, board):
    remove = table.get_by_role("button", name="Delete…")
    assert remove.is_hidden()
    table.goto("http://board.test/#runs=3,5")
    remove.click()
    dialog = table.locator("dialog[open]")
    assert dialog.locator("li").all_inner_texts() == [
        "tests/test_it.py::test_2 run 3",
        "tests/test_it.py::test_1 run 5",
    ]
    dialog.get_by_role("button", name="Keep").click()
    assert len(board.experiments["pytest.db"]) == 12
    remove.click()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    dialog.wait_for(state="hidden")
    assert len(shown(table)) == len(board.experiments["pytest.db"]) == 10
    assert "runs=" not in table.url


def test_a_server_that_only_reads_offers_no_deleting(open_board, board):
    board.add()
    board.config["is_read_only"] = True
    page = open_board("runs=1")
    page.locator(".run-link").first.wait_for()
    assert page.get_by_role("button", name="Delete…").is_hidden()
    assert page.get_by_text("read only").is_visible()


def test_a_thousand_runs_come_page_by_page(open_board, board):
    for _ in range(1_200):
        board.add(n=2)
    page = open_board()
    page.locator(".run-link").first.wait_for()
    assert len(shown(page)) == 200
    assert len(board.questions("/api/list")) == 2
    page.get_by_role("button", name="Show 200 more of 1,000").click()
    assert len(shown(page)) == 400
    page.locator(".list-tools input").first.fill("lr=0.1")
    assert page.locator("tbody .run-number").all_inner_texts() == ["1"]


@pytest.fixture
def large(board):
    """An experiment of which the server lists ten runs of thirty."""
    board.most_listed = 10
    for k in range(30):
        board.add("rare" if k == 3 else "often", n=5)
    return board


def test_of_very_many_runs_the_newest_are_listed_which_is_said(open_board, large):
    page = open_board()
    page.locator(".run-link").first.wait_for()
    assert len(shown(page)) == 10
    assert page.locator(".list-part").inner_text().startswith("The newest 10 of 30 runs;")


def test_a_filter_asks_the_server_for_runs_that_are_not_listed(open_board, large, until):
    page = open_board()
    page.locator(".run-link").first.wait_for()
    page.locator(".list-tools input").first.fill("rare")
    until(page, lambda: page.locator("tbody .run-number").all_inner_texts() == ["4"])
    page.locator(".list-tools input").first.fill("")
    until(page, lambda: len(shown(page)) == 11)


def test_a_run_that_the_address_names_is_found_wherever_it_is(open_board, large, until):
    page = open_board("view=curves&runs=4,99", is_quiet=False)
    page.locator(".metric canvas").first.wait_for()
    assert page.locator(".side-runs input:checked").count() == 1
    large.say("runs", n_all=30, is_whole=False, changed=[], removed=[])
    until(page, lambda: len(large.questions("/api/list")) > 1)
    assert page.locator(".side-runs input:checked").count() == 1


def test_a_list_that_is_whole_asks_for_nothing_more(open_board, board, until):
    board.add("one")
    page = open_board()
    page.locator(".run-link").first.wait_for()
    page.locator(".list-tools input").first.fill("other")
    until(page, lambda: page.locator(".nothing").count() == 1)
    page.wait_for_timeout(400)
    assert len(board.questions("/api/list")) == 1
    assert page.locator(".list-part").is_hidden()
