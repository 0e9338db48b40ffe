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


def graph_changes(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return a line for each node that differs; graphs are compared in the order they were saved.

    Those that others stored, and are no graphs of tensors and operations, are passed over.
    """
    from tracking.graph.diff import diff as graph_diff
    from tracking.graph.diff import lines
    from tracking.graph.seed import graph_of_json

    found = []
    for number, sides in enumerate(zip(before, after, strict=False), 1):
        with suppress(InvalidArgumentError):
            found += [
                f"graph {number}: {one}" for one in lines(graph_diff(*map(graph_of_json, sides)))
            ]
    if len(before) != len(after):
        found.append(f"graphs: A has {len(before)}, B {len(after)}")
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
