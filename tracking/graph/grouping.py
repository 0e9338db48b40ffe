"""A large graph as a few groups of its nodes, to be drawn. Pure.

Namespaces are closed, no more of them than needed; where that is not enough, nodes of neighbouring
numbers become one.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracking.graph.model import Graph

_N_OPS = 3


class Group(NamedTuple):
    """What is drawn as one.

    Attributes:
        first: number of its first node.
        n_nodes: how many nodes it has.
        path: names of the closed namespace, from the outside in; empty where it is none.
        ops: its most common operations where it is none; empty for a node that stands for itself.
    """

    first: int
    n_nodes: int
    path: tuple[str, ...] = ()
    ops: tuple[str, ...] = ()

    @property
    def is_node(self) -> bool:
        """Whether it is a node that stands for itself."""
        return not (self.path or self.ops)

    @property
    def name(self) -> str:
        """What to call it; nothing for a node that stands for itself."""
        return "/".join(self.path) or ", ".join(self.ops)

    @property
    def size_text(self) -> str:
        """How many nodes it has, in words."""
        return f"{self.n_nodes} node{'s' * (self.n_nodes != 1)}"


class Grouping(NamedTuple):
    """A way to draw a graph.

    Attributes:
        groups: in the order of their first nodes.
        group_of: of each node the number of its group, an array of numpy of shape (n_nodes,).
    """

    groups: Sequence[Group]
    group_of: Any


def groupings(graph: Graph, max_groups: int) -> Iterator[Grouping]:
    """Yield ways to draw a graph, each coarser than the one before; the last one is one group.

    Args:
        graph: what to draw.
        max_groups: how many groups there may be, at least 1.
    """
    import numpy as np

    namespaces: dict[str, int] = {}
    of_kind = [namespaces.setdefault(kind.namespace, len(namespaces)) for kind in graph.kinds]
    namespace_of = np.array(of_kind, dtype=np.int64)[np.asarray(graph.kind_of)]
    n_nodes = np.bincount(namespace_of, minlength=len(namespaces)).tolist()
    paths = [tuple(filter(None, namespace.split("/"))) for namespace in namespaces]
    for depth in range(max(map(len, paths), default=0) + 1, 0, -1):
        n_closed = len({path[:depth] for path in paths if len(path) >= depth})
        n_open = sum(n for path, n in zip(paths, n_nodes, strict=True) if len(path) < depth)
        if n_closed + n_open <= max_groups:
            yield _by_namespace(namespace_of, paths, depth)
    size = min(max_groups, len(graph))
    while size:
        yield _by_number(graph, size)
        size //= 2


def edges_between(graph: Graph, grouping: Grouping) -> list[tuple[int, int]]:
    """Return the edges between groups as (source, target), in the order of their first use."""
    import numpy as np

    starts = np.asarray(graph.starts, dtype=np.int64)
    targets = np.repeat(grouping.group_of, starts[1:] - starts[:-1])
    sources = grouping.group_of[np.asarray(graph.inputs, dtype=np.int64)]
    is_between = sources != targets
    n = len(grouping.groups)
    pairs = dict.fromkeys((sources[is_between] * n + targets[is_between]).tolist())
    return [divmod(pair, n) for pair in pairs]


def _by_namespace(namespace_of: Any, paths: Sequence[tuple[str, ...]], depth: int) -> Grouping:
    """Close the namespaces `depth` names deep."""
    import numpy as np

    first_of = np.zeros(len(paths), dtype=np.int64)
    first_of[namespace_of[::-1]] = np.arange(len(namespace_of))[::-1]  # what comes last stays
    closed: dict[tuple[str, ...], list[int]] = {}
    for namespace, path in enumerate(paths):
        if len(path) >= depth:
            closed.setdefault(path[:depth], []).append(namespace)
    is_open = np.array([len(path) < depth for path in paths], dtype=bool)
    singles = np.flatnonzero(is_open[namespace_of]).tolist()
    firsts = {path: min(map(first_of.__getitem__, inside)) for path, inside in closed.items()}
    order = sorted(
        [*((first, path) for path, first in firsts.items()), *((n, ()) for n in singles)]
    )
    number_of = {first: number for number, (first, _) in enumerate(order)}
    of_namespace = np.zeros(len(paths), dtype=np.int64)
    for path, inside in closed.items():
        of_namespace[inside] = number_of[firsts[path]]
    group_of = of_namespace[namespace_of]
    group_of[singles] = [number_of[single] for single in singles]
    sizes = np.bincount(group_of, minlength=len(order)).tolist()
    groups = [
        Group(int(first), size, path) for (first, path), size in zip(order, sizes, strict=True)
    ]
    return Grouping(groups, group_of)


def _by_number(graph: Graph, n_groups: int) -> Grouping:
    """Make groups of the same size of nodes that follow each other."""
    import numpy as np

    n = len(graph)
    group_of = np.arange(n) * n_groups // n
    bounds = np.searchsorted(group_of, np.arange(n_groups + 1)).tolist()
    kind_of = np.asarray(graph.kind_of)
    groups = [
        Group(start, end - start, ops=_most_common(graph, kind_of[start:end]))
        for start, end in pairwise(bounds)
    ]
    return Grouping(groups, group_of)


def _most_common(graph: Graph, kind_of: Any) -> tuple[str, ...]:
    ops: Counter[str] = Counter()
    for kind, n in Counter(kind_of.tolist()).items():
        ops[graph.kinds[kind].op] += n
    return tuple(op for op, _ in ops.most_common(_N_OPS))
