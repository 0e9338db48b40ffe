"""Callback for Lightning, as the package `lightning` and as `pytorch_lightning`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracking.callbacks.recording import FrameworkCallback

if TYPE_CHECKING:
    from tracking.tracker import Tracker


class Callback(FrameworkCallback):
    """Records what modules `log`, for `Trainer(callbacks=[...])`.

    These are the trainer's `logged_metrics`, which its loggers get too, but of every step whatever
    its `log_every_n_steps`: `train_loss`, or `train_loss_step` and `train_loss_epoch` of one that
    is logged both ways. A value is recorded once, when it is new. The step is the number of the
    optimizer step it was found after, from 0.

    Args:
        tracker: records into its active run.
        log_params: add what the module has saved as its `hparams` to the config.
    """

    framework = "lightning"

    def __init__(self, tracker: Tracker, *, log_params: bool = False) -> None:
        super().__init__(tracker, log_params=log_params)
        self._last: dict[str, Any] = {}  # keeps each tensor, so that no new one gets its memory

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Add the module's hyper-parameters to the config, if asked to."""
        if self._recording.log_params and trainer.is_global_zero:
            self._recording.config(pl_module.hparams)

    def _record_new(self, trainer: Any, *_: Any) -> None:
        # Reading may compute what all processes have to compute together: so each of them reads.
        metrics = trainer.logged_metrics
        new = {name: value for name, value in metrics.items() if not self._is_known(name, value)}
        self._last |= new
        if new and trainer.is_global_zero and not trainer.sanity_checking:
            self._recording.log(new, max(trainer.global_step - 1, 0))

    def _is_known(self, name: str, tensor: Any) -> bool:
        # The trainer keeps showing old values, each time as another view of the same memory.
        return name in self._last and self._last[name].data_ptr() == tensor.data_ptr()

    # A callback's hook comes before the module's of the same name, which may log as well: that is
    # recorded at the next hook, before the number of the step moves on.
    on_train_batch_start = _record_new
    on_train_batch_end = _record_new
    on_train_epoch_end = _record_new
    on_train_end = _record_new
    on_validation_batch_end = _record_new
    on_validation_end = _record_new
    on_test_batch_end = _record_new
    on_test_end = _record_new
