"""`python -m docs.pictures`: take the pictures of the report and the dashboard anew.

A network learns digits under ten seeds, which are accepted; then its backward pass loses a factor,
as a hand may slip, and the test, whose assert still holds, is red. Needs Chromium.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"

_TEST = """\
import numpy as np
import pytest

from digits import MLP, OPTIMIZERS, load_split, minibatches


@pytest.mark.sg_track(statistics=["tail"])
@pytest.mark.parametrize("name", ["momentum", "sgd"])
def test_digits(name, tracker, sg_seed):
    rng = np.random.default_rng(sg_seed)
    model, optimizer, data = MLP(64, 48, 10, rng), OPTIMIZERS[name](), load_split()
    tracker.config(optimizer=name, rate=optimizer.lr)
    for epoch in range(20):
        for batch in minibatches(len(data.train_x), 32, rng):
            _, gradient = model.loss_and_gradient(data.train_x[batch], data.train_labels[batch])
            optimizer.update(model.parameters, gradient)
        loss, accuracy = model.loss_and_accuracy(data.val_x, data.val_labels)
        tracker.log({"val_loss": loss, "val_accuracy": accuracy}, epoch)
    assert accuracy > 0.8
"""
_SLIP = (" * (hidden > 0)\n", "\n")
_RED = "test_digits.py::test_digits[momentum]"
_WIDTH = 1024
_SCALE = 1.25  # to 1280 pixels: letters stay legible in the column of a page


def train(folder: Path) -> None:
    """Have a folder hold accepted runs, some nights, a red session and its report."""
    code = (ROOT / "examples" / "test_digits_mlp.py").read_text(encoding="utf-8")
    (folder / "digits.py").write_text(code, encoding="utf-8")
    (folder / "test_digits.py").write_text(_TEST, encoding="utf-8")
    _pytest(folder, "--sg-track-samples=10")
    for seed in range(20, 26):
        _pytest(folder, f"--sg-track-seed={seed}")
    (folder / "digits.py").write_text(code.replace(*_SLIP), encoding="utf-8")
    _pytest(folder, "--sg-track-report=report.html")


def _pytest(folder: Path, *arguments: str) -> None:
    plain = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly")
    command = [sys.executable, "-m", "pytest", *plain, "--sg-track", *arguments]
    subprocess.run(command, cwd=folder, env=_environment(), check=False)  # noqa: S603


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


@contextmanager
def board(folder: Path) -> Iterator[str]:
    """Serve the dashboard of a folder's experiments; gives its address."""
    command = [sys.executable, "-m", "tracking", "board", "--port=0", "--no-browser"]
    with subprocess.Popen(  # noqa: S603
        command, cwd=folder, env=_environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101
        try:
            yield next(line.strip() for line in process.stdout if "http://" in line)
        finally:
            process.terminate()


def take(page: Page, name: str) -> None:
    """Write what a page shows, once its charts are drawn, in few bytes."""
    from PIL import Image

    page.locator("canvas").nth(1).wait_for()
    page.wait_for_timeout(1000)  # a chart is drawn some frames after its canvas is there
    with Image.open(BytesIO(page.screenshot())) as shot:
        few = shot.convert("RGB").quantize(256, kmeans=4, dither=Image.Dither.NONE)
        few.save(PICTURES / f"{name}.png", optimize=True)


def main() -> None:
    """Take all pictures."""
    from playwright.sync_api import sync_playwright

    from tracking import ExperimentDBManager

    with (
        tempfile.TemporaryDirectory() as name,
        sync_playwright() as playwright,
        board(Path(name)) as address,
    ):
        folder = Path(name)
        train(folder)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(device_scale_factor=_SCALE, color_scheme="light")
        page.set_viewport_size({"width": _WIDTH, "height": 945})
        page.goto(f"{(folder / 'report.html').as_uri()}#test={quote(_RED)}")
        take(page, "report")
        db = ExperimentDBManager(folder / "experiments" / "pytest.db")
        runs = [run for run in db.get_all_runs() if run.name == _RED and run.verdict]
        db.close()
        chosen = ",".join(str(run.run_id) for run in runs)
        page.set_viewport_size({"width": _WIDTH, "height": 760})
        page.goto(f"{address}#db=pytest.db&view=curves&runs={chosen}")
        take(page, "board")
        browser.close()


if __name__ == "__main__":
    main()
