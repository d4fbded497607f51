"""Named methods as compositions of strategies, in one call each."""

from typing import Any

from kmtoolkit.assigners.fuzzy import Fuzzy
from kmtoolkit.assigners.softmax import Softmax
from kmtoolkit.result import Result
from kmtoolkit.soft_result import SoftResult
from kmtoolkit.solver import Solver

__all__ = ["fuzzy_cmeans", "kmeans", "soft_kmeans"]


def kmeans(X: Any, k: int, *, sample_weight: Any = None, init_centers: Any = None, **options: Any) -> Result:
    """Cluster the rows of X by k-means: minimize Σ w‖x - μ_label‖².

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
        The best of the restarts.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    References
    ----------
    Lloyd, Least squares quantization in PCM, IEEE Trans. Information Theory 28, 1982.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> result = km.kmeans(km.datasets.iris().X, 3, n_init=10, rng=0)
    >>> round(result.objective, 6)
    78.851441
    >>> sorted(result.sizes.tolist())
    [38, 50, 62]
    """
    return Solver(**options).fit(X, k, sample_weight=sample_weight, init_centers=init_centers)


def soft_kmeans(
    X: Any, k: int, *, beta: float, weights: str = "learned", sample_weight: Any = None, init_centers: Any = None,
    **options: Any,
) -> SoftResult:  # fmt: skip
    """Share the rows of X among k clusters by soft k-means: minimize Σ w r (‖x - μ‖² + log(r / π) / β).

    Parameters
    ----------
    X : array-like of shape (n, d)
        Finite real numbers.
    k : int
        Number of clusters.
    beta : float
        The stiffness β > 0, in units of 1 / X². As it grows, the method becomes k-means; below 1 / (2 λ), with λ the
        largest eigenvalue of the covariance of X, all centers come together at the mean (Rose 1998).
    weights : {"learned", "uniform"}
        Whether the mixing weights π are each cluster's share of the mass, or stay at 1 / k.
    sample_weight : array-like of shape (n,), optional
        A weight of w means w copies of the row.
    init_centers : array-like of shape (k, d) or Result, optional
        Centers to start from; a SoftResult gives its weights too.
    **options
        Parameters of :class:`~kmtoolkit.Solver`, such as ``n_init``, ``rng``, ``tol``; tol is 1e-6 here.

    Returns
    -------
    SoftResult
        The best of the restarts.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    References
    ----------
    MacKay, Information Theory, Inference, and Learning Algorithms, 2003, chapters 20 and 22; Rose, Deterministic
    annealing, Proc. IEEE 86, 1998.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> result = km.soft_kmeans(km.datasets.iris().X, 3, beta=5.0, rng=0)
    >>> result.trace.is_monotone
    True
    >>> result.responsibilities(km.datasets.iris().X).shape
    (150, 3)
    """
    if weights not in ("learned", "uniform"):
        raise ValueError(f"weights is {weights!r}; it must be 'learned' or 'uniform'")
    update = ("mean", "weights") if weights == "learned" else "mean"
    given: dict[str, Any] = {"assign": Softmax(beta), "update": update, "tol": 1e-6}
    solver = Solver(**given | options)
    return solver.fit(X, k, sample_weight=sample_weight, init_centers=init_centers)  # type: ignore[return-value]


def fuzzy_cmeans(
    X: Any, k: int, *, m: float = 2.0, sample_weight: Any = None, init_centers: Any = None, **options: Any
) -> SoftResult:
    """Share the rows of X among k clusters by fuzzy c-means: minimize Σ w u^m ‖x - c‖².

    Parameters
    ----------
    X : array-like of shape (n, d)
        Finite real numbers.
    k : int
        Number of clusters.
    m : float
        The fuzzifier, above 1. As it comes down to 1, the method becomes k-means.
    sample_weight : array-like of shape (n,), optional
        A weight of w means w copies of the row.
    init_centers : array-like of shape (k, d) or Result, optional
        Centers to start from.
    **options
        Parameters of :class:`~kmtoolkit.Solver`, such as ``n_init``, ``rng``, ``tol``; tol is 1e-6 here.

    Returns
    -------
    SoftResult
        The best of the restarts.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    References
    ----------
    Bezdek, Pattern Recognition with Fuzzy Objective Function Algorithms, 1981.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> result = km.fuzzy_cmeans(km.datasets.iris().X, 3, rng=0)
    >>> result.trace.is_monotone, round(result.objective, 3)
    (True, 60.506)
    """
    given: dict[str, Any] = {"assign": Fuzzy(m), "tol": 1e-6}
    solver = Solver(**given | options)
    return solver.fit(X, k, sample_weight=sample_weight, init_centers=init_centers)  # type: ignore[return-value]
