"""`sgtrack show`: all there is to know of one run."""

import math
from contextlib import closing

import numpy as np
import pytest

from tracking import Tracker, cli
from tracking.graph.capture import capture
from tracking.graph.fingerprint import fingerprint


class Value:
    def __init__(self, op="", prev=()):
        self._op, self._prev = op, prev


def chain(n):
    """The last of `n` operations."""
    last = Value()
    for _ in range(n):
        last = Value("exp", (last,))
    return last


@pytest.fixture
def rich(record):
    """A run that has something of everything."""

    def more(tracker):
        tracker.histogram("w", np.arange(4.0), 0)
        tracker.image("i", np.zeros((2, 2)), 0)
        tracker.image("i", np.zeros((2, 2)), 1)
        for step in range(3):
            tracker.text("t", f"line {step}\nand \x1b[1m more", step)
        graph = {"nodes": [{"id": "a", "type": "operation", "label": "mul"}], "edges": []}
        tracker.db_manager.save_comp_graph(1, graph)

    return record(
        "tests/test_a.py::test_x",
        {"loss": [3.0, math.nan, 1.0, 2.0], "diverged": [math.inf]},
        config={"lr": 0.1, "opt": {"name": "adam"}},
        environment={"python": "3.11", "git_commit": None},
        end={"status": "failed", "outcome": "failed", "phase": "call", "verdict": "regressed"},
        session="a" * 32,
        do=more,
    )


def test_a_run_is_shown_whole(rich, sgtrack):
    code, out, err = sgtrack("show", "test_x")
    assert (code, err) == (cli.OK, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[:5] == [
        "run 1: tests/test_a.py::test_x",
        "status failed",
        "outcome failed in call",
        "verdict regressed",
        "ended by finished",
    ]
    assert f"session {'a' * 32}, attempt 1" in lines
    assert lines[lines.index("config:") + 1 :][:2] == ["lr 0.1", 'opt {"name":"adam"}']
    assert lines[lines.index("environment:") + 1 :][:2] == ["git_commit null", "python 3.11"]
    assert "loss 4 2 2 1 3 2 0.816497 1 █·▁▅" in lines
    assert "diverged 1 Infinity 1 ·" in lines
    assert lines[lines.index("graph nodes fingerprint") + 2 :] == [
        "graph 1",
        "",
        "besides: 1 histogram, 2 images, 3 texts",
    ]
    assert "line 0" not in out


def test_graphs_are_listed_by_name_with_their_size_and_fingerprint(record, sgtrack, said_as_json):
    def save(tracker):
        for name, n in (("loss", 3), ("model", 2_500)):
            tracker.save_comp_graph(chain(n), name=name)

    record(do=save)
    found = [fingerprint(capture(chain(n))).full for n in (3, 2_500)]
    lines = [line.split() for line in sgtrack("show", "1")[1].splitlines()]
    assert lines[-2:] == [["loss", "4", found[0][:8]], ["model", "2501", found[1][:8]]]
    code, document = said_as_json("show", "1")
    assert (code, document["n_graphs"]) == (cli.OK, 2)
    assert document["graphs"] == [
        {"name": "loss", "n_nodes": 4, "fingerprint": found[0]},
        {"name": "model", "n_nodes": 2_501, "fingerprint": found[1]},
    ]


def test_texts_are_shown_when_asked_for(rich, sgtrack):
    lines = sgtrack("show", "1", "--texts")[1].splitlines()
    assert lines[-3:] == ["text t, step 2:", "  line 2", r"  and \x1b[1m more"]


def test_a_run_as_json(rich, said_as_json):
    code, document = said_as_json("show", "1", "--texts")
    assert code == cli.OK
    assert document["format"] == "sgtrack-show"
    assert document["config"] == {"lr": 0.1, "opt": {"name": "adam"}}
    assert document["metrics"]["diverged"]["last"] == "Infinity"
    assert document["metrics"]["loss"]["n_nan"] == 1
    assert [document[f"n_{kind}"] for kind in ("graphs", "histograms", "images", "texts")] == [
        1,
        1,
        2,
        3,
    ]
    assert document["texts"][0] == {"name": "t", "step": 0, "content": "line 0\nand \x1b[1m more"}
    assert "texts" not in said_as_json("show", "1")[1]


def test_a_run_without_anything_is_shown_too(record, sgtrack):
    with closing(Tracker("experiments")) as tracker:
        tracker.set_experiment("pytest")
        tracker.start_run("plain")
        code, out, _ = sgtrack("show", "plain")
        tracker.end_run()
    assert code == cli.OK
    assert out.splitlines()[1] == "  status   running"
    assert "shown once it has ended" in out
    assert "metric" not in out
