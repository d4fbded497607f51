"""Squared Euclidean distances: the canonical one and the sweeps made of it.

The canonical distance is computed in float64, in a fixed order, from the caller's values. Every
decision of the package (nearest, accepted, predicted) compares canonical distances; equal ones go to the lower
index.
"""

from collections.abc import Callable

import numpy as np

from kmtoolkit.kernels import lanes
from kmtoolkit.kernels.arithmetic import EPS, NOISE, add_exact, merge_pairs, two_product, two_sum
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import inlined, jit, plain_python
from kmtoolkit.kernels.lanes import CENTER_LANES, LANES
from kmtoolkit.kernels.statistics import add_rows, mix

__all__ = [
    "cluster_totals", "distances_to", "falls", "in_lanes", "lower_closest", "nearest", "nearest_of_row",
    "row_distances", "settle", "squared_distance", "update_drop",
]  # fmt: skip


BLOCK = 256  # rows that are settled together
FEW_ROWS = 4  # bringing the centers into lanes takes longer than so many rows


def _plain_distance_in_eights(X, i, centers, j):
    """The same as ``lanes.distance_in_eights``, without vectors."""
    sums = [0.0] * LANES
    for f in range(X.shape[1] - X.shape[1] % LANES):
        difference = float(X[i, f]) - float(centers[j, f])
        sums[f % LANES] += difference * difference
    while len(sums) > 1:
        sums = [sums[at] + sums[at + 1] for at in range(0, len(sums), 2)]
    return sums[0]


distance_in_eights: Callable[..., float] = _plain_distance_in_eights if plain_python else lanes.distance_in_eights


@jit
def _long_distance(X, i, centers, j):
    """A squared distance over LANES features or more."""
    total = distance_in_eights(X, np.int64(i), centers, np.int64(j))
    for f in range(X.shape[1] - X.shape[1] % LANES, X.shape[1]):
        difference = np.float64(X[i, f]) - centers[j, f]
        total += difference * difference
    return total


@inlined
def squared_distance(X, i, centers, j):
    """The canonical squared distance from row i of X (n, d) to row j of centers (k, d).

    Eight sums take every eighth feature each, as far as whole eights go, and are added up in a binary tree; what is
    left of the features follows one by one. So it runs in vectors, and is as exact as it is in turn or more so.
    """
    if X.shape[1] >= LANES:
        return _long_distance(X, i, centers, j)
    total = 0.0
    for f in range(X.shape[1]):
        difference = np.float64(X[i, f]) - centers[j, f]
        total += difference * difference
    return total


def _plain_row_distances(X, row, features, first, distances):
    """The same as ``lanes.row_distances``, without vectors."""
    centers = features[:, first : first + CENTER_LANES].T
    for j in range(len(centers)):
        distances[first + j] = squared_distance(X, row, centers, j)


row_distances: Callable[..., None] = _plain_row_distances if plain_python else lanes.row_distances


def in_lanes(centers: np.ndarray) -> np.ndarray:
    """The centers (k, d) transposed, (d, a multiple of CENTER_LANES), filled up with centers infinitely far away."""
    k, d = centers.shape
    features = np.empty((d, k + -k % CENTER_LANES))
    _fill_lanes(centers, features)
    return features


@jit
def _fill_lanes(centers, features):
    """Write centers (k, d) to features (d, k or more), and infinity behind them."""
    for f in range(len(features)):
        for j in range(features.shape[1]):
            features[f, j] = centers[j, f] if j < len(centers) else np.inf


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
def _cluster_totals(lo, hi, t, X, weights, centers, labels, total, error):
    """Add w · distance of rows lo:hi of X to the entry of their cluster in row t of total and error (chunks, k)."""
    for i in range(lo, hi):
        add_exact(total[t], error[t], labels[i], weights[i] * squared_distance(X, i, centers, labels[i]))


def cluster_totals(X: np.ndarray, weights: np.ndarray, centers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sums of w · distance over the rows of each cluster, (2, k) float64: totals, and what rounding lost of them."""
    (n, d), k = X.shape, len(centers)
    grid = cut(n, d + 8, most=n // k + 1)
    pairs = np.zeros((2, grid.chunks, k))
    _cluster_totals(grid, X, weights, centers, labels, pairs[0], pairs[1])
    merge_pairs(pairs[0], pairs[1])
    return pairs[:, 0]


@jit
def update_drop(before, after, counts, mass, mass_error, sums, sums_error, origin, reach, value, out):
    """Write how far F fell when centers (k, d) moved, what noise may have risen it, and its terms to out (3,).

    With m the mean of a cluster and N its mass, F changes by N(‖new - m‖² - ‖old - m‖²) (Pythagoras), spelt as a
    product so that nothing large cancels. A right updater may sum the rows of a cluster in any order, in float64. So
    its centers may be off by as many roundings as there are rows, of numbers of their size; the rows lie within reach
    (k,) of the old center, or within sqrt(value / N).
    """
    drop, lost, terms, noise = 0.0, 0.0, 0.0, 0.0
    for j in range(len(mass)):
        if counts[j] == 0:
            continue
        fall, fall_lost, apart, old_square, new_square = 0.0, 0.0, 0.0, 0.0, 0.0
        for f in range(len(origin)):
            old, new = before[j, f], after[j, f]
            mean = sums[j, f] / mass[j]
            product, rounding = two_product(mean, mass[j])
            rest = (((sums[j, f] - product) - rounding) + (sums_error[j, f] - mean * mass_error[j])) / mass[j]
            a, b = ((old - origin[f]) - mean) - rest, ((new - origin[f]) - mean) - rest
            fall, rounding = two_sum(fall, (old - new) * (a + b))
            fall_lost += rounding
            apart += a * a + b * b
            old_square += old * old
            new_square += new * new
        drop, rounding = two_sum(drop, mass[j] * (fall + fall_lost))
        lost += rounding
        size = np.sqrt(old_square) + np.sqrt(new_square)
        terms += mass[j] * (apart + NOISE * (size * size))
        wobble = (NOISE + counts[j] * EPS) * (size + max(reach[j], np.sqrt(value / mass[j])))
        noise += mass[j] * (wobble * wobble)
    out[0], out[1], out[2] = drop + lost, NOISE * terms + noise, terms


@sweep
def _lower_closest(lo, hi, t, X, center, closest):
    """closest[lo:hi] = the lesser of itself and the distance to center (1, d)."""
    for i in range(lo, hi):
        closest[i] = min(closest[i], squared_distance(X, i, center, 0))


def lower_closest(X: np.ndarray, center: np.ndarray, closest: np.ndarray) -> None:
    """Lower closest (n,), the squared distances to the nearest seed, by the new seed center (1, d)."""
    _lower_closest(cut(len(X), X.shape[1]), X, center, closest)


@sweep
def _falls(lo, hi, t, X, weights, closest, features, out):
    """Add w · max(closest - distance, 0) of rows lo:hi for each point to out[t]; features are the points in lanes."""
    distances = np.empty(features.shape[1])
    for i in range(lo, hi):
        for first in range(0, len(distances), CENTER_LANES):
            row_distances(X, i, features, first, distances)
        for j in range(out.shape[1]):
            out[t, j] += weights[i] * max(closest[i] - distances[j], 0.0)


def falls(X: np.ndarray, weights: np.ndarray, closest: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How far Σ w · closest falls with each of points (m, d) as a further seed, (m,); closest as in lower_closest."""
    grid = cut(len(X), points.size + 8)
    out = np.zeros((grid.chunks, len(points)))
    _falls(grid, X, weights, closest, in_lanes(points), out)
    return out.sum(axis=0)


@sweep
def settle(lo, hi, t, rows, problem, state, accepted, force, given, moves):
    """Accept or refuse the changed labels of rows[lo:hi], or of rows lo:hi if none are named.

    A row moves if its new center is nearer, or equally near with a lower index; ``force`` accepts all, and so does a
    first assignment (accepted is -1). state.labels and accepted (n,) agree afterwards. What moved is recorded in chunk
    t of moves. given (2, m) has the divergences of the m rows from their new and old centers, if these are no squared
    distances; else it is (2, 0).
    """
    X, weights, centers, labels = problem.X, problem.sample_weight, state.centers, state.labels
    drop, drop_error, change = moves.drop[t, 0], moves.drop_error[t, 0], moves.hash[t]
    moving = np.empty(BLOCK, np.int64)
    for start in range(lo, hi, BLOCK):
        many = 0
        for r in range(start, min(start + BLOCK, hi)):
            i = np.int64(rows[r]) if len(rows) else r
            old, new = accepted[i], labels[i]
            after = given[0, r] if given.size else squared_distance(X, i, centers, new)
            before = 0.0
            if old >= 0:
                before = given[1, r] if given.size else squared_distance(X, i, centers, old)
                if not (force or after < before or (after == before and new < old)):
                    labels[i] = old
                    moves.tally[t, 1] += 1
                    continue
            moving[many] = i
            many += 1
            drop, rounding = two_sum(drop, weights[i] * (before - after))
            drop_error += rounding
        moves.tally[t, 0] += many
        for sign, of in ((-1.0, accepted), (1.0, labels)):
            add_rows(
                X, moving[:many], of, weights, sign, state.origin,
                moves.sums[t], moves.sums_error[t], moves.mass[t], moves.mass_error[t], moves.counts[t],
            )  # fmt: skip
        for i in moving[:many]:
            change += mix(i, labels[i]) - (mix(i, accepted[i]) if accepted[i] >= 0 else np.uint64(0))
            accepted[i] = labels[i]
    moves.drop[t, 0], moves.drop_error[t, 0], moves.hash[t] = drop, drop_error, change
