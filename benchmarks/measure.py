"""Costs measured side by side, and the rows they come to."""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Lab:
    """Where to measure, and how much.

    Attributes:
        folder: for everything that is written; removed afterwards.
        is_quick: whether it is about seeing that everything runs, not about the figures.
        peer_python: interpreter of the environment with other tools, None where there is none.
    """

    folder: Path
    is_quick: bool
    peer_python: Path | None

    def amount(self, full: int, quick: int) -> int:
        """Return one of two amounts."""
        return quick if self.is_quick else full

    def new_folder(self) -> Path:
        """Create an empty folder."""
        return Path(tempfile.mkdtemp(dir=self.folder))


class Estimate(NamedTuple):
    """Median and quartiles of a figure measured several times."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Estimate:
        """Sum up measurements; one alone is its own quartiles."""
        listed = sorted(values)
        if len(listed) == 1:
            return cls(*listed * 3)
        low, median, high = statistics.quantiles(listed, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: what is measured, and against what.
        measured: the figure that has a bound or serves as a reference; None when it could not be
            measured.
        unit: of `measured`.
        bound: the limit it has to keep, None for a line that is only there to be compared with.
        is_floor: whether the limit is the least that is wanted, not the most.
        figures: what the ratio is made of, with units; or why there is none.
        uncertainty: standard error of the median; one larger than half the bound says nothing.
    """

    what: str
    measured: Estimate | None
    figures: str
    bound: float | None = None
    unit: str = "x"
    is_floor: bool = False
    uncertainty: float = 0.0

    @property
    def verdict(self) -> str:
        """What measuring came to: reached, missed, why neither; empty where there is no bound."""
        if self.measured is None:
            return "NOT MEASURED"
        if self.bound is None:
            return ""
        if self.uncertainty > self.bound / 2:
            return "TOO NOISY"
        median = self.measured.median
        is_reached = median >= self.bound if self.is_floor else median <= self.bound
        return "reached" if is_reached else "missed"


def interleaved(
    sides: Mapping[str, Callable[[], float]], n_rounds: int
) -> dict[str, tuple[float, ...]]:
    """Measure several things in turns, so that whatever else the machine does meets all of them.

    Args:
        sides: functions that do something once and return what it cost.
        n_rounds: how often; every other round goes backwards.

    Returns:
        The costs of each, by round.
    """
    costs: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(n_rounds):
        for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
            costs[name].append(sides[name]())
    return {name: tuple(of_side) for name, of_side in costs.items()}


def ratio(costs: Sequence[float], of: Sequence[float]) -> Estimate:
    """Return how many times `of` the first costs are, from the ratios of each round."""
    return Estimate.of(a / b for a, b in zip(costs, of, strict=True))


def median(costs: Iterable[float], per: float = 1.0) -> float:
    """Return the median of costs, per piece."""
    return statistics.median(costs) / per


def cpu_s(action: Callable[[], object]) -> float:
    """Run an action and return the processor time of it, user and system, in seconds."""
    return _clocked(action, time.process_time)


def wall_s(action: Callable[[], object]) -> float:
    """Run an action and return how long it took, in seconds."""
    return _clocked(action, time.perf_counter)


def _clocked(action: Callable[[], object], clock: Callable[[], float]) -> float:
    gc.collect()  # what was allocated before is not to be collected at the expense of this
    start = clock()
    action()
    return clock() - start


@contextmanager
def collector_off() -> Iterator[None]:
    """Switch Python's garbage collector off, which lists of many tuples pay for and bytes don't."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def process_cpu_s(
    command: Sequence[str | Path],
    folder: Path,
    variables: Mapping[str, str] | None = None,
    accepted: Sequence[int] = (0,),
) -> float:
    """Run a process and return the processor time it and its children took, in seconds.

    Args:
        command: program and arguments.
        folder: where to run it.
        variables: of the environment, beside the usual ones.
        accepted: exit statuses that are no failure.

    Raises:
        RuntimeError: it failed; the message ends with what it printed.
    """
    keep = {name: value for name, value in os.environ.items() if not name.startswith(_DISTURBING)}
    with tempfile.TemporaryFile(dir=folder) as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env={**keep, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in accepted:
            output.seek(0)
            printed = output.read().decode(errors="replace")[-4000:]
            raise RuntimeError(f"{command} exited with {process.returncode}:\n{printed}")
    return usage.ru_utime + usage.ru_stime


# Settings of the caller that would change what is measured: pytest's, coverage's, Python's.
_DISTURBING = ("PYTEST_", "COV", "PYTHON", "CI")
