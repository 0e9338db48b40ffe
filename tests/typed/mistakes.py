"""Mistakes that users make, each of which mypy and pyright have to find. Never imported.

A comment that ignores an error where there is none is an error itself, for both of them.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import assert_never

import tracking
from tracking import Direction, ExperimentDBManager, RunInfo, SummaryWriter, Tracker, Verdict


def values(tracker: Tracker) -> None:
    tracker.record("loss", "0.5", 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tracker.record("loss", 0.5, 1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tracker.record("loss", 0.5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    tracker.record("loss", 1j, 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tracker.record(1, 0.5, 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tracker.log(["loss"], 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tracker.log({"loss": "0.5"}, 0)  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
    tracker.text("samples", b"bytes", 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tracker.expect("loss", "<", "0.5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def runs(tracker: Tracker) -> None:
    tracker.start_run("baseline", ["lr", 0.1])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tracker.start_run("baseline", params={"lr": 0.1})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    tracker.end_run(verdict=Verdict.WITHIN, durable=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with tracker.run() as run:
        str(run.name)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    with tracker.run("baseline", {"lr": 0.1}, is_lazy=True):  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        tracker.summarize()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    str(tracker.get_run(1).name)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    tracker.db_manager.close()  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    tracker.get_records("1", "loss")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tracker.current_run_id = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def read(run: RunInfo, db: ExperimentDBManager) -> None:
    str(run.metric)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    len(run.metrics)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    db.record(1, "loss", 0.5, 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    db.save_image(1, "digit", 0, 1, 1, 1, [0])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    summary = db.read_summaries(1)["loss"]
    str(summary.median)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    str(summary.mean + 1)  # type: ignore[operator]  # pyright: ignore[reportOptionalOperand]
    summary.mean = 0.5  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def written(writer: SummaryWriter) -> None:
    writer.add_video("clip", [], 0)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    writer.add_scalar("loss")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def names() -> None:
    tracking.Trackr()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    str(Verdict.WORSE)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def colour(verdict: Verdict) -> str:
    match verdict:
        case Verdict.IDENTICAL | Verdict.WITHIN:
            return "green"
        case _:
            assert_never(verdict)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def arrow(direction: Direction) -> str:  # type: ignore[return]  # pyright: ignore[reportReturnType]
    match direction:  # pyright: ignore[reportMatchNotExhaustive]
        case Direction.LOWER:
            return "down"
        case Direction.HIGHER:
            return "up"
