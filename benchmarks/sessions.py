"""Sessions of pytest over one generated test module, and what they cost."""

from __future__ import annotations

import pstats
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import ROOT, process_cpu_s

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Session:
    """A project of one test module, and how pytest is called on it.

    Attributes:
        folder: the project.
        python: interpreter to run it with.
        arguments: of pytest.
        leftovers: what a session writes and the next one must not find, inside the folder.
    """

    folder: Path
    python: str | Path
    arguments: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()

    def run_s(self, *, is_green: bool = True) -> float:
        """Run it once; return the processor time it took, in seconds.

        Args:
            is_green: whether its tests are to pass; else they may fail.

        Raises:
            RuntimeError: a test failed, or pytest itself.
        """
        return self._run_s([], (0,) if is_green else (0, 1))

    def n_calls(self) -> int:
        """Run it once under cProfile; return how many functions were called."""
        counts = self.folder / "calls"
        self._run_s(["-m", "cProfile", "-o", counts], (0,))
        return int(pstats.Stats(str(counts)).total_calls)  # type: ignore[attr-defined]

    def _run_s(self, profiler: list[str | Path], accepted: tuple[int, ...]) -> float:
        for name in self.leftovers:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        command = [self.python, *profiler, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        # Plugins are named, so that whatever else an environment has installed stays out of it.
        variables = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
        return process_cpu_s([*command, *self.arguments], self.folder, variables, accepted)


def new_project(folder: Path, **files: str) -> Path:
    """Write a project: the text of each Python file, by its name."""
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder
