"""One moment of a store: queries, and the numbers it has for texts."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from psycopg.adapt import Loader
from psycopg.pq import Format

from tracking.errors import StoreError
from tracking.postgres.finding import Numbers, is_text
from tracking.postgres.identities import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from psycopg import Connection

    from tracking.postgres.address import Address

_INT8_ARRAY, _FLOAT8_ARRAY = 1016, 1022  # object ids


class Moment:
    """What is read on a connection that sees one moment of a store.

    Args:
        connection: in a transaction.
        address: of the store.
    """

    def __init__(self, connection: Connection[Any], address: Address) -> None:
        self._connection = connection
        self._address = address

    def rows(
        self,
        query: str,
        values: Sequence[object] = (),
        *,
        is_binary: bool = False,
        is_raw: bool = False,
    ) -> list[tuple[Any, ...]]:
        """Return what a query gives.

        Args:
            query: one of ours.
            values: of its placeholders.
            is_binary: whether bytes are among it, which take half of the room like this.
            is_raw: whether arrays of numbers are wanted as they come over the wire.

        Raises:
            StoreUnreachableError: the server does not answer any more.
            StoreBusyError: it takes too long.
            StoreError: the store cannot be read.
        """
        with (
            self._address.translated("cannot be read"),
            self._connection.cursor(binary=is_binary or is_raw) as cursor,
        ):
            for array in (_INT8_ARRAY, _FLOAT8_ARRAY) if is_raw else ():
                cursor.adapters.register_loader(array, _RawLoader)
            return cursor.execute(query, values).fetchall()

    def experiments(self) -> dict[str, int]:
        """Return the numbers of all experiments."""
        return dict(self.rows('SELECT name, id FROM sgtrack.experiments ORDER BY name COLLATE "C"'))

    def experiment_id(self, name: str) -> int:
        """Return the number of an experiment.

        Raises:
            StoreError: there is none of that name; lists those there are.
        """
        known = self.experiments()
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there is none"
            raise StoreError(f"{self._address} holds no experiment {name}; {there}")
        return known[name]

    def n_changes(self, name: str) -> int:
        """Return how often runs of an experiment came or went."""
        query = "SELECT n_changes FROM sgtrack.experiments WHERE name = %s"
        rows = self.rows(query, (name,))
        return int(rows[0][0]) if rows else 0


class NumbersOf:
    """The numbers that an experiment of a store has for texts.

    Args:
        moment: of the store.
        experiment_id: number of the experiment.
    """

    def __init__(self, moment: Moment, experiment_id: int) -> None:
        self._moment = moment
        self._experiment_id = experiment_id

    def numbers(self) -> Numbers:
        """Return where they come from."""
        return Numbers(self.of_names, self.of_names_like, self.of_metric)

    @cached_property
    def _names(self) -> dict[str, int]:
        query = "SELECT name, id FROM sgtrack.run_names WHERE experiment_id = %s"
        return dict(self._moment.rows(query, (self._experiment_id,)))

    def of_names_like(self, is_meant: Callable[[str], bool]) -> list[int]:
        """Return those of the names of runs that a function says yes to."""
        return [number for name, number in self._names.items() if is_meant(name)]

    def of_names(self, names: Collection[str]) -> list[int]:
        """Return those of some names of runs."""
        query = "SELECT id FROM sgtrack.run_names WHERE experiment_id = %s AND digest = ANY(%s)"
        digests = [digest_of(name) for name in names if is_text(name)]
        return [number for (number,) in self._moment.rows(query, (self._experiment_id, digests))]

    def of_metric(self, name: str) -> int | None:
        """Return that of a metric; None where it has none."""
        if not is_text(name):
            return None
        query = "SELECT id FROM sgtrack.metrics WHERE digest = %s"
        rows = self._moment.rows(query, (digest_of(name),))
        return int(rows[0][0]) if rows else None


class _RawLoader(Loader):
    """Gives what came over the wire."""

    format = Format.BINARY

    def load(self, data: Any) -> bytes:
        return bytes(data)
