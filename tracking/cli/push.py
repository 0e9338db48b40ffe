"""`sgtrack push`: what was recorded here, into the store that all share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tracking.cli.options import add_command, add_dir, add_json
from tracking.cli.output import FOUND, OK, TROUBLE, complain, say, say_json
from tracking.errors import InvalidArgumentError, MissingDependencyError

if TYPE_CHECKING:
    from tracking.cli.options import Commands
    from tracking.postgres.address import Address
    from tracking.pushing import Pushed, PushedShard

_VARIABLE = "SGTRACK_STORE"


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "push", push_shards)
    parser.add_argument(
        "shards",
        nargs="*",
        type=Path,
        metavar="SHARD",
        help="a database (experiments/pytest.db), or a folder of them (default: that of --dir)",
    )
    add_dir(parser)
    add_store_url(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="only tell what would be pushed; writes nothing"
    )
    add_json(parser)


def add_store_url(parser: argparse.ArgumentParser) -> None:
    """Add --store, which has to be given where the environment names no store."""
    default = os.environ.get(_VARIABLE)
    parser.add_argument(
        "--store",
        metavar="URL",
        type=_address,
        default=default or None,
        required=not default,
        help="the store, postgresql://USER@HOST/DATABASE; keep its password in the variable"
        f" PGPASSWORD or in ~/.pgpass (default: the variable {_VARIABLE})",
    )


def _address(url: str) -> Address:
    from tracking.postgres.address import Address  # numpy and psycopg are not for every command

    try:
        return Address(url)
    except InvalidArgumentError as error:
        raise argparse.ArgumentTypeError(error.problem) from None
    except MissingDependencyError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def push_shards(options: argparse.Namespace) -> int:
    """Bring the runs of experiments into a store in PostgreSQL.

    Experiments are only read, with what waits in their journals. What the store has already stays
    as it is, so that the command can be given again at any time; of a run that several machines
    have the most complete form is kept. Runs that are still being recorded are left for the next
    time. Exits with 1 if damaged records were left out, with 3 if an experiment could not be read;
    which, it says.
    """
    from tracking.pushing import push

    found = push(options.shards or [options.dir], options.store, is_dry_run=options.dry_run)
    if options.json:
        say_json("push", is_dry_run=options.dry_run, **_plain(found))
    for shard in () if options.json else found.shards:
        say(f"{shard.path}: {shard.n_runs} runs{_details(shard)}")
        for remark in shard.remarks:
            say(remark)
    if not options.json:
        say(_total(found, is_dry_run=options.dry_run))
    for problem in found.unread:
        complain(problem)
    if found.unread:
        return TROUBLE
    return FOUND if any(shard.remarks for shard in found.shards) else OK


def _details(shard: PushedShard) -> str:
    counts = {
        "added": shard.n_added,
        "completed": shard.n_completed,
        "there already": shard.n_known,
        "kept away": shard.n_kept_away,
        "still being recorded": shard.n_recording,
    }
    said = [f"{n} {what}" for what, n in counts.items() if n]
    return f": {', '.join(said)}" if said else ""


def _total(found: Pushed, *, is_dry_run: bool) -> str:
    change = "would be pushed" if is_dry_run else "pushed"
    n_known = sum(shard.n_known for shard in found.shards)
    n_left = sum(shard.n_recording for shard in found.shards)
    left = f", {n_left} left for the next time" if n_left else ""
    return f"{found.store}: {found.n_pushed} runs {change}, {n_known} were there already{left}"


def _plain(found: Pushed) -> dict[str, object]:
    return {
        "store": found.store,
        "experiments": [
            {
                **shard._asdict(),
                "path": str(shard.path),
                "remarks": list(shard.remarks),
                "n_known": shard.n_known,
            }
            for shard in found.shards
        ],
        "unread": found.unread,
    }
