"""Baselines: who writes which entry, under what name, and when."""

from __future__ import annotations

import json

import pytest

THREE_TESTS = """
    import os

    def record(tracker, name):
        for metric in os.environ.get(name, "").split():
            tracker.record(metric.partition("=")[0], float(metric.partition("=")[2]), 0)

    def test_a(tracker): record(tracker, "A")
    def test_b(tracker): record(tracker, "B")
    def test_c(tracker): record(tracker, "C")
"""


def _means(project, path="__baselines__/test_it.json"):
    tests = json.loads((project.path / path).read_text())["tests"]
    return {
        key: {name: summary["mean"] for name, summary in entry["samples"][0]["metrics"].items()}
        for key, entry in tests.items()
    }


def _lines_of(project, key):
    """Return the lines of one entry of the only baseline file."""
    (text,) = project.baselines().values()
    return text.decode().partition(f'\n    "{key}": ')[2].partition("\n    }")[0]


def test_only_an_update_writes_a_baseline(project):
    project.write(THREE_TESTS)
    assert project.track(A="loss=1").ret == 0
    assert project.track(A="loss=1", CI="true").ret == 1
    assert project.baselines() == {}
    project.accept(A="loss=1", CI="true")
    assert _means(project) == {"test_a": {"loss": 1.0}}


def test_new_adds_the_tests_and_metrics_that_are_missing_and_touches_nothing_else(project):
    project.write(THREE_TESTS).accept(A="loss=1 acc=0.5", B="loss=1")
    b_before = _lines_of(project, "test_b")
    result = project.track(
        "--sg-track-update=new", A="loss=1.02 acc=0.9 auc=0.7", B="loss=1", C="loss=3"
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines("wrote __baselines__/test_it.json: 2 of its tests*")
    assert _means(project) == {
        "test_a": {"loss": 1.0, "acc": 0.5, "auc": 0.7},
        "test_b": {"loss": 1.0},
        "test_c": {"loss": 3.0},
    }
    assert _lines_of(project, "test_b") == b_before


def test_new_does_not_settle_a_regression(project):
    project.write(THREE_TESTS).accept(A="loss=1")
    result = project.track("--sg-track-update=new", A="loss=2 auc=0.7", B="loss=1")
    result.assert_outcomes(failed=1, passed=2)
    assert _means(project)["test_a"]["loss"] == 1.0
    assert _means(project)["test_b"] == {"loss": 1.0}


def test_all_rewrites_what_ran_and_keeps_what_did_not(project):
    project.write(THREE_TESTS).accept(A="loss=1 acc=0.5", B="loss=1", C="loss=1")
    b_before = _lines_of(project, "test_b")
    result = project.track(
        "--sg-track-update=all", "-k", "a or c", A="loss=2", B="loss=2", C="loss=0.5"
    )
    assert result.ret == 0  # what it settles does not fail
    assert _means(project) == {
        "test_a": {"loss": 2.0},
        "test_b": {"loss": 1.0},
        "test_c": {"loss": 0.5},
    }
    assert _lines_of(project, "test_b") == b_before
    project.track(A="loss=2", B="loss=1", C="loss=0.5").assert_outcomes(passed=3)


def test_a_second_equal_update_leaves_the_file_as_it_is(trained):
    path = trained.path / "__baselines__/test_it.json"
    before, written = path.read_bytes(), path.stat().st_mtime_ns
    for update in ("all", "new"):
        trained.track(f"--sg-track-update={update}").stdout.no_fnmatch_line("wrote *")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, written)


NOT_WRITTEN = """
    import os
    import unittest
    import pytest

    @pytest.fixture
    def breaks_at_end():
        yield
        assert not os.environ.get("BREAK")

    @pytest.fixture(autouse=True)
    def recorded(tracker):
        tracker.record("loss", float(os.environ.get("LOSS", "1")), 0)
        yield
        tracker.record("loss", 100.0, 1)  # after the comparison, so not part of it

    def test_fails(): assert not os.environ.get("BREAK")
    def test_skips():
        if os.environ.get("BREAK"):
            pytest.skip()
    def test_breaks_in_teardown(breaks_at_end): pass
    @pytest.mark.xfail
    def test_breaks_in_an_expected_teardown(breaks_at_end): pass
    @pytest.mark.xfail(condition=bool(os.environ.get("BREAK")), reason="x", strict=True)
    def test_xpasses_strictly(): pass
    @pytest.mark.xfail(condition=bool(os.environ.get("BREAK")), reason="x")
    def test_xfails(): assert not os.environ.get("BREAK")

    class TestUnit(unittest.TestCase):
        def test_fails(self): assert not os.environ.get("BREAK")
        def test_skips(self):
            if os.environ.get("BREAK"):
                self.skipTest("why")
        @unittest.expectedFailure
        def test_xfails(self): self.fail()
"""


def test_a_test_that_is_red_by_itself_is_not_written(project):
    project.write(NOT_WRITTEN).track("--sg-track-update=new", BREAK="1").assert_outcomes(
        passed=1, failed=3, errors=1, skipped=2, xfailed=3, xpassed=1
    )
    assert project.baselines() == {}

    project.track("--sg-track-update=all")
    before = project.baselines()
    assert len(project.entries()) == 8
    project.track("--sg-track-update=all", BREAK="1", LOSS="0.5")
    assert project.baselines() == before


def test_a_regression_that_breaks_in_teardown_too_is_not_extended(project):
    project.write("""
        import os
        import pytest

        @pytest.fixture
        def breaks_at_end():
            yield
            assert not os.environ.get("BREAK")

        def test_a(tracker, breaks_at_end):
            tracker.record("loss", 1.0 + len(os.environ.get("BREAK", "")), 0)
            if os.environ.get("BREAK"):
                tracker.record("acc", 1.0, 0)
    """).accept()
    before = project.baselines()
    project.track("--sg-track-update=new", BREAK="1").assert_outcomes(failed=1, errors=1)
    assert project.baselines() == before


NAMES = """
    import pytest

    IDS = ["a/b", "a::b", "a[b]", "a b", "\\u00fc\\n", "'q\\"", "$HOME", "-k", "*"]
    IDS += ["sg_seed=3", "-sg_seed=0"]

    class TestOuter:
        class TestInner:
            @pytest.mark.parametrize("x", IDS, ids=IDS)
            def test_x(self, tracker, x):
                tracker.record("loss", 1.0, 0)

    def test_x(tracker):
        tracker.record("loss", 2.0, 0)
"""


def test_names_of_any_text_are_found_again(project):
    project.write(NAMES).accept()
    result = project.track()
    result.assert_outcomes(passed=12)
    result.stdout.fnmatch_lines("12 tests compared: 12 identical")
    entries = project.entries()
    assert {"test_x", "TestOuter::TestInner::test_x[a::b]"} < set(entries)
    assert len(entries) == 12


def test_modules_of_one_name_have_a_baseline_each_beside_them(project):
    project.ini("addopts = --import-mode=importlib")
    for folder, loss in (("one", 1), ("two/deep", 2)):
        text = f"def test_a(tracker): tracker.record('loss', {loss}, 0)"
        project.write(text, f"{folder}/test_same.py")
    project.accept().track().stdout.fnmatch_lines("2 tests compared: 2 identical")
    assert _means(project, "one/__baselines__/test_same.json") == {"test_a": {"loss": 1.0}}
    assert _means(project, "two/deep/__baselines__/test_same.json") == {"test_a": {"loss": 2.0}}


def test_a_pinned_key_survives_a_new_name(project):
    module = """
        import pytest

        @pytest.mark.sg_track(key="mlp")
        @pytest.mark.parametrize("lr", [0.1, 0.2])
        def test_old(tracker, lr):
            tracker.record("loss", lr, 0)

        class TestX:
            @pytest.mark.sg_track(key="plain")
            def test_old(self, tracker):
                tracker.record("loss", 1.0, 0)
    """
    project.write(module).accept()
    assert set(project.entries()) == {"mlp[0.1]", "mlp[0.2]", "plain"}
    project.write(module, "test_other.py")  # equal keys in two files are two entries
    project.write(module.replace("test_old", "test_new").replace("TestX", "TestY"))
    result = project.track()
    result.stdout.fnmatch_lines("6 tests compared: 3 identical, 3 no_baseline")


@pytest.mark.parametrize(
    ("first", "second"),
    [("key='x'", "key='x'"), ("key='test_b'", None), (None, "key='test_a'")],
    ids=["two-keys", "key-of-a-later-name", "key-of-an-earlier-name"],
)
def test_two_tests_of_one_key_are_a_usage_error_that_names_both(project, first, second):
    marks = [f"@pytest.mark.sg_track({mark})" if mark else "" for mark in (first, second)]
    project.write(
        f"import pytest\n{marks[0]}\ndef test_a(tracker): pass\n"
        f"{marks[1]}\ndef test_b(tracker): pass\n"
    )
    result = project.track()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    for text in ("test_it.py::test_a", "test_it.py::test_b", (first or second), "choose another"):
        assert text in result.stderr.str()


def test_doctests_and_unittest_cases_have_baselines_through_an_autouse_fixture(project):
    project.ini("addopts = --doctest-modules --doctest-glob=*.md")
    project.write(
        """
        import os
        import pytest

        @pytest.fixture(autouse=True)
        def _recorded(tracker, doctest_namespace):
            doctest_namespace["tracker"] = tracker
            yield

        @pytest.fixture(autouse=True)
        def _on_class(request, tracker):
            if request.cls:
                request.instance.tracker = tracker
        """,
        "conftest.py",
    )
    project.write(
        '''
        import os
        import unittest

        def train():
            """
            >>> import os
            >>> tracker.record("loss", float(os.environ.get("LOSS", "1")), 0)
            """

        class TestUnit(unittest.TestCase):
            def test_a(self):
                self.tracker.record("loss", float(os.environ.get("LOSS", "1")), 0)
        '''
    )
    project.write(
        """
        >>> import os
        >>> tracker.record("loss", float(os.environ.get("LOSS", "1")), 0)
        """,
        "guide.md",
    )
    project.accept()
    assert set(project.entries()) == {"test_it.train", "TestUnit::test_a"}
    assert set(project.entries("__baselines__/guide.md.json")) == {"guide.md"}
    assert project.track().ret == 0
    project.track(LOSS="2").assert_outcomes(failed=3)
