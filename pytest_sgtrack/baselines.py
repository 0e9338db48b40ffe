"""What a session leaves beside the tests: baselines, what is pending, what is unused.

Only the controller does this, once for each file, at the end of the session.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tracking import BaselineError
from tracking.regression import (
    Pending,
    PendingTest,
    extended_entry,
    kinds_of,
    load_baseline,
    load_pending,
    needs_decision,
    pending_path,
    save_baseline,
    save_pending,
    updated_entry,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_sgtrack.gate import TestResult
    from pytest_sgtrack.options import Settings
    from tracking.regression import Sample


def write_baselines(
    results: Iterable[TestResult], settings: Settings
) -> tuple[dict[Path, int], list[str]]:
    """Put the samples of results into their baseline files, each file written once.

    Returns:
        How many entries were added or changed in each file, and what could not be written.
    """
    by_file: dict[Path, dict[str, list[TestResult]]] = {}
    for result in results:
        by_file.setdefault(Path(result.baseline), {}).setdefault(result.key, []).append(result)
    variant_keys = settings.variant_keys
    n_written: dict[Path, int] = {}
    problems = []
    for path, by_key in by_file.items():
        try:
            before = load_baseline(path)
            after = dict(before)
            for key, of_test in by_key.items():
                problem = _refused(of_test, settings)
                if problem:
                    problems.append(problem)
                elif samples := _written_samples(of_test):
                    if settings.update == "new":
                        after[key] = extended_entry(before.get(key), samples[0], variant_keys)
                    else:
                        after[key] = updated_entry(before.get(key), samples, variant_keys)
            changed = [key for key in after if after[key] != before.get(key)]
            if changed:
                save_baseline(path, after)
                n_written[path] = len(changed)
        except BaselineError as error:
            problems.append(str(error))
    return n_written, problems


def _refused(of_test: Sequence[TestResult], settings: Settings) -> str:
    """Say why nothing of a test may be written, though it was asked for; empty if it may."""
    if not settings.n_samples:
        return ""
    n_good = sum(bool(result.samples) and result.is_acceptable for result in of_test)
    is_sampled = any(result.nodeid != result.test for result in of_test)
    n_asked = settings.n_samples if is_sampled else len(of_test)
    if n_good == n_asked or not any(result.samples for result in of_test):
        return ""
    # What came through would be a baseline of the lucky seeds.
    return f"{of_test[0].test}: only {n_good} of {n_asked} seeds gave a sample; none was stored"


def _written_samples(of_test: Iterable[TestResult]) -> list[Sample]:
    good = [result for result in of_test if result.is_acceptable]
    samples = [sample for result in good for sample in result.accepted_samples()]
    return sorted(samples, key=lambda sample: (sample.seed is not None, sample.seed))


def write_pending(results: Iterable[TestResult], settings: Settings, rootpath: Path) -> list[str]:
    """Leave what somebody has to decide on where `sgtrack accept` finds it.

    What other tests have left there stays; what these had left is replaced.

    Returns:
        What could not be read or written.
    """
    path = pending_path(settings.directory, settings.experiment)
    try:
        before = load_pending(path)
        tests = dict(before.tests)
        ours = {}
        for result in results:
            name = os.path.relpath(result.baseline, rootpath)
            place = (Path(name).as_posix(), result.key)
            tests.pop(place, None)
            kinds = kinds_of(result.checks)
            samples = result.accepted_samples()
            if result.is_acceptable and samples and needs_decision(kinds):
                ours[place] = PendingTest(result.test, kinds, samples)
        after = Pending(
            root=Path(os.path.relpath(rootpath, path.parent)).as_posix(),
            tests={**tests, **ours},
            variant_keys=settings.variant_keys,
        )
        if after.tests or before.tests:
            save_pending(path, after)
    except BaselineError as error:
        return [str(error)]
    return []


def prune(unused: Mapping[Path, list[str]]) -> tuple[dict[Path, list[str]], list[str]]:
    """Remove entries from baseline files; a file that has no others goes too.

    Returns:
        What was removed, and what could not be written.
    """
    removed = {}
    problems = []
    for path, gone in unused.items():
        try:
            left = {key: entry for key, entry in load_baseline(path).items() if key not in gone}
            if left:
                save_baseline(path, left)
            else:
                path.unlink()
            removed[path] = gone
        except (BaselineError, OSError) as error:
            problems.append(str(error))
    return removed, problems
