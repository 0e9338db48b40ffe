"""How often the gate is wrong, and what it catches, by simulation.

Decisions are the product's own: levels and constants are taken from it, and where many thousand
tests are computed at once by numpy, a row says that it decides the same one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special  # type: ignore[import-untyped, import-not-found, unused-ignore]

from benchmarks.bounds import Row
from tracking.model import Direction, Verdict
from tracking.regression.baseline import Entry, Sample, updated_entry
from tracking.regression.rules import Context, compare
from tracking.regression.sampling import (
    FLOOR_REL,
    N_FRESH,
    SCREEN_ALPHA,
    confirm,
    confirm_alpha,
    screen,
)
from tracking.regression.settings import DEFAULT_SETTINGS, MetricSettings
from tracking.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracking.model import Summary

SEED = 20240607
"""Of all that is random here."""

_N_CHECKS = 60
_CHUNK = 1_600 * _N_CHECKS  # whole sessions, in memory at once
_NOISE = 0.05  # standard deviation of a run, of the centre 1
_N_CHECKS_TRIED = (1, 2, 6, 10, 20, 60, 200, 600, 2_000, 10_000)
_N_SAMPLES_TRIED = (5, 6, 7, 8, 9, 10, 15, 20, 30, 40)


def rows(is_quick: bool) -> list[Row]:
    """Simulate everything.

    Args:
        is_quick: whether it is about seeing that everything runs, not about the figures.
    """
    rng = np.random.default_rng(SEED)
    return [
        *_calibration(rng, 20_000 if is_quick else 2_000_000),
        *_sessions(rng, 300 if is_quick else 50_000),
        _every_number_of_checks(is_quick),
        _kept_baselines(rng, 100 if is_quick else 2_000),
        *_power(rng, 4_000 if is_quick else 400_000),
        *_detectable(rng, 1_000 if is_quick else 100_000),
        *_hidden(rng, 100 if is_quick else 5_000),
        *_faults(rng, 20 if is_quick else 2_000),
        *_ratchet(rng, 5 if is_quick else 500),
        _same_one_by_one(rng, 300 if is_quick else 30_000),
    ]


# Noise of one run: shapes with median 0, to be scaled


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.standard_normal(shape)


def _t3(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.standard_t(3, shape) / np.sqrt(3)


def _outliers(size: float) -> Callable[[np.random.Generator, tuple[int, ...]], Any]:
    def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return rng.standard_normal(shape) * np.where(rng.random(shape) < 0.05, size, 1.0)

    return drawn


@dataclass(frozen=True)
class _World:
    """How runs come out: worse is a smaller value, or on the log a larger one."""

    name: str
    noise: Callable[[np.random.Generator, tuple[int, ...]], Any]
    is_log: bool = False
    spread: float = _NOISE

    @property
    def direction(self) -> Direction:
        return Direction.LOWER if self.is_log else Direction.HIGHER

    def values(self, rng: np.random.Generator, shape: tuple[int, ...], shift: Any = 0.0) -> Any:
        worse_by = self.spread * (self.noise(rng, shape) + shift)
        return np.exp(worse_by) if self.is_log else 1.0 - worse_by


_NORMAL = _World("normal", _normal)
_LOGNORMAL = _World("lognormal on the log", _normal, is_log=True, spread=0.3)
_WORLDS = (
    _NORMAL,
    _World("t3", _t3),
    _World("normal with 5 % outliers of 5 sigma", _outliers(5.0)),
    _World("normal with 5 % outliers of 10 sigma", _outliers(10.0)),
    _LOGNORMAL,
)


# The rule, for many checks at once


def _p_and_beyond(base: Any, new: Any, world: _World) -> tuple[Any, Any]:
    """Return p and whether the effect is worse beyond the floor; a check a line of the arrays."""
    k, m = base.shape[1], new.shape[1]
    if world.is_log:
        base, new = np.log(base), np.log(new)
    centre, current = base.mean(1), new.mean(1)
    worse = current - centre if world.is_log else centre - current
    squares = ((base - centre[:, None]) ** 2).sum(1) + ((new - current[:, None]) ** 2).sum(1)
    error = np.sqrt(squares / (k + m - 2) * (1 / k + 1 / m))
    floor = np.log1p(FLOOR_REL) if world.is_log else FLOOR_REL * np.abs(centre)
    return special.stdtr(k + m - 2, -worse / error), worse > floor


def _is_worse(base: Any, new: Any, alpha: float, world: _World) -> Any:
    p, is_beyond = _p_and_beyond(base, new, world)
    return (p <= alpha) & is_beyond


def _is_confirmed(base: Any, fresh: Any, alpha: float, world: _World) -> Any:
    is_red = _is_worse(base, fresh, alpha, world)
    alone = [_is_worse(base, fresh[:, [i]], alpha, world) for i in range(fresh.shape[1])]
    return is_red | np.logical_and.reduce(alone)


def _red(
    rng: np.random.Generator, n: int, k: int, world: _World, n_checks: int, shift: float = 0.0
) -> Any:
    """Return which of n checks end red, each with a baseline of its own."""
    base = world.values(rng, (n, k))
    is_red = _is_worse(base, world.values(rng, (n, 1), shift), SCREEN_ALPHA, world)
    fresh = world.values(rng, (int(is_red.sum()), N_FRESH), shift)
    is_red[is_red] = _is_confirmed(base[is_red], fresh, confirm_alpha(n_checks, k), world)
    return is_red


# 1: calibration


def _calibration(rng: np.random.Generator, n: int) -> list[Row]:
    found = []
    for k in (5, 10, 20):
        hits = dict.fromkeys((0.05, 0.01, 0.001), 0)
        for size in _chunks(n):
            base, new = _normal(rng, (size, k)), _normal(rng, (size, 1))
            p, _ = _p_and_beyond(base, new, _NORMAL)
            for alpha in hits:
                hits[alpha] += int((p <= alpha).sum())
        for alpha, count in hits.items():
            ratio = count / n / alpha
            what = f"one stage, null: rate over alpha {alpha}, k = {k}"
            found.append(Row(what, "0.9 to 1.1", f"{ratio:.3f}", 0.9 <= ratio <= 1.1))
    return found


def _chunks(n: int) -> list[int]:
    return [min(_CHUNK, n - start) for start in range(0, n, _CHUNK)]


# 2: false reds of a session


def _sessions(rng: np.random.Generator, n: int) -> list[Row]:
    found = []
    for k in (10, 5):
        for world in _WORLDS:
            red = 0
            for size in _chunks(n * _N_CHECKS):
                is_red = _red(rng, size, k, world, _N_CHECKS)
                red += int(is_red.reshape(-1, _N_CHECKS).any(1).sum())
            rate = red / n
            error = np.sqrt(rate * (1 - rate) / n)
            what = f"session of {_N_CHECKS} checks, two stages, false red: {world.name}, k = {k}"
            figure = f"{rate:.2%} (standard error {error:.2%})"
            found.append(Row(what, "<= 1 %", figure, rate <= 0.01))
    return found


def _rates_given(k: int, alpha: float, means: Any, spreads: Any) -> Any:
    """Return how often normal values pass both stages, by what the baseline came out as.

    Args:
        k: samples of the baseline.
        alpha: level of the confirmation, of all fresh runs together.
        means: of the baseline's samples, in true standard deviations.
        spreads: of the baseline's samples, likewise; arrays that broadcast.
    """
    m, df = N_FRESH, k + N_FRESH - 2
    screened = special.stdtrit(k - 1, 1 - SCREEN_ALPHA) * np.sqrt(1 + 1 / k)
    suspect = special.ndtr(-(means + screened * spreads))
    t = -special.stdtrit(df, alpha) * np.sqrt(1 / k + 1 / m)
    fresh, weights = _variances(m - 1, 50)
    confirmed = sum(
        weight
        * special.ndtr(
            -np.sqrt(m) * (means + t * np.sqrt(((k - 1) * spreads**2 + (m - 1) * v) / df))
        )
        for v, weight in zip(fresh, weights, strict=True)
    )
    return suspect * confirmed


def _variances(df: int, n: int) -> tuple[Any, Any]:
    """Return nodes and weights for chi-squared over df: even steps of its logarithm."""
    v = np.exp(np.linspace(np.log(1e-7), np.log(60 / df + 8), n))
    log_weights = df / 2 * np.log(v) - df * v / 2
    weights = np.exp(log_weights - log_weights.max())
    return v, weights / weights.sum()


def _false_red(k: int, alpha: float) -> float:
    """Return the rate of false reds of one check with normal values, by integration."""
    z = np.linspace(-8, 8, 161)
    of_mean = np.exp(-z * z / 2)
    variances, of_variance = _variances(k - 1, 120)
    rates = _rates_given(k, alpha, z[:, None] / np.sqrt(k), np.sqrt(variances)[None])
    return float(of_mean @ rates @ of_variance / of_mean.sum())


def _every_number_of_checks(is_quick: bool) -> Row:
    numbers = (1, _N_CHECKS, 10_000) if is_quick else _N_CHECKS_TRIED
    sizes = (5, 10) if is_quick else _N_SAMPLES_TRIED
    rates = {(n, k): n * _false_red(k, confirm_alpha(n, k)) for n in numbers for k in sizes}
    worst = max(rates, key=rates.__getitem__)
    usual = ", ".join(f"{n} checks {rates[n, 10]:.2%}" for n in (1, _N_CHECKS, 10_000))
    return Row(
        f"the same by integration, {min(numbers)} to {max(numbers):,} checks,"
        f" k = {min(sizes)} to {max(sizes)}: worst",
        "<= 1 %",
        f"{rates[worst]:.2%} at {worst[0]} checks, k = {worst[1]}; k = 10: {usual}",
        rates[worst] <= 0.01,
    )


def _kept_baselines(rng: np.random.Generator, n: int) -> Row:
    k = 10
    means = rng.standard_normal((n, _N_CHECKS)) / np.sqrt(k)
    spreads = np.sqrt(rng.chisquare(k - 1, (n, _N_CHECKS)) / (k - 1))
    rates = _rates_given(k, confirm_alpha(_N_CHECKS, k), means, spreads)
    of_project = 1 - np.prod(1 - rates, axis=1)
    half, most, nearly_all = np.quantile(of_project, (0.5, 0.9, 0.99))
    return Row(
        f"{_N_CHECKS} normal baselines of 10 kept for ever: false red per session",
        "",
        f"mean {of_project.mean():.2%}; of projects, half <= {half:.2%}, 90 % <= {most:.2%},"
        f" 99 % <= {nearly_all:.2%}",
        None,
    )


# 3: power


def _power(rng: np.random.Generator, n: int) -> list[Row]:
    found = []
    for shift, bound in ((3, None), (4, 0.85), (6, 0.95)):
        for world in (_NORMAL, _LOGNORMAL):
            sizes = _chunks(n)
            caught = sum(int(_red(rng, s, 10, world, _N_CHECKS, shift).sum()) for s in sizes)
            found.append(
                Row(
                    f"caught at {shift} sigma, k = 10, {_N_CHECKS} checks: {world.name}",
                    "" if bound is None else f">= {bound:.0%}",
                    f"{caught / n:.1%}",
                    None if bound is None else caught / n >= bound,
                )
            )
    return found


def _detectable(rng: np.random.Generator, n: int) -> list[Row]:
    """Return the changes that are found with 80 % power, both stages and all checks counted."""
    found = []
    for k in (5, 7, 10, 15, 20, 30):
        sizes = [f"{detected(rng, n, k, n_checks):.1f}" for n_checks in (10, _N_CHECKS, 600)]
        what = f"red in 80 % of sessions, k = {k}: a change of this many sigma"
        figure = f"10 checks {sizes[0]}, {_N_CHECKS} checks {sizes[1]}, 600 checks {sizes[2]}"
        found.append(Row(what, "", figure, None))
    return found


def detected(rng: np.random.Generator, n: int, k: int, n_checks: int) -> float:
    """Return the change, in sigma, that makes 80 % of n normal checks of k samples red."""
    base = _NORMAL.values(rng, (n, k))
    runs = _NORMAL.values(rng, (n, 1 + N_FRESH))
    low, high = 0.0, 20.0
    alpha = confirm_alpha(n_checks, k)
    for _ in range(12):
        middle = (low + high) / 2
        shifted = runs - _NOISE * middle
        suspect = _is_worse(base, shifted[:, :1], SCREEN_ALPHA, _NORMAL)
        red = suspect & _is_confirmed(base, shifted[:, 1:], alpha, _NORMAL)
        low, high = (low, middle) if red.mean() >= 0.8 else (middle, high)
    return high


# 4: what must always be caught


def _hidden(rng: np.random.Generator, n: int) -> list[Row]:
    """Changes that a plain test of pooled spreads misses."""
    flat = unstable = 0
    for _ in range(n):
        constant = float(rng.uniform(0.1, 10))
        worse = [constant * factor for factor in rng.uniform(1.011, 3, N_FRESH + 1)]
        flat += ends_red([constant] * 10, worse, Direction.LOWER)
        base = _LOGNORMAL.values(rng, (10,)).tolist()
        fresh = [x * 30 for x in _LOGNORMAL.values(rng, (N_FRESH + 1,)).tolist()]
        fresh[-1] *= 10 ** float(rng.uniform(3, 30))
        unstable += ends_red(base, fresh, Direction.LOWER)
    return [
        _always("history without spread, fresh seeds worse by 1.1 to 200 %", flat, n),
        _always("all seeds 11 sigma worse and one of the fresh ones diverging", unstable, n),
    ]


def ends_red(
    base: Sequence[float], runs: Sequence[float], direction: Direction, n_checks: int = _N_CHECKS
) -> bool:
    """Judge a run and, where it is suspect, the runs of fresh seeds that stand behind it."""
    value, *fresh = runs
    if not screen(base, value, direction).is_significant_worse:
        return False
    return confirm(base, fresh, direction, n_checks).is_significant_worse


def _faults(rng: np.random.Generator, n: int) -> list[Row]:
    caught = dict.fromkeys(("NaN or inf injected", "a metric vanished", "curve truncated"), 0)
    for _ in range(n):
        curve = rng.uniform(0.5, 1.5, int(rng.integers(2, 200)))
        sample = Sample({"loss": _summary(curve)}, {}, {}, 0)
        broken = curve.copy()
        broken[rng.integers(len(curve))] = rng.choice([np.nan, np.inf, -np.inf])
        shorter = curve[: rng.integers(1, len(curve))]
        caught["NaN or inf injected"] += _verdict(sample, broken) is Verdict.NON_FINITE
        caught["a metric vanished"] += _verdict(sample, None) is Verdict.MISSING_METRIC
        caught["curve truncated"] += _verdict(sample, shorter) is Verdict.TRUNCATED
    return [_always(what, count, n) for what, count in caught.items()]


def _always(what: str, count: int, n: int) -> Row:
    return Row(what, "100 %", f"{count / n:.2%} of {n:,}", count == n)


def _summary(curve: Any) -> Summary:
    return summarize(range(len(curve)), curve.tolist())


def _settings(_: str) -> MetricSettings:
    return DEFAULT_SETTINGS


def _verdict(sample: Sample, curve: Any) -> Verdict:
    current = {} if curve is None else {"loss": _summary(curve)}
    return compare([sample], current, _settings, Context(seed=0)).verdict


# 5: no ratchet


def _ratchet(rng: np.random.Generator, n: int) -> list[Row]:
    due = next(commit for commit in range(51) if 1.01**commit - 1 > DEFAULT_SETTINGS.rel)
    flagged, flagged_anew = _flagged(is_reset=False), _flagged(is_reset=True)
    by_noise = [_flagged_at(rng) for _ in range(n)]
    latest = max(by_noise)
    return [
        Row(
            "50 commits of +1 %, each accepted: first red for its drift from the origin",
            f"by commit {due}",
            f"commit {flagged[0]}; red again: {len(flagged) - 1} of those that follow,"
            f" {len(flagged_anew) - 1} where a red one was accepted with --reset-origin",
            flagged[0] <= due,
        ),
        Row(
            "50 commits of +1 %, noise 1 %, none accepted: first red by ten kept samples",
            "by commit 50, always",
            f"median commit {int(np.median(by_noise))}, latest {latest}",
            latest <= 50,
        ),
    ]


def _flagged(*, is_reset: bool) -> list[int]:
    """Return which of 50 commits of +1 % are red, each of them accepted; 51 where none is."""
    curve = np.linspace(1.5, 1.0, 50)
    entry = Entry((Sample({"loss": _summary(curve)}, {}, {}, 0),), None)
    flagged = []
    for commit in range(1, 51):
        now = Sample({"loss": _summary(curve * 1.01**commit)}, {}, {}, 0)
        context = Context(seed=0, origin=entry.origin_sample)
        is_flagged = (
            compare(entry.samples, now.metrics, _settings, context).verdict is Verdict.REGRESSED
        )
        entry = updated_entry(entry, [now])
        if is_flagged:
            flagged.append(commit)
            entry = Entry(entry.samples, None) if is_reset else entry
    return flagged or [51]


def _flagged_at(rng: np.random.Generator) -> int:
    base = np.exp(0.01 * rng.standard_normal(10)).tolist()
    for commit in range(1, 51):
        runs = (1.01**commit * np.exp(0.01 * rng.standard_normal(N_FRESH + 1))).tolist()
        if ends_red(base, runs, Direction.LOWER):
            return commit
    return 51


# Many at once and one by one


def _same_one_by_one(rng: np.random.Generator, n: int) -> Row:
    """Compare verdicts at all sizes of change, so that both stages meet both answers."""
    n_different = n_red = 0
    for world in (_NORMAL, _LOGNORMAL, _WORLDS[1]):
        base = world.values(rng, (n // 3, 10))
        shift = rng.uniform(0, 6, (n // 3, 1))
        new, fresh = (world.values(rng, (n // 3, size), shift) for size in (1, N_FRESH))
        alpha = confirm_alpha(_N_CHECKS, 10)
        suspect = _is_worse(base, new, SCREEN_ALPHA, world)
        red = suspect & _is_confirmed(base, fresh, alpha, world)
        lines = np.hstack((new, fresh)).tolist()
        for samples, runs, is_red in zip(base.tolist(), lines, red, strict=True):
            n_different += ends_red(samples, runs, world.direction) != is_red
        n_red += int(red.sum())
    return Row(
        "verdicts of numpy that differ from the product's",
        "0",
        f"{n_different} of {n:,}, {n_red:,} of them red",
        n_different == 0,
    )
