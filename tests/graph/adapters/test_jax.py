"""Graphs of JAX functions."""

from __future__ import annotations

import pytest

import tracking.graph.capture
from tracking.errors import InvalidArgumentError

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def jax():
    import jax

    return jax


@pytest.fixture(scope="module")
def capture():
    from tracking.graph.adapters.jax import capture

    return capture


MLP = """
import jax, jax.numpy as jnp

def mlp(params, x):
    for w, b in params:
        x = jax.nn.relu(x @ w + b)
    return x.mean()

params = [(jnp.ones((3, 4)), jnp.zeros(4)), (jnp.ones((4, 2)), jnp.zeros(2))]
x = jnp.ones((5, 3))
"""


@pytest.fixture(scope="module")
def mlp(jax):
    found = {}
    exec(MLP, found)
    return found


def test_a_function_becomes_its_jaxpr(jax, capture):
    graph = capture(lambda x, y: jax.numpy.exp(x) - 2.0 * y, *[jax.numpy.ones(3)] * 2)
    assert [(node.kind[:3], list(node.inputs)) for node in graph] == [
        (("input", (3,), "float32"), []),
        (("input", (3,), "float32"), []),
        (("exp", (3,), "float32"), [0]),
        (("constant", (), "float32"), []),
        (("mul", (3,), "float32"), [3, 1]),
        (("sub", (3,), "float32"), [2, 4]),
    ]
    assert [graph[number].kind.label for number in (0, 1)] == ["x", "y"]
    assert graph[3].kind.attributes == (("value", 2.0),)
    assert (list(graph.outputs), graph.source) == ([5], "jax")
    assert graph.source_version == jax.__version__


def test_gradients_of_an_mlp_are_captured(jax, capture, look, mlp):
    graph = capture(jax.grad(mlp["mlp"]), mlp["params"], mlp["x"])
    assert look.ops(graph).count("dot_general") == 5
    assert [graph[number].kind.shape for number in graph.outputs] == [(3, 4), (4,), (4, 2), (2,)]
    assert look.ops(graph).count("input") == 5
    assert look.is_in_order(graph)


def test_calls_are_followed_and_become_namespaces(jax, capture):
    @jax.jit
    def inner(x):
        return jax.numpy.sin(x)

    graph = capture(lambda x: jax.checkpoint(inner)(x) + inner(x), 1.0)
    sines = [node.kind.namespace for node in graph if node.kind.op == "sin"]
    assert len(sines) == 2
    assert all(namespace.endswith("inner") for namespace in sines)
    assert not {"jit", "pjit", "checkpoint", "remat2"} & {kind.op for kind in graph.kinds}


@pytest.mark.parametrize(
    ("function", "op", "sources", "namespaces"),
    [
        pytest.param(
            "lambda x: jax.lax.scan(lambda c, a: (c + a, c * a), 0.0, x)",
            "scan",
            ["constant", "input", "add", "mul"],
            {"scan"},
            id="scan",
        ),
        pytest.param(
            "lambda x: jax.lax.while_loop(lambda v: v[0] < 9, lambda v: v * 2, x)",
            "while",
            ["input", "mul", "lt"],
            {"while/body", "while/cond"},
            id="while",
        ),
        pytest.param(
            "lambda x: jax.lax.cond(x[0] > 0, lambda v: v + 1, lambda v: v * 2, x)",
            "cond",
            ["convert_element_type", "input", "mul", "add"],
            {"cond/0", "cond/1"},
            id="cond",
        ),
    ],
)
def test_bodies_are_there_once_and_lead_to_their_operation(
    jax, capture, look, function, op, sources, namespaces
):
    graph = capture(eval(function, {"jax": jax}), jax.numpy.ones(4))
    assert look.sources(graph, op) == sources
    assert {kind.namespace for kind in graph.kinds} - {""} == namespaces
    assert look.is_in_order(graph)


def test_results_of_an_operation_with_several_are_told_apart(jax, capture, look):
    graph = capture(lambda x: jax.lax.top_k(x, 2)[::-1], jax.numpy.ones(4))
    results = [graph[number].kind for number in graph.outputs]
    assert [(kind.op, kind.dtype, kind.attributes) for kind in results] == [
        ("getitem", "int32", (("index", 1),)),
        ("getitem", "float32", (("index", 0),)),
    ]


def test_arrays_a_function_closes_over_are_constants_without_values(jax, capture, look):
    def graph_with(array):
        return look.columns(capture(lambda x: x * array, jax.numpy.ones(3)))

    ones = graph_with(jax.numpy.ones(3))
    assert ones == graph_with(jax.numpy.zeros(3))
    assert ["constant", [3], "float32", "", "", [], True] in ones["kinds"]


def test_a_jaxpr_and_its_function_give_one_graph(jax, capture, look, mlp):
    closed = jax.make_jaxpr(mlp["mlp"])(mlp["params"], mlp["x"])
    assert look.columns(capture(closed)) == look.columns(
        capture(mlp["mlp"], mlp["params"], mlp["x"])
    )


def test_shapes_alone_will_do_and_arguments_have_names(jax, capture):
    struct = jax.ShapeDtypeStruct((2, 3), "float32")
    graph = capture(lambda x, y: x + y, struct, y=struct)
    assert graph[graph.outputs[0]].kind[:3] == ("add", (2, 3), "float32")


@pytest.mark.parametrize(
    ("thing", "args", "problem"),
    [
        (3, (), "is a int; pass a function of arrays or a ClosedJaxpr"),
        (lambda x: x, (), "with these arguments (TypeError: "),
        (lambda x: x + 1, ("text",), "with these arguments (TypeError: "),
    ],
)
def test_what_cannot_be_captured_is_refused_with_the_reason(capture, thing, args, problem):
    with pytest.raises(InvalidArgumentError) as caught:
        capture(thing, *args)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "what",
    [
        "jax.grad(mlp), params, x",
        "lambda x: jax.random.normal(jax.random.key(0), (2,)) + x, 1.0",
        "lambda x: jax.nn.softmax(jax.nn.gelu(x))[1:], x",
    ],
)
def test_a_graph_is_the_same_in_every_process(capture, look, mlp, what):
    script = f"from tracking.graph.adapters.jax import capture\ngraph = capture({what})"
    look.assert_same_in_other_processes(MLP + script, capture(*eval(f"({what},)", dict(mlp))))


def test_functions_and_jaxprs_find_their_adapter(jax, mlp):
    find, x = tracking.graph.capture.capture, mlp["x"]
    for found in (
        find(lambda x: x + 1, x),
        find(jax.jit(lambda x: x + 1), x),
        find(jax.make_jaxpr(lambda x: x + 1)(x)),
        find(lambda params: params["layer"][0] + 1, {"layer": (x, x)}),
    ):
        assert found.source == "jax"
