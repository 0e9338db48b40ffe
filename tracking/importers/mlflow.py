"""Runs out of MLflow's SQLite store, by plain SQL: MLflow itself is not needed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tracking.connection import reading_foreign
from tracking.events import RunEnd
from tracking.importers.model import (
    ImportedRun,
    Part,
    Remark,
    name_of_experiment,
    name_of_run,
    number_or_text,
    time_of_run,
    uuid_of,
)
from tracking.model import Status
from tracking.records import decode_step, decode_value

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

KIND = "mlflow"
TABLES = frozenset({"alembic_version", "experiments", "runs", "metrics", "params", "tags"})
"""Tables that every store has had since MLflow 1.0."""

_LARGEST = 1.7976931348623157e308
_ENDS = {
    "FINISHED": (Status.COMPLETED, "finished"),
    "FAILED": (Status.FAILED, "exception"),
    "KILLED": (Status.FAILED, "killed"),
}
_COMMIT = "mlflow.source.git.commit"
_PARENT = "mlflow.parentRunId"


def read(source: Path) -> Iterator[ImportedRun | Remark]:
    """Yield the runs of a store that are not deleted, oldest first.

    Raises:
        NotAnExperimentError: it is not a SQLite database.
        StoreError: it cannot be read, or is no store of MLflow.
    """
    with reading_foreign(source) as connection:
        rows = connection.execute(
            "SELECT r.run_uuid, r.name, e.name, r.status, r.start_time, r.end_time"
            " FROM runs AS r JOIN experiments AS e ON e.experiment_id = r.experiment_id"
            " WHERE r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active'"
            " ORDER BY r.start_time, r.rowid"
        ).fetchall()
        for row in rows:
            yield _run(connection, *row)
        (n_all,) = connection.execute("SELECT COUNT(*) FROM runs").fetchone()
        if n_all > len(rows):
            yield Remark(f"left out: {n_all - len(rows)} runs that were deleted in MLflow")


def _run(
    connection: sqlite3.Connection,
    run_id: str,
    name: str | None,
    experiment: str,
    status: str,
    start_ms: object,
    end_ms: object,
) -> ImportedRun:
    tags = _pairs(connection, "SELECT key, value FROM tags WHERE run_uuid = ?", run_id)
    params = _pairs(connection, "SELECT key, value FROM params WHERE run_uuid = ?", run_id)
    environment = {
        "imported_from": KIND,
        "mlflow.experiment": experiment,
        "mlflow.run_id": run_id,
        **tags,
    }
    if _COMMIT in tags:
        environment["git_commit"] = tags[_COMMIT]
    parent = tags.get(_PARENT)
    started_at = time_of_run(_seconds(start_ms))
    return ImportedRun(
        uuid_of(KIND, run_id),
        name_of_run(name or tags.get("mlflow.runName") or run_id),
        name_of_experiment(experiment),
        started_at,
        _end(status, started_at, end_ms),
        [_records(connection, run_id)],
        {key: number_or_text(value) for key, value in params.items()},
        environment,
        uuid_of(KIND, parent) if parent else None,
    )


def _end(status: str, started_at: float, end_ms: object) -> RunEnd | None:
    if status not in _ENDS:
        return None
    ended, ended_by = _ENDS[status]
    duration_s = None if end_ms is None else max(_seconds(end_ms) - started_at, 0.0)
    return RunEnd(ended, ended_by=ended_by, duration_s=duration_s)


def _records(connection: sqlite3.Connection, run_id: str) -> Part:
    """Read the history of all metrics of a run.

    MLflow stores a NaN as 0 with a mark, and an infinity as the largest float.
    """
    part = Part()
    cursor = connection.execute(
        "SELECT key, step, value, is_nan, timestamp FROM metrics WHERE run_uuid = ? ORDER BY rowid",
        (run_id,),
    )
    for key, stored_step, stored_value, is_nan, time_ms in cursor:
        step, value = decode_step(stored_step), decode_value(stored_value)
        if step is None or value is None:
            part.left_out["records that are no numbers"] += 1
            continue
        if is_nan:
            value = math.nan
        elif abs(value) == _LARGEST:
            value = math.copysign(math.inf, value)
        part.record(key, step, value, _seconds(time_ms))
    return part


def _pairs(connection: sqlite3.Connection, query: str, run_id: str) -> dict[str, str]:
    return {str(key): str(value) for key, value in connection.execute(query, (run_id,))}


def _seconds(milliseconds: object) -> float:
    number = decode_value(milliseconds)
    return 0.0 if number is None else number / 1000
