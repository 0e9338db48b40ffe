"""PostgresDBManager: an experiment in a store, for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracking import arguments
from tracking.columns import Columns, joined
from tracking.model import RecordInfo, Summary
from tracking.postgres import chunks
from tracking.postgres.runs import StoredRuns
from tracking.stored_graphs import StoredGraph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracking.model import RunInfo

_CHUNKS_AT_ONCE = 256  # 84,480 records: 3 MB


class PostgresDBManager(StoredRuns):
    """An experiment in a store, at the moment of the first question.

    It answers as the experiments do that its runs came from; only numbers of runs and graphs are
    those of the store. For one thread at a time.

    Args:
        address: of the store.
        experiment: name of the experiment.
        folder: where it is recorded on this machine, if it is: baseline files are named from there.
        connections: to the store; one of its own by default.

    Raises:
        NewerSchemaError: a newer version of this library wrote the store.
        StoreUnreachableError: its server does not answer, or does not let us in.
        StoreError: there is no store, or no such experiment in it.
    """

    # Records

    def get_metrics(self, run_id: int) -> list[str]:
        """Get list of metric names for a run, in the order of the experiment it came from."""
        return self._existing(run_id).metrics or []

    def get_records(self, run_id: int, metric_name: str) -> list[RecordInfo]:
        """Get metric records for a run, by step, those of one step in the order of recording.

        A metric without records gives an empty list.

        Raises:
            RunNotFoundError: no such run.
        """
        return _as_records(self.series(run_id, metric_name))

    def iter_records(self, run_id: int) -> Iterator[tuple[str, list[RecordInfo]]]:
        """Yield the records of a run in parts, metric after metric.

        The order is that of `get_metrics`, then of `get_records`. Memory does not grow with the
        number of records.

        Raises:
            RunNotFoundError: no such run.
        """
        for name in self.get_metrics(run_id):
            for part in self._parts(run_id, name):
                yield name, _as_records(part)

    def series(self, run_id: int, metric_name: str) -> Columns:
        """Return the records of a metric of a run as arrays, by step; those of one step in order.

        Raises:
            RunNotFoundError: no such run.
        """
        self._check_run(run_id)
        return joined(self._parts(run_id, arguments.checked_text("metric_name", metric_name)))

    def _parts(self, run_id: int, metric_name: str) -> Iterator[Columns]:
        """Yield the records of a series, a bounded number at a time: that is how they came here."""
        metric = self._numbers.of_metric(metric_name)
        first = 0
        while metric is not None:
            rows = self._rows(
                "SELECT c.steps, c.values, c.wall_times FROM sgtrack.chunks AS c"
                " WHERE c.run_id = %s AND c.metric_id = %s AND c.first >= %s"
                " ORDER BY c.first LIMIT %s",
                (run_id, metric, first, _CHUNKS_AT_ONCE),
                is_raw=True,
            )
            if not rows:
                return
            part = chunks.columns_of(rows)
            yield part
            if len(rows) < _CHUNKS_AT_ONCE:
                return
            first += len(part.steps)

    def read_summaries(self, run_id: int) -> dict[str, Summary]:
        """Return summary statistics of each metric of a run.

        Raises:
            RunNotFoundError: no such run.
        """
        self._check_run(run_id)
        return self._summaries([run_id])[run_id]

    def summaries_of(self, runs: Sequence[RunInfo]) -> dict[int, dict[str, Summary]]:
        """Return what `read_summaries` does of runs, by their numbers; one query reads all."""
        return self._summaries([run.run_id for run in runs])

    def _summaries(self, run_ids: Sequence[int]) -> dict[int, dict[str, Summary]]:
        rows = self._rows(
            f"SELECT s.run_id, m.name, {_SUMMARY} FROM sgtrack.series AS s"  # noqa: S608  # of ours
            " JOIN sgtrack.metrics AS m ON m.id = s.metric_id"
            " WHERE s.run_id = ANY(%s) ORDER BY s.run_id, s.place",
            (list(run_ids),),
        )
        found: dict[int, dict[str, Summary]] = {run_id: {} for run_id in run_ids}
        for run_id, metric, *numbers in rows:
            found[run_id][metric] = Summary(*numbers)
        return found

    def get_comparison(self, run_id: int) -> str | None:
        """Return what comparing a run with its baseline found.

        Raises:
            RunNotFoundError: no such run.
        """
        self._check_run(run_id)
        return self._comparisons([run_id]).get(run_id)

    def comparisons_of(self, runs: Sequence[RunInfo]) -> Mapping[int, str]:
        """Return what `get_comparison` does of those runs that were compared, by their numbers."""
        return self._comparisons([run.run_id for run in runs])

    def _comparisons(self, run_ids: Sequence[int]) -> dict[int, str]:
        query = (
            "SELECT id, comparison FROM sgtrack.runs WHERE id = ANY(%s) AND comparison IS NOT NULL"
        )
        return dict(self._rows(query, (list(run_ids),)))

    # Graphs, histograms, images, texts

    def get_graphs(self, run_id: int) -> list[StoredGraph]:
        """Get all computation graphs of a run, oldest first, each unpacked as far as it is used.

        Raises:
            RunNotFoundError: no such run.
        """
        self._check_run(run_id)
        rows = self._rows(
            "SELECT g.id, g.name, g.created_at, c.graph_json, c.packed FROM sgtrack.graphs AS g"
            " JOIN sgtrack.graph_contents AS c ON c.id = g.content_id"
            " WHERE g.run_id = %s ORDER BY g.place",
            (run_id,),
            is_binary=True,
        )
        return [
            StoredGraph(self.where, number, name, created_at, graph_json.decode(), packed)
            for number, name, created_at, graph_json, packed in rows
        ]

    def _media(self, table: str, columns: Sequence[str], run_id: int) -> list[tuple[Any, ...]]:
        self._check_run(run_id)
        # A text may hold NUL, so that it lies there as bytes.
        rows = self._rows(
            f"SELECT {', '.join(columns)} FROM sgtrack.{table}"  # noqa: S608  # names of ours
            " WHERE run_id = %s ORDER BY step, place",
            (run_id,),
            is_binary=True,
        )
        if "content" not in columns:
            return rows
        place = columns.index("content")
        return [(*row[:place], row[place].decode(), *row[place + 1 :]) for row in rows]


def _as_records(columns: Columns) -> list[RecordInfo]:
    return list(map(RecordInfo, *(column.tolist() for column in columns)))


_SUMMARY = ", ".join(f"s.{name}" for name in Summary.__slots__)
