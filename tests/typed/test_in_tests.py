"""Tests as users write them: run here, and checked by mypy and pyright as theirs are."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, assert_type

import numpy as np
import pytest

from tracking import BoundError, RecordInfo, SummaryWriter, Tracker

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.sg_track(rel=0.02)


@pytest.mark.sg_track("loss", direction="lower", rel=0.1, statistics=["last", "min"])
@pytest.mark.sg_track("grad_norm", direction="both", abs=1e-6, floor=0.01)
@pytest.mark.parametrize("lr", [0.1, 0.01])
def test_training(tracker: Tracker, sg_seed: int, lr: float) -> None:
    noise = random.Random(sg_seed)
    hparams = tracker.config(lr=lr, optimizer="sgd")
    assert_type(hparams, dict[str, Any])
    for step in range(10):
        tracker.record("loss", 1 / (step + 1) + noise.gauss(0, 0.01), step)
        tracker.log({"grad_norm": 0.5, "lr": lr}, step=step)
    tracker.expect("loss", "<", 0.5)
    summary = tracker.summary()
    assert_type(summary, dict[str, dict[str, Any]])
    assert summary["loss"]["n"] == 10


@pytest.mark.sg_track(key="digits", graph="off")
class TestDigits:
    def test_numbers_of_numpy_are_numbers(self, sg_tracker: Tracker) -> None:
        losses = np.array([1.0, 0.5], dtype=np.float32)
        for step, loss in zip(np.arange(2), losses, strict=True):
            sg_tracker.record("loss", loss, step)
        sg_tracker.record("loss", losses.mean(), 2)
        sg_tracker.log({"loss": np.float32(0.25), "n_correct": np.int64(3), "epoch": 3}, 3)
        sg_tracker.histogram("weights", losses, step=3, bins=10)
        sg_tracker.image("digit", np.zeros((28, 28), dtype=np.uint8), step=3)
        sg_tracker.text("note", "converged", step=3)
        run_id = sg_tracker.current_run_id
        assert_type(run_id, int | None)
        assert run_id is not None
        records = sg_tracker.get_records(run_id, "loss")
        assert_type(records, list[RecordInfo])
        assert_type(records[0].step, int)
        assert_type(records[0].value, float)
        assert [record.value for record in records] == [1.0, 0.5, 0.75, 0.25]


def test_a_child_run(tracker: Tracker) -> None:
    with tracker.run("fold 0", {"fold": 0}) as run_id:
        assert_type(run_id, int)
        tracker.record("loss", 0.5, step=0)
    assert_type(tracker.active_runs, tuple[str, ...])
    assert len(tracker.active_runs) == 1


def test_what_writes_for_tensorboard(sg_summary_writer: SummaryWriter, tracker: Tracker) -> None:
    with sg_summary_writer as writer:
        assert_type(writer, SummaryWriter)
        writer.add_scalar("train/loss", 0.5, global_step=0)
        writer.add_scalars("acc", {"train": 0.9, "valid": 0.8}, 0)
        writer.add_histogram("weights", np.zeros(3), 0)
        writer.add_hparams({"lr": 0.1}, {"best": 0.9})
    assert "train/loss" in tracker.summary()


def test_a_bound_is_an_assertion_in_a_script(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path)
    tracker.set_experiment("mnist")
    with tracker.run():
        tracker.record("loss", 0.5, step=0)
        with pytest.raises(BoundError, match="loss: min has to be") as caught:
            tracker.expect("loss", "<", np.float64(0.1), statistic="min")
    assert_type(caught.value, BoundError)
    assert isinstance(caught.value, AssertionError)
    tracker.close()
