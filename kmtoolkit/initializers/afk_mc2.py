"""Seeds from Markov chains (Bachem, Lucic, Hassani and Krause, NIPS 2016, algorithm 1): AFK-MC².

One pass over the rows makes the proposal q(x) = w(D₁² / Σ w D₁² + 1 / Σ w) / 2, D₁ the distance to the first seed. Each
further seed is the last of a Metropolis-Hastings chain of m proposals. The longer the chains, the closer they come to
the law of k-means++, p(x) ∝ w D² with D the distance to the nearest seed. O(n d + m k² d) time, O(n + m k) memory.
"""

from dataclasses import dataclass

import numpy as np

from kmtoolkit.errors import check_int
from kmtoolkit.kernels.closest import closest as nearest
from kmtoolkit.kernels.squared import distances_to, lower_closest
from kmtoolkit.problem import Problem, read_only
from kmtoolkit.registry import initializer
from kmtoolkit.sampling import draw, seed_scores


@initializer("afk-mc2", reference="Bachem, Lucic, Hassani and Krause 2016", cost="O(n d + m k² d)")
@dataclass(frozen=True)
class AfkMc2:
    """Draw seeds by D² sampling, approximately: from Markov chains that look at few rows.

    Parameters
    ----------
    chain_length : int
        Rows that each chain looks at, m.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver(km.initializers.AfkMc2(chain_length=50), rng=0, tol=0).fit([[1.0], [2.0], [8.0], [9.0]], 2).objective
    1.0
    """

    chain_length: int = 200

    def __post_init__(self) -> None:
        check_int("chain_length", self.chain_length, 1)

    def __call__(self, problem: Problem, rng: np.random.Generator) -> np.ndarray:
        X, weights, k = problem
        chosen = draw(weights, 1, rng)
        closest = np.full(len(X), np.inf)
        lower_closest(X, X[chosen].astype(np.float64), closest)
        potential = np.sum(weights * closest) or 1.0
        proposal = weights * closest / potential + weights / np.sum(weights)
        shape = k - 1, self.chain_length
        proposed = draw(proposal, (k - 1) * self.chain_length, rng).reshape(shape)
        uniform = rng.random(shape)
        folded = 1  # seeds that closest knows of
        for rows, thresholds in zip(proposed, uniform, strict=True):
            target = weights[rows] * _distances(X[rows], X[chosen].astype(np.float64)) / potential
            importance = target / proposal[rows]  # p / q, but for a factor; at most 1, because D <= D₁
            last = _walk(importance, thresholds)
            seed = rows[last : last + 1]
            if importance[last] == 0:  # all proposals coincide with seeds: one draw by D² itself, over all rows
                for center in X[chosen[folded:]].astype(np.float64):
                    lower_closest(X, center[np.newaxis], closest)
                folded = len(chosen)
                seed = draw(seed_scores(weights, closest, chosen), 1, rng)
            chosen = np.append(chosen, seed)
        return X[chosen].astype(np.float64)


def _distances(rows: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Squared distances (m,) of rows (m, d) to their nearest centers (k, d)."""
    labels = np.empty(len(rows), np.int32)
    nearest(read_only(rows), centers, labels)
    return distances_to(read_only(rows), centers, labels)


def _walk(importance: np.ndarray, thresholds: np.ndarray) -> int:
    """Where a chain ends that starts at proposal 0, and moves to each next one with probability min(1, ratio)."""
    at, here = 0, importance[0]
    for step, (there, threshold) in enumerate(zip(importance.tolist(), thresholds.tolist(), strict=True)):
        if there > threshold * here:
            at, here = step, there
    return at
