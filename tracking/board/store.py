"""The experiments of a store in PostgreSQL, as databases of a dashboard; nothing is deleted."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

from tracking.board.answers import AskedWrongError
from tracking.board.databases import Databases, Event
from tracking.errors import TrackingError
from tracking.postgres.experiments import StoredExperiments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tracking.postgres.address import Address
    from tracking.reading import LiveReader

T = TypeVar("T")

POLL_S = 1.0
_TIMEOUT_S = 30.0  # of a query
_DEADLINE_S = 60.0  # of an answer
_NAMES_HOLD_S = 1.0


class StoredExperiment:
    """One experiment of a store.

    Args:
        store: the store.
        name: of the experiment.
    """

    def __init__(self, store: StoredExperiments, name: str) -> None:
        self.name = name
        self._store = store

    def ask(self, question: Callable[[LiveReader], T]) -> T:
        """Return what a function reads of the experiment, all of it of one moment.

        Raises:
            StoreUnreachableError: the server of the store does not answer.
            StoreError: it cannot be read.
        """
        return self._store.ask(self.name, question)

    def version(self) -> str:
        """Return a text that differs whenever an answer may.

        Raises:
            StoreUnreachableError: the server of the store does not answer.
        """
        return str(self._store.version(self.name))


class StoreWatch:
    """Tells that runs have come to an experiment or gone, and when its store is away.

    Args:
        experiment: the experiment.
    """

    def __init__(self, experiment: StoredExperiment) -> None:
        self._experiment = experiment
        self._version: str | None = None
        self._is_away = False
        self._next_at = 0.0

    def look(self) -> list[Event]:
        """Return what has happened since the last look; it asks the store once a second."""
        if time.monotonic() < self._next_at:
            return []
        about = {"database": self._experiment.name}
        was_away = self._is_away
        try:
            version = self._experiment.version()
            is_new = self._version not in (None, version)
            n_all = self._experiment.ask(lambda db: db.n_runs()) if is_new else 0
        except TrackingError:
            self._is_away = True
            return [] if was_away else [Event("problem", about)]
        finally:
            self._next_at = time.monotonic() + POLL_S
        self._version, self._is_away = version, False
        if was_away:
            return [Event("reload", about | {"reason": "the store is there again"})]
        lists = {"n_all": n_all, "is_whole": False, "changed": [], "removed": []}
        return [Event("runs", about | lists)] if is_new else []


class Store(Databases[StoredExperiment]):
    """The experiments of a store.

    Args:
        address: of the store.
        folder: where they are recorded on this machine, if they are: baselines are looked up from
            there.
    """

    is_read_only = True

    def __init__(self, address: Address, folder: Path) -> None:
        super().__init__(str(address))
        self._store = StoredExperiments(
            address, folder=folder, timeout_s=_TIMEOUT_S, deadline_s=_DEADLINE_S
        )
        self._asking = threading.Lock()
        self._known: tuple[float, list[str] | TrackingError] = (0.0, [])

    def names(self) -> list[str]:
        """Return the names of the experiments there are, sorted; what was heard holds a second."""
        with self._asking:  # while nobody answers, one waits for all
            until, found = self._known
            if time.monotonic() >= until:
                try:
                    found = self._store.names()
                except TrackingError as error:
                    found = error
                self._known = (time.monotonic() + _NAMES_HOLD_S, found)
        if isinstance(found, TrackingError):
            raise found
        return found

    def close(self) -> None:
        """Let go of the connections."""
        self._store.close()

    def _made(self, name: str) -> StoredExperiment:
        return StoredExperiment(self._store, name)

    def watch(self, name: str) -> StoreWatch:
        """Return what tells what happens to an experiment."""
        return StoreWatch(self._made(name))

    def delete(self, name: str, run_id: int) -> None:
        """Refuse to.

        Raises:
            AskedWrongError: always.
        """
        raise AskedWrongError(403, f"run {run_id} of {name} lies in a store, which is only read")
