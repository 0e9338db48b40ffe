"""Importing by the command line, and all that an experiment then holds."""

from __future__ import annotations

import argparse
import sqlite3
from contextlib import closing

import pytest

from tracking import ExperimentDBManager
from tracking.cli import imports


@pytest.fixture
def sgtrack_import(capsys):
    """Runs the command; gives its exit code and the lines it printed."""

    def run(source, folder, *more):
        parser = argparse.ArgumentParser()
        imports.add_to(parser.add_subparsers())
        options = parser.parse_args(["import", str(source), "--dir", str(folder), *more])
        code = options.command(options)
        return code, capsys.readouterr().out.splitlines()

    return run


@pytest.fixture(scope="session")
def everything():
    """Gives all that the runs of an experiment hold, by name; values by their digits."""

    def read(path):
        with closing(ExperimentDBManager(path, is_read_only=True)) as db:
            runs = db.get_all_runs()
            assert len({run.name for run in runs}) == len(runs)
            return {run.name: _run(db, run) for run in runs}

    return read


def _run(db, run):
    fields = ("status", "ended_by", "config", "environment", "uuid", "parent", "duration_s")
    return {name: getattr(run, name) for name in (*fields, "started_at")} | {
        "records": {
            metric: [
                (record.step, repr(record.value), record.log_time)
                for record in db.get_records(run.run_id, metric)
            ]
            for metric in run.metrics
        },
        "summaries": {name: str(one) for name, one in db.read_summaries(run.run_id).items()},
        "graphs": [(one["graph"], one["created_at"]) for one in db.get_comp_graphs(run.run_id)],
        "histograms": db.get_histograms(run.run_id),
        "images": db.get_images(run.run_id),
        "texts": db.get_texts(run.run_id),
    }


@pytest.fixture(scope="session")
def is_sound():
    """Tells whether SQLite finds nothing wrong with a database."""

    def check(path):
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("PRAGMA quick_check").fetchall()
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        return found == [("ok",)] and not orphans

    return check
