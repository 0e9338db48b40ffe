"""Capturing, storing and comparing graphs, over bare walks of the same objects."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.measure import ROOT, Estimate, Lab, Row, cpu_s, interleaved, median, ratio
from tracking import ExperimentDBManager
from tracking.graph.capture import capture
from tracking.graph.diff import diff
from tracking.graph.fingerprint import fingerprint
from tracking.graph.text import pack

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracking.graph.model import Graph

_BOUND = 6.0
_GROWTH_BOUND = 1.5
_MEMORY_BOUND_MIB = 1024.0
_DIFF_BOUND = 3.0
_AUTOGRAD_BOUND = 6.0
_AGAIN_BOUND = 1.5
_OPS = ("add", "mul", "relu", "matmul")
_PEAK = """
import resource, sys
from benchmarks.graphs import ExperimentDBManager, capture, chain, save_anew
root = chain({n})
save_anew(ExperimentDBManager(sys.argv[1]), capture(root))
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
        *_storing(lab, sizes[0], long),
        _memory(lab, long),
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


def save_anew(db: ExperimentDBManager, graph: Graph, n_times: int = 1) -> float:
    """Return the seconds it takes to save a graph that is not there, or the last of some times."""
    runs = [db.create_run() for _ in range(n_times)]
    cost = [cpu_s(lambda: db.save_graph(run_id, graph)) for run_id in runs][-1]  # noqa: B023
    for run_id in runs:
        db.delete_run(run_id)
    return cost


def _storing(lab: Lab, short: int, long: int) -> list[Row]:
    costs = {n: _costs_of_storing(lab, n) for n in (short, long)}
    once_s = {
        n: tuple(map(sum, zip(of["capture"], of["store"], strict=True))) for n, of in costs.items()
    }
    walk_s, again_s, hash_s = (costs[long][side] for side in ("walk", "again", "fingerprint"))
    once_us, short_us, walk_us, again_us, hash_us = (
        1e6 * median(part) for part in (once_s[long], once_s[short], walk_s, again_s, hash_s)
    )
    return [
        Row(
            f"graph: capture, fingerprint and store {long:,} operations over a bare walk",
            ratio(once_s[long], walk_s),
            f"{once_us:.2f} us against {walk_us:.2f} us a node",
            _BOUND,
        ),
        Row(
            f"graph: all that for a node of {long:,} over a node of {short:,}",
            Estimate.of([once_us / short_us]),
            f"{once_us:.2f} us against {short_us:.2f} us",
            _GROWTH_BOUND,
        ),
        Row(
            f"graph: store one of {long:,} operations that is there already over its fingerprint",
            ratio(again_s, hash_s),
            f"{again_us:.2f} us against {hash_us:.2f} us a node",
            _AGAIN_BOUND,
        ),
    ]


def _costs_of_storing(lab: Lab, n: int) -> dict[str, tuple[float, ...]]:
    """Return seconds a node, by round, of each step."""
    root = chain(n)
    graph = capture(root)
    with closing(ExperimentDBManager(lab.folder / f"graphs of {n}.db")) as db:
        sides: dict[str, Callable[[], float]] = {
            "walk": lambda: cpu_s(lambda: _walk_tensors(root)),
            "capture": lambda: cpu_s(lambda: capture(root)),
            "fingerprint": lambda: cpu_s(lambda: fingerprint(graph)),
            "store": lambda: save_anew(db, graph),
            "again": lambda: save_anew(db, graph, n_times=2),
        }
        measured = interleaved(sides, lab.amount(5, 1))
    return {side: tuple(cost / len(graph) for cost in costs) for side, costs in measured.items()}


def _memory(lab: Lab, n: int) -> Row:
    path = lab.folder / "memory of graphs.db"
    command = [sys.executable, "-c", _PEAK.format(n=n), str(path)]
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
