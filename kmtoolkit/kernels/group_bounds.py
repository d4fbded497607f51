"""Bounds of rows against groups of centers: what they spare, and what is left compared in tiles, group by group.

For a row and a group, ``lower`` bounds the distance to all centers of the group but the row's own, as of the time
``stamps``. Since then it has shrunk by how far the centers of the group are from where they were at that time, and no
more (triangle inequality). Rounding is as in ``bounds.py``, and that of scores as in ``closest.py``: a distance squared
is the square of the row less twice the score, and off by less than ``lost``.
"""

from typing import NamedTuple

import numpy as np

from kmtoolkit.kernels.bounds import MOST, UNDERFLOW, down, list_survivors, slack, up
from kmtoolkit.kernels.changes import note
from kmtoolkit.kernels.closest import Packed
from kmtoolkit.kernels.grid import sweep
from kmtoolkit.kernels.groups import STEP, WIDTH, group_tile, list_below, shrink
from kmtoolkit.kernels.jit import inlined, jit
from kmtoolkit.kernels.lanes import prefetch_row
from kmtoolkit.kernels.simd import GROUP
from kmtoolkit.kernels.squared import nearest_of_row, squared_distance
from kmtoolkit.kernels.vectors import VECTOR_BYTES

__all__ = ["Groups", "Tiles", "compare_with_groups", "in_tiles", "measure_drifts", "rebase"]

BLOCK_VALUES, MOST_ROWS = 1 << 17, 2048  # of the rows that are sorted by group together
AHEAD = 6  # rows that are asked for before they are needed
FAR = 1e60  # squared lengths, in units of the centers, beyond which a tile might overflow


class Groups(NamedTuple):
    """Groups of centers, and the bounds of rows against them."""

    names: np.ndarray  # (groups · width,) int32: the centers in order of groups; -1 where a group has no more
    places: np.ndarray  # (k,) int64: where in names a center is
    sizes: np.ndarray  # (groups,) int64
    lower: np.ndarray  # (n, groups in whole vectors) float32
    stamps: np.ndarray  # (n, groups) uint8
    upper: np.ndarray  # (n,) float32: bounds of the distance to the own center
    since: np.ndarray  # (n,) uint8: their times
    past: np.ndarray  # (times, k, d): the centers at these times
    ways: np.ndarray  # (times, k) float32: how far they are from there
    drifts: np.ndarray  # (groups in whole vectors, TIMES) float32: the longest of these ways in each group


class Tiles(NamedTuple):
    """The centers as ``group_tile`` takes them."""

    means: np.ndarray  # (tiles, d in whole STEPs, WIDTH)
    offset: np.ndarray  # (tiles · WIDTH,)


class Desk(NamedTuple):
    """Where the rows of a block are worked on; those that are to be compared with groups have a slot each."""

    survivors: np.ndarray  # (rows,) int64
    spared: np.ndarray  # (rows in whole eights,) bool
    shrunk: np.ndarray  # (rows, groups) float32: bounds as of now
    fresh: np.ndarray  # (slots,) float32: bounds just found
    counts: np.ndarray  # (groups,) int64
    listed: np.ndarray  # (groups, slots and a vector) uint32: the slots to compare with a group
    rows: np.ndarray  # (slots,) int64
    points: np.ndarray  # (slots, d in whole STEPs): the rows, moved and scaled
    squares: np.ndarray  # (slots,) their squared lengths
    lost: np.ndarray  # (slots,) what rounding may take from a squared distance
    own: np.ndarray  # (slots,) the canonical squared distance to one's own center
    place: np.ndarray  # (slots,) int64: where one's own center is
    least: np.ndarray  # (slots,) float32: the least bound
    top: np.ndarray  # (slots,) the largest score so far
    two: np.ndarray  # (slots,) the second largest
    owner: np.ndarray  # (slots,) int64: the place of the largest
    behind: np.ndarray  # (slots,) the second largest score in the group of the largest
    best: np.ndarray  # (slots and a vector,) what group_tile writes; also the next two
    second: np.ndarray
    which: np.ndarray
    distances: np.ndarray  # (centers in lanes,)
    zero: np.ndarray  # (1, d in whole STEPs)


def in_tiles(packed: Packed, names: np.ndarray, d: int) -> Tiles:
    """The packed centers of d features in order of groups."""
    kind = packed.groups.dtype
    tiles = Tiles(np.zeros((len(names) // WIDTH, -(-d // STEP) * STEP, WIDTH), kind), np.empty(len(names), kind))
    _fill_tiles(packed, names, d, tiles)
    return tiles


@jit
def _fill_tiles(packed, names, d, tiles):
    """Write the packed centers to tiles, which come as 0."""
    for place in range(len(names)):
        j = names[place]
        tiles.offset[place] = packed.offset[j] if j >= 0 else -np.inf
        for f in range(d if j >= 0 else 0):
            tiles.means[place // WIDTH, f, place % WIDTH] = packed.groups[j // GROUP, f, j % GROUP]


@sweep
def measure_drifts(lo, hi, t, centers, past, groups, unit):
    """Write the ways from the past (times, k, d), times lo:hi, until now, when the centers are ``centers`` (k, d)."""
    ways, drifts, d = groups.ways, groups.drifts, centers.shape[1]
    width = len(groups.names) // len(groups.sizes)
    for time in range(lo, hi):
        drifts[:, time] = 0
        for j in range(len(centers)):
            way = np.sqrt(squared_distance(past[time], j, centers, j)) * (1 + 3 * slack(d)) + np.sqrt(d) * UNDERFLOW
            group = groups.places[j] // width
            ways[time, j] = up(way / unit)
            drifts[group, time] = max(drifts[group, time], ways[time, j])


@sweep
def rebase(lo, hi, t, labels, groups):
    """Bring the bounds of rows lo:hi to the time that ways were measured to; it becomes time 0."""
    lower, stamps, upper, since = groups.lower, groups.stamps, groups.upper, groups.since
    for i in range(lo, hi):
        upper[i] = up(np.float64(upper[i]) + groups.ways[since[i], labels[i]])
        since[i] = 0
        for g in range(len(groups.sizes)):
            lower[i, g] = down(np.float64(lower[i, g]) - groups.drifts[g, stamps[i, g]])
            stamps[i, g] = 0


@jit
def _new_desk(rows, d, groups, packed):
    """A desk for blocks of so many rows."""
    kind, padded = packed.groups.dtype, groups.lower.shape[1]
    wide, deep = rows + VECTOR_BYTES // packed.groups.itemsize, -(-d // STEP) * STEP
    return Desk(
        np.empty(rows + 8, np.int64),
        np.empty(-(-rows // 8) * 8, np.bool_),
        np.empty((rows, padded), np.float32),
        np.empty(rows, np.float32),
        np.zeros(padded, np.int64),
        np.empty((padded, wide), np.uint32),
        np.empty(rows, np.int64),
        np.zeros((rows, deep), kind),
        np.empty(rows),
        np.empty(rows),
        np.empty(rows),
        np.empty(rows, np.int64),
        np.empty(rows, np.float32),
        np.empty(rows),
        np.empty(rows),
        np.empty(rows, np.int64),
        np.empty(rows),
        np.empty(wide, kind),
        np.empty(wide, kind),
        np.empty(wide, packed.names_like.dtype),
        np.empty(packed.features.shape[1]),
        np.zeros((1, deep)),
    )


@sweep
def compare_with_groups(
    lo, hi, t, X, centers, labels, keys, drift, rounded, groups, packed, tiles, now, unit, lists, lengths, tally
):
    """Compare the rows lo:hi whose key is not above the drift of their center with the groups that may be as near.

    labels (n,), keys (n,), drift and rounded (k,) as Hamerly keeps them, in ``unit``; bounds that are found are of time
    ``now``. Rows that move are noted in lists and lengths; tally[t] counts the rows compared, the distances evaluated,
    and the rows that the canonical function had to decide.
    """
    block = min(max(BLOCK_VALUES // X.shape[1], 256), MOST_ROWS, hi - lo)
    desk = _new_desk(block, X.shape[1], groups, packed)
    for start in range(lo, hi, block):
        stop = min(start + block, hi)
        own, key = labels[start:stop], keys[start:stop]
        many = list_survivors(own, key, rounded, desk.spared, start, desk.survivors)
        slots, evaluated = _list_groups(X, centers, labels, keys, drift, many, groups, now, unit, desk)
        _move(X, labels, slots, groups, packed, desk)
        evaluated += _score(slots, groups, packed, tiles, now, unit, desk)
        undecided = _decide(X, centers, labels, keys, drift, slots, groups, packed, now, unit, desk, lists, lengths, t)
        tally[t, 0] += many
        tally[t, 1] += evaluated
        tally[t, 2] += undecided


@inlined
def _reach(square, d, unit):
    """A number above a distance, from the canonical squared one, that is still above it if all rounding is adverse."""
    return (np.sqrt(square) * (1 + 3 * slack(d)) + 2 * np.sqrt(d) * UNDERFLOW) / unit


@jit
def _list_groups(X, centers, labels, keys, drift, many, groups, now, unit, desk):
    """Give a slot to each survivor that bounds don't spare, and list it for its groups.

    Returns how many slots they are, and how many distances to own centers were evaluated.
    """
    d, lower, stamps, upper, since = X.shape[1], groups.lower, groups.stamps, groups.upper, groups.since
    ways, drifts, survivors, counts, listed = groups.ways, groups.drifts, desk.survivors, desk.counts, desk.listed
    rows, distances, smallest, shrunk = desk.rows, desk.own, desk.least, desk.shrunk
    slots, evaluated = 0, 0
    for r in range(many):  # by what is known without the rows themselves
        i = survivors[r]
        least = shrink(lower, stamps, drifts, i, shrunk, evaluated)  # type: ignore[call-arg, var-annotated]
        reach = np.float64(upper[i]) + ways[since[i], labels[i]]
        if least > up(np.float64(up(reach))):  # rounded up twice: bounds were subtracted in float32
            keys[i] = _key(least, reach, drift[labels[i]])
        else:
            survivors[evaluated], smallest[evaluated] = i, least
            evaluated += 1
    counts[:] = 0
    for r in range(evaluated):
        i, least = survivors[r], smallest[r]
        prefetch_row(X, survivors[min(r + AHEAD, evaluated - 1)])  # type: ignore[call-arg]
        square = squared_distance(X, i, centers, np.int64(labels[i]))
        reach = _reach(square, d, unit)
        upper[i], since[i] = up(reach), now
        above = up(np.float64(upper[i]))
        if least > above:
            keys[i] = _key(least, reach, drift[labels[i]])
        else:
            rows[slots], distances[slots] = i, square
            smallest[slots] = list_below(shrunk, r, above, slots, listed, counts)
            slots += 1
    return slots, evaluated


@inlined
def _key(least, reach, drift):
    """The key of a row: its margin and the drift of its center."""
    return down(min(np.float64(least) * (1 - 2.0**-23), MOST) - reach + drift)


@jit
def _move(X, labels, slots, groups, packed, desk):
    """Move and scale the rows in slots."""
    origin, scale, bound, zero, points = packed.origin, packed.scale, packed.bound, desk.zero, desk.points
    rows, place, listed, counts = desk.rows, desk.place, desk.listed, desk.counts
    top, two, owner, squares, lost, own = desk.top, desk.two, desk.owner, desk.squares, desk.lost, desk.own
    width = len(groups.names) // len(groups.sizes)
    for slot in range(slots):
        i = rows[slot]
        for f in range(X.shape[1]):
            points[slot, f] = (X[i, f] - origin[f]) * scale
        length = squared_distance(points, slot, zero, np.int64(0))
        squares[slot] = length
        lost[slot] = bound[3] * length + bound[1] * np.sqrt(length) + bound[2] if length < FAR else np.inf
        place[slot] = groups.places[labels[i]]
        owner[slot], two[slot] = place[slot], -np.inf
        top[slot] = (length - own[slot] * scale * scale) / 2
    for g in range(len(groups.sizes)):  # those whose own group is listed will have a score of it
        for r in range(counts[g]):
            slot = listed[g, r]
            if place[slot] // width == g:
                top[slot] = -np.inf


@inlined
def _bound(square, score, lost, factor):
    """A float32 below the distance that a score stands for, of a row of squared length ``square``."""
    squared = (square - score) - score - lost
    value = np.sqrt(squared) * factor if squared > 0 else 0.0
    return down(min(value, MOST))


@jit
def _score(slots, groups, packed, tiles, now, unit, desk):
    """Compare the slots with the groups they are listed for, and renew these bounds; how many distances they are."""
    if slots == 0:
        return 0
    several, lanes = len(tiles.means) // len(groups.sizes), VECTOR_BYTES // tiles.means.itemsize
    factor, evaluated = packed.bound[4] / unit / np.float64(packed.scale), 0
    best, second, which, rows, squares, lost = desk.best, desk.second, desk.which, desk.rows, desk.squares, desk.lost
    top, two, owner, least, place, behind = desk.top, desk.two, desk.owner, desk.least, desk.place, desk.behind
    fresh = desk.fresh
    for g in range(len(groups.sizes)):
        count, mine = desk.counts[g], desk.listed[g]
        if count == 0:
            continue
        for r in range(count, count + lanes):
            mine[r] = mine[count - 1]
        for first in range(0, count, lanes):
            group_tile(
                desk.points, mine, first, tiles.means, tiles.offset, g * several, several, best, second, which, first,
                WIDTH, STEP,
            )  # type: ignore[call-arg]  # fmt: skip
        for r in range(count):
            slot = mine[r]
            score = np.float64(second[r] if which[r] == place[slot] else best[r])
            fresh[r] = _bound(squares[slot], score, lost[slot], factor)
        for r in range(count):
            slot = mine[r]
            high, low = np.float64(best[r]), np.float64(second[r])
            groups.lower[rows[slot], g], groups.stamps[rows[slot], g] = fresh[r], now
            least[slot] = min(least[slot], fresh[r])
            if high > top[slot]:
                two[slot] = max(top[slot], low)
                top[slot], owner[slot], behind[slot] = high, which[r], low
            else:
                two[slot] = max(two[slot], high)
        evaluated += count * groups.sizes[g]
    return evaluated


@jit
def _decide(X, centers, labels, keys, drift, slots, groups, packed, now, unit, desk, lists, lengths, t):
    """Label the rows in slots and write their keys; how many the canonical function had to decide."""
    d, width, undecided = X.shape[1], len(groups.names) // len(groups.sizes), 0
    factor = packed.bound[4] / unit / np.float64(packed.scale)
    for slot in range(slots):
        i, place, square, least = desk.rows[slot], desk.owner[slot], desk.own[slot], desk.least[slot]
        if desk.top[slot] - desk.two[slot] > desk.lost[slot]:
            nearest = groups.names[place]
        else:  # nor if it is NaN
            nearest = np.int32(nearest_of_row(X, i, packed.features, desk.distances))
            undecided += 1
        if nearest != labels[i]:
            lower, stamps = groups.lower[i], groups.stamps[i]
            if groups.places[nearest] == place:  # it was in its group's bound, and is no more
                lower[place // width] = _bound(desk.squares[slot], desk.behind[slot], desk.lost[slot], factor)
            left = desk.place[slot] // width  # whose bound the old center was not in
            value = lower[left] - groups.drifts[left, stamps[left]]
            away = (np.sqrt(square) * (1 - 2 * slack(d)) - np.sqrt(d) * UNDERFLOW) / unit
            lower[left], stamps[left] = down(np.float64(min(value, down(away)))), now
            least = shrink(groups.lower, groups.stamps, groups.drifts, i, desk.shrunk, 0)  # type: ignore[call-arg]
            labels[i] = nearest
            note(lists, lengths, t, i)
            square = squared_distance(X, i, centers, np.int64(nearest))
            groups.upper[i] = up(_reach(square, d, unit))
        keys[i] = _key(least, _reach(square, d, unit), drift[nearest])
    return undecided
