"""Which graphs are one graph to keep: those that differ in the numbers of their nodes only."""

from __future__ import annotations

import pytest

from tracking.graph.builder import GraphBuilder
from tracking.graph.capture import capture
from tracking.graph.fingerprint import fingerprint
from tracking.graph.identity import identity
from tracking.graph.model import INPUT, Kind

ROWS = (
    (Kind(INPUT, label="x"),),
    (Kind("relu", (2,), label="relu_1"), 0),
    (Kind("gelu", (2,), label="gelu_1"), 0),
    (Kind("add", (2,), attributes=(("alpha", 1),)), 1, 2),
)


def build(rows, source="test", version="1", outputs=(3,)):
    builder = GraphBuilder(source, version)
    for kind, *inputs in rows:
        builder.add(kind, inputs)
    return builder.build(outputs)


def replaced(number, *row):
    return [*ROWS[:number], row, *ROWS[number + 1 :]]


OTHERS = {
    "source": build(ROWS, source="other"),
    "version": build(ROWS, version="2"),
    "outputs": build(ROWS, outputs=(3, 1)),
    "operation": build(replaced(1, Kind("tanh", (2,), label="relu_1"), 0)),
    "shape": build(replaced(1, Kind("relu", (3,), label="relu_1"), 0)),
    "label of an operation": build(replaced(1, Kind("relu", (2,), label="relu_2"), 0)),
    "type of an attribute": build(
        replaced(3, Kind("add", (2,), attributes=(("alpha", True),)), 1, 2)
    ),
    "order of inputs": build(replaced(3, ROWS[3][0], 2, 1)),
    "one more": build([*ROWS, (Kind(INPUT),)]),
    "labels that changed places": build(
        [
            ROWS[0],
            (Kind("relu", (2,), label="gelu_1"), 0),
            (Kind("gelu", (2,), label="relu_1"), 0),
            ROWS[3],
        ]
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_graphs_that_differ_have_another_digest(what):
    assert identity(OTHERS[what]).digest != identity(build(ROWS)).digest


def test_labels_of_operations_count_where_the_fingerprint_leaves_them_out():
    same = [build(ROWS), OTHERS["label of an operation"], OTHERS["labels that changed places"]]
    assert len({fingerprint(graph).full for graph in same}) == 1
    assert len({identity(graph).digest for graph in same}) == 3


def test_labels_of_equal_operations_count_by_place():
    def graph(first, second):
        kinds = Kind("relu", label=first), Kind("relu", label=second)
        return build([(Kind(INPUT),), (kinds[0], 0), (kinds[1], 1), (Kind("out"), 2)])

    assert identity(graph("a", "b")).digest != identity(graph("b", "a")).digest


class Value:
    def __init__(self, op, prev):
        self._op, self._prev = op, prev


def test_inputs_without_an_order_are_no_inputs_in_order():
    leaf = Value("", ())
    assert len({identity(capture(Value("neg", of([leaf])))).digest for of in (list, set)}) == 2


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (0, 1, 2, 3)])
def test_the_numbers_of_nodes_do_not_count(order):
    new = {old: number for number, old in enumerate(order)}
    rows = [(ROWS[old][0], *(new[source] for source in ROWS[old][1:])) for old in order]
    graph = build(rows, outputs=[new[3]])
    assert identity(graph) == identity(build(ROWS))


def test_the_fingerprint_is_that_of_the_graph():
    assert identity(build(ROWS)).fingerprint == fingerprint(build(ROWS))
    assert identity(build([], outputs=())).fingerprint.n_nodes == 0
