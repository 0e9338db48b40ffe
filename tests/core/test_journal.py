"""The journal segment: what was written reads back, and nothing else does."""

from __future__ import annotations

import fcntl
import itertools
import math
import os
import stat
import struct
import sys
import threading
import uuid
from pathlib import Path
from zlib import adler32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.segments import by_write, frame, rows, rows_of
from tracking import journal
from tracking.errors import JournalError
from tracking.journal import (
    FRAME_SIZE,
    HEADER_SIZE,
    Channel,
    Header,
    Note,
    Owner,
    SegmentWriter,
    pack_frame,
    pack_payload,
    read_segment,
)

ASSET = Path(__file__).parents[1] / "assets" / "segment_v1.segment"
NAN, INF = math.nan, math.inf
RUNS = ("0123456789abcdef" * 2, "f0e1d2c3b4a59687" * 2)
PAGE = journal._PAGE
UNUSED = bytes(3 * FRAME_SIZE)  # how much unused space the sample keeps

anything_packed = {
    "step": st.integers(-(2**63), 2**63 - 1),
    "value": st.floats(),
    "wall_time": st.floats(0, 2e9),
    "channel": st.integers(1, 2**30 - 1),
}


@pytest.fixture(params=["mmap", "write"])
def folder(request, tmp_path, monkeypatch):
    """A folder for segments, written in both ways; small ones, so that they grow soon."""
    monkeypatch.setattr(journal, "_FIRST_SIZE", PAGE)
    if request.param == "write":
        by_write(monkeypatch)
    return tmp_path


@pytest.fixture
def writer(folder):
    writer = SegmentWriter(folder)
    yield writer
    writer.close()


# The sample: how version 1 looks on a disk

LONG_NAME = "validation/größe/" + "long" * 20
SAMPLE_HEADER = Header("ab" * 16, Owner(4242, 123456, bytes(range(16)), 4026531836), 1.7e9)
SAMPLE = {
    (RUNS[0], "loss"): [(0, 1.5), (1, 0.1), (1, NAN), (2, INF), (3, -INF), (4, -0.0)],
    (RUNS[0], LONG_NAME): [(2**63 - 1, 5e-324), (-(2**63), 1.7976931348623157e308)],
    (RUNS[1], "loss"): [(-1, 0.25), (10**12, 1 / 3)],
}
SAMPLE_SIZE = HEADER_SIZE + (1 + 5 + 1 + 6 + 2 + 2) * FRAME_SIZE  # with the frames of definitions


def sample_segment(folder):
    """Return the bytes of the asset: `ASSET.write_bytes(sample_segment(folder))` made it."""
    writer = SegmentWriter(folder)
    clock = itertools.count(1_700_000_000)
    for (run, name), records in SAMPLE.items():
        channel = writer.define_channel(run, name)
        for step, value in records:
            writer.append(frame(channel, step, value, next(clock) + 0.5))
    content = writer.path.read_bytes()[HEADER_SIZE : writer.tell()]
    writer.close()
    return SAMPLE_HEADER.pack() + content + UNUSED


def test_the_sample_of_version_1_reads_as_on_the_day_it_was_written():
    header, frames = read_segment(ASSET)
    assert header == SAMPLE_HEADER
    assert frames.channels == {i: Channel(*key) for i, key in enumerate(SAMPLE, 1)}
    clock = itertools.count(1_700_000_000)
    for channel, records in enumerate(SAMPLE.values(), 1):
        expected = [(step, value, next(clock) + 0.5) for step, value in records]
        assert repr(rows(frames, channel)) == repr(expected)
    assert (frames.end, frames.n_damaged) == (SAMPLE_SIZE, 0)


def test_the_same_records_still_make_the_same_bytes(folder):
    assert sample_segment(folder) == ASSET.read_bytes()


# Writing and reading back


def test_nothing_written_reads_as_nothing(writer):
    header, frames = read_segment(writer.path)
    assert header == writer.header
    assert frames == ({}, {}, [], [], HEADER_SIZE, 0)
    assert writer.tell() == HEADER_SIZE


@pytest.mark.parametrize("n", [1, 2, 1_000, journal._MANY_FRAMES, 3 * journal._MANY_FRAMES])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_records_read_back_by_channel_in_order(writer, n, n_channels):
    channels = [writer.define_channel(RUNS[i % 2], f"metric {i}") for i in range(n_channels)]
    start = writer.tell()
    expected = {channel: [] for channel in channels}
    for i in range(n):
        channel = channels[i * i % n_channels]
        expected[channel].append((-i, i / 7, 1.7e9 + i))
        writer.append(frame(channel, *expected[channel][-1]))
    expected = {channel: records for channel, records in expected.items() if records}

    _, frames = read_segment(writer.path)
    assert {c: rows_of(of_channel) for c, of_channel in frames.records.items()} == expected
    assert frames.records == writer.read(start, writer.tell())
    assert frames.records == writer.read(HEADER_SIZE, writer.tell()), "no definition among records"
    assert list(frames.channels.values()) == [
        Channel(RUNS[i % 2], f"metric {i}") for i in range(n_channels)
    ]
    assert (frames.end, frames.n_damaged) == (writer.tell(), 0)


@given(records=st.lists(st.fixed_dictionaries(anything_packed), max_size=30))
def test_every_number_comes_back_bit_for_bit(records):
    packed = [frame(**record) for record in records]
    intact, n_damaged = journal._intact_frames(b"".join(packed) + UNUSED)
    assert (intact, n_damaged) == (b"".join(packed), 0)
    for record, one in zip(records, packed, strict=True):
        fields = record["step"], record["value"], record["wall_time"]
        assert struct.pack("<qdd", *rows_of(one)[0]) == struct.pack("<qdd", *fields)


def test_names_of_every_length_come_back(writer):
    names = ["".join(itertools.islice(itertools.cycle("loss/0"), n)) for n in range(1, 1_001)]
    names += [character * n for character in "é漢😀" for n in (1, 2, 3, 5, 6, 250, 1_000)]
    names += [" ", "\n", "a\x7f"]
    numbers = [writer.define_channel(RUNS[0], name) for name in names]
    for number in numbers:
        writer.append(frame(number, number))
    _, frames = read_segment(writer.path)
    assert [frames.channels[number] for number in numbers] == [Channel(RUNS[0], n) for n in names]
    assert [rows(frames, number)[0][0] for number in numbers] == numbers
    assert frames.n_damaged == 0


def test_the_same_notes_and_events_still_make_the_same_bytes(folder, monkeypatch):
    monkeypatch.setattr(journal.time, "time", lambda: 1.7e9)
    writer = SegmentWriter(folder)
    start = writer.tell()
    writer.leave_note(Note.CALL)
    writer.append_event(b"some text of 24 bytes")
    writer.append_event(b"x")
    payloads = [
        struct.pack("<qddI", 5, 0.0, 1.7e9, 1 << 30),
        struct.pack("<I20sI", 21, b"some text of 24 byte", 1 << 29),
        struct.pack("<24sI", b"s", 1 << 29),
        struct.pack("<I20sI", 1, b"x", 1 << 29 | 1),
    ]
    expected = b"".join(one + struct.pack("<I", adler32(one)) for one in payloads)
    assert writer.path.read_bytes()[start : writer.tell()] == expected
    writer.close()


# Growing


def counting_make_room(monkeypatch, limit):
    """Count calls of make_room, and end a test in which they would not."""
    calls = []
    make_room = SegmentWriter.make_room

    def counted(writer, n_bytes):
        calls.append(n_bytes)
        assert len(calls) <= limit, "make_room is called again and again"
        make_room(writer, n_bytes)

    monkeypatch.setattr(SegmentWriter, "make_room", counted)
    return calls


@pytest.mark.parametrize("n_frames", [1, 2, 127, 128, 129, 200, 5_000])
def test_a_segment_grows_for_pieces_of_any_size(folder, monkeypatch, n_frames):
    # A piece larger than what is left, where what is left is a page and more, must not wait for
    # room for ever.
    calls = counting_make_room(monkeypatch, limit=50)
    writer = SegmentWriter(folder)
    n_pieces = max(4, 2_000 // n_frames)
    for i in range(n_pieces):
        writer.append(b"".join(frame(1, i * n_frames + j) for j in range(n_frames)))
    _, frames = read_segment(writer.path)
    assert [step for step, _, _ in rows(frames, 1)] == list(range(n_pieces * n_frames))
    assert frames.n_damaged == 0
    assert len(calls) >= 4 or writer._map is None
    writer.close()


def test_threads_lose_nothing_and_keep_their_order(writer):
    n_threads, n_each = 16, 1_000
    channels = [writer.define_channel(RUNS[0], f"of {i}") for i in range(n_threads)]
    together = threading.Barrier(n_threads)

    def record(channel):
        together.wait()
        for step in range(n_each):
            writer.append(frame(channel, step))
            if step % 100 == 0:
                writer.define_channel(RUNS[1], f"{step} of {channel}")

    threads = [threading.Thread(target=record, args=[channel]) for channel in channels]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)

    _, frames = read_segment(writer.path)
    assert frames.n_damaged == 0
    assert len(set(frames.channels.values())) == n_threads + n_threads * n_each // 100
    for channel in channels:
        assert [step for step, _, _ in rows(frames, channel)] == list(range(n_each))


# The writer's hold of its file


def is_locked(path):
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_a_segment_is_locked_while_its_writer_lives(folder):
    writer = SegmentWriter(folder)
    assert is_locked(writer.path)
    writer.append(frame(1, 0) * 1_000)
    assert is_locked(writer.path)
    writer.close()
    assert not is_locked(writer.path)
    assert len(rows(read_segment(writer.path)[1], 1)) == 1_000


def test_removing_leaves_no_file(folder):
    writer = SegmentWriter(folder)
    writer.remove()
    assert list(folder.iterdir()) == []


def test_removing_what_is_gone_already_is_no_error(folder):
    writer = SegmentWriter(folder)
    writer.path.unlink()
    writer.remove()
    assert not writer.path.exists()


def test_a_segment_that_cannot_be_removed_says_so_and_stays_in_use(folder, monkeypatch):
    writer = SegmentWriter(folder)

    def refused(path, **_):
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as read_only:
        read_only.setattr(Path, "unlink", refused)
        with pytest.raises(JournalError) as caught:
            writer.remove()
    error = "[Errno 1] Operation not permitted"
    assert str(caught.value) == f"cannot remove {writer.path}: {error}"
    writer.append(frame(1, 0))
    assert is_locked(writer.path)
    writer.remove()


def test_a_segment_is_its_owner_s_to_write_and_as_readable_as_the_umask_lets(folder):
    umask = os.umask(0o026)
    try:
        writer = SegmentWriter(folder)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(writer.path.stat().st_mode) == 0o640
    writer.close()


def test_no_file_that_is_there_is_taken_for_a_new_segment(folder, monkeypatch):
    monkeypatch.setattr(journal.os, "urandom", bytes)
    other = folder / f"{bytes(16).hex()}.new"
    other.write_bytes(b"somebody's")
    with pytest.raises(JournalError, match=r"cannot create a journal segment in .*File exists"):
        SegmentWriter(folder)
    assert other.read_bytes() == b"somebody's"


def test_an_interrupt_in_the_making_of_a_segment_is_passed_on(folder, monkeypatch):
    rename = Path.rename

    def interrupted_behind(path, target):
        rename(path, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupted_behind)
    with pytest.raises(KeyboardInterrupt):
        SegmentWriter(folder)
    (left,) = folder.iterdir()
    assert not is_locked(left)


def test_a_segment_that_somebody_looks_into_can_be_closed(tmp_path):
    writer = SegmentWriter(tmp_path)
    writer.append(frame(1, 0))
    with memoryview(writer._map) as looked_into:
        writer.close()
        assert looked_into[HEADER_SIZE : HEADER_SIZE + FRAME_SIZE] == frame(1, 0)


def test_closing_twice_closes_one_file(folder, monkeypatch):
    writer = SegmentWriter(folder)
    closed, close = [], os.close
    monkeypatch.setattr(os, "close", lambda fd: closed.append(fd) or close(fd))
    writer.close()
    writer.close()
    assert len(closed) == 1


def test_closing_twice_does_not_close_a_stranger_s_file(folder):
    writer = SegmentWriter(folder)
    writer.close()
    stranger = os.open(folder / "other", os.O_CREAT | os.O_RDWR)
    writer.close()
    with pytest.raises((ValueError, JournalError)):
        writer.append(frame(1, 0))
    assert os.fstat(stranger).st_size == 0
    os.close(stranger)


def test_a_segment_that_cannot_be_created_is_an_error_that_names_the_folder(tmp_path):
    with pytest.raises(JournalError, match=r"cannot create a journal segment in .*missing"):
        SegmentWriter(tmp_path / "missing")


def test_notes_are_told_apart_from_records_and_channels(folder):
    writer = SegmentWriter(folder)
    channel = writer.define_channel(RUNS[0], "loss")
    start = writer.tell()
    for note in Note:
        writer.append(frame(channel, note))
        writer.leave_note(note)
    writer.append(frame(99 | journal._NOTE, 0))  # of a later version
    _, frames = read_segment(writer.path)
    assert frames.notes == list(Note)
    assert frames.events == []
    assert frames.channels == {channel: Channel(RUNS[0], "loss")}
    assert [step for step, _, _ in rows(frames, channel)] == list(Note)
    assert list(writer.read(start, writer.tell())) == [channel]
    assert read_segment(writer.path, frames.end)[1].notes == []
    writer.close()


def test_the_header_tells_who_writes(writer):
    header, _ = read_segment(writer.path)
    assert header.owner == Owner.this_process()
    assert header.owner.pid == os.getpid()
    assert header.writer == uuid.UUID(header.writer).hex == writer.path.stem
    assert journal.start_time_of(os.getpid()) == header.owner.start_time


def test_a_process_that_is_not_there_has_no_start_time():
    assert journal.start_time_of(2**22 + 1) == 0  # above the largest pid of Linux


# Damage


def damaged(data, at, byte):
    return data[:at] + bytes([byte]) + data[at + 1 :]


@pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_every_change_of_a_byte_is_noticed(tmp_path, stride):
    path = tmp_path / "x.segment"
    intact = ASSET.read_bytes()
    _, expected = read_segment(ASSET)
    n_records = sum(map(len, expected.records.values()))
    for at in (*range(HEADER_SIZE), *range(HEADER_SIZE, len(intact), stride)):
        old = intact[at]
        for new in {0, 255, old ^ 1, old ^ 16, old ^ 128} - {old}:
            path.write_bytes(damaged(intact, at, new))
            if at < HEADER_SIZE:
                try:
                    found = read_segment(path)
                except JournalError:
                    continue
                # The rest of the header is room for later versions.
                assert at >= journal._HEADER.size
                assert found == (SAMPLE_HEADER, expected)
                continue
            _, frames = read_segment(path)
            # Zeros are unused only behind the last byte that is none.
            assert frames.n_damaged == 1 + max(0, at - SAMPLE_SIZE) // FRAME_SIZE
            assert frames.channels.items() <= expected.channels.items()
            assert sum(map(len, frames.records.values())) >= n_records - FRAME_SIZE
            for channel, of_channel in frames.records.items():
                assert set(rows_bytes(of_channel)) <= set(rows_bytes(expected.records[channel]))


def rows_bytes(frames):
    return [frames[at : at + FRAME_SIZE] for at in range(0, len(frames), FRAME_SIZE)]


@pytest.mark.parametrize("filler", [b"", bytes(200)], ids=["cut off", "zeros behind"])
def test_a_frame_cut_at_any_byte_is_not_accepted(tmp_path, filler):
    path = tmp_path / "x.segment"
    last = frame(1, 0x0102030405060708, 0.1, 1.7e9 + 0.3)
    assert all(last[-4:]), "no byte of the check is the zero that a cut leaves there"
    before = ASSET.read_bytes()[:SAMPLE_SIZE]
    for length in range(FRAME_SIZE):
        path.write_bytes(before + last[:length] + filler)
        _, frames = read_segment(path)
        assert len(rows(frames, 1)) == len(SAMPLE[RUNS[0], "loss"])
        assert frames.n_damaged == (1 if any(last[:length]) else 0)
        assert frames.end == SAMPLE_SIZE + frames.n_damaged * FRAME_SIZE
    path.write_bytes(before + last + filler)
    assert rows(read_segment(path)[1], 1)[-1][0] == 0x0102030405060708


@given(**anything_packed, length=st.integers(0, FRAME_SIZE - 1))
def test_no_cut_makes_another_frame(step, value, wall_time, channel, length):
    whole = frame(channel, step, value, wall_time)
    cut = whole[:length].ljust(FRAME_SIZE, b"\0")
    intact, _ = journal._intact_frames(cut)
    assert intact in (b"", whole)
    assert (intact == whole) == (cut == whole)


@pytest.mark.parametrize("n_cut", range(1, 5))
def test_a_definition_that_lost_its_end_or_a_piece_is_refused(tmp_path, n_cut):
    writer = SegmentWriter(tmp_path)
    writer.define_channel(RUNS[0], "loss")
    first = writer.tell()
    writer.define_channel(RUNS[0], "x" * 90)  # five frames
    data = writer.path.read_bytes()
    writer.close()
    for lost in itertools.combinations(range(5), n_cut):
        pieces = [data[first + i * FRAME_SIZE :][:FRAME_SIZE] for i in range(5) if i not in lost]
        writer.path.write_bytes(data[:first] + b"".join(pieces))
        assert read_segment(writer.path)[1].channels == {1: Channel(RUNS[0], "loss")}


def test_a_definition_that_is_not_text_is_refused(tmp_path):
    writer = SegmentWriter(tmp_path)
    content = struct.pack("<I", 18) + bytes(16) + b"\xff\xfe"
    payload = struct.pack("<24sI", content, 1 | journal._DEFINITION)
    writer.append(pack_frame(payload, adler32(payload)) + frame(1, 7))
    _, frames = read_segment(writer.path)
    assert (frames.channels, frames.n_damaged) == ({}, 0)
    assert rows(frames, 1)[0][0] == 7
    writer.close()


@pytest.mark.parametrize("n", [10, journal._MANY_FRAMES, journal._MANY_FRAMES + 7])
@pytest.mark.parametrize("kind", ["zeros", "noise", "shift"])
def test_frames_around_damage_are_kept(tmp_path, n, kind):
    writer = SegmentWriter(tmp_path)
    channel = writer.define_channel(RUNS[0], "loss")
    for step in range(n):
        writer.append(frame(channel, step))
    data = bytearray(writer.path.read_bytes()[: writer.tell()])
    writer.close()
    first = len(data) - n * FRAME_SIZE
    damage = {"zeros": bytes(FRAME_SIZE), "noise": b"\xa5" * FRAME_SIZE}
    for step in (2, 5, n - 2):
        at = first + step * FRAME_SIZE
        data[at : at + FRAME_SIZE] = damage.get(kind, data[at + 8 : at + 8 + FRAME_SIZE])
    writer.path.write_bytes(data)
    _, frames = read_segment(writer.path)
    kept = [step for step in range(n) if step not in (2, 5, n - 2)]
    assert [step for step, _, _ in rows(frames, channel)] == kept
    assert (frames.n_damaged, frames.end) == (3, len(data))


@pytest.mark.parametrize("length", [0, 1, 8, 83, 84, HEADER_SIZE - 1])
def test_a_file_that_ends_in_its_header_is_no_segment(tmp_path, length):
    path = tmp_path / "cut.segment"
    path.write_bytes(ASSET.read_bytes()[:length])
    with pytest.raises(JournalError, match=r"cut\.segment is not a journal segment"):
        read_segment(path)


def with_fields(version, header_size, frame_size):
    """Return the sample with other fields in a header whose check is right."""
    data = bytearray(ASSET.read_bytes())
    struct.pack_into("<HHI", data, 8, version, header_size, frame_size)
    unchecked = bytes(data[: journal._HEADER.size - 4]) + bytes(4)
    struct.pack_into("<I", data, journal._HEADER.size - 4, adler32(unchecked))
    return bytes(data)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"SQLite format 3\0" + bytes(4_080), "is not a journal segment; nothing was read"),
        (bytes(4_096), "is not a journal segment"),
        (with_fields(2, 128, 32), "journal format 2; this version reads up to 1: upgrade"),
        (with_fields(65_535, 256, 64), "journal format 65535"),
        (with_fields(0, 128, 32), r"the header of .* is damaged"),
        (with_fields(1, 64, 32), r"the header of .* is damaged"),
        (with_fields(1, 128, 16), r"the header of .* is damaged"),
    ],
    ids=["sqlite", "zeros", "newer", "much newer", "older", "header size", "frame size"],
)
def test_files_of_others_and_other_versions_are_refused_by_name(tmp_path, content, message):
    path = tmp_path / "other.segment"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=message) as caught:
        read_segment(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_a_file_that_is_not_there_is_a_journal_error(tmp_path):
    with pytest.raises(JournalError, match=r"cannot read .*gone\.segment") as caught:
        read_segment(tmp_path / "gone.segment")
    assert isinstance(caught.value.__cause__, FileNotFoundError)


# Reading from the middle


def test_reading_on_from_anywhere_gives_the_rest_and_all_channels(tmp_path):
    data = ASSET.read_bytes()
    _, whole = read_segment(ASSET)
    behind = [data[at : at + FRAME_SIZE] for at in range(HEADER_SIZE, SAMPLE_SIZE, FRAME_SIZE)]
    for i in range(len(behind) + 1):
        start = HEADER_SIZE + i * FRAME_SIZE
        _, frames = read_segment(ASSET, start)
        assert frames.channels == whole.channels
        assert (frames.end, frames.n_damaged) == (SAMPLE_SIZE, 0)
        for channel, of_channel in whole.records.items():
            rest = [one for one in rows_bytes(of_channel) if one in behind[i:]]
            assert frames.records.get(channel, b"") == b"".join(rest)


@pytest.mark.parametrize("start", [0, 1, HEADER_SIZE])
def test_a_start_within_the_header_is_its_end(start):
    assert read_segment(ASSET, start) == read_segment(ASSET)


def test_a_start_behind_the_end_finds_nothing_and_stays(tmp_path):
    _, frames = read_segment(ASSET, 10**6)
    assert (frames.records, frames.end, frames.n_damaged) == ({}, 10**6, 0)


# The check


@given(st.lists(st.binary(min_size=FRAME_SIZE, max_size=FRAME_SIZE), min_size=1, max_size=50))
def test_the_checks_of_many_frames_are_those_of_each(frames):
    frames += [b"\0" * FRAME_SIZE, b"\xff" * FRAME_SIZE]
    found = journal._adler32_of_each(b"".join(frames))
    assert found.tolist() == [adler32(one[:-4]) for one in frames]


@given(
    **anything_packed, changes=st.dictionaries(st.integers(0, 31), st.integers(0, 255), max_size=2)
)
def test_every_change_of_two_bytes_is_noticed(step, value, wall_time, channel, changes):
    whole = frame(channel, step, value, wall_time)
    changed = bytearray(whole)
    for at, byte in changes.items():
        changed[at] = byte
    intact, n_damaged = journal._intact_frames(bytes(changed))
    assert (intact, n_damaged) == ((whole, 0) if changed == whole else (b"", 1))


def test_events_come_back_in_order_whole_and_apart_from_records(tmp_path):
    writer = SegmentWriter(tmp_path)
    events = [b"", b"x", b"y" * 23, b"z" * 5_000, "ä".encode()]
    channel = writer.define_channel("ab" * 16, "loss")
    for event in events:
        writer.append_event(event)
        payload = pack_payload(1, 2.0, 3.0, channel)
        writer.append(pack_frame(payload, adler32(payload)))
    end = writer.tell()
    assert list(writer.read(HEADER_SIZE, end)) == [channel]
    writer.close()
    _, frames = read_segment(writer.path, start=end - FRAME_SIZE)
    assert frames.events == events
    assert list(frames.records) == [channel]
    assert len(rows_of(frames.records[channel])) == 1


def test_an_event_cut_short_is_none(tmp_path):
    writer = SegmentWriter(tmp_path)
    writer.append_event(b"first" * 10)
    before = writer.tell()
    writer.append_event(b"second" * 100)
    writer.close()
    data = bytearray(writer.path.read_bytes())
    for cut in range(before + 1, before + 600, FRAME_SIZE):
        torn = bytes(data[:cut]).ljust(len(data), b"\0")
        writer.path.write_bytes(torn)
        _, frames = read_segment(writer.path)
        assert frames.events == [b"first" * 10]
