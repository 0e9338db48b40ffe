"""`sgtrack history`: what the metrics of a test came to, run after run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracking.cli.options import (
    add_baseline_root,
    add_command,
    add_json,
    add_source,
    count,
    parsed_by,
    root_of,
)
from tracking.cli.output import OK, say, say_json, say_table
from tracking.cli.references import resolve_name
from tracking.cli.store import reading_anywhere
from tracking.cli.table import change_text, number_text
from tracking.queries.expressions import parse_metric
from tracking.queries.histories import STATISTIC, commit_text, plain_history, read_history
from tracking.report.curve import sparkline

if TYPE_CHECKING:
    import argparse

    from tracking.cli.options import Commands
    from tracking.queries.expressions import Metric
    from tracking.queries.histories import Point

_HEADERS = ("run", "started", "commit", "value", "change", "outcome", "verdict", "accepted")


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "history", history)
    add_source(parser)
    parser.add_argument(
        "test", metavar="TEST", help="a node id or another name of runs, or a part of one"
    )
    parser.add_argument(
        "metric",
        nargs="?",
        type=parsed_by(_parse_metric),
        metavar="METRIC",
        help="one of its metrics, as loss or loss.min (default: all; the statistic: tail)",
    )
    parser.add_argument(
        "--limit",
        type=parsed_by(count),
        default=20,
        metavar="N",
        help="show the newest N runs (default: %(default)s); 0 for all",
    )
    add_baseline_root(parser)
    add_json(parser)


def _parse_metric(text: str) -> Metric:
    return parse_metric(text, STATISTIC)


def history(options: argparse.Namespace) -> int:
    """Show what metrics of a test came to in its runs, the oldest first.

    A * marks what the test's baseline has accepted. Runs under fresh seeds that only confirmed a
    verdict are left out.
    """
    with reading_anywhere(options) as db:
        name = resolve_name(options.test, db)
        found = read_history(db, name, options.metric, options.limit, root_of(options))
    if options.json:
        say_json("history", **plain_history(found))
        return OK
    say(name)
    for metric, points in found.points.items():
        line = sparkline([point.value for point in points], width=60).replace(" ", "·")
        say("")
        say(f"{metric}  {line}")
        say_table([_row(point) for point in points], _HEADERS, right=("run", "value", "change"))
    if not found.points:
        say("its runs have no metrics")
    if found.n_left_out:
        more = " or more" if found.is_more else ""
        say(f"{found.n_left_out}{more} earlier runs; --limit 0 shows all")
    return OK


def _row(point: Point) -> tuple[object, ...]:
    run = point.run
    return (
        run.run_id,
        run.created_at,
        commit_text(run.environment or {}),
        number_text(point.value),
        change_text(point.before, point.value),
        run.outcome or run.status,
        run.verdict or "",
        "*" if point.is_accepted else "",
    )
