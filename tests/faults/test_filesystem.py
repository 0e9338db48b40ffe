"""Full disks, failing flushes, read-only places, networks and folders that vanish.

What record() acknowledged is kept and readable once the place is well again; what cannot be done is
refused with its reason; nothing is called durable that is not.
"""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import tracking
from tracking import ExperimentDBManager, JournalError, StoreError, Tracker, filesystem
from tracking.cli import main as sgtrack
from tracking.merging import merge

REPOSITORY = Path(tracking.__file__).parents[1]
DISK_BYTES = 2 << 20
BALLAST_BYTES = DISK_BYTES - (700 << 10)
RECORD_BYTES = 32  # in a segment


def mount(*arguments):
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    subprocess.run(["mount", *arguments], check=True)


@pytest.fixture
def disk(tmp_path):
    """A file system of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place))
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def run(script, *arguments, **how):
    """Run a script in a process of its own; returns what it printed, word by word."""
    done = subprocess.run(
        [*how.pop("under", ()), sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=120,
        **how,
    )
    return done.returncode, done.stdout.split(), done.stderr


def stored(folder):
    """Return, by the names of runs, their status and the steps of their `loss`."""
    tracker = Tracker(folder)
    tracker.set_experiment("e")
    found = {
        info.name: (info.status, [row.step for row in tracker.get_records(info.run_id, "loss")])
        for info in tracker.get_all_runs()
    }
    tracker.close()
    return found


def is_sound(path):
    with closing(sqlite3.connect(path)) as connection:
        checks = ("quick_check", "foreign_key_check")
        quick, foreign = (connection.execute(f"PRAGMA {check}").fetchall() for check in checks)
        return quick == [("ok",)] and not foreign


@pytest.fixture(params=["mapped", "written"])
def way(request, monkeypatch):
    """Both ways a segment is written: into a map, and by write(2) as on a network."""
    if request.param == "written":
        monkeypatch.setattr(filesystem, "is_network", lambda folder: True)
    return request.param


# Full disks


def record_until_full(tracker, limit=200_000):
    """Return how many records were acknowledged before one was refused, and why it was."""
    for step in range(limit):
        try:
            tracker.record("loss", step / 7, step)
        except JournalError as error:
            return step, str(error)
    raise AssertionError("the disk was never full")


def test_a_disk_that_fills_up_and_is_freed_has_cost_nothing(disk, way):
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(BALLAST_BYTES))
    tracker = Tracker(disk)
    tracker.set_experiment("e")
    tracker.start_run("long")
    n_acknowledged, reason = record_until_full(tracker)
    assert "space left" in reason
    assert n_acknowledged * RECORD_BYTES > 250_000
    with pytest.raises(JournalError):
        tracker.record("loss", 0.0, -1)
    with pytest.raises(StoreError):
        tracker.end_run()
    ballast.unlink()
    with tracker.run("after"):
        tracker.record("loss", 1.0, 7)
    tracker.close()
    assert stored(disk) == {
        "long": ("completed", list(range(n_acknowledged))),
        "after": ("completed", [7]),
    }
    assert is_sound(disk / "e.db")


FILL = """
import os, signal, sys
from tracking import StoreError, Tracker, filesystem
folder, is_network = sys.argv[1], sys.argv[2] == "written"
filesystem.is_network = lambda _: is_network
tracker = Tracker(folder)
tracker.set_experiment("e")
tracker.start_run("long")
try:
    for step in range(200_000):
        tracker.record("loss", step / 7, step)
except StoreError:
    print(step, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_process_got_onto_a_full_disk_before_it_died_comes_home(disk, way):
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(BALLAST_BYTES))
    code, (n_acknowledged,), _ = run(FILL, disk, way)
    assert code == -signal.SIGKILL
    with pytest.raises(StoreError):  # still full: the database has no room for them
        stored(disk)
    ballast.unlink()
    assert stored(disk) == {"long": ("failed", list(range(int(n_acknowledged))))}
    assert is_sound(disk / "e.db")


def test_straight_writes_end_with_the_disk_and_go_on_with_it(disk):
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(BALLAST_BYTES))
    with closing(ExperimentDBManager(disk / "e.db")) as db:
        run_id = db.create_run("straight")
        pages = itertools.count()
        with pytest.raises(StoreError, match="full"):
            all(db.save_text(run_id, "page", page, "x" * 4000) is None for page in pages)
        n_stored = next(pages) - 1
        assert n_stored > 3
        assert len(db.get_texts(run_id)["page"]) == n_stored
        ballast.unlink()
        db.save_text(run_id, "page", n_stored, "x")
        assert [text["step"] for text in db.get_texts(run_id)["page"]] == list(range(n_stored + 1))
    assert is_sound(disk / "e.db")


def test_a_disk_without_any_room_is_refused_and_left_as_it_was(disk):
    (disk / "ballast").write_bytes(bytes(DISK_BYTES - 4 * 4096))
    tracker = Tracker(disk)
    for call in (
        lambda: tracker.set_experiment("e"),
        ExperimentDBManager(disk / "e.db").create_run,
    ):
        with pytest.raises(StoreError, match=r"e\.db"):
            call()
    (disk / "ballast").unlink()
    tracker.set_experiment("e")
    with tracker.run("after"):
        tracker.record("loss", 1.0, 0)
    tracker.close()
    assert stored(disk) == {"after": ("completed", [0])}


GROW_TO_A_LIMIT = """
import resource, sys
from tracking import JournalError, StoreError, Tracker, filesystem
folder, is_network = sys.argv[1], sys.argv[2] == "written"
filesystem.is_network = lambda _: is_network
tracker = Tracker(folder)
tracker.set_experiment("e")
tracker.start_run("long")
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
try:
    for step in range(100_000):
        tracker.record("loss", step / 7, step)
except JournalError as error:
    print(step)
try:
    tracker.end_run()
except StoreError:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
tracker.close()
"""


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path, way):
    code, (n_acknowledged, refused), errors = run(GROW_TO_A_LIMIT, tmp_path, way)
    assert (code, errors, refused) == (0, "", "refused")
    assert int(n_acknowledged) * RECORD_BYTES > 300_000
    assert stored(tmp_path) == {"long": ("completed", list(range(int(n_acknowledged))))}
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


# Flushes that fail

END_TWO_RUNS = """
import sys
from tracking import StoreError, Tracker
tracker = Tracker(sys.argv[1])
tracker.set_experiment("e")
for name in ("first", "second"):
    try:
        tracker.start_run(name)
        tracker.record("loss", 0.5, 1)
        tracker.end_run()
    except StoreError:
        print("refused")
    else:
        print("durable")
try:
    tracker.close()
except StoreError:
    print("refused")
"""


@pytest.mark.parametrize(
    ("when", "said", "runs"),
    [
        # The first flush is that of a new -wal file, when the first run starts; the second that of
        # its folder, whose failure SQLite does not report; the third ends the first run.
        ("1+", ["refused", "refused"], []),
        ("1", ["refused", "refused"], ["second"]),
        ("3+", ["refused", "refused", "refused"], ["first", "second"]),
        ("3", ["refused", "refused"], ["first", "second"]),
        ("9999", ["durable", "durable"], ["first", "second"]),
    ],
)
def test_after_a_flush_that_failed_no_run_is_called_durable(tmp_path, when, said, runs):
    with closing(ExperimentDBManager(tmp_path / "e.db")) as db:
        db.init_exp_db()  # which flushes too
    inject = f"inject=fsync,fdatasync:error=EIO:when={when}"
    code, words, errors = run(
        END_TWO_RUNS, tmp_path, under=["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject]
    )
    assert (code, errors, words) == (0, "", said)
    assert stored(tmp_path) == {name: ("completed", [1]) for name in runs}
    assert is_sound(tmp_path / "e.db")


# Places that can only be read


@contextmanager
def read_only(place):
    mount("-o", "remount,ro", str(place))
    try:
        yield
    finally:
        mount("-o", "remount,rw", str(place))


def record_some(folder):
    tracker = Tracker(folder)
    tracker.set_experiment("e")
    with tracker.run("known"):
        for step in range(3):
            tracker.record("loss", float(step), step)
    tracker.close()


def test_a_read_only_file_system_is_read(disk, capsys):
    record_some(disk)
    with read_only(disk):
        assert stored(disk) == {"known": ("completed", [0, 1, 2])}
        with closing(ExperimentDBManager(disk / "e.db")) as db:
            assert db.get_metric_summary(1)["loss"]["last"] == 2.0
            assert db.integrity_problems() == []
            with pytest.raises(StoreError, match="read-only"):
                db.create_run()
        assert sgtrack(["check", "--dir", str(disk)]) == 0
        tracker = Tracker(disk)
        with pytest.raises(StoreError, match="read-only"):
            tracker.set_experiment("another")
        with pytest.raises(StoreError):
            Tracker(disk / "deeper")
    assert {path.name for path in disk.iterdir()} == {"e.db", "e.journal"}


@pytest.mark.parametrize("beside", [("-wal",), ("-wal", "-shm")])
def test_a_wal_on_a_read_only_file_system_is_read_or_refused_never_overlooked(
    disk, tmp_path, beside
):
    record_some(tmp_path)
    with closing(ExperimentDBManager(tmp_path / "e.db")) as db:
        db.create_run("in the wal")
        for suffix in ("", *beside):
            shutil.copy(tmp_path / f"e.db{suffix}", disk)
    with read_only(disk):
        db = ExperimentDBManager(disk / "e.db")
        if "-shm" in beside:
            assert [info.name for info in db.get_all_runs()] == ["in the wal", "known"]
        else:
            with pytest.raises(StoreError, match=r"e\.db-wal; copy both files"):
                db.get_all_runs()
        db.close()
    assert stored(disk).keys() == {"in the wal", "known"}


def test_shards_on_a_read_only_file_system_are_merged(disk, tmp_path):
    record_some(disk)
    (disk / "wal").mkdir()
    tracker = Tracker(tmp_path / "recording")
    tracker.set_experiment("e")
    tracker.start_run("in the wal")
    tracker.record("loss", 0.0, 0)
    tracker.get_metrics(1)
    tracker.record("loss", 1.0, 1)
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / "recording" / f"e.db{suffix}", disk / "wal")
    shutil.copytree(tmp_path / "recording" / "e.journal", disk / "wal" / "e.journal")
    (tmp_path / "out").mkdir()
    with read_only(disk):
        merge([disk / "e.db", disk / "wal" / "e.db"], tmp_path / "out" / "e.db")
    tracker.end_run()
    tracker.close()
    assert stored(tmp_path / "out") == {
        "known": ("completed", [0, 1, 2]),
        "in the wal": ("failed", [0, 1]),  # nobody holds the copy of its segment
    }


@pytest.mark.parametrize("is_there", [False, True])
def test_a_disk_too_small_for_what_is_merged_has_what_it_had(disk, tmp_path, is_there):
    record_some(tmp_path / "small")
    tracker = Tracker(tmp_path / "large")
    tracker.set_experiment("e")
    with tracker.run("large"):
        for step in range(150_000):
            tracker.record("loss", 0.0, step)
    tracker.close()
    if is_there:
        merge([tmp_path / "small" / "e.db"], disk / "e.db")
    with pytest.raises(StoreError):
        merge([tmp_path / "large" / "e.db"], disk / "e.db")
    assert (disk / "e.db").exists() is is_there
    if is_there:
        assert stored(disk) == {"known": ("completed", [0, 1, 2])}
    assert list(disk.glob(".*")) == []


@pytest.fixture
def nobody():
    """Lets the test go on as a user without rights, in a folder that user may enter."""
    if os.getuid() != 0:
        pytest.skip("needs root, to become somebody else")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)

    @contextmanager
    def become_nobody():
        os.setresuid(65534, 65534, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)

    yield folder, become_nobody
    shutil.rmtree(folder)


def test_a_folder_of_somebody_else_is_read(nobody):
    folder, become_nobody = nobody
    record_some(folder)
    assert stored(folder)  # also imports what nobody may not
    with become_nobody():
        assert stored(folder) == {"known": ("completed", [0, 1, 2])}
        with pytest.raises(StoreError, match="read-only"):
            ExperimentDBManager(folder / "e.db").create_run()
        tracker = Tracker(folder)
        tracker.set_experiment("e")
        with pytest.raises(StoreError):
            tracker.start_run()
    assert {path.name for path in folder.iterdir()} == {"e.db", "e.journal"}


# Networks


def mapped_files():
    return Path("/proc/self/maps").read_text()


def test_on_a_network_nothing_is_mapped_and_everything_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(filesystem, "is_network", lambda folder: True)
    tracker = Tracker(tmp_path)
    tracker.set_experiment("e")
    tracker.start_run("far away")
    for step in range(20_000):
        tracker.record("loss", step / 7, step)
    assert list((tmp_path / "e.journal").glob("*.segment"))
    assert str(tmp_path) not in mapped_files()
    tracker.end_run()
    tracker.close()
    assert stored(tmp_path) == {"far away": ("completed", list(range(20_000)))}
    assert {path.name for path in tmp_path.iterdir()} == {"e.db", "e.journal"}


def test_elsewhere_a_segment_is_mapped(tmp_path):
    tracker = Tracker(tmp_path)
    tracker.set_experiment("e")
    with tracker.run():
        (segment,) = (tmp_path / "e.journal").glob("*.segment")
        assert str(segment) in mapped_files()
    tracker.close()


# Folders that change under us


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A working directory that may be removed."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.mark.parametrize("directory", ["experiments", "./a/../experiments"])
def test_a_change_of_folder_moves_nothing(tmp_path, elsewhere, directory):
    tracker = Tracker(directory)
    os.chdir(tmp_path)
    tracker.set_experiment("e")
    tracker.start_run("one")
    os.chdir("/")
    tracker.record("loss", 0.5, 1)
    tracker.end_run()
    tracker.close()
    assert stored(elsewhere / "experiments") == {"one": ("completed", [1])}
    assert {path.name for path in tmp_path.iterdir()} == {"elsewhere"}


def test_a_working_directory_that_is_gone_is_not_missed(tmp_path, elsewhere):
    tracker = Tracker(tmp_path / "experiments")
    tracker.set_experiment("e")
    tracker.start_run("one")
    shutil.rmtree(elsewhere)
    with pytest.raises(FileNotFoundError):
        os.getcwd()  # noqa: PTH109  # the point of it
    tracker.record("loss", 0.5, 1)
    tracker.end_run()
    other = Tracker(tmp_path / "experiments")
    other.set_experiment("e")
    with other.run("two"):
        other.record("loss", 0.5, 2)
    other.close()
    tracker.close()
    os.chdir(tmp_path)
    expected = {"one": ("completed", [1]), "two": ("completed", [2])}
    assert stored(tmp_path / "experiments") == expected


def test_experiments_that_are_removed_under_a_tracker_are_missed_once_and_made_anew(tmp_path):
    folder = tmp_path / "experiments"
    tracker = Tracker(folder)
    tracker.set_experiment("e")
    tracker.start_run("gone")
    tracker.record("loss", 0.5, 1)
    shutil.rmtree(folder)
    tracker.record("loss", 0.5, 2)
    with pytest.raises(StoreError, match="removed or replaced"):
        tracker.end_run()
    tracker.set_experiment("e")
    with tracker.run("new"):
        tracker.record("loss", 0.5, 3)
    tracker.close()
    assert stored(folder) == {"new": ("completed", [3])}
