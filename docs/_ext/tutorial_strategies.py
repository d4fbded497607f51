"""The strategies that the tutorials write; each is at most 15 lines."""

import numpy as np
from scipy.spatial import cKDTree

import kmtoolkit as km


@km.initializer("density-biased", weights=False, cost="O(n d (k + log n))")
def density_biased(problem, rng):
    """Draw rows as k-means++ does, but by squared distance times density."""
    X = problem.X.astype(np.float64)
    sparseness = cKDTree(X).query(X, k=[min(9, len(X))])[0][:, 0]  # how far the 8th neighbor is
    density = 1 / (1 + sparseness / max(sparseness.mean(), np.finfo(float).tiny))
    centers, nearest, p = np.empty((problem.k, X.shape[1])), np.inf, density
    for j in range(problem.k):
        centers[j] = X[rng.choice(len(X), p=p / p.sum())]
        nearest = np.minimum(nearest, np.square(X - centers[j]).sum(axis=1))
        p = density * (nearest / nearest.max()) if nearest.any() else density
    return centers


@km.assigner("nearest-numpy", cost="O(n k d)")
def nearest_numpy(problem, state):
    """Take the nearest center, by blocks of rows that fit into the cache."""
    for start in range(0, len(problem.X), 500):
        block = slice(start, start + 500)
        difference = problem.X[block, np.newaxis].astype(np.float64) - state.centers
        state.labels[block] = np.square(difference).sum(axis=2).argmin(axis=1)


@km.updater("trimmed-mean", monotone=False, scope="rows", weights=False, cost="O(n d log n)")
def trimmed_mean(problem, state):
    """Take the mean of the middle 80 % of each column of each cluster."""
    for j in np.flatnonzero(state.counts):
        rows = np.sort(problem.X[state.labels == j], axis=0)
        cut = len(rows) // 10
        state.centers[j] = rows[cut : len(rows) - cut].mean(axis=0, dtype=np.float64)


@km.pointwise("clipped-squares")
def clipped_squares(x, c):
    """Count squares up to 1, and everything farther as 1."""
    return min((x - c) ** 2, 1.0)


@km.updater("mean-of-near", objective="clipped-squares", scope="rows", cost="O(n d)")
def mean_of_near(problem, state):
    """Take the mean of what is within 1 of the center, in each column of each cluster."""
    for j in np.flatnonzero(state.counts):
        rows = problem.X[state.labels == j].astype(np.float64)
        weight = problem.sample_weight[state.labels == j, np.newaxis] * (np.abs(rows - state.centers[j]) < 1)
        mass = weight.sum(axis=0)
        shift = (weight * (rows - state.centers[j])).sum(axis=0)
        state.centers[j] += np.divide(shift, mass, out=np.zeros_like(mass), where=mass > 0)


@km.empty_handler("nearest-neighbor", objective="any", cost="O(n k d)")
def nearest_neighbor(problem, state, d, free, rng):  # noqa: ARG001
    """Take the free row that is nearest to a center that has lost its rows."""
    lost = state.centers[state.counts == 0]
    squares = np.square(problem.X[:, np.newaxis] - lost).sum(axis=2).min(axis=1)
    return int(np.where(free, squares, np.inf).argmin())
