"""k-medoids: centers that are rows, for points with a metric, or dissimilarities alone."""

import difflib
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from kmtoolkit.assigners.precomputed import Precomputed
from kmtoolkit.divergences import unit_rows
from kmtoolkit.objectives import OBJECTIVES
from kmtoolkit.problem import as_numbers, as_rows, check_k
from kmtoolkit.result import Result
from kmtoolkit.solver import Solver

__all__ = ["MedoidResult", "kmedoids"]

METHODS = {"fasterpam": "fasterpam", "alternate": "medoid"}
SPREADS = {"fasterpam": "random", "alternate": "k-means++"}  # swaps need no good start


@dataclass(frozen=True, eq=False, repr=False)
class MedoidResult(Result):
    """A fitted k-medoids clustering: the best of all restarts.

    Attributes
    ----------
    medoids : ndarray of shape (k,), int64
        The rows that are centers, by their indices in what was fitted.

    Other attributes are those of :class:`~kmtoolkit.Result`. With ``metric="precomputed"``, ``centers`` has the indices
    too, in one column.
    """

    medoids: np.ndarray = None  # type: ignore[assignment]

    @property
    def by_cluster(self) -> tuple[str, ...]:
        """The names of the attributes that have an entry for each cluster, in the order of the labels."""
        return *super().by_cluster, "medoids"

    def predict(self, X: Any) -> np.ndarray:
        """The index of the nearest medoid of each row, the lowest among equals.

        Parameters
        ----------
        X : array-like of shape (m, d)
            Rows with the columns of the fit. After ``metric="precomputed"``: dissimilarities (m, n) of other points
            from those of the fit.

        Returns
        -------
        ndarray of shape (m,), int32
            The labels.

        Raises
        ------
        TypeError, ValueError
            If X is not such an array.

        Examples
        --------
        >>> import kmtoolkit as km
        >>> D = [[0.0, 1.0, 9.0], [1.0, 0.0, 8.0], [9.0, 8.0, 0.0]]
        >>> km.kmedoids(D, 2, metric="precomputed", init_medoids=[0, 2]).predict([[7.0, 7.0, 2.0]]).tolist()
        [1]
        """
        if self.objective_name == "precomputed":
            return self.transform(X).argmin(axis=1).astype(np.int32)
        return super().predict(X)

    def transform(self, X: Any) -> np.ndarray:
        """Dissimilarities from rows to medoids.

        Parameters
        ----------
        X : array-like
            As ``predict`` takes it.

        Returns
        -------
        ndarray of shape (m, k), float64
            Dissimilarities, by the metric of the fit.

        Raises
        ------
        TypeError, ValueError
            If X is not such an array.
        """
        if self.objective_name != "precomputed":
            return super().transform(X)
        rows = as_rows(X, np.empty((1, len(self.objective_model.matrix))))
        return rows[:, self.centers[:, 0].astype(np.int64)].astype(np.float64)


def kmedoids(
    X: Any, k: int, *, method: str = "fasterpam", metric: Any = "euclidean", sample_weight: Any = None,
    init_medoids: Any = None, **options: Any,
) -> MedoidResult:  # fmt: skip
    """Cluster by k-medoids: minimize Σ w D(x, m_label) with centers that are rows.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Finite real numbers; with ``metric="precomputed"``, dissimilarities (n, n), where entry (i, j) is from point i
        to a medoid j.
    k : int
        Number of clusters.
    method : {"fasterpam", "alternate"}
        Swap medoids with other rows as long as that lowers the objective; or move each medoid within its cluster by
        turns with the assignment, which is faster for small clusters, and ends in worse minima.
    metric : str or assigner
        ``"euclidean"``, ``"squared-euclidean"``, ``"manhattan"``, ``"cosine"``, ``"precomputed"``, or a divergence,
        such as those of :func:`~kmtoolkit.bregman_kmeans` and :func:`~kmtoolkit.pointwise`.
    sample_weight : array-like of shape (n,), optional
        A weight of w means w copies of the row; 0 means that the row is absent, and no medoid.
    init_medoids : array-like of shape (k,), optional
        Indices of different rows to start from; by default they are drawn at random for ``fasterpam``, and by
        k-means++ for ``alternate``.
    **options
        Parameters of :class:`~kmtoolkit.Solver`, such as ``n_init``, ``rng``, ``empty``.

    Returns
    -------
    MedoidResult
        The best of the restarts.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    Notes
    -----
    Given points, no n × n matrix is formed: O(k n) memory. FasterPAM takes O(n²) time a pass, and a few passes.

    References
    ----------
    Schubert and Rousseeuw, Fast and eager k-medoids clustering, Information Systems 101, 2021.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = [[1.0], [2.0], [3.0], [50.0], [51.0], [52.0]]
    >>> result = km.kmedoids(X, 2, rng=0)
    >>> sorted(result.medoids.tolist()), result.objective
    ([1, 4], 4.0)
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be 'fasterpam' or 'alternate'")
    given: dict[str, Any] = {"update": METHODS[method], "init": SPREADS[method], "tol": 0}
    if metric == "precomputed":
        given["assign"] = Precomputed(X)
        points: Any = np.arange(len(given["assign"].matrix), dtype=np.float64)[:, np.newaxis]
    else:
        given["assign"], points = _assigner(metric), X
    solver = Solver(**given | options)
    start = None
    if init_medoids is not None:
        points = as_numbers(points, "X")
        start = points[_indices(init_medoids, check_k(k, len(points), len(points)), len(points))]
    result = solver.fit(points, k, sample_weight=sample_weight, init_centers=start)
    kept = {field.name: getattr(result, field.name) for field in fields(result)}
    return MedoidResult(**kept, medoids=_medoids(result, points, sample_weight))


def _assigner(metric: Any) -> Any:
    """The assigner of a metric."""
    if not isinstance(metric, str):
        return metric
    if metric not in OBJECTIVES:
        known = [*(name for name in OBJECTIVES)]
        near = difflib.get_close_matches(metric, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(map(repr, known))}"
        raise ValueError(f"unknown metric {metric!r}; {hint}")
    return "auto" if metric == "squared-euclidean" else metric


def _indices(medoids: Any, k: int, n: int) -> np.ndarray:
    """Indices of medoids to start from, checked."""
    array = as_numbers(medoids, "init_medoids")
    if array.shape != (k,) or array.dtype.kind not in "iu":
        raise ValueError(f"init_medoids is a {array.dtype} array of shape {array.shape}; it must have {k} integers")
    if not ((array >= 0) & (array < n)).all():
        raise ValueError(f"init_medoids has {array[(array < 0) | (array >= n)][0]}; rows are 0 to {n - 1}")
    if len(np.unique(array)) < k:
        raise ValueError("init_medoids has a row twice; medoids must be different rows")
    return array


def _medoids(result: Result, points: Any, sample_weight: Any) -> np.ndarray:
    """The rows that the centers are, by their indices: the first of equals in the cluster, or of all rows."""
    if result.objective_name == "precomputed":
        return result.centers[:, 0].astype(np.int64)
    X = np.asarray(as_numbers(points, "X"), np.float64)
    rows = unit_rows(X, "X") if result.objective_name == "cosine" else X
    present = np.ones(len(X), np.bool_) if sample_weight is None else np.asarray(sample_weight) > 0
    medoids = np.empty(len(result.centers), np.int64)
    for j, center in enumerate(result.centers):
        mine = np.flatnonzero(present & ((result.labels == j) if result.sizes[j] else True))
        apart = np.abs(rows[mine] - center).max(axis=1)
        at = int(apart.argmin())
        if apart[at] > 1e-9 * (1e-300 + np.abs(rows[mine]).max()):
            raise ValueError(f"center {j} is no row, because the initializer's was none; use init='random', "
                             "'k-means++' or 'maxmin', or give init_medoids")  # fmt: skip
        medoids[j] = mine[at]
    return medoids
