"""Frames of segments, for tests that write their own."""

from __future__ import annotations

from zlib import adler32

from tracking import journal
from tracking.journal import columns_of, pack_frame, pack_payload


def frame(channel, step=0, value=0.5, wall_time=1.7e9):
    payload = pack_payload(step, value, wall_time, channel)
    return pack_frame(payload, adler32(payload))


def rows(frames, channel):
    return rows_of(frames.records[channel])


def rows_of(frames):
    return list(zip(*columns_of(frames), strict=True))


def by_write(monkeypatch):
    """Make segments grow by write(2), as where the file system allocates no space ahead."""
    monkeypatch.setattr(journal, "_allocate", lambda *_: False)
