"""`sgtrack runs`: which runs it lists, in which order, and what of them."""

import json

import pytest

from tracking import cli


def ids(said_as_json, *arguments):
    code, document = said_as_json("runs", *arguments)
    assert code == cli.OK
    return [run["run_id"] for run in document["runs"]]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ([], [3, 2, 1]),
        (["--status=failed"], [2]),
        (["--status=failed", "--status=completed"], [3, 2, 1]),
        (["--outcome=passed"], [1]),
        (["--verdict=regressed"], [2]),
        (["--verdict=regressed", "--outcome=passed"], []),
        (["--name=test_y[0]"], [3]),
        (["--name=*test_x"], [2, 1]),
        (["--name=test_?"], []),
        (["--session=last"], [3, 2]),
        (["--session=aaaa"], [1]),
        (["--where=loss > 1"], [2]),
        (["--where=loss.min <= 1"], [1]),
        (["--where=loss.n_nan == 1"], [3]),
        (["--where=loss.n == 2", "--where=acc < 1"], [1]),
        (["--sort=id"], [1, 2, 3]),
        (["--sort=created"], [1, 2, 3]),
        (["--sort=-created"], [3, 2, 1]),
        (["--sort=name"], [2, 1, 3]),
        (["--sort=loss"], [1, 2, 3]),
        (["--sort=-loss"], [2, 1, 3]),
        (["--sort=-acc"], [1, 3, 2]),
        (["--limit=2"], [3, 2]),
        (["--limit=0"], [3, 2, 1]),
        (["--limit=1", "--sort=id"], [1]),
    ],
)
def test_runs_are_chosen_and_sorted(three, said_as_json, arguments, shown):
    assert ids(said_as_json, *arguments) == shown


def test_a_table_shows_how_runs_ended_and_the_metrics_asked_for(three, sgtrack):
    code, out, err = sgtrack("runs", "--columns", "loss", "loss.min", "--sort=id")
    assert (code, err) == (cli.OK, "")
    lines = out.splitlines()
    assert lines[0].split() == [
        *("id", "name", "outcome", "verdict", "ended", "by", "started", "duration", "metrics"),
        *("loss.last", "loss.min"),
    ]
    cells = [line.split() for line in lines[2:]]
    assert [row[:3] for row in cells] == [
        ["1", "tests/test_a.py::test_x", "passed"],
        ["2", "tests/test_a.py::test_x", "failed"],
        ["3", "tests/test_b.py::test_y[0]", "completed"],
    ]
    assert [row[-2:] for row in cells] == [["0.5", "0.5"], ["1.5", "1.5"], ["1", "NaN"]]


def test_what_is_left_out_is_counted(three, sgtrack):
    assert sgtrack("runs", "--limit=1")[1].splitlines()[-1] == "2 more; --limit 0 shows all"
    assert sgtrack("runs", "--limit=3")[1].count("\n") == 5


def test_json_has_how_each_run_ended_and_the_values_asked_for(three, said_as_json):
    code, document = said_as_json("runs", "--columns", "loss", "loss.tail", "--limit=1")
    (run,) = document.pop("runs")
    assert (code, document) == (
        cli.OK,
        {"format": "sgtrack-runs", "version": 1, "experiment": "pytest", "n_left_out": 2},
    )
    assert run.pop("uuid")
    assert run.pop("started_at") > 1.7e9
    assert run.pop("duration_s") >= 0
    assert run == {
        "run_id": 3,
        "name": "tests/test_b.py::test_y[0]",
        "status": "completed",
        "outcome": None,
        "phase": None,
        "ended_by": "finished",
        "verdict": None,
        "session": "b" * 32,
        "attempt": 1,
        "parent": None,
        "metrics": ["loss"],
        "values": {"loss.last": "NaN", "loss.tail": None},
    }


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["--where=loss = 1"], 2, "argument --where: 'loss = 1': = is no operator"),
        (["--sort=-"], 2, "argument --sort: '' names no metric"),
        (["--limit=-1"], 2, "argument --limit: '-1' is no number of things"),
        (["--verdict=fine"], 2, "invalid choice: 'fine'"),
        (["--where=los > 1"], 3, "no run has a metric 'los'; there are acc, loss"),
        (["--sort=los"], 3, "no run has a metric 'los'"),
        (["--columns", "los"], 3, "no run has a metric 'los'"),
        (["--session=cccc"], 3, "no session is meant by 'cccc'"),
    ],
)
def test_a_slip_is_named_and_not_taken_for_no_run(three, sgtrack, arguments, code, problem):
    found, out, err = sgtrack("runs", *arguments)
    assert (found, out) == (code, "")
    assert problem in err


def test_no_run_is_said_to_be_none(three, sgtrack, record):
    assert sgtrack("runs", "--name=none") == (0, "experiments/pytest.db: no run fits\n", "")


def test_an_experiment_without_sessions_has_no_last_one(sgtrack, record):
    record()
    code, _, err = sgtrack("runs", "--session=last")
    assert (code, err) == (cli.TROUBLE, "sgtrack: no run belongs to a session\n")


# Which experiment


@pytest.mark.parametrize(
    ("experiments", "arguments", "name"),
    [
        (["pytest"], [], "pytest"),
        (["pytest", "other"], [], "pytest"),
        (["other"], [], "other"),
        (["pytest", "other"], ["--experiment=other"], "other"),
        (["a.b", "a"], ["--experiment=a.b"], "a.b"),
    ],
)
def test_the_experiment_is_pytest_the_only_one_or_the_one_named(
    record, said_as_json, experiments, arguments, name
):
    for experiment in experiments:
        record(experiment=experiment)
    assert said_as_json("runs", *arguments)[1]["experiment"] == name


@pytest.mark.parametrize(
    ("experiments", "arguments", "problem"),
    [
        (
            ["a", "b"],
            [],
            "experiments holds several experiments; --experiment chooses: there are a, b",
        ),
        (["a"], ["--experiment=c"], "experiments holds no experiment c; there are a"),
        (["a"], ["--experiment=../a"], "exp_name: '../a' must not contain /"),
        (["a"], ["--dir=none"], "there is no folder none; --dir names another one"),
        (["a"], ["--dir=."], ". holds no experiment; there is none"),
    ],
)
def test_where_none_is_meant_those_there_are_listed(
    record, sgtrack, experiments, arguments, problem
):
    for experiment in experiments:
        record(experiment=experiment)
    code, out, err = sgtrack("runs", *arguments)
    assert (code, out) == (cli.TROUBLE, "")
    assert problem in err


def test_names_do_not_steer_the_terminal(record, sgtrack, said_as_json):
    name = "\x1b[2J\u202e red\n::error::"
    record(name)
    for command in (["runs"], ["show", "1"], ["history", name], ["runs", "--json"]):
        out = sgtrack(*command)[1]
        assert all(character.isprintable() or character == "\n" for character in out)
        assert not any(line.startswith("::") for line in out.splitlines())
    assert said_as_json("runs")[1]["runs"][0]["name"] == name


READERS = (["runs"], ["show", "last"], ["diff", "1", "2"], ["history", "test_x"], ["export"])


@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
def test_readers_change_nothing(three, sgtrack, tmp_path, command):
    def contents():
        files = (path for path in tmp_path.rglob("*") if path.is_file())
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    before = contents()
    assert sgtrack(*command)[0] in (cli.OK, cli.FOUND)
    assert contents() == before


def test_json_is_one_line_of_ascii(record, sgtrack):
    record("ü")
    out = sgtrack("runs", "--json")[1]
    assert out.isascii()
    assert out.count("\n") == 1
    assert json.loads(out)["runs"][0]["name"] == "ü"
