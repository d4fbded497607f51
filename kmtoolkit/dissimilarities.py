"""Divergences with a matrix for a parameter: squared Mahalanobis distances."""

from typing import Any

import numpy as np

from kmtoolkit.divergences import Divergence
from kmtoolkit.kernels import mahalanobis
from kmtoolkit.problem import Door

__all__ = ["Mahalanobis"]


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
