"""Which labels differ from the accepted ones, and which rows an assigner has moved."""

import numpy as np

from kmtoolkit.kernels.grid import Grid, cut, sweep
from kmtoolkit.kernels.jit import inlined, jit

__all__ = ["FEW", "changed", "changed_among", "gathered", "note", "room_for_moves", "row_dtype"]

FEW = 16  # a list of moved rows is worth its while up to one row in so many


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
        rows = np.empty(ends[-1], row_dtype(n))
        _list(grid, labels, accepted, ends - counts, rows)
    return rows, int(largest.max())


def changed_among(told: np.ndarray, labels: np.ndarray, accepted: np.ndarray) -> tuple[np.ndarray, int]:
    """The same of the rows told (m,), in rising order, alone."""
    rows = np.empty(len(told), told.dtype)
    many, largest = _sieve(told, labels, accepted, rows)
    return rows[:many], int(largest)


@jit
def _sieve(told, labels, accepted, rows):
    """Write the rows told whose labels changed to rows; their number, and the largest of their labels."""
    many, largest = 0, np.uint32(0)
    for i in told:
        rows[many] = i
        if labels[i] != accepted[i]:
            many += 1
            largest = max(largest, np.uint32(labels[i]))
    return many, largest


def row_dtype(n: int) -> type:
    """The smallest integers that tell n rows apart."""
    return np.int32 if n < 2**31 else np.int64


def room_for_moves(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Where the chunks of a sweep ``note`` the rows they move: lists (chunks, m), and their lengths (chunks,), 0."""
    longest = -(-grid.rows // grid.chunks)
    return np.empty((grid.chunks, longest // FEW + 1), np.int64), np.zeros(grid.chunks, np.int64)


@inlined
def note(lists, lengths, t, row):
    """Note that chunk t has moved a row; a list that is full counts on."""
    at = lengths[t]
    if at < lists.shape[1]:
        lists[t, at] = row
    lengths[t] = at + 1


def gathered(lists: np.ndarray, lengths: np.ndarray) -> np.ndarray | None:
    """The rows that all chunks noted, (m,); None if they were too many for a list."""
    if (lengths > lists.shape[1]).any():
        return None
    rows = np.empty(lengths.sum(), np.int64)
    _join(lists, lengths, rows)
    return rows


@jit
def _join(lists, lengths, rows):
    """Write what the chunks noted to rows, one chunk after the other."""
    at = 0
    for t in range(len(lists)):
        for r in range(lengths[t]):
            rows[at] = lists[t, r]
            at += 1
