"""What differs from another graph, in the terms of those who draw one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracking.graph.diff import diff, node_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracking.graph.model import Graph


def marks(before: Graph, after: Graph, ids: Sequence[Any]) -> dict[str, list[Any]]:
    """Return which nodes of a graph another one has not, or has otherwise.

    Args:
        before: the graph it is compared with.
        after: the graph that is drawn.
        ids: what its nodes are called in the drawing; see `tracking.graph.seed.graph_with_ids`.

    Returns:
        - `changed`, `added`: some of `ids`.
        - `removed`: texts on nodes that only `before` has.
    """
    found = diff(before, after)
    return {
        "changed": [ids[number] for _, number in found.changed],
        "added": [ids[number] for number in found.added],
        "removed": [node_text(before, number) for number in found.removed],
    }
