"""Greedy k-means++ (Arthur and Vassilvitskii, SODA 2007, section 2.2; the greedy form in section 7).

The first seed is drawn in proportion to w, each further one in proportion to w · D², D the distance to the
nearest seed so far. The greedy form draws several candidates a round and keeps the one that lowers the
potential Σ w D² most.

One pass over the rows does a round: it lowers D by the seed of the round before, and adds up the potential of each
candidate. A row whose nearest seed is at least 2 D from the new seed and from all candidates is passed over, because
none of them can be nearer (Raff, IJCAI 2021, section 3): the seeds are the same as without. The sums are kept by blocks
of rows, so that a row is drawn by looking at blocks, and then at the rows of one. O(n k d · trials) time, less where
clusters are apart; 12 bytes a row.
"""

from dataclasses import dataclass

import numpy as np

from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import jit
from kmtoolkit.kernels.simd import CENTER_LANES
from kmtoolkit.kernels.squared import in_lanes, row_distances, squared_distance
from kmtoolkit.problem import Problem
from kmtoolkit.registry import initializer
from kmtoolkit.sampling import draw, seed_scores

BLOCK = 256  # rows whose potentials are kept as one sum


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
        chosen, rounds = draw(weights, 1, rng), _Rounds(problem)
        potentials = rounds.run(chosen)[:, 0]
        while len(chosen) < k:
            if potentials.any():
                candidates = rounds.draw(chosen[-1], potentials, rng.random(trials))
            else:
                candidates = draw(seed_scores(weights, np.zeros(len(X)), chosen), trials, rng)
            if trials == 1:
                chosen = np.append(chosen, candidates)
                potentials = rounds.run(chosen)[:, 0]
            else:
                with_each = rounds.run(chosen, candidates)[:, 1 : 1 + trials]
                best = with_each.sum(axis=0).argmin()
                chosen = np.append(chosen, candidates[best])
                potentials = with_each[:, best]
        return X[chosen].astype(np.float64)


class _Rounds:
    """The rows' distances to their nearest seeds, and passes over them."""

    def __init__(self, problem: Problem) -> None:
        X, _, k = self.problem = problem
        self.closest = np.full(len(X), np.inf)  # squared
        self.owner = np.zeros(len(X), np.int32)  # the nearest seed
        self.seeds = np.empty((k, X.shape[1]))

    def run(self, chosen: np.ndarray, candidates: np.ndarray | None = None) -> np.ndarray:
        """Reckon with the latest of the chosen seeds; the potentials, by blocks.

        Returns sums of w · D², with the chosen seeds, and with each of the candidates in addition:
        (blocks, 1 + candidates, and more to fill vectors).
        """
        X, weights, _ = self.problem
        latest = len(chosen) - 1
        points = X[chosen[-1:] if candidates is None else np.append(chosen[-1], candidates)].astype(np.float64)
        self.seeds[latest] = points[0]
        features = in_lanes(points)
        reach = np.empty(len(chosen))
        _find_reach(self.seeds, features, len(points), reach)
        blocks = -(-len(X) // BLOCK)
        sums = np.empty((blocks, features.shape[1]))
        grid = cut(blocks, BLOCK * features.size // 4)
        _add_up(grid, X, weights, features, reach, latest, self.closest, self.owner, sums)
        return sums

    def draw(self, latest: int, potentials: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        """Draw rows in proportion to w · D², whose sums by blocks are ``potentials``; the latest seed is one of D's."""
        X, weights, _ = self.problem
        rows = np.empty(len(uniforms), np.int64)
        _draw(X, weights, self.closest, X[latest : latest + 1].astype(np.float64), potentials, uniforms, rows)
        return rows


@jit
def _find_reach(seeds, features, many, reach):
    """Write to reach (seeds,) a quarter of the squared distance of each seed to the nearest of ``many`` points.

    It is shortened by more than rounding can make of the distances.
    """
    distances = np.empty(features.shape[1])
    for s in range(len(reach)):
        for first in range(0, len(distances), CENTER_LANES):
            row_distances(seeds, s, features, first, distances)
        reach[s] = distances[:many].min() * (0.25 - (features.shape[0] + 8) * 1e-15)


@sweep
def _add_up(lo, hi, t, X, weights, features, reach, latest, closest, owner, sums):
    """Lower closest by the first point in lanes, seed ``latest``, and add up the potentials of blocks lo:hi of rows.

    sums (blocks, points in lanes) are of w · min(closest, distance to the point). A row within reach[owner] of its seed
    is as near to it as to any of the points.
    """
    many = features.shape[1]
    distances, total = np.empty(many), np.empty((4, many))
    for block in range(lo, hi):
        total[:] = 0.0
        passed = 0.0
        for i in range(block * BLOCK, min(block * BLOCK + BLOCK, len(X))):
            nearest, weight = closest[i], weights[i]
            if nearest <= reach[owner[i]]:
                passed += weight * nearest
                continue
            for first in range(0, many, CENTER_LANES):
                row_distances(X, i, features, first, distances)
            if distances[0] < nearest:
                nearest = closest[i] = distances[0]
                owner[i] = latest
            part = total[i & 3]  # four sums in turn, so that none waits for the row before
            for j in range(many):
                part[j] += weight * min(nearest, distances[j])
        for j in range(many):
            sums[block, j] = passed + ((total[0, j] + total[1, j]) + (total[2, j] + total[3, j]))


@jit
def _draw(X, weights, closest, latest, potentials, uniforms, rows):
    """Write a row for each of the uniforms, in proportion to w · min(closest, distance to latest (1, d))."""
    whole = potentials.sum()
    for u in range(len(uniforms)):
        left, at = uniforms[u] * whole, 0
        for block in range(len(potentials)):
            if potentials[block] > 0:
                at = block
                if left < potentials[block]:
                    break
                left -= potentials[block]
        for i in range(at * BLOCK, min(at * BLOCK + BLOCK, len(X))):
            score = weights[i] * min(closest[i], squared_distance(X, i, latest, 0))
            if score > 0:
                rows[u] = i
                if left < score:
                    break
                left -= score
