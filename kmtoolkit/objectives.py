"""What is minimized: the divergence, its canonical decision, and how far an update lowers F.

An objective knows its kernels and the rounding of its numbers; the books (``books.py``) ask it.
"""

import contextlib
from typing import Any, NamedTuple

import numpy as np

from kmtoolkit.kernels import squared
from kmtoolkit.kernels.arithmetic import EPS
from kmtoolkit.kernels.closest import closest
from kmtoolkit.kernels.grid import Grid
from kmtoolkit.kernels.jit import plain_python
from kmtoolkit.kernels.statistics import Moves, column_variances
from kmtoolkit.problem import Door, Problem, State, Work

__all__ = ["NO_WORK", "OBJECTIVES", "SquaredEuclidean", "Step"]


_AS_IT_IS = contextlib.nullcontext()
_NOT_GIVEN = np.empty((2, 0))

NO_WORK = Work(0, 0, 0)


class Step(NamedTuple):
    """What a half-step did to F."""

    drop: float  # how far F fell
    noise: float = 0.0  # how far F may have risen because a right strategy rounds
    terms: float = 0.0  # the magnitude of the terms that the drop was added up from, beyond F itself
    moved: int = 0  # rows that changed cluster
    refused: int = 0  # rows whose proposed cluster was not nearer
    work: Work = NO_WORK  # what it took


class SquaredEuclidean:
    """F = Σ w‖x - μ_label‖², the objective of k-means."""

    name = "squared-euclidean"
    bregman = True  # whether the mean of a cluster is the center that lowers F most

    def of_assigner(self, assigner: Any) -> "SquaredEuclidean":
        """The objective with the hyper-parameters of an assigner, if there are any."""
        return self

    def enter(self, door: Door) -> tuple["SquaredEuclidean", Door]:
        """The objective fitted to what was handed in, and that as the objective sees it; ValueError if it can't."""
        return self, door

    def rows(self, X: np.ndarray) -> np.ndarray:
        """Rows of X (n, d) as the objective sees them; ValueError if they are not in its domain."""
        return X

    def check_centers(self, centers: np.ndarray) -> None:
        """Refuse centers (k, d) given to start from that are not in the domain; raises ValueError."""

    def project(self, centers: np.ndarray) -> None:
        """Move centers (k, d) to where the objective admits them, in place."""

    def origin(self, box: np.ndarray) -> np.ndarray:
        """The point that sums are taken about, (d,), for rows within ``box`` (2, d).

        0, or the value of a column nearest to 0 if no value is more than twice as large: then x - origin is exact
        (Sterbenz, Floating-Point Computation, 1974, theorem 4.3.1), and a common offset does not enter the sums.
        """
        low, high = box.astype(np.float64)
        above, below = (low > 0) & (high <= 2 * low), (high < 0) & (low >= 2 * high)
        return np.where(above, low, np.where(below, high, 0.0))

    def scale(self, problem: Problem, box: np.ndarray) -> float:
        """What ``tol`` is relative to: the weighted variance of the columns, their mean."""
        middle = (box[0] / 2 + box[1] / 2).astype(np.float64)
        return float(column_variances(problem.X, problem.sample_weight, middle).mean())

    def nearest(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Index of the nearest center, the lowest among equals, (n,) int32."""
        labels = np.empty(len(X), np.int32)
        closest(X, centers, labels)
        return labels

    def oracle(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """What ``nearest`` must return, by the canonical function over all centers and nothing else."""
        labels = np.empty(len(X), np.int32)
        squared.nearest(X, centers, labels)
        return labels

    def distances(self, X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        """Divergences (n,) of the rows to centers[labels]; one label serves all rows."""
        return squared.distances_to(X, centers, labels)

    def between(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Divergences (k, n) of the rows from the centers."""
        out = np.empty((len(centers), len(X)))
        for j in range(len(centers)):
            out[j] = self.distances(X, centers, j)
        return out

    def transform(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Distances (n, k), in the units of X, from the rows to the centers."""
        return np.sqrt(np.column_stack([self.distances(X, centers, j) for j in range(len(centers))]))

    def floor(self, X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        """Divergences (n,) that rounding alone can make between a row and centers[labels]."""
        row_norms = np.sqrt(self.distances(X, np.zeros((1, X.shape[1])), 0))
        return (4 * EPS * (row_norms + np.sqrt(np.einsum("jf,jf->j", centers, centers))[labels])) ** 2

    def settle(self, grid: Grid, rows: np.ndarray, problem: Problem, state: State,
               accepted: np.ndarray, force: bool, moves: Moves) -> None:  # fmt: skip
        """Accept or refuse the labels of ``rows``; see ``kernels.squared.settle``."""
        with np.errstate(over="ignore") if plain_python else _AS_IT_IS:  # the hash wraps around by design
            squared.settle(
                grid, rows, problem, state, accepted, force, self.given_distances(rows, problem, state, accepted), moves
            )

    def given_distances(self, rows: np.ndarray, problem: Problem, state: State, accepted: np.ndarray) -> np.ndarray:
        """The divergences that ``settle`` goes by, (2, m), unless they are squared distances."""
        return _NOT_GIVEN

    def measured_drop(
        self, problem: Problem, state: State, before: np.ndarray, errors: tuple[np.ndarray, np.ndarray], value: float
    ) -> Step:
        """How far F, about ``value``, fell when the centers moved from ``before``; ``errors`` as in ``updated``.

        The noise takes the rows to lie within sqrt(value / mass) of their center, as they do on the average. Before
        an updater is accused, it gets the benefit of the row that is farthest.
        """
        step = self.updated(state, before, errors, np.zeros(len(before)), value)
        if step.drop >= -step.noise:
            return step
        reach = np.zeros(len(before))
        np.maximum.at(reach, state.labels, np.sqrt(squared.distances_to(problem.X, before, state.labels)))
        return self.updated(state, before, errors, reach, value)

    def updated(self, state: Any, before: np.ndarray, errors: tuple, reach: np.ndarray, value: float) -> Step:
        """How far F fell when the centers moved from ``before``, for any centers; see ``kernels.squared.update_drop``.

        ``errors`` are what rounding lost of masses (k,) and sums (k, d).
        """
        (mass_error, sums_error), out = errors, np.empty(3)
        squared.update_drop(
            before, state.centers, state.counts, state.mass, mass_error, state.sums, sums_error, state.origin,
            reach, value, out,
        )  # fmt: skip
        drop, noise, terms = out.tolist()
        return Step(drop, noise, terms)

    def cluster_totals(self, problem: Problem, centers: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """F of each cluster, (2, k): totals, and what rounding lost of them."""
        return squared.cluster_totals(problem.X, problem.sample_weight, centers, labels)


OBJECTIVES: dict[str, SquaredEuclidean] = {o.name: o for o in (SquaredEuclidean(),)}
