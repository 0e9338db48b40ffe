"""Callback for LightGBM."""

from __future__ import annotations

from typing import Any

from tracking.callbacks.recording import FrameworkCallback


class Callback(FrameworkCallback):
    """Records the metrics of the evaluation sets, for `train`, `cv` and `fit(callbacks=[...])`.

    `binary_logloss` of the set `valid_0` is recorded as `valid_0/binary_logloss`, with the number
    of the boosting round as step; `cv` gives its standard deviation over the folds beside it, as
    `valid/binary_logloss_std`.

    Args:
        tracker: records into its active run.
        log_params: add the parameters that LightGBM was told to the config.
    """

    framework = "lightgbm"

    def __call__(self, env: Any) -> None:
        """Record the metrics of a boosting round."""
        if self._recording.log_params and env.iteration == env.begin_iteration:
            self._recording.config(env.params)
        metrics = {}
        for data, metric, value, _, *more in env.evaluation_result_list or ():
            metrics[f"{data}/{metric}"] = value
            metrics |= {f"{data}/{metric}_std": std for std in more if std is not None}
        self._recording.log(metrics, env.iteration)
