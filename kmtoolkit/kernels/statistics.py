"""Sums over rows that do not depend on a divergence: column moments, cluster totals, moves between clusters.

Sums are kept as pairs (total, error) of about twice float64's precision, and products enter them exactly, so a row
that leaves a cluster takes away what it brought.
"""

from typing import NamedTuple

import numpy as np

from kmtoolkit.kernels.arithmetic import add_exact, merge_pairs, two_product, two_sum
from kmtoolkit.kernels.grid import Grid, cut, sweep
from kmtoolkit.kernels.jit import jit, plain_python
from kmtoolkit.kernels.lanes import LANES, add_in_eights

__all__ = [
    "WORN", "Moves", "absorb", "add_rows", "are_whole", "column_variances", "magnitude", "means", "mix", "new_moves",
    "shifts",
]  # fmt: skip


LONG_ROW = 16  # columns from which vectors are worth their beginning and end
WORN = 2.0**-40  # a cluster that lost all but this share of its mass or sums is summed afresh: pairs hold 100 bits


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
    """The grid over ``rows`` moved rows and its empty Moves; merging partial sums takes a small part of the time."""
    grid = cut(rows, 16 * d, most=rows // (8 * k) + 1)
    chunks = grid.chunks
    sums, mass, drop = np.zeros((2, chunks, k * d)), np.zeros((2, chunks, k)), np.zeros((2, chunks, 1))
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
def add_rows(X, rows, labels, weights, sign, origin, sums, errors, mass, mass_error, counts):
    """Add sign · weight · (x - origin) of the rows of X (n, d) to the pairs of their clusters; sign is 1 or -1.

    sums and errors (k · d,), mass and mass_error (k,), counts (k,). A row without a cluster, of label -1, is left out.
    """
    d = len(origin)
    for i in rows:
        j = labels[i]
        if j < 0:
            continue
        weight = sign * weights[i]
        add_exact(mass, mass_error, j, weight)
        counts[j] += np.int64(sign)
        if weight == sign and (d < LANES or plain_python):
            for f in range(d):
                add_exact(sums, errors, j * d + f, sign * (np.float64(X[i, f]) - origin[f]))
        elif weight == sign:
            add_in_eights(X, np.int64(i), sign, origin, sums, errors, np.int64(j * d))  # type: ignore[call-arg]
            for f in range(d - d % LANES, d):
                add_exact(sums, errors, j * d + f, sign * (np.float64(X[i, f]) - origin[f]))
        elif d >= LONG_ROW:
            _add_long_row(X, i, weight, origin, sums[j * d : j * d + d], errors[j * d : j * d + d])
        else:
            for f in range(d):
                value, lost = two_product(weight, np.float64(X[i, f]) - origin[f])
                add_exact(sums, errors, j * d + f, value)
                errors[j * d + f] += lost


@jit
def _add_long_row(X, i, weight, origin, total, error):
    """The same for a weighted row's own cluster, total (d,) and error (d,), in vectors."""
    for f in range(len(total)):
        value, lost = two_product(weight, np.float64(X[i, f]) - origin[f])
        total[f], rounding = two_sum(total[f], value)
        error[f] += rounding + lost


@jit
def absorb(moves, sums, sums_error, mass, mass_error, counts, peak_mass, peak_sums):
    """Merge the chunks of moves into sums (k, d), mass (k,), counts (k,) and their errors; empty is exactly 0.

    peak_mass (k,) and peak_sums (k, d) follow the largest magnitudes. Returns the drop, the numbers of rows moved and
    refused, the change of the labels' hash, the number of empty clusters, and whether a cluster is worn.
    """
    empty, worn = 0, False
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
            peak_sums[j, f] = max(peak_sums[j, f], abs(sums[j, f]))
            worn |= counts[j] > 0 and abs(sums[j, f]) < peak_sums[j, f] * WORN
        peak_mass[j] = max(peak_mass[j], mass[j])
        worn |= counts[j] > 0 and mass[j] < peak_mass[j] * WORN
        if counts[j] == 0:
            mass[j] = mass_error[j] = peak_mass[j] = 0.0
            sums[j] = 0.0
            sums_error[j] = 0.0
            peak_sums[j] = 0.0
            empty += 1
    drop, tally = moves.drop[0, 0] + moves.drop_error[0, 0], moves.tally
    return drop, tally[:, 0].sum(), tally[:, 1].sum(), moves.hash.sum(), empty, worn


@jit
def means(centers, counts, mass, sums, origin):
    """Write origin + sums / mass to centers (k, d); those of empty clusters are left as they are."""
    for j in range(len(counts)):
        if counts[j] > 0:
            for f in range(len(origin)):
                centers[j, f] = origin[f] + sums[j, f] / mass[j]


@jit
def magnitude(values):
    """The largest magnitude among values (k, d); NaN if one is NaN."""
    largest, nan = 0.0, False
    for j in range(values.shape[0]):
        for f in range(values.shape[1]):
            largest = max(largest, abs(values[j, f]))
            nan |= values[j, f] != values[j, f]
    return np.nan if nan else largest


@jit
def shifts(before, after, out):
    """Write the distances between centers before and after (k, d) to out (k,); the sum of their squares."""
    total = 0.0
    for j in range(len(out)):
        square = 0.0
        for f in range(before.shape[1]):
            way = after[j, f] - before[j, f]
            square += way * way
        total += square
        out[j] = np.sqrt(square)
    return total


@sweep
def _variances(lo, hi, t, X, weights, about, first, second):
    """Add w · (x - about) and w · (x - about)² of rows lo:hi to row t of first and second (chunks, d)."""
    d = X.shape[1]
    ones, twos = first[t], second[t]
    for i in range(lo, hi):
        weight = weights[i]
        for f in range(d):
            value = np.float64(X[i, f]) - about[f]
            ones[f] += weight * value
            twos[f] += weight * (value * value)


def column_variances(X: np.ndarray, weights: np.ndarray, about: np.ndarray) -> np.ndarray:
    """The weighted variance of each column of X (n, d), by sums about a point (d,) of the rows' range: (d,) float64.

    A variance is at least range²/2 times the share of the lightest row in the weight, and what cancels is of the order
    of range². So the relative error is of the order of eps times total weight over least weight.
    """
    grid = cut(len(X), X.shape[1])
    first, second = np.zeros((2, grid.chunks, X.shape[1]))
    _variances(grid, X, weights, about, first, second)
    total = weights.sum()
    return np.maximum(second.sum(axis=0) / total - (first.sum(axis=0) / total) ** 2, 0.0)


def are_whole(weights: np.ndarray) -> bool:
    """Whether weights count copies; others are shares of a whole, which may be cut up as finely as one likes."""
    return bool((weights == np.floor(weights)).all())
