"""Shards, and everything an experiment says of its runs."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tracking import ExperimentDBManager, Tracker
from tracking.regression import Compared, dump_comparison

_OF_A_RUN = (
    *("name", "status", "config", "parent", "environment", "outcome", "phase", "ended_by"),
    *("verdict", "duration_s", "session", "attempt", "started_at"),
)
DYING = """
import os, signal, sys, tracking
tracker = tracking.Tracker(sys.argv[1])
tracker.set_experiment("pytest")
tracker.start_run("died", session="d" * 32)
for step in range(50):
    tracker.record("loss", step / 2, step)
os.kill(os.getpid(), signal.SIGKILL)
"""


def read_content(path):
    """Return all that a database says of its runs, by uuid; nothing of how they are numbered."""
    with closing(ExperimentDBManager(path, is_read_only=True)) as db:
        return {run.uuid: _content_of(db, run) for run in db.get_all_runs()}


def _content_of(db, run):
    graphs = [(one.name, one.created_at, one.whole()) for one in db.get_graphs(run.run_id)]
    return {
        **{name: getattr(run, name) for name in _OF_A_RUN},
        "records": {
            name: [(one.step, repr(one.value), one.log_time) for one in records]
            for name in sorted(run.metrics)
            for records in [db.get_records(run.run_id, name)]
        },
        "summaries": {name: repr(one) for name, one in db.read_summaries(run.run_id).items()},
        "media": (
            db.get_histograms(run.run_id),
            db.get_images(run.run_id),
            db.get_texts(run.run_id),
        ),
        "graphs": graphs,
        "comparison": db.get_comparison(run.run_id),
    }


def is_sound(path):
    """Tell whether SQLite finds nothing wrong, and no row has lost another one."""
    with closing(sqlite3.connect(path)) as connection:
        whole = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return whole and not connection.execute("PRAGMA foreign_key_check").fetchall()


def ending(run):
    """Return how a run of `read_content` has ended."""
    return (run["status"], run["ended_by"])


@pytest.fixture(scope="session")
def content():
    return read_content


@pytest.fixture(scope="session")
def n_rows():
    """Counts the rows of a table."""

    def count(path, table):
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]

    return count


@pytest.fixture(scope="session")
def record():
    """Records runs of some names into <folder>/pytest.db, each with a bit of everything."""

    def record(folder, *names, n=3, values=None, session="s" * 32, experiment="pytest"):
        tracker = Tracker(folder)
        tracker.set_experiment(experiment)
        for name in names:
            tracker.start_run(name, {"lr": 0.1}, session=session, environment={"python": "3"})
            for step in range(n):
                tracker.record("loss", step / 3, step)
                tracker.record("odd", float("nan") if step % 2 else 1.0, step)
            for step, value in enumerate(values or ()):
                tracker.record("values", value, step)
            tracker.histogram("weights", [0.1, 0.5, 0.9], 0)
            tracker.image("digit", [[0.0, 1.0]], 0)
            tracker.text("sample", f"of {name}", 0)
            graph = {"nodes": [{"id": "a", "type": "tensor"}], "edges": []}
            run_id = tracker.current_run_id
            with closing(ExperimentDBManager(folder / f"{experiment}.db")) as db:
                db.save_comp_graph(run_id, graph, name="g")
            compared = dump_comparison(Compared((), "pass", "../b.json", name))
            tracker.end_run(
                outcome="passed", phase="call", verdict="identical", comparison=compared
            )
        tracker.close()
        return folder / f"{experiment}.db"

    return record


@pytest.fixture(scope="session")
def die():
    """Has a process die by SIGKILL that records 50 times into <folder>/pytest.db."""

    def die(folder):
        done = subprocess.run([sys.executable, "-c", DYING, folder], check=False)
        assert done.returncode == -9
        assert list(folder.glob("pytest.journal/*.segment"))
        return folder / "pytest.db"

    return die


@pytest.fixture(scope="session")
def files():
    """Returns what lies in a folder: names, bytes, times and modes."""

    def files(folder):
        return {
            path: (path.read_bytes() if path.is_file() else None, path.stat()[:1], path.stat()[8])
            for path in sorted(folder.rglob("*"))
        }

    return files
