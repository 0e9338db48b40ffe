"""Whatever is killed in the middle of a push: the next one brings all of it, and all once."""

from __future__ import annotations

import functools
import itertools
import os
import random
import shutil
import signal
from contextlib import closing, suppress

import psycopg
import pytest

from tests.contents import of_postgres, of_sqlite, rows_without_a_run
from tests.postgres.line import Line
from tests.postgres.processes import exit_code_of, fork
from tracking import ExperimentDBManager, StoreError, Tracker, pushing
from tracking.merging.content import ContentDBManager
from tracking.postgres.address import Address
from tracking.postgres.writing import StoreWriter
from tracking.pushing import push


class Forms:
    """An experiment of runs with a bit of everything, and one of them before it had ended.

    Attributes:
        path: the experiment.
        whole: all it holds.
        early: the older form of one of its runs, as `StoreWriter.take` takes it.
    """

    def __init__(self, folder):
        self.path = folder / "new/pytest.db"
        tracker = Tracker(self.path.parent)
        tracker.set_experiment("pytest")
        tracker.start_run("grown")
        tracker.record("early", 1.0, 0)
        tracker.text("said", "early", 0)
        tracker.get_metrics(1)
        (folder / "old").mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{self.path}{suffix}", folder / "old")
        for step in range(400):
            tracker.record("early", 2.0, step)
        tracker.end_run()
        for number in range(4):
            with tracker.run(f"r{number}", {"n": number}, environment={"cpu": number}):
                for step in range(340):
                    tracker.record("loss", float("nan") if step == 5 else step / 7, step)
                tracker.text("said", "hello" * 50, 0)
                tracker.image("digit", [[0.0, 1.0]] * 20, 0)
        tracker.close()
        with closing(ExperimentDBManager(self.path)) as db:
            db.save_comp_graph(2, {"nodes": [{"id": "a", "type": "tensor"}], "edges": []})
        self.whole = of_sqlite(self.path)
        old = ContentDBManager(folder / "old/pytest.db")
        old.end_abandoned_runs(lambda _: False, lambda _: ("lost", None))
        self.early = old.content_of(old.held_runs()[0])


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    return Forms(tmp_path_factory.mktemp("forms"))


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(pushing, "_RUNS_A_BATCH", 2)


@pytest.fixture
def filled(store, forms):
    """Gives the store as it is before each push: it has an older form of one run."""

    def fill():
        with closing(StoreWriter(Address(store), "pytest")) as writer:
            with psycopg.connect(store) as connection:
                for table in ("runs", "run_names", "metrics", "environments", "graph_contents"):
                    connection.execute(f"DELETE FROM sgtrack.{table}")
            writer.take([forms.early])
        return store

    return fill


@pytest.fixture
def n_bytes(filled, forms):
    """How many bytes pass when nothing happens."""
    with Line(filled()) as line:
        push([forms.path], line.url)
    return line.n_bytes


def check(store, forms):
    """Whatever is there is whole; and the next push brings all of it."""
    for uuid, run in of_postgres(store).items():
        is_early = run["name"] == "grown" and len(run["records"]["early"]) == 1
        assert is_early or run == forms.whole[uuid]
    assert rows_without_a_run(store) == (0, 0)
    push([forms.path], store)
    assert of_postgres(store) == forms.whole
    assert rows_without_a_run(store) == (0, 0)


def sweep(seed, n_points, n_bytes):
    """Points all over a push, the first and the last byte among them."""
    chance = random.Random(seed)
    ends = [n_bytes * at // n_points for at in range(n_points + 1)]
    inner = [chance.randrange(low, high) + 1 for low, high in itertools.pairwise(ends)]
    return [1, *inner[1:-1], n_bytes]


def short_and_long(short, long):
    return pytest.mark.parametrize(
        "n_points",
        [pytest.param(short, id="short"), pytest.param(long, id="long", marks=pytest.mark.slow)],
    )


@short_and_long(12, 300)
def test_a_line_that_is_cut_loses_and_doubles_nothing(filled, forms, n_bytes, n_points):
    n_cut = 0
    for point in sweep(1, n_points, n_bytes):
        store = filled()
        with Line(store) as line, suppress(StoreError):
            line.cut_after = point
            push([forms.path], line.url)
        n_cut += line.n_bytes == point
        check(store, forms)
    assert n_cut >= n_points * 0.9


@short_and_long(30, 300)
def test_a_server_that_is_killed_loses_and_doubles_nothing(
    filled, forms, n_bytes, n_points, server
):
    n_killed = 0
    for point in sweep(2, n_points, n_bytes):
        store = filled()
        with Line(store, server.kill) as line, suppress(StoreError):
            line.cut_after = point
            push([forms.path], line.url)
        if line.n_bytes == point:
            n_killed += 1
            server.start()
        check(store, forms)
    assert n_killed >= n_points * 0.9


@short_and_long(12, 300)
def test_a_push_that_is_killed_loses_and_doubles_nothing(filled, forms, n_bytes, n_points):
    n_killed = 0
    for point in sweep(3, n_points, n_bytes):
        store = filled()
        pids = []
        with Line(store, functools.partial(kill_all, pids)) as line:
            line.cut_after = point
            pids.append(fork(lambda url=line.url: push([forms.path], url)))
            n_killed += exit_code_of(pids[0]) == -signal.SIGKILL
        check(store, forms)
    assert n_killed >= n_points * 0.9


def kill_all(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
