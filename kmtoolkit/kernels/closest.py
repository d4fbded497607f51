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
errors of both scores decides. A squared distance ‖y‖² - 2 score is off by as much, and by (d + 6) u ‖y‖².
"""

import math
from typing import Any, NamedTuple

import numpy as np

from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import inlined, jit, plain_python, read_only
from kmtoolkit.kernels.lanes import prefetch_row
from kmtoolkit.kernels.simd import GROUP, VECTORS, pack_rows, score_tile, squared_lengths
from kmtoolkit.kernels.squared import in_lanes, nearest, nearest_of_row
from kmtoolkit.kernels.vectors import LINE_BYTES, VECTOR_BYTES

__all__ = [
    "CANONICAL", "Packed", "Room", "block_width", "closest", "first_level", "gap_of_row", "new_room", "next_level",
    "pack", "rank",
]  # fmt: skip

LEAST_WORK = 1 << 16  # multiply-adds below which preparing a tile costs more than it saves
MOST_COLUMNS = 1 << 15  # for the bound on rounding to hold in float32
SAMPLE = 256  # rows that tell whether float32 decides often enough
OFTEN = 1 / 16  # share of undecided rows above which the next precision is faster
LEAST = 2048  # compared rows that tell whether it is
STEPS_PER_OPERATION = 32  # multiply-adds that take about as long as one operation of a plain kernel
PRECISIONS: tuple[Any, ...] = (np.float32, np.float64)  # of tiles, the faster first
CANONICAL = len(PRECISIONS)  # the level beyond them: no tiles


class Packed(NamedTuple):
    """Centers as ``rank`` takes them."""

    origin: np.ndarray  # multiples of d values
    scale: Any  # a power of two
    groups: np.ndarray  # (groups, d, GROUP)
    offset: np.ndarray  # (groups · GROUP,)
    bound: np.ndarray  # (6,): a margin is certain beyond bound[0] ‖y‖² + bound[1] ‖y‖ + bound[2]; bound[3] ‖y‖² is what
    # a squared distance may be off besides; bound[4] and bound[5] round a root down and up
    features: np.ndarray  # the centers in lanes
    names_like: np.ndarray  # (0,) integers as wide as scores


class Room(NamedTuple):
    """What ``rank`` works in, and leaves its answer in: rows of a block in lanes."""

    points: np.ndarray  # (d in whole vectors, rows)
    best: np.ndarray  # (rows,) the largest score
    second: np.ndarray  # (rows,) the second largest
    margin: np.ndarray  # (rows,) by how much the largest is certain
    which: np.ndarray  # (rows,) the center it is of
    distances: np.ndarray  # (centers in lanes,) float64
    listed: np.ndarray  # (rows,) int64: the numbers of the rows
    gaps: np.ndarray  # (rows,)


@jit
def new_room(packed, d):
    """A Room for rows of d features."""
    lanes = VECTOR_BYTES // packed.groups.itemsize
    width, kind = VECTORS * lanes, packed.groups.dtype
    return Room(
        np.zeros((-(-d // lanes) * lanes, width), kind),
        np.empty(width, kind),
        np.empty(width, kind),
        np.empty(width, kind),
        np.empty(width, packed.names_like.dtype),
        np.empty(packed.features.shape[1]),
        np.empty(width, np.int64),
        np.empty(width, kind),
    )


@jit
def _gaps(bound, squares, best, second, gaps):
    """Write the gaps of a block of rows, (rows,), from the squares of their lengths and their two best scores."""
    zero, constant, linear, square = bound.dtype.type(0), bound[2], bound[1], bound[3]
    down, up = bound[4], bound[5]
    for r in range(len(squares)):
        length = squares[r]
        lost = square * length + linear * np.sqrt(length) + constant
        nearer, farther = (length - best[r]) - best[r] + lost, (length - second[r]) - second[r] - lost
        gaps[r] = np.sqrt(zero if farther < zero else farther) * down - np.sqrt(zero if nearer < zero else nearer) * up


@jit
def rank(X, first, rows, many, packed, room, labels, gaps):
    """Label rows first to first + many - 1 of X (n, d); if rows is an array and not None, first + rows[:many].

    labels (many,) int32. gaps (many,), unless it is empty, become lower bounds of how much farther the second nearest
    center is than the nearest, in the units of X times the scale, or NaN. Returns how many rows the canonical function
    had to decide.
    """
    n, d = X.shape
    points, best, second, margin, which = room.points, room.best, room.second, room.margin, room.which
    bound, origin, scale, groups, offset = packed.bound, packed.origin, packed.scale, packed.groups, packed.offset
    features, distances, listed, near = packed.features, room.distances, room.listed, room.gaps
    padded, width = points.shape
    line, undecided, soon = LINE_BYTES // X.itemsize, 0, -(-width * GROUP // offset.size)
    for start in range(0, many, width):
        count = min(width, many - start)
        last, done = first + start + width - 1, width * d
        if rows is not None:
            last, done = 0, 0
            for r in range(width):
                listed[r] = first + rows[start + min(r, count - 1)]
                last = max(last, listed[r])
        if last * d + padded <= n * d:
            if rows is None:
                pack_rows(X, first + start, origin, scale, points, VECTORS)  # type: ignore[call-arg]
            else:
                pack_rows(X, listed, origin, scale, points, VECTORS)  # type: ignore[call-arg]
        else:  # too near to the end of X to load whole vectors
            for r in range(count):
                i = first + start + r if rows is None else listed[r]
                for f in range(d):
                    points[f, r] = (X[i, f] - origin[f]) * scale
        squared_lengths(points, margin, d, VECTORS)  # type: ignore[call-arg]
        for r in range(width):
            best[r] = -np.inf
            second[r] = -np.inf
            which[r] = 0
        for j in range(0, offset.size, GROUP):
            if rows is not None:  # the rows of the next block
                for r in range(start + width + soon * (j // GROUP), start + width + soon * (j // GROUP + 1)):
                    prefetch_row(X, first + rows[min(r, many - 1)])
            ahead = j // GROUP * 2 * d * line
            step = line if ahead < done else 0
            ahead += (first + start + width) * d
            score_tile(points, groups, offset, best, second, which, d, j, X, ahead, step, VECTORS, GROUP)
        if len(gaps):
            _gaps(bound, margin, best, second, near)
            gaps[start : start + count] = near[:count]
        unsure = 0
        for r in range(width):
            needed = bound[0] * margin[r] + bound[1] * np.sqrt(margin[r]) + bound[2]
            margin[r] = (best[r] - second[r]) - needed
            unsure += not margin[r] > 0  # nor if it is NaN, of values beyond the range of the tile
        here = labels[start : start + count]
        for r in range(count):
            here[r] = which[r]
        if unsure:
            for r in range(count):
                if not margin[r] > 0:
                    i = first + start + r if rows is None else listed[r]
                    here[r] = nearest_of_row(X, i, features, distances)
                    undecided += 1
                    if len(gaps):
                        gaps[start + r] = gap_of_row(distances, here[r], d) * scale
    return undecided


@inlined
def gap_of_row(distances, own, d):
    """A lower bound of how much farther the second nearest center is than the nearest, ``own``.

    distances are the canonical squared ones of a row of d features.
    """
    second = np.inf
    for j in range(len(distances)):
        if j != own:
            second = min(second, distances[j])
    slack = (d + 8) * 2.0**-52
    return np.sqrt(second) * (1 - slack) - np.sqrt(distances[own]) * (1 + slack) - np.sqrt(d + 1.0) * 2.0**-530


@sweep
def _closest(lo, hi, t, X, packed, labels, undecided):
    """Label the rows of blocks lo:hi; undecided[t] counts the rows that the canonical function had to decide."""
    n, d = X.shape
    room, no_gaps = new_room(packed, d), np.empty(0)
    first, last = lo * len(room.which), min(hi * len(room.which), n)
    undecided[t] += rank(X, first, None, last - first, packed, room, labels[first:last], no_gaps)


def closest(X: np.ndarray, centers: np.ndarray, labels: np.ndarray) -> None:
    """Write the index of the nearest center of each row of X (n, d) to labels (n,) int32; equals ``nearest``."""
    n, k = len(X), len(centers)
    if k == 1:
        labels[:] = 0
        return
    level = first_level(X, k)
    if n >= 16 * SAMPLE and level < CANONICAL:
        sample = read_only(X[:: n // SAMPLE].copy())
        trial = np.empty(len(sample), np.int32)
        while level < CANONICAL and _label(sample, pack(X, centers, level), trial) >= OFTEN:
            level += 1
    if level < CANONICAL:
        _label(X, pack(X, centers, level), labels)
    else:
        nearest(X, centers, labels)


def first_level(X: np.ndarray, k: int) -> int:
    """The fastest of PRECISIONS that may do for rows of X (n, d) and k centers, or CANONICAL."""
    n, d = X.shape
    return CANONICAL if plain_python or n * k * d < LEAST_WORK or d > MOST_COLUMNS else 0


def next_level(level: int, undecided: int, compared: int) -> int:
    """The level to go on with, if the canonical function had to decide so many of the rows compared at this one."""
    return level + (level < CANONICAL and undecided > max(compared, LEAST) * OFTEN)


def _label(X: np.ndarray, packed: Packed, labels: np.ndarray) -> float:
    """Label the rows of X (n, d) by tiles; the share of rows these left undecided."""
    width = block_width(packed)
    grid = cut(-(-len(X) // width), width * packed.groups.size // STEPS_PER_OPERATION + 1)
    undecided = np.zeros(grid.chunks, np.int64)
    _closest(grid, X, packed, labels, undecided)
    return int(undecided.sum()) / len(X)


def block_width(packed: Packed) -> int:
    """Rows of a block."""
    return VECTORS * VECTOR_BYTES // packed.groups.itemsize


def pack(X: np.ndarray, centers: np.ndarray, level: int) -> Packed:
    """The centers (k, d) for ranking rows of X at a level of precision; at CANONICAL, the lanes alone count."""
    precision = PRECISIONS[level % CANONICAL]
    (k, d), bound = centers.shape, np.empty(6, precision)
    exact, groups = np.result_type(X.dtype, precision), -(-k // GROUP)
    origin, scale = np.empty(d * VECTOR_BYTES // bound.itemsize, exact), np.empty(1, exact)
    packed, offset = np.zeros((groups, d, GROUP), precision), np.empty(groups * GROUP, precision)
    _pack_centers(read_only(centers), origin, scale, packed, offset, bound)
    return Packed(origin, scale[0], packed, offset, bound, in_lanes(centers), _NAMES[precision])


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
    bound[3], bound[4], bound[5] = (
        1.02 * error,
        1 - (2.0**-21 if single else 2.0**-50),
        1 + (2.0**-21 if single else 2.0**-50),
    )
    bound[1] = 1.02 * (error + 2 * canonical) * reach
    bound[2] = 1.02 * ((error + canonical) * reach * reach + underflow)
    if not np.isfinite(offset[:k]).all():
        bound[2] = np.inf  # nothing is certain beyond the range of the tile
