"""Recording estimators of scikit-learn."""

# ruff: noqa: N803  # X is what scikit-learn calls it

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

from tracking.callbacks.recording import FrameworkCallback
from tracking.errors import InvalidArgumentError, TrackingWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tracking.tracker import Tracker

# What estimators keep of their training -> what it is recorded as. What they call a score is
# something to be made large, except in _curves_of.
_CURVES = {
    "loss_curve_": "loss",
    "validation_scores_": "validation_score",
    "validation_score_": "validation_score",
}
_NUMBERS = {"inertia_": "inertia", "oob_score_": "oob_score", "best_score_": "best_score"}


class Callback(FrameworkCallback):
    """Records estimators: scikit-learn calls nobody while it fits, so this is asked to.

    `fit` and `record` take what a fitted estimator has kept of its training, with the number of the
    iteration as step; `score` is for a loop of `partial_fit`; `staged` for the stages of a boosted
    ensemble on other data.

    Args:
        tracker: records into its active run.
        log_params: `fit` and `record` add the estimator's parameters to the config.
    """

    framework = "sklearn"

    def __init__(self, tracker: Tracker, *, log_params: bool = False) -> None:
        super().__init__(tracker, log_params=log_params)
        self._n_scores: Counter[str] = Counter()

    def fit(
        self, estimator: Any, X: Any, y: Any = None, *, name: str = "", **fit_params: Any
    ) -> Any:
        """Fit an estimator, `record` it, and return it."""
        estimator.fit(X, y, **fit_params)
        self.record(estimator, name=name)
        return estimator

    def record(self, estimator: Any, *, name: str = "") -> None:
        """Record what a fitted estimator has kept of its training, once it is complete.

        | of | recorded as |
        |---|---|
        | multi-layer perceptrons | `loss`, and `validation_score` with early stopping |
        | gradient boosting | `train_loss`, and `oob_loss` of what subsampling left out |
        | histogram gradient boosting | `train_score`, `validation_score`, with early stopping |
        | searches | `mean_test_score` with the number of the candidate as step; `best_score` |
        | forests and bagging | `oob_score`, if they were told to find it |
        | k-means | `inertia` |

        Of a pipeline the last step is recorded, of a search its best estimator too. A scorer
        `neg_log_loss` of a search of several metrics is recorded as the loss that it is:
        `mean_test_log_loss`. An estimator that has kept nothing is warned of: use `score`.

        Args:
            estimator: an estimator that was fitted.
            name: put before the metrics' names, `<name>/loss`, for several estimators in one run.
        """
        curves = dict(_curves_of(estimator))
        prefix = f"{name}/" if name else ""
        for metric, values in curves.items():
            for step, value in enumerate(values):
                self._recording.log({f"{prefix}{metric}": value}, step)
        if self._recording.log_params:
            parameters = estimator.get_params()
            self._recording.config({f"{prefix}{key}": one for key, one in parameters.items()})
        if not curves:
            warnings.warn(
                f"a {type(estimator).__name__} keeps nothing of its training that could be"
                " recorded; record scores with score(estimator, X, y)",
                TrackingWarning,
                stacklevel=2,
            )

    def score(self, estimator: Any, X: Any, y: Any = None, *, name: str = "test") -> float:
        """Record `estimator.score(X, y)` as `<name>/score` and return it.

        The step counts the calls with this name, from 0: once in each round of a loop of
        `partial_fit`, or once at the end.
        """
        value = float(estimator.score(X, y))
        self._recording.log({f"{name}/score": value}, self._n_scores[name])
        self._n_scores[name] += 1
        return value

    def staged(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        metric: Callable[[Any, Any], float],
        *,
        name: str = "test",
        method: str = "staged_predict",
    ) -> None:
        """Record a metric of each stage of a boosted ensemble, as `<name>/<name of the metric>`.

        Args:
            estimator: a fitted ensemble with `staged_predict`.
            X: the data.
            y: what is to be predicted.
            metric: takes y and a prediction, like those of `sklearn.metrics`.
            name: put before the metric's name.
            method: what makes the predictions; `staged_predict_proba` for `log_loss`.

        Raises:
            InvalidArgumentError: the estimator has no such method.
        """
        stages = getattr(estimator, method, None)
        if stages is None:
            raise InvalidArgumentError("estimator", f"{type(estimator).__name__} has no {method}")
        metric_name = f"{name}/{getattr(metric, '__name__', type(metric).__name__)}"
        for step, prediction in enumerate(stages(X)):
            self._recording.log({metric_name: metric(y, prediction)}, step)


def _curves_of(estimator: Any) -> Iterator[tuple[str, Iterable[Any]]]:
    """Give the metrics that a fitted estimator has kept, and their values by iteration."""
    kept = _kept_by(estimator)
    found = {metric: kept[attribute] for attribute, metric in _CURVES.items() if attribute in kept}
    if "train_score_" in kept:
        # The older gradient boosting calls its loss a score, and has no validation_score_.
        is_score = hasattr(estimator, "validation_score_")
        found["train_score" if is_score else "train_loss"] = kept["train_score_"]
    if "oob_scores_" in kept:
        found["oob_loss"] = kept["oob_scores_"]
        del kept["oob_score_"]  # the last of them, a loss as well
    found |= {name: [kept[attribute]] for attribute, name in _NUMBERS.items() if attribute in kept}
    yield from ((metric, values) for metric, values in found.items() if len(values))
    yield from _search_results(kept.get("cv_results_", {}))
    if "best_estimator_" in kept:
        yield from _curves_of(kept["best_estimator_"])
    elif "steps" in kept:
        yield from _curves_of(kept["steps"][-1][1])


def _kept_by(estimator: Any) -> dict[str, Any]:
    """Return the attributes of an estimator that have something in them."""
    return {name: value for name, value in vars(estimator).items() if value is not None}


def _search_results(cv_results: Mapping[str, Any]) -> Iterator[tuple[str, Iterable[Any]]]:
    for name, values in cv_results.items():
        kind, _, metric = name.removeprefix("mean_").partition("_")
        if not name.startswith("mean_") or kind not in ("test", "train"):
            continue
        if metric.startswith("neg_"):
            yield f"mean_{kind}_{metric.removeprefix('neg_')}", [-value for value in values]
        else:
            yield name, values
