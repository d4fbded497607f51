"""The books of a hard objective: statistics of the clusters, and how far each half-step lowered F."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kmtoolkit.errors import DescentError, RuleBroken
from kmtoolkit.kernels.arithmetic import EPS, NOISE
from kmtoolkit.kernels.changes import changed, changed_among, row_dtype
from kmtoolkit.kernels.grid import watched
from kmtoolkit.kernels.statistics import WORN, absorb, new_moves
from kmtoolkit.objectives import NO_WORK, SquaredEuclidean, Step
from kmtoolkit.problem import Problem, State, Work, read_only, read_only_state
from kmtoolkit.registry import Row

__all__ = ["Books", "ask_for_rows"]

_ALL = np.empty(0, np.int32)
ROWS_AT_ONCE = 1 << 14


class Books:
    """Keeps the accepted labels, the statistics that follow from them, and the account of F.

    Settling touches the rows that move and no others. F itself is computed when it is asked for: at the end, or
    after every half-step with ``verify=True`` or a strategy that does not promise descent.
    """

    assigned = ("labels",)  # what assigners write

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
        self.sums_error, self.mass_error = np.zeros((k, d)), np.zeros(k)
        self.peak_mass, self.peak_sums = np.zeros(k), np.zeros((k, d))  # the largest since rows were last summed afresh
        self.kept = np.arange(k)  # the original index of each cluster
        self.repaired: list[tuple[int, int]] = []  # rows repaired since the latest plan, and their labels before
        self.hash = 0
        self.empty = k  # clusters without rows
        self.views: dict[tuple[str, ...], State] = {}  # the state as each role sees it
        self.trusted = False  # whether the assigner told which rows it moved

    def view(self, *writable: str) -> State:
        """The state as a strategy sees it: it can write the named arrays only."""
        if () not in self.views:
            self.views[()] = read_only_state(self.state)
        if writable not in self.views:
            own = {name: getattr(self.state, name) for name in writable}
            self.views[writable] = self.views[()]._replace(**own)
        return self.views[writable]

    def parameters(self) -> dict[str, np.ndarray]:
        """Copies of the parameters θ."""
        return {"centers": self.state.centers.copy()}

    def proposed(self, told: np.ndarray | None = None) -> tuple[np.ndarray | None, int]:
        """The rows whose label differs from the accepted one, (m,), or None for all; and the largest label.

        Only those told, in rising order, are looked at if any are; a label below 0 counts as 2**32 more.
        """
        labels = self.state.labels
        return changed(labels, self.accepted) if told is None else changed_among(told, labels, self.accepted)

    def take(self, told: Any, work: Work, row: Row, first: bool) -> Step:
        """Settle the labels that an assigner wrote, who may have told which rows it moved; it is known by its row."""
        if told is not None:
            told, self.trusted = self._checked_rows(told), True
        rows, largest = self.proposed(None if first else told)
        if largest >= self.problem.k:
            wrong = largest if largest < 2**31 else int(self.state.labels.min())
            raise RuleBroken(f"wrote label {wrong}; labels must be 0 to {self.problem.k - 1}")
        step = self.settle(rows, force=not row.monotone)
        if step.refused and row.exact:
            raise RuleBroken(f"is declared exact, but proposed {step.refused} labels that are not nearer")
        return step._replace(work=work)

    def _checked_rows(self, told: Any) -> np.ndarray:
        """The rows that the assigner says it moved, in rising order."""
        n = len(self.accepted)
        if not isinstance(told, np.ndarray) or told.ndim != 1 or told.dtype.kind not in "iu":
            kind = f"{told.dtype} array of shape {told.shape}" if isinstance(told, np.ndarray) else type(told).__name__
            raise RuleBroken(f"returned a {kind}; it must return nothing, or a 1-D integer array of rows it moved")
        rows: np.ndarray = np.sort(told)
        if len(rows) and not (rows[0] >= 0 and rows[-1] < n):
            raise RuleBroken(f"returned rows {rows[0]} to {rows[-1]}; rows are 0 to {n - 1}")
        if (twice := np.flatnonzero(rows[1:] == rows[:-1])).size:
            raise RuleBroken(f"returned row {rows[twice[0]]} twice; it must return each row it moved once")
        return rows.astype(row_dtype(n), copy=False)

    def close(self) -> None:
        """See whether the assigner told of all rows that it moved, if it told any."""
        if not self.trusted:
            return
        rows, _ = self.proposed()
        if rows is None or len(rows):
            untold = int(np.argmax(self.state.labels != self.accepted))
            raise RuleBroken(f"changed the label of row {untold}, and did not return it among the rows it moved")

    def unrest(self, way: float) -> float:
        """How much the latest iteration changed: the summed squared shift of the centers."""
        return way

    def settle(self, rows: np.ndarray | None = None, *, force: bool = False) -> Step:
        """Accept the labels proposed for rows that lower F (or leave it and lower the index), refuse the others."""
        step, worn = self._move(rows, force)
        if worn:
            state = self.state
            faint = np.abs(state.sums) < self.peak_sums * WORN
            self.peak_sums[faint] = 0.0  # once is enough
            lost = (state.mass < self.peak_mass * WORN) | (faint & ~self.lossless).any(axis=1)
            if lost.any():
                self.refresh((state.counts > 0) & lost)
        return step

    @functools.cached_property
    def lossless(self) -> np.ndarray:
        """Columns (d,) of which no sum can lose a digit, whatever rows come and go: integers, for example.

        Sums are multiples of the last digit of the least value. What rounding loses of one is at most a last digit of
        the largest possible sum for each row that comes or goes, and is exact itself while it fits into a float.
        """
        X, origin, n = self.problem.X, self.state.origin, len(self.problem.X)
        if (self.problem.sample_weight != 1).any():
            return np.zeros(len(origin), np.bool_)
        least, largest = np.full(len(origin), np.inf), np.zeros(len(origin))
        for start in range(0, n, ROWS_AT_ONCE):
            values = np.abs(X[start : start + ROWS_AT_ONCE] - origin)
            np.maximum(largest, values.max(axis=0), out=largest)
            np.minimum(least, np.where(values > 0, values, np.inf).min(axis=0), out=least)
        digits = np.finfo(X.dtype).nmant + 1
        return 2.0 * n * n * largest < least * 2.0 ** (2 * 53 - digits)

    def _move(self, rows: np.ndarray | None, force: bool) -> tuple[Step, bool]:
        """Settle rows whose label differs from the accepted one, or all; also whether a cluster is worn."""
        state = self.state
        many = len(state.labels) if rows is None else len(rows)
        if many == 0:
            return Step(0.0), False
        grid, moves = new_moves(many, *state.centers.shape)
        named, these = (_ALL, slice(None)) if rows is None else (rows, rows)
        before: np.ndarray | int = -1
        if self.empty < len(state.counts):
            before = self.accepted.copy() if rows is None else self.accepted[rows]
        try:
            self.objective.settle(grid, named, self.problem, state, self.accepted, force, moves)
        except BaseException:
            self.accepted[these] = before
            raise
        drop, moved, refused, change, empty, worn = absorb(
            moves, state.sums, self.sums_error, state.mass, self.mass_error, state.counts,
            self.peak_mass, self.peak_sums,
        )  # fmt: skip
        self.hash, self.empty = (self.hash + int(change)) % 2**64, int(empty)
        return Step(float(drop), 0.0, 0.0, int(moved), int(refused)), worn

    def refresh(self, clusters: np.ndarray | None = None) -> bool:
        """Sum the rows of the marked clusters (k,) afresh, or of all; whether that changed a digit of the sums."""
        state, hash_before = self.state, self.hash
        marked = np.ones(len(state.counts), np.bool_) if clusters is None else clusters
        before, proposed = (state.sums.copy(), state.mass.copy()), state.labels.copy()
        state.labels[:] = self.accepted  # what was never settled is no part of the sums
        rows = None if clusters is None else np.flatnonzero(marked[state.labels])
        self.accepted[slice(None) if rows is None else rows] = -1
        for statistic in (state.sums, self.sums_error, state.mass, self.mass_error, state.counts):
            statistic[marked] = 0
        with watched(None):  # until all rows are back in the sums
            self._move(rows, force=True)
        state.labels[:], self.hash = proposed, hash_before
        self.peak_mass[marked], self.peak_sums[marked] = state.mass[marked], np.abs(state.sums[marked])
        return not (np.array_equal(before[0], state.sums) and np.array_equal(before[1], state.mass))

    def plan(self, ask: Callable[[np.ndarray, np.ndarray], int | None], repairs: bool) -> list[tuple[int, int]]:
        """The repairs a handler asks for, as (row, empty cluster); none at a point that can't be repaired.

        ``ask(d, free)`` is called once per empty cluster. A handler that ``repairs`` is not asked if no row is free.
        """
        self.repaired = []
        if not self.empty:
            return []
        return ask_for_rows(self.objective, self.problem, self.state, self.state.counts.copy(), ask, repairs)

    def repair(self, plan: list[tuple[int, int]], _assign: Callable[[], Any], _row: Row) -> Step:
        """Move each planned row to its empty cluster, which becomes nonempty and centers on it; no one is asked."""
        self.repaired = [(row, int(self.state.labels[row])) for row, _ in plan]
        for row, cluster in plan:
            self.state.centers[cluster] = self.problem.X[row]
            self.state.labels[row] = cluster
        self.objective.project(self.state.centers)
        rows, _ = self.proposed()
        work = NO_WORK._replace(distances=len(self.problem.X) * (len(plan) + 1))
        return self.settle(rows)._replace(work=work)

    def updated(self, moved_from: dict[str, np.ndarray], value: float) -> Step:
        """How far F, about ``value``, fell when the centers moved from where they were."""
        errors = self.mass_error, self.sums_error
        return self.objective.measured_drop(self.problem, self.state, moved_from["centers"], errors, value)

    def rejoined(self, moved_from: dict[str, np.ndarray]) -> tuple[Step, np.ndarray]:
        """How far F fell when an updater moved centers and rows together; and the rows that it moved, (m,)."""
        before = self.objective.cluster_totals(self.problem, moved_from["centers"], self.accepted)
        rows, largest = self.proposed()
        if largest >= self.problem.k:
            raise RuleBroken(f"wrote a label that is none of 0 to {self.problem.k - 1}")
        with watched(None):  # labels and sums change together, or not at all
            moved = self.settle(rows, force=True).moved
        after = self.objective.cluster_totals(self.problem, self.state.centers, self.state.labels)
        magnitude = float(before[0].sum() + after[0].sum())
        drop = math.fsum((*before[0], *before[1], *-after[0], *-after[1]))
        return Step(drop, NOISE * magnitude, magnitude, moved), np.arange(len(self.accepted)) if rows is None else rows

    def take_back(self, parameters: dict[str, np.ndarray]) -> None:
        """Return to the accepted labels as they were with these parameters, before any repair made since.

        Sums and masses are not kept up: nothing but F, from scratch, may be asked for afterwards.
        """
        state = self.state
        state.centers[:] = parameters["centers"]
        state.labels[:] = self.accepted
        for row, label in self.repaired:
            state.labels[row] = label
        self.accepted[:] = state.labels
        state.counts[:] = np.bincount(state.labels, minlength=len(state.counts))

    def compress(self) -> bool:
        """Drop the empty clusters and renumber the others in order; F and the partition stay as they are."""
        if not self.empty:
            return False
        live = self.state.counts > 0
        state = self.state
        labels = (np.cumsum(live, dtype=np.int32) - np.int32(1))[state.labels]
        kept = {name: getattr(state, name)[live] for name in ("centers", "counts", "mass", "sums", "shift")}
        self.state, self.views = state._replace(labels=labels, **kept), {}
        self.problem = self.problem._replace(k=int(live.sum()))
        self.sums_error, self.mass_error = self.sums_error[live], self.mass_error[live]
        self.peak_mass, self.peak_sums, self.kept = self.peak_mass[live], self.peak_sums[live], self.kept[live]
        self.accepted, self.empty = labels.copy(), 0
        return True

    def cluster_values(self) -> tuple[np.ndarray, float]:
        """F of each cluster (k,) and F, from scratch, in float64 with compensated sums."""
        totals, errors = self.objective.cluster_totals(self.problem, self.state.centers, self.state.labels)
        return totals + errors, math.fsum((*totals, *errors))

    def value(self) -> float:
        """F from scratch."""
        return self.cluster_values()[1]

    now = value  # F as exact as need be during a fit

    def label(self, X: np.ndarray) -> np.ndarray:
        """The labels of other rows X (n, d)."""
        return self.objective.nearest(X, self.state.centers)

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


def ask_for_rows(
    objective: SquaredEuclidean, problem: Problem, state: Any, counts: np.ndarray,
    ask: Callable[[np.ndarray, np.ndarray], int | None], repairs: bool,
) -> list[tuple[int, int]]:  # fmt: skip
    """The repairs a handler asks for, as (row, empty cluster); counts (k,) are of the rows by label, and change.

    ``ask(d, free)`` is called once per empty cluster. A handler that ``repairs`` is not asked if no row is free.
    """
    X = problem.X
    d = objective.distances(X, state.centers, state.labels)
    d[d <= objective.floor(X, state.centers, state.labels)] = 0.0
    plan: list[tuple[int, int]] = []
    for cluster in map(int, np.flatnonzero(state.counts == 0)):
        free = (d > 0) & (counts[state.labels] > 1)
        if repairs and not free.any():
            break
        row = ask(read_only(d), read_only(free))
        if row is None:
            continue
        plan.append((row, cluster))
        counts[state.labels[row]] -= 1
        point = X[row : row + 1].astype(np.float64)
        objective.project(point)
        to_row = objective.distances(X, point, 0)
        to_row[to_row <= objective.floor(X, point, 0)] = 0.0
        np.minimum(d, to_row, out=d)
    return plan
