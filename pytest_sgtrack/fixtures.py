"""The fixtures; those of the tracker are for tracking off, `SessionPlugin` has others for on."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_sgtrack.names import run_name
from pytest_sgtrack.options import first_seed
from pytest_sgtrack.seeds import seed_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracking import SummaryWriter, Tracker


@pytest.fixture
def sg_tracker(request: pytest.FixtureRequest) -> Iterator[Tracker]:
    """A `tracking.Tracker` with a run for this test.

    Under --sg-track the run is recorded into the experiment and compared with the test's baseline.
    Without it the test records into a throwaway store and passes or fails the same way.

    Examples:
        >>> from tracking import Tracker
        >>> def test_training(sg_tracker: Tracker) -> None:
        ...     for step in range(10):
        ...         sg_tracker.record("loss", 1 / (step + 1), step)
        ...     sg_tracker.expect("loss", "<", 0.2)
    """
    with throwaway_tracker(run_name(request.node)) as tracker:
        yield tracker


@pytest.fixture
def tracker(sg_tracker: Tracker) -> Tracker:
    """Short name of `sg_tracker`.

    Examples:
        >>> from tracking import Tracker
        >>> def test_training(tracker: Tracker) -> None:
        ...     for step in range(10):
        ...         tracker.record("loss", 1 / (step + 1), step)
    """
    return sg_tracker


@pytest.fixture
def sg_summary_writer(sg_tracker: Tracker) -> Iterator[SummaryWriter]:
    """A `tracking.SummaryWriter`, in place of TensorBoard's, for the run of this test.

    Examples:
        >>> from tracking import SummaryWriter
        >>> def test_training(sg_summary_writer: SummaryWriter) -> None:
        ...     for step in range(10):
        ...         sg_summary_writer.add_scalar("train/loss", 1 / (step + 1), step)
    """
    from tracking import SummaryWriter

    with SummaryWriter(sg_tracker) as writer:
        yield writer


@pytest.fixture
def sg_seed(request: pytest.FixtureRequest) -> int:
    """A seed for this test, an int: seed all its randomness with it, and nothing else.

    It is 0, or what --sg-track-seed says. Under --sg-track-samples=N the test runs with N seeds,
    and their results are its baseline; with five of them and more a run is compared with their
    spread, and one that looks worse is run again under four more seeds before it is called so.

    Raises:
        pytest.UsageError: neither the test nor one of its fixtures has it as an argument, or the
        test
            parametrizes it with what is no int.

    Examples:
        >>> import random
        >>> from tracking import Tracker
        >>> def test_training(tracker: Tracker, sg_seed: int) -> None:
        ...     noise = random.Random(sg_seed)
        ...     for step in range(10):
        ...         tracker.record("loss", 1 / (step + 1) + noise.gauss(0, 0.01), step)
    """
    seed = seed_of(request.node, first_seed(request.config))
    if seed is None:
        raise pytest.UsageError(
            f"{request.node.nodeid}: sg_seed has to be an argument of the test or of one of its"
            " fixtures, and an int where it is parametrized"
        )
    return seed


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
