"""Numbers in the names of modules and parameters, which count places and move with them. Pure.

In a sequence of modules every one behind an inserted module has a new number: `net/2` is `net/3`
now, and its parameter `2.weight` is `3.weight`. That alone has changed nothing.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracking.graph.model import Graph, Kind

Numbers = dict[str, dict[int, int]]
"""New numbers by old ones, by the path in front of them."""

_SEPARATOR = re.compile(r"([/.\0])")
_NUMBER = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_BLANK = "\1"


class _Chain(NamedTuple):
    """Increasing numbers: votes of all, the last one, what it was, and the chain without it."""

    n_votes: int
    new: int
    old: int = -1
    shorter: _Chain | None = None

    def longer(self, old: int, new: int, n_votes: int) -> _Chain:
        return _Chain(self.n_votes + n_votes, new, old, self)


def without_numbers(graph: Graph) -> Graph:
    """Return a graph in which all modules of one sequence have the same name."""
    return replace(graph, kinds=tuple(map(_blank, graph.kinds)))


def new_numbers(before: Graph, after: Graph, partners: Mapping[int, int]) -> Numbers:
    """Return which numbers in names of `before` became others.

    Modules of one sequence keep their order: where partners say otherwise, the most nodes decide.

    Args:
        before: the one graph.
        after: the other.
        partners: nodes of `after` by those of `before` that they are matched with.
    """
    n_pairs = Counter((before.kind_of[a], after.kind_of[b]) for a, b in partners.items())
    votes: dict[str, dict[int, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    for (kind_before, kind_after), n in n_pairs.items():
        old, new = before.kinds[kind_before], after.kinds[kind_after]
        if _blank(old)[3:5] != _blank(new)[3:5]:
            continue
        parts = _parts(old)
        for position, (part, new_part) in enumerate(zip(parts, _parts(new), strict=True)):
            if _NUMBER.fullmatch(part):
                votes["".join(parts[:position])][int(part)][int(new_part)] += n
    elected = {path: _in_order(of_path) for path, of_path in votes.items()}
    return {
        path: numbers
        for path, numbers in elected.items()
        if any(old != new for old, new in numbers.items())
    }


def renumbered(graph: Graph, numbers: Numbers) -> Graph:
    """Return a graph with its numbers replaced; one of a module that is gone becomes a word."""
    return replace(graph, kinds=tuple(_renamed(kind, numbers) for kind in graph.kinds))


def new_names(before: Graph, after: Graph) -> tuple[tuple[str, str], ...]:
    """Return the namespaces and labels that differ between a graph and its `renumbered`, sorted."""
    pairs = zip(before.kinds, after.kinds, strict=True)
    names = {pair for old, new in pairs for pair in zip(old[3:5], new[3:5], strict=True)}
    return tuple(sorted((old, new) for old, new in names if old != new and _BLANK not in new))


def first_names(names: tuple[tuple[str, str], ...]) -> list[str]:
    """Return for each sequence the first of its `new_names`, without what is behind its number."""
    firsts: dict[str, int] = {}
    for old, new in names:
        parts, new_parts = _SEPARATOR.split(old), _SEPARATOR.split(new)
        position = next(i for i, part in enumerate(parts) if part != new_parts[i])
        path, number = "".join(parts[:position]), int(parts[position])
        firsts[path] = min(number, firsts.get(path, number))
    return [f"{path}{number}" for path, number in sorted(firsts.items())]


def _in_order(votes: Mapping[int, Counter[int]]) -> dict[int, int]:
    """Return the increasing numbers that have the most votes together."""
    chains: list[_Chain] = [_Chain(0, -1)]
    for old, counts in sorted(votes.items()):
        chains += [
            _best(chain for chain in chains if chain.new < new).longer(old, new, n)
            for new, n in sorted(counts.items())
        ]
    chain: _Chain | None = _best(chains)
    pairs = []
    while chain is not None and chain.shorter is not None:
        pairs.append((chain.old, chain.new))
        chain = chain.shorter
    return dict(reversed(pairs))


def _best(chains: Iterable[_Chain]) -> _Chain:
    return max(chains, key=lambda chain: chain.n_votes)


def _parts(kind: Kind) -> list[str]:
    return _SEPARATOR.split(f"{kind.namespace}\0{kind.label}")


def _named(kind: Kind, parts: list[str]) -> Kind:
    namespace, _, label = "".join(parts).partition("\0")
    return kind._replace(namespace=namespace, label=label)


def _blank(kind: Kind) -> Kind:
    return _named(kind, [_BLANK if _NUMBER.fullmatch(part) else part for part in _parts(kind)])


def _renamed(kind: Kind, numbers: Numbers) -> Kind:
    parts = _parts(kind)
    new_parts = list(parts)
    for position, part in enumerate(parts):
        of_path = numbers.get("".join(parts[:position]), {})
        if _NUMBER.fullmatch(part) and of_path:
            number = int(part)
            is_taken = number not in of_path and number in of_path.values()
            new_parts[position] = f"{part}{_BLANK}" if is_taken else str(of_path.get(number, part))
    return _named(kind, new_parts)
