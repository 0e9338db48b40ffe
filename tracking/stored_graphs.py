"""Computation graphs in the database: equal ones once, large ones packed."""

from __future__ import annotations

import functools
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracking import schema
from tracking.connection import making_sense
from tracking.errors import InvalidArgumentError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tracking.graph.model import Graph

WHOLE_UP_TO = 2_000
"""Graphs of more nodes are packed; an overview of them is the JSON that others read."""


@dataclass(frozen=True)
class Content:
    """A graph on its way into the database.

    Attributes:
        digest: equal for equal graphs.
        columns: gives `graph_json` and `packed`, once it is known that they are needed.
    """

    digest: bytes
    columns: Callable[[], tuple[str, bytes | None]]


def content_of_graph(graph: Graph) -> Content:
    """Return what there is to store of a graph."""
    from tracking.graph.identity import identity  # most runs have no graph

    known, digest = identity(graph)

    @functools.cache
    def columns() -> tuple[str, bytes | None]:
        from tracking.graph import check_graph_data
        from tracking.graph.overview import overview
        from tracking.graph.seed import json_of_graph
        from tracking.graph.text import pack

        if len(graph) <= WHOLE_UP_TO:
            return check_graph_data(json_of_graph(graph, known)), None
        return check_graph_data(overview(graph, known)), pack(graph)

    return Content(digest, columns)


def content_of_text(graph_json: str) -> Content:
    """Return what there is to store of JSON that somebody else made of a graph."""
    digest = schema.digest_of_text(graph_json.encode())
    return Content(digest, lambda: (graph_json, None))


def has_content(connection: sqlite3.Connection, content: Content) -> bool:
    """Tell whether an equal graph is there."""
    return _content_id(connection, content) is not None


def insert_graph(
    connection: sqlite3.Connection, run_id: int, name: str, content: Content, created_at: float
) -> int:
    """Store a graph of a run, by reference where an equal one is there; returns its id."""
    content_id = _content_id(connection, content)
    if content_id is None:
        content_id = connection.execute(
            "INSERT INTO graph_contents (digest, graph_json, packed) VALUES (?, ?, ?)",
            (content.digest, *content.columns()),
        ).lastrowid
    cursor = connection.execute(
        "INSERT INTO run_graphs (run_id, content_id, name, created_at) VALUES (?, ?, ?, ?)",
        (run_id, content_id, name, created_at),
    )
    return int(cursor.lastrowid or 0)


def _content_id(connection: sqlite3.Connection, content: Content) -> int | None:
    row = connection.execute(
        "SELECT id FROM graph_contents WHERE digest = ?", (content.digest,)
    ).fetchone()
    return int(row[0]) if row else None


def read_graph(connection: sqlite3.Connection, db_path: Path, graph_id: int) -> StoredGraph | None:
    """Return a graph by its id; None when there is none."""
    row = connection.execute(f"{_select(connection)} WHERE g.id = ?", (graph_id,)).fetchone()
    return StoredGraph(db_path, *row) if row else None


def read_graphs(connection: sqlite3.Connection, db_path: Path, run_id: int) -> list[StoredGraph]:
    """Return the graphs of a run, oldest first."""
    rows = connection.execute(
        f"{_select(connection)} WHERE g.run_id = ? ORDER BY g.created_at, g.id", (run_id,)
    ).fetchall()
    return [StoredGraph(db_path, *row) for row in rows]


def _select(connection: sqlite3.Connection) -> str:
    if schema.version_of(connection) < schema.SHARES_GRAPHS:
        return "SELECT g.id, 'graph', g.created_at, g.graph_json, NULL FROM graphs AS g"
    return (
        "SELECT g.id, g.name, g.created_at, c.graph_json, c.packed"
        " FROM run_graphs AS g LEFT JOIN graph_contents AS c ON c.id = g.content_id"
    )


@dataclass(frozen=True)
class StoredGraph:
    """A graph of a run, as it lies in the database: nothing of it is parsed before it is asked for.

    What lies there and is damaged raises `StoreError` when it is asked for.

    Attributes:
        where: what messages call the database.
        graph_id: its number in the experiment.
        name: as it was saved; a run may have several of one name.
        created_at: Unix seconds.
    """

    where: Path | str
    graph_id: int
    name: str
    created_at: float
    _graph_json: str
    _packed: bytes | None

    @property
    def n_nodes(self) -> int:
        """How many nodes the whole has; of JSON that is no graph of tensors, all it lists."""
        if self._packed is not None:
            n = self._fields.get("n_nodes")
            return n if isinstance(n, int) else len(self.graph())
        return self._types().count("tensor") or len(self._nodes)

    @property
    def fingerprint(self) -> str | None:
        """The full fingerprint, 32 hexadecimal digits; None where its JSON does not say it."""
        found = self._fields.get("fingerprint")
        full = found.get("full") if isinstance(found, dict) else None
        return full if isinstance(full, str) else None

    def graph(self) -> Graph:
        """Return it as a graph.

        Raises:
            InvalidArgumentError: another program stored JSON that is no graph of tensors.
            StoreError: it is damaged.
        """
        from tracking.graph.seed import graph_of_json
        from tracking.graph.text import unpack

        if self._packed is None:
            return graph_of_json(self._parsed)
        with self._making_sense():
            return unpack(self._packed)

    def whole(self) -> Any:
        """Return all of it as JSON data: of a graph what `json_of_graph` does, else as it lies."""
        from tracking.graph.seed import json_of_graph

        return self._parsed if self._packed is None else json_of_graph(self.graph())

    def overview(self) -> dict[str, Any]:
        """Return JSON data to draw: the whole, or what `tracking.graph.overview` makes of it.

        Large JSON that is no graph of tensors comes as it lies.
        """
        from tracking.graph.overview import overview

        if self._packed is None and len(self._nodes) > 2 * WHOLE_UP_TO:
            try:
                return overview(self.graph())
            except InvalidArgumentError:
                return self._fields
        return self._fields

    def operations(self) -> dict[str, int]:
        """Return how many operations of each name it has."""
        from tracking.graph.seed import operations

        if self._packed is not None:
            return operations(self.graph())
        nodes = zip(self._nodes, self._types(), strict=True)
        return dict(Counter(str(node.get("label")) for node, of in nodes if of == "operation"))

    @functools.cached_property
    def _parsed(self) -> Any:
        with self._making_sense():
            return json.loads(self._graph_json)

    @property
    def _fields(self) -> dict[str, Any]:
        return self._parsed if isinstance(self._parsed, dict) else {}

    @property
    def _nodes(self) -> list[Any]:
        nodes = self._fields.get("nodes")
        return nodes if isinstance(nodes, list) else []

    def _types(self) -> list[Any]:
        return [node.get("type") if isinstance(node, dict) else None for node in self._nodes]

    def _making_sense(self) -> AbstractContextManager[None]:
        return making_sense(self.where, f"graph {self.graph_id} {self.name!r}")
