"""`tracker.expect` in a test: all that is out of its bounds fails the test when it is over."""

from __future__ import annotations

import pytest

MODULE = """
    import os
    import pathlib

    LOSS = float(os.environ.get("LOSS", "1"))

    def test_train(tracker):
        for step in range(4):
            tracker.log({"loss": LOSS + step, "acc": 1.0}, step)
        tracker.expect("loss", "<", 5)
        tracker.expect("acc", ">=", 1.0, statistic="mean")
        with tracker.run("eval"):
            tracker.record("loss", LOSS, 0)
            tracker.expect("loss", "<=", 1.0)
        tracker.expect("acc", ">", 0.5 * LOSS, "min")
        pathlib.Path("over").touch()
"""
TEST = "test_it.py::test_train"


def test_within_its_bounds_a_test_is_judged_by_its_baseline_alone(project):
    project.write(MODULE).track().assert_outcomes(passed=1)
    project.accept().track().stdout.fnmatch_lines("1 test compared: 1 identical")


@pytest.mark.parametrize("way", ["no-xdist", "n2"], indirect=True)
def test_bounds_fail_a_test_at_its_end_all_at_once_and_need_no_baseline(project, way):
    result = project.write(MODULE).track(LOSS="2", way=way)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "loss: last has to be < 5.0, but it is 5.0",
            "  eval/loss: last has to be <= 1.0, but it is 2.0",
            "  acc: min has to be > 1.0, but it is 1.0",
            "1 test compared: 1 bound_failed",
        ]
    )
    assert project.runs()[TEST].verdict == "bound_failed"
    assert (project.path / "over").exists()


def test_a_test_out_of_its_bounds_never_becomes_a_baseline(project):
    project.write(MODULE)
    for arguments in ((), ("--sg-track-update=all",), ("--sg-track-samples=1",)):
        result = project.track(*arguments, LOSS="2")
        result.assert_outcomes(failed=1)
        assert "sgtrack accept" not in result.stdout.str()
    # What fails no test is still no baseline.
    for arguments in (("--sg-track-update=all",), ("--sg-track-samples=1",)):
        result = project.track("--sg-track-on-regression=warn", *arguments, LOSS="2")
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(f"bound_failed {TEST} - loss: last has to be < 5.0*")
    assert project.baselines() == {}
    assert project.pending() == {}


def test_without_tracking_a_bound_fails_where_it_stands(project):
    result = project.write(MODULE).pytest(LOSS="2")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E*BoundError: loss: last has to be < 5.0, but it is 5.0")
    assert not (project.path / "over").exists()
    project.pytest().assert_outcomes(passed=1)


def test_what_is_wrong_with_a_bound_itself_is_an_error_of_the_test_at_once(project):
    project.write("""
        import pytest

        @pytest.mark.parametrize(
            "arguments",
            [("loss", "!=", 1), ("loss", "<", float("nan")), ("loss", "<", 1, "median")],
        )
        def test_train(tracker, arguments):
            with pytest.raises(ValueError):
                tracker.expect(*arguments)

        def test_unrecorded(tracker):
            tracker.expect("loss", "<", 1)
            tracker.record("loss", 0.5, 0)
    """)
    result = project.track()
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines("loss: last has to be < 1.0, but it was not recorded")
