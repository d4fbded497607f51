"""The E-step of Gaussian mixtures: a row is shared among the components by π N(x; μ, Σ) (Dempster, Laird, Rubin 1977).

The shares r are the posterior probabilities of the components. With them, F = -Σ w r (log π + log N(x; μ, Σ) - log r)
is as small as it can be: minus the log-likelihood (Neal and Hinton, A view of the EM algorithm, 1998). They are
computed from logarithms relative to the best component, so far rows do not vanish; a share below exp(-708) is 0. A
density is that of z = L (x - μ), L the inverse of the Cholesky factor of Σ. Moments are taken about the components' own
centers. O(n k d²) time with matrices, O(n k d) without. Shares are not kept: O(k d²) or O(k d) memory a chunk of rows.
"""

from dataclasses import dataclass

from kmtoolkit.errors import check_choice, check_real
from kmtoolkit.mixture import COVARIANCES, GaussianMixture
from kmtoolkit.problem import MixtureState, Problem, Work
from kmtoolkit.registry import assigner


@assigner("gaussian", objective="gaussian-mixture", reference="Dempster, Laird and Rubin 1977", cost="O(n k d²)")
@dataclass(frozen=True)
class Gaussian:
    """Share each row among all components, by their posterior probabilities.

    Parameters
    ----------
    covariance : {"full", "tied", "diag", "spherical", "tied-spherical"}
        Each component has a matrix, all have the same, each has a diagonal, a variance, or all have the same.
    floor : float
        The least that covariances may be, as a share of the columns' variances, from 0 to 1: Σ ⪰ floor · diag(var).
        0 leaves what floats can tell from singular.

    Raises
    ------
    TypeError, ValueError
        If a parameter breaks its rule.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = [[0.0], [1.0], [9.0], [10.0]]
    >>> solver = km.Solver(assign=km.assigners.Gaussian("diag"), update=("mean", "covariances", "weights"), rng=0)
    >>> solver.fit(X, 2).covariances.round(6).tolist()
    [[0.25], [0.25]]
    """

    covariance: str = "full"
    floor: float = 1e-6

    def __post_init__(self) -> None:
        check_choice("covariance", self.covariance, COVARIANCES)
        check_real("floor", self.floor)
        if self.floor > 1:
            raise ValueError(f"floor is {self.floor}; it must be at most 1, the variances of the columns")

    def __call__(self, problem: Problem, state: MixtureState) -> tuple[float, float]:
        return GaussianMixture.of(self).share(problem, state)

    def work(self, problem: Problem) -> Work:
        """All distances of all rows."""
        n = len(problem.X)
        return Work(distances=n * problem.k, survivors=n, memory=0)
