"""`sgtrack show`: all there is to know of one run."""

from __future__ import annotations

import os
import shutil
from array import array
from typing import TYPE_CHECKING, Any

from tracking.cli.options import RUN_HELP, add_command, add_json, add_source
from tracking.cli.output import (
    OK,
    UNBOUNDED,
    is_watched,
    say,
    say_json,
    say_pairs,
    say_table,
)
from tracking.cli.references import resolve_run
from tracking.cli.store import reading_anywhere
from tracking.cli.table import duration_text, number_text, value_text
from tracking.errors import StoreError
from tracking.model import Status
from tracking.queries.plain import plain_run, plain_summaries
from tracking.regression import STORE, check_as_plain, parse_comparison
from tracking.report import checks_table
from tracking.report.curve import sparkline

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from tracking.cli.options import Commands
    from tracking.model import RunInfo, Summary
    from tracking.reading import ExperimentReader
    from tracking.regression import Compared
    from tracking.stored_graphs import StoredGraph

_DIGITS_OF_FINGERPRINT = 8
_STATISTICS = ("n", "last", "tail", "min", "max", "mean", "std")


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "show", show)
    add_source(parser)
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--texts", action="store_true", help="show the texts it recorded, too")
    add_json(parser)


def show(options: argparse.Namespace) -> int:
    """Show a run: how it ended, its config, environment and metrics."""
    with reading_anywhere(options) as db:
        run = resolve_run(options.run, db)
        summaries = db.read_summaries(run.run_id)
        graphs = db.get_graphs(run.run_id)
        n_kept = {
            "histograms": _n_kept(db.get_histograms(run.run_id)),
            "images": _n_kept(db.get_images(run.run_id)),
        }
        texts = db.get_texts(run.run_id)
        compared = _compared(db, run)
        n_kept["texts"] = _n_kept(texts)
        lines = {} if options.json else _sparklines(db, run)
    if options.json:
        say_json(
            "show",
            **plain_run(run),
            config=run.config,
            environment=run.environment or {},
            metrics=plain_summaries(summaries),
            checks=[check_as_plain(check) for check in compared.checks] if compared else [],
            graphs=[
                {"name": one.name, "n_nodes": one.n_nodes, "fingerprint": one.fingerprint}
                for one in graphs
            ],
            n_graphs=len(graphs),
            **{f"n_{kind}": n for kind, n in n_kept.items()},
            **({"texts": _plain_texts(texts)} if options.texts else {}),
        )
        return OK
    _say_run(run)
    for title, mapping in (("config", run.config), ("environment", run.environment or {})):
        if mapping:
            say("")
            say(f"{title}:")
            say_pairs((name, value_text(value)) for name, value in mapping.items())
    if compared:
        say("")
        baseline = compared.baseline
        if not baseline.startswith(STORE):
            baseline = os.path.relpath(options.dir / baseline)
        say(f"compared with {compared.key} of {baseline}:")
        for line in _comparison_lines(compared):
            say(line)
    if summaries:
        say("")
        _say_metrics(summaries, lines)
    if graphs:
        say("")
        _say_graphs(graphs)
    kept = [f"{n} {kind.removesuffix('s') if n == 1 else kind}" for kind, n in n_kept.items() if n]
    if kept:
        say("")
        say(f"besides: {', '.join(kept)}")
    if options.texts:
        _say_texts(texts)
    return OK


def _compared(db: ExperimentReader, run: RunInfo) -> Compared | None:
    text = db.get_comparison(run.run_id)
    try:
        return parse_comparison(text) if text else None
    except ValueError as error:
        raise StoreError(f"{db.where}: run {run.run_id}: {error}") from error


def _comparison_lines(compared: Compared) -> list[str]:
    width = shutil.get_terminal_size().columns if is_watched() else UNBOUNDED
    table = checks_table(compared.checks, width).splitlines()
    return [*compared.notes, "", *table]


def _n_kept(by_name: Mapping[str, list[dict[str, Any]]]) -> int:
    return sum(map(len, by_name.values()))


def _plain_texts(texts: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "step": one["step"], "content": one["content"]}
        for name, of_name in texts.items()
        for one in of_name
    ]


def _sparklines(db: ExperimentReader, run: RunInfo) -> dict[str, str]:
    return {
        name: sparkline(array("d", db.series(run.run_id, name).values.tobytes()))
        for name in run.metrics or ()
    }


def _say_run(run: RunInfo) -> None:
    say(f"run {run.run_id}: {run.name}")
    ended = {
        "status": run.status,
        "outcome": run.outcome and (f"{run.outcome} in {run.phase}" if run.phase else run.outcome),
        "verdict": run.verdict,
        "ended by": run.ended_by,
        "started": run.created_at,
        "duration": duration_text(run.duration_s),
        "uuid": run.uuid,
        "session": run.session and f"{run.session}, attempt {run.attempt}",
        "inside of": run.parent,
    }
    say_pairs((name, value) for name, value in ended.items() if value)
    if run.status == Status.RUNNING:
        say("  what it records lies in its journal and is shown once it has ended")


def _say_metrics(summaries: Mapping[str, Summary], lines: Mapping[str, str]) -> None:
    headers = ("metric", *_STATISTICS, "non-finite", "course")
    rows = [
        (
            name,
            *(number_text(getattr(summary, statistic)) for statistic in _STATISTICS),
            summary.n_nan + summary.n_inf,
            lines.get(name, "").replace(" ", "·"),
        )
        for name, summary in summaries.items()
    ]
    say_table(rows, headers, right=headers[1:-1])


def _say_graphs(graphs: Sequence[StoredGraph]) -> None:
    rows = [
        (one.name, one.n_nodes, (one.fingerprint or "")[:_DIGITS_OF_FINGERPRINT]) for one in graphs
    ]
    say_table(rows, ("graph", "nodes", "fingerprint"), right=("nodes",))


def _say_texts(texts: Mapping[str, list[dict[str, Any]]]) -> None:
    for one in _plain_texts(texts):
        say("")
        say(f"text {one['name']}, step {one['step']}:")
        for line in one["content"].splitlines():
            say(f"  {line}")
