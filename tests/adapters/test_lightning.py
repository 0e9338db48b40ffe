"""The callback for Lightning, against Lightning, and its own logger as the reference."""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from importlib import import_module

import pytest

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("default", "error::tracking.TrackingWarning"),
]


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def lightning(request):
    """Lightning, under each of its names."""
    return import_module(request.param)


@pytest.fixture
def make(lightning):
    """Make a module that logs in every way there is; `log_now` decides at which batches."""
    import torch

    class Model(lightning.LightningModule):
        def __init__(self, width, log_now=lambda batch_idx: True):
            super().__init__()
            self.save_hyperparameters(ignore="log_now")
            self.layer = torch.nn.Linear(width, 1)
            self.log_now = log_now

        def loss(self, batch):
            return torch.nn.functional.mse_loss(self.layer(batch)[:, 0], batch.sum(axis=1))

        def training_step(self, batch, batch_idx):
            loss = self.loss(batch)
            if self.log_now(batch_idx):
                self.log("train_loss", loss, on_step=True, on_epoch=True)
                self.log("same", 0.5)
            self.log("only_epoch", loss, on_step=False, on_epoch=True)
            return loss

        def validation_step(self, batch):
            self.log("val_loss", self.loss(batch))

        def on_validation_epoch_end(self):
            self.log("val_late", float(self.global_step))

        def on_train_epoch_end(self):
            self.log("late", float(self.current_epoch))

        def test_step(self, batch):
            self.log("test_loss", self.loss(batch))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.05)

    torch.manual_seed(0)
    return Model


@pytest.fixture
def data():
    import torch

    torch.manual_seed(1)
    return torch.utils.data.DataLoader(torch.randn(20, 3), batch_size=4)


@pytest.fixture
def trainer(lightning, tmp_path, tracker):
    """Make a trainer with our callback and without any output."""

    def trainer(log_params=False, **how):
        settings = {
            "max_epochs": 3,
            "accelerator": "cpu",
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "logger": False,
            "default_root_dir": tmp_path,
            "callbacks": [tracker.callback("lightning", log_params=log_params)],
        }
        return lightning.Trainer(**settings | how)

    return trainer


def logged(csv_file):
    """Return what a CSVLogger has written, by metric."""
    series = defaultdict(list)
    with csv_file.open(newline="") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value and name not in ("step", "epoch"):
                    series[name].append((int(row["step"]), pytest.approx(float(value), rel=1e-6)))
    return series


def test_the_same_is_recorded_as_lightnings_logger_writes(
    lightning, make, data, trainer, tmp_path, tracker
):
    logger = import_module(f"{lightning.__name__}.loggers").CSVLogger(tmp_path)
    one = trainer(logger=logger, log_every_n_steps=1)
    one.fit(make(3), data, data)
    expected = logged(next(tmp_path.rglob("metrics.csv")))
    names = {"train_loss_step", "train_loss_epoch", "same", "only_epoch", "late"}
    assert tracker.metrics() == set(expected) == names | {"val_loss", "val_late"}
    for name, series in expected.items():
        assert tracker.series(name) == series, name
    assert len(tracker.series("train_loss_step")) == 15
    assert len(tracker.series("late")) == 3
    assert tracker.params() == {}


def test_every_step_is_recorded_without_a_logger(make, data, trainer, tracker):
    trainer().fit(make(3), data, data)
    assert [step for step, _ in tracker.series("train_loss_step")] == list(range(15))
    assert [step for step, _ in tracker.series("late")] == [4, 9, 14]


def test_a_value_is_recorded_once_however_long_the_trainer_shows_it(make, data, trainer, tracker):
    model = make(3, log_now=lambda batch_idx: batch_idx % 2 == 0)
    trainer().fit(model, data)
    steps = [0, 2, 4, 5, 7, 9, 10, 12, 14]
    assert [step for step, _ in tracker.series("train_loss_step")] == steps
    assert tracker.series("same") == [(step, 0.5) for step in steps]


def test_batches_whose_gradients_accumulate_share_a_step(make, data, trainer, tracker):
    trainer(max_epochs=1, accumulate_grad_batches=2).fit(make(3), data)
    assert [step for step, _ in tracker.series("train_loss_step")] == [0, 0, 0, 1, 2]


def test_validation_within_an_epoch_is_recorded_when_it_happens(make, data, trainer, tracker):
    trainer(max_epochs=1, val_check_interval=2).fit(make(3), data, data)
    assert [step for step, _ in tracker.series("val_loss")] == [1, 3]


def test_validating_and_testing_alone_is_recorded(make, data, trainer, tracker):
    one, model = trainer(), make(3)
    (validated,) = one.validate(model, data, verbose=False)
    (tested,) = one.test(model, data, verbose=False)
    assert tracker.series("val_loss") == [(0, validated["val_loss"])]
    assert tracker.series("test_loss") == [(0, tested["test_loss"])]


def test_values_of_single_batches_of_validation_and_test_are_recorded(make, data, trainer, tracker):
    class Model(make):
        def validation_step(self, batch):
            self.log("val", self.loss(batch), on_step=True, on_epoch=True)

        def test_step(self, batch):
            self.log("test", self.loss(batch), on_step=True, on_epoch=True)

    one, model = trainer(max_epochs=2), Model(3)
    one.fit(model, data, data)
    one.test(model, data, verbose=False)
    assert [step for step, _ in tracker.series("val_step")] == [4] * 5 + [9] * 5
    assert [step for step, _ in tracker.series("test_step")] == [9] * 5
    batches = [value for _, value in tracker.series("test_step")]
    assert tracker.series("test_epoch") == [(9, pytest.approx(sum(batches) / 5))]


def test_what_an_epoch_found_is_there_when_the_next_one_breaks(make, data, trainer, tracker):
    class Model(make):
        def on_train_epoch_start(self):
            if self.current_epoch == 1:
                raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        trainer().fit(Model(3), data)
    assert [step for step, _ in tracker.series("only_epoch")] == [4]


def test_parameters_are_recorded_when_asked_for(make, data, trainer, tracker):
    trainer(log_params=True, max_epochs=1).fit(make(3), data)
    assert tracker.params() == {"width": 3}


def test_the_callback_is_of_the_lightning_that_is_in_use(tracker, monkeypatch):
    old = import_module("pytorch_lightning")
    new = import_module("lightning.pytorch")
    assert isinstance(tracker.callback("lightning"), new.Callback)
    monkeypatch.delitem(sys.modules, "lightning.pytorch")
    assert isinstance(tracker.callback("lightning"), old.Callback)


def test_the_example_of_the_document_works(run_example):
    run_example("Lightning")
