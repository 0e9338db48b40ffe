"""Real sessions of pytest, which come to the same however they are run."""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pytest

from benchmarks.bounds import Row
from benchmarks.gate_training import FAULTS, save_data
from benchmarks.sessions import new_project
from tracking import ExperimentDBManager

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FIRST_SEED = 1_000_000
"""Of what is compared: no baseline has one as large."""

_CONFTEST = """\
import random

def pytest_addoption(parser):
    parser.addoption("--fault", default="")
    parser.addoption("--killed", default="")
    parser.addoption("--order", type=int)

def pytest_collection_modifyitems(config, items):
    if config.getoption("order") is not None:
        random.Random(config.getoption("order")).shuffle(items)
"""
_TESTS = """\
import os
import signal
from pathlib import Path

import pytest
from benchmarks.gate_training import RECIPES, broken, load_data, train

@pytest.mark.parametrize("name", {names})
def test_training(name, tracker, sg_seed, pytestconfig):
    recipe = broken(RECIPES[name], pytestconfig.getoption("fault"))
    train(recipe, load_data(Path(__file__).with_name(recipe.data + ".npz")), sg_seed, tracker)
    if pytestconfig.getoption("killed") == name:
        os.kill(os.getpid(), signal.SIGKILL)
"""
_PYTEST = ("-q", "-p", "no:cacheprovider", "-p", "pytest_sgtrack.plugin", "--sg-track")
_XDIST = ("-p", "xdist", "-n")
_STATUSES = (0, 1)  # of pytest that are no accident: all green, some red
_DISTURBING = ("PYTEST_", "COV", "CI")  # settings of the caller that sessions must not see
_SEEDS_APART = 10  # of two sessions: confirming runs of the first one take the seeds that follow


class Outcome(NamedTuple):
    """What a session came to.

    Attributes:
        is_red: whether a test failed.
        verdicts: of each recipe's test; how its process ended where there is no verdict.
        pending: the file of what somebody has to decide on; empty where there is none.
        n_confirming: how many runs of fresh seeds there were.
    """

    is_red: bool
    verdicts: dict[str, str]
    pending: str
    n_confirming: int


@dataclass(frozen=True)
class Project:
    """A project with a training test for each of some recipes.

    Attributes:
        folder: where it is.
        names: of the recipes.
        n_samples: how many its baselines have.
    """

    folder: Path
    names: tuple[str, ...]
    n_samples: int

    @classmethod
    def new(cls, folder: Path, names: tuple[str, ...], n_samples: int) -> Project:
        """Write the project."""
        new_project(folder, conftest=_CONFTEST, test_training=_TESTS.format(names=names))
        save_data(folder)
        return cls(folder, names, n_samples)

    def collect(self, seed: int) -> None:
        """Make new baselines, of seeds from `seed` on."""
        shutil.rmtree(self.folder / "__baselines__", ignore_errors=True)
        self._pytest(f"--sg-track-samples={self.n_samples}", f"--sg-track-seed={seed}")

    def run(self, number: int, *arguments: str) -> Outcome:
        """Compare with the baselines under a seed that belongs to this number alone."""
        shutil.rmtree(self.folder / "experiments", ignore_errors=True)
        seed = FIRST_SEED + _SEEDS_APART * number
        status = self._pytest(f"--sg-track-seed={seed}", *arguments)
        experiments = self.folder / "experiments"
        with closing(ExperimentDBManager(experiments / "pytest.db")) as db:
            runs = db.get_all_runs()
        ends = {run.name: str(run.verdict or run.ended_by) for run in reversed(runs)}
        ends |= {run.name: str(run.verdict) for run in runs if run.verdict}
        pending = experiments / "pytest.pending.json"
        return Outcome(
            status == 1,
            {name.partition("[")[2].rstrip("]"): end for name, end in ends.items()},
            pending.read_text(encoding="utf-8") if pending.exists() else "",
            len(runs) - len(ends),
        )

    def _pytest(self, *arguments: str) -> int:
        # In a fork: what a session imports, it has, and that is most of its time.
        fork = multiprocessing.get_context("fork")
        process = fork.Process(target=_forked, args=(self.folder, (*_PYTEST, *arguments)))
        process.start()
        process.join()
        if process.exitcode not in _STATUSES:
            printed = (self.folder / "output").read_text(encoding="utf-8")[-4000:]
            raise RuntimeError(f"pytest {arguments} exited with {process.exitcode}:\n{printed}")
        return int(process.exitcode)


def _forked(folder: Path, arguments: Sequence[str]) -> None:
    gc.freeze()  # pytest collects garbage when it ends, and would go through all that is inherited
    with (folder / "output").open("w", encoding="utf-8") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    for name in [name for name in os.environ if name.startswith(_DISTURBING)]:
        del os.environ[name]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.chdir(folder)
    sys.exit(int(pytest.main(list(arguments))))


def same_verdicts(project: Project, is_quick: bool) -> list[Row]:
    """Run sessions in several ways, which have to come to the same."""
    project.collect(0)
    cases: list[tuple[str, ...]] = [
        (f"--fault={fault}",) for fault in list(FAULTS)[: 1 if is_quick else 5]
    ]
    if not is_quick:
        cases += [(), ("--sg-track-seed=0",)]
    n_different = dict.fromkeys(("spread", "shuffled", "killed"), 0)
    n_died = 0
    n_workers = "2" if is_quick else "4"
    for number, case in enumerate(cases):
        usual = project.run(number, *case, *_XDIST, "0")
        dying = project.names[number % len(project.names)]
        spread = project.run(number, *case, *_XDIST, n_workers)
        shuffled = project.run(number, *case, f"--order={number}")
        broken_off = project.run(number, *case, *_XDIST, n_workers, f"--killed={dying}")
        n_different["spread"] += _n_different(usual, spread) + (usual.pending != spread.pending)
        n_different["shuffled"] += _n_different(usual, shuffled)
        n_different["shuffled"] += usual.pending != shuffled.pending
        n_different["killed"] += _n_different(usual, broken_off, dying)
        n_died += broken_off.is_red and broken_off.verdicts.get(dying) == "crashed"
    n = len(cases) * len(project.names)
    many = f"-n {n_workers}"
    compared = (
        (f"verdicts at {many} against -n 0, and what is pending", "spread", n + len(cases)),
        ("verdicts in shuffled order, and what is pending", "shuffled", n + len(cases)),
        (f"verdicts at {many} with a worker killed in a test: others", "killed", n - len(cases)),
    )
    return [
        *(
            Row(what, "the same", f"{n_different[way]} of {number} differ", n_different[way] == 0)
            for what, way, number in compared
        ),
        Row(
            f"verdicts at {many} with a worker killed in a test: that test",
            "red, crashed",
            f"{n_died} of {len(cases)}",
            n_died == len(cases),
        ),
    ]


def _n_different(one: Outcome, other: Outcome, without: str = "") -> int:
    names = {*one.verdicts, *other.verdicts} - {without}
    return sum(one.verdicts.get(name) != other.verdicts.get(name) for name in names)
