"""The nearest center of each row at the speed of the machine, and still the canonical one.

Scores x · c - ‖c‖²/2, the largest of which is the nearest center's, are computed in register tiles (``simd.py``), in
float32 where that is enough. A row whose two best scores differ by more than rounding can explain has its label; the
others, rare in most data, are decided by the canonical function over all centers. So the labels are those of
``squared.nearest``.

Rounding. With y = (x - origin) · scale, C the largest ‖c‖ on the same scale, and u the unit roundoff of the tile: y is
rounded twice, c once, the offset at most d + 3 times, and d multiply-adds follow, so a score is off by less than
(d + 6) u (‖y‖C + C²), if (d + 6) u is small (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section
3.1; the factor 1.02 covers terms in u² and the rounding of the bound itself). The canonical distance, twice a
difference of scores, is off by at most (d + 3) 2^-53 (‖y‖ + C)², and by what underflow takes. A margin beyond both
errors of both scores decides.
"""

import math
from typing import Any

import numpy as np

from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import jit, plain_python
from kmtoolkit.kernels.simd import GROUP, VECTORS, pack_rows, score_tile, squared_lengths
from kmtoolkit.kernels.squared import in_lanes, nearest, nearest_of_row
from kmtoolkit.kernels.vectors import LINE_BYTES, VECTOR_BYTES

__all__ = ["closest"]

LEAST_WORK = 1 << 16  # multiply-adds below which preparing a tile costs more than it saves
MOST_COLUMNS = 1 << 15  # for the bound on rounding to hold in float32
SAMPLE = 256  # rows that tell whether float32 decides often enough
OFTEN = 1 / 16  # share of undecided rows above which the next precision is faster
STEPS_PER_OPERATION = 32  # multiply-adds that take about as long as one operation of a plain kernel


@sweep
def _closest(lo, hi, t, X, origin, scale, packed, offset, bound, features, names_like, labels, undecided):
    """Label the rows of blocks lo:hi; undecided[t] counts the rows that the canonical function had to decide.

    origin holds multiples of d values, packed (groups, d, GROUP) and offset (groups · GROUP,) the centers; features are
    the centers in lanes. A margin is certain beyond bound[0] ‖y‖² + bound[1] ‖y‖ + bound[2].
    """
    n, d = X.shape
    lanes = VECTOR_BYTES // packed.itemsize
    width, padded = VECTORS * lanes, -(-d // lanes) * lanes  # rows of a block, and features in whole vectors
    line = LINE_BYTES // X.itemsize
    points = np.zeros((padded, width), packed.dtype)
    best, second, margin = np.empty(width, packed.dtype), np.empty(width, packed.dtype), np.empty(width, packed.dtype)
    which = np.empty(width, names_like.dtype)
    distances = np.empty(features.shape[1])
    for block in range(lo, hi):
        first = block * width
        rows = min(width, n - first)
        if (first + width - 1) * d + padded <= n * d:
            pack_rows(X, first, origin, scale, points, VECTORS)  # type: ignore[call-arg]
        else:  # too near to the end of X to load whole vectors
            for r in range(rows):
                for f in range(d):
                    points[f, r] = (X[first + r, f] - origin[f]) * scale
        squared_lengths(points, margin, d, VECTORS)  # type: ignore[call-arg]
        for r in range(width):
            best[r] = -np.inf
            second[r] = -np.inf
            which[r] = 0
        for j in range(0, offset.size, GROUP):
            done = j // GROUP * 2 * d * line
            step = line if done < width * d else 0
            score_tile(
                points, packed, offset, best, second, which, d, j, X, (first + width) * d + done, step, VECTORS, GROUP
            )
        unsure = 0
        for r in range(width):
            needed = bound[0] * margin[r] + bound[1] * np.sqrt(margin[r]) + bound[2]
            margin[r] = (best[r] - second[r]) - needed
            unsure += not margin[r] > 0  # nor if it is NaN, of values beyond the range of the tile
        here = labels[first : first + rows]
        for r in range(rows):
            here[r] = which[r]
        if unsure:
            for r in range(rows):
                if not margin[r] > 0:
                    here[r] = nearest_of_row(X, first + r, features, distances)
                    undecided[t] += 1


def closest(X: np.ndarray, centers: np.ndarray, labels: np.ndarray) -> None:
    """Write the index of the nearest center of each row of X (n, d) to labels (n,) int32; equals ``nearest``."""
    n, (k, d) = len(X), centers.shape
    if k == 1:
        labels[:] = 0
    elif plain_python or n * k * d < LEAST_WORK or d > MOST_COLUMNS:
        nearest(X, centers, labels)
    elif n < 16 * SAMPLE:
        _score(X, centers, labels, _prepare(X, centers, np.float32))
    else:
        sample = X[:: n // SAMPLE].copy()
        sample.flags.writeable = False
        for precision in (np.float32, np.float64):
            prepared = _prepare(X, centers, precision)
            if _score(sample, centers, np.empty(len(sample), np.int32), prepared) < OFTEN:
                _score(X, centers, labels, prepared)
                return
        nearest(X, centers, labels)


def _score(X: np.ndarray, centers: np.ndarray, labels: np.ndarray, prepared: tuple) -> float:
    """Label the rows of X (n, d) by tiles of the prepared precision; the share of rows these left undecided."""
    width = VECTORS * VECTOR_BYTES // prepared[2].itemsize
    grid = cut(-(-len(X) // width), width * centers.size // STEPS_PER_OPERATION + 1)
    undecided = np.zeros(grid.chunks, np.int64)
    _closest(grid, X, *prepared, labels, undecided)
    return int(undecided.sum()) / len(X)


def _prepare(X: np.ndarray, centers: np.ndarray, precision: Any) -> tuple:
    """What ``_closest`` takes besides rows and labels, for tiles of a precision."""
    (k, d), bound = centers.shape, np.empty(3, precision)
    exact, groups = np.result_type(X.dtype, precision), -(-k // GROUP)
    origin, scale = np.empty(d * VECTOR_BYTES // bound.itemsize, exact), np.empty(1, exact)
    packed, offset = np.zeros((groups, d, GROUP), precision), np.empty(groups * GROUP, precision)
    _pack_centers(centers, origin, scale, packed, offset, bound)
    return origin, scale[0], packed, offset, bound, in_lanes(centers), _NAMES[precision]


_NAMES: dict[Any, np.ndarray] = {np.float32: np.empty(0, np.int32), np.float64: np.empty(0, np.int64)}  # as wide


@jit
def _pack_centers(centers, origin, scale, packed, offset, bound):
    """Write origin, scale (1,), centers in groups, offsets and bound, as ``_closest`` takes them; packed comes as 0.

    The origin is the mean of the centers (k, d); the scale is a power of two that brings them to about 1. (Nothing is
    returned: making arrays for Python is no place for Ctrl-C to strike.)
    """
    (k, d), single = centers.shape, bound.itemsize == 4
    for f in range(d):
        mean = 0.0
        for j in range(k):
            mean += centers[j, f] / k
        origin[f] = mean
    for at in range(d, len(origin)):
        origin[at] = origin[at - d]
    largest, reach, most = 0.0, 0.0, 100 if origin.itemsize == 4 else 500
    for j in range(k):
        for f in range(d):
            largest = max(largest, abs(centers[j, f] - origin[f]))
    scale[0] = math.ldexp(1.0, -min(max(math.frexp(largest)[1], -most), most))
    offset[:] = -np.inf
    for j in range(k):
        square = 0.0
        for f in range(d):
            moved = (centers[j, f] - origin[f]) * scale[0]
            packed[j // GROUP, f, j % GROUP] = moved
            square += moved * moved
        offset[j] = -square / 2
        reach = max(reach, math.sqrt(square))
    error, canonical = (d + 6) * (2.0**-23 if single else 2.0**-52), (d + 3) * 2.0**-53
    underflow = d * scale[0] * (scale[0] * 2.0**-1074) + (d + 2) * (2.0**-149 if single else 2.0**-1074)
    bound[0] = 1.02 * canonical
    bound[1] = 1.02 * (error + 2 * canonical) * reach
    bound[2] = 1.02 * ((error + canonical) * reach * reach + underflow)
    if not np.isfinite(offset[:k]).all():
        bound[2] = np.inf  # nothing is certain beyond the range of the tile
