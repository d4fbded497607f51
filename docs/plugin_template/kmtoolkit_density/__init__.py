"""An initializer that draws outliers seldom."""

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
