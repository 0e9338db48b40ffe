"""The plugin loaded and not used, over an empty hook and over no plugin at all."""

from __future__ import annotations

import sys
from math import comb

from benchmarks.measure import Estimate, Lab, Row, interleaved, median
from benchmarks.sessions import Session, new_project

_TESTS = """\
import pytest

@pytest.mark.parametrize("number", range({n}))
def test_nothing(number):
    pass
"""
_EMPTY_HOOK = "def pytest_runtest_call(item): pass\n"
_SIGNIFICANT = 0.05


def rows(lab: Lab) -> list[Row]:
    """Measure sessions of many tests that do nothing, and divide by their number."""
    n = lab.amount(20_000, 50)
    tests = _TESTS.format(n=n)
    folder = lab.new_folder()
    plain = new_project(folder / "plain", test_nothing=tests)
    hooked = new_project(folder / "hooked", test_nothing=tests, hooks=_EMPTY_HOOK)
    sessions = {
        "none": Session(plain, sys.executable),
        "hook": Session(hooked, sys.executable, ("-p", "hooks")),
        "ours": Session(plain, sys.executable, ("-p", "pytest_sgtrack.plugin")),
    }
    for session in sessions.values():
        session.run_s()  # compiles, and fills the file system's cache
    costs = interleaved({name: s.run_s for name, s in sessions.items()}, lab.amount(11, 1))

    def us_a_test(a: str, b: str) -> list[float]:
        return [1e6 * (x - y) / n for x, y in zip(costs[a], costs[b], strict=True)]

    beyond_hook = us_a_test("ours", "hook")
    ours, hook = us_a_test("ours", "none"), us_a_test("hook", "none")
    return [
        Row(
            f"plugin loaded and off, beyond an empty hook, per test of {n:,}",
            Estimate.of(beyond_hook),
            f"over no plugin: {median(ours):.2f} us, an empty pytest_runtest_call"
            f" {median(hook):.2f} us; a whole test {1e6 * median(costs['none'], n):.0f} us",
            0.0,
            unit="us",
            is_reached=chance_of(beyond_hook) > _SIGNIFICANT,
        )
    ]


def chance_of(differences: list[float]) -> float:
    """Return how likely so many positive differences are where there is no difference.

    The one-sided sign test: under that hypothesis each is positive with probability one half.

    >>> round(chance_of([1.0] * 8 + [-1.0] * 3), 3)
    0.113
    """
    n = len(differences)
    n_positive = sum(difference > 0 for difference in differences)
    n_at_least = sum(comb(n, k) for k in range(n_positive, n + 1))
    return n_at_least / (1 << n)
