"""From what a framework computes with to its computation graph.

Nothing here knows a framework: whatever carries the six attributes is a tensor, and the adapter of
a framework is imported when an object of that framework comes in.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import json
from array import array
from collections.abc import Mapping
from operator import attrgetter, index
from os import PathLike, fspath
from types import FunctionType
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidArgumentError
from tracking.graph.builder import walk
from tracking.graph.model import INPUT, PARAMETER, Graph, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from importlib.metadata import EntryPoint

    _KindOf = Callable[[Any], Kind]

FORMAT = 1
"""Version of the layout of graph data."""

ENTRY_POINTS = "tracking.graph_adapters"
"""Group of the entry points that add adapters; the name of one is the module its types are from."""

ADAPTERS = {
    "jax": "tracking.graph.adapters.jax",
    "jaxlib": "tracking.graph.adapters.jax",
    "onnx": "tracking.graph.adapters.onnx",
    "sklearn": "tracking.graph.adapters.sklearn",
    "tinygrad": "tracking.graph.adapters.tinygrad",
    "torch": "tracking.graph.adapters.torch",
}
"""By the top-level module of a type, the module whose `capture` takes its objects."""

_TREE_DEPTH = 5  # of containers that hold parameters; one may hold itself

_ATTRIBUTES = ("label", "shape", "comp_grad", "is_leaf", "oper", "prev")


@functools.singledispatch
def capture(thing: Any, *args: Any, **options: Any) -> Graph:
    """Return the computation graph of `thing`.

    Looked for, in this order: an adapter for its type, added by `capture.register(type, adapter)`;
    an adapter of the framework its type or a base of it comes from, ours or an entry point of the
    group `tracking.graph_adapters`; attributes as the tensors of `capture_graph` have them, or
    `_prev` and `_op` as the values of micrograd do.

    A set of inputs has no order: see `Kind.is_ordered`.

    Args:
        thing: result of a computation, model, function, or path of an `.onnx` file.
        args: what the adapter needs besides, example inputs for most models and functions.
        options: of the adapter.

    Raises:
        InvalidArgumentError: nobody knows such a thing, or it lacks what its adapter needs.
    """
    for root in _roots(thing, args):
        adapter = _adapter(root)
        if adapter is not None:
            graph: Graph = adapter(thing, *args, **options)
            return graph
    if all(hasattr(thing, name) for name in _ATTRIBUTES):
        return _captured(thing, "seed", "prev", "label oper comp_grad is_leaf shape", _seed_kind)
    if hasattr(thing, "_prev") and hasattr(thing, "_op"):
        names = "_op label" if hasattr(thing, "label") else "_op __class__"
        return _captured(thing, "micrograd", "_prev", names, _micrograd_kind)
    known = sorted({*ADAPTERS, *_entry_points()})
    raise InvalidArgumentError(
        "thing",
        f"no adapter captures the graph of a {type(thing).__module__}.{type(thing).__qualname__};"
        f" there are adapters for {', '.join(known)}, for tensors with {', '.join(_ATTRIBUTES)} and"
        " for values with _prev and _op; add one by capture.register(type, adapter), and pass a"
        " function together with arrays of its framework",
    )


def _roots(thing: Any, args: tuple[Any, ...]) -> Iterator[str]:
    """Yield the top-level modules whose adapters may know `thing`, the closest first."""
    if isinstance(thing, (str, PathLike)) and str(fspath(thing)).endswith(".onnx"):
        yield "onnx"
    # A function comes from the user's module; what it is called with shows the framework.
    for witness in itertools.chain(
        [thing], _in_trees(args if isinstance(thing, FunctionType) else ())
    ):
        for base in type(witness).__mro__:
            yield base.__module__.partition(".")[0]


def _in_trees(trees: Iterable[Any]) -> Iterator[Any]:
    """Yield what parameters are in dicts, lists and tuples, the outermost first."""
    found = list(trees)
    for _ in range(_TREE_DEPTH):
        yield from found
        found = [
            item
            for tree in found
            if isinstance(tree, (Mapping, list, tuple))
            for item in (tree.values() if isinstance(tree, Mapping) else tree)
        ]


@functools.cache
def _adapter(root: str) -> Callable[..., Any] | None:
    if root in ADAPTERS:
        adapter: Callable[..., Any] = importlib.import_module(ADAPTERS[root]).capture
        return adapter
    entry_point = _entry_points().get(root)
    if entry_point is None:
        return None
    loaded: Callable[..., Any] = entry_point.load()
    return loaded


@functools.cache
def _entry_points() -> dict[str, EntryPoint]:
    from importlib import metadata  # slow to import, and whoever opens an experiment imports us

    return {found.name: found for found in metadata.entry_points(group=ENTRY_POINTS)}


def _captured(root: Any, source: str, inputs_name: str, names: str, kind_of: _KindOf) -> Graph:
    """Capture objects that hold their inputs.

    Args:
        root: the result.
        source: of the graph.
        inputs_name: attribute that holds the inputs.
        names: of the attributes that decide on the kind, together with whether it has inputs.
        kind_of: returns the kind of one; raises what is wrong with it.
    """
    try:
        return _columns(root, source, attrgetter(inputs_name), attrgetter(*names.split()), kind_of)
    except (AttributeError, TypeError):
        # Once more, and slowly, to say whose fault it is.
        for thing in walk([root], functools.partial(_checked_inputs, inputs_name)):
            kind_of(thing)
        raise


def _columns(
    root: Any,
    source: str,
    inputs_of: Callable[[Any], Any],
    key_of: Callable[[Any], Any],
    kind_of: Callable[[Any], Kind],
) -> Graph:
    """Return the graph of `root` in the order of `walk`, from one look at each object.

    A million of them do not fit into a processor's cache: what is read of one is read at once.
    """
    kinds: dict[Kind, int] = {}
    known = _Known()
    # Of an object whose inputs are under way the complement of its kind, and then its number.
    number_of: dict[int, int] = {}
    kind_numbers: list[int] = []
    inputs: list[int] = []
    n_inputs: list[int] = []
    met: list[Any] = []  # keeps them alive, so that no id comes twice
    stack = [root]
    push, pop = stack.append, stack.pop
    while stack:
        thing = pop()
        key = id(thing)
        number = number_of.get(key)
        if number is None:
            given = inputs_of(thing)
            leaves, operations, backwards = known[given.__class__]
            numbers = operations if given else leaves
            try:
                kind = numbers[key_of(thing)]
            except (KeyError, TypeError):  # new, or with a part that has no hash
                kind = kinds.setdefault(kind_of(thing), len(kinds))
                with contextlib.suppress(TypeError):
                    numbers[key_of(thing)] = kind
            met.append(thing)
            if given:
                number_of[key] = ~kind
                push(given)
                push(thing)
                for used in backwards(given):
                    if id(used) not in number_of:
                        push(used)
                continue
            kind_numbers.append(kind)
            n_inputs.append(0)
        elif number >= 0:
            continue
        else:
            kind_numbers.append(~number)
            given = pop()
            inputs.extend(map(number_of.__getitem__, map(id, given)))
            n_inputs.append(len(given))
        number_of[key] = len(n_inputs) - 1
    if inputs and min(inputs) < 0:  # a cycle: some had no number yet
        met.sort(key=lambda thing: number_of[id(thing)])
        inputs = [number_of[id(used)] for thing in met for used in inputs_of(thing)]
    return Graph(
        tuple(kinds),
        array("I", kind_numbers),
        array("I", itertools.accumulate(n_inputs, initial=0)),
        array("I", inputs),
        array("I", [number_of[id(root)]]),
        source,
    )


class _Known(dict[type, tuple[dict[Any, int], dict[Any, int], "Callable[[Any], Iterable[Any]]"]]):
    """Numbers of kinds by what decides on them, and how to look at inputs from the last.

    By the class inputs are kept in: numbers of kinds of those that have none, of those that have.
    """

    def __missing__(self, container: type) -> tuple[Any, ...]:
        if issubclass(container, (list, tuple)):
            backwards: Callable[[Any], Iterable[Any]] = reversed
        elif issubclass(container, (set, frozenset)):
            backwards = iter
        else:
            raise TypeError
        self[container] = {}, {}, backwards
        return self[container]


def _checked_inputs(name: str, thing: Any) -> Sequence[Any]:
    try:
        inputs = getattr(thing, name)
    except AttributeError as error:
        if name == "prev":
            _content(thing)
        raise InvalidArgumentError(
            "thing", f"a {type(thing).__name__} in the graph has no {name}; all in it need one"
        ) from error
    return _inputs(thing, inputs)[0]


def _seed_kind(tensor: Any) -> Kind:
    label, oper, shape, comp_grad, is_leaf, prev = _content(tensor)
    inputs, is_ordered = _inputs(tensor, prev)
    if oper is None:
        # One without an operation that has inputs is those inputs under another name.
        oper = "" if inputs else PARAMETER if comp_grad else INPUT
    attributes = (("comp_grad", comp_grad), ("is_leaf", is_leaf))
    is_ordered = is_ordered or not inputs
    return Kind(oper, tuple(shape), None, "", label, attributes, is_ordered)


def _micrograd_kind(value: Any) -> Kind:
    label = str(getattr(value, "label", "") or "")
    is_ordered = isinstance(value._prev, (list, tuple)) or not value._prev
    return Kind(str(value._op or INPUT), (), label=label, is_ordered=is_ordered)


def capture_graph(tensor: Any) -> dict[str, Any]:
    """Return the graph of operations that led to `tensor`, as strict JSON data.

    Every tensor reachable through `prev` is visited once, breadth first and without recursion, so
    that only memory limits the size (about 1.2 kB an operation). A cycle is captured as it is.

    Inputs in a list or tuple keep their order, with one edge per use: x*x has two. A set knows
    neither the order of its inputs nor how often each was used: a-b and b-a, x*x and x**2 look
    alike in it. Its inputs get one edge each and are visited in the order of their own label,
    operation, shape and flags; those that agree in all of these come in arbitrary order, which may
    differ from process to process even where their own inputs could tell them apart.

    Args:
        tensor: the result of the computation. It and everything it was made from needs

            - `label`: its name, or None.
            - `shape`: iterable of its sizes, integers of any kind.
            - `comp_grad`: whether gradients are computed for it.
            - `is_leaf`: whether it was made by the user, not by an operation.
            - `oper`: name of the operation that made it, or None.
            - `prev`: what it was made from, a list, tuple, set or frozenset; empty for a leaf.

    Returns:
        A dict that shares nothing with the tensors and holds

        - `format`: version of this layout, 1.
        - `inputs_ordered`: False where a tensor keeps inputs in a set.
        - `nodes`: in the order of the walk {id, type: "tensor", label, shape, comp_grad, is_leaf},
          each followed by {id, type: "operation", label} where an operation made it. The tensor met
          as number 7, from 0, is `t7`, its operation `o7`.
        - `edges`: {source, target}, inputs -> operation -> result; those of ordered inputs also
          have their position as `port`, from 0. Inputs lead straight to a tensor without operation.

    Raises:
        InvalidArgumentError: `tensor`, or something it was made from, lacks one of the attributes
            or holds in it what cannot become data.

    Examples:
        >>> from types import SimpleNamespace
        >>> from tracking import _build_graph_data
        >>> leaf = {"shape": (), "comp_grad": True, "is_leaf": True, "oper": None, "prev": ()}
        >>> x = SimpleNamespace(label="x", **leaf)
        >>> made = {"shape": (), "comp_grad": True, "is_leaf": False}
        >>> graph = _build_graph_data(SimpleNamespace(label="y", oper="mul", prev=(x, x), **made))
        >>> [(node["id"], node["label"]) for node in graph["nodes"]]
        [('t0', 'y'), ('o0', 'mul'), ('t1', 'x')]
        >>> [(edge["source"], edge["target"]) for edge in graph["edges"]]
        [('o0', 't0'), ('t1', 'o0'), ('t1', 'o0')]
    """
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    inputs_ordered = True
    # Grows while it is walked, and keeps every tensor alive so that no id() comes twice.
    found = [tensor]
    ids = {id(tensor): "t0"}
    for number, result in enumerate(found):
        result_id = target = ids[id(result)]
        label, oper, shape, comp_grad, is_leaf, prev = _content(result)
        nodes.append(
            {
                "id": result_id,
                "type": "tensor",
                "label": label,
                "shape": shape,
                "comp_grad": comp_grad,
                "is_leaf": is_leaf,
            }
        )
        if oper is not None:
            target = f"o{number}"
            nodes.append({"id": target, "type": "operation", "label": oper})
            edges.append({"source": target, "target": result_id})
        inputs, is_ordered = _inputs(result, prev)
        for port, source in enumerate(inputs):
            source_id = ids.get(id(source))
            if source_id is None:
                source_id = ids[id(source)] = f"t{len(found)}"
                found.append(source)
            edge: dict[str, Any] = {"source": source_id, "target": target}
            if is_ordered:
                edge["port"] = port
            else:
                inputs_ordered = False
            edges.append(edge)
    return {"format": FORMAT, "inputs_ordered": inputs_ordered, "nodes": nodes, "edges": edges}


_build_graph_data = capture_graph


def check_graph_data(graph_data: Any) -> str:
    """Return `graph_data` as compact strict JSON text.

    Args:
        graph_data: a dict with lists `nodes` and `edges`, such as `capture_graph` returns.

    Raises:
        InvalidArgumentError: it is something else, or holds what strict JSON cannot (NaN, objects,
            a container inside itself).
    """
    if not isinstance(graph_data, dict):
        kind = type(graph_data).__name__
        raise InvalidArgumentError(
            "graph_data", f"is a {kind}; pass a dict such as capture_graph() returns"
        )
    for name in ("nodes", "edges"):
        if not isinstance(graph_data.get(name), list):
            raise InvalidArgumentError(
                "graph_data", f"has no list {name!r}; pass a dict such as capture_graph() returns"
            )
    try:
        return json.dumps(graph_data, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(
            "graph_data",
            f"is not strict JSON ({error}); use dicts with text keys, lists, text, finite numbers,"
            " bools and None",
        ) from error


def _content(tensor: Any) -> tuple[str, str | None, list[int], bool, bool, Any]:
    """Return label, oper, shape, comp_grad and is_leaf as JSON values, and prev as it is."""
    try:
        label, oper = tensor.label, tensor.oper
        return (
            "" if label is None else str(label),
            None if oper is None else str(oper),
            list(map(index, tensor.shape)),
            bool(tensor.comp_grad),
            bool(tensor.is_leaf),
            tensor.prev,
        )
    except AttributeError as error:
        missing = [name for name in _ATTRIBUTES if not hasattr(tensor, name)]
        if not missing:
            raise
        raise InvalidArgumentError(
            "tensor",
            f"a {type(tensor).__name__} in the graph has no {', '.join(missing)}; the tensor and"
            f" everything it was made from need {', '.join(_ATTRIBUTES)}",
        ) from error
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(
            "tensor",
            f"{_name(tensor)} cannot become data ({error}); its shape must hold integers, its"
            " comp_grad and is_leaf be true or false",
        ) from error


def _inputs(tensor: Any, prev: Any) -> tuple[Sequence[Any], bool]:
    """Return the inputs in the order of the walk, and whether that is the order they were given."""
    if isinstance(prev, (list, tuple)):
        return prev, True
    if isinstance(prev, (set, frozenset)):
        return sorted(prev, key=_sort_key) if len(prev) > 1 else tuple(prev), False
    raise InvalidArgumentError(
        "tensor",
        f"prev of {_name(tensor)} is a {type(prev).__name__}; keep inputs in a list, tuple or set",
    )


def _sort_key(tensor: Any) -> tuple[Any, ...]:
    label, oper, shape, comp_grad, is_leaf, _ = _content(tensor)
    return label, oper is not None, oper or "", shape, comp_grad, is_leaf


def _name(tensor: Any) -> str:
    return f"the {type(tensor).__name__} labelled {tensor.label!r}"
