"""How often the gate is wrong, and what it catches.

    python -m benchmarks.gate [--quick] [--write docs/gate.md]

The exit status of a full run says whether every bound is reached.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks import bounds, gate_simulation
from benchmarks.gate_faults import real_training
from benchmarks.gate_sessions import Project, same_verdicts
from benchmarks.gate_training import RECIPES

if TYPE_CHECKING:
    from pathlib import Path


def rows(folder: Path, is_quick: bool) -> list[bounds.Row]:
    """Simulate, and run sessions."""
    names, n_samples = (tuple(RECIPES)[-2:], 5) if is_quick else (tuple(RECIPES), 10)
    project = Project.new(folder / "project", names, n_samples)
    return [
        *gate_simulation.rows(is_quick),
        *same_verdicts(project, is_quick),
        *real_training(project, is_quick),
    ]


if __name__ == "__main__":
    sys.exit(bounds.run("python -m benchmarks.gate", __doc__, rows))
