"""Split the cluster with the largest objective: its farthest row becomes the center of the empty cluster.

In the spirit of mlpack's ``MaxVarianceNewCluster`` and of faiss, which splits big clusters. O(n) time and memory.
"""

import numpy as np

from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import ANY, empty_handler


@empty_handler("split", objective=ANY, reference="mlpack, faiss", cost="O(n)")
def split(problem: Problem, state: State, d: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> int:
    """Take the row farthest from its center in the cluster with the largest Σ w · d.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> result = km.Solver(empty="split", tol=0).fit([[1.0], [2.0], [8.0], [9.0]], 2, init_centers=[[4.0], [99.0]])
    >>> result.sizes.tolist()
    [2, 2]
    """
    cost = np.bincount(state.labels, problem.sample_weight * d, problem.k)
    cost[np.bincount(state.labels, free, problem.k) == 0] = -1.0
    return int(np.where(free & (state.labels == cost.argmax()), d, -1.0).argmax())
