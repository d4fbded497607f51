"""Refill an empty cluster with the row farthest from its center, as scikit-learn does (``_relocate_empty_clusters``).

A row of weight w is no farther than its w copies would be, so the weight does not count. O(n) time and memory.
"""

import numpy as np

from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import ANY, empty_handler


@empty_handler("farthest", objective=ANY, reference="scikit-learn", cost="O(n)")
def farthest(problem: Problem, state: State, d: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> int:
    """Take the free row with the largest d, the first of equals.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> result = km.Solver(empty="farthest", tol=0).fit([[1.0], [2.0], [8.0], [9.0]], 2, init_centers=[[4.0], [99.0]])
    >>> result.sizes.tolist()
    [2, 2]
    """
    return int(np.where(free, d, -1.0).argmax())
