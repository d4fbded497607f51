"""Weighted medians of the columns of each cluster, by selection.

Values are split at a pivot until the median is the pivot (Hoare, Communications of the ACM 4, 1961). Both parts are
written aside without branches, and what equals the pivot belongs to neither, so equal values cost nothing. Pivots come
from places that follow no pattern of the values, such as a rise and fall.
"""

import numpy as np

from kmtoolkit.kernels.arithmetic import two_sum
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import jit

__all__ = ["medians"]

SPLITS = 64  # after which the rest is sorted: many more than there are, unless values are made to spoil the pivots
OPERATIONS = 16  # of a value
HALF = 2.0**1023  # of what is just too large for a float; halves of less may be rounded
WEYL = 2654435769  # 2**32 over the golden ratio: its multiples fill the circle evenly, whatever the pattern of values


def medians(X: np.ndarray, weights: np.ndarray, labels: np.ndarray, counts: np.ndarray, centers: np.ndarray) -> None:
    """Write the medians of the rows of each cluster to centers (k, d); an empty cluster keeps its center.

    Half of the weight lies at or below a median, and half at or above it. If that holds for an interval, its middle is
    taken. X (n, d), weights (n,) positive, labels (n,), counts (k,) of the rows by label. O(n d) time, as long as
    pivots are good; O(n) memory, and three copies of a cluster's column for each thread.
    """
    (n, d), k = X.shape, len(counts)
    order, starts = np.empty(n, np.int64), np.zeros(k + 1, np.int64)
    _by_cluster(labels, counts, starts, order)
    equal = bool((weights == weights[0]).all())
    _medians(cut(n * d, OPERATIONS), X, weights, equal, order, starts, centers)


@jit
def _by_cluster(labels, counts, starts, order):
    """Write the rows in order of their clusters to order (n,); those of cluster j begin at starts[j]."""
    ends = np.zeros(len(counts), np.int64)
    for j in range(len(counts)):
        ends[j] = starts[j]
        starts[j + 1] = starts[j] + counts[j]
    for i in range(len(labels)):
        order[ends[labels[i]]] = i
        ends[labels[i]] += 1


@sweep
def _medians(lo, hi, t, X, weights, equal, order, starts, centers):
    """Write the medians of the columns of clusters, (j, f), that begin among the values lo:hi.

    Values are counted cluster by cluster, and column by column in it, so chunks are alike in work and not in number of
    columns: the columns of one large cluster are begun by different ones.
    """
    d, most, first, last = X.shape[1], 0, 0, 0
    while starts[first + 1] * d <= lo < hi:
        first += 1  # the cluster that value lo belongs to
    while last < len(starts) - 1 and starts[last] * d < hi:
        last += 1
    for j in range(first, last):
        most = max(most, starts[j + 1] - starts[j])
    values, shares = np.empty((3, most)), np.empty((3, 0 if equal else most))
    for j in range(first, last):
        begin, many = starts[j], starts[j + 1] - starts[j]
        for f in range(d):
            if not lo <= begin * d + f * many < hi or many == 0:
                continue
            for r in range(many):
                i = order[begin + r]
                values[0, r] = np.float64(X[i, f])
                if not equal:
                    shares[0, r] = weights[i]
            centers[j, f] = _median(values, shares, many)


@jit
def _median(values, shares, many):
    """The median of values[0, :many] with weights shares[0, :many], or equal ones if there are none; both are lost.

    Weights are added up in pairs of floats, so that it is no matter of rounding whether half of them is reached.
    """
    total = _weight(shares, 0, many)
    below, above, now = (0.0, 0.0), np.inf, 0  # the weight of what is less, and the least of what is greater
    for step in range(SPLITS):
        pivot = _pivot(values[now], many, step)
        low, high = (now + 1) % 3, (now + 2) % 3
        less, more, at = _split(values, shares, now, many, pivot)
        until = _plus(below, _weight(shares, low, less))
        if _twice_less(until, total) >= 0:
            above, now, many = pivot, low, less
            continue
        at_most = _plus(until, at)
        half = _twice_less(at_most, total)
        if half >= 0:
            if half > 0:
                return pivot
            upper = above
            for r in range(more):
                upper = min(upper, values[high, r])
            return _halfway(pivot, upper)
        below, now, many = at_most, high, more
    return _median_of_sorted(values[now, :many], shares[now, : many if shares.shape[1] else 0], below, total, above)


@jit
def _pivot(values, many, step):
    """The middle one of three of values[:many], taken elsewhere at each step."""
    at = 3 * step
    a = values[((at + 1) * WEYL & 0xFFFFFFFF) * many >> 32]
    b = values[((at + 2) * WEYL & 0xFFFFFFFF) * many >> 32]
    c = values[((at + 3) * WEYL & 0xFFFFFFFF) * many >> 32]
    return max(min(a, b), min(max(a, b), c))


@jit
def _halfway(a, b):
    """The middle of two numbers, between them even if their sum is too large for a float."""
    return (a + b) / 2 if max(abs(a), abs(b)) < HALF else a / 2 + b / 2


@jit
def _split(values, shares, now, many, pivot):
    """Write what is less than the pivot to row now + 1, and what is greater to row now + 2.

    Returns how many these are, and the weight of what equals the pivot.
    """
    less, more, weighted = 0, 0, shares.shape[1] > 0
    x, low, high = values[now], values[(now + 1) % 3], values[(now + 2) % 3]
    if not weighted:
        for r in range(many):
            value = x[r]
            low[less] = value
            less += value < pivot
            high[more] = value
            more += value > pivot
        return less, more, (float(many - less - more), 0.0)
    w, low_w, high_w = shares[now], shares[(now + 1) % 3], shares[(now + 2) % 3]
    total, error = 0.0, 0.0
    for r in range(many):
        value, weight = x[r], w[r]
        low[less], low_w[less] = value, weight
        less += value < pivot
        high[more], high_w[more] = value, weight
        more += value > pivot
        total, rounding = two_sum(total, weight if value == pivot else 0.0)
        error += rounding
    return less, more, (total, error)


@jit
def _weight(shares, row, many):
    """The weight of shares[row, :many] as a pair; their number if weights are equal."""
    if shares.shape[1] == 0:
        return float(many), 0.0
    total, error = 0.0, 0.0
    for r in range(many):
        total, rounding = two_sum(total, shares[row, r])
        error += rounding
    return total, error


@jit
def _plus(a, b):
    """The sum of two pairs."""
    total, rounding = two_sum(a[0], b[0])
    return total, a[1] + (b[1] + rounding)


@jit
def _twice_less(part, whole):
    """2 · part - whole, of pairs."""
    difference, rounding = two_sum(2 * part[0], -whole[0])
    return difference + (rounding + (2 * part[1] - whole[1]))


@jit
def _median_of_sorted(values, shares, below, total, above):
    """The median among values (m,), with weights shares (m,) or equal ones, when ``below`` lies below them all."""
    order = np.argsort(values)
    for r in range(len(order)):
        below = _plus(below, (shares[order[r]] if len(shares) else 1.0, 0.0))
        half = _twice_less(below, total)
        if half >= 0:
            value = values[order[r]]
            upper = values[order[r + 1]] if r + 1 < len(order) else above
            return value if half > 0 else _halfway(value, upper)
    return values[order[-1]]
