"""The command `sgtrack`, also `python -m tracking`: the only room of this package that prints.

Exit codes: `OK`, `FOUND`, `USAGE`, `TROUBLE`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tracking import TrackingError, __version__
from tracking.cli import baselines, experiments
from tracking.cli.output import FOUND, OK, TROUBLE, USAGE, complain
from tracking.regression import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FOUND", "OK", "TROUBLE", "USAGE", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except TrackingError as error:
        complain(str(error))
        return TROUBLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sgtrack",
        description="Look after what pytest --sg-track recorded, and after its baselines.",
    )
    parser.add_argument("--version", action="version", version=f"sgtrack {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    added = {
        name: _add(commands, name, command)
        for name, command in (
            ("check", experiments.check),
            ("recover", experiments.recover_all),
            ("pending", baselines.pending),
            ("accept", baselines.accept),
            ("reject", baselines.reject),
            ("prune", baselines.prune),
            ("tolerances", baselines.tolerances),
        )
    }
    for name in ("check", "recover", "pending", "accept", "reject"):
        added[name].add_argument(
            "--dir",
            type=Path,
            default=Path("experiments"),
            help="folder of the experiments (default: %(default)s)",
        )
    for name in ("pending", "accept", "reject"):
        _add_choice(added[name])
    added["accept"].add_argument(
        "--reset-origin",
        action="store_true",
        help="measure drift from what is accepted now, no longer from the first baseline",
    )
    for name in ("pending", "accept"):
        added[name].add_argument(
            "--root",
            type=Path,
            help="folder that baseline files are named from (default: where they were recorded)",
        )
    added["tolerances"].add_argument("tests", nargs="*", metavar="TEST", help=_TEST_HELP)
    added["tolerances"].add_argument(
        "--root",
        type=Path,
        default=Path(),
        help="folder below which baselines lie (default: this one)",
    )
    added["tolerances"].add_argument(
        "--rate",
        type=float,
        default=0.01,
        help="how often a run as good as its baseline may be red (default: %(default)s)",
    )
    added["prune"].add_argument(
        "arguments", nargs="*", metavar="ARGUMENT", help="more for pytest, its options after --"
    )
    return parser


_TEST_HELP = "a node id, its beginning (a folder, a file, a test without its case) or a pattern"


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    command: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    summary = (command.__doc__ or "").partition("\n")[0]
    parser = commands.add_parser(name, help=summary, description=command.__doc__)
    parser.set_defaults(command=command)
    return parser


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tests", nargs="*", metavar="TEST", help=_TEST_HELP)
    parser.add_argument(
        "--experiment", default="pytest", help="name of the experiment (default: %(default)s)"
    )
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="PATTERN",
        help="only these metrics; may be given several times",
    )
    parser.add_argument(
        "--kind",
        action="append",
        default=[],
        choices=[str(kind) for kind in Kind],
        help="only metrics that did this; may be given several times",
    )
