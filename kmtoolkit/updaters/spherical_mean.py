"""The direction of a cluster's mean, the best center of length 1 (Dhillon and Modha, Machine Learning 42, 2001).

With rows of length 1 and their sum S = Σ w x, F = Σ w - ⟨S, μ⟩ is least at μ = S / ‖S‖ (Cauchy-Schwarz). Where S is 0
all directions are equally good, and the center stays. O(k d) time, no memory.
"""

import numpy as np

from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import updater


@updater("spherical-mean", objective="cosine", reference="Dhillon and Modha 2001", cost="O(k d)")
def spherical_mean(problem: Problem, state: State) -> None:
    """Turn each center to the mean of its cluster.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> solver = km.Solver(assign="cosine", update="spherical-mean", rng=0)
    >>> solver.fit([[2.0, 0.0], [0.0, 7.0]], 1).centers.round(6).tolist()
    [[0.707107, 0.707107]]
    """
    sums = state.sums + state.mass[:, np.newaxis] * state.origin
    size = np.abs(sums).max(axis=1)
    live = (state.counts > 0) & (size > 0)
    scaled = sums[live] / size[live, np.newaxis]
    state.centers[live] = scaled / np.sqrt(np.square(scaled).sum(axis=1, keepdims=True))
