"""What a fitted Gaussian mixture is: a soft result that is a probability distribution."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kmtoolkit.errors import check_int
from kmtoolkit.kernels.covariance import at_floor, shape_of
from kmtoolkit.kernels.threads import sharing_threads
from kmtoolkit.mixture import GaussianMixture
from kmtoolkit.problem import as_rows
from kmtoolkit.soft import Theta
from kmtoolkit.soft_result import SoftResult

__all__ = ["MixtureResult"]


@dataclass(frozen=True, eq=False, repr=False)
class MixtureResult(SoftResult):
    """A fitted Gaussian mixture: the best of all restarts.

    Attributes
    ----------
    covariances : ndarray, float64
        Of shape (k, d, d) for ``full``, (d, d) for ``tied``, (k, d) for ``diag``, (k,) for ``spherical`` and () for
        ``tied-spherical`` ones; in squared units of X.
    log_likelihood : float
        Σ w log p(x) over the rows of the fit, in nats. For ``gaussian_mixture`` it is -``objective``.
    total_weight : float
        Σ w.
    floor : ndarray of shape (d,), float64
        The least variances: covariances are at least diag(floor).

    Other attributes are those of :class:`~kmtoolkit.SoftResult`; ``responsibilities`` of hard EM are 0 and 1.
    """

    covariances: np.ndarray = None  # type: ignore[assignment]
    log_likelihood: float = math.nan
    total_weight: float = math.nan
    floor: np.ndarray = None  # type: ignore[assignment]

    @property
    def covariance_type(self) -> str:
        """The type of the covariances."""
        return self._model.covariance

    @property
    def at_floor(self) -> np.ndarray:
        """Components whose covariance was kept from falling below the floor, (m,) int64; all or none if it is one."""
        return np.flatnonzero(np.broadcast_to(at_floor(self._theta["covariances"], self.floor), len(self.centers)))

    @property
    def by_cluster(self) -> tuple[str, ...]:
        """The names of the attributes that have an entry for each cluster, in the order of the labels."""
        shared = self.covariance_type in ("tied", "tied-spherical")
        return super().by_cluster if shared else (*super().by_cluster, "covariances")

    @property
    def n_parameters(self) -> int:
        """Free parameters of the mixture."""
        k, d = self.centers.shape
        each = d * (d + 1) // 2
        free = {"full": k * each, "tied": each, "diag": k * d, "spherical": k, "tied-spherical": 1}
        return k * d + k - 1 + free[self.covariance_type]

    @property
    def bic(self) -> float:
        """Bayesian information criterion -2 log L + n_parameters · log Σ w (Schwarz 1978); less is better."""
        return -2 * self.log_likelihood + self.n_parameters * math.log(self.total_weight)

    @property
    def aic(self) -> float:
        """Akaike's information criterion -2 log L + 2 n_parameters (Akaike 1974); less is better."""
        return -2 * self.log_likelihood + 2 * self.n_parameters

    def log_densities(self, X: Any) -> np.ndarray:
        """The log of each component's part of the mixture's density.

        Parameters
        ----------
        X : array-like of shape (m, d)
            Rows with the columns of the fit.

        Returns
        -------
        ndarray of shape (m, k), float64
            log π N(x; μ, Σ), in nats.

        Raises
        ------
        TypeError, ValueError
            If X is not a finite, real (m, d) array.

        Examples
        --------
        >>> import kmtoolkit as km
        >>> km.gaussian_mixture([[-1.0], [1.0]], 1).log_densities([[0.0]]).round(4).tolist()
        [[-0.9189]]
        """
        rows = as_rows(X, self.centers)
        with sharing_threads(None):
            return self._model.log_densities(rows, self._theta)

    def score_samples(self, X: Any) -> np.ndarray:
        """The log of the mixture's density at each row.

        Parameters
        ----------
        X : array-like of shape (m, d)
            Rows with the columns of the fit.

        Returns
        -------
        ndarray of shape (m,), float64
            log Σ π N(x; μ, Σ), in nats.

        Raises
        ------
        TypeError, ValueError
            If X is not a finite, real (m, d) array.

        Examples
        --------
        >>> import kmtoolkit as km
        >>> result = km.gaussian_mixture([[-1.0], [1.0]], 1)
        >>> result.score_samples([[0.0], [1.0]]).round(4).tolist()
        [-0.9189, -1.4189]
        """
        return np.logaddexp.reduce(self.log_densities(X), axis=1)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The posterior probabilities of the components.

        Parameters
        ----------
        X : array-like of shape (m, d)
            Rows with the columns of the fit.

        Returns
        -------
        ndarray of shape (m, k), float64
            Probabilities; each row's add up to 1. For ``gaussian_mixture`` they are the responsibilities.

        Raises
        ------
        TypeError, ValueError
            If X is not a finite, real (m, d) array.

        Examples
        --------
        >>> import kmtoolkit as km
        >>> result = km.hard_em([[0.0], [1.0], [4.0], [5.0]], 2, covariance="tied", init_centers=[[0.0], [5.0]])
        >>> result.predict_proba([[2.5]]).round(6).tolist()
        [[0.5, 0.5]]
        """
        logs = self.log_densities(X)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def sample(self, n: int, *, rng: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Draw rows from the mixture.

        Parameters
        ----------
        n : int
            Rows to draw.
        rng : None, int, SeedSequence or Generator
            Source of randomness.

        Returns
        -------
        X : ndarray of shape (n, d), float64
            The rows.
        labels : ndarray of shape (n,), int32
            The component each row is of.

        Raises
        ------
        TypeError, ValueError
            If n is no int, or negative.

        Examples
        --------
        >>> import kmtoolkit as km
        >>> X, labels = km.gaussian_mixture(km.datasets.iris().X, 3, rng=0).sample(5, rng=0)
        >>> X.shape, labels.shape
        ((5, 4), (5,))
        """
        check_int("n", n, 0)
        generator, (k, d) = np.random.default_rng(rng), self.centers.shape
        labels = generator.choice(k, size=n, p=self.weights / self.weights.sum()).astype(np.int32)
        X, covariances = generator.standard_normal((n, d)), self._theta["covariances"]
        roots = np.linalg.cholesky(covariances) if covariances.ndim == 3 else np.sqrt(covariances)
        for j in range(k):
            mine, root = labels == j, roots[j if len(roots) == k else 0]
            X[mine] = self.centers[j] + (X[mine] @ root.T if root.ndim == 2 else X[mine] * root)
        return X, labels

    def summary(self) -> str:
        """A few lines for reading; see :meth:`Result.summary`.

        Returns
        -------
        str
            Those of every result, with the likelihood and the components at the floor.

        Examples
        --------
        >>> import kmtoolkit as km
        >>> print(km.gaussian_mixture(km.datasets.iris().X, 3, rng=0).summary())  # doctest: +ELLIPSIS
        3 clusters of 150 rows x 4 columns
        ...
        """
        head, *rest = super().summary().split("\n\n")
        head += f"\nlikelihood  log L = {self.log_likelihood:.10g}, BIC = {self.bic:.8g}, AIC = {self.aic:.8g}"
        if len(self.at_floor):
            head += f"\nat floor    {', '.join(map(str, self.at_floor))}: too few or too flat rows for a covariance"
        return "\n\n".join([head, *rest])

    @property
    def _model(self) -> GaussianMixture:
        assert isinstance(self.objective_model, GaussianMixture)
        return self.objective_model

    @property
    def _theta(self) -> Theta:
        """The parameters, in the shapes that the state has."""
        shape = shape_of(self.covariance_type, *self.centers.shape)
        return self._model.with_factors({**super()._theta, "covariances": self.covariances.reshape(shape)})
