"""The callback for XGBoost, against XGBoost."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("default", "error::tracking.TrackingWarning"),
]

X = np.random.default_rng(0).normal(size=(120, 3))
Y = (X[:, 0] > 0).astype(int)
PARAMS = {"objective": "binary:logistic", "eta": 0.1, "max_depth": 2, "subsample": 0.75}


def curve(values):
    return [(step, float(value)) for step, value in enumerate(values)]


@pytest.fixture
def xgboost():
    import xgboost

    return xgboost


@pytest.fixture
def data(xgboost):
    return xgboost.DMatrix(X, Y)


def test_the_metrics_of_every_round_are_recorded(xgboost, data, tracker):
    found = {}
    xgboost.train(
        PARAMS | {"eval_metric": ["logloss", "auc"]},
        data,
        5,
        evals=[(data, "train"), (xgboost.DMatrix(X[:30], Y[:30]), "valid")],
        evals_result=found,
        verbose_eval=False,
        callbacks=[tracker.callback("xgboost")],
    )
    assert tracker.metrics() == {"train/logloss", "train/auc", "valid/logloss", "valid/auc"}
    for name in tracker.metrics():
        data_name, metric = name.split("/")
        assert tracker.series(name) == curve(found[data_name][metric])
    assert tracker.params() == {}


def test_cross_validation_gives_means_and_deviations(xgboost, data, tracker):
    histories = xgboost.cv(
        PARAMS, data, 3, nfold=3, as_pandas=False, callbacks=[tracker.callback("xgboost")]
    )
    assert tracker.series("train/logloss") == curve(histories["train-logloss-mean"])
    assert tracker.series("test/logloss_std") == curve(histories["test-logloss-std"])


def test_early_stopping_is_not_disturbed(xgboost, data, tracker):
    worse = xgboost.DMatrix(X, 1 - Y)
    how = {"evals": [(worse, "valid")], "early_stopping_rounds": 2, "verbose_eval": False}
    alone = xgboost.train(PARAMS, data, 10, **how)
    booster = xgboost.train(PARAMS, data, 10, **how, callbacks=[tracker.callback("xgboost")])
    assert booster.best_iteration == alone.best_iteration
    assert len(tracker.series("valid/logloss")) == 3


def test_estimators_take_it_and_can_be_copied_and_stored_with_it(xgboost, tracker):
    from sklearn.base import clone

    callback = tracker.callback("xgboost")
    original = xgboost.XGBClassifier(n_estimators=3, max_depth=2, callbacks=[callback])
    estimator = clone(original).fit(X, Y, eval_set=[(X, Y)], verbose=False)
    expected = estimator.evals_result()["validation_0"]["logloss"]
    assert tracker.series("validation_0/logloss") == curve(expected)
    restored = pickle.loads(pickle.dumps(estimator))
    assert (restored.predict(X) == estimator.predict(X)).all()


@pytest.mark.parametrize("method", ["train", "cv"])
def test_parameters_are_recorded_when_asked_for(method, xgboost, data, tracker):
    callback = tracker.callback("xgboost", log_params=True)
    getattr(xgboost, method)(PARAMS, data, 1, callbacks=[callback])
    params = tracker.params()
    assert PARAMS.items() <= params.items()
    assert params["lambda"] == 1
    assert "num_trees" not in params


def test_a_metric_that_is_nan_is_recorded(xgboost, data, tracker):
    xgboost.train(
        PARAMS | {"disable_default_eval_metric": True},
        data,
        2,
        evals=[(data, "train")],
        custom_metric=lambda *_: ("mine", float("nan")),
        verbose_eval=False,
        callbacks=[tracker.callback("xgboost")],
    )
    assert str(tracker.series("train/mine")) == "[(0, nan), (1, nan)]"


def test_the_example_of_the_document_works(xgboost, run_example):
    run_example("XGBoost")
