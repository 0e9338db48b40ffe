"""The callback for Keras, against Keras on torch."""

from __future__ import annotations

import os

import numpy as np
import pytest

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("default", "error::tracking.TrackingWarning"),
]

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X.sum(axis=1)


def curve(values):
    return [(step, float(value)) for step, value in enumerate(values)]


@pytest.fixture
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    keras.utils.set_random_seed(0)
    return keras


@pytest.fixture
def model(keras):
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
    return model


def fit(model, *callbacks, **how):
    how = {"epochs": 3, "batch_size": 8, "validation_split": 0.25} | how
    return model.fit(X, Y, verbose=0, callbacks=list(callbacks), **how).history


def test_what_the_history_has_is_recorded_by_epoch(model, tracker):
    history = fit(model, tracker.callback("keras"))
    assert tracker.metrics() == {"loss", "mae", "val_loss", "val_mae"} == set(history)
    for metric, values in history.items():
        assert tracker.series(metric) == curve(values)
    assert tracker.params() == {}


def test_batches_are_recorded_when_asked_for(keras, model, tracker):
    seen = []
    spy = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: seen.append(dict(logs)))
    fit(model, tracker.callback("keras", per_batch=True), spy)
    assert len(seen) == 9
    assert tracker.series("batch/loss") == curve([logs["loss"] for logs in seen])
    assert len(tracker.series("loss")) == 3


def test_what_evaluate_finds_is_kept_apart_from_what_fit_finds(model, tracker):
    callback = tracker.callback("keras")
    fit(model, callback)
    loss, mae = model.evaluate(X, Y, verbose=0, callbacks=[callback])
    assert tracker.series("test_loss") == [(3, loss)]
    assert tracker.series("test_mae") == [(3, mae)]


def test_parameters_are_recorded_when_asked_for(model, tracker):
    fit(model, tracker.callback("keras", log_params=True))
    params = tracker.params()
    assert (params["epochs"], params["steps"], params["loss"]) == (3, 3, "mse")
    assert params["optimizer"]["name"] == "SGD"
    assert params["optimizer"]["learning_rate"] == pytest.approx(0.05)


def test_a_loss_that_is_nan_is_recorded(model, tracker):
    model.fit(X, Y * np.nan, verbose=0, callbacks=[tracker.callback("keras")])
    assert str(tracker.series("loss")) == "[(0, nan)]"


def test_the_example_of_the_document_works(keras, run_example):
    run_example("Keras")
