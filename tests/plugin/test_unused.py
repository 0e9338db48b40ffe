"""Entries of baselines without a test: reported, and removed when somebody asks, never else."""

from __future__ import annotations

import pytest

A = """
    def test_a1(tracker): tracker.record("loss", 1.0, 0)
    def test_a2(tracker): tracker.record("loss", 1.0, 0)
"""
B = """
    import pytest

    @pytest.mark.parametrize("x", [1, 2])
    class TestB:
        def test_b(self, tracker, x): tracker.record("loss", 1.0, 0)
"""
GONE_TEST = A.partition("    def test_a2")[0]
BASELINE_A, BASELINE_B = "one/__baselines__/test_a.json", "one/__baselines__/test_b.json"


@pytest.fixture
def two(project):
    """A project of two modules whose tests all have baselines."""
    project.write(A, "one/test_a.py").write(B, "one/test_b.py")
    return project.accepted()


def _unused(result):
    """Return what the session says of entries without a test, by baseline file."""
    said = [line.partition(" has entries without a test: ") for line in result.outlines]
    return {path: keys for path, separator, keys in said if separator}


PARTS = [
    ("-k", "a1"),
    ("-m", "slow"),
    ("--deselect", "one/test_a.py::test_a1"),
    ("one/test_a.py::test_a1",),
    ("one/test_b.py::TestB", "one/test_a.py"),
    ("one/test_a.py",),
    ("-p", "xdist", "-n2", "-k", "a1"),
]


@pytest.mark.parametrize("part", PARTS, ids=" ".join)
def test_what_is_left_out_of_a_session_is_not_unused(two, part):
    if "xdist" in part:
        pytest.importorskip("xdist")
    two.ini("markers = slow: slow")
    result = two.track(*part)
    assert _unused(result) == {}
    assert "sgtrack prune" not in result.stdout.str()


@pytest.mark.parametrize("way", ["no-xdist", "n2"], indirect=True)
def test_entries_whose_test_or_module_is_gone_are_named_and_left_alone(two, way):
    two.write(GONE_TEST, "one/test_a.py")
    (two.path / "one/test_b.py").unlink()
    before = two.baselines()
    result = two.track(way=way)
    assert result.ret == 0
    assert _unused(result) == {
        BASELINE_A: "test_a2",
        BASELINE_B: "TestB::test_b[1], TestB::test_b[2]",
    }
    result.stdout.fnmatch_lines("to remove them: sgtrack prune")
    assert two.track("--sg-track-on-unused=fail", "-k", "a1", way=way).ret == 1
    assert two.ini("sg_track_on_unused = fail").track("one/test_a.py").ret == 1
    assert two.baselines() == before


def test_last_failed_hides_tests_and_so_reports_nothing(two):
    two.write(A.replace("1.0, 0)", "1.0, 0); assert 0", 1), "one/test_a.py")
    is_fine = "-Wignore::pytest.PytestAssertRewriteWarning"
    cached = ("-p", "cacheprovider", "-o", "cache_dir=.cache", is_fine)
    assert two.track(*cached).ret == 1
    result = two.track(*cached, "--lf")
    result.assert_outcomes(failed=1)
    assert _unused(result) == {}


BAD_CLASS = """
    import pytest

    class TestB:
        @pytest.mark.parametrize("x", 5)
        def test_b(self, tracker, x): pass

    def test_other(): pass
"""
BROKEN = {
    "import": ("one/test_a.py", "import nothing_of_this_name"),
    "class": ("one/test_b.py", BAD_CLASS),
    "skipped": ("one/test_a.py", "import pytest\npytest.skip(allow_module_level=True)"),
    "package": ("one/__init__.py", "1 / 0"),
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
def test_a_module_that_cannot_be_collected_loses_nothing(two, how):
    gone = "one/__baselines__/test_gone.json"
    (two.path / gone).write_bytes((two.path / BASELINE_A).read_bytes())
    before = two.baselines()
    path, text = BROKEN[how]
    two.write(text, path)
    result = two.track("--continue-on-collection-errors")
    assert _unused(result) == {gone: "test_a1, test_a2"}
    code, _ = two.sgtrack("prune", "--", "-p", "sgtrack")
    if how == "skipped":
        assert code == 0
        del before[gone]
    else:
        # Prune does all or nothing.
        assert code == 3
    assert two.baselines() == before


def test_a_module_that_fails_to_import_in_a_worker_loses_nothing(two):
    pytest.importorskip("xdist")
    (two.path / "one/test_a.py").write_text("1 / 0")
    assert _unused(two.track(way="n2")) == {}


def test_prune_removes_what_has_no_test_and_nothing_else(two):
    before = two.baselines()
    assert two.sgtrack("prune", "--", "-p", "sgtrack")[0] == 0
    assert two.baselines() == before

    two.write(GONE_TEST, "one/test_a.py")
    (two.path / "one/test_b.py").unlink()
    two.ini("addopts = -k nothing --lf")
    assert two.sgtrack("prune", "--", "-p", "sgtrack")[0] == 0
    assert two.baselines().keys() == {BASELINE_A}
    assert two.entries(BASELINE_A) == {"test_a1": {"loss"}}
    assert not (two.path / "one/.pytest_cache").exists()


@pytest.mark.parametrize("way", ["no-xdist", "n2"], indirect=True)
def test_pruning_runs_no_test_and_says_what_it_removed(two, way):
    two.write(GONE_TEST.replace("tracker.record", "1 / 0; tracker.record"), "one/test_a.py")
    result = two.track("--sg-track-prune", way=way)
    assert result.ret == 0
    result.stdout.fnmatch_lines(f"removed from {BASELINE_A}, having no test: test_a2")
    assert two.entries(BASELINE_A) == {"test_a1": {"loss"}}
    assert two.baselines().keys() == {BASELINE_A, BASELINE_B}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("one/test_a.py::test_a1",), "whole modules are needed: name files or folders*"),
        (("one/test_a.py", "elsewhere"), "not everything could be collected"),
    ],
    ids=["node-id", "no-such-file"],
)
def test_prune_refuses_what_it_cannot_see_whole(two, arguments, problem):
    two.write(GONE_TEST, "one/test_a.py")
    before = two.baselines()
    result = two.track("--sg-track-prune", *arguments)
    assert result.ret != 0
    if "elsewhere" not in arguments:
        result.stdout.fnmatch_lines(f"not pruned: {problem}")
    assert two.baselines() == before


def test_prune_leaves_a_file_alone_that_it_cannot_read_and_says_so(two):
    (two.path / BASELINE_B).write_text("<<<<<<< ours\n")
    two.write(GONE_TEST, "one/test_a.py")
    result = two.track("--sg-track-prune")
    assert result.ret != 0
    result.stdout.fnmatch_lines("not pruned: baseline *test_b.json: *conflict marker*")
    assert two.entries(BASELINE_A) == {"test_a1": {"loss"}}
    assert (two.path / BASELINE_B).read_text() == "<<<<<<< ours\n"


def test_baselines_of_other_folders_and_of_doctests_are_no_concern_of_a_session(project):
    project.ini("addopts = --doctest-glob=*.md")
    project.write("""
        import pytest
        @pytest.fixture(autouse=True)
        def _tracked(tracker): tracker.record("loss", 1.0, 0)
    """, "conftest.py")  # fmt: skip
    project.write(">>> 1\n1\n", "one/guide.md").write("def test_x(): pass", "two/test_x.py")
    project.accept()
    (project.path / "two/test_x.py").unlink()
    assert _unused(project.track("one")) == {}
    assert _unused(project.track()) == {"two/__baselines__/test_x.json": "test_x"}


def test_a_test_that_has_a_baseline_and_uses_its_tracker_no_more_is_red(two):
    two.write(A.replace('(tracker): tracker.record("loss", 1.0, 0)', "(): pass"), "one/test_a.py")
    result = two.track()
    result.assert_outcomes(failed=2, passed=2)
    result.stdout.fnmatch_lines(
        [
            "the test has a baseline and recorded nothing: it does not use `tracker`*",
            "4 tests compared: 2 identical, 2 missing_metric",
        ]
    )
    two.track("--sg-track-on-regression=warn").assert_outcomes(passed=4)
    assert two.pending() == {}
