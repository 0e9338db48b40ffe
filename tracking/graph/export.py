"""A graph in the forms other programs draw: Graphviz, Mermaid, Model Explorer. Pure.

All texts are escaped for the format, and none contains `</`, so that they may stand in a web page.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidArgumentError
from tracking.graph.grouping import edges_between, groupings
from tracking.graph.model import CONSTANT, INPUT, PARAMETER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracking.graph.grouping import Group
    from tracking.graph.model import Graph, Kind

MERMAID_EDGES = 500
"""Edges Mermaid draws at most, unless configured otherwise (its `maxEdges`)."""
MERMAID_CHARACTERS = 50_000
"""Characters Mermaid reads at most, unless configured otherwise (its `maxTextSize`)."""

_TEXT_LENGTH = 60
_LEAVES = {INPUT, PARAMETER, CONSTANT}
_DOT_ESCAPES = str.maketrans(
    {"\\": "\\\\", '"': '\\"', "&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": " "}
    | {chr(code): " " for code in (*range(10), *range(11, 32), 127)}
)
# The rest has a meaning for one of Mermaid's parsers, inside quotes too.
_MERMAID_PLAIN = frozenset(" _.,-+*=()")


def to_dot(graph: Graph) -> str:
    """Return the graph in the language of Graphviz, one node and one edge per use a line.

    Operations are boxes, what nothing was computed for ellipses, results have a double border.
    Namespaces are clusters. Edges carry the position of the argument where there are several.
    """
    outputs = set(graph.outputs)
    lines = ["digraph {", 'node [shape="box"];']
    paths = [tuple(filter(None, kind.namespace.split("/"))) for kind in graph.kinds]
    kind_of = graph.kind_of
    opened: tuple[str, ...] = ()
    clusters = 0
    for number in sorted(range(len(graph)), key=lambda number: paths[kind_of[number]]):
        kind, path = graph.kinds[kind_of[number]], paths[kind_of[number]]
        common = _common(opened, path)
        lines += ["}"] * (len(opened) - common)
        for name in path[common:]:
            lines += [f"subgraph cluster_{clusters} {{", f'label="{_dot(name)}";']
            clusters += 1
        opened = path
        lines.append(f'{number} [label="{_dot_label(kind)}"{_dot_style(kind, number in outputs)}];')
    lines += ["}"] * len(opened)
    for target, node in enumerate(graph):
        is_labelled = node.kind.is_ordered and len(node.inputs) > 1
        for port, source in enumerate(node.inputs):
            lines.append(f"{source} -> {target}" + (f' [label="{port}"];' if is_labelled else ";"))
    return "\n".join((*lines, "}", ""))


def to_mermaid(graph: Graph, max_nodes: int = 200) -> str:
    """Return the graph as a flowchart of Mermaid, of a size it draws.

    A graph that is too large is shown with namespaces closed, no more of them than needed. Where
    that is not enough, nodes of neighbouring numbers become one. Edges are drawn once.

    Args:
        graph: what to draw.
        max_nodes: how many nodes there may be, at least 1. `MERMAID_EDGES` and
            `MERMAID_CHARACTERS` hold as well.

    Raises:
        InvalidArgumentError: `max_nodes` is less than 1.
    """
    if max_nodes < 1:
        raise InvalidArgumentError("max_nodes", f"is {max_nodes}; let there be 1 node or more")
    return next(_drawings(graph, max_nodes))


def to_model_explorer(graph: Graph, name: str = "graph") -> str:
    """Return the graph as JSON that Model Explorer opens.

    Nodes carry namespace, attributes, and shape and dtype as metadata of their output; see
    `GraphCollection` in the documentation of Model Explorer's adapters.

    Args:
        graph: what to show.
        name: its name there.
    """
    contents = [_explorer_content(kind) for kind in graph.kinds]
    outputs = Counter(graph.outputs)
    nodes = []
    for number, (kind, inputs) in enumerate(zip(graph.kind_of, _inputs(graph), strict=True)):
        content = contents[kind]
        if number in outputs:
            content = content | {"attrs": [*content["attrs"], _pair("is_output", "true")]}
        edges = [
            {
                "sourceNodeId": str(source),
                "sourceNodeOutputId": "0",
                "targetNodeInputId": str(port),
            }
            for port, source in enumerate(inputs)
        ]
        nodes.append({"id": str(number), **content, "incomingEdges": edges})
    collection = {"label": name, "graphs": [{"id": name, "nodes": nodes}]}
    # The one character that could end a script; JSON may spell it this way.
    return json.dumps(collection, allow_nan=False).replace("<", "\\u003c")


def _inputs(graph: Graph) -> Iterator[Sequence[int]]:
    for node in graph:
        yield node.inputs


# Texts


def _lines(kind: Kind) -> list[str]:
    """Return what a node shows: operation, name, content."""
    content = kind.dtype or ""
    if kind.shape is not None:
        content += f"[{', '.join(map(str, kind.shape))}]"
    given = ", ".join(f"{name}={value}" for name, value in kind.attributes)
    return [_cut(text) for text in (kind.op, kind.label, content, given) if text] or [" "]


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_LENGTH else f"{text[: _TEXT_LENGTH - 3]}..."


def _dot(text: str) -> str:
    return _encodable(text).translate(_DOT_ESCAPES)


def _dot_label(kind: Kind) -> str:
    return "\\n".join(map(_dot, _lines(kind)))


def _dot_style(kind: Kind, is_output: bool) -> str:
    shape = ', shape="ellipse"' if kind.op in _LEAVES else ""
    return shape + (", peripheries=2" if is_output else "")


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _mermaid_text(text: str) -> str:
    return "".join(
        char if char.isalnum() or char in _MERMAID_PLAIN else f"#{ord(char)};"
        for char in _encodable(text)
    )


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Return how many names two paths begin with in common."""
    for number, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return number
    return min(len(first), len(second))


# Mermaid


def _drawings(graph: Graph, max_nodes: int) -> Iterator[str]:
    """Yield drawings that Mermaid draws; the last grouping, one node, always is such."""
    for grouping in groupings(graph, max_nodes):
        edges = edges_between(graph, grouping)
        drawing = _mermaid([_group_text(graph, group) for group in grouping.groups], edges)
        if len(edges) <= MERMAID_EDGES and len(drawing) <= MERMAID_CHARACTERS:
            yield drawing


def _group_text(graph: Graph, group: Group) -> str:
    if group.is_node:
        return "<br/>".join(map(_mermaid_text, _lines(graph[group.first].kind)))
    return f"{_mermaid_text(_cut(group.name))}<br/>{group.size_text}"


def _mermaid(texts: Sequence[str], edges: Sequence[tuple[int, int]]) -> str:
    nodes = [f'n{number}["{text}"]' for number, text in enumerate(texts)]
    arrows = [f"n{source} --> n{target}" for source, target in edges]
    return "\n".join(("flowchart TD", *nodes, *arrows, ""))


def _explorer_content(kind: Kind) -> dict[str, Any]:
    attrs = [_pair(name, value) for name, value in kind.attributes]
    if kind.label:
        attrs.insert(0, _pair("label", kind.label))
    shape = None if kind.shape is None else f"[{', '.join(map(str, kind.shape))}]"
    known = [_pair(key, text) for key, text in (("shape", shape), ("dtype", kind.dtype)) if text]
    return {
        "label": kind.op,
        "namespace": kind.namespace,
        "attrs": attrs,
        "outputsMetadata": [{"id": "0", "attrs": known}] if known else [],
    }


def _pair(key: str, value: object) -> dict[str, str]:
    return {"key": key, "value": value if isinstance(value, str) else json.dumps(value)}
