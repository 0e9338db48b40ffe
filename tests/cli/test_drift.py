"""`sgtrack drift`: where metrics moved, as a job of the night tells it."""

import json
import math
import sqlite3
from pathlib import Path

import pytest

from tracking import ExperimentDBManager, cli
from tracking.model import Direction, Verdict
from tracking.queries.drift import Criteria, read_drift
from tracking.regression import Check, Compared, dump_comparison

TEST = "tests/test_a.py::test_x"
OTHER = "tests/test_b.py::test_y"
PASSED = {"outcome": "passed", "phase": "call", "verdict": "within"}
DAY_S = 86_400
START_S = 1_790_000_000.0


@pytest.fixture
def nights(record):
    """Records a run a night: what metrics came to, by name, one value for each night."""

    def nights(series, name=TEST, end=PASSED, **more):
        for k, values in enumerate(zip(*series.values(), strict=True)):
            of_run = {m: v for m, v in zip(series, values, strict=True) if v is not None}
            series_of_run = {m: v if isinstance(v, list) else [v] for m, v in of_run.items()}
            commit = {"git_commit": f"{k:040x}"}
            record(name, series_of_run or {"none": [0.0]}, environment=commit, end=end, **more)
        with sqlite3.connect("experiments/pytest.db") as connection:
            connection.execute("UPDATE runs SET created_at = ? + ? * id", (START_S, DAY_S))
        connection.close()

    return nights


def stairs(*levels_and_lengths):
    return [level for level, length in levels_and_lengths for _ in range(length)]


def date(run_id):
    """The date on which a run started, as --since takes it."""
    with sqlite3.connect("experiments/pytest.db") as connection:
        (text,) = connection.execute(
            "SELECT datetime(created_at, 'unixepoch', 'localtime') FROM runs WHERE id = ?",
            (run_id,),
        ).fetchone()
    connection.close()
    return text


def test_a_step_names_its_runs_its_commits_and_its_levels(nights, sgtrack):
    nights({"loss": stairs((0.5, 6), (0.625, 4)), "acc": [0.75] * 10})
    code, out, err = sgtrack("drift")
    assert (code, err) == (cli.OK, "")
    lines = out.splitlines()
    assert lines[0] == TEST
    assert lines[2] == "loss.tail  ▁▁▁▁▁▁████  lower is better, 10 runs"
    assert lines[5].split("  ")[0] == "worse"
    cells = [cell.strip() for cell in lines[5].split("  ") if cell.strip()]
    assert cells[:4] == ["worse", "+25.00 %", "0.5", "0.625"]
    assert cells[4:6] == ["run 6 (000000000)", "run 7 (000000000)"]
    assert cells[7:] == ["6, 4", "exact"]
    assert lines[-1] == "1 of 2 metrics moved, of 1 test; 1 got worse"


def test_json_has_the_commits_whole(nights, said_as_json):
    nights({"loss": stairs((0.5, 6), (0.625, 4))})
    code, document = said_as_json("drift")
    assert code == cli.OK
    assert (document["format"], document["experiment"]) == ("sgtrack-drift", "pytest")
    assert (document["significance"], document["since"]) == (0.01, None)
    (metric,) = document["metrics"]
    assert (metric["test"], metric["metric"], metric["statistic"]) == (TEST, "loss", "tail")
    assert metric["levels"] == [
        {"first_run": 1, "last_run": 6, "value": 0.5, "n": 6},
        {"first_run": 7, "last_run": 10, "value": 0.625, "n": 4},
    ]
    (change,) = metric["changes"]
    before, after = change.pop("last_before"), change.pop("first_after")
    assert (before["run_id"], before["commit"]) == (6, f"{5:040x}")
    assert (after["run_id"], after["commit"]) == (7, f"{6:040x}")
    assert change == {
        "kind": "level",
        "effect": "worse",
        "before": 0.5,
        "after": 0.625,
        "relative_change": 0.25,
        "n_before": 6,
        "n_after": 4,
        "significance": 0.0,
    }
    assert metric["drift"] is None
    assert "runs" not in metric


def test_small_steps_that_add_up_are_told_with_their_sum(nights, sgtrack, said_as_json):
    nights({"loss": stairs((1.0, 4), (1.03, 4), (1.06, 4))})
    assert (
        "drift: worse +6.00 %, from 1 to 1.06, in 2 small steps since run 4 (000000000)"
        in sgtrack("drift")[1]
    )
    drift = said_as_json("drift")[1]["metrics"][0]["drift"]
    assert (drift["n_steps"], drift["last_step"]["run_id"]) == (2, 9)
    assert "drift:" not in sgtrack("drift", "--tolerance=0.1")[1]


@pytest.mark.parametrize(
    ("values", "arguments", "code"),
    [
        (stairs((0.5, 4), (0.6, 4)), [], cli.OK),
        (stairs((0.5, 4), (0.6, 4)), ["--fail"], cli.FOUND),
        (stairs((0.5, 4), (0.4, 4)), ["--fail"], cli.OK),
        (stairs((0.5, 4), (0.501, 4)), ["--fail"], cli.OK),
        (stairs((1.0, 4), (1.009, 4), (1.018, 4)), ["--fail", "--tolerance=0.01"], cli.FOUND),
        ([0.5] * 8, ["--fail"], cli.OK),
        ([0.5] * 7 + [math.nan], ["--fail"], cli.FOUND),
    ],
)
def test_only_on_demand_and_for_the_worse_it_exits_with_1(
    nights, sgtrack, said_as_json, values, arguments, code
):
    nights({"loss": values})
    assert sgtrack("drift", *arguments)[0] == code
    assert said_as_json("drift", *arguments)[0] == code


def test_a_job_of_the_night_is_told_what_is_recent(nights, sgtrack, said_as_json):
    nights({"loss": stairs((0.5, 5), (0.6, 5), (0.7, 5))})

    def told(since):
        changes = said_as_json("drift", f"--since={since}")[1]["metrics"][0]["changes"]
        return [change["first_after"]["run_id"] for change in changes]

    assert told(date(6)) == [6, 11]
    assert told(date(7)) == [11]
    assert told(date(12)) == []
    assert sgtrack("drift", f"--since={date(12)}", "--fail")[0] == cli.OK
    assert sgtrack("drift", f"--since={date(11)}", "--fail")[0] == cli.FOUND
    assert told("40000d") == [6, 11]
    assert told("0d") == []


def test_a_drift_is_as_old_as_its_last_step(nights, said_as_json):
    nights({"loss": stairs((1.0, 4), (1.03, 4), (1.06, 4))})
    assert said_as_json("drift", f"--since={date(9)}")[1]["metrics"][0]["drift"]
    assert said_as_json("drift", f"--since={date(10)}")[1]["metrics"][0]["drift"] is None


def test_small_changes_and_what_did_not_move_are_shown_on_demand(nights, sgtrack):
    nights({"loss": stairs((1.0, 4), (1.001, 4)), "acc": [0.5] * 8})
    out = sgtrack("drift")[1]
    assert out == "0 of 2 metrics moved, of 1 test; 1 small change\n"
    out = sgtrack("drift", "--all")[1]
    assert [line.split()[:2] for line in out.splitlines() if "%" in line] == [["small", "+0.10"]]
    assert "acc.tail" in out


def test_what_a_pattern_says_of_a_metric_holds_here_too(nights, said_as_json):
    nights({"gap": stairs((1.0, 4), (1.03, 4), (1.06, 4))})
    Path("pyproject.toml").write_text(
        '[tool.sgtrack.metrics]\ngap = {direction = "higher", rel = 0.2, floor = 0.05}\n'
    )
    (metric,) = said_as_json("drift")[1]["metrics"]
    assert metric["direction"] == "higher"
    assert [change["effect"] for change in metric["changes"]] == ["small", "small"]
    assert metric["drift"] is None
    assert said_as_json("drift", "--root=elsewhere")[1]["metrics"][0]["direction"] == "both"


def test_the_direction_is_the_one_that_the_newest_run_was_compared_with(nights, said_as_json):
    check = Check("gap", "tail", Verdict.WITHIN, 1.0, 1.0, 0.05, "", direction=Direction.HIGHER)
    compared = dump_comparison(Compared((check,), "pass", "b.json", "test_x"))
    nights({"gap": stairs((1.0, 4), (2.0, 4))}, end={**PASSED, "comparison": compared})
    assert said_as_json("drift")[1]["metrics"][0]["changes"][0]["effect"] == "better"
    (metric,) = said_as_json("drift", "--metric=gap.max")[1]["metrics"]
    assert metric["direction"] == "both"


@pytest.mark.parametrize("odd", [math.nan, math.inf, [0.5, math.nan, 0.5]])
def test_a_run_that_became_non_finite_is_told(nights, sgtrack, said_as_json, odd):
    nights({"loss": [*stairs((0.5, 6)), odd, odd, 0.5]})
    changes = said_as_json("drift")[1]["metrics"][0]["changes"]
    told = [(one["kind"], one["effect"], one["first_after"]["run_id"]) for one in changes]
    assert told == [("non_finite", "worse", 7), ("finite_again", "better", 9)]
    out = sgtrack("drift")[1]
    assert "lower is better" in out
    assert "2 not finite" in out
    assert [line.split("  ")[0] for line in out.splitlines()[5:7]] == ["not finite", "finite again"]


def test_short_histories_are_said_to_be_too_short(nights, sgtrack):
    nights({"loss": [0.5, 0.5, 0.6]})
    assert sgtrack("drift")[1] == "0 of 1 metric moved, of 1 test; 1 too short\n"
    assert "lower is better, 3 runs, too short a history" in sgtrack("drift", "--all")[1]


def test_which_runs_belong_to_a_history(nights, record, said_as_json):
    nights({"loss": stairs((0.5, 4), (None, 2), (0.5, 1))})
    record(TEST, {"loss": [9.0]}, session="s", end={**PASSED, "verdict": "regressed"})
    record(TEST, {"loss": [1.0]}, session="s", end={"outcome": "passed"})

    def inside(tracker):
        with tracker.run(TEST):
            tracker.record("loss", 7.0, 0)

    record("outer", do=inside)
    metrics = {one["test"]: one for one in said_as_json("drift", "--metric=loss")[1]["metrics"]}
    assert metrics[TEST]["n"] == 6  # without the confirmation, and the run inside of another
    assert metrics[TEST]["levels"][0]["n"] == 6


def test_the_newest_runs_are_looked_at_and_the_others_counted(nights, said_as_json):
    nights({"loss": stairs((0.5, 4), (0.6, 6))})
    (metric,) = said_as_json("drift", "--last=8")[1]["metrics"]
    assert (metric["n"], metric["n_left_out"], len(metric["changes"])) == (8, 2, 1)
    assert said_as_json("drift", "--last=6")[1]["metrics"][0]["changes"] == []
    assert said_as_json("drift", "--last=0")[1]["metrics"][0]["n"] == 10


def test_tests_and_metrics_are_chosen(nights, said_as_json):
    nights({"loss": [0.5] * 4, "acc": [0.5] * 4})
    nights({"loss": [0.5] * 4}, name=OTHER)

    def told(*arguments):
        metrics = said_as_json("drift", *arguments)[1]["metrics"]
        return [(one["test"][-6:], f"{one['metric']}.{one['statistic']}") for one in metrics]

    x_acc, x_loss, y_loss = (
        *(("test_x", "acc.tail"), ("test_x", "loss.tail")),
        ("test_y", "loss.tail"),
    )
    assert sorted(told()) == [x_acc, x_loss, y_loss]
    assert told("--test=tests/test_b.py") == [y_loss]
    assert sorted(told("--test=tests/test_b.py", f"--test={TEST}")) == [x_acc, x_loss, y_loss]
    assert told("--test=*_x", "--metric=acc.max") == [("test_x", "acc.max")]
    assert told("--metric=loss") == [x_loss, y_loss]


def test_it_is_written_as_json_and_markdown(nights, sgtrack):
    nights({"a|b_loss": stairs((0.5, 4), (0.6, 4), (0.618, 4), (0.636, 4))})
    code, out, _ = sgtrack("drift", "-o", "drift.json", "-o", "drift.md")
    assert code == cli.OK
    assert out.splitlines()[-2:] == ["wrote drift.json", "wrote drift.md"]
    document = json.loads(Path("drift.json").read_text())
    assert document["format"] == "sgtrack-drift"
    assert len(document["metrics"][0]["changes"]) == 3
    text = Path("drift.md").read_text()
    assert text.startswith("## sgtrack drift - 1 of 1 metric moved, of 1 test; 1 got worse\n")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {12}
    assert "<code>a&#124;b_loss.tail</code>" in table[2]
    assert "in 2 small steps since run 8" in text


def test_a_file_that_cannot_be_written_is_trouble(nights, sgtrack):
    nights({"loss": [0.5] * 4})
    code, _, err = sgtrack("drift", "-o", "nowhere/drift.md")
    assert code == cli.TROUBLE
    assert "nowhere/drift.md cannot be written" in err


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("--since=yesterday", "'yesterday' is no date"),
        ("--since=99999999-01-01", "is no date"),
        ("--significance=2", "not between 0.0001 and 1"),
        ("--significance=nan", "not between 0.0001 and 1"),
        ("--significance=x", "'x' is no number"),
        ("--tolerance=-1", "a finite number >= 0 is needed"),
        ("--tolerance=five", "'five' is no number"),
        ("--output=drift.txt", "names no format"),
        ("--metric=", "names no metric"),
    ],
)
def test_a_wrong_argument_is_named(sgtrack, argument, problem):
    code, out, err = sgtrack("drift", argument)
    assert (code, out) == (cli.USAGE, "")
    assert problem in err


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("--test=nosuch", "no run with a metric is meant by 'nosuch'"),
        ("--metric=nosuch", "no run has a metric 'nosuch'"),
    ],
)
def test_what_is_not_there_is_named(nights, sgtrack, argument, problem):
    nights({"loss": [0.5] * 4})
    code, out, err = sgtrack("drift", argument)
    assert (code, out) == (cli.TROUBLE, "")
    assert problem in err


def test_an_experiment_without_a_metric_has_nothing_to_tell(record, sgtrack):
    record(series={}, do=lambda tracker: tracker.config(lr=1))
    Path("experiments/pytest.db").unlink()
    ExperimentDBManager("experiments/pytest.db").init_exp_db()
    assert sgtrack("drift") == (cli.OK, "no run has a metric\n", "")


class Counting:
    """An experiment that counts the questions it is asked."""

    def __init__(self, db):
        self._db = db
        self.n_questions = 0

    def __getattr__(self, name):
        self.n_questions += 1
        return getattr(self._db, name)


def test_many_runs_of_a_test_take_few_questions(nights):
    nights({"loss": stairs((0.5, 10), (0.6, 10)), "acc": [0.5] * 20})
    db = ExperimentDBManager("experiments/pytest.db", is_read_only=True)
    counting = Counting(db)
    found = list(read_drift(counting, Criteria(0.01)))
    db.close()
    assert [len(one.findings.changes) for one in sorted(found, key=lambda s: s.metric)] == [0, 1]
    assert counting.n_questions <= 1 + 3
