"""What is in the packages, and that the same sources make the same bytes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import NamedTuple

import pytest

from tracking import __version__

ROOT = Path(__file__).parent.parent
NAME = f"pytest_sgtrack-{__version__}"
INFO = {
    f"{NAME}.dist-info/{name}"
    for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
}
BUNDLE = {
    f"tracking/report/page/dist/{name}"
    for name in ("board.css", "board.html", "board.js", "report.css", "report.js", "sources.sha256")
}
TYPED = {"pytest_sgtrack/py.typed", "tracking/py.typed"}
TOP_OF_SDIST = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "PKG-INFO",
    "README.md",
    "benchmarks",
    "conftest.py",
    "docs",
    "examples",
    "hatch_build.py",
    "pyproject.toml",
    "pytest_sgtrack",
    "tests",
    "tox.ini",
    "tracking",
    "zensical.toml",
}


class Built(NamedTuple):
    wheel: Path
    sdist: Path


def built(root: Path, folder: Path, **variables: str) -> Built:
    """Build both packages from a folder, with what is installed here and nothing fetched."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist"]
    done = subprocess.run(
        [*command, "-d", str(folder)],
        cwd=root,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Built(folder / f"{NAME}-py3-none-any.whl", folder / f"{NAME}.tar.gz")


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    return built(ROOT, tmp_path_factory.mktemp("dist"))


def modules(package: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}


def test_the_wheel_holds_the_two_packages_with_the_page_and_nothing_else(packages):
    with zipfile.ZipFile(packages.wheel) as wheel:
        names = wheel.namelist()
    assert len(names) == len(set(names))
    assert set(names) == INFO | BUNDLE | TYPED | modules("tracking") | modules("pytest_sgtrack")


def test_the_sdist_holds_what_builds_and_tests_the_packages_and_nothing_else(packages):
    with tarfile.open(packages.sdist) as sdist:
        names = {name.removeprefix(f"{NAME}/") for name in sdist.getnames()}
    assert {name.partition("/")[0] for name in names} == TOP_OF_SDIST
    assert names >= BUNDLE | TYPED | modules("tests")
    assert not {name for name in names if {"node_modules", "__pycache__"} & set(name.split("/"))}


def test_an_sdist_without_node_makes_the_same_packages_to_the_byte(packages, tmp_path):
    with tarfile.open(packages.sdist) as sdist:
        sdist.extractall(tmp_path, filter="data")
    again = built(tmp_path / NAME, tmp_path / "again", PATH=str(tmp_path))
    assert again.wheel.read_bytes() == packages.wheel.read_bytes()
    assert again.sdist.read_bytes() == packages.sdist.read_bytes()


def test_the_description_on_a_package_index_has_no_link_into_the_repository(packages):
    with zipfile.ZipFile(packages.wheel) as wheel:
        metadata = message_from_bytes(wheel.read(f"{NAME}.dist-info/METADATA"))
    assert metadata["Description-Content-Type"] == "text/markdown"
    text = str(metadata.get_payload())
    assert text.startswith("# pytest-sgtrack")
    assert "docs/gate.md" in text
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
