"""Without --sg-track: the fixture works, and nothing else happens."""

from __future__ import annotations

import pytest

OUTCOMES = """
    import pytest

    @pytest.fixture
    def broken_at_end(tracker):
        yield
        raise ValueError("teardown")

    def test_passes(tracker):
        tracker.record("loss", float("nan"), 0)
        with tracker.run("inner"):
            tracker.log({"acc": 0.5}, step=1)
        assert tracker.summary()["loss"]["n_nan"] == 1

    def test_fails(tracker):
        tracker.record("loss", 1.0, 0)
        assert tracker.current_run_name == "x"

    def test_raises(sg_tracker):
        raise ValueError("call")

    def test_broken_teardown(tracker, broken_at_end): pass

    def test_skips(tracker):
        pytest.skip("why")

    @pytest.mark.xfail(strict=True)
    def test_xfails(tracker):
        assert not tracker.active_runs

    def test_ends_its_run_itself(tracker):
        tracker.end_run("failed")

    def test_closes_it(tracker):
        tracker.record("loss", 1.0, 0)
        tracker.close()

    @pytest.mark.parametrize("text", ["x" * 1200, "a::b[c]/d"])
    def test_of_any_name(tracker, text):
        tracker.record("loss", 1.0, 0)
"""
COUNTS = {"passed": 6, "failed": 2, "errors": 1, "skipped": 1, "xfailed": 1}


def test_tests_end_the_same_with_tracking_and_without(project):
    project.write(OUTCOMES)
    off, on = project.pytest(), project.track()
    off.assert_outcomes(**COUNTS)
    on.assert_outcomes(**COUNTS)
    for line in ("*assert '*test_fails' == 'x'", "*ValueError: call", "*ValueError: teardown"):
        off.stdout.fnmatch_lines(line)
        on.stdout.fnmatch_lines(line)


def test_a_throwaway_store_leaves_nothing_behind(project, tmp_path):
    project.write(OUTCOMES)
    project.pytest(TMPDIR=str(tmp_path)).assert_outcomes(**COUNTS)
    left = {path.name for path in project.path.iterdir()}
    assert not left & {"experiments", "__baselines__"}
    assert not list(tmp_path.glob("sgtrack-*"))


def test_unused_and_off_nothing_is_registered_or_imported(project, unmeasured):
    project.write("""
        import sys
        import pytest

        @pytest.mark.sg_track("loss", rel=0.1)
        def test_plain(pytestconfig):
            assert not pytestconfig.pluginmanager.has_plugin("sgtrack-session")
            assert not {"numpy", "tracking", "sqlite3"} & set(sys.modules)
            assert "pytest_sgtrack.plugin" in sys.modules
    """)
    result = project.pytest("--strict-markers", new=True)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*sg-track*")


def test_an_update_without_tracking_is_a_usage_error(project):
    result = project.pytest("--sg-track-update=new")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("*--sg-track-update needs --sg-track*")
