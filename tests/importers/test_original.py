"""Databases of the original tracker; tests/core/test_schema.py says what is in `original.db`."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tracking import ExperimentDBManager, InvalidArgumentError
from tracking.importers import Remark, import_runs

ORIGINAL = Path(__file__).parents[1] / "assets" / "original.db"


@pytest.fixture
def original(tmp_path):
    return Path(shutil.copy(ORIGINAL, tmp_path / "original.db"))


def changed(path, *statements):
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def imported(source, folder):
    items = list(import_runs(source, folder))
    runs = {item.run.name: item for item in items if not isinstance(item, Remark)}
    return runs, [item.text for item in items if isinstance(item, Remark)]


def test_an_import_holds_what_adopting_the_database_would_have_kept(tmp_path, original, everything):
    imported(original, tmp_path / "e")
    found = everything(tmp_path / "e" / "original.db")
    with closing(ExperimentDBManager(original)) as db:
        db.init_exp_db()
    with pytest.warns(match="lay there as bytes"):
        adopted = everything(original)
    assert set(found) == {"first", "second"}
    for number, name in enumerate(("first", "second"), 1):
        of_its_own = {"uuid", "environment"}
        assert {k: v for k, v in found[name].items() if k not in of_its_own} == {
            k: v for k, v in adopted[name].items() if k not in of_its_own
        }
        environment = {"imported_from": "original", "original.run_id": number}
        assert found[name]["environment"] == environment
    assert found["first"]["graphs"]
    assert found["first"]["histograms"]
    assert found["first"]["images"]
    assert found["first"]["texts"]


def test_what_was_no_number_or_belonged_to_nobody_is_said(tmp_path, original):
    runs, remarks = imported(original, tmp_path / "e")
    assert runs["first"].run.left_out() == {"records that are no numbers": 2}
    assert runs["second"].run.left_out() == {}
    assert remarks == ["left out: 2 records of runs that were deleted"]


def test_a_database_of_before_a_table_came_is_read(tmp_path, original):
    changed(original, *(f"DROP TABLE {table}" for table in ("graphs", "images", "texts")))
    runs, _ = imported(original, tmp_path / "e")
    assert runs["first"].added.counts == {"records": 7, "histograms": 1}


def test_the_same_run_in_a_copy_that_went_on_is_the_same_run(tmp_path, original, everything):
    copy = Path(shutil.copy(original, tmp_path / "copy.db"))
    imported(original, tmp_path / "e")
    changed(
        copy,
        "UPDATE runs SET status = 'completed'",
        "INSERT INTO records (run_id, metric_id, step, value, wall_time) VALUES (2, 1, -1, 5.0, 1)",
        "INSERT INTO runs (name, created_at) VALUES ('fourth', 1.0)",
    )
    items = list(import_runs(copy, tmp_path / "e", experiment="original"))
    added = {one.run.name: one.added.counts for one in items if not isinstance(one, Remark)}
    assert added == {"first": {}, "second": {"records": 1}, "fourth": {}}
    second = everything(tmp_path / "e" / "original.db")["second"]
    assert [row[:2] for row in second["records"]["loss"]] == [(-1, "5.0"), (0, "8.0")]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE graphs SET graph_json = '{'", "graphs: graph_data: is a NoneType"),
        ("UPDATE graphs SET graph_json = x'00'", "graphs: graph_data: is a NoneType"),
        ("UPDATE histograms SET bucket_counts = '[1]'", "histograms: bucket_edges: 1 counts have"),
        ("UPDATE histograms SET bucket_edges = 'x'", "histograms: bucket_edges: are not a list"),
        ("UPDATE histograms SET step = 'x'", "histograms: step: expected an int"),
        ("UPDATE images SET width = 7", "images: image_data: has 2 bytes for 7 x 1 x 1"),
        ("UPDATE images SET image_data = 'x'", "images: image_data: are no pixels"),
        ("UPDATE texts SET content = x'ff'", "texts: content: expected a str"),
    ],
)
def test_damaged_media_are_left_out_with_their_reason(tmp_path, original, statement, reason):
    changed(original, statement)
    runs, _ = imported(original, tmp_path / "e")
    left_out = runs["first"].run.left_out()
    assert [n for why, n in left_out.items() if reason in why] == [1]
    assert sum(runs["first"].added.counts.values()) == 7 + 3


@pytest.mark.parametrize("config", ["{", "[1]", '{"a": "\\ud800"}', "[" * 100_000])
def test_a_config_that_cannot_be_read_costs_no_run(tmp_path, original, config):
    with closing(sqlite3.connect(original)) as connection, connection:
        connection.execute("UPDATE runs SET config = ? WHERE id = 1", (config,))
    runs, _ = imported(original, tmp_path / "e")
    (remark,) = runs["first"].run.remarks
    assert remark.startswith("first: its config cannot be read: ")
    assert runs["first"].run.config == {}
    assert runs["first"].added.counts["records"] == 7


def test_times_and_states_nobody_can_show_do_no_harm(tmp_path, original, everything):
    changed(
        original,
        "UPDATE runs SET created_at = 1e300 WHERE id = 1",
        "UPDATE runs SET created_at = 'noon', status = 'running' WHERE id = 2",
        "UPDATE texts SET wall_time = 'noon'",
    )
    imported(original, tmp_path / "e")
    runs = everything(tmp_path / "e" / "original.db")
    assert runs["first"]["started_at"] == 253_370_764_800
    assert runs["first"]["texts"]["sample"][0]["log_time"] == 0
    assert (runs["second"]["started_at"], runs["second"]["status"]) == (0, "running")


def test_a_database_is_not_imported_into_itself(tmp_path, original):
    content = original.read_bytes()
    with pytest.raises(InvalidArgumentError, match="choose another name"):
        imported(original, tmp_path)
    assert original.read_bytes() == content
