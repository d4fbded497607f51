"""k-medoids: centers that are rows, for points with a metric, or dissimilarities alone."""

import difflib
import itertools
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from kmtoolkit.assigners.precomputed import Precomputed
from kmtoolkit.dissimilarities import looked_up
from kmtoolkit.divergences import known_objective
from kmtoolkit.objectives import OBJECTIVES
from kmtoolkit.problem import Door, admit, as_numbers
from kmtoolkit.registry import resolve
from kmtoolkit.result import Result
from kmtoolkit.solver import Solver

__all__ = ["MedoidResult", "kmedoids"]

METHODS = {"fasterpam": "fasterpam", "alternate": "medoid"}
SPREADS = {"fasterpam": "random", "alternate": "k-means++"}  # swaps need no good start
ROWS_TO_START = "use init='random' or 'k-means++', or give init_medoids"
SAME = 1e-9  # how far a given center may be from a row that it stands for, in proportion to the column's values


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
        return looked_up(X, len(self.objective_model.matrix), self.centers[:, 0].astype(np.int64))


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
    if not (isinstance(method, str) and method in METHODS):
        raise ValueError(f"method is {method!r}; it must be 'fasterpam' or 'alternate'")
    given: dict[str, Any] = {"update": METHODS[method], "init": SPREADS[method], "tol": 0}
    precomputed = isinstance(metric, str) and metric == "precomputed"
    if precomputed:
        given["assign"] = Precomputed(X)
        points: Any = np.arange(len(given["assign"].matrix), dtype=np.float64)[:, np.newaxis]
    else:
        given["assign"], points = _assigner(metric), X
    solver = Solver(**given | options)
    if precomputed and resolve("initializer", solver.init).row.name == "uniform":
        raise ValueError(f"init is 'uniform', but between dissimilarities there are no points to draw; {ROWS_TO_START}")
    door = admit(points, k, sample_weight)
    start = None if init_medoids is None else door.X[_indices(init_medoids, door)]
    result = solver.fit(door.X, k, sample_weight=sample_weight, init_centers=start)
    kept = {field.name: getattr(result, field.name) for field in fields(result)}
    return MedoidResult(**kept, medoids=_medoids(result, door))


def _assigner(metric: Any) -> Any:
    """The assigner of a metric."""
    if callable(metric):
        return metric
    if not isinstance(metric, str):
        raise TypeError(f"metric is {metric!r} of type {type(metric).__name__}; it must be a name or an assigner")
    if metric not in OBJECTIVES:
        known = [*(name for name in OBJECTIVES)]
        near = difflib.get_close_matches(metric, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(map(repr, known))}"
        raise ValueError(f"unknown metric {metric!r}; {hint}")
    return "auto" if metric == "squared-euclidean" else metric


def _indices(medoids: Any, door: Door) -> np.ndarray:
    """Indices of medoids to start from, checked."""
    array, k, n = as_numbers(medoids, "init_medoids"), door.problem.k, len(door.X)
    if array.shape != (k,) or array.dtype.kind not in "iu":
        raise ValueError(f"init_medoids is a {array.dtype} array of shape {array.shape}; it must have {k} integers")
    if not ((array >= 0) & (array < n)).all():
        raise ValueError(f"init_medoids has {array[(array < 0) | (array >= n)][0]}; rows are 0 to {n - 1}")
    if len(np.unique(array)) < k:
        raise ValueError("init_medoids has a row twice; medoids must be different rows")
    if door.present is not None and not door.present[array].all():
        absent = array[~door.present[array]][0]
        raise ValueError(f"init_medoids has {absent}, but sample_weight is 0 at row {absent}; such rows are absent")
    return array


def _medoids(result: Result, door: Door) -> np.ndarray:
    """The rows that the centers are, by their indices: the first of equals in the cluster, or of all rows."""
    present = np.arange(len(door.X)) if door.present is None else np.flatnonzero(door.present)
    if result.objective_name == "precomputed":
        medoids = result.centers[:, 0].astype(np.int64)
        if absent := np.flatnonzero(~np.isin(medoids, present)).tolist():
            raise ValueError(f"center {absent[0]} is row {medoids[absent[0]]}, which has weight 0, because the "
                             f"initializer's was such a row; {ROWS_TO_START}")  # fmt: skip
        return medoids
    objective, door = (result.objective_model or known_objective(result.objective_name)).enter(door)
    rows = door.problem.X.astype(np.float64)
    objective.project(rows)  # as centers are
    scale = np.maximum(np.abs(rows).max(axis=0), np.finfo(np.float64).tiny)
    labels, medoids = result.labels[present], np.empty(len(result.centers), np.int64)
    everywhere = np.arange(len(rows))
    for j, center in enumerate(result.centers):
        places = np.flatnonzero(labels == j), everywhere  # by a D that is no metric, a medoid may be in another cluster
        for slack, among in itertools.product((0.0, SAME), places):
            if len(among) and (at := _row_of(rows[among], center, scale, slack)) >= 0:
                medoids[j] = present[among[at]]
                break
        else:
            raise ValueError(f"center {j} is no row, because the initializer's was none; {ROWS_TO_START}")
    return medoids


def _row_of(rows: np.ndarray, center: np.ndarray, scale: np.ndarray, slack: float) -> int:
    """The first of the rows (n, d) nearest to a center (d,), or -1 if all are farther than slack × scale (d,)."""
    with np.errstate(over="ignore"):  # the center may be far from columns of zeros
        apart = (np.abs(rows - center) / scale).max(axis=1)
    at = int(apart.argmin())
    return at if apart[at] <= slack else -1
