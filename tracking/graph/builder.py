"""Making graphs: nodes one after another, and the walk that finds them. Pure."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, TypeVar

from tracking.graph.model import Graph, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_T = TypeVar("_T")


class GraphBuilder:
    """Collects the nodes of a graph, one after another.

    Args:
        source: what the graph is captured from.
        version: version of that framework; empty where it has none.
        is_ordered: False where no inputs come in the order of arguments, whatever kinds say.
    """

    def __init__(self, source: str, version: str = "", is_ordered: bool = True) -> None:
        self._source = source
        self._version = version
        self._is_ordered = is_ordered
        self._kinds: list[Kind] = []
        self._numbers: dict[object, int] = {}
        self._kind_of = array("I")
        self._starts = array("I", [0])
        self._inputs = array("I")

    def add(self, kind: Kind, inputs: Iterable[int] = ()) -> int:
        """Add a node and return its number; `inputs` may only name later ones in a cycle."""
        taken = tuple(inputs)
        is_ordered = not taken or (self._is_ordered and kind.is_ordered)
        if is_ordered is not kind.is_ordered:
            kind = kind._replace(is_ordered=is_ordered)
        return self.add_one_of(self.number_of(kind), taken)

    def number_of(self, kind: Kind) -> int:
        """Return the number of a kind, for `add_one_of`."""
        # 1, 1.0 and True are equal, and are not the same attribute.
        key = (kind, repr(kind.attributes)) if kind.attributes else kind
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._kinds)
            self._kinds.append(kind)
        return number

    def add_one_of(self, kind: int, inputs: Sequence[int]) -> int:
        """Add a node of a kind by its number, of many alike; otherwise as `add`."""
        self._kind_of.append(kind)
        self._inputs.extend(inputs)
        self._starts.append(len(self._inputs))
        return len(self._kind_of) - 1

    def build(self, outputs: Iterable[int]) -> Graph:
        """Return the graph of all nodes added so far, of which `outputs` are the result."""
        return Graph(
            tuple(self._kinds),
            self._kind_of,
            self._starts,
            self._inputs,
            array("I", outputs),
            self._source,
            self._version,
        )


def walk(
    roots: Iterable[_T], inputs_of: Callable[[_T], Iterable[_T]], key: Callable[[_T], int] = id
) -> Iterator[_T]:
    """Yield everything reachable from `roots` once, inputs before what is made of them.

    Depth first and without recursion, earlier inputs first. In a cycle, what was met first comes
    after its inputs. All things met stay alive until the walk ends, so that no `id` comes twice.

    Args:
        roots: where to start.
        inputs_of: returns the inputs of one; called once for each.
        key: tells things apart.
    """
    met: dict[int, _T] = {}
    stack: list[_T | None] = []
    stack += [*roots][::-1]
    push, pop = stack.append, stack.pop
    while stack:
        thing = pop()
        if thing is None:  # the mark above one whose inputs have all been given
            yield pop()  # type: ignore[misc]
            continue
        number = key(thing)
        if number in met:
            continue
        met[number] = thing
        inputs = tuple(inputs_of(thing))
        if not inputs:
            yield thing
            continue
        push(thing)
        push(None)
        for source in reversed(inputs):
            if key(source) not in met:
                push(source)
