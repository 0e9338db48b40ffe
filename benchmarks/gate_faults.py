"""Real training, unchanged and with seeded faults: what sessions of it come to."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.bounds import Row
from benchmarks.gate_sessions import FIRST_SEED
from benchmarks.gate_simulation import SEED, detected, ends_red
from benchmarks.gate_training import FAULTS, RECIPES, broken, load_data, train
from tracking.regression import DEFAULT_SETTINGS, N_FRESH
from tracking.regression.sampling import SCREEN_ALPHA, SampleTest, predict
from tracking.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.gate_sessions import Outcome, Project
    from tracking.model import Summary

_REDS = ("regressed", "non_finite", "truncated", "missing_metric")


def real_training(project: Project, is_quick: bool) -> list[Row]:
    """Run sessions of unchanged code and of code with faults, with several baselines."""
    n_baselines, n_sessions = (1, 1) if is_quick else (10, 10)
    unchanged: list[Outcome] = []
    faulty: dict[str, list[Outcome]] = {fault: [] for fault in FAULTS}
    for baseline in range(n_baselines):
        project.collect(project.n_samples * baseline)
        unchanged += [project.run(baseline * n_sessions + i) for i in range(n_sessions)]
        for number, (fault, outcomes) in enumerate(faulty.items(), 100 * (baseline + 1)):
            outcomes.append(project.run(number, f"--fault={fault}"))
    trained = _Trained(project, 20 if is_quick else 200)
    n_caught = sum(_is_caught(one) for outcomes in faulty.values() for one in outcomes)
    n = n_baselines * len(FAULTS)
    return [
        _unchanged(unchanged, n_baselines, project.n_samples),
        trained.false_reds(20 if is_quick else 20_000),
        *(_caught(fault, outcomes, trained) for fault, outcomes in faulty.items()),
        Row("seeded faults, all", ">= 90 %", f"{n_caught} of {n} sessions", n_caught / n >= 0.9),
    ]


def _unchanged(outcomes: Sequence[Outcome], n_baselines: int, n_samples: int) -> Row:
    n_red = sum(one.is_red for one in outcomes)
    n_suspects = sum(one.n_confirming for one in outcomes) // N_FRESH
    verdicts = Counter(verdict for one in outcomes for verdict in one.verdicts.values())
    return Row(
        f"unchanged code, {len(outcomes)} sessions of other seeds, {n_baselines} baselines of"
        f" {n_samples}: red",
        "<= 1",
        f"{n_red}; of {verdicts.total()} tests {n_suspects} were suspected and run under fresh"
        f" seeds, {verdicts['improved']} shown as improved",
        n_red <= 1,
    )


def _is_caught(outcome: Outcome) -> bool:
    """Tell whether a test is red by the gate, and not by an accident of its own."""
    return outcome.is_red and any(one in _REDS for one in outcome.verdicts.values())


def _caught(fault: str, outcomes: Sequence[Outcome], trained: _Trained) -> Row:
    n_caught, n = sum(map(_is_caught, outcomes)), len(outcomes)
    changed = trained.changed_by(fault)
    red = Counter(
        name for one in outcomes for name, verdict in one.verdicts.items() if verdict in _REDS
    )
    figure = f"{n_caught} of {n}; " + ", ".join(f"{name} {red[name]}" for name in changed)
    if n_caught < n:
        figure += f"; {trained.explained(fault, changed)}"
    return Row(f"fault: {fault}", ">= 90 %", figure, n_caught / n >= 0.9)


class _Recorder:
    """Sums up what one training records, without a session."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def record(self, metric_name: str, value: float, step: int) -> None:
        self._values.setdefault(metric_name, []).insert(step, value)

    @property
    def summaries(self) -> dict[str, Summary]:
        return {
            name: summarize(range(len(values)), values) for name, values in self._values.items()
        }


Key = tuple[str, str, str]  # recipe, metric, statistic


class _Trained:
    """Every recipe trained under many seeds, to draw sessions from.

    Args:
        project: whose recipes.
        n: how many seeds.
    """

    def __init__(self, project: Project, n: int) -> None:
        self.project = project
        names = {RECIPES[name].data for name in project.names}
        self._data = {name: load_data(project.folder / f"{name}.npz") for name in names}
        self._n = n

    def _values(self, fault: str, name: str, seeds: Sequence[int]) -> dict[Key, list[float]]:
        found: dict[Key, list[float]] = {}
        recipe = broken(RECIPES[name], fault)
        for seed in seeds:
            recorder = _Recorder()
            train(recipe, self._data[recipe.data], seed, recorder)
            for metric, summary in recorder.summaries.items():
                for statistic in DEFAULT_SETTINGS.statistics:
                    key = (name, metric, statistic)
                    found.setdefault(key, []).append(getattr(summary, statistic))
        return found

    @cached_property
    def _unchanged(self) -> dict[Key, list[float]]:
        seeds = range(2 * FIRST_SEED, 2 * FIRST_SEED + self._n)
        return {
            key: values
            for name in self.project.names
            for key, values in self._values("", name, seeds).items()
        }

    def false_reds(self, n: int) -> Row:
        """Draw sessions with a baseline of their own each, and judge their checks."""
        rng = np.random.default_rng(SEED)
        n_runs = 10 + 1 + N_FRESH
        n_red = 0
        for _ in range(n):
            drawn = {
                name: rng.permutation(self._n)[:n_runs].tolist() for name in self.project.names
            }
            n_red += any(
                self._is_red(values, drawn[key[0]], key) for key, values in self._unchanged.items()
            )
        rate = n_red / n
        error = np.sqrt(rate * (1 - rate) / n)
        return Row(
            f"unchanged code, {n:,} sessions drawn from {self._n} trainings of each test, each"
            " with a baseline of 10 of its own: red",
            "<= 1 %",
            f"{rate:.2%} (standard error {error:.2%}), {len(self._unchanged)} checks",
            rate <= 0.01,
        )

    def _is_red(self, values: Sequence[float], drawn: Sequence[int], key: Key) -> bool:
        _, metric, statistic = key
        chosen = [values[i] for i in drawn]
        direction = DEFAULT_SETTINGS.direction_of(metric, statistic)
        return ends_red(chosen[:10], chosen[10:], direction, len(self._unchanged))

    def changed_by(self, fault: str) -> list[str]:
        """Return the recipes whose training a fault changes at all."""
        seeds = [3 * FIRST_SEED]
        names = self.project.names
        return [n for n in names if self._values(fault, n, seeds) != self._values("", n, seeds)]

    def explained(self, fault: str, names: Sequence[str]) -> str:
        """Say what of all checks a fault makes worst, in deviations between unchanged runs."""
        largest, shown = 0.0, "nothing that is recorded gets worse"
        seeds = range(3 * FIRST_SEED, 3 * FIRST_SEED + max(5, self._n // 5))
        for name in names:
            for key, values in self._values(fault, name, seeds).items():
                _, metric, statistic = key
                base = self._unchanged[key]
                direction = DEFAULT_SETTINGS.direction_of(metric, statistic)
                found = predict(base, values, direction, SCREEN_ALPHA)
                size = _deviations(base, found)
                if found.p < 0.5 and size > largest:
                    largest = size
                    change = found.effect / abs(found.centre)
                    shown = (
                        f"at most {size:.1f} sigma, {change:+.1%} {metric} ({statistic}) of {name}"
                    )
        least = detected(np.random.default_rng(SEED), 20_000, 10, len(self._unchanged))
        return f"{shown}; found in 80 % of sessions: {least:.1f} sigma"


def _deviations(base: Sequence[float], found: SampleTest) -> float:
    """Return the size of an effect over the spread of the baseline, on the scale compared."""
    if found.is_log:
        return float(abs(np.log(found.current / found.centre)) / np.std(np.log(base), ddof=1))
    return float(abs(found.effect) / np.std(base, ddof=1))
