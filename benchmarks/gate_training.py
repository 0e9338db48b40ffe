"""Training code for sessions of the gate, small, real and with seeded faults to choose from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Array = NDArray[np.float64]

_BATCH_SIZE = 32
_EPSILON = 1e-5


class Recorder(Protocol):
    """Takes what a training records, as `tracking.Tracker` does."""

    def record(self, metric_name: str, value: float, step: int) -> None:
        """Take one value."""


@dataclass(frozen=True)
class Data:
    """Inputs (N, D) and targets (N, K), for training and for validation.

    Targets of classes are one-hot; one column alone is a number to be predicted.
    """

    train_x: Array
    train_y: Array
    val_x: Array
    val_y: Array

    @property
    def has_classes(self) -> bool:
        """Whether the targets are classes."""
        return bool(self.train_y.shape[1] > 1)


def save_data(folder: Path) -> None:
    """Write what scikit-learn ships, so that sessions need not import it."""
    from sklearn.datasets import (  # type: ignore[import-untyped, unused-ignore]
        load_diabetes,
        load_digits,
    )

    x, labels = load_digits(return_X_y=True)
    # Class by class, as images lie in folders: who does not shuffle them sees one at a time.
    order = np.argsort(labels, kind="stable")
    np.savez(folder / "digits.npz", x=x[order] / 16, y=np.eye(10)[labels[order]])
    x, y = load_diabetes(return_X_y=True)
    np.savez(folder / "diabetes.npz", x=x / x.std(axis=0), y=y[:, None] / 100)


def load_data(path: Path) -> Data:
    """Read a file of `save_data`, every fifth example for validation."""
    with np.load(path) as arrays:
        x, y = arrays["x"], arrays["y"]
    is_val = np.arange(len(x)) % 5 == 0
    return Data(x[~is_val], y[~is_val], x[is_val], y[is_val])


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        data: name of the data.
        n_hidden: units of the one hidden layer (ReLU), 0 for none.
        lr: learning rate.
        n_epochs: how often all examples are seen.
        momentum: of the gradients (Polyak 1964).
        weight_decay: fraction of the weights that is added to their gradient.
        has_batch_norm: whether the hidden layer is normalised (Ioffe and Szegedy 2015).
        is_shuffled: whether examples come in a new order, at least in the first epoch.
        is_reshuffled: whether they do in each epoch.
        has_bias: whether the layers have one.
        reduction: what the loss of a batch is: mean or sum of its examples', or the mean over
            examples and outputs.
        wrong_targets: fraction of the examples whose class is the next one, or whose number is
            larger by 1.
        init_scale: of the initial weights, over He et al. 2015.
        is_updating_norm: whether the batch norm learns the statistics it is evaluated with.
        is_relu_differentiated: whether the gradient knows about the ReLU.
    """

    data: str
    n_hidden: int
    lr: float
    n_epochs: int
    momentum: float = 0.0
    weight_decay: float = 0.0
    has_batch_norm: bool = False
    is_shuffled: bool = True
    is_reshuffled: bool = True
    has_bias: bool = True
    reduction: str = "mean"
    wrong_targets: float = 0.0
    init_scale: float = 1.0
    is_updating_norm: bool = True
    is_relu_differentiated: bool = True


RECIPES = {
    "softmax": Recipe("digits", 0, lr=2.0, n_epochs=6, weight_decay=1e-3),
    "network": Recipe("digits", 32, lr=0.1, n_epochs=6, momentum=0.9, weight_decay=1e-3),
    "batch_norm": Recipe(
        *("digits", 32), lr=0.1, n_epochs=6, momentum=0.9, weight_decay=1e-3, has_batch_norm=True
    ),
    "regression": Recipe("diabetes", 16, lr=0.01, n_epochs=20, momentum=0.9, weight_decay=1e-2),
}
"""What the sessions train. Neither half the learning rate nor double gives a better validation."""

FAULTS: Mapping[str, Mapping[str, Any]] = {
    "learning rate x 2": {"lr": 2.0},
    "no shuffling": {"is_shuffled": False, "is_reshuffled": False},
    "shuffled once, not every epoch": {"is_reshuffled": False},
    "dropped bias": {"has_bias": False},
    "loss: sum of the batch instead of mean": {"reduction": "sum"},
    "loss: mean over classes too": {"reduction": "mean of all"},
    "5 % of the labels off by one": {"wrong_targets": 0.05},
    "no momentum": {"momentum": 0.0},
    "no weight decay": {"weight_decay": 0.0},
    "batch norm: statistics never updated": {"is_updating_norm": False},
    "initial weights x 3": {"init_scale": 3.0},
    "ReLU left out of the gradient": {"is_relu_differentiated": False},
}
"""What each fault changes in every recipe; learning rates are multiplied."""


def broken(recipe: Recipe, fault: str) -> Recipe:
    """Return a recipe with a fault, or as it is where the fault is empty."""
    changes = dict(FAULTS[fault]) if fault else {}
    changes["lr"] = recipe.lr * changes.get("lr", 1.0)
    return replace(recipe, **changes)


def train(recipe: Recipe, data: Data, seed: int, recorder: Recorder) -> None:
    """Train from a seed; record the loss of every step and, per epoch, what validation gives."""
    with np.errstate(all="ignore"):  # one that diverges shows in what it records
        _train(recipe, data, np.random.default_rng(seed), recorder)


def _train(recipe: Recipe, data: Data, rng: np.random.Generator, recorder: Recorder) -> None:
    network = _Network(recipe, data, rng)
    x, y = data.train_x, _spoilt(data, recipe.wrong_targets, rng)
    order = rng.permutation(len(x)) if recipe.is_shuffled else np.arange(len(x))
    step = 0
    for epoch in range(recipe.n_epochs):
        for start in range(0, len(x), _BATCH_SIZE):
            batch = order[start : start + _BATCH_SIZE]
            recorder.record("train_loss", network.learn(x[batch], y[batch]), step)
            step += 1
        loss, other = network.validate()
        recorder.record("val_loss", loss, epoch)
        recorder.record("val_accuracy" if data.has_classes else "val_abs_error", other, epoch)
        recorder.record("weight_norm", network.weight_norm(), epoch)
        if recipe.is_reshuffled:
            order = rng.permutation(len(x))


def _spoilt(data: Data, fraction: float, rng: np.random.Generator) -> Array:
    is_wrong = rng.random((len(data.train_y), 1)) < fraction
    wrong = np.roll(data.train_y, 1, axis=1) if data.has_classes else data.train_y + 1
    return np.where(is_wrong, wrong, data.train_y)


class _Network:
    """A network of one hidden layer or none, with its optimiser; gradients by hand."""

    def __init__(self, recipe: Recipe, data: Data, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._data = data
        sizes = [data.train_x.shape[1], recipe.n_hidden, data.train_y.shape[1]]
        sizes = [size for size in sizes if size]
        self._weights = [
            recipe.init_scale * rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out))
            for n_in, n_out in pairwise(sizes)
        ]
        self._biases = [np.zeros(n_out) for n_out in sizes[1:]]
        self._velocities = [np.zeros_like(one) for one in (*self._weights, *self._biases)]
        self._running = (np.zeros(recipe.n_hidden), np.ones(recipe.n_hidden))

    def learn(self, x: Array, y: Array) -> float:
        """Take one step of the optimiser; return the loss of the batch before it."""
        scale = {"mean": 1, "sum": len(x), "mean of all": 1 / y.shape[1]}[self._recipe.reduction]
        layers = [x]
        normed, spread = x, np.ones(1)
        if self._recipe.n_hidden:
            hidden = x @ self._weights[0]
            if self._recipe.has_batch_norm:
                normed, spread = self._normalised(hidden)
                hidden = normed
            layers.append(np.maximum(hidden + self._biases[0], 0))
        loss, delta = self._loss(layers[-1] @ self._weights[-1] + self._biases[-1], y)
        delta = delta * scale / len(x)
        slopes = [layers[-1].T @ delta], [delta.sum(axis=0)]
        if self._recipe.n_hidden:
            delta = delta @ self._weights[-1].T
            if self._recipe.is_relu_differentiated:
                delta = delta * (layers[-1] > 0)
            slopes[1].insert(0, delta.sum(axis=0))
            if self._recipe.has_batch_norm:
                shared = delta.mean(axis=0) + normed * (delta * normed).mean(axis=0)
                delta = (delta - shared) / spread
            slopes[0].insert(0, x.T @ delta)
        self._step(*slopes)
        return float(loss.mean() * scale)

    def _normalised(self, hidden: Array) -> tuple[Array, Array]:
        mean, variance = hidden.mean(axis=0), hidden.var(axis=0)
        if self._recipe.is_updating_norm:
            self._running = (
                0.9 * self._running[0] + 0.1 * mean,
                0.9 * self._running[1] + 0.1 * variance,
            )
        spread = np.sqrt(variance + _EPSILON)
        return (hidden - mean) / spread, spread

    def _loss(self, outputs: Array, y: Array) -> tuple[Array, Array]:
        """Return the loss of each example and its gradient by the outputs.

        Cross-entropy of the softmax in nats, or the squared error.
        """
        if not self._data.has_classes:
            return ((outputs - y) ** 2)[:, 0], 2 * (outputs - y)
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return -(logs * y).sum(axis=1), np.exp(logs) - y

    def _step(self, of_weights: list[Array], of_biases: list[Array]) -> None:
        decay = self._recipe.weight_decay
        slopes = [slope + decay * w for slope, w in zip(of_weights, self._weights, strict=True)]
        slopes += [slope * self._recipe.has_bias for slope in of_biases]
        parameters = (*self._weights, *self._biases)
        for i, (value, slope) in enumerate(zip(parameters, slopes, strict=True)):
            self._velocities[i] = self._recipe.momentum * self._velocities[i] + slope
            np.subtract(value, self._recipe.lr * self._velocities[i], out=value)

    def validate(self) -> tuple[float, float]:
        """Return the mean loss, and the fraction right or the mean absolute error."""
        layer, y = self._data.val_x, self._data.val_y
        if self._recipe.n_hidden:
            layer = layer @ self._weights[0]
            if self._recipe.has_batch_norm:
                mean, variance = self._running
                layer = (layer - mean) / np.sqrt(variance + _EPSILON)
            layer = np.maximum(layer + self._biases[0], 0)
        outputs = layer @ self._weights[-1] + self._biases[-1]
        loss = float(self._loss(outputs, y)[0].mean())
        if self._recipe.reduction == "mean of all":
            loss /= y.shape[1]
        if not self._data.has_classes:
            return loss, float(np.abs(outputs - y).mean())
        return loss, float((outputs.argmax(axis=1) == y.argmax(axis=1)).mean())

    def weight_norm(self) -> float:
        """Return the Euclidean norm of all weights."""
        return float(np.sqrt(sum((one**2).sum() for one in self._weights)))
