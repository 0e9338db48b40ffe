"""Roles can do what docs/store.md gives them, and nothing else."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.contents import of_postgres, of_sqlite
from tracking.errors import NewerSchemaError, NotAnExperimentError, StoreError
from tracking.postgres.address import Address
from tracking.postgres.writing import StoreWriter
from tracking.pushing import push

DOCUMENT = (Path(__file__).parents[2] / "docs/store.md").read_text(encoding="utf-8")
ROLES, GRANTS, NEWEST, RECORDS, WORST, DELETE, DROP, GRAPHS = re.findall(
    r"^```sql\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL
)
PASSWORDS = {
    role: f"change me {number}" for number, role in enumerate(("owner", "writer", "reader"), 1)
}


def run(url, script):
    """Run statements one by one, as psql does; returns what the last one gives."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in script.strip().removesuffix(";").split(";\n"):
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def database(server):
    """The database of the document, with its roles."""
    run(server.url("postgres"), ROLES)
    yield {
        role: server.url("metrics", f"sgtrack_{role}", password)
        for role, password in PASSWORDS.items()
    }
    run(
        server.url("postgres"),
        "DROP DATABASE metrics WITH (FORCE);\n"
        "DROP ROLE sgtrack_owner, sgtrack_writer, sgtrack_reader",
    )


@pytest.fixture
def roles(database, tmp_path, record):
    """URLs by role, of a store that a push of the owner has created and that is empty again."""
    with psycopg.connect(database["owner"]) as connection:
        connection.execute("DROP SCHEMA IF EXISTS sgtrack CASCADE")
    push([record(tmp_path / "first", "test_fit.py::test_line")], database["owner"])
    run(database["owner"], GRANTS)
    return database


@pytest.fixture
def path(tmp_path, record):
    return record(tmp_path / "here", "test_fit.py::test_line", "x", experiment="mine")


def test_the_document_gives_three_passwords():
    assert all(password in ROLES for password in PASSWORDS.values())


def test_a_writer_may_push_and_complete(roles, path):
    assert push([path], roles["writer"]).n_pushed == 2
    with psycopg.connect(roles["owner"]) as connection:  # as if they had come less complete
        connection.execute("UPDATE sgtrack.runs SET certainty = 0, n_records = 0")
    assert push([path], roles["writer"]).n_pushed == 2
    assert of_postgres(roles["owner"], "mine") == of_sqlite(path)


def test_a_writer_may_make_partitions_by_pushing_only(roles, path):
    with psycopg.connect(roles["owner"]) as connection:
        connection.execute("ALTER TABLE sgtrack.runs ALTER id RESTART WITH 250000")
    assert push([path], roles["writer"]).n_pushed == 2
    assert of_postgres(roles["owner"], "mine") == of_sqlite(path)


NOT_FOR_WRITERS = [
    "DROP TABLE sgtrack.runs CASCADE",
    "DROP SCHEMA sgtrack CASCADE",
    "TRUNCATE sgtrack.runs CASCADE",
    "DELETE FROM sgtrack.runs",
    "SELECT sgtrack.delete_runs(ARRAY['x'])",
    "ALTER TABLE sgtrack.runs ADD COLUMN mine text",
    "UPDATE sgtrack.metrics SET name = 'mine'",
    "UPDATE sgtrack.migrations SET version = 99",
    "INSERT INTO sgtrack.deleted_runs VALUES ('x')",
    "CREATE TABLE sgtrack.mine (a integer)",
    "CREATE SCHEMA mine",
    "CREATE TABLE public.mine (a integer)",
    "SELECT * FROM secret.things",
]


@pytest.fixture
def others(roles):
    with psycopg.connect(roles["owner"]) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS secret")
        connection.execute("CREATE TABLE IF NOT EXISTS secret.things (a integer)")
    return roles


@pytest.mark.parametrize("role", ["writer", "reader"])
def test_neither_writers_nor_readers_may_change_the_store_itself(others, role):
    for statement in NOT_FOR_WRITERS:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(others[role], statement)


def test_a_reader_may_read_everything_and_push_nothing(roles, path):
    assert len(of_postgres(roles["reader"])) == 1
    assert push([path], roles["reader"], is_dry_run=True).n_pushed == 2
    with pytest.raises(StoreError, match="cannot be written: permission denied for table"):
        push([path], roles["reader"])
    assert of_postgres(roles["reader"], "mine") == {}


@pytest.mark.parametrize("role", ["writer", "reader"])
def test_who_may_not_create_the_store_is_told_what_to_do(database, path, role):
    with psycopg.connect(database["owner"]) as connection:
        connection.execute("DROP SCHEMA IF EXISTS sgtrack CASCADE")
    with pytest.raises(StoreError) as caught:
        push([path], database[role])
    assert str(caught.value) == (
        f"{Address(database[role])} cannot be brought to schema version 1; push once as a role that"
        " may, see docs/store.md: permission denied for database metrics"
    )


def test_who_was_granted_nothing_is_told_so(roles, path):
    run(roles["owner"], "REVOKE ALL ON SCHEMA sgtrack FROM sgtrack_writer")
    with pytest.raises(StoreError, match="cannot be read: permission denied for schema sgtrack"):
        push([path], roles["writer"])


# What people ask the tables


def test_the_questions_of_the_document_are_answered(roles):
    run(roles["owner"], "UPDATE sgtrack.runs SET branch = 'main'")
    ((started, last, tail, outcome, verdict),) = run(roles["reader"], NEWEST)
    assert started is not None
    assert (last, outcome, verdict) == (pytest.approx(2 / 3), "passed", "identical")
    assert tail == pytest.approx(1 / 3)
    records = run(roles["reader"], RECORDS)
    assert [(metric, step) for metric, step, _, _ in records[:3]] == [("loss", s) for s in range(3)]
    assert len(records) == 6
    assert run(roles["reader"], WORST) == [("test_fit.py::test_line", 0, 1)]


def test_old_runs_are_deleted_and_stay_away(roles, tmp_path):
    with psycopg.connect(roles["owner"]) as connection:
        connection.execute("UPDATE sgtrack.runs SET created_at = created_at - 3 * 366 * 86400")
    assert run(roles["owner"], DELETE) == [(1,)]
    assert run(roles["owner"], DELETE) == [(0,)]
    assert push([tmp_path / "first"], roles["writer"]).shards[0].n_kept_away == 1


def test_a_partition_can_be_dropped_and_pushes_go_on(roles, tmp_path, path):
    run(roles["owner"], DROP)
    assert of_postgres(roles["owner"]) == {}
    assert push([tmp_path / "first"], roles["writer"]).shards[0].n_kept_away == 1
    assert push([path], roles["writer"]).n_pushed == 2
    assert of_postgres(roles["owner"], "mine") == of_sqlite(path)


def test_graphs_of_no_run_can_be_deleted(roles, path):
    push([path], roles["writer"])
    run(roles["owner"], GRAPHS)
    assert of_postgres(roles["owner"], "mine") == of_sqlite(path)
    run(roles["owner"], DROP)
    run(roles["owner"], GRAPHS)
    assert run(roles["owner"], "SELECT count(*) FROM sgtrack.graph_contents") == [(0,)]
    run(roles["owner"], "DELETE FROM sgtrack.deleted_runs")
    push([path], roles["writer"])
    assert of_postgres(roles["owner"], "mine") == of_sqlite(path)


# What is none of ours, or not yet


def dump(url):
    query = (
        "SELECT n.nspname, c.relname, c.relkind, a.attname FROM pg_class AS c"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE n.nspname NOT LIKE 'pg_%' AND n.nspname <> 'information_schema' ORDER BY 1, 2, 4"
    )
    return run(url, query)


FOREIGN = {
    "empty": "",
    "a running club's": "CREATE TABLE sgtrack.runs (distance float, uuid text)",
    "with migrations": "CREATE TABLE sgtrack.migrations (id integer, version text)",
    "of a half": "CREATE TABLE sgtrack.migrations (version integer);\n"
    "CREATE TABLE sgtrack.runs (uuid text)",
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("is_dry_run", [False, True])
def test_a_schema_of_our_name_that_is_none_of_ours_is_left_alone(store, path, name, is_dry_run):
    run(store, f"CREATE SCHEMA sgtrack;\n{FOREIGN[name]}")
    before = dump(store)
    with pytest.raises(NotAnExperimentError, match="a schema sgtrack that is none of pytest-sgtr"):
        push([path], store, is_dry_run=is_dry_run)
    assert dump(store) == before


@pytest.mark.parametrize("is_dry_run", [False, True])
def test_a_store_of_a_newer_version_is_refused_by_name_and_untouched(store, path, is_dry_run):
    with closing(StoreWriter(Address(store), "mine")):
        pass
    run(store, "INSERT INTO sgtrack.migrations (version, name) VALUES (99, 'to come')")
    before = dump(store)
    with pytest.raises(NewerSchemaError) as caught:
        push([path], store, is_dry_run=is_dry_run)
    assert str(caught.value) == (
        f"{Address(store)} has schema version 99; this version of pytest-sgtrack knows up to 1:"
        " upgrade it to use this store"
    )
    assert dump(store) == before
    assert of_postgres(store, "mine") == {}


def test_a_database_of_another_encoding_is_refused(server, path):
    server.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'", "postgres")
    with pytest.raises(StoreError, match="has the encoding LATIN1; create the store's database"):
        push([path], server.url("latin"))
