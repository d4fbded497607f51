"""Splits across principal axes (Su and Dy, Intelligent Data Analysis 11, 2007, section 3): PCA-Part.

All rows are one part at first. The part with the largest Σ w‖x - mean‖² is cut in two through its mean, across its
principal axis, until there are k; the centers are their means. Nothing is random. The axis is found by power iteration
over the rows, in a fixed number of steps: where two axes are about equally long, any direction between them will do.
O(n d log k) time if the cuts are even, O(n d k) at worst; O(n) memory.
"""

from typing import NamedTuple

import numpy as np

from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.problem import Problem
from kmtoolkit.registry import initializer

STEPS = 16  # of power iteration; they leave 2**-16 of a direction that has half the variance of the principal one


class Part(NamedTuple):
    """Some of the rows."""

    rows: np.ndarray  # (m,) int64, ascending
    mean: np.ndarray  # (d,) float64
    cost: float  # Σ w‖x - mean‖²


@initializer("pca-part", reference="Su and Dy 2007", cost="O(n d log k)")
def pca_part(problem: Problem, rng: np.random.Generator) -> np.ndarray:
    """Cut the part with the largest cost in two, through its mean and across its principal axis, k - 1 times.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver("pca-part").fit([[1.0], [2.0], [8.0], [9.0]], 2).runs[0].start.tolist()
    [[1.5], [8.5]]
    """
    parts = [_part(problem, np.arange(len(problem.X)))]
    while len(parts) < problem.k:
        worst = int(np.argmax([part.cost if len(part.rows) > 1 else -1.0 for part in parts]))
        rows, above = parts[worst].rows, _above(problem, parts[worst])
        parts[worst : worst + 1] = [_part(problem, rows[~above]), _part(problem, rows[above])]
    return np.array([part.mean for part in parts])


def _part(problem: Problem, rows: np.ndarray) -> Part:
    X, weights, _ = problem
    first = X[rows[0]].astype(np.float64)  # sums about a row: no cancellation when the data are far from 0
    grid = cut(len(rows), X.shape[1])
    total = np.zeros((grid.chunks, X.shape[1]))
    _sums(grid, X, weights, rows, first, total)
    mean = first + total.sum(axis=0) / np.sum(weights[rows])
    return Part(rows, mean, _scatter_times(problem, rows, mean, np.zeros_like(mean))[2])


def _above(problem: Problem, part: Part) -> np.ndarray:
    """Which rows of the part lie above its mean along its principal axis, (m,) bool; never none of them or all."""
    axis = np.cos(np.arange(1.0, len(part.mean) + 1))  # no symmetry of the data makes their axis orthogonal to it
    along = np.zeros(len(part.rows))
    for _ in range(STEPS + 1 if part.cost > 0 else 0):
        product, along, _ = _scatter_times(problem, part.rows, part.mean, axis)
        peak = product[np.abs(product).argmax()]
        axis = product / (peak or 1.0)  # its largest entry is positive, which settles the sign
    above = along > 0
    if above.all() or not above.any():  # the rows coincide, or rounding hides how they differ: one row leaves
        above = np.arange(len(along)) == np.abs(along).argmax()
    return above


def _scatter_times(
    problem: Problem, rows: np.ndarray, mean: np.ndarray, axis: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Σ w (x - mean)(x - mean)ᵀ axis (d,), the factors (x - mean)ᵀ axis (m,), and Σ w‖x - mean‖²; x runs over rows."""
    X, weights, _ = problem
    grid = cut(len(rows), 4 * X.shape[1])
    along, total = np.empty(len(rows)), np.zeros((grid.chunks, X.shape[1] + 1))
    _scatter(grid, X, weights, rows, mean, axis, along, total)
    *product, cost = total.sum(axis=0)
    return np.array(product), along, float(cost)


@sweep
def _sums(lo, hi, t, X, weights, rows, about, total):  # type: ignore[no-untyped-def]
    """Add w · (x - about) of X[rows[lo:hi]] to row t of total (chunks, d)."""
    for r in range(lo, hi):
        i = rows[r]
        for f in range(X.shape[1]):
            total[t, f] += weights[i] * (np.float64(X[i, f]) - about[f])


@sweep
def _scatter(lo, hi, t, X, weights, rows, mean, axis, along, total):  # type: ignore[no-untyped-def]
    """Write along[lo:hi], and add the products and, as entry d, the cost of X[rows[lo:hi]] to row t of total."""
    d = X.shape[1]
    for r in range(lo, hi):
        i = rows[r]
        projection = square = 0.0
        for f in range(d):
            difference = np.float64(X[i, f]) - mean[f]
            projection += difference * axis[f]
            square += difference * difference
        along[r] = projection
        total[t, d] += weights[i] * square
        for f in range(d):
            total[t, f] += weights[i] * projection * (np.float64(X[i, f]) - mean[f])
