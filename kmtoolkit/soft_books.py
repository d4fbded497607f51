"""The books of a soft objective: what an assignment measured, and how far each half-step lowered F.

An assignment measures F from scratch, so the account begins anew with each. An update is accounted for by its closed
form. A cluster is empty when it has no mass, because every share of it was too small for a float.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kmtoolkit.books import ask_for_rows
from kmtoolkit.errors import DescentError, RuleBroken
from kmtoolkit.kernels.arithmetic import EPS
from kmtoolkit.kernels.changes import changed
from kmtoolkit.kernels.grid import watched
from kmtoolkit.kernels.statistics import shifts
from kmtoolkit.objectives import Step
from kmtoolkit.problem import Problem, Work, read_only, read_only_state
from kmtoolkit.registry import Row
from kmtoolkit.soft import SoftKMeans, SoftObjective

__all__ = ["SoftBooks"]

KICK = 0.01  # of the deviation of a cluster's rows, that centers lying together are moved by
KICKING_ROWS = 1000  # that tell the way, at most
SLACK = 8  # times its own rounding that F may differ from what is recomputed in another way
FAINT = 2.0**-900  # share of the mass below which a cluster has none: sums lose digits near the least float
ACCOUNT = ("measured", "live", "noise", "pending", "terms", "shared", "sharer", "empty", "fall")


class SoftBooks:
    """Keeps the statistics of the latest assignment, and the account of F."""

    hash = 0  # of labels, which do not tell when a soft fit has come to its end

    def __init__(self, problem: Problem, objective: SoftObjective, state: Any) -> None:
        k = problem.k
        self.problem, self.objective, self.state = problem, objective, state
        self.assigned = ("labels", *objective.statistics)  # what assigners write
        self.kept = np.arange(k)  # the original index of each cluster
        self.empty = k  # clusters without mass
        self.accepted = self.state.labels.copy()
        self.measured, self.noise, self.terms = 0.0, 0.0, 0.0  # F at the latest assignment, its rounding and its terms
        self.live = 0.0  # F after the latest half-step
        self.pending = 0.0  # what rounding may have risen it since
        self.began = 0.0  # F at the assignment that the iteration began from
        self.fall = 0.0  # how far F has fallen since then
        self.shared = self.parameters()  # those that the shares are of
        self.sharer = objective  # and the objective that they are best for
        self.refused = False  # whether a repair came to nothing
        self.before_repair: dict[str, Any] = {}  # what the latest repair, if it is of this iteration, has changed
        self.views: dict[tuple[str, ...], Any] = {}

    def view(self, *writable: str) -> Any:
        """The state as a strategy sees it: it can write the named arrays only."""
        if writable not in self.views:
            own = {name: getattr(self.state, name) for name in writable}
            self.views[writable] = read_only_state(self.state)._replace(**own)
        return self.views[writable]

    def parameters(self) -> dict[str, np.ndarray]:
        """Copies of the parameters θ."""
        return {name: getattr(self.state, name).copy() for name in self.objective.parameters}

    def take(self, told: Any, work: Work, row: Row, first: bool) -> Step:
        """Take what an assigner told, (F, noise), and wrote; how far F fell."""
        value, noise = self._checked(told)
        with watched(None):  # the statistics are new already
            rows, largest = changed(self.state.labels, self.accepted)
        if largest >= self.problem.k:
            wrong = largest if largest < 2**31 else int(self.state.labels.min())
            raise RuleBroken(f"wrote label {wrong}; labels must be 0 to {self.problem.k - 1}")
        self.accepted[:] = self.state.labels
        faint = self.state.mass < FAINT * self.state.mass.sum()
        for name in self.objective.statistics:
            getattr(self.state, name)[faint] = 0.0
        self.state.counts[:] = self.state.mass > 0
        self.empty = int((self.state.counts == 0).sum())
        step = Step(self.live - value, self.noise + self.pending + noise, abs(value) + noise / EPS,
                    len(self.accepted) if rows is None else len(rows), work=work)  # fmt: skip
        self.fall = math.inf if first else self.began - value
        self.measured = self.live = value
        self.noise, self.pending, self.terms, self.shared = noise, 0.0, step.terms, self.parameters()
        self.sharer = self.objective
        return step

    def _checked(self, told: Any) -> tuple[float, float]:
        """F and its rounding, if that is what was told, and the statistics could be some."""
        if not (isinstance(told, tuple) and len(told) == 2 and all(isinstance(v, (float, np.floating)) for v in told)):
            raise RuleBroken(f"returned {told!r}; it must return two floats, F and how far it may be off by rounding")
        value, noise = map(float, told)
        if not (math.isfinite(value) and math.isfinite(noise) and noise >= 0):
            raise RuleBroken(f"returned {told!r}; F and its rounding must be finite, and the latter not negative")
        for name in self.objective.statistics:
            array = getattr(self.state, name)
            if not np.isfinite(array).all():
                raise RuleBroken(f"wrote {name} that are not finite")
        if (self.state.mass < 0).any():
            raise RuleBroken(f"wrote the mass {self.state.mass.min()}; masses must not be negative")
        if not self.state.mass.any():
            raise RuleBroken("wrote no mass at all; masses must add up to the weight of the rows")
        return value, noise

    def updated(self, before: dict[str, np.ndarray], value: float) -> Step:
        """How far F fell when the parameters moved from ``before``."""
        weights = self.state.weights
        right = np.isfinite(weights).all() and (weights >= 0).all() and abs(weights.sum() - 1) <= 1e-9
        if not (right or np.array_equal(weights, before["weights"])):  # without dropped clusters they may sum to less
            raise RuleBroken(f"wrote the weights {weights}; they must not be negative, and their sum must be 1")
        state = self.state
        self.objective.derive(self.problem, state, before, self.shared)
        step = self.objective.fell(state, before, self.measured)
        if step.drop == -math.inf:
            raise RuleBroken("gave the weight 0 to a cluster that has mass")
        if math.isnan(step.drop):
            raise RuleBroken("wrote parameters for which F is not finite")
        self.live -= step.drop
        self.pending += step.noise
        return step

    def plan(self, ask: Callable[[np.ndarray, np.ndarray], int | None], repairs: bool) -> list[tuple[int, int]]:
        """The repairs a handler asks for, as (row, empty cluster); none after one that came to nothing."""
        self.before_repair, self.began = {}, self.measured
        if not self.empty or self.refused:
            return []
        counts = np.bincount(self.state.labels, minlength=self.problem.k)
        return ask_for_rows(self.objective, self.problem, self.state, counts, ask, repairs)

    def repair(self, plan: list[tuple[int, int]], assign: Callable[[], tuple[Any, Work]], row: Row) -> Step:
        """Put empty clusters on rows, with the weight of these, and let rows be shared anew; undone unless F falls."""
        state, total = self.state, float(self.problem.sample_weight.sum())
        self.remember()
        for at, cluster in plan:
            state.centers[cluster] = self.problem.X[at]
            if state.weights[cluster] == 0:
                share = float(self.problem.sample_weight[at]) / total
                state.weights[:] *= 1 - share
                state.weights[cluster] = share
        step = self.tried(assign, row, len(plan))
        self.refused = step.refused > 0
        return step

    def together(self) -> list[np.ndarray]:
        """Groups of clusters, marked (k,), whose centers lie together."""
        state, groups = self.state, []
        reach = 2 * KICK * np.sqrt(state.spread / np.maximum(state.mass, np.finfo(float).tiny))
        left = state.mass > 0
        for j in range(len(left)):
            near = left & (np.sqrt(np.square(state.centers - state.centers[j]).sum(axis=1)) <= reach[j])
            if left[j] and near.sum() > 1:
                groups.append(near)
                left &= ~near
        return groups

    def kick(
        self, group: np.ndarray, rng: np.random.Generator, assign: Callable[[], tuple[Any, Work]], row: Row
    ) -> Step:
        """Move the centers of a group a little apart, and let rows be shared anew; undone unless F falls.

        Where centers coincide no update tells them apart, even if F would be less with them apart. F falls most along
        the longest axis of their rows, which two power iterations from a random mixture of rows lead to.
        """
        state, mass = self.state, self.state.mass[group]
        rows = np.flatnonzero(group[state.labels])
        if not len(rows):  # all of theirs have a larger share elsewhere
            rows = np.arange(len(state.labels))
        rows = rng.choice(rows, min(len(rows), KICKING_ROWS), replace=False)
        middle = mass @ state.centers[group] / mass.sum()
        z = self.problem.X[rows].astype(np.float64) - middle
        z /= np.abs(z).max() or 1.0
        way = rng.standard_normal(len(rows)) @ z
        for _ in range(2):
            way = (z @ (way / (np.linalg.norm(way) or 1.0))) @ z
        way *= KICK * math.sqrt(state.spread[group].sum() / mass.sum()) / (np.linalg.norm(way) or 1.0)
        steps = rng.standard_normal(len(mass))
        self.remember()
        state.centers[group] += np.outer(steps - mass @ steps / mass.sum(), way)  # their mean stays where it is
        return self.tried(assign, row, len(mass))

    def remember(self) -> None:
        """Keep what a trial may change."""
        self.before_repair = {name: getattr(self, name) for name in ACCOUNT}
        names = *self.objective.parameters, *self.assigned
        self.before_repair |= {name: getattr(self.state, name).copy() for name in names}

    def tried(self, assign: Callable[[], tuple[Any, Work]], row: Row, many: int) -> Step:
        """Assign after ``many`` centers were moved on trial; they are moved back unless F falls beyond rounding."""
        shifts(self.shared["centers"], self.state.centers, self.state.shift)
        step = self.take(*assign(), row, first=False)
        if step.drop > step.noise:
            return step
        self.undo_repair()
        return Step(0.0, refused=many, work=step.work)

    def stiffen(self, objective: SoftKMeans) -> Step:
        """Go over to the objective for the same shares with a larger β; how far F fell."""
        assert isinstance(self.objective, SoftKMeans)
        step = self.objective.stiffened(objective, self)
        self.objective, self.live = objective, self.live - step.drop
        self.pending += step.noise
        return step

    def undo_repair(self) -> None:
        """Return to where the latest repair began."""
        for name, value in self.before_repair.items():
            if name in ACCOUNT:
                setattr(self, name, value)
            else:
                getattr(self.state, name)[...] = value
        self.accepted[:] = self.state.labels
        self.state.counts[:] = self.state.mass > 0

    def compress(self) -> bool:
        """Drop the clusters without mass and renumber the others in order; F stays as it is."""
        if not self.empty:
            return False
        live, state = self.state.counts > 0, self.state
        labels = (np.cumsum(live, dtype=np.int32) - np.int32(1))[state.labels]
        orphans = np.flatnonzero(~live[state.labels])  # so light that their cluster has no mass to speak of
        of_clusters = (name for name in state._fields if name not in ("labels", "origin", "floor"))
        kept = {name: array[live] for name in of_clusters if len(array := getattr(state, name)) == len(live)}
        self.state = state._replace(labels=labels, **kept)
        self.views = {}
        self.problem = self.problem._replace(k=int(live.sum()))
        if len(orphans):
            labels[orphans] = self.label(read_only(self.problem.X[orphans]))
        self.kept, self.accepted, self.empty = self.kept[live], labels.copy(), 0
        self.shared = {name: array[live] if name in kept else array for name, array in self.shared.items()}
        return True

    def take_back(self, parameters: dict[str, np.ndarray]) -> None:
        """Return to the parameters and labels of the latest assignment, and to F then; sums are not kept up."""
        self.state.labels[:] = self.accepted
        if self.before_repair:
            self.undo_repair()
        for name, array in parameters.items():
            getattr(self.state, name)[:] = array

    def unrest(self, way: float) -> float:
        """How far F fell in the latest iteration, in the objective's unit."""
        if self.fall <= 0:
            return 0.0
        unit = self.objective.unit(self.measured, self.problem)
        return self.fall / unit if unit else math.inf

    def refresh(self) -> bool:
        """Sums are always fresh."""
        return False

    def close(self) -> None:
        """There is nothing to look for at the end."""

    def cluster_values(self) -> tuple[np.ndarray, float]:
        """Σ shares · squared distance of each cluster (k,), and F, both as the latest assignment measured them."""
        return self.state.spread.copy(), self.measured

    def label(self, X: np.ndarray) -> np.ndarray:
        """The labels of other rows X (n, d)."""
        return self.objective.of_largest_share(X, self.parameters())

    def not_nearest(self) -> np.ndarray:
        """No rows: each has some of all clusters."""
        return np.empty(0, np.int64)

    def value(self) -> float:
        """F from scratch, in another way than assignments measure it."""
        return math.fsum(self.objective.value(self.problem, self.shared, self.state, self.sharer))

    def now(self) -> float:
        """F as the latest assignment measured it, less what updates lowered it since."""
        return self.live

    def check(self, step: Step, before: float, who: str) -> float:
        """Recompute F and compare its fall from ``before`` with the step; returns F."""
        after = self.value()
        slack = SLACK * (step.noise + self.noise + EPS * self.terms)
        if not abs(before - after - step.drop) <= slack:
            raise DescentError(
                f"{who}: the objective fell by {before - after:.17g}, but the books have {step.drop:.17g}; "
                f"rounding explains at most {slack:.3g}"
            )
        return after
