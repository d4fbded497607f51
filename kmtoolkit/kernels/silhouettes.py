"""Silhouettes (Rousseeuw 1987): how much nearer a row is to its own cluster than to the next one.

With a the mean distance of a row to the other rows of its cluster, and b the least mean distance to the rows of another
cluster, its silhouette is (b - a) / max(a, b). The simplified one has distances to centers in place of mean distances
(Hruschka, de Castro and Campello 2004). A weight of w means w copies of a row; weights that are not whole numbers are
shares.
"""

from collections.abc import Callable

import numpy as np

from kmtoolkit.kernels import lanes
from kmtoolkit.kernels.arithmetic import EPS
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import inlined, plain_python
from kmtoolkit.kernels.lanes import CENTER_LANES, LENGTH_LANES
from kmtoolkit.kernels.squared import in_lanes, row_distances
from kmtoolkit.kernels.statistics import are_whole

__all__ = ["silhouettes", "simplified_silhouettes"]

ROWS = 4  # that are measured against the same others together


def _plain_add_lengths(features, weights, row, start, stop, sums, many):
    """The same as ``lanes.add_lengths``, without vectors."""
    for r in range(many):
        for j in range(start, stop):
            square = 0.0
            for f in range(len(features)):
                square += (features[f, j] - features[f, row + r]) ** 2
            sums[r] += weights[j] * square**0.5


add_lengths: Callable[..., None] = _plain_add_lengths if plain_python else lanes.add_lengths


def silhouettes(X: np.ndarray, weights: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Silhouettes (n,) float64 of the rows of X (n, d) in clusters by labels (n,), 0 to k - 1.

    Every pair of rows is measured: O(n² d) time, O(n d) memory. Rows lie in columns, sorted by cluster, and clusters
    are filled up with rows of weight 0 to whole vectors.
    """
    sizes = np.bincount(labels, minlength=k)
    starts = np.concatenate([[0], np.cumsum(-(-sizes // LENGTH_LANES) * LENGTH_LANES)])
    order = np.argsort(labels, kind="stable")
    at = np.arange(len(X)) + np.repeat(starts[:-1] - (np.cumsum(sizes) - sizes), sizes)  # of the sorted rows
    features, heavy = np.zeros((X.shape[1], starts[-1])), np.zeros(starts[-1])
    features[:, at], heavy[at] = X[order].T, weights[order]
    mass, out = np.bincount(labels, weights, k), np.empty(starts[-1])
    grid = cut(starts[-1] // ROWS, ROWS * len(X) * (X.shape[1] + 8), together=1)
    _silhouettes(grid, features, heavy, are_whole(weights), starts, mass, out)
    result = np.empty(len(X))
    result[order] = out[at]
    return result


def simplified_silhouettes(
    X: np.ndarray, weights: np.ndarray, centers: np.ndarray, labels: np.ndarray, mass: np.ndarray
) -> np.ndarray:
    """The sums over each of k clusters of w · silhouette (k,), by distances to centers (k, d) of positive mass (k,)."""
    grid, k = cut(len(X), centers.size + 8), len(centers)
    sums = np.zeros((grid.chunks, k))
    _simplified(grid, X, weights, in_lanes(centers), labels, mass, sums)
    return sums.sum(axis=0)


@sweep
def _silhouettes(lo, hi, t, features, weights, whole, starts, mass, out):
    """Write silhouettes of tiles lo:hi of ROWS columns of features; those of cluster j are from starts[j] on."""
    k = len(mass)
    sums = np.empty((k, ROWS))
    for tile in range(lo, hi):
        first = tile * ROWS
        own = np.searchsorted(starts, first, side="right") - 1
        sums[:] = 0.0
        for j in range(k):
            add_lengths(features, weights, first, starts[j], starts[j + 1], sums[j], ROWS)
        for r in range(ROWS):
            nearest = np.inf
            for j in range(k):
                if j != own and mass[j] > 0:
                    nearest = min(nearest, sums[j, r] / mass[j])
            others = mass[own] - (1.0 if whole else weights[first + r])
            out[first + r] = _silhouette(sums[own, r] / others, nearest) if others > EPS * mass[own] else 0.0


@sweep
def _simplified(lo, hi, t, X, weights, features, labels, mass, sums):
    """Add w · simplified silhouette of rows lo:hi to sums[t] (k,); features are the centers in lanes."""
    distances = np.empty(features.shape[1])
    for i in range(lo, hi):
        for first in range(0, len(distances), CENTER_LANES):
            row_distances(X, i, features, first, distances)
        own, nearest = np.int64(labels[i]), np.inf
        for j in range(len(mass)):
            if j != own and mass[j] > 0:
                nearest = min(nearest, distances[j])
        sums[t, own] += weights[i] * _silhouette(np.sqrt(distances[own]), np.sqrt(nearest))


@inlined
def _silhouette(own, nearest):
    """(b - a) / max(a, b); 0 if both are, or if there is no other cluster."""
    largest = max(own, nearest)
    return 0.0 if largest == 0.0 or nearest == np.inf else (nearest - own) / largest
