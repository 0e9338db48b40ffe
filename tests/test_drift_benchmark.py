"""The benchmark of `sgtrack drift` runs, and docs/drift.md has what it found."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "drift.md").read_text(encoding="utf-8")


def cells(markdown: str) -> list[list[str]]:
    """Return the cells of the table of figures, a row each."""
    rows = re.findall(r"^\| (.*) \|$", markdown.partition("## Figures")[2], re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in rows[1:]]


def whats(markdown: str) -> list[str]:
    return [row[0] for row in cells(markdown)]


@pytest.mark.slow
def test_a_quick_run_gives_every_row_that_the_document_has(tmp_path):
    written = tmp_path / "drift.md"
    written.write_text("# Words\n\n## Figures\n\nold\n", encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.drift", "--quick", "--write", str(written)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = written.read_text(encoding="utf-8")
    assert text.startswith("# Words\n\n## Figures\n\nA quick run")
    assert "\nold\n" not in text
    assert whats(text) == whats(DOCUMENT)


def test_the_document_is_of_a_full_run_that_reached_every_bound():
    assert "quick run" not in DOCUMENT.partition("## Figures")[2]
    rows = cells(DOCUMENT)
    assert len(rows) > 30
    assert {row[3] for row in rows if row[1]} == {"reached"}


def test_the_document_names_the_oracle_and_its_series():
    made = json.loads((ROOT / "tests/assets/otava_series.json").read_text(encoding="utf-8"))
    assert f"holds {len(made['series'])} series" in " ".join(DOCUMENT.split())
    assert f"Otava {made['made_with']['apache-otava']}" in " ".join(DOCUMENT.split())
    found = [
        int(re.search(r"of (\d+)", row[2])[1])
        for row in cells(DOCUMENT)
        if re.match(r"steps of [346] sigma that Apache Otava finds", row[0])
    ]
    assert f"Of the {sum(found)} steps of 3 sigma and more" in DOCUMENT
