"""Squared Euclidean distances: the canonical one and the sweeps made of it.

The canonical distance is computed in float64, in a fixed order, from the caller's values. Every
decision of the package (nearest, accepted, predicted) compares canonical distances; equal ones go to the lower
index.
"""

from collections.abc import Callable

import numpy as np

from kmtoolkit.kernels import simd
from kmtoolkit.kernels.arithmetic import add_exact, two_sum
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import jit, plain_python
from kmtoolkit.kernels.simd import CENTER_LANES, LANES
from kmtoolkit.kernels.statistics import add_row, mix

__all__ = [
    "distances_to", "in_lanes", "lower_closest", "nearest", "nearest_of_row", "row_distances", "settle",
    "squared_distance",
]  # fmt: skip


FEW_ROWS = 4  # bringing the centers into lanes takes longer than so many rows


@jit
def squared_distance(X, i, centers, j):
    """The canonical squared distance from row i of X (n, d) to row j of centers (k, d).

    Eight sums take every eighth feature each, as far as whole eights go, and are added up in a binary tree; what is
    left of the features follows one by one. So it runs in vectors, and is as exact as it is in turn or more so.
    """
    d = X.shape[1]
    whole = d - d % LANES
    total = 0.0
    if whole:
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
        for f in range(0, whole, LANES):
            d0, d1 = np.float64(X[i, f]) - centers[j, f], np.float64(X[i, f + 1]) - centers[j, f + 1]
            d2, d3 = np.float64(X[i, f + 2]) - centers[j, f + 2], np.float64(X[i, f + 3]) - centers[j, f + 3]
            d4, d5 = np.float64(X[i, f + 4]) - centers[j, f + 4], np.float64(X[i, f + 5]) - centers[j, f + 5]
            d6, d7 = np.float64(X[i, f + 6]) - centers[j, f + 6], np.float64(X[i, f + 7]) - centers[j, f + 7]
            s0, s1, s2, s3 = s0 + d0 * d0, s1 + d1 * d1, s2 + d2 * d2, s3 + d3 * d3
            s4, s5, s6, s7 = s4 + d4 * d4, s5 + d5 * d5, s6 + d6 * d6, s7 + d7 * d7
        total = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
    for f in range(whole, d):
        difference = np.float64(X[i, f]) - centers[j, f]
        total += difference * difference
    return total


def _plain_row_distances(X, row, features, first, distances):
    """The same as ``simd.row_distances``, without vectors."""
    centers = features[:, first : first + CENTER_LANES].T
    for j in range(len(centers)):
        distances[first + j] = squared_distance(X, row, centers, j)


row_distances: Callable[..., None] = _plain_row_distances if plain_python else simd.row_distances


def in_lanes(centers: np.ndarray) -> np.ndarray:
    """The centers (k, d) transposed, (d, a multiple of CENTER_LANES), filled up with centers infinitely far away."""
    k, d = centers.shape
    features = np.full((d, k + -k % CENTER_LANES), np.inf)
    features[:, :k] = centers.T
    return features


@jit
def nearest_of_row(X, i, features, distances):
    """The lowest index among the centers nearest to row i of X (n, d); features are the centers in lanes.

    distances (as many as centers in lanes,) is room for them.
    """
    for first in range(0, len(distances), CENTER_LANES):
        row_distances(X, i, features, first, distances)
    best = 0
    for j in range(1, len(distances)):
        if distances[j] < distances[best]:
            best = j
    return best


@sweep
def _nearest(lo, hi, t, X, features, labels):
    """labels[lo:hi] = the lowest index among the nearest centers; features are the centers in lanes."""
    distances = np.empty(features.shape[1])
    for i in range(lo, hi):
        labels[i] = nearest_of_row(X, i, features, distances)


@sweep
def _nearest_of_few(lo, hi, t, X, centers, labels):
    """The same as ``_nearest``, without lanes."""
    for i in range(lo, hi):
        best, least = 0, squared_distance(X, i, centers, 0)
        for j in range(1, len(centers)):
            distance = squared_distance(X, i, centers, j)
            if distance < least:
                best, least = j, distance
        labels[i] = best


def nearest(X: np.ndarray, centers: np.ndarray, labels: np.ndarray) -> None:
    """Write the index of the nearest center of each row of X (n, d) to labels (n,) int32."""
    grid = cut(len(X), centers.size)
    if len(X) <= FEW_ROWS:
        _nearest_of_few(grid, X, centers, labels)
    else:
        _nearest(grid, X, in_lanes(centers), labels)


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
    X, weights, d = problem.X, problem.sample_weight, problem.X.shape[1]
    centers, labels, origin = state.centers, state.labels, state.origin
    sums, sums_error, mass, mass_error = moves.sums[t], moves.sums_error[t], moves.mass[t], moves.mass_error[t]
    counts, drop, drop_error, change = moves.counts[t], moves.drop[t, 0], moves.drop_error[t, 0], moves.hash[t]
    moved = 0
    for r in range(lo, hi):
        i = rows[r]
        old, new, weight = accepted[i], labels[i], weights[i]
        after = squared_distance(X, i, centers, new)
        before = 0.0
        if old >= 0:
            before = squared_distance(X, i, centers, old)
            if not (force or after < before or (after == before and new < old)):
                labels[i] = old
                continue
            add_row(X, i, -weight, origin, sums[old * d : old * d + d], sums_error[old * d : old * d + d])
            add_exact(mass, mass_error, old, -weight)
            counts[old] -= 1
            change -= mix(i, old)
        accepted[i] = new
        add_row(X, i, weight, origin, sums[new * d : new * d + d], sums_error[new * d : new * d + d])
        add_exact(mass, mass_error, new, weight)
        counts[new] += 1
        change += mix(i, new)
        drop, rounding = two_sum(drop, weight * (before - after))
        drop_error += rounding
        moved += 1
    moves.drop[t, 0], moves.drop_error[t, 0], moves.hash[t] = drop, drop_error, change
    moves.tally[t, 0] += moved
    moves.tally[t, 1] += hi - lo - moved
