"""`sgtrack history`: what the metrics of a test came to, run after run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.attempts import without_confirmations
from tracking.cli.accepted import Accepted, identity, root_of
from tracking.cli.expressions import Metric, parse_metric
from tracking.cli.options import (
    add_baseline_root,
    add_command,
    add_json,
    add_store,
    count,
    parsed_by,
)
from tracking.cli.output import OK, say, say_json, say_table
from tracking.cli.references import resolve_name
from tracking.cli.store import reading
from tracking.cli.table import change_text, number_text
from tracking.errors import TrackingError
from tracking.model import encode_number
from tracking.regression.checks import relative_change
from tracking.report.curve import sparkline

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from tracking.cli.options import Commands
    from tracking.model import RunInfo, Summary

_STATISTIC = "tail"  # what the gate compares first
_COMMIT_LENGTH = 9
_HEADERS = ("run", "started", "commit", "value", "change", "outcome", "verdict", "accepted")


class Point(NamedTuple):
    """What a metric came to in one run.

    Attributes:
        run: the run.
        value: None where it has none.
        before: of the run before it that has one.
        is_accepted: whether the test's baseline holds this very summary.
    """

    run: RunInfo
    value: float | None
    before: float | None
    is_accepted: bool


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "history", history)
    add_store(parser)
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
    return parse_metric(text, _STATISTIC)


def history(options: argparse.Namespace) -> int:
    """Show what metrics of a test came to in its runs, the oldest first.

    A * marks what the test's baseline has accepted. Runs under fresh seeds that only confirmed a
    verdict are left out.
    """
    with reading(options) as db:
        name = resolve_name(options.test, (run.name for run in db.find_runs()))
        all_runs = without_confirmations(db.find_runs(name=name))[::-1]
        runs = all_runs[-options.limit :] if options.limit else all_runs
        summaries = {run.run_id: db.read_summaries(run.run_id) for run in runs}
        accepted = Accepted(db, root_of(options))
        held = {
            (run.run_id, metric, identity(summary))
            for run in runs
            if (entry := accepted.entry(run)) is not None
            for sample in entry.samples
            for metric, summary in sample.metrics.items()
        }
    metrics = _metrics(options.metric, summaries, name)
    points = {metric: points_of(metric, runs, summaries, held) for metric in metrics}
    n_left_out = len(all_runs) - len(runs)
    if options.json:
        plain = [
            {
                "metric": metric.name,
                "statistic": metric.statistic,
                "runs": [_plain(point) for point in of_metric],
            }
            for metric, of_metric in points.items()
        ]
        say_json("history", test=name, metrics=plain, n_left_out=n_left_out)
        return OK
    say(name)
    for metric, of_metric in points.items():
        line = sparkline([point.value for point in of_metric], width=60).replace(" ", "·")
        say("")
        say(f"{metric}  {line}")
        say_table([_row(point) for point in of_metric], _HEADERS, right=("run", "value", "change"))
    if not points:
        say("its runs have no metrics")
    if n_left_out:
        say(f"{n_left_out} earlier runs; --limit 0 shows all")
    return OK


def _metrics(
    asked: Metric | None, summaries: Mapping[int, Mapping[str, Summary]], test: str
) -> list[Metric]:
    names = list(dict.fromkeys(name for of_run in summaries.values() for name in of_run))
    if asked is None:
        return [Metric(name, _STATISTIC) for name in names]
    if asked.name not in names:
        there = f"there are {', '.join(names)}" if names else "there is none"
        raise TrackingError(f"{test} has no metric {asked.name!r}; {there}")
    return [asked]


def points_of(
    metric: Metric,
    runs: Sequence[RunInfo],
    summaries: Mapping[int, Mapping[str, Summary]],
    held: set[tuple[int, str, tuple[float | str | None, ...]]],
) -> list[Point]:
    """Return what a metric came to in runs.

    Args:
        metric: the metric.
        runs: the oldest first.
        summaries: of each run, by its number.
        held: number of a run, metric and `identity` of the summaries that the baseline of its test
            holds.
    """
    points: list[Point] = []
    before = None
    for run in runs:
        of_run = summaries[run.run_id]
        value = metric.of(of_run)
        summary = of_run.get(metric.name)
        is_accepted = summary is not None and (run.run_id, metric.name, identity(summary)) in held
        points.append(Point(run, value, before, is_accepted))
        before = before if value is None else value
    return points


def _plain(point: Point) -> dict[str, Any]:
    run = point.run
    return {
        "run_id": run.run_id,
        "uuid": run.uuid,
        "started_at": run.started_at,
        "commit": (run.environment or {}).get("git_commit"),
        "is_dirty": (run.environment or {}).get("git_dirty"),
        "value": encode_number(point.value),
        "relative_change": relative_change(point.before, point.value),
        "outcome": run.outcome,
        "verdict": run.verdict,
        "is_accepted": point.is_accepted,
    }


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


def commit_text(environment: Mapping[str, Any]) -> str:
    """Return the commit a run was made of, and whether files had changed since.

    >>> commit_text({"git_commit": "0123456789abcdef", "git_dirty": True})
    '012345678-dirty'
    """
    commit = environment.get("git_commit")
    if not isinstance(commit, str):
        return ""
    return commit[:_COMMIT_LENGTH] + ("-dirty" if environment.get("git_dirty") else "")
