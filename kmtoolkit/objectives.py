"""What is minimized: the divergence, its canonical decision, and how far an update lowers F.

An objective knows its kernels and the rounding of its numbers; the books (``books.py``) ask it.
"""

import math
from typing import NamedTuple

import numpy as np

from kmtoolkit.kernels import squared
from kmtoolkit.kernels.statistics import Moves, column_moment
from kmtoolkit.problem import Problem, State

__all__ = ["OBJECTIVES", "SquaredEuclidean", "Step"]

EPS = float(np.finfo(np.float64).eps)
NOISE = 16 * EPS  # rounding allowed for, relative to the magnitude of the terms


class Step(NamedTuple):
    """What a half-step did to F."""

    drop: float  # how far F fell
    noise: float = 0.0  # how much of that number may be rounding
    moved: int = 0  # rows that changed cluster
    refused: int = 0  # rows whose proposed cluster was not nearer
    distances: int = 0  # distances evaluated


class SquaredEuclidean:
    """F = Σ w‖x - μ_label‖², the objective of k-means."""

    name = "squared-euclidean"

    def origin(self, problem: Problem) -> tuple[np.ndarray, float]:
        """The point sums are taken about, (d,), and the mean weighted variance of the features.

        The weighted mean, rounded to a multiple of a power of two as large as the spread: near enough to the
        data that no sum cancels, and with so few digits that x - origin is exact for most x.
        """
        X, weights = problem.X, problem.sample_weight
        total = float(np.sum(weights))
        first = X[0].astype(np.float64)
        mean = first + column_moment(X, weights, first, squared=False) / total
        variance = column_moment(X, weights, mean, squared=True) / total
        constant = np.array([bool((X[:, f] == X[0, f]).all()) for f in range(X.shape[1])])
        grid = np.exp2(np.ceil(np.log2(np.sqrt(np.where(constant, 1.0, variance)))))
        return np.where(constant, first, grid * np.round(mean / grid)), float(np.where(constant, 0.0, variance).mean())

    def nearest(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """The canonical decision: index of the nearest center, the lowest among equals, (n,) int32."""
        labels = np.empty(len(X), np.int32)
        squared.nearest(X, centers, labels)
        return labels

    def distances(self, X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        """Divergences (n,) of the rows to centers[labels]; one label serves all rows."""
        return squared.distances_to(X, centers, labels)

    def transform(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Distances (n, k), in the units of X, from the rows to the centers."""
        return np.sqrt(np.column_stack([self.distances(X, centers, j) for j in range(len(centers))]))

    def floor(self, X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        """Divergences (n,) that rounding alone can make between a row and centers[labels]."""
        row_norms = np.sqrt(self.distances(X, np.zeros((1, X.shape[1])), 0))
        return (4 * EPS * (row_norms + _norms(centers)[labels])) ** 2

    def settle(self, bounds: np.ndarray, rows: np.ndarray, problem: Problem, state: State,
               accepted: np.ndarray, force: bool, moves: Moves) -> None:  # fmt: skip
        """Accept or refuse the labels of ``rows``; see ``kernels.squared.settle_chunk``."""
        with np.errstate(over="ignore"):  # the hash wraps around by design
            squared.settle(bounds, rows, problem, state, accepted, force, moves)

    def updated(self, state: State, before: np.ndarray) -> Step:
        """How far F fell when the centers moved from ``before`` (k, d) to state.centers, for any centers.

        With m the mean of a cluster and N its mass, F changes by N(‖new - m‖² - ‖old - m‖²) (Pythagoras), spelt
        as a product so that nothing large cancels.
        """
        live = state.counts > 0
        N = state.mass[live]
        old, new, origin = before[live], state.centers[live], state.origin
        m = state.sums[live] / N[:, None]
        a, b = (old - origin) - m, (new - origin) - m
        drop = math.fsum(N * np.einsum("jf,jf->j", old - new, a + b))
        scale = np.einsum("jf,jf->j", a, a) + np.einsum("jf,jf->j", b, b) + _norms(old - new) * _norms(m)
        dust = (NOISE * (_norms(old) + _norms(new))) ** 2  # centers are rounded where they stand
        return Step(drop, noise=float(N @ (NOISE * scale + dust)))


def _norms(rows: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("jf,jf->j", rows, rows))


OBJECTIVES: dict[str, SquaredEuclidean] = {o.name: o for o in (SquaredEuclidean(),)}
