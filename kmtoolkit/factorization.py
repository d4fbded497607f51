"""k-means as matrix factorization: min ‖X - MZ‖² over centers M and an indicator matrix Z (Bauckhage 2015).

The lecture's convention has points in columns: X is (d, n), M is (d, k) with a center in each column, and Z is (k, n)
with a single 1 in each column. Then M = X Zᵀ(ZZᵀ)⁻¹ are the means, and (Bauckhage, k-Means Clustering Is Matrix
Factorization, arXiv:1512.07548)

    Σ_i Σ_j z_ij ‖x_j - μ_i‖² = ‖X - MZ‖² = ‖X - X Zᵀ(ZZᵀ)⁻¹ Z‖².

With ``points="rows"``, as everywhere else in this package, all is transposed: X is (n, d), Z is (n, k), M is (k, d),
and X ≈ Z M. Nothing of size n × n is formed, and nothing dense of size k × n: O(n d + k d) time and memory.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from kmtoolkit.errors import check_int
from kmtoolkit.kernels import squared
from kmtoolkit.kernels.cluster_means import cluster_means
from kmtoolkit.kernels.threads import sharing_threads
from kmtoolkit.problem import admit, as_matrix, as_numbers
from kmtoolkit.result import Result

__all__ = [
    "Factorization", "TraceTerms", "check_indicator", "explained_variance", "factorize", "gradient", "project",
    "projection_residual", "reconstruct", "residual", "sum_of_distances", "trace_terms",
]  # fmt: skip

BLOCK_NUMBERS = 1 << 18  # entries that are held at once


class Factorization(NamedTuple):
    """X ≈ MZ with points in columns, or X ≈ ZM with points in rows.

    Attributes
    ----------
    M : ndarray of shape (d, k) or (k, d), float64
        The means of the clusters, in columns or rows as the points are.
    Z : sparse array of shape (k, n) or (n, k), float64
        1 where a point belongs to a cluster, else 0; in compressed columns or rows.
    """

    M: np.ndarray
    Z: Any


class TraceTerms(NamedTuple):
    """What the objective is made of: T1 - 2 T2 + T3 = T4 - 2 T5 + T6, with T1 = T4, T2 = T5 and T3 = T6.

    Attributes
    ----------
    T1, T2, T3 : float
        Σ z_ij x_jᵀx_j, Σ z_ij x_jᵀμ_i and Σ z_ij μ_iᵀμ_i, added up over points.
    T4, T5, T6 : float
        tr XᵀX, tr XᵀMZ and tr ZᵀMᵀMZ, as products of matrices.
    """

    T1: float
    T2: float
    T3: float
    T4: float
    T5: float
    T6: float


def factorize(
    clustering: Any, X: Any, points: str = "rows", *, k: int | None = None, empty: str = "error"
) -> Factorization:
    """The factors of a clustering: the means M of the clusters, and the indicator matrix Z.

    Parameters
    ----------
    clustering : Result or array-like of shape (n,), int
        A result, or labels.
    X : array-like of shape (n, d), or (d, n) with ``points="columns"``
        Finite real numbers.
    points : {"rows", "columns"}
        Where the points are in X.
    k : int, optional
        The number of clusters; by default that of the result, or one more than the largest label.
    empty : {"error", "drop"}
        What to do about clusters without points, for which ZZᵀ has no inverse: refuse them, or leave them out and
        renumber the others in order.

    Returns
    -------
    Factorization
        M and Z. M has plain means; weights of a fit are left aside.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule, or a cluster is empty.

    Examples
    --------
    >>> from kmtoolkit import factorization
    >>> M, Z = factorization.factorize([0, 0, 1], [[1.0], [3.0], [9.0]])
    >>> M.tolist(), Z.toarray().tolist()
    ([[2.0], [9.0]], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    """
    if empty not in ("error", "drop"):
        raise ValueError(f"empty is {empty!r}; it must be 'error' or 'drop'")
    rows = _as_rows(X, points)
    labels, many = _as_labels(clustering, len(rows), k)
    with sharing_threads(None):
        means, sizes = cluster_means(rows, labels, many)
    if not np.isfinite(means[sizes > 0]).all():
        admit(rows, 1)  # names what is not finite, or too large
    if not sizes.all():
        if empty == "error":
            raise ValueError(f"cluster {', '.join(map(str, np.flatnonzero(sizes == 0)))} has no points, so ZZᵀ has no "
                             "inverse; pass empty='drop' to leave it out")  # fmt: skip
        labels = (np.cumsum(sizes > 0, dtype=np.int32) - np.int32(1))[labels]
        means = means[sizes > 0]
    form = sparse.csr_array if points == "rows" else sparse.csc_array
    shape = (len(rows), len(means)) if points == "rows" else (len(means), len(rows))
    Z = form((np.ones(len(rows)), labels, np.arange(len(rows) + 1, dtype=np.int32)), shape=shape)
    return Factorization(means if points == "rows" else means.T, Z)


def check_indicator(Z: Any, points: str = "rows") -> np.ndarray:
    """Check that Z tells one cluster for each point, and return the sizes of the clusters.

    In columns: entries are 0 or 1, and columns sum to 1. Then the sums of rows are the sizes of the clusters, and ZZᵀ
    is a diagonal matrix that has them.

    Parameters
    ----------
    Z : array-like or sparse array of shape (n, k), or (k, n) with ``points="columns"``
        What to check.
    points : {"rows", "columns"}
        Where the points are in Z.

    Returns
    -------
    ndarray of shape (k,), int64
        The sizes: the diagonal of ZZᵀ, or of ZᵀZ.

    Raises
    ------
    ValueError
        If an entry is neither 0 nor 1, or a point has no cluster, or several; the first is named.

    Examples
    --------
    >>> from kmtoolkit import factorization
    >>> factorization.check_indicator([[1, 1, 0], [0, 0, 1]], points="columns").tolist()
    [2, 1]
    """
    labels, k = _labels_of(Z, points)
    return np.bincount(labels, minlength=k)


def sum_of_distances(X: Any, M: Any, Z: Any, points: str = "rows") -> float:
    """Σ_i Σ_j z_ij ‖x_j - μ_i‖², point by point.

    Parameters and errors are those of ``residual``.

    Examples
    --------
    >>> from kmtoolkit import factorization
    >>> X = [[1.0], [3.0], [9.0]]
    >>> factorization.sum_of_distances(X, *factorization.factorize([0, 0, 1], X))
    2.0
    """
    rows, centers, labels = _parts(X, M, Z, points)
    with sharing_threads(None):
        return math.fsum(squared.cluster_totals(rows, np.ones(len(rows)), centers, labels).ravel())


def residual(X: Any, M: Any, Z: Any, points: str = "rows") -> float:
    """‖X - MZ‖², the squared Frobenius norm of what the factorization leaves.

    Parameters
    ----------
    X : array-like of shape (n, d), or (d, n) with ``points="columns"``
        Finite real numbers.
    M : array-like of shape (k, d), or (d, k)
        Centers, which need not be the means.
    Z : array-like or sparse array of shape (n, k), or (k, n)
        An indicator matrix.
    points : {"rows", "columns"}
        Where the points are.

    Returns
    -------
    float
        In squared units of X.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule, or shapes do not fit.

    Examples
    --------
    >>> from kmtoolkit import factorization
    >>> X = [[1.0], [3.0], [9.0]]
    >>> factorization.residual(X, *factorization.factorize([0, 0, 1], X))
    2.0
    """
    rows, centers, labels = _parts(X, M, Z, points)
    return _residual(rows, centers, _indicator(labels, len(centers)))


def projection_residual(X: Any, Z: Any, points: str = "rows") -> float:
    """‖X - X Zᵀ(ZZᵀ)⁻¹ Z‖², which Z alone determines.

    Parameters and errors are those of ``residual``.

    Examples
    --------
    >>> from kmtoolkit import factorization
    >>> X = [[1.0], [3.0], [9.0]]
    >>> factorization.projection_residual(X, factorization.factorize([0, 0, 1], X).Z)
    2.0
    """
    rows, indicator, coefficients = _projected(X, Z, points)
    return _residual(rows, coefficients, indicator)


def trace_terms(X: Any, M: Any, Z: Any, points: str = "rows") -> TraceTerms:
    """The terms T1 to T6 of the proof that the three forms are one.

    Parameters and errors are those of ``residual``.

    T1 to T3 are added up over points, T4 to T6 from products of matrices.

    Examples
    --------
    >>> from kmtoolkit import factorization
    >>> X = [[1.0], [3.0], [9.0]]
    >>> factorization.trace_terms(X, *factorization.factorize([0, 0, 1], X))
    TraceTerms(T1=91.0, T2=89.0, T3=89.0, T4=91.0, T5=89.0, T6=89.0)
    """
    rows, centers, labels = _parts(X, M, Z, points)
    indicator = _indicator(labels, len(centers))
    over_points = np.array([
        (np.square(x).sum(), (x * centers[own]).sum(), np.square(centers[own]).sum())
        for x, own in ((rows[block].astype(np.float64), labels[block]) for block in _blocks(rows))
    ])  # fmt: skip
    flat = rows.ravel()
    traces = (
        math.fsum(float(np.dot(flat[s : s + BLOCK_NUMBERS].astype(np.float64), flat[s : s + BLOCK_NUMBERS]))
                  for s in range(0, len(flat), BLOCK_NUMBERS)),
        math.fsum(float((centers * (indicator[block].T @ rows[block])).sum()) for block in _blocks(rows)),
        float((indicator.T @ indicator).diagonal() @ np.einsum("jf,jf->j", centers, centers)),  # ZZᵀ is diagonal
    )  # fmt: skip
    first, second, third = map(math.fsum, over_points.T)
    return TraceTerms(first, second, third, *traces)


def reconstruct(M: Any, Z: Any, points: str = "rows") -> np.ndarray:
    """MZ, or ZM with points in rows: each point replaced by its center.

    Parameters and errors are those of ``residual``.

    Examples
    --------
    >>> from kmtoolkit import factorization
    >>> factorization.reconstruct(*factorization.factorize([0, 0, 1], [[1.0], [3.0], [9.0]])).tolist()
    [[2.0], [2.0], [9.0]]
    """
    labels, k = _labels_of(Z, points)
    centers = _as_centers(M, k, None, points)[labels]
    return centers if points == "rows" else centers.T


def project(X: Any, Z: Any, points: str = "rows") -> np.ndarray:
    """X P with P = Zᵀ(ZZᵀ)⁻¹ Z, the projection to what is constant on clusters.

    Parameters and errors are those of ``residual``.

    P, which is n × n, is never formed. Rows are replaced by the means of their clusters.

    Examples
    --------
    >>> from kmtoolkit import factorization
    >>> factorization.project([[1.0, 3.0, 9.0]], [[1, 1, 0], [0, 0, 1]], points="columns").tolist()
    [[2.0, 2.0, 9.0]]
    """
    _, indicator, coefficients = _projected(X, Z, points)
    projected = indicator @ coefficients
    return projected if points == "rows" else projected.T


def explained_variance(X: Any, M: Any, Z: Any, points: str = "rows") -> float:
    """1 - ‖X - MZ‖² / ‖X - mean‖², the share of the total variance.

    Parameters and errors are those of ``residual``.

    It is 1 if all points are equal and at their centers, and may be negative where centers are not the means.

    Examples
    --------
    >>> from kmtoolkit import factorization
    >>> X = [[1.0], [3.0], [8.0]]
    >>> round(factorization.explained_variance(X, *factorization.factorize([0, 0, 1], X)), 6)
    0.923077
    """
    rows, centers, labels = _parts(X, M, Z, points)
    left = _residual(rows, centers, _indicator(labels, len(centers)))
    with sharing_threads(None):
        mean, _ = cluster_means(rows, np.zeros(len(rows), np.int32), 1)
    total = _residual(rows, mean, _indicator(np.zeros(len(rows), np.int32), 1))
    return 1 - left / total if total > 0 else float(1 if left == 0 else -math.inf)


def gradient(X: Any, M: Any, Z: Any, points: str = "rows") -> np.ndarray:
    """2(MZZᵀ - XZᵀ), the derivative of ‖X - MZ‖² by M: 0 at the means.

    Parameters and errors are those of ``residual``.

    It is 2 nᵢ (μᵢ - mean of cluster i), in which nothing large cancels.

    Examples
    --------
    >>> from kmtoolkit import factorization
    >>> factorization.gradient([[1.0], [3.0]], [[4.0]], [[1], [1]]).tolist()
    [[8.0]]
    """
    rows, centers, labels = _parts(X, M, Z, points)
    with sharing_threads(None):
        means, sizes = cluster_means(rows, labels, len(centers))
    slope = 2 * sizes[:, np.newaxis] * (centers - np.where(sizes[:, np.newaxis] > 0, means, 0.0))
    return slope if points == "rows" else slope.T


def _as_rows(X: Any, points: str) -> np.ndarray:
    """X with points in rows; its values are not looked at."""
    if points not in ("rows", "columns"):
        raise ValueError(f"points is {points!r}; it must be 'rows' or 'columns'")
    if points == "rows":
        return as_matrix(X)
    array = as_numbers(X, "X")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        at = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        where = f"row {at[0]}" + (f", column {at[1]}" if len(at) > 1 else "")
        raise ValueError(f"X has {float(array[at])!r} at {where}; values must be finite: drop or impute such points")
    return as_matrix(array.T)


def _as_labels(clustering: Any, n: int, k: int | None) -> tuple[np.ndarray, int]:
    """Labels (n,) int32 and the number of clusters, checked."""
    labels: Any = clustering
    if isinstance(clustering, Result):
        labels, k = clustering.labels, len(clustering.centers) if k is None else k
    array = as_numbers(labels, "labels")
    if array.dtype.kind not in "iu":
        broken = array.ravel() != np.floor(array.ravel()) if array.dtype.kind == "f" else np.ones(array.size, np.bool_)
        at = int(broken.argmax()) if array.size else 0
        first = f", and {array.ravel()[at].item()!r} at point {at}" if array.size else ""
        raise TypeError(f"labels have dtype {array.dtype}{first}; they must be integers, such as labels.astype(int)")
    if array.shape != (n,):
        raise ValueError(f"labels have shape {array.shape}; there must be one for each point, ({n},)")
    if k is not None:
        check_int("k", k, 1)
    many = int(array.max()) + 1 if k is None else int(k)
    if array.min() < 0 or array.max() >= many:
        at = int(np.argmax((array < 0) | (array >= many)))
        raise ValueError(f"labels has {array[at]} at point {at}; labels must be 0 to {max(many - 1, 0)}")
    if many > max(n, 1) * 4 + 1024:
        raise ValueError(f"labels go up to {many - 1} for {n} points; number the clusters from 0 without gaps")
    return array.astype(np.int32), many  # a copy: Z may be changed, and the result stays as it is


def _labels_of(Z: Any, points: str) -> tuple[np.ndarray, int]:
    """The label (n,) int32 of each point in an indicator matrix, and the number of clusters; checked."""
    if points not in ("rows", "columns"):
        raise ValueError(f"points is {points!r}; it must be 'rows' or 'columns'")
    if not sparse.issparse(Z):
        Z = as_numbers(Z, "Z")
        if Z.ndim != 2:
            raise ValueError(f"Z has {Z.ndim} dimensions; it must have 2, points by clusters or clusters by points")
    by_points = sparse.csr_array(Z if points == "rows" else Z.T)
    if not by_points.has_canonical_format:
        by_points = by_points.copy()
        by_points.sum_duplicates()
    if not by_points.data.all():
        by_points = by_points.copy()
        by_points.eliminate_zeros()
    each = np.diff(by_points.indptr)
    entry = np.flatnonzero(by_points.data != 1)
    if entry.size:
        at = int(np.searchsorted(by_points.indptr, entry[0], side="right")) - 1
        raise ValueError(f"Z has {by_points.data[entry[0]]!s} for point {at}; entries must be 0 or 1")
    if (each != 1).any():
        at = int(np.argmax(each != 1))
        raise ValueError(f"Z has {each[at]} ones for point {at}; each point must be in one cluster")
    return by_points.indices.astype(np.int32, copy=False), by_points.shape[1]


def _as_centers(M: Any, k: int, d: int | None, points: str) -> np.ndarray:
    """M with centers in rows (k, d) float64, checked."""
    array = np.asarray(as_numbers(M, "M"), np.float64)
    centers = np.ascontiguousarray(array if points == "rows" or array.ndim != 2 else array.T)
    if centers.ndim != 2 or len(centers) != k or d not in (None, centers.shape[1]):
        first, second = (k, d or "d") if points == "rows" else (d or "d", k)
        raise ValueError(f"M has shape {array.shape}; for this Z and X it must be ({first}, {second})")
    if not np.isfinite(array).all():
        i, j = map(int, np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"M has {float(array[i, j])!r} at row {i}, column {j}; entries must be finite")
    return centers


def _parts(X: Any, M: Any, Z: Any, points: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points in rows (n, d), centers in rows (k, d) and labels (n,), checked."""
    rows, labels, k = _of_points(X, Z, points)
    return rows, _as_centers(M, k, rows.shape[1], points), labels


def _of_points(X: Any, Z: Any, points: str) -> tuple[np.ndarray, np.ndarray, int]:
    rows = admit(_as_rows(X, points), 1).problem.X
    labels, k = _labels_of(Z, points)
    if len(labels) != len(rows):
        raise ValueError(
            f"Z is for {len(labels)} points, but X has {len(rows)}; with points={points!r} they are {points}"
        )
    return rows, labels, k


def _indicator(labels: np.ndarray, k: int) -> Any:
    """Z with points in rows, (n, k)."""
    n = len(labels)
    return sparse.csr_array((np.ones(n), labels, np.arange(n + 1, dtype=np.int32)), shape=(n, k))


def _projected(X: Any, Z: Any, points: str) -> tuple[np.ndarray, Any, np.ndarray]:
    """Points in rows (n, d), Z with points in rows (n, k), and (ZᵀZ)⁻¹ZᵀX (k, d), about a point of each cluster."""
    rows, labels, k = _of_points(X, Z, points)
    indicator = _indicator(labels, k)
    sizes = np.bincount(labels, minlength=k)
    if not sizes.all():
        raise ValueError(f"cluster {', '.join(map(str, np.flatnonzero(sizes == 0)))} of Z has no points, so ZZᵀ has no "
                         "inverse; leave it out")  # fmt: skip
    one = np.empty(k, np.int64)
    one[labels] = np.arange(len(labels))
    about, sums = rows[one].astype(np.float64), np.zeros((k, rows.shape[1]))
    for block in _blocks(rows):
        sums += indicator[block].T @ (rows[block] - about[labels[block]])
    return rows, indicator, about + sums / sizes[:, np.newaxis]


def _residual(rows: np.ndarray, centers: np.ndarray, indicator: Any) -> float:
    """‖rows - indicator @ centers‖², block by block."""
    return math.fsum(float(np.square(rows[block] - indicator[block] @ centers).sum()) for block in _blocks(rows))


def _blocks(rows: np.ndarray) -> Iterator[slice]:
    """Slices of points that have some hundred thousand numbers together."""
    many = 1 + BLOCK_NUMBERS // rows.shape[1]
    return (slice(start, start + many) for start in range(0, len(rows), many))
