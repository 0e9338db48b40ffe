"""What tests of the core use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Tracker]:
    """A tracker of the experiment e in the test's folder."""
    tracker = Tracker(tmp_path)
    tracker.set_experiment("e")
    yield tracker
    tracker.close()
