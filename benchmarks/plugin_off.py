"""The plugin loaded and not used, over an empty hook and over no plugin at all."""

from __future__ import annotations

import sys
from math import pi, sqrt
from typing import TYPE_CHECKING

from benchmarks.measure import Estimate, Lab, Row, interleaved, median
from benchmarks.sessions import Session, new_project

if TYPE_CHECKING:
    from pathlib import Path

_TESTS = """\
import pytest

@pytest.mark.parametrize("number", range({n}))
def test_nothing(number):
    pass
"""
_EMPTY_HOOK = "def pytest_runtest_call(item): pass\n"
_PLUGINS = {"none": (), "hook": ("-p", "hooks"), "ours": ("-p", "pytest_sgtrack.plugin")}
_FEW_CALLS = 0.5  # what a garbage collection that falls into one session only may call
_TOLD_APART_US = 5.0  # what empty hooks were seen to cost


def rows(lab: Lab) -> list[Row]:
    """Measure sessions of many tests that do nothing: what they call, and how long they take."""
    return [_calls(lab), _time(lab)]


def _sessions(folder: Path, n: int) -> dict[str, Session]:
    project = new_project(folder, test_nothing=_TESTS.format(n=n), hooks=_EMPTY_HOOK)
    return {name: Session(project, sys.executable, plugin) for name, plugin in _PLUGINS.items()}


def _calls(lab: Lab) -> Row:
    """Count function calls, which no other load on the machine can blur."""
    n = lab.amount(1_000, 5)
    folder = lab.new_folder()
    few, many = (_sessions(folder / f"{size}", size) for size in (n, 2 * n))
    of_a_test = {name: (many[name].n_calls() - few[name].n_calls()) / n for name in few}
    hook, ours = (of_a_test[name] - of_a_test["none"] for name in ("hook", "ours"))
    return Row(
        "plugin loaded and off, function calls it adds to a test",
        Estimate.of([ours]),
        f"an empty hook adds {hook:.1f}; a whole test has {of_a_test['none']:.0f}",
        _FEW_CALLS,
        unit="calls",
    )


def _time(lab: Lab) -> Row:
    n = lab.amount(20_000, 5)
    sessions = _sessions(lab.new_folder() / "time", n)
    for session in sessions.values() if not lab.is_quick else ():
        session.run_s()  # compiles, and fills the file system's cache
    costs = interleaved({name: s.run_s for name, s in sessions.items()}, lab.amount(5, 1))

    def added_us(name: str, over: str) -> list[float]:
        pairs = zip(costs[name], costs[over], strict=True)
        return [1e6 * (cost - without) / n for cost, without in pairs]

    beyond_hook = added_us("ours", "hook")
    return Row(
        f"plugin loaded and off, time beyond an empty hook's, per test of {n:,}",
        Estimate.of(beyond_hook),
        f"over no plugin: {median(added_us('ours', 'none')):.1f} us, an empty hook"
        f" {median(added_us('hook', 'none')):.1f} us; a whole test"
        f" {1e6 * median(costs['none'], n):.0f} us; +- {uncertainty(beyond_hook):.1f} us",
        _TOLD_APART_US,
        unit="us",
        uncertainty=uncertainty(beyond_hook),
    )


def uncertainty(values: list[float]) -> float:
    """Return the standard error of the median, from the quartiles.

    For a normal distribution: sqrt(pi / 2) * sigma / sqrt(n), sigma = (q3 - q1) / 1.349.

    >>> round(uncertainty([float(number) for number in range(101)]), 2)
    4.62
    """
    spread = Estimate.of(values)
    return sqrt(pi / 2) * (spread.high - spread.low) / 1.349 / sqrt(len(values))
