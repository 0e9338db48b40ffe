"""In the company of other plugins, and of tests of every name and kind."""

from __future__ import annotations

import importlib.util
import re

import pytest


def needs(module):
    is_here = importlib.util.find_spec(module) is not None
    return pytest.mark.skipif(not is_here, reason=f"{module} is not installed")


RERUN = """
    import os
    from pathlib import Path

    BREAKS = os.environ.get("BREAKS", "").split()  # what each attempt does

    def test_flaky(request):
        attempts = Path("attempts")
        n = len(attempts.read_text()) if attempts.exists() else 0
        attempts.write_text("x" * (n + 1))
        how = BREAKS[n] if n < len(BREAKS) else "good"
        if how == "forgets":
            return
        assert how != "early"
        tracker = request.getfixturevalue("tracker")
        assert how != "fails"
        tracker.record("loss", {"worse": 2.0, "other": 1.01}.get(how, 1.0), 0)
"""


@needs("pytest_rerunfailures")
@pytest.mark.parametrize(
    ("breaks", "is_green", "verdict", "notes"),
    [
        ("worse good", True, "identical", "earlier attempts: regressed"),
        ("fails worse good", True, "identical", "earlier attempts: regressed"),
        ("worse worse worse", False, "regressed", "earlier attempts: regressed, regressed"),
        ("fails other", True, "within", None),
    ],
)
def test_each_attempt_is_judged_alone_and_the_last_one_counts(
    project, breaks, is_green, verdict, notes
):
    project.write(RERUN).accept()
    (project.path / "attempts").unlink()
    result = project.track("-p", "rerunfailures", "--reruns=2", BREAKS=breaks)
    assert (result.ret == 0) is is_green
    result.stdout.fnmatch_lines(f"1 test compared: 1 {verdict}")
    shown = [line.strip() for line in result.outlines if "earlier attempts" in line]
    assert set(shown) == ({notes} if notes else set())
    runs = project.stored()[1:]
    verdicts = {"fails": None, "worse": "regressed", "other": "within", "good": "identical"}
    assert [run.verdict for run in runs] == [verdicts[how] for how in breaks.split()]
    assert project.pending() == ({} if is_green else {"test_it.py::test_flaky": {"loss": "worse"}})


@needs("pytest_rerunfailures")
@pytest.mark.parametrize("breaks", ["forgets early", "worse fails", "worse early"])
def test_an_attempt_that_fails_by_itself_takes_back_what_was_said_of_the_one_before(
    project, breaks
):
    project.write(RERUN).accept()
    (project.path / "attempts").unlink()
    result = project.track("-p", "rerunfailures", "--reruns=1", BREAKS=breaks)
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*compared:*")
    assert project.pending() == {}


SUSPECT = """
    import os
    from pathlib import Path

    IS_LOGGED = "LOG" in os.environ
    IS_WORSE = "WORSE" in os.environ

    def test_suspect(tracker, sg_seed):
        if IS_LOGGED:
            log = Path("log")
            log.write_text((log.read_text() if log.exists() else "") + f"{sg_seed} ")
        for step in range(3):
            tracker.record("loss", 1 + sg_seed / 1000 + IS_WORSE, step)
"""


@needs("scipy")
@needs("pytest_rerunfailures")
def test_a_suspect_is_confirmed_in_each_attempt(project):
    project.write(SUSPECT).accepted("--sg-track-samples=5")
    more = ("-p", "rerunfailures", "--reruns=1")
    result = project.track(*more, WORSE="1", LOG="1")
    result.assert_outcomes(failed=1)
    assert (project.path / "log").read_text().split() == ["0", "5", "6", "7", "8"] * 2
    result.stdout.fnmatch_lines("*confirmed by 4 runs of fresh seeds*")


TIMEOUT = """
    import os
    import time

    def test_slow(tracker, sg_seed):
        tracker.record("loss", 1 + sg_seed / 1000 + ("WORSE" in os.environ), 0)
        if sg_seed == 6:
            time.sleep(30)

    def test_after(tracker): tracker.record("loss", 1.0, 0)
"""


@needs("scipy")
@needs("pytest_timeout")
@pytest.mark.parametrize("method", ["signal", pytest.param("thread", marks=pytest.mark.slow)])
def test_a_fresh_run_out_of_time_leaves_a_suspect_red(project, method):
    project.write(TIMEOUT).accepted("--sg-track-samples=5")
    more = ("-p", "timeout", "--timeout=1", f"--timeout-method={method}")
    result = project.track(*more, WORSE="1")
    assert result.ret != 0
    project.track("-k", "after")  # brings home what the thread method has cut off
    ends = {run.config.get("sg_seed"): run.end for run in project.stored()}
    assert ends[6][3] == "timeout"
    if method == "signal":
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines("*; 1 of 4 runs of fresh seeds gave nothing to compare")
    else:
        assert ends[0][:2] != ("completed", "passed")
    assert project.sgtrack("check")[0] == 0


MANY = """
    import os
    import random
    import pytest

    WORSE = float(os.environ.get("WORSE", "0"))

    @pytest.mark.parametrize("i", range(12))
    def test_many(tracker, sg_seed, i):
        noise = random.Random(100 * i + sg_seed).gauss(0, 0.01)
        tracker.record("loss", 1 + noise + WORSE * (i % 3 == 0), 0)

    @pytest.mark.parametrize("i", range(4))
    def test_single(tracker, i): tracker.record("loss", 1 + WORSE * i, 0)
"""


@needs("scipy")
@needs("xdist")
@needs("pytest_randomly")
@pytest.mark.slow  # test_xdist.py has the same in short
def test_order_and_processes_change_no_verdict(project):
    project.write(MANY).accepted("--sg-track-samples=5")
    shuffled = [("-p", "randomly", f"--randomly-seed={seed}") for seed in (1, 2)]
    found = []
    for arguments, way in (
        ((), "no-xdist"),
        ((), "n2"),
        (shuffled[0], "no-xdist"),
        (shuffled[1], "n2"),
    ):
        result = project.track("-v", *arguments, way=way, WORSE="0.2")
        found.append(sorted(line for line in result.outlines if re.match(r"[a-z_]+ test_it", line)))
        project.forget(baselines=False)
    assert len(found[0]) == 16
    assert sum(line.startswith("regressed") for line in found[0]) == 7
    assert all(lines == found[0] for lines in found)
