"""Only the centers near one's own center (Exponion, Newling and Fleuret, ICML 2016).

As in ``hamerly`` one number a row, its margin, spares most rows. A row that is left computes the distance u to its own
center. With r the second least distance found so far, every center nearer than r lies within u + r of its own center:
so it looks at the centers near that one, nearest first, until the next are farther away (the radius shrinks while it
searches: Shallot, Borgelt, IDA 2020, section 3). Distances are the canonical ones, eight centers at a time. Rows whose
neighbors don't suffice are compared with all centers.

Margins shrink by the shifts of near centers only (``kernels/neighbors.py``), so that fewer rows are left.

O(n + s m d + k m d) time for s rows that are left and m neighbors, and O(k^2 d) when lists of neighbors are made anew;
4 bytes a row and 8 m d bytes a center. It suits few columns, 2 to 4, and many centers.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kmtoolkit.kernels.bounds import MOST, down, list_survivors, unit_of, widen_drifts
from kmtoolkit.kernels.changes import gathered, note, room_for_moves
from kmtoolkit.kernels.closest import CANONICAL, first_level, gap_of_row, new_room, next_level, pack, rank
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import jit
from kmtoolkit.kernels.lanes import CENTER_LANES
from kmtoolkit.kernels.neighbors import at_least, at_most, new_neighbors, two_nearest, update
from kmtoolkit.kernels.squared import nearest_of_row, squared_distance
from kmtoolkit.problem import Problem, State, Work
from kmtoolkit.registry import assigner

BLOCK = 4096  # rows whose survivors are gathered together
NEIGHBORS = {1: 8, 2: 16, 3: 32, 4: 48}  # by columns, as many as the second nearest center is among
MOST_NEIGHBORS = 64  # of more columns
LIMITED = 1 / 4  # share of compared rows that reaches may limit
TILE = 8  # a distance in a tile costs so much less than one to a neighbor


class Memory:
    """What is kept between calls."""

    def __init__(self, problem: Problem, state: State) -> None:
        (n, d), k = problem.X.shape, problem.k
        self.keys = np.full(n, -np.inf, np.float32)  # claimed margin + drift of the own center at that time
        self.neighbors = new_neighbors(k, d, NEIGHBORS.get(d, MOST_NEIGHBORS))
        self.unit = unit_of(problem.X, state.centers)
        self.level = first_level(problem.X, k)
        self.fresh, self.looking, self.reaching = True, True, True  # no call yet; what has paid so far
        self.remade, self.survivors, self.distances = k, n, n * k

    def learn(self, tally: np.ndarray, k: int) -> None:
        """See from the tally of a call what pays."""
        self.survivors, looked, near, ranked, undecided, limited = map(int, tally.sum(axis=0))
        self.distances = near + ranked * k
        if near * TILE > looked * k:
            self.looking = False
        if self.reaching and limited > self.survivors * LIMITED:
            self.looking = self.reaching = False
            self.neighbors.reach[:] = np.inf
        self.level = next_level(self.level, undecided, ranked)
        self.fresh = False


@assigner("exponion", exact=True, reference="Newling & Fleuret 2016", cost="O(n + s m d + k m d), s rows, m neighbors")
@dataclass(frozen=True)
class Exponion:
    """Compare a row with the centers around its own, once its margin is used up.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = km.datasets.iris().X
    >>> trace = km.kmeans(X, 3, assign="exponion", rng=0).trace
    >>> bool(trace.survivors[-1] < len(X))
    True
    """

    def init(self, problem: Problem, state: State) -> Memory:
        return Memory(problem, state)

    def __call__(self, problem: Problem, state: State, memory: Memory) -> np.ndarray | None:
        (n, d), k = problem.X.shape, problem.k
        neighbors, unit, canonical = memory.neighbors, memory.unit, memory.level == CANONICAL
        if memory.reaching:
            memory.remade = update(neighbors, state.centers, state.shift, unit, memory.remade)
        else:
            widen_drifts(state.shift, unit, d, neighbors.drift, neighbors.rounded)
        packed = pack(problem.X, state.centers, memory.level)
        grid = cut(n, 8 + memory.distances * (d + 2) // (8 * n))
        lists, lengths = room_for_moves(grid)
        tally = np.zeros((grid.chunks, 6), np.int64)
        _search(
            grid, problem.X, state.centers, state.labels, memory.keys, neighbors, packed, 1 / unit,
            1.0 if canonical else 1 / float(packed.scale), memory.looking and not memory.fresh, canonical, lists,
            lengths, tally,
        )  # fmt: skip
        memory.learn(tally, k)
        return gathered(lists, lengths)

    def relabeled(self, problem: Problem, state: State, memory: Memory, rows: np.ndarray) -> None:
        """Forget the bounds of rows."""
        memory.keys[rows] = -np.inf

    def work(self, problem: Problem, memory: Memory) -> Work:
        """Rows that were left, and their distances to neighbors or to all centers."""
        lists = sum(array.nbytes for array in memory.neighbors)
        return Work(memory.distances, memory.survivors, memory.keys.nbytes + lists)


class Found(NamedTuple):
    """What is found of the rows of a block that are left; arrays (BLOCK,)."""

    rows: np.ndarray  # which rows
    nearest: np.ndarray  # the nearest center
    best: np.ndarray  # its canonical squared distance
    second: np.ndarray  # the second least
    own: np.ndarray  # the distance to the row's own center: squared, then an upper bound
    close: np.ndarray  # an upper bound of the least distance
    gap: np.ndarray  # a lower bound of how much farther the second nearest center is
    outside: np.ndarray  # centers that were not looked at are not nearer than this
    rest: np.ndarray  # places of some rows


@jit
def new_found():
    """Room for a block."""
    reals = np.empty((6, BLOCK))
    return Found(
        np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int32), reals[0], reals[1], reals[2], reals[3], reals[4],
        reals[5], np.empty(BLOCK, np.int64),
    )  # fmt: skip


@sweep
def _search(
    lo, hi, t, X, centers, labels, keys, neighbors, packed, factor, back, looking, canonical, lists, lengths, tally
):
    """Compare the rows lo:hi whose key is not above the drift of their center with the centers near it, or with all.

    labels (n,), keys (n,). factor brings distances to units of keys, and back the gaps of tiles to distances. Rows that
    move are noted in lists and lengths; tally[t] counts the rows compared, those that looked at neighbors, distances to
    these, rows compared with all centers, those of them that the canonical function had to decide, and rows whose
    margin the reach of their center halves at least.
    """
    d = X.shape[1]
    room, distances = new_room(packed, d), np.empty(packed.features.shape[1])
    spared, margins = np.zeros(BLOCK, np.bool_), np.empty(BLOCK)
    labeled, rest = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int64)
    found = new_found()
    rows, nearest, close, gaps, places = found.rows, found.nearest, found.close, found.gap, found.rest
    rounded, reach, drift = neighbors.rounded, neighbors.reach, neighbors.drift
    for start in range(lo, hi, BLOCK):
        here = min(BLOCK, hi - start)
        own, key = labels[start : start + here], keys[start : start + here]
        many = list_survivors(own, key, rounded, spared, start, rows)
        tally[t, 0] += many
        left = many
        if looking:
            looked, left = _look_near(X, centers, labels, many, neighbors, found)
            tally[t, 1] += many
            tally[t, 2] += CENTER_LANES * looked
        tally[t, 3] += left
        for r in range(left):
            places[r] = places[r] if looking else r
            rest[r] = rows[places[r]]
        if canonical:
            for r in range(left):
                labeled[r] = nearest_of_row(X, rest[r], packed.features, distances)
                margins[r] = gap_of_row(distances, labeled[r], d)
        elif left:
            tally[t, 4] += rank(X, np.int64(0), rest, left, packed, room, labeled, margins)
        for r in range(left):
            at = places[r]
            nearest[at], gaps[at] = labeled[r], margins[r] * back
            close[at] = at_most(squared_distance(X, rest[r], centers, np.int64(labeled[r])), d)
        for r in range(many):
            i, a = rows[r], nearest[r]
            gap, most = gaps[r] * factor, min((reach[a] - 2 * close[r]) * factor, MOST)
            tally[t, 5] += 2 * most < gap
            if gap > most:  # so a gap that is NaN stays
                gap = most
            keys[i] = down(gap + drift[a])
            if labels[i] != a:
                labels[i] = a
                note(lists, lengths, t, i)


@jit
def _look_near(X, centers, labels, many, neighbors, found):
    """Look for the two nearest centers of the rows found.rows[:many] among the neighbors of their own.

    Returns how many groups of neighbors were looked at, and how many rows are left, whose places are in found.rest.
    Roots are in loops of their own, which run in vectors.
    """
    d = X.shape[1]
    names, lists, beyond = neighbors.names, neighbors.lists, neighbors.beyond
    rows, nearest, best, second = found.rows[:many], found.nearest, found.best[:many], found.second[:many]
    own, close, gap = found.own[:many], found.close[:many], found.gap[:many]
    outside, rest = found.outside[:many], found.rest
    most, looked, more, left = beyond.shape[1], 0, 0, 0
    for r in range(many):
        i, a = rows[r], np.int64(labels[rows[r]])
        square = squared_distance(X, i, centers, a)
        one, two, name = two_nearest(X, i, lists, names, a * most, 1)
        nearer = square < one or (square == one and a < name)
        second[r] = one if nearer else min(two, square)
        best[r] = square if nearer else one
        nearest[r] = a if nearer else name
        own[r] = square
    for r in range(len(own)):
        own[r] = at_most(own[r], d)
        close[r] = at_most(best[r], d)
        gap[r] = at_least(second[r], d)
    for r in range(many):
        a = np.int64(labels[rows[r]])
        outside[r] = beyond[a, 0] - own[r]
        rest[more] = r
        more += outside[r] < gap[r]
    more *= most > 1
    for m in range(more):
        r = rest[m]
        i, a, groups = rows[r], np.int64(labels[rows[r]]), 1
        while groups < most and beyond[a, groups - 1] - own[r] < gap[r]:
            groups += 1
        outside[r] = beyond[a, groups - 1] - own[r]
        looked += groups - 1
        one, two, name = two_nearest(X, i, lists, names, a * most + 1, groups - 1)
        nearer = one < best[r] or (one == best[r] and name < nearest[r])
        second[r] = min(best[r], two) if nearer else min(one, second[r])
        best[r] = one if nearer else best[r]
        nearest[r] = name if nearer else nearest[r]
        close[r], gap[r] = at_most(best[r], d), at_least(second[r], d)
    for r in range(len(gap)):
        gap[r] = min(gap[r], outside[r]) - close[r]
    for r in range(many):
        rest[left] = r
        left += not outside[r] > close[r]
    return looked + many, left
