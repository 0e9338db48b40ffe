"""The comparison of other projects' suites sees what it is there to see."""

import shutil

import pytest

from benchmarks import outcomes
from benchmarks.company import Ended

SUITE = """
    import pytest

    def test_passed(): pass
    def test_failed(): assert 0
    def test_skipped(): pytest.skip()
    @pytest.mark.xfail
    def test_xfailed(): assert 0
    @pytest.mark.xfail
    def test_xpassed(): pass
    @pytest.fixture
    def broken(): assert 0
    def test_error(broken): pass
"""
CALLS = {
    "passed": "call passed",
    "failed": "call failed",
    "skipped": "call skipped",
    "xfailed": "call skipped expected",
    "xpassed": "call passed expected",
    "error": "setup failed",
}


@pytest.mark.parametrize("ways", [(), ("-p", "xdist", "-n1")], ids=["alone", "with-a-worker"])
def test_every_way_to_end_is_told_from_the_others(pytester, monkeypatch, ways):
    if ways:
        pytest.importorskip("xdist")
    pytester.makepyfile(test_it=SUITE, test_broken="import nothing_of_this_name")
    shutil.copy(outcomes.__file__, pytester.path)
    monkeypatch.setenv("OUTCOMES", str(pytester.path / "out"))
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    arguments = ("-p", "outcomes", "--continue-on-collection-errors", *ways)
    pytester.runpytest_subprocess(*arguments, "test_it.py", "test_broken.py")
    lines = set((pytester.path / "out").read_text().splitlines())
    for name, end in CALLS.items():
        assert f"test_it.py::test_{name}\t{end}" in lines
    assert "test_broken.py\tcollect failed" in lines
    assert sum("test_error\t" in line for line in lines) == 2


@pytest.mark.parametrize(
    ("outcomes", "left", "expected"),
    [
        (["a\tcall passed"], [], []),
        (["a\tcall failed"], [], ["- a\tcall passed", "+ a\tcall failed"]),
        ([], [], ["- a\tcall passed"]),
        (["a\tcall passed"], ["experiments"], ["+ experiments"]),
    ],
    ids=["same", "another end", "not run", "a folder left"],
)
def test_another_end_and_a_file_left_are_differences(outcomes, left, expected):
    without = Ended(frozenset(["a\tcall passed"]), frozenset())
    assert without.differences(Ended(frozenset(outcomes), frozenset(left))) == expected
