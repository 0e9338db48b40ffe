"""Scripts as users write them: run here, and checked by mypy and pyright as theirs are."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never, assert_type

import pytest

import tracking as sg
from tracking import (
    Bound,
    Direction,
    ExperimentDBManager,
    InvalidArgumentError,
    NoActiveRunError,
    RecordInfo,
    Recovery,
    RunInfo,
    RunNotFoundError,
    Status,
    StoreError,
    Summary,
    Tracker,
    TrackingError,
    Verdict,
    _build_graph_data,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    tracker = Tracker(tmp_path)
    tracker.set_experiment("mnist")
    return tracker


def train(tracker: Tracker, lr: float) -> int:
    with tracker.run(f"lr={lr}", {"lr": lr, "betas": (0.9, 0.999)}) as run_id:
        for step in range(3):
            tracker.record("loss", lr / (step + 1), step)
    return run_id


def test_runs_are_read_back(tracker: Tracker) -> None:
    first, second = train(tracker, 0.1), train(tracker, 0.2)
    assert_type(tracker.get_all_runs(), list[RunInfo])
    assert_type(tracker.get_metrics(first), list[str])
    assert_type(tracker.get_results(first), dict[str, list[RecordInfo]])
    assert_type(tracker.get_all_exp_paths(), list[Path])
    assert_type(tracker.cur_exp_path, Path | None)
    run = tracker.get_run(second)
    assert_type(run, RunInfo | None)
    assert run is not None
    assert_type(run.config, dict[str, Any])
    assert_type(run.metrics, list[str] | None)
    assert_type(run.num_records, list[int] | None)
    assert_type(run.duration_s, float | None)
    assert Status(run.status) is Status.COMPLETED
    best = min(tracker.get_all_runs(), key=lambda run: last_loss(tracker, run))
    assert best.run_id == first
    tracker.close()


def last_loss(tracker: Tracker, run: RunInfo) -> float:
    return tracker.get_records(run.run_id, "loss")[-1].value


def test_both_spellings_of_the_page(tracker: Tracker) -> None:
    run_id = tracker.start_run(run_name="baseline", hparams={"lr": 0.01, "batch_size": 32})
    assert_type(run_id, int)
    for epoch in range(2):
        tracker.log({"train_loss": 0.5}, step=epoch)
    assert_type(tracker.end_run(), int)
    assert tracker.start_run("baseline", {"lr": 0.01}) != run_id
    tracker.end_run("failed", ended_by="interrupted")
    tracker.close()


def test_the_database_by_itself(tmp_path: Path) -> None:
    with closing(ExperimentDBManager(tmp_path / "mnist.db")) as db:
        run_id = db.create_run("baseline", {"lr": 0.01})
        db.record(run_id, "loss", step=0, value=0.5)
        db.save_text(run_id, "log", 0, "converged")
        db.save_histogram(run_id, "weights", 0, [0.0, 1.0], [3])
        db.update_run_status(run_id, "completed")
        assert_type(db.get_records(run_id, "loss"), list[RecordInfo])
        assert_type(db.get_metric_summary(run_id), dict[str, dict[str, Any]])
        assert_type(db.read_summaries(run_id), dict[str, Summary])
        assert_type(db.get_texts(run_id), dict[str, list[dict[str, Any]]])
        assert_type(db.get_comp_graph(1), dict[str, Any] | None)
        summary = db.read_summaries(run_id)["loss"]
        assert_type(summary.n, int)
        assert_type(summary.mean, float | None)
        assert_type(summary.last, float)
        assert Bound.checked("loss", "<", 1, "last").problem(summary) == ""
        for name, part in db.iter_records(run_id):
            assert_type(name, str)
            assert_type(part, list[RecordInfo])
        assert_type(sg.recover(db), Recovery)
    reader = ExperimentDBManager(tmp_path / "mnist.db", is_read_only=True)
    assert_type(reader.can_write(), bool)
    assert not reader.can_write()
    reader.close()


def is_red(verdict: Verdict) -> bool:
    match verdict:
        case Verdict.IDENTICAL | Verdict.WITHIN | Verdict.IMPROVED | Verdict.NEW_METRIC:
            return False
        case Verdict.NO_BASELINE | Verdict.UNDERPOWERED | Verdict.NOT_COMPARABLE:
            return False
        case Verdict.REGRESSED | Verdict.NON_FINITE | Verdict.MISSING_METRIC | Verdict.TRUNCATED:
            return True
        case Verdict.BOUND_FAILED | Verdict.GRAPH_CHANGED | Verdict.UNREADABLE_BASELINE:
            return True
        case Verdict.INCOMPLETE:
            return False
        case _:
            assert_never(verdict)


def test_a_verdict_is_read_from_a_run(tracker: Tracker) -> None:
    tracker.start_run()
    run = tracker.get_run(tracker.end_run(verdict=Verdict.REGRESSED))
    assert run is not None
    assert_type(run.verdict, str | None)
    assert run.verdict is not None
    assert is_red(Verdict(run.verdict))
    assert not is_red(Verdict.WITHIN)
    tracker.close()


def worst_first(direction: Direction, values: list[float]) -> list[float]:
    match direction:
        case Direction.LOWER:
            return sorted(values, reverse=True)
        case Direction.HIGHER:
            return sorted(values)
        case Direction.BOTH:
            return values
        case _:
            assert_never(direction)


def test_directions_are_closed() -> None:
    assert worst_first(Direction.LOWER, [1.0, 2.0]) == [2.0, 1.0]
    assert worst_first(Direction("higher"), [2.0, 1.0]) == [1.0, 2.0]


def explained(error: TrackingError) -> str:
    match error:
        case InvalidArgumentError():
            assert_type(error.argument, str)
            return f"{error.argument} is wrong"
        case RunNotFoundError():
            return f"there is no {error.run_id}"
        case NoActiveRunError():
            return "nothing runs"
        case StoreError():
            return error.strerror or str(error)
        case _:
            return str(error)


def test_errors_are_told_apart(tracker: Tracker) -> None:
    calls: list[Callable[[], None]] = [
        lambda: tracker.record("loss", 1, 0),
        lambda: tracker.delete_run(7),
        lambda: tracker.set_experiment("../mnist"),
    ]
    said: list[str] = []
    for call in calls:
        try:
            call()
        except TrackingError as error:
            said.append(explained(error))
    assert said == ["nothing runs", "there is no 7", "exp_name is wrong"]
    with tracker.run(), pytest.raises(ValueError, match="metric_name: must not be empty"):
        tracker.record("", 1, 0)
    tracker.close()


def test_a_callback_is_of_its_framework(tracker: Tracker) -> None:
    pytest.importorskip("sklearn")
    callback = tracker.callback("sklearn", log_params=True)
    assert_type(callback, Any)
    assert callable(callback.score)
    tracker.close()


@dataclass(eq=False)
class Tensor:
    label: str
    prev: tuple[Tensor, ...] = ()
    oper: str | None = None
    shape: tuple[int, ...] = ()
    comp_grad: bool = True
    is_leaf: bool = True


def test_a_graph_of_ones_own_tensors(tracker: Tracker) -> None:
    x = Tensor("x")
    y = Tensor("y", prev=(x, x), oper="mul", is_leaf=False)
    graph = _build_graph_data(y)
    assert_type(graph, dict[str, Any])
    with tracker.run() as run_id:
        graph_id = tracker.save_comp_graph(y)
    assert_type(graph_id, int)
    assert_type(tracker.get_comp_graph(graph_id), dict[str, Any] | None)
    (stored,) = tracker.get_comp_graphs(run_id)
    assert len(stored["graph"]["nodes"]) == len(graph["nodes"])
    tracker.close()


def test_reports_of_a_session(tracker: Tracker, tmp_path: Path) -> None:
    environment = sg.collect_environment(tmp_path)
    assert_type(environment, dict[str, Any])
    tracker.start_run("test_x.py::test_y", environment=environment, session="nightly")
    tracker.end_run(outcome="passed", verdict=Verdict.WITHIN)
    db = tracker.db_manager
    assert_type(db, ExperimentDBManager | None)
    assert db is not None
    report = sg.stored_report(db, "nightly")
    assert_type(report.counts, dict[Verdict, int])
    sg.write_report(report, tmp_path / "report.json")
    assert (tmp_path / "report.json").exists()
    assert_type(sg.current_device(), str)
    tracker.close()
