"""Following segments of the journal while their processes write them, without getting in the way.

A reader takes no lock and changes nothing. It stops at the first frame that is not whole: a writer
fills its frames in order, so that one is just being written, and what is behind it comes next time.
"""

from __future__ import annotations

import math
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracking import journal
from tracking.errors import JournalError
from tracking.events import decode
from tracking.model import Summary

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tracking.events import NewRun, RunEnd

_FIRST_READ_BYTES = 1 << 14
_LARGEST_READ_BYTES = 1 << 22
_DAMAGED_AFTER_S = 2.0  # a frame takes microseconds to write


@dataclass(slots=True)
class Progress:
    """What a series has come to so far: the part of a `Summary` that needs no second look."""

    n: int = 0
    n_nan: int = 0
    n_inf: int = 0
    min: float = math.inf
    max: float = -math.inf
    last: float = math.nan
    first_step: int = 0
    last_step: int = 0

    def take(self, frames: bytes) -> None:
        """Go on with frames of records, of which there is at least one."""
        steps = np.frombuffer(frames, np.int64)[0::4]
        values = np.frombuffer(frames, np.float64)[1::4]
        if not self.n:
            self.first_step = self.last_step = int(steps[0])
        self.n += len(values)
        finite = values[np.isfinite(values)]
        if len(finite) < len(values):
            n_nan = int(np.isnan(values).sum())
            self.n_nan += n_nan
            self.n_inf += len(values) - len(finite) - n_nan
        if len(finite):
            self.min = min(self.min, float(finite.min()))
            self.max = max(self.max, float(finite.max()))
        self.first_step = min(self.first_step, int(steps.min()))
        newest = len(steps) - 1 - int(steps[::-1].argmax())  # of several the last
        if steps[newest] >= self.last_step:
            self.last_step = int(steps[newest])
            self.last = float(values[newest])

    def summary(self) -> Summary:
        """Return it as a summary that knows neither mean nor spread nor tail."""
        smallest, largest = (self.min, self.max) if self.min <= self.max else (None, None)
        counts = (self.n, self.n_nan, self.n_inf)
        statistics = (smallest, largest, None, None, None)
        return Summary(*counts, *statistics, self.last, self.first_step, self.last_step)


class SegmentTail:
    """One segment, followed.

    Args:
        path: the segment.

    Attributes:
        writer: uuid of the segment.
        end: offset behind the last frame seen.
        channels: those defined so far, by number.
        defined_at: offset of the first frame of each channel's definition.
        ends_at: offset behind each channel's last record.
        progress: what each of them has come to.
        started: runs that have started in it, by uuid.
        ended: how runs have ended in it, by uuid.

    Raises:
        NewerFormatError: it is of a newer format.
        JournalError: it cannot be read, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            header = journal.Header.unpack(os.pread(self._fd, journal.HEADER_SIZE, 0), path)
        except JournalError:
            raise
        except OSError as error:
            raise JournalError(f"cannot read {path}: {error}") from error
        self.writer: str = header.writer
        self.end: int = journal.HEADER_SIZE
        self.channels: dict[int, journal.Channel] = {}
        self.defined_at: dict[int, int] = {}
        self.ends_at: dict[int, int] = {}
        self.progress: dict[int, Progress] = {}
        self.started: dict[str, NewRun] = {}
        self.ended: dict[str, RunEnd] = {}
        self._definitions: dict[int, bytes] = {}
        self._of_runs: dict[str, dict[int, str]] = {}
        self._events: dict[int, bytes] = {}
        self._stuck_since: tuple[int, float] | None = None
        self._has_damage = False

    def __del__(self) -> None:
        """Let go of the file, also of one that was removed meanwhile."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def advance(self) -> None:
        """Take in what has been written since.

        Raises:
            JournalError: it cannot be read.
        """
        n_bytes = _FIRST_READ_BYTES
        while True:
            data = self._pread(n_bytes, self.end)
            length = journal.intact_length(data)
            if length:
                self._take(data[:length])
                self.end += length
            if length < len(data) // journal.FRAME_SIZE * journal.FRAME_SIZE:
                if not self._is_stuck(data[length:]):
                    return
                self._has_damage = True
                self.end += journal.FRAME_SIZE
            elif len(data) < n_bytes:
                return
            n_bytes = min(2 * n_bytes, _LARGEST_READ_BYTES)

    def channels_of(self, run_uuid: str | None) -> list[tuple[int, str]]:
        """Return number and metric of the channels of a run."""
        return list(self._of_runs.get(run_uuid or "", {}).items())

    def _take(self, frames: bytes) -> None:
        extent = journal.extent_of(frames)
        for channel, start in extent.defined_at.items():
            self.defined_at.setdefault(channel, self.end + start)
        for channel, end in extent.ends_at.items():
            self.ends_at[channel] = self.end + end
        parts = journal.parts_of(frames)
        for channel, frames in parts.definitions.items():
            self._definitions[channel] = self._definitions.get(channel, b"") + frames
            if (found := journal.decode_channel(self._definitions[channel])) is not None:
                self.channels[channel] = found
                self._of_runs.setdefault(found.run_uuid, {})[channel] = found.metric_name
                del self._definitions[channel]
        for number, frames in parts.events.items():
            self._events[number] = self._events.get(number, b"") + frames
            if (text := journal.decode_text(self._events[number])) is not None:
                del self._events[number]
                started, ended = decode([text])
                self.started.update((run.uuid, run) for run in started)
                self.ended.update((one.uuid, one.end) for one in ended)
        for channel, frames in parts.records.items():
            self.progress.setdefault(channel, Progress()).take(frames)

    def _is_stuck(self, rest: bytes) -> bool:
        """Tell whether the next frame is damaged: others stand behind it, and it stays as it is."""
        if not rest[journal.FRAME_SIZE :].rstrip(b"\0"):
            self._stuck_since = None
            return False
        if self._stuck_since is None or self._stuck_since[0] != self.end:
            self._stuck_since = (self.end, time.monotonic())
        return time.monotonic() - self._stuck_since[1] > _DAMAGED_AFTER_S

    def frames(self, start: int, end: int) -> bytes:
        """Return the intact frames between two offsets, of which both were seen.

        Raises:
            JournalError: they cannot be read.
        """
        start = max(start, journal.HEADER_SIZE)
        frames = self._pread(end - start, start)
        return journal.intact(frames) if self._has_damage else frames

    def records(self, start: int, end: int) -> Mapping[int, bytes]:
        """Return the intact frames of each channel between two offsets, of which both were seen.

        Raises:
            JournalError: they cannot be read.
        """
        return journal.parts_of(self.frames(start, end)).records

    def _pread(self, n_bytes: int, offset: int) -> bytes:
        try:
            return os.pread(self._fd, max(n_bytes, 0), offset)
        except OSError as error:
            raise JournalError(f"cannot read {self.path}: {error}") from error


class JournalTail:
    """All segments of an experiment, followed.

    Threads may share it.

    Args:
        folder: of the segments; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._tails: dict[Path, SegmentTail] = {}

    def advance(self) -> list[tuple[SegmentTail, int]]:
        """Take in what has been written; return the segments there are, and how far each is seen.

        Those that cannot be read, as they are damaged or of a newer format, are left out: whoever
        recovers them says so.
        """
        with self._lock:
            try:
                paths = {path for path in self._folder.iterdir() if path.suffix == journal.SUFFIX}
            except OSError:  # nothing was recorded yet
                paths = set()
            self._tails = {path: tail for path, tail in self._tails.items() if path in paths}
            for path in paths - self._tails.keys():
                with suppress(JournalError):
                    self._tails[path] = SegmentTail(path)
            for tail in self._tails.values():
                with suppress(JournalError):
                    tail.advance()
            return [(tail, tail.end) for tail in self._tails.values()]
