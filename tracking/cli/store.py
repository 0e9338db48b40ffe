"""Which experiment a command is about, and reading it without changing it."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from tracking import ExperimentDBManager, TrackingError
from tracking.arguments import checked_experiment_name
from tracking.cli.options import STORE_VARIABLE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from tracking.postgres.address import Address
    from tracking.reading import ExperimentReader

_USUAL = "pytest"


@contextmanager
def reading(options: argparse.Namespace) -> Iterator[ExperimentDBManager]:
    """Give the experiment that --dir and --experiment name, for reading."""
    path = experiment_path(options.dir, options.experiment)
    with closing(ExperimentDBManager(path, is_read_only=True)) as db:
        yield db


@contextmanager
def reading_anywhere(options: argparse.Namespace) -> Iterator[ExperimentReader]:
    """Give the experiment that --store, --dir and --experiment name, for reading."""
    address = store_address(options)
    if address is None:
        with reading(options) as db:
            yield db
        return
    from tracking.postgres.experiments import StoredExperiments  # psycopg is an extra

    with closing(StoredExperiments(address, folder=options.dir)) as store:
        name = _chosen(options.experiment, store.names(), str(address))
        with closing(store.opened(name)) as db:
            yield db


def store_address(options: argparse.Namespace) -> Address | None:
    """Return the store that --store names; None where it is not given.

    Raises:
        TrackingError: it is none, or neither --store nor the environment says which.
    """
    if options.store is None:
        return None
    url = options.store or os.environ.get(STORE_VARIABLE)
    if not url:
        raise TrackingError(
            f"--store without a URL means the one that {STORE_VARIABLE} names, which is not set"
        )
    if "://" not in url:  # may hold a password all the same
        raise TrackingError(
            "--store is followed by something that is no URL; without one it stands behind all"
            " other arguments"
        )
    from tracking.postgres.address import Address  # psycopg is an extra

    return Address(url)


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
    checked = name and checked_experiment_name(name)
    return folder / f"{_chosen(checked, names, str(folder))}.db"


def _chosen(name: str | None, names: Collection[str], where: str) -> str:
    """Return the experiment of that name, else the usual or the only one."""
    if name is not None and name in names:
        return name
    if name is None and (_USUAL in names or len(names) == 1):
        return _USUAL if _USUAL in names else next(iter(names))
    there = f"there are {', '.join(names)}" if names else "there is none"
    if name is None and names:
        raise TrackingError(f"{where} holds several experiments; --experiment chooses: {there}")
    missing = f"no experiment {name}" if name else "no experiment"
    raise TrackingError(f"{where} holds {missing}; {there}")
