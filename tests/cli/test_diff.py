"""`sgtrack diff`: what differs between two runs, and all of it."""

import math

import pytest

from tracking import cli
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import Kind
from tracking.queries.differences import mapping_pairs, metric_pairs
from tracking.report.data import MISSING
from tracking.summary import summarize


def test_differences_alone_are_shown_and_exit_with_1(three, sgtrack):
    code, out, err = sgtrack("diff", "1", "2")
    assert (code, err) == (cli.FOUND, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0].startswith("A: run 1, ")
    assert lines[1].endswith(", tests/test_a.py::test_x")
    assert "loss last 0.5 1.5 +200.00 %" in lines
    assert "acc n 1" in lines
    assert "lr 0.1 0.2" in lines
    assert not [line for line in lines if line.startswith(("loss std", "loss n"))]


def test_all_shows_what_is_equal_too(three, sgtrack):
    code, out, _ = sgtrack("diff", "1", "2", "--all")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == cli.FOUND
    assert "loss std 0.25 0.25" in lines
    assert "loss n 2 2" in lines


def test_a_run_is_as_itself(three, sgtrack, said_as_json):
    for run in ("1", "3"):
        code, out, _ = sgtrack("diff", run, run)
        assert (code, out.splitlines()[2:]) == (cli.OK, ["no difference"])
        code, document = said_as_json("diff", run, run)
        assert code == cli.OK
        assert not any(document[part] for part in ("metrics", "config", "environment", "graph"))
    assert said_as_json("diff", "1", "1", "--all")[1]["config"] == [
        {"name": "lr", "a": 0.1, "b": 0.1}
    ]


def test_json_leaves_out_the_side_that_has_nothing(three, said_as_json):
    code, document = said_as_json("diff", "1", "3")
    assert code == cli.FOUND
    assert (document["a"]["run_id"], document["b"]["run_id"]) == (1, 3)
    assert document["config"] == [{"name": "lr", "a": 0.1}]
    metrics = {(one["metric"], one["statistic"]): one for one in document["metrics"]}
    assert metrics["loss", "last"] == {
        "metric": "loss",
        "statistic": "last",
        "a": 0.5,
        "b": "NaN",
        "relative_change": None,
    }
    assert metrics["loss", "mean"]["b"] is None
    assert "b" not in metrics["acc", "mean"]


NAN = summarize([0], [math.nan])
ONE = summarize([0], [1.0])
TWO = summarize([0, 1], [1.0, 1.0])


@pytest.mark.parametrize(
    ("before", "after", "different"),
    [
        ({"a": ONE}, {"a": ONE}, set()),
        ({"a": NAN}, {"a": NAN}, set()),
        ({"a": ONE}, {"a": TWO}, {"n"}),
        ({"a": ONE}, {"a": NAN}, {"n_nan", "mean", "tail", "min", "max", "std", "last"}),
        ({"a": ONE}, {}, {"n", "mean", "tail", "min", "max", "std", "last"}),
    ],
)
def test_statistics_that_differ(before, after, different):
    for sides in ((before, after), (after, before)):
        pairs = metric_pairs(*sides)
        assert {pair.names[1] for pair in pairs if pair.is_different} == different


def test_mappings_are_compared_to_their_leaves():
    before = {"a": 1, "b": {"c": 1, "d": None}, "gone": 0}
    after = {"a": True, "b": {"c": 1, "d": None}}
    assert [tuple(pair) for pair in mapping_pairs(before, after)] == [
        (("a",), 1, True, True),
        (("b.c",), 1, 1, False),
        (("b.d",), None, None, False),
        (("gone",), 0, MISSING, True),
    ]


def save(run_id, labels, name="graph"):
    """Save a graph that is no graph of tensors: its operations have no results."""
    nodes = [{"id": str(i), "type": "operation", "label": x} for i, x in enumerate(labels)]
    data = {"nodes": [*nodes, {"id": "t", "type": "tensor", "label": "mul"}], "edges": []}
    return lambda tracker: tracker.db_manager.save_comp_graph(run_id, data, name=name)


def test_graphs_are_compared_by_the_number_of_their_operations(record, sgtrack):
    for run_id, labels in ((1, ["mul", "add"]), (2, ["mul", "mul", "add"])):
        record(do=save(run_id, labels))
    code, out, _ = sgtrack("diff", "1", "2")
    assert code == cli.FOUND
    assert [line.split() for line in out.splitlines()[3:]][::2] == [
        ["operation", "A", "B"],
        ["mul", "1", "2"],
    ]


def chain(*ops):
    builder = GraphBuilder("test")
    builder.add(Kind("input", label="x"))
    for number, op in enumerate(ops):
        builder.add(Kind(op), [number])
    return builder.build([len(ops)])


LONG = ["relu"] * 2_500


def save_graphs(**graphs):
    def save(tracker):
        for name, graph in graphs.items():
            tracker.db_manager.save_graph(tracker.current_run_id, graph, name.rstrip("_"))

    return save


def test_graphs_of_one_name_are_compared_node_by_node_whatever_their_order(record, said_as_json):
    record(do=save_graphs(loss=chain("add"), model=chain(*LONG), loss_=chain("exp")))
    record(do=save_graphs(model=chain("gelu", *LONG[1:]), loss=chain("add"), new=chain("add")))
    code, document = said_as_json("diff", "1", "2")
    assert code == cli.FOUND
    changed, *alone = document["graph_changes"]
    assert changed.startswith("graph 'model': changed: relu")
    assert alone == ["graph 'loss' number 2: only in A", "graph 'new': only in B"]
    counts = {one["name"]: (one.get("a"), one.get("b")) for one in document["graph"]}
    assert counts == {"add": (1, 2), "exp": (1, None), "gelu": (None, 1), "relu": (2_500, 2_499)}
