"""The environment of other tools, and the table of what recording costs in each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import venv
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.measure import ROOT, interleaved, median, process_cpu_s
from benchmarks.table import markdown
from tracking import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.measure import Lab

_REQUIREMENTS = ROOT / "benchmarks" / "requirements.txt"
_NEEDED = "import numpy, pytest, pytest_benchmark, pytest_regressions, tabulate"
_TIMEOUT_S = 300
_GRACE_S = 2  # for helper processes that outlive the killed one


class Tool(NamedTuple):
    """A tool that is measured.

    Attributes:
        module: of this package, which drives it.
        imports: the statement a user begins with.
        package: as it is installed; None for ours.
        n: how many records, fewer for slower ones.
    """

    module: str
    imports: str
    package: str | None
    n: int


_TOOLS = (
    Tool("with_tracking", "from tracking import Tracker", None, 100_000),
    Tool("with_trackio", "import trackio", "trackio", 20_000),
    Tool("with_tensorboardx", "from tensorboardX import SummaryWriter", "tensorboardX", 20_000),
    Tool("with_wandb", "import wandb", "wandb", 20_000),
    Tool("with_mlflow", "import mlflow", "mlflow-skinny", 1_000),
)
_HEADERS = (
    "tool",
    "import",
    "a record, to the caller",
    "records/s until readable",
    "bytes a record",
    "kept when killed (SIGKILL) after the last call",
)


def install(build: Path) -> None:
    """Make the environment; what cannot be installed is left out, and the table says so."""
    folder = build / "peers"
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True, symlinks=True)
    for requirement in _REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        if requirement and not requirement.startswith("#"):
            command = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", requirement]
            subprocess.run(command, check=False)


def python_of(build: Path) -> Path | None:
    """Return the environment's interpreter, None where it lacks what our plugin is compared to."""
    python = build / "peers" / "bin" / "python"
    if not python.exists():
        return None
    done = subprocess.run([python, "-c", _NEEDED], check=False, stderr=subprocess.DEVNULL)
    return python if done.returncode == 0 else None


def table(lab: Lab, build: Path) -> str:
    """Measure every tool in turns and lay out what each costs, as Markdown."""
    python = build / "peers" / "bin" / "python"
    tools = [tool for tool in _TOOLS if _version(python, tool)]
    rounds: dict[Tool, list[_Recorded]] = {tool: [] for tool in tools}
    for _ in range(lab.amount(3, 1)):
        for tool in tools:
            rounds[tool].append(_recorded(lab, python, tool))
    imports = _import_costs_s(lab, python, tools)
    cells = [
        (
            f"{tool.package or 'pytest-sgtrack'} {_version(python, tool)}",
            f"{1e3 * imports[tool]:.0f} ms",
            f"{1e6 * median(each.call_s for each in rounds[tool]):.2f} us",
            f"{median(each.per_s for each in rounds[tool]):,.0f}",
            f"{median(each.n_bytes for each in rounds[tool]):.0f}",
            _kept(lab, python, tool),
        )
        for tool in tools
    ]
    missing = [str(tool.package) for tool in _TOOLS if tool not in tools]
    warning = [f"**NOT MEASURED, because not installable: {', '.join(missing)}**"] * bool(missing)
    return "\n\n".join([*warning, markdown(cells, _HEADERS)])


def _version(python: Path, tool: Tool) -> str | None:
    if tool.package is None:
        return __version__
    script = f"{tool.imports}; import importlib.metadata as m; print(m.version({tool.package!r}))"
    done = subprocess.run(
        [python, "-c", script], check=False, capture_output=True, text=True, timeout=_TIMEOUT_S
    )
    return done.stdout.split()[-1] if done.returncode == 0 else None


class _Recorded(NamedTuple):
    call_s: float  # of one record
    per_s: float  # records per second, from opening the run until all are read back
    n_bytes: float  # of one record


def _recorded(lab: Lab, python: Path, tool: Tool) -> _Recorded:
    folder = lab.new_folder()
    n = lab.amount(tool.n, 100)
    found = _run(python, tool, "record", n, folder)
    if found["n"] != n:
        raise RuntimeError(f"{tool.module} gave back {found['n']} of {n} records")
    n_bytes = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
    return _Recorded(found["call_s"], n / found["s"], n_bytes / n)


def _kept(lab: Lab, python: Path, tool: Tool) -> str:
    folder = lab.new_folder()
    n = lab.amount(tool.n, 100)
    _run(python, tool, "die", n, folder)
    time.sleep(_GRACE_S)
    try:
        n_found = int(_run(python, tool, "count", n, folder)["n"])
    except RuntimeError:
        n_found = 0  # it left nothing that it could read itself
    return f"{n_found:,} of {n:,}"


def _run(python: Path, tool: Tool, what: str, n: int, folder: Path) -> dict[str, float]:
    command = [python, "-m", f"benchmarks.peers.{tool.module}", what, str(n), folder]
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
    )
    if done.returncode != (-signal.SIGKILL if what == "die" else 0):
        raise RuntimeError(f"{tool.module} {what} exited with {done.returncode}: {done.stderr}")
    return {} if what == "die" else dict(json.loads(done.stdout.splitlines()[-1]))


def _import_costs_s(lab: Lab, python: Path, tools: Sequence[Tool]) -> dict[Tool, float]:
    """Return what importing each adds to a bare start: processor time, in seconds."""
    folder = lab.new_folder()
    scripts = {"": "pass"} | {tool.module: tool.imports for tool in tools}
    sides = {name: partial(_start_s, python, script, folder) for name, script in scripts.items()}
    costs = interleaved(sides, lab.amount(7, 1))
    return {tool: median(costs[tool.module]) - median(costs[""]) for tool in tools}


def _start_s(python: Path, script: str, folder: Path) -> float:
    return process_cpu_s([python, "-c", script], folder, {"PYTHONPATH": str(ROOT)})
