"""Means of a random partition (Hamerly and Elkan, CIKM 2002, compare it with random rows).

Every row goes to a cluster at random, as a whole whatever its weight, except that k different rows hold one cluster
each, so that no mean is undefined. The means lie close together near the mean of all rows. O(n d) time and memory.
"""

import numpy as np

from kmtoolkit.problem import Problem
from kmtoolkit.registry import initializer


@initializer("random-partition", reference="Hamerly and Elkan 2002", cost="O(n d)")
def random_partition(problem: Problem, rng: np.random.Generator) -> np.ndarray:
    """Assign the rows at random and take the weighted means.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver("random-partition", rng=0, tol=0).fit([[1.0], [2.0], [8.0], [9.0]], 2).objective
    1.0
    """
    X, weights, k = problem
    labels = rng.integers(k, size=len(X))
    labels[rng.permutation(len(X))[:k]] = np.arange(k)
    heaviest = np.zeros(k)
    np.maximum.at(heaviest, labels, weights)
    weights = weights / heaviest[labels]  # however light a part is beside another
    first = X[0].astype(np.float64)  # sums about a row: no cancellation when the data are far from 0
    mass = np.bincount(labels, weights, k)
    sums = [np.bincount(labels, weights * (X[:, f] - first[f]), k) for f in range(X.shape[1])]
    return first + np.column_stack(sums) / mass[:, None]
