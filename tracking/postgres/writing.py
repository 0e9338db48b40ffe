"""Runs on their way into the store: whole, once, and in their most complete form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.merging.plan import Form
from tracking.model import Status
from tracking.postgres import chunks, identities, schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from psycopg import Connection

    from tracking.merging.content import RunContent
    from tracking.postgres.address import Address

_PIECE_BYTES = 1 << 18  # of a COPY; the driver takes a call for each


class _Identities(NamedTuple):
    experiment: int
    names: dict[str, int]
    metrics: dict[str, int]
    environments: dict[str, int]


class StoreWriter:
    """A connection that brings runs of one experiment into a store.

    Args:
        address: of the store, which is created or brought to our version where it has to be.
        experiment: name of the experiment.

    Raises:
        NewerSchemaError: a newer version of this library wrote it.
        StoreError: nobody answers, we are not let in, or may not create it.
    """

    def __init__(self, address: Address, experiment: str) -> None:
        self._address = address
        self._experiment = experiment
        self._connection = address.connect()
        try:
            schema.migrate(self._connection, address)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def held(self, uuids: Collection[str]) -> dict[str, Form]:
        """Return of those runs that are here how complete they are."""
        with self._address.translated("cannot be read"):
            return {
                uuid: form for uuid, (_, form) in _held(self._connection, uuids, lock="").items()
            }

    def deleted(self, uuids: Collection[str]) -> frozenset[str]:
        """Return which of some runs were deleted here, and shall not come back."""
        with self._address.translated("cannot be read"):
            return _deleted(self._connection, uuids)

    def take(self, runs: Sequence[RunContent]) -> list[str]:
        """Store runs that are not here, or less complete here, in one transaction.

        What was deleted here stays away.

        Returns:
            Uuids of those that were stored.

        Raises:
            StoreError: it cannot be written; nothing was.
        """
        with self._address.translated("cannot be written, and nothing was"):
            # What is shared has its numbers before, or pushes would wait for each other's end.
            shared = self._shared(runs)
            with self._connection.transaction():
                return _take(self._connection, runs, shared)

    def delete(self, uuids: Collection[str]) -> int:
        """Delete runs, which shall not come back; returns how many there were.

        Raises:
            StoreError: they cannot be deleted; none was.
        """
        with self._address.translated("cannot be changed"), self._connection.transaction():
            self._connection.execute(
                "INSERT INTO sgtrack.deleted_runs (uuid) SELECT unnest(%s::text[])"
                " ON CONFLICT DO NOTHING",
                (sorted(uuids),),
            )
            query = "DELETE FROM sgtrack.runs WHERE uuid = ANY(%s) RETURNING experiment_id"
            deleted = self._connection.execute(query, (list(uuids),)).fetchall()
            _note_change(self._connection, {experiment for (experiment,) in deleted})
            return len(deleted)

    def _shared(self, runs: Sequence[RunContent]) -> _Identities:
        connection = self._connection
        number = identities.experiment_id(connection, self._experiment)
        return _Identities(
            number,
            identities.name_ids(connection, number, {run.properties["name"] for run in runs}),
            identities.metric_ids(connection, {one.metric for run in runs for one in run.series}),
            identities.environment_ids(
                connection, {run.environment for run in runs if run.environment is not None}
            ),
        )


def _take(
    connection: Connection[Any], runs: Sequence[RunContent], shared: _Identities
) -> list[str]:
    away = _deleted(connection, [run.held.uuid for run in runs])
    wanted = {run.held.uuid: run for run in runs if run.held.uuid not in away}
    ids = _inserted(connection, [_row(run, shared) for _, run in sorted(wanted.items())])
    others = wanted.keys() - ids.keys()
    if others:  # locked: somebody else may be bringing them this moment
        for uuid, (run_id, form) in _held(connection, others, lock="FOR UPDATE").items():
            if wanted[uuid].held.form > form:
                _replace(connection, run_id, _row(wanted[uuid], shared))
                ids[uuid] = run_id
    if not ids:
        return []
    connection.execute("SELECT sgtrack.add_partitions(%s)", (max(ids.values()),))
    taken = [(ids[uuid], run) for uuid, run in wanted.items() if uuid in ids]
    _copy_series(connection, taken, shared.metrics)
    _copy_chunks(connection, taken, shared.metrics)
    _copy_media(connection, taken)
    _copy_graphs(connection, taken)
    _note_change(connection, {shared.experiment})
    return list(ids)


def _note_change(connection: Connection[Any], experiments: Collection[int]) -> None:
    """Note that runs came or went; last, as who else does so waits for the end."""
    for experiment in sorted(experiments):
        connection.execute(
            "UPDATE sgtrack.experiments SET n_changes = n_changes + 1 WHERE id = %s", (experiment,)
        )


_COLUMNS = (
    *("experiment_id", "name_id", "uuid", "created_at", "status", "config", "parent"),
    *("environment_id", "branch", "commit", "session", "attempt", "duration_s", "outcome"),
    *("phase", "ended_by", "verdict", "comparison", "certainty", "n_records", "n_media", "digest"),
)
_PLACEHOLDERS = ", ".join(["%s"] * len(_COLUMNS))
_INSERT = (
    f"INSERT INTO sgtrack.runs ({', '.join(_COLUMNS)}) VALUES ({_PLACEHOLDERS})"  # noqa: S608
    " ON CONFLICT (uuid) DO NOTHING RETURNING uuid, id"
)
_UPDATE = (
    f"UPDATE sgtrack.runs SET ({', '.join(_COLUMNS)}) = ROW({_PLACEHOLDERS}),"  # noqa: S608
    " pushed_at = now() WHERE id = %s"
)


def _row(run: RunContent, shared: _Identities) -> tuple[Any, ...]:
    of = run.properties
    form = run.held.form
    environment = None if run.environment is None else shared.environments[run.environment]
    return (
        *(shared.experiment, shared.names[of["name"]], of["uuid"], of["created_at"]),
        *(of["status"], of["config"] or "{}", of["parent"], environment),
        *(_of_git(run.environment, "git_branch"), _of_git(run.environment, "git_commit")),
        *(of["session"], of["attempt"], of["duration_s"]),
        *(of["outcome"], of["phase"], of["ended_by"], of["verdict"], of["comparison"]),
        *(form.certainty, form.n_records, form.n_media, form.digest),
    )


def _of_git(environment: str | None, name: str) -> str | None:
    found = json.loads(environment).get(name) if environment else None
    return found if isinstance(found, str) and "\0" not in found else None


def _inserted(connection: Connection[Any], rows: Sequence[tuple[Any, ...]]) -> dict[str, int]:
    """Insert rows of runs; returns the numbers of those that were not here."""
    found: dict[str, int] = {}
    if not rows:
        return found
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, rows, returning=True)
        while True:
            found.update(cursor.fetchall())
            if not cursor.nextset():
                return found


def _replace(connection: Connection[Any], run_id: int, row: tuple[Any, ...]) -> None:
    for table in ("series", "chunks", "histograms", "images", "texts", "graphs"):
        connection.execute(f"DELETE FROM sgtrack.{table} WHERE run_id = %s", (run_id,))  # noqa: S608
    connection.execute(_UPDATE, (*row, run_id))


def _held(
    connection: Connection[Any], uuids: Collection[str], *, lock: str
) -> dict[str, tuple[int, Form]]:
    rows = connection.execute(
        "SELECT uuid, id, certainty, n_records, n_media, status, digest FROM sgtrack.runs"  # noqa: S608
        f" WHERE uuid = ANY(%s) ORDER BY uuid {lock}",
        (list(uuids),),
    )
    return {
        uuid: (
            run_id,
            Form(certainty, n_records, n_media, status != Status.RUNNING, bytes(digest)),
        )
        for uuid, run_id, certainty, n_records, n_media, status, digest in rows
    }


def _deleted(connection: Connection[Any], uuids: Collection[str]) -> frozenset[str]:
    query = "SELECT uuid FROM sgtrack.deleted_runs WHERE uuid = ANY(%s)"
    return frozenset(uuid for (uuid,) in connection.execute(query, (list(uuids),)))


def _copy_chunks(
    connection: Connection[Any],
    taken: Sequence[tuple[int, RunContent]],
    metrics: dict[str, int],
) -> None:
    rows = (
        row
        for run_id, run in taken
        for one in run.series
        for row in chunks.rows_of(run_id, metrics[one.metric], one.columns)
    )
    with connection.cursor() as cursor, cursor.copy(chunks.COPY) as copy:
        copy.write(chunks.COPY_HEADER)
        for piece in _pieces(rows):
            copy.write(piece)
        copy.write(chunks.COPY_TRAILER)


def _pieces(rows: Iterable[bytes]) -> Iterator[bytes]:
    piece = bytearray()
    for row in rows:
        piece += row
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


_SERIES = (
    *("n", "n_nan", "n_inf", "min", "max", "mean", "std", "tail", "last"),
    *("first_step", "last_step"),
)


def _copy_series(
    connection: Connection[Any],
    taken: Sequence[tuple[int, RunContent]],
    metrics: dict[str, int],
) -> None:
    rows = (
        (run_id, metrics[one.metric], place, *(getattr(one.summary, name) for name in _SERIES))
        for run_id, run in taken
        for place, one in enumerate(run.series)
    )
    _copy(connection, "series", ("run_id", "metric_id", "place", *_SERIES), rows)


def _copy_media(connection: Connection[Any], taken: Sequence[tuple[int, RunContent]]) -> None:
    for table in ("histograms", "images", "texts"):
        rows = [
            {"run_id": run_id, "place": place, **columns}
            for run_id, run in taken
            for place, columns in enumerate(getattr(run, table))
        ]
        for row in rows if table == "texts" else ():
            row["content"] = row["content"].encode()
        if rows:
            _copy(connection, table, tuple(rows[0]), (tuple(row.values()) for row in rows))


def _copy_graphs(connection: Connection[Any], taken: Sequence[tuple[int, RunContent]]) -> None:
    listed = [
        (run_id, place, identities.digest_of(graph.graph_json, graph.packed), graph)
        for run_id, run in taken
        for place, graph in enumerate(run.graphs)
    ]
    if listed:
        ids = identities.graph_ids(
            connection,
            {digest: (graph.graph_json, graph.packed) for _, _, digest, graph in listed},
        )
        columns = ("run_id", "place", "content_id", "name", "created_at")
        rows = (
            (run_id, place, ids[digest], graph.name, graph.created_at)
            for run_id, place, digest, graph in listed
        )
        _copy(connection, "graphs", columns, rows)


def _copy(
    connection: Connection[Any],
    table: str,
    columns: Sequence[str],
    rows: Iterable[tuple[Any, ...]],
) -> None:
    statement = f"COPY sgtrack.{table} ({', '.join(columns)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
