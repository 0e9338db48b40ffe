"""Copying runs from one database into another, by SQL: all of them or none."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from tracking.errors import JournalError
from tracking.events import decode
from tracking.experiment_db import ExperimentDBManager
from tracking.journal import read_segment
from tracking.merging.plan import Form, HeldRun, certainty_of, in_order, most_complete
from tracking.model import Status
from tracking.recovery import segments_of
from tracking.stored_runs import remove_run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


class MergingDBManager(ExperimentDBManager):
    """An experiment that takes runs out of other databases of the newest schema."""

    def held_runs(self) -> list[HeldRun]:
        """Return all runs, and how complete they are."""
        with self._db.reading() as connection:
            return held_runs(connection)

    def deleted(self) -> frozenset[str]:
        """Return the uuids of runs that were deleted here, which shall not come back."""
        with self._db.reading() as connection:
            return _uuids(connection, "SELECT uuid FROM deleted_runs")

    def write_once(self) -> None:
        """Write pages straight into the file from now on, unprotected, until it is opened anew.

        Only for a database that nobody else knows, and nobody misses if it breaks.
        """
        with self._db.reading() as connection:
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("PRAGMA synchronous = OFF")

    def put_in_place(self, made: Path) -> bool:
        """Have a database made elsewhere become this one; False where there is one by now."""
        return self._db.put_in_place(made)

    def take(
        self,
        source: Path,
        runs: Sequence[HeldRun],
        *,
        numbers: Mapping[str, int] | None = None,
        before_commit: Callable[[], None] = lambda: None,
    ) -> None:
        """Copy runs that are not here, or less complete here, in one transaction.

        What was deleted here stays away, and what is just being recorded here is left to its
        process.

        Args:
            source: a database of the newest schema that nobody writes.
            runs: those of its runs that are wanted.
            numbers: what to number new runs by their uuids; by default those that follow, in the
                order in which they started.
            before_commit: called when all is copied; what it raises undoes that.

        Raises:
            StoreError: one of the two databases cannot be used; nothing was written.
        """
        with (
            self._db.attached(source),
            self._db.writing(is_durable=numbers is None) as connection,
        ):
            held = {run.uuid: run for run in held_runs(connection)}
            away = _uuids(connection, "SELECT uuid FROM deleted_runs") | being_recorded(
                self.db_path
            )
            forms = {uuid: run.form for uuid, run in held.items()}
            (better,) = most_complete(forms, [[run for run in runs if run.uuid not in away]])
            completed = [run for run in better if run.uuid in held]
            added = in_order([run for run in better if run.uuid not in held])
            if numbers is None:
                (last,) = connection.execute(_LAST_RUN).fetchone()
                numbers = {run.uuid: last + n for n, run in enumerate(added, 1)}
            for run in completed:
                remove_run(connection, held[run.uuid].run_id)
            new_ids = {run.uuid: numbers[run.uuid] for run in added}
            new_ids |= {run.uuid: held[run.uuid].run_id for run in completed}
            _copy(connection, [(run.run_id, new_ids[run.uuid]) for run in better])
            before_commit()


def held_runs(connection: sqlite3.Connection) -> list[HeldRun]:
    """Return all runs of a database of the newest schema, and how complete they are."""
    rows = connection.execute(_HELD)
    return [
        HeldRun(
            uuid,
            run_id,
            said[0],
            said[1],
            Form(
                certainty_of(said[2], said[3]),
                n_records,
                n_media,
                said[2] != Status.RUNNING,
                hashlib.blake2b(repr(said).encode(), digest_size=16).digest(),
            ),
        )
        for uuid, run_id, n_records, n_media, *said in rows
    ]


def being_recorded(db_path: Path) -> frozenset[str]:
    """Return the uuids of runs whose records wait in segments beside a database."""
    found: set[str] = set()
    for path in segments_of(db_path):
        with suppress(JournalError):  # drained meanwhile, or nobody can read it
            _, frames = read_segment(path)
            found.update(channel.run_uuid for channel in frames.channels.values())
            found.update(run.uuid for run in decode(frames.events)[0])
    return frozenset(found)


def _uuids(connection: sqlite3.Connection, query: str) -> frozenset[str]:
    return frozenset(uuid for (uuid,) in connection.execute(query))


_HELD = """
    SELECT r.uuid, r.id,
           (SELECT COALESCE(SUM(n), 0) FROM series WHERE run_id = r.id),
           (SELECT COUNT(*) FROM run_graphs WHERE run_id = r.id)
             + (SELECT COUNT(*) FROM histograms WHERE run_id = r.id)
             + (SELECT COUNT(*) FROM images WHERE run_id = r.id)
             + (SELECT COUNT(*) FROM texts WHERE run_id = r.id),
           r.name, r.created_at, r.status, r.ended_by, r.config, r.parent, e.content, r.session,
           r.attempt, r.duration_s, r.outcome, r.phase, r.verdict, r.comparison
    FROM main.runs AS r LEFT JOIN main.environments AS e ON e.id = r.environment_id
"""
_LAST_RUN = "SELECT COALESCE((SELECT seq FROM main.sqlite_sequence WHERE name = 'runs'), 0)"

_OF_A_RUN = (
    "name, created_at, status, config, uuid, parent, session, attempt, duration_s, outcome, phase,"
    " ended_by, verdict, comparison"
)
_OF_A_SERIES = (
    "n, n_unreadable, summarized_n, n_nan, n_inf, min, max, mean, std, tail, last, first_step,"
    " last_step"
)

# Ids of records say in which order they were recorded. Those of the source are moved behind all
# there are, so that ranges of them stay what they are.
_NUMBERS = ("new_runs", "new_metrics", "new_contents")

_COPY = (
    """
    INSERT OR IGNORE INTO main.environments (content)
    SELECT e.content FROM source.environments AS e
      WHERE e.id IN (SELECT r.environment_id FROM source.runs AS r JOIN new_runs ON old_id = r.id)
      ORDER BY e.id
    """,
    # Of a run that goes on elsewhere nobody here can tell whether its process lives.
    f"""
    INSERT INTO main.runs (id, {_OF_A_RUN}, environment_id, writer)
    SELECT t.new_id, {_OF_A_RUN},
           (SELECT here.id FROM main.environments AS here
              JOIN source.environments AS there ON there.content = here.content
              WHERE there.id = r.environment_id),
           CASE WHEN r.status = 'running' THEN NULL ELSE r.writer END
    FROM new_runs AS t JOIN source.runs AS r ON r.id = t.old_id ORDER BY t.new_id
    """,  # noqa: S608  # columns of ours
    """
    INSERT OR IGNORE INTO main.metrics (name)
    SELECT m.name FROM source.metrics AS m
      WHERE m.id IN (SELECT s.metric_id FROM source.series AS s JOIN new_runs ON old_id = s.run_id)
      ORDER BY m.id
    """,
    """
    INSERT INTO new_metrics
    SELECT there.id, here.id FROM source.metrics AS there JOIN main.metrics AS here USING (name)
    """,
    f"""
    INSERT INTO main.series (run_id, metric_id, {_OF_A_SERIES})
    SELECT t.new_id, m.new_id, {_OF_A_SERIES}
    FROM new_runs AS t JOIN source.series AS s ON s.run_id = t.old_id
      JOIN new_metrics AS m ON m.old_id = s.metric_id ORDER BY t.new_id, m.new_id
    """,  # noqa: S608
    """
    INSERT INTO main.records (id, run_id, metric_id, step, value, wall_time)
    SELECT r.id + :shift, t.new_id, m.new_id, r.step, r.value, r.wall_time
    FROM source.records AS r CROSS JOIN new_runs AS t ON t.old_id = r.run_id
      CROSS JOIN new_metrics AS m ON m.old_id = r.metric_id ORDER BY r.id
    """,
    """
    INSERT INTO main.record_ranges (run_id, metric_id, first_id, last_id)
    SELECT t.new_id, m.new_id, g.first_id + :shift, g.last_id + :shift
    FROM source.record_ranges AS g JOIN new_runs AS t ON t.old_id = g.run_id
      JOIN new_metrics AS m ON m.old_id = g.metric_id ORDER BY t.new_id, m.new_id, g.first_id
    """,
    """
    INSERT INTO main.non_finite_records (id, run_id, metric_id, step, value, wall_time)
    SELECT r.id + :shift, t.new_id, m.new_id, r.step, r.value, r.wall_time
    FROM source.non_finite_records AS r JOIN new_runs AS t ON t.old_id = r.run_id
      JOIN new_metrics AS m ON m.old_id = r.metric_id ORDER BY r.id
    """,
    """
    INSERT INTO new_contents
    SELECT c.id, COALESCE((SELECT here.id FROM main.graph_contents AS here
                             WHERE here.digest = c.digest), c.id + :content_shift)
    FROM source.graph_contents AS c
      WHERE c.id IN (SELECT g.content_id FROM source.run_graphs AS g JOIN new_runs
                       ON old_id = g.run_id)
    """,
    """
    INSERT INTO main.graph_contents (id, digest, graph_json, packed)
    SELECT n.new_id, c.digest, c.graph_json, c.packed
    FROM new_contents AS n JOIN source.graph_contents AS c ON c.id = n.old_id
      WHERE n.new_id = c.id + :content_shift ORDER BY n.new_id
    """,
    """
    INSERT INTO main.run_graphs (run_id, content_id, name, created_at)
    SELECT t.new_id, n.new_id, g.name, g.created_at
    FROM source.run_graphs AS g JOIN new_runs AS t ON t.old_id = g.run_id
      JOIN new_contents AS n ON n.old_id = g.content_id ORDER BY g.id
    """,
    *(
        f"""
        INSERT INTO main.{table} (run_id, {columns}) SELECT t.new_id, {columns}
        FROM source.{table} AS s JOIN new_runs AS t ON t.old_id = s.run_id ORDER BY s.id
        """  # noqa: S608
        for table, columns in (
            ("histograms", "name, step, bucket_edges, bucket_counts, wall_time, n_non_finite"),
            ("images", "name, step, width, height, channels, image_data, wall_time"),
            ("texts", "name, step, content, wall_time"),
        )
    ),
)
_SHIFTS = """
    SELECT MAX(COALESCE((SELECT MAX(id) FROM main.records), 0),
               COALESCE((SELECT MAX(id) FROM main.non_finite_records), 0)) AS shift,
           (SELECT COALESCE(MAX(id), 0) FROM main.graph_contents) AS content_shift
"""


def _copy(connection: sqlite3.Connection, numbers: Sequence[tuple[int, int]]) -> None:
    """Copy runs with all they have, by their numbers there and here."""
    for table in _NUMBERS:
        connection.execute(
            f"CREATE TEMP TABLE {table} (old_id INTEGER PRIMARY KEY, new_id INTEGER NOT NULL)"
        )
    connection.execute(
        "INSERT INTO new_runs SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')"
        " FROM json_each(?)",
        (json.dumps(numbers),),
    )
    shift, content_shift = connection.execute(_SHIFTS).fetchone()
    for statement in _COPY:
        connection.execute(statement, {"shift": shift, "content_shift": content_shift})
    for table in _NUMBERS:
        connection.execute(f"DROP TABLE temp.{table}")
