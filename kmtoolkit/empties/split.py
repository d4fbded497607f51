"""Split the cluster with the largest objective: its costliest row becomes the center of the empty cluster.

In the spirit of mlpack's ``MaxVarianceNewCluster`` and of faiss, which splits big clusters. O(n) time and memory.
"""

import numpy as np

from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import ANY, empty_handler


@empty_handler("split", objective=ANY, reference="mlpack, faiss", cost="O(n)")
def split(problem: Problem, state: State, d: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> int:
    """Take the row with the largest w · d from the cluster that costs most."""
    cost = np.where(free, problem.sample_weight * d, 0.0)
    total = np.bincount(state.labels, cost, problem.k)
    total[np.bincount(state.labels, free, problem.k) == 0] = -1.0
    return int(np.where(free & (state.labels == total.argmax()), cost, -1.0).argmax())
