"""Whether a matrix holds dissimilarities: one pass over it, in tiles, that needs no room of its size."""

from typing import NamedTuple

import numpy as np

from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import jit

__all__ = ["Inspection", "inspect"]

TILE = 256  # rows and columns that fit into the cache together with their mirror image
PATCH = 32  # the same of the innermost cache
NONE = np.iinfo(np.int64).max


class Inspection(NamedTuple):
    """What was found in a matrix."""

    fault: str  # of the first entry that can't be, in the order of rows; "" if there is none
    at: tuple[int, int]  # row and column of that entry, (-1, -1) if there is none
    symmetric: bool  # bit by bit; False if there is a fault


def inspect(D: np.ndarray) -> Inspection:
    """Look through a float32 or float64 matrix, quickest if it is C-contiguous.

    Faults are "not square", "not finite", "negative", and "diagonal" for an entry on it that is not 0.
    """
    if D.ndim != 2 or D.shape[0] != D.shape[1]:
        return Inspection("not square", (-1, -1), False)
    D = D.view()
    D.flags.writeable = False  # kernels are compiled once then, also for matrices that can't be written to
    n = len(D)
    bands = (n + TILE - 1) // TILE
    grid = cut(bands, 2 * TILE * n)
    first, uneven = np.full(grid.chunks, NONE), np.zeros(grid.chunks, np.bool_)
    _inspect(grid, D, D.dtype.type(0), np.finfo(D.dtype).max, bands, first, uneven)
    if (flat := int(first.min())) == NONE:
        return Inspection("", (-1, -1), not uneven.any())
    i, j = divmod(flat, n)
    fault = "not finite" if not np.isfinite(D[i, j]) else "negative" if D[i, j] < 0 else "diagonal"
    return Inspection(fault, (i, j), False)


@sweep
def _inspect(lo, hi, t, D, zero, most, bands, first, uneven):
    """Look through bands of TILE rows each, from the diagonal on, and through the mirror image of each tile.

    Bands get shorter downwards, so they are taken from both ends in turn: all chunks have as much to do. first[t]
    becomes the lowest number of a faulty entry, row by row; uneven[t] whether an entry differs from its image.
    """
    n = len(D)
    for r in range(lo, hi):
        top = TILE * (bands - 1 - r // 2 if r % 2 else r // 2)
        bottom = min(top + TILE, n)
        for left in range(top, n, TILE):
            right = min(left + TILE, n)
            first[t] = min(first[t], _first_fault(D, top, bottom, left, right, zero, most))
            if left != top:
                first[t] = min(first[t], _first_fault(D, left, right, top, bottom, zero, most))
            if not uneven[t]:
                uneven[t] = _differs(D, top, bottom, left, right)


@jit
def _first_fault(D, top, bottom, left, right, zero, most):
    """The number of the first faulty entry of a tile, row by row in D; NONE if there is none.

    zero and most, of the precision of D, are what entries must lie between.
    """
    for i in range(top, bottom):
        good = not left <= i < right or D[i, i] == zero
        for j in range(left, right):
            good &= (D[i, j] >= zero) & (D[i, j] <= most)
        if not good:
            for j in range(left, right):
                if not (D[i, j] >= zero and D[i, j] <= most) or (i == j and D[i, j] != zero):
                    return i * len(D) + j
    return NONE


@jit
def _differs(D, top, bottom, left, right):
    """Whether a tile differs from its mirror image, patch by patch."""
    same = True
    for upper in range(top, bottom, PATCH):
        for start in range(left, right, PATCH):
            for j in range(start, min(start + PATCH, right)):
                for i in range(upper, min(upper + PATCH, bottom)):
                    same &= D[i, j] == D[j, i]
    return not same
