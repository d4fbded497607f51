"""Sums over rows that do not depend on a divergence: column moments, cluster totals, moves between clusters.

Sums are kept as pairs (total, error) of about twice float64's precision, and products enter them exactly, so a row
that leaves a cluster takes away what it brought.
"""

from typing import NamedTuple

import numpy as np

from kmtoolkit.kernels.arithmetic import add_exact, merge_pairs, two_product, two_sum
from kmtoolkit.kernels.grid import Grid, cut, sweep
from kmtoolkit.kernels.jit import jit

__all__ = ["Moves", "absorb", "cluster_means", "cluster_totals", "column_moment", "move_row", "new_moves"]


class Moves(NamedTuple):
    """What a chunk of moved rows changes; one leading entry per chunk."""

    sums: np.ndarray  # (chunks, k·d) float64, and what rounding lost of them
    sums_error: np.ndarray
    mass: np.ndarray  # (chunks, k) float64, and what rounding lost of it
    mass_error: np.ndarray
    drop: np.ndarray  # (chunks, 1) float64, and what rounding lost of it
    drop_error: np.ndarray
    counts: np.ndarray  # (chunks, k) int64
    tally: np.ndarray  # (chunks, 2) int64: rows moved, rows refused
    hash: np.ndarray  # (chunks,) uint64: change of the labels' hash


def new_moves(rows: int, k: int, d: int) -> tuple[Grid, Moves]:
    """The grid over ``rows`` moved rows and its empty Moves; partial sums never outweigh the rows they sum."""
    grid = cut(rows, 16 * d, most=rows // k + 1)
    chunks = grid.chunks
    sums, mass, drop = (np.zeros((2, chunks, m)) for m in (k * d, k, 1))
    moves = Moves(
        sums=sums[0],
        sums_error=sums[1],
        mass=mass[0],
        mass_error=mass[1],
        drop=drop[0],
        drop_error=drop[1],
        counts=np.zeros((chunks, k), np.int64),
        tally=np.zeros((chunks, 2), np.int64),
        hash=np.zeros(chunks, np.uint64),
    )
    return grid, moves


@jit
def mix(row, label):
    """A 64-bit hash of (row, label) (splitmix64's finalizer); hashes of rows are added modulo 2**64."""
    z = np.uint64(row) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(label + 1) * np.uint64(0xD1B54A32D192ED03)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@jit
def move_row(X, i, weight, origin, old, new, moves, t):
    """Record in chunk t of moves that row i of X (n, d) moves from cluster old (-1: from nowhere) to cluster new."""
    d = X.shape[1]
    for f in range(d):
        value, rounding = two_product(weight, np.float64(X[i, f]) - origin[f])
        add_exact(moves.sums[t], moves.sums_error[t], new * d + f, value)
        moves.sums_error[t, new * d + f] += rounding
        if old >= 0:
            add_exact(moves.sums[t], moves.sums_error[t], old * d + f, -value)
            moves.sums_error[t, old * d + f] -= rounding
    add_exact(moves.mass[t], moves.mass_error[t], new, weight)
    moves.counts[t, new] += 1
    moves.hash[t] += mix(i, new)
    moves.tally[t, 0] += 1
    if old >= 0:
        add_exact(moves.mass[t], moves.mass_error[t], old, -weight)
        moves.counts[t, old] -= 1
        moves.hash[t] -= mix(i, old)


@jit
def absorb(moves, sums, sums_error, mass, mass_error, counts):
    """Merge the chunks of moves into sums (k, d), mass (k,), counts (k,) and their errors; empty is exactly 0.

    Returns the drop, and the numbers of rows moved and refused.
    """
    merge_pairs(moves.sums, moves.sums_error)
    merge_pairs(moves.mass, moves.mass_error)
    merge_pairs(moves.drop, moves.drop_error)
    k, d = sums.shape
    for j in range(k):
        for t in range(len(moves.counts)):
            counts[j] += moves.counts[t, j]
        mass_total, rounding = two_sum(mass[j], moves.mass[0, j])
        mass[j], mass_error[j] = two_sum(mass_total, mass_error[j] + (rounding + moves.mass_error[0, j]))
        for f in range(d):
            total, rounding = two_sum(sums[j, f], moves.sums[0, j * d + f])
            rounding += moves.sums_error[0, j * d + f]
            sums[j, f], sums_error[j, f] = two_sum(total, sums_error[j, f] + rounding)
        if counts[j] == 0:
            mass[j] = mass_error[j] = 0.0
            sums[j] = 0.0
            sums_error[j] = 0.0
    return moves.drop[0, 0] + moves.drop_error[0, 0], moves.tally[:, 0].sum(), moves.tally[:, 1].sum()


@jit
def cluster_means(sums, sums_error, mass, mass_error, counts, mean, rounding):
    """Write mean (k, d), sums / mass, and what rounding lost of it (k, d); empty clusters are left as they are."""
    for j in range(len(counts)):
        if counts[j] > 0:
            for f in range(sums.shape[1]):
                quotient = sums[j, f] / mass[j]
                product, lost = two_product(quotient, mass[j])
                rest = ((sums[j, f] - product) - lost) + (sums_error[j, f] - quotient * mass_error[j])
                mean[j, f] = quotient
                rounding[j, f] = rest / mass[j]


@sweep
def _cluster_totals(lo, hi, t, values, weights, labels, total, error):
    """Add w · value of rows lo:hi to the entry of their cluster in row t of total and error (chunks, k)."""
    for i in range(lo, hi):
        add_exact(total[t], error[t], labels[i], weights[i] * values[i])


def cluster_totals(values: np.ndarray, weights: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Sums of w · value over the rows of each cluster, (2, k) float64: totals, and what rounding lost of them."""
    grid = cut(len(values), 8, most=len(values) // k + 1)
    total, error = np.zeros((2, grid.chunks, k))
    _cluster_totals(grid, values, weights, labels, total, error)
    merge_pairs(total, error)
    return np.stack([total[0], error[0]])


@sweep
def _column_moment(lo, hi, t, X, weights, about, squared, total, error):
    """Add w · (x - about), or of its square, of rows lo:hi to row t of total and error (chunks, d)."""
    for i in range(lo, hi):
        for f in range(X.shape[1]):
            value = np.float64(X[i, f]) - about[f]
            add_exact(total[t], error[t], f, weights[i] * (value * value if squared else value))


def column_moment(X: np.ndarray, weights: np.ndarray, about: np.ndarray, *, squared: bool) -> np.ndarray:
    """Weighted sums over rows of (x - about), or of its square, for each column of X: (d,) float64."""
    grid = cut(len(X), 4 * X.shape[1])
    total, error = np.zeros((2, grid.chunks, X.shape[1]))
    _column_moment(grid, X, weights, about, squared, total, error)
    merge_pairs(total, error)
    return total[0] + error[0]
