"""A computation graph as an immutable value. Pure.

Graphs have millions of nodes and few kinds of them, so that a graph is kept in columns: the kind of
each node, and its inputs one after another. `Node` is a view for those who look at single ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Scalar = str | int | float | bool | None

INPUT, PARAMETER, CONSTANT = "input", "parameter", "constant"
"""Operations of nodes that nothing was computed for."""


class Kind(NamedTuple):
    """What nodes can have in common.

    Attributes:
        op: name of the operation as its framework calls it (`aten.relu`, `dot_general`, `Gemm`,
            `mul`), or `INPUT`, `PARAMETER`, `CONSTANT`.
        shape: sizes of the result; None where it is not known, a text where a size has a name.
        dtype: element type of the result as numpy spells it (`float32`), None where not known.
        namespace: the modules it belongs to, from the outside in, joined by `/`; may be empty.
        label: a name the user gave it; may be empty. Never an address.
        attributes: further arguments of the operation, sorted by name.
        is_ordered: whether inputs stand in the order of arguments, which is true of no inputs at
            all. What keeps them in a set knows neither that order nor how often each was used.
    """

    op: str
    shape: tuple[int | str, ...] | None = None
    dtype: str | None = None
    namespace: str = ""
    label: str = ""
    attributes: tuple[tuple[str, Scalar], ...] = ()
    is_ordered: bool = True


class Node(NamedTuple):
    """One node: its kind, and the nodes its operation takes, in order; one taken twice is twice."""

    kind: Kind
    inputs: Sequence[int]


@dataclass(frozen=True, eq=False)
class Graph:
    """A computation graph.

    Nodes are numbered from 0, inputs before what is made of them, wherever there is no cycle.

    Attributes:
        kinds: that nodes have; each is there once.
        kind_of: of each node the number of its kind.
        starts: of each node where its inputs begin in `inputs`, and in the end their number.
        inputs: of all nodes, one after another.
        outputs: nodes that are the result.
        source: what it was captured from: `seed`, `torch.autograd`, `torch.fx`, `jax`, `onnx`, ...
        source_version: version of that framework; empty where it has none.
    """

    kinds: Sequence[Kind]
    kind_of: Sequence[int]
    starts: Sequence[int]
    inputs: Sequence[int]
    outputs: Sequence[int]
    source: str
    source_version: str = ""

    @property
    def is_ordered(self) -> bool:
        """Whether the inputs of all nodes stand in the order of arguments."""
        return all(kind.is_ordered for kind in self.kinds)

    def __len__(self) -> int:
        return len(self.kind_of)

    def __getitem__(self, number: int) -> Node:
        start, end = self.starts[number], self.starts[number + 1]
        return Node(self.kinds[self.kind_of[number]], self.inputs[start:end])

    def __iter__(self) -> Iterator[Node]:
        return map(self.__getitem__, range(len(self)))
