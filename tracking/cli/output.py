"""What commands say, and the codes they exit with. The only file of the library that prints."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tracking.cli.table import fitted
from tracking.errors import TrackingError
from tracking.report.words import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

OK = 0
FOUND = 1
"""There is something to look at."""
USAGE = 2
"""The command line is wrong: argparse's."""
TROUBLE = 3
"""A file could not be used."""
INTERRUPTED = 130
"""Ctrl-C, as shells count it: 128 and the number of the signal."""
BROKEN_PIPE = 141
"""Nobody reads on, as shells count it."""

EXIT_CODES = {
    OK: "all is well",
    FOUND: "there is something to look at: a difference, a problem, something pending",
    USAGE: "the command line is wrong",
    TROUBLE: "a file could not be used, or what was named is not there",
    INTERRUPTED: "Ctrl-C",
    BROKEN_PIPE: "whoever read the output has stopped, as `head` does",
}
"""What each exit code means."""

UNBOUNDED = 10**6
"""Width of what goes through a pipe, which is never cut or wrapped."""

JSON_VERSION = 1
"""Version of the keys of what `--json` prints."""


def prepare_output() -> None:
    """Have characters that a terminal's encoding lacks written as escapes."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


def flush_output() -> None:
    """Write what is buffered, so that a reader who has gone is noticed now."""
    sys.stdout.flush()


def silence_output() -> None:
    """Drop what is still buffered: Python would complain at exit that nobody reads it."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(line: str) -> None:
    """Print a line without what would steer the terminal."""
    print(printable(line))


def say_json(kind: str, **content: Any) -> None:
    """Print a JSON document; see `json_text`."""
    print(json_text(kind, content))


def json_text(kind: str, content: Mapping[str, Any]) -> str:
    """Return a JSON document of one line: its format, its version, and what is given.

    Numbers in it have to be finite; see `tracking.model.encode_number`.
    """
    document = {"format": f"sgtrack-{kind}", "version": JSON_VERSION, **content}
    # ASCII, so that no character in a name can steer a terminal.
    return json.dumps(document, allow_nan=False)


def say_table(
    rows: Iterable[Sequence[object]], headers: Sequence[str], *, right: Collection[str] = ()
) -> None:
    """Print a table; where a person watches, names are shortened for it to fit.

    Args:
        rows: its cells.
        headers: one for each column.
        right: headers of columns that are aligned to the right.
    """
    from tabulate import tabulate

    shown = [[printable(str(cell)) for cell in row] for row in rows]
    if is_watched():
        shown = fitted(shown, headers, shutil.get_terminal_size().columns)
    aligned = ["right" if header in right else "left" for header in headers] if shown else None
    text = tabulate(shown, headers, tablefmt="simple", disable_numparse=True, colalign=aligned)
    for line in text.splitlines():
        say(line)


def say_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and their values, one pair a line, indented."""
    listed = list(pairs)
    width = max((len(name) for name, _ in listed), default=0)
    for name, value in listed:
        say(f"  {name:<{width}}  {value}")


def complain(text: str) -> None:
    """Say on standard error what went wrong."""
    print(printable(f"sgtrack: {text}"), file=sys.stderr)


def confirm(question: str) -> bool:
    """Ask the person at the terminal.

    Raises:
        TrackingError: there is nobody to ask.
    """
    if not (sys.stdin.isatty() and is_watched()):
        raise TrackingError(f"{question} Nobody is here to answer; --yes says so beforehand")
    try:
        return input(f"{printable(question)} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def is_watched() -> bool:
    """Tell whether what is said goes to a terminal."""
    return sys.stdout.isatty()


def write(text: str) -> None:
    """Write text as it is; on a terminal, without what would steer it."""
    if is_watched():
        text = "\n".join(map(printable, text.split("\n")))
    sys.stdout.write(text)


@contextmanager
def progress(total: int, unit: str) -> Iterator[Callable[[int], object]]:
    """Give a callable that takes how much more is done.

    Shows a bar on standard error where that is a terminal and tqdm is installed.

    Args:
        total: how much there is to do.
        unit: of what.
    """
    if sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            with tqdm(total=total, unit=f" {unit}", leave=False, unit_scale=True) as bar:
                yield bar.update
            return
    yield lambda _: None
