"""An imported run comes in whole and once, whatever happens meanwhile."""

from __future__ import annotations

import math
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import InvalidArgumentError, StoreError, recover
from tracking.connection import Connection
from tracking.events import RunEnd
from tracking.importers.model import ImportedRun, Part, uuid_of
from tracking.importers.rows import Graph, Histogram, Image, Text
from tracking.importers.store import ImportingDBManager

END = RunEnd("completed", ended_by="finished", duration_s=1.5)


def run_of(n=3, *, end=END, name="run", config=None, n_files=1):
    """A run of several files with `n` of everything in each."""
    parts = [Part(f"file {number}") for number in range(n_files)]
    for part in parts:
        for step in range(n):
            part.record("loss", step, [1.0, math.nan, math.inf][step % 3], 100.0 + step)
            part.record("accuracy", -step, step / 7, 100.0)
            part.add(Text.checked, "t", step, f"{part.name}, {step}", 100.0)
            part.add(Image.checked, "i", step, (1, 1, 1), bytes([step % 256]), 100.0)
            part.add(Histogram.checked, "h", step, [0.0, 1.0], [step], 100.0)
            part.add(Graph.checked, {"nodes": [step], "edges": []}, 100.0)
    return ImportedRun(
        uuid_of("test", name), name, "e", 50.0, end, parts, config or {}, {"imported_from": "test"}
    )


def digits(value):
    """A float as it can be told from all others; SQLite keeps no sign of zero."""
    return repr(value + 0.0)


def take(path, *runs):
    with closing(ImportingDBManager(path)) as db:
        return [db.take(run) for run in runs]


records = st.lists(
    st.tuples(
        st.sampled_from(["loss", "a/b", "ü"]),
        st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3),
        st.floats(),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(rows=records, cut=st.integers(0, 60))
def test_what_goes_in_comes_out_also_in_two_turns(tmp_path_factory, rows, cut, everything):
    path = tmp_path_factory.mktemp("import") / "e.db"
    for known in (rows[:cut], rows):
        part = Part()
        for row in known:
            part.record(*row)
        take(path, ImportedRun("u" * 32, "run", "e", 0.0, END, [part]))
    expected = {}
    for metric, step, value, wall_time in rows:
        expected.setdefault(metric, []).append((step, digits(value), wall_time))
    expected = {metric: sorted(row, key=lambda row: row[0]) for metric, row in expected.items()}
    assert everything(path)["run"]["records"] == expected


def test_all_of_a_run_is_there(tmp_path, everything):
    path = tmp_path / "e.db"
    (added,) = take(path, run_of(2, config={"lr": 0.1}))
    n = {"records": 4, "texts": 2, "images": 2, "histograms": 2, "graphs": 2}
    assert (added.counts, added.is_known) == (n, False)
    run = everything(path)["run"]
    assert (run["status"], run["ended_by"], run["duration_s"]) == ("completed", "finished", 1.5)
    assert (run["config"], run["environment"]) == ({"lr": 0.1}, {"imported_from": "test"})
    assert run["started_at"] == 50.0
    assert run["records"] == {
        "loss": [(0, "1.0", 100.0), (1, "nan", 101.0)],
        "accuracy": [(-1, repr(1 / 7), 100.0), (0, "0.0", 100.0)],
    }
    assert [one["content"] for one in run["texts"]["t"]] == ["file 0, 0", "file 0, 1"]
    assert [one["data_b64"] for one in run["images"]["i"]] == ["AA==", "AQ=="]
    assert [one["bucket_counts"] for one in run["histograms"]["h"]] == [[0], [1]]
    assert run["graphs"] == [({"nodes": [step], "edges": []}, 100.0) for step in (0, 1)]
    assert {one["log_time"] for kind in ("texts", "images") for one in run[kind][kind[0]]} == {100}


def test_equal_graphs_of_a_source_are_stored_once(tmp_path):
    path = tmp_path / "e.db"
    for number in range(2):
        part = Part()
        for _ in range(2):
            part.add(Graph.checked, {"nodes": [], "edges": []}, 100.0)
        take(path, ImportedRun(str(number) * 32, "run", "e", 50.0, END, [part]))
    with closing(sqlite3.connect(path)) as connection:
        counts = "SELECT (SELECT COUNT(*) FROM graphs), (SELECT COUNT(*) FROM graph_contents)"
        assert connection.execute(counts).fetchone() == (4, 1)


def test_a_second_time_adds_nothing_and_writes_nothing(tmp_path, everything):
    path = tmp_path / "e.db"
    take(path, run_of())
    before, content = everything(path), path.read_bytes()
    (added,) = take(path, run_of())
    assert added.is_nothing()
    assert everything(path) == before
    assert path.read_bytes() == content


def test_a_source_that_has_grown_adds_what_is_new_whichever_file_has_grown(tmp_path, everything):
    small, large = run_of(2, n_files=2), run_of(5, n_files=2)
    first_grew = ImportedRun(
        small.uuid, "run", "e", 50.0, END, [large.parts[0], small.parts[1]], {}, small.environment
    )
    for run in (small, first_grew, large):
        take(tmp_path / "step by step.db", run)
    take(tmp_path / "at once.db", large)
    found = everything(tmp_path / "step by step.db")["run"]
    expected = everything(tmp_path / "at once.db")["run"]
    for run in (found, expected):  # what two files say of one step comes in the order of taking
        for kind in ("texts", "images", "histograms"):
            for rows in run[kind].values():
                rows.sort(key=str)
        run["graphs"].sort(key=str)
        for rows in run["records"].values():
            rows.sort(key=str)
        run.pop("summaries")
    assert found == expected


def test_a_source_that_has_shrunk_takes_nothing_away_and_adds_nothing_when_it_is_back(
    tmp_path, everything
):
    path = tmp_path / "e.db"
    take(path, run_of(5))
    before = everything(path)
    assert [added.is_nothing() for added in take(path, run_of(2), run_of(5))] == [True, True]
    assert everything(path) == before


def test_a_run_that_was_going_on_ends_and_learns_hyper_parameters(tmp_path, everything):
    path = tmp_path / "e.db"
    take(path, run_of(end=None, config={"lr": 0.1}))
    assert everything(path)["run"]["status"] == "running"
    with closing(ImportingDBManager(path)) as db:
        assert recover(db).runs == []  # nobody here knows whether it lives
    (added,) = take(path, run_of(config={"lr": 0.1, "seed": 3}))
    assert (added.counts, added.config, added.has_ended) == ({}, {"seed": 3}, True)
    run = everything(path)["run"]
    assert (run["status"], run["config"]) == ("completed", {"lr": 0.1, "seed": 3})
    assert take(path, run_of(end=None))[0].is_nothing()


def test_a_run_that_was_deleted_here_stays_deleted(tmp_path, everything):
    path = tmp_path / "e.db"
    take(path, run_of())
    with closing(ImportingDBManager(path)) as db:
        db.delete_run(1)
    (added,) = take(path, run_of())
    assert (added.is_deleted, added.is_nothing()) == (True, True)
    assert everything(path) == {}


def test_what_cannot_be_stored_leaves_no_trace(tmp_path):
    path = tmp_path / "e.db"
    with pytest.raises(InvalidArgumentError, match="config"):
        take(path, run_of(config={"lr": object()}))
    assert not path.exists()


def n_transactions(monkeypatch, path, run):
    """Import a run; return how many transactions that took."""
    writing = Connection.writing
    calls = []
    monkeypatch.setattr(Connection, "writing", lambda *a, **k: calls.append(1) or writing(*a, **k))
    take(path, run)
    monkeypatch.undo()
    return len(calls)


def test_a_run_of_records_alone_comes_in_one_transaction(monkeypatch, tmp_path):
    part = Part()
    part.record("loss", 0, 1.0, 0.0)
    run = ImportedRun("u" * 32, "run", "e", 0.0, END, [part], {"lr": 0.1})
    with closing(ImportingDBManager(tmp_path / "e.db")) as db:
        db.init_exp_db()
    # The other one keeps the summaries.
    assert n_transactions(monkeypatch, tmp_path / "e.db", run) == 2


@pytest.mark.parametrize("n_files", [1, 2])
def test_an_import_that_failed_anywhere_is_completed_by_the_next(
    monkeypatch, tmp_path, n_files, is_sound, everything
):
    run = run_of(n_files=n_files)
    n = n_transactions(monkeypatch, tmp_path / "clean.db", run)
    assert n == 3 + n_files
    expected = everything(tmp_path / "clean.db")
    writing = Connection.writing
    for place in range(n):
        path = tmp_path / f"{place}.db"
        left = iter(range(place))

        def failing(self, left=left, **options):
            if next(left, None) is None:
                raise StoreError("the disk is full")
            return writing(self, **options)

        monkeypatch.setattr(Connection, "writing", failing)
        with pytest.raises(StoreError, match="full"):
            take(path, run)
        monkeypatch.undo()
        left = everything(path)
        assert left == expected or {one["status"] for one in left.values()} <= {"running"}
        take(path, run)
        assert everything(path) == expected
        assert is_sound(path)


DYING = """
import os, signal, sys
sys.path[:0] = [{here!r}]
from tracking import schema
import tracking.importers.store as store
from test_store import run_of, take
from pathlib import Path
insert = store._insert
def dying(connection, *rest):
    insert(connection, *rest)
    dying.left -= 1
    if not dying.left:
        os.kill(os.getpid(), signal.SIGKILL)
dying.left = {place}
store._insert = dying
take(Path({path!r}), run_of())
"""


@pytest.mark.parametrize("place", [1, 4])
def test_an_import_that_was_killed_is_completed_by_the_next(tmp_path, place, is_sound, everything):
    path = tmp_path / "e.db"
    script = DYING.format(here=str(Path(__file__).parent), place=place, path=str(path))
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert everything(path)["run"]["status"] == "running"
    take(path, run_of())
    take(tmp_path / "clean.db", run_of())
    assert everything(path) == everything(tmp_path / "clean.db")
    assert is_sound(path)


def test_two_imports_at_once_take_everything_once(tmp_path, everything):
    path = tmp_path / "e.db"
    runs = [run_of(40, name=f"run {number}") for number in range(3)]
    failures = []

    def importing():
        try:
            take(path, *runs)
        except Exception as error:  # noqa: BLE001  # the main thread looks at it
            failures.append(error)

    threads = [threading.Thread(target=importing) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    take(tmp_path / "clean.db", *runs)
    assert everything(path) == everything(tmp_path / "clean.db")


def test_many_records_take_seconds(tmp_path):
    part = Part()
    for step in range(200_000):
        part.record(("loss", "accuracy")[step % 2], step, 1 / (step + 1), 0.0)
    run = ImportedRun("u" * 32, "run", "e", 0.0, END, [part])
    start = time.process_time()
    take(tmp_path / "e.db", run)
    assert time.process_time() - start < 10
    assert (tmp_path / "e.db").stat().st_size < 50 * 200_000
