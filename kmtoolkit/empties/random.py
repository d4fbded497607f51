"""Refill an empty cluster with a random row as fastkmeans does. O(n) time and memory."""

import numpy as np

from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import ANY, empty_handler


@empty_handler("random", objective=ANY, reference="fastkmeans", cost="O(n)")
def random(problem: Problem, state: State, d: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> int:
    """Draw a free row in proportion to its weight."""
    rows = np.flatnonzero(free)
    arrival = rng.exponential(size=len(rows)) / problem.sample_weight[rows]
    return int(rows[arrival.argmin()])
