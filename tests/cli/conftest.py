"""An experiment to look at, and the command that looks."""

from __future__ import annotations

import json
import math

import pytest

from tests.conftest import record_run

TEST = "tests/test_a.py::test_x"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def said_as_json(sgtrack):
    """Runs a command with --json; gives its exit code and the document."""

    def run(*arguments):
        code, out, _ = sgtrack(*arguments, "--json")
        return code, json.loads(out, parse_constant=pytest.fail)

    return run


@pytest.fixture
def record():
    """Records runs into experiments/<experiment>.db: series by metric."""

    def record(name=TEST, series=None, **more):
        return record_run("experiments", name, series, **more)

    return record


@pytest.fixture
def three(record):
    """Three runs, the oldest first: a test that passed and then failed, and one that diverged."""
    passed = {"outcome": "passed", "phase": "call", "verdict": "identical"}
    failed = {"status": "failed", "outcome": "failed", "phase": "call", "verdict": "regressed"}
    record(
        series={"loss": [1.0, 0.5], "acc": [0.1]}, config={"lr": 0.1}, end=passed, session="a" * 32
    )
    record(series={"loss": [2.0, 1.5]}, config={"lr": 0.2}, end=failed, session="b" * 32)
    record("tests/test_b.py::test_y[0]", {"loss": [math.nan]}, session="b" * 32)
