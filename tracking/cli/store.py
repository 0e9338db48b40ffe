"""Which experiment a command is about, and reading it without changing it."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from tracking import ExperimentDBManager, TrackingError
from tracking.arguments import checked_experiment_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

_USUAL = "pytest"


@contextmanager
def reading(options: argparse.Namespace) -> Iterator[ExperimentDBManager]:
    """Give the experiment that --dir and --experiment name, for reading."""
    path = experiment_path(options.dir, options.experiment)
    with closing(ExperimentDBManager(path, is_read_only=True)) as db:
        yield db


@contextmanager
def writing(options: argparse.Namespace) -> Iterator[ExperimentDBManager]:
    """Give the experiment that --dir and --experiment name, for deleting in it."""
    with closing(ExperimentDBManager(experiment_path(options.dir, options.experiment))) as db:
        yield db


def experiment_path(folder: Path, name: str | None) -> Path:
    """Return the database of an experiment that is there.

    Raises:
        TrackingError: it is not, or nothing says which one is meant; lists those there are.
    """
    if not folder.is_dir():
        raise TrackingError(f"there is no folder {folder}; --dir names another one")
    names = sorted(path.stem for path in folder.glob("*.db"))
    if name is None and (_USUAL in names or len(names) == 1):
        name = _USUAL if _USUAL in names else names[0]
    found = name and checked_experiment_name(name)
    if found in names:
        return folder / f"{found}.db"
    there = f"there are {', '.join(names)}" if names else "there is none"
    if name is None and names:
        raise TrackingError(f"{folder} holds several experiments; --experiment chooses: {there}")
    missing = f"no experiment {name}" if name else "no experiment"
    raise TrackingError(f"{folder} holds {missing}; {there}")
