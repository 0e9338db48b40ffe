"""The only place that opens SQLite: identity of the file, its lock, transactions, errors, forks."""

from __future__ import annotations

import atexit
import fcntl
import os
import sqlite3
import sys
import threading
import time
import warnings
import weakref
from contextlib import closing, contextmanager, suppress
from itertools import chain, count
from typing import TYPE_CHECKING

from tracking import filesystem, schema
from tracking.errors import (
    NewerSchemaError,
    NotAnExperimentError,
    StoreBusyError,
    StoreError,
    TrackingWarning,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_TIMEOUT_S = 10.0
_ONE_WAIT_MS = 100
"""How long we wait for other processes before giving up with `StoreBusyError`."""

_CHECKPOINT_FROM_BYTES = 32 << 20  # each costs two flushes, some 6 ms
_HEADER_SIZE = 100
_WAL_FORMAT = 2  # the highest version of its file format that SQLite's header names
_ROLLBACK_JOURNAL = bytes.fromhex("d9d505f920a163d7")
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# Python raises the second where SQLite quotes a damaged schema in its message.
_Unreadable = (sqlite3.DatabaseError, UnicodeDecodeError)
_FAILED_FLUSHES = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)


class _DamagedError(sqlite3.DatabaseError):
    """A database of ours lacks what every one of ours has."""


def journal_folder(db_path: Path) -> Path:
    """Return the folder of an experiment's journal segments and lock, beside its database."""
    return db_path.with_suffix(".journal")


class Connection:
    """One process's connection to the database of one experiment, shared by its threads.

    Opened at first use. Writers of all processes take turns by a lock of our own on a file beside
    the database: SQLite 3.7.0 to 3.51.2 can corrupt a database in WAL mode when one connection
    writes while another one checkpoints, so nobody here does both at once.

    Args:
        path: the database file; created, with its folder, by the first write.
        is_read_only: never change anything; also so where the file system allows no more.
    """

    _is_finalizing = staticmethod(sys.is_finalizing)

    def __init__(self, path: Path, *, is_read_only: bool = False) -> None:
        self.path = path
        self._is_read_only = is_read_only
        self._file: tuple[int, int] | None = None  # device and inode of the database in use
        self._failure: str | None = None  # why this hold of the database is over
        self._reset()
        _CONNECTIONS.add(self)

    def _reset(self) -> None:
        self._connection: sqlite3.Connection | None = None
        self._is_opened_read_only = False
        self._reads_unlocked = False
        self._lock_fd: int | None = None
        self._checkpointed_size = 0
        self._lock = threading.RLock()

    def open(self) -> None:
        """Open the database now, creating or migrating it if need be.

        Where the file system allows no writing, one that is there already is opened for reading.

        Raises:
            NotAnExperimentError: the file belongs to another program; it is left untouched.
            NewerSchemaError: a newer version of this library wrote it; it is left untouched.
            StoreError: it cannot be opened.
        """
        with self._lock, self._translated_errors():
            self._opened_for_reading()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for reading.

        Raises:
            StoreError: there is no such database, or it cannot be read.
        """
        with self._lock, self._translated_errors():
            if self._file is None and not self.path.exists():
                raise StoreError(f"there is no experiment at {self.path}; start a run to create it")
            yield self._opened_for_reading()

    @contextmanager
    def as_it_lies(self) -> Iterator[sqlite3.Connection]:
        """Give a connection of its own for reading, whatever the schema: the original's too.

        Raises:
            StoreError: it is neither of the original nor of ours, or cannot be read.
        """
        with (
            self._translated_errors(),
            closing(self._open_read_only(takes_any_schema=True)) as connection,
        ):
            yield connection

    @contextmanager
    def writing(self, *, is_durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Give the connection in a write transaction, committed unless the body raises.

        Args:
            is_durable: flush the commit to the disk, so that it survives a loss of power.

        Raises:
            StoreBusyError: others held the lock for too long; nothing was written.
            StoreError: the database cannot be written; nothing was. Or an earlier flush had failed:
                it is committed, but nobody can tell what of it would survive a loss of power.
        """
        with self._lock, self._translated_errors():
            self._check_writable()
            connection = self._opened()
            # The kernel forgets what it could not write, and flushes the rest with success: once
            # failed, no later flush proves anything.
            is_flushed = is_durable and self.path not in _UNFLUSHED
            with self._exclusively():
                with self._synchronous(connection, is_full=is_flushed), _transaction(connection):
                    if schema.has_foreign_records(connection):
                        schema.enter_foreign_records(connection)
                    yield connection
                with suppress(sqlite3.Error):  # it is committed; a later checkpoint will do
                    self._checkpoint_if_due(connection)
            if is_durable and not is_flushed:
                raise StoreError(
                    f"{self.path} is written, but an earlier flush to its disk has failed: a loss"
                    " of power may take what was recorded; look after the disk"
                )

    @contextmanager
    def attached(self, other: Path) -> Iterator[None]:
        """Have the tables of another database at hand as `source.<table>`, for reading.

        No lock is taken on it and nothing left beside it: it must not change meanwhile, and have no
        -wal. Foreign keys are not checked inside: rows are copied together with what they name.

        Raises:
            StoreError: one of the two cannot be used.
        """
        uri = f"{other.absolute().as_uri()}?mode=ro&immutable=1"
        with self._lock, self._translated_errors():
            connection = self._opened()
            connection.execute("ATTACH ? AS source", (uri,))
            try:
                connection.execute("PRAGMA foreign_keys = OFF")
                yield
            finally:
                if connection is self._connection:  # else closed
                    connection.execute("PRAGMA foreign_keys = ON")
                    connection.execute("DETACH source")

    def put_in_place(self, made: Path) -> bool:
        """Have a database that was made elsewhere become this one, at once and durably.

        Args:
            made: on the same file system; nobody has it open.

        Returns:
            False where there is one by now; then nothing has changed.

        Raises:
            StoreBusyError: others held the lock for too long.
            StoreError: the file system refused.
        """
        with self._lock, self._translated_errors():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._exclusively():
                if self.path.exists():
                    return False
                filesystem.flush(made)
                made.rename(self.path)
                filesystem.flush(self.path.parent)
        return True

    def compact(self) -> None:
        """Rewrite the database without the room that deleted rows have left.

        SQLite can undo it until all is written: a death in between changes nothing. Rows of a table
        without an INTEGER PRIMARY KEY would be numbered anew.

        Raises:
            StoreBusyError: others held the lock for too long.
            StoreError: it cannot be written, or the disk has no room for it; it is as it was.
        """
        with self._lock, self._translated_errors():
            self._check_writable()
            connection = self._opened()
            with self._exclusively():
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # readers delay it to close()

    @contextmanager
    def _synchronous(self, connection: sqlite3.Connection, *, is_full: bool) -> Iterator[None]:
        if is_full:
            connection.execute("PRAGMA synchronous = FULL")
        try:
            yield
        finally:
            if connection.in_transaction:  # not even the rollback came through
                self._let_go()
            elif is_full:
                connection.execute("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Move everything into the one database file and let go of it; a later use opens it again.

        Raises:
            StoreBusyError, StoreError: the move failed; the data is still safe in the -wal file.
        """
        with self._lock:
            connection, self._connection = self._connection, None
            is_ours_to_write = self.can_write() and not self._is_opened_read_only
            is_kept = is_ours_to_write and self._is_in_place()
            self._file = self._failure = None
            try:
                if connection is not None and not is_kept:
                    connection.close()
                elif connection is not None:
                    with (
                        closing(connection),
                        self._translated_errors(),
                        self._exclusively(),
                    ):
                        _empty_wal(connection)
            finally:
                self._close_lock_file()

    def _close_lock_file(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def __del__(self) -> None:
        """Let go of the files of a database that nobody can close any more."""
        if not self._is_finalizing():  # else it was closed at exit, and globals are gone
            with suppress(StoreError):
                self.close()

    def can_write(self) -> bool:
        """Tell whether writing is allowed here at all, by us and by the file system."""
        if self._is_read_only:
            return False
        places = [place for place in (self.path, self.path.parent) if place.exists()]
        return all(os.access(place, os.W_OK) for place in places)

    def _check_writable(self) -> None:
        if self._is_read_only:
            raise StoreError(
                f"{self.path} was opened for reading only; open it without is_read_only"
            )
        if not self.can_write():
            raise StoreError(
                f"{self.path} cannot be written: it, or its folder, is read-only; make both"
                " writable"
            )

    def is_usable(self) -> bool:
        """Tell whether the database that was opened is still there and sound, or none was."""
        with self._lock:
            return self._failure is None and self._is_in_place()

    def _is_in_place(self) -> bool:
        return self._file is None or _identity_of(self.path) == self._file

    def _opened_for_reading(self) -> sqlite3.Connection:
        if self._connection is None and not self.can_write():
            if not self.path.exists():
                raise StoreError(
                    f"{self.path} cannot be created: its folder is read-only; choose another one"
                )
            self._connection = self._open_read_only()
            self._is_opened_read_only = True
            self._file = _identity_of(self.path)
        if self._is_opened_read_only and self._connection is not None:
            return self._connection
        return self._opened()

    def _opened(self) -> sqlite3.Connection:
        if self._is_opened_read_only:
            self._let_go()
        if self._failure is None and not self._is_in_place():
            # Runs are known by numbers, which belong to others in another file.
            self._give_up("it was removed or replaced while it was in use")
        if self._failure is not None:
            raise StoreError(self._failure)
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._refuse_what_is_not_ours()
            except _Unreadable:
                # Ours may be damaged, or another process is just writing it: the lock will tell.
                if not self._has_our_header():
                    raise
            with self._exclusively():
                self._connection = self._open_sound()
                _SUSPECTS.discard(self.path)
                self._file = _identity_of(self.path)
        return self._connection

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        self._is_opened_read_only = False
        if connection is not None:
            connection.close()

    def _give_up(self, reason: str) -> None:
        """End this hold of the database: whoever opens the experiment anew gets another one."""
        self._failure = (
            f"{self.path} cannot be used any more: {reason}; choose the experiment again to go on."
            f" What was recorded meanwhile waits in {journal_folder(self.path)}"
        )
        with suppress(sqlite3.Error):
            self._let_go()

    def _open_sound(self) -> sqlite3.Connection:
        try:
            return self._open()
        except _Unreadable as error:
            if not (_is_damage(error) and self._has_our_header()):
                raise
            self._set_aside(error)
            return self._open()

    def _open_read_only(self, *, takes_any_schema: bool = False) -> sqlite3.Connection:
        connection = self._connected_for_reading()
        try:
            connection.execute("BEGIN")
            self._check_origin(connection)
            if not takes_any_schema:
                self._check_readable(connection)
            connection.execute("COMMIT")
            connection.execute("PRAGMA query_only = ON")
        except sqlite3.OperationalError as error:
            connection.close()
            if _code(error) & 0xFF == sqlite3.SQLITE_CANTOPEN and self._wal_size():
                raise StoreError(
                    f"{self.path} cannot be read where it may not be written: its newest data lies"
                    f" in {self.path.name}-wal; copy both files to where they can be written"
                ) from error
            raise
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_readable(self, connection: sqlite3.Connection) -> None:
        if not schema.is_readable(connection):
            raise StoreError(
                f"{self.path} has an older schema, the original tracker's: `sgtrack recover` brings"
                " it to ours where it can be written, `sgtrack import` copies its runs"
            )

    def _connected_for_reading(self) -> sqlite3.Connection:
        return self._connected_read_only()

    def _connected_among_writers(self) -> sqlite3.Connection:
        """Connect for reading where others may be writing."""
        # In WAL mode a reader would leave files beside the database where nobody has it open. In
        # the other modes it leaves no trace, and needs the locks to see whole transactions only.
        if self._header()[18:19] == bytes([_WAL_FORMAT]):
            return self._connected_read_only()
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        return sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )

    def _connected_read_only(self) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        self._reads_unlocked = not self._wal_size()
        if self._reads_unlocked:
            # Without it SQLite would leave a -wal and a -shm beside the file, or fail where it may
            # not. With it SQLite overlooks a -wal, so that it has to be an empty one.
            uri += "&immutable=1"
        return sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )

    def _has_our_header(self) -> bool:
        return schema.is_our_header(self._header())

    def _header(self) -> bytes:
        identity = _identity_of(self.path)
        fd = _KEPT_OPEN.get(identity)
        if fd is None:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            # Left open: to close it would take the locks from this process's other connections to
            # the file, as POSIX has it (sqlite.org/howtocorrupt.html, section 2.2). No other file
            # gets its identity meanwhile.
            found = os.fstat(fd)
            fd = _KEPT_OPEN.setdefault((found.st_dev, found.st_ino), fd)
        return os.pread(fd, _HEADER_SIZE, 0)

    def _set_aside(self, error: Exception) -> None:
        """Rename a corrupt database of ours, so that recording can go on in a new one."""
        stem = f"{self.path.name}.corrupt-{time.strftime('%Y%m%dT%H%M%S')}"
        names = chain([stem], (f"{stem}-{number}" for number in count(2)))
        aside = next(path for path in map(self.path.with_name, names) if not path.exists())
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                os.rename(f"{self.path}{suffix}", f"{aside}{suffix}")  # noqa: PTH104  # texts
        warnings.warn(
            f"{self.path} is corrupt ({error}); it was set aside as {aside.name}, and recording"
            " goes on in a new one",
            TrackingWarning,
            stacklevel=2,
        )

    def _refuse_what_is_not_ours(self) -> None:
        """Look at an existing file without leaving a trace, so that it stays as it is."""
        if not self.path.exists() or self.path.stat().st_size == 0 or self._is_new():
            return
        with closing(self._connected_read_only()) as connection:
            connection.execute("BEGIN")  # another process may be just creating it: see one moment
            self._check_origin(connection)

    def _is_new(self) -> bool:
        """Tell whether the first transaction has not ended: SQLite will go back to an empty file.

        A rollback journal says how many pages there were (sqlite.org/fileformat.html, section 3).
        """
        try:
            with self.path.with_name(f"{self.path.name}-journal").open("rb") as journal:
                header = journal.read(20)
        except OSError:
            return False
        return header.startswith(_ROLLBACK_JOURNAL) and header[16:] == bytes(4)

    def _check_origin(self, connection: sqlite3.Connection) -> None:
        origin = schema.origin_of(connection)
        version = schema.version_of(connection)
        if origin is schema.Origin.SOMEBODY_ELSE:
            raise NotAnExperimentError(
                f"{self.path} is a database of another program; choose another experiment name"
            )
        if origin is schema.Origin.US and version > schema.SCHEMA_VERSION:
            raise NewerSchemaError(
                f"{self.path} has schema version {version}; this version of pytest-sgtrack knows"
                f" up to {schema.SCHEMA_VERSION}: upgrade it to use this experiment"
            )
        if origin is schema.Origin.US:
            self._check_damage(connection)

    def _check_damage(self, connection: sqlite3.Connection) -> None:
        try:
            damage = schema.damage_of(connection)
            if damage is None and self.path in _SUSPECTS:
                damage = schema.damage_of_pages(connection)
                if self._header()[18] > _WAL_FORMAT:
                    damage = "its header asks for an SQLite to come"
        except sqlite3.OperationalError as error:
            if _code(error) not in (0, sqlite3.SQLITE_ERROR):
                raise
            damage = str(error)  # our own SQL is right: the schema it meets is not, or is no text
        if damage is not None:
            raise _DamagedError(damage)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path.as_uri(),
            uri=True,  # so that `attached` may use one
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            self._check_origin(connection)
            mode = "DELETE" if filesystem.is_network(self.path.parent) else "WAL"
            connection.execute(f"PRAGMA journal_mode = {mode}")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA journal_size_limit = 0")
            if not schema.is_current(connection):
                with _transaction(connection):
                    schema.migrate(connection)
            connection.execute("PRAGMA foreign_keys = ON")
            if schema.has_foreign_records(connection):
                with _transaction(connection):
                    schema.enter_foreign_records(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Hold the experiment's lock file: one writer or checkpoint among all processes."""
        give_up_at = time.monotonic() + BUSY_TIMEOUT_S
        pause_s = 0.0005
        while True:
            fd = self._lock_file()
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > give_up_at:
                    raise StoreBusyError(
                        f"{self.path} has been in use by another process for over"
                        f" {BUSY_TIMEOUT_S:g} s; try again when that is done"
                    ) from None
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, 0.02)
            else:
                if os.fstat(fd).st_nlink:
                    break
                self._close_lock_file()  # somebody has removed it: others lock a new one
        try:
            yield
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)

    def _lock_file(self) -> int:
        if self._lock_fd is None:
            folder = journal_folder(self.path)
            folder.mkdir(parents=True, exist_ok=True)
            self._lock_fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return self._lock_fd

    def _checkpoint_if_due(self, connection: sqlite3.Connection) -> None:
        """Checkpoint whenever the -wal has grown by a few megabytes.

        SQLite starts it afresh, and cuts it off, at the first write after a checkpoint that no
        reader was in the way of; until then it grows on.
        """
        size = self._wal_size()
        if size < self._checkpointed_size:
            self._checkpointed_size = 0
        if size > self._checkpointed_size + _CHECKPOINT_FROM_BYTES:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._checkpointed_size = size

    def _wal_size(self) -> int:
        try:
            return os.stat(f"{self.path}-wal").st_size  # noqa: PTH116  # once for each commit
        except OSError:
            return 0

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._translated(error) from error
        except StoreError:
            raise
        except OSError as error:
            raise StoreError(f"cannot use {self.path}: {error}") from error

    def _translated(self, error: Exception) -> StoreError:
        if _code(error) in _FAILED_FLUSHES:
            _UNFLUSHED.add(self.path)
        is_suspect = _is_damage(error) or _code(error) == sqlite3.SQLITE_READONLY
        if is_suspect and self._connection is not None:
            _SUSPECTS.add(self.path)
            self._give_up(f"it is corrupt ({error})" if _is_damage(error) else str(error))
            return StoreError(self._failure)
        code = _code(error) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreBusyError(
                f"{self.path} is in use by another program: {error}; try again when that is done"
            )
        if code == sqlite3.SQLITE_NOTADB:
            return NotAnExperimentError(
                f"{self.path} is not a SQLite database; choose another experiment name"
            )
        return StoreError(f"cannot use {self.path}: {error}")

    def _close_before_fork(self) -> None:
        connection = self._connection
        if connection is not None and not connection.in_transaction:
            self._connection = None
            connection.close()

    def _forget_after_fork(self) -> None:
        # Still open only where a thread was using it for longer than a fork waits. To close it here
        # would meddle with the parent's files: it stays open and unused for ever.
        if self._connection is not None:
            _ABANDONED.append(self._connection)
        # Closing, unlike unlocking, leaves the parent's lock alone; and a child that kept it open
        # would hold the lock for as long as it lives if the parent died with it.
        self._close_lock_file()
        self._reset()


@contextmanager
def making_sense(where: Path | str, what: str) -> Iterator[None]:
    """Name what lies in a database and is nothing that was ever written there.

    Raises:
        StoreError: the body could make nothing of it.
    """
    try:
        yield
    except (
        ArithmeticError,
        LookupError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise StoreError(
            f"{where}: {what} is damaged: {error}; delete_run() removes a run with all its data"
        ) from error


@contextmanager
def reading_foreign(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection for reading to a database of another program, which may be writing it.

    Raises:
        NotAnExperimentError: it is not a SQLite database.
        StoreError: there is none, or it cannot be read.
    """
    place = Connection(path.absolute(), is_read_only=True)
    with place._translated_errors(), closing(place._connected_among_writers()) as connection:
        connection.execute("PRAGMA query_only = ON")
        yield connection


def forget_suspicion(path: Path) -> None:
    """Forget that a database was found corrupt: it was read while it changed."""
    _SUSPECTS.discard(path)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise


def _empty_wal(connection: sqlite3.Connection) -> None:
    """Move the -wal into the database, waiting for readers that came before.

    SQLite waits for a reader's slot, and later readers may share that slot for ever: after a short
    while it is better asked anew, which slots are in the way.
    """
    connection.execute(f"PRAGMA busy_timeout = {_ONE_WAIT_MS}")
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not is_busy or time.monotonic() > give_up_at:
            return
        time.sleep(0.001)  # other programs' checkpoints are not waited for


def _code(error: Exception) -> int:
    """Return SQLite's extended code of an error; 0 for those of Python's module itself."""
    return getattr(error, "sqlite_errorcode", 0)


def _is_damage(error: Exception) -> bool:
    return isinstance(error, _DamagedError | UnicodeDecodeError) or _code(error) & 0xFF in _DAMAGE


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  # once for each use
    except OSError:
        return None
    return found.st_dev, found.st_ino


_SUSPECTS: set[Path] = set()  # databases that were found corrupt while in use
_UNFLUSHED: set[Path] = set()  # databases that the disk has failed to take
_KEPT_OPEN: dict[tuple[int, int] | None, int] = {}  # by device and inode
_CONNECTIONS: weakref.WeakSet[Connection] = weakref.WeakSet()
_ABANDONED: list[sqlite3.Connection] = []
_HELD_FOR_FORK = threading.local()


@atexit.register
def _close_all() -> None:
    for connection in list(_CONNECTIONS):
        with suppress(StoreError):
            connection.close()


def _before_fork() -> None:
    # SQLite notes in its memory which locks a process holds. A child inherits the notes without the
    # locks: were a connection open, the one the child opens would go unprotected, and what it
    # commits would vanish when the parent closes its own and removes the -wal. So none is.
    _HELD_FOR_FORK.connections = [
        connection
        for connection in list(_CONNECTIONS)
        if connection._lock.acquire(timeout=BUSY_TIMEOUT_S)
    ]
    for connection in _HELD_FOR_FORK.connections:
        connection._close_before_fork()


def _after_fork_in_parent() -> None:
    for connection in _HELD_FOR_FORK.connections:
        connection._lock.release()
    _HELD_FOR_FORK.connections = []


def _after_fork_in_child() -> None:
    _HELD_FOR_FORK.connections = []
    for connection in list(_CONNECTIONS):
        connection._forget_after_fork()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
