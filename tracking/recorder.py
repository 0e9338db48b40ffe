"""What one process holds of one experiment: its journal segment, its database, its active runs.

Records go into the segment only; `drain` moves them into the database. All trackers of a process
that work on one experiment share one recorder, found by `recorder_of`.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import warnings
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from zlib import adler32

from tracking import journal
from tracking.connection import journal_folder
from tracking.errors import (
    JournalError,
    RunNotFoundError,
    StoreError,
    TrackingError,
    TrackingWarning,
)
from tracking.events import EndedRun, encode
from tracking.experiment_db import Drained, ExperimentDBManager
from tracking.records import Batch
from tracking.recovery import recover
from tracking.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import Any

    from tracking.events import NewRun, RunEnd
    from tracking.model import Summary

_DRAIN_CHUNK_BYTES = 100_000 * journal.FRAME_SIZE  # bounds memory, not transactions
_ROTATE_FROM_BYTES = 8 << 20
_MOST_DEFERRED = 64  # a commit costs as much as the records of ten tests
_LONGEST_DEFERRED_S = 1.0


@dataclass(eq=False)
class ActiveRun:
    """A run this process records into.

    Attributes:
        recorder: of the experiment the run belongs to.
        uuid: its identity everywhere.
        name: as shown.
        is_deferred: whether its start and end may wait for a drain together with others.
        channels: number of each of its metrics in the present segment. Empty whenever there is no
            such segment, so that a metric found in it can be written without further question.
        start: offset in the segment of its first record.
        pid: the process that started it, which alone ends it by itself.
        has_other_writers: another process, or this one before a fork, may have recorded into it.
    """

    recorder: Recorder
    uuid: str
    name: str
    start: int
    is_deferred: bool = False
    known_id: int | None = None
    channels: dict[str, int] = field(default_factory=dict)
    has_other_writers: bool = False
    started_at: float = field(default_factory=time.monotonic)
    pid: int = field(default_factory=os.getpid)
    _summaries: tuple[int, dict[str, Summary]] = (-1, {})

    @property
    def run_id(self) -> int:
        """Its number in the database, which learns of the run now if it hasn't yet.

        Raises:
            StoreError: the database cannot be written.
        """
        if self.known_id is None:
            self.known_id = self.recorder.number_of(self)
        return self.known_id

    def duration_s(self) -> float:
        """Return seconds since the run started."""
        return time.monotonic() - self.started_at


class Recorder:
    """One process's hold of one experiment.

    Args:
        path: absolute path of the database file.
    """

    _is_finalizing = staticmethod(sys.is_finalizing)

    def __init__(self, path: Path) -> None:
        self.db: ExperimentDBManager = ExperimentDBManager(path)
        self._folder = journal_folder(path)
        self._runs: list[ActiveRun] = []
        self._is_recovered = False
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._segment: journal.SegmentWriter | None = None
        self._drained_to = 0
        self._started: list[NewRun] = []  # what the database doesn't know of yet
        self._ended: list[EndedRun] = []
        self._deferred_since = 0.0
        self._channels: dict[int, tuple[ActiveRun, str]] = {}

    def open(self) -> None:
        """Open the database; the first time, bring home what dead processes have left.

        Where nothing can be written, one that is there already can be read.

        Raises:
            NotAnExperimentError, NewerSchemaError, StoreError: it cannot be opened.
        """
        with self._lock:
            self.db.init_exp_db()
            if not self._is_recovered and self.db.can_write():
                newer = recover(self.db).newer
                self._is_recovered = True
                for problem in newer:
                    warnings.warn(problem, TrackingWarning, stacklevel=3)

    @property
    def write(self) -> Callable[[bytes], Any]:
        """The present segment's `write`, valid for as long as a run has channels."""
        return self._writable_segment().write

    def _writable_segment(self) -> journal.SegmentWriter:
        with self._lock:
            if self._segment is None:
                try:
                    self._folder.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise JournalError(f"cannot create {self._folder}: {error}") from error
                self._segment = journal.SegmentWriter(self._folder)
                self._drained_to = self._segment.tell()
            return self._segment

    def start_run(self, run: NewRun, *, is_deferred: bool) -> ActiveRun:
        """Get ready to record into a new run.

        Its start is in the journal at once, and in the database too unless it is deferred.
        """
        with self._lock:
            segment = self._writable_segment()
            run = run._replace(writer=segment.writer)
            run_id = None
            if is_deferred:
                self._started.append(run)
            else:
                run_id = self.db.insert_run(run)
            is_drained = segment.tell() == self._drained_to
            segment.append_event(encode(run))
            if is_drained and not is_deferred:
                self._drained_to = segment.tell()
            active = ActiveRun(self, run.uuid, run.name, segment.tell(), is_deferred, run_id)
            self._runs.append(active)
            return active

    def number_of(self, run: ActiveRun) -> int:
        """Return a run's number in the database, which learns of it now if it hasn't yet."""
        with self._lock:
            if any(started.uuid == run.uuid for started in self._started):
                self.drain()
            return self.db.run_id_of(run.uuid)

    def join_run(self, run_id: int, uuid: str, name: str, pid: int) -> ActiveRun:
        """Record into a run that another process has started and will end."""
        with self._lock:
            start = self._writable_segment().tell()
            active = ActiveRun(
                self, uuid, name, start, known_id=run_id, has_other_writers=True, pid=pid
            )
            self._runs.append(active)
            return active

    def append(self, run: ActiveRun, records: Iterable[tuple[str, float]], step: int) -> None:
        """Write checked records of one step, all of them or none."""
        wall_time = time.time()
        with self._lock:
            frames = []
            for metric_name, value in records:
                channel = run.channels.get(metric_name) or self._define(run, metric_name)
                payload = journal.pack_payload(step, value, wall_time, channel)
                frames.append(journal.pack_frame(payload, adler32(payload)))
            self._writable_segment().append(b"".join(frames))

    def _define(self, run: ActiveRun, metric_name: str) -> int:
        channel = self._writable_segment().define_channel(run.uuid, metric_name)
        self._channels[channel] = (run, metric_name)
        run.channels[metric_name] = channel
        return channel

    def leave_note(self, note: journal.Note) -> None:
        """Say something about this process's end, for whoever recovers its segment."""
        with self._lock:
            segment = self._writable_segment()
            before = segment.tell()
            segment.leave_note(note)
            for run in self._runs:  # a note is no record: what was summarised stays summarised
                if run._summaries[0] == before:
                    run._summaries = (segment.tell(), run._summaries[1])

    def drain(self, *, is_durable: bool = False) -> None:
        """Move what has been recorded, started and ended into the database.

        Raises:
            StoreError: it cannot be written. All waits where it is, for the next drain.
        """
        with self._lock:
            segment = self._segment
            if segment is None:
                return
            end = segment.tell()
            if end == self._drained_to and not (self._started or self._ended or is_durable):
                return
            drained = Drained(
                segment.writer,
                end,
                partial(self._batches, segment, end),
                tuple(self._started),
                tuple(self._ended),
            )
            self.db.append(drained, is_durable=is_durable)
            self._drained_to = end
            self._started.clear()
            self._ended.clear()

    def _batches(self, segment: journal.SegmentWriter, end: int, start: int) -> Iterator[Batch]:
        for at in range(max(start, journal.HEADER_SIZE), end, _DRAIN_CHUNK_BYTES):
            frames = segment.read(at, min(at + _DRAIN_CHUNK_BYTES, end))
            for channel, of_channel in frames.items():
                run, metric_name = self._channels[channel]
                steps, values, wall_times = journal.columns_of(of_channel)
                yield Batch(run.uuid, metric_name, steps, values, wall_times)

    def summaries(self, run: ActiveRun) -> dict[str, Summary]:
        """Summarise an active run's metrics, in the order of their first records.

        Computed over the segment, without the database, unless others recorded into the run too.
        """
        with self._lock:
            if run.has_other_writers or self._segment is None:
                self.drain()
                recover(self.db)  # what processes forked or spawned by this one have left
                return self.db.read_summaries(run.run_id)
            end = self._segment.tell()
            if run._summaries[0] != end:
                columns = self._segment.columns(run.start, end)
                summaries = {
                    metric_name: summarize(*columns[channel])
                    for metric_name, channel in run.channels.items()
                    if channel in columns
                }
                run._summaries = (end, summaries)
            return run._summaries[1]

    def end_run(self, run: ActiveRun, end: RunEnd, *, is_durable: bool) -> None:
        """End a run: its last records, summaries and end go into the database at once.

        The end of a deferred run is in the journal at once, and in the database together with
        those of others: after so many of them, or a second.

        Raises:
            StoreError: it could not be stored. The run is over all the same; it waits in the
                journal for the next drain.
        """
        with self._lock:
            summaries: dict[str, Summary] = {}
            try:
                summaries = self.summaries(run)
            except RunNotFoundError:  # somebody has deleted it: there is nothing to summarise
                pass
            finally:
                ended = EndedRun(run.uuid, end, summaries)
                if not self._ended:
                    self._deferred_since = time.monotonic()
                self._ended.append(ended)
                with suppress(JournalError):  # no space; the database may have some
                    self._writable_segment().append_event(encode(ended))
                self.forget(run)
            is_due = (
                len(self._ended) >= _MOST_DEFERRED
                or time.monotonic() - self._deferred_since > _LONGEST_DEFERRED_S
            )
            if is_due or not run.is_deferred:
                self.drain(is_durable=is_durable)
                self._retire_if_large()

    def forget(self, run: ActiveRun) -> None:
        """Stop recording into a run; whoever still tries is told that there is none."""
        with self._lock:
            run.channels.clear()
            if run in self._runs:
                self._runs.remove(run)

    def _retire_if_large(self) -> None:
        if self._segment is not None and self._drained_to > _ROTATE_FROM_BYTES:
            self._retire_segment()

    def _retire_segment(self) -> None:
        """Remove the segment when all of it is in the database and nobody writes to it."""
        segment = self._segment
        if segment is None or self._runs or self._started or self._ended:
            return
        if segment.tell() != self._drained_to:
            return
        segment.remove()
        self._segment = None
        self._channels.clear()
        with suppress(StoreError):  # a note about a segment that is gone is in nobody's way
            self.db.forget_segment(segment.writer)

    def close(self, runs: Iterable[ActiveRun] | None = None) -> None:
        """Move everything into the one database file and let go of its files.

        Args:
            runs: those not recorded into any more, by default all. They are left running: whoever
                opens the experiment next sees it. Other runs go on in the segment.
        """
        with self._lock:
            self.drain()
            for run in list(self._runs if runs is None else runs):
                self.forget(run)
            self._retire_segment()
            self.db.close()
            self._is_recovered = False  # who knows what the next one to open it will find

    def abandon(self) -> None:
        """Write to the database no more, which is gone or corrupt; another takes its place.

        The segment comes home to that one, as that of a dead process does.
        """
        with self._lock:
            for run in list(self._runs):
                self.forget(run)
            segment = self._segment
            self._reset()
            if segment is not None:
                segment.close()

    def __del__(self) -> None:
        """Close what nobody can close any more: the last tracker of the experiment is gone."""
        if self._is_finalizing():  # it was closed at exit, and the globals of this module are gone
            return
        _close_quietly(self)
        if self._segment is not None:  # it could not be drained; the next one to open it can
            self._segment.close()

    def _forget_after_fork(self) -> None:
        """Start afresh in a forked child: its runs go on in a segment of its own."""
        segment = self._segment
        self._reset()
        if segment is not None:
            segment.close()
        for run in self._runs:
            run.channels.clear()
            run.has_other_writers = True


_RECORDERS: weakref.WeakValueDictionary[Path, Recorder] = weakref.WeakValueDictionary()
_RECORDERS_LOCK = threading.Lock()


def recorder_of(path: Path) -> Recorder:
    """Return this process's recorder of the experiment in the database file `path`."""
    with _RECORDERS_LOCK:
        recorder = _RECORDERS.get(path)
        if recorder is not None and not recorder.db.is_usable():
            recorder.abandon()
            recorder = None
        if recorder is None:
            recorder = _RECORDERS[path] = Recorder(path)
        return recorder


def _before_fork() -> None:
    # A child drains by itself what it records, into runs that the database has to know.
    for recorder in list(_RECORDERS.values()):
        if recorder._started:
            with suppress(StoreError):
                recorder.drain()


def _after_fork_in_child() -> None:
    global _RECORDERS_LOCK  # noqa: PLW0603  # another thread may have held it
    _RECORDERS_LOCK = threading.Lock()
    for recorder in list(_RECORDERS.values()):
        recorder._forget_after_fork()


def _after_fork_in_parent() -> None:
    for recorder in list(_RECORDERS.values()):
        for run in list(recorder._runs):
            run.has_other_writers = True


os.register_at_fork(
    before=_before_fork,
    after_in_child=_after_fork_in_child,
    after_in_parent=_after_fork_in_parent,
)


def _close_quietly(recorder: Recorder) -> None:
    # Where closing fails the data waits in its segment, and there is nobody left to tell.
    with suppress(TrackingError):
        recorder.close()


@atexit.register
def _close_all() -> None:
    for recorder in list(_RECORDERS.values()):
        _close_quietly(recorder)
