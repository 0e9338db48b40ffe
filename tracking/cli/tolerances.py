"""`sgtrack tolerances`: what the samples of baselines say about tolerances."""

from __future__ import annotations

import glob
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tracking.cli.options import TEST_HELP, add_command, add_json, matches
from tracking.cli.output import OK, say, say_json, say_table
from tracking.regression import (
    DEFAULT_SETTINGS,
    MIN_SAMPLES,
    Entry,
    find_baselines,
    load_baseline,
    propose_tolerance,
    read_patterns,
    said_of,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tracking.cli.options import Commands
    from tracking.regression import Patterns, Proposal


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "tolerances", tolerances)
    parser.add_argument("tests", nargs="*", metavar="TEST", help=TEST_HELP)
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(),
        help="folder below which baselines lie (default: this one)",
    )
    parser.add_argument(
        "--rate",
        type=float,
        default=0.01,
        help="how often a run as good as its baseline may be red (default: %(default)s)",
    )
    add_json(parser)


def tolerances(options: argparse.Namespace) -> int:
    """Propose tolerances from baselines of five samples and more.

    The smallest with which one more run, as good as the samples, is red no more often than --rate,
    beside what the present tolerance comes to.
    """
    found = list(_proposals(options))
    largest: dict[str, float] = {}
    for _, metric, _, _, proposal in found:
        if proposal.rel:
            largest[metric] = max(proposal.rel, largest.get(metric, 0))
    if options.json:
        say_json("tolerances", tolerances=[_plain(*one) for one in found], proposed=largest)
    elif found:
        _say(found, largest)
    else:
        say(
            f"{options.root}: no baseline has {MIN_SAMPLES} samples;"
            " pytest --sg-track --sg-track-samples=10 collects them"
        )
    return OK


def _proposals(options: argparse.Namespace) -> Iterator[tuple[str, str, str, int, Proposal]]:
    """Yield test, metric, statistic, the number of its samples, and what they say."""
    patterns = read_patterns(options.root / "pyproject.toml")
    for file in find_baselines(options.root):
        for key, entry in load_baseline(file).items():
            test = f"{_test_file(file)}::{key}"
            if len(entry.samples) >= MIN_SAMPLES and matches(test, options.tests):
                for metric, statistic, values in _series_of(entry):
                    proposal = _proposal(metric, statistic, values, options.rate, patterns)
                    yield test, metric, statistic, len(values), proposal


def _proposal(
    metric: str, statistic: str, values: list[float], rate: float, patterns: Patterns
) -> Proposal:
    chosen = replace(DEFAULT_SETTINGS, **said_of(metric, patterns))
    direction = chosen.direction_of(metric, statistic)
    return propose_tolerance(values, direction, rate, chosen.rel, chosen.abs)


def _plain(
    test: str, metric: str, statistic: str, n_samples: int, proposal: Proposal
) -> dict[str, object]:
    return {
        "test": test,
        "metric": metric,
        "statistic": statistic,
        "n_samples": n_samples,
        "rel": proposal.rel,
        "abs": proposal.abs,
        "false_red_rate": proposal.false_red_rate,
        "present_rate": proposal.present_rate,
    }


def _say(found: list[tuple[str, str, str, int, Proposal]], largest: dict[str, float]) -> None:
    rows = [
        (
            *of_metric,
            f"rel {proposal.rel:g}" if proposal.rel else f"abs {proposal.abs:g}",
            f"{proposal.false_red_rate:.2%}",
            f"{proposal.present_rate:.2%}",
        )
        for *of_metric, proposal in found
    ]
    headers = ("test", "metric", "statistic", "samples", "tolerance", "false red", "now")
    say_table(rows, headers)
    if largest:
        for line in ("", "for pyproject.toml:", "", "[tool.sgtrack.metrics]"):
            say(line)
        for metric, rel in sorted(largest.items()):
            pattern = json.dumps(glob.escape(metric), ensure_ascii=False)
            say(f"{pattern} = {{rel = {rel:g}}}")


def _series_of(entry: Entry) -> Iterator[tuple[str, str, list[float]]]:
    """Yield the values of each metric's gated statistics that have enough of them."""
    for metric in sorted({name for sample in entry.samples for name in sample.metrics}):
        summaries = [s.metrics[metric] for s in entry.samples if metric in s.metrics]
        for statistic in DEFAULT_SETTINGS.statistics:
            values = [getattr(summary, statistic) for summary in summaries]
            finite = [value for value in values if value is not None]
            if len(finite) >= MIN_SAMPLES:
                yield metric, statistic, finite


def _test_file(baseline: Path) -> str:
    folder = baseline.parent.parent
    name = baseline.name.removesuffix(".json")
    return (folder / (name if (folder / name).is_file() else f"{name}.py")).as_posix()
