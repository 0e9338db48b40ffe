"""Graphs of JAX: the jaxpr of a function."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidArgumentError
from tracking.graph.adapters import attributes, element, scalar
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import CONSTANT, INPUT, Graph, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Calls that do nothing but run the jaxpr they hold, under the names different versions give them.
_CALLS = {
    *("jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"),
    *("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr", "custom_lin"),
}


def capture(thing: Any, *args: Any, **options: Any) -> Graph:
    """Return the graph of a function called with `args`, or of a jaxpr.

    A function is traced by `jax.make_jaxpr`, which computes nothing. Calls inside it (jit, remat,
    custom derivatives) are followed: their operations have the name of the call as namespace. The
    body of a loop or a branch (scan, while, cond) is there once, in the namespace of its operation:
    its own inputs are inputs, and the operation takes the results of the body after its arguments.

    Args:
        thing: a function of arrays, or a `ClosedJaxpr`.
        *args: example arguments of the function; `jax.ShapeDtypeStruct` will do.
        **options: example arguments by keyword.

    Returns:
        A graph whose source is `jax`.

    Raises:
        InvalidArgumentError: `thing` is neither, or cannot be traced with these arguments.
    """
    jax = import_module("jax")

    closed = thing
    if not hasattr(thing, "eqns"):
        if not callable(thing):
            raise InvalidArgumentError(
                "thing", f"is a {type(thing).__name__}; pass a function of arrays or a ClosedJaxpr"
            )
        try:
            closed = jax.make_jaxpr(thing)(*args, **options)
        except Exception as error:
            first, *_ = str(error).strip().splitlines() or [""]
            raise InvalidArgumentError(
                "args",
                f"jax cannot trace {scalar(thing)} with these arguments"
                f" ({type(error).__name__}: {first}); pass example arguments the function takes",
            ) from error
    walk = _Walk(GraphBuilder("jax", jax.__version__))
    jaxpr = _open(closed)
    names = getattr(getattr(jaxpr, "debug_info", None), "arg_names", None) or ()
    labels = list(names) if len(names) == len(jaxpr.invars) else [""] * len(jaxpr.invars)
    inputs = [
        walk.free(variable.aval, INPUT, "", label or "")
        for variable, label in zip(jaxpr.invars, labels, strict=True)
    ]
    return walk.builder.build(walk.jaxpr(closed, inputs, ""))


def _open(jaxpr: Any) -> Any:
    """Return the jaxpr in a closed one, or itself."""
    return getattr(jaxpr, "jaxpr", jaxpr)


class _Walk:
    """Jaxprs on their way to a graph. Goes as deep as they are nested: as the calls traced were."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder

    def jaxpr(self, closed: Any, inputs: Sequence[int], namespace: str) -> list[int]:
        """Add what `closed` does to `inputs`, and return its results."""
        jaxpr = _open(closed)
        numbers: dict[Any, int] = dict(zip(jaxpr.invars, inputs, strict=True))
        for variable, value in zip(jaxpr.constvars, getattr(closed, "consts", ()), strict=False):
            numbers[variable] = self.constant(variable.aval, value, namespace)
        for variable in jaxpr.constvars:
            if variable not in numbers:
                numbers[variable] = self.free(variable.aval, CONSTANT, namespace)

        def number(atom: Any) -> int:
            if hasattr(atom, "val"):
                return self.constant(atom.aval, atom.val, namespace)
            return numbers[atom]

        for equation in jaxpr.eqns:
            results = self.equation(equation, list(map(number, equation.invars)), namespace)
            numbers.update(zip(equation.outvars, results, strict=True))
        return list(map(number, jaxpr.outvars))

    def equation(self, equation: Any, inputs: list[int], namespace: str) -> list[int]:
        """Add an equation, and return its results."""
        op = equation.primitive.name
        bodies = list(_bodies(equation.params))
        if op in _CALLS and len(bodies) == 1 and len(_open(bodies[0][1]).invars) == len(inputs):
            name = equation.params.get("name") or op
            return self.jaxpr(bodies[0][1], inputs, _join(namespace, str(name)))
        for name, body in bodies:
            inside = _join(namespace, op if len(bodies) == 1 else f"{op}/{name}")
            free = [self.free(v.aval, INPUT, inside) for v in _open(body).invars]
            inputs += self.jaxpr(body, free, inside)
        found = attributes(
            (name, value)
            for name, value in equation.params.items()
            if value is not None and not _is_body(value)
        )
        kinds = [_content(variable.aval) for variable in equation.outvars]
        if len(kinds) == 1:
            return [self.builder.add(Kind(op, *kinds[0], namespace, "", found), inputs)]
        call = self.builder.add(Kind(op, None, None, namespace, "", found), inputs)
        return [
            call
            if type(variable).__name__ == "DropVar"
            else self.builder.add(element(index, *kind, namespace), (call,))
            for index, (variable, kind) in enumerate(zip(equation.outvars, kinds, strict=True))
        ]

    def free(self, aval: Any, op: str, namespace: str, label: str = "") -> int:
        """Add a node that takes nothing."""
        return self.builder.add(Kind(op, *_content(aval), namespace, label), ())

    def constant(self, aval: Any, value: Any, namespace: str) -> int:
        """Add a constant: a number with its value, an array without."""
        shape, dtype = _content(aval)
        found = attributes([("value", value)]) if shape == () else ()
        return self.builder.add(Kind(CONSTANT, shape, dtype, namespace, "", found), ())


def _bodies(params: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the jaxprs an equation holds, with a name for each."""
    for name, value in sorted(params.items()):
        if hasattr(value, "eqns"):
            yield name.removesuffix("_jaxpr"), value
        elif _is_body(value):
            yield from ((str(index), item) for index, item in enumerate(value))


def _is_body(value: Any) -> bool:
    several = value if isinstance(value, (list, tuple)) else (value,)
    return bool(several) and all(hasattr(item, "eqns") for item in several)


def _join(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def _content(aval: Any) -> tuple[tuple[int | str, ...] | None, str | None]:
    """Return shape and dtype of an abstract value; a token has none."""
    if not hasattr(aval, "shape"):
        return None, None
    shape = tuple(size if type(size) is int else str(size) for size in aval.shape)
    return shape, str(aval.dtype)
