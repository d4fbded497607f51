"""Rows divided by their lengths."""

import numpy as np

from kmtoolkit.kernels.arithmetic import EPS
from kmtoolkit.kernels.grid import cut, sweep

__all__ = ["directions"]


@sweep
def _directions(lo, hi, t, X, out, zero):
    """out[lo:hi] = rows of X (n, d) divided by their lengths; zero[t] becomes the first of them that has none, if less.

    Lengths are taken in units of the largest entry, so squares neither overflow nor vanish. Rows of length 1 but for
    rounding stay as they are, so that a second division changes nothing.
    """
    d = X.shape[1]
    for i in range(lo, hi):
        size = 0.0
        for f in range(d):
            size = max(size, abs(np.float64(X[i, f])))
        if size == 0.0:
            zero[t] = min(zero[t], i)
            continue
        square = 0.0
        for f in range(d):
            part = np.float64(X[i, f]) / size
            square += part * part
        length = np.sqrt(square)
        unit = abs(size * length - 1.0) <= (d + 8) * EPS
        for f in range(d):
            out[i, f] = np.float64(X[i, f]) if unit else np.float64(X[i, f]) / size / length


def directions(X: np.ndarray) -> tuple[np.ndarray, int]:
    """Rows of X (n, d) divided by their lengths, float64, and the first that is all zeros, or -1."""
    grid = cut(len(X), 8 * X.shape[1])
    out, zero = np.empty(X.shape), np.full(grid.chunks, len(X))
    _directions(grid, X, out, zero)
    first = int(zero.min())
    return out, first if first < len(X) else -1
