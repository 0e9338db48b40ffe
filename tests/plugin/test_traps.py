"""Where a verdict in the call phase could get lost, or hit a test it should not."""

from __future__ import annotations

import pytest

OUTCOMES = """
    import os
    import unittest
    import pytest

    IS_WORSE = bool(os.environ.get("WORSE"))

    @pytest.fixture(autouse=True)
    def recorded(tracker):
        tracker.record("loss", 1.0 + IS_WORSE, 0)

    @pytest.mark.xfail(condition=IS_WORSE, reason="known")
    def test_xfail(): pass

    @pytest.mark.xfail(condition=IS_WORSE, reason="known", strict=True)
    def test_strict_xfail(): pass

    @pytest.mark.xfail(condition=IS_WORSE, reason="other", raises=ValueError)
    def test_xfail_for_another_reason(): pass

    def test_fails(): assert not IS_WORSE

    def test_skips():
        if IS_WORSE:
            pytest.skip("why")

    class TestUnit(unittest.TestCase):
        def test_passes(self): pass
        def test_fails(self): self.assertFalse(IS_WORSE)
        def test_raises(self):
            if IS_WORSE:
                raise ValueError("call")
        def test_skips(self):
            if IS_WORSE:
                self.skipTest("why")
"""


@pytest.mark.parametrize("way", ["no-xdist", "n2"], indirect=True)
def test_a_regression_inside_xfail_is_xfail_but_counted(project, way):
    project.write(OUTCOMES).accept()
    result = project.track(way=way, WORSE="1")
    result.assert_outcomes(failed=5, xfailed=2, skipped=2)
    result.stdout.fnmatch_lines("4 tests compared: 4 regressed")
    for name in ("test_xfail", "test_strict_xfail", "test_xfail_for_another_reason"):
        result.stdout.fnmatch_lines(f"regressed test_it.py::{name} - loss: *")
    runs = project.runs()
    verdicts = {name.rpartition("::")[2]: run.verdict for name, run in runs.items()}
    assert runs["test_it.py::test_xfail"].end == ("failed", "xfailed", "call", "finished")
    assert runs["test_it.py::TestUnit::test_passes"].verdict == "regressed"
    # What fails or is skipped by itself has no verdict, a unittest.TestCase no more than a test.
    for name in ("test_fails", "test_skips", "test_raises"):
        assert verdicts[name] is None
    for name in ("test_fails", "test_skips"):
        assert runs[f"test_it.py::{name}"].verdict is None
    ends = {name: runs[f"test_it.py::TestUnit::{name}"].end[1:] for name in
            ("test_fails", "test_raises", "test_skips")}  # fmt: skip
    assert ends == {
        "test_fails": ("failed", "call", "finished"),
        "test_raises": ("failed", "call", "exception"),
        "test_skips": ("skipped", "call", "finished"),
    }


SUBTESTS = """
    import os
    import unittest
    import pytest

    BREAKS = bool(os.environ.get("BREAKS"))

    def test_fixture(tracker, subtests):
        tracker.record("loss", 1.0 + BREAKS, 0)
        for i in range(2):
            with subtests.test(i=i):
                assert not BREAKS or i == 0

    class TestUnit(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _tracker(self, tracker):
            self.tracker = tracker

        def test_method(self):
            self.tracker.record("loss", 1.0 + BREAKS, 0)
            for i in range(2):
                with self.subTest(i=i):
                    assert not BREAKS or i == 0

    def test_after(tracker):
        tracker.record("loss", 1.0 + BREAKS, 0)
"""


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="subtests came with pytest 9")
@pytest.mark.parametrize("way", ["no-xdist", "n2"], indirect=True)
def test_a_test_with_failed_subtests_is_not_compared(project, way):
    project.write(SUBTESTS).accept()
    before = project.baselines()
    result = project.track("--sg-track-update=new", BREAKS="1", way=way)
    result.stdout.fnmatch_lines("1 test compared: 1 regressed")
    runs = project.runs()
    for name in ("test_fixture", "TestUnit::test_method"):
        assert runs[f"test_it.py::{name}"].end[:3] == ("failed", "failed", "call")
        assert runs[f"test_it.py::{name}"].verdict is None
    assert runs["test_it.py::test_after"].verdict == "regressed"
    assert project.baselines() == before


CHILDREN = """
    import os

    WORSE = float(os.environ.get("WORSE", "0"))

    def test_children(tracker):
        tracker.record("loss", 1.0, 0)
        for name in ("adam", "sgd"):
            with tracker.run(name, {"optimiser": name}):
                tracker.record("loss", 2.0 + WORSE, 0)
                with tracker.run("warmup"):
                    tracker.record("loss", 3.0, 0)
        with tracker.run("adam"):
            tracker.record("loss", 4.0, 0)
        tracker.start_run()
        tracker.record("loss", 5.0, 0)
        tracker.end_run("failed")
        tracker.record("loss", 1.0, 1)  # into its own run, which goes on
        tracker.start_run("left_open")
        tracker.record("loss", 6.0, 0)

    def test_elsewhere(tracker):
        tracker.set_experiment("mine")
        with tracker.run("other"):
            tracker.record("loss", 1.0 + WORSE, 0)
        tracker.set_experiment("mine")
        tracker.record("acc", 1.0, 0)

    def test_ends_its_run_itself(tracker):
        tracker.record("loss", 1.0 + WORSE, 0)
        tracker.end_run("completed")
        tracker.start_run("second")
        tracker.record("loss", 1.0 + WORSE, 0)
"""


def test_runs_inside_a_test_are_compared_under_their_own_names(project):
    project.write(CHILDREN).accept()
    assert project.entries() == {
        "test_children": {
            "loss",
            "adam/loss",
            "adam/warmup/loss",
            "sgd/loss",
            "sgd/warmup/loss",
            "adam#2/loss",
            "run_6/loss",
            "left_open/loss",
        },
        "test_elsewhere": {"acc", "other/loss"},
        "test_ends_its_run_itself": {"loss", "second/loss"},
    }
    result = project.track(WORSE="1")
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines("adam/loss: tail went from 2 to 3 *")
    result.stdout.fnmatch_lines("*sgd/loss *regressed")
    result.stdout.fnmatch_lines("other/loss: *")

    first, *inside = [run for run in project.stored()[-11:] if run.name != "second"][:9]
    assert first.name == "test_it.py::test_children"
    assert first.series == {"loss": [(0, 1.0), (1, 1.0)]}
    assert first.end == ("failed", "failed", "call", "finished")
    assert [(run.name, run.parent, run.end[0]) for run in inside[:7]] == [
        ("adam", first.name, "completed"),
        ("warmup", "adam", "completed"),
        ("sgd", first.name, "completed"),
        ("warmup", "sgd", "completed"),
        ("adam", first.name, "completed"),
        ("run_6", first.name, "failed"),
        ("left_open", first.name, "completed"),
    ]
    assert inside[0].config == {"optimiser": "adam"}
    (elsewhere, _) = project.stored(experiment="mine")
    assert elsewhere.series == {"loss": [(0, 1.0)]}
    # How a run ended does not change, so the verdict on one the test ended itself is only shown.
    assert project.runs()["test_it.py::test_ends_its_run_itself"].end[0] == "completed"
    result.stdout.fnmatch_lines("regressed test_it.py::test_ends_its_run_itself - loss: *")


def test_nothing_recorded_where_a_baseline_is_expected_is_red(project):
    project.write("""
        import os

        def test_silent(tracker):
            if not os.environ.get("SILENT"):
                tracker.record("loss", 1.0, 0)

        def test_deletes_its_run(tracker):
            tracker.record("loss", 1.0, 0)
            if os.environ.get("SILENT"):
                tracker.delete_run(tracker.current_run_id)
    """).accept()
    project.track(SILENT="1").assert_outcomes(failed=2)


def test_a_tracker_asked_for_late_is_compared_all_the_same(project):
    project.write("""
        import os

        def test_late(request):
            tracker = request.getfixturevalue("tracker")
            tracker.record("loss", float(os.environ.get("LOSS", "1")), 0)
    """).accept()
    project.track(LOSS="2").assert_outcomes(failed=1)


def test_what_a_fork_of_a_test_does_is_not_the_end_of_the_test(project):
    project.write("""
        import os

        def test_forks(tracker):
            tracker.record("loss", 1.0, 0)
            child = os.fork()
            if not child:
                raise SystemExit(0)
            os.waitpid(child, 0)
            tracker.record("loss", 1.0, 1)
    """)
    result = project.track("-s")
    run = project.runs()["test_it.py::test_forks"]
    assert (run.end, run.series) == (
        ("completed", "passed", "call", "finished"),
        {"loss": [(0, 1.0), (1, 1.0)]},
    )
    assert len(project.stored()) == 1
    assert result.ret == 0


def test_a_fixture_of_the_users_called_tracker_goes_first(project):
    project.write(
        """
        import pytest

        @pytest.fixture
        def tracker():
            return "theirs"
        """,
        "conftest.py",
    )
    project.write(
        """
        import os

        def test_both(tracker, sg_tracker):
            assert tracker == "theirs"
            sg_tracker.record("loss", float(os.environ.get("LOSS", "1")), 0)

        def test_only_theirs(tracker):
            assert tracker == "theirs"
        """
    ).accept()
    project.track(LOSS="2").assert_outcomes(passed=1, failed=1)
    assert project.runs().keys() == {"test_it.py::test_both"}
    project.pytest(LOSS="2").assert_outcomes(passed=2)


def test_a_users_tracker_can_build_on_ours(project):
    project.write("""
        import os
        import pytest

        @pytest.fixture
        def tracker(tracker):
            tracker.config(seed=1)
            return tracker

        def test_a(tracker):
            tracker.record("loss", float(os.environ.get("LOSS", "1")), 0)
    """).accept()
    assert project.runs()["test_it.py::test_a"].config == {"seed": 1}
    project.track(LOSS="2").assert_outcomes(failed=1)
