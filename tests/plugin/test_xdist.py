"""However tests are spread over processes, they come to the same."""

from __future__ import annotations

import importlib.util
import re

import pytest

needs_xdist = pytest.mark.skipif(
    importlib.util.find_spec("xdist") is None, reason="pytest-xdist is not installed"
)

MODULE = """
    import os
    import random
    import pytest

    WORSE = bool(os.environ.get("WORSE"))

    def train(tracker, seed, n=50):
        rng = random.Random(seed)
        for step in range(n):
            tracker.log({"loss": rng.random(), "acc": 1 + rng.random()}, step)

    @pytest.mark.parametrize("seed", range(8))
    def test_same(tracker, seed): train(tracker, seed)

    @pytest.mark.parametrize("lr", [0.1, 0.2])
    class TestClass:
        def test_worse(self, tracker, lr):
            train(tracker, 1)
            tracker.record("eval/loss", 1.0 + lr * WORSE, 0)

        def test_child(self, tracker, lr):
            with tracker.run("child", {"lr": lr}):
                train(tracker, 2, n=3 - WORSE)

    @pytest.mark.sg_track("loss", rel=9)
    def test_within(tracker): tracker.record("loss", 1.0 + WORSE, 0)
    def test_better(tracker): tracker.record("loss", 2.0 - WORSE, 0)
    def test_nan(tracker): tracker.record("loss", float("nan") if WORSE else 1.0, 0)
    def test_missing(tracker): tracker.record("acc" if WORSE else "loss", 1.0, 0)
    def test_fails(tracker):
        tracker.record("loss", 1.0, 0)
        assert not WORSE
    @pytest.mark.xfail
    def test_xfails(tracker):
        tracker.record("loss", 1.0, 0)
        assert not WORSE
    @pytest.mark.xdist_group("one")
    def test_grouped(tracker): tracker.record("loss", 1.0 + WORSE, 0)
    def test_plain(): pass
"""


def _stored(project):
    """Return all runs in an order of their own, NaN as text so that it equals itself."""
    runs = sorted(project.stored(), key=lambda run: (run.name, run.parent or ""))
    return re.sub(r"\bnan\b", "'NaN'", repr(runs))


def _shown(result):
    """Return what the terminal says of verdicts, in an order of its own."""
    return sorted(
        line
        for line in result.outlines
        if re.match(r"\d+ tests compared|[a-z_]+ test_|to (add|accept)|wrote", line)
    )


@needs_xdist
def test_every_way_to_run_gives_the_same_verdicts_database_and_baselines(project):
    project.ini("markers = xdist_group: of xdist").write(MODULE)
    found = {}
    for way in ("no-xdist", "n0", "n2"):
        project.accept(way=way)
        accepted = (_stored(project), project.baselines())
        project.forget(baselines=False)
        result = project.track("-v", way=way, WORSE="1")
        found[way] = (*accepted, _stored(project), _shown(result))
        project.forget(baselines=way != "n2")
    assert len(found["no-xdist"][3]) > 10
    assert found["n0"] == found["no-xdist"]
    assert found["n2"] == found["no-xdist"]

    result = project.track("-v", "--dist=loadgroup", way="n2", WORSE="1")
    assert (_stored(project), _shown(result)) == found["no-xdist"][2:]


@needs_xdist
def test_an_update_over_workers_adds_to_one_file(project):
    project.write("""
        import pytest

        @pytest.mark.parametrize("i", range(20))
        def test_many(tracker, i): tracker.record("loss", float(i), 0)
    """)
    project.accept("-k", "1")
    project.track("--sg-track-update=new", way="n2").stdout.fnmatch_lines(
        "wrote __baselines__/test_it.json: 9 of its tests*"
    )
    by_workers = project.baselines()
    project.forget()
    project.accept(way="no-xdist")
    assert project.baselines() == by_workers


@needs_xdist
def test_a_worker_that_dies_takes_no_verdict_of_the_others_with_it(project):
    project.write("""
        import os
        import pytest

        @pytest.mark.parametrize("i", range(6))
        def test_many(tracker, i):
            tracker.record("loss", 1.0, 0)
            if os.environ.get("DIE") and i == 2:
                os._exit(1)
    """).accept()
    before = project.baselines()
    result = project.track("--sg-track-update=all", way="n2", DIE="1")
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines("5 tests compared: 5 identical")
    assert project.baselines() == before
    assert project.runs()["test_it.py::test_many[5]"].verdict == "identical"
