"""`sgtrack pending`, `accept`, `reject` and `prune`: the life of a baseline."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tracking.cli.options import TEST_HELP, add_command, add_dir, add_json, matches
from tracking.cli.output import FOUND, OK, TROUBLE, say, say_json, say_table
from tracking.cli.table import number_text
from tracking.errors import TrackingError
from tracking.regression import (
    Entry,
    Kind,
    Pending,
    PendingTest,
    accepted_entry,
    load_baseline,
    load_pending,
    needs_decision,
    pending_path,
    save_baseline,
    save_pending,
    updated_entry,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping

    from tracking.cli.options import Commands
    from tracking.regression import Sample

_PYTEST_NO_TESTS = 5
_PENDING = ("kind", "test", "metric", "baseline", "pending")


def add_to(commands: Commands) -> None:
    """Add the commands of this file."""
    parsers = {
        command: add_command(commands, command.__name__, command)
        for command in (pending, accept, reject, prune)
    }
    for command in (pending, accept, reject):
        _add_choice(parsers[command])
    for command in (pending, accept):
        parsers[command].add_argument(
            "--root",
            type=Path,
            help="folder that baseline files are named from (default: where they were recorded)",
        )
    add_json(parsers[pending])
    parsers[accept].add_argument(
        "--reset-origin",
        action="store_true",
        help="measure drift from what is accepted now, no longer from the first baseline",
    )
    parsers[prune].add_argument(
        "arguments", nargs="*", metavar="ARGUMENT", help="more for pytest, its options after --"
    )


def _add_choice(parser: argparse.ArgumentParser) -> None:
    add_dir(parser)
    parser.add_argument("tests", nargs="*", metavar="TEST", help=TEST_HELP)
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


def pending(options: argparse.Namespace) -> int:
    """List what tests gave that nobody has accepted yet, by kind.

    new: no baseline yet; worse and better: beyond what is allowed; changed: another computation
    graph, its values are numbers of nodes; removed: not recorded any more; rewritten: within what
    is allowed, in other digits. Exits with 1 if there is something.
    """
    path, content = _load(options)
    root = _root(options, path, content)
    rows = []
    entries_of = cache(load_baseline)
    for place, kinds in _chosen(options, content):
        test = content.tests[place]
        entry = entries_of(root / place[0]).get(place[1])
        rows += [
            (str(kind), test.test, metric, *_values(entry, test, metric))
            for metric, kind in sorted(kinds.items())
        ]
    order = list(Kind)
    rows.sort(key=lambda row: (order.index(Kind(row[0])), *row[1:3]))
    if options.json:
        say_json(
            "pending", path=str(path), tests=[dict(zip(_PENDING, r, strict=True)) for r in rows]
        )
    elif rows:
        say_table([(*row[:3], *map(number_text, row[3:])) for row in rows], _PENDING)
    else:
        say(f"{path}: nothing is pending")
    return FOUND if rows else OK


def accept(options: argparse.Namespace) -> int:
    """Make what is pending the baseline, of all tests or of some.

    With --metric or --kind only the metrics chosen; what a baseline says of others stays.
    """
    path, content = _load(options)
    root = _root(options, path, content)
    files: dict[Path, dict[str, Entry]] = {}
    left = dict(content.tests)
    accepted: dict[Path, int] = {}
    for place, kinds in _decided(options, content):
        file, key = root / place[0], place[1]
        if file not in files:
            files[file] = load_baseline(file)
        entries = files[file]
        entry = _accepted(options, content, content.tests[place], kinds, entries.get(key))
        if entry is None:
            entries.pop(key, None)
        else:
            entries[key] = entry
        accepted[file] = accepted.get(file, 0) + 1
        _take_out(left, place, kinds)
    if not accepted:
        say(f"{path}: nothing is pending")
        return OK
    for file, entries in files.items():
        if entries:
            save_baseline(file, entries)
        else:
            file.unlink(missing_ok=True)
        say(f"wrote {os.path.relpath(file)}: {accepted[file]} of its tests; review and commit it")
    save_pending(path, replace(content, tests=left))
    return OK


def reject(options: argparse.Namespace) -> int:
    """Forget what is pending, of all tests or of some; baselines stay as they are."""
    path, content = _load(options)
    left = dict(content.tests)
    chosen = _decided(options, content)
    for place, kinds in chosen:
        _take_out(left, place, kinds)
    save_pending(path, replace(content, tests=left))
    say(f"{path}: {len(chosen)} tests rejected, {len(left)} are pending")
    return OK


def prune(options: argparse.Namespace) -> int:
    """Remove entries of baselines that have no test any more.

    Collects all tests itself, whatever an earlier selection left out. Where a module cannot be
    collected nothing is removed.
    """
    with tempfile.TemporaryDirectory(prefix="sgtrack-") as cache:  # --lf finds nothing there
        asked = ["--sg-track", "--sg-track-prune", "-qq", "-o", f"cache_dir={cache}"]
        done = subprocess.run(  # noqa: S603  # pytest, with arguments of the user
            [sys.executable, "-m", "pytest", *asked, *options.arguments], check=False
        )
    return OK if done.returncode in (0, _PYTEST_NO_TESTS) else TROUBLE


def _load(options: argparse.Namespace) -> tuple[Path, Pending]:
    path = pending_path(options.dir, options.experiment)
    return path, load_pending(path)


def _root(options: argparse.Namespace, path: Path, content: Pending) -> Path:
    root: Path = options.root or path.parent / content.root
    if content.tests and not root.is_dir():
        raise TrackingError(f"there is no folder {root}; --root names the project's")
    return root


def _chosen(
    options: argparse.Namespace, content: Pending
) -> Iterator[tuple[tuple[str, str], dict[str, Kind]]]:
    """Yield the tests that the command line chooses, and what their metrics did."""
    for wanted in options.tests:
        if not any(matches(test.test, [wanted]) for test in content.tests.values()):
            raise TrackingError(f"nothing is pending of {wanted}; `sgtrack pending` lists all")
    for place, test in content.tests.items():
        kinds = {
            metric: kind
            for metric, kind in test.kinds.items()
            if not options.kind or str(kind) in options.kind
            if not options.metric or any(fnmatchcase(metric, one) for one in options.metric)
        }
        if kinds and matches(test.test, options.tests):
            yield place, kinds


def _decided(
    options: argparse.Namespace, content: Pending
) -> list[tuple[tuple[str, str], dict[str, Kind]]]:
    """Return what `_chosen` yields; a choice that comes to nothing is a slip."""
    chosen = list(_chosen(options, content))
    if content.tests and not chosen:
        raise TrackingError("nothing is pending of what was chosen; `sgtrack pending` lists all")
    return chosen


def _accepted(
    options: argparse.Namespace,
    content: Pending,
    test: PendingTest,
    kinds: Mapping[str, Kind],
    old: Entry | None,
) -> Entry | None:
    # Of several samples only the metrics that changed: the others would lose the samples they have.
    if kinds == test.kinds and len(test.samples) == 1:
        entry: Entry | None = updated_entry(old, test.samples, content.variant_keys)
    else:
        entry = accepted_entry(old, test.samples, kinds, content.variant_keys)
    return replace(entry, origin=None) if entry and options.reset_origin else entry


def _take_out(
    tests: dict[tuple[str, str], PendingTest], place: tuple[str, str], kinds: Iterable[str]
) -> None:
    test = tests[place]
    left = {metric: kind for metric, kind in test.kinds.items() if metric not in kinds}
    if needs_decision(left):
        tests[place] = replace(test, kinds=left)
    else:
        del tests[place]


def _values(
    entry: Entry | None, test: PendingTest, metric: str
) -> tuple[float | None, float | None]:
    """Return a metric's tail in the baseline and in what is pending, of a graph its nodes."""
    return _value(entry.samples if entry else (), metric), _value(test.samples, metric)


def _value(samples: Iterable[Sample], name: str) -> float | None:
    """Return the median."""
    tails = [one.metrics[name].tail for one in samples if name in one.metrics]
    sizes = [one.graphs[name].n_nodes for one in samples if name in one.graphs]
    values = sorted(value for value in (*tails, *sizes) if value is not None)
    return values[(len(values) - 1) // 2] if values else None
