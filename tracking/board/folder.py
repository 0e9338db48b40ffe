"""The experiments of a folder, by the names of their files."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tracking.board.answers import AskedWrongError
from tracking.live import LiveExperiment

if TYPE_CHECKING:
    from pathlib import Path

_USUAL = "pytest.db"


class Folder:
    """The databases of a folder, and which of them is meant where none is named.

    What a request names is looked up in the list of what is there and never becomes a path.
    Threads may share it.

    Args:
        path: the folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._experiments: dict[str, LiveExperiment] = {}
        self._selected: str | None = None

    def names(self) -> list[str]:
        """Return the names of the databases there are, sorted."""
        return sorted(self._paths())

    def _paths(self) -> dict[str, Path]:
        # A pipe of that name would keep whoever opens it waiting.
        return {path.name: path for path in self.path.glob("*.db") if path.is_file()}

    def selected(self) -> str | None:
        """Return the database that is meant where none is named: selected, usual, or the only one.

        None where nothing says which one.
        """
        names = self.names()
        if self._selected in names:
            return self._selected
        if _USUAL in names:
            return _USUAL
        return names[0] if len(names) == 1 else None

    def select(self, name: str) -> None:
        """Have a database meant where none is named.

        Raises:
            AskedWrongError: there is none of that name.
        """
        self._selected = self.experiment(name).path.name

    def experiment(self, name: str | None) -> LiveExperiment:
        """Return a database by its name, with or without `.db`; the selected one for None.

        Raises:
            AskedWrongError: there is none of that name, or nothing says which one is meant.
        """
        if name is None:
            name = self.selected()
            if name is None:
                raise AskedWrongError(400, "no database is selected; ?db=NAME names one")
        paths = self._paths()
        path = paths.get(name) or paths.get(f"{name}.db")
        if path is None:
            raise AskedWrongError(404, "there is no such database; /api/databases lists all")
        with self._lock:
            for gone in self._experiments.keys() - paths.keys():
                del self._experiments[gone]
            if path.name not in self._experiments:
                self._experiments[path.name] = LiveExperiment(path)
            return self._experiments[path.name]
