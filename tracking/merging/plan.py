"""Which database's form of a run is the most complete. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tracking.model import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


class Form(NamedTuple):
    """What a database has of a run; of several the greatest is the most complete.

    Attributes:
        certainty: how well its end is known; see `certainty_of`.
        n_records: of all its metrics.
        n_media: graphs, histograms, images and texts.
        has_ended: whether it does not go on here.
        digest: of everything that is said of it; so that of two that differ in nothing else the
            same one is chosen everywhere.
    """

    certainty: int
    n_records: int
    n_media: int
    has_ended: bool
    digest: bytes


class HeldRun(NamedTuple):
    """A run as a database has it."""

    uuid: str
    run_id: int
    name: str
    created_at: float
    form: Form


def certainty_of(status: str, ended_by: str | None) -> int:
    """Return how well the end of a run is known.

    2 where its own process has ended it, 1 where it was found dead and had left word, 0 where it
    goes on or nobody can tell.

    >>> [certainty_of(*end) for end in (("running", None), ("failed", "lost"))]
    [0, 0]
    >>> [certainty_of(*end) for end in (("failed", "crashed"), ("failed", "exception"))]
    [1, 2]
    """
    if status == Status.RUNNING or ended_by == "lost":
        return 0
    return 1 if ended_by in ("crashed", "killed", "timeout") else 2


def most_complete(
    held: Mapping[str, Form], sources: Sequence[Collection[HeldRun]]
) -> list[list[HeldRun]]:
    """Return for each source those of its runs that are more complete than all others have them.

    Args:
        held: what the database has that takes them, by uuid.
        sources: the runs of each; equal forms are taken from the first.
    """
    best: dict[str, tuple[Form, int | None]] = {uuid: (form, None) for uuid, form in held.items()}
    for number, runs in enumerate(sources):
        for run in runs:
            known = best.get(run.uuid)
            if known is None or run.form > known[0]:
                best[run.uuid] = (run.form, number)
    return [
        [run for run in runs if best[run.uuid][1] == number] for number, runs in enumerate(sources)
    ]


def in_order(runs: Collection[HeldRun]) -> list[HeldRun]:
    """Return runs in the order in which they are numbered where none has a number yet."""
    return sorted(runs, key=lambda run: (run.created_at, run.uuid))
