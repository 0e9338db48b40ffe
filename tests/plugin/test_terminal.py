"""What the terminal shows at the end of a session."""

from __future__ import annotations

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
    lines = result.outlines
    start = next(index for index, line in enumerate(lines) if line.strip("= ") == "sg-track")
    end = next(i for i in range(start + 1, len(lines)) if lines[i].startswith("==="))
    return lines[start + 1 : end]


def test_the_section_counts_all_lists_some_and_says_how_to_accept(project):
    project.write(MANY).accept()
    section = _section(project.track("--tb=no", LOSS="2"))
    assert section[0] == "13 tests compared: 1 identical, 12 regressed"
    listed = [line for line in section if line.startswith("regressed test_it.py::test_many[")]
    assert len(listed) == 10
    assert "... and 2 more regressed (-v lists them)" in section
    accept = "to accept what changed: pytest --sg-track --sg-track-update=all test_it.py"
    assert section[-1] == accept

    section = _section(project.track("--tb=no", "-v", LOSS="2"))
    listed = [line for line in section if line.startswith("regressed test_it.py::test_many[")]
    assert len(listed) == 12
    assert "identical test_it.py::test_same" in section

    result = project.track("--tb=no", "-q", LOSS="2")
    result.stdout.no_fnmatch_line("sg-track: on*")
    assert _section(result)[-1] == accept


def test_nothing_is_shown_where_nothing_was_compared(project):
    project.write("def test_plain(): pass\ndef test_silent(tracker): pass")
    result = project.track()
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*= sg-track =*")
    assert project.track("-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_green_needs_one_line(trained):
    assert _section(trained.track()) == ["1 test compared: 1 identical"]


def test_an_improvement_is_shown_with_the_command_that_accepts_it(trained):
    result = trained.track(LOSS="0.5")
    result.assert_outcomes(passed=1)
    assert _section(result) == [
        "1 test compared: 1 improved",
        "improved test_it.py::test_train - loss: tail went from 1 to 0.5 (-50 %); lower is better,"
        " allowance 0.05",
        "to accept what changed: pytest --sg-track --sg-track-update=all test_it.py::test_train",
    ]


def test_an_update_says_what_it_wrote_and_suggests_nothing(trained):
    section = _section(trained.track("--sg-track-update=all", LOSS="2"))
    assert section[0] == "1 test compared: 1 regressed"
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
    assert trained.track("-p", "no:terminal", "--sg-track-update=all", LOSS="2").ret == 0
    assert trained.track(LOSS="2").ret == 0


@pytest.mark.parametrize("style", ["short", "long", "line", "native", "no"])
def test_the_cause_is_shown_in_every_style_of_traceback(trained, style):
    result = trained.track(f"--tb={style}", LOSS="2")
    result.stdout.fnmatch_lines("*loss: tail went from 1 to 2 (+100 %)*")
    result.stdout.no_fnmatch_line("*session.py*")
