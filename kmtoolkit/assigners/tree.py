"""Boxes of a kd-tree against centers (Kanungo et al., IEEE PAMI 24, 2002; Pelleg and Moore, KDD 1999).

The rows are sorted into the leaves of a kd-tree once. A center is no candidate for a box if another one is nearer to
all of the box, that is, to the corner that lies farthest towards the first (Kanungo et al., section 2). At each call
the centers are sifted for boughs of 16 leaves, what is left of them for each leaf, and the rows of a leaf are compared
with what is left then. A leaf with one candidate belongs to it as a whole; a bough or leaf whose candidates are those
of the call before, and none of which has moved, is passed over. Two levels do: a vector of centers is sifted at once.

O(n log n) time to build. A call takes O(n k d / 4096) to sift, and O(d) for each row and candidate in leaves that are
left. A copy of X and 8 bytes a row. For a few columns: with d the candidates grow like 2^d and more.
"""

from dataclasses import dataclass

import numpy as np

from kmtoolkit.kernels.bounds import slack
from kmtoolkit.kernels.boxes import BOX_LANES, ROOM, candidates_of_box, nearest_of_few
from kmtoolkit.kernels.changes import gathered, note, room_for_moves
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import inlined, jit
from kmtoolkit.kernels.kdtree import boxes_around, plant
from kmtoolkit.kernels.lanes import LANES
from kmtoolkit.kernels.squared import in_lanes, squared_distance
from kmtoolkit.problem import Problem, State, Work
from kmtoolkit.registry import assigner

LEAF = 256  # rows
BOUGH = 16  # leaves
LISTED = 16  # candidates of a leaf that are remembered
LISTED_ABOVE = 128  # and of a bough
UNDERFLOW = 2.0**-1060  # more than what squares and products lose that underflow


class Memory:
    """What is kept between calls."""

    def __init__(self, problem: Problem, state: State) -> None:
        self.leaves = plant(problem.X, LEAF)
        leaves = len(self.leaves.low)
        self.boughs = boxes_around(self.leaves, min(BOUGH, leaves))
        self.own = np.full(len(problem.X) + ROOM, -1, np.int32)  # labels, in the order of the leaves
        self.listed = np.full((leaves, LISTED), -1, np.int32)  # the candidates of each leaf at the call before
        self.listed_above = np.full((len(self.boughs[0]), LISTED_ABOVE), -1, np.int32)
        self.centers = np.full_like(state.centers, np.nan)
        self.longest = int(np.diff(self.leaves.starts).max())  # rows of a leaf
        self.told = Work()


@assigner("tree", exact=True, reference="Kanungo et al. 2002", cost="O(n) and less for few columns")
@dataclass(frozen=True)
class Tree:
    """Compare boxes of rows with the centers first.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = km.datasets.iris().X
    >>> bool((km.kmeans(X, 3, assign="tree", rng=0).labels == km.kmeans(X, 3, assign="dense", rng=0).labels).all())
    True
    """

    def init(self, problem: Problem, state: State) -> Memory:
        return Memory(problem, state)

    def __call__(self, problem: Problem, state: State, memory: Memory) -> np.ndarray | None:
        leaves, (low, high) = memory.leaves, memory.boughs
        moved = (state.centers != memory.centers).any(axis=1)
        memory.centers[:] = state.centers
        grid = cut(len(low), len(problem.X) // len(low) * 4)
        lists, lengths = room_for_moves(grid._replace(rows=len(problem.X)))
        tally = np.zeros((grid.chunks, 2), np.int64)
        _sift_boughs(
            grid, problem.X, state.labels, state.centers, in_lanes(state.centers), moved, leaves, low, high,
            memory.own, memory.longest, memory.listed, memory.listed_above, lists, lengths, tally,
        )  # fmt: skip
        distances, survivors = map(int, tally.sum(axis=0))
        held = (*leaves, *memory.boughs, memory.own, memory.listed, memory.listed_above)
        memory.told = Work(distances, survivors, sum(array.nbytes for array in held))
        return gathered(lists, lengths)

    def relabeled(self, problem: Problem, state: State, memory: Memory, rows: np.ndarray) -> None:
        """Look at the leaves of rows again."""
        places = np.flatnonzero(np.isin(memory.leaves.order, rows))
        memory.own[places] = state.labels[memory.leaves.order[places]]
        memory.listed[np.searchsorted(memory.leaves.starts, places, "right") - 1] = -1
        memory.listed_above[:] = -1

    def work(self, problem: Problem, memory: Memory) -> Work:
        """Candidates of boughs, of leaves and of rows; the rows of leaves that were looked at."""
        return memory.told


@sweep
def _sift_boughs(
    lo, hi, t, X, labels, centers, features, moved, leaves, low, high, own, longest, listed, listed_above,
    lists, lengths, tally,
):  # fmt: skip
    """Label the rows of boughs lo:hi, whose boxes are low and high (boughs, d).

    features are the centers in lanes, moved (k,) whether they did since the call before; own (n + ROOM,) are the labels
    in the order of the leaves, longest the most rows of one, listed (leaves, m) and listed_above (boughs, m) the
    candidates of the call before, ended by -1. tally[t] counts distances and rows compared.
    """
    (k, d), padded = centers.shape, features.shape[1]
    points, order, starts, lows, highs = leaves.points, leaves.order, leaves.starts, leaves.low, leaves.high
    many = len(lows) // len(low)
    numbers = np.arange(k).astype(np.int32)
    above, below, places = np.empty(k, np.int32), np.empty(k, np.int32), np.empty(k + BOX_LANES, np.int32)
    those, here = np.empty((d, padded)), np.empty((d, padded))
    nearest = np.empty(longest + ROOM, np.int32)
    for bough in range(lo, hi):
        m = sift(features, numbers, k, low, high, bough, places, those, above)
        tally[t, 0] += k
        if remembered(listed_above, bough, above, m, moved):
            continue
        for leaf in range(bough * many, (bough + 1) * many):
            start, size = starts[leaf], starts[leaf + 1] - starts[leaf]
            if size == 0:
                continue
            few = sift(those, above, m, lows, highs, leaf, places, here, below)
            tally[t, 0] += m
            if remembered(listed, leaf, below, few, moved):
                continue
            if few == 1:
                nearest[:size] = below[0]
            else:
                tally[t, 0] += few * size
                tally[t, 1] += size
                if d < LANES:
                    if not nearest_of_few(points, start, size, here, few, below, own, nearest):
                        continue
                else:
                    for r in range(size):
                        nearest[r] = nearest_of_row_among(X, np.int64(order[start + r]), centers, below, few)
            for r in range(size):
                if own[start + r] != nearest[r]:
                    own[start + r] = nearest[r]
                    labels[order[start + r]] = nearest[r]
                    note(lists, lengths, t, np.int64(order[start + r]))


@inlined
def sift(candidates, numbers, m, low, high, box, places, kept, kept_numbers):
    """Keep those of m candidates that may be the nearest to some point of a box; their number.

    candidates (d, m or more) and numbers (m or more,) come, kept and kept_numbers go; low and high (boxes, d).
    """
    d = len(candidates)
    few = candidates_of_box(candidates, m, low, high, box, 2 * slack(d), d * UNDERFLOW, places)
    for e in range(few):
        kept_numbers[e] = numbers[places[e]]
        for f in range(d):
            kept[f, e] = candidates[f, places[e]]
    return few


@inlined
def remembered(listed, box, numbers, m, moved):
    """Whether the candidates of a box are those of the call before and none, if there are several, has moved.

    They are listed, if there is room.
    """
    if m >= listed.shape[1]:
        listed[box, 0] = -1
        return False
    same, still = listed[box, m] == -1, True
    for e in range(m):
        same &= listed[box, e] == numbers[e]
        still &= not moved[numbers[e]]
        listed[box, e] = numbers[e]
    listed[box, m] = -1
    return same and (still or m == 1)


@jit
def nearest_of_row_among(X, i, centers, numbers, few):
    """The first of the centers numbers[:few] that is nearest to row i of X."""
    best, least = numbers[0], np.inf
    for e in range(few):
        distance = squared_distance(X, i, centers, np.int64(numbers[e]))
        if distance < least:
            best, least = numbers[e], distance
    return best
