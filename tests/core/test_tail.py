"""A segment is followed while it is written, frame by frame, whatever the reader meets."""

from __future__ import annotations

import math
import struct
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import journal, tail
from tracking.errors import JournalError, NewerFormatError
from tracking.events import EndedRun, NewRun, RunEnd, encode
from tracking.journal import FRAME_SIZE, HEADER_SIZE, SegmentWriter
from tracking.model import Status
from tracking.summary import summarize
from tracking.tail import JournalTail, Progress, SegmentTail

RUN = "ab" * 16


@pytest.fixture
def writer(tmp_path):
    writer = SegmentWriter(tmp_path)
    yield writer
    writer.close()


def put(writer, channel, step, value, wall_time=1.0):
    payload = journal.pack_payload(step, value, wall_time, channel)
    writer.append(journal.pack_frame(payload, journal.adler32(payload)))


def read(following):
    """The records between where a tail began and where it is."""
    return {
        following.channels[number].metric_name: list(
            zip(*journal.columns_of(frames)[:2], strict=True)
        )
        for number, frames in following.records(0, following.end).items()
    }


def test_what_is_written_is_seen_at_the_next_look(writer):
    following = SegmentTail(writer.path)
    following.advance()
    assert following.end == HEADER_SIZE
    loss = writer.define_channel(RUN, "loss")
    put(writer, loss, 0, 0.5)
    following.advance()
    assert read(following) == {"loss": [(0, 0.5)]}
    accuracy = writer.define_channel(RUN, "accuracy é" * 20)
    put(writer, accuracy, 1, 0.25)
    put(writer, loss, 1, 0.75)
    following.advance()
    assert following.end == writer.tell()
    assert read(following)["loss"] == [(0, 0.5), (1, 0.75)]
    assert following.channels_of(RUN) == [(loss, "loss"), (accuracy, "accuracy é" * 20)]
    assert following.channels_of("other") == []
    assert following.defined_at[loss] == HEADER_SIZE


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=6), st.integers(1, 3))
def test_a_segment_of_any_length_is_seen_whole_however_often_it_is_looked_at(bursts, n_metrics):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        writer = SegmentWriter(Path(folder))
        following = SegmentTail(writer.path)
        expected = {}
        step = 0
        for burst in bursts:
            channels = {n: writer.define_channel(RUN, f"{n}") for n in range(n_metrics) if not step}
            expected |= {f"{n}": [] for n in channels}
            for _ in range(burst):
                name = f"{step % n_metrics}"
                put(writer, 1 + step % n_metrics, step, step / 2)
                expected[name].append((step, step / 2))
                step += 1
            following.advance()
            assert read(following) == {name: rows for name, rows in expected.items() if rows}
        writer.close()


def test_events_are_told_when_they_are_whole(writer):
    following = SegmentTail(writer.path)
    run = NewRun("a run" * 30, {"lr": 0.1}, RUN, 1.0)
    event = journal._text_frames(1 << 29 | 7, encode(run))
    writer.append(event[:-FRAME_SIZE])
    following.advance()
    assert following.started == {}
    writer.append(event[-FRAME_SIZE:])
    writer.append_event(encode(EndedRun(RUN, RunEnd(Status.FAILED, verdict="regressed"))))
    following.advance()
    assert following.started == {RUN: run}
    assert following.ended[RUN].verdict == "regressed"


def test_a_frame_that_is_just_being_written_is_left_for_the_next_look(writer, tmp_path):
    loss = writer.define_channel(RUN, "loss")
    put(writer, loss, 0, 0.5)
    payload = journal.pack_payload(1, 1.5, 1.0, loss)
    frame = journal.pack_frame(payload, journal.adler32(payload))
    following = SegmentTail(writer.path)
    end = writer.tell()
    with writer.path.open("r+b", buffering=0) as file:
        for length in range(0, FRAME_SIZE, 5):
            file.seek(end)
            file.write(frame[:length])
            following.advance()
            assert following.end == end
        file.seek(end)
        file.write(frame)
    following.advance()
    assert read(following) == {"loss": [(0, 0.5), (1, 1.5)]}


def test_a_frame_that_stays_damaged_is_passed_over(writer, monkeypatch):
    loss = writer.define_channel(RUN, "loss")
    for step in range(5):
        put(writer, loss, step, 1.0)
    with writer.path.open("r+b", buffering=0) as file:
        file.seek(writer.tell() - 3 * FRAME_SIZE)
        file.write(b"\xff" * 8)
    following = SegmentTail(writer.path)
    following.advance()
    following.advance()
    assert following.end == writer.tell() - 3 * FRAME_SIZE
    monkeypatch.setattr(tail, "_DAMAGED_AFTER_S", -1.0)
    following.advance()
    assert following.end == writer.tell()
    assert [step for step, _ in read(following)["loss"]] == [0, 1, 3, 4]
    assert following.progress[loss].n == 4


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda data: b"", JournalError),
        (lambda data: data[:50], JournalError),
        (lambda data: b"x" + data[1:], JournalError),
        (lambda data: data[:20] + b"\xff" + data[21:], JournalError),
        (lambda data: data[:8] + struct.pack("<H", 9) + data[10:], NewerFormatError),
    ],
)
def test_what_is_no_segment_of_ours_is_refused(writer, spoil, error):
    writer.path.write_bytes(spoil(writer.path.read_bytes()))
    with pytest.raises(error):
        SegmentTail(writer.path)
    assert JournalTail(writer.path.parent).advance() == []


def test_a_removed_segment_is_read_to_its_end(writer):
    following = SegmentTail(writer.path)
    put(writer, writer.define_channel(RUN, "loss"), 0, 0.5)
    writer.remove()
    following.advance()
    assert read(following) == {"loss": [(0, 0.5)]}


def test_the_segments_of_a_folder_come_and_go(tmp_path):
    folder = JournalTail(tmp_path / "e.journal")
    assert folder.advance() == []
    (tmp_path / "e.journal").mkdir()
    writers = [SegmentWriter(tmp_path / "e.journal") for _ in range(3)]
    assert {one.writer for one, _ in folder.advance()} == {one.writer for one in writers}
    kept = dict(folder.advance())
    writers[0].remove()
    assert {one.writer for one, _ in folder.advance()} == {one.writer for one in writers[1:]}
    assert {one for one, _ in folder.advance()} < set(kept)
    for writer in writers[1:]:
        writer.remove()


def test_no_file_stays_open(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    folder = JournalTail(tmp_path)
    for _ in range(20):
        writer = SegmentWriter(tmp_path)
        folder.advance()
        writer.remove()
        folder.advance()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_follower_takes_no_lock_and_writes_nothing(writer):
    before = writer.path.stat()
    following = SegmentTail(writer.path)
    put(writer, writer.define_channel(RUN, "loss"), 0, 0.5)
    following.advance()
    locks = Path("/proc/locks").read_text(encoding="ascii")
    inode = writer.path.stat().st_ino
    held = [line for line in locks.splitlines() if line.split()[5].endswith(f":{inode}")]
    assert len(held) == 1  # the writer's
    assert writer.path.stat().st_size == before.st_size


@given(
    st.lists(
        st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats()), min_size=1, max_size=9),
        min_size=1,
        max_size=6,
    )
)
def test_progress_is_the_summary_as_far_as_it_goes(parts):
    progress = Progress()
    rows = [row for part in parts for row in part]
    for part in parts:
        frames = b""
        for step, value in part:
            payload = journal.pack_payload(step, value, 0.0, 1)
            frames += journal.pack_frame(payload, journal.adler32(payload))
        progress.take(frames)
    rows.sort(key=lambda row: row[0])
    whole = summarize(*map(list, zip(*rows, strict=True)))
    found = progress.summary()
    assert (found.mean, found.std, found.tail) == (None, None, None)
    for name in ("n", "n_nan", "n_inf", "min", "max", "last", "first_step", "last_step"):
        mine, theirs = getattr(found, name), getattr(whole, name)
        assert mine == theirs or (math.isnan(mine) and math.isnan(theirs)), name


def test_threads_that_record_and_threads_that_follow_agree(tmp_path):
    writer = SegmentWriter(tmp_path)
    folder = JournalTail(tmp_path)
    channels = [writer.define_channel(RUN, f"{n}") for n in range(4)]
    is_over = threading.Event()
    seen = []

    def record(channel):
        for step in range(3_000):
            put(writer, channel, step, 1.0)

    def follow():
        while not is_over.is_set():
            for following, end in folder.advance():
                for frames in following.records(0, end).values():
                    steps = journal.columns_of(frames)[0]
                    seen.append(steps == list(range(len(steps))))

    threads = [threading.Thread(target=record, args=(channel,)) for channel in channels]
    followers = [threading.Thread(target=follow) for _ in range(2)]
    for thread in (*threads, *followers):
        thread.start()
    for thread in threads:
        thread.join()
    is_over.set()
    for thread in followers:
        thread.join()
    assert all(seen)
    (following, end), *_ = folder.advance()
    assert end == writer.tell()
    assert [one.n for one in following.progress.values()] == [3_000] * 4
    writer.close()
