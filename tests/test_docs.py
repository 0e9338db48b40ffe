"""README does what it says: its Python runs, its console output is real, its tables complete."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run(command: str, folder: Path) -> str:
    """Run a command of README as a user would, in this environment, and return what it prints."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    environment.pop("CI", None)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment["COLUMNS"] = "80"
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


def comparable(output: str) -> list[str]:
    return [re.sub(r"in \d+\.\d+s", "in N s", line).rstrip() for line in output.splitlines()]


def test_the_tour_prints_what_readme_shows(tmp_path):
    script = next(block for block in blocks("python") if block.startswith("# test_fit.py"))
    (tmp_path / "test_fit.py").write_text(script, encoding="utf-8")
    shown = [
        block.partition("\n")
        for console in blocks("console")
        for block in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]
    ]
    assert len(shown) >= 4
    for command, _, output in shown:
        assert comparable(run(command, tmp_path)) == comparable(output), command


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


@pytest.mark.parametrize("document", ["README.md", "CHANGELOG.md", "examples/README.md"])
def test_links_inside_the_repository_lead_somewhere(document):
    path = ROOT / document
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (path.parent / target).exists(), target
