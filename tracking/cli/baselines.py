"""`sgtrack pending`, `accept`, `reject`, `prune` and `tolerances`: the life of a baseline."""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING

from tracking.cli.output import FOUND, OK, TROUBLE, say, say_table
from tracking.errors import TrackingError
from tracking.regression import (
    DEFAULT_SETTINGS,
    MIN_SAMPLES,
    Entry,
    Kind,
    Pending,
    PendingTest,
    accepted_entry,
    find_baselines,
    load_baseline,
    load_pending,
    needs_decision,
    pending_path,
    propose_tolerance,
    read_patterns,
    said_of,
    save_baseline,
    save_pending,
    updated_entry,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tracking.model import Summary

_PYTEST_NO_TESTS = 5


def pending(options: argparse.Namespace) -> int:
    """List what tests gave that nobody has accepted yet, by kind.

    new: no baseline yet; worse and better: beyond what is allowed; removed: not recorded any more;
    rewritten: within what is allowed, in other digits. Exits with 1 if there is something.
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
    if not rows:
        say(f"{path}: nothing is pending")
        return OK
    order = list(Kind)
    rows.sort(key=lambda row: (order.index(Kind(row[0])), *row[1:3]))
    say_table(rows, ("kind", "test", "metric", "baseline", "pending"))
    return FOUND


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


def tolerances(options: argparse.Namespace) -> int:
    """Propose tolerances from baselines of five samples and more.

    The smallest with which one more run, as good as the samples, is red no more often than --rate,
    beside what the present tolerance comes to.
    """
    patterns = read_patterns(options.root / "pyproject.toml")
    rows = []
    largest: dict[str, float] = {}
    for file in find_baselines(options.root):
        for key, entry in load_baseline(file).items():
            test = f"{_test_file(file)}::{key}"
            if len(entry.samples) < MIN_SAMPLES or not _matches(test, options.tests):
                continue
            for metric, statistic, values in _series_of(entry):
                chosen = replace(DEFAULT_SETTINGS, **said_of(metric, patterns))
                direction = chosen.direction_of(metric, statistic)
                found = propose_tolerance(values, direction, options.rate, chosen.rel, chosen.abs)
                tolerance = f"rel {found.rel:g}" if found.rel else f"abs {found.abs:g}"
                rates = (f"{found.false_red_rate:.2%}", f"{found.present_rate:.2%}")
                rows.append((test, metric, statistic, len(values), tolerance, *rates))
                if found.rel:
                    largest[metric] = max(found.rel, largest.get(metric, 0))
    if not rows:
        say(
            f"{options.root}: no baseline has {MIN_SAMPLES} samples;"
            " pytest --sg-track --sg-track-samples=10 collects them"
        )
        return OK
    headers = ("test", "metric", "statistic", "samples", "tolerance", "false red", "now")
    say_table(rows, headers)
    if largest:
        for line in ("", "for pyproject.toml:", "", "[tool.sgtrack.metrics]"):
            say(line)
        for metric, rel in sorted(largest.items()):
            pattern = json.dumps(glob.escape(metric), ensure_ascii=False)
            say(f"{pattern} = {{rel = {rel:g}}}")
    return OK


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
        if not any(_matches(test.test, [wanted]) for test in content.tests.values()):
            raise TrackingError(f"nothing is pending of {wanted}; `sgtrack pending` lists all")
    for place, test in content.tests.items():
        kinds = {
            metric: kind
            for metric, kind in test.kinds.items()
            if not options.kind or str(kind) in options.kind
            if not options.metric or any(fnmatchcase(metric, one) for one in options.metric)
        }
        if kinds and _matches(test.test, options.tests):
            yield place, kinds


def _decided(
    options: argparse.Namespace, content: Pending
) -> list[tuple[tuple[str, str], dict[str, Kind]]]:
    """Return what `_chosen` yields; a choice that comes to nothing is a slip."""
    chosen = list(_chosen(options, content))
    if content.tests and not chosen:
        raise TrackingError("nothing is pending of what was chosen; `sgtrack pending` lists all")
    return chosen


def _matches(test: str, wanted: Sequence[str]) -> bool:
    """Tell whether a node id is one of those wanted; nothing wanted means all."""
    return not wanted or any(
        test == one
        or test.startswith((f"{one.rstrip('/')}/", f"{one}::", f"{one}["))
        or fnmatchcase(test, one)
        for one in wanted
    )


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


def _values(entry: Entry | None, test: PendingTest, metric: str) -> tuple[str, str]:
    """Return a metric's tail in the baseline and in what is pending."""
    before = [sample.metrics.get(metric) for sample in entry.samples] if entry else []
    after = [sample.metrics.get(metric) for sample in test.samples]
    return _tail(before), _tail(after)


def _tail(summaries: Iterable[Summary | None]) -> str:
    tails = sorted(one.tail for one in summaries if one is not None and one.tail is not None)
    return f"{tails[(len(tails) - 1) // 2]:.6g}" if tails else ""


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
