"""The dashboard as a whole: empty, failing, hostile, narrow, for every reader."""

from __future__ import annotations

from pathlib import Path

import pytest

AXE = Path(__file__).parents[3] / "tracking/report/page/node_modules/axe-core/axe.min.js"
HOSTILE = {
    "image": "<img src=x onerror=alert(1)>",
    "script": "</script><script>alert(1)</script>",
    "link": "javascript:alert(1)",
    "turned": "\u202eabc\u2066",
    "lines": "a\nb\tc\u2028d",
    "comma": "a,b&c=d#e",
    "long": "x" * 5_000,
}
VIEWS = ["runs", "curves"]


def test_without_an_experiment_the_page_says_how_to_record_one(open_board, board):
    board.experiments.clear()
    page = open_board()
    said = page.locator(".nothing")
    said.wait_for()
    assert "No experiment yet" in said.inner_text()
    assert "pytest --sg-track" in said.inner_text()
    board.experiments["pytest.db"] = {}


@pytest.mark.parametrize("view", VIEWS)
def test_an_experiment_without_runs_says_how_to_record_one(open_board, view):
    page = open_board(f"view={view}")
    page.locator(".nothing").wait_for()
    assert "This experiment has no runs yet" in page.locator(".nothing").inner_text()


def test_what_fails_is_said_once_and_tried_again(open_board, board):
    board.add()
    board.failing["/api/curves"] = (503, {"error": "pytest.db is in use; try again"})
    page = open_board("view=curves", is_quiet=False)
    trouble = page.locator(".trouble")
    trouble.first.wait_for()
    page.wait_for_timeout(200)
    assert trouble.locator("span").all_inner_texts() == [
        "Curves are missing. pytest.db is in use; try again"
    ]
    board.failing.clear()
    trouble.get_by_role("button", name="Try again").click()
    trouble.wait_for(state="detached")
    page.locator(".metric .card-head", has_text="1 run").first.wait_for()


@pytest.mark.parametrize("part", ["/api/list", "/api/databases"])
def test_a_page_whose_server_fails_at_first_comes_with_the_next_try(open_board, board, part):
    board.add("there")
    board.failing[part] = (500, {"error": "the dashboard has failed"})
    page = open_board(is_quiet=False)
    page.locator(".trouble").wait_for()
    board.failing.clear()
    page.get_by_role("button", name="Try again").click()
    page.locator(".run-link", has_text="there").wait_for()


def test_an_address_of_an_experiment_that_is_gone_says_so(open_board, board):
    board.add("there")
    board.failing["/api/list"] = (404, {"error": "there is no such database"})
    page = open_board("db=gone.db", is_quiet=False)
    page.locator(".trouble", has_text="There is no experiment gone.db.").wait_for()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_names_stay_text(open_board, board, text, view):
    board.add(text, curves={text: [1, 2, 3]}, config={text: {text: text}}, commit=text)
    page = open_board(f"view={view}")
    page.locator(".run-link, .metric canvas").first.wait_for()
    assert page.locator("body img, body script, a[href^=java]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("width", [380, 800, 1440, 2200])
def test_nothing_is_wider_than_the_window(open_board, board, view, width):
    for k in range(3):
        board.add(f"tests/models/test_transformer.py::TestTiny::test_{k}[adam-1e-3]")
    page = open_board(f"view={view}", width=width)
    page.locator(".run-link, .metric canvas").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("view", VIEWS)
def test_a_key_goes_to_the_filter_and_escape_empties_it(open_board, board, view):
    board.add("first")
    board.add("second")
    page = open_board(f"view={view}")
    page.locator(".run-link, .metric canvas").first.wait_for()
    page.keyboard.press("/")
    page.keyboard.type("sec")
    assert "q=sec" in page.url
    page.keyboard.press("Escape")
    assert "q=" not in page.url


def test_the_list_of_runs_opens_on_a_narrow_page(open_board, board):
    board.add()
    page = open_board("view=curves", width=380)
    page.locator(".metric canvas").first.wait_for()
    assert page.locator(".side-runs").is_hidden()
    page.get_by_role("button", name="Runs: 1 of 1").click()
    assert page.locator(".side-runs input").is_visible()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 380)])
def test_axe_finds_nothing_serious(open_board, board, view, scheme, width):
    for k, verdict in enumerate(["regressed", "within", None, "improved", "no_baseline"]):
        board.add(f"tests/test_it.py::test_{k}", verdict=verdict)
    page = open_board(f"view={view}&runs=1,2", width=width, color_scheme=scheme)
    page.locator(".run-link, .metric canvas").first.wait_for()
    if view == "curves" and width < 900:
        page.locator(".side-opener").click()
    page.evaluate(f"{AXE.read_text(encoding='utf-8')}; 0")
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    serious = [
        f"{one['id']}: {node['html'][:200]} {node.get('failureSummary')}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]
    assert serious == []
