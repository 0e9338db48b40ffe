"""The process that writes a segment, as the kernel tells of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tracking import journal
from tracking.journal import Owner

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc of Linux")

STAT = "4242 ({name}) {state} 1 4242 4242 0 -1 4194560 90 0 0 0 1 2 0 0 20 0 1 0 {started} 7 8 9"


@pytest.mark.parametrize(
    ("name", "state", "expected"),
    [
        ("python", "R", 123456),
        ("python", "S", 123456),
        ("python", "T", 123456),  # stopped lives
        ("python", "Z", 0),
        ("python", "X", 0),
        ("python", "x", 0),
        ("", "D", 123456),
        ("a) Z 1 (b", "S", 123456),
        ("a) S 1 (b", "Z", 0),
        (") ) )", "S", 123456),
    ],
)
def test_the_start_of_a_process_is_read_behind_its_name_and_the_dead_have_none(
    monkeypatch, name, state, expected
):
    text = STAT.format(name=name, state=state, started=123456)
    monkeypatch.setattr(Path, "read_text", lambda path, **_: {"/proc/4242/stat": text}[str(path)])
    assert journal.start_time_of(4242) == expected


RENAMED = r"""
import sys
from pathlib import Path
Path("/proc/self/comm").write_bytes(b"a) Z \xff(\n")
print("renamed", flush=True)
sys.stdin.read()
"""


@linux
def test_a_name_of_any_bytes_hides_no_process():
    child = subprocess.Popen(
        [sys.executable, "-c", RENAMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"renamed\n"
    stat = Path(f"/proc/{child.pid}/stat").read_bytes()
    assert b"(a) Z \xff(" in stat
    assert journal.start_time_of(child.pid) == int(stat.rpartition(b")")[2].split()[19])
    child.communicate()
    assert journal.start_time_of(child.pid) == 0


@linux
def test_who_is_dead_and_not_yet_waited_for_has_no_start():
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert journal.start_time_of(child.pid) == 0
    child.communicate()


@linux
def test_the_owner_tells_the_boot_and_the_namespace_of_its_pid():
    owner = Owner.this_process()
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert owner.boot_id.hex() == boot_id.replace("-", "")
    assert len(owner.boot_id) == 16
    assert owner.pid_namespace == Path("/proc/self/ns/pid").stat().st_ino
    assert owner.pid == os.getpid()


def test_where_the_kernel_does_not_say_the_owner_is_its_pid_alone(monkeypatch):
    def refused(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as without_proc:
        without_proc.setattr(Path, "read_text", refused)
        without_proc.setattr(Path, "stat", refused)
        owner = Owner.this_process()
    assert owner == (os.getpid(), 0, bytes(16), 0)
