"""Differences of graphs: what changed is reported, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.graph.builder import GraphBuilder
from tracking.graph.diff import diff, lines
from tracking.graph.fingerprint import fingerprint
from tracking.graph.model import INPUT, PARAMETER, Kind


def graph_of(rows, outputs=None, is_ordered=True):
    builder = GraphBuilder("test", is_ordered=is_ordered)
    for kind, inputs in rows:
        builder.add(kind if isinstance(kind, Kind) else Kind(kind), inputs)
    return builder.build([len(rows) - 1] if outputs is None else outputs)


def net(layers, has_names=False, is_ordered=True):
    """Rows of a chain of layers, each the name of its activation: w, matmul, activation, add."""
    rows = [(Kind(INPUT, (4, 8), label="x"), [])]
    for number, activation in enumerate(layers):
        name = f"w{number}" if has_names else ""
        x, n = len(rows) - 1, len(rows)
        rows += [
            (Kind(PARAMETER, (8, 8), label=name), []),
            (Kind("matmul", (4, 8)), [x, n]),
            (Kind(activation, (4, 8)), [n + 1]),
            (Kind("add", (4, 8)), [n + 2, x]),
        ]
    return graph_of(rows, is_ordered=is_ordered)


def counts(difference):
    return len(difference.added), len(difference.removed), len(difference.changed)


both_orders = pytest.mark.parametrize("is_ordered", [True, False])
named = pytest.mark.parametrize("has_names", [True, False])
places = pytest.mark.parametrize("place", [0, 100, 199])


@both_orders
@named
@places
def test_a_swapped_activation_in_a_deep_net_is_one_changed_node(place, has_names, is_ordered):
    before = net(["relu"] * 200, has_names, is_ordered)
    layers = ["relu"] * 200
    layers[place] = "gelu"
    difference = diff(before, net(layers, has_names, is_ordered))
    assert counts(difference) == (0, 0, 1)
    assert lines(difference) == ["changed: relu [4, 8]: op relu -> gelu"]


@both_orders
@places
def test_an_added_layer_is_its_own_operations_and_no_others(place, is_ordered):
    before, layers = net(["relu"] * 200, is_ordered=is_ordered), ["relu"] * 200
    layers.insert(place, "relu")
    assert counts(diff(before, net(layers, is_ordered=is_ordered))) == (4, 0, 0)
    assert counts(diff(net(layers, is_ordered=is_ordered), before)) == (0, 4, 0)


@places
def test_an_added_operation_is_alone(place):
    before = [("x", [])] + [(f"op{i % 3}", [i]) for i in range(200)]
    after = [("x", [])] + [("dropout" if i == place else f"op{i % 3}", [i]) for i in range(200)]
    assert counts(diff(graph_of(before), graph_of(after))) == (0, 0, 1)
    longer = [*before[: place + 1], ("dropout", [place])]
    longer += [(op, [i + 1 for i in inputs]) for op, inputs in before[place + 1 :]]
    difference = diff(graph_of(before), graph_of(longer))
    assert counts(difference) == (1, 0, 0)
    assert lines(difference) == ["added: dropout"]


def test_another_batch_size_changes_shapes_and_adds_nothing():
    before, after = (
        graph_of([(Kind(INPUT, (n, 2)), []), (Kind("f", (n, 2)), [0]), (Kind("g", (n,)), [1])])
        for n in (4, 8)
    )
    assert diff(before, after).changed == ((0, 0), (1, 1), (2, 2))


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        pytest.param(("-", [0, 1]), ("-", [1, 0]), ((2, 2),), id="ports exchanged"),
        pytest.param(("f", [0, 1]), ("f", [0, 0, 1]), ((2, 2),), id="one input more"),
        pytest.param(("f", [0, 1]), ("f", [0, 1, 1]), ((2, 2),), id="the last twice"),
    ],
)
def test_a_node_that_takes_other_inputs_is_changed(before, after, changed):
    leaves = [(Kind(INPUT, label="a"), []), (Kind(INPUT, label="b"), [])]
    difference = diff(graph_of([*leaves, before]), graph_of([*leaves, after]))
    assert difference.changed == changed
    assert "takes" in lines(difference)[0]


def test_outputs_in_another_order_are_changed():
    rows = [("x", []), ("f", [0]), ("g", [0])]
    assert counts(diff(graph_of(rows, [1, 2]), graph_of(rows, [2, 1]))) == (0, 0, 2)


KINDS = [
    Kind("relu", (2,), "float32", "net/0"),
    Kind("gelu", (2,), "float32", "net/0"),
    Kind("relu", (2, 3), "float32", "net/0"),
    Kind("relu", (2,), "float64", "net/0"),
    Kind("relu", (2,), "float32", "net/1"),
    Kind("relu", (2,), "float32", "net/0", attributes=(("alpha", 0.5),)),
    Kind("relu", None, None, "net/0"),
]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (KINDS[1], "op relu -> gelu"),
        (KINDS[2], "shape [2] -> [2, 3]"),
        (KINDS[3], "dtype float32 -> float64"),
        (KINDS[4], "namespace net/0 -> net/1"),
        (KINDS[5], "attributes [] -> (alpha=0.5)"),
        (KINDS[6], "shape [2] -> ?, dtype float32 -> ?"),
    ],
)
def test_a_line_says_what_differs(kind, text):
    before, after = (graph_of([("x", []), (k, [0]), ("f", [1])]) for k in (KINDS[0], kind))
    assert lines(diff(before, after)) == [f"changed: relu in net/0 float32[2]: {text}"]


def test_lines_are_limited_and_say_how_many_are_missing():
    before, after = graph_of([("x", [])]), graph_of([("x", []), *[("f", [i]) for i in range(30)]])
    shown = lines(diff(before, after), limit=5)
    assert len(shown) == 6
    assert shown[-1] == "... and 25 more"
    assert lines(diff(before, before)) == []


def test_graphs_that_know_the_order_of_inputs_and_do_not_say_so():
    rows = [("x", []), ("f", [0])]
    before, after = graph_of(rows), graph_of(rows, is_ordered=False)
    assert lines(diff(before, after)) == ["the order of inputs is known in one of the graphs only"]


@st.composite
def random_rows(draw):
    """Rows of a graph in which all but the last are used."""
    n = draw(st.integers(2, 15))
    rows = [(Kind(INPUT, (2,), label="x"), [])]
    for number in range(1, n):
        others = draw(st.lists(st.integers(0, number - 1), max_size=2))
        # The one before comes first, so that nothing is left over.
        rows.append(
            (Kind(draw(st.sampled_from(["add", "mul", "exp"])), (2,)), [number - 1, *others])
        )
    return rows


@given(random_rows(), st.booleans())
def test_a_graph_does_not_differ_from_itself(rows, is_ordered):
    assert counts(diff(graph_of(rows, None, is_ordered), graph_of(rows, None, is_ordered))) == (
        *(0, 0, 0),
    )


@given(random_rows(), random_rows())
def test_the_other_direction_is_the_same_difference(left, right):
    before, after = graph_of(left), graph_of(right)
    there, back = diff(before, after), diff(after, before)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert set(there.changed) == {(a, b) for b, a in back.changed}


@given(random_rows(), random_rows())
def test_there_is_a_difference_exactly_where_fingerprints_differ(left, right):
    before, after = graph_of(left), graph_of(right)
    assert bool(diff(before, after)) == (fingerprint(before) != fingerprint(after))


@given(random_rows(), random_rows())
def test_nodes_before_less_removed_plus_added_are_nodes_after(left, right):
    difference = diff(graph_of(left), graph_of(right))
    assert len(left) - len(difference.removed) + len(difference.added) == len(right)


@given(random_rows(), st.data(), st.sampled_from([{"op": "tanh"}, {"shape": (9,)}]))
def test_one_changed_kind_is_one_changed_node(rows, data, change):
    number = data.draw(st.integers(0, len(rows) - 1))
    changed = [*rows]
    changed[number] = (rows[number][0]._replace(**change), rows[number][1])
    if number == 0 and "op" in change:
        return
    assert diff(graph_of(rows), graph_of(changed)).changed == ((number, number),)


@given(random_rows(), st.data())
def test_one_node_put_between_is_one_added_node(rows, data):
    user = data.draw(st.integers(1, len(rows) - 1))
    port = data.draw(st.integers(0, len(rows[user][1]) - 1))
    longer = [(kind, [i + (i >= user) for i in inputs]) for kind, inputs in rows]
    longer.insert(user, (Kind("dropout", (2,)), [rows[user][1][port]]))
    longer[user + 1][1][port] = user
    difference = diff(graph_of(rows), graph_of(longer))
    assert (difference.added, difference.removed, difference.changed) == ((user,), (), ())
