"""Runs out of a database of the original tracker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracking import arguments
from tracking.connection import reading_foreign
from tracking.events import RunEnd
from tracking.importers.model import (
    ImportedRun,
    Part,
    Remark,
    name_of_experiment,
    name_of_run,
    time_of_run,
    uuid_of,
)
from tracking.importers.rows import Graph, Histogram, Image, Text
from tracking.model import Status
from tracking.records import decode_step, decode_value

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

KIND = "original"

_QUERIES = {
    "graphs": "SELECT graph_json, created_at FROM graphs WHERE run_id = ? ORDER BY id",
    "histograms": (
        "SELECT name, step, bucket_edges, bucket_counts, wall_time FROM histograms"
        " WHERE run_id = ? ORDER BY id"
    ),
    "images": (
        "SELECT name, step, width, height, channels, image_data, wall_time FROM images"
        " WHERE run_id = ? ORDER BY id"
    ),
    "texts": "SELECT name, step, content, wall_time FROM texts WHERE run_id = ? ORDER BY id",
}


def read(source: Path) -> Iterator[ImportedRun | Remark]:
    """Yield the runs of a database of the original, oldest first.

    What numpy scalars left as bytes is decoded, as wherever such a database is read.

    Raises:
        NotAnExperimentError: it is not a SQLite database.
        StoreError: it cannot be read, or lacks a table.
    """
    experiment = name_of_experiment(source.stem)
    with reading_foreign(source) as connection:
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()
        }
        rows = connection.execute(
            "SELECT id, name, created_at, status, config FROM runs ORDER BY id"
        ).fetchall()
        for row in rows:
            yield _run(connection, tables, experiment, *row)
        (n_lost,) = connection.execute(
            "SELECT COUNT(*) FROM records WHERE run_id NOT IN (SELECT id FROM runs)"
        ).fetchone()
        if n_lost:
            yield Remark(f"left out: {n_lost} records of runs that were deleted")


def _run(
    connection: sqlite3.Connection,
    tables: set[str],
    experiment: str,
    run_id: int,
    name: str,
    created_at: object,
    status: str,
    config: str | None,
) -> ImportedRun:
    part = _records(connection, run_id)
    for table, query in _QUERIES.items():
        for row in connection.execute(query, (run_id,)) if table in tables else ():
            _take(part, table, row)
    remarks = []
    try:
        checked_config = arguments.checked_mapping("config", json.loads(config or "{}"))
    except (ValueError, RecursionError) as error:
        checked_config = {}
        remarks.append(f"{name}: its config cannot be read: {error}")
    return ImportedRun(
        uuid_of(KIND, run_id, name, created_at),
        name_of_run(str(name)),
        experiment,
        time_of_run(decode_value(created_at) or 0.0),
        _end(status),
        [part],
        checked_config,
        {"imported_from": KIND, "original.run_id": run_id},
        remarks=remarks,
    )


def _records(connection: sqlite3.Connection, run_id: int) -> Part:
    part = Part()
    cursor = connection.execute(
        "SELECT m.name, r.step, r.value, r.wall_time FROM records AS r"
        " JOIN metrics AS m ON m.id = r.metric_id WHERE r.run_id = ? ORDER BY r.id",
        (run_id,),
    )
    for name, *stored in cursor:
        step, value, wall_time = decode_step(stored[0]), *map(decode_value, stored[1:])
        if step is None or value is None or wall_time is None:
            part.left_out["records that are no numbers"] += 1
        else:
            part.record(name, step, value, wall_time)
    return part


def _take(part: Part, table: str, row: tuple[Any, ...]) -> None:
    """Add a row of a table; steps and times may lie there as bytes too."""
    time = decode_value(row[-1]) or 0.0
    if table == "graphs":
        part.add(Graph.checked, _parsed(row[0]), time)
        return
    place = (row[0], decode_step(row[1]))
    if table == "histograms":
        part.add(Histogram.checked, *place, _parsed(row[2]), _parsed(row[3]), time)
    elif table == "images":
        part.add(Image.checked, *place, row[2:5], row[5], time)
    else:
        part.add(Text.checked, *place, row[2], time)


def _parsed(text: str) -> object:
    """Return what a JSON text says; nothing where it is none, which no check lets pass."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None


def _end(status: str) -> RunEnd | None:
    if status == Status.RUNNING:
        return None
    return RunEnd(Status.COMPLETED if status == Status.COMPLETED else Status.FAILED)
