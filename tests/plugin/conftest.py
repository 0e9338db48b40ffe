"""A project of its own for each test, whose pytest runs in a subprocess."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

# `sgtrack` runs in this process, which forgets after each test of pytester what that has imported:
# numpy would be imported anew, and cannot be.
import numpy  # noqa: F401, ICN001
import pytest

from tracking import Tracker, cli

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.forks import Forks


WAYS = {"no-xdist": (), "n0": ("-p", "xdist", "-n0"), "n2": ("-p", "xdist", "-n2")}
"""Ways to run that have to come to the same."""

# Warnings are errors in the inner sessions too. Plugins are named, by their entry points: to load
# whatever else is installed would cost each session a third of its time.
_ALWAYS = ("-Werror", "-p", "sgtrack", "-p", "no:cacheprovider")


@dataclass(frozen=True)
class StoredRun:
    """A run read back from the database, without what differs from session to session."""

    name: str
    config: dict[str, Any]
    end: tuple[str | None, ...]  # status, outcome, phase, ended_by
    verdict: str | None
    parent: str | None  # its name
    series: dict[str, list[tuple[int, float]]]
    summary: dict[str, dict[str, Any]]


class Project:
    """A folder with tests in it, and what pytest does there."""

    def __init__(
        self,
        pytester: pytest.Pytester,
        monkeypatch: pytest.MonkeyPatch,
        known_baselines: dict[object, dict[str, bytes]],
        forks: Forks,
    ) -> None:
        self._pytester = pytester
        self._forks = forks
        self._n_sessions = 0
        self._monkeypatch = monkeypatch
        self._known_baselines = known_baselines
        self.path = pytester.path
        for name in ("CI", "PYTEST_ADDOPTS", "PYTHONHASHSEED", "SGTRACK_STORE"):
            monkeypatch.delenv(name, raising=False)
        self.ini()

    def ini(self, *lines: str) -> Project:
        """Write the settings of the project's pytest."""
        (self.path / "pytest.ini").write_text("\n".join(["[pytest]", *lines, ""]))
        return self

    def write(self, text: str, path: str = "test_it.py") -> Project:
        """Write a file, by default the project's only module of tests."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return self

    def pytest(
        self,
        *arguments: str,
        way: str = "no-xdist",
        folder: str = ".",
        new: bool = False,
        **environment: str,
    ) -> pytest.RunResult:
        """Run pytest, in `folder`, with these variables added to the environment.

        In a `new` interpreter nothing is imported yet.
        """
        with self._inside(folder, environment):
            if new:
                return self._pytester.runpytest_subprocess(*_ALWAYS, *WAYS[way], *arguments)
            said = self.path / f"runpytest-{self._n_sessions}"
            self._n_sessions += 1
            said.mkdir()
            own = (f"--basetemp={said / 'basetemp'}", *_ALWAYS, *WAYS[way])
            return self._fork((*own, *arguments), said)

    def _fork(self, arguments: Sequence[str], said: Path) -> pytest.RunResult:
        """Run pytest here, where nothing has to be imported; `said` is where its output goes."""
        start = time.monotonic()
        paths = said / "stdout", said / "stderr"
        with paths[0].open("w") as output, paths[1].open("w") as errors:
            streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": errors}
            code = self._forks.start(["-m", "pytest", *arguments], **streams).wait()
        texts = [path.read_text(encoding="utf-8") for path in paths]
        for text in texts:  # for who looks for the cause of a failure
            sys.stdout.write(text)
        return pytest.RunResult(code, *map(str.splitlines, texts), time.monotonic() - start)

    @contextlib.contextmanager
    def _inside(self, folder: str, environment: dict[str, str]) -> Iterator[None]:
        with self._monkeypatch.context() as patch:
            patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.chdir(self.path / folder)
            yield

    def track(self, *arguments: str, **how: str) -> pytest.RunResult:
        """Run pytest with --sg-track."""
        return self.pytest("--sg-track", *arguments, **how)

    def accept(self, *arguments: str, **how: str) -> Project:
        """Write the baselines of all tests, which have to pass."""
        assert self.track("--sg-track-update=all", *arguments, **how).ret == 0
        return self

    def accepted(self, update: str = "--sg-track-update=all") -> Project:
        """Have all baselines, written once for all tests that have the same modules."""
        modules = sorted(self.path.rglob("*.py"))
        texts = {str(path.relative_to(self.path)): path.read_text() for path in modules}
        key = (update, *texts.items())
        if key not in self._known_baselines:
            assert self.track(update).ret == 0
            self._known_baselines[key] = self.baselines()
            self.forget()
        for path, content in self._known_baselines[key].items():
            (self.path / path).parent.mkdir(exist_ok=True)
            (self.path / path).write_bytes(content)
        return self

    def sgtrack(self, *arguments: str, folder: str = ".") -> tuple[int, list[str]]:
        """Run the command `sgtrack`; returns its exit code and the lines it said."""
        said = io.StringIO()
        with (
            self._inside(folder, {}),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            code = cli.main(arguments)
        return code, said.getvalue().splitlines()

    def pending(self) -> dict[str, dict[str, str]]:
        """Return what is pending: what each metric did, by node id."""
        path = self.path / "experiments/pytest.pending.json"
        files = json.loads(path.read_text())["baselines"].values() if path.exists() else ()
        return {test["test"]: test["kinds"] for file in files for test in file.values()}

    def seeds(self, path: str = "__baselines__/test_it.json") -> dict[str, list[int | None]]:
        """Return the seeds of the samples of each test in a baseline file."""
        tests = json.loads((self.path / path).read_text())["tests"]
        return {key: [one["seed"] for one in entry["samples"]] for key, entry in tests.items()}

    def stored(self, folder: str = "experiments", experiment: str = "pytest") -> list[StoredRun]:
        """Return what was recorded, the oldest run first."""
        assert (self.path / folder / f"{experiment}.db").is_file()
        tracker = Tracker(self.path / folder)
        tracker.set_experiment(experiment)
        infos = tracker.get_all_runs()[::-1]
        names = {info.uuid: info.name for info in infos}
        runs = [
            StoredRun(
                info.name,
                info.config,
                (info.status, info.outcome, info.phase, info.ended_by),
                info.verdict,
                names.get(info.parent),
                {
                    name: [(record.step, record.value) for record in records]
                    for name, records in tracker.get_results(info.run_id).items()
                },
                tracker.summary(info.run_id),
            )
            for info in infos
        ]
        tracker.close()
        return runs

    def runs(self, **where: str) -> dict[str, StoredRun]:
        """Return what was recorded, by node id; of several runs of one test, the newest."""
        return {run.name: run for run in self.stored(**where)}

    def forget(self, *, baselines: bool = True) -> None:
        """Remove what was recorded and, if asked, the baselines."""
        shutil.rmtree(self.path / "experiments")
        for folder in list(self.path.rglob("__baselines__")) if baselines else ():
            shutil.rmtree(folder)

    def baselines(self) -> dict[str, bytes]:
        """Return every baseline file, by path."""
        files = sorted(self.path.rglob("__baselines__/*"))
        return {path.relative_to(self.path).as_posix(): path.read_bytes() for path in files}

    def entries(self, path: str = "__baselines__/test_it.json") -> dict[str, set[str]]:
        """Return the names of the metrics of each test in a baseline file."""
        tests = json.loads((self.path / path).read_text())["tests"]
        return {
            key: {name for sample in entry["samples"] for name in sample["metrics"]}
            for key, entry in tests.items()
        }


@pytest.fixture
def project(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    known_baselines: dict[object, dict[str, bytes]],
    forks: Forks,
) -> Project:
    """A folder without tests."""
    return Project(pytester, monkeypatch, known_baselines, forks)


_LOSS_TEST = """
    import os

    def test_train(tracker):
        for step in range(5):
            tracker.record("loss", float(os.environ.get("LOSS", "1")), step)
"""


@pytest.fixture(scope="session")
def known_baselines() -> dict[object, dict[str, bytes]]:
    """Baselines that tests have had written, so that it happens once."""
    return {}


@pytest.fixture
def trained(project: Project) -> Project:
    """A project with one test, accepted at a loss of 1; the variable LOSS makes it another."""
    return project.write(_LOSS_TEST).accepted()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Each way to run pytest, for `Project.pytest`."""
    name: str = request.param
    if name != "no-xdist":
        pytest.importorskip("xdist")
    return name
