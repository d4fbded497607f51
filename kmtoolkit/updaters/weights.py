"""The mixing weights π of soft k-means and of mixtures: each cluster's share of the mass.

With shares r of the rows fixed, Σ w r log π is largest at π = mass / total mass (Gibbs' inequality). A cluster without
mass gets the weight 0, and no row is shared with it any more. O(k) time, no memory.
"""

from kmtoolkit.problem import Problem, SoftState
from kmtoolkit.registry import updater


@updater("weights", objective=("soft-k-means", "gaussian-mixture", "hard-gaussian-mixture"),
         writes=("weights",), exact=True, reference="Dempster, Laird and Rubin 1977", cost="O(k)")  # fmt: skip
def weights(problem: Problem, state: SoftState) -> None:
    """Set each mixing weight to the cluster's share of the mass.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = [[0.0], [0.1], [0.2], [9.0]]
    >>> solver = km.Solver(assign=km.assigners.Softmax(beta=1.0), update=("mean", "weights"), rng=0)
    >>> sorted(solver.fit(X, 2).weights.round(6).tolist())
    [0.25, 0.75]
    """
    state.weights[:] = state.mass / state.mass.sum()
