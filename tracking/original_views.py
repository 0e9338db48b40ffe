"""Databases of the original, seen as if they had our tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_ALWAYS = """
CREATE TEMP VIEW runs AS
  SELECT id, name, created_at, status, config, NULL AS uuid, NULL AS parent,
         NULL AS environment_id, NULL AS writer, NULL AS session, 1 AS attempt, NULL AS duration_s,
         NULL AS outcome, NULL AS phase, NULL AS ended_by, NULL AS verdict, NULL AS comparison
  FROM main.runs;
CREATE TEMP VIEW series AS
  SELECT run_id, metric_id, COUNT(*) AS n, 0 AS n_unreadable, NULL AS summarized_n, NULL AS n_nan,
         NULL AS n_inf, NULL AS min, NULL AS max, NULL AS mean, NULL AS std, NULL AS tail,
         NULL AS last, NULL AS first_step, NULL AS last_step
  FROM main.records GROUP BY run_id, metric_id;
CREATE TEMP VIEW record_ranges AS
  SELECT run_id, metric_id, MIN(id) AS first_id, MAX(id) AS last_id
  FROM main.records GROUP BY run_id, metric_id;
CREATE TEMP VIEW non_finite_records AS
  SELECT id, run_id, metric_id, step, value, wall_time FROM main.records WHERE 0;
CREATE TEMP VIEW environments AS SELECT NULL AS id, NULL AS content WHERE 0;
CREATE TEMP VIEW segments AS SELECT NULL AS writer, NULL AS drained_to WHERE 0;
CREATE TEMP VIEW deleted_runs AS SELECT NULL AS uuid WHERE 0
"""

# Some came with later releases of the original.
_MEDIA = {
    "graphs": "id, run_id, graph_json, created_at",
    "histograms": "id, run_id, name, step, bucket_edges, bucket_counts, wall_time",
    "images": "id, run_id, name, step, width, height, channels, image_data, wall_time",
    "texts": "id, run_id, name, step, content, wall_time",
}
_ADDED = {"histograms": ", 0 AS n_non_finite"}


def show_as_ours(connection: sqlite3.Connection) -> None:
    """Give a connection to a database of the original views in the place of our tables.

    They are the connection's own and lie in memory; the database stays as it is.
    """
    connection.execute("PRAGMA temp_store = MEMORY")
    for statement in _ALWAYS.split(";\n"):
        connection.execute(statement)
    rows = connection.execute("SELECT name FROM main.sqlite_master").fetchall()
    tables = {name for (name,) in rows}
    for table, columns in _MEDIA.items():
        source = f"{columns}{_ADDED.get(table, '')} FROM main.{table}"
        if table not in tables:
            nothing = [f"NULL AS {column}" for column in columns.split(", ")]
            source = f"{', '.join(nothing)}{_ADDED.get(table, '')} WHERE 0"
        connection.execute(f"CREATE TEMP VIEW {table} AS SELECT {source}")
