"""The decision: did a computation graph change? Pure.

A graph is compared with those of its name that samples have. Equal to one of them it is identical;
else what it is compared by decides: its structure, or all that counts (`full`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tracking.errors import BaselineError
from tracking.model import Verdict
from tracking.regression.checks import Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracking.regression.graph_sample import GraphSample
    from tracking.regression.sample import Sample

GRAPH_MODES = ("structure", "full", "report", "off")
"""How graphs are compared: by their structure, by all that counts, by all and never red, not."""

_MOST_LINES = 20


def compare_graphs(
    samples: Sequence[Sample], current: Mapping[str, GraphSample], mode: str, seed: int | None
) -> Iterator[Check]:
    """Compare the graphs a run saved with those of its baseline.

    Args:
        samples: of the baseline's entry; none where there is no baseline.
        current: the graphs, by name.
        mode: one of `GRAPH_MODES`.
        seed: of the run; of samples that differ, those of this seed count.

    Yields:
        A check for each graph of either side, by name: its statistic is `nodes`.
    """
    if mode == "off":
        return
    names = set(current).union(*(sample.graphs for sample in samples))
    for name in sorted(names):
        of_name = [sample for sample in samples if name in sample.graphs]
        of_name.sort(key=lambda sample: sample.seed != seed)
        known = [sample.graphs[name] for sample in of_name]
        try:
            check = _compared(name, known, current.get(name), mode, is_first=not samples)
            yield replace(check, at_most="show") if mode == "report" else check
        except BaselineError as error:
            verdict = Verdict.UNREADABLE_BASELINE
            yield _check(name, verdict, known[0], current.get(name), f"{name}: {error}")


def _compared(
    name: str, known: Sequence[GraphSample], graph: GraphSample | None, mode: str, is_first: bool
) -> Check:
    if graph is None:
        had = _nodes(known[0].n_nodes)
        message = f"{name}: not saved by this run; the baseline has a graph of {had}"
        return _check(name, Verdict.MISSING_METRIC, known[0], None, message)
    if not known:
        verdict = Verdict.NO_BASELINE if is_first else Verdict.NEW_METRIC
        lacking = "no baseline yet" if is_first else "not in the baseline"
        message = f"{name}: {lacking}; this run saved a graph of {_nodes(graph.n_nodes)}"
        return _check(name, verdict, None, graph, message)
    if graph in known:
        return _check(name, Verdict.IDENTICAL, graph, graph)
    return _changed(name, [_renewed(one, graph) for one in known], graph, mode)


def _renewed(known: GraphSample, graph: GraphSample) -> GraphSample:
    """Return a graph with digests that can be compared with another's."""
    is_comparable = known.fingerprint_version == graph.fingerprint_version
    return known if is_comparable else type(known).of(known.graph)


def _changed(name: str, known: Sequence[GraphSample], graph: GraphSample, mode: str) -> Check:
    alike = [one for one in known if one.source == graph.source]
    if not alike:
        message = f"{name}: captured from {graph.source}, the baseline's from {known[0].source}"
        return _check(name, Verdict.GRAPH_CHANGED, known[0], graph, message)
    before = nearest(alike, graph)
    if before.full == graph.full:
        return _check(name, Verdict.IDENTICAL, graph, graph)
    summary, details = _difference(before, graph)
    if before.structure == graph.structure and mode == "structure":
        warning = f"{name}: the same structure, but {summary}"
        return _check(name, Verdict.WITHIN, before, graph, warning=warning, details=details)
    message = f"{name}: {summary}"
    versions = {one.source_version for one in alike}
    if _release(graph.source_version) in map(_release, versions):
        return _check(name, Verdict.GRAPH_CHANGED, before, graph, message, details=details)
    framework, theirs = graph.source.partition(".")[0], ", ".join(sorted(versions))
    message += (
        f"; captured with {framework} {graph.source_version}, the baseline with {theirs}, which may"
        " be all there is to it"
    )
    check = _check(name, Verdict.GRAPH_CHANGED, before, graph, message, details=details)
    return replace(check, at_most="warn")


def nearest(known: Sequence[GraphSample], graph: GraphSample) -> GraphSample:
    """Return the first of graphs that is equal to another one, or else has its structure, or any.

    Args:
        known: at least one.
        graph: what they are compared with.
    """
    return min(known, key=lambda one: (one.full != graph.full, one.structure != graph.structure))


def _release(version: str) -> str:
    """Return a version without the label of its build: `2.13.0` of `2.13.0+cpu` (PEP 440)."""
    return version.partition("+")[0]


def _difference(before: GraphSample, after: GraphSample) -> tuple[str, tuple[str, ...]]:
    """Return what differs in a line, and the nodes that do, a line each."""
    from tracking.graph.diff import diff, lines  # most tests have no graph, and few changed ones

    found = diff(before.graph, after.graph)
    counts = [(len(found.changed), "changed"), (len(found.added), "added")]
    counted = [(n, did) for n, did in [*counts, (len(found.removed), "removed")] if n]
    shown = tuple(lines(found, _MOST_LINES))
    if not counted:  # but for numbers in namespaces the same
        return shown[0] if shown else "its nodes stand for others that look alike", ()
    (n_first, did_first), *others = counted
    summary = ", ".join([f"{_nodes(n_first)} {did_first}", *(f"{n} {did}" for n, did in others)])
    if len(shown) > 1:
        return summary, shown
    return f"{summary}: {shown[0].partition(': ')[2]}", ()


def _nodes(n: int) -> str:
    return f"{n} node" if n == 1 else f"{n} nodes"


def _check(
    name: str,
    verdict: Verdict,
    baseline: GraphSample | None,
    current: GraphSample | None,
    message: str = "",
    **more: Any,
) -> Check:
    before, now = (graph.n_nodes if graph else None for graph in (baseline, current))
    return Check(name, "nodes", verdict, before, now, None, message, **more)
