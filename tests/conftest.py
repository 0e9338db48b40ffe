"""What tests of several folders use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.forks import Forks

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Starts processes that have imported everything already."""
    forks = Forks()
    yield forks
    forks.close()
