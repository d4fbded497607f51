"""Gaussian components: densities and responsibilities of rows, and the moments that follow from them.

Rows are taken a block at a time, and transposed. Each component's Mahalanobis distances are computed for the block;
responsibilities follow, and weight the rows in the component's moments about its own center. Nothing is kept a row.
"""

from typing import NamedTuple

import numpy as np

from kmtoolkit.kernels.arithmetic import EPS, NOISE, add_exact, merge_pairs
from kmtoolkit.kernels.elementary import exponentials, logarithms
from kmtoolkit.kernels.grid import Grid, cut, sweep
from kmtoolkit.kernels.jit import jit
from kmtoolkit.kernels.moments import (
    DOWN,
    FOUR,
    STEP,
    add_moments,
    add_products,
    corners,
    standardize,
    total,
    whiten,
)

__all__ = ["AS_LABELED", "HARD", "SOFT", "Components", "components", "log_densities", "share_by_density"]

BLOCK = 256  # rows; a multiple of STEP
LARGEST = 1e300  # of a cost: farther is as far
SOFT, HARD, AS_LABELED = 0, 1, 2  # by posterior, each in its best component, each in that of its label
MOST_SUMS = 1 << 22  # numbers in the sums of all chunks


class Components(NamedTuple):
    """Gaussian components as kernels take them; ``wide`` is d in whole fours, what is beyond is 0."""

    centers: np.ndarray  # (k, wide)
    factors: np.ndarray  # (k, wide, wide) inverse Cholesky factors, lower; or (k, wide) inverse deviations
    logs: np.ndarray  # (k,) log of π and of the density at the center; -inf for a component that takes no rows


class Gathered(NamedTuple):
    """What chunks of rows add to the statistics, in pairs; one leading entry a chunk."""

    mass: np.ndarray  # (chunks, k)
    mass_error: np.ndarray
    moments: np.ndarray  # (chunks, k · 2 wide); see ``moments.add_moments``
    moments_error: np.ndarray
    products: np.ndarray  # (chunks, k · tiles), see ``moments.corners``; (chunks, 0) without
    products_error: np.ndarray
    value: np.ndarray  # (chunks, 2): F, and the magnitude of what it was added up from
    value_error: np.ndarray


class Statistics(NamedTuple):
    """Weighted moments of the rows about points, one a component, and F."""

    mass: np.ndarray  # (k,)
    first: np.ndarray  # (k, d): Σ w r (x - point)
    second: np.ndarray  # (k, d): Σ w r (x - point)²
    products: np.ndarray | None  # (k, d, d): Σ w r (x - point)(x - point)ᵀ
    value: float
    noise: float  # how far F may be off by rounding, but for that of the distances


def components(centers: np.ndarray, factors: np.ndarray, logs: np.ndarray) -> Components:
    """Components (k, d) in the kernels' layout; factors (k or 1, d, d), (k, d), or (k or 1, 1) are spread to all."""
    k, d = centers.shape
    means, shape = padded(centers), (d,) * (factors.ndim - 1)
    wide = means.shape[1]
    whole = np.zeros((k, *(wide,) * len(shape)))
    whole[(slice(None), *(slice(d) for _ in shape))] = np.broadcast_to(factors, (k, *shape))
    return Components(means, whole, logs)


def padded(points: np.ndarray) -> np.ndarray:
    """Points (k, d) with zeros up to whole fours of features."""
    k, d = points.shape
    whole = np.zeros((k, -(-d // FOUR) * FOUR))
    whole[:, :d] = points
    return whole


def share_by_density(
    X: np.ndarray, weights: np.ndarray, parts: Components, how: int, labels: np.ndarray, about: np.ndarray
) -> Statistics:
    """Write the labels (n,) of rows X (n, d), and gather these SOFT, HARD or AS_LABELED; moments are about (k, d)."""
    (n, d), (k, wide) = X.shape, parts.centers.shape
    full = parts.factors.ndim == 3
    tiles = len(corners(wide)) * DOWN * FOUR if full else 0
    sizes = k, 2 * k * wide, k * tiles, 2
    grid = _grid(n, k * (tiles + wide * (FOUR + (wide if full else 0)) + 16), sum(sizes))
    gathered = Gathered(*(np.zeros((grid.chunks, size)) for size in sizes for _ in range(2)))
    (_full if full else _diagonal)(grid, X, weights, *parts, how, padded(about), labels, gathered)
    for sums, error in zip(gathered[::2], gathered[1::2], strict=True):
        merge_pairs(sums, error)
    mass, moments, products, value = (a[0] + e[0] for a, e in zip(gathered[::2], gathered[1::2], strict=True))
    first, second = moments.reshape(k, -1, 2, FOUR).transpose(2, 0, 1, 3).reshape(2, k, wide)[:, :, :d]
    noise = (NOISE + (d + 8) * EPS) * float(value[1])
    return Statistics(mass, first, second, _untiled(products, k, wide, d) if full else None, float(value[0]), noise)


def log_densities(X: np.ndarray, parts: Components) -> np.ndarray:
    """Log of π times the density of rows X (n, d) in each component, (n, k)."""
    (n, _), (k, wide) = X.shape, parts.centers.shape
    out = np.empty((n, k))
    grid = _grid(n, k * wide * (wide if parts.factors.ndim == 3 else 2), 0)
    (_full_densities if parts.factors.ndim == 3 else _diagonal_densities)(grid, X, *parts, out)
    return out


def _grid(n: int, operations: int, sums: int) -> Grid:
    """The grid over n rows, whose chunks have so many sums."""
    return cut(n, operations, most=max(MOST_SUMS // max(sums, 1), 1), together=BLOCK)


def _untiled(tiles: np.ndarray, k: int, wide: int, d: int) -> np.ndarray:
    """Symmetric matrices (k, d, d) from the tiles of their lower triangles."""
    whole, tiles = np.zeros((k, wide, wide)), tiles.reshape(k, -1, DOWN, FOUR)
    for at, (line, column) in enumerate(corners(wide)):
        whole[:, line : line + DOWN, column : column + FOUR] = tiles[:, at]
    lower = np.tril(whole[:, :d, :d])
    return lower + np.tril(lower, -1).transpose(0, 2, 1)


@jit
def _take(X, first, many, points):
    """Write rows first to first + many - 1 of X to points (wide, BLOCK), a row a column; the rows to work on."""
    for i in range(many):
        for f in range(X.shape[1]):
            points[f, i] = X[first + i, f]
    return -(-many // STEP) * STEP


@jit
def _share(shares, size, logs, how, weights, first, many, labels, least, value, value_error, t):
    """Turn squared distances into responsibilities times weight, shares (k, BLOCK), and write labels of the rows.

    least (4, BLOCK) is room. F of a row is -log Σ π density, and the cost of its own component if not SOFT.
    """
    k, low, place, whole, logs_of_whole = shares.shape[0], least[0], least[1], least[2], least[3]
    low[:size], place[:size], whole[:size] = np.inf, 0.0, 0.0
    for j in range(k):
        share, log = shares[j], logs[j]
        for i in range(size):
            cost = min(0.5 * share[i], LARGEST) - log
            share[i] = cost
            if cost < low[i]:
                low[i] = cost
                place[i] = j
    if how == AS_LABELED:
        for i in range(many):
            place[i], low[i] = labels[first + i], shares[labels[first + i], i]
    for j in range(k):
        share = shares[j]
        if how != SOFT:
            for i in range(size):
                share[i] = 1.0 if place[i] == j else 0.0
        else:
            for i in range(size):
                share[i] = low[i] - share[i]
            exponentials(share, share, size)
        for i in range(size):
            whole[i] += share[i]
    logarithms(whole, logs_of_whole, size)
    for i in range(many):
        weight, log = weights[first + i], logs_of_whole[i]
        labels[first + i] = np.int32(place[i])
        add_exact(value[t], value_error[t], np.int64(0), weight * (low[i] - log))
        add_exact(value[t], value_error[t], np.int64(1), weight * (abs(low[i]) + log + 1.0))
        whole[i] = weight / whole[i]
    whole[many:size] = 0.0
    for j in range(k):
        share = shares[j]
        for i in range(size):
            share[i] *= whole[i]


@jit
def _gather(points, size, center, shares, z, parts, t, j):
    """Add a block's rows by their shares (BLOCK,) to component j's mass and moments; z gets them less the center."""
    many = 2 * len(center)
    here = slice(j * many, (j + 1) * many)
    add_exact(parts.mass[t], parts.mass_error[t], j, total(shares, 0, size))
    add_moments(points, size, center, shares, z, parts.moments[t, here], parts.moments_error[t, here])


@sweep
def _full(lo, hi, t, X, weights, centers, factors, logs, how, about, labels, parts):
    """Add the rows lo:hi to chunk t of parts, for components with matrices as factors."""
    k, wide = centers.shape
    points, z = np.zeros((wide, BLOCK)), np.zeros((wide, BLOCK))
    shares, least = np.empty((k, BLOCK)), np.empty((4, BLOCK))
    many = parts.products.shape[1] // k
    for first in range(lo, hi, BLOCK):
        rows = min(BLOCK, hi - first)
        size = _take(X, first, rows, points)
        for j in range(k):
            whiten(points, size, centers[j], factors[j], z, shares[j])
        _share(shares, size, logs, how, weights, first, rows, labels, least, parts.value, parts.value_error, t)
        for j in range(k):
            here = slice(j * many, (j + 1) * many)
            _gather(points, size, about[j], shares[j], z, parts, t, j)
            add_products(z, size, shares[j], parts.products[t, here], parts.products_error[t, here])


@sweep
def _diagonal(lo, hi, t, X, weights, centers, factors, logs, how, about, labels, parts):
    """Add the rows lo:hi to chunk t of parts, for components with a factor for each feature."""
    k, wide = centers.shape
    points, z = np.zeros((wide, BLOCK)), np.zeros((wide, BLOCK))
    shares, least = np.empty((k, BLOCK)), np.empty((4, BLOCK))
    for first in range(lo, hi, BLOCK):
        rows = min(BLOCK, hi - first)
        size = _take(X, first, rows, points)
        for j in range(k):
            standardize(points, size, centers[j], factors[j], shares[j])
        _share(shares, size, logs, how, weights, first, rows, labels, least, parts.value, parts.value_error, t)
        for j in range(k):
            _gather(points, size, about[j], shares[j], z, parts, t, j)


@sweep
def _full_densities(lo, hi, t, X, centers, factors, logs, out):
    """Write the log densities of the rows lo:hi to out (n, k), for matrices as factors."""
    k, wide = centers.shape
    points, z, squares = np.zeros((wide, BLOCK)), np.zeros((wide, BLOCK)), np.empty(BLOCK)
    for first in range(lo, hi, BLOCK):
        rows = min(BLOCK, hi - first)
        size = _take(X, first, rows, points)
        for j in range(k):
            whiten(points, size, centers[j], factors[j], z, squares)
            for i in range(rows):
                out[first + i, j] = logs[j] - min(0.5 * squares[i], LARGEST)


@sweep
def _diagonal_densities(lo, hi, t, X, centers, factors, logs, out):
    """Write the log densities of the rows lo:hi to out (n, k), for a factor for each feature."""
    k, wide = centers.shape
    points, squares = np.zeros((wide, BLOCK)), np.empty(BLOCK)
    for first in range(lo, hi, BLOCK):
        rows = min(BLOCK, hi - first)
        size = _take(X, first, rows, points)
        for j in range(k):
            standardize(points, size, centers[j], factors[j], squares)
            for i in range(rows):
                out[first + i, j] = logs[j] - min(0.5 * squares[i], LARGEST)
