"""Drawing rows at random, for initializers and handlers."""

import numpy as np

__all__ = ["draw"]


def draw(scores: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw ``size`` indices, each in proportion to its score (n,); an index with score 0 is never drawn."""
    cumulative = np.cumsum(scores / scores.max())
    at = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    return np.minimum(at, np.searchsorted(cumulative, cumulative[-1]))
