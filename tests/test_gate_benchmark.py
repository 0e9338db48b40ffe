"""The gate's benchmark runs, its training code is right, and docs/gate.md has what it found."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from benchmarks import gate_training
from benchmarks.bounds import Row, table
from benchmarks.gate_training import FAULTS, RECIPES, Recipe, broken, load_data, save_data, train

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")


def figures(markdown: str) -> list[list[str]]:
    """Return the cells of the table of figures, a row each."""
    table = re.search(r"^\| what  .*?(?=\n\n|\Z)", markdown, re.MULTILINE | re.DOTALL)
    assert table is not None
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table[0].splitlines()[2:]]


def whats(markdown: str) -> list[str]:
    """Return what the rows are about, without the amounts."""
    return [re.sub(r"[\d,]*\d", "N", row[0]) for row in figures(markdown)]


@pytest.mark.slow
def test_a_quick_run_gives_every_row_that_the_document_has(tmp_path):
    written = tmp_path / "gate.md"
    written.write_text("# Words\n\n## Figures\n\nold\n", encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.gate", "--quick", "--write", str(written)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = written.read_text(encoding="utf-8")
    assert text.startswith("# Words\n\n## Figures\n\nA quick run")
    assert "\nold\n" not in text
    assert done.stdout.strip() in text
    assert whats(text) == whats(DOCUMENT)


def test_the_document_is_of_a_full_run():
    assert "quick run" not in DOCUMENT
    for fact in ("date", "processor", "system", "Python"):
        assert re.search(rf"^- {fact}: \S", DOCUMENT, re.MULTILINE), fact


def test_the_document_shows_the_smallest_detectable_changes_that_were_found():
    shown = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", DOCUMENT, re.MULTILINE)
    found = [
        (re.findall(r"k = (\d+)", what)[0], *re.findall(r"checks ([\d.]+)", figure))
        for what, _, figure, _ in figures(DOCUMENT)
        if what.startswith("red in 80 % of sessions")
    ]
    assert len(found) > 3
    assert shown == found


@pytest.mark.parametrize(
    ("is_reached", "verdict"), [(True, "reached"), (False, "**MISSED**"), (None, "")]
)
def test_a_row_says_whether_its_bound_is_reached(is_reached, verdict):
    assert figures(table([Row("x", "<= 1", "2", is_reached)])) == [["x", "<= 1", "2", verdict]]


# The training code


class Notebook:
    def __init__(self):
        self.records = []

    def record(self, metric_name, value, step):
        self.records.append((metric_name, value, step))


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    save_data(folder)
    return {name: load_data(folder / f"{name}.npz") for name in ("digits", "diabetes")}


def trained(recipe: Recipe, data, seed=0):
    notebook = Notebook()
    train(replace(recipe, n_epochs=2), data[recipe.data], seed, notebook)
    return notebook.records


@pytest.mark.parametrize("name", RECIPES)
def test_training_follows_the_gradient(name, data):
    """Central differences of the loss, along a random direction of each array of weights."""
    recipe = replace(RECIPES[name], momentum=0.0, weight_decay=0.0)
    of = data[recipe.data]
    x, y = of.train_x[::40], of.train_y[::40]

    def network(lr):
        return gate_training._Network(replace(recipe, lr=lr), of, np.random.default_rng(0))

    after, before = network(lr=1.0), network(lr=0.0)
    after.learn(x, y)
    for kind in ("_weights", "_biases"):
        for i, value in enumerate(getattr(before, kind)):
            slope = value - getattr(after, kind)[i]
            direction = np.random.default_rng(1).normal(size=value.shape)
            losses = []
            for half_width in (1e-6, -1e-6):
                moved = network(lr=0.0)
                getattr(moved, kind)[i] += half_width * direction
                losses.append(moved.learn(x, y))
            expected = (losses[0] - losses[1]) / 2e-6
            assert (slope * direction).sum() == pytest.approx(expected, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("name", RECIPES)
def test_equal_seeds_train_alike_and_others_do_not(name, data):
    first, again, other = (trained(RECIPES[name], data, seed) for seed in (3, 3, 4))
    assert first == again
    assert [record[::2] for record in first] == [record[::2] for record in other]
    assert all(a[1] != b[1] for a, b in zip(first, other, strict=True) if a[0] == "train_loss")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_what_is_recorded_where_it_changes_the_recipe(fault, data):
    n_changed = 0
    for recipe in RECIPES.values():
        with_fault = broken(recipe, fault)
        is_changed = trained(recipe, data) != trained(with_fault, data)
        # What is left out without being there, or averaged over one column, changes nothing.
        assert is_changed <= (recipe != with_fault)
        n_changed += is_changed
    assert n_changed
