"""Capturing, fingerprinting, packing and comparing graphs, over bare walks of the same objects."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.measure import ROOT, Estimate, Lab, Row, cpu_s, interleaved, median, ratio
from tracking.graph.capture import capture
from tracking.graph.diff import diff
from tracking.graph.fingerprint import fingerprint
from tracking.graph.text import pack

if TYPE_CHECKING:
    from collections.abc import Callable

_BOUND = 6.0
_GROWTH_BOUND = 1.5
_MEMORY_BOUND_MIB = 1024.0
_DIFF_BOUND = 3.0
_AUTOGRAD_BOUND = 6.0
_OPS = ("add", "mul", "relu", "matmul")
_PEAK = """
import resource
from benchmarks.graphs import capture, chain, fingerprint, pack
root = chain({n})
graph = capture(root)
fingerprint(graph), pack(graph)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


class Tensor:
    """The least that is a tensor."""

    __slots__ = ("comp_grad", "is_leaf", "label", "oper", "prev", "shape")

    def __init__(
        self, label: str | None, prev: Any, oper: str | None, shape: tuple[int, ...]
    ) -> None:
        self.label, self.prev, self.oper, self.shape = label, prev, oper, shape
        self.comp_grad, self.is_leaf = True, oper is None


class Costs(NamedTuple):
    """Seconds a node, by round."""

    walk_s: tuple[float, ...]
    capture_s: tuple[float, ...]
    fingerprint_s: tuple[float, ...]
    pack_s: tuple[float, ...]

    @property
    def all_s(self) -> tuple[float, ...]:
        """What is ours."""
        return tuple(map(sum, zip(*self[1:], strict=True)))


def rows(lab: Lab) -> list[Row]:
    """Measure chains of three lengths, how they are compared, and the tape of PyTorch."""
    long = lab.amount(1_000_000, 2_000)
    sizes = (long // 100, long // 10, long)
    tuples = {n: _costs(n, tuple, lab.amount(5 if n == long else 15, 1)) for n in sizes}
    sets = _costs(long, set, lab.amount(5, 1))
    return [
        *(_over_walk(n, "tuples", costs, n == long) for n, costs in tuples.items()),
        _over_walk(long, "sets", sets, has_bound=True),
        _growth(tuples[sizes[0]], sizes[0], tuples[long], long),
        _memory(long),
        _comparison(lab),
        _autograd(lab),
    ]


def chain(n: int, swapped: int = -1, container: type = tuple) -> Tensor:
    """Return the last of `n` operations in a chain with weights and shortcuts."""
    weights = [Tensor(f"w{number}", container(), None, (8, 8)) for number in range(100)]
    last = shortcut = Tensor("x", container(), None, (4, 8))
    for number in range(n):
        op = _OPS[number % 4] if number != swapped else "gelu"
        other = {"add": [shortcut], "relu": []}.get(_OPS[number % 4], [weights[number % 100]])
        last = Tensor(None, container([last, *other]), op, (4, number % 50))
        if number % 8 == 0:
            shortcut = last
    return last


def _walk_tensors(root: Tensor) -> int:
    """Visit everything once, and do nothing else."""
    seen = {id(root)}
    stack = [root]
    while stack:
        for tensor in stack.pop().prev:
            if id(tensor) not in seen:
                seen.add(id(tensor))
                stack.append(tensor)
    return len(seen)


def _costs(n: int, container: type, n_rounds: int) -> Costs:
    root = chain(n, container=container)
    graph = capture(root)
    sides: dict[str, Callable[[], float]] = {
        "walk": lambda: cpu_s(lambda: _walk_tensors(root)),
        "capture": lambda: cpu_s(lambda: capture(root)),
        "fingerprint": lambda: cpu_s(lambda: fingerprint(graph)),
        "pack": lambda: cpu_s(lambda: pack(graph)),
    }
    measured = interleaved(sides, n_rounds).values()
    return Costs(*(tuple(cost / len(graph) for cost in costs) for costs in measured))


def _over_walk(n: int, container: str, costs: Costs, has_bound: bool) -> Row:
    parts = " + ".join(f"{1e6 * median(part):.2f}" for part in costs[1:])
    return Row(
        f"graph: capture, fingerprint and pack {n:,} operations, inputs in {container},"
        " over a bare walk",
        ratio(costs.all_s, costs.walk_s),
        f"{parts} us against {1e6 * median(costs.walk_s):.2f} us a node",
        _BOUND if has_bound else None,
    )


def _growth(short: Costs, n_short: int, long: Costs, n_long: int) -> Row:
    costs = median(long.all_s), median(short.all_s)
    return Row(
        f"graph: the same for a node of {n_long:,} over a node of {n_short:,}",
        Estimate.of([costs[0] / costs[1]]),
        f"{1e6 * costs[0]:.2f} us against {1e6 * costs[1]:.2f} us",
        _GROWTH_BOUND,
    )


def _memory(n: int) -> Row:
    command = [sys.executable, "-c", _PEAK.format(n=n)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return Row(
        f"graph: memory of a process that does so for {n:,} operations",
        Estimate.of([float(done.stdout)]),
        "the objects themselves and all of Python in it",
        _MEMORY_BOUND_MIB,
        unit="MiB",
    )


def _comparison(lab: Lab) -> Row:
    n = lab.amount(4_000, 200)
    before, after = capture(chain(n)), capture(chain(n, swapped=n // 2))
    sides = {
        "diff": lambda: cpu_s(lambda: diff(before, after)),
        "fingerprints": lambda: cpu_s(lambda: (fingerprint(before), fingerprint(after))),
    }
    compared, hashed = interleaved(sides, lab.amount(31, 1)).values()
    return Row(
        f"graph: diff of two of {n:,} operations over fingerprinting both",
        ratio(compared, hashed),
        f"{1e3 * median(compared):.1f} against {1e3 * median(hashed):.1f} ms",
        _DIFF_BOUND,
    )


def _autograd(lab: Lab) -> Row:
    n = lab.amount(25_000, 200)
    what = f"graph: capture {n:,} operations of PyTorch's autograd over a bare walk"
    if importlib.util.find_spec("torch") is None:
        return Row(what, None, "there is no PyTorch here: install torch", _AUTOGRAD_BOUND)
    torch = importlib.import_module("torch")
    tensor, weight = torch.ones(4, 4), torch.ones(4, 4, requires_grad=True)
    for _ in range(n // 2):
        tensor = torch.relu(tensor @ weight)
    sides = {
        "walk": lambda: cpu_s(lambda: _walk_autograd(tensor.grad_fn)),
        "capture": lambda: cpu_s(lambda: capture(tensor)),
    }
    walked, captured = interleaved(sides, lab.amount(31, 1)).values()
    return Row(
        what,
        ratio(captured, walked),
        f"{1e6 * median(captured, n):.2f} us against {1e6 * median(walked, n):.2f} us a node",
        _AUTOGRAD_BOUND,
    )


def _walk_autograd(root: Any) -> int:
    """Visit everything once, and do nothing else."""
    seen = {root}
    stack = [root]
    while stack:
        for function, _ in stack.pop().next_functions:
            if function is not None and function not in seen:
                seen.add(function)
                stack.append(function)
    return len(seen)
