"""Frames of a journal taken apart: by channel, by kind, and as columns."""

from __future__ import annotations

import sys
from zlib import adler32

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.segments import frame
from tracking import journal
from tracking.journal import (
    FRAME_SIZE,
    HEADER_SIZE,
    Channel,
    Extent,
    Parts,
    SegmentWriter,
    columns_of,
    read_segment,
)

DEFINITION, NOTE, EVENT = journal._DEFINITION, journal._NOTE, journal._EVENT
RUN = "0123456789abcdef" * 2
MANY = journal._MANY_FRAMES


def text_frames(number, content):
    return journal._text_frames(number, content)


# By channel


@given(
    numbers=st.lists(
        st.one_of(
            st.integers(1, 5),
            st.integers(0, 5).map(DEFINITION.__or__),
            st.integers(0, 5).map(EVENT.__or__),
            st.sampled_from([NOTE, (1 << 13) - 1, 1 << 13, (1 << 29) - 1]),
        ),
        min_size=1,
    )
)
# Numbers that share their lower 16 bits with another's, or with the bit of a kind.
@example([1, 1 << 16 | 1, 1])
@example([1, 1 << 17 | 1, 1 << 16 | 1])
@example([1 << 13, EVENT, 1 << 13])
@example([1 << 12, EVENT, 1 << 12])
@example([1 << 13, NOTE, 1 << 12, DEFINITION, EVENT])
def test_frames_are_split_by_channel_in_the_order_they_have(numbers):
    frames = [frame(number, step) for step, number in enumerate(numbers)]
    expected = {}
    for number, one in zip(numbers, frames, strict=True):
        expected[number] = expected.get(number, b"") + one
    assert journal._split_by_channel(b"".join(frames)) == expected, "few"
    assert journal._split_many_by_channel(b"".join(frames)) == expected, "many"


@pytest.mark.parametrize(
    ("n_frames", "has_numpy", "expected"),
    [
        (0, True, False),
        (MANY - 1, True, False),
        (MANY, True, True),
        (MANY, False, False),
        (journal._WORTH_NUMPY_FRAMES - 1, False, False),
        (journal._WORTH_NUMPY_FRAMES, False, True),
    ],
)
def test_numpy_is_taken_for_many_frames_and_imported_for_very_many(
    monkeypatch, n_frames, has_numpy, expected
):
    if not has_numpy:
        monkeypatch.delitem(sys.modules, "numpy")
    assert journal._is_for_numpy(n_frames * FRAME_SIZE) is expected


# By kind


def mixed(n_records):
    """Frames of every kind among `n_records` records of two channels, and where they lie."""
    pieces = [
        text_frames(1 | DEFINITION, bytes.fromhex(RUN) + b"loss"),
        frame(1, 0),
        text_frames(0 | EVENT, b"first" * 10),
        frame(NOTE, 5),
        text_frames(2 | DEFINITION, bytes.fromhex(RUN) + b"a rather long name of a metric"),
        frame(2, 0),
        text_frames(1 | EVENT, b""),
        *(frame(1 + step % 2, step) for step in range(1, n_records - 1)),
        frame(NOTE, 6),
    ]
    starts = np.cumsum([0, *map(len, pieces)]).tolist()
    return pieces, starts


@pytest.mark.parametrize("n_records", [4, MANY])
def test_parts_are_the_frames_of_each_kind_by_number_and_notes_are_left_out(n_records):
    pieces, _ = mixed(n_records)
    records = pieces[1::4][:2] + pieces[7:-1]
    assert journal.parts_of(b"".join(pieces)) == Parts(
        {
            1: b"".join([records[0], *records[3::2]]),
            2: b"".join([records[1], *records[2::2]]),
        },
        {1: pieces[0], 2: pieces[4]},
        {0: pieces[2], 1: pieces[6]},
    )


def test_the_kinds_are_told_apart_up_to_the_last_number_of_each():
    numbers = [EVENT - 1, EVENT, NOTE - 1, NOTE, DEFINITION - 1, DEFINITION, 2**32 - 1]
    frames = {number: frame(number) for number in numbers}
    everything = b"".join(frames.values())
    assert journal.parts_of(everything) == Parts(
        {EVENT - 1: frames[EVENT - 1]},
        {0: frames[DEFINITION], DEFINITION - 1: frames[2**32 - 1]},
        {0: frames[EVENT], EVENT - 1: frames[NOTE - 1]},
    )
    assert journal.extent_of(everything) == Extent(
        {0: 5 * FRAME_SIZE, DEFINITION - 1: 6 * FRAME_SIZE}, {EVENT - 1: FRAME_SIZE}
    )


def test_nothing_has_no_parts():
    assert journal.parts_of(b"") == Parts({}, {}, {})


@pytest.mark.parametrize("n_records", [4, 5, MANY])
def test_the_extent_is_where_channels_are_defined_and_where_their_records_end(n_records):
    pieces, starts = mixed(n_records)
    last = {1 + (n_records - 2) % 2: starts[-2], 1 + (n_records - 3) % 2: starts[-3]}
    assert journal.extent_of(b"".join(pieces)) == Extent({1: 0, 2: starts[4]}, last)


# As columns

ROWS = [(3, 0.5, 1.7e9), (-1, -0.25, 1.8e9), (2**62, 1e300, 0.5)]


def test_an_array_of_frames_has_their_fields_by_name():
    frames = b"".join(frame(channel, *row) for channel, row in enumerate(ROWS, 7))
    found = journal.as_array(frames)
    assert found.dtype.names == ("step", "value", "wall_time", "channel", "check")
    assert found[["step", "value", "wall_time"]].tolist() == ROWS
    assert found["channel"].tolist() == [7, 8, 9]
    assert found["check"].tolist() == [
        adler32(frame(7 + i, *row)[:28]) for i, row in enumerate(ROWS)
    ]
    part = journal.as_array(frames, 1, FRAME_SIZE)
    assert part["step"].tolist() == [-1]
    assert columns_of(frames) == tuple(map(list, zip(*ROWS, strict=True)))


@pytest.mark.parametrize("way", ["mmap", "write"])
@pytest.mark.parametrize("n", [0, 1, 5, MANY - 1, MANY, MANY + 1])
def test_the_columns_of_a_stretch_are_those_of_its_records(tmp_path, monkeypatch, way, n):
    if way == "write":
        monkeypatch.setattr(journal, "_allocate", lambda *_: False)
    writer = SegmentWriter(tmp_path)
    channels = [writer.define_channel(RUN, name) for name in ("loss", "acc")]
    writer.append(frame(channels[0], 99))  # before the stretch
    start = writer.tell()
    expected = {}
    for step in range(n):
        channel = channels[step * step % 3 % 2]
        expected.setdefault(channel, []).append((n - step, step / 8))
        writer.append(frame(channel, *expected[channel][-1]))
        if step == 2:
            writer.append_event(b"something" * 10)
    end = writer.tell()
    writer.append(frame(channels[1], 99))  # and behind it
    writer.define_channel(RUN, "late")
    found = writer.columns(start, end)
    assert {c: list(zip(*map(list, two), strict=True)) for c, two in found.items()} == expected
    assert {c: len(of_c) for c, of_c in writer.read(start, end).items()} == {
        c: FRAME_SIZE * len(of_c) for c, of_c in expected.items()
    }
    writer.close()


# What is intact

WHOLE = b"".join(frame(1, step) for step in range(6))


@pytest.mark.parametrize("n_before", [0, 2, MANY + 1])
@pytest.mark.parametrize(
    ("data", "n_frames"),
    [
        (b"", 0),
        (WHOLE, 6),
        (WHOLE[:-1], 5),
        (WHOLE + WHOLE[:1], 6),
        (WHOLE[:1], 0),
        (WHOLE + bytes(FRAME_SIZE), 6),
        (WHOLE + bytes(FRAME_SIZE) + WHOLE, 6),  # behind a gap that may yet be filled
        (b"\xff" + WHOLE[1:], 0),
        (WHOLE[:FRAME_SIZE] + b"\xff" + WHOLE[FRAME_SIZE + 1 :], 1),
    ],
)
def test_what_is_intact_ends_at_the_first_frame_that_is_not_whole(n_before, data, n_frames):
    before = b"".join(frame(2, step) for step in range(n_before))
    expected = len(before) + n_frames * FRAME_SIZE
    assert journal.intact_length(before + data) == expected


def test_of_damaged_frames_those_are_intact_whose_checks_hold():
    damaged = WHOLE[:FRAME_SIZE] + b"\xff" + WHOLE[FRAME_SIZE + 1 :]
    assert journal.intact(damaged) == WHOLE[:FRAME_SIZE] + WHOLE[2 * FRAME_SIZE :]
    assert journal.intact(WHOLE) == WHOLE


def test_a_frame_whose_check_ends_in_zeros_is_whole_without_them():
    one = frame(1, 0, 0.0, 0.0)
    assert one.endswith(b"\0")
    assert journal.intact(WHOLE + one.rstrip(b"\0")) == WHOLE + one


# Definitions and events


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (bytes.fromhex(RUN) + b"x", Channel(RUN, "x")),
        (bytes.fromhex(RUN) + "größe".encode(), Channel(RUN, "größe")),
        (bytes.fromhex(RUN), None),  # a metric has a name
        (bytes.fromhex(RUN)[:-1], None),
        (b"", None),
        (bytes.fromhex(RUN) + b"\xff", None),
    ],
)
def test_a_channel_is_a_run_and_a_name(content, expected):
    assert journal.decode_channel(text_frames(1 | DEFINITION, content)) == expected


def test_of_a_segment_every_kind_is_found_among_its_own(tmp_path):
    writer = SegmentWriter(tmp_path)
    pieces, _ = mixed(4)
    writer.append(b"".join(pieces))
    writer.append(text_frames(0 | DEFINITION, bytes.fromhex(RUN) + b"of number 0"))
    assert sorted(writer.read(HEADER_SIZE, writer.tell())) == [1, 2]
    _, frames = read_segment(writer.path)
    assert sorted(frames.records) == [1, 2]
    assert {n: one.metric_name for n, one in frames.channels.items()} == {
        0: "of number 0",
        1: "loss",
        2: "a rather long name of a metric",
    }
    assert frames.events == [b"first" * 10, b""]
    assert [int(note) for note in frames.notes] == [5, 6]
    writer.close()
