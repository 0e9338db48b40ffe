"""Files: what a folder lies on, and putting a file in the place of another at once."""

from __future__ import annotations

import fcntl
import glob
import os
import re
import shutil
import stat
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Here neither a WAL database nor a mapped journal can lie. SQLite's WAL needs memory shared among
# all who use the file, which other machines cannot have (sqlite.org/wal.html); a map over such a
# file system may fail, or show others old pages.
_NETWORK_TYPES = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "gpfs"),
        *("9p", "virtiofs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone"),
    }
)
_OCTAL = re.compile(r"\\([0-7]{3})")  # how mountinfo writes spaces
_MOUNTS = Path("/proc/self/mountinfo")


def is_network(folder: Path) -> bool:
    """Tell whether a folder lies on a file system that other machines may use too."""
    return type_of(folder) in _NETWORK_TYPES


def type_of(folder: Path) -> str | None:
    """Return the type of the file system a folder lies on, None where the system does not say."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    path = Path(os.path.realpath(folder))
    return type_by_mounts(path, mounts.splitlines())


def type_by_mounts(path: Path, mounts: Iterable[str]) -> str | None:
    """Return the type of the innermost mount that holds `path`, by lines of mountinfo (proc(5)).

    >>> mounts = ["1 0 0:1 / / rw - ext4 a rw", "2 1 0:2 / /data rw - nfs4 b rw"]
    >>> type_by_mounts(Path("/data/x"), mounts)
    'nfs4'
    """
    found = None
    length = -1
    for line in mounts:
        place, separator, source = line.partition(" - ")
        fields = place.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[4]))
        # Of two mounts at one place the later one lies on top.
        if path.is_relative_to(point) and len(point.parts) >= length:
            found, length = source.split(" ")[0], len(point.parts)
    return found


def replace_file(target: Path, content: bytes) -> None:
    """Put a file in the place of another, whole or not at all; it keeps the other's permissions.

    Raises:
        OSError: it could not be done; the old file is as it was.
    """
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}.tmp")
    try:
        with temporary.open("xb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    flush(target.parent)


def flush(path: Path) -> None:
    """Have the disk take a file, or the names in a folder.

    Raises:
        OSError: it could not be done.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def working_folder(beside: Path, purpose: str) -> Iterator[Path]:
    """Give a folder for what is being made, which is removed afterwards.

    Those that processes have left there that died are removed too.

    Args:
        beside: the folder it lies in; made if need be.
        purpose: a word for its name.

    Raises:
        OSError: it could not be made.
    """
    prefix = f".{purpose}-"
    beside.mkdir(parents=True, exist_ok=True)
    for old in beside.glob(f"{glob.escape(prefix)}*"):
        with suppress(OSError), _locked(old):
            shutil.rmtree(old)
    with ExitStack() as held:
        is_ours = False
        while not is_ours:  # before it is locked, it may be taken for one that was left
            folder = tempfile.TemporaryDirectory(
                prefix=prefix, dir=beside, ignore_cleanup_errors=True
            )
            path = Path(held.enter_context(folder))
            with suppress(BlockingIOError, FileNotFoundError):
                held.enter_context(_locked(path))
                is_ours = True
        yield path


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.stat()  # who held the lock may have removed it
        yield
    finally:
        os.close(fd)
