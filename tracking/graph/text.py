r"""A graph as text to review, and as bytes to store. Pure.

The text has one line a node, inputs before what is made of them. `^2` stands for the node two lines
above, so that a new line changes no other line but those whose inputs it moved away:

    graph 1 source=seed version="" is_ordered=true
    input shape=[4,2] label=x
    parameter shape=[2,1] label=w
    matmul(^2,^1) shape=[4,1]
    outputs(^1)

Words stand bare; whatever else a value can be is JSON. Attributes have a dot before their name.
Where only some nodes know the order of their inputs, the others have `is_ordered=false`.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import sys
import zlib
from array import array
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidArgumentError
from tracking.graph.builder import GraphBuilder, walk
from tracking.graph.fingerprint import node_hashes
from tracking.graph.model import Graph, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TEXT_VERSION = 1
PACK_VERSION = 1

_WORD = re.compile(r"[A-Za-z_][\w./:+-]*", re.ASCII)
_RESERVED = ("true", "false", "null", "NaN", "Infinity")
_PACKED = re.compile(r"packed (\d+) ([A-Za-z0-9+/=]+)", re.ASCII)
_HEAD = struct.Struct("<4sBI")
_MAGIC = b"sggr"
_decode = json.JSONDecoder().raw_decode


def canonical_order(graph: Graph) -> list[int]:
    """Return the numbers of the nodes in an order that does not depend on them.

    Depth first from the outputs, inputs in their order, or in that of their hashes where they have
    none. Nodes that no output needs come last.
    """
    hashes = list(zip(*node_hashes(graph), strict=True)) if not graph.is_ordered else []

    def inputs_of(number: int) -> Sequence[int]:
        kind, inputs = graph[number]
        return inputs if kind.is_ordered else sorted(inputs, key=hashes.__getitem__)

    order = list(walk(graph.outputs, inputs_of, int))
    if len(order) < len(graph):
        hashes = hashes or list(zip(*node_hashes(graph), strict=True))
        unused = sorted({*range(len(graph))}.difference(order), key=hashes.__getitem__)
        order = list(walk([*graph.outputs, *unused], inputs_of, int))
    return order


def text_of(graph: Graph) -> str:
    """Return a graph as text, the same for graphs that differ in the numbers of nodes only."""
    order = canonical_order(graph)
    line_of = {number: line for line, number in enumerate(order)}
    has_order = _has_order(graph)
    lines = [_head(graph, has_order)]
    heads = [(_value_text(kind.op), _fields_text(_fields(kind, has_order))) for kind in graph.kinds]
    for line, number in enumerate(order):
        kind, sources = graph[number]
        inputs = [line_of[source] for source in sources]
        op, fields_text = heads[graph.kind_of[number]]
        lines.append(op + _inputs_text(line, inputs if kind.is_ordered else sorted(inputs)))
        lines[-1] += fields_text
    outputs = [line_of[number] for number in graph.outputs]
    lines.append("outputs" + _inputs_text(len(order), outputs))
    return "\n".join(lines) + "\n"


def graph_of_text(text: str) -> Graph:
    """Return the graph that `text_of` wrote as `text`.

    Raises:
        InvalidArgumentError: it is something else; says which line is at fault.
    """
    lines = text.splitlines() if text.isascii() else []
    number = 0
    try:
        builder = GraphBuilder(*_read_head(lines[0]))
        for number, line in enumerate(lines[1:-1], start=1):
            builder.add(*_read_node(line, number - 1, len(lines) - 2))
        number = len(lines) - 1
        kind, outputs = _read_node(lines[number], number - 1, number - 1)
        _require(kind == Kind("outputs") and number > 0, "the outputs are missing")
        return builder.build(outputs)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InvalidArgumentError(
            "text",
            f"line {number + 1} is not part of the text of a graph ({error}); restore it, or"
            " write the graph anew",
        ) from error


def lines_of(graph: Graph, most_nodes: int = 1000) -> list[str]:
    """Return a graph as lines to keep in a reviewed file.

    Those of `text_of`, as far as somebody might read them: behind the first line of a graph of more
    than `most_nodes` stands its number of nodes and all of it, packed, in base64.
    """
    if len(graph) <= most_nodes:
        return text_of(graph).splitlines()
    return [
        _head(graph, _has_order(graph)),
        f"packed {len(graph)} {base64.b64encode(pack(graph)).decode()}",
    ]


def graph_of_lines(lines: Sequence[str]) -> Graph:
    """Undo `lines_of`.

    Raises:
        InvalidArgumentError: they are something else; says which line is at fault.
    """
    packed = _PACKED.fullmatch(lines[-1]) if lines else None
    if packed is None:
        return graph_of_text("\n".join(lines))
    return unpack(base64.b64decode(packed[2]))


def about_lines(lines: Sequence[str]) -> tuple[str, str, int]:
    """Return what `lines_of` says at first sight: source, its version, and number of nodes.

    Raises:
        InvalidArgumentError: they are something else.
    """
    try:
        source, version, _ = _read_head(lines[0])
        packed = _PACKED.fullmatch(lines[-1])
        return source, version, int(packed[1]) if packed else len(lines) - 2
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InvalidArgumentError("lines", f"are not those of a graph ({error})") from error


def pack(graph: Graph) -> bytes:
    """Return a graph in few bytes, one or less for most nodes; `unpack` returns it as it was."""
    import numpy as np

    starts = np.asarray(graph.starts, dtype=np.int64)
    n_inputs = np.diff(starts)
    # How far back inputs are repeats from block to block; their numbers never do.
    distances = np.repeat(np.arange(len(graph)), n_inputs) - np.asarray(graph.inputs, np.int64)
    about = {
        "source": graph.source,
        "source_version": graph.source_version,
        "outputs": list(graph.outputs),
        "kinds": graph.kinds,
        "lengths": [len(graph), len(distances)],
    }
    head = json.dumps(about, separators=(",", ":")).encode()
    parts = [head, *map(_shuffled, (np.asarray(graph.kind_of), n_inputs, distances))]
    return _HEAD.pack(_MAGIC, PACK_VERSION, len(head)) + zlib.compress(b"".join(parts), 1)


def unpack(data: bytes) -> Graph:
    """Return the graph that `pack` made `data` of.

    Raises:
        InvalidArgumentError: it is damaged, something else, or of a newer version.
    """
    try:
        magic, version, length = _HEAD.unpack_from(data)
        _require(magic == _MAGIC and version <= PACK_VERSION, f"no graph of version {PACK_VERSION}")
        content = zlib.decompress(data[_HEAD.size :])
        return _graph_of(json.loads(content[:length]), content[length:])
    except (struct.error, zlib.error, KeyError, TypeError, ValueError) as error:
        raise InvalidArgumentError(
            "data",
            f"is not a graph this version can read ({error}); capture it again, or read it with the"
            " version that wrote it",
        ) from error


def _head(graph: Graph, has_order: bool) -> str:
    fields = {
        "source": graph.source,
        "version": graph.source_version,
        "is_ordered": has_order,
    }
    return f"graph {TEXT_VERSION}{_fields_text(fields)}"


def _read_head(line: str) -> tuple[str, str, bool]:
    head, version, fields = re.split(" (\\d+)", line, maxsplit=1)
    _require(
        head == "graph" and int(version) <= TEXT_VERSION,
        f"a graph of version {TEXT_VERSION} begins otherwise",
    )
    about = _read_fields(fields, 0)
    return about["source"], about["version"], about["is_ordered"]


def _require(is_met: bool, problem: str) -> None:
    if not is_met:
        raise ValueError(problem)


def _graph_of(about: dict[str, Any], content: bytes) -> Graph:
    import numpy as np

    n, n_edges = about["lengths"]
    if len(content) != 4 * (2 * n + n_edges):
        raise ValueError("it has another length than it says")
    kind_of, n_inputs, distances = (
        _unshuffled(content[4 * start : 4 * end])
        for start, end in ((0, n), (n, 2 * n), (2 * n, 2 * n + n_edges))
    )
    starts = np.append([0], np.cumsum(n_inputs))
    if starts[-1] != n_edges or (n_inputs < 0).any():
        raise ValueError("its nodes have another number of inputs than it says")
    inputs = np.repeat(np.arange(n), n_inputs) - distances
    outputs = np.array(about["outputs"], dtype=np.int64)
    for numbers, end in ((kind_of, len(about["kinds"])), (inputs, n), (outputs, n)):
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < end:
            raise ValueError("it names what is not there")
    kind_numbers, first, sources = (
        array("I", column.astype(np.uint32).tobytes()) for column in (kind_of, starts, inputs)
    )
    return Graph(
        tuple(map(_kind_of_json, about["kinds"])),
        kind_numbers,
        first,
        sources,
        array("I", about["outputs"]),
        about["source"],
        about["source_version"],
    )


def _kind_of_json(fields: list[Any]) -> Kind:
    op, shape, dtype, namespace, label, attributes, is_ordered = fields
    pairs = tuple((name, value) for name, value in attributes)
    sizes = None if shape is None else tuple(shape)
    return Kind(op, sizes, dtype, namespace, label, pairs, is_ordered)


def _shuffled(numbers: Any) -> bytes:
    """Return 32-bit integers, first the lowest byte of all, so that alike bytes are together."""
    bytes_of: bytes = numbers.astype("<i4").view("u1").reshape(-1, 4).T.tobytes()
    return bytes_of


def _unshuffled(data: bytes) -> Any:
    import numpy as np

    rows = np.frombuffer(data, dtype="u1").reshape(4, -1)
    return np.ascontiguousarray(rows.T).view("<i4").reshape(-1).astype(np.int64)


def _has_order(graph: Graph) -> bool:
    """Return whether a node, or every one, knows in which order it takes its inputs."""
    return graph.is_ordered or any(kind.is_ordered and inputs for kind, inputs in graph)


def _fields(kind: Kind, has_order: bool) -> dict[str, Any]:
    given = {
        "shape": kind.shape,
        "dtype": kind.dtype,
        "namespace": kind.namespace or None,
        "label": kind.label or None,
        "is_ordered": False if has_order and not kind.is_ordered else None,
    }
    fields: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return fields | {f".{name}": value for name, value in kind.attributes}


def _fields_text(fields: dict[str, Any]) -> str:
    return "".join(f" {_name_text(name)}={_value_text(value)}" for name, value in fields.items())


def _name_text(name: str) -> str:
    return f".{_value_text(name[1:])}" if name.startswith(".") else name


def _value_text(value: Any) -> str:
    if isinstance(value, str) and _WORD.fullmatch(value) and value not in _RESERVED:
        return str(value)
    return json.dumps(value, separators=(",", ":"))


def _inputs_text(line: int, inputs: Iterable[int]) -> str:
    references = ",".join(f"^{line - source}" for source in inputs)
    return f"({references})" if references else ""


def _read_node(line: str, number: int, n: int) -> tuple[Kind, list[int]]:
    op, position = _read_value(line, 0)
    inputs = []
    if line[position : position + 1] == "(":
        end = line.index(")", position)
        inputs = [number - int(part[1:]) for part in line[position + 1 : end].split(",")]
        position = end + 1
    if any(not 0 <= source < n for source in inputs):
        raise ValueError("it takes what is not there")
    fields = _read_fields(line, position)
    shape = fields.pop("shape", None)
    names = ("dtype", "namespace", "label", "is_ordered")
    plain = {name: fields.pop(name) for name in names if name in fields}
    if not isinstance(op, str) or not all(name.startswith(".") for name in fields):
        raise ValueError("it has another field than those of a node")
    attributes = tuple((name[1:], value) for name, value in fields.items())
    return Kind(op, None if shape is None else tuple(shape), attributes=attributes, **plain), inputs


def _read_fields(text: str, position: int) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    while position < len(text):
        if text[position] != " ":
            raise ValueError(f"column {position + 1} holds {text[position]!r} instead of a space")
        is_attribute = text[position + 1 : position + 2] == "."
        name, position = _read_value(text, position + 1 + is_attribute)
        if text[position : position + 1] != "=":
            raise ValueError(f"{name!r} has no value")
        fields["." * is_attribute + str(name)], position = _read_value(text, position + 1)
    return fields


def _read_value(text: str, position: int) -> tuple[Any, int]:
    word = _WORD.match(text, position)
    if word and word[0] not in _RESERVED:
        return sys.intern(word[0]), word.end()
    value, end = _decode(text, position)
    return value, end
