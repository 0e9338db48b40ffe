"""wandb in offline mode, into its log file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.peers.common import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.peers.common import Record

_BLOCK = 32_768
_FILE_HEADER = 7
_CHUNK_HEADER = 7  # check u32, length u16, kind u8
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@contextmanager
def _recording(folder: Path) -> Iterator[Record]:
    import wandb  # type: ignore[import-not-found,unused-ignore]

    settings = wandb.Settings(
        mode="offline",
        root_dir=str(folder),
        silent=True,
        console="off",
        x_disable_stats=True,
        x_disable_meta=True,
    )
    wandb_run = wandb.init(project="benchmark", settings=settings)
    yield lambda value, step: wandb_run.log({"loss": value}, step=step)
    wandb_run.finish()


def _count(folder: Path) -> int:
    from wandb.proto.wandb_internal_pb2 import Record as Entry  # type: ignore[import-not-found,unused-ignore]

    return sum(
        Entry.FromString(entry).WhichOneof("record_type") == "history"
        for path in folder.glob("wandb/offline-run-*/*.wandb")
        for entry in _entries(path.read_bytes())
    )


def _entries(data: bytes) -> Iterator[bytes]:
    """Iterate over the entries of a log in LevelDB's format, the last one only if it is whole."""
    at = _FILE_HEADER
    entry = b""
    while at + _CHUNK_HEADER <= len(data):
        if _BLOCK - at % _BLOCK < _CHUNK_HEADER:
            at += _BLOCK - at % _BLOCK  # the rest of a block too short for a chunk is left out
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        start, at = at + _CHUNK_HEADER, at + _CHUNK_HEADER + length
        if kind not in (_WHOLE, _FIRST, _MIDDLE, _LAST) or at > len(data):
            return
        entry = data[start:at] if kind in (_WHOLE, _FIRST) else entry + data[start:at]
        if kind in (_WHOLE, _LAST):
            yield entry


if __name__ == "__main__":
    run(_recording, _count)
