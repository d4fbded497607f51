"""Named methods as compositions of strategies, in one call each."""

from typing import Any

from kmtoolkit.assigners.fuzzy import Fuzzy
from kmtoolkit.assigners.gaussian import Gaussian
from kmtoolkit.assigners.hard_gaussian import HardGaussian
from kmtoolkit.assigners.softmax import Softmax
from kmtoolkit.mixture_result import MixtureResult
from kmtoolkit.result import Result
from kmtoolkit.soft_result import SoftResult
from kmtoolkit.solver import Solver

__all__ = ["fuzzy_cmeans", "gaussian_mixture", "hard_em", "kmeans", "soft_kmeans"]

EM: dict[str, Any] = {"update": ("mean", "covariances", "weights"), "init": "k-means", "tol": 1e-5}


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
    X: Any, k: int, *, beta: float, weights: str = "learned", anneal: float | None = None, sample_weight: Any = None,
    init_centers: Any = None, **options: Any,
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
        largest eigenvalue of the covariance of X, centers that are together at the mean stay there (Rose 1998).
    weights : {"learned", "uniform"}
        Whether the mixing weights π are each cluster's share of the mass, or stay at 1 / k.
    anneal : float, optional
        A factor above 1 by which β is raised, whenever the fit has converged, from 1 / (2 λ) up to ``beta``. It takes
        longer, and finds lower minima. A limit may end it sooner: ``result.objective_model.beta`` is what it came to.
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
    given: dict[str, Any] = {"assign": Softmax(beta, anneal), "update": update, "tol": 1e-6}
    if anneal is not None:
        given["max_iter"] = 10_000
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


def gaussian_mixture(
    X: Any, k: int, *, covariance: str = "full", floor: float = 1e-6, sample_weight: Any = None,
    init_centers: Any = None, init_weights: Any = None, init_covariances: Any = None, **options: Any,
) -> MixtureResult:  # fmt: skip
    """Fit a mixture of k Gaussians to the rows of X by EM: maximize Σ w log Σ π N(x; μ, Σ).

    Parameters
    ----------
    X : array-like of shape (n, d)
        Finite real numbers. With n ≤ d, or as few rows near a component, it is the floor that keeps full covariances
        from being singular.
    k : int
        Number of components.
    covariance : {"full", "tied", "diag", "spherical", "tied-spherical"}
        Each component has a matrix, all have the same, each has a diagonal, a variance, or all have the same.
    floor : float
        Covariances are at least floor · diag(variances of the columns), so that F is bounded below; 0 leaves what
        floats can tell from singular. Components that came there are in ``result.at_floor``.
    sample_weight : array-like of shape (n,), optional
        A weight of w means w copies of the row.
    init_centers : array-like of shape (k, d) or Result, optional
        Centers to start from; a MixtureResult gives all its parameters.
    init_weights, init_covariances : array-like, optional
        Parameters to start from; see :meth:`~kmtoolkit.Solver.fit`.
    **options
        Parameters of :class:`~kmtoolkit.Solver`, such as ``n_init``, ``rng``. Here ``tol``, in nats a row, is 1e-5, and
        ``init`` is ``k-means``.

    Returns
    -------
    MixtureResult
        The best of the restarts.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    References
    ----------
    Dempster, Laird and Rubin, Maximum likelihood from incomplete data via the EM algorithm, J. Royal Statistical
    Society B 39, 1977; Neal and Hinton, A view of the EM algorithm that justifies incremental, sparse, and other
    variants, 1998.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> result = km.gaussian_mixture(km.datasets.old_faithful().X, 2, rng=0)
    >>> result.trace.is_monotone, round(result.log_likelihood, 2)
    (True, -1130.26)
    """
    solver = Solver(**{"assign": Gaussian(covariance, floor), **EM, **options})
    return solver.fit(  # type: ignore[return-value]
        X, k, sample_weight=sample_weight, init_centers=init_centers, init_weights=init_weights,
        init_covariances=init_covariances,
    )  # fmt: skip


def hard_em(
    X: Any, k: int, *, covariance: str = "full", floor: float = 1e-6, sample_weight: Any = None,
    init_centers: Any = None, init_weights: Any = None, init_covariances: Any = None, **options: Any,
) -> MixtureResult:  # fmt: skip
    """Fit k Gaussians, each row in one, by hard EM: maximize Σ w (log π + log N(x; μ, Σ)) of each row's own component.

    Parameters
    ----------
    X, k, covariance, floor, sample_weight, init_centers, init_weights, init_covariances, **options
        As in :func:`gaussian_mixture`.

    Returns
    -------
    MixtureResult
        The best of the restarts.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    References
    ----------
    Celeux and Govaert, A classification EM algorithm for clustering and two stochastic versions, Computational
    Statistics & Data Analysis 14, 1992.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> result = km.hard_em(km.datasets.iris().X, 3, covariance="tied", rng=0)
    >>> result.trace.is_monotone, set(result.responsibilities(km.datasets.iris().X).ravel().tolist())
    (True, {0.0, 1.0})
    """
    solver = Solver(**{"assign": HardGaussian(covariance, floor), **EM, **options})
    return solver.fit(  # type: ignore[return-value]
        X, k, sample_weight=sample_weight, init_centers=init_centers, init_weights=init_weights,
        init_covariances=init_covariances,
    )  # fmt: skip
