"""Tracker: the promises of its page, and that what it refuses leaves nothing half-done."""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tracking as sg
from tracking.model import Summary
from tracking.summary import NUMPY_FROM, summarize

NAN, INF = math.nan, math.inf


@pytest.fixture(autouse=True)
def _prints_nothing(capfd):
    yield
    assert capfd.readouterr() == ("", "")


def series(tracker, run_id, name):
    return [(record.step, record.value) for record in tracker.get_records(run_id, name)]


def dump(path):
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def is_sound(path):
    with closing(sqlite3.connect(path)) as connection:
        checks = connection.execute("PRAGMA quick_check").fetchall()
        return checks == [("ok",)] and not connection.execute("PRAGMA foreign_key_check").fetchall()


# The page's own example


def test_the_pages_example_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loss = SimpleNamespace(values=np.float32(0.5))

    tracker = sg.Tracker(all_exp_dir="./experiments")
    tracker.set_experiment("mnist_run")
    tracker.start_run(run_name="baseline", hparams={"lr": 0.01, "batch_size": 32})

    for epoch in range(10):
        tracker.log({"train_loss": float(loss.values)}, step=epoch)

    tracker.end_run()

    assert tracker.get_all_exp_paths() == [tmp_path / "experiments" / "mnist_run.db"]
    (run,) = tracker.get_all_runs()
    assert (run.name, run.status) == ("baseline", "completed")
    assert run.config == {"lr": 0.01, "batch_size": 32}
    assert series(tracker, run.run_id, "train_loss") == [(epoch, 0.5) for epoch in range(10)]
    tracker.close()


def test_the_example_of_run_runs_as_it_stands(tracker):
    tracker.set_experiment("mnist")
    with tracker.run(name="lr=0.01", config={"lr": 0.01}) as run_id:
        for step in range(100):
            tracker.record("loss", 1 / (step + 1), step)
    run = tracker.get_run(run_id)
    assert (run.name, run.config, run.status) == ("lr=0.01", {"lr": 0.01}, "completed")
    assert (run.metrics, run.num_records) == (["loss"], [100])


def test_where_no_journal_can_be_made_it_is_said_and_the_next_try_records(tracker, tmp_path):
    shutil.rmtree(tmp_path / "e.journal")
    (tmp_path / "e.journal").write_text("in the way")
    with pytest.raises(sg.TrackingError, match=r"cannot .*e\.journal.*File exists"):
        tracker.start_run("r")
    (tmp_path / "e.journal").unlink()
    run_id = tracker.start_run("r")
    tracker.record("loss", 2.0, 0)
    tracker.end_run()
    assert [record.value for record in tracker.get_records(run_id, "loss")] == [2.0]


@pytest.mark.parametrize(
    ("positional", "named"),
    [
        (("r", {"lr": 1}), {}),
        (("r",), {"config": {"lr": 1}}),
        ((), {"name": "r", "hparams": {"lr": 1}}),
        ((), {"run_name": "r", "config": {"lr": 1}}),
    ],
)
def test_start_run_takes_both_spellings(tracker, positional, named):
    run = tracker.get_run(tracker.start_run(*positional, **named))
    assert (run.name, run.config) == ("r", {"lr": 1})


@pytest.mark.parametrize(
    ("named", "argument"),
    [
        ({"name": "a", "run_name": "a"}, "run_name"),
        ({"config": {}, "hparams": {}}, "hparams"),
        ({"environment": [1]}, "environment"),
        ({"name": ""}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"config": {"f": object()}}, "config"),
    ],
)
def test_start_run_refuses_what_it_cannot_keep_and_starts_nothing(tracker, named, argument):
    with pytest.raises(sg.InvalidArgumentError) as caught:
        tracker.start_run(**named)
    assert caught.value.argument == argument
    assert tracker.current_run_id is None
    assert tracker.get_all_runs() == []


# Runs


def test_a_run_without_name_and_config_gets_defaults(tracker):
    run = tracker.get_run(tracker.start_run())
    assert run.name.startswith("run_")
    assert int(run.name.removeprefix("run_")) > 1_700_000_000
    assert (run.config, run.status, run.metrics, run.num_records) == ({}, "running", [], [])
    assert len(run.created_at) == len("2026-11-23 12:00:00")


@pytest.mark.parametrize("status", ["completed", "failed", sg.Status.FAILED])
def test_end_run_keeps_the_status_and_how_it_ended(tracker, status):
    run_id = tracker.start_run()
    ended = tracker.end_run(
        status, outcome="failed", phase="call", ended_by="exception", verdict=sg.Verdict.REGRESSED
    )
    assert ended == run_id
    run = tracker.get_run(run_id)
    details = (run.status, run.outcome, run.phase, run.ended_by, run.verdict)
    assert details == (status, "failed", "call", "exception", "regressed")
    assert 0 < run.duration_s < 10
    assert (tracker.current_run_id, tracker.current_run_name) == (None, None)


@pytest.mark.parametrize(
    "error", [ValueError("boom"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()]
)
def test_run_marks_a_run_whose_body_raises_failed_and_raises_the_same(tracker, error):
    def body():
        with tracker.run():
            tracker.record("loss", 1.0, 0)
            raise error

    with pytest.raises(type(error)) as caught:
        body()
    assert caught.value is error
    (run,) = tracker.get_all_runs()
    assert (run.status, run.ended_by, run.num_records) == ("failed", "exception", [1])


@pytest.mark.parametrize("raises", [False, True])
def test_a_run_that_its_body_ended_stays_as_it_is(tracker, raises):
    with pytest.raises(ZeroDivisionError) if raises else closing(tracker), tracker.run() as run_id:
        tracker.end_run("failed" if not raises else "completed", outcome="mine")
        if raises:
            raise ZeroDivisionError
    run = tracker.get_run(run_id)
    assert (run.status, run.outcome) == ("completed" if raises else "failed", "mine")


def test_a_run_started_inside_another_is_its_child_until_it_ends(tracker):
    with tracker.run("parent") as parent:
        tracker.record("loss", 1.0, 0)
        with tracker.run("child") as child:
            assert (tracker.current_run_id, tracker.current_run_name) == (child, "child")
            tracker.record("loss", 2.0, 0)
            grandchild = tracker.start_run("grandchild")
            tracker.record("loss", 3.0, 0)
            assert tracker.active_runs == ("parent", "child", "grandchild")
        assert tracker.current_run_id == parent
        tracker.record("loss", 4.0, 1)
    runs = {run.name: run for run in tracker.get_all_runs()}
    assert {run.status for run in runs.values()} == {"completed"}
    assert runs["parent"].parent is None
    assert runs["child"].parent == runs["parent"].uuid
    assert runs["grandchild"].parent == runs["child"].uuid
    assert series(tracker, parent, "loss") == [(0, 1.0), (1, 4.0)]
    assert series(tracker, child, "loss") == [(0, 2.0)]
    assert series(tracker, grandchild, "loss") == [(0, 3.0)]
    assert tracker.get_all_runs()[0].name == "grandchild"


def test_a_child_in_another_experiment_gives_the_parents_back(tracker):
    with tracker.run("parent") as parent:
        tracker.set_experiment("other")
        tracker.record("loss", 1.0, 0)  # into the active run, which goes on in its experiment
        with tracker.run("child") as child:
            tracker.record("loss", 2.0, 0)
            assert tracker.get_run(child).name == "child"
        tracker.record("loss", 3.0, 1)
        assert tracker.cur_exp_path.name == "e.db"
    assert series(tracker, parent, "loss") == [(0, 1.0), (1, 3.0)]
    tracker.set_experiment("other")
    assert series(tracker, child, "loss") == [(0, 2.0)]
    assert tracker.get_run(child).parent


def test_config_adds_hyper_parameters_to_the_active_run(tracker):
    run_id = tracker.start_run(config={"lr": 0.1, "seed": 1})
    tracker.config(lr=np.float64(0.2), layers=(8, 8), self="too")
    assert tracker.get_run(run_id).config == {"lr": 0.2, "seed": 1, "layers": [8, 8], "self": "too"}
    with pytest.raises(sg.InvalidArgumentError, match="object"):
        tracker.config(lr=object())
    assert tracker.get_run(run_id).config["lr"] == 0.2


def test_the_environment_is_kept_apart_from_the_config(tracker):
    for _ in range(2):
        run_id = tracker.start_run("r", {"lr": 1}, environment={"python": "3", "cpus": 2})
    run = tracker.get_run(run_id)
    assert (run.config, run.environment) == ({"lr": 1}, {"python": "3", "cpus": 2})


def test_deleting_a_run_takes_all_of_it_and_nothing_of_others(tracker):
    with tracker.run() as kept:
        tracker.record("loss", 1.0, 0)
    with tracker.run("outer") as outer:
        active = tracker.start_run("inner")
        tracker.log({"loss": 2.0, "inf": INF}, 0)
        tracker.text("note", "x", 0)
        tracker.delete_run(active)
        assert tracker.current_run_id == outer
        tracker.record("loss", 3.0, 0)
    assert tracker.get_run(active) is None
    assert series(tracker, kept, "loss") == [(0, 1.0)]
    assert series(tracker, outer, "loss") == [(0, 3.0)]
    tracker.delete_run(np.int64(kept))
    assert [run.run_id for run in tracker.get_all_runs()] == [outer]
    assert tracker.start_run() > active
    tracker.delete_run(tracker.current_run_id)
    with pytest.raises(sg.NoActiveRunError):
        tracker.record("loss", 1.0, 0)
    assert is_sound(tracker.cur_exp_path)


def test_a_run_that_another_deleted_swallows_its_records_without_a_trace(tracker, tmp_path):
    run_id = tracker.start_run()
    tracker.record("loss", 1.0, 0)
    other = sg.Tracker(tmp_path)
    other.set_experiment("e")
    other.delete_run(run_id)
    tracker.record("loss", 2.0, 1)
    tracker.end_run()
    assert tracker.get_all_runs() == []
    assert is_sound(tracker.cur_exp_path)


# Experiments


def test_set_all_exp_dir_really_moves(tracker, tmp_path):
    tracker.set_all_exp_dir(tmp_path / "b" / "c")
    assert tracker.all_exp_dir == tmp_path / "b" / "c"
    assert tracker.get_all_exp_paths() == []
    tracker.set_experiment("moved")
    tracker.start_run()
    assert tracker.cur_exp_path == tmp_path / "b" / "c" / "moved.db"
    assert tracker.get_all_exp_paths() == [tracker.cur_exp_path]
    tracker.set_all_exp_dir(str(tmp_path))
    assert tracker.get_all_exp_paths() == [tmp_path / "e.db"]


def test_paths_are_absolute_from_the_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracker = sg.Tracker("here")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    tracker.set_experiment("b.db")
    tracker.set_experiment("a")
    assert [path.name for path in tracker.get_all_exp_paths()] == ["a.db", "b.db"]
    assert tracker.all_exp_dir == tmp_path / "here"
    assert not list(Path().iterdir())


@pytest.mark.parametrize("directory", [None, "a\0b", 7, "file", "file/below"])
@pytest.mark.parametrize("argument", ["all_exp_dir", "directory"])
def test_a_directory_that_cannot_be_is_refused_by_its_name(
    tracker, tmp_path, monkeypatch, directory, argument
):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    call = sg.Tracker if argument == "all_exp_dir" else tracker.set_all_exp_dir
    with pytest.raises(sg.InvalidArgumentError) as caught:
        call(directory)
    assert caught.value.argument == argument
    assert tracker.all_exp_dir == tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/evil",
        "a/b",
        "a\\b",
        "..",
        ".",
        "",
        " ",
        ".hidden",
        "a\0b",
        "con",
        "a.",
        None,
        7,
    ],
)
def test_an_experiment_name_that_leaves_the_folder_is_refused(tracker, tmp_path, name):
    before = {*tmp_path.parent.iterdir(), *tmp_path.rglob("*")}
    with pytest.raises(sg.InvalidArgumentError) as caught:
        tracker.set_experiment(name)
    assert caught.value.argument == "exp_name"
    assert {*tmp_path.parent.iterdir(), *tmp_path.rglob("*")} == before
    assert tracker.cur_exp_path.name == "e.db"


def test_a_file_that_is_not_ours_is_refused_and_the_experiment_stays(tracker, tmp_path):
    (tmp_path / "notes.db").write_text("my notes, nobody's database")
    with closing(sqlite3.connect(tmp_path / "foreign.db")) as connection:
        connection.execute("CREATE TABLE notes (body)")
    tracker.set_experiment("newer")
    tracker.close()
    with closing(sqlite3.connect(tmp_path / "newer.db")) as connection:
        connection.execute("PRAGMA user_version = 1000")
    tracker.set_experiment("e")
    for name, error in (
        ("notes", sg.NotAnExperimentError),
        ("foreign", sg.NotAnExperimentError),
        ("newer", sg.NewerSchemaError),
    ):
        content = (tmp_path / f"{name}.db").read_bytes()
        with pytest.raises(error, match=f"{name}.db"):
            tracker.set_experiment(name)
        assert (tmp_path / f"{name}.db").read_bytes() == content
    assert tracker.cur_exp_path.name == "e.db"
    with tracker.run() as run_id:
        tracker.record("loss", 1.0, 0)
    assert tracker.get_run(run_id).num_records == [1]


# Recording


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (1, 1.0),
        (0.1, 0.1),
        (-0.0, 0.0),  # equal, and all that SQLite keeps
        (5e-324, 5e-324),
        (Decimal("0.5"), 0.5),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float16(0.5), 0.5),
        (np.int64(3), 3.0),
        (np.uint8(255), 255.0),
        (np.array(2.5), 2.5),
        (np.float64(NAN), NAN),
        (NAN, NAN),
        (INF, INF),
        (-INF, -INF),
    ],
)
def test_any_real_number_is_read_back_as_it_was(tracker, value, stored):
    with tracker.run() as run_id:
        for step in range(3):  # a type of numpy takes another way from the second time on
            tracker.record("a", value, np.int32(step))
            tracker.log({"b": value}, step)
        unended = tracker.get_results(run_id)
    for results in (unended, tracker.get_results(run_id)):
        for name in ("a", "b"):
            values = [record.value for record in results[name]]
            assert all(type(found) is float for found in values)
            assert np.array(values).tobytes() == np.array([stored] * 3).tobytes()


BAD_NAMES = ["", "a\0b", "\ud800", "x" * 1_001, None, 7, b"loss", ("loss",)]
BAD_VALUES = ["1.0", None, True, np.bool_(True), 1j, [1.0], np.zeros(2), 10**400, object()]
BAD_STEPS = [1.0, "1", None, True, 2**63, -(2**63) - 1, np.float64(1), [1]]


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        *[((name, 1.0, 0), "metric_name") for name in BAD_NAMES],
        *[(("loss", value, 0), "value") for value in BAD_VALUES],
        *[(("loss", 1.0, step), "step") for step in BAD_STEPS],
    ],
    ids=lambda value: repr(value)[:30],
)
@pytest.mark.parametrize("call", ["record", "log"])
def test_what_is_no_record_is_refused_and_leaves_no_trace(tracker, call, arguments, argument):
    run_id = tracker.start_run()
    tracker.record("loss", 0.5, 0)
    tracker.get_all_runs()
    before = dump(tracker.cur_exp_path)
    name, value, step = arguments
    if call == "log":
        argument = "step" if argument == "step" else "metrics"
    attempt = (name, value, step) if call == "record" else ({"fine": 1.0, name: value}, step)
    with pytest.raises(sg.InvalidArgumentError) as caught:
        getattr(tracker, call)(*attempt)
    assert caught.value.argument == argument
    assert str(caught.value).startswith(f"{argument}: ")
    tracker.get_all_runs()
    assert dump(tracker.cur_exp_path) == before
    assert tracker.summary(run_id)["loss"]["n"] == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda t: t.record("loss", np.ones(2), 0),
            "value: expected a real number, got ndarray array([1., 1.]); record one element of",
        ),
        (lambda t: t.log(["loss"], 0), "metrics: expected a dict of values by name, got list"),
        (
            lambda t: t.start_run("a", run_name="b"),
            "run_name: means the same as name; give one of the two",
        ),
        (
            lambda t: t.start_run(config={}, hparams={}),
            "hparams: means the same as config; give one of the two",
        ),
        (lambda t: t.expect("loss", "<", "low"), "limit: expected a real number, got str 'low'"),
    ],
)
def test_a_refusal_names_the_argument_and_says_what_would_do(tracker, call, said):
    tracker.set_experiment("e")
    with tracker.run(), pytest.raises(sg.InvalidArgumentError) as caught:
        call(tracker)
    assert str(caught.value).startswith(said)


def test_log_says_which_metric_is_no_number(tracker):
    tracker.start_run()
    with pytest.raises(sg.InvalidArgumentError, match="'accuracy': expected a real number"):
        tracker.log({"loss": 1.0, "accuracy": "high"}, 0)
    with pytest.raises(sg.InvalidArgumentError, match="expected a dict"):
        tracker.log([("loss", 1.0)], 0)
    tracker.log({}, 0)
    assert tracker.summary() == {}


def test_all_records_of_a_step_are_kept_by_step_in_the_order_of_recording(tracker):
    steps = [3, 1, 2, 1, -(2**63), 2**63 - 1, 1, 3]
    with tracker.run() as run_id:
        for number, step in enumerate(steps):
            tracker.record("loss", NAN if number == 3 else number, step)
            tracker.record("other", 0.0, number)
    found = series(tracker, run_id, "loss")
    assert [step for step, _ in found] == sorted(steps)
    assert repr([value for step, value in found if step == 1]) == "[1.0, nan, 6.0]"
    assert [value for step, value in found if step == 3] == [0.0, 7.0]


def test_ten_thousand_records_read_and_summarise_as_few_do(tracker):
    assert NUMPY_FROM < 10_000
    values = np.sin(np.arange(10_000.0))
    values[[17, 5_000]] = NAN, INF
    with tracker.run() as run_id:
        for step, value in enumerate(values.tolist()):
            tracker.log({"a": value, "b": 1.0}, step)
        unended = tracker.summary()
    assert unended == tracker.summary(run_id)
    assert unended["a"] == summarize(range(10_000), values).as_dict()
    records = tracker.get_records(run_id, "a")
    assert [record.step for record in records] == list(range(10_000))
    assert np.array([record.value for record in records]).tobytes() == values.tobytes()
    times = [record.log_time for record in records]
    assert times == sorted(times)
    assert tracker.get_run(run_id).num_records == [10_000, 10_000]


def test_many_metrics_at_once_fill_segments_without_a_gap(tracker):
    with tracker.run() as run_id:
        for step in range(100):
            tracker.log({f"metric {i}": step * i for i in range(200)}, step)
    assert tracker.get_run(run_id).num_records == [100] * 200
    assert series(tracker, run_id, "metric 199")[-1] == (99, 99 * 199.0)


def test_reading_while_recording_shows_all_that_was_recorded(tracker):
    run_id = tracker.start_run()
    for step in range(20):
        tracker.record("loss", float(step), step)
        assert series(tracker, run_id, "loss") == [(i, float(i)) for i in range(step + 1)]
        assert tracker.get_run(run_id).num_records == [step + 1]
        assert tracker.get_metrics(run_id) == ["loss"]
        assert tracker.summary() == tracker.summary(run_id)
        assert tracker.summary()["loss"]["n"] == step + 1


def test_threads_lose_nothing_and_keep_their_order(tracker):
    run_id = tracker.start_run()

    def record(thread):
        for step in range(500):
            tracker.record("shared", thread, step)
            tracker.record(f"own {thread % 4}", step, thread)
            if step % 100 == 0:
                tracker.get_metrics(run_id)

    threads = [threading.Thread(target=record, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tracker.end_run()
    shared = series(tracker, run_id, "shared")
    assert sorted(shared) == [(step, float(i)) for step in range(500) for i in range(8)]
    for number in range(8):
        own = tracker.get_records(run_id, f"own {number % 4}")
        of_thread = [record.value for record in own if record.step == number]
        assert of_thread == [float(step) for step in range(500)]


def test_a_thread_that_records_through_the_change_of_runs_reaches_one_of_them(tracker):
    n_recorded = 0
    is_done = threading.Event()

    def record():
        nonlocal n_recorded
        while not is_done.is_set():
            tracker.record("thread", 1.0, n_recorded)
            n_recorded += 1
            if n_recorded % 100 == 0:
                time.sleep(0.001)

    with tracker.run("outer"):
        thread = threading.Thread(target=record)
        thread.start()
        for number in range(60):
            with tracker.run():
                tracker.record(f"own {number}", 1.0, 0)
                if number % 20 == 0:
                    tracker.set_experiment(f"e{number}")
        is_done.set()
        thread.join()
    n_stored = 0
    for path in tracker.get_all_exp_paths():
        tracker.set_experiment(path.stem)
        for run in tracker.get_all_runs():
            counts = dict(zip(run.metrics, run.num_records, strict=True))
            n_stored += counts.pop("thread", 0)
            assert set(counts.values()) <= {1}
    assert n_stored == n_recorded


# Summaries


def test_the_summary_of_a_run_is_the_same_before_and_after_its_end(tracker):
    run_id = tracker.start_run()
    for step, value in enumerate([3.0, NAN, -INF, 1.0, 2.0, INF]):
        tracker.record("loss", value, 5 - step)
    before = tracker.summary()
    tracker.get_all_runs()
    assert repr(before) == repr(tracker.summary(run_id))
    tracker.end_run()
    after = tracker.summary(run_id)
    assert before == after
    assert list(after["loss"]) == [*Summary.__slots__]
    assert after["loss"] == {
        "n": 6, "n_nan": 1, "n_inf": 2, "min": 1.0, "max": 3.0, "mean": 2.0,
        "std": pytest.approx(math.sqrt(2 / 3)), "tail": 2.0, "last": 3.0,
        "first_step": 0, "last_step": 5,
    }  # fmt: skip


def test_the_summary_of_a_metric_that_diverged_from_the_start_has_no_mean(tracker):
    with tracker.run() as run_id:
        tracker.record("loss", NAN, 0)
    summary = tracker.summary(run_id)["loss"]
    assert (summary["n"], summary["n_nan"], summary["mean"], summary["max"]) == (1, 1, None, None)
    assert math.isnan(summary["last"])


def test_a_run_id_means_a_run_of_the_current_experiment(tracker):
    with tracker.run() as run_id:
        tracker.record("here", 1.0, 0)
    tracker.set_experiment("other")
    assert tracker.start_run() == run_id
    tracker.record("there", 1.0, 0)
    tracker.set_experiment("e")
    assert list(tracker.summary(run_id)) == ["here"]
    assert list(tracker.summary()) == ["there"]


def test_trackers_of_one_experiment_may_close_under_each_other(tmp_path):
    one, two = sg.Tracker(tmp_path), sg.Tracker(tmp_path)
    for tracker in (one, two):
        tracker.set_experiment("e")
    run_id = two.start_run()
    for step in range(6):
        two.record("loss", step, step)
        if step % 2:
            one.start_run()
            one.record("loss", 9.0, 0)
            one.close()
        assert two.summary()["loss"]["n"] == step + 1
    two.end_run()
    assert series(two, run_id, "loss") == [(step, float(step)) for step in range(6)]
    assert two.get_run(run_id).status == "completed"
    assert [run.status for run in two.get_all_runs()].count("running") == 3
    two.close()


def test_a_closed_tracker_leaves_one_file_and_opens_again(tracker, tmp_path):
    run_id = tracker.start_run()
    tracker.record("loss", 1.0, 0)
    tracker.close()
    assert tracker.current_run_id is None
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["e.db", "lock"]
    assert series(tracker, run_id, "loss") == [(0, 1.0)]
    assert tracker.get_run(run_id).status == "running"
    tracker.start_run()


def test_large_segments_are_given_back_between_runs(tracker, tmp_path, monkeypatch):
    monkeypatch.setattr("tracking.recorder._ROTATE_FROM_BYTES", 1_000)
    run_ids = []
    for _ in range(3):
        with tracker.run() as run_id:
            run_ids.append(run_id)
            for step in range(100):
                tracker.record("loss", step, step)
        assert not list(tmp_path.rglob("*.segment"))
    assert [tracker.get_run(run_id).num_records for run_id in run_ids] == [[100]] * 3
    with closing(sqlite3.connect(tmp_path / "e.db")) as connection:
        assert connection.execute("SELECT * FROM segments").fetchall() == []


def test_an_interrupted_drain_neither_loses_nor_doubles(tracker, monkeypatch):
    run_id = tracker.start_run()
    recorder = tracker._recorder
    store = recorder.db.append

    def stored_and_interrupted(drained, **how):
        store(drained, **how)
        raise KeyboardInterrupt

    tracker.record("loss", 1.0, 0)
    monkeypatch.setattr(recorder.db, "append", stored_and_interrupted)
    with pytest.raises(KeyboardInterrupt):
        tracker.get_all_runs()
    monkeypatch.undo()
    tracker.record("loss", 2.0, 1)
    tracker.end_run()
    assert series(tracker, run_id, "loss") == [(0, 1.0), (1, 2.0)]


# Histograms, images, texts, graphs


class Tensor:
    """Carries the six attributes of a tensor of the original."""

    def __init__(self, label, shape, oper=None, prev=()):
        self.label, self.shape, self.oper, self.prev = label, shape, oper, set(prev)
        self.comp_grad, self.is_leaf = True, oper is None


def test_histograms_images_and_texts_are_read_back_by_name_and_step(tracker):
    run_id = tracker.start_run()
    tracker.histogram("w", np.array([[0.0, 1.0], [NAN, 0.5]], dtype=np.float32), 1, bins=2)
    tracker.histogram("w", [1.0] * 3, 0)
    tracker.image("digit", np.array([[[0.0, 0.5, 2.0]]]), 0)
    tracker.text("note", "", 0)
    tracker.text("note", "ünï\0code " * 1_000, 1)
    db = tracker.db_manager
    first, second = db.get_histograms(run_id)["w"]
    assert (first["step"], sum(first["bucket_counts"]), len(first["bucket_edges"])) == (0, 3, 31)
    assert second["bucket_edges"] == [0.0, 0.5, 1.0]
    assert (second["bucket_counts"], second["n_non_finite"]) == ([1, 2], 1)
    (image,) = db.get_images(run_id)["digit"]
    assert (image["width"], image["height"], image["channels"]) == (1, 1, 3)
    assert image["data_b64"] == "AH//"
    assert [text["content"] for text in db.get_texts(run_id)["note"]] == [
        "",
        "ünï\0code " * 1_000,
    ]


def test_a_run_keeps_all_its_graphs(tracker):
    run_id = tracker.start_run()
    leaf = Tensor("x", (2, 3))
    result = Tensor("y", (2, 3), "relu", [leaf])
    first = tracker.save_comp_graph(result)
    tracker.end_run()
    second = tracker.save_comp_graph(leaf, run_id)
    stored = tracker.get_comp_graph(first)
    assert stored | sg._build_graph_data(result) == stored
    graphs = tracker.get_comp_graphs(run_id)
    assert [found["id"] for found in graphs] == [first, second]
    assert [len(found["graph"]["nodes"]) for found in graphs] == [3, 1]
    assert all(found["created_at"] > 1.7e9 for found in graphs)
    assert tracker.get_comp_graph(second + 1) is None
    json.dumps(graphs, allow_nan=False)


@pytest.mark.parametrize(
    ("method", "arguments", "argument"),
    [
        ("image", ("a", np.zeros(3), 0), "image_data"),
        ("image", ("a", np.zeros((2, 2, 5)), 0), "image_data"),
        ("image", ("a", np.zeros((0, 2)), 0), "image_data"),
        ("image", ("a", "pixels", 0), "image_data"),
        ("image", ("", np.zeros((2, 2)), 0), "name"),
        ("image", ("a", np.zeros((2, 2)), 0.5), "step"),
        ("histogram", ("a", ["x"], 0), "tensor"),
        ("histogram", ("a", [1.0], 0, 0), "bins"),
        ("histogram", ("a\0", [1.0], 0), "name"),
        ("histogram", ("a", [1.0], None), "step"),
        ("text", ("a", b"bytes", 0), "content"),
        ("text", ("a", "\udc00", 0), "content"),
        ("text", (None, "a", 0), "name"),
        ("text", ("a", "a", 2**63), "step"),
        ("save_comp_graph", (object(),), "tensor"),
        ("end_run", ("bogus",), "status"),
        ("end_run", ("running",), "status"),
        ("end_run", (None,), "status"),
        ("config", (), None),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name_and_leaves_no_trace(
    tracker, method, arguments, argument
):
    run_id = tracker.start_run()
    before = dump(tracker.cur_exp_path)
    if method == "config":
        with pytest.raises(sg.InvalidArgumentError):
            tracker.config(bad={1, object()})
    else:
        with pytest.raises(sg.InvalidArgumentError) as caught:
            getattr(tracker, method)(*arguments)
        assert caught.value.argument == argument
    assert dump(tracker.cur_exp_path) == before
    assert tracker.current_run_id == run_id


@pytest.mark.parametrize("name", ["outcome", "phase", "ended_by", "verdict"])
@pytest.mark.parametrize("text", ["\ud800", 7, ""])
def test_how_a_run_ended_is_text(tracker, name, text):
    run_id = tracker.start_run()
    with pytest.raises(sg.InvalidArgumentError) as caught:
        tracker.end_run(**{name: text})
    assert caught.value.argument == name
    assert tracker.current_run_id == run_id


# What needs a run or an experiment

NEED_ACTIVE_RUN = {
    "record": ("loss", 1.0, 0),
    "log": ({"loss": 1.0}, 0),
    "histogram": ("w", [1.0], 0),
    "image": ("i", [[1]], 0),
    "text": ("t", "x", 0),
    "save_comp_graph": (Tensor("x", ()),),
    "summary": (),
    "end_run": (),
    "config": (),
}
NEED_KNOWN_RUN = {
    "delete_run": (),
    "get_metrics": (),
    "get_records": ("loss",),
    "get_results": (),
    "get_comp_graphs": (),
    "summary": (),
}


@pytest.mark.parametrize("method", NEED_ACTIVE_RUN)
def test_without_an_active_run_the_call_says_to_start_one(tracker, method):
    with pytest.raises(sg.NoActiveRunError, match="start_run"):
        getattr(tracker, method)(*NEED_ACTIVE_RUN[method])
    with tracker.run():
        pass
    before = dump(tracker.cur_exp_path)
    with pytest.raises(sg.NoActiveRunError, match="start_run"):
        getattr(tracker, method)(*NEED_ACTIVE_RUN[method])
    assert dump(tracker.cur_exp_path) == before


@pytest.mark.parametrize("run_id", [99, 0, -1, 2**70])
@pytest.mark.parametrize("method", NEED_KNOWN_RUN)
def test_an_unknown_run_is_named(tracker, method, run_id):
    tracker.start_run()
    before = dump(tracker.cur_exp_path)
    with pytest.raises(sg.RunNotFoundError, match=f"no run {run_id} in .*e.db") as caught:
        getattr(tracker, method)(run_id, *NEED_KNOWN_RUN[method])
    assert isinstance(caught.value, LookupError)
    assert dump(tracker.cur_exp_path) == before
    assert tracker.get_run(run_id) is None
    with pytest.raises(sg.RunNotFoundError):
        tracker.save_comp_graph(Tensor("x", ()), run_id)


@pytest.mark.parametrize("run_id", ["1", 1.0, True, b"1"])
@pytest.mark.parametrize("method", [*NEED_KNOWN_RUN, "get_run", "get_comp_graph"])
def test_what_is_no_run_id_is_refused(tracker, method, run_id):
    tracker.start_run()
    with pytest.raises(sg.InvalidArgumentError) as caught:
        getattr(tracker, method)(run_id, *NEED_KNOWN_RUN.get(method, ()))
    assert caught.value.argument == ("graph_id" if method == "get_comp_graph" else "run_id")


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("start_run", ()),
        ("get_all_runs", ()),
        ("get_run", (1,)),
        ("get_comp_graph", (1,)),
        *[(name, (1, *rest)) for name, rest in NEED_KNOWN_RUN.items()],
    ],
)
def test_without_an_experiment_the_call_says_to_choose_one(tmp_path, method, arguments):
    tracker = sg.Tracker(tmp_path)
    with pytest.raises(sg.NoExperimentError, match="set_experiment"):
        getattr(tracker, method)(*arguments)
    assert (tracker.cur_exp_path, tracker.db_manager) == (None, None)
    assert list(tmp_path.iterdir()) == []


def test_a_metric_nobody_recorded_has_no_records(tracker):
    run_id = tracker.start_run()
    assert tracker.get_records(run_id, "loss") == []
    assert tracker.get_results(run_id) == {}
    assert tracker.summary() == {}


def test_a_run_whose_end_cannot_be_stored_is_over_and_is_ended_when_it_can(
    tracker, tmp_path, monkeypatch
):
    monkeypatch.setattr("tracking.connection.BUSY_TIMEOUT_S", 0.05)
    run_id = tracker.start_run()
    tracker.record("loss", 1.0, 0)
    lock = os.open(tmp_path / "e.journal" / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        with pytest.raises(sg.StoreBusyError, match="in use"):
            tracker.end_run("failed", outcome="mine")
        assert tracker.current_run_id is None
        with pytest.raises(sg.StoreBusyError):
            tracker.start_run()
        assert tracker.current_run_id is None
    finally:
        os.close(lock)
    tracker.close()
    run = tracker.get_run(run_id)
    assert (run.status, run.outcome, run.num_records) == ("failed", "mine", [1])
    assert tracker.summary(run_id)["loss"]["last"] == 1.0
