"""Rows in the order of a kd-tree: which leaf each belongs to, and the leaves' points and boxes.

The tree is complete: node i splits into 2i and 2i + 1, at the median of a sample of its rows, in the column where the
sample spreads most. Every row finds its way from the root to a leaf by itself, so no level waits for the one before.
"""

import math
from typing import NamedTuple

import numpy as np

from kmtoolkit.kernels.boxes import ROOM
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import jit

__all__ = ["Leaves", "boxes_around", "plant"]

SAMPLE = 8  # rows of the sample for each leaf
CHUNKS = 16  # each counts the rows of every leaf
BLOCK = 256
MEDIAN = 64  # rows whose median stands for that of more


class Leaves(NamedTuple):
    """Rows sorted by leaf; leaf i holds places starts[i] to starts[i + 1]."""

    points: np.ndarray  # (d, n + ROOM) of the dtype of X
    order: np.ndarray  # (n,) int32 or int64: the row at each place
    starts: np.ndarray  # (leaves + 1,) int64
    low: np.ndarray  # (leaves, d) float64: the box of each leaf; an empty one has low = inf, high = -inf
    high: np.ndarray


@jit
def _split(sample, levels, columns, cuts):
    """Write the column and the cut of each inner node, (2**levels,), of the tree over sample (m, d), to be sorted."""
    m, d = sample.shape
    bounds = np.zeros(2 * len(cuts) + 2, np.int64)  # of node i: from bounds[i] on; nodes of a level follow each other
    ends = np.zeros(2 * len(cuts) + 2, np.int64)
    ends[1] = m
    for node in range(1, len(cuts)):
        lo, hi = bounds[node], ends[node]
        widest, column = -1.0, 0
        for f in range(d):
            least, most = np.inf, -np.inf
            for i in range(lo, hi):
                least, most = min(least, sample[i, f]), max(most, sample[i, f])
            if most - least > widest:
                widest, column = most - least, f
        middle = lo
        if hi > lo:
            cut_at = np.median(sample[lo : hi : (hi - lo) // MEDIAN + 1, column])
            columns[node], cuts[node] = column, cut_at
            for i in range(lo, hi):
                if sample[i, column] <= cut_at:
                    for f in range(d):
                        sample[i, f], sample[middle, f] = sample[middle, f], sample[i, f]
                    middle += 1
        bounds[2 * node], ends[2 * node] = lo, middle
        bounds[2 * node + 1], ends[2 * node + 1] = middle, hi


@sweep
def _route(lo, hi, t, X, columns, cuts, levels, leaf_of, counts):
    """Find the leaf of rows lo:hi, and count the rows of each in counts[t].

    Rows of a block go down together, a level at a time, so that none waits for another.
    """
    nodes = np.empty(BLOCK, np.uint32)
    for start in range(lo, hi, BLOCK):
        rows, leaves = X[start : min(start + BLOCK, hi)], leaf_of[start : min(start + BLOCK, hi)]
        nodes[:] = 1
        for _ in range(levels):
            for r in range(len(rows)):
                node = nodes[r]
                nodes[r] = (node << np.uint32(1)) | np.uint32(rows[r, columns[node]] > cuts[node])
        for r in range(len(rows)):
            leaf = nodes[r] - np.uint32(len(cuts))
            leaves[r] = leaf
            counts[t, leaf] += 1


@sweep
def _place(lo, hi, t, X, leaf_of, places, points, order):
    """Put rows lo:hi at the places of their leaves, the next of which are places[t]."""
    for i in range(lo, hi):
        at = places[t, leaf_of[i]]
        places[t, leaf_of[i]] += 1
        order[at] = i
        for f in range(X.shape[1]):
            points[f, at] = X[i, f]


@sweep
def _enclose(lo, hi, t, points, starts, low, high):
    """Write the boxes of leaves lo:hi."""
    for leaf in range(lo, hi):
        for f in range(len(points)):
            values = points[f, starts[leaf] : starts[leaf + 1]]
            least, most = np.inf, -np.inf
            for r in range(len(values)):
                least, most = min(least, np.float64(values[r])), max(most, np.float64(values[r]))
            low[leaf, f], high[leaf, f] = least, most


def plant(X: np.ndarray, size: int) -> Leaves:
    """Sort the rows of X (n, d) into leaves of about ``size`` rows, a power of two of them."""
    n, d = X.shape
    levels = max(round(math.log2(n / size)), 0)
    many = 1 << levels
    columns, cuts = np.zeros(many, np.uint32), np.full(many, np.inf)
    _split(X[:: max(n // (SAMPLE * many), 1)].astype(np.float64), levels, columns, cuts)
    grid = cut(n, 8 * levels + 1, most=CHUNKS)
    order = np.empty(n, np.int32 if n < 2**31 else np.int64)
    leaf_of, counts = np.empty(n, np.uint32), np.zeros((grid.chunks, many), np.int64)
    _route(grid, X, columns, cuts, levels, leaf_of, counts)
    ends = counts.T.ravel().cumsum()
    places = np.ascontiguousarray((ends - counts.T.ravel()).reshape(many, grid.chunks).T)
    starts = np.concatenate(([0], ends[grid.chunks - 1 :: grid.chunks]))
    points = np.zeros((d, n + ROOM), X.dtype)
    _place(grid, X, leaf_of, places, points, order)
    low, high = np.empty((2, many, d))
    _enclose(cut(many, size * d), points, starts, low, high)
    return Leaves(points, order, starts, low, high)


def boxes_around(leaves: Leaves, many: int) -> tuple[np.ndarray, np.ndarray]:
    """The boxes (leaves / many, d) around so many neighboring leaves each."""
    shape = (-1, many, leaves.low.shape[1])
    return leaves.low.reshape(shape).min(axis=1), leaves.high.reshape(shape).max(axis=1)
