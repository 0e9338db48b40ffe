"""The crash-safe, append-only segment a process writes its records into, and its replay.

A segment is a file that one process owns. `SegmentWriter.write` copies a frame into a shared memory
map of it: from then on the kernel holds the frame, and no death of the process loses it. The file's
space is allocated before it is mapped, since a map over a hole dies of SIGBUS on a full disk.

File format, version 1, little-endian:

    header   128 bytes  `_HEADER`, then zeros
    frame    32 bytes   step i64, value f64, wall_time f64, channel u32, check u32
    ...
    zeros               space not yet used

`check` is the Adler-32 of the 28 bytes before it and stands last. A frame cut short by the death of
its writer has a check of 0, which no Adler-32 is; every change of one or two bytes changes it, and
any other slips through once in 2**26. (CRC-32 would be a little stronger and costs a seventh of
record(), measured.) All zeros is no valid frame, so the end needs no counter.

A channel is a metric of a run. It is defined before its first record by frames with the top bit of
`channel` set, written in one piece: their 24-byte payloads, joined, are a length u32 and that many
bytes: the run's uuid (16 bytes) and the metric's name in UTF-8.

An event is written in the same way, with the third bit of `channel` set above a number that counts
events: some text about a run, which this module doesn't look into.

A note (`Note`) is a frame with only the second bit of `channel` set and the note's number as its
step: what the process could still say about its end.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import adler32

from tracking import filesystem
from tracking.errors import JournalError, NewerFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SUFFIX = ".segment"
UNNAMED_SUFFIX = ".new"
HEADER_SIZE = 128
FRAME_SIZE = 32
FORMAT_VERSION = 1

_MAGIC = b"sgtrack\n"
# magic, version, header size, frame size, then the owner: segment uuid, pid, start time of the
# process, boot id, pid namespace, and the time of creation; the check of all of it comes last.
_HEADER = struct.Struct("<8sHHI16sQQ16sQdI")

# Native byte order and size with every field on its natural boundary: the same bytes as "<" on the
# little-endian machines we run on, packed faster.
pack_payload = struct.Struct("@qddI").pack
pack_frame = struct.Struct("@28sI").pack
_CHANNEL = struct.Struct("<24xI4x")
_DEFINITION = 1 << 31
_NOTE = 1 << 30
_EVENT = 1 << 29
_TEXT_PAYLOAD = 24

_FIRST_SIZE = 1 << 18
_LARGEST_GROWTH = 1 << 26
_PAGE = mmap.PAGESIZE
_MANY_FRAMES = 4_000  # from here on numpy is faster than plain Python
_WORTH_NUMPY_FRAMES = 100_000  # and from here on so much that it is worth importing

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("tracking writes its journal in little-endian order; this machine is not")


class Owner(NamedTuple):
    """The process that writes a segment, so that others can tell whether it lives."""

    pid: int
    start_time: int  # clock ticks after boot, as the kernel counts; 0 where it does not say
    boot_id: bytes  # 16 bytes; zeros where the system has none
    pid_namespace: int  # inode of the namespace the pid counts in; 0 where there is none

    @classmethod
    def this_process(cls) -> Owner:
        """Describe the running process."""
        return cls(os.getpid(), start_time_of(os.getpid()), _boot_id(), _pid_namespace())


@dataclass(frozen=True, slots=True)
class Header:
    """What the first 128 bytes of a segment say."""

    writer: str  # uuid of the segment, 32 hexadecimal digits
    owner: Owner
    created_at: float  # Unix seconds

    def pack(self) -> bytes:
        """Return the header's bytes."""
        fields = (
            _MAGIC,
            FORMAT_VERSION,
            HEADER_SIZE,
            FRAME_SIZE,
            bytes.fromhex(self.writer),
            *self.owner,
            self.created_at,
        )
        unchecked = _HEADER.pack(*fields, 0)
        packed = _HEADER.pack(*fields, adler32(unchecked))
        return packed.ljust(HEADER_SIZE, b"\0")

    @classmethod
    def unpack(cls, data: bytes, name: object) -> Header:
        """Read a header; `name` is what errors call the segment.

        Raises:
            NewerFormatError: it is of a newer format.
            JournalError: not a segment, or damaged.
        """
        if len(data) < HEADER_SIZE or not data.startswith(_MAGIC):
            raise JournalError(f"{name} is not a journal segment; nothing was read from it")
        _, version, header_size, frame_size, writer, *owner, created_at, check = (
            _HEADER.unpack_from(data)
        )
        if version > FORMAT_VERSION:
            raise NewerFormatError(
                f"{name} has journal format {version}; this version reads up to {FORMAT_VERSION}:"
                " upgrade pytest-sgtrack to read it; it was left untouched"
            )
        unchecked = data[: _HEADER.size - 4] + bytes(4)
        sizes = (version, header_size, frame_size)
        if adler32(unchecked) != check or sizes != (FORMAT_VERSION, HEADER_SIZE, FRAME_SIZE):
            raise JournalError(f"the header of {name} is damaged; nothing was read from it")
        pid, start_time, boot_id, pid_namespace = owner
        return cls(writer.hex(), Owner(pid, start_time, boot_id, pid_namespace), created_at)


class Note(IntEnum):
    """What a process leaves behind about its own end, for whoever recovers its segment.

    Attributes:
        TERMINATED: it was asked to terminate, by a signal.
        TIMED_OUT: a test has taken too long, and the process is about to be stopped.
        WENT_ON: it was not.
        SETUP: a test entered this phase.
        CALL: likewise.
        TEARDOWN: likewise.

    Examples:
        >>> from tracking import Note
        >>> with tracker.run():
        ...     tracker.leave_note(Note.CALL)
    """

    TERMINATED = 1
    TIMED_OUT = 2
    WENT_ON = 3
    SETUP = 4
    CALL = 5
    TEARDOWN = 6


_NOTES = {note.value: note for note in Note}


class Channel(NamedTuple):
    """What the frames of one channel belong to."""

    run_uuid: str
    metric_name: str


class Frames(NamedTuple):
    """A stretch of a segment, checked and taken apart.

    Attributes:
        channels: channels defined so far, by number.
        records: frames of each channel, in the order of recording; `columns_of` reads them.
        events: all of them, in order.
        notes: those found in this stretch, in order.
        end: offset behind the last frame.
        n_damaged: invalid frames found and left out.
    """

    channels: dict[int, Channel]
    records: dict[int, bytes]
    events: list[bytes]
    notes: list[Note]
    end: int
    n_damaged: int


class SegmentWriter:
    """The segment this process appends to.

    Args:
        folder: where segments of the experiment lie; must exist.

    Raises:
        JournalError: the file cannot be created or there is no space for it.
    """

    write: Callable[[bytes], Any]
    """Append frames; atomic among threads. Raises ValueError or JournalError when there is no room
    left; `make_room` then makes some."""

    def __init__(self, folder: Path) -> None:
        self.writer = os.urandom(16).hex()
        self.path = folder / f"{self.writer}{SUFFIX}"
        self.header = Header(self.writer, Owner.this_process(), time.time())
        self._lock = threading.RLock()  # a handler of signals may leave a note at any moment
        self._map: mmap.mmap | None = None
        self._end = self._reserved = 0  # of what was, and of what is being, written by pwrite(2)
        self._n_writing = 0
        self._next_channel = 1
        self._next_event = 0
        # Complete and locked before it has its name: whoever lists the folder must not take it for
        # the segment of a dead process.
        unnamed = folder / f"{self.writer}{UNNAMED_SUFFIX}"
        try:
            self._fd = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._open_for_appending()
                unnamed.rename(self.path)
            except BaseException:
                self._release()
                unnamed.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise JournalError(f"cannot create a journal segment in {folder}: {error}") from error

    def _open_for_appending(self) -> None:
        if not filesystem.is_network(self.path.parent) and _allocate(self._fd, 0, _FIRST_SIZE):
            self._map = mmap.mmap(self._fd, _FIRST_SIZE)
            self._map.write(self.header.pack())
            self.write = self._map.write
        else:
            self._write_through(self.header.pack())
            self.write = self._write_through

    def _write_through(self, frames: bytes) -> None:
        """Append by write(2), where space cannot be allocated ahead, or others may see the file."""
        with self._lock:  # or cutting off a part that was written took another thread's frames too
            # A signal's handler may write while this very write is under way: behind it. The end
            # moves when both are there, so that no drain passes a gap.
            start = self._reserved
            self._reserved = end = start + len(frames)
            self._n_writing += 1
            try:
                if os.pwrite(self._fd, frames, start) != len(frames):
                    raise JournalError(f"no space left for {self.path}")
            except OSError as error:
                if self._reserved == end:
                    self._reserved = start
                    with suppress(OSError):
                        os.ftruncate(self._fd, start)
                if isinstance(error, JournalError):
                    raise
                raise JournalError(f"cannot write to {self.path}: {error}") from error
            finally:
                self._n_writing -= 1
                if not self._n_writing:
                    self._end = self._reserved

    def tell(self) -> int:
        """Return the offset behind the last frame written."""
        if self._map is not None:
            return self._map.tell()
        return self._end

    def make_room(self, n_bytes: int = FRAME_SIZE) -> None:
        """Extend the segment after `write` found no room for `n_bytes`.

        It may take several calls until there is enough.

        Raises:
            JournalError: the disk is full; what was written stays readable.
        """
        with self._lock:
            if self._map is None or len(self._map) - self._map.tell() >= n_bytes:
                return  # another thread has made room meanwhile
            size = len(self._map)
            growth = min(size, _LARGEST_GROWTH)
            while True:
                try:
                    _allocate(self._fd, size, growth)
                    self._map.resize(size + growth)
                except OSError as error:
                    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                        raise JournalError(f"cannot extend {self.path}: {error}") from error
                    growth = growth // 2 // _PAGE * _PAGE
                    if growth < _PAGE:
                        raise JournalError(f"no space left for {self.path}: {error}") from error
                else:
                    return

    def append(self, frames: bytes) -> None:
        """Append frames, making room as needed."""
        while True:
            try:
                self.write(frames)
            except ValueError:  # the map is full
                self.make_room(len(frames))
            else:
                return

    def define_channel(self, run_uuid: str, metric_name: str) -> int:
        """Give a metric of a run its number in this segment."""
        with self._lock:
            channel = self._next_channel
            self._next_channel += 1
        content = bytes.fromhex(run_uuid) + metric_name.encode()
        self.append(_text_frames(channel | _DEFINITION, content))
        return channel

    def append_event(self, event: bytes) -> None:
        """Append some text about a run, in one piece."""
        with self._lock:
            number = self._next_event
            self._next_event += 1
        self.append(_text_frames(number | _EVENT, event))

    def leave_note(self, note: Note) -> None:
        """Say something about this process's end, for whoever recovers the segment."""
        payload = pack_payload(note, 0.0, time.time(), _NOTE)
        self.append(pack_frame(payload, adler32(payload)))

    def read(self, start: int, end: int) -> dict[int, bytes]:
        """Return the frames between two offsets by channel; what we wrote ourselves is intact."""
        frames = _split_by_channel(self._bytes(start, end))
        return {channel: frames[channel] for channel in frames if 0 < channel < _EVENT}

    def _bytes(self, start: int, end: int) -> bytes:
        if self._map is not None:
            return self._map[start:end]
        return os.pread(self._fd, end - start, start)

    def columns(self, start: int, end: int) -> dict[int, tuple[Any, Any]]:
        """Return steps and values between two offsets by channel, as sequences or as arrays."""
        if not _is_for_numpy(end - start):
            frames = self.read(start, end)
            return {channel: columns_of(frames[channel])[:2] for channel in frames}
        if self._map is None:
            return _columns_by_channel(as_array(self._bytes(start, end)))
        with self._lock:  # a map that arrays look into cannot be resized
            n_frames = (end - start) // FRAME_SIZE
            return _columns_by_channel(as_array(self._map, n_frames, start))

    def close(self) -> None:
        """Let go of the file without removing it; others take the writer for dead from now on."""
        self._release()

    def remove(self) -> None:
        """Let go of the file and remove it: everything in it has been drained.

        Raises:
            JournalError: it cannot be removed; it is as it was.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise JournalError(f"cannot remove {self.path}: {error}") from error
        self._release()

    def _release(self) -> None:
        if self._map is not None:
            with suppress(BufferError):  # forked while another thread looked into it: stays mapped
                self._map.close()
        # Forgotten first: the number may be another file's as soon as it is closed.
        fd, self._fd = self._fd, -1
        if fd != -1:
            os.close(fd)


class Parts(NamedTuple):
    """Frames by what they are, and by their numbers; each in the order of the segment.

    Attributes:
        records: of each channel; `columns_of` reads them.
        definitions: of each channel; `decode_channel` reads them once they are whole.
        events: of each event; `decode_text` reads them once they are whole.
    """

    records: dict[int, bytes]
    definitions: dict[int, bytes]
    events: dict[int, bytes]


def parts_of(frames: bytes) -> Parts:
    """Take intact frames apart; notes are left out."""
    parts = Parts({}, {}, {})
    for number, of_number in _split_by_channel(frames).items():
        if number < _EVENT:
            parts.records[number] = of_number
        elif number >= _DEFINITION:
            parts.definitions[number - _DEFINITION] = of_number
        elif number < _NOTE:
            parts.events[number - _EVENT] = of_number
    return parts


class Extent(NamedTuple):
    """Where frames of channels lie.

    Attributes:
        defined_at: offset of the first frame of a definition, by channel.
        ends_at: offset behind the last record, by channel.
    """

    defined_at: dict[int, int]
    ends_at: dict[int, int]


def extent_of(frames: bytes) -> Extent:
    """Return where in some frames channels are defined, and where their records end."""
    import numpy as np

    numbers = as_array(frames)["channel"]
    every, first = np.unique(numbers, return_index=True)
    _, last = np.unique(numbers[::-1], return_index=True)
    ends = FRAME_SIZE * (len(numbers) - last)
    extent = Extent({}, {})
    triples = zip(every.tolist(), (FRAME_SIZE * first).tolist(), ends.tolist(), strict=True)
    for number, start, end in triples:
        if number >= _DEFINITION:
            extent.defined_at[number - _DEFINITION] = start
        elif number < _EVENT:
            extent.ends_at[number] = end
    return extent


def intact(frames: bytes) -> bytes:
    """Return those of some frames whose checks hold."""
    return _intact_frames(frames)[0]


def intact_length(data: bytes) -> int:
    """Return how many bytes at the start of some data are whole frames whose checks hold.

    A frame that is just being written ends them, and so does space that is not yet used.
    """
    n_frames = len(data) // FRAME_SIZE
    if _is_for_numpy(n_frames * FRAME_SIZE):
        whole = data[: n_frames * FRAME_SIZE]
        is_intact = _adler32_of_each(whole) == as_array(whole)["check"]
        return FRAME_SIZE * (n_frames if is_intact.all() else int(is_intact.argmin()))
    for number, frame in enumerate(_frames(data[: n_frames * FRAME_SIZE])):
        if adler32(frame[:-4]) != int.from_bytes(frame[-4:], "little"):
            return FRAME_SIZE * number
    return FRAME_SIZE * n_frames


def read_segment(path: Path, start: int = HEADER_SIZE) -> tuple[Header, Frames]:
    """Read a segment that nobody writes to any more: all its channels, its records from `start` on.

    Raises:
        NewerFormatError: it is of a newer format.
        JournalError: not readable, not a segment, or its header is damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise JournalError(f"cannot read {path}: {error}") from error
    header = Header.unpack(data, path)
    start = max(start, HEADER_SIZE)
    before, _ = _intact_frames(data[HEADER_SIZE:start])
    after, n_damaged = _intact_frames(data[start:])
    end = start + len(after) + n_damaged * FRAME_SIZE
    records = _split_by_channel(after)
    definitions = _split_by_channel(before)
    for number, frames in records.items():
        definitions[number] = definitions.get(number, b"") + frames
    channels = {
        number - _DEFINITION: channel
        for number, frames in definitions.items()
        if number >= _DEFINITION and (channel := decode_channel(frames))
    }
    notes = [_NOTES[step] for step in columns_of(records.get(_NOTE, b""))[0] if step in _NOTES]
    events = [
        text
        for number in sorted(definitions)
        if _EVENT <= number < _NOTE and (text := decode_text(definitions[number])) is not None
    ]
    records = {number: frames for number, frames in records.items() if number < _EVENT}
    return header, Frames(channels, records, events, notes, end, n_damaged)


def columns_of(frames: bytes) -> tuple[Sequence[int], Sequence[float], Sequence[float]]:
    """Return the steps, values and times of frames."""
    # No tuple per frame: so many of them set off Python's garbage collector.
    integers, numbers = memoryview(frames).cast("q"), memoryview(frames).cast("d")
    return integers[0::4].tolist(), numbers[1::4].tolist(), numbers[2::4].tolist()


def _intact_frames(data: bytes) -> tuple[bytes, int]:
    """Return the frames whose check holds, and how many there are whose doesn't.

    What follows the last byte that is not zero is space that was never used.
    """
    n_frames = -(-len(data.rstrip(b"\0")) // FRAME_SIZE)
    data = data[: n_frames * FRAME_SIZE].ljust(n_frames * FRAME_SIZE, b"\0")
    if _is_for_numpy(len(data)):
        frames = as_array(data)
        is_intact = _adler32_of_each(data) == frames["check"]
        intact = data if is_intact.all() else frames[is_intact].tobytes()
    else:
        intact = b"".join(
            frame
            for frame in _frames(data)
            if adler32(frame[:-4]) == int.from_bytes(frame[-4:], "little")
        )
    return intact, n_frames - len(intact) // FRAME_SIZE


def _is_for_numpy(n_bytes: int) -> bool:
    """Tell whether numpy takes frames apart faster; both ways come to the same."""
    is_there = "numpy" in sys.modules
    return n_bytes >= FRAME_SIZE * (_MANY_FRAMES if is_there else _WORTH_NUMPY_FRAMES)


def _split_by_channel(data: bytes) -> dict[int, bytes]:
    if _is_for_numpy(len(data)):
        return _split_many_by_channel(data)
    numbers = [number for (number,) in _CHANNEL.iter_unpack(data)]
    if len(set(numbers)) == 1:
        return {numbers[0]: data}
    pieces: dict[int, list[bytes]] = {}
    start = 0
    for number, together in groupby(numbers):  # records of a metric tend to stand together
        end = start + FRAME_SIZE * len(list(together))
        pieces.setdefault(number, []).append(data[start:end])
        start = end
    return {number: b"".join(of_channel) for number, of_channel in pieces.items()}


def _split_many_by_channel(data: bytes) -> dict[int, bytes]:
    frames = as_array(data)
    order, groups = _grouped(frames["channel"])
    if len(groups) == 1:
        return dict.fromkeys(groups, data)
    return {number: frames[order[group]].tobytes() for number, group in groups.items()}


def _columns_by_channel(table: Any) -> dict[int, tuple[Any, Any]]:
    order, groups = _grouped(table["channel"])
    # Copied first: picking from what lies in one piece is many times as fast.
    steps, values = (table[column].copy().take(order) for column in ("step", "value"))
    return {
        number: (steps[group], values[group]) for number, group in groups.items() if number < _EVENT
    }


def _grouped(numbers: Any) -> tuple[Any, dict[int, slice]]:
    """Return a stable order that brings equal numbers together, and where in it each one is."""
    import numpy as np

    keys = numbers = numbers.copy()  # in one piece
    kind = _DEFINITION | _NOTE | _EVENT
    if int(np.bitwise_or.reduce(numbers)) & ~kind < 1 << 13:  # above it there is room for the kind
        keys = (numbers >> 16 | numbers).astype(np.uint16)  # sorted by radix, ten times as fast
    order = np.argsort(keys, kind="stable")
    keys = keys.take(order)
    bounds = [0, *(np.flatnonzero(keys[1:] != keys[:-1]) + 1).tolist(), len(keys)]
    return order, {int(numbers[order[start]]): slice(start, end) for start, end in pairwise(bounds)}


def as_array(frames: bytes | mmap.mmap, n: int = -1, start: int = 0) -> Any:
    """Return frames as an array of step, value, wall_time, channel and check."""
    import numpy as np

    fields = [
        ("step", "<i8"),
        ("value", "<f8"),
        ("wall_time", "<f8"),
        ("channel", "<u4"),
        ("check", "<u4"),
    ]
    return np.frombuffer(frames, np.dtype(fields), n, start)


def _adler32_of_each(data: bytes) -> Any:
    """Return the Adler-32 of each frame's first 28 bytes (RFC 1950: two sums modulo 65521)."""
    import numpy as np

    n_payload = FRAME_SIZE - 4
    weights = np.zeros((FRAME_SIZE, 2), dtype=np.float32)
    weights[:n_payload, 0] = 1
    weights[:n_payload, 1] = np.arange(n_payload, 0, -1)
    payload = np.frombuffer(data, dtype=np.uint8).reshape(-1, FRAME_SIZE)
    # Both sums stay below 2**24, so that float32 holds them exactly.
    sums = (payload.astype(np.float32) @ weights).astype(np.uint32)
    low = sums[:, 0] + 1
    high = (sums[:, 1] + n_payload) % 65521
    return high << 16 | low


def _text_frames(number: int, content: bytes) -> bytes:
    content = struct.pack("<I", len(content)) + content
    frames = []
    for start in range(0, len(content), _TEXT_PAYLOAD):
        payload = struct.pack("<24sI", content[start : start + _TEXT_PAYLOAD], number)
        frames.append(pack_frame(payload, adler32(payload)))
    return b"".join(frames)


def decode_text(frames: bytes) -> bytes | None:
    """Undo `_text_frames`; None where its end was lost with its writer."""
    content = b"".join(frame[:_TEXT_PAYLOAD] for frame in _frames(frames))
    length = int.from_bytes(content[:4], "little")
    content = content[4 : 4 + length]
    return content if len(content) == length else None


def decode_channel(frames: bytes) -> Channel | None:
    """Return what the frames of a definition say; None where their end is not there, or damaged."""
    content = decode_text(frames)
    if content is None or len(content) <= 16:
        return None  # no record can refer to it
    try:
        return Channel(content[:16].hex(), content[16:].decode())
    except UnicodeDecodeError:
        return None


def _frames(data: bytes) -> Iterator[bytes]:
    return (data[at : at + FRAME_SIZE] for at in range(0, len(data), FRAME_SIZE))


def _allocate(fd: int, offset: int, length: int) -> bool:
    """Allocate space on disk; False where the system or the file system cannot."""
    if not hasattr(os, "posix_fallocate"):
        return False
    try:
        os.posix_fallocate(fd, offset, length)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            return False
        raise
    return True


def start_time_of(pid: int) -> int:
    """Return when a live process started, in clock ticks after boot; 0 where that can't be told.

    A zombie is dead, and so is what is about to be one.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    # The second field is the name in parentheses and may contain anything.
    state, *fields = stat.rpartition(")")[2].split()
    return 0 if state in "ZXx" else int(fields[18])


def _boot_id() -> bytes:
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        return bytes(16)
    return bytes.fromhex(text.strip().replace("-", ""))


def _pid_namespace() -> int:
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0
