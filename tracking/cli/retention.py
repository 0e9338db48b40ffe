"""Which runs `sgtrack gc` removes. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tracking.attempts import confirmed_by
from tracking.model import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tracking.model import RunInfo


def removable(runs: Sequence[RunInfo], n_kept: int, accepted: Collection[int]) -> list[RunInfo]:
    """Return the runs that may go: those behind the newest of their name, in the order given.

    Runs that were started inside of another, or confirmed it under fresh seeds, stay or go with it.
    A run stays that failed, has not ended or is accepted, and so do those that belong to it.

    Args:
        runs: all of the experiment, the newest first.
        n_kept: how many of each name stay in any case.
        accepted: numbers of the runs that baselines hold.
    """
    heads = _heads(runs)
    kept = {
        heads[run.run_id]
        for run in runs
        if run.status != Status.COMPLETED or run.run_id in accepted
    }
    seen: Counter[str] = Counter()
    for run in runs:
        if heads[run.run_id] == run.run_id:
            seen[run.name] += 1
            if seen[run.name] <= n_kept:
                kept.add(run.run_id)
    return [run for run in runs if heads[run.run_id] not in kept]


def _heads(runs: Sequence[RunInfo]) -> dict[int, int]:
    """Return the number of the run that each one belongs to, its own where that is none other."""
    by_uuid = {run.uuid: run.run_id for run in runs}
    confirmed = {run_id: run.run_id for run_id, run in confirmed_by(runs).items()}
    heads: dict[int, int] = {}
    # What a run belongs to was there first, even where it got its number later.
    for run in sorted(runs, key=lambda run: (run.started_at, run.run_id)):
        outer = confirmed.get(run.run_id) or by_uuid.get(run.parent)
        heads[run.run_id] = heads.get(outer or run.run_id, run.run_id)
    return heads
