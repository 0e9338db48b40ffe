"""The journal segment where room gets scarce, and where it is written through."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.core.segments import by_write, frame, rows
from tracking import journal
from tracking.errors import JournalError
from tracking.journal import FRAME_SIZE, HEADER_SIZE, Note, SegmentWriter, read_segment

PAGE = journal._PAGE


# Growing


def test_room_that_another_thread_made_is_enough(tmp_path):
    writer = SegmentWriter(tmp_path)
    size = len(writer._map)
    assert writer.path.stat().st_size == size == journal._FIRST_SIZE
    writer.make_room(size - HEADER_SIZE)
    assert len(writer._map) == size
    writer.make_room(size)
    assert len(writer._map) == 2 * size
    writer.close()


def test_a_segment_grows_by_no_more_than_it_may(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_FIRST_SIZE", 4 * PAGE)
    monkeypatch.setattr(journal, "_LARGEST_GROWTH", 6 * PAGE)
    writer = SegmentWriter(tmp_path)
    sizes = []
    for _ in range(3):
        writer.make_room(len(writer._map))
        sizes.append(len(writer._map) // PAGE)
    assert sizes == [8, 14, 20]
    writer.close()


@pytest.mark.parametrize(
    ("n_first", "n_free", "tried"),
    [
        (16, 16, [16]),
        (16, 15, [16, 8]),
        (16, 1, [16, 8, 4, 2, 1]),
        (5, 1, [5, 2, 1]),  # whole pages
        (16, 0, [16, 8, 4, 2, 1]),
    ],
)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_the_last_pages_of_a_full_disk_are_taken_too(
    tmp_path, monkeypatch, n_first, n_free, tried, number
):
    monkeypatch.setattr(journal, "_FIRST_SIZE", n_first * PAGE)
    allocate, asked = journal._allocate, []

    def limited(fd, offset, length):
        asked.append((offset, length))
        if offset + length > (n_first + n_free) * PAGE:
            raise OSError(number, "no more")
        return allocate(fd, offset, length)

    monkeypatch.setattr(journal, "_allocate", limited)
    writer = SegmentWriter(tmp_path)
    asked.clear()
    if n_free:
        writer.make_room(n_first * PAGE)
    else:
        with pytest.raises(JournalError) as caught:
            writer.make_room(n_first * PAGE)
        assert str(caught.value) == f"no space left for {writer.path}: [Errno {number}] no more"
    assert asked == [(n_first * PAGE, n * PAGE) for n in tried]
    assert len(writer._map) == writer.path.stat().st_size
    assert len(writer._map) == (n_first + (tried[-1] if n_free else 0)) * PAGE
    writer.close()


FILL_A_DISK = """
import resource, signal, sys
from pathlib import Path
from zlib import adler32
from tracking import journal
from tracking.errors import JournalError

folder, way, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if way == "write":
    journal._allocate = lambda *_: False
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = journal.SegmentWriter(folder)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
channel = writer.define_channel("00" * 16, "loss")
for step in range(limit):
    payload = journal.pack_payload(step, 0.5, 1.7e9, channel)
    try:
        writer.append(journal.pack_frame(payload, adler32(payload)))
    except JournalError as error:
        print(step, error)
        break
"""


@pytest.mark.parametrize(("way", "granularity"), [("mmap", PAGE), ("write", FRAME_SIZE)])
def test_a_full_disk_is_told_and_what_was_written_stays(tmp_path, way, granularity):
    limit = 400_010  # not a whole number of frames
    done = subprocess.run(
        [sys.executable, "-c", FILL_A_DISK, str(tmp_path), way, str(limit)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(journal.__file__).parents[1],
    )
    n_written, message = done.stdout.split(maxsplit=1)
    (path,) = tmp_path.iterdir()
    assert "no space left" in message
    assert str(path) in message
    _, frames = read_segment(path)
    assert [step for step, _, _ in rows(frames, 1)] == list(range(int(n_written)))
    assert frames.n_damaged == 0
    assert limit - granularity < frames.end <= limit


def test_a_segment_without_space_leaves_nothing_behind(tmp_path, monkeypatch):
    def no_space(fd, offset, length):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal, "_allocate", no_space)
    open_before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(JournalError, match="No space left"):
        SegmentWriter(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/dev/fd").iterdir())) == open_before


def test_a_segment_that_cannot_be_mapped_larger_says_so_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_FIRST_SIZE", PAGE)
    writer = SegmentWriter(tmp_path)
    writer.append(frame(1, 0))

    def not_permitted(fd, offset, length):
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as broken:
        broken.setattr(journal, "_allocate", not_permitted)
        with pytest.raises(JournalError, match=r"cannot extend .*not permitted"):
            writer.append(frame(1, 1) * 200)
    writer.append(frame(1, 2) * 200)
    assert len(rows(read_segment(writer.path)[1], 1)) == 201
    writer.close()


# Writing through


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.EOPNOTSUPP, False), (errno.ENOSYS, False), (errno.EINVAL, False), (0, True)],
)
def test_where_no_space_can_be_allocated_segments_are_written_through(
    tmp_path, monkeypatch, number, expected
):
    def allocate(fd, offset, length):
        if number:
            raise OSError(number, os.strerror(number))
        os.ftruncate(fd, offset + length)

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    writer = SegmentWriter(tmp_path)
    writer.append(frame(1, 5))
    assert (writer.path.stat().st_size > HEADER_SIZE + FRAME_SIZE) == expected
    assert rows(read_segment(writer.path)[1], 1)[0][0] == 5
    writer.close()


def test_a_system_that_cannot_allocate_at_all_writes_through(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    writer = SegmentWriter(tmp_path)
    writer.append(frame(1, 5))
    assert writer.path.stat().st_size == HEADER_SIZE + FRAME_SIZE
    writer.close()


def test_a_write_that_fails_names_the_segment_and_the_cause(tmp_path, monkeypatch):
    by_write(monkeypatch)
    writer = SegmentWriter(tmp_path)

    def broken(fd, data, at):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr(os, "pwrite", broken)
        with pytest.raises(JournalError) as caught:
            writer.append(frame(1, 0))
    assert str(caught.value) == f"cannot write to {writer.path}: [Errno 5] Input/output error"
    assert writer.tell() == writer.path.stat().st_size == HEADER_SIZE
    writer.close()


@pytest.mark.parametrize("accepted", [0, 1, 31])
def test_a_piece_written_in_part_is_taken_back(tmp_path, monkeypatch, accepted):
    by_write(monkeypatch)
    writer = SegmentWriter(tmp_path)
    writer.append(frame(1, 0))
    with monkeypatch.context() as full_disk:
        write = os.pwrite
        full_disk.setattr(os, "pwrite", lambda fd, data, at: write(fd, data[:accepted], at))
        with pytest.raises(JournalError, match="no space left"):
            writer.append(frame(1, 1))
    writer.append(frame(1, 2))
    _, frames = read_segment(writer.path)
    assert [step for step, _, _ in rows(frames, 1)] == [0, 2]
    assert frames.n_damaged == 0
    writer.close()


def test_taking_back_a_piece_spares_what_another_thread_wrote_meanwhile(tmp_path, monkeypatch):
    by_write(monkeypatch)
    writer = SegmentWriter(tmp_path)
    other = threading.Thread(target=lambda: writer.append(frame(2, 0)))
    write = os.pwrite

    def write_a_part(fd, data, at):
        if threading.current_thread() is other:
            return write(fd, data, at)
        other.start()
        other.join(0.2)  # long enough to get in between, were it let
        return write(fd, data[:8], at)

    monkeypatch.setattr(os, "pwrite", write_a_part)
    with pytest.raises(JournalError, match="no space left"):
        writer.append(frame(1, 0))
    other.join()
    _, frames = read_segment(writer.path)
    assert list(frames.records) == [2]
    assert frames.n_damaged == 0
    writer.close()


def interrupted(monkeypatch, handler, outcome):
    """Have `handler` run in the middle of the next write(2), as a signal's does."""
    write = os.pwrite

    def write_interrupted(fd, data, at):
        monkeypatch.setattr(os, "pwrite", write)
        handler()
        return outcome(write(fd, data, at))

    monkeypatch.setattr(os, "pwrite", write_interrupted)


def test_the_end_does_not_pass_a_frame_that_is_still_being_written(tmp_path, monkeypatch):
    by_write(monkeypatch)
    writer = SegmentWriter(tmp_path)
    seen = []

    def handler():
        writer.leave_note(Note.TERMINATED)
        seen.append(writer.tell())

    interrupted(monkeypatch, handler, lambda n: n)
    writer.append(frame(1, 0))
    assert seen == [HEADER_SIZE]
    assert writer.tell() == HEADER_SIZE + 2 * FRAME_SIZE
    assert read_segment(writer.path)[1].notes == [Note.TERMINATED]
    writer.close()


def test_a_gap_that_a_failed_write_left_under_another_is_no_channel(tmp_path, monkeypatch):
    by_write(monkeypatch)
    writer = SegmentWriter(tmp_path)
    interrupted(monkeypatch, lambda: writer.append(frame(2, 7)), lambda n: n - 1)
    with pytest.raises(JournalError, match="no space left"):
        writer.append(bytes(FRAME_SIZE))  # what a write that failed leaves
    assert list(writer.read(HEADER_SIZE, writer.tell())) == [2]
    assert writer.tell() == HEADER_SIZE + 2 * FRAME_SIZE
    writer.close()
