"""--sg-track with a baseline compared, over what comparing one number costs in pytest-benchmark."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.measure import Lab, Row, interleaved, median, ratio
from benchmarks.sessions import Session, new_project

if TYPE_CHECKING:
    from pathlib import Path

_BOUND = 0.8
_PLAIN = """\
import pytest

@pytest.fixture
def records():
    return []

@pytest.mark.parametrize("number", range({n}))
def test_training(records, number):
    for step in range(100):
        records.append((step, 1 / (1 + step)))
"""
_TESTS: dict[str, str] = {}
_TESTS["ours"] = """\
import pytest

@pytest.mark.parametrize("number", range({n}))
def test_training(tracker, number):
    for step in range(100):
        tracker.record("loss", 1 / (1 + step), step)
"""
_TESTS["benchmark"] = """\
import pytest

@pytest.fixture
def records():
    return []

@pytest.mark.parametrize("number", range({n}))
def test_training(benchmark, records, number):
    def train():
        for step in range(100):
            records.append((step, 1 / (1 + step)))
    benchmark.pedantic(train, rounds=1)
"""
_TESTS["regressions"] = """\
import pytest

@pytest.fixture
def records():
    return []

@pytest.mark.parametrize("number", range({n}))
def test_training(data_regression, records, number):
    for step in range(100):
        records.append((step, 1 / (1 + step)))
    data_regression.check({{"loss": records[-1][1]}})
"""
_PLUGINS = {
    "ours": ("-p", "pytest_sgtrack.plugin", "--sg-track"),
    "benchmark": ("-p", "pytest_benchmark.plugin", "--benchmark-storage=file://./saved"),
    "regressions": ("-p", "pytest_datadir.plugin", "-p", "pytest_regressions.plugin"),
}
_ACCEPT = {
    "ours": ("--sg-track-update=all",),
    "benchmark": ("--benchmark-save=accepted",),
    "regressions": ("--force-regen",),
}
_COMPARE = {
    "ours": ("--sg-track-on-missing=fail",),
    "benchmark": ("--benchmark-compare=0001", "--benchmark-columns=mean"),
    "regressions": (),
}


def rows(lab: Lab) -> list[Row]:
    """Measure sessions, and what each adds to the same tests appending to a plain list."""
    n = lab.amount(2_000, 5)
    python = lab.peer_python or sys.executable
    names = ("ours", "benchmark", "regressions") if lab.peer_python else ("ours",)
    folder = lab.new_folder()
    plain = Session(new_project(folder / "plain", test_training=_PLAIN.format(n=n)), python)
    sides = {"plain": plain.run_s} | {
        name: _accepted(folder / name, name, n, python).run_s for name in names
    }
    if not lab.is_quick:
        plain.run_s()
    costs = interleaved(sides, lab.amount(9, 1))

    def added_us(name: str) -> list[float]:
        pairs = zip(costs[name], costs["plain"], strict=True)
        return [1e6 * (cost - without) / n for cost, without in pairs]

    what = f"--sg-track, 100 records and their baseline compared, per test of {n:,}, over"
    ours = added_us("ours")
    if not lab.peer_python:
        missing = "pytest-benchmark and pytest-regressions are not there: run with --peers"
        return [
            Row(f"{what} {peer}", None, f"{median(ours):.0f} us against nothing: {missing}", bound)
            for peer, bound in (("--benchmark-compare", _BOUND), ("data_regression", None))
        ]
    benchmark, regressions = added_us("benchmark"), added_us("regressions")
    return [
        Row(
            f"{what} pytest-benchmark's --benchmark-compare of one number",
            ratio(ours, benchmark),
            f"{median(ours):.0f} against {median(benchmark):.0f} us",
            _BOUND,
        ),
        Row(
            f"{what} pytest-regressions' data_regression of one number",
            ratio(ours, regressions),
            f"{median(ours):.0f} against {median(regressions):.0f} us",
        ),
    ]


def _accepted(folder: Path, name: str, n: int, python: str | Path) -> Session:
    """Return a session that compares, with what it compares with in place."""
    project = new_project(folder, test_training=_TESTS[name].format(n=n))
    accepting = Session(project, python, (*_PLUGINS[name], *_ACCEPT[name]))
    accepting.run_s(is_green=name != "regressions")  # which fails what it has no file for
    comparing = Session(
        project, python, (*_PLUGINS[name], *_COMPARE[name]), leftovers=("experiments",)
    )
    comparing.run_s()
    return comparing
