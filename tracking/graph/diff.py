"""What changed from one computation graph to another, node by node. Pure.

Nodes are matched where one number of theirs (see `fingerprint`) is found once in both graphs: what
they compute, then what they are used for. From there matching goes on to neighbours, first to those
of the same kind, then of the same operation, and in the end to any in the same place.

Where that leaves changes, it is done once more with the numbers in names brought in line.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Any

from tracking.graph.fingerprint import content, fingerprint_of, node_hashes
from tracking.graph.model import CONSTANT, INPUT, PARAMETER
from tracking.graph.renumber import (
    first_names,
    new_names,
    new_numbers,
    renumbered,
    without_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from tracking.graph.fingerprint import Hashes
    from tracking.graph.model import Graph, Kind

_LEAVES = (INPUT, PARAMETER, CONSTANT)
_SEVERAL = -1
_FAN_OUT = 64  # users of one node that are looked at: more would take quadratic time


@dataclass(frozen=True, eq=False)
class GraphDiff:
    """The difference of two graphs; false where there is none.

    Attributes:
        before: the one graph.
        after: the other.
        added: nodes of `after` that `before` has not, in their order.
        removed: nodes of `before` that `after` has not, in their order.
        changed: pairs of nodes of `before` and `after` that take the same place and differ in what
            counts for the full fingerprint, in what they take, or in which output they are. One
            whose input was added or removed, and nothing else, has not changed, nor has one whose
            names have other numbers since a module before its own came or went.
        renumbered: pairs of namespaces, and of labels, that are the same but for such numbers.
    """

    before: Graph
    after: Graph
    added: tuple[int, ...]
    removed: tuple[int, ...]
    changed: tuple[tuple[int, int], ...]
    renumbered: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        """Return how many nodes were added, were removed or have changed."""
        return len(self.added) + len(self.removed) + len(self.changed)

    def reversed(self) -> GraphDiff:
        """Return the difference seen from the other side."""
        changed = sorted((b, a) for a, b in self.changed)
        names = sorted((new, old) for old, new in self.renumbered)
        return GraphDiff(
            self.after, self.before, self.removed, self.added, tuple(changed), tuple(names)
        )


def diff(before: Graph, after: Graph) -> GraphDiff:
    """Compare two graphs. `diff(b, a)` is `diff(a, b)` with its sides exchanged."""
    hashes = node_hashes(before), node_hashes(after)
    digests = [
        fingerprint_of(graph, known).full
        for graph, known in zip((before, after), hashes, strict=True)
    ]
    if digests[0] == digests[1]:
        return GraphDiff(before, after, (), (), ())
    # Always from the same side, so that ties are broken alike in both directions.
    if digests[0] > digests[1]:
        return _difference(after, before, *hashes[::-1]).reversed()
    return _difference(before, after, *hashes)


def lines(difference: GraphDiff, limit: int = 20) -> list[str]:
    """Return a line for people on each node that changed, was removed or added.

    Args:
        difference: of two graphs.
        limit: how many lines at most; one more says how many are missing.
    """
    before, after = difference.before, difference.after
    texts = [
        *(_change_text(difference, a, b) for a, b in difference.changed[:limit]),
        *(f"removed: {node_text(before, number)}" for number in difference.removed[:limit]),
        *(f"added: {node_text(after, number)}" for number in difference.added[:limit]),
    ][:limit]
    n = len(difference)
    if difference.renumbered:
        names = ", ".join(f"{name}.." for name in first_names(difference.renumbered))
        texts.append(f"namespaces {names} renumbered")
    if before.is_ordered != after.is_ordered:
        texts.append("the order of inputs is known in one of the graphs only")
    return texts if n <= limit else [*texts, f"... and {n - limit} more"]


def _difference(before: Graph, after: Graph, left: Hashes, right: Hashes) -> GraphDiff:
    """Return the smaller of the differences with names as they are and with them renumbered."""
    found = _with_names(before, after, left, right)
    if not found.changed and not (found.added and found.removed):
        return found
    blank = without_numbers(before), without_numbers(after)
    if blank[0].kinds == before.kinds:
        return found
    numbers = new_numbers(before, after, _matched(*blank, *map(node_hashes, blank)))
    if not numbers:
        return found
    moved = renumbered(before, numbers)
    other = _with_names(moved, after, node_hashes(moved), right)
    if len(other) >= len(found) or not (other.added or other.removed):
        return found
    return replace(other, before=before, renumbered=new_names(before, moved))


def _with_names(before: Graph, after: Graph, left: Hashes, right: Hashes) -> GraphDiff:
    partners = _matched(before, after, left, right)
    matched_after = set(partners.values())
    return GraphDiff(
        before,
        after,
        tuple(number for number in range(len(after)) if number not in matched_after),
        tuple(number for number in range(len(before)) if number not in partners),
        tuple(sorted(_changed(before, after, partners))),
    )


def _matched(before: Graph, after: Graph, left: Hashes, right: Hashes) -> dict[int, int]:
    """Return by node of `before` its partner in `after`."""
    full = _colours(before, after, lambda kind: content(kind, is_full=True))
    structure = _colours(before, after, lambda kind: content(kind, is_full=False))
    op = _colours(before, after, lambda kind: kind.op)
    is_leaf = _colours(before, after, lambda kind: kind.op in _LEAVES)
    match = _Match(before, after)
    # What a node is matched to as an input of its user is certain; as a user of its input it is a
    # guess, made when nothing certain is left.
    for first, second, colours in (
        (left.full, right.full, full),
        (zip(left.down, full[0], strict=True), zip(right.down, full[1], strict=True), full),
        (zip(left.up, left.down, strict=True), zip(right.up, right.down, strict=True), structure),
        (left.up, right.up, structure),
        (
            zip(left.down, structure[0], strict=True),
            zip(right.down, structure[1], strict=True),
            structure,
        ),
    ):
        match.pair_up(first, second)
        match.spread(*colours, to_users=False)
    match.spread(*full)
    match.pair_up(zip(left.down, is_leaf[0], strict=True), zip(right.down, is_leaf[1], strict=True))
    match.spread(*structure, to_users=False)
    place_and_content = (
        zip(left.full, left.down, strict=True),
        zip(right.full, right.down, strict=True),
    )
    match.pair_in_order(*place_and_content)
    match.spread(*full)
    match.pair_in_order(left.full, right.full)
    for colours in (structure, op, is_leaf):
        match.spread(*colours)
    return match.partners


def _colours(
    before: Graph, after: Graph, aspect: Callable[[Kind], Any]
) -> tuple[list[int], list[int]]:
    """Return for each node of both graphs a number, the same where an aspect of kinds is."""
    numbers: dict[str, int] = {}

    def of_nodes(graph: Graph) -> list[int]:
        # By its text, for 1 and True are equal.
        of_kinds = [numbers.setdefault(repr(aspect(kind)), len(numbers)) for kind in graph.kinds]
        return [of_kinds[kind] for kind in graph.kind_of]

    return of_nodes(before), of_nodes(after)


class _Match:
    """Pairs of nodes, at first none."""

    def __init__(self, before: Graph, after: Graph) -> None:
        self.partners: dict[int, int] = {}
        self._taken: set[int] = set()
        self._before, self._after = before, after
        self._is_ordered = _is_ordered(before), _is_ordered(after)
        self._users = _users(before), _users(after)

    def pair_up(self, before: Iterable[Any], after: Iterable[Any]) -> None:
        """Match nodes that alone have the same key."""
        left, right = _only(before, self.partners), _only(after, self._taken)
        for key, number in left.items():
            partner = right.get(key, _SEVERAL)
            if number != _SEVERAL and partner != _SEVERAL:
                self._add(number, partner)

    def pair_in_order(self, before: Iterable[Any], after: Iterable[Any]) -> None:
        """Match nodes that have the same key, the first with the first and so on."""
        if len(self.partners) in (len(self._before), len(self._after)):
            return
        left: dict[Any, list[int]] = defaultdict(list)
        for number, key in enumerate(before):
            if number not in self.partners:
                left[key].append(number)
        waiting = {key: iter(numbers) for key, numbers in left.items()}
        for candidate, key in enumerate(after):
            if candidate not in self._taken:
                for number in waiting.get(key, ()):
                    self._add(number, candidate)
                    break

    def spread(self, before: Sequence[int], after: Sequence[int], *, to_users: bool = True) -> None:
        """Match nodes of the same colour whose neighbours are matched, as far as that goes."""
        waiting = deque(n for n in range(len(self._before)) if n not in self.partners)
        while waiting and len(self._taken) < len(self._after):
            number = waiting.popleft()
            if number in self.partners:
                continue
            colour = before[number]
            for candidate in self._candidates(number, to_users):
                if candidate not in self._taken and after[candidate] == colour:
                    self._add(number, candidate)
                    waiting.extend(self._unmatched_neighbours(number))
                    break

    def _add(self, before: int, after: int) -> None:
        self.partners[before] = after
        self._taken.add(after)

    def _candidates(self, number: int, to_users: bool) -> Iterator[int]:
        """Yield nodes of `after` that stand to a partner as `number` does to its neighbour."""
        users_before, users_after = self._users
        for user, port in users_before[number][:_FAN_OUT]:
            if user in self.partners:
                partner = self.partners[user]
                inputs = self._after[partner].inputs
                yield from inputs[port : port + 1] if self._has_ports(user, partner) else inputs
        for port, source in enumerate(self._before[number].inputs if to_users else ()):
            if source in self.partners:
                for user, user_port in users_after[self.partners[source]][:_FAN_OUT]:
                    if user_port == port or not self._has_ports(number, user):
                        yield user

    def _has_ports(self, before: int, after: int) -> bool:
        return self._is_ordered[0][before] and self._is_ordered[1][after]

    def _unmatched_neighbours(self, number: int) -> Iterator[int]:
        for user, _ in self._users[0][number][:_FAN_OUT]:
            if user not in self.partners:
                yield user
        for source in self._before[number].inputs:
            if source not in self.partners:
                yield source


def _only(keys: Iterable[Any], but: Container[int]) -> dict[Any, int]:
    """Return by key the number of the node that has it, `_SEVERAL` where it is not alone."""
    numbers: dict[Any, int] = {}
    for number, key in enumerate(keys):
        if number not in but:
            numbers[key] = _SEVERAL if key in numbers else number
    return numbers


def _is_ordered(graph: Graph) -> list[bool]:
    of_kinds = [kind.is_ordered for kind in graph.kinds]
    return [of_kinds[kind] for kind in graph.kind_of]


def _users(graph: Graph) -> list[list[tuple[int, int]]]:
    users: list[list[tuple[int, int]]] = [[] for _ in range(len(graph))]
    for number, (start, end) in enumerate(pairwise(graph.starts)):
        for port, source in enumerate(graph.inputs[start:end]):
            users[source].append((number, port))
    return users


def _changed(before: Graph, after: Graph, partners: dict[int, int]) -> Iterator[tuple[int, int]]:
    ordered_before, ordered_after = _is_ordered(before), _is_ordered(after)
    left, right = _colours(before, after, lambda kind: content(kind, is_full=True))
    remaining = set(partners.values())
    moved = _moved(before.outputs, after.outputs, partners, remaining)
    for a, b in partners.items():
        if left[a] != right[b] or a in moved:
            yield a, b
            continue
        inputs_a = before.inputs[before.starts[a] : before.starts[a + 1]]
        inputs_b = after.inputs[after.starts[b] : after.starts[b + 1]]
        if list(map(partners.get, inputs_a)) == list(inputs_b):
            continue
        is_ordered = ordered_before[a] and ordered_after[b]
        if (is_ordered and len(inputs_a) != len(inputs_b)) or (
            _moved(inputs_a, inputs_b, partners, remaining, is_ordered)
        ):
            yield a, b


def _moved(
    before: Sequence[int],
    after: Sequence[int],
    partners: dict[int, int],
    remaining: set[int],
    is_ordered: bool = True,
) -> set[int]:
    """Return which of the nodes `before` stand elsewhere, or nowhere, among those `after`.

    One in whose place is an added node has not moved, nor has one that a removed node stood for.
    """
    if is_ordered:
        return {
            a
            for a, b in zip_longest(before, after)
            if a in partners and partners[a] != b and (b is None or b in remaining)
        }
    # Without an order, inputs were exchanged where more went than new ones could have replaced.
    mapped = Counter(partners[a] for a in before if a in partners)
    kept = Counter(b for b in after if b in remaining)
    n_lost, n_gained = (mapped - kept).total(), (kept - mapped).total()
    n_new, n_gone = len(after) - kept.total(), len(before) - mapped.total()
    return set() if n_lost <= n_new and n_gained <= n_gone else set(before)


def _change_text(difference: GraphDiff, a: int, b: int) -> str:
    before, after = difference.before[a], difference.after[b]
    named = zip(before.kind._fields, before.kind, after.kind, strict=True)
    parts = [
        f"{name} {_value_text(old)} -> {_value_text(new)}"
        for name, old, new in named
        if old != new and (old, new) not in difference.renumbered
    ]
    if not parts:
        parts = [f"takes {len(before.inputs)} -> {len(after.inputs)} inputs"]
        if len(before.inputs) == len(after.inputs):
            parts = ["takes other inputs, or is another output"]
    return f"changed: {node_text(difference.before, a)}: {', '.join(parts)}"


def node_text(graph: Graph, number: int) -> str:
    """Return what a node is, for people: `relu in net/1 float32[4, 8]`."""
    kind = graph[number].kind
    shape = "" if kind.shape is None else _value_text(kind.shape)
    place = f" in {kind.namespace}" if kind.namespace else ""
    label = f" {kind.label!r}" if kind.label else ""
    return f"{kind.op or 'identity'}{label}{place} {kind.dtype or ''}{shape}".rstrip()


def _value_text(value: Any) -> str:
    """Return shapes as `[4, n]`, attributes as `(alpha=1)`, None as `?`."""
    if not isinstance(value, tuple):
        return "?" if value is None else str(value) or "''"
    if value and isinstance(value[0], tuple):
        return f"({', '.join(f'{name}={setting!r}' for name, setting in value)})"
    return f"[{', '.join(map(str, value))}]"
