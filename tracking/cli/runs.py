"""`sgtrack runs`: the runs of an experiment, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracking.cli.options import add_command, add_json, add_source, count, parsed_by
from tracking.cli.output import OK, say, say_json, say_table
from tracking.cli.references import resolve_session
from tracking.cli.store import reading_anywhere
from tracking.cli.table import duration_text, number_text
from tracking.errors import TrackingError
from tracking.model import Status, Verdict
from tracking.queries.expressions import Metric, parse_condition, parse_metric, parse_order
from tracking.queries.plain import plain_run, plain_values
from tracking.queries.selection import NEWEST_FIRST, Selection

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from tracking.cli.options import Commands
    from tracking.model import RunInfo, Summary
    from tracking.reading import ExperimentReader

_OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
_HEADERS = ("id", "name", "outcome", "verdict", "ended by", "started", "duration", "metrics")


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "runs", runs)
    add_source(parser)
    for name, choices in (
        ("status", [str(status) for status in Status]),
        ("outcome", _OUTCOMES),
        ("verdict", [str(verdict) for verdict in Verdict]),
    ):
        parser.add_argument(
            f"--{name}",
            action="append",
            default=[],
            choices=choices,
            metavar=name.upper(),
            help=f"only runs of this {name}, one of {', '.join(choices)}; may be repeated",
        )
    parser.add_argument(
        "--name",
        metavar="PATTERN",
        help="only runs whose name this is, or a part of it, or that fit it (* ? [ ])",
    )
    parser.add_argument(
        "--session", help="only runs of this session: the beginning of its identity, or last"
    )
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        type=parsed_by(parse_condition),
        metavar="CONDITION",
        help="only runs that fulfil this, as 'val_acc > 0.9' or 'loss.min <= 0.1'; the statistic is"
        " last where none is named; may be repeated",
    )
    parser.add_argument(
        "--sort",
        type=parsed_by(parse_order),
        default=NEWEST_FIRST,
        metavar="KEY",
        help="id, name, created, duration or a metric such as loss.min; --sort=-KEY is descending"
        " (default: -created)",
    )
    parser.add_argument(
        "--columns",
        nargs="+",
        default=[],
        type=parsed_by(parse_metric),
        metavar="METRIC",
        help="show these metrics too, as loss or loss.min",
    )
    parser.add_argument(
        "--limit",
        type=parsed_by(count),
        default=50,
        metavar="N",
        help="show the first N (default: %(default)s); 0 for all",
    )
    add_json(parser)


def runs(options: argparse.Namespace) -> int:
    """List runs, the newest first, those alone that are asked for."""
    metrics: list[Metric] = options.columns
    with reading_anywhere(options) as db:
        _check_metrics(options, db)
        page = db.select_runs(_selection(options, db))
        shown = page.runs
        summaries = db.summaries_of(shown) if metrics else {}
        is_empty = not shown and not db.select_runs(Selection(limit=1)).runs
    n_left_out = page.n - len(shown)
    if options.json:
        plain = [
            plain_run(run)
            | {
                "metrics": run.metrics,
                "values": plain_values(metrics, summaries.get(run.run_id, {})),
            }
            for run in shown
        ]
        say_json("runs", experiment=db.experiment, runs=plain, n_left_out=n_left_out)
        return OK
    if not shown:
        say(f"{db.where}: there is no run" if is_empty else f"{db.where}: no run fits")
        return OK
    say_table(
        [_row(run, metrics, summaries.get(run.run_id, {})) for run in shown],
        (*_HEADERS, *map(str, metrics)),
        right=("id", "duration", "metrics", *map(str, metrics)),
    )
    if n_left_out:
        say(f"{n_left_out} {'or more' if page.is_more else 'more'}; --limit 0 shows all")
    return OK


def _selection(options: argparse.Namespace, db: ExperimentReader) -> Selection:
    session = options.session and resolve_session(options.session, db)
    wanted = {
        "status": options.status,
        "outcome": options.outcome,
        "verdict": options.verdict,
        "session": [session] if session else [],
    }
    return Selection(
        wanted={name: values for name, values in wanted.items() if values},
        name=options.name or "",
        conditions=options.where,
        order=options.sort,
        limit=options.limit or None,
        is_counted=True,
    )


def _check_metrics(options: argparse.Namespace, db: ExperimentReader) -> None:
    """Refuse a metric that no run has: nobody would notice a slip of the pen."""
    asked = [*options.columns, *(condition.metric for condition in options.where)]
    if isinstance(options.sort.key, Metric):
        asked.append(options.sort.key)
    names = db.metric_names() if asked else []
    for metric in asked:
        if metric.name not in names:
            there = f"there are {', '.join(names)}" if names else "there is none"
            raise TrackingError(f"no run has a metric {metric.name!r}; {there}")


def _row(
    run: RunInfo, metrics: Sequence[Metric], summaries: Mapping[str, Summary]
) -> tuple[object, ...]:
    return (
        run.run_id,
        run.name,
        run.outcome or run.status,
        run.verdict or "",
        run.ended_by or "",
        run.created_at,
        duration_text(run.duration_s),
        len(run.metrics or ()),
        *(number_text(metric.of(summaries)) for metric in metrics),
    )
