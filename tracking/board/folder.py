"""The experiments of a folder, by the names of their files."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from tracking.board.databases import Databases
from tracking.board.watch import Watch
from tracking.experiment_db import ExperimentDBManager
from tracking.live import LiveExperiment

if TYPE_CHECKING:
    from pathlib import Path


class Folder(Databases[LiveExperiment]):
    """The databases of a folder. What a request names never becomes a path.

    Args:
        path: the folder; it need not exist yet.
    """

    suffix = ".db"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path

    def names(self) -> list[str]:
        """Return the names of the databases there are, sorted."""
        # A pipe of that name would keep whoever opens it waiting.
        return sorted(path.name for path in self._path.glob("*.db") if path.is_file())

    def _made(self, name: str) -> LiveExperiment:
        return LiveExperiment(self._path / name)

    def watch(self, name: str) -> Watch:
        """Return what tells what happens to a database; see the base class."""
        return Watch(self.experiment(name))

    def delete(self, name: str, run_id: int) -> None:
        """Delete a run; see the base class."""
        with closing(ExperimentDBManager(self.experiment(name).path)) as db:
            db.delete_run(run_id)
