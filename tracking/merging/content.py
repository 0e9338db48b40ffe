"""All there is of a run, as it travels between stores of different kinds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.columns import iter_columns
from tracking.errors import StoreError
from tracking.merging.store import MergingDBManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracking.columns import Columns
    from tracking.merging.plan import HeldRun
    from tracking.model import Summary


class SeriesContent(NamedTuple):
    """A metric of a run.

    Attributes:
        metric: its name.
        summary: over all its records.
        parts: gives its records, a bounded number at a time: by step, those of one step in the
            order of recording.
    """

    metric: str
    summary: Summary
    parts: Callable[[], Iterator[Columns]]


class GraphContent(NamedTuple):
    """A computation graph of a run, as databases keep it; see `tracking.stored_graphs`."""

    name: str
    created_at: float
    graph_json: str
    packed: bytes | None


class RunContent(NamedTuple):
    """A run with all it has. What may be large is read when it is asked for.

    Attributes:
        held: its identity, and how complete it is.
        properties: columns of its row by name, as `PROPERTIES` lists them.
        environment: JSON text, or None.
        series: its metrics, in their order; those without a readable record are left out.
        graphs: gives them in their order, as `media` does.
        media: gives the rows of one of `MEDIA`, in the order of its columns there.
    """

    held: HeldRun
    properties: dict[str, Any]
    environment: str | None
    series: list[SeriesContent]
    graphs: Callable[[], Iterator[GraphContent]]
    media: Callable[[str], Iterator[tuple[Any, ...]]]


PROPERTIES = (
    *("name", "created_at", "status", "config", "uuid", "parent", "session", "attempt"),
    *("duration_s", "outcome", "phase", "ended_by", "verdict", "comparison"),
)
MEDIA: dict[str, tuple[str, ...]] = {
    "histograms": ("name", "step", "bucket_edges", "bucket_counts", "wall_time", "n_non_finite"),
    "images": ("name", "step", "width", "height", "channels", "image_data", "wall_time"),
    "texts": ("name", "step", "content", "wall_time"),
}
"""Tables of what a run has beside numbers and graphs, and their columns."""


_RUN = (
    f"SELECT {', '.join(f'r.{name}' for name in PROPERTIES)}, e.content FROM runs AS r"  # noqa: S608
    " LEFT JOIN environments AS e ON e.id = r.environment_id WHERE r.id = ?"
)
_GRAPHS = (
    "SELECT g.name, g.created_at, c.graph_json, c.packed FROM run_graphs AS g"
    " JOIN graph_contents AS c ON c.id = g.content_id WHERE g.run_id = ?"
    " ORDER BY g.created_at, g.id"
)


class ContentDBManager(MergingDBManager):
    """An experiment that gives away whole runs."""

    def recording(self) -> frozenset[str]:
        """Return the uuids of runs that go on in a process we know."""
        query = "SELECT uuid FROM runs WHERE status = 'running' AND writer IS NOT NULL"
        with self._db.reading() as connection:
            return frozenset(uuid for (uuid,) in connection.execute(query))

    def content_of(self, held: HeldRun) -> RunContent:
        """Return a run with all it has.

        The experiment must not change until all of it was asked for.

        Raises:
            StoreError: it cannot be read; so too later, when more is asked for.
        """
        summaries = self.read_summaries(held.run_id) if held.form.n_records else {}
        with self._db.reading() as connection:
            *row, environment = connection.execute(_RUN, (held.run_id,)).fetchone()
        return RunContent(
            held,
            dict(zip(PROPERTIES, row, strict=True)),
            environment,
            [
                SeriesContent(metric, summary, partial(self._parts, held.run_id, metric, summary.n))
                for metric, summary in summaries.items()
            ],
            partial(self._graphs, held),
            partial(self._media_of, held),
        )

    def _parts(self, run_id: int, metric: str, n: int) -> Iterator[Columns]:
        n_read = 0
        with self._db.reading() as connection:
            for part in iter_columns(connection, run_id, metric, n):
                n_read += len(part.steps)
                yield part
        if n_read != n:
            raise StoreError(
                f"{self.db_path} is damaged: of {metric} of run {run_id} it holds {n_read} records,"
                f" and {n} were recorded; delete_run() removes a run with all its data"
            )

    def _graphs(self, held: HeldRun) -> Iterator[GraphContent]:
        if held.form.n_media:
            with self._db.reading() as connection:
                yield from map(GraphContent._make, connection.execute(_GRAPHS, (held.run_id,)))

    def _media_of(self, held: HeldRun, table: str) -> Iterator[tuple[Any, ...]]:
        if held.form.n_media:
            query = f"SELECT {', '.join(MEDIA[table])} FROM {table} WHERE run_id = ? ORDER BY id"  # noqa: S608
            with self._db.reading() as connection:
                yield from connection.execute(query, (held.run_id,))
