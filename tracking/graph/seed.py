"""Graphs in the JSON of the original, which its dashboard reads, and back. Pure.

A node whose value was computed becomes two: its operation, and the tensor that is its result.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidArgumentError
from tracking.graph.builder import GraphBuilder, walk
from tracking.graph.capture import FORMAT, check_graph_data
from tracking.graph.fingerprint import fingerprint
from tracking.graph.model import CONSTANT, INPUT, PARAMETER, Graph, Kind, Node
from tracking.model import decode_number, encode_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracking.graph.fingerprint import Fingerprint
    from tracking.graph.model import Scalar

_LEAVES = (INPUT, PARAMETER, CONSTANT)


def json_of_graph(graph: Graph, known: Fingerprint | None = None) -> dict[str, Any]:
    """Return a graph as strict JSON data.

    Args:
        graph: the graph.
        known: its fingerprint, where that has been computed already.

    Returns:
        What `capture_graph` returns, in the order of a walk from the outputs, breadth first; and

        - `source`, `source_version`, `outputs` (ids of tensors) and `fingerprint` {structure, full,
          version} of the graph.
        - with tensors, where they have them: `dtype`, `namespace`; `attributes`, a list of [name,
          value], unless they are just comp_grad and is_leaf; `op`, where the other fields do not
          say it; `is_shape_known` false, then `shape` is empty.
    """
    ranks = _ranks(graph)
    number_of = _breadth_first(graph, ranks)
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    contents = [_tensor_fields(kind) for kind in graph.kinds]
    for number, position in number_of.items():
        node = graph[number]
        result = target = f"t{position}"
        fields = contents[graph.kind_of[number]]
        nodes.append({"id": result, "type": "tensor"} | fields)
        if _is_made_by_operation(node):
            target = f"o{position}"
            nodes.append({"id": target, "type": "operation", "label": node.kind.op})
            edges.append({"source": target, "target": result})
        elif node.kind.op != _unmade_op(fields["comp_grad"], bool(node.inputs)):
            nodes[-1]["op"] = node.kind.op
        for port, source in enumerate(_inputs(graph, number, ranks)):
            edge: dict[str, Any] = {"source": f"t{number_of[source]}", "target": target}
            edges.append(edge | {"port": port} if node.kind.is_ordered else edge)
    known = known or fingerprint(graph)
    return {
        "format": FORMAT,
        "inputs_ordered": graph.is_ordered,
        "nodes": nodes,
        "edges": edges,
        "source": graph.source,
        "source_version": graph.source_version,
        "outputs": [f"t{number_of[number]}" for number in graph.outputs],
        "fingerprint": {
            "structure": known.structure,
            "full": known.full,
            "version": known.version,
        },
    }


def operations(graph: Graph) -> dict[str, int]:
    """Return how many operations of each name `json_of_graph` writes of a graph."""
    import numpy as np

    has_inputs = np.diff(np.asarray(graph.starts, dtype=np.int64)) > 0
    codes, counts = np.unique(
        2 * np.asarray(graph.kind_of, dtype=np.int64) + has_inputs, return_counts=True
    )
    found: Counter[str] = Counter()
    for code, n in zip(codes.tolist(), counts.tolist(), strict=True):
        node = Node(graph.kinds[code // 2], [0] * (code % 2))
        if _is_made_by_operation(node):
            found[node.kind.op] += n
    return dict(found)


def graph_of_json(graph_data: Any) -> Graph:
    """Return the graph that `json_of_graph`, `capture_graph` or the original wrote as `graph_data`.

    What `json_of_graph` wrote comes back whole, but for the numbers of nodes. Where data does not
    say what the outputs are, those are the tensors nothing takes; where an edge has no port, the
    inputs of its target have no order.

    Raises:
        InvalidArgumentError: it is no such data; says what is wrong with it.
    """
    return graph_with_ids(graph_data)[0]


def graph_with_ids(graph_data: Any) -> tuple[Graph, list[Any]]:
    """Return what `graph_of_json` does, and of each node the id that its tensor has in the data.

    Raises:
        InvalidArgumentError: see `graph_of_json`.
    """
    check_graph_data(graph_data)
    try:
        return _graph(graph_data)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InvalidArgumentError(
            "graph_data",
            f"is not the graph of tensors and operations capture_graph() returns"
            f" ({type(error).__name__}: {error}); look at the node or edge that names it",
        ) from error


def _graph(data: dict[str, Any]) -> tuple[Graph, list[Any]]:
    fields = {node["id"]: node for node in data["nodes"]}
    tensors = [name for name, node in fields.items() if node["type"] == "tensor"]
    is_operation = {name: node["type"] == "operation" for name, node in fields.items()}
    made_by: dict[Any, Any] = {}
    taken: dict[Any, list[tuple[int, Any]]] = {name: [] for name in fields}
    unordered: set[Any] = set()
    for edge in data["edges"]:
        source, target = edge["source"], edge["target"]
        if is_operation[source]:
            made_by[target] = source
        else:
            taken[target].append((edge.get("port", 0), source))
            if "port" not in edge:
                unordered.add(target)

    def taker(tensor: Any) -> Any:
        return made_by.get(tensor, tensor)

    def inputs_of(tensor: Any) -> list[Any]:
        edges = taken[taker(tensor)]
        return [source for _, source in sorted(edges, key=lambda edge: edge[0])]

    used = {source for inputs in taken.values() for _, source in inputs}
    outputs = data.get("outputs")
    if outputs is None:
        outputs = [name for name in tensors if name not in used] or tensors[:1]
    names = {name: number for number, name in enumerate(tensors)}
    order = list(walk([*outputs, *tensors], inputs_of, names.__getitem__))
    number_of = {name: number for number, name in enumerate(order)}
    builder = GraphBuilder(data.get("source", "seed"), data.get("source_version", ""))
    for name in order:
        inputs = inputs_of(name)
        operation = fields[made_by[name]]["label"] if name in made_by else None
        kind = _kind(fields[name], operation, bool(inputs), taker(name) not in unordered)
        builder.add(kind, [number_of[source] for source in inputs])
    return builder.build(number_of[name] for name in outputs), order


def _kind(
    fields: dict[str, Any], operation: str | None, has_inputs: bool, is_ordered: bool
) -> Kind:
    comp_grad = bool(fields.get("comp_grad", False))
    op = operation
    if op is None:
        op = fields.get("op", _unmade_op(comp_grad, has_inputs))
    attributes = fields.get("attributes")
    if attributes is None:
        attributes = [["comp_grad", comp_grad], ["is_leaf", bool(fields.get("is_leaf", not op))]]
    return Kind(
        str(op),
        tuple(fields.get("shape") or ()) if fields.get("is_shape_known", True) else None,
        fields.get("dtype"),
        fields.get("namespace", ""),
        str(fields.get("label") or ""),
        tuple((name, _decoded(value)) for name, value in attributes),
        is_ordered,
    )


def _unmade_op(comp_grad: bool, has_inputs: bool) -> str:
    """Return what a tensor is that no operation made, where its `op` does not say it."""
    return "" if has_inputs else PARAMETER if comp_grad else INPUT


def _tensor_fields(kind: Kind) -> dict[str, Any]:
    attributes = dict(kind.attributes)
    is_leaf = attributes.get("is_leaf", kind.op in _LEAVES)
    comp_grad = attributes.get("comp_grad", kind.op == PARAMETER)
    fields: dict[str, Any] = {
        "label": kind.label,
        "shape": list(kind.shape or ()),
        "comp_grad": bool(comp_grad),
        "is_leaf": bool(is_leaf),
    }
    plain = (("comp_grad", fields["comp_grad"]), ("is_leaf", fields["is_leaf"]))
    if kind.shape is None:
        fields["is_shape_known"] = False
    if kind.dtype is not None:
        fields["dtype"] = kind.dtype
    if kind.namespace:
        fields["namespace"] = kind.namespace
    if repr(kind.attributes) != repr(plain):
        fields["attributes"] = [[name, _encoded(value)] for name, value in kind.attributes]
    return fields


def _encoded(value: Scalar) -> Any:
    return {"float": encode_number(value)} if isinstance(value, float) else value


def _decoded(value: Any) -> Scalar:
    return decode_number(value["float"]) if isinstance(value, dict) else value


def _is_made_by_operation(node: Node) -> bool:
    return bool(node.kind.op) if node.inputs else node.kind.op not in _LEAVES


def _breadth_first(graph: Graph, ranks: list[int]) -> dict[int, int]:
    """Return by number of node its place in the order of the walk, nodes nobody needs last."""
    found = list(dict.fromkeys(graph.outputs))
    number_of = {number: position for position, number in enumerate(found)}
    unused: Iterable[int] = iter(range(len(graph)))
    for number in found:
        for source in _inputs(graph, number, ranks):
            if source not in number_of:
                number_of[source] = len(found)
                found.append(source)
    for number in unused:
        number_of.setdefault(number, len(number_of))
    return number_of


def _inputs(graph: Graph, number: int, ranks: list[int]) -> list[int]:
    kind, inputs = graph[number]
    return list(inputs) if kind.is_ordered else sorted(inputs, key=ranks.__getitem__)


def _ranks(graph: Graph) -> list[int]:
    """Return where each node comes among inputs that have no order."""
    if graph.is_ordered:
        return []
    contents = [
        (kind.label, kind.op not in _LEAVES, kind.op, repr((kind.shape, kind.attributes, kind)))
        for kind in graph.kinds
    ]
    order = sorted(range(len(contents)), key=contents.__getitem__)
    rank_of = {number: rank for rank, number in enumerate(order)}
    return [rank_of[number] for number in graph.kind_of]
