"""`sgtrack drift`: where the metrics of tests moved, night after night."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.change_points.segmentation import MIN_SIGNIFICANCE, SIGNIFICANCE
from tracking.cli import drift_text
from tracking.cli.files import write_texts
from tracking.cli.options import (
    TEST_HELP,
    add_baseline_root,
    add_command,
    add_json,
    add_source,
    count,
    matches,
    parsed_by,
    root_of,
)
from tracking.cli.output import FOUND, OK, json_text, say, say_json, say_table
from tracking.cli.store import reading_anywhere
from tracking.errors import InvalidArgumentError, TrackingError
from tracking.queries.drift import Criteria, plain_series, read_drift
from tracking.queries.expressions import parse_metric
from tracking.queries.histories import STATISTIC
from tracking.regression import DEFAULT_SETTINGS, read_patterns
from tracking.report.html_page import page

if TYPE_CHECKING:
    import argparse

    from tracking.cli.options import Commands
    from tracking.queries.drift import Series
    from tracking.queries.expressions import Metric
    from tracking.reading import ExperimentReader

_DAY_S = 86_400
_FORMATS = (".html", ".json", ".md")


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "drift", drift)
    add_source(parser)
    parser.add_argument(
        "--test",
        action="append",
        default=[],
        metavar="PATTERN",
        help=f"{TEST_HELP}; may be given several times (default: all)",
    )
    parser.add_argument(
        "--metric",
        type=parsed_by(_parse_metric),
        metavar="METRIC",
        help="one metric, as loss or loss.min (default: all; the statistic: tail)",
    )
    parser.add_argument(
        "--last",
        type=parsed_by(count),
        default=200,
        metavar="N",
        help="look at the newest N runs of a test (default: %(default)s); 0 for all",
    )
    parser.add_argument(
        "--since",
        type=parsed_by(_parse_moment),
        metavar="WHEN",
        help="tell only of changes that began then or later: a date, or as many days ago (14d)",
    )
    parser.add_argument(
        "--significance",
        type=parsed_by(_parse_significance),
        default=SIGNIFICANCE,
        metavar="P",
        help="how often a metric that does not move may be said to have (default: %(default)s)",
    )
    parser.add_argument(
        "--tolerance",
        type=parsed_by(_parse_tolerance),
        metavar="REL",
        help="what small steps have to exceed together (default: the metric's `rel` in"
        f" pyproject.toml, or {DEFAULT_SETTINGS.rel})",
    )
    parser.add_argument(
        "--all", action="store_true", help="show small changes, and metrics that did not move"
    )
    parser.add_argument(
        "--fail", action="store_true", help="exit with 1 if a metric got worse (default: never)"
    )
    parser.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        type=parsed_by(_parse_output),
        metavar="PATH",
        help=f"write it, in the format of the suffix: {', '.join(_FORMATS)}; may be given several"
        " times",
    )
    add_baseline_root(parser)
    add_json(parser)


def _parse_metric(text: str) -> Metric:
    return parse_metric(text, STATISTIC)


def _parse_moment(text: str) -> float:
    """Return Unix seconds, of a date in local time or a number of days before now."""
    if days := re.fullmatch(r"(\d{1,5})d", text):
        return time.time() - int(days[1]) * _DAY_S
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise InvalidArgumentError(
            "since", f"{text!r} is no date; write 2026-11-01, or 14d for 14 days ago"
        ) from None


def _parse_significance(text: str) -> float:
    number = _number("significance", text)
    if not MIN_SIGNIFICANCE <= number < 1:
        raise InvalidArgumentError(
            "significance", f"{text} is not between {MIN_SIGNIFICANCE} and 1"
        )
    return number


def _parse_tolerance(text: str) -> float:
    number = _number("tolerance", text)
    replace(DEFAULT_SETTINGS, rel=number)
    return number


def _number(argument: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidArgumentError(argument, f"{text!r} is no number") from None


def _parse_output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in _FORMATS:
        raise InvalidArgumentError(
            "output", f"{text} names no format; its suffix is one of {', '.join(_FORMATS)}"
        )
    return path


def drift(options: argparse.Namespace) -> int:
    """Tell where metrics moved from run to run, and which small steps add up.

    For a job of the night: it looks at the whole history of a test, where the gate compares one run
    with its baseline, and changes no verdict. Exits with 0 whatever it finds, unless --fail asks
    otherwise.
    """
    with reading_anywhere(options) as db:
        experiment = db.experiment
        found = _found(db, options)
    for path in options.output:
        write_texts([_rendered(path, experiment, found, options)], path)
    if options.json:
        say_json("drift", **_document(experiment, found, options))
    else:
        _say(found, with_all=options.all)
        for path in options.output:
            say(f"wrote {path}")
    return FOUND if options.fail and any(map(drift_text.is_worse, found)) else OK


def _found(db: ExperimentReader, options: argparse.Namespace) -> list[Series]:
    patterns = read_patterns(root_of(options) / "pyproject.toml")
    criteria = Criteria(options.significance, patterns, options.tolerance)

    def is_wanted(test: str) -> bool:
        return matches(test, options.test)

    asked = {"is_wanted": is_wanted, "metric": options.metric, "limit": options.last}
    found = list(read_drift(db, criteria, **asked))
    if not found and options.test:
        listed = ", ".join(map(repr, options.test))
        raise TrackingError(f"no run with a metric is meant by {listed}; `sgtrack runs` lists all")
    if not found and options.metric:
        raise TrackingError(f"no run has a metric {options.metric.name!r}")
    return found if options.since is None else [one.since(options.since) for one in found]


def _rendered(path: Path, experiment: str, found: list[Series], options: argparse.Namespace) -> str:
    suffix = path.suffix.lower()
    if suffix == ".md":
        return drift_text.markdown(found, with_small=options.all)
    is_page = suffix == ".html"
    document = _document(experiment, found, options, with_runs=is_page)
    text = json_text("drift", document)
    return page(text) if is_page else f"{text}\n"


def _document(
    experiment: str, found: list[Series], options: argparse.Namespace, *, with_runs: bool = False
) -> dict[str, Any]:
    shown = [one for one in found if options.all or drift_text.is_worth_a_look(one)]
    told = shown if with_runs else found
    return {
        "experiment": experiment,
        "created_at": time.time(),
        "significance": options.significance,
        "since": options.since,
        "counts": drift_text.counts_text(found),
        "metrics": [plain_series(one, with_runs=with_runs) for one in told],
    }


def _say(found: list[Series], *, with_all: bool) -> None:
    test = None
    for series in found:
        if not with_all and not drift_text.is_worth_a_look(series):
            continue
        if series.test != test:
            test = series.test
            say(test)
            say("")
        say(f"{series.metric}  {drift_text.line(series)}  {drift_text.about(series)}")
        changes = drift_text.shown_changes(series, with_small=with_all)
        if changes:
            rows = [drift_text.cells(series, change) for change in changes]
            say_table(rows, drift_text.HEADERS, right=drift_text.NUMBERS)
        if series.findings.drift:
            say(drift_text.drift_text(series, series.findings.drift))
        say("")
    say(drift_text.counts_text(found) if found else "no run has a metric")
