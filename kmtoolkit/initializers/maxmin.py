"""Farthest-first traversal (Gonzalez, Theoretical Computer Science 38, 1985, p. 296).

The first seed is drawn in proportion to w; each further one is the row farthest from its nearest seed, the
first of equals. Good for well-separated clusters, and drawn to outliers. O(n k d) time, O(n) memory.
"""

import numpy as np

from kmtoolkit.kernels.squared import lower_closest
from kmtoolkit.problem import Problem
from kmtoolkit.registry import initializer
from kmtoolkit.sampling import draw


@initializer("maxmin", reference="Gonzalez 1985", cost="O(n k d)")
def maxmin(problem: Problem, rng: np.random.Generator) -> np.ndarray:
    """Seed with the row farthest from all seeds so far, k - 1 times.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver("maxmin", rng=0, tol=0).fit([[1.0], [2.0], [8.0], [9.0]], 2).objective
    1.0
    """
    X, weights, k = problem
    chosen = draw(weights, 1, rng)
    closest = np.full(len(X), np.inf)
    while len(chosen) < k:
        lower_closest(X, X[chosen[-1:]].astype(np.float64), closest)
        closest[chosen] = -np.inf  # rows that coincide with a seed come last, the seeds themselves never
        chosen = np.append(chosen, closest.argmax())
    return X[chosen].astype(np.float64)
