"""Divergences other than squared distances, each with its domain, its canonical decision and its account of F."""

import difflib
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kmtoolkit.kernels.arithmetic import EPS, NOISE
from kmtoolkit.kernels.directions import directions
from kmtoolkit.kernels.lift import Lifted, totals
from kmtoolkit.objectives import OBJECTIVES, SquaredEuclidean, Step
from kmtoolkit.problem import Door, Problem, State, read_only

__all__ = ["Cosine", "Divergence", "Domain", "LiftedDivergence", "known_objective", "unit_rows"]

BLOCK_NUMBERS = 1 << 20  # entries of X that are looked at together
INTERIOR = 2.0**-40  # how near centers come to an end of the domain, in proportion to the column's values
SIMPLEX_SLACK = 1e-5  # what the sum of a row may differ from 1


@dataclass(frozen=True)
class Domain:
    """The interval that the entries of rows are in, and where a divergence stays finite.

    Parameters
    ----------
    low, high : float
        Its ends.
    open : bool
        Whether entries must lie between the ends, not at them.
    simplex : bool
        Whether the entries of a row must add up to 1.
    """

    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    simplex: bool = False

    def check(self, X: np.ndarray, name: str, divergence: str) -> None:
        """Refuse entries of X (n, d) outside; raises ValueError that names the first."""
        for start in range(0, len(X), many := 1 + BLOCK_NUMBERS // X.shape[1]):
            block = X[start : start + many]
            inside = (
                (block > self.low) & (block < self.high) if self.open else (block >= self.low) & (block <= self.high)
            )
            if not inside.all():
                i, f = map(int, np.argwhere(~inside)[0])
                raise ValueError(f"{name} has {float(block[i, f])!r} at row {start + i}, column {f}; entries must be "
                                 f"{self} for {divergence!r}")  # fmt: skip
            sums = block.sum(axis=1, dtype=np.float64) if self.simplex else np.ones(1)
            if not np.abs(sums - 1).max() <= SIMPLEX_SLACK:
                i = int(np.argmax(np.abs(sums - 1)))
                raise ValueError(f"{name} has a row of sum {float(sums[i])!r}, row {start + i}; rows must add up to 1 "
                                 f"for {divergence!r}: divide them by their sums, or use 'generalized-i'")  # fmt: skip

    def interior(self, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest admissible values of centers (d,), for rows within box (2, d).

        Away from the ends, where divergences are infinite, by a small part of the way to the column's values. Every
        mean of rows is inside, or next to it; the mean cut off at the ends is the best center among those inside,
        because a Bregman divergence rises with the way from the mean, to both sides.
        """
        low, high = box.astype(np.float64)
        near, far = (low, high) if self.open else (high, low)
        return self._away(self.low, near - self.low), -self._away(-self.high, self.high - far)

    @staticmethod
    def _away(end: float, way: np.ndarray) -> np.ndarray:
        """A little more than a finite end, in proportion to the way (d,) from it."""
        if not math.isfinite(end):
            return np.full(len(way), end)
        typical = float(way.max()) or 1.0
        return end + INTERIOR * np.where(way > 0, way, typical)

    def __str__(self) -> str:
        if (self.low, self.high) == (0, math.inf):
            return "above 0" if self.open else "at least 0"
        return f"{'between' if self.open else 'from'} {self.low:g} {'and' if self.open else 'to'} {self.high:g}"


class Divergence(SquaredEuclidean):
    """F = Σ w D(x, μ_label) of a divergence that a subclass measures by ``nearest`` and ``measure``.

    How far F falls is measured over the rows, by the same function that decides labels.
    """

    name = ""
    bregman = False

    def nearest(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Index of the nearest center, the lowest among equals, (n,) int32."""
        raise NotImplementedError

    def measure(self, X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        """Divergences (n,) of the rows from centers[labels]; one label serves all rows."""
        raise NotImplementedError

    def oracle(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """What ``nearest`` must return, by ``measure`` over all centers and nothing else."""
        labels, least = np.zeros(len(X), np.int32), self.measure(X, centers, 0)
        for j in range(1, len(centers)):
            distances = self.measure(X, centers, j)
            nearer = distances < least
            labels[nearer], least[nearer] = j, distances[nearer]
        return labels

    def distances(self, X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        """Divergences (n,) of the rows from centers[labels]; ValueError if one is negative or not finite."""
        distances = self.measure(X, centers, labels)
        if not (distances.min() >= 0 and distances.max() < math.inf):
            i = int(np.argmax(~((distances >= 0) & (distances < math.inf))))
            center = centers[labels if isinstance(labels, int) else labels[i]]
            raise ValueError(f"divergence {self.name!r} is {distances[i]!s} from row {_spell(X[i])} to the center "
                             f"{_spell(center)}; it must be finite and at least 0: declare its domain, or scale X"
                             )  # fmt: skip
        return distances

    def transform(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Divergences (n, k) of the rows from the centers."""
        return np.column_stack([self.measure(X, centers, j) for j in range(len(centers))])

    def floor(self, X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        """Divergences (n,) that rounding alone can make between a row and centers[labels].

        Those from centers that are a few roundings away from the row, to either side, and admissible.
        """
        floor, own = np.empty(len(X)), np.full(len(X), labels) if isinstance(labels, int) else labels
        for start in range(0, len(X), many := 1 + BLOCK_NUMBERS // X.shape[1]):
            block = X[start : start + many].astype(np.float64)
            step = 4 * EPS * (np.abs(block) + np.abs(centers[own[start : start + many]]))
            sides = block - step, block + step
            for side in sides:
                self.project(side)
            rows = np.arange(len(block), dtype=np.int32)
            floor[start : start + many] = np.maximum(*(self.measure(X[start : start + many], s, rows) for s in sides))
        return floor

    def given_distances(self, rows: np.ndarray, problem: Problem, state: State, accepted: np.ndarray) -> np.ndarray:
        """The divergences of the rows, or of all if none are named, from their new and old centers, (2, m)."""
        X, new, old = problem.X, state.labels, accepted
        if len(rows):
            X, new, old = read_only(X[rows]), new[rows], old[rows]
        given = np.zeros((2, len(X)))
        given[0] = self.distances(X, state.centers, new)
        if old.max() >= 0:
            given[1] = self.measure(X, state.centers, np.maximum(old, 0))
        return given

    def measured_drop(
        self, problem: Problem, state: State, before: np.ndarray, errors: tuple[np.ndarray, np.ndarray], value: float
    ) -> Step:
        """How far F fell when the centers moved from ``before``, measured over the rows.

        A right updater may sum the rows of a cluster in any order, in float64. So its centers may be off by as many
        roundings as there are rows, of numbers of their own size; before an updater is accused, of the size of the
        largest row.
        """
        old, new = (self.cluster_totals(problem, centers, state.labels) for centers in (before, state.centers))
        magnitude = float(old[0].sum() + new[0].sum())
        drop = math.fsum((*old[0], *old[1], *-new[0], *-new[1]))
        size = np.abs(before) + np.abs(state.centers)
        noise = NOISE * magnitude + self._wobble(state, size)
        if not drop >= -noise:
            for j in map(int, np.flatnonzero(state.counts)):
                size[j] += np.abs(problem.X[state.labels == j]).max(axis=0)
            noise = NOISE * magnitude + self._wobble(state, size)
        return Step(drop, noise, magnitude)

    def _wobble(self, state: State, size: np.ndarray) -> float:
        """How far F may rise because centers are rounded, if numbers of a size (k, d) are summed for them."""
        rounding = (NOISE + state.counts * EPS)[:, np.newaxis] * size
        return sum(float(state.mass @ self._between_pairs(state.centers, way)) for way in (rounding, -rounding))

    def _between_pairs(self, centers: np.ndarray, way: np.ndarray) -> np.ndarray:
        """Divergences (k,) of centers from themselves, moved by a way (k, d) as far as they may be."""
        moved = centers + way
        self.project(moved)
        return self.measure(read_only(centers), moved, np.arange(len(centers), dtype=np.int32))

    def cluster_totals(self, problem: Problem, centers: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """F of each cluster, (2, k): totals, and what rounding lost of them."""
        return totals(self.distances(problem.X, centers, labels), problem.sample_weight, labels, len(centers))


class LiftedDivergence(Divergence):
    """A divergence that is a sum over coordinates, or a function of one, from a scalar function of x and c.

    Parameters
    ----------
    name : str
        What it is called.
    kernels : Lifted
        What ``kernels.lift.lift`` made of the scalar function.
    domain : Domain
        Where entries must be.
    bregman : bool
        Whether the mean of a cluster is the center that lowers F most.
    """

    def __init__(self, name: str, kernels: Lifted, domain: Domain, bregman: bool) -> None:
        self.name, self.kernels, self.domain, self.bregman = name, kernels, domain, bregman
        self.low: Any = -math.inf
        self.high: Any = math.inf

    def __reduce__(self) -> tuple[Any, ...]:
        return known_objective, (self.name,)

    def enter(self, door: Door) -> tuple["LiftedDivergence", Door]:
        """The divergence with the interior of its domain, for rows that are in it."""
        self.domain.check(door.X, "X", self.name)
        entered = LiftedDivergence(self.name, self.kernels, self.domain, self.bregman)
        entered.low, entered.high = self.domain.interior(door.box)
        return entered, door

    def rows(self, X: np.ndarray) -> np.ndarray:
        """The rows X (n, d) themselves, in the domain."""
        self.domain.check(X, "X", self.name)
        return X

    def check_centers(self, centers: np.ndarray) -> None:
        """Refuse centers (k, d) outside the domain; those at its ends are moved inside by ``project``."""
        replace(self.domain, simplex=False).check(centers, "init_centers", self.name)

    def project(self, centers: np.ndarray) -> None:
        """Cut centers (k, d) off at the ends of the interior, in place."""
        np.clip(centers, self.low, self.high, out=centers)

    def nearest(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Index of the nearest center, the lowest among equals, (n,) int32."""
        labels = np.empty(len(X), np.int32)
        self.kernels.nearest(X, centers, labels)
        return labels

    def measure(self, X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        """Divergences (n,) of the rows from centers[labels]; one label serves all rows."""
        return self.kernels.distances_to(X, centers, labels)

    def between(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Divergences (k, n) of the rows from the centers."""
        return self.kernels.between(X, centers)


class Cosine(SquaredEuclidean):
    """F = Σ w (1 - ⟨x, μ_label⟩ / ‖x‖) with ‖μ‖ = 1, which is half of Σ w‖x / ‖x‖ - μ_label‖².

    So rows are divided by their lengths once, and all that is known of squared distances applies.
    """

    name = "cosine"
    bregman = False

    def enter(self, door: Door) -> tuple["Cosine", Door]:
        """The problem of the rows divided by their lengths, in float64."""
        X = self.rows(door.X)
        present = X if door.present is None else read_only(X[door.present])
        box = np.array((present.min(axis=0), present.max(axis=0)))
        return self, door._replace(X=X, problem=door.problem._replace(X=present), box=box)

    def rows(self, X: np.ndarray) -> np.ndarray:
        """Rows of X (n, d) divided by their lengths, float64; ValueError if one has none."""
        return read_only(unit_rows(X, "X"))

    def check_centers(self, centers: np.ndarray) -> None:
        """Refuse centers (k, d) that are 0."""
        unit_rows(centers, "init_centers")

    def project(self, centers: np.ndarray) -> None:
        """Divide centers (k, d) by their lengths, in place; one that is 0 becomes the direction of the first column."""
        centers[~centers.any(axis=1), 0] = 1.0
        centers[:] = unit_rows(centers, "centers")

    def origin(self, box: np.ndarray) -> np.ndarray:
        """0, because directions are seen from there, (d,)."""
        return np.zeros(box.shape[1])

    def distances(self, X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        """1 - cosine (n,) of rows of length 1 and centers[labels]."""
        return super().distances(X, centers, labels) / 2

    def transform(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """1 - cosine (n, k) of rows of length 1 and the centers."""
        return super().transform(X, centers) ** 2

    def floor(self, X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        """1 - cosine (n,) that rounding alone can make between a row and centers[labels]."""
        return np.full(len(X), 32 * EPS**2)

    def settle(
        self, grid: Any, rows: Any, problem: Problem, state: State, accepted: Any, force: Any, moves: Any
    ) -> None:
        """Accept or refuse the labels of ``rows``; the drops are halved, as F is."""
        super().settle(grid, rows, problem, state, accepted, force, moves)
        for drops in (moves.drop, moves.drop_error):
            drops *= 0.5

    def updated(self, state: Any, before: np.ndarray, errors: tuple, reach: np.ndarray, value: float) -> Step:
        """How far F fell when the centers moved from ``before``.

        A center's length may be off by a rounding, which changes F in the first order: it is no free minimum.
        """
        step = super().updated(state, before, errors, reach, 2 * value)
        return Step(step.drop / 2, step.noise / 2 + NOISE * value, step.terms / 2 + value)

    def cluster_totals(self, problem: Problem, centers: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """F of each cluster, (2, k): totals, and what rounding lost of them."""
        return super().cluster_totals(problem, centers, labels) / 2


def unit_rows(X: np.ndarray, name: str) -> np.ndarray:
    """Rows of X (n, d) divided by their lengths, float64; those of length 1 but for rounding stay as they are."""
    unit, zero = directions(read_only(X))
    if zero >= 0:
        raise ValueError(f"{name} has a row of zeros, row {zero}; it has no direction for 'cosine': drop such rows")
    return unit


def _spell(values: np.ndarray) -> str:
    shown = ", ".join(f"{value:.6g}" for value in values[:6])
    return f"({shown}{', ...' if len(values) > 6 else ''})"


def known_objective(name: str) -> SquaredEuclidean:
    """The objective of a name; ValueError if there is none, as in a process that has not imported its module."""
    if name not in OBJECTIVES:
        near = difflib.get_close_matches(name, OBJECTIVES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "import the module that declares it"
        raise ValueError(f"unknown objective {name!r}; {hint}")
    return OBJECTIVES[name]
