"""All there is of a run, as it travels between stores of different kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.columns import Columns, read_columns
from tracking.merging.store import MergingDBManager

if TYPE_CHECKING:
    import sqlite3

    from tracking.merging.plan import HeldRun
    from tracking.model import Summary


class SeriesContent(NamedTuple):
    """A metric of a run.

    Attributes:
        metric: its name.
        columns: its records by step, those of one step in the order of recording.
        summary: over all of them.
    """

    metric: str
    columns: Columns
    summary: Summary


class GraphContent(NamedTuple):
    """A computation graph of a run, as databases keep it; see `tracking.stored_graphs`."""

    name: str
    created_at: float
    graph_json: str
    packed: bytes | None


class RunContent(NamedTuple):
    """A run with all it has.

    Attributes:
        held: its identity, and how complete it is.
        properties: columns of its row by name, as `PROPERTIES` lists them.
        environment: JSON text, or None.
        series: its metrics, in their order; those without a readable record are left out.
        graphs: in their order, as the media below.
        histograms: columns of each by name.
        images: columns of each by name.
        texts: columns of each by name.
    """

    held: HeldRun
    properties: dict[str, Any]
    environment: str | None
    series: list[SeriesContent]
    graphs: list[GraphContent]
    histograms: list[dict[str, Any]]
    images: list[dict[str, Any]]
    texts: list[dict[str, Any]]


PROPERTIES = (
    *("name", "created_at", "status", "config", "uuid", "parent", "session", "attempt"),
    *("duration_s", "outcome", "phase", "ended_by", "verdict", "comparison"),
)
_HISTOGRAM = ("name", "step", "bucket_edges", "bucket_counts", "wall_time", "n_non_finite")
_IMAGE = ("name", "step", "width", "height", "channels", "image_data", "wall_time")
_TEXT = ("name", "step", "content", "wall_time")


class ContentDBManager(MergingDBManager):
    """An experiment that gives away whole runs."""

    def content_of(self, held: HeldRun) -> RunContent:
        """Return a run with all it has.

        Raises:
            StoreError: it cannot be read.
        """
        run_id = held.run_id
        summaries = self.read_summaries(run_id)
        with self._db.reading() as connection:
            (row,) = _select(connection, "runs", PROPERTIES, "id", run_id)
            environment = connection.execute(
                "SELECT e.content FROM runs AS r JOIN environments AS e ON e.id = r.environment_id"
                " WHERE r.id = ?",
                (run_id,),
            ).fetchone()
            return RunContent(
                held,
                row,
                environment[0] if environment else None,
                [
                    SeriesContent(metric, read_columns(connection, run_id, metric), summary)
                    for metric, summary in summaries.items()
                ],
                [
                    GraphContent(*graph)
                    for graph in connection.execute(
                        "SELECT g.name, g.created_at, c.graph_json, c.packed FROM run_graphs AS g"
                        " JOIN graph_contents AS c ON c.id = g.content_id"
                        " WHERE g.run_id = ? ORDER BY g.created_at, g.id",
                        (run_id,),
                    )
                ],
                _select(connection, "histograms", _HISTOGRAM, "run_id", run_id),
                _select(connection, "images", _IMAGE, "run_id", run_id),
                _select(connection, "texts", _TEXT, "run_id", run_id),
            )


def _select(
    connection: sqlite3.Connection, table: str, columns: tuple[str, ...], key: str, run_id: int
) -> list[dict[str, Any]]:
    query = f"SELECT {', '.join(columns)} FROM {table} WHERE {key} = ? ORDER BY id"  # noqa: S608
    return [dict(zip(columns, row, strict=True)) for row in connection.execute(query, (run_id,))]
