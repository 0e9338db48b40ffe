"""All that a store says of its runs, in one form whatever the store: by uuid, without numbers.

PostgreSQL is asked in plain SQL: what is read back has passed none of our own readers.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import psycopg

from tracking import ExperimentDBManager
from tracking.merging.content import MEDIA
from tracking.model import Summary

OF_A_RUN = (
    *("name", "status", "config", "parent", "environment", "outcome", "phase", "ended_by"),
    *("verdict", "duration_s", "session", "attempt", "started_at"),
)


def of_sqlite(path):
    """Return what an experiment holds."""
    with closing(ExperimentDBManager(path, is_read_only=True)) as db:
        runs = db.get_all_runs()
        found = {run.uuid: _of_manager(db, run) for run in runs}
    with closing(sqlite3.connect(path)) as connection:
        for run in runs:
            for table, columns in MEDIA.items():
                query = f"SELECT {', '.join(columns)} FROM {table} WHERE run_id = ? ORDER BY id"
                found[run.uuid][table] = connection.execute(query, (run.run_id,)).fetchall()
            found[run.uuid]["graphs"] = connection.execute(
                "SELECT name, created_at, graph_json, packed FROM run_graphs AS g"
                " JOIN graph_contents AS c ON c.id = g.content_id WHERE run_id = ?"
                " ORDER BY created_at, g.id",
                (run.run_id,),
            ).fetchall()
    return found


def _of_manager(db, run):
    return {
        **{name: getattr(run, name) for name in OF_A_RUN},
        "comparison": db.get_comparison(run.run_id),
        "records": {
            metric: [(one.step, repr(one.value), one.log_time) for one in records]
            for metric in run.metrics
            for records in [db.get_records(run.run_id, metric)]
            if records
        },
        "summaries": {name: repr(one) for name, one in db.read_summaries(run.run_id).items()},
    }


def of_postgres(url, experiment="pytest"):
    """Return what a store holds of an experiment."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(_RUNS, (experiment,))
        names = [column.name for column in rows.description]
        runs = [dict(zip(names, row, strict=True)) for row in rows]
        return {run.pop("uuid"): _of_rows(connection, run) for run in runs}


def _of_rows(connection, run):
    number = run.pop("id")
    for name in ("config", "environment"):
        run[name] = json.loads(run[name]) if run[name] else None
    records = {}
    for metric, place, step, value, time in connection.execute(
        "SELECT metric, place, step, value, wall_time FROM sgtrack.records WHERE run_id = %s"
        " ORDER BY metric, place",
        (number,),
    ):
        assert place == len(records.setdefault(metric, []))
        records[metric].append((step, repr(value), time))
    summaries = connection.execute(
        "SELECT m.name, n, n_nan, n_inf, min, max, mean, std, tail, last, first_step, last_step"
        " FROM sgtrack.series JOIN sgtrack.metrics AS m ON m.id = metric_id WHERE run_id = %s"
        " ORDER BY place",
        (number,),
    )
    media = {
        table: [
            tuple(
                one.decode() if isinstance(one, bytes) and table == "texts" else one for one in row
            )
            for row in connection.execute(
                f"SELECT {', '.join(columns)} FROM sgtrack.{table} WHERE run_id = %s"
                " ORDER BY place",
                (number,),
            )
        ]
        for table, columns in MEDIA.items()
    }
    graphs = connection.execute(
        "SELECT name, created_at, graph_json, packed FROM sgtrack.graphs"
        " JOIN sgtrack.graph_contents AS c ON c.id = content_id WHERE run_id = %s ORDER BY place",
        (number,),
    )
    return {
        **run,
        "records": records,
        "summaries": {name: repr(Summary(*numbers)) for name, *numbers in summaries},
        **media,
        "graphs": [(name, at, text.decode(), packed) for name, at, text, packed in graphs],
    }


_RUNS = """
    SELECT r.id, r.uuid, n.name, r.status, r.config, r.parent, e.content AS environment, r.outcome,
           r.phase, r.ended_by, r.verdict, r.duration_s, r.session, r.attempt,
           r.created_at AS started_at, r.comparison
    FROM sgtrack.runs AS r JOIN sgtrack.experiments AS x ON x.id = r.experiment_id
      JOIN sgtrack.run_names AS n ON n.id = r.name_id
      LEFT JOIN sgtrack.environments AS e ON e.id = r.environment_id
    WHERE x.name = %s
"""


def rows_without_a_run(url):
    """Return how many rows of a store belong to no run, and how many runs lack what they count."""
    with psycopg.connect(url) as connection:
        return connection.execute(_ORPHANS).fetchone()


_ORPHANS = """
    SELECT (SELECT count(*) FROM sgtrack.chunks AS c
              WHERE NOT EXISTS (SELECT FROM sgtrack.series AS s
                WHERE s.run_id = c.run_id AND s.metric_id = c.metric_id)),
           (SELECT count(*) FROM sgtrack.runs AS r WHERE r.n_records <>
              (SELECT coalesce(sum(cardinality(steps)), 0) FROM sgtrack.chunks WHERE run_id = r.id))
"""
