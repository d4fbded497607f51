"""Means of clusters that labels tell, in one sweep."""

import numpy as np

from kmtoolkit.kernels.arithmetic import add_exact, merge_pairs, two_product
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import jit, plain_python
from kmtoolkit.kernels.lanes import LANES, add_in_eights

__all__ = ["cluster_means"]


@sweep
def _sums(lo, hi, t, X, labels, origin, sums, errors, counts):
    """Add rows lo:hi of X to chunk t of the pairs sums, errors (chunks, k · d) and of counts (chunks, k)."""
    d = X.shape[1]
    whole = 0 if plain_python else d - d % LANES
    for i in range(lo, hi):
        j = np.int64(labels[i])
        counts[t, j] += 1
        if whole:
            add_in_eights(X, np.int64(i), 1.0, origin, sums[t], errors[t], j * d)  # type: ignore[call-arg]
        for f in range(whole, d):
            add_exact(sums[t], errors[t], j * d + f, np.float64(X[i, f]))


@jit
def _means(sums, errors, counts):
    """What the pairs of sums (k, d) are, divided by counts (k,) and rounded once."""
    centers = np.full(sums.shape, np.nan)
    for j in range(len(counts)):
        if counts[j] > 0:
            many = np.float64(counts[j])
            for f in range(sums.shape[1]):
                mean = (sums[j, f] + errors[j, f]) / many
                product, lost = two_product(many, mean)
                centers[j, f] = mean + ((sums[j, f] - product) + (errors[j, f] - lost)) / many
    return centers


def cluster_means(X: np.ndarray, labels: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Means (k, d) float64 of the rows of X (n, d) by their labels (n,), and how many there are (k,) int64.

    A cluster without rows has NaN. Sums are kept in pairs of floats, so means are right to the last bit or nearly so,
    whatever the scales of other clusters.
    """
    n, d = X.shape
    grid = cut(n, 2 * d, most=n // (8 * k) + 1)  # merging chunks takes a small part of the time
    sums, errors = np.zeros((2, grid.chunks, k * d))
    counts = np.zeros((grid.chunks, k), np.int64)
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large shows in the means
        _sums(grid, X, labels, np.zeros(d), sums, errors, counts)
        merge_pairs(sums, errors)
        sizes = counts.sum(axis=0)
        return _means(sums[0].reshape(k, d), errors[0].reshape(k, d), sizes), sizes
