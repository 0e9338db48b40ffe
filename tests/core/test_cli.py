"""`sgtrack check` and `sgtrack recover`: what they find, say, and exit with."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import tracking
from tracking import Tracker, cli

ORIGINAL = Path(__file__).parents[1] / "assets" / "original.db"


def opened(folder, experiment="e"):
    tracker = Tracker(folder)
    tracker.set_experiment(experiment)
    return tracker


DYING = """
import os, signal, sys
from tracking import Tracker
folder, name, is_deferred = sys.argv[1:]
tracker = Tracker(folder)
tracker.set_experiment("e")
tracker.start_run(name, is_deferred=is_deferred == "True")
tracker.record("loss", 1.0, 0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def died(folder, name="cut short", *, is_deferred=False):
    command = [sys.executable, "-c", DYING, str(folder), name, str(is_deferred)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL


@pytest.fixture
def sgtrack(tmp_path, capsys):
    """Runs a command over the test's folder; gives its exit code and what it printed."""

    def run(command, folder=tmp_path):
        code = cli.main([command, "--dir", str(folder)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def test_where_all_ended_well_there_is_nothing_to_report(tmp_path, sgtrack):
    for experiment in ("a", "b.c"):
        with closing(opened(tmp_path, experiment)) as tracker, tracker.run():
            tracker.record("loss", 1.0, 0)
    assert sgtrack("check") == (0, f"{tmp_path}: 2 experiments, nothing to report\n", "")
    code, out, err = sgtrack("recover")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{tmp_path / name}: 0 records drained, 0 runs ended" for name in ("a.db", "b.c.db")
    ]


def test_an_empty_folder_is_fine_and_a_missing_one_is_trouble(tmp_path, sgtrack):
    assert sgtrack("check") == (0, f"{tmp_path}: 0 experiments, nothing to report\n", "")
    assert sgtrack("recover") == (0, "", "")
    for command in ("check", "recover"):
        code, out, err = sgtrack(command, tmp_path / "none")
        assert (code, out) == (3, "")
        assert err == f"sgtrack: there is no folder {tmp_path / 'none'}; --dir names another one\n"


@pytest.mark.parametrize("is_deferred", [False, True])
def test_a_session_cut_short_is_found_and_cured(tmp_path, sgtrack, is_deferred):
    died(tmp_path, is_deferred=is_deferred)
    before = contents(tmp_path)
    code, out, err = sgtrack("check")
    assert (code, err) == (1, "")
    assert "its process died before it had put its records into the database" in out
    assert ("run 1 cut short never ended, and its process is gone" in out) is not is_deferred
    assert out.count(f"`sgtrack recover --dir {tmp_path}`") == len(out.splitlines())
    assert contents(tmp_path) == before

    code, out, err = sgtrack("recover")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{tmp_path / 'e.db'}: 1 records drained, 1 runs ended",
        "  run 1 cut short: crashed",
    ]
    assert sgtrack("check")[0] == 0
    assert sgtrack("recover")[1] == f"{tmp_path / 'e.db'}: 0 records drained, 0 runs ended\n"


def test_a_session_that_goes_on_is_no_problem(tmp_path, sgtrack):
    tracker = opened(tmp_path)
    tracker.start_run()
    tracker.record("loss", 1.0, 0)
    assert sgtrack("check")[0] == 0
    assert sgtrack("recover")[:2] == (0, f"{tmp_path / 'e.db'}: 0 records drained, 0 runs ended\n")
    tracker.end_run()
    assert [run.status for run in tracker.get_all_runs()] == ["completed"]
    tracker.close()


def test_a_run_whose_segment_is_gone_is_found(tmp_path, sgtrack):
    died(tmp_path)
    for segment in tmp_path.rglob("*.segment"):
        segment.unlink()
    code, out, _ = sgtrack("check")
    assert (code, out.count("\n")) == (1, 1)
    assert "never ended" in out
    assert "run 1 cut short: lost" in sgtrack("recover")[1]
    assert sgtrack("check")[0] == 0


def test_a_journal_whose_database_is_gone_counts_too(tmp_path, sgtrack):
    died(tmp_path)
    for path in tmp_path.glob("e.db*"):
        path.unlink()
    assert sgtrack("check")[0] == 1
    assert "1 records drained, 1 runs ended" in sgtrack("recover")[1]
    for path in tmp_path.glob("e.db*"):
        path.unlink()
    assert sgtrack("check")[0] == 0  # an empty journal
    assert sgtrack("recover")[0] == 0
    assert not (tmp_path / "e.db").exists()


def test_a_damaged_segment_is_named_until_it_is_removed(tmp_path, sgtrack):
    died(tmp_path)
    (segment,) = tmp_path.rglob("*.segment")
    data = segment.read_bytes()
    segment.write_bytes(data[:-1] + b"\1")
    code, out, _ = sgtrack("recover")
    assert code == 1
    assert "damaged records were left out; set aside as" in out
    aside = segment.with_name(f"{segment.name}.damaged")
    code, out, _ = sgtrack("check")
    assert (code, out) == (
        1,
        f"{aside}: a damaged segment that was set aside; remove it when you have seen it\n",
    )
    aside.unlink()
    assert sgtrack("check")[0] == 0


def test_a_damaged_database_is_reported(tmp_path, sgtrack):
    with closing(opened(tmp_path)) as tracker, tracker.run():
        tracker.record("loss", 1.0, 0)
    with closing(sqlite3.connect(tmp_path / "e.db")) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("UPDATE records SET run_id = 77")
        connection.commit()
    code, out, _ = sgtrack("check")
    assert (code, out) == (1, f"{tmp_path / 'e.db'}: records: row 1 has lost its runs\n")


@pytest.mark.parametrize("command", ["check", "recover"])
def test_an_experiment_that_cannot_be_used_does_not_hide_the_others(tmp_path, sgtrack, command):
    died(tmp_path)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TABLE somebody_elses (x)")
    (tmp_path / "z.db").write_bytes(b"no database" * 100)
    code, out, err = sgtrack(command)
    assert code == 3
    assert ("its process died" if command == "check" else "cut short: crashed") in out
    first, second = err.splitlines()
    assert first.startswith(f"sgtrack: {tmp_path / 'a.db'} is a database of another program")
    assert second.startswith(f"sgtrack: {tmp_path / 'z.db'} is not a SQLite database")


def test_a_database_of_the_original_is_fine_and_left_as_it_is(tmp_path, sgtrack):
    path = tmp_path / "old.db"
    shutil.copy(ORIGINAL, path)
    fine = f"{tmp_path}: 1 experiments, nothing to report\n"
    assert sgtrack("check") == (0, fine, "")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE runs SET status = 'running' WHERE id = 2")
        connection.commit()
    before = contents(tmp_path)
    code, out, err = sgtrack("check")
    assert (code, err) == (0, "")
    assert out.startswith(f"{path}: run 2 second has not ended, and the original does not say")
    assert out.endswith(f"; left alone\n{fine}")
    assert contents(tmp_path) == before


def test_a_damaged_database_of_the_original_is_reported(tmp_path, sgtrack):
    path = tmp_path / "old.db"
    damaged = bytearray(ORIGINAL.read_bytes())
    damaged[39] += 7  # how many pages are free
    path.write_bytes(damaged)
    code, out, err = sgtrack("check")
    assert (code, err) == (1, "")
    assert out.startswith(f"{path}: ")
    assert "freelist" in out.lower()


def test_a_segment_of_a_newer_version_is_left_untouched_and_named(tmp_path, sgtrack):
    died(tmp_path)
    (segment,) = tmp_path.rglob("*.segment")
    with segment.open("r+b") as file:
        file.seek(8)
        file.write(b"\2\0")
    before = contents(tmp_path)
    for command in ("check", "recover", "check"):
        code, out, err = sgtrack(command)
        assert (code, err, out.count("upgrade pytest-sgtrack to read it")) == (1, "", 1)
        assert "its process" not in out
    after = contents(tmp_path)
    assert after.keys() == before.keys()
    name = segment.relative_to(tmp_path)
    assert after[name] == before[name]


@pytest.mark.parametrize("command", ["check", "recover"])
def test_what_a_name_contains_does_not_steer_the_terminal(tmp_path, sgtrack, command):
    died(tmp_path, "\x1b[2J red \x07\u202e name\n::error::")
    _, out, _ = sgtrack(command)
    assert r"\x1b[2J red \x07\u202e name\n::error::" in out
    assert all(character.isprintable() or character == "\n" for character in out)
    assert not any(line.startswith("::") for line in out.splitlines())


def test_the_default_folder_is_where_the_plugin_records(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with closing(opened("experiments")) as tracker, tracker.run():
        tracker.record("loss", 1.0, 0)
    assert cli.main(["check"]) == 0
    assert capsys.readouterr().out == "experiments: 1 experiments, nothing to report\n"


@pytest.mark.parametrize("arguments", [[], ["--bogus"], ["bogus"], ["check", "extra"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: sgtrack" in capsys.readouterr().err


@pytest.mark.parametrize("command", [None, "check", "recover"])
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"] if command else ["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert ("folder of the experiments (default: experiments)" in said) is (command is not None)


def test_it_is_a_command_and_a_module(tmp_path):
    commands = ([Path(sys.executable).parent / "sgtrack"], [sys.executable, "-m", "tracking"])
    for command in commands:
        for arguments, code, said in (
            (["--version"], 0, f"sgtrack {tracking.__version__}\n"),
            (["check", "--dir", tmp_path], 0, f"{tmp_path}: 0 experiments, nothing to report\n"),
            (["check", "--dir", tmp_path / "none"], 3, ""),
        ):
            done = subprocess.run(
                [*command, *arguments], capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stdout) == (code, said)
