"""The database's schema: made afresh, adopted from the original, or refused; and who else reads it.

`original.db` is what `build_original` builds; `schema_v<n>.db` is what `record_known` recorded with
version n of the schema. New versions keep all of them readable.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import tracking
from tracking import (
    ExperimentDBManager,
    NewerSchemaError,
    NotAnExperimentError,
    RecordInfo,
    StoreError,
    Tracker,
    TrackingWarning,
    schema,
)
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import INPUT, Kind
from tracking.graph.text import text_of
from tracking.records import decode_step, decode_value
from tracking.stored_graphs import WHOLE_UP_TO

ASSETS = Path(__file__).parent.parent / "assets"
CREATED_AT = 1_700_000_000.0

# What the original runs on every database it opens.
ORIGINAL_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, created_at REAL NOT NULL,
    status TEXT NOT NULL DEFAULT 'running'
        CHECK (status IN ('running', 'completed', 'failed')),
    config TEXT DEFAULT '{}'
);
CREATE TABLE IF NOT EXISTS metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL, metric_id INTEGER NOT NULL,
    step INTEGER NOT NULL, value REAL NOT NULL, wall_time REAL NOT NULL,
    FOREIGN KEY (run_id) REFERENCES runs (id), FOREIGN KEY (metric_id) REFERENCES metrics (id)
);
CREATE INDEX IF NOT EXISTS idx_records_run_step ON records (run_id, step);
CREATE TABLE IF NOT EXISTS graphs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL UNIQUE,
    graph_json TEXT NOT NULL, created_at REAL NOT NULL,
    FOREIGN KEY (run_id) REFERENCES runs (id)
);
CREATE TABLE IF NOT EXISTS histograms (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL, name TEXT NOT NULL,
    step INTEGER NOT NULL, bucket_edges TEXT NOT NULL, bucket_counts TEXT NOT NULL,
    wall_time REAL NOT NULL, FOREIGN KEY (run_id) REFERENCES runs (id)
);
CREATE INDEX IF NOT EXISTS idx_histograms_run_name ON histograms (run_id, name);
CREATE TABLE IF NOT EXISTS images (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL, name TEXT NOT NULL,
    step INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
    channels INTEGER NOT NULL, image_data BLOB NOT NULL, wall_time REAL NOT NULL,
    FOREIGN KEY (run_id) REFERENCES runs (id)
);
CREATE INDEX IF NOT EXISTS idx_images_run_name ON images (run_id, name);
CREATE TABLE IF NOT EXISTS texts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL, name TEXT NOT NULL,
    step INTEGER NOT NULL, content TEXT NOT NULL, wall_time REAL NOT NULL,
    FOREIGN KEY (run_id) REFERENCES runs (id)
);
CREATE INDEX IF NOT EXISTS idx_texts_run_name ON texts (run_id, name);
"""

GRAPH = {
    "nodes": [
        {"id": "1", "type": "tensor", "label": "x", "shape": [2], "comp_grad": True},
        {"id": "2", "type": "operation", "label": "relu"},
    ],
    "edges": [{"source": "1", "target": "2"}],
}


def chain(n):
    """A graph of `n` nodes in blocks of twenty."""
    builder = GraphBuilder("test", "1.0")
    builder.add(Kind(INPUT, (2,), "float32", label="x"))
    for number in range(n - 1):
        builder.add(Kind("relu", (2,), "float32", f"block{number // 20}"), [number])
    return builder.build([n - 1])


SMALL, LARGE = chain(3), chain(WHOLE_UP_TO + 1)

FLOAT32 = struct.pack("<f", 0.25)  # as sqlite3 stores numpy's float32 and int64 scalars
INT64 = struct.pack("<q", 3)

# run, metric, step, value; run 3 was deleted while it was recorded into
ORIGINAL_RECORDS = [
    (1, 1, 0, 1.0),
    (1, 2, 0, 0.5),
    (1, 1, 1, 0.5),
    (2, 1, 0, 8.0),
    (1, 1, 2, FLOAT32),
    (1, 1, 3, INT64),
    (1, 1, struct.pack("<q", 4), 0.125),
    (3, 1, 0, 9.0),
    (1, 1, 5, "n/a"),
    (1, 1, "six", 1.0),
    (1, 2, 1, 0.75),
    (3, 3, 1, 9.0),
]
LOSSES_OF_RUN_1 = [(0, 1.0), (1, 0.5), (2, 0.25), (3, 3.0), (4, 0.125)]


def build_original(path):
    """Write a small database as the original leaves it, odd values and a deleted run included."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size = 512")  # an eighth of the usual, to keep it small
        connection.executescript(ORIGINAL_SCHEMA)
        connection.executemany(
            "INSERT INTO runs (name, created_at, status, config) VALUES (?, ?, ?, ?)",
            [
                ("first", CREATED_AT, "completed", '{"lr": 0.1}'),
                ("second", CREATED_AT + 60, "failed", "{}"),
                ("third", CREATED_AT + 120, "running", "{}"),
            ],
        )
        connection.executemany(
            "INSERT INTO metrics (name) VALUES (?)", [("loss",), ("accuracy",), ("unused",)]
        )
        connection.executemany(
            "INSERT INTO records (run_id, metric_id, step, value, wall_time)"
            " VALUES (?, ?, ?, ?, ?)",
            [(*row, CREATED_AT + i) for i, row in enumerate(ORIGINAL_RECORDS)],
        )
        for run_id in (1, 3):
            connection.execute(
                "INSERT INTO graphs (run_id, graph_json, created_at) VALUES (?, ?, ?)",
                (run_id, json.dumps(GRAPH), CREATED_AT),
            )
            connection.execute(
                "INSERT INTO histograms"
                " (run_id, name, step, bucket_edges, bucket_counts, wall_time)"
                " VALUES (?, 'weights', 1, '[0.0, 0.5, 1.0]', '[3, 4]', ?)",
                (run_id, CREATED_AT),
            )
            connection.execute(
                "INSERT INTO images"
                " (run_id, name, step, width, height, channels, image_data, wall_time)"
                " VALUES (?, 'digit', 2, 2, 1, 1, ?, ?)",
                (run_id, b"\x00\xff", CREATED_AT),
            )
            connection.execute(
                "INSERT INTO texts (run_id, name, step, content, wall_time)"
                " VALUES (?, 'sample', 3, 'once upon a time', ?)",
                (run_id, CREATED_AT),
            )
        connection.execute("DELETE FROM runs WHERE id = 3")
        connection.commit()


def record_known(folder):
    """Record one run of everything; return its id."""
    tracker = Tracker(folder)
    tracker.set_experiment("known")
    with tracker.run("known", {"lr": 0.1, "seed": None}, environment={"python": "3"}) as run_id:
        for step in range(3):
            tracker.log({"loss": 1.0 / (step + 1), "diverged": float("nan")}, step)
        tracker.record("loss", 0.0, 1)
        tracker.histogram("weights", [0.0, 0.25, 1.0, float("inf")], 1, bins=2)
        tracker.image("digit", [[0, 255]], 2)
        tracker.text("sample", "once upon a time", 3)
        db = tracker.db_manager
        db.save_comp_graph(run_id, GRAPH)
        for name, graph in (("loss", SMALL), ("model", LARGE), ("the same", SMALL)):
            db.save_graph(run_id, graph, name)
    tracker.close()
    return run_id


def dump(path):
    """Everything a database holds, as SQL; reading does not change the file."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())


def structure(path):
    """Texts in the schema but of tables, what SQLite knows of those, the header, their texts."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        tables = [name for kind, name, _, _ in rows if kind == "table"]
        pragmas = {
            (table, pragma): sorted(
                tuple(row[1:]) for row in connection.execute(f"PRAGMA {pragma} ('{table}')")
            )
            for table in tables
            for pragma in ("table_info", "index_list", "foreign_key_list")
        }
        header = [
            connection.execute(f"PRAGMA {pragma}").fetchone()
            for pragma in ("application_id", "user_version", "journal_mode")
        ]
    texts = sorted(
        (kind, name, table, " ".join((sql or "").split())) for kind, name, table, sql in rows
    )
    of_tables = [text for text in texts if text[0] == "table"]
    return [text for text in texts if text[0] != "table"], pragmas, header, of_tables


def is_sound(path):
    with closing(sqlite3.connect(path)) as connection:
        checks = connection.execute("PRAGMA quick_check").fetchall()
        return checks == [("ok",)] and not connection.execute("PRAGMA foreign_key_check").fetchall()


def fresh(path):
    with closing(ExperimentDBManager(path)) as db:
        db.init_exp_db()
    return path


@pytest.fixture
def original(tmp_path):
    path = tmp_path / "original.db"
    build_original(path)
    return path


# Ours


def test_a_fresh_database_is_whole_and_says_whose_it_is(tmp_path):
    path = fresh(tmp_path / "e.db")
    _, _, header, _ = structure(path)
    assert header == [(schema.APPLICATION_ID,), (schema.SCHEMA_VERSION,), ("wal",)]
    assert is_sound(path)


@pytest.mark.parametrize("is_read_only", [False, True])
@pytest.mark.parametrize("version", range(1, schema.SCHEMA_VERSION + 1))
def test_a_database_of_each_schema_version_reads_as_it_was_recorded(
    tmp_path, version, is_read_only
):
    path = tmp_path / "e.db"
    shutil.copy(ASSETS / f"schema_v{version}.db", path)
    assert_reads_as_known(path, 1, is_read_only=is_read_only, version=version)
    with closing(sqlite3.connect(path)) as connection:
        assert schema.version_of(connection) == (version if is_read_only else schema.SCHEMA_VERSION)


def test_the_newest_sample_has_the_newest_schema(tmp_path):
    path = tmp_path / "e.db"
    shutil.copy(ASSETS / f"schema_v{schema.SCHEMA_VERSION}.db", path)
    assert structure(path) == structure(fresh(tmp_path / "fresh.db"))


@pytest.mark.parametrize("version", range(1, schema.SCHEMA_VERSION))
def test_a_migrated_database_has_the_schema_of_a_fresh_one(tmp_path, version):
    path = tmp_path / "e.db"
    shutil.copy(ASSETS / f"schema_v{version}.db", path)
    # Only the texts of tables differ, by columns that were added behind the others.
    assert structure(fresh(path))[:3] == structure(fresh(tmp_path / "fresh.db"))[:3]


def test_graphs_of_before_they_were_shared_keep_their_numbers_and_lie_there_once(tmp_path):
    path = tmp_path / "e.db"
    shutil.copy(ASSETS / "schema_v2.db", path)
    stored = [(3, json.dumps(GRAPH)), (5, "{}"), (6, json.dumps(GRAPH)), (7, b"{}"), (8, "no JSON")]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM graphs")
        for graph_id, text in (*stored, (9, "gone")):
            connection.execute("INSERT INTO graphs VALUES (?, 1, ?, ?)", (graph_id, text, graph_id))
        connection.execute("INSERT INTO graphs VALUES (10, 77, 'of a run that is gone', 0)")
        connection.execute("DELETE FROM graphs WHERE id = 9")
        connection.commit()
    with closing(ExperimentDBManager(path)) as db:
        assert db.get_comp_graph(6) == GRAPH
        graphs = db.get_graphs(1)
        assert [(one.graph_id, one.name, one.created_at) for one in graphs] == [
            (graph_id, "graph", graph_id) for graph_id, _ in stored
        ]
        with pytest.raises(StoreError, match="graph 8 'graph' is damaged"):
            db.get_comp_graph(8)
        assert db.save_comp_graph(1, json.loads(stored[0][1])) == 11
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT id, graph_json FROM graphs ORDER BY id").fetchall()
        assert rows[:-1] == stored
        contents = connection.execute("SELECT graph_json FROM graph_contents ORDER BY id")
        compact = json.dumps(GRAPH, separators=(",", ":"))
        assert [text for (text,) in contents] == [stored[0][1], "{}", b"{}", "no JSON", compact]
    assert is_sound(path)


def test_a_database_written_now_reads_as_it_was_recorded(tmp_path):
    run_id = record_known(tmp_path)
    assert_reads_as_known(tmp_path / "known.db", run_id)


def assert_reads_as_known(path, run_id, *, is_read_only=False, version=schema.SCHEMA_VERSION):
    with closing(ExperimentDBManager(path, is_read_only=is_read_only)) as db:
        run = db.get_run(run_id)
        assert (run.name, run.status, run.ended_by) == ("known", "completed", "finished")
        assert (run.config, run.environment) == ({"lr": 0.1, "seed": None}, {"python": "3"})
        assert len(run.uuid) == 32
        assert run.duration_s > 0
        assert dict(zip(run.metrics, run.num_records, strict=True)) == {"loss": 4, "diverged": 3}
        losses = [(record.step, record.value) for record in db.get_records(run_id, "loss")]
        assert losses == [(0, 1.0), (1, 0.5), (1, 0.0), (2, 1 / 3)]
        assert all(record.value != record.value for record in db.get_records(run_id, "diverged"))
        summaries = db.get_metric_summary(run_id)
        assert summaries["loss"]["n"] == 4
        assert summaries["loss"]["last"] == 1 / 3
        assert (summaries["diverged"]["n_nan"], summaries["diverged"]["mean"]) == (3, None)
        (histogram,) = db.get_histograms(run_id)["weights"]
        assert histogram["bucket_edges"] == [0.0, 0.5, 1.0]
        assert (histogram["bucket_counts"], histogram["n_non_finite"]) == ([2, 1], 1)
        assert db.get_images(run_id)["digit"][0]["data_b64"] == "AP8="
        assert db.get_texts(run_id)["sample"][0]["content"] == "once upon a time"
        foreign, *graphs = db.get_graphs(run_id)
        assert (foreign.name, foreign.whole()) == ("graph", GRAPH)
        if version < schema.SHARES_GRAPHS:
            assert graphs == []
        else:
            assert [(one.name, text_of(one.graph())) for one in graphs] == [
                ("loss", text_of(SMALL)), ("model", text_of(LARGE)), ("the same", text_of(SMALL)),
            ]  # fmt: skip
    assert is_sound(path)


# The original's databases


def test_the_asset_is_what_the_original_would_have_written(original):
    assert dump(ASSETS / "original.db") == dump(original)


def test_an_adopted_database_has_the_structure_of_a_fresh_one(original, tmp_path):
    assert structure(fresh(original)) == structure(fresh(tmp_path / "fresh.db"))
    assert is_sound(original)


def test_everything_the_original_recorded_is_read(tmp_path):
    path = tmp_path / "original.db"
    shutil.copy(ASSETS / "original.db", path)
    with closing(ExperimentDBManager(path)) as db:
        second, first = db.get_all_runs()
        assert (first.run_id, first.name, first.status) == (1, "first", "completed")
        assert (first.config, second.config, second.status) == ({"lr": 0.1}, {}, "failed")
        assert (first.metrics, first.num_records) == (["loss", "accuracy"], [7, 2])
        assert (second.metrics, second.num_records) == (["loss"], [1])
        assert len({first.uuid, second.uuid}) == 2
        with pytest.warns(TrackingWarning, match=r"3 records lay there as bytes .* 2 are unread"):
            losses = db.get_records(1, "loss")
        assert [(record.step, record.value) for record in losses] == LOSSES_OF_RUN_1
        assert db.get_records(1, "accuracy") == [
            RecordInfo(0, 0.5, CREATED_AT + 1),
            RecordInfo(1, 0.75, CREATED_AT + 10),
        ]
        assert [record.value for record in db.get_records(2, "loss")] == [8.0]
        assert db.get_records(1, "unused") == []
        assert db.get_comp_graphs(1)[0]["graph"] == GRAPH
        assert db.get_comp_graphs(2) == []
        histogram = {"step": 1, "bucket_edges": [0.0, 0.5, 1.0], "bucket_counts": [3, 4]}
        assert db.get_histograms(1) == {
            "weights": [histogram | {"log_time": CREATED_AT, "n_non_finite": 0}]
        }
        assert db.get_images(1)["digit"][0]["data_b64"] == "AP8="
        assert db.get_texts(1)["sample"][0]["content"] == "once upon a time"


def test_summaries_of_adopted_runs_cover_what_is_readable_and_are_kept(original):
    for _ in range(2):
        with closing(ExperimentDBManager(original)) as db:
            summary = db.get_metric_summary(1)["loss"]
            assert (summary["n"], summary["last"], summary["max"]) == (5, 0.125, 3.0)
    with closing(sqlite3.connect(original)) as connection:
        stored = connection.execute(
            "SELECT n, n_unreadable, summarized_n FROM series WHERE run_id = 1 AND metric_id = 1"
        ).fetchone()
    assert stored == (7, 2, 7)


def test_records_of_runs_deleted_there_are_left_behind(original):
    fresh(original)
    with closing(sqlite3.connect(original)) as connection:
        for table in ("records", *schema.MEDIA_TABLES):
            rows = connection.execute(f"SELECT DISTINCT run_id FROM {table}").fetchall()
            assert (3,) not in rows


def test_an_adopted_database_goes_on_and_never_reuses_a_run_id(original):
    tracker = Tracker(original.parent)
    tracker.set_experiment("original")
    with tracker.run("fourth") as run_id:
        tracker.log({"loss": 0.5, "new": 1.0}, 0)
    assert run_id == 4
    assert tracker.get_run(4).metrics == ["loss", "new"]
    assert [run.run_id for run in tracker.get_all_runs()] == [4, 2, 1]
    tracker.delete_run(4)
    assert tracker.start_run() == 5
    tracker.close()
    assert is_sound(original)


def test_a_second_graph_of_an_adopted_run_keeps_the_first(original):
    with closing(ExperimentDBManager(original)) as db:
        db.save_comp_graph(1, {"nodes": [], "edges": []})
        assert [found["graph"]["nodes"] for found in db.get_comp_graphs(1)] == [GRAPH["nodes"], []]


@pytest.mark.parametrize("missing", ["graphs", "histograms", "images", "texts"])
def test_an_original_of_before_a_table_came_is_adopted(original, missing):
    with closing(sqlite3.connect(original)) as connection:
        connection.execute(f"DROP TABLE {missing}")
    fresh(original)
    with closing(ExperimentDBManager(original)) as db:
        assert len(db.get_all_runs()) == 2
        assert db.get_comp_graphs(2) == []


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        (1.5, 1.5),
        (2, 2.0),
        (FLOAT32, 0.25),
        (struct.pack("<f", 1e31), 1929146236.0),
        (struct.pack("<d", 0.1), 0.1),
        (INT64, 3.0),
        (struct.pack("<q", -1), -1.0),
        (struct.pack("<i", 7), 7.0),
        (bytes(8), 0.0),
        ("n/a", None),
        (b"", None),
        (b"\x00" * 3, None),
        (None, None),
    ],
)
def test_what_numpy_left_in_values_is_decoded_by_size(stored, value):
    assert decode_value(stored) == value


@pytest.mark.parametrize(
    ("stored", "step"),
    [(7, 7), (7.0, 7), (7.5, None), (INT64, 3), (struct.pack("<i", -2), -2), ("six", None)],
)
def test_what_numpy_left_in_steps_is_decoded_by_size(stored, step):
    assert decode_step(stored) == step


# Its dashboard on our databases


def test_the_originals_dashboard_reads_our_database_and_adds_no_index_to_records(tmp_path):
    run_id = record_known(tmp_path)
    path = tmp_path / "known.db"
    before = structure(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        connection.executescript(ORIGINAL_SCHEMA)
        assert structure(path) == before
        plan = connection.execute("PRAGMA index_list (records)").fetchall()
        assert [(row["name"], row["partial"]) for row in plan] == [("idx_records_run_step", 1)]
        (run,) = connection.execute("SELECT * FROM runs ORDER BY created_at DESC").fetchall()
        assert (run["id"], run["name"], run["status"]) == (run_id, "known", "completed")
        assert json.loads(run["config"]) == {"lr": 0.1, "seed": None}
        of_metric = (
            "FROM records r JOIN metrics m ON r.metric_id = m.id WHERE r.run_id = ? AND m.name = ?"
        )
        rows = connection.execute(
            f"SELECT m.name, r.step, r.value, r.wall_time {of_metric} ORDER BY r.step",
            (run_id, "loss"),
        ).fetchall()
        assert [(row["step"], row["value"]) for row in rows] == [
            (0, 1.0), (1, 0.5), (1, 0.0), (2, 1 / 3),
        ]  # fmt: skip
        names = connection.execute(
            "SELECT DISTINCT m.name FROM records r JOIN metrics m ON r.metric_id = m.id"
            " WHERE r.run_id = ?",
            (run_id,),
        ).fetchall()
        assert [row["name"] for row in names] == ["loss"]  # the other has no finite value
        summary = connection.execute(
            "SELECT MIN(r.value), MAX(r.value), AVG(r.value), COUNT(*), MIN(r.step), MAX(r.step) "
            + of_metric,
            (run_id, "loss"),
        ).fetchone()
        assert tuple(summary) == (0.0, 1.0, pytest.approx(11 / 24), 4, 0, 2)
        last = connection.execute(
            f"SELECT r.value {of_metric} ORDER BY r.step DESC LIMIT 1", (run_id, "loss")
        ).fetchone()
        assert last["value"] == 1 / 3
        graphs = connection.execute(
            "SELECT id, graph_json, created_at FROM graphs WHERE run_id = ? ORDER BY created_at",
            (run_id,),
        ).fetchall()
        assert json.loads(graphs[0]["graph_json"]) == GRAPH
        for row, n in zip(graphs, (2, 5, 201, 5), strict=True):
            drawn = json.loads(row["graph_json"])
            assert len(drawn["nodes"]) == n
            assert {node["type"] for node in drawn["nodes"]} == {"tensor", "operation"}
            ids = {node["id"] for node in drawn["nodes"]}
            assert all({edge["source"], edge["target"]} <= ids for edge in drawn["edges"])
        histogram = connection.execute(
            "SELECT name, step, bucket_edges, bucket_counts, wall_time FROM histograms"
            " WHERE run_id = ? ORDER BY step",
            (run_id,),
        ).fetchone()
        assert json.loads(histogram["bucket_counts"]) == [2, 1]
        image = connection.execute(
            "SELECT name, step, width, height, channels, image_data, wall_time FROM images"
            " WHERE run_id = ? ORDER BY step",
            (run_id,),
        ).fetchone()
        assert (image["width"], image["height"], image["image_data"]) == (2, 1, b"\x00\xff")
        text = connection.execute(
            "SELECT name, step, content, wall_time FROM texts WHERE run_id = ? ORDER BY step",
            (run_id,),
        ).fetchone()
        assert text["content"] == "once upon a time"
        assert connection.execute("SELECT value FROM records").fetchall()
    assert_reads_as_known(path, run_id)


def test_the_originals_tracker_saves_and_deletes_graphs_in_our_database(tmp_path):
    run_id = record_known(tmp_path)
    path = tmp_path / "known.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(ORIGINAL_SCHEMA)
        for number in range(2):
            connection.execute(
                "INSERT OR REPLACE INTO graphs (run_id, graph_json, created_at) VALUES (?, ?, ?)",
                (run_id, json.dumps({**GRAPH, "number": number}), 9e9 + number),
            )
        connection.commit()
        rows = connection.execute("SELECT id, name, graph_json FROM graphs ORDER BY id").fetchall()
        (text,) = connection.execute("SELECT graph_json FROM graphs WHERE id = 6").fetchone()
        assert json.loads(text)["number"] == 1
        assert [row[:2] for row in rows[-2:]] == [(5, "graph"), (6, "graph")]
        with closing(ExperimentDBManager(path)) as db:
            assert [one["graph"].get("number") for one in db.get_comp_graphs(run_id)[-2:]] == [0, 1]
            other = db.create_run("other")
            db.save_graph(other, SMALL, "kept")
        for table in ("records", "graphs", "histograms", "images", "texts"):
            connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))
        connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))
        connection.commit()
        left = connection.execute("SELECT run_id, name FROM graphs").fetchall()
        assert left == [(other, "kept")]
        assert connection.execute("SELECT COUNT(*) FROM graph_contents").fetchone() == (1,)
        assert connection.execute("PRAGMA foreign_key_check (run_graphs)").fetchall() == []


@pytest.mark.parametrize(
    "damage",
    [
        "DROP VIEW graphs",
        "DROP TABLE run_graphs",
        "DROP VIEW graphs; CREATE VIEW graphs AS SELECT 1 AS id",
        f"DROP VIEW graphs; {ORIGINAL_SCHEMA}",
    ],
)
def test_a_database_without_its_graphs_is_damaged(tmp_path, damage):
    path = fresh(tmp_path / "e.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(damage)
    with pytest.raises(StoreError, match=r"has lost its column|no such table"):
        ExperimentDBManager(path, is_read_only=True).get_all_runs()


# What is refused, and what fails half-way


def write_text(path):
    path.write_text("not a database, but long enough to be mistaken for one. " * 100)


def write_foreign(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE notes (body); INSERT INTO notes VALUES ('mine');")


def write_foreign_wal(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    write_foreign(path)


def write_other_columns(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE runs (id, title); CREATE TABLE metrics (id, name);"
            "CREATE TABLE records (id, run_id, metric_id, step, value, wall_time);"
        )


def write_newer(path):
    fresh(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")


@pytest.mark.parametrize(
    ("write", "error", "match"),
    [
        (write_text, NotAnExperimentError, "not a SQLite database"),
        (write_foreign, NotAnExperimentError, "another program"),
        (write_foreign_wal, NotAnExperimentError, "another program"),
        (write_other_columns, NotAnExperimentError, "another program"),
        (write_newer, NewerSchemaError, "upgrade"),
    ],
)
def test_a_file_that_is_not_ours_to_write_is_refused_and_untouched(tmp_path, write, error, match):
    path = tmp_path / "e.db"
    write(path)
    content = path.read_bytes()
    files = sorted(tmp_path.rglob("*"))
    db = ExperimentDBManager(path)
    for call in (db.init_exp_db, db.create_run, db.get_all_runs):
        with pytest.raises(error, match=match) as caught:
            call()
        assert str(path) in str(caught.value)
    assert not db.check_connection()
    assert path.read_bytes() == content
    assert sorted(tmp_path.rglob("*")) == files


def test_an_empty_database_with_a_version_of_somebody_elses_becomes_ours(tmp_path):
    path = tmp_path / "e.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    with closing(ExperimentDBManager(path)) as db:
        assert db.create_run() == 1


def failing_after(function):
    def failing(*arguments):
        function(*arguments)
        raise sqlite3.OperationalError("the power of imagination failed")

    return failing


@pytest.mark.parametrize("step", ["_create", "enter_foreign_records", "_note_migration"])
def test_an_adoption_that_fails_leaves_the_original_as_it_was(original, monkeypatch, step):
    before = dump(original)
    with monkeypatch.context() as patch:
        patch.setattr(schema, step, failing_after(getattr(schema, step)))
        with pytest.raises(StoreError, match="imagination"):
            fresh(original)
    assert dump(original) == before
    fresh(original)
    assert is_sound(original)


def test_a_creation_that_fails_leaves_no_table(tmp_path, monkeypatch):
    path = tmp_path / "e.db"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_create", failing_after(schema._create))
        with pytest.raises(StoreError, match="imagination"):
            fresh(path)
    assert dump(path) == ["BEGIN TRANSACTION;", "COMMIT;"]
    fresh(path)
    assert is_sound(path)


def add_a_table(connection):
    connection.execute("CREATE TABLE later (id INTEGER PRIMARY KEY)")


@pytest.mark.parametrize("fails", [False, True])
def test_a_migration_happens_in_one_piece_and_is_noted(tmp_path, monkeypatch, fails):
    path = tmp_path / "schema_v1.db"
    shutil.copy(ASSETS / "schema_v1.db", path)
    before = dump(path)
    migration = failing_after(add_a_table) if fails else add_a_table
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, migration))
    monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    if fails:
        with pytest.raises(StoreError, match="imagination"):
            fresh(path)
        assert dump(path) == before
    else:
        fresh(path)
        with closing(sqlite3.connect(path)) as connection:
            noted = connection.execute("SELECT version, name FROM migrations").fetchall()
            assert [*noted[:1], *noted[-1:]] == [
                (1, "create"),
                (schema.SCHEMA_VERSION, "add_a_table"),
            ]
            assert connection.execute("PRAGMA user_version").fetchone() == (schema.SCHEMA_VERSION,)
        assert_reads_as_known(path, 1, version=1)


# First opening by many

_OPENERS = """
import multiprocessing, sys
from pathlib import Path
from tracking import ExperimentDBManager

def open_each(folder, barrier, failures, n_rounds):
    for number in range(n_rounds):
        barrier.wait()
        try:
            db = ExperimentDBManager(folder / f"{number}.db")
            db.record(db.create_run(), "loss", 0, 1.0)
            db.close()
        except Exception as error:
            failures.put(f"round {number}: {error!r} from {error.__cause__!r}")

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    folder, n_processes, n_rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    barrier, failures = context.Barrier(n_processes), context.SimpleQueue()
    arguments = (folder, barrier, failures, n_rounds)
    processes = [context.Process(target=open_each, args=arguments) for _ in range(n_processes)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    while not failures.empty():
        print(failures.get())
"""


@pytest.mark.slow  # tests/faults/test_opening.py has it in short
def test_eight_processes_open_a_fresh_store_at_once(tmp_path):
    n_processes, n_rounds = 8, 20
    done = subprocess.run(
        [sys.executable, "-c", _OPENERS, str(tmp_path), str(n_processes), str(n_rounds)],
        env=os.environ | {"PYTHONPATH": str(Path(tracking.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == ""
    for number in range(n_rounds):
        with closing(ExperimentDBManager(tmp_path / f"{number}.db")) as db:
            assert [run.num_records for run in db.get_all_runs()] == [[1]] * n_processes
