"""The benchmarks run and say what they found; no test here depends on how fast anything is."""

import gc
import importlib.util
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import graphs
from benchmarks.measure import Estimate, Lab, Row, interleaved, process_cpu_s, ratio
from benchmarks.plugin_off import uncertainty
from benchmarks.table import machine, rows_table

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "performance.md"


def benchmarks(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def whats(markdown: str) -> list[str]:
    """Return what the rows of the first table are about, without the amounts."""
    table = re.search(r"^\| what .*?(?=\n\n|\Z)", markdown, re.MULTILINE | re.DOTALL)
    assert table is not None
    rows = table[0].splitlines()[2:]
    return [re.sub(r"[\d,]*\d", "N", row.split("|")[1].strip()) for row in rows]


@pytest.mark.slow
def test_a_quick_run_gives_every_row_that_the_document_has(tmp_path):
    written = tmp_path / "performance.md"
    written.write_text("# Words\n\n## Figures\n\nold\n", encoding="utf-8")
    done = benchmarks("--quick", "--write", written)
    assert done.returncode == 0, done.stderr
    text = written.read_text(encoding="utf-8")
    assert text.startswith("# Words\n\n## Figures\n\nA quick run")
    assert "\nold\n" not in text
    assert done.stdout.strip() in text
    # Without other tools installed their names are in other rows' figures only.
    assert [what.partition(" over ")[0] for what in whats(text)] == [
        what.partition(" over ")[0] for what in whats(DOCUMENT.read_text(encoding="utf-8"))
    ]


def test_the_document_is_of_a_full_run_with_other_tools():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert "quick run" not in text
    assert "NOT MEASURED" not in text
    assert "## Other tools" in text
    for fact in ("date", "processor", "system", "Python", "SQLite"):
        assert re.search(rf"^- {fact}: \S", text, re.MULTILINE), fact


def test_one_topic_alone_can_be_run():
    done = benchmarks("summary", "--quick")
    assert done.returncode == 0, done.stderr
    assert [what.partition(" ")[0] for what in whats(done.stdout)] == ["summary()"] * 2


def test_what_needs_a_framework_that_is_missing_is_a_row_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(gc, "collect", lambda: 0)  # no matter here, and thousands of tests are long
    rows = graphs.rows(Lab(tmp_path, is_quick=True, peer_python=None))
    assert [(row.verdict, row.figures) for row in rows if row.measured is None] == [
        ("NOT MEASURED", "there is no PyTorch here: install torch")
    ]
    assert {row.bound for row in rows} == {None, 6.0, 1.5, 1024.0, 3.0}


def test_an_unknown_topic_is_refused_with_those_there_are():
    done = benchmarks("recrod")
    assert done.returncode == 2
    assert "recrod" in done.stderr
    assert "throughput" in done.stderr


@pytest.mark.parametrize(
    ("median", "bound", "is_floor", "uncertainty", "verdict"),
    [
        (1.9, 2.0, False, 0.0, "reached"),
        (2.0, 2.0, False, 0.0, "reached"),
        (2.1, 2.0, False, 0.0, "missed"),
        (0.7, 0.7, True, 0.0, "reached"),
        (0.6, 0.7, True, 0.0, "missed"),
        (-1.0, 5.0, False, 2.5, "reached"),
        (-1.0, 5.0, False, 2.6, "TOO NOISY"),
        (9.0, 5.0, False, 2.6, "TOO NOISY"),
        (9.0, None, False, 0.0, ""),
        (None, 2.0, False, 0.0, "NOT MEASURED"),
        (None, None, False, 0.0, "NOT MEASURED"),
    ],
)
def test_a_verdict_follows_from_median_and_bound(median, bound, is_floor, uncertainty, verdict):
    measured = None if median is None else Estimate(median, median, median)
    row = Row("x", measured, "", bound, is_floor=is_floor, uncertainty=uncertainty)
    assert row.verdict == verdict
    assert f"{verdict} " in rows_table([row]).replace("*", " ")


def test_ratios_are_taken_round_by_round():
    # The second half of the machine's time was twice as slow, for both.
    assert ratio([1.0, 1.0, 2.0, 2.0], [2.0, 2.0, 4.0, 4.0]) == Estimate(0.5, 0.5, 0.5)


def test_sides_are_measured_in_turns_and_every_other_round_backwards():
    order = []

    def side(name):
        order.append(name)
        return float(len(order))

    costs = interleaved({"a": lambda: side("a"), "b": lambda: side("b")}, 3)
    assert "".join(order) == "abbaab"
    assert costs == {"a": (1.0, 4.0, 5.0), "b": (2.0, 3.0, 6.0)}


def test_the_uncertainty_falls_with_the_root_of_the_number_of_rounds():
    few = [0.0, 1.0, 2.0, 3.0, 4.0]
    assert uncertainty(few * 4) == pytest.approx(uncertainty(few) / 2)
    assert uncertainty([2.0] * 5) == 0


def test_a_process_that_fails_is_an_error_that_shows_what_it_printed(tmp_path):
    with pytest.raises(RuntimeError, match="exited with 3:\nlast words"):
        process_cpu_s(
            [sys.executable, "-c", "import sys; print('last words'); sys.exit(3)"], tmp_path
        )


def test_the_time_of_a_process_includes_that_of_its_children(tmp_path):
    spin = "import time\nwhile time.process_time() < 0.2: pass"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}])"
    assert process_cpu_s([sys.executable, "-c", outer], tmp_path) >= 0.2


def test_the_machine_is_described(tmp_path):
    facts = dict(line[2:].split(": ", 1) for line in machine(tmp_path).splitlines())
    assert facts["Python"].endswith(platform.python_version())
    assert "cores" in facts["processor"]
