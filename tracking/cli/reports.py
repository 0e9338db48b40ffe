"""`sgtrack report`: what a session of tests came to, for people or in a file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tracking import TrackingError, stored_report, write_report
from tracking.cli.options import add_command, add_json, add_store, count, parsed_by
from tracking.cli.output import FOUND, OK, UNBOUNDED, is_watched, say, write
from tracking.cli.references import newest_sessions, resolve_session
from tracking.cli.store import reading
from tracking.report import lines, render
from tracking.report.json_report import load
from tracking.report.terminal import one_test
from tracking.report.words import is_worth_a_look

if TYPE_CHECKING:
    import argparse

    from tracking.cli.options import Commands
    from tracking.report import ReportData


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "report", report)
    add_store(parser)
    parser.add_argument(
        "source",
        nargs="?",
        type=Path,
        metavar="REPORT.json",
        help="a report that was written before (default: the experiment tells)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--session", default="last", help="last, or the beginning of a session's uuid"
    )
    which.add_argument(
        "--last",
        type=parsed_by(count),
        metavar="N",
        help="the N newest sessions as one, as shards that were merged",
    )
    parser.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="write the report, in the format of the suffix: .html, .json or .md; may be given"
        " several times",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="tell the whole story of each test"
    )
    add_json(parser)


def report(options: argparse.Namespace) -> int:
    """Report what a session of tests came to, or write that to files.

    The last session by default, as its experiment and the baseline files have it now. Exits with 1
    if a test was red.
    """
    data = _data(options)
    for path in options.output:
        write_report(data, path)
        say(f"wrote {path}")
    if options.json:
        write(f"{render(data, Path('report.json'))}\n")
    elif not options.output:
        _say_report(data, is_verbose=options.verbose)
    return FOUND if data.worst_action == "fail" or data.deaths else OK


def _data(options: argparse.Namespace) -> ReportData:
    if options.source is not None:
        try:
            return load(options.source.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise TrackingError(f"{options.source} cannot be read: {error}") from error
    with reading(options) as db:
        if options.last is not None:
            return stored_report(db, newest_sessions(db, options.last))
        session = options.session
        known = None if session == "last" else resolve_session(session, db)
        return stored_report(db, known)


def _say_report(data: ReportData, *, is_verbose: bool) -> None:
    width = shutil.get_terminal_size().columns if is_watched() else UNBOUNDED
    if is_verbose:
        for test in reversed(data.by_severity()):
            if is_worth_a_look(test):
                for text in one_test(test, width).splitlines():
                    say(text)
                say("")
    for line in lines(data, width=width, is_verbose=False):
        say(line.text)
