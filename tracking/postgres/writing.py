"""Runs on their way into the store: whole, once, and in their most complete form."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.merging.content import MEDIA
from tracking.merging.plan import Form
from tracking.model import Status
from tracking.postgres import chunks, identities, schema
from tracking.regression import acceptance_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from psycopg import Connection

    from tracking.merging.content import RunContent
    from tracking.postgres.address import Address

_PIECE_BYTES = 1 << 18  # of a COPY; the driver takes a call for each


class _Identities(NamedTuple):
    experiment: int
    names: dict[str, int]
    metrics: dict[str, int]
    environments: dict[str, int]
    graphs: dict[str, list[tuple[str, float, int]]]  # by run: name, time, number of the content


class StoreWriter:
    """A connection that brings runs of one experiment into a store.

    Args:
        address: of the store, which is created or brought to our version where it has to be.
        experiment: name of the experiment.
        is_read_only: only look; where there is no store yet, it has nothing.

    Raises:
        NewerSchemaError: a newer version of this library wrote it.
        NotAnExperimentError: its place is taken by something else.
        StoreError: nobody answers, we are not let in, or may not create it.
    """

    def __init__(self, address: Address, experiment: str, *, is_read_only: bool = False) -> None:
        self._address = address
        self._experiment = experiment
        self._connection = address.connect()
        try:
            if is_read_only:
                self._is_there = schema.check_known(self._connection, address) > 0
            else:
                schema.migrate(self._connection, address)
                self._is_there = True
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def break_off(self) -> None:
        """Have whatever is done by it fail now; another thread may say so."""
        with suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def held(self, uuids: Collection[str]) -> dict[str, Form]:
        """Return of those runs that are here how complete they are."""
        if not self._is_there:
            return {}
        with self._address.translated("cannot be read"):
            return {
                uuid: form for uuid, (_, form) in _held(self._connection, uuids, lock="").items()
            }

    def deleted(self, uuids: Collection[str]) -> frozenset[str]:
        """Return which of some runs were deleted here, and shall not come back."""
        if not (uuids and self._is_there):
            return frozenset()
        with self._address.translated("cannot be read"):
            return _deleted(self._connection, uuids)

    def take(
        self, runs: Sequence[RunContent], *, before_commit: Callable[[], None] = lambda: None
    ) -> list[str]:
        """Store runs that are not here, or less complete here, in one transaction.

        What was deleted here stays away.

        Args:
            runs: with all they have; one that comes several times is taken in its most complete
                form.
            before_commit: called when all is there; what it raises undoes that.

        Returns:
            Uuids of those that were stored.

        Raises:
            StoreError: it cannot be written, or a run not be read; nothing was written, unless the
                connection was lost in the moment of the commit.
        """
        with self._address.translated("cannot be written"):
            # What is shared has its numbers before, or pushes would wait for each other's end.
            shared = self._shared(runs)
            with self._connection.transaction():
                taken = _take(self._connection, runs, shared)
                before_commit()
                return taken

    def delete(self, uuids: Collection[str]) -> int:
        """Delete runs, which shall not come back; returns how many there were.

        Raises:
            StoreError: they cannot be deleted; none was.
        """
        with self._address.translated("cannot be changed"):
            row = self._connection.execute(
                "SELECT sgtrack.delete_runs(%s::text[])", (sorted(uuids),)
            ).fetchone()
        return int(row[0]) if row else 0

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
            {run.held.uuid: _graphs(connection, run) for run in runs if run.held.form.n_media},
        )


def _graphs(connection: Connection[Any], run: RunContent) -> list[tuple[str, float, int]]:
    """Store the graphs of a run beside it; they may be large, and one run's have to fit memory."""
    listed = list(run.graphs())
    digests = [identities.digest_of(one.graph_json, one.packed) for one in listed]
    contents = {
        digest: (one.graph_json, one.packed) for digest, one in zip(digests, listed, strict=True)
    }
    ids = identities.graph_ids(connection, contents) if contents else {}
    return [
        (one.name, one.created_at, ids[digest]) for digest, one in zip(digests, listed, strict=True)
    ]


def _take(
    connection: Connection[Any], runs: Sequence[RunContent], shared: _Identities
) -> list[str]:
    connection.execute(_NO_DELETIONS)
    away = _deleted(connection, [run.held.uuid for run in runs])
    by_form = sorted(runs, key=lambda run: run.held.form)
    wanted = {run.held.uuid: run for run in by_form if run.held.uuid not in away}
    ids = _inserted(connection, [_row(run, shared) for _, run in sorted(wanted.items())])
    others = wanted.keys() - ids.keys()
    if others:  # locked: somebody else may be bringing them this moment
        for uuid, (run_id, form) in _held(connection, others, lock="FOR UPDATE").items():
            if wanted[uuid].held.form > form:
                _replace(connection, run_id, _row(wanted[uuid], shared))
                ids[uuid] = run_id
    if not ids:
        return []
    ends = (min(ids.values()), max(ids.values()))
    connection.execute("SELECT sgtrack.add_partitions(%s, %s)", ends)
    taken = [(ids[uuid], run) for uuid, run in wanted.items() if uuid in ids]
    _copy_series(connection, taken, shared.metrics)
    _copy_chunks(connection, taken, shared.metrics)
    _copy_media(connection, taken)
    _copy_graphs(connection, taken, shared.graphs)
    connection.execute(_NOTE_CHANGE, (shared.experiment,))  # last: others wait for our end now
    return list(ids)


_NO_DELETIONS = f"SELECT pg_advisory_xact_lock_shared({schema.DELETIONS})"
_NOTE_CHANGE = "UPDATE sgtrack.experiments SET n_changes = n_changes + 1 WHERE id = %s"

_COLUMNS = (
    *("experiment_id", "name_id", "uuid", "created_at", "status", "config", "parent"),
    *("environment_id", "branch", "commit", "session", "attempt", "duration_s", "outcome"),
    *("phase", "ended_by", "verdict", "comparison", "acceptance", "certainty", "n_records"),
    *("n_media", "digest"),
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
    number = None if run.environment is None else shared.environments[run.environment]
    environment = json.loads(run.environment) if run.environment else {}
    return (
        *(shared.experiment, shared.names[of["name"]], of["uuid"], of["created_at"]),
        *(of["status"], of["config"] or "{}", of["parent"], number),
        *(_text(environment, "git_branch"), _text(environment, "git_commit"), of["session"]),
        *(of["attempt"], of["duration_s"], of["outcome"], of["phase"], of["ended_by"]),
        *(of["verdict"], of["comparison"], acceptance_of(of, environment)),
        *(form.certainty, form.n_records, form.n_media, form.digest),
    )


def _text(environment: dict[str, Any], name: str) -> str | None:
    found = environment.get(name)
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
        for row in chunks.rows_of(run_id, metrics[one.metric], one.parts())
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
    with_media = [(run_id, run) for run_id, run in taken if run.held.form.n_media]
    for table, columns in MEDIA.items() if with_media else ():
        rows = (
            (run_id, place, *(one.encode() if of == "content" else one for of, one in named))
            for run_id, run in with_media
            for place, row in enumerate(run.media(table))
            for named in [zip(columns, row, strict=True)]
        )
        _copy(connection, table, ("run_id", "place", *columns), rows)


def _copy_graphs(
    connection: Connection[Any],
    taken: Sequence[tuple[int, RunContent]],
    graphs: dict[str, list[tuple[str, float, int]]],
) -> None:
    rows = [
        (run_id, place, *graph)
        for run_id, run in taken
        for place, graph in enumerate(graphs.get(run.held.uuid, ()))
    ]
    if rows:
        columns = ("run_id", "place", "name", "created_at", "content_id")
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
