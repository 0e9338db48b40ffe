"""What is stored of a test: its run, its settings, how it ended."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tracking import Tracker

ENDS = {
    # test: status, outcome, phase, ended_by
    "test_passes": ("completed", "passed", "call", "finished"),
    "test_check_fails": ("failed", "failed", "call", "finished"),
    "test_pytest_fail": ("failed", "failed", "call", "finished"),
    "test_raises": ("failed", "failed", "call", "exception"),
    "test_breaks_in_setup_after_the_tracker": ("failed", "error", "setup", "exception"),
    "test_breaks_in_teardown": ("failed", "error", "teardown", "exception"),
    "test_fails_and_breaks_in_teardown": ("failed", "failed", "call", "finished"),
    "test_skips": ("failed", "skipped", "call", "finished"),
    "test_skips_and_breaks_in_teardown": ("failed", "error", "teardown", "exception"),
    "test_is_skipped_by_a_fixture": ("failed", "skipped", "setup", "finished"),
    "test_xfails": ("failed", "xfailed", "call", "finished"),
    "test_xfails_by_call": ("failed", "xfailed", "call", "finished"),
    "test_xpasses": ("completed", "xpassed", "call", "finished"),
    "test_xpasses_and_breaks_in_teardown": ("failed", "xfailed", "teardown", "exception"),
    "test_xpasses_strictly": ("failed", "failed", "call", "finished"),
    "test_gets_its_tracker_late": ("completed", "passed", "call", "finished"),
    "test_ends_its_run_itself": ("completed", None, None, "finished"),
    "test_closes_its_tracker": ("completed", "passed", "call", "finished"),
}
WITHOUT_RUN = {"test_breaks_in_setup_before_the_tracker", "test_is_skipped_by_mark", "test_plain"}

MODULE = """
    import pytest

    @pytest.fixture
    def breaks():
        raise OSError("setup")

    @pytest.fixture
    def skips():
        pytest.skip("fixture")

    @pytest.fixture
    def breaks_at_end(tracker):
        yield
        raise OSError("teardown")

    def test_passes(tracker): tracker.record("loss", 1.0, 0)
    def test_check_fails(tracker): assert tracker.active_runs == ()
    def test_pytest_fail(tracker): pytest.fail("why")
    def test_raises(tracker): raise ValueError("call")
    def test_breaks_in_setup_before_the_tracker(breaks, tracker): pass
    def test_breaks_in_setup_after_the_tracker(tracker, breaks): pass
    def test_breaks_in_teardown(tracker, breaks_at_end): pass
    def test_fails_and_breaks_in_teardown(tracker, breaks_at_end): assert tracker is None
    def test_skips(tracker): pytest.skip("why")
    def test_skips_and_breaks_in_teardown(tracker, breaks_at_end): pytest.skip("why")
    def test_is_skipped_by_a_fixture(tracker, skips): pass
    @pytest.mark.skip
    def test_is_skipped_by_mark(tracker): pass
    @pytest.mark.xfail
    def test_xfails(tracker): assert tracker is None
    def test_xfails_by_call(tracker): pytest.xfail("why")
    @pytest.mark.xfail
    def test_xpasses(tracker): pass
    @pytest.mark.xfail
    def test_xpasses_and_breaks_in_teardown(tracker, breaks_at_end): pass
    @pytest.mark.xfail(strict=True)
    def test_xpasses_strictly(tracker): pass
    def test_gets_its_tracker_late(request): request.getfixturevalue("tracker")
    def test_ends_its_run_itself(tracker): tracker.end_run()
    def test_plain(): pass

    def test_closes_its_tracker(tracker):
        tracker.record("loss", 1.0, 0)
        tracker.close()
        tracker.record("loss", 2.0, 1)
"""


def test_a_run_ends_as_its_test_did(project):
    result = project.write(MODULE).track()
    result.assert_outcomes(passed=6, failed=5, errors=5, skipped=4, xfailed=3, xpassed=2)
    runs = project.runs()
    assert {name.removeprefix("test_it.py::"): run.end for name, run in runs.items()} == ENDS
    assert all(f"def {name}(" in MODULE for name in WITHOUT_RUN)
    assert runs["test_it.py::test_closes_its_tracker"].series == {"loss": [(0, 1.0), (1, 2.0)]}
    # Tests without metrics have nothing to compare; the others have no baseline yet.
    with_verdict = {name for name, run in runs.items() if run.verdict == "no_baseline"}
    assert with_verdict == {"test_it.py::test_passes", "test_it.py::test_closes_its_tracker"}


@pytest.mark.parametrize("way", ["no-xdist", "n2"], indirect=True)
@pytest.mark.parametrize(
    "stop", ["pytest.exit('enough')", "raise KeyboardInterrupt"], ids=["exit", "ctrl-c"]
)
def test_a_run_that_is_broken_off_ends_interrupted_where_it_was(project, stop, way):
    project.write(f"""
        import pytest

        @pytest.fixture
        def stops(tracker):
            {stop}

        def test_stopped(tracker, request):
            tracker.record("loss", 1.0, 0)
            tracker.start_run("inner")
            request.getfixturevalue("stops")
    """)
    assert project.track(way=way).ret == pytest.ExitCode.INTERRUPTED
    project.write(
        (project.path / "test_it.py").read_text().replace("tracker, request", "tracker, stops"),
        "test_setup.py",
    )
    runs = project.runs()
    end = ("failed", "failed", "call", "interrupted")
    assert runs["test_it.py::test_stopped"].end == end
    assert runs["test_it.py::test_stopped"].series == {"loss": [(0, 1.0)]}
    assert runs["inner"].end == ("failed", None, None, "interrupted")

    if way == "no-xdist" and "exit" in stop:
        project.track("test_setup.py")
        end = ("failed", "failed", "setup", "interrupted")
        assert project.runs()["test_setup.py::test_stopped"].end == end


def test_a_regression_ends_a_run_failed_with_its_verdict(trained):
    trained.track()
    trained.track(LOSS="2")
    assert trained.track("--sg-track-on-regression=warn", LOSS="2").ret == 0
    accepted, failed, warned = trained.stored()
    assert (accepted.end, accepted.verdict) == (ENDS["test_passes"], "identical")
    assert (failed.end, failed.verdict) == (ENDS["test_check_fails"], "regressed")
    assert (warned.end, warned.verdict) == (ENDS["test_passes"], "regressed")


def test_parameters_and_markers_are_the_config_of_a_run(project):
    project.ini("markers = slow: minutes").write("""
        import enum
        import pytest

        class Optimiser(enum.Enum):
            ADAM = "adam"

        def gelu(): pass

        @pytest.mark.slow
        class TestAll:
            @pytest.mark.filterwarnings("default")
            @pytest.mark.sg_track("loss", rel=0.1)
            @pytest.mark.parametrize("lr, shape", [(1e-3, (2, 3))])
            @pytest.mark.parametrize("optimiser", [Optimiser.ADAM])
            @pytest.mark.parametrize("thing", [object(), gelu, 10**400, float("nan"), "\\udc80"])
            def test_config(self, tracker, lr, shape, optimiser, thing):
                tracker.config(epochs=3)
    """)
    project.track().assert_outcomes(passed=5)
    configs = [run.config for run in project.stored()]
    things = [config.pop("thing") for config in configs]
    assert things[:2] == ["object", "gelu"]
    assert int(things[2], 16) == 10**400
    assert things[3:] == ["NaN", "\\udc80"]
    expected = {
        "lr": 1e-3,
        "shape": "(2, 3)",
        "optimiser": "<Optimiser.ADAM: 'adam'>",
        "markers": ["filterwarnings", "slow"],
        "epochs": 3,
    }
    assert configs == [expected] * 5


def test_runs_of_tests_with_very_long_names_stay_apart(project):
    project.write("""
        import pytest

        @pytest.mark.parametrize("value", [1.0, 2.0], ids=["x" * 2000 + "a", "x" * 2000 + "b"])
        def test_long(tracker, value):
            tracker.record("loss", value, 0)
    """)
    project.accept().track().assert_outcomes(passed=2)
    names = {run.name: run.series["loss"] for run in project.stored()}
    assert sorted(names.values()) == [[(0, 1.0)], [(0, 2.0)]]
    assert all(name.startswith("test_it.py::test_long[xxx") for name in names)


def _git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_environment_is_stored_apart_from_the_config(trained, way):
    _git(trained.path, "init", "--initial-branch=trunk")
    _git(trained.path, "add", "test_it.py")
    _git(trained.path, "commit", "-m", "one")
    is_dirty = way != "n0"
    if is_dirty:
        with (trained.path / "test_it.py").open("a") as file:
            file.write("# changed\n")
    trained.track(way=way, PYTHONHASHSEED="7")
    tracker = Tracker(trained.path / "experiments")
    tracker.set_experiment("pytest")
    (info,) = tracker.get_all_runs()
    tracker.close()
    assert info.config == {}
    expected = {
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "hash_seed": "7",
        "git_commit": _git(trained.path, "rev-parse", "HEAD"),
        "git_dirty": is_dirty,
        "git_branch": "trunk",
    }
    assert info.environment.items() >= expected.items()
