"""Refill an empty cluster with the row that costs most, as scikit-learn relocates (``_relocate_empty_clusters``).

The cost of a row is w · d, by which F falls when the row becomes a center. O(n) time and memory.
"""

import numpy as np

from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import ANY, empty_handler


@empty_handler("farthest", objective=ANY, reference="scikit-learn", cost="O(n)")
def farthest(problem: Problem, state: State, d: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> int:
    """Take the free row with the largest w · d, the first of equals."""
    return int(np.where(free, problem.sample_weight * d, -1.0).argmax())
