"""Drawing rows at random, for initializers and handlers."""

import numpy as np

__all__ = ["draw", "seed_scores"]


def draw(scores: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw ``size`` indices, each in proportion to its score (n,); an index with score 0 is never drawn."""
    cumulative = scores / scores.max()
    np.cumsum(cumulative, out=cumulative)
    at = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    return np.minimum(at, np.searchsorted(cumulative, cumulative[-1]))


def seed_scores(weights: np.ndarray, closest: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Scores (n,) by which the seed after the rows ``chosen`` is drawn: w · D², D² the distance closest (n,) to them.

    If every row coincides with a seed, any other row will do: then the score is w, and 0 for those chosen.
    """
    scores = weights * closest
    if not scores.any():
        scores = weights.copy()
        scores[chosen] = 0.0
    return scores
