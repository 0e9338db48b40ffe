"""Cluster scikit-learn's digits, and find their principal components, without their labels.

Neither method has a loss to differentiate, both have an objective that may only improve, and
neither name says which way that is: the `sg_track` markers do.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracking import Tracker

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

ROUNDING = 1e-12
"""How far, relatively, an objective may move the wrong way for reasons of float64 alone."""


def squared_distances(x: Array, centres: Array) -> Array:
    """Return |x_i - c_j|^2 for x (N, D) and centres (K, D), as (N, K)."""
    # einsum, not @: products this small are held up by the threads of a BLAS, not helped.
    products = np.einsum("nd,kd->nk", x, centres)
    distances = (x**2).sum(axis=1)[:, None] - 2 * products + (centres**2).sum(axis=1)
    # Rounding takes the distance of a point to itself below zero.
    return np.maximum(distances, 0.0)


def choose_centres(x: Array, k: int, rng: np.random.Generator) -> Array:
    """Return k rows of x (N, D), far from each other (k-means++, Arthur and Vassilvitskii 2007).

    Each is drawn with a probability proportional to its squared distance to the nearest centre
    chosen before it; the first, uniformly.
    """
    chosen = [int(rng.integers(len(x)))]
    while len(chosen) < k:
        nearest = squared_distances(x, x[chosen]).min(axis=1)
        chosen.append(int(rng.choice(len(x), p=nearest / nearest.sum())))
    return x[chosen]


@dataclass(frozen=True)
class Clustering:
    """What one iteration of k-means found.

    Attributes:
        clusters: the nearest centre of each point (N,), before the centres moved.
        inertia: sum of the squared distances to those centres.
        centres: where the centres moved to (K, D).
        shift: how far they moved together, the Frobenius norm of the difference.
    """

    clusters: Labels
    inertia: float
    centres: Array
    shift: float


def lloyd(x: Array, centres: Array, n_iterations: int) -> Iterator[Clustering]:
    """Assign the points x (N, D) to the centres (K, D) and move these to the means, repeatedly.

    Lloyd 1982. It does not stop early: a gate compares series of one length, and iterations at
    rest cost little.
    """
    for _ in range(n_iterations):
        distances = squared_distances(x, centres)
        clusters = distances.argmin(axis=1)
        sizes = np.bincount(clusters, minlength=len(centres))[:, None]
        sums = np.zeros_like(centres)
        np.add.at(sums, clusters, x)
        # A cluster that lost all its points stays where it is.
        moved = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres)
        shift = float(np.linalg.norm(moved - centres))
        centres = moved
        yield Clustering(clusters, float(distances.min(axis=1).sum()), centres, shift)


def majority_accuracy(clusters: Labels, labels: Labels) -> float:
    """Return the fraction of points whose label is the most frequent one of their cluster."""
    counts = np.zeros((clusters.max() + 1, labels.max() + 1))
    np.add.at(counts, (clusters, labels), 1)
    return float(counts.max(axis=1).sum() / len(labels))


def as_row_of_digits(rows: Array) -> Array:
    """Return K digits (K, 64) beside each other as one picture (8, 8 * K), scaled to 0..1."""
    scaled = (rows - rows.min()) / (rows.max() - rows.min())
    return np.hstack(list(scaled.reshape(-1, 8, 8)))


def orthogonal_iteration(
    covariance: Array, n_components: int, n_iterations: int, rng: np.random.Generator
) -> Iterator[Array]:
    """Approach the leading eigenvectors of a covariance matrix (D, D) from a random subspace.

    Power iteration on several vectors at once (Golub and Van Loan, "orthogonal iteration").

    Yields:
        Orthonormal columns (D, n_components), one array an iteration.
    """
    basis, _ = np.linalg.qr(rng.normal(size=(len(covariance), n_components)))
    for _ in range(n_iterations):
        basis, _ = np.linalg.qr(covariance @ basis)
        yield basis


def explained_variance(covariance: Array, basis: Array) -> float:
    """Return the fraction of the variance (D, D) inside the span of orthonormal columns (D, M)."""
    return float(np.trace(basis.T @ covariance @ basis) / np.trace(covariance))


@pytest.mark.sg_track("inertia", direction="lower", rel=0.01)
@pytest.mark.sg_track("centre_shift", direction="lower")
@pytest.mark.parametrize("k", [5, 10, 20])
def test_inertia_never_rises_and_the_centres_come_to_rest(k: int, tracker: Tracker) -> None:
    """Assigning and moving each lower the inertia, until no point changes its cluster."""
    x, labels = load_digits(return_X_y=True)
    centres = choose_centres(x, k, np.random.default_rng(0))
    inertias = []
    for step, found in enumerate(lloyd(x, centres, n_iterations=60)):
        inertias.append(found.inertia)
        tracker.log({"inertia": found.inertia, "centre_shift": found.shift}, step=step)
    tracker.record("majority_accuracy", majority_accuracy(found.clusters, labels), step)
    tracker.image("centres", as_row_of_digits(found.centres), step)
    assert all(after <= before * (1 + ROUNDING) for before, after in pairwise(inertias))
    assert found.shift == 0.0


@pytest.mark.sg_track("explained_variance", direction="higher", rel=0.001)
def test_orthogonal_iteration_finds_the_principal_components(tracker: Tracker) -> None:
    """The explained variance never falls and ends at what the singular values say."""
    x, _ = load_digits(return_X_y=True)
    centred = x - x.mean(axis=0)
    covariance = centred.T @ centred / len(x)
    fractions = []
    bases = orthogonal_iteration(covariance, 8, 40, np.random.default_rng(0))
    for step, basis in enumerate(bases):
        fractions.append(explained_variance(covariance, basis))
        tracker.record("explained_variance", fractions[-1], step)
    tracker.image("components", as_row_of_digits(basis.T), step)
    variances = np.linalg.svd(centred, compute_uv=False) ** 2
    assert all(after >= before * (1 - ROUNDING) for before, after in pairwise(fractions))
    assert fractions[-1] == pytest.approx(variances[:8].sum() / variances.sum(), rel=1e-4)
