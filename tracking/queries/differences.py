"""What differs between two runs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.errors import InvalidArgumentError
from tracking.model import STATISTICS, encode_number
from tracking.regression.checks import is_same, relative_change
from tracking.report.changes import changes
from tracking.report.data import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracking.experiment_db import ExperimentDBManager
    from tracking.model import RunInfo, Summary

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
    graphs: Sequence[Mapping[str, Any]]


class GraphPair(NamedTuple):
    """What differs between two graphs.

    Attributes:
        lines: for people, on each node that differs.
        changed: ids of the tensors of either that the other has otherwise.
        lacking: ids of the tensors of either that the other has not.
    """

    lines: list[str]
    changed: tuple[list[Any], list[Any]]
    lacking: tuple[list[Any], list[Any]]


class Difference(NamedTuple):
    """What comparing two runs found.

    Attributes:
        parts: pairs of names and values, equal ones too: metrics, config, environment, graph.
        graphs: what differs between their first graphs, their second, and so on; None where one is
            no graph of tensors and operations, as others may have stored it.
        n_graphs: how many graphs either has.
    """

    parts: dict[str, list[Pair]]
    graphs: list[GraphPair | None]
    n_graphs: tuple[int, int]

    @property
    def graph_changes(self) -> list[str]:
        """A line for each node of a graph that differs."""
        found = [
            f"graph {number}: {line}"
            for number, pair in enumerate(self.graphs, 1)
            if pair is not None
            for line in pair.lines
        ]
        a, b = self.n_graphs
        return found if a == b else [*found, f"graphs: A has {a}, B {b}"]

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


def side_of(db: ExperimentDBManager, run: RunInfo) -> Side:
    """Read what is compared of a run.

    Raises:
        StoreError: the experiment cannot be read.
    """
    graphs = [one["graph"] for one in db.get_comp_graphs(run.run_id)]
    return Side(run, db.read_summaries(run.run_id), graphs)


def difference(before: Side, after: Side) -> Difference:
    """Compare two runs."""
    parts = {
        "metrics": metric_pairs(before.summaries, after.summaries),
        "config": mapping_pairs(before.run.config, after.run.config),
        "environment": mapping_pairs(before.run.environment or {}, after.run.environment or {}),
        "graph": mapping_pairs(operations(before.graphs), operations(after.graphs)),
    }
    graphs = [graph_pair(*sides) for sides in zip(before.graphs, after.graphs, strict=False)]
    return Difference(parts, graphs, (len(before.graphs), len(after.graphs)))


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


def operations(graphs: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many nodes of each operation graphs have."""
    return dict(
        Counter(
            str(node.get("label"))
            for graph in graphs
            for node in graph.get("nodes", ())
            if node.get("type") == "operation"
        )
    )


def graph_pair(before: Mapping[str, Any], after: Mapping[str, Any]) -> GraphPair | None:
    """Compare two graphs; None where one is no graph of tensors and operations."""
    from tracking.graph.diff import diff as graph_diff
    from tracking.graph.diff import lines
    from tracking.graph.seed import graph_and_ids

    try:
        (a, ids_a), (b, ids_b) = map(graph_and_ids, (before, after))
    except InvalidArgumentError:
        return None
    found = graph_diff(a, b)
    return GraphPair(
        lines(found),
        ([ids_a[one] for one, _ in found.changed], [ids_b[one] for _, one in found.changed]),
        ([ids_a[one] for one in found.removed], [ids_b[one] for one in found.added]),
    )


def plain_graphs(found: Difference) -> list[dict[str, Any] | None]:
    """Return which nodes of graphs differ, as JSON has it, by the letters of the runs."""
    return [
        pair
        and {
            letter: {"changed": pair.changed[side], "lacking": pair.lacking[side]}
            for side, letter in enumerate("ab")
        }
        for pair in found.graphs
    ]


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
