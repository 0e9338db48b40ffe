"""A tracker whose run is read back, and the examples of docs/frameworks.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOCUMENT = Path(__file__).parents[2] / "docs" / "frameworks.md"


class Recorded(Tracker):
    """A tracker that gives back what its active run has recorded."""

    def series(self, metric: str) -> list[tuple[int, float]]:
        """Return steps and values of a metric."""
        records = self.get_records(self.current_run_id, metric)
        return [(record.step, record.value) for record in records]

    def metrics(self) -> set[str]:
        """Return the names of the metrics."""
        return set(self.get_metrics(self.current_run_id))

    def params(self) -> dict[str, object]:
        """Return the config."""
        return self.get_run(self.current_run_id).config


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Recorded]:
    """A tracker with a run."""
    tracker = Recorded(tmp_path / "experiments")
    tracker.set_experiment("e")
    with tracker.run("r"):
        yield tracker
    tracker.close()


def example(heading: str) -> dict[str, str]:
    """Return the Python of a chapter of the document by file: named in its first line, or alone."""
    text = DOCUMENT.read_text(encoding="utf-8")
    chapter = re.split(rf"^## {heading}$", text, flags=re.MULTILINE)[1].partition("\n## ")[0]
    blocks = re.findall(r"^```python\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL)
    named = [(re.match(r"# (\w+\.py)\n", block), block) for block in blocks]
    return {match[1] if match else "test_it.py": block for match, block in named}


@pytest.fixture
def run_example(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Run the tests of a chapter as a user does: to have baselines written, and compared."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("CI", raising=False)

    def run(heading: str) -> None:
        files = example(heading)
        for name, text in files.items():
            (pytester.path / name).write_text(text, encoding="utf-8")
        n_tests = sum(len(re.findall(r"^def test_", text, re.MULTILINE)) for text in files.values())
        assert n_tests
        for update in (("--sg-track-update=new",), ()):
            result = pytester.runpytest_subprocess("-p", "sgtrack", "--sg-track", *update)
            result.assert_outcomes(passed=n_tests)
        # A test that recorded nothing would pass all the same.
        result.stdout.fnmatch_lines(f"*{n_tests} identical*")

    return run
