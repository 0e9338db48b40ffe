"""Whose segments and runs are dead, and bringing home what they left.

A segment is locked by the process that writes it, for as long as that lives. A forked child may
keep the lock of a dead parent, so a locked segment is looked at more closely: where its header
names a process of this boot and this pid namespace, that process must still be there, with the
same start time and not a zombie. Of other machines and namespaces only the lock tells. A live
writer must never be taken for a dead one; a dead one taken for alive is found at the next open.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from tracking import journal
from tracking.connection import journal_folder
from tracking.errors import JournalError, NewerFormatError
from tracking.events import decode
from tracking.experiment_db import Drained
from tracking.records import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracking.experiment_db import ExperimentDBManager
    from tracking.stored_runs import AbandonedRun

SET_ASIDE_SUFFIX = ".damaged"


class EndedBy(StrEnum):
    """Why a run ended that its own process could not end."""

    CRASHED = "crashed"  # the process died and left no word
    KILLED = "killed"  # it was told to terminate
    TIMEOUT = "timeout"  # a test took too long and was stopped with its process
    LOST = "lost"  # nobody can tell: left without end_run, the machine restarted, no segment


_ENDED_BY = {
    journal.Note.TERMINATED: EndedBy.KILLED,
    journal.Note.TIMED_OUT: EndedBy.TIMEOUT,
    journal.Note.WENT_ON: EndedBy.CRASHED,
    journal.Note.SETUP: EndedBy.CRASHED,  # another test began: the one before was in time
}
_PHASES = {
    journal.Note.SETUP: "setup",
    journal.Note.CALL: "call",
    journal.Note.TEARDOWN: "teardown",
}


class LastWords(NamedTuple):
    """What is known about the end of a process."""

    ended_by: EndedBy
    phase: str | None


class Recovery(NamedTuple):
    """What was brought home.

    Attributes:
        n_records: records drained from segments of dead processes.
        runs: runs that have been ended.
        damaged: for each segment with damage, what is wrong with it; it has been set aside.
        newer: for each segment of a newer version of this library, what to do about it; it, and
            the runs of its process, have been left as they are.

    Examples:
        >>> from tracking import recover
        >>> recover(db)
        Recovery(n_records=0, runs=[], damaged=[], newer=())
    """

    n_records: int
    runs: list[AbandonedRun]
    damaged: list[str]
    newer: tuple[str, ...] = ()


def recover(db: ExperimentDBManager) -> Recovery:
    """Drain the segments of dead processes of an experiment and end their runs as failed.

    `Tracker.set_experiment` does it by itself. Any number of processes may do it at once; what one
    has done the others find done. Killed at any point, it leaves the rest to the next one.

    Args:
        db: the experiment.

    Returns:
        What was brought home.

    Raises:
        StoreError: the database cannot be written; everything stays where it is.

    Examples:
        A process that dies in the middle of a run:

        >>> import subprocess, sys
        >>> script = '''
        ... import os, tracking
        ... tracker = tracking.Tracker("experiments")
        ... tracker.set_experiment("mnist")
        ... tracker.start_run("baseline")
        ... tracker.record("loss", 0.5, step=0)
        ... os.abort()
        ... '''
        >>> died = subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
        >>> recovery = recover(db)
        >>> recovery.n_records, [(run.name, str(run.ended_by)) for run in recovery.runs]
        (1, [('baseline', 'crashed')])
    """
    folder = journal_folder(db.db_path)
    _remove_unfinished(folder)
    found = dead_segments(db.db_path)
    n_records = 0
    damaged = []
    newer = []
    drained: dict[Path, LastWords] = {}
    torn: dict[Path, str] = {}
    for path in found:
        try:
            n_drained, n_damaged, words = drain(db, path)
        except NewerFormatError as error:
            newer.append(str(error))
            continue
        except JournalError as error:
            if path.exists():  # else somebody else was faster
                is_legible = not isinstance(error.__cause__, OSError)
                damaged.append(f"{error}; {_set_aside(path)}" if is_legible else str(error))
            continue
        n_records += n_drained
        drained[path] = words
        if n_damaged:
            torn[path] = what_was_left_out(path, n_damaged)

    def may_live(writer: str) -> bool:
        # What has died since we looked is for the next time: its last words are not read yet.
        path = folder / f"{writer}{journal.SUFFIX}"
        return path not in drained and path in segments_of(db.db_path)

    def last_words(writer: str) -> LastWords:
        path = folder / f"{writer}{journal.SUFFIX}"
        return drained.get(path, LastWords(EndedBy.LOST, None))

    # There may be none if there were no segments, or nothing could be read from them.
    runs = db.end_abandoned_runs(may_live, last_words) if db.db_path.exists() else []
    for path in drained:  # only now: who finds a segment gone takes its runs for lost
        if path in torn:
            damaged.append(f"{torn[path]}; {_set_aside(path)}")
        with suppress(OSError):  # another user's, or the disk fails; drained, it may stay
            path.unlink(missing_ok=True)
            db.forget_segment(path.stem)
    return Recovery(n_records, runs, damaged, tuple(newer))


def segments_of(db_path: Path) -> list[Path]:
    """Return the segments of an experiment, sorted by name."""
    return sorted(journal_folder(db_path).glob(f"*{journal.SUFFIX}"))


def dead_segments(db_path: Path) -> list[Path]:
    """Return the segments of an experiment whose writers are dead, sorted by name.

    Args:
        db_path: the experiment's database; its segments lie in the folder `<experiment>.journal`
            beside it.

    Examples:
        >>> from tracking import dead_segments
        >>> with tracker.run():
        ...     dead_segments(tracker.cur_exp_path)
        []
    """
    return [path for path in segments_of(db_path) if not is_alive(path)]


def what_was_left_out(segment: Path, n_damaged: int) -> str:
    """Say that a segment had damaged records, which no drain brings home."""
    return f"{segment}: {n_damaged} damaged records were left out"


def newer_format_of(path: Path) -> str | None:
    """Return what to do about a segment of a newer version; None for any other."""
    try:
        with path.open("rb") as segment:
            journal.Header.unpack(segment.read(journal.HEADER_SIZE), path)
    except NewerFormatError as error:
        return str(error)
    except (JournalError, OSError):
        pass  # reading all of it will tell what is wrong
    return None


def is_alive(path: Path) -> bool:
    """Tell whether the process that writes a segment lives; False where there is no segment.

    It lives until the opposite is known: also where the segment cannot be opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ValueError):  # no name of a file: it was read from a database
        return False
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG  # likewise
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _owner_may_live(os.read(fd, journal.HEADER_SIZE))
        return False
    finally:
        os.close(fd)


def _owner_may_live(header: bytes) -> bool:
    try:
        owner = journal.Header.unpack(header, "segment").owner
    except JournalError:
        return True  # somebody holds it, and we can't tell who
    here = journal.Owner.this_process()
    if not owner.start_time or owner.boot_id != here.boot_id:
        return True
    if owner.pid_namespace != here.pid_namespace:
        return True
    started = journal.start_time_of(owner.pid)
    return started == owner.start_time if started else _is_hidden(owner.pid)


def _is_hidden(pid: int) -> bool:
    """Tell whether there is a process of another user that `/proc` does not show (hidepid)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        pass
    return False


def drain(db: ExperimentDBManager, path: Path) -> tuple[int, int, LastWords]:
    """Store what a segment holds that a database does not; the segment stays as it is.

    Returns:
        How many records were stored, how many are damaged, and what the segment tells about the end
        of its process.

    Raises:
        JournalError: it cannot be read.
        StoreError: the database cannot be written.
    """
    header, frames = journal.read_segment(path)
    n_drained = 0

    def batches(start: int) -> Iterator[Batch]:
        nonlocal n_drained
        # Under the store's lock: once the file is gone, so may be the note how far it is drained.
        if not path.exists():
            return
        _, undrained = journal.read_segment(path, start)
        for number, of_channel in undrained.records.items():
            channel = frames.channels.get(number)
            if channel is not None:
                n_drained += len(of_channel) // journal.FRAME_SIZE
                steps, values, wall_times = journal.columns_of(of_channel)
                yield Batch(*channel, steps, values, wall_times)

    started, ended = decode(frames.events)
    db.append(Drained(path.stem, frames.end, batches, started, ended, makes_up_runs=True))
    return n_drained, frames.n_damaged, _last_words(header, frames.notes)


def _last_words(header: journal.Header, notes: list[journal.Note]) -> LastWords:
    """Return why and in which phase of a test the process died, as far as its notes tell."""
    ended_by = EndedBy.CRASHED
    phase = None
    for note in notes:
        ended_by = _ENDED_BY.get(note, ended_by)
        phase = _PHASES.get(note, phase)
    if header.owner.boot_id != journal.Owner.this_process().boot_id:
        ended_by = EndedBy.LOST
    return LastWords(ended_by, phase)


def _remove_unfinished(folder: Path) -> None:
    """Remove segments whose process died before it had named them, an hour after the fact."""
    for path in folder.glob(f"*{journal.UNNAMED_SUFFIX}"):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - 3600 and not is_alive(path):
                path.unlink()


def _set_aside(path: Path) -> str:
    """Rename a damaged segment, so that nobody reads it again; say where it is now."""
    aside = path.with_name(path.name + SET_ASIDE_SUFFIX)
    try:
        path.rename(aside)
    except FileNotFoundError:
        pass  # another process has just done the same
    except OSError as error:
        return f"it could not be set aside: {error.strerror}"
    return f"set aside as {aside.name}"
