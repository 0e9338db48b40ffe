"""What a folder lies on is told by the innermost mount that holds it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tracking import filesystem
from tracking.filesystem import is_network, type_by_mounts, type_of

ROOT = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"
NFS = "40 22 0:44 / /home rw,relatime shared:2 master:3 - nfs4 server:/export rw,vers=4.2"
LOCAL = "41 40 0:45 / /home/me/scratch rw - tmpfs tmpfs rw"
SPACED = r"42 22 0:46 / /mnt/my\040share rw - cifs //server/share rw"
ODD = r"43 22 0:47 / /mnt/a\134b\011c rw - fuse.sshfs host: rw"
ON_TOP = "44 22 0:48 / /home rw - tmpfs tmpfs rw"
OPTIONAL_FIELDS = "45 22 0:49 / /many rw shared:1 master:2 propagate_from:3 unbindable - 9p host rw"
MOUNTS = (ROOT, NFS, LOCAL, SPACED, ODD, OPTIONAL_FIELDS)


@pytest.mark.parametrize(
    ("path", "mounts", "expected"),
    [
        ("/", MOUNTS, "ext4"),
        ("/tmp/x", MOUNTS, "ext4"),
        ("/home", MOUNTS, "nfs4"),
        ("/home/me/project", MOUNTS, "nfs4"),
        ("/homes/me", MOUNTS, "ext4"),
        ("/home/me/scratch", MOUNTS, "tmpfs"),
        ("/home/me/scratch/deeper", MOUNTS, "tmpfs"),
        ("/home/me/scratchpad", MOUNTS, "nfs4"),
        ("/home/me/scratch", (LOCAL, NFS, ROOT), "tmpfs"),  # whatever the order
        ("/mnt/my share/x", MOUNTS, "cifs"),
        ("/mnt/my", MOUNTS, "ext4"),
        ("/mnt/a\\b\tc", MOUNTS, "fuse.sshfs"),
        ("/many", MOUNTS, "9p"),
        ("/home/me", (*MOUNTS, ON_TOP), "tmpfs"),  # of two at one place the later one
        ("/home/me", (ROOT, "garbage", "", "1 2 3 - nfs", NFS), "nfs4"),
        ("/anything", (), None),
        ("/tmp", (NFS,), None),
    ],
)
def test_the_innermost_mount_tells_the_type(path, mounts, expected):
    assert type_by_mounts(Path(path), mounts) == expected


@pytest.fixture
def mounts(tmp_path, monkeypatch):
    """A file in the place of the kernel's table of mounts."""
    path = tmp_path / "mountinfo"
    monkeypatch.setattr(filesystem, "_MOUNTS", path)
    return path


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        *((kind, True) for kind in ("nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph")),
        *((kind, True) for kind in ("fuse.sshfs", "lustre", "glusterfs", "afs")),
        *((kind, False) for kind in ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "fuseblk")),
    ],
)
def test_network_file_systems_are_known_by_their_type(mounts, tmp_path, kind, expected):
    mounts.write_text(f"1 0 0:1 / / rw - {kind} somewhere rw\n")
    assert is_network(tmp_path) is expected


def test_a_link_counts_where_it_leads(mounts, tmp_path):
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share")
    share = f"2 1 0:2 / {tmp_path}/share rw - nfs host: rw"
    mounts.write_text(f"{ROOT}\n{share}\n")
    assert type_of(tmp_path / "link") == "nfs"
    assert type_of(tmp_path) == "ext4"


def test_a_folder_that_is_not_there_yet_lies_where_it_will(mounts, tmp_path):
    mounts.write_text(f"{ROOT}\n2 1 0:2 / {tmp_path} rw - nfs host: rw\n")
    assert is_network(tmp_path / "not" / "yet")


def test_names_that_are_no_text_are_read_all_the_same(mounts, tmp_path):
    strange = tmp_path / os.fsdecode(b"caf\xe9")
    mounts.write_bytes(b"1 0 0:1 / " + os.fsencode(strange) + b" rw - nfs host: rw\n")
    assert is_network(strange)


def test_a_system_that_does_not_say_has_no_network(mounts, tmp_path):
    assert type_of(tmp_path) is None
    assert not is_network(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="only Linux says")
def test_this_system_says_what_it_knows(tmp_path):
    assert type_of(Path("/proc")) == "proc"
    assert type_of(tmp_path) is not None


def test_a_new_working_folder_that_somebody_takes_for_one_left_is_made_again(tmp_path, monkeypatch):
    made = []

    class Taken(tempfile.TemporaryDirectory):
        def __enter__(self):
            name = super().__enter__()
            if not made:
                shutil.rmtree(name)  # as who cleans up does, before it is locked
            made.append(name)
            return name

    monkeypatch.setattr(tempfile, "TemporaryDirectory", Taken)
    with filesystem.working_folder(tmp_path, "test") as work:
        assert str(work) == made[1]
        with filesystem.working_folder(tmp_path, "test") as other:
            assert other != work
        assert work.is_dir()
    assert list(tmp_path.iterdir()) == []
