"""What tests of several folders use."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.forks import Forks
from tests.postgres.server import Server
from tracking import Tracker, cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


@pytest.fixture
def sgtrack(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command; gives its exit code, what it printed and what it complained of."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = cli.main([str(one) for one in arguments])
        except SystemExit as left:
            code = left.code
        return code, *capsys.readouterr()

    return run


def record_run(
    folder: Path | str,
    name: str,
    series: dict[str, list[float]] | None = None,
    *,
    experiment: str = "pytest",
    config: dict[str, object] | None = None,
    end: dict[str, object] | None = None,
    do: Callable[[Tracker], None] | None = None,
    **more: object,
) -> int:
    """Record a run of series by metric, from its start to its end; returns its number.

    Args:
        folder: of the experiments.
        name: of the run.
        series: values by metric; two of a loss by default.
        experiment: name of the experiment.
        config: of the run.
        end: what `end_run` is told.
        do: what else is to be done while it runs.
        more: what `start_run` is told.
    """
    tracker = Tracker(folder)
    tracker.set_experiment(experiment)
    run_id = tracker.start_run(name, config, **more)
    for metric, values in (series or {"loss": [1.0, 0.5]}).items():
        for step, value in enumerate(values):
            tracker.record(metric, value, step)
    if do is not None:
        do(tracker)
    tracker.end_run(**(end or {}))
    tracker.close()
    return run_id
