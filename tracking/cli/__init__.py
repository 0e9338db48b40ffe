"""The command `sgtrack`, also `python -m tracking`: the only room of this package that prints."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tracking import TrackingError, __version__
from tracking.cli import (
    baselines,
    board,
    completion,
    diff,
    drift,
    experiments,
    export,
    graphs,
    history,
    housekeeping,
    imports,
    merge,
    push,
    reports,
    runs,
    show,
    tolerances,
)
from tracking.cli.output import (
    BROKEN_PIPE,
    EXIT_CODES,
    FOUND,
    INTERRUPTED,
    OK,
    TROUBLE,
    USAGE,
    complain,
    flush_output,
    prepare_output,
    silence_output,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracking.cli.options import Command

__all__ = ["FOUND", "OK", "TROUBLE", "USAGE", "main"]

_ROOMS = (
    *(runs, show, diff, history, drift, graphs, reports, export, imports, merge, push),
    experiments,
    *(baselines, tolerances, housekeeping, board),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command `sgtrack`.

    Args:
        arguments: what stands behind `sgtrack` on a command line; those of this process by default.

    Returns:
        The exit code, one of `EXIT_CODES`: 0 all is well, 1 there is something to look at, 3 a file
        could not be used, 130 Ctrl-C, 141 whoever read the output has stopped.

    Raises:
        SystemExit: the command line is wrong (2), or asked for help or the version (0).

    Examples:
        >>> with tracker.run("baseline"):
        ...     tracker.record("loss", 0.5, step=0)
        >>> code = main(["export", "baseline", "--dir", "experiments"])
        run_id,run,metric,step,value,wall_time
        1,baseline,loss,0,0.5,...
        >>> code
        0
    """
    options = _parser().parse_args(arguments)
    command: Command = options.command
    prepare_output()
    try:
        code = command(options)
        flush_output()
    except BrokenPipeError:
        silence_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except TrackingError as error:
        complain(str(error))
        return TROUBLE
    return code


def _parser() -> argparse.ArgumentParser:
    codes = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
        prog="sgtrack",
        description="Look at what pytest --sg-track recorded, and look after its baselines.",
        epilog=f"exit codes:\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sgtrack {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for room in _ROOMS:
        room.add_to(commands)
    completion.add_to(commands, parser)
    return parser
