"""k-means|| (Bahmani, Moseley, Vattani, Kumar and Vassilvitskii, PVLDB 5, 2012, algorithm 2): scalable k-means++.

A few rounds over the rows take the place of k. In each one, every row becomes a candidate with probability
min(1, l w D² / Σ w D²), independently of the others; D is the distance to the nearest candidate of the rounds before.
Greedy k-means++ then picks the seeds among the candidates, each with the weight of the rows that are nearest to it.
The paper proves its bound for O(log ψ) rounds, ψ the potential of the first seed, and finds 5 to be enough (section 5).
O(n l d · rounds) time, O(n) memory beside the candidates.
"""

import math
from dataclasses import dataclass

import numpy as np

from kmtoolkit.errors import check_int
from kmtoolkit.initializers.kmeans_plus_plus import KMeansPlusPlus
from kmtoolkit.kernels.closest import closest as nearest
from kmtoolkit.kernels.squared import distances_to, lower_closest
from kmtoolkit.problem import Problem, read_only
from kmtoolkit.registry import initializer
from kmtoolkit.sampling import draw, seed_scores


@initializer("kmeans-parallel", reference="Bahmani et al. 2012 (k-means||)", cost="O(n l d rounds)")
@dataclass(frozen=True)
class KMeansParallel:
    """Draw more candidates than seeds in a few rounds of D² sampling, and let k-means++ choose among them.

    Parameters
    ----------
    oversampling : float, optional
        How many rows a round is to draw on the average, l; 2k by default.
    rounds : int
        How many rounds; l · rounds should be k at least.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> seeding = km.initializers.KMeansParallel(oversampling=3, rounds=4)
    >>> km.Solver(seeding, rng=0, tol=0).fit([[1.0], [2.0], [8.0], [9.0]], 2).objective
    1.0
    """

    oversampling: float | None = None
    rounds: int = 5

    def __post_init__(self) -> None:
        factor = self.oversampling
        if isinstance(factor, bool) or not isinstance(factor, (int, float, np.integer, np.floating, type(None))):
            raise TypeError(
                f"oversampling is {factor!r} of type {type(factor).__name__}; it must be a real number or None"
            )
        if factor is not None and not (factor > 0 and math.isfinite(factor)):
            raise ValueError(f"oversampling is {factor}; it must be positive and finite")
        check_int("rounds", self.rounds, 1)

    def __call__(self, problem: Problem, rng: np.random.Generator) -> np.ndarray:
        X, weights, k = problem
        chosen, closest, mass = self._candidates(problem, rng)
        if len(chosen) >= k:
            candidates = Problem(read_only(X[chosen]), read_only(mass), k)
            return KMeansPlusPlus()(candidates, rng)
        while len(chosen) < k:
            chosen = np.append(chosen, draw(seed_scores(weights, closest, chosen), 1, rng))
            lower_closest(X, X[chosen[-1:]].astype(np.float64), closest)
        return X[chosen].astype(np.float64)

    def _candidates(self, problem: Problem, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The rows that are candidates, the squared distances (n,) to them, and the weight that is nearest to each."""
        X, weights, k = problem
        chosen = draw(weights, 1, rng)
        closest, owner = np.full(len(X), np.inf), np.zeros(len(X), np.int64)
        _enter(X, chosen, 0, closest, owner)
        for _ in range(self.rounds):
            scores = weights * closest
            chances = (self.oversampling or 2 * k) * (scores / (np.sum(scores) or 1.0))
            drawn = np.flatnonzero(rng.random(len(X)) < chances)
            if len(drawn):
                _enter(X, drawn, len(chosen), closest, owner)
                chosen = np.append(chosen, drawn)
        mass = np.bincount(owner, weights, len(chosen))
        return chosen[mass > 0], closest, mass[mass > 0]  # a candidate without rows coincides with another


def _enter(X: np.ndarray, drawn: np.ndarray, first: int, closest: np.ndarray, owner: np.ndarray) -> None:
    """Lower closest (n,) by the rows drawn, candidates from number ``first`` on; owner (n,) is the nearest."""
    centers, labels = X[drawn].astype(np.float64), np.empty(len(X), np.int32)
    nearest(X, centers, labels)
    distances = distances_to(X, centers, labels)
    nearer = distances < closest
    closest[nearer], owner[nearer] = distances[nearer], first + labels[nearer]
