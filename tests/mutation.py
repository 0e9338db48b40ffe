"""Changes the decision, the journal and the statistics in every small way, and counts what goes by.

`tox -e mutation` runs it. A change that no test notices is a survivor; `mutmut show NAME` shows it.
What may be changed and which tests look stand in pyproject.toml.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEAST_KILLED = 0.9
"""Share of the mutants of each file that tests have to notice."""

_FAILED = (1, 3)  # what pytest ends with where a test fails, or pytest itself


def mutate(n_processes: int) -> None:
    """Make all mutants of the files anew and run the tests of each."""
    folder = ROOT / "mutants"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()  # now: Python does not look again into a folder of its path that was not there
    environment = {"PYTHONPATH": str(folder), "HYPOTHESIS_PROFILE": "mutation"}
    mutmut = Path(sys.executable).with_name("mutmut")
    command = [str(mutmut), "run", "--max-children", str(n_processes)]
    subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True)


def ends(path: str) -> dict[str, int | None]:
    """Return how the tests of each mutant of a file ended.

    It is the exit code of pytest, or minus the signal that ended it, as of what takes too long;
    None where no tests were run.
    """
    found = json.loads((ROOT / f"mutants/{path}.meta").read_text(encoding="utf-8"))
    codes: dict[str, int | None] = found["exit_code_by_key"]
    return codes


def is_noticed(code: int | None) -> bool:
    """Tell whether a mutant whose tests ended so has not gone by."""
    return code is not None and (code in _FAILED or code < 0)


def share_killed(path: str) -> float:
    """Tell what became of a file's mutants; returns how many of them were killed, from 0 to 1."""
    codes = ends(path)
    survivors = [name for name, code in codes.items() if not is_noticed(code)]
    n_failed = sum(code in _FAILED for code in codes.values())
    n_stopped = len(codes) - n_failed - len(survivors)
    share = 1 - len(survivors) / len(codes)
    sys.stdout.write("".join(f"  {name}\n" for name in survivors))
    sys.stdout.write(
        f"{path}: {len(codes)} mutants, {n_failed} failed a test, {n_stopped} hung or crashed,"
        f" {len(survivors)} survived: {share:.1%} killed\n"
    )
    return share


def main() -> int:
    """Run all of it; returns 1 where too many mutants of a file have survived."""
    mutate(int(sys.argv[1]) if len(sys.argv) > 1 else os.cpu_count() or 1)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shares = [share_killed(path) for path in settings["tool"]["mutmut"]["only_mutate"]]
    return 0 if min(shares) >= LEAST_KILLED else 1


if __name__ == "__main__":
    sys.exit(main())
