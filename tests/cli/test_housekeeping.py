"""`sgtrack delete` and `sgtrack gc`: what goes, what stays, and that nothing goes unasked."""

from __future__ import annotations

import re
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tracking import ExperimentDBManager, Tracker, cli
from tracking.cli import output
from tracking.regression import Entry, Sample, save_baseline

TEST = "tests/test_a.py::test_x"


def left():
    """The numbers of the runs that are there, the oldest first."""
    with closing(ExperimentDBManager("experiments/pytest.db", is_read_only=True)) as db:
        assert db.integrity_problems() == []
        return sorted(run.run_id for run in db.get_all_runs())


def summaries(run_id):
    with closing(ExperimentDBManager("experiments/pytest.db", is_read_only=True)) as db:
        return db.read_summaries(run_id)


@pytest.fixture
def somebody(monkeypatch):
    """A person at the terminal, who answers."""

    def answers(answer):
        monkeypatch.setattr(output, "is_watched", lambda: True)
        monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())

        def asked(question):
            assert question == "Delete 1 run with 2 records for good? [y/N] "
            if answer is EOFError:
                raise EOFError
            return answer

        monkeypatch.setattr("builtins.input", asked)

    return answers


def test_nothing_is_deleted_where_nobody_can_be_asked(three, sgtrack):
    code, out, err = sgtrack("delete", "1", "last")
    assert code == cli.TROUBLE
    assert "2 runs with 4 records would be deleted" in out
    assert err.endswith("Nobody is here to answer; --yes says so beforehand\n")
    assert left() == [1, 2, 3]


def test_yes_deletes_the_runs_named_and_no_others(three, sgtrack):
    code, out, err = sgtrack("delete", "1", "tests/test_b.py::test_y[0]", "1", "--yes")
    assert (code, err) == (cli.OK, "")
    assert out == (
        "experiments/pytest.db: 2 runs with 4 records deleted; `sgtrack gc` gives their room back\n"
    )
    assert left() == [2]


def test_a_name_that_means_no_run_deletes_none(three, sgtrack):
    assert sgtrack("delete", "1", "nosuch", "--yes")[0] == cli.TROUBLE
    assert left() == [1, 2, 3]


@pytest.mark.parametrize(
    ("answer", "kept"),
    [("y", [1, 3]), ("YES ", [1, 3]), ("", [1, 2, 3]), ("n", [1, 2, 3]), (EOFError, [1, 2, 3])],
)
def test_a_person_is_asked(three, sgtrack, somebody, answer, kept):
    somebody(answer)
    code, out, _ = sgtrack("delete", "2")
    assert code == cli.OK
    assert ("nothing was deleted" in out) == (len(kept) == 3)
    assert left() == kept


@pytest.mark.parametrize("command", [["delete", "1", "2", "--yes"], ["gc", "--keep=0"]])
def test_a_dry_run_says_what_would_go_and_changes_nothing(three, sgtrack, command):
    before = Path("experiments/pytest.db").read_bytes()
    code, out, err = sgtrack(*command, "--dry-run")
    assert (code, err) == (cli.OK, "")
    assert out.startswith("2 runs with ")
    assert re.search(r"^ +1  tests/test_a", out, re.MULTILINE)
    assert Path("experiments/pytest.db").read_bytes() == before


def test_a_long_list_is_cut(record, sgtrack):
    for _ in range(25):
        record()
    assert sgtrack("gc", "--keep=0", "--dry-run")[1].splitlines()[-1] == "and 5 more"


def test_gc_keeps_the_newest_of_each_name_and_what_failed(three, record, sgtrack):
    for _ in range(2):
        record(TEST, {"loss": [0.25]})
    code, out, err = sgtrack("gc", "--keep=1")
    assert (code, err) == (cli.OK, "")
    assert out.startswith("experiments/pytest.db: 2 runs with 4 records deleted, ")
    assert left() == [2, 3, 5]


def test_gc_gives_the_room_back_and_renumbers_nothing(record, sgtrack):
    for n in (3, 50_000, 3):
        record(series={"loss": [0.5] * n})
    before = Path("experiments/pytest.db").stat().st_size
    with closing(ExperimentDBManager("experiments/pytest.db", is_read_only=True)) as db:
        kept = [db.get_run(3), db.get_records(3, "loss")]
    out = sgtrack("gc", "--keep=1")[1]
    after = Path("experiments/pytest.db").stat().st_size
    assert out.endswith(f"2 runs with 50003 records deleted, {before - after} bytes freed\n")
    assert after < before / 10
    with closing(ExperimentDBManager("experiments/pytest.db", is_read_only=True)) as db:
        assert [db.get_run(3), db.get_records(3, "loss")] == kept
    assert record() == 4
    assert not list(Path("experiments").glob("*-wal"))


def test_gc_that_has_nothing_to_do_says_so(three, sgtrack):
    out = sgtrack("gc", "--keep=9")[1]
    assert out == "experiments/pytest.db: 0 runs with 0 records deleted, 0 bytes freed\n"


def baseline(*samples, key="test_x", origin=None):
    path = Path("tests/__baselines__/test_a.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [Sample(metrics, {}, {}, None) for metrics in (*samples, origin) if metrics]
    entry = Entry(tuple(made[: len(samples)]), made[-1] if origin else None)
    save_baseline(path, {key: entry})


def test_gc_keeps_one_run_for_each_accepted_sample(record, sgtrack):
    for value in (1.0, 2.0, 2.0, 3.0, 4.0, 5.0):
        record(TEST, {"loss": [value]})
    baseline(summaries(2), summaries(4), origin=summaries(1))
    assert sgtrack("gc", "--keep=1", "--root=elsewhere", "--dry-run")[1].startswith("5 runs")
    assert sgtrack("gc", "--keep=1")[0] == cli.OK
    assert left() == [1, 3, 4, 6]


def test_gc_keeps_a_run_of_which_one_metric_was_accepted(record, sgtrack):
    for value in (1.0, 2.0, 3.0):
        record(TEST, {"loss": [value], "acc": [value]})
    baseline({"loss": summaries(1)["loss"], "acc": summaries(2)["acc"]})
    assert sgtrack("gc", "--keep=1")[0] == cli.OK
    assert left() == [1, 2, 3]


def test_gc_finds_what_runs_inside_of_a_test_gave(record, sgtrack):
    def fold(tracker):
        with tracker.run("fold"):
            tracker.record("loss", 0.125, 0)

    record(TEST, {"acc": [0.5]}, do=fold)
    record(TEST, {"acc": [1.0]}, do=fold)
    record(TEST, {"acc": [1.0]})
    baseline({"fold/loss": summaries(2)["loss"]})
    assert sgtrack("gc", "--keep=1")[0] == cli.OK
    assert left() == [3, 4, 5]


def test_gc_deletes_nothing_while_a_baseline_cannot_be_read(record, sgtrack):
    record(TEST)
    record(TEST)
    baseline(summaries(1))
    Path("tests/__baselines__/test_a.json").write_text("{")
    code, _, err = sgtrack("gc", "--keep=0")
    assert code == cli.TROUBLE
    assert "test_a.json" in err
    assert left() == [1, 2]


def test_gc_goes_round_a_session_that_goes_on(record, sgtrack):
    record("train")
    with closing(Tracker("experiments")) as tracker:
        tracker.set_experiment("pytest")
        tracker.start_run("train")
        tracker.record("loss", 1.0, 0)
        assert sgtrack("gc", "--keep=0")[0] == cli.OK
        tracker.record("loss", 2.0, 1)
        tracker.end_run()
    assert left() == [2]
    assert summaries(2)["loss"].n == 2


def test_how_many_are_kept_has_to_be_said(three, sgtrack):
    for arguments in ([], ["--keep=-1"], ["--keep=all"]):
        code, _, err = sgtrack("gc", *arguments)
        assert code == cli.USAGE
        assert "--keep" in err
