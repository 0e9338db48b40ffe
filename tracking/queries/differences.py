"""What differs between two runs."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.errors import InvalidArgumentError
from tracking.model import STATISTICS, encode_number
from tracking.regression.checks import is_same, relative_change
from tracking.report.changes import changes
from tracking.report.data import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracking.model import RunInfo, Summary
    from tracking.reading import ExperimentReader
    from tracking.stored_graphs import StoredGraph

_COMPARED = ("n", "n_nan", "n_inf", *STATISTICS)


class Pair(NamedTuple):
    """What two runs have under one name; `MISSING` on the side that has nothing."""

    names: tuple[str, ...]
    before: Any
    after: Any
    is_different: bool


class Side(NamedTuple):
    """A run that is compared.

    Attributes:
        run: the run.
        summaries: of its metrics.
        graphs: its computation graphs, oldest first.
    """

    run: RunInfo
    summaries: Mapping[str, Summary]
    graphs: Sequence[StoredGraph]


class Difference(NamedTuple):
    """What comparing two runs found.

    Attributes:
        parts: pairs of names and values, equal ones too: metrics, config, environment, graph.
        graph_changes: a line for each node of a graph that differs.
    """

    parts: dict[str, list[Pair]]
    graph_changes: list[str]

    @property
    def is_any(self) -> bool:
        """Whether anything differs."""
        return bool(self.graph_changes) or any(
            pair.is_different for pairs in self.parts.values() for pair in pairs
        )

    def shown(self, *, with_equal: bool) -> dict[str, list[Pair]]:
        """Return the pairs that differ, or all of them."""
        return {
            part: [pair for pair in pairs if with_equal or pair.is_different]
            for part, pairs in self.parts.items()
        }


def side_of(db: ExperimentReader, run: RunInfo) -> Side:
    """Read what is compared of a run.

    Raises:
        StoreError: the experiment cannot be read.
    """
    return Side(run, db.read_summaries(run.run_id), db.get_graphs(run.run_id))


def difference(before: Side, after: Side) -> Difference:
    """Compare two runs."""
    parts = {
        "metrics": metric_pairs(before.summaries, after.summaries),
        "config": mapping_pairs(before.run.config, after.run.config),
        "environment": mapping_pairs(before.run.environment or {}, after.run.environment or {}),
        "graph": mapping_pairs(operations(before.graphs), operations(after.graphs)),
    }
    return Difference(parts, graph_changes(before.graphs, after.graphs))


def plain_difference(found: Difference, *, with_equal: bool) -> dict[str, Any]:
    """Return a difference as JSON has it."""
    shown = found.shown(with_equal=with_equal)
    plain = {part: [plain_pair(part, pair) for pair in pairs] for part, pairs in shown.items()}
    return {**plain, "graph_changes": found.graph_changes}


def metric_pairs(before: Mapping[str, Summary], after: Mapping[str, Summary]) -> list[Pair]:
    """Return every statistic of every metric of two runs, by the metrics' names."""
    pairs = []
    for name in sorted({*before, *after}):
        sides = [side.get(name) for side in (before, after)]
        for statistic in _COMPARED:
            values = [MISSING if side is None else getattr(side, statistic) for side in sides]
            a, b = map(side_number, values)
            if statistic not in ("n_nan", "n_inf") or a or b:
                is_different = MISSING in values or not is_same(a, b)
                pairs.append(Pair((name, statistic), values[0], values[1], is_different))
    return pairs


def mapping_pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Pair]:
    """Return every name of two mappings, those of nested ones joined by dots."""
    different = {change.name: change for change in changes(before, after)}
    # A change from something to nothing: that is how `changes` names all there is.
    same = {one.name: one.before for one in changes(before, {}) if one.name not in different}
    pairs = [Pair((name,), value, value, is_different=False) for name, value in same.items()]
    pairs += [
        Pair((name,), change.before, change.after, is_different=True)
        for name, change in different.items()
    ]
    return sorted(pairs, key=lambda pair: pair.names)


def operations(graphs: Iterable[StoredGraph]) -> dict[str, int]:
    """Return how many nodes of each operation graphs have."""
    return dict(sum((Counter(graph.operations()) for graph in graphs), Counter()))


def graph_changes(before: Iterable[StoredGraph], after: Iterable[StoredGraph]) -> list[str]:
    """Return a line for each node that differs; graphs of one name are compared with each other.

    Those that others stored, and are no graphs of tensors and operations, are passed over.
    """
    from tracking.graph.diff import diff as graph_diff
    from tracking.graph.diff import lines

    named = [_by_name(graphs) for graphs in (before, after)]
    found = []
    for key in dict.fromkeys((*named[0], *named[1])):
        name, number = key
        title = f"graph {name!r}" + (f" number {number}" if number > 1 else "")
        sides = [graphs[key] for graphs in named if key in graphs]
        if len(sides) == 1:
            found.append(f"{title}: only in {'A' if key in named[0] else 'B'}")
            continue
        with suppress(InvalidArgumentError):
            one, other = (side.graph() for side in sides)
            found += [f"{title}: {line}" for line in lines(graph_diff(one, other))]
    return found


def graph_marks(
    before: Iterable[StoredGraph], after: Iterable[StoredGraph]
) -> list[dict[str, Any]]:
    """Return which nodes differ in the graphs that two runs have under one name.

    Returns:
        For each such graph its `name`, its `number` among those of its name, from 1, and under `a`
        and `b` what `tracking.graph.marks.marks` says of it in either run against the other, by
        the ids of its JSON. Graphs that others stored, and are no graphs of tensors and
        operations, are left out.
    """
    from tracking.graph.marks import marks
    from tracking.graph.seed import graph_with_ids

    named = [_by_name(graphs) for graphs in (before, after)]
    found = []
    for name, number in (key for key in named[0] if key in named[1]):
        with suppress(InvalidArgumentError):
            sides = [graph_with_ids(graphs[name, number].whole()) for graphs in named]
            (a, ids_a), (b, ids_b) = sides
            of_either = {"a": marks(b, a, ids_a), "b": marks(a, b, ids_b)}
            found.append({"name": name, "number": number, **of_either})
    return found


def _by_name(graphs: Iterable[StoredGraph]) -> dict[tuple[str, int], StoredGraph]:
    """Return graphs by their name, and which one of that name each is."""
    found: dict[tuple[str, int], StoredGraph] = {}
    n_named: Counter[str] = Counter()
    for graph in graphs:
        n_named[graph.name] += 1
        found[graph.name, n_named[graph.name]] = graph
    return found


def plain_pair(part: str, pair: Pair) -> dict[str, Any]:
    """Return a pair of a part as JSON has it; a side that has nothing is no key."""
    sides = {"a": pair.before, "b": pair.after}
    there = {letter: side for letter, side in sides.items() if side is not MISSING}
    if part != "metrics":
        return {"name": pair.names[0], **there}
    metric, statistic = pair.names
    return {
        "metric": metric,
        "statistic": statistic,
        **{letter: encode_number(side) for letter, side in there.items()},
        "relative_change": relative_change(side_number(pair.before), side_number(pair.after)),
    }


def side_number(side: Any) -> float | None:
    """Return a side of a statistic as a number, None where it is none."""
    number: float | None = None if side is MISSING else side
    return number
