"""An experiment to look at, and the command that looks."""

from __future__ import annotations

import json
import math

import pytest

from tracking import Tracker, cli

TEST = "tests/test_a.py::test_x"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sgtrack(capsys):
    """Runs a command; gives its exit code, what it printed and what it complained of."""

    def run(*arguments):
        capsys.readouterr()
        try:
            code = cli.main([str(one) for one in arguments])
        except SystemExit as left:
            code = left.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


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

    def record(
        name=TEST, series=None, *, experiment="pytest", config=None, end=None, do=None, **more
    ):
        tracker = Tracker("experiments")
        tracker.set_experiment(experiment)
        run_id = tracker.start_run(name, config, **more)
        for metric, values in (series or {"loss": [1.0, 0.5]}).items():
            for step, value in enumerate(values):
                tracker.record(metric, value, step)
        if do is not None:
            do(tracker)
        tracker.end_run(**(end or {}))
        tracker.close()
        return run_id

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
