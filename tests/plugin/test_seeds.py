"""Seeds: what `sg_seed` gives, and baselines of samples under several."""

from __future__ import annotations

import json

import pytest

GIVEN = """
    import os
    import pytest

    EXPECTED = int(os.environ["SEED"])

    @pytest.fixture
    def model(sg_seed): return sg_seed

    def test_plain(sg_seed): assert sg_seed == EXPECTED
    def test_through_a_fixture(tracker, model): assert model == EXPECTED
    def test_unseeded(tracker): pass
    @pytest.mark.parametrize("sg_seed", [3])
    def test_direct(tracker, sg_seed): assert sg_seed == 3
    @pytest.mark.parametrize("sg_seed", [4], indirect=True)
    def test_indirect(tracker, sg_seed): assert sg_seed == 4
"""


@pytest.mark.parametrize(
    ("arguments", "ini", "seed"),
    [
        ((), "", 0),
        (("--sg-track",), "", 0),
        (("--sg-track-seed=7",), "", 7),
        (("--sg-track", "--sg-track-seed=7"), "sg_track_seed = 5", 7),
        (("--sg-track", "-p", "xdist", "-n2"), "sg_track_seed = 5", 5),
    ],
    ids=["off", "on", "flag-off", "flag-over-ini", "ini-n2"],
)
def test_a_seed_is_0_or_what_the_option_or_the_parameter_says(project, arguments, ini, seed):
    if "xdist" in arguments:
        pytest.importorskip("xdist")
    result = project.ini(ini).write(GIVEN).pytest(*arguments, SEED=str(seed))
    result.assert_outcomes(passed=5)
    if "--sg-track" in arguments:
        seeds = {
            name.partition("::")[2]: run.config.get("sg_seed")
            for name, run in project.runs().items()
        }
        assert seeds == {
            "test_through_a_fixture": seed,
            "test_unseeded": None,
            "test_direct[3]": 3,
            "test_indirect[4]": 4,
        }


def test_a_seed_that_is_no_int_or_asked_for_too_late_is_an_error_that_says_so(project):
    project.write("""
        import pytest

        @pytest.mark.parametrize("sg_seed", ["three"], indirect=True)
        def test_text(sg_seed): pass
        def test_late(request): request.getfixturevalue("sg_seed")
    """)
    for result in (project.pytest(), project.track()):
        lines = "*test_it.py::test_{}: sg_seed has to be an argument of the test*and an int*"
        result.stdout.fnmatch_lines([lines.format("text[[]three]"), lines.format("late")])
        assert result.ret != 0


SAMPLED = """
    import pytest

    @pytest.fixture
    def loss(sg_seed): return 1.0 + sg_seed

    def test_plain(tracker, loss):
        tracker.record("loss", loss, 0)

    @pytest.mark.parametrize("x", ["sg_seed=0", "a-sg_seed=1", "b"], ids=str)
    class TestClass:
        @pytest.mark.parametrize("y", [1, 2])
        def test_params(self, tracker, sg_seed, x, y):
            tracker.record("loss", 1.0 + sg_seed, 0)

    @pytest.mark.sg_track(key="pinned")
    def test_pinned(tracker, sg_seed): tracker.record("loss", 1.0 + sg_seed, 0)
    @pytest.mark.sg_track(key="pinned_case")
    @pytest.mark.parametrize("y", [1])
    def test_pinned_case(tracker, sg_seed, y): tracker.record("loss", 1.0 + sg_seed, 0)

    def test_unseeded(tracker): tracker.record("loss", 9.0, 0)
    @pytest.mark.parametrize("sg_seed", [3, 4], ids=["sg_seed=3", "sg_seed=4"], indirect=True)
    def test_own(tracker, sg_seed): tracker.record("loss", 1.0 + sg_seed, 0)
    def test_silent(tracker, sg_seed): pass
    def test_untracked(sg_seed): pass

    def pytest_generate_tests(metafunc):
        if metafunc.definition.name == "test_generated":
            metafunc.parametrize("sg_seed", [6])
    def test_generated(tracker, sg_seed): tracker.record("loss", 1.0 + sg_seed, 0)
"""


@pytest.mark.parametrize("way", ["no-xdist", "n2"], indirect=True)
def test_samples_of_all_seeds_become_one_baseline_and_nothing_is_compared(project, way):
    project.write(SAMPLED).track("--sg-track-update=new", "-k", "plain")
    result = project.track("--sg-track-samples=3", "--sg-track-seed=1", way=way)
    result.assert_outcomes(passed=37)
    result.stdout.fnmatch_lines("34 tests run to collect samples, nothing compared")
    result.stdout.no_fnmatch_line("*compared:*")
    three = [1, 2, 3]
    assert project.seeds() == {
        "test_plain": three,
        **{
            f"TestClass::test_params[{y}-{x}]": three
            for x in ("sg_seed=0", "a-sg_seed=1", "b")
            for y in (1, 2)
        },
        "pinned": three,
        "pinned_case[1]": three,
        "test_unseeded": [None],
        "test_own[sg_seed=3]": [3],
        "test_own[sg_seed=4]": [4],
        "test_generated[6]": [6],
    }
    (text,) = project.baselines().values()
    tests = json.loads(text)["tests"]
    tails = [sample["metrics"]["loss"]["tail"] for sample in tests["test_plain"]["samples"]]
    assert tails == [2.0, 3.0, 4.0]
    assert not any("sg_seed" in one["config"] for e in tests.values() for one in e["samples"])
    result = project.track("--sg-track-seed=1")
    result.stdout.fnmatch_lines("13 tests compared: 13 identical")


FAILING = """
    import os
    import pytest

    HOW = os.environ.get("HOW", "")

    @pytest.fixture
    def fragile(sg_seed):
        assert (HOW, sg_seed) != ("setup", 1)
        yield
        assert (HOW, sg_seed) != ("teardown", 1)

    def test_train(fragile, tracker, sg_seed):
        if sg_seed != 1 or HOW != "silent":
            tracker.record("loss", 1.0, 0)
        if sg_seed == 1:
            if HOW == "skip":
                pytest.skip()
            if HOW == "bound":
                tracker.expect("loss", "<", 0.5)
            if HOW == "die":
                os._exit(1)
            assert HOW != "call"

    def test_other(tracker, sg_seed): tracker.record("loss", 1.0, 0)
"""


@pytest.mark.parametrize(
    "how", ["setup", "call", "teardown", "skip", "bound", "silent", "deselected", "die"]
)
def test_where_a_seed_does_not_come_through_nothing_of_the_test_is_stored(project, how):
    way = "n2" if how == "die" else "no-xdist"
    if how == "die":
        pytest.importorskip("xdist")
    more = ("--deselect=test_it.py::test_train[sg_seed=1]",) if how == "deselected" else ()
    result = project.write(FAILING).track("--sg-track-samples=3", *more, way=way, HOW=how)
    assert result.ret != 0
    result.stdout.fnmatch_lines(
        "test_it.py::test_train: only 2 of 3 seeds gave a sample; none was stored"
    )
    if how == "bound":
        result.stdout.fnmatch_lines("loss: last has to be < 0.5, but it is 1.0")
    assert project.seeds() == {"test_other": [0, 1, 2]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sg-track-samples=3",), "--sg-track-samples needs --sg-track, which is off"),
        (("--sg-track", "--sg-track-samples=0"), "--sg-track-samples=0: at least 1 is needed"),
        (("--sg-track", "--sg-track-samples=3", "--sg-track-update=all"), "no update with it"),
    ],
)
def test_samples_that_cannot_be_collected_are_a_usage_error(project, arguments, message):
    result = project.pytest(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()
