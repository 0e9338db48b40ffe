"""Modules with numbers for names: one more or less changes the numbers behind it, and only them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.graph.builder import GraphBuilder
from tracking.graph.diff import diff, lines
from tracking.graph.fingerprint import fingerprint
from tracking.graph.model import INPUT, PARAMETER, Kind
from tracking.graph.renumber import first_names, new_numbers

SHAPE = (4, 8)
WIDTH = 8


class Net:
    """Builds sequences of modules as frameworks name them."""

    def __init__(self, has_dotted_labels=False):
        self.builder = GraphBuilder("test")
        self.has_dotted_labels = has_dotted_labels
        self.last = self.builder.add(Kind(INPUT, SHAPE, label="x"))

    def parameter(self, path, name, shape):
        if self.has_dotted_labels:
            label = f"{path.replace('/', '.')}.{name}"
            return self.builder.add(Kind(PARAMETER, shape, label=label))
        return self.builder.add(Kind(PARAMETER, shape, namespace=path, label=name))

    def add(self, op, path, *others):
        self.last = self.builder.add(Kind(op, SHAPE, namespace=path), [self.last, *others])

    def linear(self, path):
        weight = self.parameter(path, "weight", (WIDTH, WIDTH))
        self.add("matmul", path, weight)
        self.add("add", path, self.parameter(path, "bias", (WIDTH,)))

    def norm(self, path):
        scale = self.parameter(path, "weight", (WIDTH,))
        self.add("norm", path, scale)

    def block(self, path):
        """A residual block, which is a sequence itself."""
        start = self.last
        self.sequence(["linear", "relu"], path)
        self.add("add", path, start)

    def sequence(self, layers, path):
        for number, layer in enumerate(layers):
            place = f"{path}/{number}" if path else f"{number}"
            if hasattr(self, layer):
                getattr(self, layer)(place)
            else:
                self.add(layer, place)
        return self

    def graph(self):
        return self.builder.build([self.last])


def net(layers, path="net", has_dotted_labels=False):
    return Net(has_dotted_labels).sequence(layers, path).graph()


N_NODES = {"linear": 4, "norm": 2, "block": 6}
LAYERS = ["linear", "norm", "block", "relu", "tanh", "dropout"]


def ops_of(layer):
    return Counter(node.kind.op for node in net([layer])) - Counter([INPUT])


def counts(difference):
    return len(difference.added), len(difference.removed), len(difference.changed)


layers_of_a_net = st.lists(st.sampled_from(LAYERS), min_size=1, max_size=8)
ways_to_name = pytest.mark.parametrize(
    ("path", "has_dotted_labels"), [("net", False), ("", False), ("", True), ("a/b", True)]
)


@ways_to_name
@given(layers=layers_of_a_net, layer=st.sampled_from(LAYERS), data=st.data())
def test_a_layer_put_anywhere_is_exactly_its_own_nodes(
    path, has_dotted_labels, layers, layer, data
):
    place = data.draw(st.integers(0, len(layers)))
    longer = [*layers[:place], layer, *layers[place:]]
    before, after = (net(of, path, has_dotted_labels) for of in (layers, longer))
    there, back = diff(before, after), diff(after, before)
    assert (there.removed, there.changed) == ((), ())
    assert Counter(after[number].kind.op for number in there.added) == ops_of(layer)
    assert (back.added, back.changed) == ((), ())
    assert back.removed == there.added
    assert set(back.renumbered) == {(new, old) for old, new in there.renumbered}
    assert fingerprint(before).full != fingerprint(after).full


@pytest.mark.parametrize(
    ("before", "after", "expected", "first"),
    [
        pytest.param(
            ["linear", "relu", "linear", "tanh"],
            ["linear", "relu", "norm", "linear", "tanh"],
            (2, 0, 0),
            "net/2",
            id="one more",
        ),
        pytest.param(
            ["linear", "relu", "norm", "linear", "tanh"],
            ["linear", "relu", "linear", "tanh"],
            (0, 2, 0),
            "net/3",
            id="one less",
        ),
        pytest.param(
            ["linear", "relu", "linear", "tanh"],
            ["norm", "norm", "linear", "relu", "linear", "tanh"],
            (4, 0, 0),
            "net/0",
            id="two more in front",
        ),
        pytest.param(
            ["linear", "norm", "tanh", "linear", "linear", "relu", "relu"],
            ["linear", "tanh", "linear", "linear", "dropout", "gelu", "relu", "relu"],
            (2, 2, 0),
            "net/2",
            id="one less and two more behind",
        ),
        pytest.param(
            ["linear", "relu", "block"],
            ["tanh", "linear", "gelu", "block"],
            (1, 0, 1),
            "net/0",
            id="one more and one changed behind it",
        ),
        pytest.param(
            ["linear", "relu", "linear"],
            ["linear", "relu", "linear", "norm"],
            (2, 0, 0),
            None,
            id="one more at the end",
        ),
        pytest.param(
            ["linear", "relu", "norm"],
            ["linear", "gelu", "norm"],
            (0, 0, 1),
            None,
            id="another activation",
        ),
    ],
)
def test_what_is_behind_a_layer_is_named_once_and_has_not_changed(before, after, expected, first):
    difference = diff(net(before), net(after))
    assert counts(difference) == expected
    said = [line for line in lines(difference) if "renumbered" in line]
    assert said == ([f"namespaces {first}.. renumbered"] if first else [])


def test_a_changed_node_behind_a_new_layer_says_what_changed_and_not_its_number():
    difference = diff(net(["linear", "relu", "norm"]), net(["tanh", "linear", "gelu", "norm"]))
    assert lines(difference) == [
        "changed: relu in net/1 [4, 8]: op relu -> gelu",
        "added: tanh in net/0 [4, 8]",
        "namespaces net/0.. renumbered",
    ]


def test_an_inner_sequence_moves_with_the_module_it_is_in():
    difference = diff(net(["linear", "block", "norm"]), net(["linear", "tanh", "block", "norm"]))
    assert counts(difference) == (1, 0, 0)
    assert ("net/1/0", "net/2/0") in difference.renumbered
    assert first_names(difference.renumbered) == ["net/1"]


def test_two_sequences_are_named_on_one_line():
    def two(first, second):
        both = Net().sequence(first, "encoder")
        return both.sequence(second, "decoder").graph()

    before = two(["linear", "relu"], ["norm", "tanh"])
    after = two(["tanh", "linear", "relu"], ["norm", "relu", "tanh"])
    assert lines(diff(before, after))[-1] == "namespaces decoder/1.., encoder/0.. renumbered"


def with_names(*names):
    builder = GraphBuilder("test")
    last = builder.add(Kind(INPUT))
    for number, name in enumerate(names):
        last = builder.add(Kind(f"op{number}", namespace=name), [last])
    return builder.build([last])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(["net/0", "net/1"], ["net/1", "net/0"], id="exchanged"),
        pytest.param(["net/0", "net/1"], ["net/0", "net/0"], id="one for two"),
        pytest.param(["net/0", "net/1"], ["net/0", "net/one"], id="a word for a number"),
        pytest.param(["net/0", "net/1"], ["net/0", "net/1/0"], id="deeper"),
        pytest.param(["net/0", "net/1"], ["net/0", "net/01"], id="no number of a place"),
        pytest.param(["net/0", "net/1"], ["net/0", "net/2"], id="nothing added"),
        pytest.param(["a/0", "b/1"], ["c/0", "b/1"], id="another name"),
    ],
)
def test_other_changes_of_names_are_changes(before, after):
    difference = diff(with_names(*before), with_names(*after))
    assert difference.changed
    assert not difference.renumbered
    assert all("namespace" in line and "renumbered" not in line for line in lines(difference))


@pytest.mark.parametrize(
    ("before", "after", "numbers"),
    [
        (["n/0", "n/1", "n/2"], ["n/0", "n/2", "n/3"], {"n/": {0: 0, 1: 2, 2: 3}}),
        (["n/0", "n/1", "m/1"], ["n/0", "n/2", "m/1"], {"n/": {0: 0, 1: 2}}),
        (["n/0/5", "n/1/6"], ["n/1/5", "n/2/7"], {"n/": {0: 1, 1: 2}, "n/1/": {6: 7}}),
        (["n/0", "n/1"], ["n/0", "n/1"], {}),
        (["n/0", "n/1", "n/1"], ["n/1", "n/0", "n/0"], {"n/": {1: 0}}),
        (["n/0", "n/0", "n/0"], ["n/1", "n/0", "n/1"], {"n/": {0: 1}}),
    ],
)
def test_numbers_are_brought_in_line_where_the_order_is_kept(before, after, numbers):
    graphs = with_names(*before), with_names(*after)
    partners = {number: number for number in range(len(before) + 1)}
    assert new_numbers(*graphs, partners) == numbers
