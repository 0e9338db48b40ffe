"""How commands end and what they say where: pipes, terminals, Ctrl-C, completion, JSON."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tracking import cli
from tracking.cli import output
from tracking.regression import (
    Entry,
    Kind,
    Pending,
    PendingTest,
    Sample,
    pending_path,
    save_baseline,
    save_pending,
)
from tracking.summary import summarize

COMMANDS = [
    *("runs", "show", "diff", "history", "export", "check", "recover", "pending", "accept"),
    *("reject", "prune", "tolerances", "delete", "gc", "completion"),
]


def module(*arguments, **how):
    command = [sys.executable, "-m", "tracking", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_is_listed(command, sgtrack):
    code, out, _ = sgtrack(command, "--help")
    assert code == 0
    assert out.startswith(f"usage: sgtrack {command}")
    assert re.search(rf"^    {command}\s", sgtrack("--help")[1], re.MULTILINE)


def test_help_names_every_exit_code(sgtrack):
    out = sgtrack("--help")[1]
    for code, meaning in output.EXIT_CODES.items():
        assert f"{code:>5}  {meaning}" in out


def test_a_reader_that_stops_ends_the_command_quietly(record):
    record(series={"loss": [0.5] * 20_000})  # more than a pipe holds
    process = module("export")
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == output.BROKEN_PIPE


def test_a_reader_that_was_never_there_is_noticed_too(three):
    process = module("runs")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == output.BROKEN_PIPE


def test_ctrl_c_ends_a_command_quietly(three, sgtrack, monkeypatch):
    def interrupted(db, asked):
        raise KeyboardInterrupt

    monkeypatch.setattr("tracking.ExperimentDBManager.select_runs", interrupted)
    assert sgtrack("runs") == (output.INTERRUPTED, "", "")


def test_ctrl_c_leaves_no_half_file(record):
    record()
    os.mkfifo("gate")
    script = (
        "import signal, sys; from tracking import ExperimentDBManager, cli\n"
        # A shell starts what runs in its background with Ctrl-C ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def slow(db, run_id):\n"
        "    open('gate').read(); import time; time.sleep(60)\n"
        "ExperimentDBManager.iter_records = slow\n"
        "sys.exit(cli.main(['export', '-o', 'x.csv']))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    Path("gate").write_text("it has begun")
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.communicate()[1] == b""
    assert process.returncode == output.INTERRUPTED
    assert sorted(path.name for path in Path().iterdir()) == ["experiments", "gate"]


# Terminals


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def on_terminal(monkeypatch):
    """Runs a command at a terminal of 80 columns; gives what it showed."""

    def run(*arguments):
        screen = Terminal()
        with monkeypatch.context() as patch:
            patch.setenv("COLUMNS", "80")
            patch.setattr(sys, "stdout", screen)
            assert cli.main(arguments) == cli.OK
        return screen.getvalue()

    return run


LONG = f"tests/test_a.py::test_{'x' * 80}"


def test_tables_fit_the_terminal(record, on_terminal):
    record(LONG)
    table = on_terminal("delete", "1", "--dry-run").splitlines()[1:]
    assert max(map(len, table)) == 80
    assert "tests/test_a.py::test_" in table[-1]
    assert "…xxx" in table[-1]


def test_nothing_is_cut_where_nobody_watches(record, sgtrack, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    record(LONG)
    assert LONG in sgtrack("runs")[1]


def test_an_export_does_not_steer_a_terminal(record, on_terminal):
    record("\x1b[2J")
    shown = on_terminal("export")
    assert r"1,\x1b[2J,loss,0," in shown
    assert shown.count("\n") == 3


def test_a_pipe_gets_names_as_they_are(record, sgtrack):
    record("\x1b[2J")
    assert "1,\x1b[2J,loss,0," in sgtrack("export")[1]


def test_an_encoding_that_lacks_a_character_is_no_error(record):
    record()
    process = module(
        "show",
        "1",
        env=os.environ
        | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(cli.__file__).parents[2])},
    )
    out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"\\u2588" in out


@pytest.mark.parametrize(("is_terminal", "is_shown"), [(True, True), (False, False)])
def test_progress_is_shown_to_people_only(monkeypatch, is_terminal, is_shown):
    pytest.importorskip("tqdm")
    screen = Terminal() if is_terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    with output.progress(3, "runs") as advance:
        for _ in range(3):
            advance(1)
    assert ("runs" in screen.getvalue()) == is_shown


def test_progress_needs_no_tqdm(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with output.progress(3, "runs") as advance:
        advance(1)
    assert screen.getvalue() == ""


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_prints_a_script_that_the_shell_reads(sgtrack, shell):
    pytest.importorskip("shtab")
    code, script, err = sgtrack("completion", shell)
    assert (code, err) == (cli.OK, "")
    assert all(command in script for command in COMMANDS)
    if shutil.which(shell):
        done = subprocess.run(
            [shell, "-n"], input=script, text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_bash_completes_commands_options_and_choices(sgtrack):
    pytest.importorskip("shtab")
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    script = sgtrack("completion", "bash")[1]

    def completed(*words):
        line = " ".join(f"'{word}'" for word in words)
        ask = (
            f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; COMPREPLY=();"
            f" _shtab_sgtrack; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        done = subprocess.run(
            [bash, "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True
        )
        return set(done.stdout.split())

    assert completed("sgtrack", "hi") == {"history"}
    assert "--columns" in completed("sgtrack", "runs", "--co")
    assert completed("sgtrack", "export", "--format", "js") == {"json", "jsonl"}


def test_completion_without_shtab_says_what_to_install(sgtrack, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    code, out, err = sgtrack("completion", "bash")
    assert (code, out) == (cli.TROUBLE, "")
    assert err.endswith("which is not installed: pip install 'pytest-sgtrack[cli]'\n")


# JSON of the older commands


def test_check_as_json(three, said_as_json):
    assert said_as_json("check") == (
        cli.OK,
        {
            "format": "sgtrack-check",
            "version": 1,
            "experiments": [{"path": "experiments/pytest.db", "problems": [], "remarks": []}],
        },
    )
    Path("experiments/pytest.journal/x.segment.damaged").touch()
    code, document = said_as_json("check")
    assert code == cli.FOUND
    assert "a damaged segment" in document["experiments"][0]["problems"][0]


def test_pending_as_json(said_as_json):
    code, document = said_as_json("pending")
    assert (code, document["tests"]) == (cli.OK, [])
    worse = PendingTest(
        "a.py::t", {"loss": Kind.WORSE}, (Sample({"loss": summarize([0], [2.0])}, {}, {}, None),)
    )
    save_baseline(
        Path("__baselines__/a.json"),
        {"t": Entry((Sample({"loss": summarize([0], [1.0])}, {}, {}, None),), None)},
    )
    save_pending(
        pending_path(Path("experiments"), "pytest"),
        Pending("..", {("__baselines__/a.json", "t"): worse}),
    )
    code, document = said_as_json("pending")
    assert (code, document["path"]) == (cli.FOUND, "experiments/pytest.pending.json")
    assert document["tests"] == [
        {"kind": "worse", "test": "a.py::t", "metric": "loss", "baseline": 1.0, "pending": 2.0}
    ]


def test_a_baseline_whose_last_metric_was_removed_goes_with_it(sgtrack, said_as_json):
    path, sample = Path("__baselines__/a.json"), Sample({"loss": summarize([0], [1.0])}, {}, {}, 0)
    save_baseline(path, {"t": Entry((sample,), None)})
    gone = PendingTest(
        "a.py::t", {"loss": Kind.REMOVED}, tuple(Sample({}, {}, {}, seed) for seed in (0, 1))
    )
    pending = pending_path(Path("experiments"), "pytest")
    save_pending(pending, Pending("..", {(str(path), "t"): gone}))
    code, out, _ = sgtrack("accept", "--kind=removed")
    assert (code, path.exists()) == (cli.OK, False)
    assert out == f"wrote {path}: 1 of its tests; review and commit it\n"
    assert said_as_json("pending")[1]["tests"] == []
    assert sgtrack("accept", "--kind=removed")[:2] == (cli.OK, f"{pending}: nothing is pending\n")


def test_tolerances_as_json(said_as_json):
    pytest.importorskip("scipy")
    assert said_as_json("tolerances")[1]["tolerances"] == []
    samples = tuple(
        Sample({"loss": summarize([0], [1 + seed / 100])}, {}, {}, seed) for seed in range(5)
    )
    save_baseline(Path("__baselines__/a.json"), {"t": Entry(samples, None)})
    code, document = said_as_json("tolerances")
    assert code == cli.OK
    one = document["tolerances"][0]
    assert list(one) == [
        *("test", "metric", "statistic", "n_samples", "rel", "abs", "false_red_rate"),
        "present_rate",
    ]
    assert (one["test"], one["metric"], one["n_samples"]) == ("a.py::t", "loss", 5)
    assert document["proposed"]["loss"] == max(one["rel"] for one in document["tolerances"])


def test_json_is_strict(capsys):
    output.say_json("x", text="\x1b\u202e")
    assert json.loads(capsys.readouterr().out)["text"] == "\x1b\u202e"
    with pytest.raises(ValueError, match="JSON compliant"):
        output.say_json("x", value=float("nan"))
