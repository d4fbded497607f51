"""The assignment of hard EM: a row belongs to the component of the largest π N(x; μ, Σ) (Celeux and Govaert 1992).

Also known as classification EM. F = -Σ w (log π + log N(x; μ, Σ)) of each row's own component, the first of equals.
With one fixed variance for all and equal weights this is k-means. Time and memory are those of ``gaussian``.
"""

from dataclasses import dataclass

from kmtoolkit.assigners.gaussian import Gaussian
from kmtoolkit.mixture import HardGaussianMixture
from kmtoolkit.problem import MixtureState, Problem
from kmtoolkit.registry import assigner


@assigner("hard-gaussian", objective="hard-gaussian-mixture", reference="Celeux and Govaert 1992", cost="O(n k d²)")
@dataclass(frozen=True)
class HardGaussian(Gaussian):
    """Give each row to the component it most likely comes from.

    Parameters
    ----------
    covariance, floor
        As in :class:`~kmtoolkit.assigners.Gaussian`.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = [[0.0], [1.0], [9.0], [10.0]]
    >>> solver = km.Solver(assign=km.assigners.HardGaussian("diag"), update=("mean", "covariances", "weights"), rng=0)
    >>> sorted(solver.fit(X, 2).centers.ravel().tolist())
    [0.5, 9.5]
    """

    def __call__(self, problem: Problem, state: MixtureState) -> tuple[float, float]:
        return HardGaussianMixture.of(self).share(problem, state)
