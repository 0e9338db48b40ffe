"""`sgtrack merge`: what was recorded apart, in one place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracking.cli.options import add_command, add_json
from tracking.cli.output import FOUND, OK, say, say_json
from tracking.merging import merge

if TYPE_CHECKING:
    import argparse

    from tracking.cli.options import Commands
    from tracking.merging import Merged, MergedShard


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "merge", merge_shards)
    parser.add_argument(
        "shards",
        nargs="+",
        type=Path,
        metavar="SHARD",
        help="a database (experiments/pytest.db), or a folder of them",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="OUT",
        help="the database they go into; a folder where folders are merged",
    )
    parser.add_argument(
        "--root",
        type=Path,
        help="the project's folder, which baseline files are named from (default: as the shards"
        " have it, where they agree)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only tell what would be done; writes nothing"
    )
    add_json(parser)


def merge_shards(options: argparse.Namespace) -> int:
    """Bring experiments together that were recorded apart, as shards of CI are.

    Shards are only read, with what waits in their journals. What OUT has already stays as it is, so
    that the command can be given again: with the same shards, or newer copies of them; of a run
    that several have the most complete form is kept. Exits with 1 if damaged records were left out;
    which, it says.
    """
    found = merge(options.shards, options.output, root=options.root, is_dry_run=options.dry_run)
    if options.json:
        say_json("merge", is_dry_run=options.dry_run, experiments=[_plain(one) for one in found])
    for one in () if options.json else found:
        for shard in one.shards:
            say(f"{shard.path}: {shard.n_runs} runs{_details(shard)}")
        for remark in one.remarks:
            say(remark)
        say(_total(one, is_dry_run=options.dry_run))
    return FOUND if any(one.remarks for one in found) else OK


def _details(shard: MergedShard) -> str:
    counts = {
        "added": shard.n_added,
        "completed": shard.n_completed,
        "there already": shard.n_known,
        "kept away": shard.n_kept_away,
    }
    said = [f"{n} {what}" for what, n in counts.items() if n]
    return f": {', '.join(said)}" if said else ""


def _total(one: Merged, *, is_dry_run: bool) -> str:
    n_added = sum(shard.n_added for shard in one.shards)
    n_completed = sum(shard.n_completed for shard in one.shards)
    n_known = sum(shard.n_known for shard in one.shards)
    change = "would be added" if is_dry_run else "added"
    pending = f"; {one.n_pending} tests are pending" if one.n_pending else ""
    return (
        f"{one.path}: {n_added} runs from {len(one.shards)} shards {change}, {n_completed}"
        f" completed, {n_known} were there already{pending}"
    )


def _plain(one: Merged) -> dict[str, object]:
    return {
        "path": str(one.path),
        "shards": [
            {**shard._asdict(), "path": str(shard.path), "n_known": shard.n_known}
            for shard in one.shards
        ],
        "n_pending": one.n_pending,
        "remarks": one.remarks,
    }
