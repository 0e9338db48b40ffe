"""Callback for Keras."""

# ruff: noqa: ARG002  # hooks take what their framework hands to them

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracking.callbacks.recording import FrameworkCallback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracking.tracker import Tracker


class Callback(FrameworkCallback):
    """Records what `fit` and `evaluate` report, for `fit(callbacks=[...])`.

    `loss`, `val_loss` and the model's other metrics are recorded per epoch under Keras's own names,
    with the number of the epoch as step. What `evaluate` finds is called `test_loss` and so on,
    with the number of epochs trained so far as step.

    Args:
        tracker: records into its active run.
        log_params: add what `fit` was told and the optimizer's settings to the config.
        per_batch: record `batch/loss` and so on too, with the number of the batch since this
            callback was made as step. Keras reports means over the epoch so far.
    """

    framework = "keras"

    if TYPE_CHECKING:  # set by Keras
        model: Any
        params: dict[str, Any]

    def __init__(
        self, tracker: Tracker, *, log_params: bool = False, per_batch: bool = False
    ) -> None:
        super().__init__(tracker, log_params=log_params)
        self._per_batch = per_batch
        self._is_fitting = False
        self._n_batches = 0
        self._n_epochs = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Note that `fit` runs, which evaluates too, and what it was told."""
        self._is_fitting = True
        if self._recording.log_params:
            settings = {name: self.params.get(name) for name in ("epochs", "steps")}
            optimizer = self.model.optimizer
            # Its own name is numbered in the order optimizers were made in this process.
            settings["optimizer"] = optimizer.get_config() | {"name": type(optimizer).__name__}
            self._recording.config(settings | {"loss": self.model.loss})

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Note that `fit` is over."""
        self._is_fitting = False

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record the metrics of a batch, if asked to."""
        if self._per_batch:
            metrics = {f"batch/{name}": value for name, value in (logs or {}).items()}
            self._recording.log(metrics, self._n_batches)
        self._n_batches += 1

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record the metrics of an epoch."""
        self._n_epochs = epoch + 1
        self._recording.log(logs or {}, epoch)

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Record what `evaluate` found; what `fit` finds comes with its epoch."""
        if not self._is_fitting:
            metrics = {f"test_{name}": value for name, value in (logs or {}).items()}
            self._recording.log(metrics, self._n_epochs)
