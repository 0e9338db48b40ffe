"""Which runs of an experiment are tests' own, and which only confirm what another one gave.

What `tracking.attempts` tells of a list of runs, without reading all there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracking.attempts import confirmed_by, may_confirm
from tracking.queries.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tracking.model import RunInfo
    from tracking.reading import ExperimentReader

_FEWEST = 50
_MOST = 5_000


def confirmed_among(db: ExperimentReader, runs: Sequence[RunInfo]) -> dict[int, RunInfo]:
    """Return what `confirmed_by` says of some runs among all there are.

    Raises:
        StoreError: the experiment cannot be read.
    """
    doubtful = [run for run in runs if may_confirm(run)]
    if not doubtful:
        return {}
    wanted = {
        "name": {run.name for run in doubtful},
        "session": {run.session or "" for run in doubtful},
    }
    return confirmed_by(db.select_runs(Selection(wanted=wanted)).runs)


def own_runs(
    db: ExperimentReader,
    wanted: Mapping[str, Collection[str]],
    before: tuple[float, int] | None = None,
) -> Iterator[RunInfo]:
    """Yield runs, the newest first, without those that only confirm another; no more than are used.

    Args:
        db: the experiment.
        wanted: see `Selection`.
        before: see `Selection`.

    Raises:
        StoreError: the experiment cannot be read.
    """
    limit = _FEWEST
    while True:
        runs = db.select_runs(Selection(wanted=wanted, before=before, limit=limit)).runs
        confirmed = confirmed_among(db, runs)
        yield from (run for run in runs if run.run_id not in confirmed)
        if len(runs) < limit:
            return
        before = (runs[-1].started_at, runs[-1].run_id)
        limit = min(2 * limit, _MOST)
