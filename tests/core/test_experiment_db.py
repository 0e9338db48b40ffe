"""ExperimentDBManager: each call of its page, and what the tables hold behind it."""

from __future__ import annotations

import gc
import json
import math
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracking as sg
from tracking.experiment_db import ExperimentDBManager
from tracking.model import RecordInfo
from tracking.records import Batch, insert_batches, read_series
from tracking.stored_runs import new_run
from tracking.summary import summarize

NAN, INF = math.nan, math.inf
GRAPH = {"nodes": [{"id": "t0"}], "edges": []}
TABLES_OF_A_RUN = (
    *("records", "non_finite_records", "record_ranges", "series"),
    *("graphs", "histograms", "images", "texts"),
)


@pytest.fixture
def db(tmp_path):
    with closing(ExperimentDBManager(tmp_path / "e.db")) as db:
        db.init_exp_db()
        yield db


def series(db, run_id, name):
    return [(record.step, record.value) for record in db.get_records(run_id, name)]


def query(db, statement, *values):
    """Ask the file itself, as another program would."""
    with closing(sqlite3.connect(db.db_path)) as connection:
        rows = connection.execute(statement, values).fetchall()
        connection.commit()
    return rows


def rows_of(db, run_id):
    counts = {
        table: query(db, f"SELECT COUNT(*) FROM {table} WHERE run_id = ?", run_id)[0][0]
        for table in TABLES_OF_A_RUN
    }
    return {table: n for table, n in counts.items() if n}


def is_sound(db):
    return query(db, "PRAGMA quick_check") == [("ok",)] and not query(
        db, "PRAGMA foreign_key_check"
    )


def fill(db, run_id):
    """Give a run something in every table."""
    for step in range(3):
        db.record(run_id, "loss", step, step / 2)
    db.record(run_id, "diverged", 0, NAN)
    db.record(run_id, "loss", 1, INF)
    db.save_comp_graph(run_id, GRAPH)
    db.save_histogram(run_id, "w", 0, [0.0, 1.0], [5])
    db.save_image(run_id, "i", 0, 1, 1, 1, b"\x07")
    db.save_text(run_id, "t", 0, "x")


def append_foreign(db, rows):
    """Append records as a program does that knows nothing of ours."""
    with closing(sqlite3.connect(db.db_path)) as connection:
        connection.executemany(
            "INSERT INTO records (run_id, metric_id, step, value, wall_time)"
            " VALUES (?, (SELECT id FROM metrics WHERE name = ?), ?, ?, 0.0)",
            rows,
        )
        connection.commit()


# The file


def test_a_database_is_there_once_something_is_written(tmp_path):
    db = ExperimentDBManager(str(tmp_path / "new" / "e.db"))
    assert not db.check_connection()
    with pytest.raises(sg.StoreError, match="no experiment at"):
        db.get_all_runs()
    assert list(tmp_path.iterdir()) == []
    assert db.create_run() == 1
    assert db.check_connection()
    db.close()
    assert db.get_run(1).status == "running"
    db.close()


def test_a_database_is_found_again_after_a_change_of_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    db = ExperimentDBManager("e.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    db.create_run()
    assert (tmp_path / "e.db").exists()
    assert not list((tmp_path / "elsewhere").iterdir())
    db.close()


def test_managers_that_nobody_closed_keep_no_files_open(tmp_path):
    def open_files():
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    ExperimentDBManager(tmp_path / "e.db").create_run()
    before = open_files()
    for _ in range(5):
        ExperimentDBManager(tmp_path / "e.db").create_run()
    assert open_files() <= before


def test_closing_leaves_everything_in_one_file(db, tmp_path):
    fill(db, db.create_run())
    db.close()
    db.close()
    copy = tmp_path / "copy.db"
    copy.write_bytes(db.db_path.read_bytes())
    assert not list(tmp_path.glob("*.db-*"))
    with closing(ExperimentDBManager(copy)) as moved:
        assert moved.get_all_runs() == db.get_all_runs()


# Runs


def test_runs_are_listed_newest_first(db, monkeypatch):
    for now in (100.0, 300.0, 200.0, 200.0):
        monkeypatch.setattr("tracking.experiment_db.time.time", lambda now=now: now)
        db.create_run(f"at {now:g}")
    assert [run.run_id for run in db.get_all_runs()] == [2, 4, 3, 1]
    assert db.get_all_runs()[0].name == "at 300"


def started(db, name, session, at):
    run = new_run(name, None, session=session)._replace(created_at=at)
    return db.insert_run(run)


def test_runs_are_found_by_name_and_session_newest_first(db):
    for name, session, at in (
        ("a", "s1", 1.0),
        ("b", "s1", 3.0),
        ("a", "s2", 2.0),
        ("a", None, 0.0),
    ):
        started(db, name, session, at)
    found = {
        asked: [run.run_id for run in db.find_runs(**dict(asked))]
        for asked in (
            (),
            (("name", "a"),),
            (("session", "s1"),),
            (("name", "a"), ("session", "s1")),
            (("name", ""),),
        )
    }
    assert list(found.values()) == [[2, 3, 1, 4], [3, 1, 4], [2, 1], [1], []]
    assert db.get_all_runs() == db.find_runs()


def test_the_last_session_is_that_of_the_newest_run_that_has_one(db):
    assert db.last_session() is None
    for session, at in (("old", 1.0), ("new", 2.0), (None, 3.0), ("older", 0.0)):
        started(db, "t", session, at)
    assert db.last_session() == "new"


def test_num_records_stand_beside_their_metrics(db):
    first, second, empty = db.create_run(), db.create_run(), db.create_run()
    for name, n in (("a", 1), ("b", 3), ("c", 2)):
        for step in range(n):
            db.record(first, name, step, NAN if step == 1 else 1.0)
    db.record(second, "c", 0, 1.0)
    db.record(second, 'odd "name", 1', 0, 1.0)
    counts = {run.run_id: (run.metrics, run.num_records) for run in db.get_all_runs()}
    assert counts[first] == (["a", "b", "c"], [1, 3, 2])
    assert counts[second] == (["c", 'odd "name", 1'], [1, 1])
    assert counts[empty] == ([], [])
    assert db.get_metrics(second) == ["c", 'odd "name", 1']
    assert db.get_run(first) == next(run for run in db.get_all_runs() if run.run_id == first)


@pytest.mark.parametrize("final", ["completed", "failed"])
def test_a_status_changes_once(db, final):
    run_id = db.create_run()
    db.update_run_status(run_id, "running")
    db.update_run_status(run_id, final)
    db.update_run_status(run_id, final)
    for status in {"running", "completed", "failed"} - {final}:
        with pytest.raises(sg.RunStateError, match=f"ended as {final}"):
            db.update_run_status(run_id, status)
    assert db.get_run(run_id).status == final
    with pytest.raises(sg.InvalidArgumentError, match="running, completed, failed"):
        db.update_run_status(run_id, "done")


def test_deleting_a_run_leaves_nothing_of_it_and_all_of_the_others(db):
    runs = [db.create_run(f"run {number}") for number in range(3)]
    for run_id in runs:
        fill(db, run_id)
    kept = {run_id: (rows_of(db, run_id), db.get_run(run_id)) for run_id in (runs[0], runs[2])}
    assert set(kept[runs[0]][0]) == set(TABLES_OF_A_RUN)
    db.delete_run(runs[1])
    assert rows_of(db, runs[1]) == {}
    assert db.get_run(runs[1]) is None
    assert {run_id: (rows_of(db, run_id), db.get_run(run_id)) for run_id in kept} == kept
    assert series(db, runs[2], "loss") == [(0, 0.0), (1, 0.5), (1, INF), (2, 1.0)]
    assert is_sound(db)
    with pytest.raises(sg.RunNotFoundError):
        db.delete_run(runs[1])


def test_a_run_id_is_never_given_out_twice(db):
    first, last = db.create_run(), db.create_run()
    fill(db, first)
    fill(db, last)
    db.delete_run(last)
    db.close()
    new = db.create_run()
    assert new == last + 1
    db.record(new, "loss", 0, 1.0)  # its record takes an id that a deleted one had
    assert series(db, new, "loss") == [(0, 1.0)]
    assert series(db, first, "loss") == [(0, 0.0), (1, 0.5), (1, INF), (2, 1.0)]


# Records


def test_a_record_is_there_for_others_when_the_call_returns(db):
    run_id = db.create_run()
    db.record(run_id, "loss", 3, 0.5)
    assert query(db, "SELECT run_id, step, value FROM records") == [(run_id, 3, 0.5)]
    with closing(ExperimentDBManager(db.db_path)) as other:
        assert series(other, run_id, "loss") == [(3, 0.5)]


@pytest.mark.parametrize("run_id_type", [np.int64, np.int32, np.uint8])
def test_run_ids_may_be_integers_of_numpy(db, run_id_type):
    plain = db.create_run()
    run_id = run_id_type(plain)
    fill(db, run_id)
    db.update_config(run_id, {"a": 1})
    assert db.get_run(run_id).config == {"a": 1}
    assert len(db.get_records(run_id, "loss")) == 4
    assert db.get_metrics(run_id) == db.get_metrics(plain) == ["loss", "diverged"]
    assert list(db.get_metric_summary(run_id)) == ["loss", "diverged"]
    assert len(db.get_comp_graphs(run_id)) == 1
    assert list(db.get_histograms(run_id)) + list(db.get_images(run_id)) == ["w", "i"]
    db.update_run_status(run_id, "completed")
    assert db.get_run(plain).status == "completed"
    db.delete_run(run_id)
    assert db.get_all_runs() == []
    assert rows_of(db, plain) == {}


def test_late_records_make_the_summary_new(db):
    run_id = db.create_run()
    db.record(run_id, "loss", 0, 1.0)
    db.update_run_status(run_id, "completed")
    assert db.get_metric_summary(run_id)["loss"]["n"] == 1
    assert query(db, "SELECT summarized_n, mean FROM series") == [(1, 1.0)]
    db.record(run_id, "loss", 1, 3.0)
    db.record(run_id, "late", 0, NAN)
    summary = db.get_metric_summary(run_id)
    assert summary["loss"] == summarize([0, 1], [1.0, 3.0]).as_dict()
    assert summary["late"]["n_nan"] == 1
    assert query(db, "SELECT summarized_n, mean FROM series") == [(2, 2.0), (1, None)]


def test_stored_summaries_are_read_without_the_records(db):
    run_id = db.create_run()
    fill(db, run_id)
    db.update_run_status(run_id, "failed")
    before = db.get_metric_summary(run_id)
    query(db, "UPDATE records SET value = 100")
    assert repr(db.get_metric_summary(run_id)) == repr(before)


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.floats()), max_size=5), min_size=1, max_size=4
    ),
    st.data(),
)
def test_summaries_of_several_runs_are_those_of_each(tmp_path_factory, runs, data):
    folder = tmp_path_factory.mktemp("summaries")
    with closing(ExperimentDBManager(folder / "e.db")) as db:
        for recorded in runs:
            run_id = db.create_run()
            for step, (name, value) in enumerate(recorded):
                db.record(run_id, name, step, value)
            if data.draw(st.booleans(), label="ends"):
                db.update_run_status(run_id, "completed")
                db.read_summaries(run_id)  # which keeps them
                if data.draw(st.booleans(), label="late record"):
                    db.record(run_id, "a", 99, 1.0)
    with closing(ExperimentDBManager(folder / "e.db", is_read_only=True)) as db:
        runs = db.get_all_runs()
        expected = {run.run_id: db.read_summaries(run.run_id) for run in runs}
        assert repr(db.summaries_of(runs)) == repr(expected)
        assert repr(db.summaries_of(runs[1:])) == repr(dict(list(expected.items())[1:]))


def test_summaries_of_several_runs_that_have_ended_are_read_without_their_records(db, monkeypatch):
    for _ in range(2):
        run_id = db.create_run()
        fill(db, run_id)
        db.update_run_status(run_id, "completed")
        db.read_summaries(run_id)
    runs = db.get_all_runs()
    monkeypatch.setattr(ExperimentDBManager, "read_summaries", None)
    assert db.summaries_of(runs)[2]["loss"].n == 4


def test_the_summary_of_a_running_run_is_computed_and_not_kept(db):
    run_id = db.create_run()
    db.record(run_id, "loss", 0, 1.0)
    assert db.get_metric_summary(run_id)["loss"]["n"] == 1
    assert query(db, "SELECT summarized_n FROM series") == [(None,)]


finite_or_not = st.floats() | st.sampled_from([NAN, INF, -INF])
rows_written = st.lists(st.tuples(st.integers(-3, 3), finite_or_not), min_size=1)
written = st.tuples(st.integers(0, 2), st.integers(0, 2), rows_written)


@settings(max_examples=30, deadline=None)
@given(st.lists(written, max_size=12), st.integers(0, 3))
def test_ranges_find_what_a_full_scan_finds(tmp_path_factory, batches, deleted):
    # Gaps of one id already keep ranges apart, so that few records make many of them.
    folder = tmp_path_factory.mktemp("ranges")
    with (
        pytest.MonkeyPatch.context() as patch,
        closing(ExperimentDBManager(folder / "e.db")) as db,
    ):
        patch.setattr("tracking.records._JOIN_GAP", 1)
        patch.setattr("tracking.records._ROWS_A_STATEMENT", 3)
        runs = [db.create_run() for _ in range(3)]
        model = {}
        for number, (run, metric, rows) in enumerate(batches):
            if number == 6 and deleted in range(3):
                db.delete_run(runs[deleted])
                model = {key: found for key, found in model.items() if key[0] != deleted}
            if run == deleted and number >= 6:
                continue
            stored = [(step, value, float(number)) for step, value in rows]
            with db._db.writing() as connection:
                batch = Batch(str(run), f"m{metric}", *zip(*stored, strict=True))
                insert_batches(connection, [batch], lambda uuid: runs[int(uuid)])
            model.setdefault((run, metric), []).extend(stored)
        for (run, metric), rows in model.items():
            with db._db.reading() as connection:
                found = read_series(connection, runs[run], f"m{metric}")
            assert repr(found.rows) == repr(
                [
                    RecordInfo(step, value + 0.0, at)
                    for step, value, at in sorted(rows, key=lambda r: r[0])
                ]
            )
            scanned = query(
                db,
                "WITH all_records AS (SELECT run_id, metric_id, step FROM records UNION ALL"
                " SELECT run_id, metric_id, step FROM non_finite_records)"
                " SELECT step FROM all_records JOIN metrics AS m ON m.id = metric_id"
                " WHERE run_id = ? AND m.name = ?",
                runs[run],
                f"m{metric}",
            )
            assert sorted(step for (step,) in scanned) == [row.step for row in found.rows]
        assert is_sound(db)


def test_a_range_reads_over_short_gaps_and_not_over_long_ones(db, monkeypatch):
    monkeypatch.setattr("tracking.records._JOIN_GAP", 10)
    one, two = db.create_run(), db.create_run()
    for n in (2, 20):
        db.record(one, "loss", 0, 1.0)
        for step in range(n):
            db.record(two, "loss", step, 2.0)
    db.record(one, "loss", 1, 3.0)
    ranges = query(db, "SELECT first_id, last_id FROM record_ranges WHERE run_id = ?", one)
    assert ranges == [(1, 4), (25, 25)]
    assert series(db, one, "loss") == [(0, 1.0), (0, 1.0), (1, 3.0)]


# Other programs


def test_records_that_another_program_appended_are_found_at_the_next_open(db):
    one, two = db.create_run(), db.create_run()
    db.record(one, "a", 0, 1.0)
    db.record(two, "b", 0, 1.0)
    db.update_run_status(one, "completed")
    db.get_metric_summary(one)
    db.close()
    append_foreign(db, [(one, "a", 1, 2.0), (one, "b", 0, 3.0), (two, "b", -1, 4.0)])
    for _ in range(2):
        assert series(db, one, "a") == [(0, 1.0), (1, 2.0)]
        assert series(db, one, "b") == [(0, 3.0)]
        assert series(db, two, "b") == [(-1, 4.0), (0, 1.0)]
        assert db.get_run(one).num_records == [2, 1]
        assert db.get_metric_summary(one)["a"]["mean"] == 1.5
        db.close()


def test_records_appended_while_we_have_the_database_open_are_not_skipped(db):
    run_id = db.create_run()
    db.record(run_id, "loss", 0, 1.0)
    append_foreign(db, [(run_id, "loss", 1, 2.0)])
    db.record(run_id, "loss", 2, 3.0)
    append_foreign(db, [(run_id, "loss", 3, 4.0)])
    db.record(run_id, "other", 0, NAN)
    assert series(db, run_id, "loss") == [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)]
    assert db.get_run(run_id).num_records == [4, 1]
    append_foreign(db, [(run_id, "loss", 4, 5.0)])
    db.delete_run(run_id)
    assert rows_of(db, run_id) == {}
    assert is_sound(db)


def test_a_foreign_record_of_a_run_that_is_not_there_keeps_nobody_out(db):
    run_id = db.create_run()
    db.record(run_id, "loss", 0, 1.0)
    append_foreign(db, [(run_id, "loss", 1, 2.0), (99, "loss", 0, 9.0)])
    for _ in range(2):
        db.close()
        assert series(db, run_id, "loss") == [(0, 1.0), (1, 2.0)]
    db.record(run_id, "loss", 2, 3.0)
    assert db.get_run(run_id).num_records == [3]


def test_bytes_that_numpy_left_are_decoded_with_a_warning_that_counts_them(db):
    run_id = db.create_run()
    db.record(run_id, "loss", 0, 1.0)
    scalars = [np.float32(0.5), np.float64(0.25), np.int64(7)]
    append_foreign(
        db, [(run_id, "loss", step, value.tobytes()) for step, value in enumerate(scalars, 1)]
    )
    append_foreign(db, [(run_id, "loss", 9, "n/a")])
    db.close()
    with pytest.warns(sg.TrackingWarning, match="3 records lay there .* 1 are unreadable"):
        found = series(db, run_id, "loss")
    assert found == [(0, 1.0), (1, 0.5), (2, 0.25), (3, 7.0)]
    assert db.get_metric_summary(run_id)["loss"]["n"] == 4


# Graphs, histograms, images, texts


def test_what_a_run_keeps_beside_records_is_listed_by_name_and_step(db):
    run_id = db.create_run()
    for step in (2, 1, 1):
        db.save_histogram(run_id, "w", step, [0, np.float32(0.5)], np.array([step]), 3)
        db.save_image(run_id, "i", step, 2, 1, 3, bytearray(range(6)))
        db.save_text(run_id, "t", step, f"at {step}")
    histograms = db.get_histograms(run_id)["w"]
    assert [found["step"] for found in histograms] == [1, 1, 2]
    assert {name: histograms[0][name] for name in ("bucket_edges", "bucket_counts")} == {
        "bucket_edges": [0, 0.5],
        "bucket_counts": [1],
    }
    assert histograms[0]["n_non_finite"] == 3
    image = db.get_images(run_id)["i"][2]
    assert (image["step"], image["width"], image["height"], image["channels"]) == (2, 2, 1, 3)
    assert image["data_b64"] == "AAECAwQF"
    assert [text["content"] for text in db.get_texts(run_id)["t"]] == ["at 1", "at 1", "at 2"]
    assert all(found["log_time"] > 1.7e9 for found in (*histograms, image))


def test_graphs_are_kept_one_beside_the_other(db):
    run_id = db.create_run()
    ids = [db.save_comp_graph(run_id, {**GRAPH, "number": number}) for number in range(3)]
    assert [found["id"] for found in db.get_comp_graphs(run_id)] == ids
    assert db.get_comp_graph(ids[1]) == {**GRAPH, "number": 1}
    assert db.get_comp_graph(99) is None
    (text,) = query(db, "SELECT graph_json FROM graphs WHERE id = ?", ids[0])[0]
    assert json.loads(text) == {**GRAPH, "number": 0}


@pytest.mark.parametrize(
    ("method", "arguments", "argument"),
    [
        ("create_run", ("",), "name"),
        ("create_run", ("a", [1]), "config"),
        ("update_config", (1, {"a": object()}), "hparams"),
        ("update_run_status", (1, None), "status"),
        ("record", (1, "", 0, 1.0), "metric_name"),
        ("record", (1, "a", "0", 1.0), "step"),
        ("record", (1, "a", 0, "1"), "value"),
        ("record", ("1", "a", 0, 1.0), "run_id"),
        ("record", (True, "a", 0, 1.0), "run_id"),
        ("get_records", (1, None), "metric_name"),
        ("get_records", (1, "\ud800"), "metric_name"),
        ("get_run", (1.0,), "run_id"),
        ("get_comp_graph", ("1",), "graph_id"),
        ("save_comp_graph", (1, [1]), "graph_data"),
        ("save_comp_graph", (1, {"nodes": []}), "graph_data"),
        ("save_comp_graph", (1, {"nodes": [NAN], "edges": []}), "graph_data"),
        ("save_histogram", (1, "a", 0, [0, 1], [1, 2]), "bucket_edges"),
        ("save_histogram", (1, "a", 0, [0], []), "bucket_edges"),
        ("save_histogram", (1, "a", 0, None, [1]), "bucket_edges"),
        ("save_histogram", (1, "a", 0, [0, INF], [1]), "bucket_edges"),
        ("save_histogram", (1, "a", 0, [0, 1], ["x"]), "bucket_counts"),
        ("save_histogram", (1, "a", 0, [0, 1], [True]), "bucket_counts"),
        ("save_histogram", (1, "a", 0, [0, 1], [1], "x"), "n_non_finite"),
        ("save_image", (1, "a", 0, 2, 2, 1, b"xyz"), "image_data"),
        ("save_image", (1, "a", 0, 0, 2, 1, b""), "image_data"),
        ("save_image", (1, "a", 0, -2, -2, 1, b"wxyz"), "image_data"),
        ("save_image", (1, "a", 0, 1, 1, 1, "x"), "image_data"),
        ("save_image", (1, "a", 0, "1", 1, 1, b"x"), "width"),
        ("save_image", (1, "a", 0, 1, 1.0, 1, b"x"), "height"),
        ("save_image", (1, "a", 0, 1, 1, None, b"x"), "channels"),
        ("save_text", (1, "a", 0, 7), "content"),
        ("save_text", (1, "a\0", 0, "x"), "name"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name_and_leaves_no_trace(
    db, method, arguments, argument
):
    fill(db, db.create_run())
    before = query(db, "SELECT * FROM records, metrics, runs")
    counts = rows_of(db, 1)
    with pytest.raises(sg.InvalidArgumentError) as caught:
        getattr(db, method)(*arguments)
    assert caught.value.argument == argument
    assert query(db, "SELECT * FROM records, metrics, runs") == before
    assert rows_of(db, 1) == counts


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("delete_run", ()),
        ("update_run_status", ("failed",)),
        ("update_config", ({"a": 1},)),
        ("record", ("a", 0, 1.0)),
        ("get_records", ("a",)),
        ("get_metrics", ()),
        ("get_metric_summary", ()),
        ("save_comp_graph", (GRAPH,)),
        ("get_comp_graphs", ()),
        ("save_histogram", ("a", 0, [0, 1], [1])),
        ("get_histograms", ()),
        ("save_image", ("a", 0, 1, 1, 1, b"x")),
        ("get_images", ()),
        ("save_text", ("a", 0, "x")),
        ("get_texts", ()),
    ],
)
def test_an_unknown_run_is_named_and_gets_nothing(db, method, arguments):
    with pytest.raises(sg.RunNotFoundError, match=r"no run 7 in .*e\.db"):
        getattr(db, method)(7, *arguments)
    assert rows_of(db, 7) == {}
    assert query(db, "SELECT * FROM metrics") == []


def test_a_call_that_fails_inside_its_transaction_leaves_nothing(db, monkeypatch):
    run_id = db.create_run()

    def failing(*arguments):
        insert_batches(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tracking.records.insert_batches", failing)
        with pytest.raises(KeyboardInterrupt):
            db.record(run_id, "loss", 0, 1.0)
    assert rows_of(db, run_id) == {}
    assert db.get_metrics(run_id) == []
    db.record(run_id, "loss", 0, 1.0)
    assert series(db, run_id, "loss") == [(0, 1.0)]


# Records in parts, and room given back


@given(
    batches=st.lists(
        st.tuples(
            st.sampled_from("ab"), st.lists(st.tuples(st.integers(-3, 3), st.floats()), max_size=6)
        ),
        max_size=6,
    )
)
def test_records_in_parts_are_those_read_at_once(tmp_path_factory, batches):
    path = tmp_path_factory.mktemp("parts") / "e.db"
    with closing(ExperimentDBManager(path)) as db, pytest.MonkeyPatch.context() as patch:
        run_id, other = db.create_run(), db.create_run()
        for name, rows in batches:
            for step, value in rows:
                db.record(run_id, name, step, value)
                db.record(other, name, step, 0.0)
        patch.setattr("tracking.experiment_db._STREAMED_FROM", 0)
        patch.setattr("tracking.records._ROWS_A_FETCH", 2)
        found = {}
        parts = list(db.iter_records(run_id))
        for name, part in parts:
            assert len(part) <= 2
            found.setdefault(name, []).extend(part)
        expected = {name: db.get_records(run_id, name) for name in db.get_metrics(run_id)}
        assert repr(found) == repr(expected)


def test_bytes_that_numpy_left_are_decoded_in_parts_too(db, monkeypatch):
    run_id = db.create_run()
    db.record(run_id, "loss", 0, 0.5)
    query(db, "UPDATE records SET value = ?", np.float32(0.25).tobytes())
    monkeypatch.setattr("tracking.experiment_db._STREAMED_FROM", 0)
    with pytest.warns(sg.TrackingWarning, match="1 records lay there as bytes"):
        ((name, (record,)),) = db.iter_records(run_id)
    assert (name, record.value) == ("loss", 0.25)


def test_an_unknown_run_has_no_records_to_iterate_over(db):
    with pytest.raises(sg.RunNotFoundError):
        next(db.iter_records(7))


def test_while_records_are_read_in_parts_others_may_be_written(db, monkeypatch):
    monkeypatch.setattr("tracking.experiment_db._STREAMED_FROM", 0)
    monkeypatch.setattr("tracking.records._ROWS_A_FETCH", 1)
    run_id = db.create_run()
    for step in range(3):
        db.record(run_id, "loss", step, 1.0)
    parts = db.iter_records(run_id)
    next(parts)
    db.record(run_id, "loss", 3, 1.0)
    assert [record.step for _, part in parts for record in part] == [1, 2]
    assert len(db.get_records(run_id, "loss")) == 4


def test_compacting_gives_room_back_and_changes_nothing_else(db):
    runs = [db.create_run(str(number)) for number in range(3)]
    for run_id in runs:
        fill(db, run_id)
    db.save_image(runs[0], "large", 0, 500, 500, 4, bytes(1_000_000))
    db.delete_run(runs[0])
    tables = [name for (name,) in query(db, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    before = {table: query(db, f"SELECT * FROM {table} ORDER BY 1") for table in tables}
    header = query(db, "PRAGMA application_id"), query(db, "PRAGMA user_version")
    db.compact()
    assert db.db_path.stat().st_size < 500_000
    assert {table: query(db, f"SELECT * FROM {table} ORDER BY 1") for table in tables} == before
    assert (query(db, "PRAGMA application_id"), query(db, "PRAGMA user_version")) == header
    assert is_sound(db)
    assert db.create_run() == 4
    db.record(4, "loss", 0, 1.0)
    assert series(db, 4, "loss") == [(0, 1.0)]


def test_compacting_waits_for_nobody_who_only_reads(db):
    fill(db, db.create_run())
    with closing(sqlite3.connect(db.db_path)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT COUNT(*) FROM records").fetchone()
        db.delete_run(1)
        db.compact()
        assert reader.execute("SELECT COUNT(*) FROM records").fetchone() == before
    assert db.get_all_runs() == []
    assert is_sound(db)


def test_what_may_not_be_written_is_not_compacted(db):
    db.create_run()
    db.close()
    with (
        closing(ExperimentDBManager(db.db_path, is_read_only=True)) as reader,
        pytest.raises(sg.StoreError, match="for reading only; open it without is_read_only"),
    ):
        reader.compact()


def test_every_table_numbers_its_rows_itself(db):
    # Else to compact would number them anew.
    for table, sql in query(db, "SELECT name, sql FROM sqlite_master WHERE type = 'table'"):
        assert table.startswith("sqlite_") or re.search(
            r"INTEGER PRIMARY KEY|WITHOUT ROWID", sql
        ), table
