"""Settings of this repository's own tests."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["pytester"]

# The default run is for every change; `tox -e faults` takes its time.
settings.register_profile("default", max_examples=40, deadline=None)
settings.register_profile("full", max_examples=400, deadline=None)
# `tox -e mutation` asks whether a test fails at all, thousands of times: the same examples each
# time, and no search for a smaller one.
settings.register_profile(
    "mutation",
    max_examples=20,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# What thousands of tests are made of is never garbage: to look through it would take the collector
# a quarter of a second, every time.
gc.disable()


def pytest_collection_finish() -> None:
    """Have the collector pass over what was collected."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _around_examples(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a docstring's examples in an empty folder, on an experiment where they speak of one."""
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    request.getfixturevalue("monkeypatch").chdir(request.getfixturevalue("tmp_path"))
    code = "".join(example.source for example in request.node.dtest.examples)
    if "tracker" not in code and "db" not in code:
        yield
        return
    from tracking import ExperimentDBManager, Tracker

    tracker, db = Tracker("experiments"), ExperimentDBManager("experiments/mnist.db")
    tracker.set_experiment("mnist")
    request.getfixturevalue("doctest_namespace").update(tracker=tracker, db=db)
    yield
    tracker.close()
    db.close()
