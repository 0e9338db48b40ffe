"""What tests of several folders need."""

from __future__ import annotations

import pytest

from tests.postgres.server import Server


@pytest.fixture(scope="session")
def server():
    """A PostgreSQL server of our own, one for each process that runs tests."""
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def store(server):
    """The URL of an empty database."""
    return server.database()
