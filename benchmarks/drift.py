"""How often `sgtrack drift` is wrong, what it finds, and whether Apache Otava agrees.

    python -m benchmarks.drift [--quick] [--write docs/drift.md]

The exit status of a full run says whether every bound is reached.
"""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks import bounds
from benchmarks.bounds import Row
from benchmarks.measure import ROOT, interleaved, ratio, wall_s
from tracking.change_points.findings import find
from tracking.change_points.segmentation import SIGNIFICANCE, change_points
from tracking.model import Direction
from tracking.regression import DEFAULT_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SEED = 20261124
"""Of all that is random here."""

_NEAR = 3  # places; a step found further away is another
_NOISES: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "normal noise": lambda rng, n: rng.normal(size=n),
    "noise with outliers (Student's t, 3 degrees of freedom)": lambda rng, n: rng.standard_t(3, n),
    "skewed noise (lognormal)": lambda rng, n: np.exp(rng.normal(size=n)),
    "noise of two values": lambda rng, n: rng.integers(0, 2, n).astype(float),
}
_LENGTHS = (20, 50, 100, 300)
_SIDES = ((10, 10), (10, 40), (20, 20), (50, 50), (50, 10, 50))
_SIZES = (2, 3, 4)


def rows(_folder: Path, is_quick: bool) -> list[Row]:
    """Simulate everything, and compare with what Otava found.

    Args:
        is_quick: whether it is about seeing that everything runs, not about the figures.
    """
    rng = np.random.default_rng(SEED)
    steps = list(_steps_of_otava())
    return [
        *_false_positives(rng, 10 if is_quick else 2_500),
        *_recall(rng, 10 if is_quick else 1_000),
        *_delays(rng, 10 if is_quick else 300),
        *_exactness(rng, 10 if is_quick else 1_000),
        *_agreement(steps),
        *_drifts(rng, 5 if is_quick else 500),
        _cost(rng, is_quick),
    ]


def _false_positives(rng: np.random.Generator, n: int) -> Iterator[Row]:
    for significance in (SIGNIFICANCE, 0.001):
        for name, draw in _NOISES.items():
            n_series = n * len(_LENGTHS)
            n_found = sum(
                bool(change_points(draw(rng, length), significance))
                for length in _LENGTHS
                for _ in range(n)
            )
            most = n_series * significance
            yield Row(
                f"{name} said to move, at {significance}: series of"
                f" {', '.join(map(str, _LENGTHS))} runs",
                f"<= {100 * significance:g} %, and 3 standard errors",
                _share(n_found, n_series),
                n_found <= most + 3 * math.sqrt(most),
            )


def _recall(rng: np.random.Generator, n: int) -> Iterator[Row]:
    for size in _SIZES:
        for lengths in _SIDES:
            levels = np.repeat([size * (i % 2) for i in range(len(lengths))], lengths)
            places = np.cumsum(lengths)[:-1].tolist()
            n_found = n_exact = n_more = 0
            for _ in range(n):
                found = _places(levels + rng.normal(size=len(levels)))
                away = [_distance(place, found) for place in places]
                n_found += sum(one <= _NEAR for one in away)
                n_exact += sum(one <= 1 for one in away)
                n_more += len(found) > len(places)
            total = n * len(places)
            yield Row(
                f"steps of {size} sigma found, {' and '.join(map(str, lengths))} runs",
                ">= 90 %" if size >= 3 else "",
                f"{_share(n_found, total)}; within a run {_share(n_exact, total)};"
                f" series with more {_share(n_more, n)}",
                n_found >= 0.9 * total if size >= 3 else None,
            )


def _delays(rng: np.random.Generator, n: int) -> Iterator[Row]:
    """How many runs it takes behind a step for a job of the night to tell it."""
    n_before, n_most = 50, 20
    for size in (2, 3, 4, 10):
        noise = rng.normal(size=(n, n_before + n_most))
        noise[:, n_before:] += size
        shares = (
            (
                n_after,
                sum(
                    _distance(n_before, _places(one[: n_before + n_after])) <= _NEAR
                    for one in noise
                )
                / n,
            )
            for n_after in range(1, n_most + 1)
        )
        first = next((n_after for n_after, share in shares if share >= 0.9), None)
        yield Row(
            f"runs behind a step of {size} sigma until 9 of 10 such series tell it,"
            f" {n_before} runs before it",
            "",
            "more" if first is None else str(first),
            None,
        )


def _exactness(rng: np.random.Generator, n: int) -> Iterator[Row]:
    """Deterministic training: the same value to the bit until somebody changes something."""
    n_constant = n_exact = 0
    for _ in range(n):
        lengths = rng.integers(2, 30, rng.integers(2, 6))
        levels = np.repeat(rng.normal(size=len(lengths)), lengths)
        n_exact += _places(levels) == np.cumsum(lengths)[:-1].tolist()
        n_constant += _places(np.full(len(levels), rng.normal())) == []
    yield Row(
        "constant metrics said to move", "none", f"{n - n_constant:,} of {n:,}", n_constant == n
    )
    yield Row(
        "steps of constant metrics, two runs and more on each side, all exactly where they are",
        "all",
        _share(n_exact, n),
        n_exact == n,
    )


class _Step(NamedTuple):
    """A step of the series that Otava looked at.

    Attributes:
        size: in sigma; 0 for a series without one.
        otava: how far away Otava has the nearest, infinite where it has none.
        ours: the same of ours.
        apart: how far apart the two are.
    """

    size: int
    otava: float
    ours: float
    apart: float


def _steps_of_otava() -> Iterator[_Step]:
    path = ROOT / "tests" / "assets" / "otava_series.json"
    for series in json.loads(path.read_text(encoding="utf-8"))["series"]:
        ours, otava = _places(series["values"]), series["otava"]
        for place, size in series["steps"]:
            nearest = min(otava, key=lambda one: abs(one - place), default=math.inf)
            yield _Step(
                size, abs(nearest - place), _distance(place, ours), _distance(nearest, ours)
            )
        if not series["steps"]:
            yield _Step(0, len(otava), len(ours), 0)


def _agreement(steps: Sequence[_Step]) -> Iterator[Row]:
    for size in (2, 3, 4, 6):
        of_size = [step for step in steps if step.size == size]
        both = [step for step in of_size if step.otava <= _NEAR]
        n_alike = sum(step.apart <= 1 for step in both)
        yield Row(
            f"steps of {size} sigma that Apache Otava finds, where it has them or a run beside",
            {2: "", 3: ">= 95 %"}.get(size, "all"),
            f"{_share(n_alike, len(both))}; of {len(of_size)} right to a run Otava"
            f" {sum(step.otava <= 1 for step in of_size)}, we"
            f" {sum(step.ours <= 1 for step in of_size)}",
            {2: None, 3: n_alike >= 0.95 * len(both)}.get(size, n_alike == len(both)),
        )
    noise = [step for step in steps if step.size == 0]
    n_otava, n_ours = (
        sum(n > 0 for n in of) for of in zip(*((s.otava, s.ours) for s in noise), strict=True)
    )
    yield Row(
        f"noise said to move by Apache Otava (at 0.001), and by us (at {SIGNIFICANCE})",
        "fewer by us",
        f"{_share(n_otava, len(noise))}; {_share(n_ours, len(noise))}",
        n_ours < n_otava,
    )


def _drifts(rng: np.random.Generator, n: int) -> Iterator[Row]:
    def n_drifting(total: float, sigma: float, n_runs: int) -> int:
        ramp = np.linspace(1, 1 + total, n_runs)
        return sum(
            find(
                list(ramp * (1 + sigma * rng.normal(size=n_runs))),
                DEFAULT_SETTINGS,
                Direction.LOWER,
            ).drift
            is not None
            for _ in range(n)
        )

    for total, sigma, n_runs, least in (
        (0.10, 0.01, 50, 0.9),
        (0.10, 0.01, 200, 0.9),
        (0.10, 0.0, 50, 0.9),
        (0.06, 0.01, 100, None),
    ):
        found = n_drifting(total, sigma, n_runs)
        yield Row(
            f"drift of {total:.0%} over {n_runs} runs said, noise of {sigma:.0%}, tolerance 5 %",
            "" if least is None else f">= {least:.0%}",
            _share(found, n),
            None if least is None else found >= least * n,
        )
    for sigma in (0.01, 0.05):
        found = n_drifting(0.0, sigma, 100)
        yield Row(
            f"noise of {sigma:.0%} said to drift, 100 runs",
            "<= 1 %",
            _share(found, n),
            found <= 0.01 * n,
        )


def _cost(rng: np.random.Generator, is_quick: bool) -> Row:
    def series(n: int) -> Any:
        return np.repeat([3 * (i % 2) for i in range(10)], n // 10) + rng.normal(size=n)

    short, long = series(1_000), series(10_000)
    sides = {
        "short": lambda: wall_s(lambda: change_points(short)),
        "long": lambda: wall_s(lambda: change_points(long)),
    }
    costs = interleaved(sides, 2 if is_quick else 9)
    found = ratio(costs["long"], costs["short"])
    return Row(
        "time for 10,000 runs with nine steps, over that for 1,000",
        "<= 20",
        f"{found.median:.1f}; {min(costs['long']):.2f} s",
        found.median <= 20,
    )


def _places(values: Any) -> list[int]:
    return [split.place for split in change_points(values)]


def _distance(place: float, found: Sequence[float]) -> float:
    return min((abs(one - place) for one in found), default=math.inf)


def _share(n: int, total: int) -> str:
    return f"{n / total:.2%} of {total:,}"


if __name__ == "__main__":
    sys.exit(bounds.run("python -m benchmarks.drift", __doc__, rows))
