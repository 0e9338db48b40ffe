"""What `import tracking` costs, over importing sqlite3."""

from __future__ import annotations

import sys

from benchmarks.measure import ROOT, Estimate, Lab, Row, interleaved, median, process_cpu_s

_BOUND = 3.0
# Isolated, and without site: what the .pth files of an environment import would hide costs. What
# site itself imports in any interpreter is there.
_BARE = f"import os, site, sys; sys.path.insert(0, {str(ROOT)!r})"
_SCRIPTS = {
    "bare": _BARE,
    "sqlite3": f"{_BARE}; import sqlite3",
    "tracking": f"{_BARE}; import tracking",
    "Tracker": f"{_BARE}; from tracking import Tracker",
}
_NO_NUMPY = "; assert 'numpy' not in sys.modules, 'numpy was imported'"


def rows(lab: Lab) -> list[Row]:
    """Measure fresh interpreters, with a bare one's start taken off."""
    folder = lab.new_folder()

    def start_s(script: str) -> float:
        return process_cpu_s([sys.executable, "-I", "-S", "-c", script], folder)

    for script in _SCRIPTS.values():
        start_s(script + _NO_NUMPY)  # compiles too, and fills the file system's cache
    sides = {name: lambda script=script: start_s(script) for name, script in _SCRIPTS.items()}
    costs = interleaved(sides, lab.amount(31, 1))
    added = {
        name: [cost - bare for cost, bare in zip(of_side, costs["bare"], strict=True)]
        for name, of_side in costs.items()
    }
    sqlite3_s = median(added["sqlite3"])

    def row(what: str, name: str, bound: float | None) -> Row:
        return Row(
            f"{what}, over import sqlite3, in fresh interpreters (numpy not imported)",
            Estimate.of(cost / sqlite3_s for cost in added[name]),
            f"{1e3 * median(added[name]):.1f} against {1e3 * sqlite3_s:.1f} ms",
            bound,
        )

    return [
        row("import tracking", "tracking", _BOUND),
        row("from tracking import Tracker, all its modules", "Tracker", _BOUND),
    ]
