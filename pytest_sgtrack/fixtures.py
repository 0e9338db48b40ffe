"""The fixtures `sg_tracker` and `tracker` while tracking is off; `SessionPlugin` has others."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

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
    with throwaway_tracker(run_name(request.node)) as tracker:
        yield tracker


@pytest.fixture
def tracker(sg_tracker: Tracker) -> Tracker:
    """Short name of `sg_tracker`."""
    return sg_tracker


@contextmanager
def throwaway_tracker(run_name: str) -> Iterator[Tracker]:
    """Give a tracker whose experiment is gone afterwards."""
    from tracking import Tracker

    with tempfile.TemporaryDirectory(prefix="sgtrack-", ignore_cleanup_errors=True) as folder:
        tracker = Tracker(folder)
        tracker.set_experiment("throwaway")
        with tracker.run(run_name):
            yield tracker
        tracker.close()
