"""Refill an empty cluster with a random row as fastkmeans does. O(n) time and memory."""

import numpy as np

from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import ANY, empty_handler
from kmtoolkit.sampling import draw


@empty_handler("random", objective=ANY, reference="fastkmeans", cost="O(n)")
def random(problem: Problem, state: State, d: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> int:
    """Draw a free row in proportion to its weight."""
    return int(draw(np.where(free, problem.sample_weight, 0.0), 1, rng)[0])
