"""Whatever is called in whatever order, the store holds what was recorded, and nothing else."""

from __future__ import annotations

import math
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tracking import ExperimentDBManager, RunStateError, Tracker
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import Kind
from tracking.graph.text import text_of
from tracking.stored_graphs import WHOLE_UP_TO
from tracking.summary import summarize

METRICS = ("loss", "accuracy", "größe")
N_TRACKERS = 2

metrics = st.sampled_from(METRICS)
steps = st.integers(-2, 3) | st.integers(-(2**63), 2**63 - 1)
values = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, 5e-324, 1.5])
trackers = st.integers(0, N_TRACKERS - 1)
picks = st.integers(0, 100)


def chain(n):
    builder = GraphBuilder("test")
    for number in range(n):
        builder.add(Kind("step"), [number - 1] * (number > 0))
    return builder.build([n - 1])


GRAPHS = {n: chain(n) for n in (1, 2, WHOLE_UP_TO + 1)}
TEXTS = {n: text_of(graph) for n, graph in GRAPHS.items()}


def comparable(number):
    """NaN equals itself, and the zeros are one: SQLite keeps no sign of zero."""
    if isinstance(number, float) and math.isnan(number):
        return "NaN"
    return number


def comparable_summary(summary):
    return {name: comparable(number) for name, number in summary.items()}


def by_step(rows):
    return [(step, comparable(value)) for step, value in sorted(rows, key=lambda row: row[0])]


class Run:
    """What the store should hold of a run.

    Attributes:
        stored: records in the database by metric, in the order they got there.
        pending: records in the journal, likewise; the next drain stores them.
        statuses: what its status may be: a run whose tracker was closed may be found dead.
        graphs: number of nodes of each of its graphs.
    """

    def __init__(self):
        self.stored = {}
        self.pending = {}
        self.statuses = {"running"}
        self.has_other_records = False
        self.graphs = []

    def end(self, status):
        if self.statuses == {"running"}:
            self.statuses = {status}

    def drain(self):
        for name, rows in self.pending.items():
            self.stored.setdefault(name, []).extend(rows)
        self.pending = {}


class StoreMachine(RuleBasedStateMachine):
    """Two trackers of one process and a database manager work on one experiment."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.trackers = [self.opened_tracker() for _ in range(N_TRACKERS)]
        self.db = ExperimentDBManager(self.folder / "e.db")
        self.runs = {}
        self.deleted = set()
        self.active = [[] for _ in range(N_TRACKERS)]

    def teardown(self):
        for tracker in self.trackers:
            tracker.close()
        self.db.close()
        shutil.rmtree(self.folder)

    def opened_tracker(self):
        tracker = Tracker(self.folder)
        tracker.set_experiment("e")
        return tracker

    def drain(self):
        for run in self.runs.values():
            run.drain()

    def picked(self, pick):
        return list(self.runs)[pick % len(self.runs)]

    # Runs

    @rule(index=trackers)
    def start_run(self, index):
        run_id = self.trackers[index].start_run()
        assert run_id not in self.runs.keys() | self.deleted
        self.runs[run_id] = Run()
        self.active[index].append(run_id)

    @precondition(lambda self: any(self.active))
    @rule(index=trackers, status=st.sampled_from(["completed", "failed"]))
    def end_run(self, index, status):
        if self.active[index]:
            run_id = self.active[index].pop()
            assert self.trackers[index].end_run(status) == run_id
            self.drain()
            if run_id in self.runs:
                self.runs[run_id].end(status)

    @rule()
    def create_run(self):
        self.runs[self.db.create_run()] = Run()

    @precondition(lambda self: self.runs)
    @rule(pick=picks, status=st.sampled_from(["completed", "failed"]))
    def update_run_status(self, pick, status):
        run_id = self.picked(pick)
        old = self.db.get_run(run_id).status
        try:
            self.db.update_run_status(run_id, status)
        except RunStateError:
            assert old not in ("running", status)
        else:
            assert old in ("running", status)
            self.runs[run_id].statuses = {status}

    @precondition(lambda self: self.runs)
    @rule(index=trackers, pick=picks, through_db=st.booleans())
    def delete_run(self, index, pick, through_db):
        run_id = self.picked(pick)
        if through_db:
            self.db.delete_run(run_id)
        else:
            self.trackers[index].delete_run(run_id)
            self.drain()
            if run_id in self.active[index]:
                self.active[index].remove(run_id)
        del self.runs[run_id]
        self.deleted.add(run_id)

    # Records

    def acknowledged(self, run_id, rows):
        if run_id in self.runs:
            for name, row in rows:
                self.runs[run_id].pending.setdefault(name, []).append(row)

    @precondition(lambda self: any(self.active))
    @rule(index=trackers, name=metrics, rows=st.lists(st.tuples(steps, values), max_size=8))
    def record(self, index, name, rows):
        if self.active[index]:
            for step, value in rows:
                self.trackers[index].record(name, value, step)
            self.acknowledged(self.active[index][-1], [(name, row) for row in rows])

    @precondition(lambda self: any(self.active))
    @rule(index=trackers, named=st.dictionaries(metrics, values), step=steps)
    def log(self, index, named, step):
        if self.active[index]:
            self.trackers[index].log(named, step)
            rows = [(name, (step, value)) for name, value in named.items()]
            self.acknowledged(self.active[index][-1], rows)

    @precondition(lambda self: self.runs)
    @rule(pick=picks, name=metrics, step=steps, value=values)
    def record_straight(self, pick, name, step, value):
        run = self.runs[self.picked(pick)]
        self.db.record(self.picked(pick), name, step, value)
        run.stored.setdefault(name, []).append((step, value))
        run.has_other_records = True

    @precondition(lambda self: self.runs)
    @rule(pick=picks, n_nodes=st.sampled_from([*GRAPHS]))
    def save_graph(self, pick, n_nodes):
        self.db.save_graph(self.picked(pick), GRAPHS[n_nodes], f"{n_nodes} nodes")
        self.runs[self.picked(pick)].graphs.append(n_nodes)

    # Reading and opening again

    @rule(index=trackers)
    def read(self, index):
        tracker = self.trackers[index]
        found = {run.run_id: run for run in tracker.get_all_runs()}
        self.drain()
        assert set(found) == set(self.runs)
        for run_id, run in self.runs.items():
            results = tracker.get_results(run_id)
            rows = {
                name: [(record.step, comparable(record.value)) for record in records]
                for name, records in results.items()
            }
            assert rows == {name: by_step(stored) for name, stored in run.stored.items()}

    @rule(index=trackers)
    def reopen_tracker(self, index):
        self.trackers[index].close()
        self.drain()
        for run_id in self.active[index]:
            if run_id in self.runs:
                self.abandon(self.runs[run_id])
        self.active[index] = []
        self.trackers[index] = self.opened_tracker()

    def abandon(self, run):
        if run.statuses == {"running"}:
            run.statuses = {"running", "failed"}

    @rule()
    def reopen_everything(self):
        for index in range(N_TRACKERS):
            self.reopen_tracker(index)
        self.trackers = []
        self.trackers = [self.opened_tracker() for _ in range(N_TRACKERS)]
        self.db.close()

    # Always

    @invariant()
    def the_database_is_sound(self):
        with closing(sqlite3.connect(self.folder / "e.db")) as connection:
            assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            orphans = connection.execute(
                "SELECT run_id FROM records UNION SELECT run_id FROM series"
                " UNION SELECT run_id FROM record_ranges EXCEPT SELECT id FROM runs"
            ).fetchall()
            assert orphans == []

    @invariant()
    def runs_are_those_there_should_be(self):
        found = self.db.get_all_runs()
        assert [run.run_id for run in found] == sorted(self.runs, reverse=True)
        for run in found:
            model = self.runs[run.run_id]
            assert run.status in model.statuses
            if run.status != "running":
                model.statuses = {run.status}
            counts = dict(zip(run.metrics, run.num_records, strict=True))
            assert counts == {name: len(rows) for name, rows in model.stored.items()}

    @invariant()
    def records_are_those_that_were_stored_in_their_order(self):
        for run_id, run in self.runs.items():
            for name, rows in run.stored.items():
                records = self.db.get_records(run_id, name)
                found = [(record.step, comparable(record.value)) for record in records]
                assert found == by_step(rows)

    @invariant()
    def graphs_are_those_that_were_saved_and_equal_ones_are_one(self):
        for run_id, run in self.runs.items():
            found = self.db.get_graphs(run_id)
            assert [one.name for one in found] == [f"{n_nodes} nodes" for n_nodes in run.graphs]
            assert [text_of(one.graph()) for one in found] == [TEXTS[n] for n in run.graphs]
        with closing(sqlite3.connect(self.folder / "e.db")) as connection:
            (n_contents,) = connection.execute("SELECT COUNT(*) FROM graph_contents").fetchone()
        assert n_contents == len({n for run in self.runs.values() for n in run.graphs})

    @invariant()
    def summaries_are_those_of_the_records(self):
        for run_id, run in self.runs.items():
            found = self.db.get_metric_summary(run_id)
            assert set(found) == set(run.stored)
            for name, rows in run.stored.items():
                assert_summarizes(found[name], rows)

    @invariant()
    def active_runs_and_their_summaries_are_those_there_should_be(self):
        for tracker, active in zip(self.trackers, self.active, strict=True):
            assert tracker.current_run_id == (active[-1] if active else None)
            run = self.runs.get(active[-1]) if active else None
            if run is None or run.has_other_records:
                continue
            summary = tracker.summary()
            assert set(summary) == run.stored.keys() | run.pending.keys()
            for name, found in summary.items():
                assert_summarizes(found, run.stored.get(name, []) + run.pending.get(name, []))


def assert_summarizes(summary, rows):
    expected = summarize([step for step, _ in rows], [value for _, value in rows]).as_dict()
    assert comparable_summary(summary) == comparable_summary(expected)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)


@pytest.mark.slow
class TestStoreInFull(StoreMachine.TestCase):
    """The same, for minutes."""

    settings = settings(max_examples=400, stateful_step_count=50, deadline=None)
