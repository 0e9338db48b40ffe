"""What `sgtrack drift` writes as a page: every metric that moved, in every light and width."""

from __future__ import annotations

import math

import pytest

from tracking import Tracker, cli

TEST = "tests/test_a.py::test_x[<img src=x onerror=alert(1)>]"
OTHER = "tests/test_b.py::test_y"


@pytest.fixture
def drift_page(tmp_path, capsys):
    """The page of an experiment in which metrics moved, and one did not."""
    tracker = Tracker(tmp_path / "experiments")
    tracker.set_experiment("nights")
    for k in range(24):
        with tracker.run(TEST, environment={"git_commit": f"{k:040x}"}):
            tracker.record("loss", 0.5 if k < 10 else 0.75 if k < 18 else 0.25, 0)
            tracker.record("accuracy", math.nan if k > 20 else 0.5, 0)
        with tracker.run(OTHER):
            tracker.record("loss", 1.0, 0)
    tracker.close()
    path = tmp_path / "drift.html"
    arguments = ["drift", "--dir", str(tmp_path / "experiments"), "-o", str(path)]
    assert cli.main(arguments) == cli.OK
    capsys.readouterr()
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 380)])
def test_each_metric_that_moved_has_its_picture_and_its_words(
    open_page, drift_page, serious_findings, scheme, width
):
    page = open_page(drift_page, width=width, color_scheme=scheme)
    page.locator("svg.history").nth(1).wait_for()
    assert "2 of 3 metrics moved, of 2 tests; 2 got worse" in page.locator("header").inner_text()
    assert page.locator("h2").all_inner_texts() == [TEST]
    assert page.locator("h3").all_inner_texts() == ["loss", "accuracy"]
    loss, accuracy = page.locator("article").all()
    assert loss.locator(".level").count() == 3
    assert [one.get_attribute("class") for one in loss.locator(".move").all()] == [
        *("move tone-fail", "move tone-pass"),
    ]
    assert "worse +50 % 0.5 → 0.75 between run 19" in loss.locator("li").first.inner_text()
    assert "10 and 8 runs, exact" in loss.locator("li").first.inner_text()
    assert "not finite between run 41" in accuracy.locator("li").inner_text()
    assert page.locator("main a, body img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious_findings(page) == []


def test_pictures_follow_the_width_of_the_window(open_page, drift_page):
    page = open_page(drift_page)
    picture = page.locator("svg.history").first
    picture.wait_for()
    before = float(picture.get_attribute("width"))
    page.set_viewport_size({"width": 500, "height": 900})
    page.wait_for_function(
        "before => document.querySelector('svg.history').getAttribute('width') < before", arg=before
    )


def test_where_nothing_moved_the_page_says_so(open_page, drift_page, tmp_path, capsys):
    path = tmp_path / "quiet.html"
    arguments = ["drift", "--dir", str(tmp_path / "experiments"), "--test", OTHER, "-o", str(path)]
    assert cli.main(arguments) == cli.OK
    capsys.readouterr()
    page = open_page(path.read_text(encoding="utf-8"))
    assert page.locator("main").inner_text() == "No metric moved."
