"""Which labels differ from the accepted ones."""

import numpy as np

from kmtoolkit.kernels.grid import cut, sweep

__all__ = ["changed"]


@sweep
def _count(lo, hi, t, labels, accepted, counts, largest):
    """Add the changes among labels lo:hi to counts[t]; largest[t] is the largest label, those below 0 beyond all."""
    new, old = labels[lo:hi], accepted[lo:hi]  # loops from 0 on run in vectors: no index can be negative
    many, most = 0, largest[t]
    for r in range(len(new)):
        many += new[r] != old[r]
        most = max(most, np.uint32(new[r]))
    counts[t] += many
    largest[t] = most


@sweep
def _list(lo, hi, t, labels, accepted, at, rows):
    """Write the rows among lo:hi whose labels changed to rows, from at[t] on."""
    new, old, place = labels[lo:hi], accepted[lo:hi], at[t]
    for r in range(len(new)):
        if new[r] != old[r]:
            rows[place] = lo + r
            place += 1
    at[t] = place


def changed(labels: np.ndarray, accepted: np.ndarray) -> tuple[np.ndarray | None, int]:
    """The rows whose labels (n,) differ from the accepted ones (n,), (m,), or None for all; and the largest label.

    Rows are numbered by the smallest integers that can tell them apart. A label below 0 counts as 2**32 more.
    """
    n = len(labels)
    grid = cut(n, 1)
    counts, largest = np.zeros(grid.chunks, np.int64), np.zeros(grid.chunks, np.uint32)
    _count(grid, labels, accepted, counts, largest)
    ends = counts.cumsum()
    rows = None
    if ends[-1] < n:
        rows = np.empty(ends[-1], np.int32 if n < 2**31 else np.int64)
        _list(grid, labels, accepted, ends - counts, rows)
    return rows, int(largest.max())
