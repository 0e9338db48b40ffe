"""What callbacks have in common: they are made by name, copied, and record numbers only."""

from __future__ import annotations

import copy
import math
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tracking import InvalidArgumentError, MissingDependencyError, TrackingWarning
from tracking.callbacks.recording import FrameworkCallback, as_number, as_params

# framework -> the modules it is looked for in, what is to be installed.
PACKAGES = {
    "keras": (["keras"], "keras"),
    "lightgbm": (["lightgbm"], "lightgbm"),
    "lightning": (["lightning", "lightning.pytorch", "pytorch_lightning"], "lightning"),
    "sklearn": (["sklearn"], "scikit-learn"),
    "transformers": (["transformers"], "transformers"),
    "xgboost": (["xgboost"], "xgboost"),
}


class Base:
    """Stands for a framework's class of callbacks."""


def put_in_place_of(monkeypatch, framework):
    """Put a module in place of a framework that has nothing but the class of its callbacks."""
    names = SimpleNamespace(Callback=Base, TrainingCallback=Base)
    fake = SimpleNamespace(
        Callback=Base, TrainerCallback=Base, callbacks=names, callback=names, pytorch=None
    )
    for module in PACKAGES[framework][0]:
        monkeypatch.setitem(sys.modules, module, fake)


@pytest.fixture(autouse=True)
def _no_class_is_kept():
    from tracking.callbacks import frameworks

    frameworks._joined.cache_clear()
    yield
    frameworks._joined.cache_clear()


@pytest.mark.parametrize("framework", PACKAGES)
def test_a_framework_that_is_missing_is_named_with_how_to_install_it(
    framework, tracker, monkeypatch
):
    modules, install = PACKAGES[framework]
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=rf"{framework}.*pip install {install}$"):
        tracker.callback(framework)


@pytest.mark.parametrize("framework", PACKAGES)
def test_a_callback_is_one_of_its_frameworks(framework, tracker, monkeypatch):
    put_in_place_of(monkeypatch, framework)
    callback = tracker.callback(framework, log_params=True)
    assert isinstance(callback, FrameworkCallback)
    assert callback.framework == framework
    assert isinstance(callback, Base) == (framework not in ("sklearn", "lightgbm"))


@pytest.mark.parametrize("first", ["lightning.pytorch", "pytorch_lightning"])
def test_the_lightning_that_is_there_is_taken(first, tracker, monkeypatch):
    put_in_place_of(monkeypatch, "lightning")
    for module in {"lightning.pytorch", "pytorch_lightning"} - {first}:
        monkeypatch.setitem(sys.modules, module, None)
    assert isinstance(tracker.callback("lightning"), Base)


def test_what_a_framework_misses_itself_is_its_own_error(tracker, tmp_path, monkeypatch):
    (tmp_path / "xgboost.py").write_text("import nowhere_to_be_found")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "xgboost", raising=False)
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        tracker.callback("xgboost")


@pytest.mark.parametrize("framework", ["", "torch", "Keras", None, ["keras"]])
def test_an_unknown_framework_is_refused_and_the_known_ones_are_listed(framework, tracker):
    with pytest.raises(InvalidArgumentError, match=r"keras, lightgbm.*xgboost") as caught:
        tracker.callback(framework)
    assert caught.value.argument == "framework"


def test_an_unknown_option_is_refused_and_the_known_ones_are_listed(tracker):
    with pytest.raises(InvalidArgumentError, match=r"no option for keras.*log_params, per_batch"):
        tracker.callback("keras", every=3)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_records_into_the_same_run(copied, tracker):
    callback = copied(tracker.callback("sklearn"))
    callback.score(SimpleNamespace(score=lambda *_: 0.5), None)
    assert tracker.series("test/score") == [(0, 0.5)]


def test_a_callback_that_was_pickled_records_into_the_same_run(tracker):
    callback = pickle.loads(pickle.dumps(tracker.callback("sklearn")))
    callback.score(SimpleNamespace(score=lambda *_: 0.5), None)
    assert tracker.series("test/score") == [(0, 0.5)]


def reported_by_lightgbm(iteration, **metrics):
    results = [("train", name, value, False, None) for name, value in metrics.items()]
    return SimpleNamespace(iteration=iteration, begin_iteration=0, evaluation_result_list=results)


def test_what_is_no_number_is_left_out_and_named_once(tracker, monkeypatch):
    put_in_place_of(monkeypatch, "lightgbm")
    callback = tracker.callback("lightgbm")
    with pytest.warns(TrackingWarning, match=r"lightgbm.*train/phase.*train/shape") as caught:
        callback(reported_by_lightgbm(0, l2=1.0, phase="warm-up", shape=np.ones(2)))
    assert len(caught) == 1
    callback(reported_by_lightgbm(1, l2=0.5, phase="warm-up"))
    with pytest.warns(TrackingWarning, match="train/other") as caught:
        copy.deepcopy(callback)(reported_by_lightgbm(2, phase="warm-up", other=None))
    callback(reported_by_lightgbm(3, other=None))
    assert "train/phase" not in str(caught[0].message)
    assert tracker.series("train/l2") == [(0, 1.0), (1, 0.5)]
    assert tracker.metrics() == {"train/l2"}


def test_nan_and_infinities_are_recorded_as_they_are(tracker, monkeypatch):
    put_in_place_of(monkeypatch, "lightgbm")
    tracker.callback("lightgbm")(reported_by_lightgbm(7, a=math.nan, b=-math.inf))
    assert str(tracker.series("train/a")) == "[(7, nan)]"
    assert tracker.series("train/b") == [(7, -math.inf)]


class Tensor:
    """Has what tensors of frameworks have in common."""

    def __init__(self, *values, shape):
        self.values, self.shape, self.ndim = values, shape, len(shape)

    def reshape(self, shape):
        return Tensor(*self.values, shape=shape)

    def item(self):
        return self.values[0]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.bool_(False), 0.0),
        (np.array(2), 2.0),
        (np.array([[2.5]]), 2.5),
        (np.array([True]), 1.0),
        (Tensor(3.0, shape=()), 3.0),
        (Tensor(3.0, shape=(1, 1)), 3.0),
    ],
)
def test_a_number_is_a_number_in_any_wrapping(value, number):
    converted = as_number(value)
    assert converted == number
    assert type(converted) is float


@pytest.mark.parametrize(
    "value",
    ["0.5", None, 1j, [1.0], {}, np.ones(2), np.zeros(0), np.array(["1"]), np.array([True, False])],
)
def test_what_is_no_number_is_not_taken_for_one(value):
    with pytest.raises(InvalidArgumentError):
        as_number(value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (0.1, 0.1),
        (None, None),
        (math.nan, "NaN"),
        (np.float64(2.5), 2.5),
        ((1, "a"), [1, "a"]),
        ({"a": {1: math.tanh}}, {"a": {"1": "tanh"}}),
        (object(), "object"),
        (Tensor, "Tensor"),
        (np.random.default_rng(), "Generator"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_hyper_parameters_are_kept_or_named(value, kept, tracker):
    tracker.config(**as_params({"x": value}))
    assert tracker.params() == {"x": kept}
