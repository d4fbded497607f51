"""Refill an empty cluster with a random row as fastkmeans does. O(n) time and memory."""

import numpy as np

from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import ANY, empty_handler
from kmtoolkit.sampling import draw


@empty_handler("random", objective=ANY, reference="fastkmeans", cost="O(n)")
def random(problem: Problem, state: State, d: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> int:
    """Draw a free row in proportion to its weight.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> solver = km.Solver(empty="random", tol=0, rng=0)
    >>> result = solver.fit([[1.0], [2.0], [8.0], [9.0]], 2, init_centers=[[4.0], [99.0]])
    >>> result.sizes.tolist()
    [2, 2]
    """
    return int(draw(np.where(free, problem.sample_weight, 0.0), 1, rng)[0])
