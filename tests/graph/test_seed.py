"""Graphs in the JSON of the original, there and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import InvalidArgumentError
from tracking.graph import capture_graph
from tracking.graph.builder import GraphBuilder
from tracking.graph.capture import capture
from tracking.graph.fingerprint import fingerprint
from tracking.graph.model import CONSTANT, INPUT, PARAMETER, Kind
from tracking.graph.seed import graph_of_json, json_of_graph
from tracking.graph.text import text_of


@dataclass(eq=False)
class Tensor:
    label: Any = None
    prev: Any = ()
    oper: Any = None
    shape: Any = (2, 3)
    comp_grad: Any = True
    is_leaf: Any = True


def common(data):
    """What `capture_graph` returns of the data; the rest is ours."""
    fields = ("id", "type", "label", "shape", "comp_grad", "is_leaf")
    nodes = [{name: node[name] for name in fields if name in node} for node in data["nodes"]]
    return {**{name: data[name] for name in ("format", "inputs_ordered", "edges")}, "nodes": nodes}


def rows_of(opers):
    inputs = st.lists(st.integers(0, 99), max_size=3)
    row = st.tuples(inputs, st.sampled_from(opers), st.booleans(), st.booleans())
    return st.lists(row, min_size=1, max_size=10)


rows = rows_of([None, "+", "matmul"])


def assert_same(one, other):
    """Assert that two graphs differ in the numbers of their nodes only."""
    kinds = [sorted(repr(graph.kinds[kind]) for kind in graph.kind_of) for graph in (one, other)]
    assert kinds[0] == kinds[1]
    assert fingerprint(one) == fingerprint(other)
    if other.is_ordered:
        # Where nodes look alike from near and far, only an order of inputs tells which come first.
        assert text_of(one) == text_of(other)


def tensor_of(rows, containers):
    made: list[Tensor] = []
    for number, (inputs, oper, comp_grad, is_leaf) in enumerate(rows):
        container = containers[number % len(containers)]
        prev = container(made[i % number] for i in inputs) if number else container()
        made.append(Tensor(f"t{number}", prev, oper, (number,), comp_grad, is_leaf))
    return made[-1]


containers = st.lists(st.sampled_from([list, tuple, set, frozenset]), min_size=1, max_size=4)


@given(rows, containers)
def test_the_json_of_a_captured_tensor_is_that_of_capture_graph(rows, containers):
    tensor = tensor_of(rows, containers)
    assert common(json_of_graph(capture(tensor))) == capture_graph(tensor)


@given(rows_of([None, "+", "", INPUT, CONSTANT]), containers)
def test_what_capture_graph_wrote_is_the_graph_of_the_tensor(rows, containers):
    graph = capture(tensor_of(rows, containers))
    assert_same(graph_of_json(capture_graph(tensor_of(rows, containers))), graph)


words = st.sampled_from(["", "a", "b/c", "é\n"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
attributes = st.dictionaries(
    st.sampled_from(["alpha", "comp_grad", "is_leaf"]), scalars, max_size=3
).map(lambda found: tuple(sorted(found.items())))
kinds = st.builds(
    Kind,
    st.sampled_from([INPUT, PARAMETER, CONSTANT, "add", "", "relu"]),
    st.none() | st.lists(st.integers(0, 9) | st.just("n"), max_size=2).map(tuple),
    st.none() | st.just("float32"),
    words,
    words,
    attributes,
    st.booleans(),
)


@st.composite
def graphs(draw):
    builder = GraphBuilder("test", draw(words), draw(st.booleans()))
    n = draw(st.integers(0, 8))
    has_cycle = draw(st.booleans())
    for number in range(n):
        last = n - 1 if has_cycle else number - 1
        sources = st.lists(st.integers(0, last), max_size=3) if last >= 0 else st.just([])
        builder.add(draw(kinds), draw(sources))
    return builder.build(draw(st.lists(st.integers(0, n - 1), max_size=2)) if n else [])


@given(graphs())
def test_any_graph_comes_back_from_its_json(graph):
    data = json.loads(json.dumps(json_of_graph(graph), allow_nan=False))
    again = graph_of_json(data)
    assert_same(again, graph)
    assert (again.source, again.source_version) == (graph.source, graph.source_version)
    assert json_of_graph(again)["fingerprint"] == data["fingerprint"]


ORIGINAL = {
    "nodes": [
        {"id": "140001", "type": "tensor", "label": "y", "shape": [2], "comp_grad": True}
        | {"is_leaf": False},
        {"id": "140001+", "type": "operation", "label": "+"},
        {"id": "140002", "type": "tensor", "label": "a", "shape": [2], "comp_grad": True}
        | {"is_leaf": True},
        {"id": "140003", "type": "tensor", "label": "b", "shape": [], "comp_grad": False}
        | {"is_leaf": True},
    ],
    "edges": [
        {"source": "140001+", "target": "140001"},
        {"source": "140003", "target": "140001+"},
        {"source": "140002", "target": "140001+"},
    ],
}


def test_the_json_of_the_original_is_read_and_has_no_order_of_inputs():
    graph = graph_of_json(ORIGINAL)
    assert graph.is_ordered is False
    assert sorted(node.kind.op for node in graph) == ["+", INPUT, PARAMETER]
    (output,) = graph.outputs
    assert {graph[source].kind.label for source in graph[output].inputs} == {"a", "b"}
    reversed_edges = {**ORIGINAL, "edges": ORIGINAL["edges"][::-1]}
    assert fingerprint(graph) == fingerprint(graph_of_json(reversed_edges))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([], "is a list"),
        ({"nodes": [{}], "edges": []}, "KeyError: 'id'"),
        ({"nodes": [{"id": "t0"}], "edges": []}, "KeyError: 'type'"),
        ({**ORIGINAL, "edges": [{"source": "gone", "target": "140001"}]}, "'gone'"),
        ({**ORIGINAL, "edges": [{"source": "140002", "target": "gone"}]}, "'gone'"),
        ({**ORIGINAL, "outputs": ["gone"]}, "'gone'"),
        ({**ORIGINAL, "nodes": ["t0"]}, "TypeError"),
    ],
)
def test_json_that_is_no_graph_is_refused_with_what_is_wrong(data, problem):
    with pytest.raises(InvalidArgumentError) as caught:
        graph_of_json(data)
    assert caught.value.argument == "graph_data"
    assert problem in str(caught.value)
