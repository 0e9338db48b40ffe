"""What the terminal shows at the end of a session."""

from __future__ import annotations

import itertools

import pytest

MANY = """
    import os
    import pytest

    @pytest.mark.parametrize("i", range(12))
    def test_many(tracker, i):
        tracker.record("loss", float(os.environ.get("LOSS", "1")), 0)

    def test_same(tracker):
        tracker.record("loss", 1.0, 0)
"""


def _section(result):
    """Return the lines of our section."""
    lines = result.outlines[:-1]  # the last one counts the outcomes
    start = next(index for index, line in enumerate(lines) if line.strip("= ") == "sg-track")
    return list(itertools.takewhile(lambda line: not line.startswith("==="), lines[start + 1 :]))


def test_the_section_counts_all_lists_some_and_says_how_to_accept(project):
    project.write(MANY).accept()
    section = _section(project.track("--tb=no", LOSS="2"))
    assert section[0] == "13 tests compared: 1 identical, 12 regressed"
    listed = [line for line in section if line.startswith("regressed test_it.py::test_many[")]
    assert len(listed) == 10
    assert "... and 2 more regressed (-v lists them)" in section
    accept = "to accept what changed: sgtrack accept test_it.py"
    assert section[-1] == accept

    section = _section(project.track("--tb=no", "-v", LOSS="2"))
    assert section[-1] == accept
    listed = [line for line in section if line.startswith("regressed test_it.py::test_many[")]
    assert len(listed) == 12
    assert "identical test_it.py::test_same" in section


def test_nothing_is_shown_where_nothing_was_compared(project):
    project.write("def test_plain(): pass\ndef test_silent(tracker): pass")
    result = project.track()
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*= sg-track =*")
    assert project.track("-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_green_needs_one_line_and_quiet_no_header(trained):
    result = trained.track("-q")
    assert _section(result) == ["1 test compared: 1 identical"]
    result.stdout.no_fnmatch_line("sg-track: on*")


def test_an_improvement_is_shown_with_the_command_that_accepts_it(trained):
    why = "loss: tail went from 1 to 0.5 (-50 %); lower is better, allowance 0.05"
    result = trained.track(LOSS="0.5")
    result.assert_outcomes(passed=1)
    assert _section(result) == [
        "1 test compared: 1 improved",
        "improved test_it.py::test_train - " + why,
        "to accept what changed: sgtrack accept test_it.py::test_train",
    ]


def test_an_update_says_what_it_wrote_and_suggests_nothing(trained):
    section = _section(trained.track("--sg-track-update=all", LOSS="0.5"))
    assert section[0] == "1 test compared: 1 improved"
    assert section[-1] == "wrote __baselines__/test_it.json: 1 of its tests; review and commit it"


def test_a_change_too_small_for_six_digits_is_seen_in_the_table(project):
    project.write("""
        import os
        import pytest

        @pytest.mark.sg_track("loss", rel=0, abs=0)
        def test_exact(tracker):
            tracker.record("loss", 1.0 + float(os.environ.get("MORE", "0")), 0)
    """).accept()
    result = project.track(MORE="1e-12")
    result.stdout.fnmatch_lines("loss *tail * 1 *1.000000000001* +1e-10 % * regressed")


def test_without_a_terminal_everything_else_works(trained):
    result = trained.track("-p", "no:terminal", LOSS="2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert trained.runs()["test_it.py::test_train"].verdict == "regressed"
    before = trained.baselines()
    assert trained.track("-p", "no:terminal", "--sg-track-update=all", LOSS="2").ret == 0
    assert trained.baselines() != before


def test_the_place_of_a_regression_is_the_test(trained):
    result = trained.track("--tb=line", LOSS="2")
    line = "*/test_it.py:4: MetricRegressionError: loss: tail went from 1 to 2 (+100 %)*"
    result.stdout.fnmatch_lines(line)
    result.stdout.no_fnmatch_line("*session.py*")
