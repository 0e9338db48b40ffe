"""A computation graph as a baseline keeps it: its digests, and lines to review."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracking.errors import BaselineError, InvalidArgumentError
from tracking.regression.reviewed_json import (
    MEND,
    as_object,
    block_text,
    members_of,
    object_text,
    on_one_line,
    parse_int,
    wrong,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from tracking.graph.model import Graph


@dataclass(frozen=True)
class GraphSample:
    """A graph that an accepted run saved.

    Two are equal where their digests are, and where they are from.

    Attributes:
        structure: digest of its structure; see `tracking.graph.fingerprint`, like the next two.
        full: digest of all that counts.
        fingerprint_version: of the way the digests were computed.
        source: what it was captured from.
        source_version: version of that framework; empty where it has none.
        n_nodes: number of its nodes.
        content: the graph, or its lines as `tracking.graph.text.lines_of` gives them.
    """

    structure: str
    full: str
    fingerprint_version: int
    source: str
    source_version: str
    n_nodes: int
    content: Graph | tuple[str, ...] = field(compare=False, repr=False)

    @classmethod
    def of(cls, graph: Graph) -> GraphSample:
        """Return a graph as a baseline keeps it; takes about a microsecond a node."""
        from tracking.graph.fingerprint import fingerprint  # most tests have no graph

        found = fingerprint(graph)
        about = (graph.source, graph.source_version, len(graph))
        return cls(found.structure, found.full, found.version, *about, graph)

    @property
    def graph(self) -> Graph:
        """The graph.

        Raises:
            BaselineError: its lines are damaged.
        """
        if not isinstance(self.content, tuple):
            return self.content
        from tracking.graph.text import graph_of_lines

        try:
            return graph_of_lines(self.content)
        except InvalidArgumentError as error:
            raise BaselineError(f"the text of the graph {self.full}: {error.problem}") from error

    @property
    def lines(self) -> tuple[str, ...]:
        """The graph as lines of text."""
        if isinstance(self.content, tuple):
            return self.content
        from tracking.graph.text import lines_of

        return tuple(lines_of(self.content))


def graph_name(name: str, prefix: str, taken: Container[str]) -> str:
    """Return what a graph is called in a baseline, where metrics have names as well.

    Args:
        name: as it was saved; a run may save several of one name.
        prefix: of the metrics of the run that saved it.
        taken: the names of those that were saved before.

    >>> graph_name("graph", "", ()), graph_name("encoder", "fold/", ["fold/graph encoder"])
    ('graph', 'fold/graph encoder#2')
    """
    stem = f"{prefix}{name if name == 'graph' else f'graph {name}'}"
    if stem not in taken:
        return stem
    return next(found for n in itertools.count(2) if (found := f"{stem}#{n}") not in taken)


def named_once(samples: Iterable[Mapping[str, GraphSample]]) -> dict[str, GraphSample]:
    """Return the graphs of samples, each once, by the short name that stands for it.

    That is the beginning of its digest; of graphs that differ in their origin only, a number tells
    the later ones.
    """
    names: dict[str, GraphSample] = {}
    for graphs in samples:
        for _, graph in sorted(graphs.items()):
            if graph not in names.values():
                name = graph.full[:12]
                n_alike = sum(known.full[:12] == name for known in names.values())
                names[f"{name}-{n_alike + 1}" if n_alike else name] = graph
    return names


def graphs_text(graphs: Mapping[str, GraphSample]) -> str:
    """Return graphs as a member of a reviewed file, one node a line."""
    return object_text(
        {
            name: object_text(
                {
                    "structure": on_one_line(graph.structure),
                    "full": on_one_line(graph.full),
                    "fingerprint_version": str(graph.fingerprint_version),
                    "text": block_text("[", [on_one_line(line) for line in graph.lines], "]"),
                }
            )
            for name, graph in graphs.items()
        }
    )


def parse_graphs(value: Any, where: str) -> dict[str, GraphSample]:
    """Undo `graphs_text`; the text of a graph is read when somebody looks at it.

    Raises:
        BaselineError: `value` is nothing like it; `where` is its place in the file.
    """
    return {
        name: _parse_graph(item, f"{where} > {name}")
        for name, item in as_object(value, where).items()
    }


def _parse_graph(value: Any, where: str) -> GraphSample:
    keys = ("structure", "full", "fingerprint_version", "text")
    members = members_of(value, where, keys)
    for key in keys[:2]:
        if not isinstance(members[key], str):
            raise wrong(f"{where} > {key}", "a digest", members[key])
    version = parse_int(members["fingerprint_version"], f"{where} > fingerprint_version")
    lines = members["text"]
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise wrong(f"{where} > text", "a list of lines", lines)
    return GraphSample(
        members["structure"], members["full"], version, *_about(lines, where), tuple(lines)
    )


def _about(lines: Sequence[str], where: str) -> tuple[str, str, int]:
    from tracking.graph.text import about_lines

    try:
        return about_lines(lines)
    except InvalidArgumentError as error:
        raise BaselineError(f"{where} > text: its lines {error.problem}; {MEND}") from error
