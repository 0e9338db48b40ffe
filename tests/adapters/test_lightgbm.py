"""The callback for LightGBM, against LightGBM."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("default", "error::tracking.TrackingWarning"),
]

X = np.random.default_rng(0).normal(size=(200, 3))
Y = (X[:, 0] > 0).astype(int)
PARAMS = {"objective": "binary", "learning_rate": 0.05, "verbose": -1}


def curve(values):
    return [(step, float(value)) for step, value in enumerate(values)]


@pytest.fixture
def lightgbm():
    import lightgbm

    return lightgbm


def test_the_metrics_of_every_round_are_recorded(lightgbm, tracker):
    found = {}
    data = lightgbm.Dataset(X, Y)
    lightgbm.train(
        PARAMS | {"metric": ["auc", "binary_logloss"]},
        data,
        4,
        valid_sets=[data],
        valid_names=["train"],
        callbacks=[tracker.callback("lightgbm"), lightgbm.record_evaluation(found)],
    )
    assert tracker.metrics() == {"train/auc", "train/binary_logloss"}
    for metric, values in found["train"].items():
        assert tracker.series(f"train/{metric}") == curve(values)
    assert tracker.params() == {}


def test_cross_validation_gives_means_and_deviations(lightgbm, tracker):
    callback = tracker.callback("lightgbm")
    found = lightgbm.cv(PARAMS, lightgbm.Dataset(X, Y), 3, nfold=2, callbacks=[callback])
    assert tracker.series("valid/binary_logloss") == curve(found["valid binary_logloss-mean"])
    assert tracker.series("valid/binary_logloss_std") == curve(found["valid binary_logloss-stdv"])


def test_early_stopping_is_not_disturbed(lightgbm, tracker):
    estimator = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1)
    callbacks = [tracker.callback("lightgbm"), lightgbm.early_stopping(2, verbose=False)]
    estimator.fit(X, Y, eval_set=[(X, 1 - Y)], callbacks=callbacks)
    (losses,) = estimator.evals_result_.values()
    assert tracker.series("valid_0/binary_logloss") == curve(losses["binary_logloss"])
    assert len(losses["binary_logloss"]) == 3


def test_parameters_are_recorded_when_asked_for(lightgbm, tracker):
    data = lightgbm.Dataset(X, Y)
    callbacks = [tracker.callback("lightgbm", log_params=True)]
    lightgbm.train(PARAMS, data, 2, callbacks=callbacks)
    assert PARAMS.items() <= tracker.params().items()


def test_the_example_of_the_document_works(lightgbm, run_example):
    run_example("LightGBM")
