"""`sgtrack diff`: what differs between two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracking.cli.options import RUN_HELP, add_command, add_json, add_source
from tracking.cli.output import FOUND, OK, say, say_json, say_table
from tracking.cli.references import resolve_run
from tracking.cli.store import reading_anywhere
from tracking.cli.table import change_text, numbers_text, value_text
from tracking.queries.differences import difference, plain_difference, side_number, side_of
from tracking.queries.plain import plain_run
from tracking.report.data import MISSING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from tracking.cli.options import Commands
    from tracking.queries.differences import Pair


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "diff", diff)
    add_source(parser)
    parser.add_argument("a", metavar="A", help=RUN_HELP)
    parser.add_argument("b", metavar="B", help="the run it is compared with")
    parser.add_argument("--all", action="store_true", help="show what is equal, too")
    add_json(parser)


def diff(options: argparse.Namespace) -> int:
    """Tell what differs between two runs: metrics, config, environment, graphs.

    Exits with 1 if anything does.
    """
    with reading_anywhere(options) as db:
        runs = [resolve_run(reference, db) for reference in (options.a, options.b)]
        found = difference(*(side_of(db, run) for run in runs))
    if options.json:
        a, b = map(plain_run, runs)
        say_json("diff", a=a, b=b, **plain_difference(found, with_equal=options.all))
        return FOUND if found.is_any else OK
    for letter, run in zip("AB", runs, strict=True):
        say(f"{letter}: run {run.run_id}, {run.created_at}, {run.name}")
    if not found.is_any:
        say("no difference")
    _say(found.shown(with_equal=options.all))
    for line in ["", *found.graph_changes] if found.graph_changes else ():
        say(line)
    return FOUND if found.is_any else OK


def _say(shown: Mapping[str, Sequence[Pair]]) -> None:
    for part, pairs in shown.items():
        if not pairs:
            continue
        say("")
        if part == "metrics":
            numbers = [(side_number(pair.before), side_number(pair.after)) for pair in pairs]
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
