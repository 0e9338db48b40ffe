"""Computation graphs as data: what is captured, in which order, and what is refused."""

from __future__ import annotations

import itertools
import json
import math
import sys
import weakref
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import InvalidArgumentError
from tracking.graph import _build_graph_data, capture_graph, check_graph_data

KINDS = [list, tuple, set, frozenset]
ORDERED = (list, tuple)


@dataclass(eq=False, slots=True, weakref_slot=True)
class Fake:
    """The least that is a tensor."""

    label: Any = None
    prev: Any = ()
    oper: Any = None
    shape: Any = (2, 3)
    comp_grad: Any = True
    is_leaf: Any = True


def tensor_node(node_id, label="", shape=(2, 3), comp_grad=True, is_leaf=True):
    return {
        "id": node_id,
        "type": "tensor",
        "label": label,
        "shape": list(shape),
        "comp_grad": comp_grad,
        "is_leaf": is_leaf,
    }


def operation_node(node_id, label):
    return {"id": node_id, "type": "operation", "label": label}


def edge(source, target, port=None):
    ends = {"source": source, "target": target}
    return ends if port is None else ends | {"port": port}


def tensor_labels(graph):
    return [node["label"] for node in graph["nodes"] if node["type"] == "tensor"]


def test_a_graph_has_the_layout_the_dashboard_reads():
    x = Fake("x", shape=(4, 2), comp_grad=False)
    w = Fake("w", shape=(2, 1))
    y = Fake(None, [x, w], "@", (4, 1), is_leaf=False)
    assert capture_graph(y) == {
        "format": 1,
        "inputs_ordered": True,
        "nodes": [
            tensor_node("t0", shape=(4, 1), is_leaf=False),
            operation_node("o0", "@"),
            tensor_node("t1", "x", (4, 2), comp_grad=False),
            tensor_node("t2", "w", (2, 1)),
        ],
        "edges": [edge("o0", "t0"), edge("t1", "o0", 0), edge("t2", "o0", 1)],
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_lone_leaf_is_one_node_with_no_inputs_out_of_order(kind):
    assert capture_graph(Fake("x", kind())) == {
        "format": 1,
        "inputs_ordered": True,
        "nodes": [tensor_node("t0", "x")],
        "edges": [],
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_tensor_appears_once(kind):
    x = Fake("x")
    left, right = Fake("left", kind([x]), "exp"), Fake("right", kind([x]), "log")
    graph = capture_graph(Fake("y", kind([left, right]), "+"))
    assert tensor_labels(graph) == ["y", "left", "right", "x"]
    assert [(e["source"], e["target"]) for e in graph["edges"] if e["source"].startswith("t")] == [
        ("t1", "o0"),
        ("t2", "o0"),
        ("t3", "o1"),
        ("t3", "o2"),
    ]
    assert graph["inputs_ordered"] is (kind in ORDERED)


@pytest.mark.parametrize("kind", ORDERED)
def test_ordered_inputs_have_an_edge_per_use(kind):
    x = Fake("x")
    graph = capture_graph(Fake("y", kind([x, x]), "*"))
    assert graph["edges"] == [edge("o0", "t0"), edge("t1", "o0", 0), edge("t1", "o0", 1)]
    assert graph["inputs_ordered"] is True


def test_a_set_has_an_edge_per_input_and_says_its_order_is_unknown():
    x = Fake("x")
    graph = capture_graph(Fake("y", {x, x}, "*"))
    assert graph["edges"] == [edge("o0", "t0"), edge("t1", "o0")]
    assert graph["inputs_ordered"] is False


def test_one_set_among_lists_makes_the_order_unknown_and_leaves_their_ports():
    mixed = capture_graph(Fake("z", [Fake("y", {Fake("x")}, "exp")], "log"))
    assert mixed["inputs_ordered"] is False
    assert mixed["edges"] == [
        edge("o0", "t0"),
        edge("t1", "o0", 0),
        edge("o1", "t1"),
        edge("t2", "o1"),
    ]


@pytest.mark.parametrize("kind", ORDERED)
def test_the_order_of_ordered_inputs_is_kept(kind):
    a, b = Fake("a"), Fake("b")
    assert tensor_labels(capture_graph(Fake("y", kind([b, a]), "-"))) == ["y", "b", "a"]


class SetInOrder(set):
    """A set whose iteration order the test decides, as addresses would."""

    def __init__(self, items):
        super().__init__(items)
        self.items = items

    def __iter__(self):
        return iter(self.items)


@pytest.mark.parametrize(
    "contents",
    [
        pytest.param([{"label": name} for name in "abc"], id="label"),
        pytest.param([{"oper": name} for name in (None, "", "+")], id="oper"),
        pytest.param([{"shape": shape} for shape in ((), (2, 10), (10, 2))], id="shape"),
        pytest.param([{"comp_grad": False}, {"comp_grad": True}], id="comp_grad"),
        pytest.param([{"is_leaf": False}, {"is_leaf": True}], id="is_leaf"),
        pytest.param([{"label": None}, {"label": 3}, {"label": "x"}], id="label of any type"),
    ],
)
def test_content_decides_the_order_of_a_set(contents):
    graphs = [
        capture_graph(Fake("y", SetInOrder([Fake(**content) for content in order]), "cat"))
        for order in itertools.permutations(contents)
    ]
    assert all(graph == graphs[0] for graph in graphs)


def test_inputs_without_an_operation_lead_straight_to_the_tensor():
    graph = capture_graph(Fake("view", [Fake("x")]))
    assert graph["nodes"] == [tensor_node("t0", "view"), tensor_node("t1", "x")]
    assert graph["edges"] == [edge("t1", "t0", 0)]


def test_a_cycle_is_captured_as_it_is():
    a, b = Fake("a", oper="f"), Fake("b", oper="g")
    a.prev, b.prev = [b, a], [a]
    graph = capture_graph(a)
    assert tensor_labels(graph) == ["a", "b"]
    assert graph["edges"] == [
        edge("o0", "t0"),
        edge("t1", "o0", 0),
        edge("t0", "o0", 1),
        edge("o1", "t1"),
        edge("t0", "o1", 0),
    ]


@pytest.mark.parametrize("operations", [50_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_long_chain_of_operations_needs_no_recursion(operations):
    assert sys.getrecursionlimit() < operations
    tensor = Fake("x")
    for _ in range(operations):
        tensor = Fake(None, (tensor,), "relu")
    graph = capture_graph(tensor)
    assert len(graph["nodes"]) == 2 * operations + 1
    assert len(graph["edges"]) == 2 * operations
    assert graph["nodes"][-1] == tensor_node(f"t{operations}", "x")
    assert graph["edges"][-1] == edge(f"t{operations}", f"o{operations - 1}", 0)


class Odd(Fake):
    """Equality, truth and length of some frameworks' tensors are not Python's."""

    __hash__ = None

    def __eq__(self, other):
        return np.array([True, True])

    def __bool__(self):
        raise RuntimeError("truth of a tensor")

    def __len__(self):
        raise RuntimeError("length of a tensor")


def test_tensors_are_told_apart_by_identity_alone():
    a, b = Odd("a"), Odd("b")
    assert tensor_labels(capture_graph(Odd("y", [a, b, a], "cat"))) == ["y", "a", "b"]


class Wrapped:
    """Some frameworks wrap an input anew at each look at it."""

    oper, shape, comp_grad, is_leaf = None, (), True, True

    def __init__(self, label):
        self.label = label

    @property
    def prev(self):
        return [Wrapped(self.label - 1), Wrapped(self.label - 1)] if self.label else []


def test_inputs_made_on_the_fly_are_never_taken_for_each_other():
    assert len(capture_graph(Wrapped(10))["nodes"]) == 2**11 - 1


def test_a_capture_keeps_no_tensor_alive():
    x = Fake("x")
    y = Fake("y", [x, x], "*")
    alive = weakref.WeakSet([x, y])
    graph = capture_graph(y)
    del x, y
    assert not alive
    assert graph["nodes"]


def test_a_capture_does_not_follow_later_changes_of_a_tensor():
    x = Fake("x", shape=[2, 3])
    graph = capture_graph(x)
    x.shape.append(4)
    assert graph["nodes"] == [tensor_node("t0", "x", (2, 3))]


@pytest.mark.parametrize(
    ("name", "value", "captured"),
    [
        ("label", None, ""),
        ("label", 7, "7"),
        ("label", np.str_("w"), "w"),
        ("shape", (), []),
        ("shape", np.array([4, 5]), [4, 5]),
        ("shape", (np.int64(4), np.uint8(5)), [4, 5]),
        ("shape", (True, 5), [1, 5]),
        ("shape", iter([4, 5]), [4, 5]),
        ("comp_grad", np.False_, False),
        ("comp_grad", None, False),
        ("is_leaf", 1, True),
    ],
)
def test_attributes_become_plain_json_values(name, value, captured):
    (node,) = capture_graph(Fake(**{name: value}))["nodes"]
    assert json.dumps(node) == json.dumps(tensor_node("t0") | {name: captured})
    assert type(node[name]) is type(captured)


@pytest.mark.parametrize(
    ("oper", "label"), [("+", "+"), ("", ""), (np.str_("+"), "+"), (len, str(len))]
)
def test_an_operation_is_known_by_its_text(oper, label):
    assert capture_graph(Fake(oper=oper))["nodes"][1] == operation_node("o0", label)


class Faulty:
    label, oper, comp_grad, is_leaf, prev = None, None, True, True, ()

    @property
    def shape(self):
        return self.undefined


@pytest.mark.parametrize(
    ("tensor", "problem"),
    [
        pytest.param(3.5, "a float in the graph has no label, shape, comp_grad", id="not a tensor"),
        pytest.param(None, "a NoneType in the graph has no label, shape", id="None"),
        pytest.param(np.zeros(2), "ndarray in the graph has no label, comp_grad", id="some"),
        pytest.param(Faulty(), "a Faulty in the graph has no shape; ", id="property at fault"),
        pytest.param(Fake("y", [Fake("x"), 2], "+"), "a int in the graph has no label", id="list"),
        pytest.param(Fake("y", {Fake("x"), 2}, "+"), "a int in the graph has no label", id="set"),
        pytest.param(Fake("y", [2.0]), "need label, shape, comp_grad, is_leaf, oper", id="need"),
        pytest.param(Fake("y", shape=3), "the Fake labelled 'y' cannot become", id="shape an int"),
        pytest.param(Fake("y", shape=(2.0,)), "its shape must hold integers", id="shape of floats"),
        pytest.param(Fake("y", shape=(None, 2)), "its shape must hold integers", id="unknown size"),
        pytest.param(Fake("y", comp_grad=np.zeros(2)), "comp_grad and is_leaf", id="array as flag"),
        pytest.param(Fake("y", None), "prev of the Fake labelled 'y' is a NoneType", id="no prev"),
        pytest.param(Fake("y", iter([])), "keep inputs in a list, tuple or set", id="iterator"),
    ],
)
def test_what_is_no_tensor_is_refused_with_the_reason(tensor, problem):
    with pytest.raises(InvalidArgumentError) as caught:
        capture_graph(tensor)
    assert caught.value.argument == "tensor"
    assert problem in str(caught.value)


class BrokenLabel:
    def __str__(self):
        return self.undefined


def test_an_attribute_error_from_elsewhere_is_not_taken_for_a_missing_attribute():
    with pytest.raises(AttributeError, match="undefined"):
        capture_graph(Fake(BrokenLabel()))


def uses_of(rows):
    """Numbers of the rows the last one reaches, each with its inputs."""
    reached = {len(rows) - 1}
    for number in reversed(range(len(rows))):
        if number in reached:
            reached.update(rows[number])
    return {number: rows[number] for number in reached}


def build(rows, kind):
    tensors = []
    for number, row in enumerate(rows):
        inputs = kind(tensors[source] for source in row)
        tensors.append(Fake(str(number), inputs, f"op{number}" if row else None))
    return tensors[-1]


# Row i holds the numbers of the earlier rows it takes as inputs.
dags = st.lists(st.lists(st.integers(0, 999), max_size=4), min_size=1, max_size=15).map(
    lambda rows: [[number % i for number in row] if i else [] for i, row in enumerate(rows)]
)


@given(dags, st.sampled_from(KINDS))
def test_every_tensor_appears_once_and_every_use_is_an_edge(rows, kind):
    graph = capture_graph(build(rows, kind))
    nodes = {node["id"]: node for node in graph["nodes"]}
    assert len(nodes) == len(graph["nodes"])
    expected = {
        str(number): [str(source) for source in (row if kind in ORDERED else set(row))]
        for number, row in uses_of(rows).items()
    }
    assert Counter(tensor_labels(graph)) == Counter(expected.keys())

    made_by = {
        nodes[e["source"]]["label"]: nodes[e["target"]]["label"]
        for e in graph["edges"]
        if nodes[e["source"]]["type"] == "operation"
    }
    assert made_by == {f"op{label}": label for label, inputs in expected.items() if inputs}
    uses = [e for e in graph["edges"] if nodes[e["source"]]["type"] == "tensor"]
    assert len(graph["edges"]) == len(uses) + len(made_by)
    assert Counter(
        (nodes[e["source"]]["label"], made_by[nodes[e["target"]]["label"]], e.get("port"))
        for e in uses
    ) == Counter(
        (source, label, port if kind in ORDERED else None)
        for label, inputs in expected.items()
        for port, source in enumerate(inputs)
    )


@given(dags, st.sampled_from(KINDS))
def test_equal_graphs_give_equal_data_that_survives_json(rows, kind):
    first, second = build(rows, kind), build(rows, kind)
    text = check_graph_data(capture_graph(first))
    assert text == check_graph_data(capture_graph(second))
    assert json.loads(text) == capture_graph(first)


def test_the_original_name_is_the_same_function():
    assert _build_graph_data is capture_graph


def test_checked_graph_data_is_compact_ascii_json():
    graph = {"nodes": [{"id": "é"}], "edges": [], "note": None}
    assert check_graph_data(graph) == '{"nodes":[{"id":"\\u00e9"}],"edges":[],"note":null}'


def graph_with(extra):
    return {"nodes": [], "edges": [], "extra": extra}


def nested(depth):
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


itself: list[Any] = []
itself.append(itself)


@pytest.mark.parametrize(
    ("graph_data", "problem"),
    [
        pytest.param(None, "is a NoneType; pass a dict", id="None"),
        pytest.param("{}", "is a str; pass a dict", id="text"),
        pytest.param({}, "has no list 'nodes'", id="empty"),
        pytest.param({"nodes": []}, "has no list 'edges'", id="no edges"),
        pytest.param({"nodes": (), "edges": []}, "has no list 'nodes'", id="nodes a tuple"),
        pytest.param({"nodes": [], "edges": {}}, "has no list 'edges'", id="edges a dict"),
        pytest.param(graph_with(math.nan), "is not strict JSON", id="NaN"),
        pytest.param(graph_with([-math.inf]), "is not strict JSON", id="infinity"),
        pytest.param(graph_with(np.float64("nan")), "is not strict JSON", id="numpy NaN"),
        pytest.param(graph_with({math.nan: 1}), "is not strict JSON", id="NaN as key"),
        pytest.param(graph_with({(1, 2): 1}), "use dicts with text keys", id="tuple as key"),
        pytest.param(graph_with(np.int64(1)), "int64 is not JSON serializable", id="numpy int"),
        pytest.param(graph_with({1}), "set is not JSON serializable", id="set"),
        pytest.param(graph_with(itself), "Circular reference", id="circular"),
        pytest.param(graph_with(nested(200_000)), "is not strict JSON", id="too deep"),
    ],
)
def test_graph_data_that_is_not_strict_json_is_refused_with_the_reason(graph_data, problem):
    with pytest.raises(InvalidArgumentError) as caught:
        check_graph_data(graph_data)
    assert caught.value.argument == "graph_data"
    assert problem in str(caught.value)
