"""Squared Mahalanobis distances, by a triangular factor of the precision matrix."""

import numpy as np

from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import inlined

__all__ = ["distances_to", "nearest"]


@inlined
def _distance(X, i, centers, j, factor, difference):
    """The square of the length of (x - c) factor, for row i of X (n, d), row j of centers (k, d) and factor (d, d).

    The factor is lower triangular; difference (d,) is room.
    """
    d, total = len(difference), 0.0
    for f in range(d):
        difference[f] = np.float64(X[i, f]) - centers[j, f]
    for g in range(d):
        along = 0.0
        for f in range(g, d):
            along += difference[f] * factor[f, g]
        total += along * along
    return total


@sweep
def _nearest(lo, hi, t, X, centers, factor, labels):
    """labels[lo:hi] = the lowest index among the nearest centers."""
    difference = np.empty(X.shape[1])
    for i in range(lo, hi):
        best, least = 0, _distance(X, i, centers, 0, factor, difference)
        for j in range(1, len(centers)):
            distance = _distance(X, i, centers, j, factor, difference)
            if distance < least:
                best, least = j, distance
        labels[i] = best


@sweep
def _distances_to(lo, hi, t, X, centers, factor, labels, out):
    """out[lo:hi] = distances from rows of X (n, d) to centers[labels]; a single label stands for all rows."""
    difference, shared = np.empty(X.shape[1]), len(labels) == 1
    for i in range(lo, hi):
        out[i] = _distance(X, i, centers, labels[0] if shared else labels[i], factor, difference)


def nearest(X: np.ndarray, centers: np.ndarray, factor: np.ndarray, labels: np.ndarray) -> None:
    """Write the index of the nearest center of each row of X (n, d) to labels (n,) int32."""
    _nearest(cut(len(X), centers.size * X.shape[1]), X, centers, factor, labels)


def distances_to(X: np.ndarray, centers: np.ndarray, factor: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
    """Distances (n,) float64 of the rows of X to centers[labels]; one label serves all rows."""
    out, own = np.empty(len(X)), np.full(1, labels, np.int32) if np.isscalar(labels) else labels
    _distances_to(cut(len(X), X.shape[1] ** 2), X, centers, factor, own, out)
    return out
