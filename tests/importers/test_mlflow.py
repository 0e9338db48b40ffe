"""MLflow's store: `mlflow_store.db` was written by MLflow itself, by make_mlflow_store.py."""

from __future__ import annotations

import math
import runpy
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.importers import Remark, import_runs, mlflow

STORE = Path(__file__).parents[1] / "assets" / "mlflow_store.db"
MADE = runpy.run_path(str(Path(__file__).with_name("make_mlflow_store.py")))
START_S = MADE["START_MS"] / 1000


@pytest.fixture
def runs(tmp_path, everything):
    """All runs that come of the store, and what was remarked."""
    items = list(import_runs(STORE, tmp_path))
    found = {}
    for path in {item.db_path for item in items if not isinstance(item, Remark)}:
        found |= {(path.stem, name): run for name, run in everything(path).items()}
    return found, [item.text for item in items if isinstance(item, Remark)]


def test_each_experiment_becomes_one_of_its_name_and_what_was_deleted_stays_away(runs):
    found, remarks = runs
    assert set(found) == {
        ("mnist", "first"),
        ("mnist", "child"),
        ("Users-me-cifar", "stopped"),
        ("Users-me-cifar", "going on"),
    }
    assert remarks == ["left out: 2 runs that were deleted in MLflow"]


def test_values_come_as_they_were_logged_also_those_that_are_no_numbers(runs):
    logged = [
        (step, repr(value), (MADE["START_MS"] + 1500 * place) / 1000)
        for place, (step, value) in enumerate(MADE["LOSSES"])
    ]
    assert runs[0]["mnist", "first"]["records"] == {
        "loss": sorted(logged, key=lambda row: row[0]),
        "val/accuracy": [(2, "0.75", START_S + 0.25)],
    }


def test_parameters_become_config_and_tags_the_environment(runs):
    first = runs[0]["mnist", "first"]
    assert first["config"] == MADE["PARAMS"] | {"clip": "None"}
    environment = first["environment"]
    assert len(environment.pop("mlflow.run_id")) == 32
    assert environment == {
        "imported_from": "mlflow",
        "mlflow.experiment": "mnist",
        "mlflow.runName": "first",
        "mlflow.source.git.commit": "abc123",
        "git_commit": "abc123",
        "mlflow.user": "me",
        "team": "x",
    }
    stopped = runs[0]["Users-me-cifar", "stopped"]
    assert stopped["environment"]["mlflow.experiment"] == "/Users/me/cifar"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (("mnist", "first"), ("completed", "finished", START_S, 2.5)),
        (("mnist", "child"), ("failed", "exception", START_S + 1, 2.5)),
        (("Users-me-cifar", "stopped"), ("failed", "killed", START_S + 2, 2.5)),
        (("Users-me-cifar", "going on"), ("running", None, START_S + 3, None)),
    ],
)
def test_runs_began_and_ended_as_they_did(runs, place, expected):
    run = runs[0][place]
    found = (run["status"], run["ended_by"], run["started_at"], run["duration_s"])
    assert found == pytest.approx(expected)


def test_a_nested_run_knows_its_parent(runs):
    found, _ = runs
    assert found["mnist", "child"]["parent"] == found["mnist", "first"]["uuid"]
    assert found["mnist", "first"]["parent"] is None


def test_all_runs_can_go_into_one_experiment_and_come_once(tmp_path, everything):
    for n_new in (4, 0):
        items = [
            item
            for item in import_runs(STORE, tmp_path, experiment="all")
            if not isinstance(item, Remark)
        ]
        assert sum(not item.added.is_nothing() for item in items) == n_new
    assert len(everything(tmp_path / "all.db")) == 4
    assert [path.name for path in tmp_path.glob("*.db")] == ["all.db"]


# A store that is in use


def test_runs_of_a_deleted_experiment_stay_away_though_they_were_not_deleted(tmp_path, store):
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE runs SET lifecycle_stage = 'active' WHERE name LIKE 'of a%'")
    items = list(import_runs(store, tmp_path / "e"))
    assert items[-1] == Remark("left out: 2 runs that were deleted in MLflow")
    assert len(items) == 5


@pytest.fixture
def store(tmp_path):
    return Path(shutil.copy(STORE, tmp_path / "mlflow.db"))


def run_id_of(connection, name):
    return connection.execute("SELECT run_uuid FROM runs WHERE name = ?", (name,)).fetchone()[0]


def log(connection, name, *rows):
    connection.executemany(
        "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(*row[:3], run_id_of(connection, name), *row[3:]) for row in rows],
    )


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_what_mlflow_is_just_writing_comes_next_time(tmp_path, everything, store, mode):
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("BEGIN IMMEDIATE")
        log(connection, "going on", ("loss", 1.0, 1000, 0, False))
        assert len(list(import_runs(store, tmp_path / "e", experiment="e"))) == 5
        assert everything(tmp_path / "e" / "e.db")["going on"]["records"] == {}
        connection.execute("UPDATE runs SET status = 'FINISHED' WHERE name = 'going on'")
        connection.execute("COMMIT")
        list(import_runs(store, tmp_path / "e", experiment="e"))
    run = everything(tmp_path / "e" / "e.db")["going on"]
    assert run["records"] == {"loss": [(0, "1.0", 1.0)]}
    assert (run["status"], run["ended_by"]) == ("completed", "finished")


values = st.floats().filter(lambda value: abs(value) != 1.7976931348623157e308)


@settings(deadline=None)
@given(rows=st.lists(st.tuples(st.integers(-5, 5), values), min_size=1, max_size=20))
def test_values_survive_the_way_mlflow_stores_them(tmp_path_factory, rows):
    store = Path(shutil.copy(STORE, tmp_path_factory.mktemp("store") / "mlflow.db"))

    def stored(value):  # as SqlAlchemyStore.sanitize_metric_value has it
        if math.isnan(value):
            return 0.0, True
        return (
            (math.copysign(1.7976931348623157e308, value), False)
            if math.isinf(value)
            else (
                value,
                False,
            )
        )

    with closing(sqlite3.connect(store)) as connection, connection:
        for place, (step, value) in enumerate(rows):
            number, is_nan = stored(value)
            log(connection, "going on", ("loss", number, place, step, is_nan))
    (run,) = (run for run in mlflow.read(store) if getattr(run, "name", "") == "going on")
    (batch,) = run.parts[0].batches(run.uuid, 0)
    found = list(zip(batch.steps, map(repr, batch.values), batch.wall_times, strict=True))
    assert found == [(step, repr(value + 0.0), n / 1000) for n, (step, value) in enumerate(rows)]


def test_damaged_values_are_left_out_and_counted(tmp_path, store):
    with closing(sqlite3.connect(store)) as connection, connection:
        log(connection, "going on", ("loss", "much", 1, 0, False), ("loss", 1.0, 1, "last", False))
        log(connection, "going on", ("", 1.0, 1, 0, False), ("loss", 2.0, 1, 1, False))
        connection.execute("UPDATE runs SET start_time = NULL WHERE name = 'going on'")
    (item,) = [
        item
        for item in import_runs(store, tmp_path / "e")
        if not isinstance(item, Remark) and item.run.name == "going on"
    ]
    assert item.added.counts == {"records": 1}
    assert item.run.created_at == 0
    assert item.run.left_out() == {
        "records that are no numbers": 2,
        "records: name: must not be empty": 1,
    }
