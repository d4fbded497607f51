"""The fixed grid: how rows are cut into chunks, and how the chunks' partial results become one.

The grid depends on the amount of work only, never on the number of threads, and partial results are merged in
a fixed binary tree. Together they give the same bits for any thread count.
"""

import numpy as np

from kmtoolkit.kernels.jit import jit

__all__ = ["add_exact", "cut", "merge_pairs", "two_sum"]

MAX_CHUNKS = 64
OPERATIONS_PER_CHUNK = 1 << 15  # below this, starting a chunk costs more than it saves


def cut(rows: int, operations: int, most: int = MAX_CHUNKS) -> np.ndarray:
    """Bounds (chunks + 1,) int64 that cut ``rows`` rows of ``operations`` each into ``most`` chunks or fewer."""
    chunks = max(min(rows * operations // OPERATIONS_PER_CHUNK, rows, most, MAX_CHUNKS), 1)
    return np.arange(chunks + 1, dtype=np.int64) * rows // chunks


@jit
def two_sum(a, b):
    """The rounded sum of two floats and its rounding error (Knuth, TAOCP 2, section 4.2.2)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@jit
def add_exact(total, error, at, value):
    """Add a float to the pair total[at] + error[at], which together carry twice the precision."""
    total[at], rounding = two_sum(total[at], value)
    error[at] += rounding


@jit
def merge_pairs(total, error):
    """Sum the chunks (rows) of total (chunks, m) and error (chunks, m) into row 0, in a binary tree."""
    chunks, m = total.shape
    step = 1
    while step < chunks:
        for t in range(0, chunks - step, 2 * step):
            for j in range(m):
                add_exact(total[t], error[t], j, total[t + step, j])
                error[t, j] += error[t + step, j]
        step *= 2
