"""Fingerprints: equal for equal graphs however they are numbered, different for any other."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tracking.graph.builder import GraphBuilder
from tracking.graph.fingerprint import VERSION, fingerprint
from tracking.graph.model import CONSTANT, INPUT, PARAMETER, Graph, Kind
from tracking.graph.text import graph_of_text

ROOT = Path(__file__).parents[2]
SAMPLE = json.loads((ROOT / "tests/assets/graph_v1.json").read_text())


def graph_of(rows, outputs=None, is_ordered=True):
    """A graph of rows (kind, inputs); a kind may be just its operation."""
    builder = GraphBuilder("test", is_ordered=is_ordered)
    for kind, inputs in rows:
        builder.add(kind if isinstance(kind, Kind) else Kind(kind), inputs)
    return builder.build([len(rows) - 1] if outputs is None else outputs)


@st.composite
def rows_of_nodes(draw, max_inputs=4):
    n = draw(st.integers(1, 12))
    rows = []
    for number in range(n):
        size = draw(st.integers(0, max_inputs)) if number else 0
        inputs = draw(st.lists(st.integers(0, max(number - 1, 0)), min_size=size, max_size=size))
        op = draw(st.sampled_from(["add", "mul", "relu"] if inputs else [INPUT, PARAMETER]))
        shape = draw(st.sampled_from([None, (), (2, 3), ("n", 3)]))
        rows.append((Kind(op, shape, label=draw(st.sampled_from("ab"))), inputs))
    return rows


def renumbered(rows, outputs, keys):
    """The same rows in another order that has inputs before their users."""
    order: list[int] = []
    while len(order) < len(rows):
        ready = [
            n for n, (_, inputs) in enumerate(rows) if n not in order and {*inputs} <= {*order}
        ]
        order.append(min(ready, key=keys.__getitem__))
    new = {old: number for number, old in enumerate(order)}
    return [(rows[old][0], [new[i] for i in rows[old][1]]) for old in order], [
        new[number] for number in outputs
    ]


def used(rows):
    """Those that the last one needs, renumbered: the rest could not be told from no change."""
    needed = {len(rows) - 1}
    for number in reversed(range(len(rows))):
        if number in needed:
            needed.update(rows[number][1])
    new = {old: number for number, old in enumerate(sorted(needed))}
    return [(rows[old][0], [new[i] for i in rows[old][1]]) for old in sorted(needed)]


@given(rows_of_nodes(), st.permutations(range(12)), st.booleans())
def test_the_numbers_of_nodes_do_not_matter(rows, keys, is_ordered):
    outputs = [len(rows) - 1, 0]
    same = renumbered(rows, outputs, keys)
    assert fingerprint(graph_of(rows, outputs, is_ordered)) == fingerprint(
        graph_of(*same, is_ordered)
    )


@given(rows_of_nodes(), st.data())
def test_without_an_order_of_inputs_theirs_does_not_matter(rows, data):
    shuffled = [(kind, data.draw(st.permutations(inputs))) for kind, inputs in rows]
    assert fingerprint(graph_of(rows, is_ordered=False)) == fingerprint(
        graph_of(shuffled, is_ordered=False)
    )


@given(rows_of_nodes(), st.data(), st.booleans())
def test_another_operation_changes_both_digests(rows, data, is_ordered):
    rows = used(rows)
    number = data.draw(st.integers(0, len(rows) - 1))
    changed = [*rows]
    changed[number] = (rows[number][0]._replace(op="exp"), rows[number][1])
    before, after = (fingerprint(graph_of(r, is_ordered=is_ordered)) for r in (rows, changed))
    assert before.structure != after.structure
    assert before.full != after.full


@given(rows_of_nodes(), st.data())
def test_another_shape_changes_the_full_digest_alone(rows, data):
    number = data.draw(st.integers(0, len(rows) - 1))
    changed = [*rows]
    changed[number] = (rows[number][0]._replace(shape=(7,), dtype="int8"), rows[number][1])
    before, after = fingerprint(graph_of(rows)), fingerprint(graph_of(changed))
    assert before.structure == after.structure
    assert before.full != after.full


@given(rows_of_nodes(), st.data())
def test_a_node_copied_instead_of_shared_changes_both(rows, data):
    rows = used(rows)
    uses = [(n, port) for n, (_, inputs) in enumerate(rows) for port in range(len(inputs))]
    assume(uses)
    user, port = data.draw(st.sampled_from(uses))
    source = rows[user][1][port]
    assume(sum(inputs.count(source) for _, inputs in rows) > 1)
    # The copy goes right behind its original.
    moved = [(kind, [i + (i > source) for i in inputs]) for kind, inputs in rows]
    moved.insert(source + 1, moved[source])
    moved[user + 1][1][port] = source + 1
    before, after = fingerprint(graph_of(rows)), fingerprint(graph_of(moved))
    assert before.structure != after.structure
    assert before.full != after.full


@given(rows_of_nodes(), st.data())
def test_an_edge_from_another_node_changes_both(rows, data):
    rows = used(rows)
    uses = [(n, p) for n, (_, inputs) in enumerate(rows) for p in range(len(inputs)) if n > 1]
    assume(uses)
    user, port = data.draw(st.sampled_from(uses))
    other = data.draw(st.integers(0, user - 1))
    ops = {i: rows[i][0].op + str(len(rows[i][1])) for i in (other, rows[user][1][port])}
    assume(len(set(ops.values())) == 2)
    changed = [(kind, [*inputs]) for kind, inputs in rows]
    changed[user][1][port] = other
    assert fingerprint(graph_of(rows)).structure != fingerprint(graph_of(changed)).structure


X, Y = Kind(INPUT, label="x"), Kind(INPUT, label="y")
TOWERS = [(X, []), (X, []), ("f", [0]), ("f", [1])]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param([(X, []), ("mul", [0, 0])], [(X, []), (X, []), ("mul", [0, 1])], id="x*x"),
        pytest.param(
            [("a", []), ("b", []), ("-", [0, 1])], [("a", []), ("b", []), ("-", [1, 0])], id="ports"
        ),
        pytest.param(
            [("a", []), ("b", []), ("-", [0, 1]), ("-", [1, 0]), ("-", [2, 3])],
            [("a", []), ("b", []), ("-", [0, 1]), ("-", [1, 0]), ("-", [3, 2])],
            id="ports of alike nodes",
        ),
        pytest.param(
            [
                ("a", []),
                ("b", []),
                ("c", []),
                ("d", []),
                ("f", [0, 1]),
                ("f", [2, 3]),
                ("f", [4, 5]),
            ],
            [
                ("a", []),
                ("b", []),
                ("c", []),
                ("d", []),
                ("f", [0, 2]),
                ("f", [1, 3]),
                ("f", [4, 5]),
            ],
            id="inner ports of a balanced tree",
        ),
        pytest.param(
            [*TOWERS, ("g", [2, 2, 3]), ("h", [2, 4])],
            [*TOWERS, ("g", [2, 2, 3]), ("h", [3, 4])],
            id="which of two alike",
        ),
        pytest.param(
            [(X, []), ("f", [0]), ("g", [1])], [(X, []), ("g", [0]), ("f", [1])], id="f g"
        ),
        pytest.param(
            [(Kind("f", attributes=(("a", 1),)), [])],
            [(Kind("f", attributes=(("a", True),)), [])],
            id="1 is not True",
        ),
        pytest.param(
            [("x", []), ("cat", [0, 0, 0])], [("x", []), ("cat", [0, 0, 0, 0])], id="one input more"
        ),
        pytest.param(
            [("x", []), ("y", []), ("cat", [0, 0, 0, 1])],
            [("x", []), ("y", []), ("cat", [0, 0, 1, 0])],
            id="later ports",
        ),
    ],
)
def test_what_looks_alike_is_told_apart(left, right):
    assert fingerprint(graph_of(left)).structure != fingerprint(graph_of(right)).structure


def test_one_kind_that_looks_like_another_is_interned_apart():
    graph = graph_of([(Kind("f", attributes=(("a", value),)), []) for value in (1, 1.0, True, 1)])
    assert list(graph.kind_of) == [0, 1, 2, 0]


def test_which_nodes_are_outputs_counts_and_in_which_order():
    rows = [(X, []), ("f", [0]), ("g", [0])]
    digests = {fingerprint(graph_of(rows, outputs)).structure for outputs in ([1, 2], [2, 1], [1])}
    assert len(digests) == 3


@pytest.mark.parametrize("op", [INPUT, PARAMETER, CONSTANT])
def test_labels_of_leaves_count_in_the_full_digest_only(op):
    before, after = (fingerprint(graph_of([(Kind(op, label=label), [])])) for label in "ab")
    assert before.structure == after.structure
    assert before.full != after.full


def test_labels_of_operations_count_in_neither():
    before, after = (fingerprint(graph_of([(Kind("relu", label=label), [])])) for label in "ab")
    assert before == after


CYCLE = [("x", []), ("f", [0, 2]), ("g", [1]), ("h", [2])]


def test_a_cycle_has_a_fingerprint_that_knows_its_length_and_not_its_numbers():
    other_numbers = [("x", []), ("g", [2]), ("f", [0, 1]), ("h", [1])]
    longer = [("x", []), ("f", [0, 3]), ("g", [1]), ("g", [2]), ("h", [3])]
    known = fingerprint(graph_of(CYCLE))
    assert known == fingerprint(graph_of(other_numbers))
    assert known.structure != fingerprint(graph_of(longer)).structure


def test_no_node_at_all_has_a_fingerprint():
    known = fingerprint(graph_of([], []))
    assert known.n_nodes == 0
    assert known.structure == known.full


def test_a_fingerprint_never_changes_within_a_version():
    graph = graph_of_text("\n".join(SAMPLE["text"]) + "\n")
    assert dataclasses.asdict(fingerprint(graph)) == SAMPLE["fingerprint"]
    assert SAMPLE["fingerprint"]["version"] == VERSION


@pytest.mark.parametrize("seed", ["1", "2"])
def test_a_fingerprint_is_the_same_in_every_process(seed):
    code = (
        "import sys; from tracking.graph.fingerprint import fingerprint\n"
        "from tracking.graph.text import graph_of_text\n"
        "print(fingerprint(graph_of_text(sys.stdin.read())).full)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="\n".join(SAMPLE["text"]) + "\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.strip() == SAMPLE["fingerprint"]["full"]


def test_columns_of_any_kind_give_the_same_fingerprint():
    graph = graph_of([(X, []), (Y, []), ("f", [0, 1, 0])])
    columns = ("kind_of", "starts", "inputs", "outputs")
    lists = {name: list(getattr(graph, name)) for name in columns}
    assert fingerprint(dataclasses.replace(graph, **lists)) == fingerprint(graph)
    assert isinstance(graph, Graph)
