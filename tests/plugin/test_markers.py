"""@pytest.mark.sg_track: how a metric is compared, and what a marker may not say."""

from __future__ import annotations

import pytest

from pytest_sgtrack.markers import read_markers

# Each test records 1, 1 at first and then the values of its name.
MODULE = """
    import os
    import pytest

    pytestmark = pytest.mark.sg_track("acc", abs=0.25)

    def record(tracker, **metrics):
        for name, values in metrics.items():
            if not os.environ.get("NOW"):
                values = [1.0] * len(values)
            for step, value in enumerate(values):
                tracker.record(name, value, step)

    def test_default_within(tracker): record(tracker, loss=[1.049, 1.049])
    def test_default_regressed(tracker): record(tracker, loss=[1.051, 1.051])

    @pytest.mark.sg_track("loss", rel=0.5)
    def test_rel_within(tracker): record(tracker, loss=[1.5, 1.5])
    @pytest.mark.sg_track("loss", rel=0.5)
    def test_rel_regressed(tracker): record(tracker, loss=[1.51, 1.51])
    @pytest.mark.sg_track("loss", abs=0.5)
    def test_abs_within(tracker): record(tracker, loss=[1.5, 1.5])
    @pytest.mark.sg_track("loss", rel=0)
    def test_zero_regressed(tracker): record(tracker, loss=[1.0, 1.0 + 1e-9])

    @pytest.mark.sg_track("loss", direction="higher")
    def test_higher_improved(tracker): record(tracker, loss=[2.0, 2.0])
    @pytest.mark.sg_track("loss", direction="both")
    def test_both_regressed(tracker): record(tracker, loss=[0.5, 0.5])
    @pytest.mark.sg_track(direction="lower")
    def test_all_improved(tracker): record(tracker, what=[0.5, 0.5], ever=[0.5, 0.5])
    def test_unknown_direction_regressed(tracker): record(tracker, what=[0.5, 0.5])

    @pytest.mark.sg_track("loss", statistics=["last"])
    def test_last_within(tracker): record(tracker, loss=[5.0, 1.01])
    @pytest.mark.sg_track("loss", statistics=("min", "max"))
    def test_max_regressed(tracker): record(tracker, loss=[5.0, 1.0])

    @pytest.mark.sg_track("loss", rel=2)
    def test_other_metrics_regressed(tracker): record(tracker, loss=[2.0, 2.0], mae=[2.0, 2.0])
    @pytest.mark.sg_track("loss", "mae", rel=2)
    def test_several_within(tracker): record(tracker, loss=[2.0, 2.0], mae=[2.0, 2.0])

    @pytest.mark.sg_track(rel=0)
    @pytest.mark.sg_track("loss", rel=2)
    def test_naming_first_within(tracker): record(tracker, loss=[2.0, 2.0])
    @pytest.mark.sg_track("loss", rel=2)
    @pytest.mark.sg_track("loss", direction="both")
    def test_stacked_within(tracker): record(tracker, loss=[0.1, 0.1])
    @pytest.mark.sg_track("loss", rel=0)
    @pytest.mark.sg_track("loss", rel=2)
    def test_nearer_within(tracker): record(tracker, loss=[2.0, 2.0])

    @pytest.mark.sg_track("loss", rel=2, direction="both")
    class TestClass:
        def test_class_within(self, tracker): record(tracker, loss=[2.0, 2.0])
        @pytest.mark.sg_track("loss", rel=0.1)
        def test_own_before_class_regressed(self, tracker): record(tracker, loss=[0.5, 0.5])

    def test_module_within(tracker): record(tracker, acc=[0.75, 0.75])
    @pytest.mark.sg_track(abs=0)
    def test_module_by_name_within(tracker): record(tracker, acc=[0.75, 0.75])
    @pytest.mark.sg_track("acc", abs=0.2)
    def test_own_before_module_regressed(tracker): record(tracker, acc=[0.75, 0.75])

    @pytest.mark.parametrize("x", [
        pytest.param("within", marks=pytest.mark.sg_track("loss", rel=2)),
        pytest.param("regressed"),
    ])
    def test_case(tracker, x): record(tracker, loss=[2.0, 2.0])
"""


def test_markers_say_how_each_metric_is_compared(project):
    project.write(MODULE).accept()
    project.track(NOW="1")
    verdicts = {name: run.verdict for name, run in project.runs().items()}
    assert len(verdicts) == MODULE.count("def test_") + 1
    expected = {name: name.replace("[", "_").rstrip("]").split("_")[-1] for name in verdicts}
    assert verdicts == expected


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            "bogus=1",
            "unknown argument 'bogus'; there are direction, rel, abs, statistics, floor, key",
        ),
        ("direction='up'", "direction: 'up' is unknown; there are lower, higher, both"),
        ("rel=-1", "rel: a finite number >= 0 is needed, not -1"),
        ("abs='x'", "abs: a finite number >= 0 is needed, not 'x'"),
        ("statistics=['median']", "statistics: one or more of mean, *"),
        ("statistics='last'", "statistics: one or more of mean, *"),
        ("1", "1 is not the name of a metric"),
        ("''", "'' is not the name of a metric"),
        ("key=''", "key='' is not a name"),
    ],
)
def test_a_marker_that_makes_no_sense_is_a_usage_error_that_names_the_test(
    request, arguments, problem
):
    item = request.node
    item.add_marker(eval(f"pytest.mark.sg_track({arguments})"))
    with pytest.raises(pytest.UsageError) as caught:
        read_markers(item)
    (message,) = caught.value.args
    start = f"{item.nodeid}: @pytest.mark.sg_track: {problem.rstrip('*')}"
    assert message.startswith(start)


def test_a_marker_error_stops_the_session_before_any_test(project, way):
    project.write("""
        import pytest

        def test_good(tracker): pass

        @pytest.mark.sg_track("loss", bogus=1)
        def test_bad(): pass
    """)
    result = project.track("-q", way=way)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().count("ERROR: test_it.py::test_bad: @pytest.mark.sg_track: ") == 1
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert not (project.path / "experiments").exists()


def test_a_marker_added_too_late_is_an_error_of_that_test_alone(project):
    project.write("""
        import pytest

        @pytest.fixture
        def marked(request):
            request.node.add_marker(pytest.mark.sg_track(bogus=1))

        def test_bad(marked, tracker): pass
        def test_good(tracker): pass
    """)
    result = project.track()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines("*UsageError: test_it.py::test_bad: *unknown argument 'bogus'*")
    assert project.runs().keys() == {"test_it.py::test_good"}
