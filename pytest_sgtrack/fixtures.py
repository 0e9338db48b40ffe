"""The fixtures `sg_tracker` and `tracker`."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_sgtrack.keys import SESSION, THROWAWAY
from pytest_sgtrack.names import run_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracking import Tracker


@pytest.fixture
def sg_tracker(request: pytest.FixtureRequest) -> Tracker:
    """A `tracking.Tracker` with a run for this test.

    Under --sg-track the run is recorded into the experiment and compared with the test's baseline.
    Without it the test records into a throwaway store and passes or fails the same way.
    """
    return _tracker_of(request)


@pytest.fixture
def tracker(request: pytest.FixtureRequest) -> Tracker:
    """Short name of `sg_tracker`."""
    return _tracker_of(request)  # not by that fixture: every one more costs a test 40 us


def _tracker_of(request: pytest.FixtureRequest) -> Tracker:
    session = request.config.stash.get(SESSION, None)
    if session is not None and os.getpid() == session.pid:
        # The run ends when the whole outcome is known, which no fixture sees: see session.py.
        return session.start_test(request.node).tracker
    # Without --sg-track, or in a fork of a test, which goes on with others.
    stash = request.node.stash
    if THROWAWAY not in stash:
        context = _throwaway_tracker(run_name(request.node))
        stash[THROWAWAY] = context.__enter__()

        def finish() -> None:
            del stash[THROWAWAY]
            context.__exit__(None, None, None)

        request.addfinalizer(finish)
    tracker: Tracker = stash[THROWAWAY]
    return tracker


@contextmanager
def _throwaway_tracker(name: str) -> Iterator[Tracker]:
    from tracking import Tracker

    with tempfile.TemporaryDirectory(prefix="sgtrack-", ignore_cleanup_errors=True) as folder:
        tracker = Tracker(folder)
        tracker.set_experiment("throwaway")
        with tracker.run(name):
            yield tracker
        tracker.close()
