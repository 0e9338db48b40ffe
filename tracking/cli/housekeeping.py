"""`sgtrack delete` and `sgtrack gc`: making room in an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracking.cli.options import (
    RUN_HELP,
    add_baseline_root,
    add_command,
    add_store,
    count,
    parsed_by,
    root_of,
)
from tracking.cli.output import OK, confirm, progress, say, say_table
from tracking.cli.references import resolve_run
from tracking.cli.retention import removable
from tracking.cli.store import reading, writing
from tracking.details import with_prefixes
from tracking.queries.accepted import Accepted, identity
from tracking.report.words import count_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tracking import ExperimentDBManager
    from tracking.cli.options import Commands
    from tracking.model import RunInfo

_MOST_SHOWN = 20


def add_to(commands: Commands) -> None:
    """Add the commands of this file."""
    parser = add_command(commands, "delete", delete)
    add_store(parser)
    parser.add_argument("runs", nargs="+", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--yes", action="store_true", help="don't ask")
    _add_dry_run(parser)

    parser = add_command(commands, "gc", collect)
    add_store(parser)
    parser.add_argument(
        "--keep",
        type=parsed_by(count),
        required=True,
        metavar="N",
        help="how many runs of each name stay, the newest ones",
    )
    add_baseline_root(parser)
    _add_dry_run(parser)


def _add_dry_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would be deleted; changes nothing"
    )


def delete(options: argparse.Namespace) -> int:
    """Delete runs with all their data; asks before it does."""
    with reading(options) as db:
        named = [resolve_run(reference, db) for reference in options.runs]
    runs = list({run.run_id: run for run in named}.values())
    if options.dry_run or not options.yes:
        _say_runs(runs)
    if options.dry_run:
        return OK
    if not (options.yes or confirm(f"Delete {_counted(runs)} for good?")):
        say("nothing was deleted")
        return OK
    with writing(options) as db:
        _delete(db, runs)
    say(f"{db.db_path}: {_counted(runs)} deleted; `sgtrack gc` gives their room back")
    return OK


def collect(options: argparse.Namespace) -> int:
    """Delete all but the newest runs of each name, and give their room back.

    Runs stay that failed, that have not ended, and for each sample of a baseline the newest run
    that gave it. Runs inside of others, and those under fresh seeds that confirmed a verdict, stay
    or go with the run they belong to.
    """
    with reading(options) as db:
        known = db.find_runs()
        runs = removable(
            known, options.keep, accepted_runs(db, known, Accepted(db, root_of(options)))
        )
    if options.dry_run:
        _say_runs(runs)
        return OK
    before = _size(db)
    with writing(options) as db:
        _delete(db, runs)
        if runs:
            db.compact()
    freed = max(0, before - _size(db))
    say(f"{db.db_path}: {_counted(runs)} deleted, {freed} bytes freed")
    return OK


def accepted_runs(db: ExperimentDBManager, runs: Sequence[RunInfo], accepted: Accepted) -> set[int]:
    """Return the numbers of the newest runs that gave what baselines hold.

    Of a deterministic test every run gives the same; one of them is enough.

    Args:
        db: the experiment.
        runs: all of it, the newest first.
        accepted: the baselines.
    """
    summaries = db.summaries_of(runs)
    entries = accepted.entries(runs)
    inside: dict[str | None, list[RunInfo]] = {}
    for run in runs:
        if run.parent is not None:
            inside.setdefault(run.session, []).append(run)
    found: set[int] = set()
    waiting: dict[int, set[tuple[str, object]]] = {}
    for run in runs:
        entry = entries.get(run.run_id)
        if entry is None:
            continue
        if id(entry) not in waiting:
            waiting[id(entry)] = {
                (metric, identity(summary))
                for sample in (*entry.samples, entry.origin_sample)
                for metric, summary in sample.metrics.items()
            }
        for prefix, one in (("", run), *with_prefixes(run, inside.get(run.session, ()))):
            for metric, summary in summaries.get(one.run_id, {}).items():
                what = (f"{prefix}{metric}", identity(summary))
                if what in waiting[id(entry)]:
                    waiting[id(entry)].remove(what)
                    found.add(one.run_id)
    return found


def _delete(db: ExperimentDBManager, runs: Sequence[RunInfo]) -> None:
    with progress(len(runs), "runs") as advance:
        for run in runs:
            db.delete_run(run.run_id)
            advance(1)


def _say_runs(runs: Sequence[RunInfo]) -> None:
    say(f"{_counted(runs)} would be deleted")
    if runs:
        rows = [(run.run_id, run.name, run.created_at) for run in runs[:_MOST_SHOWN]]
        say_table(rows, ("id", "name", "started"), right=("id",))
    if len(runs) > _MOST_SHOWN:
        say(f"and {len(runs) - _MOST_SHOWN} more")


def _counted(runs: Sequence[RunInfo]) -> str:
    n_records = sum(sum(run.num_records or ()) for run in runs)
    return f"{count_of(len(runs), 'run')} with {count_of(n_records, 'record')}"


def _size(db: ExperimentDBManager) -> int:
    """Return how many bytes the experiment's database takes, in all its files."""
    paths = (db.db_path.with_name(f"{db.db_path.name}{suffix}") for suffix in ("", "-wal"))
    return sum(path.stat().st_size for path in paths if path.exists())
