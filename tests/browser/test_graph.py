"""A computation graph as readers use it: groups open and close, nodes are found and looked into."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tracking.report.data import ReportData

MOST_BOXES = 400
FIELD = "Find in the graph"
TURN = "\u202eabc"


@pytest.fixture
def open_graph(open_page, make_test, make_run):
    """Opens the report of a test that left a graph; returns the page."""

    def open_graph(graph, **options):
        test = make_test(run=make_run(graphs=[graph]))
        data = ReportData(created_at=1.76e9, experiment="e", database="e.db", tests=[test])
        page = open_page(data, f"test={quote(test.nodeid)}", **options)
        page.locator(".cards-graphs .card").scroll_into_view_if_needed()
        page.locator(".graph .box").first.wait_for()
        return page

    return open_graph


def titles(page, kind="box"):
    return page.locator(f".graph .{kind} .title").all_text_contents()


def item(page, title):
    """The first box, closed group or head of an open one of a title."""
    return page.locator(".graph .item", has=page.get_by_text(title, exact=True)).first


def is_open(page, title):
    return item(page, title).get_attribute("aria-expanded") == "true"


def at_top(page, title):
    return item(page, title).locator(".shape").bounding_box()


def focused(page):
    title = "document.activeElement.querySelector?.('.title')?.textContent"
    return page.evaluate(title)


def drawn_at(page):
    return page.evaluate("document.querySelector('.graph .world').style.transform")


def scale(page):
    return page.evaluate(
        "new DOMMatrix(getComputedStyle(document.querySelector('.graph .world')).transform).a"
    )


def details(page):
    return page.locator(".graph-details")


def many_layers(n, n_each=30):
    """A graph of layers that each are a namespace."""
    nodes = [{"id": "x", "type": "tensor", "label": "x", "shape": [4, 8], "is_leaf": True}]
    edges, last = [], "x"
    for k in range(n * n_each):
        layer = f"layers/{k // n_each}"
        nodes.append({"id": f"o{k}", "type": "operation", "label": f"op{k}"})
        nodes.append({"id": f"t{k}", "type": "tensor", "shape": [4, 8], "namespace": layer})
        edges += [{"source": last, "target": f"o{k}"}, {"source": f"o{k}", "target": f"t{k}"}]
        last = f"t{k}"
    return {"nodes": nodes, "edges": edges}


def test_a_large_graph_starts_with_its_namespaces_closed(open_graph, transformer):
    page = open_graph(transformer)
    assert titles(page, "head") == ["layers"]
    assert sorted(titles(page)) == sorted(
        ["i", "Embedding", "layers/0", "layers/1", "LayerNorm", "Linear", "output"]
    )
    assert "33 operations" in item(page, "layers/0").text_content()
    assert "2x8x16 float32 \u00d72" in page.locator(".graph .tensor").all_text_contents()


def test_a_group_opens_where_it_stands_and_closes_again(open_graph, transformer):
    page = open_graph(transformer)
    assert not is_open(page, "layers/0")
    before = at_top(page, "layers/0")
    item(page, "layers/0").click()
    assert is_open(page, "layers/0")
    assert "attn" in titles(page)
    assert at_top(page, "layers/0")["y"] == pytest.approx(before["y"], abs=2)
    item(page, "layers/0").click()
    assert not is_open(page, "layers/0")
    assert "attn" not in titles(page)


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_group_opens_by_keyboard_and_keeps_the_focus(open_graph, transformer, key):
    page = open_graph(transformer)
    page.get_by_role("button", name="Fit").focus()
    page.keyboard.press("Tab")
    walked = [focused(page)]
    for _ in range(3):
        page.keyboard.press("ArrowDown")
        walked.append(focused(page))
    assert walked == ["i", "Embedding", "layers", "layers/0"]
    for is_open_then in (True, False):
        page.keyboard.press(key)
        assert focused(page) == "layers/0"
        assert is_open(page, "layers/0") == is_open_then
    page.keyboard.press("ArrowUp")
    assert focused(page) == "layers"


def test_only_one_box_takes_part_in_the_order_of_tabs(open_graph, transformer):
    page = open_graph(transformer)
    item(page, "Embedding").click()
    assert page.locator(".graph [tabindex='0']").count() == 1
    assert page.locator(".graph [tabindex='0'] .title").text_content() == "Embedding"


def test_all_groups_open_and_close_at_once(open_graph, transformer):
    page = open_graph(transformer)
    page.get_by_role("button", name="Expand all").click()
    assert page.locator(".graph .box").count() == 71
    assert page.locator(".graph .box-group").count() == 0
    page.get_by_role("button", name="Collapse all").click()
    assert page.locator(".graph .head").count() == 0
    assert "layers" in titles(page)


def test_never_more_is_drawn_than_can_be_read(open_graph):
    page = open_graph(many_layers(60))
    page.get_by_role("button", name="Expand all").click()
    n_boxes = page.locator(".graph .box").count()
    assert MOST_BOXES - 30 < n_boxes <= MOST_BOXES
    status = page.locator(".graph-status")
    assert status.text_content() == "As far as 400 boxes allow."
    page.get_by_label(FIELD).fill("op1790")
    page.get_by_label(FIELD).press("Enter")
    assert status.text_content().startswith("Other groups were closed")
    assert "op1790" in titles(page)
    assert page.locator(".graph .box").count() <= MOST_BOXES


def test_thousands_of_nodes_without_namespaces_are_drawn_in_runs(open_graph, make_graph):
    page = open_graph(make_graph(5_000))
    assert "gathered by their order" in page.locator(".graph-note").text_content()
    assert 2 <= page.locator(".graph .box").count() <= 100
    item(page, "nodes 1\u2013126").click()
    item(page, "nodes 1\u201340").click()
    assert {"x", "relu", "matmul"} < set(titles(page))
    assert page.locator(".graph .box").count() <= MOST_BOXES


def test_a_graph_without_namespaces_shows_operations_with_their_parameters(open_graph, make_graph):
    page = open_graph(make_graph(3))
    assert sorted(titles(page)) == ["matmul", "output", "relu", "relu", "x"]
    assert item(page, "matmul").locator(".folded").all_text_contents() == ["weight1 64x64"]
    assert page.locator(".graph .tensor").all_text_contents() == ["32x64"] * 4
    assert page.get_by_role("button", name="Expand all").count() == 0


def test_the_order_of_several_inputs_stands_at_their_arrows(open_graph, transformer):
    page = open_graph(transformer)
    item(page, "layers/0").click()
    assert set(page.locator(".graph .port").all_text_contents()) == {"0", "1"}
    unordered = transformer | {"inputs_ordered": False}
    page = open_graph(unordered)
    item(page, "layers/0").click()
    assert page.locator(".graph .port").count() == 0
    assert "The order of inputs is not known." in page.locator(".graph-note").all_text_contents()


def test_what_is_found_is_counted_marked_and_walked(open_graph, transformer):
    page = open_graph(transformer)
    field, count = page.get_by_label(FIELD), page.locator(".graph-search output")
    field.fill("softmax")
    assert count.text_content() == "2 found"
    assert item(page, "layers/0").locator(".count").text_content() == "1 found"
    assert page.locator(".graph .is-match .title").all_text_contents() == [
        *("layers", "layers/0", "layers/1"),
    ]
    walked = []
    for key in ("Enter", "Enter", "Enter", "Shift+Enter"):
        field.press(key)
        assert page.locator(".graph .is-selected .title").text_content() == "softmax"
        walked.append((count.text_content(), details(page).locator("dd").first.text_content()))
    first, second = ("1 of 2", "layers/0/attn"), ("2 of 2", "layers/1/attn")
    assert walked == [first, second, first, second]
    assert field.evaluate("(field) => field === document.activeElement")
    field.fill("softmin")
    assert count.text_content() == "No match"
    assert page.get_by_role("button", name="Next match").is_hidden()
    field.press("Escape")
    assert field.input_value() == ""
    assert page.locator(".graph .is-searching, .graph .is-match").count() == 0
    assert page.locator("#test-title").is_visible()


def test_a_selected_node_tells_what_is_known_of_it(open_graph, transformer):
    page = open_graph(transformer)
    item(page, "LayerNorm").click()
    said = dict(
        zip(
            details(page).locator("dt").all_text_contents(),
            details(page).locator("dd").all_text_contents(),
            strict=True,
        )
    )
    assert said == {
        "Namespace": "norm",
        "Shape": "2x8x16",
        "Type": "float32",
        "elementwise_affine": "true",
        "eps": "0.00001",
        "normalized_shape": "(16,)",
        "training": "true",
    }
    assert [line.strip() for line in details(page).locator("li").all_text_contents()] == [
        "0 add · layers/1 2x8x16 float32",
        *("1 weight 16 float32", "2 bias 16 float32"),
        "Linear · head 2x8x16 float32",
    ]
    assert page.locator(".graph .line.is-own").count() == 3


def test_inputs_and_users_are_links_into_closed_groups(open_graph, transformer):
    page = open_graph(transformer)
    item(page, "LayerNorm").click()
    details(page).get_by_role("button", name="add · layers/1").click()
    assert details(page).locator("h4").text_content() == "add"
    assert focused(page) == "add"
    assert is_open(page, "layers/1")
    page.keyboard.press("Escape")
    assert details(page).count() == 0
    assert page.locator("#test-title").is_visible()


def test_the_wheel_is_the_pages_and_with_ctrl_it_zooms(open_graph, transformer):
    page = open_graph(transformer, width=800)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    box = page.locator(".graph").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 400)
    before, top = drawn_at(page), page.evaluate("scrollY")
    assert top > 0
    page.mouse.wheel(0, -120)
    page.wait_for_function("(top) => scrollY < top", arg=top)
    assert drawn_at(page) == before
    page.keyboard.down("Control")
    page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    page.wait_for_function(
        "(before) => document.querySelector('.graph .world').style.transform !== before",
        arg=before,
    )
    assert scale(page) > 1


def test_buttons_zoom_and_fit(open_graph, transformer):
    page = open_graph(transformer, reduced_motion="reduce")
    page.get_by_role("button", name="Zoom out").click()
    assert scale(page) == pytest.approx(0.8)
    page.get_by_role("button", name="Zoom in").click()
    assert scale(page) == pytest.approx(1)
    page.get_by_role("button", name="Expand all").click()
    page.get_by_role("button", name="Fit").click()
    window = page.locator(".graph").bounding_box()
    for one in page.locator(".graph .frame, .graph .box").all():
        box = one.bounding_box()
        assert box["y"] >= window["y"] - 1
        assert box["y"] + box["height"] <= window["y"] + window["height"] + 1


def test_to_drag_moves_the_drawing_and_opens_nothing(open_graph, transformer):
    page = open_graph(transformer)
    before = at_top(page, "layers/0")
    page.mouse.move(before["x"] + 20, before["y"] + 20)
    page.mouse.down()
    page.mouse.move(before["x"] + 60, before["y"] + 50, steps=4)
    page.mouse.up()
    after = at_top(page, "layers/0")
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((40, 30), abs=1)
    assert not is_open(page, "layers/0")
    item(page, "layers/0").click()
    assert is_open(page, "layers/0")


@pytest.mark.parametrize(("motion", "is_moving"), [("reduce", False), ("no-preference", True)])
def test_motion_is_left_out_for_those_who_ask_for_less(open_graph, transformer, motion, is_moving):
    page = open_graph(transformer, reduced_motion=motion)
    page.get_by_role("button", name="Fit").click()
    world = page.locator(".graph .world")
    duration = world.evaluate("(one) => getComputedStyle(one).transitionDuration")
    assert (duration != "0s") == is_moving


@pytest.mark.parametrize(
    "text", ["<img src=x onerror=alert(1)>", "</script>", TURN, "x" * 5_000, "a\nb\x00", "שלום"]
)
def test_hostile_labels_stay_text(open_graph, text):
    tensor = {"type": "tensor", "label": text, "shape": [text], "dtype": text}
    attributes = [[text, text], [text, {"float": text}]]
    data = {
        "name": text,
        "nodes": [
            {"id": text, "type": "operation", "label": text},
            tensor | {"id": f"{text}0", "namespace": f"{text}/0", "attributes": attributes},
            tensor | {"id": f"{text}1", "namespace": f"{text}/1"},
            tensor | {"id": f"{text}2", "comp_grad": True},
        ],
        "edges": [
            {"source": text, "target": f"{text}0"},
            {"source": f"{text}1", "target": text, "port": 0},
            {"source": f"{text}2", "target": text, "port": 1},
        ],
        "removed": [text],
        "changed": [text],
    }
    page = open_graph(data)
    page.locator(".graph .box-operation").click()
    details(page).wait_for()
    page.locator(".cards-graphs summary").click()
    page.get_by_label(FIELD).fill(text[:20])
    assert page.locator("body img, body svg script").count() == 0
    if text == TURN:
        assert "\u202e" not in page.locator(".graph svg").text_content()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_cycle_is_drawn_like_everything_else(open_graph):
    data = {
        "nodes": [{"id": k, "type": "operation", "label": f"op{k}"} for k in range(3)],
        "edges": [{"source": k, "target": (k + 1) % 3} for k in range(3)]
        + [{"source": 1, "target": 1}],
    }
    page = open_graph(data)
    assert sorted(titles(page)) == ["op0", "op1", "op2"]
    assert page.locator(".graph .line").count() == 3
    assert page.locator(".graph .line.is-free").count() == 1
    item(page, "op1").click()
    assert details(page).locator("h5").all_text_contents() == ["Inputs 2", "Users 2"]


def test_what_changed_is_marked_open_and_listed(open_graph, transformer):
    marks = {"changed": ["o52"], "added": ["t50"], "removed": ["relu of layers/0", "<b>"]}
    page = open_graph(transformer | marks)
    changed, added = page.locator(".graph .is-changed"), page.locator(".graph .is-added")
    assert changed.locator(".title, .tag").all_text_contents() == ["matmul", "changed"]
    assert added.locator(".title, .tag").all_text_contents() == ["transpose", "added"]
    assert is_open(page, "layers/1")
    assert not is_open(page, "mlp")
    window = page.locator(".graph").bounding_box()
    assert window["y"] < changed.bounding_box()["y"] < window["y"] + window["height"]
    assert page.locator(".graph-removed li").all_text_contents() == marks["removed"]
    assert "1 node changed and 1 added" in page.locator(".graph-note").text_content()


def test_an_overview_says_that_it_is_one_and_of_how_much(open_graph, make_graph):
    page = open_graph(make_graph(3) | {"is_overview": True, "n_nodes": 120_000, "name": "encoder"})
    assert page.locator(".cards-graphs h3").text_content() == "encoder"
    assert "overview" in page.locator(".graph-note").text_content()
    assert "120,000 nodes" in page.locator(".graph-note").text_content()


def test_all_nodes_are_listed_as_well(open_graph, make_graph):
    page = open_graph(make_graph(120))
    page.locator(".cards-graphs summary").click()
    table = page.locator(".cards-graphs table").first
    table.wait_for()
    assert table.locator("tbody td").all_inner_texts() == ["relu", "60", "matmul", "60"]


def test_a_graph_of_nothing_is_only_said(open_page, make_test, make_run):
    test = make_test(run=make_run(graphs=[{"nodes": [3], "edges": [None]}]))
    data = ReportData(created_at=0, experiment="e", database="e.db", tests=[test])
    page = open_page(data, f"test={quote(test.nodeid)}")
    assert "0 nodes" in page.locator(".cards-graphs").inner_text()
    assert page.locator(".graph").count() == 0


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 1440), ("dark", 380)])
def test_readers_of_all_kinds_can_use_it(open_graph, transformer, serious_findings, scheme, width):
    marks = {"changed": ["o8"], "removed": ["relu"]}
    page = open_graph(transformer | marks, width=width, color_scheme=scheme)
    page.get_by_label(FIELD).fill("linear")
    page.get_by_label(FIELD).press("Enter")
    details(page).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious_findings(page) == []
