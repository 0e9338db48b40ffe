"""The views of one run, two runs, hyper-parameters, media, graphs and history."""

from __future__ import annotations

from pathlib import Path

import pytest

AXE = Path(__file__).parents[3] / "tracking/report/page/node_modules/axe-core/axe.min.js"
VIEWS = {
    "run": {"view": "run", "run": "4"},
    "compare": {"view": "compare", "a": "3", "b": "4"},
    "hparams": {"view": "hparams"},
    "media": {"view": "media", "runs": "3,4"},
    "graphs": {"view": "graphs", "a": "3", "b": "4"},
    "history": {"view": "history", "test": "tests/models/test_transformer.py::TestTiny"},
}
READY = {
    "run": ".metric canvas",
    "compare": ".metric canvas",
    "hparams": ".table-card tbody tr",
    "media": ".heat-cells",
    "graphs": ".graph .item",
    "history": ".history .past",
}
HOSTILE = "<img src=x onerror=alert(1)>\u202e" + "x" * 300


@pytest.fixture
def open_view(open_board, address_of):
    """Opens one of the views, and waits until it is drawn."""

    def open_view(view, changes=None, **options):
        page = open_board(address_of(db="pytest.db", **VIEWS[view], **(changes or {})), **options)
        page.locator(READY[view]).first.wait_for()
        return page

    return open_view


@pytest.mark.usefixtures("full_board")
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 380)])
def test_axe_finds_nothing_serious_in_any_view(open_view, view, scheme, width):
    page = open_view(view, width=width, color_scheme=scheme, bypass_csp=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    serious = [
        f"{one['id']}: {node['html'][:200]} {node.get('failureSummary')}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]
    assert serious == []


@pytest.mark.usefixtures("full_board")
@pytest.mark.parametrize("view", VIEWS)
def test_what_fails_is_said_once_and_tried_again(open_board, board, address_of, view):
    parts = {
        "run": "/details",
        "compare": "/api/diff",
        "hparams": "/api/hparams",
        "media": "/images",
        "graphs": "/graphs",
        "history": "/api/history",
    }
    board.failing[parts[view]] = (503, {"error": "pytest.db is in use; try again"})
    page = open_board(address_of(db="pytest.db", **VIEWS[view]), is_quiet=False)
    trouble = page.locator(".trouble", has_text="pytest.db is in use; try again")
    trouble.wait_for()
    assert trouble.count() == 1
    board.failing.clear()
    trouble.get_by_role("button", name="Try again").click()
    page.locator(READY[view]).first.wait_for()
    assert trouble.count() == 0


def test_hostile_names_stay_text_in_every_view(open_board, board, answers, address_of, make_graph):
    for _ in range(2):
        board.add(HOSTILE, config={HOSTILE: HOSTILE, "y": 1}, curves={HOSTILE: [3.0, 2.0, 1.0]})
    runs = [run for run, _ in board.experiments["pytest.db"].values()]
    board.said["/api/hparams"] = answers.hparams(board)
    change = answers.change(1, 2)
    change["first_after"]["commit"] = HOSTILE
    found = {"changes": [change], "metrics": [HOSTILE]}
    board.said["/api/history"] = answers.history(HOSTILE, [{}, {}], **found)
    board.said["/api/diff"] = answers.diff(
        *runs,
        metrics=[(HOSTILE, "tail", 1, 2)],
        config=[{"name": HOSTILE, "a": HOSTILE, "b": 1}],
        graph_changes=[HOSTILE],
        graph_nodes=[],
    )
    graph = make_graph(1) | {"name": HOSTILE}
    graph["nodes"][0]["label"] = HOSTILE
    for number in (1, 2):
        said = {
            "run_id": number,
            "graphs": [{"id": 1, "name": HOSTILE, "graph": graph, "created_at": 0}],
        }
        board.said[f"/api/runs/{number}/graphs"] = said
        for part, found in answers.media(number, HOSTILE).items():
            board.said[f"/api/runs/{number}/{part}"] = found
    page = open_board("db=pytest.db")
    for view in ("compare", "hparams", "media", "graphs", "history"):
        state = VIEWS[view] | ({"a": "1", "b": "2"} if "a" in VIEWS[view] else {})
        state |= {"test": HOSTILE} if view == "history" else {"runs": "1,2"}
        page.evaluate("(hash) => { location.hash = hash; }", address_of(db="pytest.db", **state))
        page.locator(READY[view]).first.wait_for()
        assert page.locator("main img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# One run


def test_a_run_tells_all_and_leads_to_what_belongs_to_it(open_view, full_board, answers):
    runs = [run for run, _ in full_board.experiments["pytest.db"].values()]
    child = full_board.add("inner", parent=runs[3]["uuid"], status="running")
    page = open_view("run")
    text = page.locator("main").inner_text()
    for expected in ("sgtrack accept", "regressed", "4 attempts", "1 child run", "run 42"):
        assert expected in text
    before = page.get_by_role("link", name="Compare with the run before").get_attribute("href")
    assert "a=3" in before
    assert "b=4" in before
    csv = page.get_by_role("link", name="CSV").get_attribute("href")
    assert csv == "/api/runs/4/records.csv?db=pytest.db"
    full_board.details["inner"] = full_board.details[runs[3]["name"]] | {"run": child}
    page.locator(".run-links a").click()
    page.locator(".family", has_text="Inside of").locator("a").click()
    page.locator(".family", has_text="1 child run").wait_for()
    assert "run=4" in page.url


def test_the_curves_of_a_running_run_grow_where_they_stand(
    open_view, full_board, answers, make_test, make_run, metric, until
):
    (run, _) = full_board.run("pytest.db", "4")
    run["status"] = "running"

    def with_points(n):
        loss = metric(values=[1 / (k + 1) for k in range(n)], n_accepted=0, n_history=0)
        test = make_test(run["name"], None, run=make_run(4, status="running", metrics=[loss]))
        full_board.details[run["name"]] = answers.details(run, test)

    with_points(10)
    page = open_view("run")
    assert "10 points" in page.locator(".metric .facts").inner_text()
    page.locator(".metric canvas").first.evaluate("(canvas) => { canvas.isTheSame = true; }")
    with_points(20)
    full_board.say("records", run=run["uuid"], metrics={})
    until(page, lambda: "20 points" in page.locator(".metric .facts").inner_text())
    assert page.locator(".metric canvas").first.evaluate("(canvas) => canvas.isTheSame")
    run["status"] = "completed"
    with_points(30)
    full_board.say("runs", is_whole=True, changed=[run], removed=[])
    until(page, lambda: "30 points" in page.locator(".metric .facts").inner_text())


@pytest.mark.parametrize(
    ("end", "is_cut"),
    [
        ({"ended_by": "finished"}, False),
        ({"ended_by": "exception"}, False),
        ({"ended_by": "crashed"}, True),
        ({"ended_by": None, "is_abandoned": True, "status": "running"}, True),
    ],
)
def test_a_run_that_was_cut_off_says_where_it_stood(open_view, full_board, end, is_cut):
    (run, _) = full_board.run("pytest.db", "4")
    run.update(end)
    page = open_view("run")
    last = page.locator(".last-records")
    assert last.count() == is_cut
    if is_cut:
        assert last.locator("tbody tr").first.locator("td").first.inner_text() == "loss"
    assert page.get_by_text("Its process is gone").count() == bool(end.get("is_abandoned"))


# Two runs


@pytest.mark.usefixtures("full_board")
def test_only_differences_are_shown_and_all_on_demand(open_view):
    page = open_view("compare")
    config = page.locator(".card", has=page.get_by_role("heading", name="Config"))
    first_cells = config.locator("tbody td:first-child")
    assert first_cells.all_inner_texts() == ["lr"]
    assert page.locator(".metric h3").all_inner_texts() == ["train/loss"]
    assert "tail +33.3 %" in page.locator(".metric").inner_text()
    page.get_by_label("show all").check()
    assert first_cells.all_inner_texts() == ["lr", "batch"]
    assert page.locator(".metric h3").all_inner_texts() == ["train/loss", "lr"]


def test_runs_to_compare_are_found_by_words(open_board, full_board, until):
    page = open_board("db=pytest.db&view=compare")
    page.get_by_text("Two runs beside each other").wait_for()
    full_board.add("another one")
    full_board.say("runs", is_whole=False, changed=[], removed=[])
    a = page.get_by_role("combobox", name="Run A")
    a.click()
    until(page, lambda: page.locator("[role=option]").count() == 5)
    a.fill("another")
    assert page.locator("[role=option]").count() == 1
    a.press("Enter")
    b = page.get_by_role("combobox", name="Run B")
    b.press("ArrowDown")
    b.press("ArrowDown")
    b.press("Enter")
    page.locator(".metric canvas").first.wait_for()
    assert "a=5" in page.url
    assert "b=4" in page.url
    (asked,) = full_board.questions("/api/diff")
    assert (asked["a"], asked["b"]) == (["5"], ["4"])
    page.get_by_role("button", name="Swap").click()
    until(page, lambda: len(full_board.questions("/api/diff")) == 2)
    assert full_board.questions("/api/diff")[1]["a"] == ["4"]
    # Escape leaves what was chosen.
    a.fill("nothing like that")
    page.get_by_text("Nothing is like that.").wait_for()
    a.press("Escape")
    assert a.input_value().startswith("4 ")


@pytest.mark.usefixtures("full_board")
def test_the_curves_of_both_runs_come_with_one_question(open_view, board, until):
    open_view("compare")
    until(board.page, lambda: board.questions("/api/curves"))
    (asked,) = board.questions("/api/curves")
    assert asked["runs"] == ["3,4"]
    assert asked["metric"] == ["train/loss"]


# Hyper-parameters


@pytest.fixture
def sweep(open_board, board, answers):
    """The hyper-parameters of 1,000 runs."""
    for k in range(1000):
        config = {"lr": 10 ** -(1 + k % 4), "optimizer": ["adam", "sgd"][k % 2], "fixed": 1}
        loss = float("nan") if k == 7 else 1 + k / 1000
        board.add(f"run-{k}", curves={"loss": [2.0, loss]}, config=config)
    board.said["/api/hparams"] = answers.hparams(board)
    page = open_board("db=pytest.db&view=hparams")
    page.locator(".table-card tbody tr").first.wait_for()
    return page


def status(page):
    return page.locator(".view-tools [role=status]").inner_text()


def column(page, index):
    return page.locator(f".table-card tbody td:nth-child({index})").all_inner_texts()


def test_a_thousand_runs_are_filtered_by_an_axis(sweep, until):
    assert status(sweep) == "1000 runs" or status(sweep) == "1,000 runs"
    assert sweep.locator(".axis-head").all_inner_texts() == [
        "lr\nlog",
        "optimizer",
        "loss\nlog",
    ]
    assert sweep.locator(".table-card tbody tr").count() == 100
    brush = sweep.get_by_role("slider", name="Filter by optimizer")
    brush.focus()
    brush.press("ArrowUp")
    until(sweep, lambda: status(sweep).startswith("500 of"))
    assert brush.get_attribute("aria-valuetext") == "sgd"
    assert set(column(sweep, 3)) == {"sgd"}
    assert sweep.locator(".scatter circle:not(.is-left-out)").count() == 499  # one is NaN
    brush.press("Escape")
    until(sweep, lambda: "of" not in status(sweep))


def test_dragging_along_an_axis_filters_and_a_click_lets_go(sweep, until):
    axis = sweep.locator(".axis-brush").first.locator(".brush-area").bounding_box()
    x = axis["x"] + axis["width"] / 2
    sweep.mouse.move(x, axis["y"] + 2)
    sweep.mouse.down()
    sweep.mouse.move(x, axis["y"] + axis["height"] * 0.5, steps=5)
    sweep.mouse.up()
    until(sweep, lambda: status(sweep).startswith("500 of"))
    assert set(column(sweep, 2)) == {"0.1", "0.01"}
    sweep.get_by_role("button", name="Clear filters").click()
    until(sweep, lambda: "of" not in status(sweep))


def test_the_table_sorts_and_what_has_no_number_comes_last(sweep):
    head = sweep.locator(".table-card th", has_text="loss")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(sweep, 4)[:2] == ["1", "1.001"]
    sweep.get_by_role("button", name="Show 900 more").click()
    assert column(sweep, 4)[-1] == "NaN"
    head.get_by_role("button").click()
    assert column(sweep, 4)[0] == "1.999"
    assert column(sweep, 4)[-1] == "NaN"


def test_a_line_under_the_pointer_says_its_run_and_opens_it(sweep, board, answers, make_test):
    plot = sweep.locator(".parallel-plot svg")
    box = plot.bounding_box()
    # The run of the largest loss ends highest on the last axis.
    lines = sweep.locator(".axis").last.locator(".brush-area").bounding_box()
    sweep.mouse.move(lines["x"] + lines["width"] / 2 - 20, lines["y"] + 6)
    tip = sweep.locator(".plot-card > .tip")
    tip.wait_for()
    words = tip.inner_text().split("\n")
    assert words[0].isdigit()
    (run, _) = board.run("pytest.db", words[0])
    board.details[run["name"]] = answers.details(run, make_test(run["name"], None))
    assert box["width"] > 600
    sweep.mouse.down()
    sweep.mouse.up()
    sweep.locator("#test-title").wait_for()
    assert f"run={words[0]}" in sweep.url


def test_axes_turn_logarithmic_and_columns_are_chosen(sweep):
    log = sweep.get_by_role("button", name="log axis of lr")
    assert log.get_attribute("aria-pressed") == "true"
    log.click()
    assert log.get_attribute("aria-pressed") == "false"
    sweep.get_by_text("Columns", exact=True).click()
    box = sweep.get_by_role("checkbox", name="fixed")
    assert not box.is_checked()
    box.check()
    heads = [text.split("\n")[0] for text in sweep.locator(".axis-head").all_inner_texts()]
    assert heads == ["fixed", "lr", "optimizer", "loss"]


# Media


@pytest.mark.usefixtures("full_board")
def test_media_of_the_chosen_runs_stand_side_by_side(open_view, until):
    page = open_view("media")
    heads = page.locator(".media-cards").first.locator(".run-link").all_inner_texts()
    assert [head.split()[0] for head in heads] == ["4", "3"] or len(heads) == 2
    heat = page.locator(".heat").first
    heat.hover(position={"x": 200, "y": 100})
    tip = heat.locator(".tip")
    until(page, lambda: tip.is_visible())
    assert tip.inner_text().startswith("step\n")
    assert "values\n500" in tip.inner_text()


@pytest.mark.usefixtures("full_board")
def test_pixels_are_drawn_as_they_were_saved(open_view):
    page = open_view("media")
    pixels = "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, 2, 1).data]"
    assert page.locator(".picture canvas").first.evaluate(pixels) == [
        *(255, 0, 0, 255),
        *(0, 255, 0, 255),
    ]


@pytest.mark.usefixtures("full_board")
def test_texts_show_their_step_and_what_changed(open_view):
    page = open_view("media")
    card = page.locator(".section", has=page.get_by_role("heading", name="Texts"))
    text = card.locator("pre").first
    assert text.inner_text() == "same\nat 90\nend"
    slider = card.get_by_role("slider")
    slider.fill("1")
    assert text.inner_text() == "same\nat 50\nend"
    card.get_by_label("changes since the step before").check()
    assert text.locator("del").inner_text().strip() == "at 0"
    assert text.locator("ins").inner_text().strip() == "at 50"


# Graphs


@pytest.mark.usefixtures("full_board")
def test_two_graphs_stand_beside_each_other_with_what_differs(open_view, until):
    page = open_view("graphs")
    page.locator(".graph .item").nth(8).wait_for()
    assert page.locator(".graph-of-run").count() == 2
    heads = page.locator(".graph-of-run .run-link").all_inner_texts()
    assert [head.split()[0] for head in heads] == ["3", "4"]
    assert page.locator(".graph-of-run").nth(1).locator(".is-added").count() == 1
    assert page.locator(".graph-of-run").nth(0).locator(".is-added").count() == 1
    page.get_by_role("button", name="Only one run").click()
    until(page, lambda: page.locator(".graph-of-run").count() == 1)


# History


@pytest.mark.usefixtures("full_board")
def test_a_history_marks_verdicts_and_accepted_runs_and_opens_them(open_view):
    page = open_view("history")
    points = page.locator(".history .past")
    assert points.count() == 4
    assert points.locator(".ring").count() == 1
    assert points.nth(2).get_attribute("class") == "past tone-fail"
    assert "commit 000000000000" in points.nth(0).locator("title").text_content()
    assert "no finite value" in points.nth(1).locator("title").text_content()
    assert page.locator(".history .accepted").count() == 1
    rows = page.locator("tbody tr")
    assert rows.first.locator("td").first.inner_text() == "run 4"
    assert rows.last.locator("td").nth(5).inner_text() == "accepted"
    points.nth(2).locator(".mark").click()
    page.locator("#test-title").wait_for()
    assert "run=3" in page.url


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 380)])
def test_a_history_shows_its_levels_and_where_it_moved_and_tells_it_in_words(
    open_view, full_board, answers, serious_findings, scheme, width
):
    levels = [(1, 3, 1.0), (4, 6, 1.25), (7, 8, 1.3)]
    before = {"run_id": 3, "commit": None, "is_dirty": None}
    full_board.said["/api/history"] = answers.history(
        "tests/models/test_transformer.py::TestTiny",
        [{"value": 1 + 0.05 * k} for k in range(8)],
        levels=[{"first_run": a, "last_run": b, "value": v, "n": 3} for a, b, v in levels],
        changes=[
            answers.change(3, 4),
            answers.change(5, 6, effect="small", relative_change=0.001),
            answers.change(6, 7, kind="non_finite", significance=None),
        ],
        drift={
            "effect": "better",
            "before": 1.25,
            "after": 1.0,
            "relative_change": -0.2,
            "n_steps": 4,
            "began_after": before,
            "last_step": before,
        },
    )
    page = open_view("history", color_scheme=scheme, width=width)
    moves, levels = page.locator(".history .move"), page.locator(".history .level")
    assert [one.get_attribute("class") for one in moves.all()] == ["move tone-fail"] * 2
    said = "worse +25 % between run 3 (000000000) and run 4 (000000000-dirty)"
    assert moves.first.locator("title").text_content() == said
    assert said in page.locator("svg.history").get_attribute("aria-label")
    assert levels.count() == 3
    heights = [float(one.get_attribute("y1")) for one in levels.all()]
    assert heights == sorted(heights, reverse=True)
    ends = [float(one.get_attribute("x2")) for one in levels.all()]
    starts = [float(one.get_attribute("x1")) for one in levels.all()]
    assert ends[:-1] == pytest.approx(starts[1:])
    assert ends[0] == pytest.approx(float(moves.first.locator("line").get_attribute("x1")))
    lines = [" ".join(one.split()) for one in page.locator(".changes li").all_inner_texts()]
    values, no_values = "worse +25 % 1 → 1.25 between run", "not finite between run"
    assert lines == [
        f"{values} 3 (000000000) and run 4 (000000000-dirty), 3 and 2 runs, p 0.002",
        f"{no_values} 6 (000000000) and run 7 (000000000-dirty)",
        "better by small steps \u221220 % 1.25 → 1 in 4 steps since run 3",
    ]
    assert serious_findings(page) == []
    page.locator(".changes a").nth(1).click()
    page.locator("#test-title").wait_for()
    assert "run=4" in page.url


@pytest.mark.usefixtures("full_board")
def test_a_history_can_be_drawn_by_time(open_view):
    page = open_view("history")
    page.get_by_role("button", name="By time").click()
    first = page.locator(".history .tick-first").text_content()
    assert first == "2023-11-14"


def test_a_test_is_chosen_by_words(open_board, full_board, answers):
    full_board.add("tests/test_other.py::test_other")
    page = open_board("db=pytest.db&view=history")
    field = page.get_by_role("combobox", name="Test")
    field.fill("test_other")
    full_board.said["/api/history"] = answers.history(
        "other", [{}], n_left_out=7, problems=["the baseline cannot be read"]
    )
    field.press("Enter")
    page.locator(".history .past").wait_for()
    assert full_board.questions("/api/history")[0]["test"] == ["tests/test_other.py::test_other"]
    assert page.get_by_text("the baseline cannot be read").is_visible()
    page.get_by_role("button", name="Show 7 earlier").click()
    page.locator(".history .past").wait_for()
    assert full_board.questions("/api/history")[1]["limit"] == ["1000"]
