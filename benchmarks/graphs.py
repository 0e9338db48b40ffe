"""Capturing, fingerprinting, packing and comparing graphs, over bare walks of the same objects.

Run as `python -m benchmarks.graphs`, or with `quick` to see that it runs.
"""

from __future__ import annotations

import gc
import resource
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.graph.capture import capture
from tracking.graph.diff import diff
from tracking.graph.fingerprint import fingerprint
from tracking.graph.text import pack

if TYPE_CHECKING:
    from collections.abc import Callable

_N_ROUNDS = 3
_OPS = ("add", "mul", "relu", "matmul")


class Tensor:
    """The least that is a tensor."""

    __slots__ = ("comp_grad", "is_leaf", "label", "oper", "prev", "shape")

    def __init__(
        self, label: str | None, prev: Any, oper: str | None, shape: tuple[int, ...]
    ) -> None:
        self.label, self.prev, self.oper, self.shape = label, prev, oper, shape
        self.comp_grad, self.is_leaf = True, oper is None


class Timing(NamedTuple):
    """Seconds of the best of some rounds."""

    walk_s: float
    capture_s: float
    fingerprint_s: float
    pack_s: float

    @property
    def ratio(self) -> float:
        """All of ours over the bare walk."""
        return sum(self[1:]) / self.walk_s


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


def walk(root: Any) -> int:
    """Visit everything once, and do nothing else."""
    seen = {id(root)}
    stack = [root]
    while stack:
        for tensor in stack.pop().prev:
            if id(tensor) not in seen:
                seen.add(id(tensor))
                stack.append(tensor)
    return len(seen)


def seconds(function: Callable[[], Any]) -> float:
    """Return the CPU time of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def timing(n: int, container: type) -> Timing:
    """Measure the steps on one chain of `n` operations."""
    root = chain(n, container=container)
    gc.collect()
    graph = capture(root)
    steps: list[Callable[[], Any]] = [
        lambda: walk(root),
        lambda: capture(root),
        lambda: fingerprint(graph),
        lambda: pack(graph),
    ]
    rounds = [[seconds(step) for step in steps] for _ in range(_N_ROUNDS)]
    return Timing(*(min(step) for step in zip(*rounds, strict=True)))


def main() -> None:
    """Print the table."""
    is_quick = "quick" in sys.argv[1:]
    print("operations, inputs: capture + fingerprint + pack over a bare walk (us an operation)")
    for container in (tuple, set):
        for n in (1_000,) if is_quick else (10_000, 100_000, 1_000_000):
            found = timing(n, container)
            parts = " + ".join(f"{1e6 * part / n:.2f}" for part in found[1:])
            print(
                f"{n:>9,} {container.__name__:>5}: {found.ratio:5.2f}x"
                f"  ({parts}) / {1e6 * found.walk_s / n:.2f}"
            )
    before, after = capture(chain(4_000)), capture(chain(4_000, swapped=2_000))
    compared = min(seconds(lambda: diff(before, after)) for _ in range(5))
    hashed = min(seconds(lambda: (fingerprint(before), fingerprint(after))) for _ in range(5))
    print(
        f"    4,000 diff over fingerprinting both: {compared / hashed:.2f}x"
        f"  ({1e3 * compared:.1f} / {1e3 * hashed:.1f} ms)"
    )
    print(
        f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB, objects included"
    )


if __name__ == "__main__":
    main()
