"""Graphs of tinygrad: the UOps of a tensor."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from tracking.errors import InvalidArgumentError
from tracking.graph.adapters import attributes
from tracking.graph.builder import GraphBuilder, walk
from tracking.graph.model import CONSTANT, INPUT, Graph, Kind

_OPS = {"CONST": CONSTANT, "VCONST": CONSTANT, "BUFFER": INPUT}
# Those whose argument is a running number of the process.
_NUMBERED = {"BUFFER", "UNIQUE", "LUNIQUE"}
_DTYPES: dict[str, str | None] = {
    "half": "float16",
    "float": "float32",
    "double": "float64",
    "char": "int8",
    "short": "int16",
    "int": "int32",
    "long": "int64",
    "uchar": "uint8",
    "ushort": "uint16",
    "uint": "uint32",
    "ulong": "uint64",
    "__bf16": "bfloat16",
    "void": None,
}


def capture(thing: Any) -> Graph:
    """Return the graph of what a tensor will compute: realizing it leaves a buffer.

    Buffers are inputs. An argument of an operation is its attribute `arg`. Random numbers continue
    from those drawn before, and so do their graphs; `Tensor.manual_seed` starts them anew.

    Args:
        thing: a `tinygrad.Tensor`, or a UOp.

    Returns:
        A graph whose source is `tinygrad`.

    Raises:
        InvalidArgumentError: `thing` is neither.
    """
    root = getattr(thing, "uop", thing)
    if not (hasattr(root, "op") and hasattr(root, "src") and hasattr(root, "arg")):
        raise InvalidArgumentError(
            "thing", f"is a {type(thing).__name__}; pass a tinygrad.Tensor or a UOp"
        )
    builder = GraphBuilder("tinygrad", version("tinygrad"))
    numbers: dict[int, int] = {}
    for node in walk([root], lambda node: node.src):
        numbers[id(node)] = builder.add(_kind(node), [numbers[id(source)] for source in node.src])
    return builder.build([numbers[id(root)]])


def _kind(node: Any) -> Kind:
    name = node.op.name
    has_value = node.arg is not None and name not in _NUMBERED
    found = attributes([("arg", node.arg)]) if has_value else ()
    return Kind(_OPS.get(name, name), _shape(node), _dtype(node.dtype), "", "", found)


def _shape(node: Any) -> tuple[int | str, ...] | None:
    """Return the sizes of a result; operations that make no array have none."""
    try:
        shape = node.shape
    except Exception:  # noqa: BLE001  # what a UOp without shape raises differs between versions
        return None
    return tuple(size if type(size) is int else str(size) for size in shape)


def _dtype(dtype: Any) -> str | None:
    name = str(dtype).removeprefix("dtypes.")
    return _DTYPES.get(name, name)
