"""An experiment with something of everything, and a store that its runs were brought into."""

from __future__ import annotations

import math
from contextlib import closing
from typing import NamedTuple

import numpy as np
import pytest

from tests.postgres.filling import bring
from tracking import ExperimentDBManager, Tracker
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import Kind
from tracking.model import Verdict
from tracking.regression import Check, Compared, Entry, Sample, dump_comparison, save_baseline
from tracking.stored_graphs import WHOLE_UP_TO

TEST = "tests/test_a.py::test_x"
OTHER = "tests/test_b.py::TestÜ::test_y[adam-1e-3]"
PASSED = {"outcome": "passed", "phase": "call"}
FAILED = {"status": "failed", "outcome": "failed", "phase": "call"}
GIT = {"git_commit": "0123456789abcdef", "git_dirty": True, "python": "3.11"}


class World(NamedTuple):
    """Where the same runs are, under the same numbers.

    Attributes:
        root: the folder with `experiments/pytest.db`, and baselines.
        url: of the store.
    """

    root: object
    url: str


def chain(n):
    """A graph of `n` operations."""
    builder = GraphBuilder("test")
    builder.add(Kind("input", label="x"))
    for number in range(n):
        builder.add(Kind("exp", shape=(2, 3)), [number])
    return builder.build([n])


def record_everything(folder):
    tracker = Tracker(folder)
    tracker.set_experiment("pytest")
    db = tracker.db_manager

    def run(name, series, *, config=None, end=None, do=lambda number: None, **more):
        number = tracker.start_run(name, config, **more)
        for metric, values in series.items():
            for step, value in enumerate(values):
                tracker.record(metric, value, step)
        do(number)
        tracker.end_run(**(end or {}))
        return number

    def media(number):
        tracker.histogram("w", np.arange(40.0), 3)
        tracker.histogram("w", np.array([1.0, math.nan, 2.0]), 1)
        tracker.image("picture", np.arange(24).reshape(4, 6), 0)
        for step in (2, 0, 1):
            tracker.text("said", f"line {step}\nand \x1b[1m more ü", step)
        graphs = [chain(3), chain(WHOLE_UP_TO + 10), chain(3)]
        for graph, name in zip(graphs, ("model", "large", "model"), strict=True):
            db.save_graph(number, graph, name)
        db.save_comp_graph(number, {"nodes": [{"id": 1, "odd": True}], "edges": []}, name="foreign")

    def odd(number):
        for step, value in ((5, 1.0), (-3, math.nan), (5, math.inf), (2**62, -math.inf)):
            tracker.record("odd", value, step)

    def nested(_):
        for fold in range(2):
            with tracker.run("fold", {"fold": fold}):
                tracker.record("val", fold / 3, 0)

    falling = {"loss": [5 / (1 + k) for k in range(1_000)], "acc": [0.1, 0.5]}
    check = Check("loss", "tail", Verdict.REGRESSED, 0.005, 0.02, 0.001, message="is worse")
    compared = dump_comparison(
        Compared((check,), "fail", "../tests/__baselines__/test_a.json", "test_x")
    )
    session = {"session": "a" * 32, "environment": GIT}
    ended = {"verdict": "identical", "comparison": compared}
    run(TEST, falling, config={"lr": 0.1}, end={**PASSED, **ended}, do=media, **session)
    run(OTHER, {"loss": [1.0], "only here": [2.0]}, end=PASSED, do=odd, **session)
    session["session"] = "abcd" * 8
    worse = {**FAILED, "verdict": "regressed", "comparison": compared}
    run(TEST, {"loss": [5.0, 9.0]}, config={"lr": 0.2, "o": {"name": "ü"}}, end=worse, **session)
    for seed in range(2):  # which confirm it
        run(TEST, {"loss": [5.0, 8.0]}, config={"sg_seed": seed}, end=PASSED, **session)
    run("outer", {"loss": [0.5]}, do=nested, config={"why": None}, session="abce" * 8)
    run("nothing recorded", {}, end=FAILED)
    run("abcdef", {"loss": [3.0]})
    run(TEST, falling, end={**PASSED, "verdict": "within"}, do=media, environment=GIT)
    tracker.close()


@pytest.fixture(scope="session")
def world(server, tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    path = root / "experiments" / "pytest.db"
    record_everything(path.parent)
    with closing(ExperimentDBManager(path, is_read_only=True)) as db:
        sample = Sample(db.read_summaries(1), {"lr": 0.1}, {"python": "3.11"}, None)
    folder = root / "tests" / "__baselines__"
    folder.mkdir(parents=True)
    save_baseline(folder / "test_a.json", {"test_x": Entry((sample,), None)})
    url = server.database()
    bring(path, url, at_once=1)
    return World(root, url)


@pytest.fixture
def sgtrack(sgtrack, monkeypatch, world):
    """Runs a command in the folder of the experiment; gives its exit code and what it said."""
    monkeypatch.chdir(world.root)
    return sgtrack
