"""`sgtrack import`: what others recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracking.cli.options import add_command, add_dir
from tracking.cli.output import FOUND, OK, say
from tracking.importers import Kind, Remark, import_runs

if TYPE_CHECKING:
    import argparse

    from tracking.cli.options import Commands
    from tracking.importers import Imported


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "import", import_source)
    parser.add_argument(
        "source",
        metavar="SOURCE",
        type=Path,
        help="a folder or an event file of TensorBoard, or a database (mlflow.db)",
    )
    parser.add_argument(
        "--from",
        dest="kind",
        choices=["auto", *Kind],
        default="auto",
        help="who recorded it (default: %(default)s, which finds out by looking)",
    )
    add_dir(parser)
    parser.add_argument(
        "--experiment",
        metavar="NAME",
        help="where all runs go (default: experiments named as where they come from)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only tell what would be added; writes nothing"
    )


def import_source(options: argparse.Namespace) -> int:
    """Bring in runs that TensorBoard, MLflow or the original tracker recorded.

    The source is only read. What is here already stays as it is, so that the command can be given
    again: after it was interrupted, or when the source has grown. Exits with 1 if something of the
    source was left out; what, it says.
    """
    kind = None if options.kind == "auto" else Kind(options.kind)
    is_all_there = True
    n_added = n_unchanged = 0
    found = import_runs(
        options.source,
        options.dir,
        kind=kind,
        experiment=options.experiment,
        is_dry_run=options.dry_run,
    )
    for item in found:
        if isinstance(item, Remark):
            say(item.text)
            is_all_there = False
            continue
        if item.added.is_nothing():
            n_unchanged += 1
        else:
            n_added += 1
            say(f"{item.db_path}: {item.run.name}: {_added(item)}")
        for line in _left_out(item):
            say(line)
            is_all_there = False
    changed = "would be added or completed" if options.dry_run else "added or completed"
    say(f"{options.source}: {n_added} runs {changed}, {n_unchanged} were there already")
    return OK if is_all_there else FOUND


def _added(item: Imported) -> str:
    counts = [f"{n} {kind}" for kind, n in item.added.counts.items()]
    if item.added.config and item.added.is_known:
        counts.append(f"{len(item.added.config)} hyper-parameters")
    if not counts:
        counts = ["its end"] if item.added.is_known else ["0 records"]
    return ", ".join(counts)


def _left_out(item: Imported) -> list[str]:
    name = item.run.name
    lines = [*item.run.remarks]
    lines += [f"{name}: left out: {n} {what}" for what, n in item.run.left_out().items()]
    if item.added.is_deleted:
        lines.append(f"{name}: left out: it was deleted from {item.db_path}")
    return lines
