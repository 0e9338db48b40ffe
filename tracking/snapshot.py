"""Reading an experiment at one moment while others write it, without a trace and in nobody's way.

In WAL mode SQLite's readers are in nobody's way but leave files behind where nobody has the
database open. So one that is at rest is read without locks, and what was read counts if the file
is afterwards what it was before.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracking import schema
from tracking.connection import Connection, forget_suspicion
from tracking.errors import NotAnExperimentError, StoreBusyError, TrackingError
from tracking.original_views import show_as_ours

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

_TICK_NS = 20_000_000  # longer than the clock of file times takes from one tick to the next
_MOST_WAITS = 50

Signature = tuple[tuple[int, ...] | None, tuple[int, ...] | None]


class TornReadError(StoreBusyError):
    """The database was changed under a reader without locks; to ask again is all it takes."""


class Snapshot(Connection):
    """One look at the database of an experiment, ours or the original's, seen as ours.

    Args:
        path: the database file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path.absolute(), is_read_only=True)
        self._before: Signature | None = None

    @contextmanager
    def moment(self) -> Iterator[sqlite3.Connection]:
        """Have everything that is read inside be of one moment.

        Raises:
            TornReadError: what was read may be of several.
            StoreError: there is no such database, or it cannot be read.
        """
        try:
            with self.reading() as connection:
                connection.execute("BEGIN")
                connection.execute("SELECT 1 FROM main.sqlite_master").fetchone()
                yield connection
                connection.execute("COMMIT")
        except TrackingError as error:
            forget_suspicion(self.path)  # a check of all its pages at every look takes too long
            _SOUND.pop(self.path, None)
            if self._has_changed():
                raise TornReadError(f"{self.path} was changed while it was read") from error
            raise
        if self._has_changed():
            raise TornReadError(f"{self.path} was changed while it was read")

    def _has_changed(self) -> bool:
        return self._before is not None and signature_of(self.path)[0] != self._before[0]

    def _connected_for_reading(self) -> sqlite3.Connection:
        for _ in range(_MOST_WAITS):
            self._before = None
            self._reads_unlocked = False
            connection = self._connected_among_writers()
            if not self._reads_unlocked:
                return connection
            # Taken before the first page is read. A file that has just been written may be written
            # again within the same tick of its clock, which no time would show.
            self._before = signature_of(self.path)
            _, wal = self._before
            if not (wal and wal[1]) and is_settled(self._before):
                return connection
            connection.close()
            time.sleep(_TICK_NS / 1e9)
        raise StoreBusyError(f"{self.path} is being written all the time; try again")

    def _check_damage(self, connection: sqlite3.Connection) -> None:
        # Once for each state of the schema, which SQLite counts: it takes as long as many a query.
        (state,) = connection.execute("PRAGMA schema_version").fetchone()
        known = (*(signature_of(self.path)[0] or ())[:1], state)
        if _SOUND.get(self.path) != known:
            super()._check_damage(connection)
            _SOUND[self.path] = known

    def _check_readable(self, connection: sqlite3.Connection) -> None:
        origin = schema.origin_of(connection)
        if origin is schema.Origin.THE_ORIGINAL:
            show_as_ours(connection)
        elif origin is not schema.Origin.US:
            raise NotAnExperimentError(f"{self.path} is no database of an experiment")


_SOUND: dict[Path, tuple[int, ...]] = {}  # which schema of which file was found to be whole


def signature_of(path: Path) -> Signature:
    """Return what changes whenever a database is written: of its file, and of its -wal.

    Two writes within one tick of the file system's clock may leave the same.
    """
    return _signature_of_file(str(path)), _signature_of_file(f"{path}-wal")


def is_settled(signature: Signature) -> bool:
    """Tell whether a later write would change a signature for certain."""
    now_ns = time.time_ns()
    return all(one is None or not 0 <= now_ns - one[2] < _TICK_NS for one in signature)


def _signature_of_file(name: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(name)  # noqa: PTH116  # many times a second
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
