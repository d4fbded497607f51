"""Named methods as compositions of strategies, in one call each."""

from typing import Any

from kmtoolkit.result import Result
from kmtoolkit.solver import Solver

__all__ = ["kmeans"]


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
