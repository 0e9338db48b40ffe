"""Graphs of ONNX models."""

from __future__ import annotations

import numpy as np
import pytest

import tracking.graph.capture
from tracking.errors import InvalidArgumentError

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("default")]

MODEL = """
import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.helper import make_graph, make_node, make_tensor_value_info as info

def build(nodes, inputs, outputs, tensors=(), known=()):
    graph = make_graph(nodes, "g", inputs, outputs, list(tensors), value_info=list(known))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])

def weights(name, *shape):
    return numpy_helper.from_array(np.ones(shape, np.float32), name)

def branch(op, source, **how):
    return make_graph([make_node(op, source, ["b"], **how)], "b", [], [info("b", 1, None)])

def model():
    value = numpy_helper.from_array(np.arange(3, dtype=np.float32))
    return build(
        [
            make_node("Gemm", ["x", "w", "b"], ["y"], "/net/fc.0/Gemm", alpha=0.1, transB=1),
            make_node("Clip", ["y", "", "m"], ["c"]),
            make_node("Split", ["c"], ["s", "t"], axis=0, num_outputs=2),
            make_node("If", ["k"], ["z"], then_branch=branch("Relu", ["y"]),
                      else_branch=branch("Constant", [], value=value)),
            make_node("Gelu", ["t"], ["q"], domain="com.microsoft", mode="tanh"),
        ],
        [info("x", 1, ["batch", 4]), info("k", TensorProto.BOOL, []), info("m", 1, [None])],
        [info("z", 1, None), info("q", 1, ["batch", 3])],
        [weights("w", 3, 4), weights("b", 3)],
        [info("y", 1, ["batch", 3])],
    )
"""


@pytest.fixture(scope="module")
def made():
    found = {}
    exec(MODEL, found)
    return found


@pytest.fixture(scope="module")
def capture():
    from tracking.graph.adapters.onnx import capture

    return capture


def test_nodes_initializers_and_inputs_have_what_the_model_states(capture, made):
    graph = capture(made["model"]())
    assert [tuple(node.kind[:5]) for node in graph] == [
        ("parameter", (3, 4), "float32", "", "w"),
        ("parameter", (3,), "float32", "", "b"),
        ("input", ("batch", 4), "float32", "", "x"),
        ("input", (), "bool", "", "k"),
        ("input", ("?",), "float32", "", "m"),
        ("Gemm", ("batch", 3), "float32", "net/fc.0", ""),
        ("Clip", None, None, "", ""),
        ("Split", None, None, "", ""),
        ("getitem", None, None, "", ""),
        ("getitem", None, None, "", ""),
        ("Constant", None, "float32", "If/else_branch", ""),
        ("Relu", None, "float32", "If/then_branch", ""),
        ("If", None, "float32", "", ""),
        ("com.microsoft.Gelu", ("batch", 3), "float32", "", ""),
    ]
    assert [list(node.inputs) for node in graph][5:] == [
        *([2, 0, 1], [5, 4], [6], [7], [7], [], [5], [3, 10, 11], [9]),
    ]
    assert (list(graph.outputs), graph.source, graph.source_version) == (
        [12, 13],
        "onnx",
        "opset 18",
    )


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Gemm", {"alpha": 0.1, "transB": 1}),
        ("Clip", {"omitted": "(1,)"}),
        ("Split", {"axis": 0, "num_outputs": 2}),
        ("com.microsoft.Gelu", {"mode": "tanh"}),
        ("If", {}),
    ],
)
def test_attributes_are_kept(capture, made, look, op, attributes):
    assert dict(look.node_of(capture(made["model"]()), op).kind.attributes) == attributes


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [([0.0, 1.0], [0.0, 1.0], True), ([0.0, 1.0], [1.0, 0.0], False), ([0.0], [[0.0]], False)],
)
def test_tensors_in_attributes_are_known_by_their_content(capture, made, one, other, are_equal):
    def kinds(value):
        from onnx import numpy_helper

        tensor = numpy_helper.from_array(np.array(value, np.float32))
        nodes = [made["make_node"]("Constant", [], ["y"], value=tensor)]
        return capture(made["build"](nodes, [], [made["info"]("y", 1, None)])).kinds

    assert (kinds(one) == kinds(other)) is are_equal


def test_values_of_initializers_are_no_part_of_a_graph(capture, made, look):
    def graph(fill):
        model = made["model"]()
        tensor = np.full((3, 4), fill, np.float32)
        model.graph.initializer[0].raw_data = tensor.tobytes()
        return look.columns(capture(model))

    assert graph(0.0) == graph(1.0)


def test_bodies_of_loops_have_inputs_of_their_own(capture, made, look):
    make_node, info = made["make_node"], made["info"]
    body = made["make_graph"](
        [make_node("Identity", ["go"], ["on"]), make_node("Add", ["v", "x"], ["w"])],
        "body",
        [info("i", 7, []), info("go", 9, []), info("v", 1, [2])],
        [info("on", 9, []), info("w", 1, [2])],
    )
    nodes = [make_node("Loop", ["n", "", "x"], ["y"], "/net/Loop", body=body)]
    model = made["build"](nodes, [info("n", 7, []), info("x", 1, [2])], [info("y", 1, [2])])
    graph = capture(model)
    assert look.sources(graph, "Loop") == ["input", "input", "Identity", "Add"]
    assert look.node_of(graph, "Add").kind.namespace == "net/Loop/body"
    assert graph[look.node_of(graph, "Add").inputs[1]].kind.label == "x"
    assert dict(look.node_of(graph, "Loop").kind.attributes) == {"omitted": "(1,)"}


def test_a_file_gives_the_graph_of_its_model(capture, made, look, tmp_path):
    import onnx

    path = tmp_path / "model.onnx"
    onnx.save(made["model"](), path)
    expected = look.columns(capture(made["model"]()))
    assert look.columns(capture(path)) == look.columns(capture(str(path))) == expected


def test_data_in_another_file_is_not_read(capture, made, look, tmp_path):
    import onnx

    path = tmp_path / "model.onnx"
    onnx.save(made["model"](), path, save_as_external_data=True, location="w", size_threshold=0)
    (tmp_path / "w").unlink()
    graph = capture(path)
    assert graph[0].kind[:3] == ("parameter", (3, 4), "float32")
    assert look.node_of(graph, "Gemm").kind.shape == ("batch", 3)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "model.onnx is no ONNX model ("),
        (b"\xff\xffno model", "model.onnx is no ONNX model ("),
    ],
)
def test_a_file_that_is_no_model_is_refused(capture, tmp_path, content, problem):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidArgumentError) as caught:
        capture(path)
    assert problem in str(caught.value)


def test_what_is_no_model_is_refused(capture):
    with pytest.raises(InvalidArgumentError, match=r"is a int; pass an onnx\.ModelProto or"):
        capture(3)


def test_a_node_that_takes_what_nothing_makes_is_named(capture, made):
    model = made["model"]()
    model.graph.node[0].input[0] = "lost"
    with pytest.raises(InvalidArgumentError, match=r"node '/net/fc\.0/Gemm' takes 'lost', which"):
        capture(model)


def test_a_graph_is_the_same_in_every_process(capture, made, look):
    script = "from tracking.graph.adapters.onnx import capture\ngraph = capture(model())"
    look.assert_same_in_other_processes(MODEL + script, capture(made["model"]()))


def test_models_and_files_find_their_adapter(made, tmp_path):
    import onnx

    path = tmp_path / "model.onnx"
    onnx.save(made["model"](), path)
    for thing in (made["model"](), path, str(path)):
        assert tracking.graph.capture.capture(thing).source == "onnx"
