"""Squared Euclidean distances: the canonical one and the sweeps made of it.

The canonical distance is computed in float64, one feature after the other, from the caller's values. Every
decision of the package (nearest, accepted, predicted) compares canonical distances; equal ones go to the lower
index.
"""

import numpy as np

from kmtoolkit.kernels.arithmetic import add_exact, merge_pairs
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import jit
from kmtoolkit.kernels.statistics import move_row

__all__ = ["distances_to", "lower_closest", "nearest", "nearest_of_row", "potentials", "settle", "squared_distance"]


@jit
def squared_distance(X, i, centers, j):
    """The canonical squared distance from row i of X (n, d) to row j of centers (k, d)."""
    total = 0.0
    for f in range(X.shape[1]):
        difference = np.float64(X[i, f]) - centers[j, f]
        total += difference * difference
    return total


@jit
def nearest_of_row(X, i, features, distances):
    """The lowest index among the centers nearest to row i of X (n, d); features (d, k) are the centers, transposed.

    All k sums, in distances (k,), grow together, feature by feature: the canonical order for each of them, and one
    vector loop.
    """
    d, k = features.shape
    distances[:] = 0.0
    for f in range(d):
        x = np.float64(X[i, f])
        for j in range(k):
            difference = x - features[f, j]
            distances[j] += difference * difference
    best = 0
    for j in range(1, k):
        if distances[j] < distances[best]:
            best = j
    return best


@sweep
def _nearest(lo, hi, t, X, features, labels):
    """labels[lo:hi] = the lowest index among the nearest centers; features (d, k) are the centers, transposed."""
    distances = np.empty(features.shape[1])
    for i in range(lo, hi):
        labels[i] = nearest_of_row(X, i, features, distances)


def nearest(X: np.ndarray, centers: np.ndarray, labels: np.ndarray) -> None:
    """Write the index of the nearest center of each row of X (n, d) to labels (n,) int32."""
    _nearest(cut(len(X), centers.size), X, centers.T.copy(), labels)


@sweep
def _distances_to(lo, hi, t, X, centers, labels, out):
    """out[lo:hi] = distances from rows of X (n, d) to centers[labels]; a single label stands for all rows."""
    shared = len(labels) == 1
    for i in range(lo, hi):
        out[i] = squared_distance(X, i, centers, labels[0] if shared else labels[i])


def distances_to(X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
    """Squared distances (n,) float64 of the rows of X to centers[labels]; one label serves all rows."""
    out = np.empty(len(X))
    own = np.full(1, labels, np.int32) if np.isscalar(labels) else labels
    _distances_to(cut(len(X), X.shape[1]), X, centers, own, out)
    return out


@sweep
def _potentials(lo, hi, t, X, weights, closest, candidates, total, error):
    """Add w · min(closest, distance) of rows lo:hi to row t of total and error (chunks, candidates)."""
    for i in range(lo, hi):
        for c in range(len(candidates)):
            distance = min(closest[i], squared_distance(X, i, candidates, c))
            add_exact(total[t], error[t], c, weights[i] * distance)


def potentials(X: np.ndarray, weights: np.ndarray, closest: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """For each candidate (t, d): sum over rows of w · min(closest, squared distance to it), (t,) float64."""
    grid = cut(len(X), candidates.size)
    total, error = np.zeros((2, grid.chunks, len(candidates)))
    _potentials(grid, X, weights, closest, candidates, total, error)
    merge_pairs(total, error)
    return total[0] + error[0]


@sweep
def _lower_closest(lo, hi, t, X, center, closest):
    """closest[lo:hi] = the lesser of itself and the distance to center (1, d)."""
    for i in range(lo, hi):
        closest[i] = min(closest[i], squared_distance(X, i, center, 0))


def lower_closest(X: np.ndarray, center: np.ndarray, closest: np.ndarray) -> None:
    """Lower closest (n,), the squared distances to the nearest seed, by the new seed center (1, d)."""
    _lower_closest(cut(len(X), X.shape[1]), X, center, closest)


@sweep
def settle(lo, hi, t, rows, problem, state, accepted, force, moves):
    """Accept or refuse the changed labels of rows[lo:hi]; state.labels and accepted (n,) agree afterwards.

    A row moves if its new center is nearer, or equally near with a lower index; ``force`` accepts all, and so
    does a first assignment (accepted is -1). What moved is recorded in chunk t of moves.
    """
    X, weights = problem.X, problem.sample_weight
    for r in range(lo, hi):
        i = rows[r]
        old, new = accepted[i], state.labels[i]
        after = squared_distance(X, i, state.centers, new)
        before = 0.0
        if old >= 0:
            before = squared_distance(X, i, state.centers, old)
            if not (force or after < before or (after == before and new < old)):
                state.labels[i] = old
                moves.tally[t, 1] += 1
                continue
        accepted[i] = new
        add_exact(moves.drop[t], moves.drop_error[t], 0, weights[i] * (before - after))
        move_row(X, i, weights[i], state.origin, old, new, moves, t)
