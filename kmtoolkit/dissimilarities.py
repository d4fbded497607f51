"""Divergences with a matrix for a parameter: squared Mahalanobis distances, and dissimilarities given pair by pair."""

from typing import Any

import numpy as np

from kmtoolkit.divergences import Divergence
from kmtoolkit.kernels import mahalanobis
from kmtoolkit.problem import Door

__all__ = ["GivenDissimilarity", "Mahalanobis"]


class Mahalanobis(Divergence):
    """F = Σ w (x - μ_label)ᵀ A (x - μ_label), of a precision matrix A."""

    name = "mahalanobis"
    bregman = True

    def __init__(self, factor: np.ndarray | None = None) -> None:
        self.factor = factor  # lower triangular (d, d), A = factor factorᵀ; the identity by default

    def of_assigner(self, assigner: Any) -> "Mahalanobis":
        """The objective with the precision matrix of an assigner."""
        return Mahalanobis(assigner.factor)

    def enter(self, door: Door) -> tuple["Mahalanobis", Door]:
        """The objective with a factor for the columns of X."""
        d = door.X.shape[1]
        return Mahalanobis(self._factor(d)), door

    def _factor(self, columns: int) -> np.ndarray:
        if self.factor is None:
            return np.eye(columns)
        if len(self.factor) != columns:
            raise ValueError(f"precision has shape {self.factor.shape}, but X has {columns} columns; it must be "
                             f"({columns}, {columns})")  # fmt: skip
        return self.factor

    def nearest(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Index of the nearest center, the lowest among equals, (n,) int32."""
        labels = np.empty(len(X), np.int32)
        mahalanobis.nearest(X, centers, self._factor(X.shape[1]), labels)
        return labels

    def measure(self, X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        """Squared distances (n,) of the rows to centers[labels]; one label serves all rows."""
        return mahalanobis.distances_to(X, centers, self._factor(X.shape[1]), labels)


class GivenDissimilarity(Divergence):
    """F = Σ w D[i, m_label] of a matrix D of dissimilarities; rows and centers are indices, in one column.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        Dissimilarities of points i from medoids j.
    transposed : ndarray of shape (n, n)
        The same with rows for medoids, in C order; the matrix itself if it is symmetric.
    """

    name = "precomputed"

    def __init__(self, matrix: np.ndarray, transposed: np.ndarray) -> None:
        self.matrix, self.transposed = matrix, transposed

    def of_assigner(self, assigner: Any) -> "GivenDissimilarity":
        """The objective with the matrix of an assigner."""
        return assigner.objective

    def enter(self, door: Door) -> tuple["GivenDissimilarity", Door]:
        """The objective itself, for X that has the indices of rows of the matrix."""
        self.rows(door.X)
        return self, door

    def rows(self, X: np.ndarray) -> np.ndarray:
        """The indices X (n, 1) themselves; ValueError if one is no index of a row of the matrix."""
        most = len(self.matrix) - 1
        if X.shape[1] != 1 or not ((X >= 0) & (most >= X) & (np.floor(X) == X)).all():
            raise ValueError(f"X must have one column of row indices, 0 to {most}, for 'precomputed': "
                             "use km.kmedoids(D, k, metric='precomputed')")  # fmt: skip
        return X

    def check_centers(self, centers: np.ndarray) -> None:
        """Refuse centers (k, 1) that are no indices of columns of the matrix."""
        most = self.matrix.shape[1] - 1
        bad = centers[~((centers >= 0) & (centers <= most) & (centers == np.floor(centers)))]
        if bad.size:
            raise ValueError(f"init_centers has {bad[0]!s}; for 'precomputed' they must be indices, 0 to {most}")

    def project(self, centers: np.ndarray) -> None:
        """Round centers (k, 1) to indices, in place."""
        np.clip(np.rint(centers), 0, self.matrix.shape[1] - 1, out=centers)

    def nearest(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Index of the nearest center, the lowest among equals, (n,) int32."""
        return self.oracle(X, centers)

    def measure(self, X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        """Dissimilarities (n,) of the points X (n, 1) from centers[labels]; one label serves all."""
        to = centers[:, 0].astype(np.intp)[labels]
        return self.matrix[X[:, 0].astype(np.intp), to].astype(np.float64)

    def between(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Dissimilarities (k, n) of the points from the centers, in the precision of the matrix, if need be a copy."""
        points, to = X[:, 0].astype(np.intp), centers[:, 0].astype(np.intp)
        rows: slice | np.ndarray = slice(to[0], to[-1] + 1) if (np.diff(to) == 1).all() else to
        of_centers = self.transposed[rows]
        return of_centers if np.array_equal(points, np.arange(len(self.matrix))) else of_centers[:, points]
