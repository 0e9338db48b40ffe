"""Graphs of PyTorch: what autograd recorded of a tensor, and modules traced with example inputs."""

from __future__ import annotations

import copy
import marshal
import re
from contextlib import suppress
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidArgumentError
from tracking.graph.adapters import attributes, element, scalar
from tracking.graph.builder import GraphBuilder, walk
from tracking.graph.model import CONSTANT, INPUT, PARAMETER, Graph, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tracking.graph.model import Scalar

_SUFFIX = re.compile(r"Backward\d*$")
# A negative number that autograd gives back without its sign: dim=-1 is 2**64 - 1.
_UNSIGNED = 2**64
_NO_REFERENCES = 2  # a version of marshal in which equal values are equal bytes


def capture(thing: Any, *args: Any, via: str = "fx") -> Graph:
    """Return the graph of a tensor, or of a module called with `args`.

    A tensor: the operations autograd recorded on the way to it, from its `grad_fn`. Tensors that
    were made by the user and take gradients are parameters; an argument that takes none is a
    `constant`, one for each use, since autograd forgets what it was. Attributes are the saved
    arguments of operations that are no tensors.

    A module: the operations of its `forward`, traced by torch.fx down to the modules of torch.nn,
    or by torch.export down to ATen. Nothing is computed: shapes come from fake tensors, and neither
    buffers nor the state of random numbers change.

    Args:
        thing: a `torch.Tensor` or a `torch.nn.Module`.
        *args: example inputs of a module, in the order of `forward`.
        via: `"fx"` or `"export"`, for a module.

    Returns:
        A graph whose source is `torch.autograd`, `torch.fx` or `torch.export`.

    Raises:
        InvalidArgumentError: `thing` is neither; a tensor takes no gradients; a module came without
            example inputs, cannot be traced, or fails with these inputs; `via` is something else.
    """
    torch = import_module("torch")

    if isinstance(thing, torch.Tensor):
        return _of_tensor(thing, torch.__version__)
    if not isinstance(thing, torch.nn.Module):
        raise InvalidArgumentError(
            "thing", f"is a {type(thing).__name__}; pass a torch.Tensor or a torch.nn.Module"
        )
    if not args:
        raise InvalidArgumentError(
            "args",
            f"a {type(thing).__name__} is traced with inputs; pass example inputs of its forward"
            " after it, such as torch.zeros(1, 3, 32, 32)",
        )
    if via not in _TRACERS:
        raise InvalidArgumentError("via", f"is {via!r}; choose one of {', '.join(_TRACERS)}")
    return _TRACERS[via](thing, args)


# Tensors: the tape of autograd


def _of_tensor(tensor: Any, version: str) -> Graph:
    builder = GraphBuilder("torch.autograd", version)
    if tensor.grad_fn is None:
        if not tensor.requires_grad:
            raise InvalidArgumentError(
                "thing",
                "the tensor has no graph: nothing it was made from takes gradients, or it was made"
                " under no_grad() or detached; pass a loss before .detach() or .item()",
            )
        return builder.build([builder.add(_parameter(tensor), ())])
    kinds = _Kinds(builder)
    constant = builder.number_of(Kind(CONSTANT))
    numbers: dict[Any, int] = {}
    many: dict[Any, Sequence[Any]] = {}

    def one_of_many(function: Any, index: int) -> int:
        return builder.add(element(index, *_content(many[function][index])), (numbers[function],))

    for function in walk([tensor.grad_fn], _inputs_of):
        inputs = []
        for source, index in function.next_functions:
            if source is None:
                inputs.append(builder.add_one_of(constant, ()))
            elif source in many:
                inputs.append(one_of_many(source, index))
            else:
                inputs.append(numbers[source])
        # Named for the way back: the results of the operation that went forward.
        results = getattr(function, "_input_metadata", ())
        if len(results) > 1:
            many[function] = results
        numbers[function] = builder.add_one_of(kinds(function, results), inputs)
    root = tensor.grad_fn
    is_one = root not in many
    return builder.build([numbers[root] if is_one else one_of_many(root, tensor.output_nr)])


def _inputs_of(function: Any) -> list[Any]:
    return [source for source, _ in function.next_functions if source is not None]


def _parameter(tensor: Any) -> Kind:
    return Kind(PARAMETER, _shape(tensor.shape), _dtype(tensor.dtype))


def _content(result: Any) -> tuple[tuple[int | str, ...] | None, str | None]:
    """Return shape and dtype of a tensor or what is known of one; nothing of what is none."""
    if hasattr(result, "shape") and hasattr(result, "dtype"):
        return _shape(result.shape), _dtype(result.dtype)
    return None, None


class _Kinds:
    """Numbers of the kinds of a tape's operations; what many have in common is made once."""

    def __init__(self, builder: GraphBuilder) -> None:
        self._builder = builder
        self._classes: dict[type, tuple[str, tuple[str, ...], Callable[[Any], Any]]] = {}
        self._known: dict[tuple[Any, ...], int] = {}

    def __call__(self, function: Any, results: Sequence[Any]) -> int:
        class_ = type(function)
        known = self._classes.get(class_)
        if known is None:
            op, names = _class_content(class_)
            known = self._classes[class_] = op, names, attrgetter(*names or ("name",))
        op, names, saved = known
        shape: tuple[Any, ...] = ()
        dtype = None
        if len(results) == 1 and (result := results[0]) is not None:
            shape, dtype = tuple(result.shape), result.dtype
        try:
            # Bytes, for 1, 1.0 and True are equal.
            key = (class_, dtype, shape, names and marshal.dumps(saved(function), _NO_REFERENCES))
            number = self._known.get(key)
        except (RuntimeError, TypeError, ValueError):  # freed by backward(), or no plain value
            return self._builder.number_of(_kind(function, op, names, shape, dtype))
        if number is None:
            kind = _kind(function, op, names, shape, dtype)
            number = self._known[key] = self._builder.number_of(kind)
        return number


def _kind(function: Any, op: str, names: Sequence[str], shape: Any, dtype: Any) -> Kind:
    found = _attributes(function, names)
    if dtype is None:
        return Kind(op, attributes=found)
    return Kind(op, _shape(shape), _dtype(dtype), attributes=found)


def _class_content(class_: type) -> tuple[str, tuple[str, ...]]:
    """Return the operation and the names of its saved arguments that are no tensors."""
    if class_.__name__ == "AccumulateGrad":
        return PARAMETER, ()
    names = dir(class_)
    tensors = {name.removeprefix("_raw") for name in names if name.startswith("_raw_saved_")}
    saved = [name for name in names if name.startswith("_saved_") and name not in tensors]
    return _SUFFIX.sub("", class_.__name__) or class_.__name__, tuple(saved)


def _attributes(function: Any, names: Sequence[str]) -> tuple[tuple[str, Scalar], ...]:
    """Return the saved arguments by name, those left out at the call excepted."""
    values = {}
    for name in names:
        # backward() frees them, and asking for them raises then.
        with suppress(RuntimeError):
            values[name.removeprefix("_saved_")] = getattr(function, name)
    return attributes((name, _signed(item)) for name, item in values.items() if item is not None)


def _signed(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(map(_signed, value))
    if type(value) is int and value >= _UNSIGNED // 2:
        return value - _UNSIGNED
    return value


# Modules: traced with fake tensors


def _of_module_by_fx(module: Any, args: tuple[Any, ...]) -> Graph:
    torch = import_module("torch")
    fake = import_module("torch._subclasses.fake_tensor")
    propagation = import_module("torch.fx.passes.fake_tensor_prop")

    try:
        traced = torch.fx.symbolic_trace(module)
    except Exception as error:
        raise InvalidArgumentError(
            "thing",
            f"torch.fx cannot trace {type(module).__name__} ({_first_line(error)}); pass"
            ' via="export", or the tensor it returns',
        ) from error
    try:
        mode = fake.FakeTensorMode(allow_non_fake_inputs=True)
        with fake.FakeCopyMode(mode):
            # A copy: operations that change buffers in place change them for real otherwise.
            traced = copy.deepcopy(traced)
        propagation.FakeTensorProp(traced, mode).propagate(*args)
    except Exception as error:
        raise _fails(module, error) from error
    return _Tracing("torch.fx", torch.__version__, traced, {}).graph()


def _of_module_by_export(module: Any, args: tuple[Any, ...]) -> Graph:
    torch = import_module("torch")

    try:
        program = torch.export.export(module, args)
    except Exception as error:
        raise _fails(module, error) from error
    signature = program.graph_signature
    owned = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    return _Tracing("torch.export", torch.__version__, program.graph_module, owned).graph()


_TRACERS: dict[str, Callable[[Any, tuple[Any, ...]], Graph]] = {
    "fx": _of_module_by_fx,
    "export": _of_module_by_export,
}


def _fails(module: Any, error: Exception) -> InvalidArgumentError:
    return InvalidArgumentError(
        "args",
        f"{type(module).__name__} cannot be traced with these inputs ({_first_line(error)}); pass"
        " inputs its forward takes",
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


class _Tracing:
    """A traced module on its way to a graph."""

    def __init__(self, source: str, version: str, traced: Any, owned: dict[str, str]) -> None:
        self.builder = GraphBuilder(source, version)
        self.traced = traced
        self.owned = owned
        self.numbers: dict[Any, int] = {}
        self.parameters: dict[int, int] = {}

    def graph(self) -> Graph:
        outputs: list[int] = []
        for node in self.traced.graph.nodes:
            if node.op == "output":
                outputs += [self.numbers[result] for result in node.all_input_nodes]
            else:
                self.numbers[node] = self.add(node)
        return self.builder.build(outputs)

    def add(self, node: Any) -> int:
        shape, dtype = _content(node.meta.get("val"))
        if node.op == "placeholder":
            namespace, label = _path(self.owned.get(node.target, ""))
            op = PARAMETER if label else INPUT
            return self.builder.add(Kind(op, shape, dtype, namespace, label or node.target), ())
        if node.op == "get_attr":
            namespace, label = _path(node.target)
            return self.builder.add(Kind(PARAMETER, shape, dtype, namespace, label), ())
        op, namespace, extra = self.operation(node)
        inputs, constants = _arguments(node)
        found = attributes([*constants, *extra])
        numbers = [self.numbers[source] for source in inputs]
        numbers += self.parameters_of(node) if node.op == "call_module" else ()
        return self.builder.add(Kind(op, shape, dtype, namespace, "", found), numbers)

    def operation(self, node: Any) -> tuple[str, str, list[tuple[str, Any]]]:
        """Return name, namespace and attributes that are no arguments of the call."""
        namespace = _namespace(node.meta.get("nn_module_stack"))
        if node.op == "call_module":
            module = self.traced.get_submodule(node.target)
            return type(module).__name__, node.target.replace(".", "/"), _settings(module)
        return _name(node.target), namespace, []

    def parameters_of(self, node: Any) -> list[int]:
        """Return the parameters of a module that is one operation; shared ones are one node."""
        numbers = []
        for name, tensor in self.traced.get_submodule(node.target).named_parameters():
            if id(tensor) not in self.parameters:
                namespace, label = _path(f"{node.target}.{name}")
                kind = _parameter(tensor)._replace(namespace=namespace, label=label)
                self.parameters[id(tensor)] = self.builder.add(kind, ())
            numbers.append(self.parameters[id(tensor)])
        return numbers


def _arguments(node: Any) -> tuple[list[Any], list[tuple[str, Any]]]:
    """Return the nodes a call takes, in order, and its other arguments by name or position.

    Of a list of nodes or a node by keyword the place is kept too: `%` stands for a node.
    """
    torch = import_module("torch")

    inputs: list[Any] = []

    def without_nodes(value: Any) -> Any:
        if isinstance(value, torch.fx.Node):
            inputs.append(value)
            return _Place()
        if isinstance(value, (list, tuple)):
            return tuple(map(without_nodes, value))
        if isinstance(value, slice):
            return slice(*map(without_nodes, (value.start, value.stop, value.step)))
        if isinstance(value, dict):
            return {name: without_nodes(item) for name, item in value.items()}
        return value

    constants: list[tuple[str, Any]] = []
    for position, value in enumerate(node.args):
        plain = without_nodes(value)
        if not isinstance(plain, _Place):
            constants.append((f"arg{position}", plain))
    for name, value in sorted(node.kwargs.items()):
        constants.append((name, scalar(without_nodes(value))))
    return inputs, constants


class _Place:
    """Stands for a node among arguments."""

    def __str__(self) -> str:
        return "%"


def _settings(module: Any) -> list[tuple[str, Any]]:
    """Return the plain public settings of a module: those it computes with, and its mode."""
    return [
        (name, value)
        for name, value in vars(module).items()
        if not name.startswith("_") and _is_plain(value)
    ]


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return isinstance(value, (str, bool, int, float))


def _name(target: Any) -> str:
    if isinstance(target, str):
        return target
    if hasattr(target, "_schema"):
        return str(target).removesuffix(".default")
    return str(getattr(target, "__name__", type(target).__name__))


def _namespace(stack: dict[str, tuple[str, Any]] | None) -> str:
    return next(reversed(stack.values()))[0].replace(".", "/") if stack else ""


def _path(target: str) -> tuple[str, str]:
    *modules, label = target.split(".")
    return "/".join(modules), label


def _shape(sizes: Iterable[Any]) -> tuple[int | str, ...]:
    return tuple(size if type(size) is int else str(size) for size in sizes)


def _dtype(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")
