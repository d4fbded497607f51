"""A lower bound for each row and center (Elkan, ICML 2003; simplified: Newling and Fleuret, ICML 2016, section 3).

One number a row, the margin of ``hamerly``, spares most rows. A row that is left computes the distance u to its own
center, and then those to centers whose lower bound is not above u: canonical distances, one by one. A row with many
such centers, as all have at first, is compared with all of them in a register tile, which gives it new bounds of all.
(Elkan's distances between centers are left out: they cost more than they save, as Newling and Fleuret found.)

A bound is kept as a stamp: the bound, plus the way its center had gone by then. So nothing is rewritten when centers
move, only when a distance is computed.

O(n + s (k + m d)) time for s rows that are left and m centers that their bounds leave; 4 k + 4 bytes a row, which
``memory_limit`` limits. It suits many columns, where distances are dear, with about 200 centers or fewer, and a number
of rows that lets 4 n k bytes stay in or near the cache.
"""

from dataclasses import dataclass

import numpy as np

from kmtoolkit.errors import check_int
from kmtoolkit.kernels.bounds import MOST, UNDERFLOW, down, list_survivors, slack, unit_of, up, widen_drifts
from kmtoolkit.kernels.changes import gathered, note, room_for_moves
from kmtoolkit.kernels.closest import CANONICAL, first_level, gap_of_row, new_room, next_level, pack, rank
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import inlined, jit
from kmtoolkit.kernels.neighbors import at_least, at_most
from kmtoolkit.kernels.simd import GROUP, VECTORS, keep_scores, squared_lengths
from kmtoolkit.kernels.squared import nearest_of_row, squared_distance
from kmtoolkit.problem import Problem, State, Work
from kmtoolkit.registry import assigner

BLOCK = 4096  # rows whose survivors are gathered together
TILE = 8  # a distance in a tile costs so much less than one by itself
AHEAD = 4  # so many steps of drift a margin should last
COMPARE, RENEW, LOOK = range(3)  # with all centers; the same, and renew bounds; only with those that bounds leave
TRY = 16  # one chunk in so many tries whether bounds pay
MARGIN = 2.0**-21  # relative; more than float32 loses when a drift is taken off a stamp


class Memory:
    """What is kept between calls."""

    def __init__(self, problem: Problem, state: State) -> None:
        n, k = len(problem.X), problem.k
        self.keys = np.full(n, -np.inf, np.float32)  # margin + drift of the own center when the row was last compared
        self.stamps = np.zeros((n, k), np.float32)  # bound + way of the center when it was last computed; 0 is none
        self.drift, self.rounded = np.zeros(k), np.zeros(k, np.float32)
        self.way, self.most = np.zeros(k), np.zeros(k, np.float32)  # how far each center has gone, and at most
        self.unit = unit_of(problem.X, state.centers)
        self.level = first_level(problem.X, k)
        self.survivors, self.distances = n, n * k
        self.stage = 0

    @property
    def modes(self) -> tuple[int, int]:
        """The mode of most chunks, and the one of those that try."""
        return ((COMPARE, RENEW), (COMPARE, LOOK), (RENEW, RENEW), (LOOK, LOOK))[self.stage]

    def learn(self, tally: np.ndarray, k: int) -> None:
        """See from the tally of a call what to do in the next."""
        self.survivors, single, tiled, undecided, looked, failed = map(int, tally.sum(axis=0))
        self.distances = single + tiled * k
        self.level = next_level(self.level, undecided, tiled)
        if LOOK in self.modes and 2 * failed > looked:  # centers still move too far
            self.stage = 0
        else:
            self.stage = min(self.stage + 1, 3)


@assigner("elkan", exact=True, reference="Elkan 2003", cost="O(n + s (k + m d)), s rows and m centers left by bounds")
@dataclass(frozen=True)
class Elkan:
    """Compare a row with centers that may be nearer than its own, as far as a bound for each of them can tell.

    Parameters
    ----------
    memory_limit : int
        The most bytes that the bounds may take, 4 n k.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = km.datasets.iris().X
    >>> trace = km.kmeans(X, 3, assign="elkan", rng=0).trace
    >>> bool(trace.distances[-1] < 3 * trace.survivors[-1])
    True
    """

    memory_limit: int = 2**30

    def __post_init__(self) -> None:
        check_int("memory_limit", self.memory_limit, 1)

    def init(self, problem: Problem, state: State) -> Memory:
        n, k = len(problem.X), problem.k
        if 4 * n * k > self.memory_limit:
            raise ValueError(
                f"memory_limit is {self.memory_limit} bytes, but the bounds of {n} rows x {k} centers take {4 * n * k};"
                " raise it, or use the assigner 'yinyang' or 'hamerly'"
            )
        return Memory(problem, state)

    def __call__(self, problem: Problem, state: State, memory: Memory) -> np.ndarray | None:
        (n, d), k = problem.X.shape, problem.k
        unit, canonical = memory.unit, memory.level == CANONICAL
        before = memory.drift.copy()
        widen_drifts(state.shift, unit, d, memory.drift, memory.rounded)
        memory.way += state.shift / unit * (1 + 2 * slack(d)) + np.sqrt(d) * (UNDERFLOW / unit)
        within = np.minimum(memory.way, 3 * MOST).astype(np.float32)  # no stamp is above MOST
        memory.most[:] = np.nextafter(within, np.float32(np.inf))
        packed = pack(problem.X, state.centers, memory.level)
        grid = cut(n, 8 + memory.survivors * k // (4 * n) + memory.distances * d // (32 * n))
        lists, lengths = room_for_moves(grid)
        back = 1.0 if canonical else 1 / float(packed.scale)
        tally = np.zeros((grid.chunks, 6), np.int64)
        _compare(
            grid, problem.X, state.centers, state.labels, memory.keys, memory.stamps, memory.drift, memory.rounded,
            memory.drift - before, memory.way, memory.most, packed, 1 / unit, back, memory.modes, canonical,
            lists, lengths, tally,
        )  # fmt: skip
        memory.learn(tally, k)
        return gathered(lists, lengths)

    def relabeled(self, problem: Problem, state: State, memory: Memory, rows: np.ndarray) -> None:
        """Forget the margins of rows; bounds do not depend on labels."""
        memory.keys[rows] = -np.inf

    def work(self, problem: Problem, memory: Memory) -> Work:
        """Rows that were left, and the distances these computed."""
        return Work(memory.distances, memory.survivors, memory.keys.nbytes + memory.stamps.nbytes)


@sweep
def _compare(
    lo, hi, t, X, centers, labels, keys, stamps, drift, rounded, step, way, most, packed, factor, back, modes,
    canonical, lists, lengths, tally,
):  # fmt: skip
    """Compare the rows lo:hi whose key is not above the drift of their center with those centers that may be nearer.

    labels (n,), keys (n,), stamps (n, k), drift, rounded, way and most (k,). factor brings distances to units of keys,
    and back those of tiles to distances. Rows that move are noted in lists and lengths; tally[t] counts the rows
    compared, distances one by one, rows compared with all centers, those of them that the canonical function had to
    decide, rows that looked at their bounds, and those of them whose bounds left many centers.
    """
    k, d = centers.shape
    mode = modes[1] if t % TRY == 0 else modes[0]
    room, scores = new_room(packed, d), np.empty((len(packed.offset), 0), packed.offset.dtype)
    if not canonical:
        scores = np.empty((len(packed.offset), len(room.which)), packed.offset.dtype)
    distances, low = np.empty(packed.features.shape[1]), np.empty(k, np.float32)
    open_, rest = np.zeros(k + -k % 8, np.bool_), np.empty(BLOCK, np.int64)
    survivors, spared = np.empty(BLOCK, np.int64), np.zeros(BLOCK, np.bool_)
    nearest, gaps = np.empty(BLOCK, np.int32), np.empty(BLOCK)
    for start in range(lo, hi, BLOCK):
        here = min(BLOCK, hi - start)
        own, key = labels[start : start + here], keys[start : start + here]
        many = list_survivors(own, key, rounded, spared, start, survivors)
        tally[t, 0] += many
        left = 0
        for r in range(many):
            i, a = survivors[r], np.int64(labels[survivors[r]])
            computed = -1
            if mode == LOOK:
                computed, name, gap = _look(X, i, centers, a, stamps[i], way, most, factor, AHEAD * step[a], low, open_)
            if computed < 0:
                rest[left] = i
                left += 1
                continue
            tally[t, 1] += computed
            keys[i] = down(min(gap, MOST) + drift[name])
            if name != a:
                labels[i] = name
                note(lists, lengths, t, i)
        tally[t, 2] += left
        if mode == LOOK:
            tally[t, 4] += many
            tally[t, 5] += left
        if canonical:
            for r in range(left):
                nearest[r] = nearest_of_row(X, rest[r], packed.features, distances)
                gaps[r] = gap_of_row(distances, nearest[r], d)
                if mode != COMPARE:
                    for j in range(k):
                        stamps[rest[r], j] = down(min(at_least(distances[j], d) * factor + way[j], MOST))
        else:
            width = len(room.which)
            for at in range(0, left, width):
                block = rest[at : min(at + width, left)]
                tally[t, 3] += rank(X, np.int64(0), block, len(block), packed, room, nearest[at:], gaps[at:])
                if mode != COMPARE:
                    _stamp(block, packed, room, scores, d, stamps, way, factor * back)
        for r in range(left):
            i, gap = rest[r], gaps[r] * (factor * back)
            if gap > MOST:
                gap = MOST
            keys[i] = down(gap + drift[nearest[r]])
            if labels[i] != nearest[r]:
                labels[i] = nearest[r]
                note(lists, lengths, t, i)


@inlined
def _limit(distance):
    """What a stamp less the way of its center must be above, for the bound to be above the distance."""
    return up(min(distance, MOST) * (1 + MARGIN))


@jit
def _look(X, i, centers, a, stamp, way, most, factor, ahead, low, open_):
    """Compute the distance of row i of cluster a to its own center, and to those whose bounds are not above it.

    stamp (k,) is of the row. What is ahead is added to the distance if that leaves few centers open, so that margins
    last. low and open_ (k or more,) are room for lower bounds, and for whether they leave a center open. Returns how
    many distances were computed, the nearest center, and a lower bound of how much farther the second nearest is, in
    units of keys; -1 at once if too many centers are open.
    """
    k, d = centers.shape
    best, name = squared_distance(X, i, centers, a), a
    least = at_most(best, d)
    limit, wider = _limit(least * factor), _limit(least * factor + ahead)
    count, more = 0, 0
    for j in range(len(low)):
        bound = stamp[j] - most[j]
        low[j] = bound
        count += not bound > limit
        more += not bound > wider
    if (count - 1) * TILE > k:
        return -1, name, 0.0
    if (more - 1) * TILE > k:
        ahead = 0.0
    limit = _limit(least * factor + ahead)
    for j in range(len(low)):
        open_[j] = not low[j] > limit
    computed = 1
    low[a] = max(down(min(at_least(best, d) * factor, MOST)), np.float32(0))
    open_[a] = False
    eights = open_.view(np.uint64)
    for eight in range(len(eights)):
        if eights[eight] != 0:
            for j in range(8 * eight, 8 * eight + 8):
                if open_[j] and not low[j] > limit:
                    square = squared_distance(X, i, centers, j)
                    computed += 1
                    low[j] = max(down(min(at_least(square, d) * factor, MOST)), np.float32(0))
                    stamp[j] = down(min(low[j] + way[j], MOST))
                    if square < best or (square == best and j < name):
                        best, name = square, j
                        least = at_most(best, d)
                        limit = _limit(least * factor + ahead)
    if name != a:
        stamp[a] = down(min(low[a] + way[a], MOST))
    low[name] = MOST
    bits = low.view(np.int32)  # in the order of floats that are not negative, and their least is found in vectors
    second = bits[name]
    for j in range(len(bits)):
        second = min(second, bits[j])
    bits[0] = second
    return computed, name, np.float64(low[0]) * (1 - MARGIN) - least * factor


@jit
def _stamp(block, packed, room, scores, d, stamps, way, factor):
    """Renew the stamps of the rows that ``rank`` was given last, from their scores in its tile."""
    points, squares, bound = room.points, room.margin, packed.bound
    zero = bound.dtype.type(0)
    squared_lengths(points, squares, d, VECTORS)  # type: ignore[call-arg]
    for j in range(0, packed.offset.size, GROUP):
        keep_scores(points, packed.groups, packed.offset, scores, d, j, VECTORS, GROUP)
    for r in range(len(squares)):
        room.gaps[r] = bound[3] * squares[r] + bound[1] * np.sqrt(squares[r]) + bound[2]
    for j in range(stamps.shape[1]):
        row, lost = scores[j], room.gaps
        for r in range(len(squares)):
            square = (squares[r] - row[r]) - row[r] - lost[r]
            row[r] = np.sqrt(square if square > zero else zero) * bound[4]
    for r in range(len(block)):
        stamp = stamps[block[r]]
        for j in range(len(stamp)):
            stamp[j] = down(min(scores[j, r] * factor + way[j], MOST))
