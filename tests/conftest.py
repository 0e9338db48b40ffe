"""What tests of several folders use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.forks import Forks
from tests.postgres.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Starts processes that have imported everything already."""
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server of our own, one for each process that runs tests."""
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def store(server: Server) -> str:
    """The URL of an empty database."""
    return server.database()
