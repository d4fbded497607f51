"""Random points of the data's bounding box, as in Steinhaus (Bull. Acad. Polon. Sci. IV, 1956).

The points need not be near any row, so clusters may start empty: the handler then decides. O(n d) time.
"""

import numpy as np

from kmtoolkit.problem import Problem
from kmtoolkit.registry import ANY, initializer


@initializer("uniform", objective=ANY, reference="Steinhaus 1956", cost="O(n d)")
def uniform(problem: Problem, rng: np.random.Generator) -> np.ndarray:
    """Draw k points uniformly from the bounding box of the rows.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver("uniform", rng=0, tol=0).fit([[1.0], [2.0], [8.0], [9.0]], 2).objective
    1.0
    """
    low, high = problem.X.min(axis=0).astype(np.float64), problem.X.max(axis=0).astype(np.float64)
    return low + rng.random((problem.k, problem.X.shape[1])) * (high - low)
