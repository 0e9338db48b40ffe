"""The fixtures `sg_tracker` and `tracker`."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from pytest_sgtrack.keys import SESSION
from pytest_sgtrack.names import run_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracking import Tracker


@pytest.fixture
def sg_tracker(request: pytest.FixtureRequest) -> Iterator[Tracker]:
    """A `tracking.Tracker` with a run for this test.

    Under --sg-track the run is recorded into the experiment and compared with the test's baseline.
    Without it the test records into a throwaway store and passes or fails the same way.
    """
    session = request.config.stash.get(SESSION, None)
    if session is None or os.getpid() != session.pid:  # a fork of a test, which goes on with others
        yield from _throwaway_tracker(run_name(request.node))
    else:
        # The run ends when the whole outcome is known, which no fixture sees: see session.py.
        yield session.start_test(request.node).tracker


@pytest.fixture
def tracker(sg_tracker: Tracker) -> Tracker:
    """Short name of `sg_tracker`."""
    return sg_tracker


def _throwaway_tracker(name: str) -> Iterator[Tracker]:
    from tracking import Tracker

    with tempfile.TemporaryDirectory(prefix="sgtrack-", ignore_cleanup_errors=True) as folder:
        tracker = Tracker(folder)
        tracker.set_experiment("throwaway")
        with tracker.run(name):
            yield tracker
        tracker.close()
