"""Squared Mahalanobis distances (x - c)ᵀ A (x - c), the Bregman divergence of φ(x) = xᵀ A x (Banerjee et al. 2005).

What k-means is for whitened rows. O(n k d²) time, O(d²) memory; the decision is the canonical one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kmtoolkit.dissimilarities import Mahalanobis as Objective
from kmtoolkit.problem import Problem, State, Work, as_numbers
from kmtoolkit.registry import assigner


@assigner("mahalanobis", objective="mahalanobis", exact=True, reference="Banerjee et al. 2005", cost="O(n k d²)")
@dataclass(frozen=True, eq=False)
class Mahalanobis:
    """Take the nearest center by squared Mahalanobis distance.

    Parameters
    ----------
    precision : array-like of shape (d, d), optional
        A symmetric, positive definite matrix A, such as the inverse of a covariance; the identity by default.

    Raises
    ------
    TypeError, ValueError
        If precision is not such a matrix.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = [[0.0, 0.0], [0.0, 9.0], [2.0, 0.0], [2.0, 9.0]]
    >>> by_columns = km.assigners.Mahalanobis([[100.0, 0.0], [0.0, 0.01]])
    >>> km.Solver(assign=by_columns, rng=0).fit(X, 2).labels.tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])
    True
    """

    precision: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", None if self.precision is None else _factor(self.precision))

    def __call__(self, problem: Problem, state: State) -> None:
        state.labels[:] = Objective(self.factor).nearest(problem.X, state.centers)  # type: ignore[attr-defined]

    def work(self, problem: Problem) -> Work:
        """All distances of all rows."""
        n = len(problem.X)
        return Work(distances=n * problem.k, survivors=n, memory=0)


def _factor(precision: Any) -> np.ndarray:
    """The lower Cholesky factor of a precision matrix; raises TypeError or ValueError."""
    matrix = np.array(as_numbers(precision, "precision"), np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"precision has shape {matrix.shape}; it must be (d, d)")
    if not np.isfinite(matrix).all():
        raise ValueError("precision has entries that are not finite")
    if not np.abs(matrix - matrix.T).max() <= 1e-10 * np.abs(matrix).max():
        i, j = map(int, np.unravel_index(np.abs(matrix - matrix.T).argmax(), matrix.shape))
        raise ValueError(f"precision is not symmetric: {matrix[i, j]!s} at ({i}, {j}), {matrix[j, i]!s} at ({j}, {i})")
    try:
        return np.ascontiguousarray(np.linalg.cholesky(matrix))
    except np.linalg.LinAlgError:
        least = float(np.linalg.eigvalsh(matrix)[0])
        raise ValueError(
            f"precision has the eigenvalue {least:.3g}; it must be positive definite: drop columns that depend on "
            "others, or add a small multiple of the identity"
        ) from None
