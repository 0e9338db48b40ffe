"""Arguments that several commands take, each said once."""

from __future__ import annotations

import argparse
import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    Command = Callable[[argparse.Namespace], int]

RUN_HELP = (
    "a run: its id, the beginning of its uuid (4 digits and more), the name of a test or an"
    " unmistakable part of it (its newest run), last or last-failed"
)
STORE_VARIABLE = "SGTRACK_STORE"
TEST_HELP = "a node id, its beginning (a folder, a file, a test without its case) or a pattern"


def add_command(commands: Commands, name: str, command: Command) -> argparse.ArgumentParser:
    """Add a command that is described by its docstring."""
    summary = (command.__doc__ or "").partition("\n")[0]
    parser = commands.add_parser(name, help=summary, description=command.__doc__)
    parser.set_defaults(command=command)
    return parser


def add_dir(parser: argparse.ArgumentParser) -> None:
    """Add --dir."""
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path("experiments"),
        help="folder of the experiments (default: %(default)s)",
    )


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add --dir and --experiment, as `tracking.cli.store` takes them."""
    add_dir(parser)
    parser.add_argument(
        "--experiment",
        metavar="NAME",
        help="name of the experiment (default: pytest if it is there, else the only one)",
    )


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add --dir, --experiment and --store, as `tracking.cli.store.reading_anywhere` takes them."""
    add_store(parser)
    add_shared_store(parser)


def add_shared_store(parser: argparse.ArgumentParser) -> None:
    """Add --store of commands that read where they are told to, and else in the folder."""
    parser.add_argument(
        "--store",
        nargs="?",
        const="",
        metavar="URL",
        help="read this store in PostgreSQL instead, postgresql://USER@HOST/DATABASE; without a URL"
        f" the one that the variable {STORE_VARIABLE} names. --dir is then where baselines are"
        " looked up from",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="say it as JSON; see docs/commands.md")


def add_baseline_root(parser: argparse.ArgumentParser) -> None:
    """Add --root of commands that look up in baselines what an experiment recorded."""
    parser.add_argument(
        "--root",
        type=Path,
        help="folder that node ids start from (default: the one that --dir lies in)",
    )


def root_of(options: argparse.Namespace) -> Path:
    """Return the folder that node ids start from: --root, or the one that --dir lies in."""
    root: Path | None = options.root
    return root or Path(os.path.normpath(options.dir / os.pardir))


def parsed_by(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a `type` for argparse, whose usage errors say what is wrong."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except InvalidArgumentError as error:
            raise argparse.ArgumentTypeError(error.problem) from None

    return convert


def count(text: str) -> int:
    """Return a number of things.

    Raises:
        InvalidArgumentError: it is none.
    """
    if not text.isdecimal():
        raise InvalidArgumentError("count", f"{text!r} is no number of things; give 0 or more")
    return int(text)


def matches(test: str, wanted: Sequence[str]) -> bool:
    """Tell whether a node id is one of those wanted; nothing wanted means all.

    >>> matches("a/test_x.py::test_y[0]", ["a/test_x.py::test_y"]), matches("b", ["a*"])
    (True, False)
    """
    return not wanted or any(
        test == one
        or test.startswith((f"{one.rstrip('/')}/", f"{one}::", f"{one}["))
        or fnmatchcase(test, one)
        for one in wanted
    )
