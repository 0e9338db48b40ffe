"""What baselines have accepted, found again among the runs of an experiment."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from tracking.model import encode_number
from tracking.regression import baseline_path, load_baseline, parse_comparison

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tracking.model import RunInfo, Summary
    from tracking.reading import ExperimentReader
    from tracking.regression import Entry

# What `--sg-track-samples` adds to a test's case: the seeds share one entry.
_SEED = re.compile(r"\[sg_seed=-?\d+\]$|-sg_seed=-?\d+(?=\]$)")


class Accepted:
    """The baselines of the tests that an experiment has runs of.

    Args:
        db: the experiment; it knows under which key a test was compared.
        root: the folder that node ids start from.
    """

    def __init__(self, db: ExperimentReader, root: Path) -> None:
        self._db = db
        self._root = root
        self._read = cache(load_baseline)

    def entries(self, runs: Sequence[RunInfo]) -> dict[int, Entry]:
        """Return the baseline of each run's test, by the number of the run, where there is one.

        Runs of one test have the same object.

        Raises:
            BaselineError: a baseline file cannot be read.
        """
        files = {run.run_id: self._of_file(run) for run in runs}
        asked = [run for run in runs if files[run.run_id]]
        texts = self._db.comparisons_of(asked) if asked else {}
        found = {run.run_id: files[run.run_id].get(_key(run, texts)) for run in asked}
        return {run_id: entry for run_id, entry in found.items() if entry is not None}

    def _of_file(self, run: RunInfo) -> Mapping[str, Entry]:
        file, separator, _ = run.name.partition("::")
        return self._read(baseline_path(self._root / file)) if separator else {}


def _key(run: RunInfo, texts: Mapping[int, str]) -> str:
    text = texts.get(run.run_id)
    if text is not None:
        with suppress(ValueError):  # damaged, or newer: the name says it nearly always
            return parse_comparison(text).key
    return key_of(run.name)


def key_of(run_name: str) -> str:
    """Return the name of a test in its baseline file, by what its runs are called.

    >>> key_of("a/test_x.py::TestY::test_z[adam-sg_seed=3]"), key_of("test_x.py::test_y[sg_seed=0]")
    ('TestY::test_z[adam]', 'test_y')
    """
    return _SEED.sub("", run_name.partition("::")[2])


def names_under(run_name: str, seeds: Iterable[int | None]) -> list[str]:
    """Return what `--sg-track-samples` calls the runs of a test under some seeds; see `key_of`.

    >>> names_under("test_x.py::test_y", [3, None]), names_under("test_x.py::test_y[adam]", [0])
    (['test_x.py::test_y[sg_seed=3]'], ['test_x.py::test_y[adam-sg_seed=0]'])
    """
    head = f"{run_name[:-1]}-" if run_name.endswith("]") else f"{run_name}["
    return [f"{head}sg_seed={seed}]" for seed in seeds if seed is not None]


def identity(summary: Summary) -> tuple[float | str | None, ...]:
    """Return what two equal summaries have in common, and no others; NaN is equal to NaN."""
    return tuple(encode_number(value) for value in summary.as_dict().values())
