"""Bringing in what others recorded: TensorBoard, MLflow, the original tracker.

A source is only read. What it says of a run becomes an `ImportedRun`, and that goes into an
experiment as far as it is not there yet.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from tracking import schema
from tracking.arguments import checked_experiment_name
from tracking.connection import reading_foreign
from tracking.errors import InvalidArgumentError, NotAnExperimentError, StoreError
from tracking.importers import mlflow, original, tensorboard
from tracking.importers.event_file import is_event_file
from tracking.importers.model import Remark
from tracking.importers.store import ImportingDBManager, Known, Lack, lack_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracking.importers.model import ImportedRun

__all__ = ["Imported", "Kind", "Remark", "import_runs", "recognise"]


class Kind(StrEnum):
    """Who recorded a source."""

    TENSORBOARD = tensorboard.KIND
    MLFLOW = mlflow.KIND
    ORIGINAL = original.KIND


_READERS = {
    Kind.TENSORBOARD: tensorboard.read,
    Kind.MLFLOW: mlflow.read,
    Kind.ORIGINAL: original.read,
}


class Imported(NamedTuple):
    """What became of a run.

    Attributes:
        run: as its source has it.
        db_path: the experiment it belongs into.
        added: what the experiment lacked, and has now unless it was only asked.
    """

    run: ImportedRun
    db_path: Path
    added: Lack


def recognise(source: Path) -> Kind:
    """Tell by looking who recorded a source.

    Raises:
        NotAnExperimentError: nobody we know, or this library itself.
        StoreError: it is not there or cannot be read.
    """
    if not source.exists():
        raise StoreError(f"there is nothing at {source}; name what recorded the runs")
    if source.is_dir():
        return _recognise_folder(source)
    try:
        if is_event_file(source):
            return Kind.TENSORBOARD
    except OSError as error:
        raise StoreError(f"cannot read {source}: {error.strerror}") from error
    try:
        with reading_foreign(source) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            origin = schema.origin_of(connection)
    except NotAnExperimentError as error:
        raise NotAnExperimentError(f"{source} is {_EXPECTED}") from error
    if names >= mlflow.TABLES:
        return Kind.MLFLOW
    if origin is schema.Origin.THE_ORIGINAL:
        return Kind.ORIGINAL
    if origin is schema.Origin.US:
        raise NotAnExperimentError(
            f"{source} is an experiment of pytest-sgtrack already; put it into the folder as it is"
        )
    raise NotAnExperimentError(f"{source} is {_EXPECTED}")


_EXPECTED = "neither TensorBoard's, nor an SQLite store of MLflow or of the original tracker"


def _recognise_folder(source: Path) -> Kind:
    if any(tensorboard.event_files(source)):
        return Kind.TENSORBOARD
    hint = ""
    if (source / "mlflow.db").is_file():
        hint = f"; did you mean {source / 'mlflow.db'}?"
    elif any(source.glob("*/meta.yaml")):
        hint = "; files of MLflow become a store by `mlflow migrate-filestore`"
    raise NotAnExperimentError(f"no event file of TensorBoard lies below {source}{hint}")


def import_runs(
    source: Path,
    folder: Path,
    *,
    kind: Kind | None = None,
    experiment: str | None = None,
    is_dry_run: bool = False,
) -> Iterator[Imported | Remark]:
    """Bring in the runs of a source, one at a time; yields what became of each.

    What is there already is left alone, so that a second call completes what a first one began.

    Args:
        source: a folder of TensorBoard or one of its files, or a database; it is only read.
        folder: of the experiments; made if need be.
        kind: who recorded it; None to find out by looking.
        experiment: where all runs go; None for the experiments they come from, named as there.
        is_dry_run: only tell what would be added.

    Raises:
        InvalidArgumentError: `experiment` cannot name one, or is the source, or `source` is not of
            this `kind`.
        MissingDependencyError: the package that reads it is not installed.
        NotAnExperimentError: nobody can tell what the source is.
        StoreError: source or experiment cannot be used; what was yielded before is there.
    """
    found = recognise(source)
    if kind not in (None, found):
        raise InvalidArgumentError("kind", f"{source} is of the kind {found}, not {kind}")
    chosen = None if experiment is None else checked_experiment_name(experiment)
    with ExitStack() as opened:
        stores: dict[Path, ImportingDBManager] = {}
        for run in _READERS[found](source):
            if isinstance(run, Remark):
                yield run
                continue
            path = folder / f"{chosen or run.experiment}.db"
            if path not in stores:
                if path.exists() and path.samefile(source):
                    raise InvalidArgumentError(
                        "experiment", f"{path} is what would be imported; choose another name"
                    )
                db = ImportingDBManager(path, is_read_only=is_dry_run)
                stores[path] = opened.enter_context(closing(db))
            if not is_dry_run:
                added = stores[path].take(run)
            elif path.exists():
                added = stores[path].lack_of(run)
            else:
                added = lack_of(run, Known())
            yield Imported(run, path, added)
