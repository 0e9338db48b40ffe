"""Large graphs as few groups: every node in one, every edge between two, and few enough to draw."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.graph.builder import GraphBuilder
from tracking.graph.fingerprint import fingerprint
from tracking.graph.grouping import edges_between, groupings
from tracking.graph.model import INPUT, Kind
from tracking.graph.overview import MAX_EDGES, MAX_GROUPS, overview
from tracking.graph.seed import graph_of_json, json_of_graph, operations


@st.composite
def graphs(draw):
    builder = GraphBuilder("test")
    n = draw(st.integers(0, 12))
    for number in range(n):
        namespace = draw(st.sampled_from(["", "a", "a/b", "a/c", "a/b/d", "e", "e/"]))
        sources = st.lists(st.integers(0, number - 1), max_size=3) if number else st.just([])
        op = draw(st.sampled_from(["", INPUT, "add", "mul"]))
        builder.add(Kind(op, namespace=namespace), draw(sources))
    return builder.build([n - 1] if n else [])


@given(graphs(), st.integers(1, 12))
def test_a_grouping_has_every_node_once_and_every_edge_between_two(graph, max_groups):
    found = list(groupings(graph, max_groups))
    assert found
    for grouping in found:
        group_of = grouping.group_of.tolist()
        assert len(group_of) == len(graph)
        assert len(grouping.groups) <= max_groups
        for number, group in enumerate(grouping.groups):
            assert group_of.count(number) == group.n_nodes > 0
            assert group_of.index(number) == group.first
            inside = {graph[n].kind.namespace for n in range(len(graph)) if group_of[n] == number}
            assert all(namespace.startswith("/".join(group.path)) for namespace in inside)
            assert not group.is_node or group.n_nodes == 1
        assert [group.first for group in grouping.groups] == sorted(
            group.first for group in grouping.groups
        )
        pairs = dict.fromkeys(
            (group_of[source], group_of[target])
            for target, node in enumerate(graph)
            for source in node.inputs
            if group_of[source] != group_of[target]
        )
        assert edges_between(graph, grouping) == list(pairs)
    assert len(found[-1].groups) <= 1


@given(graphs())
def test_a_small_graph_is_its_own_first_grouping(graph):
    first = next(groupings(graph, 12))
    assert all(group.is_node for group in first.groups)
    assert first.group_of.tolist() == list(range(len(graph)))


@given(graphs())
def test_operations_are_counted_as_their_json_has_them(graph):
    labels = [one["label"] for one in json_of_graph(graph)["nodes"] if one["type"] == "operation"]
    assert operations(graph) == {label: labels.count(label) for label in labels}


def layers(n, size, namespace="net/{}/ff"):
    """A chain of layers, each of some operations and a weight they share."""
    builder = GraphBuilder("test", "1.0")
    last = builder.add(Kind(INPUT, (4,), label="x"))
    for layer in range(n):
        place = namespace.format(layer)
        weight = builder.add(Kind("parameter", (4,), namespace=place, label=f"{layer}.w"))
        for _ in range(size):
            last = builder.add(Kind("mul", (4,), namespace=place), [last, weight])
    return builder.build([last])


def dense(n):
    builder = GraphBuilder("test")
    for number in range(n):
        builder.add(Kind("cat"), range(0, number, max(number // 30, 1)))
    return builder.build([n - 1])


def test_an_overview_closes_namespaces_and_says_how_much_is_behind_them():
    graph = layers(100, 50)
    data = overview(graph)
    assert (data["is_overview"], data["n_nodes"]) == (True, 5_101)
    assert data["fingerprint"]["full"] == fingerprint(graph).full
    groups = {one["label"]: one for one in data["nodes"] if one["type"] == "tensor"}
    assert groups["net/7/ff: 51 nodes"]["attributes"] == [["n_nodes", 51]]
    assert groups["net/7/ff: 51 nodes"]["namespace"] == "net/7"
    assert groups["x"]["shape"] == [4]
    assert {one["label"] for one in data["nodes"] if one["type"] == "operation"} == {"ff"}
    assert data["outputs"] == [groups["net/99/ff: 51 nodes"]["id"]]
    assert len(data["edges"]) == 2 * 100


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(layers(100, 50), id="namespaces"),
        pytest.param(layers(3_000, 1), id="too many namespaces, in one"),
        pytest.param(layers(60, 50, ""), id="no namespaces"),
        pytest.param(dense(3_000), id="dense"),
        pytest.param(layers(1, 1), id="small"),
    ],
)
def test_an_overview_is_small_and_can_be_read_as_a_graph(graph):
    data = overview(graph)
    drawn = graph_of_json(data)
    assert 0 < len(drawn) <= MAX_GROUPS
    assert len(data["edges"]) <= MAX_EDGES + MAX_GROUPS
    assert sum(dict(node.kind.attributes).get("n_nodes", 1) for node in drawn) == len(graph)
    assert not drawn.is_ordered or len(drawn) == 1
    assert len(json.dumps(data, allow_nan=False)) < 200_000


def test_an_overview_keeps_what_leads_nowhere_and_what_runs_in_circles():
    builder = GraphBuilder("test")
    for number in range(1_000):
        builder.add(Kind("step", namespace=f"{number % 2}"), [(number - 1) % 1_000])
    data = overview(builder.build([]))
    assert sorted(one["label"] for one in data["nodes"] if one["type"] == "tensor") == [
        "0: 500 nodes",
        "1: 500 nodes",
    ]
    assert len(data["edges"]) == 4
