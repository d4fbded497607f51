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

While bounds spare little, as in the first iterations, rows are compared with all centers, and Hamerly's bound alone is
kept. A few rows go ahead: they are compared with groups from the second call on, and tell when it pays for all. Groups
are cut by bisection, anew then.

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
from kmtoolkit.problem import Problem, State, Work, read_only
from kmtoolkit.registry import assigner

TOGETHER = 1024  # rows whose lists by group fill tiles well
FEWEST = 64  # centers for which groups are worth their bounds
SCOUTS, AMONG = 256, 64  # rows that go ahead: so many, of that many each
BOUND, ROW = 3, 380  # what it takes to look at a bound, and at a row, in columns: the time in which one column of a row
# is compared with 16 centers
GROUP, SCATTERED = 75, 1.3  # what it takes to compare a row with a group of 16, beyond so many times its columns
TOO_MANY = 0.8  # share of distances evaluated above which groups are given up until centers slow down


class Memory(HamerlyMemory):
    """What is kept between calls."""

    def __init__(self, problem: Problem, state: State) -> None:
        super().__init__(problem, state)
        self.groups: Groups | None = None
        self.scout: Scout | None = None
        self.now = 0  # the time that the next bounds are of
        self.calls = self.distances = 0


class Scout:
    """A few rows that are compared with groups before all are."""

    def __init__(self, problem: Problem, state: State) -> None:
        n = self.among = len(problem.X)
        self.rows = np.linspace(0, n - 1, min(SCOUTS, -(-n // AMONG))).astype(np.int64)
        X, weights = problem.X[self.rows], problem.sample_weight[self.rows]
        self.problem = Problem(read_only(X), read_only(weights), problem.k)
        self.labels = state.labels[self.rows]
        self.memory = Memory(self.problem, state)

    def share(self, state: State, level: int, memory_limit: int) -> float:
        """The share of distances that groups leave to evaluate now."""
        labels, memory = state.labels[self.rows], self.memory
        if memory.groups is None:
            memory.groups = _cut_groups(self.problem, state, memory_limit, self.among)
        _forget(memory, np.flatnonzero(labels != self.labels))  # relabeled since
        memory.level = level
        _compare(self.problem, state._replace(labels=labels), memory, memory.groups)
        self.labels = labels
        return memory.distances / (len(labels) * self.problem.k)


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
        most = TOO_MANY * len(problem.X) * problem.k
        if memory.groups is None and self.send_scouts(problem, state, memory):
            memory.groups, memory.scout, memory.now = _cut_groups(problem, state, self.memory_limit), None, 0
            most = np.inf  # the first call finds all bounds
        if memory.groups is None:
            moved = Hamerly()(problem, state, memory)
            memory.distances = memory.survivors * problem.k
        else:
            moved = _compare(problem, state, memory, memory.groups)
            if memory.level == CANONICAL or memory.distances > most:
                memory.groups = None
        return moved

    def send_scouts(self, problem: Problem, state: State, memory: Memory) -> bool:
        """Compare a few rows with groups, at every call from the second on; whether it would pay for all now."""
        (n, d), k = problem.X.shape, problem.k
        if memory.level == CANONICAL or k < FEWEST or memory.calls == 1 or worthwhile(d, k, 1.0) <= 0:
            return False
        memory.scout = memory.scout or Scout(problem, state)
        share = memory.scout.share(state, memory.level, self.memory_limit)
        return share <= worthwhile(d, k, memory.survivors / n)

    def relabeled(self, problem: Problem, state: State, memory: Memory, rows: np.ndarray) -> None:
        """Forget the bounds of rows."""
        _forget(memory, rows)

    def work(self, problem: Problem, memory: Memory) -> Work:
        """Rows that were left, and their distances to their own center and to those of groups; scouts are counted."""
        distances, kept = memory.distances, memory.keys.nbytes
        parts = [memory.groups]
        if (scout := memory.scout) is not None:
            distances += scout.memory.distances
            kept += scout.problem.X.nbytes + scout.memory.keys.nbytes
            parts.append(scout.memory.groups)
        kept += sum(array.nbytes for groups in parts if groups is not None for array in groups)
        return Work(distances, memory.survivors, kept)


def worthwhile(d: int, k: int, compared: float) -> float:
    """The share of distances below which groups are faster than such a share of rows compared with all centers."""
    return (d * compared - BOUND - ROW * WIDTH / k) / (GROUP + SCATTERED * d)


def _forget(memory: Memory, rows: np.ndarray) -> None:
    """Forget the bounds of rows."""
    memory.keys[rows] = -np.inf
    if (groups := memory.groups) is not None:
        groups.lower[rows, : len(groups.sizes)], groups.upper[rows] = -np.inf, np.inf


def _compare(problem: Problem, state: State, memory: Memory, groups: Groups) -> np.ndarray | None:
    """Compare rows with groups."""
    (n, d), k = problem.X.shape, problem.k
    widen_drifts(state.shift, memory.unit, d, memory.drift, memory.rounded)
    groups.past[memory.now] = state.centers
    past = read_only(groups.past)
    measure_drifts(cut(memory.now + 1, k * d), state.centers, past, groups, memory.unit)
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
    memory.now += 1
    if memory.now == len(groups.past):
        rebase(cut(n, len(groups.sizes)), state.labels, groups)
        groups.past[0], memory.now = state.centers, 1
    return gathered(lists, lengths)


def _cut_groups(problem: Problem, state: State, memory_limit: int, among: int = 0) -> Groups:
    """Groups of the centers, without bounds; scouts have the same as all the rows they are among."""
    (n, d), k, width = problem.X.shape, problem.k, WIDTH
    rows = among or n
    while width < k and rows * -(-k // width) * 5 > memory_limit:
        width *= 2
    parts = _bisected(state.centers, np.arange(k), width)
    names, sizes = np.full((len(parts), width), -1, np.int32), np.array([len(part) for part in parts])
    names[np.arange(width) < sizes[:, np.newaxis]] = np.concatenate(parts)
    places = np.empty(k, np.int64)
    places[names[names >= 0]] = np.flatnonzero(names >= 0)
    times, shape = min(max(rows // k, 2), TIMES), (n, -(-len(parts) // MULTIPLE) * MULTIPLE)
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
