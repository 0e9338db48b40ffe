"""Suites of other projects, with our plugin and without: `python -m benchmarks.company [NAME ...]`.

Each project gets an environment of its own. Its suite runs in turns with our plugin not installed,
installed, and installed with --sg-track; every phase of every test has to end the same, and no file
may be left that is not left without us. Exits with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import ROOT, interleaved, process_cpu_s, ratio
from benchmarks.table import machine, markdown

_BUILD = ROOT / "build" / "company"
_SIDES = {"none": [], "off": [], "on": ["--sg-track"]}
_OURS = ("numpy", "tabulate")  # what installing our plugin brings, so that switching is quick
_PASSING = (".pytest_cache", "__pycache__")  # left by pytest and Python
_HEADERS = ("suite", "tests", "end or leave otherwise", "time, plugin off", "time, --sg-track")


class Project(NamedTuple):
    """A project whose tests come from a package index.

    Attributes:
        name: as it is installed.
        version: the one that is run.
        arguments: of pytest.
        needs: what its tests import beside it.
        is_source: whether its tests are in its sdist and run there; else in what is installed.
        n_rounds: how often each side runs.
        ways: ways to run it, as further arguments.
    """

    name: str
    version: str
    arguments: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    is_source: bool = False
    n_rounds: int = 1
    ways: tuple[str, ...] = ("",)


_BOTH = ("", "-n2")
_PROJECTS = (
    Project("numpy", "2.4.6", ("--pyargs", "numpy.linalg"), ("hypothesis",)),
    Project(
        "scikit-learn", "1.9.1", ("--pyargs", "sklearn.tree"), ("pytest-xdist",), False, 3, _BOTH
    ),
    Project(
        "networkx",
        "3.6.1",
        ("--pyargs", "networkx.algorithms.tests", "networkx.classes"),
        ("pytest-xdist",),
        ways=_BOTH,
    ),
    Project("attrs", "26.1.0", (), ("cloudpickle", "hypothesis", "pympler"), True),
    Project("pytest-mock", "3.17.0", (), ("pytest-asyncio",), True, 3),
    Project("pytest-timeout", "2.4.0", (), ("ipdb", "pexpect", "pytest-cov"), True),
    Project("pytest-rerunfailures", "16.7", (), ("pytest-xdist",), True),
    Project("pytest-xdist", "3.8.0", (), ("filelock",), True),
)


class Place(NamedTuple):
    """Where a project is tested: its environment, and its tests where they come with the sdist."""

    python: Path
    source: Path | None

    def pip(self, *arguments: str | Path) -> None:
        """Run pip there."""
        command = [self.python, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments]
        subprocess.run(command, check=True)

    def files(self) -> set[str]:
        """Return what is in the environment."""
        return _files(self.python.parent.parent)


class Ended(NamedTuple):
    """What a session came to: a line for each phase of a test, and the files that it left."""

    outcomes: frozenset[str]
    left: frozenset[str]

    def differences(self, other: Ended) -> list[str]:
        """Return what ended otherwise or was left in one of two only; `+` is the other's."""
        mine, theirs = self.outcomes | self.left, other.outcomes | other.left
        return [f"- {one}" for one in sorted(mine - theirs)] + [
            f"+ {one}" for one in sorted(theirs - mine)
        ]


def main() -> int:
    """Run the suites that the command line names, by default all; print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.company")
    known = {project.name: project for project in _PROJECTS}
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(known)}")
    names = parser.parse_args().names or list(known)
    if unknown := set(names) - known.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    _BUILD.mkdir(parents=True, exist_ok=True)
    wheel = _wheel()
    cells = []
    for name in names:
        place = _installed(known[name])
        for way in known[name].ways:
            cells.append(_row(known[name], way, place, wheel))
            print("...", *cells[-1], sep="  ", file=sys.stderr, flush=True)
    print(f"{machine(_BUILD)}\n\n{markdown(cells, _HEADERS)}")
    return int(any(differing != "0" for _, _, differing, _, _ in cells))


def _wheel() -> Path:
    shutil.rmtree(_BUILD / "dist", ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", _BUILD / "dist"]
    subprocess.run(command, cwd=ROOT, check=True)
    (wheel,) = (_BUILD / "dist").glob("*.whl")
    return wheel


def _installed(project: Project) -> Place:
    folder = _BUILD / f"{project.name}-{project.version}"
    requirement = f"{project.name}=={project.version}"
    place = Place(folder / "bin" / "python", folder / "source" if project.is_source else None)
    if not place.python.exists():
        venv.create(folder, with_pip=True, symlinks=True)
    place.pip("install", requirement, "pytest>=9,<10", *_OURS, *project.needs)
    if place.source is not None and not place.source.exists():
        with tempfile.TemporaryDirectory(dir=_BUILD) as download:
            only_source = ("--no-deps", "--no-binary", project.name)
            place.pip("download", *only_source, "--dest", download, requirement)
            (sdist,) = Path(download).glob("*.tar.gz")
            with tarfile.open(sdist) as content:
                content.extractall(download, filter="data")
            (source,) = (one for one in Path(download).iterdir() if one.is_dir())
            source.rename(place.source)
    return place


def _row(project: Project, way: str, place: Place, wheel: Path) -> tuple[str, ...]:
    ended: list[tuple[str, Ended]] = []

    def run(side: str) -> float:
        cost, found = _session(project, [*way.split(), *_SIDES[side]], place)
        ended.append((side, found))
        return cost

    def switched(side: str) -> float:
        if side == "none":
            place.pip("uninstall", "--yes", "pytest-sgtrack")
        else:
            place.pip("install", "--no-deps", "--force-reinstall", wheel)
        return run(side)

    costs = interleaved({side: partial(switched, side) for side in _SIDES}, project.n_rounds)
    _, without = ended[0]
    differing = set()
    for side, found in ended[1:]:
        for line in without.differences(found):
            print(f"{project.name} {way} {side}: {line}", file=sys.stderr)
            differing.add(line[2:])
    n_tests = len({outcome.partition("\t")[0] for outcome in without.outcomes})
    return (
        f"{project.name} {project.version} {way} {' '.join(project.arguments)}".strip(),
        f"{n_tests:,}",
        f"{len(differing):,}",
        *(f"{ratio(costs[side], costs['none']).median:.2f}x" for side in ("off", "on")),
    )


def _session(project: Project, more: list[str], place: Place) -> tuple[float, Ended]:
    """Run a suite in a new folder; returns its processor time in seconds, and what it came to."""
    with tempfile.TemporaryDirectory(dir=_BUILD, prefix="run-") as name:
        folder = Path(name)
        where = folder / "project"
        if place.source is None:
            where.mkdir()
        else:
            shutil.copytree(place.source, where)
        for made in ("listener", "tmp"):
            (folder / made).mkdir()
        shutil.copy(Path(__file__).with_name("outcomes.py"), folder / "listener")
        before = place.files() | _files(where)
        outcomes = folder / "outcomes.txt"
        cost = process_cpu_s(
            [place.python, "-m", "pytest", "-p", "outcomes", *more, *project.arguments],
            where,
            {
                "OUTCOMES": str(outcomes),
                "PYTHONPATH": str(folder / "listener"),
                "TMPDIR": str(folder / "tmp"),
            },
            accepted=(0, 1),
        )
        left = (place.files() | _files(where)) - before
        lines = outcomes.read_text(encoding="utf-8").splitlines()
        return cost, Ended(frozenset(lines), frozenset(left))


def _files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not set(_PASSING) & set(path.relative_to(folder).parts)
    }


if __name__ == "__main__":
    sys.exit(main())
