"""Callback for XGBoost."""

# ruff: noqa: ARG002  # hooks take what their framework hands to them

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracking.callbacks.recording import FrameworkCallback

if TYPE_CHECKING:
    from collections.abc import Mapping


class Callback(FrameworkCallback):
    """Records the metrics of the evaluation sets, for `train`, `cv` and estimators (`callbacks=`).

    `logloss` of the set `train` is recorded as `train/logloss`, with the number of the boosting
    round as step; `cv` gives its standard deviation over the folds beside it, as
    `train/logloss_std`.

    Args:
        tracker: records into its active run.
        log_params: add all parameters, those that XGBoost has filled in too, to the config.
    """

    framework = "xgboost"

    def before_training(self, model: Any) -> Any:
        """Add the parameters to the config, if asked to."""
        if self._recording.log_params:
            folds = getattr(model, "cvfolds", None)
            booster = folds[0].bst if folds else model
            self._recording.config(parameters(json.loads(booster.save_config())))
        return model

    def after_iteration(
        self,
        model: Any,
        epoch: int,
        evals_log: Mapping[str, Mapping[str, Any]],
    ) -> bool:
        """Record the metrics of a boosting round; never stop for it."""
        metrics = {}
        for data, curves in evals_log.items():
            for metric, curve in curves.items():
                value, *std = curve[-1] if isinstance(curve[-1], tuple) else (curve[-1],)
                metrics[f"{data}/{metric}"] = value
                metrics |= {f"{data}/{metric}_std": spread for spread in std}
        self._recording.log(metrics, epoch)
        return False


def parameters(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters in a booster's configuration, by their names.

    >>> parameters({"learner": {"tree_train_param": {"eta": "0.100000001", "max_depth": "6"}}})
    {'eta': 0.1, 'max_depth': 6}
    """
    found: dict[str, Any] = {}
    for name, content in config.items():
        if name.endswith("_param") and not name.endswith("_model_param"):
            found |= {parameter: _parsed(text) for parameter, text in content.items()}
        elif isinstance(content, dict):
            found |= parameters(content)
    return found


def _parsed(text: str) -> Any:
    import numpy as np

    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(str(np.float32(text)))  # XGBoost keeps them in 32 bits: 0.1 as 0.100000001
    except ValueError:
        return text
