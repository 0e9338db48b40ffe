"""Which runs of a test are its own, and which only confirm what another one gave. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracking.model import RunInfo


def without_confirmations(runs: Sequence[RunInfo]) -> list[RunInfo]:
    """Return runs without those under fresh seeds; see `confirmed_by`."""
    confirmations = confirmed_by(runs)
    return [run for run in runs if run.run_id not in confirmations]


def confirmed_by(runs: Sequence[RunInfo]) -> dict[int, RunInfo]:
    """Return which runs were made under fresh seeds to confirm what another one gave.

    A test that looks worse runs again within its session, and only its own run gets a verdict.

    Args:
        runs: the newest first.

    Returns:
        The run that was confirmed, by the number of the one that did so.
    """
    judged = {(run.name, run.session): run for run in reversed(runs) if run.verdict}
    found = {run.run_id: judged.get((run.name, run.session)) for run in runs if may_confirm(run)}
    place = {run.run_id: (run.attempt, run.run_id) for run in runs}
    return {
        run_id: run
        for run_id, run in found.items()
        if run is not None and place[run.run_id] < place[run_id]
    }


def may_confirm(run: RunInfo) -> bool:
    """Tell whether a run, by itself, may be one that `confirmed_by` tells of."""
    return run.session is not None and run.outcome == "passed" and run.verdict is None
