"""Pages of the Python API: which names stand on which; their docstrings say the rest."""

from __future__ import annotations

from enum import Enum

import tracking
from docs.generate.markdown import code

_PAGES = {
    "tracker": (
        "Tracker",
        "In tests the fixture [`tracker`](../fixtures.md) gives one, elsewhere it is made.",
        ("tracker", "bounds", "summary_writer", "environment"),
    ),
    "database": (
        "Experiments",
        "An experiment is one SQLite file.",
        ("experiment_db", "recovery", "journal", "pushing"),
    ),
    "values": ("Values", "What the calls take and return.", ("model",)),
    "reports": ("Reports", "Writing them from a program.", ("reporting",)),
    "graphs": ("Graphs", "The computation graph of a tensor, as JSON.", ("graph",)),
    "errors": (
        "Errors",
        "All but the warning are a `TrackingError`, and say what is wrong, why, and what to do.",
        ("errors",),
    ),
}


def pages() -> dict[str, str]:
    """Return the pages by name.

    Raises:
        LookupError: a public name has no page.
    """
    homes = {name: tracking._HOMES[name] for name in tracking.__all__ if name != "__version__"}
    listed = [home for _, _, modules in _PAGES.values() for home in modules]
    if without := sorted({*homes.values()} - {*listed}):
        raise LookupError(f"docs/generate/api.py: no page for the names of {', '.join(without)}")
    return {
        name: f"# {title}\n\n{about}\n\n" + "\n\n".join(_entries(homes, modules))
        for name, (title, about, modules) in _PAGES.items()
    }


def _entries(homes: dict[str, str], modules: tuple[str, ...]) -> list[str]:
    """Return what mkdocstrings replaces: names in the order of their modules, bases first."""
    found = [name for module in modules for name, home in homes.items() if home == module]
    if modules == ("errors",):
        found.sort(key=lambda name: (len(getattr(tracking, name).__mro__), name))
    return [_entry(name) for name in found]


def _entry(name: str) -> str:
    value = getattr(tracking, name)
    is_enum = isinstance(value, type) and issubclass(value, Enum)
    members = [code(str(member.value)) for member in value] if is_enum else []
    listed = f"\n\nMembers, by value: {', '.join(members)}." if members else ""
    return f"::: tracking.{name}{listed}"
