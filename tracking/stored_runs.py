"""Runs in the database: how one is created, found, ended and removed, each in a transaction."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking import arguments, records, schema
from tracking.events import NewRun, RunEnd
from tracking.model import RunInfo
from tracking.queries.selection import NEWEST_FIRST, Selection

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence


class AbandonedRun(NamedTuple):
    """A run that was ended because its process had died."""

    run_id: int
    name: str
    ended_by: str
    phase: str | None


SELECT = """
    SELECT r.id, r.name, r.created_at, r.status, r.config, r.uuid, r.parent, e.content, r.outcome,
           r.phase, r.ended_by, r.verdict, r.duration_s, r.session, r.attempt,
           (SELECT json_group_array(json_array(m.name, s.n)) FROM series AS s
              JOIN metrics AS m ON m.id = s.metric_id WHERE s.run_id = r.id)
    FROM runs AS r LEFT JOIN environments AS e ON e.id = r.environment_id
"""


_COLUMNS = ("name", "status", "outcome", "verdict", "ended_by", "session")


def is_answered_by_sql(asked: Selection) -> bool:
    """Tell whether `where` says all that a selection asks for."""
    is_plain = not (asked.name or asked.search or asked.conditions)
    return is_plain and asked.order == NEWEST_FIRST and asked.wanted.keys() <= {*_COLUMNS}


def where(asked: Selection) -> tuple[str, tuple[object, ...]]:
    """Return the part of a selection that SQL answers, and the values of its placeholders."""
    conditions: list[str] = []
    values: list[object] = []
    for column in _COLUMNS:
        if column in asked.wanted:
            listed = list(asked.wanted[column])
            # An index knows nothing of what a function makes of a column.
            of_run = f"coalesce(r.{column}, '')" if "" in listed else f"r.{column}"
            conditions.append(f"{of_run} IN (SELECT value FROM json_each(?))")  # noqa: S608
            values.append(json.dumps(listed))
    if asked.uuid:
        conditions.append("r.uuid BETWEEN ? AND ? || '~'")  # behind all hexadecimal digits
        values += (asked.uuid, asked.uuid)
    if asked.before is not None:
        conditions.append("(r.created_at, r.id) < (?, ?)")
        values += asked.before
    return f"WHERE {' AND '.join(conditions)}" if conditions else "", tuple(values)


def new_run(
    name: str | None,
    config: Mapping[str, Any] | None,
    *,
    parent: str | None = None,
    environment: Mapping[str, Any] | None = None,
    writer: str | None = None,
    session: str | None = None,
) -> NewRun:
    """Check what a run starts with; a run without a name is called after the time.

    Raises:
        InvalidArgumentError: `name`, `config` or `environment` cannot be stored.
    """
    created_at = time.time()
    environment_json = None if environment is None else _environment_json(environment)
    return NewRun(
        f"run_{int(created_at)}" if name is None else arguments.checked_name("name", name),
        arguments.checked_mapping("config", config),
        os.urandom(16).hex(),
        created_at,
        parent,
        environment_json,
        writer,
        session,
    )


_last_environment: tuple[dict[str, Any], str] = ({}, "{}")


def _environment_json(environment: Mapping[str, Any]) -> str:
    """Return an environment as JSON; the runs of a session have all the same."""
    global _last_environment  # noqa: PLW0603  # a cache of one
    known, text = _last_environment
    try:
        is_known = bool(environment == known)
    except ValueError:  # arrays don't say whether they are equal
        is_known = False
    if not is_known:
        checked = arguments.checked_mapping("environment", environment)
        text = arguments.as_json(dict(sorted(checked.items())))
        _last_environment = (dict(environment), text)
    return text


def insert_run(connection: sqlite3.Connection, run: NewRun) -> int:
    """Store the start of a run whose environment is stored. Returns its id."""
    cursor = connection.execute(
        "INSERT INTO runs (name, created_at, config, uuid, parent, environment_id, writer,"
        " session, attempt) VALUES (?, ?, ?, ?, ?,"
        " (SELECT id FROM environments WHERE content = ?), ?, ?,"
        " (SELECT COUNT(*) + 1 FROM runs WHERE name = ? AND session = ?))",
        (
            run.name,
            run.created_at,
            arguments.as_json(run.config),
            run.uuid,
            run.parent,
            run.environment,
            run.writer,
            run.session,
            run.name,
            run.session,
        ),
    )
    return int(cursor.lastrowid or 0)


def store_environments(connection: sqlite3.Connection, runs: Iterable[NewRun]) -> None:
    """Store what runs run on and with, each once."""
    connection.executemany(
        "INSERT OR IGNORE INTO environments (content) VALUES (?)",
        {(run.environment,) for run in runs if run.environment is not None},
    )


def learn_of_run(connection: sqlite3.Connection, run: NewRun) -> None:
    """Store the start of a run, also where its records came first and it had to be made up."""
    run_id, is_deleted = _known_run(connection, run.uuid)
    if run_id is None:
        if not is_deleted:
            insert_run(connection, run)
        return
    query = "SELECT 1 FROM runs WHERE id = ? AND writer IS NULL AND ended_by = 'lost'"
    if connection.execute(query, (run_id,)).fetchone() is not None:
        twin_id = insert_run(connection, run._replace(uuid=os.urandom(16).hex()))
        start = "name, created_at, status, config, parent, environment_id, writer, session, attempt"
        connection.execute(
            f"UPDATE runs SET ended_by = NULL, ({start})"  # noqa: S608  # names of our own
            f" = (SELECT {start} FROM runs WHERE id = ?) WHERE id = ?",
            (twin_id, run_id),
        )
        connection.execute("DELETE FROM runs WHERE id = ?", (twin_id,))


def run_id_of(connection: sqlite3.Connection, uuid: str) -> int | None:
    """Return the id of a run, None where there is none."""
    return _known_run(connection, uuid)[0]


def _known_run(connection: sqlite3.Connection, uuid: str) -> tuple[int | None, bool]:
    """Return the id of a run, None if there is none, and whether it was deleted."""
    row: tuple[int | None, int] = connection.execute(
        "SELECT (SELECT id FROM runs WHERE uuid = ?),"
        " EXISTS (SELECT 1 FROM deleted_runs WHERE uuid = ?)",
        (uuid, uuid),
    ).fetchone()
    return row[0], bool(row[1])


def run_id_or_made_up(connection: sqlite3.Connection, uuid: str) -> int | None:
    """Return the id of a run, made up if need be; None where it was deleted."""
    run_id, is_deleted = _known_run(connection, uuid)
    if run_id is None and not is_deleted:
        run_id = insert_run(connection, NewRun(f"recovered {uuid[:8]}", {}, uuid, time.time()))
        connection.execute(
            "UPDATE runs SET status = 'failed', ended_by = 'lost' WHERE id = ?", (run_id,)
        )
    return run_id


def abandoned(
    connection: sqlite3.Connection,
    is_alive: Callable[[str], bool],
    last_words: Callable[[str], tuple[str, str | None]],
) -> list[AbandonedRun]:
    """Return the running runs of dead writers; see `ExperimentDBManager.end_abandoned_runs`."""
    running = connection.execute(
        "SELECT id, name, writer FROM runs"
        " WHERE status = 'running' AND writer IS NOT NULL ORDER BY id"
    ).fetchall()
    lives = {writer: is_alive(writer) for writer in {writer for _, _, writer in running}}
    return [
        AbandonedRun(run_id, name, *last_words(writer))
        for run_id, name, writer in running
        if not lives[writer]
    ]


def end_run(connection: sqlite3.Connection, run_id: int, end: RunEnd) -> None:
    """Store how a run ended; the first end of a run stays."""
    connection.execute(
        "UPDATE runs SET status = ?, outcome = ?, phase = ?, ended_by = ?, verdict = ?,"
        " duration_s = ?, comparison = ? WHERE id = ? AND status = 'running'",
        (*end, run_id),
    )


def remove_run(connection: sqlite3.Connection, run_id: int) -> None:
    """Remove a run and all its data within the caller's transaction; it may come back."""
    records.delete_records(connection, run_id)
    for table in schema.MEDIA_TABLES:
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608
    connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))


def local_time(unix_s: float) -> str:
    """Return a time as people read it where they are."""
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def run_info(row: Sequence[Any], n_records: Mapping[str, int]) -> RunInfo:
    """Return a run as readers get it.

    Args:
        row: its number, name, start, status, config, uuid, parent, environment, outcome, phase, how
            it ended, verdict, duration, session and attempt; config and environment as JSON.
        n_records: of each of its metrics.

    Raises:
        ValueError: its JSON is none.
    """
    (run_id, name, created_at, status, config, run_uuid, parent, environment, *more) = row
    outcome, phase, ended_by, verdict, duration_s, session, attempt = more
    return RunInfo(
        run_id=run_id,
        name=name,
        created_at=local_time(created_at),
        status=status,
        config=json.loads(config or "{}"),
        num_records=list(n_records.values()),
        metrics=list(n_records),
        uuid=run_uuid,
        parent=parent,
        environment=json.loads(environment) if environment else None,
        outcome=outcome,
        phase=phase,
        ended_by=ended_by,
        verdict=verdict,
        duration_s=duration_s,
        session=session,
        attempt=attempt,
        started_at=created_at,
    )
