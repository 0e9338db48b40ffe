"""Writing imported runs into an experiment: each record and picture once, however often."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.events import EndedRun, NewRun
from tracking.experiment_db import Drained, ExperimentDBManager
from tracking.importers.model import uuid_of
from tracking.importers.rows import Graph, Image
from tracking.model import Status
from tracking.stored_graphs import content_of_text, insert_graph
from tracking.stored_runs import new_run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

    from tracking.importers.model import ImportedRun, Part
    from tracking.importers.rows import Medium


class Known(NamedTuple):
    """What an experiment has of a run.

    Attributes:
        status: of the run; None where it is not there.
        is_deleted: whether it was there and somebody has deleted it.
        config: as stored.
        taken: how much of each stream is there; see `_streams`.
    """

    status: str | None = None
    is_deleted: bool = False
    config: Mapping[str, Any] = {}
    taken: Mapping[str, int] = {}


class Lack(NamedTuple):
    """What an experiment lacks of a run.

    Attributes:
        is_known: whether the run is there.
        is_deleted: whether it was there and was deleted; then nothing of it comes back.
        counts: how many records, and rows of each table of media; none is 0.
        config: hyper-parameters.
        has_ended: whether the run is over and the experiment does not know.
    """

    is_known: bool
    is_deleted: bool = False
    counts: Mapping[str, int] = {}
    config: Mapping[str, Any] = {}
    has_ended: bool = False

    def is_nothing(self) -> bool:
        """Tell whether there is nothing to write."""
        if self.is_deleted:
            return True
        return self.is_known and not (self.counts or self.config or self.has_ended)


def lack_of(run: ImportedRun, known: Known) -> Lack:
    """Return what an experiment lacks of a run, by what it has. Pure."""
    if known.is_deleted:
        return Lack(is_known=False, is_deleted=True)
    counts: Counter[str] = Counter()
    for part in run.parts:
        for kind, stream, n in _streams(run, part):
            counts[kind] += max(n - known.taken.get(stream, 0), 0)
    return Lack(
        is_known=known.status is not None,
        counts=+counts,
        config={name: value for name, value in run.config.items() if name not in known.config},
        has_ended=run.end is not None and known.status in (None, Status.RUNNING),
    )


def _streams(run: ImportedRun, part: Part) -> Iterator[tuple[str, str, int]]:
    """Yield the kind, identity and length of each stream of a part.

    Under its identity `segments` keeps how much of it is there, as of a segment of the journal.
    """
    for kind, n in part.counts().items():
        yield kind, uuid_of("stream", run.uuid, part.name, kind), n


class ImportingDBManager(ExperimentDBManager):
    """An experiment that takes in runs of others."""

    def lack_of(self, run: ImportedRun) -> Lack:
        """Return what `take` would write; the database has to exist.

        Raises:
            StoreError: it cannot be read.
        """
        with self._db.reading() as connection:
            return lack_of(run, _known(connection, run))

    def take(self, run: ImportedRun) -> Lack:
        """Write what there is not yet of a run; returns what that was.

        Records, start and end come in one transaction for each part, nearly always the only one.
        Media come before, with the start, in another: a run that has an end here is complete.

        Raises:
            InvalidArgumentError: name or config cannot be stored; nothing was written.
            StoreError: the database cannot be written.
        """
        start = new_run(
            run.name, run.config, parent=run.parent, environment=run.environment
        )._replace(uuid=run.uuid, created_at=run.created_at)
        self.init_exp_db()
        lack = self.lack_of(run)
        if lack.is_nothing():
            return lack
        if lack.counts.keys() - {"records"}:
            self.append(Drained(uuid_of("start", run.uuid), 0, lambda _: (), [start]))
            self._append_media(run)
        for part in run.parts:
            self._append_records(run, part, start, is_last=part is run.parts[-1])
        run_id = self.run_id_of(run.uuid)
        if lack.is_known and lack.config:
            self.update_config(run_id, lack.config)
        self.read_summaries(run_id)  # which keeps them
        return lack

    def _append_records(
        self, run: ImportedRun, part: Part, start: NewRun, *, is_last: bool
    ) -> None:
        stream = uuid_of("stream", run.uuid, part.name, "records")
        batches = partial(part.batches, run.uuid)
        ended = [EndedRun(run.uuid, run.end)] if is_last and run.end is not None else []
        self.append(Drained(stream, part.n_records, batches, [start], ended))

    def _append_media(self, run: ImportedRun) -> None:
        with self._db.writing() as connection:
            (run_id,) = connection.execute(_RUN_ID, (run.uuid,)).fetchone()
            for part in run.parts:
                for table, stream, n in _streams(run, part):
                    taken = _taken(connection, stream)
                    if table != "records" and n > taken:
                        _insert(connection, run_id, table, part.media[table], taken)
                        connection.execute(
                            "INSERT INTO segments (writer, drained_to) VALUES (?, ?)"
                            " ON CONFLICT (writer) DO UPDATE SET drained_to = excluded.drained_to",
                            (stream, n),
                        )


_RUN_ID = "SELECT id FROM runs WHERE uuid = ?"


def _known(connection: sqlite3.Connection, run: ImportedRun) -> Known:
    query = "SELECT status, config FROM runs WHERE uuid = ?"
    row = connection.execute(query, (run.uuid,)).fetchone()
    if row is None:
        query = "SELECT 1 FROM deleted_runs WHERE uuid = ?"
        return Known(is_deleted=connection.execute(query, (run.uuid,)).fetchone() is not None)
    streams = [stream for part in run.parts for _, stream, _ in _streams(run, part)]
    taken = {stream: _taken(connection, stream) for stream in streams}
    return Known(row[0], config=json.loads(row[1] or "{}"), taken=taken)


def _taken(connection: sqlite3.Connection, stream: str) -> int:
    query = "SELECT drained_to FROM segments WHERE writer = ?"
    row = connection.execute(query, (stream,)).fetchone()
    return int(row[0]) if row else 0


def _insert(
    connection: sqlite3.Connection, run_id: int, table: str, media: list[Medium], start: int
) -> None:
    columns = ("run_id", *media[0]._fields)
    insertion = (
        f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608  # names of ours
        f" VALUES ({', '.join('?' * len(columns))})"
    )
    for medium in islice(media, start, None):
        if isinstance(medium, Graph):
            content = content_of_text(medium.graph_json)
            insert_graph(connection, run_id, "graph", content, medium.created_at)
        else:
            row = medium.unpacked() if isinstance(medium, Image) else medium
            connection.execute(insertion, (run_id, *row))
