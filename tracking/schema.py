"""The database's schema, its version, and the way from every older one to it.

One experiment is one SQLite file. The tables `runs`, `metrics`, `records`, `histograms`, `images`,
`texts` and the view `graphs` keep the names and columns of the original dashboard, which reads
them; what we add to them is additional.

Versions:
    0: the original's databases, without a version; adopted by `adopt_original`.
    1: the first of ours (November 2026).
    2: `runs.comparison` (November 2026).
    3: graphs have names, and equal ones lie in `graph_contents` once; `graphs` becomes a view
       (November 2026).
"""

from __future__ import annotations

import functools
import re
import time
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

APPLICATION_ID = int.from_bytes(b"SGtk", "big")
"""Marks the file as ours in SQLite's header (`PRAGMA application_id`)."""

_GRAPH_TABLES = """
CREATE TABLE graph_contents (           -- equal graphs once; those no run has any more are deleted
    id         INTEGER PRIMARY KEY,
    digest     BLOB UNIQUE,             -- what makes graphs equal; NULL: another program wrote it
    graph_json TEXT NOT NULL,           -- in the original's shape; an overview where packed is set
    packed     BLOB                     -- the whole of a graph too large to be JSON
);

CREATE TABLE run_graphs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id     INTEGER NOT NULL REFERENCES runs (id),
    content_id INTEGER NOT NULL REFERENCES graph_contents (id),
    name       TEXT NOT NULL,
    created_at REAL NOT NULL            -- Unix seconds
);
CREATE INDEX run_graphs_run ON run_graphs (run_id);
CREATE INDEX run_graphs_content ON run_graphs (content_id);
CREATE TRIGGER run_graphs_deleted AFTER DELETE ON run_graphs BEGIN
    DELETE FROM graph_contents WHERE id = OLD.content_id
        AND NOT EXISTS (SELECT 1 FROM run_graphs WHERE content_id = OLD.content_id);
END;
"""

_GRAPHS_VIEW = """
CREATE VIEW graphs AS                   -- what the original reads and writes
    SELECT g.id AS id, g.run_id AS run_id, c.graph_json AS graph_json, g.created_at AS created_at,
           g.name AS name
    FROM run_graphs AS g JOIN graph_contents AS c ON c.id = g.content_id;
-- Its INSERT OR REPLACE is how every statement in here resolves conflicts: there shall be none.
CREATE TRIGGER graphs_inserted INSTEAD OF INSERT ON graphs BEGIN
    INSERT INTO graph_contents (graph_json) VALUES (NEW.graph_json);
    INSERT INTO run_graphs (id, run_id, content_id, name, created_at)
        VALUES (NEW.id, NEW.run_id, last_insert_rowid(), COALESCE(NEW.name, 'graph'),
                NEW.created_at);
END;
CREATE TRIGGER graphs_deleted INSTEAD OF DELETE ON graphs BEGIN
    DELETE FROM run_graphs WHERE id = OLD.id;
END;
"""

SCHEMA = (
    """
CREATE TABLE migrations (
    version     INTEGER PRIMARY KEY,    -- schema version reached
    name        TEXT NOT NULL,          -- the function that took us there
    applied_at  REAL NOT NULL           -- Unix seconds
);

CREATE TABLE environments (             -- what runs ran on and with, each stored once
    id      INTEGER PRIMARY KEY,
    content TEXT NOT NULL UNIQUE        -- JSON object, keys sorted
);

CREATE TABLE runs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used twice, also after deletion
    name       TEXT NOT NULL,
    created_at REAL NOT NULL,                       -- Unix seconds
    status     TEXT NOT NULL DEFAULT 'running'
               CHECK (status IN ('running', 'completed', 'failed')),
    config     TEXT DEFAULT '{}',                   -- JSON object: hyper-parameters
    uuid       TEXT NOT NULL UNIQUE                 -- identity across databases
               DEFAULT (lower(hex(randomblob(16)))),
    parent     TEXT,                                -- uuid of the run it was started inside of
    environment_id INTEGER REFERENCES environments (id),
    writer     TEXT,                                -- segment of the process that started it
    session    TEXT,                                -- of tests: what one call of pytest ran
    attempt    INTEGER NOT NULL DEFAULT 1,          -- of the test, in its session
    duration_s REAL,                                -- start to end on a monotonic clock
    outcome    TEXT,                                -- passed, failed, error, skipped, xfailed, ...
    phase      TEXT,                                -- setup, call, teardown
    ended_by   TEXT,                                -- finished, exception, crashed, killed, ...
    verdict    TEXT,                                -- of the comparison with the baseline
    comparison TEXT                                 -- JSON: what was compared, and found
);

CREATE INDEX runs_name ON runs (name, session);
CREATE INDEX runs_running ON runs (writer) WHERE status = 'running';

CREATE TABLE deleted_runs (             -- so that late records of a deleted run stay away
    uuid TEXT PRIMARY KEY
) WITHOUT ROWID;

CREATE TABLE metrics (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE records (                  -- finite values; see non_finite_records for the others
    id        INTEGER PRIMARY KEY,      -- order of recording, shared with non_finite_records
    run_id    INTEGER NOT NULL REFERENCES runs (id),
    metric_id INTEGER NOT NULL REFERENCES metrics (id),
    step      INTEGER NOT NULL,
    value     REAL NOT NULL,
    wall_time REAL NOT NULL             -- Unix seconds
);
-- The original creates an index of this name where there is none. This one is empty and stands in
-- its way: a full one would cost 16 bytes a record, and record_ranges does its work.
CREATE INDEX idx_records_run_step ON records (run_id, step) WHERE 0;

CREATE TABLE non_finite_records (       -- NaN and infinities, which readers of `records` choke on
    id        INTEGER PRIMARY KEY,      -- order of recording, shared with records
    run_id    INTEGER NOT NULL REFERENCES runs (id),
    metric_id INTEGER NOT NULL REFERENCES metrics (id),
    step      INTEGER NOT NULL,
    value     TEXT NOT NULL CHECK (value IN ('NaN', 'Infinity', '-Infinity')),
    wall_time REAL NOT NULL             -- Unix seconds
);
CREATE INDEX non_finite_records_series ON non_finite_records (run_id, metric_id);

CREATE TABLE record_ranges (            -- where in `records` a series lies: a sparse index
    run_id    INTEGER NOT NULL REFERENCES runs (id),
    metric_id INTEGER NOT NULL REFERENCES metrics (id),
    first_id  INTEGER NOT NULL,         -- rows of other series may lie between, so that
    last_id   INTEGER NOT NULL,         -- readers check run_id and metric_id again
    PRIMARY KEY (run_id, metric_id, first_id)
) WITHOUT ROWID;

CREATE TABLE series (                   -- one row for each metric of each run
    run_id       INTEGER NOT NULL REFERENCES runs (id),
    metric_id    INTEGER NOT NULL REFERENCES metrics (id),
    n            INTEGER NOT NULL,      -- records stored, finite or not
    n_unreadable INTEGER NOT NULL DEFAULT 0,    -- of them: no number, as the original let pass
    summarized_n INTEGER,               -- records the statistics cover; stale unless it equals n
    n_nan        INTEGER,
    n_inf        INTEGER,
    min          REAL,                  -- of finite values, like max, mean, std and tail
    max          REAL,
    mean         REAL,
    std          REAL,                  -- population
    tail         REAL,                  -- mean of the last max(5, ceil(n / 10)) finite values
    last                                -- a number, or 'NaN', 'Infinity', '-Infinity'
                 CHECK (last IS NULL OR typeof(last) = 'real'
                        OR last IN ('NaN', 'Infinity', '-Infinity')),
    first_step   INTEGER,
    last_step    INTEGER,
    PRIMARY KEY (run_id, metric_id)
) WITHOUT ROWID;

CREATE TABLE segments (                 -- how far journal segments have been drained
    writer     TEXT PRIMARY KEY,        -- uuid of the segment
    drained_to INTEGER NOT NULL         -- byte offset; what lies before it is in the tables
) WITHOUT ROWID;

CREATE TABLE histograms (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id        INTEGER NOT NULL REFERENCES runs (id),
    name          TEXT NOT NULL,
    step          INTEGER NOT NULL,
    bucket_edges  TEXT NOT NULL,        -- JSON array of n + 1 numbers
    bucket_counts TEXT NOT NULL,        -- JSON array of n numbers
    wall_time     REAL NOT NULL,        -- Unix seconds
    n_non_finite  INTEGER NOT NULL DEFAULT 0    -- values outside of all buckets
);
CREATE INDEX idx_histograms_run_name ON histograms (run_id, name);

CREATE TABLE images (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id     INTEGER NOT NULL REFERENCES runs (id),
    name       TEXT NOT NULL,
    step       INTEGER NOT NULL,
    width      INTEGER NOT NULL,
    height     INTEGER NOT NULL,
    channels   INTEGER NOT NULL,
    image_data BLOB NOT NULL,           -- uint8, height x width x channels
    wall_time  REAL NOT NULL            -- Unix seconds
);
CREATE INDEX idx_images_run_name ON images (run_id, name);

CREATE TABLE texts (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id    INTEGER NOT NULL REFERENCES runs (id),
    name      TEXT NOT NULL,
    step      INTEGER NOT NULL,
    content   TEXT NOT NULL,
    wall_time REAL NOT NULL             -- Unix seconds
);
CREATE INDEX idx_texts_run_name ON texts (run_id, name);
"""
    + _GRAPH_TABLES
    + _GRAPHS_VIEW
)

MEDIA_TABLES = ("run_graphs", "histograms", "images", "texts")
"""Tables of what a run keeps beside its records, by their column `run_id`."""

_TABLE = re.compile(r"^CREATE TABLE (\w+) \((.*?)^\)", re.DOTALL | re.MULTILINE)
_COLUMN = re.compile(r"^    (?!PRIMARY KEY)(\w+) *([A-Z]*)", re.MULTILINE)
_GRAPHS_COLUMNS = (  # of the view, which was a table
    *(("graphs", "id", "INTEGER"), ("graphs", "run_id", "INTEGER")),
    *(("graphs", "graph_json", "TEXT"), ("graphs", "created_at", "REAL")),
)
_GRAPHS_NAME = ("graphs", "name", "TEXT")

_ORIGINAL_COLUMNS = {
    "runs": ("id", "name", "created_at", "status", "config"),
    "metrics": ("id", "name"),
    "records": ("id", "run_id", "metric_id", "step", "value", "wall_time"),
    "graphs": ("id", "run_id", "graph_json", "created_at"),
    "histograms": ("id", "run_id", "name", "step", "bucket_edges", "bucket_counts", "wall_time"),
    "images": (
        *("id", "run_id", "name", "step", "width", "height", "channels", "image_data"),
        "wall_time",
    ),
    "texts": ("id", "run_id", "name", "step", "content", "wall_time"),
}
_ORIGINAL_REQUIRED = ("runs", "metrics", "records")  # the others came with later releases of it


def is_our_header(header: bytes) -> bool:
    """Tell by its first 100 bytes whether a file is, or was, a database of ours.

    The format is SQLite's (sqlite.org/fileformat.html, section 1.3).
    """
    return header.startswith(b"SQLite format 3\0") and header[68:72] == APPLICATION_ID.to_bytes(
        4, "big"
    )


class Origin(Enum):
    """Who wrote a database file."""

    NOBODY = "nobody"
    US = "us"
    THE_ORIGINAL = "the original"
    SOMEBODY_ELSE = "somebody else"


def origin_of(connection: sqlite3.Connection) -> Origin:
    """Tell who wrote the database, by reading only."""
    if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        return Origin.US
    tables = _tables(connection)
    if not tables:
        return Origin.NOBODY
    is_original = all(
        set(_ORIGINAL_COLUMNS[table]) <= _columns(connection, table) for table in _ORIGINAL_REQUIRED
    )
    if is_original and "migrations" not in tables:  # else ours, with a header that is not
        return Origin.THE_ORIGINAL
    return Origin.SOMEBODY_ELSE


def version_of(connection: sqlite3.Connection) -> int:
    """Return the schema version a database of ours says it has."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def damage_of(connection: sqlite3.Connection) -> str | None:
    """Return what a database of ours lacks that every one of its version has, by reading only.

    Tables and columns that others have added are no damage.
    """
    version = version_of(connection)
    if version < 1:
        return f"its schema version is {version}, which was never written"
    if version > SCHEMA_VERSION:
        return None  # it is refused
    later = {
        column
        for added in range(version + 1, SCHEMA_VERSION + 1)
        for column in _ADDED.get(added, ())
    }
    lost = sorted(_columns_of_ours() - later - _plain_columns(connection))
    return f"{lost[0][0]} has lost its column {lost[0][1]}" if lost else None


def damage_of_pages(connection: sqlite3.Connection) -> str | None:
    """Return what SQLite finds wrong in a whole database; takes seconds for each gigabyte."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    return None if found == "ok" else str(found)


@functools.cache
def _columns_of_ours() -> frozenset[tuple[str, str, str]]:
    return frozenset((*_columns_in(SCHEMA), *_GRAPHS_COLUMNS, _GRAPHS_NAME))


def _columns_in(script: str) -> set[tuple[str, str, str]]:
    return {
        (table, column, kind)
        for table, body in _TABLE.findall(script)
        for column, kind in _COLUMN.findall(body)
    }


def _plain_columns(connection: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
    """Return (table, column, type) of all there is but virtual tables and computed columns.

    Of the views only `graphs` where it is one: we don't read it then.
    """
    return frozenset(
        connection.execute(
            "SELECT t.name, c.name, c.type"
            " FROM sqlite_master AS t JOIN pragma_table_xinfo(t.name) AS c"
            " WHERE (t.type = 'table' AND t.rootpage > 0 OR t.type = 'view' AND t.name = ?)"
            " AND c.hidden = 0",
            ("graphs" if version_of(connection) >= SHARES_GRAPHS else None,),
        )
    )


def is_readable(connection: sqlite3.Connection) -> bool:
    """Tell whether the database is one of ours, whose readers need no migration."""
    return origin_of(connection) is Origin.US


def is_current(connection: sqlite3.Connection) -> bool:
    """Tell whether the database is one of ours that needs no migration."""
    return (
        origin_of(connection) is Origin.US
        and version_of(connection) >= SCHEMA_VERSION  # the caller refuses what is newer
    )


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an empty database, one of the original, or an older one of ours to `SCHEMA_VERSION`.

    The caller holds a write transaction with foreign keys off, so that either all of it happens or
    nothing.
    """
    origin = origin_of(connection)
    if origin is Origin.US:
        for version in range(version_of(connection), SCHEMA_VERSION):
            migration = MIGRATIONS[version - 1]
            migration(connection)
            _note_migration(connection, version + 1, migration.__name__)
    elif origin is Origin.THE_ORIGINAL:
        _adopt_original(connection)
        _note_migration(connection, SCHEMA_VERSION, "adopt_original")
    else:
        _create(connection)
        _note_migration(connection, SCHEMA_VERSION, "create")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _create(connection: sqlite3.Connection) -> None:
    _execute_all(connection, SCHEMA)


def _execute_all(connection: sqlite3.Connection, script: str) -> None:
    for statement in _statements(script):
        connection.execute(statement)


def _adopt_original(connection: sqlite3.Connection) -> None:
    """Move a database of the original into our tables.

    Its tables are rebuilt rather than extended: one graph a run is a UNIQUE there, and
    AUTOINCREMENT nearly doubles the cost of a record. Values are copied as they lie, what numpy
    scalars left as bytes included; readers decode them. Rows of runs deleted there are left behind.
    """
    old_tables = [table for table in _ORIGINAL_COLUMNS if table in _tables(connection)]
    indexes = connection.execute(
        "SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    for name, table in indexes:
        if table in old_tables:
            connection.execute(f"DROP INDEX {_quoted(name)}")
    last_run_id = _last_run_id(connection)
    for table in old_tables:
        connection.execute(f"ALTER TABLE {table} RENAME TO original_{table}")
    _create(connection)
    for table in old_tables:
        if table == "graphs":
            _take_graphs(connection, "original_graphs")
            continue
        columns = ", ".join(_ORIGINAL_COLUMNS[table])
        living = "" if table in ("runs", "metrics") else "WHERE run_id IN (SELECT id FROM runs)"
        connection.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM original_{table} {living}"  # noqa: S608  # names of ours
        )
    for table in reversed(old_tables):
        connection.execute(f"DROP TABLE original_{table}")
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'runs'")
    connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('runs', ?)", (last_run_id,))
    enter_foreign_records(connection)


def _last_run_id(connection: sqlite3.Connection) -> int:
    """Return the highest run id ever given out, those of deleted runs included where noted."""
    query = "SELECT COALESCE(MAX(id), 0) FROM runs"
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
        query = (
            "SELECT MAX(COALESCE((SELECT MAX(id) FROM runs), 0),"
            " COALESCE((SELECT MAX(seq) FROM sqlite_sequence WHERE name = 'runs'), 0))"
        )
    return int(connection.execute(query).fetchone()[0])


def digest_of_text(text: bytes, kind: str = "text") -> bytes:
    """Return what tells the text of a graph in `graph_contents` from those of others.

    Args:
        text: in UTF-8.
        kind: what SQLite calls its type; other programs may store a `blob`.
    """
    import hashlib  # takes a while, and most experiments have no graph

    return hashlib.blake2b(text, digest_size=16, person=kind.encode()).digest()


def _take_graphs(connection: sqlite3.Connection, table: str) -> None:
    """Copy what runs have in a table of one row a graph to where equal graphs lie once."""
    connection.create_function("digest_of_text", 2, digest_of_text, deterministic=True)
    digest = "digest_of_text(CAST(old.graph_json AS BLOB), typeof(old.graph_json))"
    living = f"FROM {table} AS old WHERE run_id IN (SELECT id FROM runs)"  # noqa: S608  # names of ours
    connection.execute(
        "INSERT OR IGNORE INTO graph_contents (digest, graph_json)"
        f" SELECT {digest}, graph_json {living} ORDER BY id"
    )
    content_id = f"(SELECT c.id FROM graph_contents AS c WHERE c.digest = {digest})"  # noqa: S608
    connection.execute(
        "INSERT INTO run_graphs (id, run_id, content_id, name, created_at)"
        f" SELECT id, run_id, {content_id}, 'graph', created_at {living}"
    )


def has_foreign_records(connection: sqlite3.Connection) -> bool:
    """Tell whether another program has appended records behind ours."""
    row = connection.execute(
        "SELECT r.id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM record_ranges AS g"
        "   WHERE g.run_id = r.run_id AND g.metric_id = r.metric_id"
        "   AND r.id BETWEEN g.first_id AND g.last_id)"
        " FROM (SELECT MAX(id) AS newest FROM records) LEFT JOIN records AS r ON r.id = newest"
    ).fetchone()
    return bool(row[0])


def enter_foreign_records(connection: sqlite3.Connection) -> None:
    """Enter records that another program has appended into the tables that find records.

    Those of runs or metrics that are not there, as the original writes them after a run was
    deleted, belong to nobody and are left out.
    """
    known = connection.execute("SELECT MAX(last_id) FROM record_ranges").fetchone()[0] or 0
    appended = (
        "FROM records WHERE id > ? AND run_id IN (SELECT id FROM runs)"
        " AND metric_id IN (SELECT id FROM metrics) GROUP BY run_id, metric_id"
    )
    connection.execute(
        "INSERT INTO record_ranges (run_id, metric_id, first_id, last_id)"
        f" SELECT run_id, metric_id, MIN(id), MAX(id) {appended}",
        (known,),
    )
    connection.execute(
        "INSERT INTO series (run_id, metric_id, n)"
        f" SELECT run_id, metric_id, COUNT(*) {appended}"
        " ON CONFLICT (run_id, metric_id) DO UPDATE SET n = n + excluded.n",
        (known,),
    )


HAS_COMPARISONS = 2
"""The version since which runs keep what a comparison found."""

SHARES_GRAPHS = 3
"""The version since which graphs have names, and equal ones are stored once."""

_ADDED = {
    HAS_COMPARISONS: {("runs", "comparison", "TEXT")},
    SHARES_GRAPHS: {*_columns_in(_GRAPH_TABLES), _GRAPHS_NAME},
}
"""Columns that came with a version; readers of older databases do without them."""


def add_comparison(connection: sqlite3.Connection) -> None:
    """Add what a comparison found to runs."""
    connection.execute("ALTER TABLE runs ADD COLUMN comparison TEXT")


def share_graphs(connection: sqlite3.Connection) -> None:
    """Store equal graphs once, and give them names; the table `graphs` becomes a view."""
    _execute_all(connection, _GRAPH_TABLES)
    _take_graphs(connection, "graphs")
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'run_graphs'")
    connection.execute("UPDATE sqlite_sequence SET name = 'run_graphs' WHERE name = 'graphs'")
    connection.execute("DROP TABLE graphs")
    _execute_all(connection, _GRAPHS_VIEW)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (add_comparison, share_graphs)
"""`MIGRATIONS[v - 1]` takes a database of version v to v + 1. `SCHEMA` is always the newest."""

SCHEMA_VERSION = 1 + len(MIGRATIONS)


def _note_migration(connection: sqlite3.Connection, version: int, name: str) -> None:
    connection.execute(
        "INSERT INTO migrations (version, name, applied_at) VALUES (?, ?, ?)",
        (version, name, time.time()),
    )


def _tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        " AND name NOT LIKE 'sqlite_%'"
    )
    return {name for (name,) in rows}


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({_quoted(table)})")}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _statements(script: str) -> list[str]:
    """Split at semicolons that end a line, but for those inside of a trigger.

    `executescript` would commit the transaction first.
    """
    return [part for part in re.split(r";\n(?! |END)", script) if part.strip()]
