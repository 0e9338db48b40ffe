"""Train a small network on scikit-learn's digits by reverse-mode differentiation of our own.

The tape records what each array was made from. `tracker.save_comp_graph(loss)` keeps that with the
run: of tensors that carry `label`, `shape`, `comp_grad`, `is_leaf`, `oper` and `prev`, nothing else
needs to be known. The idea is that of micrograd, on arrays instead of numbers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracking import Tracker

    PullBack = Callable[["Array"], tuple["Array", ...]]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

LR_FACTOR = float(os.environ.get("EXAMPLE_LR_FACTOR", "1"))


class Tensor:
    """An array that knows what it was made from.

    Args:
        data: the values.
        label: a name, for people.
        comp_grad: whether `backward` is to leave a gradient here.
        oper: the operation that made it, None where it was given.
        prev: what that took, in order.
        pull_back: from the gradient by this array, those by each of `prev`, which may still have
            the shape they were broadcast to.

    Attributes:
        grad: gradient by this array, of the same shape; zero before `backward`.
    """

    def __init__(
        self,
        data: Array,
        label: str = "",
        *,
        comp_grad: bool = False,
        oper: str | None = None,
        prev: tuple[Tensor, ...] = (),
        pull_back: PullBack = lambda _: (),
    ) -> None:
        self.data = data
        self.label, self.oper, self.prev = label, oper, prev
        self.comp_grad: bool = comp_grad or any(source.comp_grad for source in prev)
        self.grad = np.zeros_like(data)
        self._pull_back = pull_back

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the array."""
        return self.data.shape

    @property
    def is_leaf(self) -> bool:
        """Whether it was given, not computed."""
        return not self.prev

    def __add__(self, other: Tensor) -> Tensor:
        return _made("add", self.data + other.data, (self, other), lambda g: (g, g))

    def __mul__(self, other: Tensor) -> Tensor:
        def pull_back(g: Array) -> tuple[Array, ...]:
            return g * other.data, g * self.data

        return _made("mul", self.data * other.data, (self, other), pull_back)

    def __neg__(self) -> Tensor:
        return _made("neg", -self.data, (self,), lambda g: (-g,))

    def __matmul__(self, other: Tensor) -> Tensor:
        def pull_back(g: Array) -> tuple[Array, ...]:
            return g @ other.data.T, self.data.T @ g

        return _made("matmul", self.data @ other.data, (self, other), pull_back)

    def relu(self) -> Tensor:
        """Return the values above zero, and zero in place of the others."""
        data = np.maximum(self.data, 0.0)
        return _made("relu", data, (self,), lambda g: (g * (data > 0),))

    def log_softmax(self) -> Tensor:
        """Return log probabilities of (N, K) logits, shifted so that exp is safe."""
        shifted = self.data - self.data.max(axis=1, keepdims=True)
        data = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

        def pull_back(g: Array) -> tuple[Array, ...]:
            return (g - np.exp(data) * g.sum(axis=1, keepdims=True),)

        return _made("log_softmax", data, (self,), pull_back)

    def pick(self, columns: Labels) -> Tensor:
        """Return one value of each row of (N, K), as (N,)."""
        rows = np.arange(len(columns))

        def pull_back(g: Array) -> tuple[Array, ...]:
            whole = np.zeros_like(self.data)
            whole[rows, columns] = g
            return (whole,)

        return _made("pick", self.data[rows, columns], (self,), pull_back)

    def mean(self) -> Tensor:
        """Return the mean of all values, as an array of no dimensions."""
        data = np.asarray(self.data.mean())
        return _made("mean", data, (self,), lambda g: (np.full(self.shape, g / self.data.size),))

    def backward(self) -> None:
        """Add to `grad`, of everything this was made from, the gradient of the sum of this."""
        self.grad = np.ones_like(self.data)
        for tensor in reversed(inputs_first(self)):
            gradients = tensor._pull_back(tensor.grad)
            for source, gradient in zip(tensor.prev, gradients, strict=True):
                if source.comp_grad:
                    source.grad = source.grad + summed_to(gradient, source.shape)


def _made(oper: str, data: Array, prev: tuple[Tensor, ...], pull_back: PullBack) -> Tensor:
    return Tensor(data, oper=oper, prev=prev, pull_back=pull_back)


def inputs_first(root: Tensor) -> list[Tensor]:
    """Return all that `root` was made from, and itself in the end, each after its inputs."""
    order: list[Tensor] = []
    seen: set[Tensor] = set()
    stack = [(root, False)]
    while stack:
        tensor, has_inputs = stack.pop()
        if has_inputs:
            order.append(tensor)
        elif tensor not in seen:
            seen.add(tensor)
            stack.append((tensor, True))
            stack += [(source, False) for source in tensor.prev]
    return order


def summed_to(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Undo broadcasting: a value used in many places gets the sum of their gradients."""
    summed: Array = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    stretched = tuple(axis for axis, size in enumerate(shape) if size < summed.shape[axis])
    summed = summed.sum(axis=stretched, keepdims=True)
    return summed


class MLP:
    """Classifier with one hidden layer of rectified linear units, on the tape.

    Args:
        n_in: number of inputs D.
        n_hidden: number of hidden units H.
        n_out: number of classes K.
        rng: source of the initial weights (He et al. 2015: normal, variance 2 / fan-in).

    Attributes:
        parameters: w1 (D, H), b1 (H,), w2 (H, K) and b2 (K,), by name and in this order.
    """

    def __init__(self, n_in: int, n_hidden: int, n_out: int, rng: np.random.Generator) -> None:
        w1 = rng.normal(0.0, np.sqrt(2 / n_in), (n_in, n_hidden))
        w2 = rng.normal(0.0, np.sqrt(2 / n_hidden), (n_hidden, n_out))
        initial = {"w1": w1, "b1": np.zeros(n_hidden), "w2": w2, "b2": np.zeros(n_out)}
        self.parameters = {
            label: Tensor(data, label, comp_grad=True) for label, data in initial.items()
        }

    def log_probabilities(self, x: Array) -> Tensor:
        """Return those of each class (N, K) for inputs (N, D)."""
        w1, b1, w2, b2 = self.parameters.values()
        hidden = (Tensor(x, "x") @ w1 + b1).relu()
        return (hidden @ w2 + b2).log_softmax()

    def loss(self, x: Array, labels: Labels) -> Tensor:
        """Return the mean cross-entropy in nats."""
        return -self.log_probabilities(x).pick(labels).mean()

    def descend(self, loss: Tensor, lr: float) -> None:
        """Take a step of gradient descent."""
        loss.backward()
        for tensor in self.parameters.values():
            tensor.data = tensor.data - lr * tensor.grad
            tensor.grad = np.zeros_like(tensor.grad)


def test_the_network_learns_digits_on_the_tape(tracker: Tracker) -> None:
    """It gets nine digits in ten right, and the graph of its loss stays with the run."""
    rng = np.random.default_rng(0)
    x, labels = load_digits(return_X_y=True)
    x = x / 16.0
    is_val = np.arange(len(labels)) % 5 == 0
    train_x, val_x = x[~is_val], x[is_val]
    train_labels, val_labels = labels[~is_val], labels[is_val]
    model = MLP(64, 32, 10, rng)
    step = 0
    for epoch in range(10):
        for batch in np.array_split(rng.permutation(len(train_x)), 45):
            loss = model.loss(train_x[batch], train_labels[batch])
            model.descend(loss, lr=0.5 * LR_FACTOR)
            tracker.record("train_loss", float(loss.data), step)
            step += 1
        val_loss = float(model.loss(val_x, val_labels).data)
        predicted = model.log_probabilities(val_x).data.argmax(axis=1)
        accuracy = float(np.mean(predicted == val_labels))
        tracker.log({"val_loss": val_loss, "val_accuracy": accuracy}, step=epoch)
    tracker.save_comp_graph(loss, name="loss")
    assert accuracy > 0.9


A = np.random.default_rng(0).normal(size=(3, 4))
B = np.random.default_rng(1).normal(size=(4, 2))


@pytest.mark.parametrize(
    ("function", "values"),
    [
        pytest.param(lambda a, b: a + b, (A, A[::-1]), id="add"),
        pytest.param(lambda a, b: a + b, (A, A[0]), id="add, a row to each"),
        pytest.param(lambda a, b: a * b, (A, A[:, :1]), id="mul, by a column"),
        pytest.param(lambda a: a * a + a, (A,), id="used three times"),
        pytest.param(lambda a: -a, (A,), id="neg"),
        pytest.param(lambda a, b: a @ b, (A, B), id="matmul"),
        pytest.param(lambda a: a.relu() * a, (A,), id="relu"),
        pytest.param(lambda a: a.log_softmax() * a, (A,), id="log_softmax"),
        pytest.param(lambda a: a.pick(np.array([3, 0, 3])), (A,), id="pick"),
        pytest.param(lambda a: a.mean() * a.mean(), (A,), id="mean"),
        pytest.param(lambda a, b: -(a @ b).relu().log_softmax().mean(), (A, B), id="chain"),
    ],
)
def test_gradients_agree_with_finite_differences(
    function: Callable[..., Tensor], values: tuple[Array, ...]
) -> None:
    """Central differences of the sum, by every single value."""
    tensors = [Tensor(value.copy(), comp_grad=True) for value in values]
    function(*tensors).backward()
    half_width = 1e-6
    for tensor in tensors:
        slopes = np.empty(tensor.shape)
        for place in np.ndindex(tensor.shape):
            sums = []
            for step in (half_width, -half_width):
                tensor.data[place] += step
                sums.append(function(*tensors).data.sum())
                tensor.data[place] -= step
            slopes[place] = (sums[0] - sums[1]) / (2 * half_width)
        np.testing.assert_allclose(tensor.grad, slopes, rtol=1e-5, atol=1e-8)
