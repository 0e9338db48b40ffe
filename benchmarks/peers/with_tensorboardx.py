"""tensorboardX, into an event file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.peers.common import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.peers.common import Record


@contextmanager
def _recording(folder: Path) -> Iterator[Record]:
    from tensorboardX import SummaryWriter  # type: ignore[import-not-found,unused-ignore]

    with SummaryWriter(str(folder)) as writer:
        yield lambda value, step: writer.add_scalar("loss", value, step)


def _count(folder: Path) -> int:
    """Count events that hold a summary, walking the frames: length u64, check u32, data, check."""
    from tensorboardX.proto.event_pb2 import Event  # type: ignore[import-not-found,unused-ignore]

    n = 0
    for path in folder.glob("events.*"):
        data = path.read_bytes()
        at = 0
        while at + 12 <= len(data):
            start, at = at + 12, at + 16 + int.from_bytes(data[at : at + 8], "little")
            if at <= len(data):
                n += bool(Event.FromString(data[start : at - 4]).summary.value)
    return n


if __name__ == "__main__":
    run(_recording, _count)
