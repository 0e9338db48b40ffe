"""`sgtrack import`: what it takes for what, what it says, and what it leaves alone."""

from __future__ import annotations

import re
import shlex
import shutil
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest
from tensorboardX import SummaryWriter

from tracking import InvalidArgumentError, NotAnExperimentError, StoreBusyError, StoreError
from tracking.connection import reading_foreign
from tracking.importers import Kind, import_runs, recognise

ASSETS = Path(__file__).parents[1] / "assets"
DOCUMENT = ASSETS.parents[1] / "docs" / "importing.md"


@pytest.fixture
def log(tmp_path):
    with SummaryWriter(str(tmp_path / "log")) as writer:
        for step in range(3):
            writer.add_scalar("loss", 1.0, step)
        writer.add_text("note", "x", 0)
    return tmp_path / "log"


def test_a_source_is_known_by_its_looks(log, tmp_path):
    (path,) = log.iterdir()
    shutil.copy(path, tmp_path / "renamed")
    assert recognise(log) == recognise(path) == recognise(tmp_path / "renamed") == "tensorboard"
    assert recognise(ASSETS / "mlflow_store.db") == "mlflow"
    assert recognise(ASSETS / "original.db") == "original"


def empty(path):
    path.touch()


def notes(path):
    path.write_text("notes, as long as a header would be" * 10)


def foreign(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (id)")


def ours(path):
    shutil.copy(ASSETS / "schema_v1.db", path)


def cut_short(path):
    path.write_bytes((ASSETS / "original.db").read_bytes()[:600])


def folder_with_store(path):
    path.mkdir()
    shutil.copy(ASSETS / "mlflow_store.db", path / "mlflow.db")


def folder_of_mlflow(path):
    (path / "0").mkdir(parents=True)
    (path / "0" / "meta.yaml").touch()


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda path: None, StoreError, "there is nothing at {}"),
        (empty, NotAnExperimentError, "{} is neither TensorBoard's, nor"),
        (notes, NotAnExperimentError, "{} is neither TensorBoard's, nor"),
        (foreign, NotAnExperimentError, "{} is neither TensorBoard's, nor"),
        (ours, NotAnExperimentError, "{} is an experiment of pytest-sgtrack already"),
        (cut_short, StoreError, "{}"),
        (Path.mkdir, NotAnExperimentError, "no event file of TensorBoard lies below {}"),
        (folder_with_store, NotAnExperimentError, "did you mean {}/mlflow.db"),
        (folder_of_mlflow, NotAnExperimentError, "`mlflow migrate-filestore`"),
    ],
)
def test_what_is_nothing_of_the_kind_is_refused_and_left_alone(tmp_path, build, error, message):
    source = tmp_path / "source"
    build(source)
    before = contents(tmp_path)
    with pytest.raises(error) as caught:
        list(import_runs(source, tmp_path / "e"))
    assert message.format(source) in str(caught.value)
    assert contents(tmp_path) == before


def contents(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def test_a_kind_that_is_said_has_to_be_the_right_one(log, tmp_path, sgtrack_import):
    assert sgtrack_import(log, tmp_path, "--from", "tensorboard")[0] == 0
    assert sgtrack_import(log, tmp_path, "--from", "auto")[0] == 0
    with pytest.raises(InvalidArgumentError, match="is of the kind tensorboard, not mlflow"):
        sgtrack_import(log, tmp_path, "--from", "mlflow")
    assert [str(kind) for kind in Kind] == ["tensorboard", "mlflow", "original"]


def test_it_says_what_it_added_and_the_second_time_that_all_was_there(
    log, tmp_path, sgtrack_import
):
    folder = tmp_path / "e"
    added = f"{folder}/log.db: log: 3 records, 1 texts"
    assert sgtrack_import(log, folder, "--dry-run") == (
        0,
        [added, f"{log}: 1 runs would be added or completed, 0 were there already"],
    )
    assert not folder.exists()
    assert sgtrack_import(log, folder) == (
        0,
        [added, f"{log}: 1 runs added or completed, 0 were there already"],
    )
    nothing = [f"{log}: 0 runs added or completed, 1 were there already"]
    assert sgtrack_import(log, folder) == (0, nothing)
    before = contents(folder)
    nothing = [f"{log}: 0 runs would be added or completed, 1 were there already"]
    assert sgtrack_import(log, folder, "--dry-run") == (0, nothing)
    assert contents(folder) == before
    all_in_one = sgtrack_import(log, folder, "--experiment", "all")
    assert all_in_one[1][0] == f"{folder}/all.db: log: 3 records, 1 texts"


def test_what_was_left_out_is_said_each_time_and_decides_the_exit_code(tmp_path, sgtrack_import):
    said = [
        "first: left out: 2 records that are no numbers",
        "left out: 2 records of runs that were deleted",
    ]
    added = "original.db: first: 7 records, 1 graphs, 1 histograms, 1 images, 1 texts"
    code, lines = sgtrack_import(ASSETS / "original.db", tmp_path)
    assert code == 1
    assert lines[:2] == [f"{tmp_path}/{added}", said[0]]
    code, lines = sgtrack_import(ASSETS / "original.db", tmp_path)
    assert (code, lines[:-1]) == (1, said)


def test_a_run_that_was_deleted_and_one_that_ended_meanwhile_are_said(tmp_path, sgtrack_import):
    store = shutil.copy(ASSETS / "mlflow_store.db", tmp_path / "mlflow.db")
    sgtrack_import(store, tmp_path / "e", "--experiment", "e")
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE runs SET status = 'FINISHED' WHERE name = 'going on'")
        connection.execute(
            "INSERT INTO params SELECT 'seed', '3', run_uuid FROM runs WHERE name = 'first'"
        )
    path = tmp_path / "e" / "e.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM runs WHERE name = 'stopped' RETURNING uuid")
        connection.execute("INSERT INTO deleted_runs SELECT ?", (uuid_of_stopped(store),))
    code, lines = sgtrack_import(store, tmp_path / "e", "--experiment", "e")
    assert code == 1
    assert lines == [
        f"{path}: first: 1 hyper-parameters",
        f"stopped: left out: it was deleted from {path}",
        f"{path}: going on: its end",
        "left out: 2 runs that were deleted in MLflow",
        f"{store}: 2 runs added or completed, 2 were there already",
    ]


def uuid_of_stopped(store):
    (uuid,) = [
        item.run.uuid
        for item in import_runs(store, Path("none"), is_dry_run=True)
        if getattr(getattr(item, "run", None), "name", "") == "stopped"
    ]
    return uuid


def test_an_experiment_that_is_not_ours_is_left_alone(log, tmp_path):
    (tmp_path / "e").mkdir()
    foreign(tmp_path / "e" / "log.db")
    before = contents(tmp_path)
    with pytest.raises(NotAnExperimentError):
        list(import_runs(log, tmp_path / "e"))
    after = contents(tmp_path)
    assert {path: after[path] for path in before} == before


def test_the_document_shows_what_is_printed(tmp_path, monkeypatch, sgtrack_import):
    for name, asset in (("mlflow.db", "mlflow_store.db"), ("original.db", "original.db")):
        shutil.copy(ASSETS / asset, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    text = DOCUMENT.read_text(encoding="utf-8")
    (console,) = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    shown = [block.splitlines() for block in console.split("$ sgtrack import ")[1:]]
    assert len(shown) == 3
    for command, *lines in shown:
        source, *options = shlex.split(command)
        assert sgtrack_import(source, "experiments", *options)[1] == lines


# Databases of others


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_reading_a_foreign_database_changes_nothing_and_leaves_nothing_beside_it(tmp_path, mode):
    path = tmp_path / "foreign.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE notes (text)")
        connection.execute("INSERT INTO notes VALUES ('x')")
    before = contents(tmp_path)
    with reading_foreign(path) as connection:
        assert connection.execute("SELECT * FROM notes").fetchall() == [("x",)]
        assert contents(tmp_path) == before
    with (
        pytest.raises(StoreError, match=r"foreign\.db"),
        reading_foreign(path) as connection,
    ):
        connection.execute("DELETE FROM notes")
    assert contents(tmp_path) == before


def test_of_a_foreign_database_in_use_whole_transactions_are_seen(tmp_path):
    path = tmp_path / "foreign.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE notes (number)")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO notes VALUES (1)")
        with reading_foreign(path) as reader:
            assert reader.execute("SELECT COUNT(*) FROM notes").fetchone() == (0,)
        writer.execute("COMMIT")
        with reading_foreign(path) as reader:
            assert reader.execute("SELECT COUNT(*) FROM notes").fetchone() == (1,)


def test_a_foreign_database_is_busy_rather_than_half_there(tmp_path, monkeypatch):
    monkeypatch.setattr("tracking.connection.BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "foreign.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the commit
        writer.execute("CREATE TABLE notes (text)")
        writer.execute("BEGIN IMMEDIATE")
        writer.executemany("INSERT INTO notes VALUES (?)", [("x" * 1000,)] * 1000)
        with pytest.raises(StoreBusyError, match="in use"), reading_foreign(path) as reader:
            reader.execute("SELECT COUNT(*) FROM notes").fetchone()
        writer.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, StoreError),
        (b"no database at all" * 100, NotAnExperimentError),
        (b"SQLite format 3\0" + struct.pack("16x"), StoreError),
    ],
)
def test_a_foreign_file_that_cannot_be_read_says_so(tmp_path, content, error):
    path = tmp_path / "foreign.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=str(path)), reading_foreign(path) as connection:
        connection.execute("SELECT * FROM sqlite_master")
