"""Runs as lists show them."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tracking.model import encode_number
from tracking.queries.attempts import confirmed_among
from tracking.queries.plain import plain_run
from tracking.queries.selection import commit_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tracking.model import RunInfo, Summary
    from tracking.reading import LiveReader

SHOWN = ("n", "last", "tail", "min", "max")
"""Statistics of a metric that lists have where none is named."""


def listed(
    db: LiveReader, runs: Sequence[RunInfo], metrics: Collection[str], statistics: Sequence[str]
) -> list[dict[str, Any]]:
    """Return runs as lists show them.

    Args:
        db: the experiment.
        runs: of it.
        metrics: whose statistics are shown; of all of them where none is named.
        statistics: of each metric.

    Raises:
        StoreError: the experiment cannot be read.
    """
    confirmed, abandoned = confirmed_among(db, runs), db.abandoned()
    summaries = db.summaries_of(runs)
    return [
        row(run, confirmed, abandoned)
        | {"summaries": statistics_of(summaries[run.run_id], metrics, statistics)}
        for run in runs
    ]


def row_of(db: LiveReader, run: RunInfo) -> dict[str, Any]:
    """Return a run as a list shows it, without its statistics.

    Raises:
        StoreError: the experiment cannot be read.
    """
    return row(run, confirmed_among(db, [run]), db.abandoned())


def row(
    run: RunInfo, confirmed: Mapping[int, RunInfo], abandoned: Collection[int]
) -> dict[str, Any]:
    """Return a run as a list shows it.

    Args:
        run: the run.
        confirmed: see `tracking.attempts.confirmed_by`.
        abandoned: numbers of runs that never ended and whose process is gone.
    """
    original = confirmed.get(run.run_id)
    environment = run.environment or {}
    return plain_run(run) | {
        "run_id": number_of(run),
        "created_at": run.created_at,
        "config": run.config,
        "commit": commit_of(run),
        "is_dirty": environment.get("git_dirty"),
        "is_abandoned": run.status == "running" and run.run_id in abandoned,
        "confirms": None if original is None else original.uuid,
        "metrics": run.metrics,
        "num_records": run.num_records,
    }


def number_of(run: RunInfo) -> int | None:
    """Return the number of a run; None where the database has not given it one yet."""
    return run.run_id if run.run_id >= 0 else None


def statistics_of(
    summaries: Mapping[str, Summary], metrics: Collection[str], statistics: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return some statistics of some metrics, of all of them where none is named."""
    # Of so many numbers each step counts. A name twice makes one number a tuple of two.
    pick = attrgetter(*statistics, *statistics[:1])
    found = {
        metric: dict(zip(statistics, pick(summary), strict=False))
        for metric, summary in summaries.items()
        if not metrics or metric in metrics
    }
    if "last" in statistics:  # the only one that may not be finite
        for numbers in found.values():
            numbers["last"] = encode_number(numbers["last"])
    return found
