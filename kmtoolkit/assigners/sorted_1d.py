"""One column: clusters are intervals of the sorted rows, and only the rows that a bound passes over change cluster.

The rows are sorted once: into leaves by cuts of a sample, then each leaf. The nearest center of a row is one of its two
neighbors, and the rows between two neighbors are parted by one threshold (Max, IRE Trans. Inform. Theory 1960; Lloyd,
IEEE Trans. Inform. Theory 1982, equation 13). It is found by bisection with the canonical comparison, whose outcome
changes once: from left to right, the rounded distance to the left center never falls, and that to the right one never
rises. Then the old intervals are laid over the new ones, and the rows where they differ move.

Rounding may bring more than two centers equally near: seen from afar, two that are close together. It takes a gap
within 2^-51 of the distance, since squares of different numbers are different, or a gap whose square underflows. Such
centers hardly ever occur, and a call with any of them is one of ``dense``.

O(n log n) time once, then O(k log n + moved rows) a call; the sorted rows and 4 bytes a row.
"""

from dataclasses import dataclass

import numpy as np

from kmtoolkit.kernels.bounds import UNDERFLOW
from kmtoolkit.kernels.changes import FEW
from kmtoolkit.kernels.closest import closest
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import jit
from kmtoolkit.kernels.kdtree import plant
from kmtoolkit.kernels.squared import squared_distance
from kmtoolkit.problem import Problem, State, Work, read_only
from kmtoolkit.registry import assigner

ALIKE = 2.0**-51  # centers may look alike to a row that is farther away than this part of which is their gap
OPERATIONS = 16  # of moving a row
LEAF, MOST_COUNTED = 128, 2048  # rows sorted at a time: about, and at most by counting


class Memory:
    """The sorted rows, and the intervals of the latest call."""

    def __init__(self, problem: Problem) -> None:
        leaves = plant(problem.X, LEAF)
        _sort(cut(len(leaves.low), LEAF * LEAF // 16), leaves.starts, leaves.points[0], leaves.order)
        self.values: np.ndarray = read_only(leaves.points[0, : len(problem.X), np.newaxis])
        self.order: np.ndarray = leaves.order
        self.forget()
        self.work = Work()

    def forget(self) -> None:
        """Take all rows for unlabeled."""
        self.ends = np.array([0, len(self.order)])  # interval i has the sorted rows ends[i] to ends[i + 1] - 1
        self.owners = np.array([-1], np.int32)  # and this label
        self.strays = np.empty(0, np.int64)  # rows that a repair has given another one


@assigner("sorted-1d", exact=True, columns=1, reference="Max 1960", cost="O(k log n + moved rows) after sorting")
@dataclass(frozen=True)
class Sorted1D:
    """Move the thresholds between the centers over the sorted rows of a single column.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = km.datasets.iris().X[:, :1]
    >>> trace = km.kmeans(X, 3, assign="sorted-1d", rng=0).trace
    >>> bool(trace.distances[-1] < len(X))
    True
    """

    def init(self, problem: Problem, state: State) -> Memory:
        return Memory(problem)

    def __call__(self, problem: Problem, state: State, memory: Memory) -> np.ndarray | None:
        places, owners = _in_order(state.centers)
        if _may_look_alike(places[:, 0], memory.values):
            closest(problem.X, state.centers, state.labels)
            memory.forget()
            memory.work = Work(len(problem.X) * problem.k, len(problem.X))
            return None
        ends = np.empty(len(places) + 1, np.int64)
        probes = _find_thresholds(memory.values, read_only(places), owners, ends)
        memory.work = Work(2 * probes, probes)
        rows = _move(memory, ends, owners, state.labels)
        strays, memory.ends, memory.owners = memory.strays, ends, owners
        if len(strays):
            at = np.searchsorted(memory.values[:, 0], problem.X[strays, 0])
            state.labels[strays] = _owners_at(at, ends, owners)
            rows = None if rows is None else np.union1d(rows, strays)
            memory.strays = strays[:0]
        return rows

    def relabeled(self, problem: Problem, state: State, memory: Memory, rows: np.ndarray) -> None:
        """Remember rows that are not where their interval has them."""
        memory.strays = np.union1d(memory.strays, rows)

    def work(self, problem: Problem, memory: Memory) -> Work:
        """Rows that bisection looked at, each beside two centers."""
        return memory.work._replace(memory=memory.values.nbytes + memory.order.nbytes)


@sweep
def _sort(lo: int, hi: int, t: int, starts: np.ndarray, values: np.ndarray, order: np.ndarray) -> None:
    """Sort the values of leaves lo:hi, and their rows with them; leaf i has places starts[i] to starts[i + 1].

    The place of a value is how many are less, which vectors count fast where they are few.
    """
    ranked, numbers = np.empty(MOST_COUNTED, values.dtype), np.empty(MOST_COUNTED, order.dtype)
    for leaf in range(lo, hi):
        some, rows = values[starts[leaf] : starts[leaf + 1]], order[starts[leaf] : starts[leaf + 1]]
        size = len(some)
        if size > MOST_COUNTED:
            by_value = np.argsort(some)
            some[:], rows[:] = some[by_value], rows[by_value]
        else:
            ties = np.zeros(size, np.int32)
            for r in range(size):
                value, less = some[r], np.int32(0)
                for q in range(size):
                    less += np.int32(1) if some[q] < value else np.int32(0)
                place = less + ties[less]
                ties[less] += 1
                ranked[place], numbers[place] = value, rows[r]
            some[:], rows[:] = ranked[:size], numbers[:size]


def _in_order(centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct centers in rising order, (m, 1), and the lowest index of each, (m,) int32."""
    order = np.argsort(centers[:, 0], kind="stable")
    places = centers[order]
    first = np.append(True, places[1:, 0] != places[:-1, 0])
    return places[first], order[first].astype(np.int32)


def _may_look_alike(places: np.ndarray, values: np.ndarray) -> bool:
    """Whether rounding may bring two neighbors of places (m,) equally near to a row between others, or beyond all."""
    gaps = np.diff(places)
    ends = np.concatenate(([min(values[0, 0], places[0])], places, [max(values[-1, 0], places[-1])]))
    farthest = np.maximum(places[1:] - ends[:-3], ends[3:] - places[:-1])  # a row between the next centers but one
    return bool((gaps <= np.maximum(ALIKE * farthest, UNDERFLOW)).any())


@jit
def _find_thresholds(values: np.ndarray, places: np.ndarray, owners: np.ndarray, ends: np.ndarray) -> int:
    """Write where intervals begin and end among values (n, 1) to ends (m + 1,); returns how many rows it looked at."""
    n, probes = len(values), 0
    ends[0], ends[len(places)] = 0, n
    for i in range(len(places) - 1):
        left_wins = owners[i] < owners[i + 1]
        low, high = ends[i], n  # rows before low belong to the left, those from high on to the right
        while low < high:
            at = (low + high) // 2
            probes += 1
            if values[at, 0] <= places[i, 0]:
                left = True
            elif values[at, 0] >= places[i + 1, 0]:
                left = False
            else:
                to_left, to_right = squared_distance(values, at, places, i), squared_distance(values, at, places, i + 1)
                left = to_left < to_right or (to_left == to_right and left_wins)
            if left:
                low = at + 1
            else:
                high = at
        ends[i + 1] = low
    return probes


def _owners_at(at: np.ndarray, ends: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """The labels of the intervals that hold the sorted rows ``at``; empty intervals hold none."""
    return owners[np.searchsorted(ends, at, side="right") - 1]


def _move(memory: Memory, ends: np.ndarray, owners: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """Label the rows whose interval has another owner than before; these rows, or None if they are many."""
    cuts = np.union1d(memory.ends, ends)
    old, new = (_owners_at(cuts[:-1], *intervals) for intervals in ((memory.ends, memory.owners), (ends, owners)))
    moving = old != new
    begin, lengths = cuts[:-1][moving], np.diff(cuts)[moving]
    done = np.cumsum(lengths)
    many = int(lengths.sum())
    rows = np.empty(many if many <= len(labels) // FEW else 0, memory.order.dtype)
    if many:
        _relabel(cut(many, OPERATIONS), memory.order, begin - (done - lengths), done, new[moving], labels, rows)
    return rows if len(rows) == many else None


@sweep
def _relabel(
    lo: int, hi: int, t: int, order: np.ndarray, ahead: np.ndarray, done: np.ndarray, targets: np.ndarray,
    labels: np.ndarray, rows: np.ndarray,
) -> None:  # fmt: skip
    """Label the moving rows lo:hi, and list them in rows if it has room.

    Moving row q is the sorted row q + ahead[i], and goes to targets[i], for the first i with q < done[i].
    """
    i = np.searchsorted(done, lo, side="right")
    for q in range(lo, hi):
        while q >= done[i]:
            i += 1
        row = order[q + ahead[i]]
        labels[row] = targets[i]
        if len(rows):
            rows[q] = row
