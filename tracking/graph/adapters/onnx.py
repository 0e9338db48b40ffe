"""Graphs of ONNX models, from memory or from a file."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidArgumentError
from tracking.graph.adapters import array_text, attributes, digest, element
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import INPUT, PARAMETER, Graph, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Content = tuple[tuple[int | str, ...] | None, str | None]


def capture(thing: Any) -> Graph:
    """Return the graph of a model.

    Initializers are parameters, without their values. Attributes of nodes keep their numbers and
    texts; of a tensor its dtype, shape and digest. Shapes are those the model states, symbolic
    sizes by their name, `?` where one has none. The body of an If, Loop or Scan is a namespace; its
    own inputs are inputs, and the node takes the results of the body after its arguments. The names
    PyTorch gives nodes, `/layers.0/conv/Conv`, give namespaces too. Functions of the model are
    not opened.

    Args:
        thing: an `onnx.ModelProto` or the path of a file; data outside the file is not read.

    Returns:
        A graph whose source is `onnx`; its version is the opset of the model.

    Raises:
        InvalidArgumentError: `thing` is neither; the file cannot be read as a model; a node takes
            what nothing before it makes.
    """
    onnx = import_module("onnx")

    model = _read(thing, onnx) if isinstance(thing, (str, os.PathLike)) else thing
    if not isinstance(model, onnx.ModelProto):
        raise InvalidArgumentError(
            "thing", f"is a {type(thing).__name__}; pass an onnx.ModelProto or the path of a file"
        )
    opset = max((s.version for s in model.opset_import if s.domain in ("", "ai.onnx")), default=0)
    walk = _Walk(GraphBuilder("onnx", f"opset {opset}" if opset else ""))
    return walk.builder.build(walk.graph(model.graph, {}, ""))


def _read(path: str | os.PathLike[str], onnx: Any) -> Any:
    message = import_module("google.protobuf.message")

    try:
        return onnx.load(path, load_external_data=False)
    except (OSError, message.DecodeError) as error:
        raise InvalidArgumentError(
            "thing", f"{os.fspath(path)} is no ONNX model ({error}); pass one written by onnx.save"
        ) from error


class _Walk:
    """Graphs and the graphs in their nodes on their way to one. Goes as deep as they are nested."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder

    def graph(self, graph: Any, outside: dict[str, int], namespace: str) -> list[int]:
        """Add a graph that sees the names in `outside`, and return its results."""
        known = dict(outside)
        contents = {
            info.name: _of_type(info.type)
            for info in (*graph.value_info, *graph.output, *graph.input)
        }
        for tensor in graph.initializer:
            content = tuple(tensor.dims), _dtype(tensor.data_type)
            known[tensor.name] = self.leaf(PARAMETER, content, namespace, tensor.name)
        for sparse in graph.sparse_initializer:
            content = tuple(sparse.dims), _dtype(sparse.values.data_type)
            known[sparse.values.name] = self.leaf(PARAMETER, content, namespace, sparse.values.name)
        initialized = {tensor.name for tensor in graph.initializer}
        for info in graph.input:
            # Up to version 3 of the format initializers are inputs as well.
            if info.name not in initialized:
                known[info.name] = self.leaf(INPUT, contents[info.name], namespace, info.name)
        for node in graph.node:
            self.node(node, known, contents, namespace)
        return [_look_up(known, info.name, "the graph") for info in graph.output]

    def leaf(self, op: str, content: Content, namespace: str, label: str) -> int:
        """Add a node that takes nothing."""
        return self.builder.add(Kind(op, *content, namespace, label), ())

    def node(
        self, node: Any, known: dict[str, int], contents: dict[str, Content], namespace: str
    ) -> None:
        """Add a node, and make its results known."""
        op = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        inside = "/".join(filter(None, (namespace, *node.name.split("/")[:-1])))
        owner = f"the node {node.name or node.op_type!r}"
        inputs = [_look_up(known, name, owner) for name in node.input if name]
        # Which one was left out tells what the others are; at the end it tells nothing.
        given = list(node.input)
        while given and not given[-1]:
            given.pop()
        omitted = [position for position, name in enumerate(given) if not name]
        values = [("omitted", tuple(omitted))] if omitted else []
        for attribute in node.attribute:
            for index, body in enumerate(_bodies(attribute)):
                name = attribute.name if not index else f"{attribute.name}_{index}"
                within = "/".join(filter(None, (inside, node.op_type, name)))
                inputs += self.graph(body, known, within)
            if attribute.type in _VALUES:
                values.append((attribute.name, _VALUES[attribute.type](attribute)))
        found = attributes(values)
        results = [(index, name) for index, name in enumerate(node.output) if name]
        if len(results) == 1 and results[0][0] == 0:
            kind = Kind(op, *contents.get(results[0][1], (None, None)), inside, "", found)
            known[results[0][1]] = self.builder.add(kind, inputs)
            return
        call = self.builder.add(Kind(op, None, None, inside, "", found), inputs)
        for index, name in results:
            kind = element(index, *contents.get(name, (None, None)), inside)
            known[name] = self.builder.add(kind, (call,))


def _look_up(known: dict[str, int], name: str, owner: str) -> int:
    if name not in known:
        raise InvalidArgumentError(
            "thing",
            f"{owner} takes {name!r}, which nothing before it makes; onnx.checker.check_model()"
            " tells what else is wrong with the model",
        )
    return known[name]


def _of_type(type_proto: Any) -> Content:
    """Return shape and dtype of a tensor; of a sequence, map or optional nothing."""
    if type_proto.WhichOneof("value") != "tensor_type":
        return None, None
    tensor = type_proto.tensor_type
    dtype = _dtype(tensor.elem_type) if tensor.elem_type else None
    if not tensor.HasField("shape"):
        return None, dtype
    return tuple(map(_size, tensor.shape.dim)), dtype


def _size(dim: Any) -> int | str:
    return dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?"


def _dtype(number: int) -> str:
    onnx = import_module("onnx")

    if number == onnx.TensorProto.STRING:
        return "str"
    return str(onnx.helper.tensor_dtype_to_np_dtype(number).name)


def _bodies(attribute: Any) -> list[Any]:
    return [attribute.g] if attribute.HasField("g") else list(attribute.graphs)


def _floats(numbers: Iterable[float]) -> list[Any]:
    """Return numbers as what they are in the file, floats of 32 bits."""
    import numpy as np

    return list(map(np.float32, numbers))


def _tensor(tensor: Any) -> str:
    onnx = import_module("onnx")

    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return f"{_dtype(tensor.data_type)}{list(tensor.dims)} in another file"
    return array_text(onnx.numpy_helper.to_array(tensor))


def _message(message: Any) -> str:
    return f"{type(message).__name__} {digest(message.SerializeToString(deterministic=True))}"


# By AttributeProto.AttributeType; graphs are no values.
_VALUES: dict[int, Callable[[Any], Any]] = {
    0: lambda a: f"attribute {a.ref_attr_name} of the function",
    1: lambda a: _floats([a.f])[0],
    2: lambda a: a.i,
    3: lambda a: a.s,
    4: lambda a: _tensor(a.t),
    6: lambda a: _floats(a.floats),
    7: lambda a: tuple(a.ints),
    8: lambda a: tuple(a.strings),
    9: lambda a: tuple(map(_tensor, a.tensors)),
    11: lambda a: _message(a.sparse_tensor),
    12: lambda a: tuple(map(_message, a.sparse_tensors)),
    13: lambda a: _message(a.tp),
    14: lambda a: tuple(map(_message, a.type_protos)),
}
