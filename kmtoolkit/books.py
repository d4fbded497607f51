"""The books of a hard objective: statistics of the clusters, and how far each half-step lowered F."""

import math
from collections.abc import Callable

import numpy as np

from kmtoolkit.errors import DescentError
from kmtoolkit.kernels.grid import watched
from kmtoolkit.kernels.statistics import WORN, absorb, cluster_totals, new_moves, update_factors
from kmtoolkit.objectives import EPS, NOISE, SquaredEuclidean, Step
from kmtoolkit.problem import Problem, State, read_only, read_only_state

__all__ = ["Books"]


class Books:
    """Keeps the accepted labels, the statistics that follow from them, and the account of F.

    Settling touches the rows that move and no others. F itself is computed when it is asked for: at the end, or
    after every half-step with ``verify=True`` or a strategy that does not promise descent.
    """

    def __init__(self, problem: Problem, centers: np.ndarray, objective: SquaredEuclidean, box: np.ndarray) -> None:
        n, (k, d) = len(problem.X), centers.shape
        self.problem, self.objective = problem, objective
        self.state = State(
            centers=centers,
            labels=np.full(n, -1, np.int32),
            counts=np.zeros(k, np.int64),
            mass=np.zeros(k),
            sums=np.zeros((k, d)),
            origin=objective.origin(box),
            shift=np.zeros(k),
        )
        self.accepted = self.state.labels.copy()
        self.row_type = np.int32 if n < 2**31 else np.int64
        self.sums_error, self.mass_error = np.zeros((k, d)), np.zeros(k)
        self.peak = np.zeros(k)  # the largest mass since the rows were last summed afresh
        self.kept = np.arange(k)  # the original index of each cluster
        self.repaired: list[tuple[int, int]] = []  # rows repaired since the latest plan, and their labels before
        self.hash = 0
        self.views: dict[tuple[str, ...], State] = {}  # the state as each role sees it

    @property
    def empty(self) -> int:
        """The number of empty clusters."""
        return int(np.count_nonzero(self.state.counts == 0))

    def view(self, *writable: str) -> State:
        """The state as a strategy sees it: it can write the named arrays only."""
        if writable not in self.views:
            self.views[writable] = read_only_state(self.state, *writable)
        return self.views[writable]

    def proposed(self) -> np.ndarray:
        """The rows whose label differs from the accepted one, (m,), in the smallest integers that can tell rows."""
        return (self.state.labels != self.accepted).nonzero()[0].astype(self.row_type, copy=False)

    def settle(self, rows: np.ndarray | None = None, *, force: bool = False, distances: int = 0) -> Step:
        """Accept the labels proposed that lower F (or leave it and lower the index), refuse the others."""
        step, change, worn = self._move(self.proposed() if rows is None else rows, force, distances)
        self.hash = (self.hash + change) % 2**64
        if worn:
            self.refresh((self.state.counts > 0) & (self.state.mass < self.peak * WORN))
        return step

    def _move(self, rows: np.ndarray, force: bool, distances: int = 0) -> tuple[Step, int, bool]:
        """Settle rows whose label differs from the accepted one; also the hash's change, and if a cluster is worn."""
        state = self.state
        grid, moves = new_moves(len(rows), *state.centers.shape)
        before = self.accepted[rows]
        try:
            self.objective.settle(grid, rows, self.problem, state, self.accepted, force, moves)
        except BaseException:
            self.accepted[rows] = before
            raise
        drop, moved, refused, worn = absorb(
            moves, state.sums, self.sums_error, state.mass, self.mass_error, state.counts, self.peak
        )
        return Step(float(drop), 0.0, 0.0, int(moved), int(refused), distances), sum(moves.hash.tolist()), worn

    def refresh(self, clusters: np.ndarray | None = None) -> bool:
        """Sum the rows of the marked clusters (k,) afresh, or of all; whether that changed a digit of the sums."""
        state = self.state
        marked = np.ones(len(state.counts), np.bool_) if clusters is None else clusters
        before = state.sums.copy(), state.mass.copy()
        self.accepted[marked[state.labels]] = -1
        for statistic in (state.sums, self.sums_error, state.mass, self.mass_error, state.counts):
            statistic[marked] = 0
        with watched(None):  # until all rows are back in the sums
            self._move(self.proposed(), force=True)
        self.peak[marked] = state.mass[marked]
        return not (np.array_equal(before[0], state.sums) and np.array_equal(before[1], state.mass))

    def plan(self, ask: Callable[[np.ndarray, np.ndarray], int | None], repairs: bool) -> list[tuple[int, int]]:
        """The repairs a handler asks for, as (row, empty cluster); none at a point that can't be repaired.

        ``ask(d, free)`` is called once per empty cluster. A handler that ``repairs`` is not asked if no row is free.
        """
        state, X = self.state, self.problem.X
        self.repaired = []
        if state.counts.all():
            return []
        empty = np.flatnonzero(state.counts == 0)
        d = self.objective.distances(X, state.centers, state.labels)
        d[d <= self.objective.floor(X, state.centers, state.labels)] = 0.0
        counts, plan = state.counts.copy(), []
        for cluster in map(int, empty):
            free = (d > 0) & (counts[state.labels] > 1)
            if repairs and not free.any():
                break
            row = ask(read_only(d), read_only(free))
            if row is None:
                continue
            plan.append((row, cluster))
            counts[state.labels[row]] -= 1
            point = X[row : row + 1].astype(np.float64)
            to_row = self.objective.distances(X, point, 0)
            to_row[to_row <= self.objective.floor(X, point, 0)] = 0.0
            np.minimum(d, to_row, out=d)
        return plan

    def repair(self, plan: list[tuple[int, int]]) -> Step:
        """Move each planned row to its empty cluster, which becomes nonempty and centers on it."""
        self.repaired = [(row, int(self.state.labels[row])) for row, _ in plan]
        for row, cluster in plan:
            self.state.centers[cluster] = self.problem.X[row]
            self.state.labels[row] = cluster
        return self.settle(distances=len(self.problem.X) * (len(plan) + 1))

    def updated(self, before: np.ndarray, value: float) -> Step:
        """How far F, about ``value``, fell when the centers moved from ``before`` to where they are.

        The noise takes the rows to lie within sqrt(value / mass) of their center, as they do on the average. Before
        an updater is accused, it gets the benefit of the row that is farthest.
        """
        state = self.state
        factors = np.empty((2, 5, *before.shape))
        update_factors(
            before, state.centers, state.mass, self.mass_error, state.sums, self.sums_error, state.origin, factors
        )
        reach = np.sqrt(value / np.where(state.mass > 0, state.mass, np.inf))
        step = self.objective.updated(state, factors, reach)
        if step.drop >= -step.noise:
            return step
        np.maximum.at(reach, state.labels, np.sqrt(self.objective.distances(self.problem.X, before, state.labels)))
        return self.objective.updated(state, factors, reach)

    def take_back(self, centers: np.ndarray) -> None:
        """Return to the accepted labels as they were with ``centers``, before any repair made since.

        Sums and masses are not kept up: nothing but F, from scratch, may be asked for afterwards.
        """
        state = self.state
        state.centers[:] = centers
        state.labels[:] = self.accepted
        for row, label in self.repaired:
            state.labels[row] = label
        self.accepted[:] = state.labels
        state.counts[:] = np.bincount(state.labels, minlength=len(centers))

    def compress(self) -> bool:
        """Drop the empty clusters and renumber the others in order; F and the partition stay as they are."""
        live = self.state.counts > 0
        if live.all():
            return False
        state = self.state
        labels = (np.cumsum(live, dtype=np.int32) - np.int32(1))[state.labels]
        kept = {name: getattr(state, name)[live] for name in ("centers", "counts", "mass", "sums", "shift")}
        self.state, self.views = state._replace(labels=labels, **kept), {}
        self.problem = self.problem._replace(k=int(live.sum()))
        self.sums_error, self.mass_error = self.sums_error[live], self.mass_error[live]
        self.peak, self.kept = self.peak[live], self.kept[live]
        self.accepted = labels.copy()
        return True

    def cluster_values(self) -> tuple[np.ndarray, float]:
        """F of each cluster (k,) and F, from scratch, in float64 with compensated sums."""
        d = self.objective.distances(self.problem.X, self.state.centers, self.state.labels)
        totals, errors = cluster_totals(d, self.problem.sample_weight, self.state.labels, len(self.state.centers))
        return totals + errors, math.fsum((*totals, *errors))

    def value(self) -> float:
        """F from scratch."""
        return self.cluster_values()[1]

    def not_nearest(self) -> np.ndarray:
        """Rows whose label is not the canonical nearest center, (m,) int64."""
        return np.flatnonzero(self.state.labels != self.objective.oracle(self.problem.X, self.state.centers))

    def check(self, step: Step, before: float, who: str) -> float:
        """Recompute F and compare its fall from ``before`` with the step; returns F."""
        after = self.value()
        slack = NOISE * step.terms + 4 * (self.problem.X.shape[1] + 8) * EPS * (before + after)
        if not abs(before - after - step.drop) <= slack:
            raise DescentError(
                f"{who}: the objective fell by {before - after:.17g}, but the books have {step.drop:.17g}; "
                f"rounding explains at most {slack:.3g}"
            )
        return after
