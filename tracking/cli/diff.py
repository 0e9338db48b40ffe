"""`sgtrack diff`: what differs between two runs."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.cli.options import RUN_HELP, add_command, add_json, add_store
from tracking.cli.output import FOUND, OK, say, say_json, say_table
from tracking.cli.plain import plain_run
from tracking.cli.references import resolve_run
from tracking.cli.store import reading
from tracking.cli.table import change_text, numbers_text, value_text
from tracking.errors import InvalidArgumentError
from tracking.model import STATISTICS, encode_number
from tracking.regression.checks import is_same, relative_change
from tracking.report.changes import changes
from tracking.report.data import MISSING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from tracking.cli.options import Commands
    from tracking.model import Summary
    from tracking.stored_graphs import StoredGraph

_COMPARED = ("n", "n_nan", "n_inf", *STATISTICS)


class Pair(NamedTuple):
    """What two runs have under one name; `MISSING` on the side that has nothing."""

    names: tuple[str, ...]
    before: Any
    after: Any
    is_different: bool


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "diff", diff)
    add_store(parser)
    parser.add_argument("a", metavar="A", help=RUN_HELP)
    parser.add_argument("b", metavar="B", help="the run it is compared with")
    parser.add_argument("--all", action="store_true", help="show what is equal, too")
    add_json(parser)


def diff(options: argparse.Namespace) -> int:
    """Tell what differs between two runs: metrics, config, environment, graphs.

    Exits with 1 if anything does.
    """
    with reading(options) as db:
        known = db.find_runs()
        sides = [resolve_run(reference, known) for reference in (options.a, options.b)]
        summaries = [db.read_summaries(run.run_id) for run in sides]
        graphs = [db.get_graphs(run.run_id) for run in sides]
    before, after = sides
    found = {
        "metrics": metric_pairs(*summaries),
        "config": mapping_pairs(before.config, after.config),
        "environment": mapping_pairs(before.environment or {}, after.environment or {}),
        "graph": mapping_pairs(*map(operations, graphs)),
    }
    nodes = graph_changes(*graphs)
    is_different = bool(nodes) or any(p.is_different for pairs in found.values() for p in pairs)
    shown = {
        part: [pair for pair in pairs if options.all or pair.is_different]
        for part, pairs in found.items()
    }
    if options.json:
        plain = {part: [_plain(part, pair) for pair in pairs] for part, pairs in shown.items()}
        say_json("diff", a=plain_run(before), b=plain_run(after), **plain, graph_changes=nodes)
    else:
        for letter, run in zip("AB", sides, strict=True):
            say(f"{letter}: run {run.run_id}, {run.created_at}, {run.name}")
        if not is_different:
            say("no difference")
        _say(shown)
        for line in ["", *nodes] if nodes else ():
            say(line)
    return FOUND if is_different else OK


def metric_pairs(before: Mapping[str, Summary], after: Mapping[str, Summary]) -> list[Pair]:
    """Return every statistic of every metric of two runs, by the metrics' names."""
    pairs = []
    for name in sorted({*before, *after}):
        sides = [side.get(name) for side in (before, after)]
        for statistic in _COMPARED:
            values = [MISSING if side is None else getattr(side, statistic) for side in sides]
            a, b = map(_number, values)
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

    named = [_by_title(graphs) for graphs in (before, after)]
    found = []
    for title in dict.fromkeys((*named[0], *named[1])):
        sides = [graphs[title] for graphs in named if title in graphs]
        if len(sides) == 1:
            found.append(f"{title}: only in {'A' if title in named[0] else 'B'}")
            continue
        with suppress(InvalidArgumentError):
            one, other = (side.graph() for side in sides)
            found += [f"{title}: {line}" for line in lines(graph_diff(one, other))]
    return found


def _by_title(graphs: Iterable[StoredGraph]) -> dict[str, StoredGraph]:
    """Return graphs by what to call them: their name, and which one of that name."""
    titled: dict[str, StoredGraph] = {}
    n_named: Counter[str] = Counter()
    for graph in graphs:
        n_named[graph.name] += 1
        number = n_named[graph.name]
        titled[f"graph {graph.name!r}" + (f" number {number}" if number > 1 else "")] = graph
    return titled


def _plain(part: str, pair: Pair) -> dict[str, Any]:
    sides = {"a": pair.before, "b": pair.after}
    there = {letter: side for letter, side in sides.items() if side is not MISSING}
    if part != "metrics":
        return {"name": pair.names[0], **there}
    metric, statistic = pair.names
    return {
        "metric": metric,
        "statistic": statistic,
        **{letter: encode_number(side) for letter, side in there.items()},
        "relative_change": relative_change(_number(pair.before), _number(pair.after)),
    }


def _number(side: Any) -> float | None:
    """Return a side of a statistic as a number, None where it is none."""
    number: float | None = None if side is MISSING else side
    return number


def _say(shown: Mapping[str, Sequence[Pair]]) -> None:
    for part, pairs in shown.items():
        if not pairs:
            continue
        say("")
        if part == "metrics":
            numbers = [(_number(pair.before), _number(pair.after)) for pair in pairs]
            rows = [
                (*pair.names, *numbers_text(*sides), change_text(*sides))
                for pair, sides in zip(pairs, numbers, strict=True)
            ]
            headers = ("metric", "statistic", "A", "B", "change")
            say_table(rows, headers, right=headers[2:])
        else:
            heading = {"graph": "operation"}.get(part, part)
            cells = [(*pair.names, *map(_side_text, (pair.before, pair.after))) for pair in pairs]
            say_table(cells, (heading, "A", "B"))


def _side_text(side: Any) -> str:
    return "" if side is MISSING else value_text(side)
