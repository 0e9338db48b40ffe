"""Children that die, and what a store holds afterwards."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tracking
from tracking import ExperimentDBManager, recover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.forks import Fork, Forks
    from tracking import Recovery, RunInfo

_ENVIRONMENT = {
    "PYTHONPATH": str(Path(tracking.__file__).parents[1]),
    "PYTHONDONTWRITEBYTECODE": "1",
}
_NOT_INHERITED = ("CI", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST")
_DEADLINE_S = 60


class Children:
    """Starts Python processes, and ends those that are left over.

    A script is Python source; it finds its arguments in `sys.argv[1:]`. Most come from `forks`, and
    are no children of this process then; whatever else runs the interpreter, say strace, is one.
    """

    def __init__(self, forks: Forks) -> None:
        self._forks = forks
        self._started: list[subprocess.Popen[str] | Fork] = []

    def start(
        self, script: str, *arguments: object, prefix: Sequence[str] = (), **options: Any
    ) -> subprocess.Popen[str] | Fork:
        """Start a child whose stdin, stdout and stderr are pipes of text."""
        command = [*prefix, sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
        return self.start_command(command, **options)

    def start_command(self, command: Sequence[str], **options: Any) -> subprocess.Popen[str] | Fork:
        """Start any command likewise."""
        inherited = {name: os.environ[name] for name in os.environ if name not in _NOT_INHERITED}
        how = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | options
        how |= {"text": True, "env": inherited | _ENVIRONMENT | options.get("env", {})}
        if command[0] == sys.executable and command[1] in ("-c", "-m"):
            child = self._forks.start(command[1:], **how)
        else:
            child = subprocess.Popen(command, **how)
        self._started.append(child)
        return child

    def run(self, script: str, *arguments: object, **options: Any) -> str:
        """Run a child that has to end well; return what it printed."""
        child = self.start(script, *arguments, **options)
        stdout, stderr = child.communicate(timeout=_DEADLINE_S)
        assert (child.returncode, stderr) == (0, "")
        return stdout

    def end(self) -> None:
        """Kill what still runs, and close all pipes."""
        for child in self._started:
            with child:
                child.kill()


class Store:
    """The experiment `e` of a folder, seen from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "e.db"

    def segments(self) -> list[Path]:
        """Return the journal segments there are."""
        return sorted(self.folder.glob("e.journal/*.segment"))

    def recover(self) -> Recovery:
        """Do what the next opener does."""
        with closing(ExperimentDBManager(self.path)) as db:
            return recover(db)

    def runs(self) -> list[RunInfo]:
        """Return all runs, the oldest first, without changing anything."""
        with closing(ExperimentDBManager(self.path, is_read_only=True)) as db:
            return db.get_all_runs()[::-1]

    def run(self) -> RunInfo:
        """Return the only run."""
        (run,) = self.runs()
        return run

    def records(self, name: str = "loss") -> list[tuple[int, float]]:
        """Return steps and values of a metric, of all runs in their order."""
        with closing(ExperimentDBManager(self.path, is_read_only=True)) as db:
            return [
                (record.step, record.value)
                for run in self.runs()
                for record in db.get_records(run.run_id, name)
            ]

    def check(self) -> None:
        """Fail unless the database is sound and nothing was found damaged."""
        with closing(sqlite3.connect(self.path)) as connection:
            assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            orphans = "SELECT run_id FROM records EXCEPT SELECT id FROM runs"
            assert connection.execute(orphans).fetchall() == []
        assert list(self.folder.rglob("*.damaged")) == []
        assert list(self.folder.glob("*.corrupt-*")) == []


@pytest.fixture
def children(forks: Forks) -> Iterator[Children]:
    """Starts processes, which end with the test."""
    children = Children(forks)
    yield children
    children.end()


@pytest.fixture
def store_in() -> Callable[[Path], Store]:
    """Looks at the experiment `e` of a folder."""
    return Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The experiment `e` of the test's folder; nothing is there yet."""
    return Store(tmp_path)


@pytest.fixture
def figure(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], None]:
    """Shows what a slow test has counted, for the documents to quote."""

    def show(text: str) -> None:
        if request.node.get_closest_marker("slow"):
            with capsys.disabled():
                sys.stdout.write(f"\n{text}\n")

    return show


@pytest.fixture(scope="session")
def strace() -> str:
    """Path of strace, without which a test of it fails: left out, it would go unnoticed."""
    path = shutil.which("strace")
    if path is None:
        pytest.fail("strace is not there; `apt-get install strace` installs it")
    return path
