"""What became of a metric over its runs: levels, where it moved, what small steps add up to. Pure.

Which change is worth mentioning is said by the settings of the gate: `floor` is the smallest,
and a step within the tolerance passes the gate, which compares one run with one baseline.
"""

from __future__ import annotations

import math
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from tracking.change_points.segmentation import SHORTEST, SIGNIFICANCE, change_points
from tracking.model import Direction
from tracking.regression.checks import relative_change, scaled

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tracking.change_points.segmentation import Split
    from tracking.regression import MetricSettings


class Kind(StrEnum):
    """What changed."""

    LEVEL = "level"
    NON_FINITE = "non_finite"
    FINITE_AGAIN = "finite_again"


class Effect(StrEnum):
    """What a change is for the metric."""

    WORSE = "worse"
    BETTER = "better"
    SMALL = "small"


class Level(NamedTuple):
    """A stretch of runs in which a metric did not move.

    Attributes:
        start: place of its first run.
        end: place of its last run.
        value: mean of the finite values.
        n: how many finite values there are.
    """

    start: int
    end: int
    value: float
    n: int


class Change(NamedTuple):
    """A place where a metric moved, or became non-finite, or finite again.

    Attributes:
        kind: which of these.
        effect: worse or better by the metric's direction; small where it is less than the floor.
        last_before: place of the last run that has the metric before it.
        first_after: place of the first run after it.
        before: the level before it, of a change of level.
        after: the level after it, of a change of level.
        significance: see `tracking.change_points.segmentation.Split`; 0 of what is no level.
    """

    kind: Kind
    effect: Effect
    last_before: int
    first_after: int
    before: Level | None
    after: Level | None
    significance: float

    @property
    def relative(self) -> float | None:
        """`(after - before) / abs(before)`; None where that is no finite number."""
        if self.before is None or self.after is None:
            return None
        return relative_change(self.before.value, self.after.value)


class Drift(NamedTuple):
    """Steps that are each within the tolerance and together are not.

    Attributes:
        effect: worse or better by the metric's direction.
        before: the level that they began from: after the last step beyond the tolerance, or the
            first one.
        after: the last level.
        n_steps: how many.
        first_after: place of the first run after the last of them.
    """

    effect: Effect
    before: Level
    after: Level
    n_steps: int
    first_after: int

    @property
    def relative(self) -> float | None:
        """`(after - before) / abs(before)`; None where that is no finite number."""
        return relative_change(self.before.value, self.after.value)


class Findings(NamedTuple):
    """What became of a metric over its runs.

    Attributes:
        n: how many runs have a finite value.
        n_non_finite: how many recorded others.
        levels: in the order of the runs; empty where there are too few.
        changes: in the order of the runs.
        drift: None where no small steps add up.
    """

    n: int
    n_non_finite: int
    levels: tuple[Level, ...]
    changes: tuple[Change, ...]
    drift: Drift | None

    @property
    def is_too_short(self) -> bool:
        """Whether there are fewer finite values than it takes to have two levels."""
        return self.n < SHORTEST


def find(
    values: Sequence[float | None],
    settings: MetricSettings,
    direction: Direction,
    significance: float = SIGNIFICANCE,
    non_finite: Collection[int] = (),
) -> Findings:
    """Return what became of a metric over its runs.

    Args:
        values: of each run, the oldest first; None where a run has none, which is no change.
        settings: `rel` and `abs` say which steps are beyond the tolerance, `floor` and `abs` which
            are small.
        direction: which way the metric gets better.
        significance: how often a metric that does not move may be said to have.
        non_finite: places of runs with a finite value that recorded others, too.

    Raises:
        InvalidArgumentError: `significance` is none.
    """
    turns, n_non_finite = _turns(values, non_finite)
    finite = [(place, value) for place, value in enumerate(values) if _is_finite(value)]
    places, numbers = [place for place, _ in finite], [value for _, value in finite]
    splits = _splits(tuple(numbers), significance)
    levels = [] if len(numbers) < SHORTEST else _levels(places, numbers, [s.place for s in splits])
    changes = [
        _step(before, after, split.significance, settings, direction)
        for (before, after), split in zip(pairwise(levels), splits, strict=True)
    ]
    return Findings(
        n=len(numbers),
        n_non_finite=n_non_finite,
        levels=tuple(levels),
        changes=tuple(sorted([*changes, *turns], key=lambda one: one.first_after)),
        drift=_drift(levels, settings, direction),
    )


# The dashboard asks for the same metrics each time that a run ends.
@lru_cache(maxsize=256)
def _splits(numbers: tuple[float, ...], significance: float) -> list[Split]:
    return change_points(numbers, significance)


def _is_finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _levels(places: Sequence[int], numbers: Sequence[float], splits: Sequence[int]) -> list[Level]:
    return [
        Level(places[start], places[end - 1], _mean(numbers[start:end]), end - start)
        for start, end in pairwise([0, *splits, len(numbers)])
    ]


def _mean(numbers: Sequence[float]) -> float:
    """Return the mean; of equal numbers the number itself."""
    n = 2 * len(numbers)  # of numbers near the largest, sums of rounded parts would overflow
    mean = 2 * math.fsum(number / n for number in numbers)
    return min(max(mean, min(numbers)), max(numbers))


def _turns(values: Sequence[float | None], non_finite: Collection[int]) -> tuple[list[Change], int]:
    """Return where runs became non-finite, or finite again, and how many are not finite."""
    known = [
        (place, math.isfinite(value) and place not in non_finite)
        for place, value in enumerate(values)
        if value is not None
    ]
    turns = [
        Change(
            Kind.FINITE_AGAIN if is_finite else Kind.NON_FINITE,
            Effect.BETTER if is_finite else Effect.WORSE,
            *(last_before, first_after),
            before=None,
            after=None,
            significance=0.0,
        )
        for (last_before, was_finite), (first_after, is_finite) in pairwise(known)
        if is_finite != was_finite
    ]
    return turns, sum(not is_finite for _, is_finite in known)


def _step(
    before: Level,
    after: Level,
    significance: float,
    settings: MetricSettings,
    direction: Direction,
) -> Change:
    is_small = not _is_beyond(before, after, settings.floor, settings.abs)
    effect = Effect.SMALL if is_small else _effect(before, after, direction)
    places = before.end, after.start
    return Change(Kind.LEVEL, effect, *places, before, after, significance)


def _drift(levels: Sequence[Level], settings: MetricSettings, direction: Direction) -> Drift | None:
    def is_beyond(before: Level, after: Level) -> bool:
        return _is_beyond(before, after, settings.rel, settings.abs)

    large = [place for place, step in enumerate(pairwise(levels), start=1) if is_beyond(*step)]
    small = levels[large[-1] if large else 0 :]
    if not small or not is_beyond(small[0], small[-1]):
        return None
    effect = _effect(small[0], small[-1], direction)
    return Drift(effect, small[0], small[-1], len(small) - 1, small[-1].start)


def _is_beyond(before: Level, after: Level, rel: float, least: float) -> bool:
    """Tell whether a step is larger than a share of where it begins, and than `least`."""
    a, b, allowed = scaled(before.value, after.value, least)
    return abs(b - a) > max(rel * abs(a), allowed)


def _effect(before: Level, after: Level, direction: Direction) -> Effect:
    """Tell what a step is for the metric; where either way counts, any is for the worse."""
    is_up = after.value > before.value
    is_better = direction is (Direction.HIGHER if is_up else Direction.LOWER)
    return Effect.BETTER if is_better else Effect.WORSE
