"""Commands that pages show can be given: their options exist, and the YAML around them is sound."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from docs.generate.commands import commands_of
from pytest_sgtrack.options import add_options
from tracking.cli import _parser

ROOT = Path(__file__).parent.parent
WRITTEN = [
    path
    for path in sorted(
        [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")]
    )
    if not path.is_relative_to(ROOT / "docs" / "reference")
]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
ENDS = ("&&", "||", "|", ";", ">", ">>", "&")


class Call(NamedTuple):
    """A call of a program, and whether it stands there in full."""

    program: str
    arguments: list[str]
    is_whole: bool


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def calls_of(line, is_whole=True):
    """Return the calls of `pytest` and `sgtrack` in a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found = []
    call = None
    before = ""
    for word in lexer:
        if word in ENDS:
            call = None
        elif call is not None:
            call.arguments.append(word)
        elif before in (">", ">>"):
            pass  # a file
        elif (name := word.rpartition("/")[2]) in ("pytest", "sgtrack"):
            call = Call(name, [], is_whole)
            found.append(call)
        elif word in ("pip", "git", "cat", "echo"):  # whose arguments are no programs
            call = Call(word, [], is_whole)
        before = word
    return found


def lines_of_yaml(text):
    """Return the lines of shell in a workflow of GitHub or a pipeline of GitLab."""
    scripts = []

    def look(value):
        for key, inside in value.items() if isinstance(value, dict) else ():
            if key in ("run", "script"):
                scripts.extend(inside if isinstance(inside, list) else [inside])
            else:
                look(inside)
        for inside in value if isinstance(value, list) else ():
            look(inside)

    look(yaml.safe_load(text))
    return [line for script in scripts for line in script.splitlines()]


def shown_by(document):
    """Return the calls that a document shows."""
    text = document.read_text(encoding="utf-8")
    lines = []
    for language, block in FENCED.findall(text):
        if language == "sh":
            lines += re.sub(r"\\\n", " ", block).splitlines()
        elif language == "console":
            lines += [line[2:] for line in block.splitlines() if line.startswith("$ ")]
        elif language == "yaml":
            lines += lines_of_yaml(block)
        elif language == "groovy":
            lines += re.findall(r"sh '([^']*)'", block)
    spans = [" ".join(span.split()) for span in SPAN.findall(FENCED.sub("", text))]
    spans = [span for span in spans if span.startswith(("pytest ", "sgtrack "))]
    return [
        *(call for line in lines for call in calls_of(line)),
        *(call for span in spans for call in calls_of(span, is_whole=False)),
    ]


class RefusedError(Exception):
    """A parser does not take a command."""


@pytest.fixture(autouse=True)
def _say_instead_of_leaving(monkeypatch):
    def refuse(parser, message):
        raise RefusedError(f"{parser.prog}: {message}")

    monkeypatch.setattr(argparse.ArgumentParser, "error", refuse)
    monkeypatch.setenv("SGTRACK_STORE", "postgresql://me@here/mine")


class OptionsOfThePlugin(argparse.ArgumentParser):
    """Takes what the plugin adds to pytest's parser, and nothing else."""

    def __init__(self):
        super().__init__("pytest", allow_abbrev=False)
        add_options(self)

    def getgroup(self, *_):
        return self

    def addoption(self, *names, **more):
        self.add_argument(*names, **more)

    def addini(self, *_, **__):
        """Ini keys are no part of a command."""


def check(call):
    """Give a call to the parsers of what it calls.

    Raises:
        RefusedError: they do not take it.
    """
    if call.program == "pytest":
        ours = [argument for argument in call.arguments if argument.startswith("--sg-track")]
        OptionsOfThePlugin().parse_args(ours)
        return
    name, *arguments = call.arguments
    if name.startswith("-") or name in ("COMMAND", "<command>"):
        return
    parsers = commands_of(_parser())
    if name not in parsers:
        raise RefusedError(f"there is no command {name}")
    if call.is_whole:
        try:
            parsers[name].parse_args(arguments)
        except SystemExit:  # --help and --version have been given
            return
    known = parsers[name]._option_string_actions
    flags = [argument.partition("=")[0] for argument in arguments if re.match("--?[a-z]", argument)]
    if unknown := [flag for flag in flags if flag not in known]:
        raise RefusedError(f"sgtrack {name} has no option {unknown[0]}")


@pytest.mark.parametrize("document", WRITTEN, ids=name_of)
def test_every_command_that_is_shown_can_be_given(document):
    for call in shown_by(document):
        try:
            check(call)
        except RefusedError as refused:
            pytest.fail(f"{call.program} {shlex.join(call.arguments)}: {refused}", pytrace=False)


def test_there_are_commands_to_look_at():
    shown = [call for document in WRITTEN for call in shown_by(document)]
    assert len([call for call in shown if call.program == "sgtrack" and call.is_whole]) > 40
    assert len([call for call in shown if call.program == "pytest"]) > 30


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pip install pytest", []),
        ("python -m pytest -q a | tail -1", [["-q", "a"]]),
        ("CI=1 .venv/bin/pytest && sgtrack check", [[], ["check"]]),
        ("sgtrack completion bash > x/sgtrack", [["completion", "bash"]]),
        ("pytest -k 'a b'   # all but sgtrack", [["-k", "a b"]]),
    ],
)
def test_calls_are_found_in_a_line_of_shell(line, found):
    assert [call.arguments for call in calls_of(line)] == found


@pytest.mark.parametrize(
    "line",
    [
        "pytest --sg-track-updates=new",
        "pytest --sg-track-update=some",
        "pytest --sg-track --sg-track-seed=x",
        "CI=1 .venv/bin/pytest -n 2 --sg-track-dirs=x | tail -1",
        "sgtrack shows 1",
        "pip install x && sgtrack merge a b",
        "sgtrack report --newest 3",
        "sgtrack runs --limit many",
    ],
)
def test_a_command_that_cannot_be_given_is_found(line):
    *_, call = calls_of(line)
    with pytest.raises(RefusedError):
        check(call)


def workflows():
    """The blocks of YAML of all pages that are workflows of GitHub."""
    for document in WRITTEN:
        for language, block in FENCED.findall(document.read_text(encoding="utf-8")):
            if language == "yaml" and "jobs" in (content := yaml.safe_load(block)):
                yield pytest.param(
                    content["jobs"], id=f"{document.stem}-{next(iter(content['jobs']))}"
                )


@pytest.mark.parametrize("jobs", [*workflows()])
def test_a_workflow_of_github_has_what_its_steps_need(jobs):
    for job in jobs.values():
        assert job["runs-on"]
        assert set([job["needs"]] if "needs" in job else []) <= set(jobs)
        uses = []
        for step in job["steps"]:
            assert len({"uses", "run"} & set(step)) == 1, step
            if "uses" in step:
                uses.append(step["uses"].partition("@")[0])
                assert re.search(r"@v\d+$", step["uses"]), step
            elif "pip install" in step["run"]:
                assert {"actions/checkout", "actions/setup-python"} <= set(uses), step


def test_the_pipeline_of_gitlab_hands_shards_on():
    text = (ROOT / "docs" / "howto" / "ci.md").read_text(encoding="utf-8")
    blocks = [
        yaml.safe_load(block) for language, block in FENCED.findall(text) if language == "yaml"
    ]
    (pipeline,) = [content for content in blocks if "jobs" not in content]
    tests, metrics = pipeline.values()
    assert metrics["needs"] == [next(iter(pipeline))]
    assert tests["artifacts"]["paths"] == ["shard-*/"]
    assert (tests["artifacts"]["when"], metrics["when"]) == ("always", "always")
