"""Pages under docs/reference say what the code says."""

from __future__ import annotations

import doctest
import importlib
import re
from collections import Counter
from pathlib import Path

import pytest

import tracking
from docs import generate
from docs.generate.commands import commands_of
from docs.generate.variables import VARIABLES
from tracking.cli import _parser

ROOT = Path(__file__).parent.parent
PAGES = generate.pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_generated_page_says_what_the_code_says(name):
    path = generate.FOLDER / name
    written = path.read_text(encoding="utf-8") if path.exists() else None
    assert written == PAGES[name], f"{path} is out of date: run `{generate.COMMAND}`"


def test_no_page_is_left_that_nothing_generates():
    found = {path.relative_to(generate.FOLDER).as_posix() for path in generate.FOLDER.rglob("*.md")}
    assert found == {*PAGES}, f"run `{generate.COMMAND}`"


def test_a_store_that_is_named_here_stands_on_no_page(monkeypatch):
    monkeypatch.setenv("SGTRACK_STORE", "postgresql://me@here/mine")
    assert generate.pages() == PAGES


@pytest.mark.parametrize("module", ["markdown"])
def test_examples_of_the_generator_hold(module):
    tried = doctest.testmod(importlib.import_module(f"docs.generate.{module}"))
    assert (tried.failed, tried.attempted > 5) == (0, True)


def test_every_public_name_has_a_place():
    pages = "".join(text for name, text in PAGES.items() if name.startswith("api/"))
    listed = re.findall(r"^::: tracking\.(\w+)$", pages, re.MULTILINE)
    assert sorted(listed) == sorted({*tracking.__all__} - {"__version__"})


def test_every_command_and_every_option_is_listed():
    sections = re.split(r"^## `sgtrack (\w+)`$", PAGES["commands.md"], flags=re.MULTILINE)
    by_name = dict(zip(sections[1::2], sections[2::2], strict=True))
    commands = commands_of(_parser())
    assert [*by_name] == [*commands]
    for name, command in commands.items():
        options = {flag for action in command._actions for flag in action.option_strings}
        listed = set(re.findall(r"`(--?[a-zA-Z][a-z-]*)", by_name[name]))
        assert options - {"-h", "--help"} <= listed, name


def test_commands_that_answer_in_json_are_those_whose_keys_are_listed():
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    table = text.partition("| command | keys |")[2].partition("\n\n")[0]
    keys = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    answering = {
        name
        for name, command in commands_of(_parser()).items()
        if "--json" in command._option_string_actions
    }
    assert answering - {"report"} == keys  # a report has a schema of its own


def test_every_variable_that_is_looked_at_is_described():
    source = "".join(
        path.read_text(encoding="utf-8")
        for package in ("tracking", "pytest_sgtrack")
        for path in (ROOT / package).rglob("*.py")
    )
    looked_at = set(re.findall(r"environ(?:\.get\(|\[)\"(\w+)\"", source))
    looked_at |= set(re.findall(r"\"(SGTRACK_\w+|GITHUB_\w+)\"", source))
    assert looked_at >= {"CI", "SGTRACK_STORE", "GITHUB_ACTIONS", "PYTHONHASHSEED"}
    described = set(re.findall(r"`([A-Z_]+)`", PAGES["variables.md"]))
    assert looked_at - described == set()
    assert [name for name in VARIABLES if f'"{name}"' not in source] == []


def test_every_format_that_has_a_version_is_listed():
    versions = Counter(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "tracking").rglob("*.py")
        for _ in re.findall(r"^\w*VERSION = ", path.read_text(encoding="utf-8"), re.MULTILINE)
    )
    listed = re.findall(r"\| (\d+) \| `([\w.]+)` \|$", PAGES["formats/index.md"], re.MULTILINE)
    assert Counter(module for _, module in listed) == versions
    assert all(int(version) >= 1 for version, _ in listed)
