"""The covariances of Gaussian components: the moments about the centers, at least the floor.

For centers and shares of rows that stay as they are, Σ = scatter / mass maximizes the likelihood. Of all that are at
least diag(floor) it is the same with its eigenvalues, in units of the floor, raised to 1 where they are less. Tied
covariances are of all scatter together, spherical ones the mean of the diagonal. A component without mass keeps its
covariance. O(k d²) time, O(k d³) where the floor is near; O(k d²) memory.
"""

from kmtoolkit.kernels.covariance import above_floor
from kmtoolkit.problem import MixtureState, Problem
from kmtoolkit.registry import updater


@updater("covariances", objective=("gaussian-mixture", "hard-gaussian-mixture"), writes=("covariances",), exact=True,
         reference="Dempster, Laird and Rubin 1977", cost="O(k d²)")  # fmt: skip
def covariances(problem: Problem, state: MixtureState) -> None:
    """Set each covariance to the mean product of differences from the center.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> solver = km.Solver(assign=km.assigners.Gaussian("tied"), update=("mean", "covariances"), rng=0)
    >>> solver.fit([[0.0], [2.0], [4.0]], 1).covariances.round(6).tolist()
    [[2.666667]]
    """
    scatter, mass = state.scatter, state.mass
    if len(state.covariances) < len(mass):
        scatter, mass = scatter.sum(axis=0, keepdims=True), mass.sum(keepdims=True)
    live = mass > 0
    mean = scatter[live] / mass[live].reshape(-1, *(1,) * (scatter.ndim - 1))
    if mean.shape[1:] == (1,):
        mean /= state.centers.shape[1]
    state.covariances[live] = above_floor(mean, state.floor)
