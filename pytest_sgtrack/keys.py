"""Where our state hangs on pytest's objects, found by type and never by a fixture's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_sgtrack.gate import TestResult
    from pytest_sgtrack.session import SessionPlugin
    from pytest_sgtrack.tracked import TrackedTest

SESSION: pytest.StashKey[SessionPlugin] = pytest.StashKey()
"""On the config, while tracking is on."""

FRESH_SEED: pytest.StashKey[int] = pytest.StashKey()
"""On a copy of an item that confirms a suspect: its seed."""

ATTEMPTS: pytest.StashKey[list[str]] = pytest.StashKey()
"""On an item: what its earlier attempts came to."""

LEFT: pytest.StashKey[TestResult] = pytest.StashKey()
"""On an item that has a baseline and does not use the tracker: what that comes to."""

TEST: pytest.StashKey[TrackedTest] = pytest.StashKey()
"""On an item whose present attempt uses the tracker."""
