"""Squared Euclidean distances: the canonical one and the sweeps made of it.

The canonical distance is computed in float64, one feature after the other, from the caller's values. Every
decision of the package (nearest, accepted, predicted) compares canonical distances; equal ones go to the lower
index. Each sweep is a chunk body, which owns its rows, and a driver that runs it over the grid; a grid of one chunk
stays on the calling thread, because waking others costs more than a small sweep.
"""

import numpy as np

from kmtoolkit.kernels.grid import add_exact, cut, merge_pairs
from kmtoolkit.kernels.jit import jit, parallel_jit, prange
from kmtoolkit.kernels.statistics import move_row

__all__ = ["distances_to", "lower_closest", "nearest", "potentials", "settle", "squared_distance"]


@jit
def squared_distance(X, i, centers, j):
    """The canonical squared distance from row i of X (n, d) to row j of centers (k, d)."""
    total = 0.0
    for f in range(X.shape[1]):
        difference = np.float64(X[i, f]) - centers[j, f]
        total += difference * difference
    return total


@jit
def nearest_chunk(lo, hi, X, features, labels):
    """labels[lo:hi] = the lowest index among the nearest centers; features (d, k) are the centers, transposed.

    All k sums grow together, feature by feature: the canonical order for each of them, and one vector loop.
    """
    d, k = features.shape
    distances = np.empty(k)
    for i in range(lo, hi):
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
        labels[i] = best


@parallel_jit
def _nearest(bounds, X, features, labels):
    """Run nearest_chunk over the grid."""
    if len(bounds) == 2:
        nearest_chunk(bounds[0], bounds[1], X, features, labels)
    else:
        for t in prange(len(bounds) - 1):
            nearest_chunk(bounds[t], bounds[t + 1], X, features, labels)


def nearest(X: np.ndarray, centers: np.ndarray, labels: np.ndarray) -> None:
    """Write the index of the nearest center of each row of X (n, d) to labels (n,) int32."""
    _nearest(cut(len(X), centers.size), X, centers.T.copy(), labels)


@jit
def distances_to_chunk(lo, hi, X, centers, labels, out):
    """out[lo:hi] = distances from rows of X (n, d) to centers[labels]; a single label stands for all rows."""
    shared = len(labels) == 1
    for i in range(lo, hi):
        out[i] = squared_distance(X, i, centers, labels[0] if shared else labels[i])


@parallel_jit
def _distances_to(bounds, X, centers, labels, out):
    """Run distances_to_chunk over the grid."""
    if len(bounds) == 2:
        distances_to_chunk(bounds[0], bounds[1], X, centers, labels, out)
    else:
        for t in prange(len(bounds) - 1):
            distances_to_chunk(bounds[t], bounds[t + 1], X, centers, labels, out)


def distances_to(X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
    """Squared distances (n,) float64 of the rows of X to centers[labels]; one label serves all rows."""
    out = np.empty(len(X))
    own = np.full(1, labels, np.int32) if np.isscalar(labels) else labels
    _distances_to(cut(len(X), X.shape[1]), X, centers, own, out)
    return out


@jit
def potentials_chunk(lo, hi, X, weights, closest, candidates, total, error):
    """Add w · min(closest, distance) of rows lo:hi to total and error, one entry per candidate (t, d)."""
    for i in range(lo, hi):
        for c in range(len(candidates)):
            distance = min(closest[i], squared_distance(X, i, candidates, c))
            add_exact(total, error, c, weights[i] * distance)


@parallel_jit
def _potentials(bounds, X, weights, closest, candidates, total, error):
    """Run potentials_chunk over the grid; chunk t adds to row t of total and error (chunks, candidates)."""
    if len(bounds) == 2:
        potentials_chunk(bounds[0], bounds[1], X, weights, closest, candidates, total[0], error[0])
    else:
        for t in prange(len(bounds) - 1):
            potentials_chunk(bounds[t], bounds[t + 1], X, weights, closest, candidates, total[t], error[t])


def potentials(X: np.ndarray, weights: np.ndarray, closest: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """For each candidate (t, d): sum over rows of w · min(closest, squared distance to it), (t,) float64."""
    bounds = cut(len(X), candidates.size)
    total = np.zeros((len(bounds) - 1, len(candidates)))
    error = np.zeros_like(total)
    _potentials(bounds, X, weights, closest, candidates, total, error)
    merge_pairs(total, error)
    return total[0] + error[0]


@jit
def lower_closest_chunk(lo, hi, X, center, closest):
    """closest[lo:hi] = the lesser of itself and the distance to center (1, d)."""
    for i in range(lo, hi):
        closest[i] = min(closest[i], squared_distance(X, i, center, 0))


@parallel_jit
def _lower_closest(bounds, X, center, closest):
    """Run lower_closest_chunk over the grid."""
    if len(bounds) == 2:
        lower_closest_chunk(bounds[0], bounds[1], X, center, closest)
    else:
        for t in prange(len(bounds) - 1):
            lower_closest_chunk(bounds[t], bounds[t + 1], X, center, closest)


def lower_closest(X: np.ndarray, center: np.ndarray, closest: np.ndarray) -> None:
    """Lower closest (n,), the squared distances to the nearest seed, by the new seed center (1, d)."""
    _lower_closest(cut(len(X), X.shape[1]), X, center, closest)


@jit
def settle_chunk(lo, hi, t, rows, problem, state, accepted, force, moves):
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


@parallel_jit
def settle(bounds, rows, problem, state, accepted, force, moves):
    """Settle the changed labels of ``rows`` (m,) int64 over the grid; see settle_chunk."""
    if len(bounds) == 2:
        settle_chunk(bounds[0], bounds[1], 0, rows, problem, state, accepted, force, moves)
    else:
        for t in prange(len(bounds) - 1):
            settle_chunk(bounds[t], bounds[t + 1], t, rows, problem, state, accepted, force, moves)
