"""The callback for scikit-learn, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    AdaBoostRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tracking import InvalidArgumentError, TrackingWarning
from tracking.regression import infer_direction

X, Y = make_classification(120, random_state=0)


def mlp(**how):
    return MLPClassifier(solver="sgd", hidden_layer_sizes=4, random_state=0, tol=1, **how)


def curve(values):
    return [(step, float(value)) for step, value in enumerate(values)]


@pytest.mark.parametrize(
    ("estimator", "kept"),
    [
        (mlp(), {"loss": lambda e: e.loss_curve_}),
        (
            mlp(early_stopping=True),
            {"loss": lambda e: e.loss_curve_, "validation_score": lambda e: e.validation_scores_},
        ),
        (
            GradientBoostingClassifier(n_estimators=4),
            {"train_loss": lambda e: e.train_score_},
        ),
        (
            GradientBoostingClassifier(n_estimators=4, subsample=0.5, random_state=0),
            {"train_loss": lambda e: e.train_score_, "oob_loss": lambda e: e.oob_scores_},
        ),
        (
            HistGradientBoostingClassifier(max_iter=4, early_stopping=True),
            {
                "train_score": lambda e: e.train_score_,
                "validation_score": lambda e: e.validation_score_,
            },
        ),
        (
            RandomForestClassifier(20, oob_score=True, random_state=0),
            {"oob_score": lambda e: [e.oob_score_]},
        ),
        (KMeans(2, n_init=1, random_state=0), {"inertia": lambda e: [e.inertia_]}),
        (make_pipeline(StandardScaler(), mlp()), {"loss": lambda e: e[-1].loss_curve_}),
        (
            GridSearchCV(LogisticRegression(), {"C": [0.1, 1, 10]}, return_train_score=True),
            {
                "mean_test_score": lambda e: e.cv_results_["mean_test_score"],
                "mean_train_score": lambda e: e.cv_results_["mean_train_score"],
                "best_score": lambda e: [e.best_score_],
            },
        ),
        (
            GridSearchCV(
                LogisticRegression(),
                {"C": [0.1, 1]},
                scoring=["accuracy", "neg_log_loss"],
                refit=False,
            ),
            {
                "mean_test_accuracy": lambda e: e.cv_results_["mean_test_accuracy"],
                "mean_test_log_loss": lambda e: -e.cv_results_["mean_test_neg_log_loss"],
            },
        ),
        (
            GridSearchCV(mlp(), {"alpha": [0.1, 1]}, cv=2),
            {
                "mean_test_score": lambda e: e.cv_results_["mean_test_score"],
                "best_score": lambda e: [e.best_score_],
                "loss": lambda e: e.best_estimator_.loss_curve_,
            },
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else type(value).__name__,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_an_estimator_keeps_of_its_training_is_recorded(estimator, kept, tracker):
    fitted = tracker.callback("sklearn").fit(estimator, X, Y)
    assert fitted is estimator
    assert tracker.metrics() == set(kept)
    for metric, values in kept.items():
        assert tracker.series(metric) == curve(values(estimator)), metric


def test_losses_get_smaller_and_scores_larger_whatever_scikit_learn_calls_them(tracker):
    callback = tracker.callback("sklearn")
    boosting = GradientBoostingClassifier(n_estimators=10, subsample=0.5, random_state=0)
    callback.fit(boosting, X, Y, name="old")
    histograms = HistGradientBoostingClassifier(max_iter=10, early_stopping=True, random_state=0)
    callback.fit(histograms, X, Y, name="new")
    for metric, direction in {"old/train_loss": "lower", "new/train_score": "higher"}.items():
        values = [value for _, value in tracker.series(metric)]
        assert (values[-1] < values[0]) == (direction == "lower")
        assert infer_direction(metric) == direction


def test_an_estimator_that_keeps_nothing_is_warned_of(tracker):
    with pytest.warns(TrackingWarning, match=r"a LinearRegression keeps nothing.*score\("):
        tracker.callback("sklearn").fit(LinearRegression(), X, Y)
    assert tracker.metrics() == set()


def test_scores_of_a_loop_of_partial_fit_are_counted_by_name(tracker):
    callback, estimator, scores = tracker.callback("sklearn"), SGDClassifier(random_state=0), []
    for _ in range(3):
        estimator.partial_fit(X[:80], Y[:80], classes=[0, 1])
        callback.score(estimator, X[:80], Y[:80], name="train")
        scores.append(callback.score(estimator, X[80:], Y[80:]))
        assert scores[-1] == estimator.score(X[80:], Y[80:])
    assert tracker.series("test/score") == curve(scores)
    assert [step for step, _ in tracker.series("train/score")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("estimator", "metric", "method"),
    [
        (AdaBoostRegressor(n_estimators=3, random_state=0), mean_squared_error, "staged_predict"),
        (GradientBoostingClassifier(n_estimators=3), log_loss, "staged_predict_proba"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_stage_of_an_ensemble_is_measured(estimator, metric, method, tracker):
    estimator.fit(X[:80], Y[:80])
    tracker.callback("sklearn").staged(estimator, X[80:], Y[80:], metric, method=method)
    expected = [metric(Y[80:], one) for one in getattr(estimator, method)(X[80:])]
    assert tracker.series(f"test/{metric.__name__}") == curve(expected)


def test_an_estimator_without_stages_is_refused(tracker):
    with pytest.raises(InvalidArgumentError, match="KMeans has no staged_predict"):
        tracker.callback("sklearn").staged(KMeans(), X, Y, mean_squared_error)


def test_parameters_are_recorded_when_asked_for(tracker):
    estimator = make_pipeline(StandardScaler(), SGDClassifier(alpha=0.5, loss="log_loss"))
    callback = tracker.callback("sklearn", log_params=True)
    with pytest.warns(TrackingWarning):
        callback.fit(estimator, X, Y, name="sgd")
    params = tracker.params()
    assert params["sgd/sgdclassifier__alpha"] == 0.5
    assert params["sgd/sgdclassifier"] == "SGDClassifier"
    assert len(params) == len(estimator.get_params())


def test_parameters_are_not_recorded_unasked(tracker):
    tracker.callback("sklearn").fit(KMeans(2, n_init=1, random_state=0), X)
    assert tracker.params() == {}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_failed_candidates_of_a_search_are_nan(tracker):
    search = GridSearchCV(LogisticRegression(), {"C": [-1.0, 1.0]}, error_score=np.nan)
    tracker.callback("sklearn").fit(search, X, Y)
    (_, failed), (_, good) = tracker.series("mean_test_score")
    assert np.isnan(failed)
    assert good > 0.5


def test_the_example_of_the_document_works(run_example):
    run_example("scikit-learn")
