"""Train a small network on scikit-learn's digits with three optimisers.

The asserts say what every working optimiser must reach. They are loose, as such asserts have to
be, and a training code that got somewhat worse passes them; the baseline does not let it pass:

    EXAMPLE_LR_FACTOR=2 pytest --sg-track examples

shows what a regression looks like. EXAMPLE_LR_FACTOR (default 1) multiplies the learning rates.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracking import Tracker

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

LR_FACTOR = float(os.environ.get("EXAMPLE_LR_FACTOR", "1"))


class Optimizer(Protocol):
    """Changes parameters, in place, to lower the loss."""

    def update(self, parameters: Array, gradient: Array) -> None:
        """Take one step; both are vectors of one length."""


@dataclass
class SGD:
    """Plain stochastic gradient descent: w -= lr * g."""

    lr: float

    def update(self, parameters: Array, gradient: Array) -> None:
        """Take one step."""
        parameters -= self.lr * gradient


@dataclass
class Momentum:
    """Heavy ball (Polyak 1964): v = beta * v + g, then w -= lr * v."""

    lr: float
    beta: float = 0.9
    velocity: Array | float = 0.0

    def update(self, parameters: Array, gradient: Array) -> None:
        """Take one step."""
        self.velocity = self.beta * self.velocity + gradient
        parameters -= self.lr * self.velocity


@dataclass
class Adam:
    """Adam with bias correction (Kingma and Ba 2015, algorithm 1)."""

    lr: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    n_updates: int = 0
    mean: Array | float = 0.0
    square: Array | float = 0.0

    def update(self, parameters: Array, gradient: Array) -> None:
        """Take one step."""
        self.n_updates += 1
        self.mean = self.beta1 * self.mean + (1 - self.beta1) * gradient
        self.square = self.beta2 * self.square + (1 - self.beta2) * gradient**2
        mean = self.mean / (1 - self.beta1**self.n_updates)
        square = self.square / (1 - self.beta2**self.n_updates)
        parameters -= self.lr * mean / (np.sqrt(square) + self.epsilon)


class MLP:
    """Classifier with one hidden layer of rectified linear units.

    Args:
        n_in: number of inputs D.
        n_hidden: number of hidden units H.
        n_out: number of classes K.
        rng: source of the initial weights (He et al. 2015: normal, variance 2 / fan-in).

    Attributes:
        parameters: all of them as one vector, which is what an optimiser works on.
        w1: weights (D, H), a view into `parameters`, as are the following three.
        b1: biases (H,).
        w2: weights (H, K).
        b2: biases (K,).
    """

    def __init__(self, n_in: int, n_hidden: int, n_out: int, rng: np.random.Generator) -> None:
        shapes = [(n_in, n_hidden), (n_hidden,), (n_hidden, n_out), (n_out,)]
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        self.parameters: Array = np.zeros(ends[-1])
        self.w1, self.b1, self.w2, self.b2 = (
            part.reshape(shape)
            for part, shape in zip(np.split(self.parameters, ends[:-1]), shapes, strict=True)
        )
        self.w1[:] = rng.normal(0.0, np.sqrt(2 / n_in), self.w1.shape)
        self.w2[:] = rng.normal(0.0, np.sqrt(2 / n_hidden), self.w2.shape)

    def _forward(self, x: Array) -> tuple[Array, Array]:
        hidden = np.maximum(x @ self.w1 + self.b1, 0.0)
        return hidden, log_softmax(hidden @ self.w2 + self.b2)

    def loss_and_accuracy(self, x: Array, labels: Labels) -> tuple[float, float]:
        """Return the mean cross-entropy in nats and the fraction of correct predictions."""
        _, log_probabilities = self._forward(x)
        is_correct = log_probabilities.argmax(axis=1) == labels
        return cross_entropy(log_probabilities, labels), float(is_correct.mean())

    def loss_and_gradient(self, x: Array, labels: Labels) -> tuple[float, Array]:
        """Return the mean cross-entropy of (N, D) inputs and its gradient by `parameters`."""
        hidden, log_probabilities = self._forward(x)
        # For softmax cross-entropy: probabilities minus the one-hot labels.
        d_logits = np.exp(log_probabilities)
        d_logits[np.arange(len(labels)), labels] -= 1.0
        d_logits /= len(labels)
        d_hidden = (d_logits @ self.w2.T) * (hidden > 0)
        parts = [x.T @ d_hidden, d_hidden.sum(axis=0), hidden.T @ d_logits, d_logits.sum(axis=0)]
        gradient = np.concatenate([part.ravel() for part in parts])
        return cross_entropy(log_probabilities, labels), gradient


def log_softmax(logits: Array) -> Array:
    """Return log probabilities of (N, K) logits, shifted by the largest so that exp is safe."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(log_probabilities: Array, labels: Labels) -> float:
    """Return the mean negative log probability of the right class, in nats."""
    return -float(log_probabilities[np.arange(len(labels)), labels].mean())


def minibatches(n: int, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield the indices 0 .. n - 1 in a new order, `size` at a time; the last may be fewer."""
    order = rng.permutation(n)
    for start in range(0, n, size):
        yield order[start : start + size]


@dataclass(frozen=True)
class Split:
    """Inputs (N, 64) in 0..1 and labels 0..9, for training and for validation."""

    train_x: Array
    train_labels: Labels
    val_x: Array
    val_labels: Labels


def load_split() -> Split:
    """Return the 1,797 digits, every fifth of them for validation."""
    digits = load_digits()
    x, labels = digits.data / 16.0, digits.target
    is_val = np.arange(len(labels)) % 5 == 0
    return Split(x[~is_val], labels[~is_val], x[is_val], labels[is_val])


def train(
    model: MLP,
    optimizer: Optimizer,
    data: Split,
    tracker: Tracker,
    rng: np.random.Generator,
    *,
    n_epochs: int = 10,
    batch_size: int = 32,
) -> None:
    """Train in place; record the loss of every step and, per epoch, the validation figures."""
    step = 0
    for epoch in range(n_epochs):
        for batch in minibatches(len(data.train_x), batch_size, rng):
            loss, gradient = model.loss_and_gradient(data.train_x[batch], data.train_labels[batch])
            optimizer.update(model.parameters, gradient)
            tracker.record("train_loss", loss, step)
            step += 1
        val_loss, val_accuracy = model.loss_and_accuracy(data.val_x, data.val_labels)
        tracker.log({"val_loss": val_loss, "val_accuracy": val_accuracy}, step=epoch)


OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "sgd": lambda: SGD(lr=0.55 * LR_FACTOR),
    "momentum": lambda: Momentum(lr=0.12 * LR_FACTOR),
    "adam": lambda: Adam(lr=0.03 * LR_FACTOR),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_network_learns_digits(name: str, tracker: Tracker) -> None:
    """Every optimiser gets the loss down and four digits in five right."""
    rng = np.random.default_rng(0)
    data = load_split()
    model = MLP(64, 48, 10, rng)
    initial_loss, _ = model.loss_and_accuracy(data.val_x, data.val_labels)

    train(model, OPTIMIZERS[name](), data, tracker, rng)

    final_loss, final_accuracy = model.loss_and_accuracy(data.val_x, data.val_labels)
    tracker.histogram("first_layer_weights", model.w1, step=0)
    assert final_loss < initial_loss / 2
    assert final_accuracy > 0.8


def test_backpropagation_agrees_with_finite_differences() -> None:
    """Central differences of the loss, for every single parameter of a tiny network."""
    rng = np.random.default_rng(0)
    model = MLP(4, 3, 2, rng)
    x, labels = rng.normal(size=(8, 4)), rng.integers(0, 2, size=8)
    _, gradient = model.loss_and_gradient(x, labels)
    half_width = 1e-6
    slopes = np.empty_like(gradient)
    for i, value in enumerate(model.parameters.copy()):
        model.parameters[i] = value + half_width
        above, _ = model.loss_and_accuracy(x, labels)
        model.parameters[i] = value - half_width
        below, _ = model.loss_and_accuracy(x, labels)
        model.parameters[i] = value
        slopes[i] = (above - below) / (2 * half_width)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-8)
