"""What baselines have accepted, found again among the runs of an experiment."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from tracking.model import encode_number
from tracking.regression import baseline_path, load_baseline, parse_comparison

if TYPE_CHECKING:
    from pathlib import Path

    from tracking.experiment_db import ExperimentDBManager
    from tracking.model import RunInfo, Summary
    from tracking.regression import Entry

# What `--sg-track-samples` adds to a test's case: the seeds share one entry.
_SEED = re.compile(r"\[sg_seed=-?\d+\]$|-sg_seed=-?\d+(?=\]$)")


class Accepted:
    """The baselines of the tests that an experiment has runs of.

    Args:
        db: the experiment; it knows under which key a test was compared.
        root: the folder that node ids start from.
    """

    def __init__(self, db: ExperimentDBManager, root: Path) -> None:
        self._db = db
        self._root = root
        self._entries = cache(load_baseline)

    def entry(self, run: RunInfo) -> Entry | None:
        """Return the baseline of a run's test, the same object for all runs; None without one.

        Raises:
            BaselineError: the baseline file cannot be read.
        """
        file, separator, _ = run.name.partition("::")
        if not separator:
            return None
        entries = self._entries(baseline_path(self._root / file))
        return entries.get(self._key(run)) if entries else None

    def _key(self, run: RunInfo) -> str:
        text = self._db.get_comparison(run.run_id)
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


def identity(summary: Summary) -> tuple[float | str | None, ...]:
    """Return what two equal summaries have in common, and no others; NaN is equal to NaN."""
    return tuple(encode_number(value) for value in summary.as_dict().values())
