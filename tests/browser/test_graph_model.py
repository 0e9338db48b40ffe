"""What a computation graph becomes before it is drawn: boxes, groups, and where they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracking.graph.seed import json_of_graph
from tracking.graph.text import graph_of_text

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "tracking" / "report" / "page"
DAGRE = "node_modules/@dagrejs/dagre/dist/dagre.esm.js"
FAULTS = Path(__file__).with_name("graph_faults.js")
INDEX = f"""<!doctype html>
<script type="importmap">{{"imports": {{"@dagrejs/dagre": "/{DAGRE}"}}}}</script>"""
MOST_BOXES, MOST_TOGETHER, FEW_BOXES = 400, 100, 40

MODULES = """
const { modelOf } = await import("/src/graph_model.js");
const groups = await import("/src/graph_groups.js");
const { laidOut } = await import("/src/graph_layout.js");
const { ranked } = await import("/src/graph_rank.js");
const { found } = await import("/src/graph_search.js");
const faults = await import("/graph_faults.js");
const { nearest } = await import("/src/graph_keys.js");
const named = (item) => item.children ? `[${item.name}]` : item.label || item.op;
const outline = (group) => group.children.map((child) =>
  child.children ? [child.name, outline(child)] : named(child));
"""


@pytest.fixture(scope="module")
def run(browser):
    """Runs JavaScript beside the modules of the page, which come from a server only pretended."""

    def serve(route):
        path = route.request.url.removeprefix("http://page.invalid/")
        if path:
            file = FAULTS if path == FAULTS.name else PAGE / path
            route.fulfill(body=file.read_bytes(), content_type="text/javascript")
        else:
            route.fulfill(body=INDEX, content_type="text/html")

    context = browser.new_context()
    page = context.new_page()
    page.route("**/*", serve)
    page.goto("http://page.invalid/")
    # As a text: to hand over thousands of objects takes Playwright seconds.
    yield lambda code, data=None: page.evaluate(
        f"async (text) => {{ const data = JSON.parse(text); {MODULES} {code} }}", json.dumps(data)
    )
    context.close()


def tensor(ident, **fields):
    return {"id": ident, "type": "tensor", "label": "", "shape": [4, 8], **fields}


def chain(*namespaces, n=0):
    """A graph of operations one after the other, of `namespaces`, or `n` without."""
    names = namespaces or [""] * n
    nodes = [tensor("x", label="x", is_leaf=True)]
    edges = []
    for k, namespace in enumerate(names):
        nodes.append({"id": f"o{k}", "type": "operation", "label": f"op{k}"})
        nodes.append(tensor(f"t{k}", namespace=namespace))
        edges.append({"source": f"t{k - 1}" if k else "x", "target": f"o{k}", "port": 0})
        edges.append({"source": f"o{k}", "target": f"t{k}"})
    return {"nodes": nodes, "edges": edges}


BOXES = """
const model = modelOf(data);
return model.boxes.map((box) => [
  box.kind, box.op, box.label, box.folded.map(({ label }) => label),
  box.users.map(({ target, text, port }) => [target.op, text, port]),
]);
"""


def test_an_operation_and_its_result_are_one_box_and_parameters_lie_in_it(run):
    data = {
        "nodes": [
            tensor("x", label="x", dtype="float32"),
            tensor("w", label="w", comp_grad=True, shape=[8, 2]),
            {"id": "o", "type": "operation", "label": "matmul"},
            tensor("y", shape=[4, 2], dtype="float32"),
        ],
        "edges": [
            {"source": "w", "target": "o", "port": 1},
            {"source": "x", "target": "o", "port": 0},
            {"source": "o", "target": "y"},
        ],
    }
    assert run(BOXES, data) == [
        ["input", "input", "x", [], [["matmul", "4x8 float32", 0]]],
        ["operation", "matmul", "", ["w"], [["output", "4x2 float32", None]]],
        ["output", "output", "", [], []],
    ]


def test_what_several_operations_take_has_a_box_of_its_own(run):
    data = chain("", "")
    data["nodes"].append(tensor("w", label="w", comp_grad=True))
    data["edges"] += [{"source": "w", "target": f"o{k}", "port": 1} for k in range(2)]
    kinds = [kind for kind, *_ in run(BOXES, data)]
    assert sorted(kinds) == ["input", "operation", "operation", "output", "parameter"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"shape": [4, 8], "dtype": "float32"}, "4x8 float32"),
        ({"shape": ["n", 8]}, "nx8"),
        ({"shape": [], "dtype": "int64"}, "scalar int64"),
        ({"shape": [], "is_shape_known": False, "dtype": "int64"}, "int64"),
        ({"shape": None}, ""),
        ({"shape": "4", "dtype": 3}, ""),
    ],
)
def test_a_tensor_is_said_by_shape_and_type(run, fields, text):
    code = "const { tensorText } = await import('/src/graph_model.js'); return tensorText(data);"
    assert run(code, fields) == text


@pytest.mark.parametrize(
    "data",
    [
        *({}, None, {"nodes": 3, "edges": "x"}, {"nodes": [None, 3, "a", [], {}], "edges": [None]}),
        {"nodes": [{"id": 1}, {"id": "1"}], "edges": [{"source": 1, "target": 2}]},
        {"nodes": [{"id": 0, "shape": {}, "attributes": [3, [1]], "namespace": 4}], "edges": []},
        {"nodes": [{"id": 0}], "edges": [{"source": 0, "target": 0}], "outputs": [0, "no", None]},
        {"nodes": [{"id": 0, "type": "operation", "label": {}}], "edges": [], "changed": {}},
    ],
)
def test_what_anybody_takes_for_a_graph_is_drawn_as_far_as_it_goes(run, data):
    code = """
    const model = modelOf(data);
    return model.boxes.length ? laidOut(model, new Set()).boxes.length : 0;
    """
    n_nodes = len({str(n["id"]) for n in as_list(data) if isinstance(n, dict) and "id" in n})
    assert run(code, data) in (n_nodes, n_nodes + 1)


def as_list(data):
    nodes = (data or {}).get("nodes")
    return nodes if isinstance(nodes, list) else []


def test_namespaces_are_nested_and_hold_more_than_one_thing(run):
    data = chain("a/b/c", "a/b/c", "a/d", "only", "m/n/o", "m/n/o")
    outline = run("return outline(modelOf(data).root)", data)
    assert outline == [
        "x",
        ["a", [["b/c", ["op0", "op1"]], "op2"]],
        "op3",
        ["m/n/o", ["op4", "op5"]],
        "output",
    ]


def test_a_layer_that_is_named_by_its_number_says_of_what(run):
    data = chain("layers/0", "layers/0", "layers/1", "layers/1")
    outline = run("return outline(modelOf(data).root)", data)
    assert outline[1] == ["layers", [["layers/0", ["op0", "op1"]], ["layers/1", ["op2", "op3"]]]]


SEEN = """
const model = modelOf(data.graph);
const groupOf = (name, group = model.root) => group.children.filter((child) => child.children)
  .map((child) => child.name === name ? child : groupOf(name, child)).find(Boolean);
const open = new Set(data.open.map((name) => groupOf(name)));
return [
  groups.itemsSeen(model.root, open).map(named),
  groups.edgesSeen(model, open).map(({ source, target, links }) =>
    `${named(source)} ${named(target)} ${links.length}`),
];
"""


@pytest.mark.parametrize(
    ("opened", "items", "edges"),
    [
        ([], ["x", "[a]", "output"], ["x [a] 2", "[a] output 1"]),
        (["b"], ["x", "[a]", "output"], ["x [a] 2", "[a] output 1"]),
        (
            ["a"],
            ["x", "[b]", "op2", "output"],
            ["x [b] 1", "x op2 1", "[b] op2 1", "op2 output 1"],
        ),
        (
            ["a", "b"],
            ["x", "op0", "op1", "op2", "output"],
            ["x op0 1", "op0 op1 1", "x op2 1", "op1 op2 1", "op2 output 1"],
        ),
    ],
)
def test_edges_into_a_closed_group_are_one_that_says_how_many(run, opened, items, edges):
    graph = chain("a/b", "a/b", "a")
    graph["edges"].append({"source": "x", "target": "o2", "port": 1})
    found_items, found_edges = run(SEEN, {"graph": graph, "open": opened})
    assert found_items == items
    assert sorted(found_edges) == sorted(edges)


def test_many_nodes_without_namespaces_are_gathered_by_their_order(run):
    code = """
    const model = modelOf(data);
    const all = [];
    const walk = (group) => {
      all.push(group.children.length);
      group.children.filter((child) => child.children).forEach(walk);
    };
    walk(model.root);
    const order = groups.boxesIn(model.root).map(({ op }) => op);
    return [model.hasRuns, Math.max(...all), order];
    """
    has_runs, most, order = run(code, chain(n=5_000))
    assert has_runs
    assert most <= MOST_TOGETHER
    assert order == ["input", *(f"op{k}" for k in range(5_000)), "output"]
    assert run(code, chain(n=90))[0] is False


SIZES = """
const model = modelOf(data);
const size = (open) => groups.itemsSeen(model.root, open).length;
const first = groups.openAtFirst(model);
return [size(new Set()), size(first), size(groups.expanded(model.root, first)), model.boxes.length];
"""


def layers(n, n_each=30):
    return chain(*(f"model/layers/{k}/part{j % 2}" for k in range(n) for j in range(n_each)))


def test_a_small_graph_is_open_and_a_large_one_on_the_way_down_to_a_choice(run):
    assert run(SIZES, layers(1)) == [3, 32, 32, 32]
    assert run(SIZES, layers(3)) == [3, 5, 92, 92]


def test_to_expand_all_goes_as_far_as_can_be_drawn(run):
    _, _, expanded, n_boxes = run(SIZES, layers(60))
    assert n_boxes > MOST_BOXES
    assert MOST_BOXES - 40 < expanded <= MOST_BOXES


def test_a_group_that_is_too_much_opens_with_the_others_closed(run):
    code = """
    const model = modelOf(data);
    const all = groups.expanded(model.root, new Set());
    const parents = groups.boxesIn(model.root).map(({ parent }) => parent);
    const inner = parents.find((group) => group.parent && !all.has(group));
    const open = groups.opened(model.root, all, inner);
    const isSeen = groups.groupsAround(inner).every((one) => open.has(one));
    const nItems = groups.itemsSeen(model.root, open).length;
    return [open.has(inner), isSeen, nItems, all.size > open.size];
    """
    is_open, is_seen, n_items, are_others_closed = run(code, layers(60))
    assert is_open
    assert is_seen
    assert n_items <= MOST_BOXES
    assert are_others_closed


def test_what_changed_against_the_baseline_is_marked_and_seen_at_first(run):
    code = """
    const model = modelOf(data);
    const seen = groups.itemsSeen(model.root, groups.openAtFirst(model));
    const marked = seen.filter(({ mark }) => mark).map(({ op, mark }) => `${op} ${mark}`);
    return [marked, model.nMarked, model.removed];
    """
    data = layers(10) | {"changed": ["o100", "no"], "added": ["t205"], "removed": ["relu", 3]}
    assert run(code, data) == [
        ["op100 changed", "op205 added"],
        {"added": 1, "changed": 1},
        ["relu", "3"],
    ]


def test_a_parameter_that_changed_marks_the_operation_it_lies_in(run):
    data = chain("", "")
    data["nodes"].append(tensor("w", label="w", comp_grad=True))
    data["edges"].append({"source": "w", "target": "o1", "port": 1})
    code = "return modelOf(data).boxes.filter(({ mark }) => mark).map(({ op }) => op)"
    assert run(code, data | {"added": ["w"]}) == ["op1"]


@pytest.mark.parametrize(
    ("query", "ops"),
    [
        ("matmul", ["matmul"] * 4),
        ("LAYERS/1/attn matmul", ["matmul"] * 2),
        ("norm2", ["LayerNorm"] * 2),
        ("eps=0.00001 layers/0", ["LayerNorm"] * 2),
        ("64x16", ["Linear"] * 2),
        ("int64", ["input"]),
        ("nothing", []),
        ("  ", []),
    ],
)
def test_boxes_are_found_by_operation_namespace_attribute_and_shape(run, transformer, query, ops):
    code = "return found(modelOf(data.graph).boxes, data.query).map(({ op }) => op)"
    assert run(code, {"graph": transformer, "query": query}) == ops


def test_rows_lead_down_but_for_edges_that_close_a_cycle(run):
    code = """
    const edges = data.map(([from, to]) => ({ from, to }));
    const ports = { first: new Set(["in"]), last: new Set(["out"]) };
    const { rows, back } = ranked(["a", "b", "c", "d", "e"], edges, ports);
    return [Object.fromEntries(rows), [...back].map(({ from, to }) => from + to)];
    """
    edges = ["in a", "a b", "b c", "c a", "d c", "e e", "c out"]
    rows, back = run(code, [edge.split() for edge in edges])
    assert rows == {"in": 0, "a": 1, "b": 2, "c": 3, "d": 2, "e": 0, "out": 4}
    assert back == ["ca", "ee"]


def test_boxes_never_overlap_and_lines_end_at_them_whatever_is_open(run):
    code = """
    return Array.from({ length: 40 }, (_, k) => k + 1).flatMap((seed) => {
      const model = modelOf(faults.graphByChance(seed));
      const open = faults.openByChance(model, seed);
      const found = faults.faultsOf(model, open, laidOut(model, open));
      return found.map((fault) => `graph ${seed}: ${fault}`);
    });
    """
    assert run(code) == []


def sample():
    text = json.loads((ROOT / "tests/assets/graph_v1.json").read_text(encoding="utf-8"))["text"]
    return json_of_graph(graph_of_text("\n".join(text) + "\n"))


def test_real_graphs_are_laid_out_without_a_fault(run, transformer):
    code = """
    const model = modelOf(data);
    const open = groups.expanded(model.root, new Set());
    return faults.faultsOf(model, open, laidOut(model, open));
    """
    for graph in (transformer, sample()):
        assert run(code, graph) == []


def test_what_an_operation_takes_twice_is_one_line_with_both_ports(run):
    code = """
    const model = modelOf(data);
    const open = groups.expanded(model.root, new Set());
    return laidOut(model, open).lines.filter(({ ports }) => ports).map(({ ports }) => ports);
    """
    assert "0, 1" in run(code, sample())


def test_edges_beyond_what_can_be_read_are_counted(run):
    nodes, edges = [], []
    for k in range(90):
        nodes += [{"id": f"o{k}", "type": "operation", "label": "cat"}, tensor(f"t{k}")]
        edges.append({"source": f"o{k}", "target": f"t{k}"})
        edges += [{"source": f"t{j}", "target": f"o{k}", "port": j} for j in range(k)]
    code = (
        "const laid = laidOut(modelOf(data), new Set()); return [laid.lines.length, laid.nHidden];"
    )
    n_lines, n_hidden = run(code, {"nodes": nodes, "edges": edges})
    assert n_lines == 1_000
    assert n_lines + n_hidden == 90 * 89 / 2 + 1


@pytest.mark.parametrize(
    ("key", "goal"),
    [("ArrowRight", "east"), ("ArrowLeft", None), ("ArrowDown", "south"), ("Enter", None)],
)
def test_an_arrow_leads_to_the_nearest_box_that_way(run, key, goal):
    code = """
    const corners = {
      here: [0, 0], east: [100, 10], far: [300, 0], south: [-5, 50], aside: [90, 60],
    };
    const placeOf = (item) => ({ x: corners[item][0], y: corners[item][1], width: 20, height: 10 });
    return nearest(Object.keys(corners), "here", data, placeOf);
    """
    assert run(code, key) == goal
