"""However a session of pytest ends, every run ends too, says how, and keeps its records."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import textwrap
import time

import pytest

needs_xdist = pytest.mark.skipif(
    importlib.util.find_spec("xdist") is None, reason="pytest-xdist is not installed"
)

IN_WORKERS = (needs_xdist, pytest.mark.slow)
ALONE = "-pno:xdist"  # or "-n0", where xdist is installed
# Plugins are named, by their entry points: to load all that are installed takes far longer.
PLUGINS = {"-n": "xdist", "--reruns": "rerunfailures"}  # besides those that every session has

HEADER = """
import os, signal, sys, time
from pathlib import Path
import pytest

def test_before(tracker):
    tracker.record("loss", 1.0, 0)
"""

# Ways to die in a test. Name: its body, pytest's exit code where there are no workers, and how the
# run is found to have ended: status, outcome, phase, ended_by.
CRASHED = ("failed", None, "call", "crashed")
DEATHS = {
    "segfault": ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, CRASHED),
    "abort": ("os.abort()", -signal.SIGABRT, CRASHED),
    "kill": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, CRASHED),
    "exit": ("os._exit(0)", 0, CRASHED),
    "terminate": (
        "os.kill(os.getpid(), signal.SIGTERM)",
        -signal.SIGTERM,
        ("failed", None, "call", "killed"),
    ),
    "timeout_of_process": (
        "time.sleep(30)",
        1,
        ("failed", None, "call", "timeout"),
    ),
}
# Likewise, where the process goes on or ends in good order.
ENDS = {
    "timeout_of_test": ("time.sleep(30)", 1, ("failed", "failed", "call", "timeout")),
    "sys_exit": ("sys.exit(3)", 1, ("failed", "failed", "call", "exception")),
}
INTERRUPTS = {
    "interrupt": ("raise KeyboardInterrupt", 2, ("failed", "failed", "call", "interrupted")),
    "ctrl_c": (
        "os.kill(os.getpid(), signal.SIGINT); time.sleep(30)",
        2,
        ("failed", "failed", "call", "interrupted"),
    ),
    "pytest_exit": ("pytest.exit('enough')", 2, ("failed", "failed", "call", "interrupted")),
}
MARKS = {
    "timeout_of_process": "@pytest.mark.timeout(0.3, method='thread')",
    "timeout_of_test": "@pytest.mark.timeout(0.3, method='signal')",
}
EVERY_END = DEATHS | ENDS | INTERRUPTS


def module_of(ends):
    """Return a module with a test for each way to end."""
    tests = (
        f"""
{MARKS.get(name, "")}
def test_{name}(tracker):
    tracker.record("loss", 1.0, 0)
    tracker.record("loss", 0.5, 7)
    {body}
"""
        for name, (body, _, _) in ends.items()
    )
    return HEADER + "".join(tests)


class Project:
    """A folder with tests, pytest in a process of its own, and the store it fills."""

    def __init__(self, folder, children, store):
        self.folder, self._children, self.store = folder, children, store
        (folder / "pytest.ini").write_text("[pytest]\n")

    def write(self, text, name="test_it.py"):
        (self.folder / name).write_text(textwrap.dedent(text))

    def start(self, *arguments):
        always = ["-Werror", "-psgtrack", "-ptimeout", "-pno:cacheprovider"]
        plugins = [
            f"-p{plugin}"
            for option, plugin in PLUGINS.items()
            if any(argument.startswith(option) for argument in arguments)
        ]
        track = ["--sg-track", "--sg-track-experiment=e"]
        command = [sys.executable, "-m", "pytest", *always, *plugins, *track, *arguments]
        return self._children.start_command(
            command, cwd=self.folder, env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        )

    def pytest(self, *arguments):
        """Run pytest; return its exit code and what it printed."""
        child = self.start(*arguments)
        stdout, stderr = child.communicate(timeout=60)
        return child.returncode, stdout + stderr

    def sgtrack(self, command):
        child = self._children.start_command(
            [sys.executable, "-m", "tracking", command], cwd=self.folder
        )
        stdout, stderr = child.communicate(timeout=60)
        assert stderr == ""
        return child.returncode, stdout

    def ends(self):
        """Return how the runs ended, by the name of the test."""
        return {
            run.name.partition("::")[2]: (run.status, run.outcome, run.phase, run.ended_by)
            for run in self.store.runs()
        }

    def wait_for(self, *names):
        """Wait until tests have written these files."""
        give_up_at = time.monotonic() + 30
        while not all((self.folder / name).exists() for name in names):
            assert time.monotonic() < give_up_at
            time.sleep(0.005)


@pytest.fixture
def project(tmp_path, children, store_in):
    return Project(tmp_path, children, store_in(tmp_path / "experiments"))


FINISHED = ("completed", "passed", "call", "finished")
RECORDED = [(0, 1.0), (0, 1.0), (7, 0.5)]  # by test_before and by the test that ends


# In the short version one for each way a process or a session can end.
IN_SHORT = (
    *("segfault", "exit", "terminate", "timeout_of_process", "timeout_of_test", "sys_exit"),
    "interrupt",
)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name not in IN_SHORT)) for name in EVERY_END],
)
def test_without_workers_a_run_ends_as_its_test_did(project, name):
    _, code, end = EVERY_END[name]
    project.write(module_of(EVERY_END))
    found, output = project.pytest(ALONE, "test_it.py::test_before", f"test_it.py::test_{name}")
    assert found == code, output
    recovered = project.store.recover()
    assert [run.ended_by for run in recovered.runs] == ([end[-1]] if name in DEATHS else [])
    assert project.ends() == {"test_before": FINISHED, f"test_{name}": end}
    assert project.store.records() == RECORDED
    project.store.check()


def test_a_session_that_was_cut_short_and_looks_green_is_found_by_check(project):
    project.write(module_of(EVERY_END))
    code, output = project.pytest(ALONE, "test_it.py::test_before", "test_it.py::test_exit")
    assert (code, "failed" in output) == (0, False)
    code, said = project.sgtrack("check")
    assert (code, "its process died" in said) == (1, True)
    assert project.sgtrack("check")[0] == 1  # to look changes nothing
    code, said = project.sgtrack("recover")
    assert (code, "test_it.py::test_exit: crashed" in said) == (0, True)
    code, said = project.sgtrack("check")
    assert (code, "nothing to report" in said) == (0, True)


def test_the_next_session_says_what_the_last_one_left(project):
    project.write(module_of(EVERY_END))
    assert project.pytest(ALONE, "-k", "exit and not sys and not pytest")[0] == 0
    code, output = project.pytest(ALONE, "-k", "before")
    assert code == 0
    assert "an earlier session left runs without an end: test_it.py::test_exit (crashed)" in output
    assert "2 records of dead processes were recovered" in output
    assert project.ends()["test_exit"] == CRASHED
    _, output = project.pytest(ALONE, "-k", "before")
    assert "earlier session" not in output


@needs_xdist
def test_with_workers_every_run_has_ended_before_pytest_exits(project):
    ends = DEATHS | ENDS
    project.write(module_of(ends))
    code, output = project.pytest("-n2")
    assert code == 1
    assert f"{len(ends)} failed, 1 passed" in output
    assert project.ends() == {"test_before": FINISHED} | {
        f"test_{name}": end for name, (_, _, end) in ends.items()
    }
    for name, (_, _, end) in DEATHS.items():
        line = f"{end[-1]} test_it.py::test_{name} - last records: loss 0.5 at step 7 (n 2)"
        assert line in output
    assert sorted(project.store.records()) == [(0, 1.0)] * (1 + len(ends)) + [(7, 0.5)] * len(ends)
    assert project.store.segments() == []
    assert project.sgtrack("check")[0] == 0
    project.store.check()


@needs_xdist
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (i > 0)) for i, name in enumerate(INTERRUPTS)],
)
def test_the_interrupt_of_a_worker_ends_its_run_once(project, name):
    project.write(module_of({name: INTERRUPTS[name]}))
    code, output = project.pytest("-n2")
    assert code != 0, output
    assert project.ends() == {"test_before": FINISHED, f"test_{name}": INTERRUPTS[name][2]}
    assert sorted(project.store.records()) == RECORDED
    assert project.store.segments() == []


@needs_xdist
def test_a_crash_is_shown_also_when_another_process_has_brought_it_home(project):
    project.write(module_of({"kill": DEATHS["kill"]}))
    project.write(
        """
        from pytest_sgtrack import deaths

        recover = deaths.recover

        def late(db):
            recover(db)  # somebody else was faster
            return recover(db)

        deaths.recover = late
        """,
        "conftest.py",
    )
    code, output = project.pytest("-n2")
    assert code == 1
    assert "crashed test_it.py::test_kill - last records: loss 0.5 at step 7 (n 2)" in output


# Where a process dies

PLACES = {
    # the code that dies in it -> how the run of test_it ends; None where there is none
    "setup": (
        "@pytest.fixture\ndef place(tracker):\n    tracker.record('loss', 2.0, 0)\n    die()",
        ("failed", None, "setup", "crashed"),
    ),
    "teardown": (
        "@pytest.fixture\ndef place(tracker):\n    yield\n    die()",
        ("failed", None, "teardown", "crashed"),
    ),
    "teardown of the session": (
        "@pytest.fixture(scope='session')\ndef place():\n    yield\n    die()",
        ("failed", None, "teardown", "crashed"),
    ),
    "end of the session": (
        "@pytest.fixture\ndef place():\n    pass",
        FINISHED,
    ),
    "collection": ("die()", None),
}
AT_THE_END = """
import os
import pytest

@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput") or not session.config.getoption("numprocesses", 0):
        os._exit(1)
"""


@pytest.mark.parametrize("way", [ALONE, pytest.param("-n2", marks=IN_WORKERS)])
@pytest.mark.parametrize("place", PLACES)
def test_the_phase_of_a_death_is_kept_and_no_run_is_invented(project, place, way):
    code, end = PLACES[place]
    project.write(
        f"{HEADER}\ndef die():\n    os._exit(1)\n\n{code}\n\n"
        "def test_it(tracker, place):\n    tracker.record('loss', 1.0, 0)\n"
        if place != "collection"
        else f"{HEADER}\nos._exit(1)\n"
    )
    if place == "end of the session":
        project.write(AT_THE_END, "conftest.py")
    code, output = project.pytest(way)
    assert code != 0 or place == "end of the session", output  # xdist has its results by then
    project.store.recover()
    if end is None:
        assert not project.store.path.exists() or project.store.runs() == []
    else:
        assert project.ends() == {"test_before": FINISHED, "test_it": end}
        project.store.check()
    assert project.store.segments() == []
    if project.store.path.exists():
        assert project.sgtrack("check")[0] == 0


@needs_xdist
def test_a_crash_that_xdist_retries_is_one_test_with_numbered_attempts(project):
    project.write(module_of({"segfault": DEATHS["segfault"]}))
    code, output = project.pytest("-n1", "--dist=loadfile", "--max-worker-restart=2")
    assert code == 1
    runs = [run for run in project.store.runs() if run.name.endswith("segfault")]
    assert len(runs) == output.count("crashed test_it.py::test_segfault - last records:") >= 2
    assert [run.attempt for run in runs] == list(range(1, len(runs) + 1))
    assert {(run.status, run.outcome, run.phase, run.ended_by) for run in runs} == {CRASHED}
    assert len({run.session for run in project.store.runs()}) == 1
    assert len(project.store.records()) == 1 + 2 * len(runs)


@pytest.mark.parametrize("phase", ["teardown", "call"], ids=["in its teardown", "the next test"])
def test_a_test_that_was_nearly_too_slow_is_not_blamed_for_what_comes_later(project, phase):
    dies = "def test_dies(tracker): os._exit(1)"
    project.write(
        "from pytest_sgtrack import deaths\ndeaths._BEFORE_TIMEOUT_S = 29.9", "conftest.py"
    )
    project.write(f"""
        {HEADER.replace(chr(10), chr(10) + " " * 8)}
        @pytest.fixture
        def resource(tracker):
            yield
            if {phase == "teardown"}:
                os._exit(1)

        @pytest.mark.timeout(30, method="thread", func_only={phase == "teardown"})
        def test_in_time(tracker, resource):
            time.sleep(0.3)  # the word about the timeout is left meanwhile

        {dies}
    """)
    project.pytest(ALONE)
    (run,) = project.store.recover().runs
    assert (run.ended_by, run.phase) == ("crashed", phase)


# Reruns

RERUN = """
    import os

    N_DONE = []

    def test_twice(tracker):
        N_DONE.append(None)
        is_good = len(N_DONE) == 2 or not os.path.exists("first_is_bad")
        tracker.record("loss", 1.0 if is_good or not os.path.exists("regresses") else 2.0, 0)
        assert is_good or os.path.exists("regresses")
"""


@pytest.mark.parametrize("way", [ALONE, pytest.param("-n2", marks=IN_WORKERS)])
@pytest.mark.parametrize("regresses", [False, True], ids=["fails", "regresses"])
def test_every_rerun_is_an_attempt_and_the_last_one_is_gated(project, way, regresses):
    pytest.importorskip("pytest_rerunfailures")
    project.write(RERUN)
    assert project.pytest(way, "--sg-track-update=all")[0] == 0
    (project.folder / "first_is_bad").touch()
    if regresses:
        (project.folder / "regresses").touch()
    code, output = project.pytest(way, "--reruns=2")
    assert code == 0, output
    assert "1 passed, 1 rerun" in output
    assert "1 test compared: 1 identical" in output
    accepted, *attempts = project.store.runs()
    assert (accepted.attempt, len({run.name for run in project.store.runs()})) == (1, 1)
    assert [(run.attempt, run.status, run.outcome, run.verdict) for run in attempts] == [
        (1, "failed", "failed", "regressed" if regresses else None),
        (2, "completed", "passed", "identical"),
    ]
    assert len({run.session for run in attempts}) == 1


# Signals from outside

WAITING = """
    import os, sys, time
    from pathlib import Path
    import pytest

    @pytest.mark.parametrize("number", range(2))
    def test_waits(tracker, number):
        tracker.record("loss", number, 0)
        Path(f"pid {number}").with_suffix(".tmp").write_text(str(os.getpid()))
        Path(f"pid {number}").with_suffix(".tmp").rename(f"pid {number}")
        while not os.path.exists("go on"):
            time.sleep(0.005)
        tracker.record("loss", number, 1)
"""


def test_a_session_that_is_told_to_terminate_ends_as_killed(project):
    project.write(WAITING)
    session = project.start(ALONE)
    project.wait_for("pid 0")
    session.terminate()
    assert session.wait(30) == -signal.SIGTERM
    assert [run.ended_by for run in project.store.recover().runs] == ["killed"]
    assert project.ends() == {"test_waits[0]": ("failed", None, "call", "killed")}
    assert project.store.records() == [(0, 0.0)]


@needs_xdist
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_when_the_controller_dies_its_workers_are_alive_until_they_are_gone(project, number):
    project.write(WAITING)
    session = project.start("-n2")
    project.wait_for("pid 0", "pid 1")
    pids = [int((project.folder / f"pid {i}").read_text()) for i in range(2)]
    session.send_signal(number)
    assert session.wait(30) == -number
    recovered = project.store.recover()  # the workers have not even noticed
    assert (recovered.n_records, recovered.runs) == (0, [])
    (project.folder / "go on").touch()
    give_up_at = time.monotonic() + 30
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):  # noqa: PTH110
        assert time.monotonic() < give_up_at
        assert not [run for run in project.store.recover().runs if run.ended_by == "lost"]
        time.sleep(0.05)
    project.store.recover()
    ends = project.ends()
    assert len(ends) == 2
    assert set(ends.values()) <= {FINISHED, CRASHED, ("failed", "failed", "call", "interrupted")}
    assert {(0, 0.0), (0, 1.0)} <= set(project.store.records())
    assert project.store.segments() == []
    project.store.check()


# What goes on after an interrupt


def test_a_fixture_that_is_torn_down_after_ctrl_c_can_still_use_its_tracker(project):
    project.write("""
        import pytest

        @pytest.fixture
        def model(tracker):
            yield
            tracker.record("final", 1.0, 0)

        def test_stops(tracker, model):
            tracker.record("loss", 1.0, 0)
            raise KeyboardInterrupt
    """)
    code, output = project.pytest(ALONE)
    assert code == 2, output
    assert project.ends() == {"test_stops": ("failed", "failed", "call", "interrupted")}
    assert project.store.records("final") == [(0, 1.0)]
