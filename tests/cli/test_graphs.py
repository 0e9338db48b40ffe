"""`sgtrack graph`: one of a run's graphs, in the form asked for."""

import json

import pytest

from tracking import cli
from tracking.cli.output import TROUBLE
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import INPUT, Kind
from tracking.graph.seed import json_of_graph
from tracking.graph.text import graph_of_text, text_of


def chain(op, n):
    builder = GraphBuilder("test")
    builder.add(Kind(INPUT, label="x"))
    for number in range(n):
        builder.add(Kind(op), [number])
    return builder.build([n])


GRAPHS = [("loss", chain("exp", 1)), ("model", chain("relu", 2_500)), ("loss", chain("log", 1))]


@pytest.fixture
def run(record):
    def save(tracker):
        for name, graph in GRAPHS:
            tracker.db_manager.save_graph(1, graph, name)

    return record(do=save)


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ((), 0),
        (("--number", "2"), 1),
        (("--name", "model"), 1),
        (("--name", "loss"), 0),
        (("--name", "loss", "--number", "2"), 2),
    ],
)
def test_a_graph_is_chosen_by_name_and_number(run, sgtrack, options, number):
    code, out, err = sgtrack("graph", "1", *options)
    assert (code, err) == (cli.OK, "")
    assert out == text_of(GRAPHS[number][1]) == text_of(graph_of_text(out))


def test_a_packed_graph_is_whole_in_every_format(run, sgtrack):
    graph = GRAPHS[1][1]
    said = {
        name: sgtrack("graph", "1", "--name", "model", "--format", name)[1]
        for name in ("json", "dot", "mermaid", "model-explorer")
    }
    assert json.loads(said["json"]) == json_of_graph(graph)
    assert said["dot"].count("relu") == 2_500
    assert "2501 nodes" not in said["mermaid"]
    assert "nodes" in said["mermaid"]
    (collection,) = json.loads(said["model-explorer"])["graphs"]
    assert (collection["id"], len(collection["nodes"])) == ("model", 2_501)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--number", "4"), "has 3 graphs, and no number 4; it has 'loss', 'model'"),
        (("--name", "x"), "has 0 graphs named 'x', and no number 1; it has 'loss', 'model'"),
        (("--name", "model", "--number", "2"), "has 1 graph named 'model', and no number 2"),
    ],
)
def test_a_graph_that_is_not_there_is_told_from_those_that_are(run, sgtrack, options, problem):
    code, out, err = sgtrack("graph", "1", *options)
    assert (code, out) == (TROUBLE, "")
    assert problem in err


def test_a_run_without_graphs_says_how_to_get_one(record, sgtrack):
    record()
    assert "has 0 graphs, and no number 1; tracker.save_comp_graph()" in sgtrack("graph", "1")[2]
