"""Baselines out of history: which runs count, and what a test is compared with. Pure.

Where baselines are not files but the runs that a branch has seen, somebody still has to have
accepted them. A run on the branch counts where it was green, or where whoever ran it said that what
it gave is accepted. A red one never does, so that nothing is compared with what was not good
enough; and since small steps would each be green, the first runs that counted stay at hand: drift
is measured from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tracking.errors import BaselineError
from tracking.model import Status, Verdict
from tracking.regression.baseline import Entry, dump_baseline, parse_baseline
from tracking.regression.comparison import parse_comparison

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracking.regression.sample import Sample

_GREEN = frozenset(
    {
        *(Verdict.IDENTICAL, Verdict.WITHIN, Verdict.IMPROVED, Verdict.UNDERPOWERED),
        *(Verdict.NEW_METRIC, Verdict.NO_BASELINE, Verdict.NOT_COMPARABLE),
    }
)
_NAME = "test"  # of the one entry in the text of a sample


class Acceptance(StrEnum):
    """Why a run counts as a baseline."""

    GREEN = "green"
    EXPLICIT = "explicit"


@dataclass(frozen=True)
class HistoryEntry(Entry):
    """The baseline of one test out of history.

    Attributes:
        first: the runs that counted first, which drift is measured from where there are enough.
    """

    first: tuple[Sample, ...] = ()


def acceptance_of(properties: Mapping[str, Any], environment: Mapping[str, Any]) -> str | None:
    """Return why a run counts as a baseline of its branch; None where it does not.

    It has to be the run of a test that passed, in a checkout of a branch without local changes and
    not of a pull request, and to hold what it recorded. Green is what was compared and not found
    worse, and what there was nothing to compare with yet: the first run of all, of a metric, and of
    each of the first seeds.

    Args:
        properties: columns of the run by name.
        environment: what it ran on and with.
    """
    has_passed = properties["status"] == Status.COMPLETED and properties["outcome"] == "passed"
    # The branch of a fork may be called as one of ours.
    is_proposed = environment.get("git_pull_request") is not False
    is_known = isinstance(environment.get("git_branch"), str) and not environment.get("git_dirty")
    if (
        not (has_passed and is_known)
        or is_proposed
        or properties["parent"]
        or not properties["comparison"]
    ):
        return None
    try:
        compared = parse_comparison(properties["comparison"])
    except ValueError:  # damaged, or of a newer version
        return None
    if not compared.sample:
        return None
    if compared.is_accepted:
        return Acceptance.EXPLICIT
    return Acceptance.GREEN if properties["verdict"] in _GREEN else None


def sample_as_text(sample: Sample) -> str:
    """Return a sample as a run keeps it for those that are compared with it later.

    Raises:
        BaselineError: it cannot be written.
    """
    return dump_baseline({_NAME: Entry((sample,), None)})


def history_entry(newest: Iterable[str], first: Iterable[str], n_runs: int) -> HistoryEntry | None:
    """Return what a test is compared with; None where no run of it counts.

    Of several runs under one seed the newest stands for that seed: the others are no further
    samples of the noise. Runs without a seed are taken as they are.

    Args:
        newest: comparisons of the runs that count, the newest first.
        first: the same of the first ones that counted, the oldest first.
        n_runs: how many runs, or seeds, a test is compared with at most.

    Raises:
        BaselineError: one of them is damaged.
    """
    samples = _one_a_seed(map(_sample, newest), n_runs)
    if not samples:
        return None
    origins = _one_a_seed(map(_sample, first), n_runs)
    return HistoryEntry(tuple(samples), origins[0] if origins else None, tuple(origins))


def _one_a_seed(samples: Iterable[Sample], n_runs: int) -> list[Sample]:
    chosen: list[Sample] = []
    for sample in samples:
        if sample.seed is None or all(sample.seed != one.seed for one in chosen):
            chosen.append(sample)
        if len(chosen) == n_runs:
            break
    return chosen


def _sample(comparison: str) -> Sample:
    try:
        text = parse_comparison(comparison).sample
    except ValueError as error:
        raise BaselineError(f"a run of the history is damaged: {error}") from error
    return parse_baseline(text)[_NAME].samples[0]


def origins_of(entry: Entry | None) -> Sequence[Sample]:
    """Return the runs that drift is measured from by their spread; none of a baseline file."""
    return entry.first if isinstance(entry, HistoryEntry) else ()
