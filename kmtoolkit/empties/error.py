"""Stop the fit at an empty cluster, as R's ``kmeans`` does."""

import numpy as np

from kmtoolkit.errors import EmptyClusterError
from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import ANY, empty_handler


@empty_handler("error", objective=ANY, repairs=False, reference="R's kmeans", cost="O(1)")
def error(problem: Problem, state: State, d: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> None:
    """Raise EmptyClusterError.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> try:
    ...     km.Solver(empty="error").fit([[1.0], [2.0], [8.0], [9.0]], 2, init_centers=[[4.0], [99.0]])
    ... except km.EmptyClusterError as error:
    ...     print(error)
    cluster 1 is empty; start elsewhere, lower k, or choose a handler that repairs
    """
    empty = ", ".join(map(str, np.flatnonzero(state.counts == 0)))
    raise EmptyClusterError(f"cluster {empty} is empty; start elsewhere, lower k, or choose a handler that repairs")
