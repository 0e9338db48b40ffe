"""Documents do what they say: their Python runs, their output is real, their tables complete."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tracking import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BOARD = (ROOT / "docs" / "board.md").read_text(encoding="utf-8")
REPORTS = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")


def blocks(language: str, document: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)


# To load all plugins that are installed here doubles the time of a session.
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p sgtrack"}


def run(command: str, folder: Path, **variables: str) -> str:
    """Run a command as a user would, in this environment, and return what it prints."""
    if is_plain_sgtrack(command):
        return run_inside(shlex.split(command)[1:], folder)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    environment.pop("CI", None)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment["COLUMNS"] = "80"
    environment |= variables
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def is_plain_sgtrack(command: str) -> bool:
    """Tell whether a command needs neither a shell nor a process of its own."""
    return bool(re.fullmatch(r"sgtrack (?!prune)[^|;&<>$`*~\n]*", command))


def run_inside(arguments: list[str], folder: Path) -> str:
    """Run `sgtrack` in this process: to start one takes longer than all it does."""
    said = io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        contextlib.suppress(SystemExit),  # argparse's
    ):
        cli.main(arguments)
    return said.getvalue()


def comparable(output: str) -> list[str]:
    return [re.sub(r"in \d+\.\d+s", "in N s", line).rstrip() for line in output.splitlines()]


# What differs from day to day and from machine to machine, and what shall stand for it.
VARYING = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"),
    (r"\b[0-9a-f]{32}\b", "UUID"),
    (r"\b\d{10}\.\d+", "SECONDS"),
    (r'"duration_s": [\d.e-]+', '"duration_s": N'),
    (r"\b\d+\.\d\d s\b", "N s"),
    (r"\b\d+ bytes", "N bytes"),
    (r'version="[\d.]+"', 'version="N"'),
    (r"^  (git_\w+|hash_seed|implementation|machine|numpy|platform|python)  .*", r"  \1  X"),
    (r"postgresql://[^\s:]*(:\d+)?/\w+", "STORE"),
    (r'"environment": \{"device".*?\}', '"environment": {}'),
    (r"\b(\d\.\d{6})\d{6,}", r"\1"),  # the last bits are the machine's
    (r"([ -])\1+", r"\1"),  # columns are as wide as what is in them
)


def blurred(output: str) -> list[str]:
    lines = comparable(output)
    for varying, constant in VARYING:
        lines = [re.sub(varying, constant, line) for line in lines]
    return lines


def commands(document: str) -> list[tuple[str, str]]:
    """Return the commands of a document's console blocks, and what each is said to print."""
    return [
        (command, output)
        for console in blocks("console", document)
        for block in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]
        for command, _, output in [block.partition("\n")]
    ]


def write_scripts(document: str, folder: Path) -> None:
    """Write the Python blocks of a document that say which file they are."""
    for block in blocks("python", document):
        if name := re.match(r"# (\w+\.py)\n", block):
            (folder / name[1]).write_text(block, encoding="utf-8")


def test_the_tour_prints_what_readme_shows(tmp_path):
    write_scripts(README, tmp_path)
    shown = commands(README)
    assert len(shown) >= 4
    for command, output in shown:
        assert comparable(run(command, tmp_path)) == comparable(output), command


@pytest.mark.parametrize(
    "document", [COMMANDS, REPORTS, TUTORIAL], ids=["commands", "reports", "tutorial"]
)
def test_every_command_prints_what_its_page_shows(tmp_path, document, store, monkeypatch):
    pytest.importorskip("scipy")
    write_scripts(document, tmp_path)
    for command, output in commands(document):
        with monkeypatch.context() as patch:
            if command.startswith("sgtrack push"):
                patch.setenv("SGTRACK_STORE", store)
            assert blurred(run(command, tmp_path, **ALONE)) == blurred(output), command


def test_the_page_of_commands_shows_each_and_names_its_keys():
    from tracking.cli import output
    from tracking.cli.formats import COLUMNS
    from tracking.queries.plain import _OF_A_RUN

    listed = run("sgtrack --help", ROOT)
    names = re.findall(r"^    ([a-z]+)(?:\s|$)", listed, re.MULTILINE)
    assert len(names) >= 15
    used = " ".join(command for command, _ in commands(COMMANDS)) + "".join(blocks("sh", COMMANDS))
    undocumented = {"import", "report", "board"}  # they have pages of their own
    assert [
        name for name in names if f"sgtrack {name}" not in used and name not in undocumented
    ] == []
    assert all(f"`{key}`" in COMMANDS for key in (*_OF_A_RUN, *COLUMNS))
    for code, meaning in output.EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in COMMANDS


def test_the_page_of_the_dashboard_shows_what_it_answers(tmp_path):
    pytest.importorskip("starlette")
    from tests.board.conftest import Client

    write_scripts(BOARD, tmp_path)
    client = Client(tmp_path / "experiments")
    for command, output in commands(BOARD):
        address = re.fullmatch(r"curl -s 'http://localhost:8000(/.*)'", command)
        said = client.get(address[1]).text if address else run(command, tmp_path)
        assert blurred(said) == blurred(output), command


def test_the_page_of_the_dashboard_lists_every_address_and_every_option():
    pytest.importorskip("starlette")
    from tests.board.conftest import Client

    addresses = {route.path for route in Client(ROOT).board.app._app.routes}
    listed = set(re.findall(r"^\| `(/api/[^`]*)`", BOARD, re.MULTILINE))
    assert listed == {address for address in addresses if address.startswith("/api/")}
    options = set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", run("sgtrack board --help", ROOT)))
    rows = re.findall(r"^\| (`-.*?) \|", BOARD, re.MULTILINE)
    assert {"--help", "-h", *re.findall(r"`(-[^`]*)`", " ".join(rows))} == options | {"-V"}


def test_the_python_of_readme_runs(tmp_path):
    tests = [block for block in blocks("python") if "def test_" in block]
    scripts = [block for block in blocks("python") if "def test_" not in block]
    for number, block in enumerate(tests):
        (tmp_path / f"test_readme_{number}.py").write_text(block, encoding="utf-8")
    assert f"{len(tests)} passed" in run("pytest -q", tmp_path)
    for block in scripts:
        (tmp_path / "script.py").write_text(block, encoding="utf-8")
        assert run("python -W error script.py", tmp_path) == ""
        assert (tmp_path / "experiments" / "mnist_run.db").exists()


def test_the_python_of_the_guides_runs(tmp_path):
    pages = [ROOT / "docs" / "index.md", *sorted((ROOT / "docs" / "howto").glob("*.md"))]
    found = [block for page in pages for block in blocks("python", page.read_text("utf-8"))]
    tests = [block for block in found if "def test_" in block]
    for number, block in enumerate(tests):
        (tmp_path / f"test_{number}.py").write_text(block, encoding="utf-8")
    n_tests = sum(block.count("def test_") for block in tests)
    assert n_tests >= 6
    assert f"{n_tests} passed" in run("pytest -q --sg-track", tmp_path, **ALONE)
    for number, block in enumerate(block for block in found if block not in tests):
        (tmp_path / f"script_{number}.py").write_text(block, encoding="utf-8")
        assert run(f"python -W error script_{number}.py", tmp_path) == ""


def test_readme_lists_every_option():
    from pytest_sgtrack.options import _FLAGS_ONLY, _OPTIONS

    for option in _OPTIONS:
        ini = "" if option.name in _FLAGS_ONLY else f"`{option.ini}[` ]"
        row = rf"^\| `{re.escape(option.flag)}[`=].*\| {ini}"
        assert re.search(row, README, re.MULTILINE), option.flag


def test_ci_runs_readmes_own_commands():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "readme_command 1" in script
    assert "readme_command 2" in script
    setup, test = blocks("sh")[:2]
    assert shlex.split(setup)[:3] == ["python3", "-m", "venv"]
    assert shlex.split(test)[:3] == [".venv/bin/python", "-m", "pytest"]
