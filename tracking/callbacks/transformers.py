"""Callback for the Trainer of Hugging Face Transformers."""

# ruff: noqa: ARG002  # hooks take what their framework hands to them

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracking.callbacks.recording import FrameworkCallback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracking.tracker import Tracker

# They name places, which differ from run to run.
_PLACES = frozenset({"output_dir", "logging_dir", "run_name"})


class Callback(FrameworkCallback):
    """Records what the trainer logs, for `Trainer(callbacks=[...])`.

    The names are those in the trainer's own charts: `loss` is recorded as `train/loss`, `eval_loss`
    as `eval/loss`, `test_loss` as `test/loss`. The step is the trainer's `global_step`. `epoch`,
    which every entry of its log repeats, is left out.

    Args:
        tracker: records into its active run.
        log_params: add the settings of the model and the training arguments to the config; where
            both have one of a name, the arguments'.
        speed: record run times and samples and steps per second too. They tell about the machine,
            and a run on another one would look worse or better for them.
    """

    framework = "transformers"

    def __init__(self, tracker: Tracker, *, log_params: bool = False, speed: bool = False) -> None:
        super().__init__(tracker, log_params=log_params)
        self._speed = speed

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        """Add the hyper-parameters to the config, if asked to."""
        if self._recording.log_params and state.is_world_process_zero:
            of_model = getattr(model, "config", None)
            settings = of_model.to_dict() if of_model is not None else {}
            settings |= args.to_sanitized_dict()
            kept = {name: value for name, value in settings.items() if name not in _PLACES}
            self._recording.config(kept)

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Record an entry of the log."""
        if state.is_world_process_zero:
            kept = {
                chart_name(name): value
                for name, value in (logs or {}).items()
                if name != "epoch" and (self._speed or not _is_speed(name))
            }
            self._recording.log(kept, state.global_step)


def chart_name(name: str) -> str:
    """Return what the trainer's charts call an entry of its log.

    >>> chart_name("loss"), chart_name("eval_loss"), chart_name("test_accuracy")
    ('train/loss', 'eval/loss', 'test/accuracy')
    """
    phase, separator, rest = name.partition("_")
    return f"{phase}/{rest}" if separator and phase in ("eval", "test") else f"train/{name}"


def _is_speed(name: str) -> bool:
    return name.endswith(("_runtime", "_per_second"))
