"""One bound a row and group of centers (Yinyang: Ding et al., ICML 2015, simplified by Newling and Fleuret, ICML 2016).

The centers are cut into groups of 16 or a little fewer. For each row and group there is a lower bound of the distance
to the centers of the group other than the row's own. A row that Hamerly's single bound can't spare is compared with its
own center, and then with all of the groups whose bound is not above that distance (the simplification: no bounds of
single centers). What differs from the papers:

- A bound is kept as it was when it was found, with the time. Since then it has shrunk by how far the centers of the
  group are from where they were (the ns-bounds of Newling and Fleuret), which is less than the sum of
  their steps; and bounds that are not renewed are not written.
- The rows of a block are sorted by group, so that register tiles compare many rows with a group at the speed of a dense
  sweep.

Groups are cut, by bisection, when they are first needed. While bounds spare little, as in the first iterations, a row
is compared with all centers, and Hamerly's bound alone is kept.

O(n + s k / 16 + p d) time for s rows that are left and p distances; 9 + 5 k / 16 bytes a row, and up to 32 copies of
the centers.
"""

from dataclasses import dataclass

import numpy as np

from kmtoolkit.assigners.hamerly import Hamerly
from kmtoolkit.assigners.hamerly import Memory as HamerlyMemory
from kmtoolkit.errors import check_int
from kmtoolkit.kernels.bounds import widen_drifts
from kmtoolkit.kernels.changes import gathered, room_for_moves
from kmtoolkit.kernels.closest import CANONICAL, next_level, pack
from kmtoolkit.kernels.grid import cut
from kmtoolkit.kernels.group_bounds import Groups, compare_with_groups, in_tiles, measure_drifts, rebase
from kmtoolkit.kernels.groups import MULTIPLE, TIMES, WIDTH
from kmtoolkit.problem import Problem, State, Work
from kmtoolkit.registry import assigner

TOGETHER = 1024  # rows whose lists by group fill tiles well
FEWEST = 64  # centers for which groups are worth their bounds
FIRST = 3  # the call in which groups are cut
TOO_MANY = 0.8  # share of distances evaluated above which groups wait for centers to slow down


class Memory(HamerlyMemory):
    """What is kept between calls."""

    def __init__(self, problem: Problem, state: State) -> None:
        super().__init__(problem, state)
        self.groups: Groups | None = None
        self.now = 0  # the time that the next bounds are of
        self.calls, self.start, self.wait = 0, FIRST, 1  # groups are used from call ``start`` on
        self.distances = 0


@assigner("yinyang", exact=True, reference="Ding et al. 2015", cost="O(n + s k / 16 + p d), p distances of s rows")
@dataclass(frozen=True)
class Yinyang:
    """Compare a row with the groups of centers that may be as near as its own.

    Parameters
    ----------
    memory_limit : int
        Bytes that bounds should stay below; groups are larger if need be.

    Examples
    --------
    >>> import numpy as np
    >>> import kmtoolkit as km
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> trace = km.kmeans(X, 80, assign="yinyang", rng=0).trace
    >>> bool(trace.distances[-1] < X.shape[0] * 80 / 2)
    True
    """

    memory_limit: int = 1 << 30

    def __post_init__(self) -> None:
        check_int("memory_limit", self.memory_limit, 1)

    def init(self, problem: Problem, state: State) -> Memory:
        return Memory(problem, state)

    def __call__(self, problem: Problem, state: State, memory: Memory) -> np.ndarray | None:
        memory.calls += 1
        if memory.level < CANONICAL and problem.k >= FEWEST and memory.calls >= memory.start:
            memory.groups = memory.groups or _cut_groups(problem, state, self.memory_limit)
            return _compare(problem, state, memory, memory.groups)
        moved = Hamerly()(problem, state, memory)
        memory.distances = memory.survivors * problem.k
        if memory.groups is not None:
            _forget(memory.groups, slice(None) if moved is None else moved)
        return moved

    def relabeled(self, problem: Problem, state: State, memory: Memory, rows: np.ndarray) -> None:
        """Forget the bounds of rows."""
        memory.keys[rows] = -np.inf
        if memory.groups is not None:
            _forget(memory.groups, rows)

    def work(self, problem: Problem, memory: Memory) -> Work:
        """Rows that were left, and their distances to their own center and to those of groups."""
        kept = memory.keys.nbytes
        if (groups := memory.groups) is not None:
            bounds = groups.lower, groups.stamps, groups.upper, groups.since
            kept += sum(array.nbytes for array in (*bounds, groups.past))
        return Work(memory.distances, memory.survivors, kept)


def _forget(groups: Groups, rows: np.ndarray | slice) -> None:
    """Forget the bounds of rows."""
    groups.lower[rows, : len(groups.sizes)], groups.upper[rows] = -np.inf, np.inf


def _compare(problem: Problem, state: State, memory: Memory, groups: Groups) -> np.ndarray | None:
    """Compare rows with groups."""
    (n, d), k = problem.X.shape, problem.k
    widen_drifts(state.shift, memory.unit, d, memory.drift, memory.rounded)
    groups.past[memory.now] = state.centers
    measure_drifts(cut(memory.now + 1, k * d), state.centers, groups, memory.unit)
    packed = pack(problem.X, state.centers, memory.level)
    grid = cut(n, 8 + len(groups.sizes) + memory.distances // n * d // 32, together=TOGETHER)
    lists, lengths = room_for_moves(grid)
    tally = np.zeros((grid.chunks, 3), np.int64)
    compare_with_groups(
        grid, problem.X, state.centers, state.labels, memory.keys, memory.drift, memory.rounded, groups, packed,
        in_tiles(packed, groups.names, d), memory.now, memory.unit, lists, lengths, tally,
    )  # fmt: skip
    memory.survivors, memory.distances, undecided = map(int, tally.sum(axis=0))
    memory.level = next_level(memory.level, undecided, memory.survivors)
    if memory.calls > memory.start and memory.distances > TOO_MANY * n * k:
        memory.start, memory.wait = memory.calls + 1 + memory.wait, 2 * memory.wait
    memory.now += 1
    if memory.now == len(groups.past):
        rebase(cut(n, len(groups.sizes)), state.labels, groups)
        groups.past[0], memory.now = state.centers, 1
    return gathered(lists, lengths)


def _cut_groups(problem: Problem, state: State, memory_limit: int) -> Groups:
    """Groups of the centers, without bounds."""
    (n, d), k, width = problem.X.shape, problem.k, WIDTH
    while width < k and n * -(-k // width) * 5 > memory_limit:
        width *= 2
    parts = _bisected(state.centers, np.arange(k), width)
    names, sizes = np.full((len(parts), width), -1, np.int32), np.array([len(part) for part in parts])
    names[np.arange(width) < sizes[:, np.newaxis]] = np.concatenate(parts)
    places = np.empty(k, np.int64)
    places[names[names >= 0]] = np.flatnonzero(names >= 0)
    times, shape = min(max(n // k, 2), TIMES), (n, -(-len(parts) // MULTIPLE) * MULTIPLE)
    lower = np.full(shape, np.inf, np.float32)
    lower[:, : len(parts)] = -np.inf
    return Groups(
        names.ravel(), places, sizes, lower, np.zeros(shape, np.uint8),
        np.full(n, np.inf, np.float32), np.zeros(n, np.uint8),
        np.empty((times, k, d)), np.zeros((times, k), np.float32), np.zeros((shape[1], TIMES), np.float32),
    )  # fmt: skip


def _bisected(centers: np.ndarray, which: np.ndarray, most: int) -> list[np.ndarray]:
    """Cut ``which`` of the centers (k, d) into groups of neighbors of about equal size, ``most`` or fewer each.

    Those of a group are halved along the way from the one farthest from their mean to the one farthest from it.
    """
    if len(which) <= most:
        return [which]
    some = centers[which] - centers[which].mean(axis=0)
    end = some[np.square(some).sum(axis=1).argmax()]
    along = (some * (some[np.square(some - end).sum(axis=1).argmax()] - end)).sum(axis=1)
    order, parts = np.argsort(along, kind="stable"), -(-len(which) // most)
    at = parts // 2 * len(which) // parts
    return [*_bisected(centers, which[order[:at]], most), *_bisected(centers, which[order[at:]], most)]
