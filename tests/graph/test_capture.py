"""Which adapter captures what, and how objects that hold their inputs become a graph."""

from __future__ import annotations

import gc
import importlib.metadata
import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import InvalidArgumentError
from tracking.graph import capture as package_attribute
from tracking.graph import capture_graph
from tracking.graph.builder import GraphBuilder, walk
from tracking.graph.capture import ADAPTERS, capture
from tracking.graph.model import INPUT, PARAMETER, Kind

module = sys.modules["tracking.graph.capture"]
assert package_attribute is module, "the package must not hide its module"


@dataclass(eq=False, slots=True)
class Tensor:
    label: Any = None
    prev: Any = ()
    oper: Any = None
    shape: Any = (2, 3)
    comp_grad: Any = True
    is_leaf: Any = True


def seed_kind(op, label="", shape=(2, 3), comp_grad=True, is_leaf=True):
    attributes = (("comp_grad", comp_grad), ("is_leaf", is_leaf))
    return Kind(op, shape, label=label, attributes=attributes)


@pytest.fixture
def fresh_adapters():
    yield
    module._adapter.cache_clear()
    module._entry_points.cache_clear()


def test_seed_tensors_become_nodes_with_inputs_first():
    x, w = Tensor("x", comp_grad=False), Tensor("w")
    y = Tensor(None, [x, w, x], "f", (), is_leaf=False)
    graph = capture(Tensor("z", (y,), None))
    assert [(node.kind, list(node.inputs)) for node in graph] == [
        (seed_kind(INPUT, "x", comp_grad=False), []),
        (seed_kind(PARAMETER, "w"), []),
        (seed_kind("f", shape=(), is_leaf=False), [0, 1, 0]),
        (seed_kind("", "z"), [2]),
    ]
    assert (list(graph.outputs), graph.source, graph.is_ordered) == ([3], "seed", True)


@pytest.mark.parametrize(
    ("container", "is_ordered"), [(list, True), (tuple, True), (set, False), (frozenset, False)]
)
def test_only_sets_have_no_order(container, is_ordered):
    graph = capture(Tensor("y", container([Tensor("x")]), "f"))
    assert graph.is_ordered is is_ordered
    assert capture(Tensor("x", container())).is_ordered is True


def test_one_set_leaves_the_others_their_order():
    x, y = Tensor("x"), Tensor("y")
    graph = capture(Tensor(None, [Tensor(None, {x}, "f"), y, x], "g"))
    assert [(node.kind.op, node.kind.is_ordered) for node in graph] == [
        *((PARAMETER, True), ("f", False), (PARAMETER, True), ("g", True))
    ]
    assert list(graph[3].inputs) == [1, 2, 0]
    assert graph.is_ordered is False


def test_inputs_made_anew_at_each_look_are_captured():
    class Fresh:
        label, oper, shape, comp_grad, is_leaf = "y", "f", (), True, False
        prev = property(lambda self: [Tensor("x")])

    assert [(node.kind.label, list(node.inputs)) for node in capture(Fresh())] == [
        ("x", []),
        ("y", [0]),
    ]


def test_attributes_without_a_hash_are_captured_all_the_same():
    y = Tensor(np.str_("y"), [Tensor("x", shape=[np.int64(2), 3], comp_grad=np.True_)], "f", [4])
    graph = capture(y)
    kinds = [node.kind for node in graph]
    assert kinds == [seed_kind(PARAMETER, "x"), seed_kind("f", "y", (4,))]


def test_a_kind_that_many_have_is_there_once():
    y = Tensor("x")
    for _ in range(100):
        y = Tensor(None, [y, Tensor("w")], "f")
    assert len(capture(y).kinds) == 3


def test_a_cycle_of_tensors_is_captured_as_it_is():
    x = Tensor("x")
    f = Tensor("f", [x], "f")
    g = Tensor("g", [f], "g")
    f.prev = [x, g]
    assert [list(node.inputs) for node in capture(g)] == [[], [0, 2], [1]]


class Faulty(Tensor):
    @property
    def prev(self):
        return self.undefined


@pytest.mark.parametrize(
    "inner",
    [
        pytest.param(2.0, id="no tensor"),
        pytest.param(Tensor("y", None), id="no container"),
        pytest.param(Tensor("y", iter([])), id="iterator"),
        pytest.param(Tensor("y", shape=3), id="shape an int"),
        pytest.param(Tensor("y", shape=(2.5,)), id="shape of floats"),
        pytest.param(Tensor("y", comp_grad=np.zeros(2)), id="array as flag"),
    ],
)
def test_what_is_no_tensor_is_refused_as_by_capture_graph(inner):
    outer = Tensor("z", [inner], "f")
    with pytest.raises(InvalidArgumentError) as expected:
        capture_graph(outer)
    with pytest.raises(InvalidArgumentError) as caught:
        capture(outer)
    assert str(caught.value) == str(expected.value)


class Value:
    """As in micrograd."""

    def __init__(self, data, children=(), op=""):
        self.data, self._prev, self._op = data, set(children), op


def test_values_of_micrograd_are_captured():
    a = Value(1.0)
    graph = capture(Value(2.0, (Value(0.5, (a,), "tanh"), a), "*"))
    assert [node.kind.op for node in graph] == [INPUT, "tanh", "*"]
    assert (graph.source, graph.is_ordered) == ("micrograd", False)
    with pytest.raises(InvalidArgumentError, match="a float in the graph has no _prev"):
        capture(Value(1.0, (3.0,), "+"))


def test_an_unknown_thing_is_refused_with_all_adapters():
    with pytest.raises(InvalidArgumentError) as caught:
        capture(3.5)
    assert caught.value.argument == "thing"
    assert all(name in str(caught.value) for name in (*ADAPTERS, "builtins.float", "_prev"))


def test_a_list_that_holds_itself_is_looked_into_and_no_further():
    tree: list[Any] = [0.1]
    tree.append(tree)
    with pytest.raises(InvalidArgumentError, match="no adapter captures"):
        capture(lambda x: x, tree)


def test_a_registered_type_goes_to_its_adapter():
    class Mine:
        pass

    graph = GraphBuilder("mine", "1").build([])
    capture.register(Mine, lambda thing, *args, **options: (graph, args, options))
    assert capture(Mine(), 1, depth=2) == (graph, (1,), {"depth": 2})


def from_framework(root, base=object):
    return type("Model", (base,), {"__module__": f"{root}.models"})


@pytest.mark.parametrize("root", ["torch", "jax", "jaxlib", "onnx", "sklearn", "tinygrad"])
def test_an_object_of_a_framework_goes_to_its_adapter(root, monkeypatch, fresh_adapters):
    seen = []
    fake = types.SimpleNamespace(capture=lambda *args, **options: seen.append((args, options)))
    monkeypatch.setitem(sys.modules, ADAPTERS[root], fake)
    module._adapter.cache_clear()
    base = from_framework(root)

    class OfTheUser(base):
        pass

    thing = OfTheUser()
    capture(thing, 1, via="export")
    assert seen == [((thing, 1), {"via": "export"})]

    def function(x):
        return x

    trees = [(thing,), ([(thing, thing)],), ({"layer": {"w": thing}}, 0.1), (0.1, {"w": [thing]})]
    for args in trees:
        capture(function, *args)
    assert seen[1:] == [((function, *args), {}) for args in trees]


@pytest.mark.parametrize("kind", [str, Path])
def test_the_path_of_an_onnx_file_goes_to_its_adapter(kind, monkeypatch, fresh_adapters):
    fake = types.SimpleNamespace(capture=lambda path: f"graph of {path}")
    monkeypatch.setitem(sys.modules, ADAPTERS["onnx"], fake)
    module._adapter.cache_clear()
    assert capture(kind("net.onnx")) == "graph of net.onnx"


def test_an_entry_point_is_loaded_when_its_framework_comes_in(monkeypatch, fresh_adapters):
    loaded = []

    class EntryPoint:
        def __init__(self, name):
            self.name = name

        def load(self):
            loaded.append(self.name)
            return lambda thing: f"graph by {self.name}"

    monkeypatch.setattr(
        importlib.metadata,
        "entry_points",
        lambda group: [EntryPoint("theirs"), EntryPoint("other")] * (group == module.ENTRY_POINTS),
    )
    module._adapter.cache_clear()
    module._entry_points.cache_clear()
    assert capture(from_framework("theirs")()) == "graph by theirs"
    assert loaded == ["theirs"]
    with pytest.raises(InvalidArgumentError, match="other, sklearn, theirs, tinygrad"):
        capture(3.5)


def test_capturing_imports_no_framework_and_not_even_numpy():
    code = (
        "import sys, types; from tracking.graph.capture import ADAPTERS, capture\n"
        "capture(types.SimpleNamespace(_prev=(), _op=''))\n"
        "print([name for name in (*ADAPTERS, 'numpy') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == "[]"


def test_a_million_steps_are_walked_without_recursion():
    assert sum(1 for _ in walk([999_999], lambda n: [n - 1] * (n > 0), int)) == 1_000_000


@given(st.lists(st.lists(st.integers(0, 99), max_size=4), min_size=1, max_size=15))
def test_a_walk_gives_each_once_and_inputs_first(rows):
    inputs = [[i % number for i in row] if number else [] for number, row in enumerate(rows)]
    order = list(walk([len(rows) - 1, 0], inputs.__getitem__, int))
    assert len(set(order)) == len(order)
    assert {len(rows) - 1, 0} <= set(order)
    for position, number in enumerate(order):
        assert set(inputs[number]) <= set(order[:position])


def test_a_walk_ends_in_a_cycle():
    assert list(walk([0], {0: [1], 1: [2, 0], 2: [0, 1]}.__getitem__, int)) == [2, 1, 0]


def test_a_walk_keeps_alive_what_only_it_has_seen():
    class Wrapper:
        """Made anew at each look, as some frameworks do."""

        def __init__(self, number):
            self.number = number

    seen = []
    for wrapper in walk([Wrapper(200)], lambda w: [Wrapper(w.number - 1)] * (w.number > 0)):
        seen.append(wrapper.number)
        del wrapper
        gc.collect(0)
    assert seen == list(range(201))
