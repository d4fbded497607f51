"""The books of a hard objective: statistics of the clusters, and how far each half-step lowered F."""

import math
from typing import Any

import numpy as np

from kmtoolkit.errors import DescentError, StrategyError
from kmtoolkit.kernels.statistics import absorb, cluster_totals, new_moves
from kmtoolkit.objectives import EPS, SquaredEuclidean, Step
from kmtoolkit.problem import Problem, State, read_only, read_only_state
from kmtoolkit.registry import Strategy

__all__ = ["Books"]


class Books:
    """Keeps the accepted labels, the statistics that follow from them, and the account of F.

    Settling touches the rows that move and no others; F itself is computed at the end, or after every half-step
    when ``exact`` asks for it (``verify=True``, or a strategy that does not promise descent).
    """

    def __init__(self, problem: Problem, centers: np.ndarray, objective: SquaredEuclidean) -> None:
        n, (k, d) = len(problem.X), centers.shape
        self.problem, self.objective = problem, objective
        origin, self.variance = objective.origin(problem)
        self.state = State(
            centers, np.full(n, -1, np.int32), np.zeros(k, np.int64), np.zeros(k), np.zeros((k, d)), origin, np.zeros(k)
        )
        self.accepted = self.state.labels.copy()
        self.sums_error, self.mass_error = np.zeros((k, d)), np.zeros(k)
        self.kept = np.arange(k)  # the original index of each cluster
        self.hash = 0

    @property
    def empty(self) -> int:
        """The number of empty clusters."""
        return int(np.count_nonzero(self.state.counts == 0))

    def view(self, *writable: str) -> State:
        """The state as a strategy sees it: it can write the named arrays only."""
        return read_only_state(self.state, *writable)

    def settle(self, *, force: bool = False, distances: int = 0) -> Step:
        """Accept proposed labels that lower F (or leave it and lower the index), refuse the others."""
        state = self.state
        rows = np.flatnonzero(state.labels != self.accepted)
        bounds, moves = new_moves(len(rows), *state.centers.shape)
        self.objective.settle(bounds, rows, self.problem, state, self.accepted, force, moves)
        drop, moved, refused = absorb(moves, state.sums, self.sums_error, state.mass, self.mass_error, state.counts)
        self.hash = (self.hash + sum(map(int, moves.hash))) % 2**64
        return Step(float(drop), 0.0, int(moved), int(refused), distances)

    def plan(self, handler: Strategy, rng: np.random.Generator) -> list[tuple[int, int]]:
        """The repairs a handler asks for, as (row, empty cluster); none at a point that can't be repaired."""
        state, X = self.state, self.problem.X
        empty = np.flatnonzero(state.counts == 0)
        if len(empty) == 0:
            return []
        d = self.objective.distances(X, state.centers, state.labels)
        d[d <= self.objective.floor(X, state.centers, state.labels)] = 0.0
        counts, plan = state.counts.copy(), []
        view = self.view()
        for cluster in map(int, empty):
            free = (d > 0) & (counts[state.labels] > 1)
            if handler.row.repairs and not free.any():
                break
            row = handler(self.problem, view, read_only(d), read_only(free), rng)
            if row is None:
                continue
            row = _checked_row(row, free, handler)
            plan.append((row, cluster))
            counts[state.labels[row]] -= 1
            point = X[row : row + 1].astype(np.float64)
            to_row = self.objective.distances(X, point, 0)
            to_row[to_row <= self.objective.floor(X, point, 0)] = 0.0
            np.minimum(d, to_row, out=d)
        return plan

    def repair(self, plan: list[tuple[int, int]]) -> Step:
        """Move each planned row to its empty cluster, which becomes nonempty and centers on it."""
        for row, cluster in plan:
            self.state.centers[cluster] = self.problem.X[row]
            self.state.labels[row] = cluster
        return self.settle(distances=len(self.problem.X) * (len(plan) + 1))

    def updated(self, before: np.ndarray) -> Step:
        """How far F fell when the centers moved from ``before`` to where they are."""
        return self.objective.updated(self.state, before)

    def compress(self) -> bool:
        """Drop the empty clusters and renumber the others in order; F and the partition stay as they are."""
        live = self.state.counts > 0
        if live.all():
            return False
        state = self.state
        labels = (np.cumsum(live, dtype=np.int32) - np.int32(1))[state.labels]
        kept = {name: getattr(state, name)[live] for name in ("centers", "counts", "mass", "sums", "shift")}
        self.state = state._replace(labels=labels, **kept)
        self.problem = self.problem._replace(k=int(live.sum()))
        self.sums_error, self.mass_error, self.kept = self.sums_error[live], self.mass_error[live], self.kept[live]
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
        return np.flatnonzero(self.state.labels != self.objective.nearest(self.problem.X, self.state.centers))

    def check(self, step: Step, before: float, who: str) -> float:
        """Recompute F and compare its fall from ``before`` with the step; returns F."""
        after = self.value()
        slack = step.noise + 4 * (self.problem.X.shape[1] + 8) * EPS * (before + after)
        if not abs(before - after - step.drop) <= slack:
            raise DescentError(
                f"{who}: the objective fell by {before - after:.17g}, but the books have {step.drop:.17g}; "
                f"rounding explains at most {slack:.3g}"
            )
        return after


def _checked_row(row: Any, free: np.ndarray, handler: Strategy) -> int:
    if isinstance(row, (bool, np.bool_)) or not isinstance(row, (int, np.integer)):
        raise StrategyError(f"{handler} returned {row!r}; it must return one row index, or None")
    if not 0 <= row < len(free):
        raise StrategyError(f"{handler} returned row {row}; rows are 0 to {len(free) - 1}")
    if not free[row]:
        raise StrategyError(f"{handler} returned row {row}, which is not free; it must return a row with free[row]")
    return int(row)
