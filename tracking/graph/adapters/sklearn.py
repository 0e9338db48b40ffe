"""Graphs of scikit-learn: the estimators of a pipeline, and what flows between them."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidArgumentError
from tracking.graph.adapters import attributes, scalar
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import INPUT, Graph, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOTHING_DONE = (None, "passthrough")


def capture(thing: Any) -> Graph:
    """Return the graph of an estimator, fitted or not.

    Steps of a Pipeline follow each other, those of a FeatureUnion or ColumnTransformer stand side
    by side and lead to it. Estimators inside any other one (a search, a vote, a stack) take what it
    takes and lead to it. Attributes are the parameters that are not the default ones. A step has
    its name as label, and the names of the estimators around it as namespace.

    Args:
        thing: an estimator: whatever has `get_params`.

    Returns:
        A graph whose source is `sklearn`, with the data as its one input.

    Raises:
        InvalidArgumentError: `thing` has no `get_params`.
    """
    sklearn = import_module("sklearn")

    if not _is_estimator(thing):
        raise InvalidArgumentError(
            "thing", f"is a {type(thing).__name__}; pass an estimator, an object with get_params()"
        )
    walk = _Walk(GraphBuilder("sklearn", sklearn.__version__))
    data = walk.builder.add(Kind(INPUT, label="X"), ())
    return walk.builder.build([walk.estimator(thing, data, "", "")])


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params") and not isinstance(value, type)


class _Walk:
    """Estimators on their way to a graph. Goes as deep as they are nested."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder

    def estimator(self, estimator: Any, data: int, namespace: str, label: str) -> int:
        """Add an estimator that takes the node `data`, and return its result."""
        compose, pipeline = map(import_module, ("sklearn.compose", "sklearn.pipeline"))

        inside = f"{namespace}/{label}".strip("/")
        if isinstance(estimator, pipeline.Pipeline):
            for name, step in estimator.steps:
                data = self.step(step, data, inside, name)
            return data
        if isinstance(estimator, compose.ColumnTransformer):
            branches = [
                self.step(step, self.columns(columns, data, inside, name), inside, name)
                for name, step, columns in estimator.transformers
                if step != "drop"
            ]
            left_out = {"transformers"}
            if estimator.remainder != "drop":
                rest = self.columns("remainder", data, inside, "remainder")
                branches.append(self.step(estimator.remainder, rest, inside, "remainder"))
                left_out.add("remainder")
        elif isinstance(estimator, pipeline.FeatureUnion):
            branches = [
                self.step(step, data, inside, name)
                for name, step in estimator.transformer_list
                if step != "drop"
            ]
            left_out = {"transformer_list"}
        else:
            inner = list(_inner(estimator))
            branches = [self.step(part, data, inside, name) for _, name, part in inner]
            left_out = {parameter for parameter, _, _ in inner}
        kind = self.kind(estimator, left_out, namespace, label)
        return self.builder.add(kind, branches or (data,))

    def step(self, step: Any, data: int, namespace: str, name: str) -> int:
        """Add a step, or nothing for one that does nothing."""
        if isinstance(step, (str, type(None))) and step in _NOTHING_DONE:
            return data
        return self.estimator(step, data, namespace, name)

    def columns(self, columns: Any, data: int, namespace: str, label: str) -> int:
        """Add the choice of some columns of `data`."""
        found = attributes([("columns", columns)])
        return self.builder.add(Kind("columns", None, None, namespace, label, found), (data,))

    def kind(self, estimator: Any, left_out: set[str], namespace: str, label: str) -> Kind:
        """Return the kind of an estimator: its class, and the parameters that were chosen."""
        defaults = _defaults(type(estimator))
        chosen = [
            (name, value)
            for name, value in estimator.get_params(deep=False).items()
            if name not in left_out and not (name in defaults and _is_same(value, defaults[name]))
        ]
        op = type(estimator).__name__
        return Kind(op, None, None, namespace, label, attributes(chosen))


def _defaults(class_: Any) -> dict[str, Any]:
    # A deprecated class is wrapped, and keeps what it was.
    init = getattr(class_.__init__, "deprecated_original", class_.__init__)
    parameters = inspect.signature(init).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _is_same(value: Any, default: Any) -> bool:
    """Tell whether two values read alike; arrays and NaN are not equal to themselves."""
    return type(value) is type(default) and scalar(value) == scalar(default)


def _inner(estimator: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the parameter, name and value of the estimators among the parameters."""
    for parameter, value in sorted(estimator.get_params(deep=False).items()):
        if _is_estimator(value):
            yield parameter, parameter, value
        elif isinstance(value, (list, tuple)) and value and all(map(_is_named, value)):
            yield from ((parameter, name, part) for name, part in value if part != "drop")


def _is_named(item: Any) -> bool:
    """Tell whether `item` is a pair of a name and an estimator, as a vote or a stack has them."""
    if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)):
        return False
    return _is_estimator(item[1]) or item[1] in ("drop", "passthrough")
