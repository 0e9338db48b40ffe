"""What tests of several folders use."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.forks import Forks
from tests.postgres.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shell has what it starts in the background ignore Ctrl-C, and children of that too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Starts processes that have imported everything already."""
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no interpreter measure coverage that is started from now on.

    To measure takes imports and files of its own, which some tests would take for ours.
    """
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server of our own, one for each process that runs tests."""
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def store(server: Server) -> Iterator[str]:
    """The URL of an empty database."""
    url = server.database()
    yield url
    server.drop(url)
