"""Greedy k-means++ (Arthur and Vassilvitskii, SODA 2007, section 2.2; the greedy form in section 7).

The first seed is drawn in proportion to w, each further one in proportion to w · D², D the distance to the
nearest seed so far. The greedy form draws several candidates a round and keeps the one that lowers the
potential Σ w D² most. O(n k d · trials) time, O(n) memory.
"""

from dataclasses import dataclass

import numpy as np

from kmtoolkit.kernels.squared import lower_closest, potentials
from kmtoolkit.problem import Problem
from kmtoolkit.registry import initializer
from kmtoolkit.sampling import draw, seed_scores


@initializer("k-means++", reference="Arthur and Vassilvitskii 2007", cost="O(n k d trials)")
@dataclass(frozen=True)
class KMeansPlusPlus:
    """Draw seeds by D² sampling, the best of several candidates each round.

    Parameters
    ----------
    trials : int, optional
        Candidates per round; 2 + ⌊ln k⌋ by default. 1 is the original k-means++, whose O(log k) bound is proved.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> seeding = km.initializers.KMeansPlusPlus(trials=1)
    >>> km.Solver(seeding, rng=0, tol=0).fit([[1.0], [2.0], [8.0], [9.0]], 2).objective
    1.0
    """

    trials: int | None = None

    def __post_init__(self) -> None:
        if self.trials is not None and (
            isinstance(self.trials, bool) or not isinstance(self.trials, (int, np.integer))
        ):
            raise TypeError(
                f"trials is {self.trials!r} of type {type(self.trials).__name__}; it must be an int or None"
            )
        if self.trials is not None and self.trials < 1:
            raise ValueError(f"trials is {self.trials}; it must be at least 1")

    def __call__(self, problem: Problem, rng: np.random.Generator) -> np.ndarray:
        X, weights, k = problem
        trials = self.trials or 2 + int(np.log(k))
        chosen = draw(weights, 1, rng)
        closest = np.full(len(X), np.inf)
        while True:
            lower_closest(X, X[chosen[-1:]].astype(np.float64), closest)
            if len(chosen) == k:
                return X[chosen].astype(np.float64)
            candidates = draw(seed_scores(weights, closest, chosen), trials, rng)
            if trials > 1:
                best = potentials(X, weights, closest, X[candidates].astype(np.float64)).argmin()
                candidates = candidates[best : best + 1]
            chosen = np.append(chosen, candidates)
