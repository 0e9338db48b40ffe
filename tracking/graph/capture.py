"""From a tensor to its computation graph as plain JSON data.

Nothing here knows a framework: whatever carries the six attributes is a tensor.
"""

from __future__ import annotations

import json
from operator import index
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT = 1
"""Version of the layout of graph data."""

_ATTRIBUTES = ("label", "shape", "comp_grad", "is_leaf", "oper", "prev")


def capture_graph(tensor: Any) -> dict[str, Any]:
    """Return the graph of operations that led to `tensor`, as strict JSON data.

    Every tensor reachable through `prev` is visited once, breadth first and without recursion, so
    that only memory limits the size (about 1.2 kB an operation). A cycle is captured as it is.

    Inputs in a list or tuple keep their order, with one edge per use: x*x has two. A set knows
    neither the order of its inputs nor how often each was used: a-b and b-a, x*x and x**2 look
    alike in it. Its inputs get one edge each and are visited in the order of their own label,
    operation, shape and flags; those that agree in all of these come in arbitrary order, which may
    differ from process to process even where their own inputs could tell them apart.

    Args:
        tensor: the result of the computation. It and everything it was made from needs

            - `label`: its name, or None.
            - `shape`: iterable of its sizes, integers of any kind.
            - `comp_grad`: whether gradients are computed for it.
            - `is_leaf`: whether it was made by the user, not by an operation.
            - `oper`: name of the operation that made it, or None.
            - `prev`: what it was made from, a list, tuple, set or frozenset; empty for a leaf.

    Returns:
        A dict that shares nothing with the tensors and holds

        - `format`: version of this layout, 1.
        - `inputs_ordered`: False where a tensor keeps inputs in a set.
        - `nodes`: in the order of the walk {id, type: "tensor", label, shape, comp_grad, is_leaf},
          each followed by {id, type: "operation", label} where an operation made it. The tensor met
          as number 7, from 0, is `t7`, its operation `o7`.
        - `edges`: {source, target}, inputs -> operation -> result; those of ordered inputs also
          have their position as `port`, from 0. Inputs lead straight to a tensor without operation.

    Raises:
        InvalidArgumentError: `tensor`, or something it was made from, lacks one of the attributes
            or holds in it what cannot become data.
    """
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    inputs_ordered = True
    # Grows while it is walked, and keeps every tensor alive so that no id() comes twice.
    found = [tensor]
    ids = {id(tensor): "t0"}
    for number, result in enumerate(found):
        result_id = target = ids[id(result)]
        label, oper, shape, comp_grad, is_leaf, prev = _content(result)
        nodes.append(
            {
                "id": result_id,
                "type": "tensor",
                "label": label,
                "shape": shape,
                "comp_grad": comp_grad,
                "is_leaf": is_leaf,
            }
        )
        if oper is not None:
            target = f"o{number}"
            nodes.append({"id": target, "type": "operation", "label": oper})
            edges.append({"source": target, "target": result_id})
        inputs, is_ordered = _inputs(result, prev)
        for port, source in enumerate(inputs):
            source_id = ids.get(id(source))
            if source_id is None:
                source_id = ids[id(source)] = f"t{len(found)}"
                found.append(source)
            edge: dict[str, Any] = {"source": source_id, "target": target}
            if is_ordered:
                edge["port"] = port
            else:
                inputs_ordered = False
            edges.append(edge)
    return {"format": FORMAT, "inputs_ordered": inputs_ordered, "nodes": nodes, "edges": edges}


_build_graph_data = capture_graph


def check_graph_data(graph_data: Any) -> str:
    """Return `graph_data` as compact strict JSON text.

    Args:
        graph_data: a dict with lists `nodes` and `edges`, such as `capture_graph` returns.

    Raises:
        InvalidArgumentError: it is something else, or holds what strict JSON cannot (NaN, objects,
            a container inside itself).
    """
    if not isinstance(graph_data, dict):
        kind = type(graph_data).__name__
        raise InvalidArgumentError(
            "graph_data", f"is a {kind}; pass a dict such as capture_graph() returns"
        )
    for name in ("nodes", "edges"):
        if not isinstance(graph_data.get(name), list):
            raise InvalidArgumentError(
                "graph_data", f"has no list {name!r}; pass a dict such as capture_graph() returns"
            )
    try:
        return json.dumps(graph_data, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(
            "graph_data",
            f"is not strict JSON ({error}); use dicts with text keys, lists, text, finite numbers,"
            " bools and None",
        ) from error


def _content(tensor: Any) -> tuple[str, str | None, list[int], bool, bool, Any]:
    """Return label, oper, shape, comp_grad and is_leaf as JSON values, and prev as it is."""
    try:
        label, oper = tensor.label, tensor.oper
        return (
            "" if label is None else str(label),
            None if oper is None else str(oper),
            list(map(index, tensor.shape)),
            bool(tensor.comp_grad),
            bool(tensor.is_leaf),
            tensor.prev,
        )
    except AttributeError as error:
        missing = [name for name in _ATTRIBUTES if not hasattr(tensor, name)]
        if not missing:
            raise
        raise InvalidArgumentError(
            "tensor",
            f"a {type(tensor).__name__} in the graph has no {', '.join(missing)}; the tensor and"
            f" everything it was made from need {', '.join(_ATTRIBUTES)}",
        ) from error
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(
            "tensor",
            f"{_name(tensor)} cannot become data ({error}); its shape must hold integers, its"
            " comp_grad and is_leaf be true or false",
        ) from error


def _inputs(tensor: Any, prev: Any) -> tuple[Sequence[Any], bool]:
    """Return the inputs in the order of the walk, and whether that is the order they were given."""
    if isinstance(prev, (list, tuple)):
        return prev, True
    if isinstance(prev, (set, frozenset)):
        return sorted(prev, key=_sort_key) if len(prev) > 1 else tuple(prev), False
    raise InvalidArgumentError(
        "tensor",
        f"prev of {_name(tensor)} is a {type(prev).__name__}; keep inputs in a list, tuple or set",
    )


def _sort_key(tensor: Any) -> tuple[Any, ...]:
    label, oper, shape, comp_grad, is_leaf, _ = _content(tensor)
    return label, oper is not None, oper or "", shape, comp_grad, is_leaf


def _name(tensor: Any) -> str:
    return f"the {type(tensor).__name__} labelled {tensor.label!r}"
