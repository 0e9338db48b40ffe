"""Graphs of PyTorch: the tape of a tensor, and traced modules."""

from __future__ import annotations

import pytest

import tracking.graph.capture
from tracking.errors import InvalidArgumentError

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def torch():
    import torch

    return torch


@pytest.fixture(scope="module")
def capture():
    from tracking.graph.adapters.torch import capture

    return capture


MODELS = """
import torch
from torch import nn

def convnet():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10),
    )

class Block(nn.Module):
    def __init__(self, width=8, heads=2):
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 16), nn.GELU(), nn.Linear(16, width))
        self.heads = heads

    def forward(self, x):
        n, length, width = 2, 5, 8
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        q, k, v = (
            part.reshape(n, length, self.heads, -1).transpose(1, 2) for part in (q, k, v)
        )
        weights = torch.softmax(q @ k.transpose(-2, -1) / 2, dim=-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(n, length, width))
        return x + self.mlp(x)
"""


@pytest.fixture(scope="module")
def models(torch):
    found = {}
    exec(MODELS, found)
    return found


# Tensors


def test_a_tape_is_captured_inputs_first_with_shapes_and_saved_arguments(torch, capture, look):
    w = torch.ones(3, 2, requires_grad=True)
    b = torch.ones(2, requires_grad=True)
    graph = capture(torch.log_softmax(torch.ones(4, 3) @ w + b, -1).pow(2))
    assert [(node.kind[:3], list(node.inputs)) for node in graph] == [
        (("parameter", (3, 2), "float32"), []),
        (("constant", None, None), []),
        (("Mm", (4, 2), "float32"), [1, 0]),
        (("parameter", (2,), "float32"), []),
        (("Add", (4, 2), "float32"), [2, 3]),
        (("LogSoftmax", (4, 2), "float32"), [4]),
        (("Pow", (4, 2), "float32"), [5]),
    ]
    assert look.sources(graph, "Mm") == ["constant", "parameter"]
    assert dict(look.node_of(graph, "LogSoftmax").kind.attributes) == {"dim": -1}
    assert dict(look.node_of(graph, "Pow").kind.attributes) == {"exponent": 2}
    assert list(graph.outputs) == [6]
    assert graph.source == "torch.autograd"
    assert graph.source_version == torch.__version__
    assert look.is_in_order(graph)


@pytest.mark.parametrize(
    ("compute", "sources"),
    [
        pytest.param(lambda x, y: x - y, ["Exp", "Cos"], id="order"),
        pytest.param(lambda x, y: y - x, ["Cos", "Exp"], id="the other order"),
        pytest.param(lambda x, y: x - 1 * y.detach(), ["Exp", "constant"], id="a constant"),
        pytest.param(lambda x, y: y.detach() - x, ["constant", "Exp"], id="a constant first"),
        pytest.param(lambda x, y: x - x, ["Exp", "Exp"], id="one twice"),
    ],
)
def test_arguments_keep_their_places(torch, capture, look, compute, sources):
    x, y = (torch.ones(2, requires_grad=True) for _ in "xy")
    graph = capture(compute(x.exp(), y.cos()))
    assert look.sources(graph, "Sub") == sources
    assert look.ops(graph).count("Exp") == 1


def test_results_of_an_operation_with_several_are_told_apart(torch, capture, look):
    first, second = torch.ones(2, 3, requires_grad=True).unbind()
    graph, swapped = capture(first - second), capture(second - first)
    assert look.sources(graph, "Sub") == ["getitem", "getitem"]
    assert [
        [dict(taken[number].kind.attributes)["index"] for number in node.inputs]
        for taken in (graph, swapped)
        for node in taken
        if node.kind.op == "Sub"
    ] == [[0, 1], [1, 0]]
    assert dict(capture(second)[2].kind.attributes) == {"index": 1}


def test_a_leaf_is_one_parameter(torch, capture):
    (node,) = capture(torch.ones(2, 3, dtype=torch.float64, requires_grad=True))
    assert node.kind[:3] == ("parameter", (2, 3), "float64")


def test_an_operation_of_the_user_has_its_name(torch, capture, look):
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, gradient):
            return 2 * gradient

    graph = capture(Twice.apply(torch.ones(2, requires_grad=True)))
    assert look.ops(graph) == ["parameter", "Twice"]


def test_saved_arguments_that_are_equal_and_not_the_same_are_told_apart(torch, capture):
    x = torch.ones(2, requires_grad=True)
    y = torch.ones(2, requires_grad=True)
    for alpha in (1, 1.0, 0.0, -0.0, 1):
        y = torch.add(y, x, alpha=alpha)
    found = [node.kind.attributes for node in capture(y) if node.kind.op == "Add"]
    assert repr(found) == repr([(("alpha", alpha),) for alpha in (1, 1.0, 0.0, -0.0, 1)])


def test_a_tape_that_backward_has_used_is_captured_the_same(torch, capture, look, models):
    loss = models["convnet"]()(torch.ones(2, 3, 8, 8)).logsumexp(1).sum()
    before = look.columns(capture(loss))
    loss.backward()
    assert look.columns(capture(loss)) == before


# Modules


def test_a_module_is_traced_with_namespaces_parameters_and_settings(torch, capture, look, models):
    graph = capture(models["convnet"](), torch.ones(2, 3, 8, 8))
    assert graph.source == "torch.fx"
    assert [op for op in look.ops(graph) if op != "parameter"] == [
        *("input", "Conv2d", "BatchNorm2d", "Dropout", "ReLU", "MaxPool2d", "Flatten", "Linear"),
    ]
    conv = look.node_of(graph, "Conv2d").kind
    assert conv[1:4] == ((2, 4, 8, 8), "float32", "0")
    assert dict(conv.attributes)["padding"] == "(1, 1)"
    weight, bias = (graph[n].kind for n in look.node_of(graph, "Conv2d").inputs[1:])
    assert weight[:5] == ("parameter", (4, 3, 3, 3), "float32", "0", "weight")
    assert bias.label == "bias"
    assert graph[graph.outputs[0]].kind.op == "Linear"


def test_a_transformer_block_is_traced_both_ways(torch, capture, look, models):
    block, x = models["Block"](), torch.ones(2, 5, 8)
    by_fx, by_export = capture(block, x), capture(block, x, via="export")
    assert look.ops(by_fx).count("Linear") == look.ops(by_export).count("aten.linear") == 4
    assert look.sources(by_fx, "softmax") == ["truediv"]
    assert look.sources(by_export, "aten.softmax.int") == ["aten.div.Tensor"]
    for graph in (by_fx, by_export):
        assert look.is_in_order(graph)
        namespaces = {kind.namespace for kind in graph.kinds}
        assert {"mlp/0", "mlp/1", "mlp/2", "norm", "qkv", "out"} <= namespaces
        assert graph[graph.outputs[0]].kind[1:3] == ((2, 5, 8), "float32")


def test_export_names_parameters_and_buffers(torch, capture, models):
    graph = capture(models["convnet"](), torch.ones(2, 3, 8, 8), via="export")
    named = {f"{k.namespace}.{k.label}" for k in graph.kinds if k.op == "parameter"}
    assert named == set(models["convnet"]().state_dict())


@pytest.mark.parametrize("via", ["fx", "export"])
def test_tracing_changes_neither_buffers_nor_random_numbers(torch, capture, models, via):
    model = models["convnet"]()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    capture(model, torch.ones(2, 3, 8, 8), via=via)
    after = model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert all(type(parameter) is torch.nn.Parameter for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_shared_parameters_are_one_node(torch, capture, look):
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    apart = capture(model, torch.ones(1, 2))
    model[1].weight = model[0].weight
    tied = capture(model, torch.ones(1, 2))
    assert [look.ops(graph).count("parameter") for graph in (apart, tied)] == [4, 3]


@pytest.mark.parametrize(
    ("forward", "attributes"),
    [
        (lambda self, x, y: torch_().cat([x, y], dim=1), {"arg0": "(%, %)", "dim": 1}),
        (lambda self, x, y: torch_().clamp(x, max=y), {"max": "%"}),
        (lambda self, x, y: x[:, 0], {"arg1": "(slice(None, None, None), 0)"}),
        (lambda self, x, y: 2 - x, {"arg0": 2}),
        (lambda self, x, y: x - 2, {"arg1": 2}),
        (lambda self, x, y: x.sum(dtype=torch_().float64), {"dtype": "torch.float64"}),
    ],
)
def test_other_arguments_are_attributes(torch, capture, forward, attributes):
    module = type("Module", (torch.nn.Module,), {"forward": forward})()
    graph = capture(module, torch.ones(2, 2), torch.ones(2, 2))
    assert dict(graph[graph.outputs[0]].kind.attributes) == attributes


def torch_():
    import torch

    return torch


@pytest.mark.parametrize(
    ("arguments", "options", "argument", "problem"),
    [
        ("3", {}, "thing", "is a int; pass a torch.Tensor or a torch.nn.Module"),
        ("torch.ones(2)", {}, "thing", "the tensor has no graph: nothing it was made from takes"),
        ("nn.ReLU()", {}, "args", "a ReLU is traced with inputs; pass example inputs"),
        ("nn.ReLU(), torch.ones(2)", {"via": "x"}, "via", "is 'x'; choose one of fx, export"),
        ("nn.Linear(2, 3), torch.ones(4)", {}, "args", "Linear cannot be traced with these inputs"),
        (
            "nn.Linear(2, 3), torch.ones(4)",
            {"via": "export"},
            "args",
            "Linear cannot be traced with these inputs",
        ),
        ("Branching(), torch.ones(4)", {}, "thing", "torch.fx cannot trace Branching"),
    ],
)
def test_what_cannot_be_captured_is_refused_with_the_reason(
    torch, capture, capfd, arguments, options, argument, problem
):
    class Branching(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    given = eval(f"({arguments},)", {"torch": torch, "nn": torch.nn, "Branching": Branching})
    with pytest.raises(InvalidArgumentError) as caught:
        capture(*given, **options)
    assert caught.value.argument == argument
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "what",
    [
        "convnet()(torch.ones(2, 3, 8, 8)).sum()",
        "convnet(), torch.ones(2, 3, 8, 8)",
        "Block()(torch.ones(2, 5, 8)).sum()",
        "Block(), torch.ones(2, 5, 8)",
    ],
)
def test_a_graph_is_the_same_in_every_process(torch, capture, look, models, what):
    script = f"from tracking.graph.adapters.torch import capture\ngraph = capture({what})"
    here = capture(*eval(f"({what},)", dict(models)))
    look.assert_same_in_other_processes(MODELS + script, here)


def test_tensors_and_modules_find_their_adapter(torch, look, models):
    find = tracking.graph.capture.capture
    assert find(torch.ones(2, requires_grad=True).exp()).source == "torch.autograd"
    assert find(models["Block"](), torch.ones(2, 5, 8)).source == "torch.fx"
