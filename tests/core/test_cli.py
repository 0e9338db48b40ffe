"""The command `sgtrack`: what it finds, says, and exits with.

What becomes of a baseline that sessions of pytest leave pending is in tests/plugin/test_pending.py.
"""

from __future__ import annotations

import random
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
from tracking.regression import (
    Entry,
    Kind,
    Pending,
    PendingTest,
    Sample,
    load_baseline,
    pending_path,
    read_patterns,
    said_of,
    save_baseline,
    save_pending,
)
from tracking.summary import summarize

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
    fine = f"{tmp_path}: 1 experiment, nothing to report\n"
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
    assert capsys.readouterr().out == "experiments: 1 experiment, nothing to report\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--bogus"],
        ["bogus"],
        ["check", "extra"],
        ["accept", "--kind=bogus"],
        ["reject", "--reset-origin"],
        ["tolerances", "--rate=often"],
    ],
)
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: sgtrack" in capsys.readouterr().err


COMMANDS = ("check", "recover", "pending", "accept", "reject", "prune", "tolerances")


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"] if command else ["--help"])
    assert caught.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    has_folder = command in COMMANDS[:5]
    assert ("folder of the experiments (default: experiments)" in said) is has_folder
    if command is None:
        assert all(f" {name} " in said for name in COMMANDS)


@pytest.mark.parametrize("command", ["pending", "accept", "reject"])
def test_where_nothing_was_left_nothing_is_pending(tmp_path, sgtrack, command):
    code, out, err = sgtrack(command, tmp_path / "none")
    assert (code, err) == (0, "")
    assert "nothing is pending" in out or "0 tests rejected, 0 are pending" in out
    assert list(tmp_path.iterdir()) == []


def save_samples(path, key="test_x", metric="loss", n_samples=10, **more):
    """Write a baseline whose only entry has samples around 1."""
    values = [1 + random.Random(seed).gauss(0, 0.01) for seed in range(n_samples)]
    samples = [
        Sample({metric: summarize(range(2), [value, value])} | more, {}, {}, seed)
        for seed, value in enumerate(values)
    ]
    save_baseline(path, {key: Entry(tuple(samples), None)})


def test_tolerances_are_proposed_as_pyproject_takes_them(tmp_path, capsys):
    pytest.importorskip("scipy")
    metric = 'a "loss" [0] \\ *'
    save_samples(tmp_path / "tests/__baselines__/test_a.json", metric=metric)
    save_samples(tmp_path / "tests/__baselines__/test_b.json", n_samples=4)
    assert cli.main(["tolerances", f"--root={tmp_path}"]) == 0
    said = capsys.readouterr().out
    assert f"{tmp_path}/tests/test_a.py::test_x" in said
    assert "test_b" not in said
    table, proposed = said.split("for pyproject.toml:")
    assert [line.split()[-5] for line in table.splitlines()[2:4]] == ["10", "10"]

    (tmp_path / "pyproject.toml").write_text(proposed)
    patterns = read_patterns(tmp_path / "pyproject.toml")
    assert 0.01 < said_of(metric, patterns)["rel"] < 0.1
    assert said_of('a "loss" 0 \\ *', patterns) == {}


def test_tolerances_of_some_tests_can_be_asked_for(tmp_path, capsys, monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.chdir(tmp_path)
    for name in ("test_a", "test_b"):
        save_samples(tmp_path / f"one/__baselines__/{name}.json")
    for wanted, shown in (
        ("one/test_a.py", {"test_a"}),
        ("one/test_a.py::test_x", {"test_a"}),
        ("one", {"test_a", "test_b"}),
        ("*_b.py*", {"test_b"}),
        ("test_a", set()),
    ):
        assert cli.main(["tolerances", wanted]) == 0
        said = capsys.readouterr().out
        assert {name for name in ("test_a", "test_b") if f"{name}.py" in said} == shown


def test_where_no_baseline_has_samples_enough_tolerances_say_how_to_collect_them(tmp_path, capsys):
    save_samples(tmp_path / "__baselines__/test_a.json", n_samples=4)
    assert cli.main(["tolerances", f"--root={tmp_path}"]) == 0
    said = capsys.readouterr().out
    assert said == (
        f"{tmp_path}: no baseline has 5 samples;"
        " pytest --sg-track --sg-track-samples=10 collects them\n"
    )


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


def test_a_metric_that_did_not_change_keeps_its_samples_when_another_is_accepted(tmp_path, sgtrack):
    def samples(n, loss, first_seed=0):
        return tuple(
            Sample(
                {
                    "loss": summarize([0], [loss + seed / 100]),
                    "other": summarize([0], [seed / 7]),
                },
                {},
                {},
                seed,
            )
            for seed in [0, *range(first_seed + 1, first_seed + n)]
        )

    path = tmp_path / "tests" / "__baselines__" / "test_it.json"
    save_baseline(path, {"test_x": Entry(samples(10, 1.0), None)})
    worse = PendingTest("tests/test_it.py::test_x", {"loss": Kind.WORSE}, samples(5, 2.0, 10))
    place = ("tests/__baselines__/test_it.json", "test_x")
    save_pending(pending_path(tmp_path, "pytest"), Pending(".", {place: worse}))

    assert sgtrack("accept")[0] == cli.OK
    entry = load_baseline(path)["test_x"]
    values = {
        name: [one.metrics[name].mean for one in entry.samples if name in one.metrics]
        for name in ("loss", "other")
    }
    assert sorted(values["loss"]) == [2.0, 2.11, 2.12, 2.13, 2.14]
    assert sorted(values["other"]) == [seed / 7 for seed in range(10)]
