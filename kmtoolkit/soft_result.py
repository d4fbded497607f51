"""What a soft fit returns: a result whose rows are shared among the clusters."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kmtoolkit.kernels.threads import sharing_threads
from kmtoolkit.problem import as_rows
from kmtoolkit.result import Result
from kmtoolkit.soft import SoftObjective, Theta

__all__ = ["SoftResult"]


@dataclass(frozen=True, eq=False, repr=False)
class SoftResult(Result):
    """A fitted soft clustering: the best of all restarts.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
        The cluster with the largest share of each row, the first of equals.
    cluster_objectives : ndarray of shape (k,), float64
        Σ w r ‖x - μ‖² of each cluster (fuzzy c-means: with u^m for r); without entropy, so they do not add up to F.
    weights : ndarray of shape (k,), float64
        The mixing weights π. Where they are not learned they stay as they were at the start, 1 / k by default, so
        without dropped clusters they may add up to less than 1.
    objective_model : SoftObjective
        The objective with its hyper-parameters.

    Other attributes are those of :class:`~kmtoolkit.Result`.
    """

    weights: np.ndarray = None  # type: ignore[assignment]
    objective_model: SoftObjective = None  # type: ignore[assignment]

    def responsibilities(self, X: Any) -> np.ndarray:
        """How each row is shared among the clusters.

        Parameters
        ----------
        X : array-like of shape (m, d)
            Rows with the columns of the fit.

        Returns
        -------
        ndarray of shape (m, k), float64
            Shares from 0 to 1, of which each row's add up to 1.

        Raises
        ------
        TypeError, ValueError
            If X is not a finite, real (m, d) array.

        Examples
        --------
        >>> import kmtoolkit as km
        >>> result = km.soft_kmeans([[0.0], [2.0]], 2, beta=0.5, init_centers=[[0.0], [2.0]], max_iter=0)
        >>> result.responsibilities([[1.0]]).tolist()
        [[0.5, 0.5]]
        """
        rows = as_rows(X, self.centers)
        with sharing_threads(None):
            return self.objective_model.responsibilities(rows, self._theta)

    def predict(self, X: Any) -> np.ndarray:
        """The cluster with the largest share of each row, the first of equals.

        Parameters
        ----------
        X : array-like of shape (m, d)
            Rows with the columns of the fit.

        Returns
        -------
        ndarray of shape (m,), int32
            The labels.

        Raises
        ------
        TypeError, ValueError
            If X is not a finite, real (m, d) array.
        """
        rows = as_rows(X, self.centers)
        with sharing_threads(None):
            return self.objective_model.of_largest_share(rows, self._theta)

    @property
    def by_cluster(self) -> tuple[str, ...]:
        """The names of the attributes that have an entry for each cluster, in the order of the labels."""
        return *super().by_cluster, "weights"

    @property
    def _theta(self) -> Theta:
        """The parameters."""
        return {"centers": self.centers, "weights": self.weights}

    @property
    def _objective(self) -> SoftObjective:
        return self.objective_model
