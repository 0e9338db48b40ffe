"""When tracking itself fails, the user's tests end as they would without us; it is said once."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import warnings
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from pytest_sgtrack.tracked import TestTracker, noticing
from tracking import (
    ExperimentDBManager,
    Note,
    StoreError,
    Tracker,
    TrackingWarning,
    connection,
    schema,
)

# As many records as fill what is left of the disk, and tests that end in every way.
TESTS = """
    import pytest

    def test_before(tracker):
        for step in range(10):
            tracker.record("loss", 0.5, step)

    def test_large(tracker):
        for step in range(N_MANY):
            tracker.record("loss", 0.5, step)

    def test_after(tracker):
        tracker.record("loss", 0.5, 0)
        tracker.text("note", "x" * 100_000, 0)
        with tracker.run("inner", {"lr": 1}):
            tracker.log({"loss": 0.25, "accuracy": 0.5}, 0)

    def test_untracked():
        pass
""".replace("N_MANY", "15_000")
OTHER_ENDS = """
    def test_own_assert(tracker):
        tracker.record("loss", 0.5, 0)
        assert False

    @pytest.mark.xfail(strict=True)
    def test_expected(tracker):
        tracker.record("loss", 0.5, 0)
        raise ValueError

    def test_skipped(tracker):
        pytest.skip("for a reason")

    def test_error(tracker, missing):
        pass
"""
N_TRACKED = 3  # of TESTS
DISK_BYTES = 2 << 20


@pytest.fixture
def disk(project):
    """A file system of 2 MiB where the experiments go, most of it taken by a file, `ballast`."""
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    place = project.path / "experiments"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=True)
    (place / "ballast").write_bytes(bytes(DISK_BYTES - (550 << 10)))
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


both_ways = pytest.mark.parametrize("way", ["no-xdist", pytest.param("n2", marks=pytest.mark.slow)])


def outcomes(result):
    """Return what pytest counted, and which tests it names as failed."""
    named = re.findall(r"^(?:FAILED|ERROR|XFAIL|SKIPPED) \S+", result.stdout.str(), re.MULTILINE)
    return result.parseoutcomes(), sorted(named)


def said(result, text="incomplete test_it"):
    """Return the lines about trouble; a session that has none has no such line."""
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    assert "Traceback" not in result.stderr.str()
    return [line for line in result.outlines if text in line]


def steps(run):
    return [step for step, _ in run.series.get("loss", [])]


# Full disks


@both_ways
def test_on_a_full_disk_tests_end_as_without_us(project, disk, way):
    project.write(TESTS + OTHER_ENDS)
    plain = project.pytest(way=way)
    tracked = project.track(way=way)
    assert outcomes(tracked) == outcomes(plain)
    assert tracked.ret == plain.ret
    # The journal or the database meets the full disk first, each with the system's own words.
    (line,) = said(tracked)
    assert re.search("space left|disk is full", line)


@pytest.mark.parametrize(
    ("arguments", "environment", "code"),
    [
        ((), {}, pytest.ExitCode.OK),
        (("--sg-track-strict",), {}, pytest.ExitCode.TESTS_FAILED),
        (("--sg-track-on-missing=report",), {"CI": "true"}, pytest.ExitCode.TESTS_FAILED),
    ],
)
def test_a_recording_in_part_decides_the_exit_code_only_where_it_has_to(
    project, disk, arguments, environment, code
):
    result = project.write(TESTS).track(*arguments, **environment)
    result.assert_outcomes(passed=4)
    assert result.ret == code
    assert len(said(result)) == 1


def test_what_was_acknowledged_is_there_once_there_is_room(project, disk):
    project.write(TESTS).track().assert_outcomes(passed=4)
    (disk / "ballast").unlink()
    runs = project.runs()
    assert steps(runs["test_it.py::test_before"]) == list(range(10))
    assert runs["test_it.py::test_before"].end[:2] == ("completed", "passed")
    partly = steps(runs["test_it.py::test_large"])
    assert partly == list(range(len(partly)))
    assert len(partly) > 5_000


def test_a_disk_that_is_full_from_the_start_is_no_reason_to_fail(project, disk):
    (disk / "ballast").write_bytes(bytes(DISK_BYTES - 4096))
    result = project.write(TESTS).track()
    result.assert_outcomes(passed=4)
    assert (result.ret, len(said(result))) == (0, 1)
    result.stdout.fnmatch_lines(["3 tests compared: 3 incomplete"])
    assert {path.name for path in disk.rglob("*.segment")} == set()


def test_a_limit_on_the_size_of_files_is_a_full_disk(project):
    project.write(TESTS).write(
        """
        import resource

        def pytest_configure():
            resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
        """,
        "conftest.py",
    )
    result = project.track()
    result.assert_outcomes(passed=4)
    assert (result.ret, len(said(result))) == (0, 1)
    partly = steps(project.runs()["test_it.py::test_large"])
    assert partly == list(range(len(partly)))
    assert len(partly) > 9_000


# What was recorded in part is not judged


_TRAINING = """
    import os

    def test_train(tracker):
        for step in range(5):
            tracker.record("loss", float(os.environ.get("LOSS", "1")), step)
        if os.environ.get("FILL"):
            for step in range(15_000):
                tracker.record("filler", 0.5, step)
"""


def test_a_run_recorded_in_part_is_neither_judged_nor_accepted(project, disk):
    baselines = project.write(_TRAINING).accept().baselines()
    result = project.track("--sg-track-update=all", LOSS="2", FILL="1")
    result.assert_outcomes(passed=1)
    assert len(said(result)) == 1
    assert project.baselines() == baselines
    with_ci = project.track(LOSS="2", FILL="1", CI="1")
    with_ci.assert_outcomes(passed=1)
    assert with_ci.ret == pytest.ExitCode.TESTS_FAILED


# Other trouble, in every way to run


def read_only(project):
    subprocess.run(["mount", "-o", "remount,ro", project.path / "experiments"], check=True)


def newer(project):
    with closing(ExperimentDBManager(project.path / "experiments" / "pytest.db")) as db:
        db.init_exp_db()
    with closing(sqlite3.connect(project.path / "experiments" / "pytest.db")) as plain:
        plain.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")


def foreign(project):
    with closing(sqlite3.connect(project.path / "experiments" / "pytest.db")) as plain:
        plain.execute("CREATE TABLE theirs (id INTEGER PRIMARY KEY)")


def a_file_instead_of_the_journal(project):
    (project.path / "experiments" / "pytest.journal").write_text("not a folder")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (read_only, "read-only"),
        (newer, "upgrade it"),
        (foreign, "another program"),
        (a_file_instead_of_the_journal, "pytest.journal"),
    ],
)
def test_a_store_that_cannot_be_used_leaves_tests_alone_and_is_left_alone(
    project, disk, spoil, reason
):
    (disk / "ballast").unlink()
    spoil(project)
    before = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()}
    project.write(TESTS + OTHER_ENDS)
    plain, tracked = project.pytest(), project.track()
    assert outcomes(tracked) == outcomes(plain)
    (line,) = said(tracked)
    assert reason in line
    assert {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()} == before


@both_ways
def test_a_corrupt_database_is_set_aside_and_all_is_well(project, way):
    path = project.path / "experiments" / "pytest.db"
    with closing(ExperimentDBManager(path)) as db:
        db.init_exp_db()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xa5" * 3996)
    content = path.read_bytes()
    result = project.write(TESTS).track("--sg-track-on-missing=report", way=way, CI="1")
    result.assert_outcomes(passed=4)
    assert result.ret == 0
    assert len(said(result, "it was set aside as")) == 1
    assert not said(result)
    (aside,) = path.parent.glob("pytest.db.corrupt-*")
    assert aside.read_bytes() == content
    assert len(project.stored()) == N_TRACKED + 1


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--sg-track-strict",), 1)])
def test_a_database_found_corrupt_under_a_session_is_said_once_and_set_aside(
    project, arguments, code
):
    project.write("""
        import os

        def test_first(tracker):
            for step in range(20_000):
                tracker.record("loss", step / 7, step)

        def test_breaks_it(tracker):
            tracker.record("loss", 0.5, 0)
            tracker.get_all_runs()  # all of it is in the database now
            with tracker.db_manager._db.reading() as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.execute("PRAGMA shrink_memory")  # or it would not look again
            path = tracker.db_manager.db_path
            with path.open("r+b") as file:
                file.seek(4096)
                file.write(b"\\xa5" * (os.path.getsize(path) - 4096))
            try:
                tracker.get_all_runs()
            except OSError:
                pass

        def test_third(tracker):
            tracker.record("loss", 0.25, 0)

        def test_fourth(tracker):
            tracker.record("loss", 0.125, 0)
    """)
    result = project.track(*arguments)
    result.assert_outcomes(passed=4)
    assert result.ret == code
    assert len(said(result, "was set aside")) == 1
    assert len(said(result, "while tests were running")) == 1
    last = project.runs()["test_it.py::test_fourth"]
    assert (last.end[:2], last.series) == (("completed", "passed"), {"loss": [(0, 0.125)]})


# Flushes that fail


def test_a_flush_that_fails_is_said_once_and_touches_no_test(project, pytester):
    project.write(TESTS)
    with closing(ExperimentDBManager(project.path / "experiments" / "pytest.db")) as db:
        db.init_exp_db()
    assert shutil.which("strace"), "this test needs strace: apt-get install strace"
    command = (
        # With --seccomp-bpf only the calls that are to fail are slowed down.
        *("strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"),
        *("-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO:when=3+"),
        *("-E", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1"),
        *(sys.executable, "-m", "pytest", "-psgtrack", "-pno:cacheprovider", "--sg-track"),
    )
    for arguments, code in (((), 0), (("--sg-track-strict",), 1)):
        result = pytester.run(*command, *arguments)
        result.assert_outcomes(passed=4)
        assert result.ret == code
        assert len(said(result, "I/O error")) == 1
    assert len(project.stored()) == 2 * (N_TRACKED + 1)


# Folders that move or vanish under the tests


@both_ways
def test_tests_may_change_folders_and_remove_them(project, way):
    project.write("""
        import os, shutil

        def test_goes_away(tracker, tmp_path):
            os.chdir(tmp_path)
            tracker.record("loss", 0.5, 0)

        def test_removes_where_it_is(tracker):
            here = os.getcwd()
            os.chdir(here)
            shutil.rmtree(here)
            tracker.record("loss", 0.5, 1)

        def test_works_from_nowhere(tracker):
            tracker.record("loss", 0.5, 2)

        def test_comes_back(tracker, request):
            os.chdir(request.config.rootpath)
            tracker.record("loss", 0.5, 3)
    """)
    arguments = ("--dist=loadfile",) if way == "n2" else ()
    plain, tracked = project.pytest(*arguments, way=way), project.track(*arguments, way=way)
    assert outcomes(tracked) == outcomes(plain)
    assert tracked.ret == 0
    assert not said(tracked)
    assert sorted(steps(run) for run in project.stored()) == [[0], [1], [2], [3]]


@both_ways
def test_experiments_removed_by_a_test_are_said_and_made_anew(project, way):
    project.write("""
        import shutil

        def test_before(tracker):
            tracker.record("loss", 0.5, 0)

        def test_removes(tracker, request):
            shutil.rmtree(request.config.rootpath / "experiments")
            tracker.record("loss", 0.5, 1)

        def test_after(tracker):
            tracker.record("loss", 0.5, 2)
    """)
    arguments = ("--dist=loadfile",) if way == "n2" else ()
    result = project.track(*arguments, way=way)
    result.assert_outcomes(passed=3)
    assert result.ret == 0
    assert len(said(result, "was removed, replaced or found corrupt")) == 1
    assert steps(project.runs()["test_it.py::test_after"]) == [2]
    strict = project.track("--sg-track-strict", *arguments, way=way)
    strict.assert_outcomes(passed=3)
    assert strict.ret == pytest.ExitCode.TESTS_FAILED


# The tracker of a test, alone


@pytest.fixture
def tracker(tmp_path):
    tracker = TestTracker(tmp_path, [])
    tracker.set_experiment("e")
    tracker.start_run("test")
    yield tracker
    with suppress(StoreError):
        Tracker.close(tracker)


def broken(*arguments, **named):
    raise StoreError("the disk of dreams is full")


CALLS = {
    "record": lambda t: t.record("new metric", 0.5, 0),
    "log": lambda t: t.log({"new": 0.5}, 0),
    "text": lambda t: t.text("note", "text", 0),
    "histogram": lambda t: t.histogram("weights", np.array([1.0, 2.0]), 0),
    "image": lambda t: t.image("picture", [[0.0, 1.0]], 0),
    "config": lambda t: t.config(lr=0.1),
    "leave_note": lambda t: t.leave_note(Note.CALL),
    "start_run": lambda t: t.start_run("inner"),
    "end_run": lambda t: t.end_run(),
    "delete_run": lambda t: t.delete_run(t.current_run_id),
    "set_experiment": lambda t: t.set_experiment("another"),
    "set_all_exp_dir": lambda t: t.set_all_exp_dir(t.all_exp_dir / "below"),
    "all_summaries": lambda t: t.all_summaries(),
}


@pytest.mark.parametrize("call", CALLS)
def test_no_call_of_a_test_fails_by_the_store(tracker, monkeypatch, call):
    tracker.start_run("inside")
    tracker.record("loss", 0.5, 0)
    own_folder = tracker.all_exp_dir
    real = connection.Connection.writing

    def writing(self, **how):
        return broken() if own_folder in self.path.parents else real(self, **how)

    monkeypatch.setattr(connection.Connection, "writing", writing)
    monkeypatch.setattr("tracking.recorder.Recorder.append", broken)
    monkeypatch.setattr("tracking.journal.SegmentWriter.leave_note", broken)
    monkeypatch.setattr("tracking.recorder.Recorder.summaries", broken)
    monkeypatch.setattr("tracking.tracker._made_folder", made_folder_unless(own_folder))
    CALLS[call](tracker)
    if call != "set_experiment":
        assert tracker.trouble == "the disk of dreams is full"
    assert tracker.all_summaries() == {}
    assert len(tracker.active_runs) <= 1


def made_folder_unless(spoiled):
    from tracking import tracker

    real = tracker._made_folder

    def made_folder(argument, directory):
        is_spoiled = spoiled in Path(directory).parents
        return broken() if is_spoiled else real(argument, directory)

    return made_folder


def test_bad_arguments_are_no_trouble_and_raise(tracker):
    for call in (
        lambda: tracker.record("", 0.5, 0),
        lambda: tracker.log({"loss": "text"}, 0),
        lambda: tracker.start_run("\0"),
        lambda: tracker.end_run("bogus"),
    ):
        with pytest.raises(ValueError, match=r"\w+: "):
            call()
    assert tracker.trouble is None


def test_a_run_that_somebody_else_deleted_ends_all_the_same(tracker, tmp_path):
    tracker.record("loss", 0.5, 0)
    with closing(ExperimentDBManager(tmp_path / "e.db")) as other:
        other.delete_run(tracker.current_run_id)
    tracker.end_run()
    assert tracker.active_runs == ()


def test_a_throwaway_store_lies_elsewhere_and_goes_with_the_process(tmp_path):
    script = """
        import sys
        from pathlib import Path
        from pytest_sgtrack.tracked import TestTracker
        place = Path(sys.argv[1])
        (place / "e.db").write_text("not a database")
        tracker = TestTracker(place, [])
        tracker.set_experiment("e")
        with tracker.run("test"):
            tracker.record("loss", 0.5, 0)
        assert "not a SQLite database" in tracker.trouble
        print(tracker.all_exp_dir)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    throwaway = done.stdout.strip()
    assert throwaway
    assert not throwaway.startswith(str(tmp_path))
    assert not Path(throwaway).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["e.db"]


def test_warnings_of_the_store_are_kept_for_the_end_and_others_pass(recwarn):
    notices = []
    with noticing(notices):
        warnings.warn("ours", TrackingWarning, stacklevel=1)
        warnings.warn("theirs", RuntimeWarning, stacklevel=1)
    assert notices == ["ours"]
    assert [str(warning.message) for warning in recwarn] == ["theirs"]
