"""A large graph as the data of a small one, for those who draw. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracking.graph.builder import GraphBuilder
from tracking.graph.fingerprint import fingerprint
from tracking.graph.grouping import edges_between, groupings
from tracking.graph.model import Kind
from tracking.graph.seed import json_of_graph

if TYPE_CHECKING:
    from tracking.graph.fingerprint import Fingerprint
    from tracking.graph.grouping import Group
    from tracking.graph.model import Graph

MAX_GROUPS = 200
MAX_EDGES = 1_000


def overview(graph: Graph, known: Fingerprint | None = None) -> dict[str, Any]:
    """Return a graph collapsed to what a page can draw, as strict JSON data.

    Args:
        graph: the graph.
        known: its fingerprint, where that has been computed already.

    Returns:
        What `json_of_graph` does, of a graph of `MAX_GROUPS` nodes and `MAX_EDGES` edges at most:
        an operation with the attribute `n_nodes` stands for all nodes of a namespace, or for
        neighbours. Inputs have no order. `fingerprint` is that of the whole; besides there are

        - `is_overview`: true.
        - `n_nodes`: how many nodes the whole has.
    """
    drawable = (
        (grouping.groups, grouping.group_of, edges)
        for grouping in groupings(graph, MAX_GROUPS)
        for edges in [edges_between(graph, grouping)]
        if len(edges) <= MAX_EDGES
    )
    groups, group_of, edges = next(drawable)
    inputs: list[list[int]] = [[] for _ in groups]
    for source, target in edges:
        inputs[target].append(source)
    builder = GraphBuilder(graph.source, graph.source_version)
    for group, sources in zip(groups, inputs, strict=True):
        builder.add(_kind(graph, group), sources)
    outputs = dict.fromkeys(int(group_of[number]) for number in graph.outputs)
    data = json_of_graph(builder.build(outputs), known or fingerprint(graph))
    return data | {
        "inputs_ordered": False,
        "edges": [{"source": one["source"], "target": one["target"]} for one in data["edges"]],
        "is_overview": True,
        "n_nodes": len(graph),
    }


def _kind(graph: Graph, group: Group) -> Kind:
    if group.is_node:
        return graph[group.first].kind
    return Kind(
        group.path[-1] if group.path else group.name,
        namespace="/".join(group.path[:-1]),
        label=f"{group.name}: {group.size_text}",
        attributes=(("n_nodes", group.n_nodes),),
    )
