"""Rows drawn at random without replacement (Forgy, Biometrics 21, 1965, p. 768).

A row of weight w is as likely as w copies of it to be drawn next: exponential races, the k smallest of e/w
(Efraimidis and Spirakis, Information Processing Letters 97, 2006). O(n log n) time, O(n) memory.
"""

import numpy as np

from kmtoolkit.problem import Problem
from kmtoolkit.registry import ANY, initializer


@initializer("random", objective=ANY, reference="Forgy 1965", cost="O(n log n)")
def random(problem: Problem, rng: np.random.Generator) -> np.ndarray:
    """Take k different rows as centers, each with a probability in proportion to its weight.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver("random", rng=0, tol=0).fit([[1.0], [2.0], [8.0], [9.0]], 2).objective
    1.0
    """
    arrival = rng.exponential(size=len(problem.X)) / problem.sample_weight
    return problem.X[np.argsort(arrival, kind="stable")[: problem.k]].astype(np.float64)
