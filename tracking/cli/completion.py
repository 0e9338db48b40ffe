"""`sgtrack completion`: scripts that have a shell complete commands and options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracking.cli.options import add_command
from tracking.cli.output import OK, write
from tracking.errors import MissingDependencyError

if TYPE_CHECKING:
    import argparse

    from tracking.cli.options import Commands

_SHELLS = ("bash", "zsh", "tcsh")
_FOLDERS = ("dir", "root")
_FILES = ("output",)


def add_to(commands: Commands, whole: argparse.ArgumentParser) -> None:
    """Add the command.

    Args:
        commands: where it stands.
        whole: what it completes.
    """
    parser = add_command(commands, "completion", completion)
    parser.set_defaults(whole=whole)
    parser.add_argument("shell", choices=_SHELLS)


def completion(options: argparse.Namespace) -> int:
    """Print a script that completes commands and options in a shell.

    For bash: sgtrack completion bash > ~/.local/share/bash-completion/completions/sgtrack
    """
    try:
        import shtab
    except ImportError as error:
        raise MissingDependencyError(
            "completion needs shtab, which is not installed: pip install 'pytest-sgtrack[cli]'"
        ) from error
    whole: argparse.ArgumentParser = options.whole
    for parser in (whole, *_subparsers(whole)):
        for action in parser._actions:
            asked: Any = action  # shtab reads an attribute that argparse does not know
            if action.dest in _FOLDERS:
                asked.complete = shtab.DIRECTORY
            elif action.dest in _FILES:
                asked.complete = shtab.FILE
    write(shtab.complete(whole, shell=options.shell) + "\n")
    return OK


def _subparsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    choices = (action.choices for action in parser._actions if isinstance(action.choices, dict))
    return [subparser for of_action in choices for subparser in of_action.values()]
