"""All experiments of a store, to be asked again and again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tracking.postgres.connections import Connections
from tracking.postgres.moment import Moment
from tracking.postgres.reading import PostgresDBManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracking.postgres.address import Address

T = TypeVar("T")

_TIMEOUT_S = 300.0


class StoredExperiments:
    """The experiments of one store. Threads may share it.

    All raise `StoreUnreachableError` while the server does not answer, and go on when it does.

    Args:
        address: of the store.
        folder: where they are recorded on this machine, if they are.
        timeout_s: how long a query may take.
        deadline_s: how long all that is read at one moment may take; None for any time.
    """

    def __init__(
        self,
        address: Address,
        *,
        folder: Path = Path("experiments"),
        timeout_s: float = _TIMEOUT_S,
        deadline_s: float | None = None,
    ) -> None:
        self.address = address
        self._folder = folder
        self._connections = Connections(address, timeout_s, deadline_s)

    def close(self) -> None:
        """Let go of the connections."""
        self._connections.close()

    def names(self) -> list[str]:
        """Return the names of all experiments, sorted."""
        with self._connections.moment() as connection:
            return list(Moment(connection, self.address).experiments())

    def version(self, name: str) -> int:
        """Return a number that differs whenever what is read of an experiment may."""
        with self._connections.moment() as connection:
            return Moment(connection, self.address).n_changes(name)

    def opened(self, name: str) -> PostgresDBManager:
        """Return an experiment as it is now, to be closed."""
        return PostgresDBManager(
            self.address, name, folder=self._folder, connections=self._connections
        )

    def ask(self, name: str, question: Callable[[PostgresDBManager], T]) -> T:
        """Return what a function reads of an experiment, all of it of one moment."""
        with closing(self.opened(name)) as db:
            return question(db)
