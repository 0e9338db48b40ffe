"""What tells two computation graphs apart, in a few bytes. Pure.

Every node has two numbers modulo a prime: *up*, made of its kind and of the ups of its inputs, says
what it computes; *down*, made of the kinds and downs of its users and of the ports they take it at,
says what it is used for. Where inputs have an order, the paths from the outputs down to a node tell
it from every other node, so that the pairs of all nodes, in whatever order, describe the graph.

A product of sums with different random terms is a different number for (almost) every tree; the
terms come from a hash of the kind, which is computed once for each kind there is.
"""

from __future__ import annotations

import functools
import hashlib
import json
from array import array
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.graph.model import CONSTANT, INPUT, PARAMETER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tracking.graph.model import Graph, Kind

VERSION = 1
"""Version of the way fingerprints are computed; those of different versions never compare."""

_PRIME = 2**59 - 55  # two digits of Python's integers; one bit more would be three
_ROUNDS = 64  # how far round a cycle a difference is carried
_LEAVES = (INPUT, PARAMETER, CONSTANT)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Digests of a graph, equal for graphs that differ in the numbers of their nodes only.

    Attributes:
        structure: of operations, their attributes, what each takes at which port, what is shared,
            and the outputs; 32 hexadecimal digits.
        full: of all that, and of shapes, dtypes, namespaces, and labels of inputs, parameters and
            constants. Labels of operations are in neither: many frameworks number them.
        version: of the way they were computed.
        n_nodes: number of nodes of the graph.
    """

    structure: str
    full: str
    version: int
    n_nodes: int


class Hashes(NamedTuple):
    """Numbers of each node.

    Attributes:
        full: what it computes, with all that counts in the full fingerprint.
        up: what it computes, as far as structure goes.
        down: what it is used for, as far as structure goes; its own kind is left out.
    """

    full: list[int]
    up: list[int]
    down: list[int]


class _Columns(NamedTuple):
    """Inputs of each node: the first two, `n` where there is none, and the rest."""

    first: list[int]
    second: list[int]
    rests: Iterable[Sequence[int]]
    rests_reversed: Iterable[Sequence[int]]
    n_rest: int
    has_cycle: bool


def fingerprint(graph: Graph) -> Fingerprint:
    """Return the fingerprint of a graph, the same in every process and on every machine.

    Takes about a microsecond a node. Two graphs of a million nodes that differ have the same digest
    with a probability of about 1e-6, where nobody built them to. In graphs whose inputs have no
    order, and within cycles, nodes that look alike from near and far may be taken for one another.
    """
    return fingerprint_of(graph, node_hashes(graph))


def fingerprint_of(graph: Graph, hashes: Hashes) -> Fingerprint:
    """Return the fingerprint of a graph whose `node_hashes` are known."""
    # What a node is used for tells it from all others; what it computes then says all about it.
    structure, full = (_digest(graph, up, hashes.down) for up in (hashes.up, hashes.full))
    return Fingerprint(structure, full, VERSION, len(graph))


def content(kind: Kind, is_full: bool) -> tuple[Any, ...]:
    """Return what of a kind counts in the full fingerprint or in that of the structure."""
    if not is_full:
        return kind.op, kind.attributes
    label = kind.label if kind.op in _LEAVES else ""
    return kind.op, kind.attributes, kind.shape, kind.dtype, kind.namespace, label


def node_hashes(graph: Graph) -> Hashes:
    """Return what tells the nodes of a graph apart, integers from 0 to 2**59 - 56."""
    columns = _columns(graph)
    structural = _terms(graph, columns, is_full=False)
    full, up = (
        _converged(
            columns, functools.partial(_go_up, graph, columns, terms), [1] * len(graph) + [0]
        )
        for terms in (_terms(graph, columns, is_full=True), structural)
    )
    seeds = [0] * (len(graph) + 1)
    for position, number in enumerate(graph.outputs):
        seeds[number] += _random_numbers(f"output {position}")[0]
    down = _converged(columns, functools.partial(_go_down, graph, columns, structural), seeds)
    return Hashes(full, up, [number % _PRIME for number in down])


def _converged(
    columns: _Columns, go: Callable[[list[int], list[int]], None], start: list[int]
) -> list[int]:
    """Return what comes of `start`: in one pass, where there is no cycle, else in rounds."""
    values = start
    if not columns.has_cycle:
        go(values, values)
    else:
        # Every node from what all were before, so that no order of the nodes matters.
        for _ in range(min(len(start), _ROUNDS)):
            before, values = [value % _PRIME for value in values], start.copy()
            go(before, values)
    del values[-1]
    return values


def _go_up(
    graph: Graph,
    columns: _Columns,
    terms: list[tuple[int, ...]],
    before: list[int],
    up: list[int],
) -> None:
    number = 0
    for term, first, second, rest in zip(
        map(terms.__getitem__, graph.kind_of), *columns[:3], strict=False
    ):
        value = (before[first] + term[0]) * (before[second] + term[1]) % _PRIME
        if rest:
            for source, port_term in zip(rest, term[3:], strict=False):
                value = value * (before[source] + port_term) % _PRIME
        up[number] = value
        number += 1  # noqa: SIM113 - a fifth column costs more


def _go_down(
    graph: Graph,
    columns: _Columns,
    terms: list[tuple[int, ...]],
    before: list[int],
    down: list[int],
) -> None:
    for number, term, first, second, rest in zip(
        range(len(graph) - 1, -1, -1),
        map(terms.__getitem__, reversed(graph.kind_of)),
        reversed(columns.first),
        reversed(columns.second),
        columns.rests_reversed,
        strict=False,
    ):
        value = (before[number] + term[2]) % _PRIME
        value = value * value % _PRIME
        down[first] += value * term[0]
        down[second] += value * term[1]
        if rest:
            for source, port_term in zip(rest, term[3:], strict=False):
                down[source] += value * port_term


def _columns(graph: Graph) -> _Columns:
    import numpy as np

    n = len(graph)
    starts = np.asarray(graph.starts, dtype=np.int64)
    n_inputs = np.diff(starts)
    # Two more, so that a node without inputs at the very end has where to look.
    inputs = np.append(np.asarray(graph.inputs, dtype=np.int64), [n, n])
    first = np.where(n_inputs > 0, inputs[starts[:-1]], n)
    second = np.where(n_inputs > 1, inputs[starts[:-1] + 1], n)
    has_cycle = bool((inputs[:-2] >= np.repeat(np.arange(n), n_inputs)).any())
    wide = np.flatnonzero(n_inputs > 2).tolist()
    if not wide:
        return _Columns(first.tolist(), second.tolist(), repeat(()), repeat(()), 0, has_cycle)
    n_rest = int(n_inputs.max()) - 2
    rests: list[Sequence[int]] = [()] * n
    for number in wide:
        rests[number] = graph.inputs[graph.starts[number] + 2 : graph.starts[number + 1]]
    return _Columns(first.tolist(), second.tolist(), rests, rests[::-1], n_rest, has_cycle)


def _terms(graph: Graph, columns: _Columns, is_full: bool) -> list[tuple[int, ...]]:
    """Return for each kind the random terms of ports 0 and 1, of itself, and of ports 2, 3, ..."""
    terms = []
    for kind in graph.kinds:
        first, second, own = _random_numbers(json.dumps(content(kind, is_full)))
        if not kind.is_ordered:
            second = first
        step = (second - first) % _PRIME
        rest = [(second + step * port) % _PRIME for port in range(1, columns.n_rest + 1)]
        terms.append((first, second, own, *rest))
    return terms


def _random_numbers(text: str) -> tuple[int, int, int]:
    digest = hashlib.blake2b(text.encode(), digest_size=24).digest()
    first, second, third = (int.from_bytes(digest[i : i + 8], "big") for i in (0, 8, 16))
    return first % _PRIME, second % _PRIME, third % _PRIME


def _digest(graph: Graph, up: list[int], down: list[int]) -> str:
    import numpy as np

    ups, downs = (np.frombuffer(array("Q", column), dtype=np.uint64) for column in (up, down))
    low = _mixed(_mixed(ups) + downs)
    high = _mixed(low ^ ups)
    numbers = [VERSION, len(graph), len(graph.outputs), int(graph.is_ordered)]
    sums = [int(column.sum(dtype=np.uint64)) for column in (low, high)]
    return hashlib.blake2b(json.dumps(numbers + sums).encode(), digest_size=16).hexdigest()


def _mixed(numbers: Any) -> Any:
    """Return 64-bit integers in which every bit depends on all of the given ones (SplitMix64)."""
    import numpy as np

    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
