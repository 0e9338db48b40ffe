"""Graphs of tinygrad tensors."""

from __future__ import annotations

import pytest

import tracking.graph.capture
from tracking.errors import InvalidArgumentError
from tracking.graph.model import Kind

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def tensor():
    with pytest.MonkeyPatch.context() as patch:
        # The one device that needs no compiler.
        patch.setenv("DEV", "PYTHON")
        from tinygrad import Tensor

        yield Tensor


@pytest.fixture(scope="module")
def capture(tensor):
    from tracking.graph.adapters.tinygrad import capture

    return capture


def test_a_tensor_becomes_its_operations(tensor, capture, look):
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    graph = capture((x.exp2() + 1.0).permute(1, 0))
    assert look.sources(graph, "EXP2") == ["RESHAPE"]
    assert graph[graph.outputs[0]].kind == Kind(
        "PERMUTE", (2, 2), "float32", attributes=(("arg", "(1, 0)"),)
    )
    assert ("input", (4,), "float32") in [kind[:3] for kind in graph.kinds]
    assert look.is_in_order(graph)
    assert graph.source == "tinygrad"


def test_order_and_repetition_are_kept(tensor, capture, look):
    x, y = tensor([1.0, 2.0]).exp2(), tensor([3.0, 4.0]).sin()
    first, second = look.sources(capture(x * y), "MUL")
    assert {first, second} == {"EXP2", "SIN"}
    assert look.sources(capture(x * x), "MUL") == ["EXP2", "EXP2"]
    assert len(capture(x * x)) < len(capture(x * tensor([1.0, 2.0]).exp2()))


def test_running_numbers_are_no_part_of_a_graph(tensor, capture, look):
    def graph():
        return look.columns(capture((tensor([1.0, 2.0]) @ tensor([3.0, 4.0])).relu()))

    assert graph() == graph()


def test_what_is_no_tensor_is_refused(capture):
    with pytest.raises(InvalidArgumentError, match=r"is a int; pass a tinygrad\.Tensor or a UOp"):
        capture(3)


SCRIPT = """
import os
os.environ["DEV"] = "PYTHON"
from tinygrad import Tensor
from tracking.graph.adapters.tinygrad import capture
x = Tensor([[1.0, 2.0]])
graph = capture((x @ Tensor.rand(2, 3)).relu().sum())
"""


def test_a_graph_is_the_same_in_every_process(look):
    look.assert_same_in_other_processes(SCRIPT)


def test_tensors_and_uops_find_their_adapter(tensor):
    x = tensor([1.0, 2.0]).exp2()
    for thing in (x, x.uop):
        assert tracking.graph.capture.capture(thing).source == "tinygrad"
