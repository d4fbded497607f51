"""X-means and G-means: split clusters for as long as a test says that they are two.

Both fit a 2-means to the rows of each cluster and ask whether two clusters describe them better than one; those that
pass are split all at once, and all rows are fitted again, until none passes or there are ``k_max``. If more pass than
``k_max`` leaves room for, those with the strongest evidence are split.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from kmtoolkit.errors import check_int, check_real
from kmtoolkit.options import as_root, as_seed
from kmtoolkit.problem import as_matrix, as_weights
from kmtoolkit.result import Result, Status
from kmtoolkit.selection.path import kmeans_solver
from kmtoolkit.solver import Solver

__all__ = ["gmeans", "xmeans"]

Evidence = Callable[[np.ndarray, np.ndarray, Result], float]
LEAST_MASS = 8.0  # of a cluster that is tested: below, neither test means much


def xmeans(X: Any, k_max: int, *, k_min: int = 1, sample_weight: Any = None, rng: Any = None, **options: Any) -> Result:
    """Cluster by X-means: split each cluster of which the BIC of two isotropic normals is better than that of one.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Finite real numbers.
    k_max : int
        The most clusters, never exceeded.
    k_min : int
        Clusters to start from.
    sample_weight : array-like of shape (n,), optional
        A weight of w means w copies of the row. A cluster of weight below 8 is not split.
    rng : None, int, SeedSequence or Generator
        Source of randomness.
    **options
        Parameters of :class:`~kmtoolkit.Solver`, such as ``n_init``, ``tol``.

    Returns
    -------
    Result
        The last fit; ``len(result.centers)`` is the k that it came to.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule, such as k_max below k_min.

    Notes
    -----
    The likelihood is that of hard clusters with one variance. Where clusters are no balls, as in uniform data, it finds
    many; it does not abstain. O(n d) time for the tests of a round, besides the fit.

    References
    ----------
    Pelleg and Moore, X-means: extending k-means with efficient estimation of the number of clusters, ICML 2000.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> len(km.selection.xmeans(km.datasets.old_faithful().X[:, :1], 10, rng=0).centers)
    2
    """
    return _grow(X, k_max, k_min, sample_weight, rng, options, _bic_gain)


def gmeans(
    X: Any, k_max: int, *, k_min: int = 1, alpha: float = 1e-4, sample_weight: Any = None, rng: Any = None,
    **options: Any,
) -> Result:  # fmt: skip
    """Cluster by G-means: split each cluster whose rows, along the line of the split, do not look normal.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Finite real numbers.
    k_max : int
        The most clusters, never exceeded.
    k_min : int
        Clusters to start from.
    alpha : float
        The significance of the Anderson-Darling test, between 0 and 1: how often a normal cluster is split.
    sample_weight : array-like of shape (n,), optional
        A weight of w means w copies of the row. A cluster of weight below 8 is not split.
    rng : None, int, SeedSequence or Generator
        Source of randomness.
    **options
        Parameters of :class:`~kmtoolkit.Solver`, such as ``n_init``, ``tol``.

    Returns
    -------
    Result
        The last fit; ``len(result.centers)`` is the k that it came to.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule, such as k_max below k_min.

    Notes
    -----
    Clusters may be of any covariance, but must be normal: uniform data are split on and on. O(n (d + log n)) time for
    the tests of a round, besides the fit.

    References
    ----------
    Hamerly and Elkan, Learning the k in k-means, NIPS 2003; the p-value is of D'Agostino and Stephens, Goodness-of-fit
    techniques, 1986, table 4.9.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> len(km.selection.gmeans(km.datasets.old_faithful().X, 10, rng=0).centers)
    2
    """
    check_real("alpha", alpha, above=True)
    if alpha >= 1:
        raise ValueError(f"alpha is {alpha}; it must be below 1")

    def evidence(rows: np.ndarray, weights: np.ndarray, split: Result) -> float:
        line = split.centers[1] - split.centers[0]
        return math.log(alpha) - log_p_of_normal(rows @ (line / np.linalg.norm(line)), weights)

    return _grow(X, k_max, k_min, sample_weight, rng, options, evidence)


def _grow(
    X: Any, k_max: int, k_min: int, sample_weight: Any, rng: Any, options: dict[str, Any], evidence: Evidence
) -> Result:
    """Split clusters whose evidence is positive, the strongest first, until there are none, or k_max."""
    check_int("k_min", k_min, 1)
    check_int("k_max", k_max, 1)
    if k_max < k_min:
        raise ValueError(f"k_max is {k_max}, below k_min = {k_min}; it must be at least as large")
    solver = kmeans_solver(options)
    root = as_root(as_seed(rng))
    result = replace(solver, rng=root.spawn(1)[0]).fit(X, k_min, sample_weight=sample_weight)
    rows = as_matrix(X)
    weights, _, _ = as_weights(sample_weight, len(rows))
    while len(result.centers) < k_max and result.status not in (Status.INTERRUPTED, Status.CALLBACK):
        splits = []
        for j in range(len(result.centers)):
            mine = np.flatnonzero((result.labels == j) & (weights > 0))
            if weights[mine].sum() < LEAST_MASS or (rows[mine] == rows[mine[0]]).all():
                continue
            split = Solver(rng=root.spawn(1)[0]).fit(rows[mine], 2, sample_weight=weights[mine])
            if not split.sizes.all() or (split.centers[0] == split.centers[1]).all():
                continue
            found = evidence(rows[mine].astype(np.float64), weights[mine], split)
            if found > 0:
                splits.append((-found, j, split.centers))
        if not splits:
            break
        best = sorted(splits, key=lambda entry: entry[:2])[: k_max - len(result.centers)]
        kept = np.delete(result.centers, [j for _, j, _ in best], axis=0)
        start = np.concatenate([kept, *(centers for _, _, centers in best)])
        result = solver.fit(X, len(start), sample_weight=sample_weight, init_centers=start)
    return result


def _bic_gain(rows: np.ndarray, weights: np.ndarray, split: Result) -> float:
    """By how much the BIC of two clusters is above that of one, as log-likelihoods."""
    mass, d = np.bincount(split.labels, weights, 2), rows.shape[1]
    mean = np.average(rows, axis=0, weights=weights)
    one = _bic(np.array([mass.sum()]), float(weights @ np.square(rows - mean).sum(axis=1)), d)
    return _bic(mass, split.objective, d) - one


def _bic(mass: np.ndarray, objective: float, d: int) -> float:
    """Log-likelihood less p log(n) / 2 of isotropic normals of one variance, hard clusters of these masses."""
    n, k = float(mass.sum()), len(mass)
    if objective <= 0:
        return math.inf
    if n <= k:
        return -math.inf
    variance = objective / (d * (n - k))
    likelihood = float(mass @ np.log(mass / n)) - n * d / 2 * math.log(2 * math.pi * variance) - d * (n - k) / 2
    return likelihood - (k - 1 + k * d + 1) / 2 * math.log(n)


def log_p_of_normal(values: np.ndarray, weights: np.ndarray) -> float:
    """The log of the p-value of the Anderson-Darling test that values (n,) are normal; weights (n,) are copies."""
    from scipy.special import log_ndtr  # slow to load

    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order]
    n = float(weights.sum())
    mean = float(weights @ values) / n
    spread = math.sqrt(float(weights @ np.square(values - mean)) / (n - 1))
    if spread == 0:
        return 0.0
    z, upto = (values - mean) / spread, np.cumsum(weights)
    before = upto - weights
    lower = (upto**2 - before**2) @ log_ndtr(z)
    upper = ((n - before) ** 2 - (n - upto) ** 2) @ log_ndtr(-z)
    statistic = (-n - (lower + upper) / n) * (1 + 0.75 / n + 2.25 / n**2)
    if statistic >= 0.6:
        return 1.2937 - 5.709 * statistic + 0.0186 * min(statistic, 100.0) ** 2
    if statistic >= 0.34:
        return 0.9177 - 4.279 * statistic - 1.38 * statistic**2
    a, b, c = (-8.318, 42.796, -59.938) if statistic >= 0.2 else (-13.436, 101.14, -223.73)
    return math.log1p(-math.exp(a + b * statistic + c * statistic**2))
