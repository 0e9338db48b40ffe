"""Shards: databases that are merged and never changed, with what lies in their journals.

One at rest, of the newest schema, is read where it lies. Of any other a copy is made, brought to
the newest schema, and given what waits in the segments: what `sgtrack recover` would do to the
shard itself.
"""

from __future__ import annotations

import shutil
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from tracking import schema
from tracking.connection import reading_foreign
from tracking.errors import NewerSchemaError, NotAnExperimentError, StoreBusyError, StoreError
from tracking.merging.store import MergingDBManager, held_runs
from tracking.recovery import (
    EndedBy,
    LastWords,
    drain,
    is_alive,
    segments_of,
    what_was_left_out,
)
from tracking.snapshot import is_settled, signature_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from tracking.merging.plan import HeldRun
    from tracking.snapshot import Signature

_MOST_ATTEMPTS = 50
_PAUSE_S = 0.02  # as long as the clock of file times may stand still


class _ChangedError(StoreBusyError):
    """The shard was changed while it was read; to read it again is all it takes."""


class Source(NamedTuple):
    """A shard in a form that can be read by SQL.

    Attributes:
        shard: its database.
        path: a database of the newest schema: the shard itself, or a copy.
        signature: of the shard where it is read itself.
        runs: all of them.
        remarks: what was left out of it, and why.
    """

    shard: Path
    path: Path
    signature: Signature | None
    runs: list[HeldRun]
    remarks: list[str]

    def check_unchanged(self) -> None:
        """Make sure that what was read is of one moment.

        Raises:
            StoreBusyError: it may be of several.
        """
        if self.has_changed():
            raise _ChangedError(f"{self.shard} was changed while it was read; try again")

    def has_changed(self) -> bool:
        """Tell whether what was read may be of several moments."""
        return self.signature is not None and signature_of(self.shard) != self.signature


def databases_in(folder: Path) -> list[Path]:
    """Return the databases of the experiments in a folder, also those not written yet."""
    names = {path.stem for path in folder.glob("*.db")}
    names |= {path.stem for path in folder.glob("*.journal") if segments_of(path)}
    return [folder / f"{name}.db" for name in sorted(names)]


def is_there(path: Path) -> bool:
    """Tell whether there is an experiment: a database, or segments of one to be."""
    return path.exists() or bool(segments_of(path))


def prepared(shard: Path, folder: Path, *, looks_at_pages: bool = True) -> Source:
    """Read which runs a shard has.

    Args:
        shard: its database; it need not be there where it has segments.
        folder: for a copy, should it need one; it is made.
        looks_at_pages: whether all of it is looked through for damage, seconds for each gigabyte.

    Raises:
        NotAnExperimentError: it is of another program, or of the original.
        NewerSchemaError, NewerFormatError: a newer version of this library wrote it.
        StoreBusyError: it is being changed all the time.
        StoreError: it is not there, damaged, or cannot be read.
    """
    if not is_there(shard):
        raise StoreError(f"there is no experiment at {shard}; name a *.db file that is there")
    for _ in range(_MOST_ATTEMPTS):
        with suppress(_ChangedError):
            return _read_in_place(shard, looks_at_pages) or _read_copy(
                shard, folder, looks_at_pages
            )
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_PAUSE_S)
    raise StoreBusyError(f"{shard} is changed all the time; try again when it is at rest")


def check_is_ours(shard: Path) -> None:
    """Make sure that a database, where there is one, can take others in; by reading only.

    Raises:
        NotAnExperimentError, NewerSchemaError, StoreError: as `prepared`.
    """
    if shard.exists():
        with _judged(shard, shard, looks_at_pages=False):
            pass


def _read_in_place(shard: Path, looks_at_pages: bool) -> Source | None:
    if segments_of(shard) or _companions(shard) or not shard.exists():
        return None
    before = signature_of(shard)
    if not is_settled(before):
        raise _ChangedError(f"{shard} is being written")
    with _judged(shard, shard, looks_at_pages=looks_at_pages) as connection:
        runs = held_runs(connection) if _is_at_rest(connection) else None
    if signature_of(shard) != before:
        raise _ChangedError(f"{shard} was changed while it was read")
    return None if runs is None else Source(shard, shard, before, runs, [])


def _is_at_rest(connection: sqlite3.Connection) -> bool:
    if not schema.is_current(connection) or schema.has_foreign_records(connection):
        return False
    query = "SELECT 1 FROM runs WHERE status = 'running' AND writer IS NOT NULL LIMIT 1"
    return connection.execute(query).fetchone() is None


def _read_copy(shard: Path, folder: Path, looks_at_pages: bool) -> Source:
    folder.mkdir(parents=True)
    copy = folder / shard.name
    # In this order: who lives now may die while we read, and is left for the next time.
    segments = segments_of(shard)
    living = {path.stem for path in segments if is_alive(path)}
    if shard.exists():
        _copy_files(shard, copy)
        with _judged(copy, shard, looks_at_pages=looks_at_pages):
            pass
    words: dict[str, LastWords] = {}
    remarks = []
    with closing(MergingDBManager(copy)) as db:
        db.init_exp_db()
        for path in segments:
            try:
                _, n_damaged, words[path.stem] = drain(db, path)
            except StoreError:
                if not path.exists():
                    raise _ChangedError(f"{path} was drained while it was read") from None
                raise
            if n_damaged and path.stem not in living:
                remarks.append(what_was_left_out(path, n_damaged))
        if not all(path.exists() for path in segments):
            raise _ChangedError(f"{shard} was drained while it was read")
        db.end_abandoned_runs(
            living.__contains__, lambda writer: words.get(writer, LastWords(EndedBy.LOST, None))
        )
        runs = db.held_runs()
    return Source(shard, copy, None, runs, remarks)


def _companions(shard: Path) -> list[Path]:
    """Return the files beside a database that SQLite completes it from."""
    found = [shard.with_name(f"{shard.name}{suffix}") for suffix in ("-wal", "-journal")]
    return [path for path in found if path.exists() and path.stat().st_size]


def _copy_files(shard: Path, copy: Path) -> None:
    """Copy a database as it is at one moment, also while others write it.

    A -wal is only appended to while the database behind it stays the same, and SQLite takes it as
    far as it is whole.
    """
    try:
        before, _ = signature_of(shard)
        for companion in _companions(shard):
            shutil.copyfile(companion, copy.with_name(companion.name))
        shutil.copyfile(shard, copy)
        after, _ = signature_of(shard)
    except FileNotFoundError as error:
        raise _ChangedError(f"{shard} was changed while it was copied") from error
    except OSError as error:
        raise StoreError(f"{shard} cannot be copied: {error}") from error
    if before != after or not is_settled((before, None)):
        raise _ChangedError(f"{shard} was changed while it was copied")


@contextmanager
def _judged(
    path: Path, shard: Path, *, looks_at_pages: bool = True
) -> Iterator[sqlite3.Connection]:
    """Give a connection for reading to a shard, or a copy of it, that can be merged."""
    try:
        with reading_foreign(path) as connection:
            _check(connection, shard, looks_at_pages=looks_at_pages)
            yield connection
    except StoreError as error:
        if isinstance(error, NotAnExperimentError) and error.__cause__ is not None:
            raise NotAnExperimentError(f"{shard} is not a SQLite database; leave it out") from error
        # It is the shard that is spoken of, as it was given.
        raise type(error)(str(error).replace(str(path.absolute()), str(shard))) from error


def _check(connection: sqlite3.Connection, shard: Path, *, looks_at_pages: bool) -> None:
    origin = schema.origin_of(connection)
    version = schema.version_of(connection)
    if origin is schema.Origin.THE_ORIGINAL:
        raise NotAnExperimentError(
            f"{shard} was recorded by the original tracker; `sgtrack import` brings its runs into"
            " an experiment, and that can be merged"
        )
    if origin is schema.Origin.SOMEBODY_ELSE:
        raise NotAnExperimentError(f"{shard} is a database of another program; leave it out")
    if origin is schema.Origin.NOBODY:
        return  # a process has died before it had written anything
    if version > schema.SCHEMA_VERSION:
        raise NewerSchemaError(
            f"{shard} has schema version {version}; this version of pytest-sgtrack knows up to"
            f" {schema.SCHEMA_VERSION}: upgrade it to merge this experiment"
        )
    damage = schema.damage_of(connection)
    if damage is None and looks_at_pages:
        damage = schema.damage_of_pages(connection)
    if damage is not None:
        raise StoreError(f"{shard} is damaged: {damage}; leave it out, or bring a sound copy")
