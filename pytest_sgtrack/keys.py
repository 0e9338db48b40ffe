"""Where our state hangs on pytest's objects, found by type and never by a fixture's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_sgtrack.session import SessionPlugin
    from pytest_sgtrack.tracked import TrackedTest

SESSION: pytest.StashKey[SessionPlugin] = pytest.StashKey()
"""On the config, while tracking is on."""

TEST: pytest.StashKey[TrackedTest] = pytest.StashKey()
"""On an item whose present attempt uses the tracker."""
