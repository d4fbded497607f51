"""Remove empty clusters: the others are renumbered in order, k shrinks, F and the partition stay as they are.

What mlpack's ``KillEmptyClusters`` does; O(n). A policy of the Solver, declared by ``drops=True``: the function
itself leaves clusters empty.
"""

import numpy as np

from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import ANY, empty_handler


@empty_handler("drop", objective=ANY, repairs=False, drops=True, reference="mlpack", cost="O(n)")
def drop(problem: Problem, state: State, d: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> None:
    """Remove the cluster.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver(empty="drop").fit([[1.0], [2.0], [8.0], [9.0]], 2, init_centers=[[4.0], [99.0]]).centers.tolist()
    [[5.0]]
    """
