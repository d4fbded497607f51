"""Named methods that take other divergences in place of squared distances, in one call each."""

from typing import Any

from kmtoolkit.divergences import known_objective
from kmtoolkit.objectives import OBJECTIVES
from kmtoolkit.result import Result
from kmtoolkit.solver import Solver

__all__ = ["bregman_kmeans", "kmedians", "spherical_kmeans"]


def kmedians(X: Any, k: int, *, sample_weight: Any = None, init_centers: Any = None, **options: Any) -> Result:
    """Cluster the rows of X by k-medians: minimize Σ w‖x - μ_label‖₁.

    Every coordinate of a center is the weighted median of its cluster, so single rows far away hardly move it.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Finite real numbers.
    k : int
        Number of clusters.
    sample_weight : array-like of shape (n,), optional
        A weight of w means w copies of the row.
    init_centers : array-like of shape (k, d) or Result, optional
        Centers to start from.
    **options
        Parameters of :class:`~kmtoolkit.Solver`, such as ``n_init``, ``rng``, ``init``, ``empty``.

    Returns
    -------
    Result
        The best of the restarts; ``objective`` is in units of X times weight.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    References
    ----------
    Bradley, Mangasarian and Street, Clustering via concave minimization, NIPS 1996.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> result = km.kmedians([[1.0], [2.0], [3.0], [50.0], [51.0], [900.0]], 2, rng=0, n_init=4)
    >>> sorted(result.centers.ravel().tolist()), result.objective
    ([3.0, 900.0], 98.0)
    """
    solver = Solver(**{"assign": "manhattan", "update": "median"} | options)
    return solver.fit(X, k, sample_weight=sample_weight, init_centers=init_centers)


def spherical_kmeans(X: Any, k: int, *, sample_weight: Any = None, init_centers: Any = None, **options: Any) -> Result:
    """Cluster the rows of X by their directions: minimize Σ w (1 - cos(x, μ_label)).

    Rows count by direction alone, as documents do whose lengths mean nothing. They are divided by their lengths into a
    float64 copy.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Finite real numbers; no row may be all zeros.
    k : int
        Number of clusters.
    sample_weight : array-like of shape (n,), optional
        A weight of w means w copies of the row.
    init_centers : array-like of shape (k, d) or Result, optional
        Directions to start from.
    **options
        Parameters of :class:`~kmtoolkit.Solver`, such as ``n_init``, ``rng``, ``init``, ``empty``.

    Returns
    -------
    Result
        The best of the restarts; its centers have length 1, and ``transform`` gives 1 - cosine.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule, or a row is all zeros.

    References
    ----------
    Dhillon and Modha, Concept decompositions for large sparse text data using clustering, Machine Learning 42, 2001.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> result = km.spherical_kmeans([[1.0, 0.0], [9.0, 0.0], [0.0, 2.0], [0.0, 5.0]], 2, rng=0)
    >>> result.centers.tolist() in ([[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]])
    True
    """
    solver = Solver(**{"assign": "cosine", "update": "spherical-mean"} | options)
    return solver.fit(X, k, sample_weight=sample_weight, init_centers=init_centers)


def bregman_kmeans(
    X: Any, k: int, *, divergence: Any, sample_weight: Any = None, init_centers: Any = None, **options: Any
) -> Result:
    """Cluster the rows of X by a Bregman divergence: minimize Σ w D(x, μ_label), with means for centers.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Finite real numbers in the domain of the divergence.
    k : int
        Number of clusters.
    divergence : str or assigner
        ``"squared-euclidean"``; ``"generalized-i"`` for counts, of at least 0; ``"kl"`` for rows that add up to 1;
        ``"itakura-saito"`` for spectra, above 0; ``"logistic"`` for values from 0 to 1; ``"mahalanobis"``, or
        ``km.assigners.Mahalanobis(precision)``; or one declared by ``km.pointwise(..., bregman=True)``.
    sample_weight : array-like of shape (n,), optional
        A weight of w means w copies of the row.
    init_centers : array-like of shape (k, d) or Result, optional
        Centers to start from; those at an end of the domain are moved inside.
    **options
        Parameters of :class:`~kmtoolkit.Solver`, such as ``n_init``, ``rng``, ``init``, ``empty``.

    Returns
    -------
    Result
        The best of the restarts.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule, an entry is outside the domain, or the divergence is unknown or not of
        Bregman's kind.

    Notes
    -----
    Where a divergence is infinite at the ends of its domain, centers are kept off them by 2⁻⁴⁰ of the column's largest
    value. The best center among those left is the mean, cut off there.

    References
    ----------
    Banerjee, Merugu, Dhillon and Ghosh, Clustering with Bregman divergences, JMLR 6, 2005.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> counts = [[9, 0, 1], [8, 1, 0], [0, 7, 3], [1, 5, 4]]
    >>> km.bregman_kmeans(counts, 2, divergence="generalized-i", rng=0, n_init=4).sizes.tolist()
    [2, 2]
    """
    if isinstance(divergence, str):
        if not known_objective(divergence).bregman:
            others = ", ".join(repr(each.name) for each in OBJECTIVES.values() if each.bregman)
            raise ValueError(f"divergence is {divergence!r}, whose best centers are not means; choose one of {others}")
        divergence = "auto" if divergence == "squared-euclidean" else divergence
    solver = Solver(**{"assign": divergence, "update": "mean"} | options)
    return solver.fit(X, k, sample_weight=sample_weight, init_centers=init_centers)
