"""One bound a row: how much farther all other centers are than its own (Hamerly, SIAM SDM 2010).

Hamerly keeps an upper bound u of the distance to the own center and a lower bound l of the distance to any other; a row
is spared while u < l. Only the margin l - u counts, and it shrinks by no more than what the own center and the farthest
moving other center moved. So a single number does: the margin when the row was last compared, plus the drift of its
center at that time, set against the drift now (the bookkeeping of Newling and Fleuret, ICML 2016, section 3.2). The
rows that are left are gathered into register tiles and compared with all centers.

O(n + s k d) time for s rows that are left; 4 bytes a row.
"""

from dataclasses import dataclass

import numpy as np

from kmtoolkit.kernels.bounds import MOST, down, list_survivors, unit_of, widen_drifts
from kmtoolkit.kernels.changes import gathered, note, room_for_moves
from kmtoolkit.kernels.closest import CANONICAL, first_level, gap_of_row, new_room, next_level, pack, rank
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.squared import nearest_of_row
from kmtoolkit.problem import Problem, State, Work
from kmtoolkit.registry import assigner

BLOCK = 4096  # rows whose survivors are gathered together
TOGETHER = 512  # rows whose survivors fill tiles well


class Memory:
    """What is kept between calls."""

    def __init__(self, problem: Problem, state: State) -> None:
        n, k = len(problem.X), problem.k
        self.keys = np.full(n, -np.inf, np.float32)  # margin + drift of the own center when the row was last compared
        self.drift, self.rounded = np.zeros(k), np.zeros(k, np.float32)
        self.unit = unit_of(problem.X, state.centers)
        self.level = first_level(problem.X, k)
        self.survivors = n


@assigner("hamerly", exact=True, reference="Hamerly 2010", cost="O(n + s k d), s rows that bounds can't spare")
@dataclass(frozen=True)
class Hamerly:
    """Compare a row again once its margin is used up.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = km.datasets.iris().X
    >>> trace = km.kmeans(X, 3, assign="hamerly", rng=0).trace
    >>> bool(trace.survivors[-1] < len(X))
    True
    """

    def init(self, problem: Problem, state: State) -> Memory:
        return Memory(problem, state)

    def __call__(self, problem: Problem, state: State, memory: Memory) -> np.ndarray | None:
        (n, d), k = problem.X.shape, problem.k
        widen_drifts(state.shift, memory.unit, d, memory.drift, memory.rounded)
        packed = pack(problem.X, state.centers, memory.level)
        factor = 1 / memory.unit / (1.0 if memory.level == CANONICAL else float(packed.scale))
        share = memory.survivors / n
        grid = cut(n, 8 + int(share * k * d / 32), together=TOGETHER)
        lists, lengths = room_for_moves(grid)
        tally = np.zeros((grid.chunks, 2), np.int64)
        _compare(
            grid, problem.X, state.labels, memory.keys, memory.drift, memory.rounded, packed,
            factor, memory.level == CANONICAL, lists, lengths, tally,
        )  # fmt: skip
        memory.survivors, undecided = map(int, tally.sum(axis=0))
        memory.level = next_level(memory.level, undecided, memory.survivors)
        return gathered(lists, lengths)

    def relabeled(self, problem: Problem, state: State, memory: Memory, rows: np.ndarray) -> None:
        """Forget the bounds of rows."""
        memory.keys[rows] = -np.inf

    def work(self, problem: Problem, memory: Memory) -> Work:
        """Rows that were left, and all distances of these."""
        return Work(memory.survivors * problem.k, memory.survivors, memory.keys.nbytes)


@sweep
def _compare(lo, hi, t, X, labels, keys, drift, rounded, packed, factor, canonical, lists, lengths, tally):
    """Compare the rows lo:hi whose key is not above the drift of their center; factor brings gaps to units of keys.

    labels (n,), keys (n,), drift and rounded (k,). Rows that move are noted in lists and lengths; tally[t] counts the
    rows compared, and those that the canonical function had to decide.
    """
    d = X.shape[1]
    room, distances = new_room(packed, d), np.empty(packed.features.shape[1])
    survivors, spared = np.empty(BLOCK, np.int64), np.zeros(BLOCK, np.bool_)
    nearest, gaps, margins = np.empty(BLOCK, np.int32), np.empty(BLOCK), np.empty(BLOCK, np.float32)
    indices = nearest.view(np.uint32)  # an index without a sign needs no check of it
    for start in range(lo, hi, BLOCK):
        here = min(BLOCK, hi - start)
        own, key = labels[start : start + here], keys[start : start + here]
        many = list_survivors(own, key, rounded, spared, np.int64(0), survivors)
        tally[t, 0] += many
        if canonical:
            for r in range(many):
                nearest[r] = nearest_of_row(X, start + survivors[r], packed.features, distances)
                gaps[r] = gap_of_row(distances, nearest[r], d)
        elif many < here:
            tally[t, 1] += rank(X, start, survivors, many, packed, room, nearest, gaps)
        else:
            tally[t, 1] += rank(X, start, None, here, packed, room, nearest, gaps)
        for r in range(many):
            gap = gaps[r] * factor
            margins[r] = down((MOST if gap > MOST else gap) + drift[indices[r]])
        if many == here:
            key[:] = margins[:here]
        else:
            for r in range(many):
                key[survivors[r]] = margins[r]
        for r in range(many):
            i = survivors[r]
            if own[i] != nearest[r]:
                own[i] = nearest[r]
                note(lists, lengths, t, start + i)
