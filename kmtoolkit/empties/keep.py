"""Leave empty clusters empty: their centers stay where they are, and rows may come to them later.

What ELKI does. O(1).
"""

import numpy as np

from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import ANY, empty_handler


@empty_handler("keep", objective=ANY, repairs=False, reference="ELKI", cost="O(1)")
def keep(problem: Problem, state: State, d: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> None:
    """Leave the cluster empty.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver(empty="keep").fit([[1.0], [2.0], [8.0], [9.0]], 2, init_centers=[[4.0], [99.0]]).empty.tolist()
    [1]
    """
