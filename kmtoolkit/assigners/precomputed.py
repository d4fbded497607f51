"""Dissimilarities given pair by pair, in a matrix (Kaufman and Rousseeuw, Finding Groups in Data, 1990).

Rows of X are indices of points, and so are centers: one column. The matrix is not copied if it is of float32 or float64
in C order.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kmtoolkit.dissimilarities import GivenDissimilarity
from kmtoolkit.kernels.dissimilarities import inspect
from kmtoolkit.problem import Problem, State, Work, as_numbers, read_only
from kmtoolkit.registry import Row


@dataclass(frozen=True, eq=False)
class Precomputed:
    """Take the medoid of the least dissimilarity.

    Parameters
    ----------
    matrix : array-like of shape (n, n)
        Finite dissimilarities of at least 0, and 0 on the diagonal; entry (i, j) is from point i to a medoid j.

    Raises
    ------
    TypeError, ValueError
        If the matrix is not square, or an entry breaks a rule.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> D = [[0.0, 1.0, 9.0], [1.0, 0.0, 8.0], [9.0, 8.0, 0.0]]
    >>> solver = km.Solver(assign=km.assigners.Precomputed(D), update="medoid", rng=0)
    >>> solver.fit([[0], [1], [2]], 2).objective
    1.0
    """

    matrix: Any

    row = Row(name="precomputed", role="assigner", objective="precomputed", exact=True, columns=1,
              reference="Kaufman and Rousseeuw 1990", cost="O(n k)")  # fmt: skip

    def __post_init__(self) -> None:
        matrix, transposed = checked(self.matrix)
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "objective", GivenDissimilarity(matrix, transposed))

    def __call__(self, problem: Problem, state: State) -> None:
        state.labels[:] = self.objective.nearest(problem.X, state.centers)  # type: ignore[attr-defined]

    def work(self, problem: Problem) -> Work:
        """All pairs of points and medoids; none is evaluated, all are looked up."""
        n = len(problem.X)
        return Work(distances=n * problem.k, survivors=n, memory=0)


def checked(matrix: Any) -> tuple[np.ndarray, np.ndarray]:
    """A matrix of dissimilarities (n, n), float32 or float64, read-only and in C order, and its transpose likewise."""
    array = as_numbers(matrix, "matrix")
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
        raise ValueError(f"the matrix of dissimilarities has shape {array.shape}; it must be (n, n)")
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    plain = read_only(np.ascontiguousarray(array, np.float32 if single else np.float64))
    fault, (i, j), symmetric = inspect(plain)
    if fault:
        rule = "the diagonal must be 0" if fault == "diagonal" else "entries must be finite and at least 0"
        raise ValueError(f"the matrix of dissimilarities has {float(plain[i, j])!r} at row {i}, column {j}; {rule}")
    return plain, plain if symmetric else read_only(np.ascontiguousarray(plain.T))
