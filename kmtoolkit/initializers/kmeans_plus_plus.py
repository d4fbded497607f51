"""Greedy k-means++ (Arthur and Vassilvitskii, SODA 2007, section 2.2; the greedy form in section 7).

The first seed is drawn in proportion to w, each further one in proportion to w · D², D the distance to the
nearest seed so far. The greedy form draws several candidates a round and keeps the one that lowers the
potential Σ w D² most.

One pass over the rows does a round: it lowers D by the seed of the round before, and adds up the potential of each
candidate. A row whose nearest seed is at least 2 D from the new seed and from all candidates is passed over, because
none of them can be nearer (Raff, IJCAI 2021, section 3): the seeds are the same as without, unless candidates tie
within rounding. The sums are kept by blocks of rows, so that a row is drawn by looking at blocks, and then at the rows
of one. O(n k d · trials) time, less where clusters are apart; 12 bytes a row at most, and 8 for the first draw.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kmtoolkit.divergences import Divergence
from kmtoolkit.kernels.grid import cut
from kmtoolkit.kernels.jit import plain_python
from kmtoolkit.kernels.potentials import BLOCK, add_up, draw_rows, open_round
from kmtoolkit.kernels.simd import SEED_GROUPS
from kmtoolkit.objectives import SquaredEuclidean
from kmtoolkit.problem import Problem
from kmtoolkit.registry import HARD, initializer
from kmtoolkit.sampling import draw, seed_scores

FEW_COLUMNS, MANY_SEEDS = 4, 300  # a distance costs less than a look, and rows are rarely passed over
LOOK_AGAIN = 8  # rounds after which to see again whether rows can be passed over
NONE = np.empty(0, np.int64)
SMALLEST = 1e-25  # mean D², relative to the size of the rows, below which float32 may lose some to underflow


@initializer("k-means++", objective=HARD, reference="Arthur and Vassilvitskii 2007", cost="O(n k d trials)")
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

    def under(self, objective: SquaredEuclidean) -> Any:
        """What draws seeds by the divergence of an objective."""
        return Spread(objective, self.trials) if isinstance(objective, Divergence) else self

    def __call__(self, problem: Problem, rng: np.random.Generator) -> np.ndarray:
        X, weights, k = problem
        trials = self.trials or 2 + int(np.log(k))
        chosen = np.empty(k, np.int64)
        chosen[:1] = draw(weights, 1, rng)
        rounds = _Rounds(problem)
        potentials = rounds.run(chosen[:1])[:, 0]
        for many in range(1, k):
            if potentials.any():
                candidates = rounds.draw(chosen[many - 1], potentials, rng.random(trials))
            else:
                candidates = draw(seed_scores(weights, np.zeros(len(X)), chosen[:many]), trials, rng)
            if trials == 1:
                chosen[many] = candidates[0]
                potentials = rounds.run(chosen[: many + 1])[:, 0]
            else:
                with_each = rounds.run(chosen[:many], candidates)[:, 1:]
                best = with_each.sum(axis=0).argmin()
                chosen[many] = candidates[best]
                potentials = with_each[:, best]
        return X[chosen].astype(np.float64)


@dataclass(frozen=True)
class Spread:
    """The same by a divergence D(x, seed) in place of D² (Ackermann and Blömer, SODA 2009); O(n) memory."""

    objective: Divergence
    trials: int | None = None

    def __call__(self, problem: Problem, rng: np.random.Generator) -> np.ndarray:
        X, weights, k = problem
        trials = self.trials or 2 + int(np.log(k))
        chosen = draw(weights, 1, rng)
        closest = self.from_rows(X, chosen)[0].copy()
        while len(chosen) < k:
            closest[chosen] = 0.0  # though centers on them may have been moved a little, into the domain
            candidates = draw(seed_scores(weights, closest, chosen), trials, rng)
            with_each = np.minimum(closest, self.from_rows(X, candidates))
            best = int((with_each @ weights).argmin())
            chosen, closest = np.append(chosen, candidates[best]), with_each[best]
        return X[chosen].astype(np.float64)

    def from_rows(self, X: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Divergences (m, n) of all rows from centers on some of them."""
        centers = X[rows].astype(np.float64)
        self.objective.project(centers)
        return self.objective.between(X, centers)


class _Rounds:
    """The rows' distances to their nearest seeds, and passes over them.

    Float32 rows of equal weight are measured in float32: seeds are rows, so differences lose nothing but their own last
    digit. Where squares come near to the end of its range, float64 takes over.
    """

    def __init__(self, problem: Problem) -> None:
        X, weights, k = self.problem = problem
        self.weighted = bool(weights.min() != weights.max())
        self.precision = np.dtype(np.float64 if self.weighted or plain_python else X.dtype)
        size = max(float(X.max()), -float(X.min())) if self.precision == np.float32 else 0.0
        self.scale = 2.0 ** -np.frexp(size)[1] if size > 2.0**-120 else 1.0
        self.closest = np.full(len(X), np.inf, self.precision)  # squared and scaled
        self.passing = X.shape[1] > FEW_COLUMNS or k > MANY_SEEDS  # whether it pays to look for rows to pass over
        self.owner = np.zeros(len(X) if self.passing else 0, np.int32)  # the nearest seed
        self.seeds = np.empty((k, X.shape[1]))
        slack = (X.shape[1] + 8) * 4 * float(np.finfo(self.precision).eps)
        self.share = max(0.25 - slack, 0.0)  # of the squared distance of two seeds, within which rows are passed over

    def run(self, chosen: np.ndarray, candidates: np.ndarray = NONE) -> np.ndarray:
        """Reckon with the latest of the chosen seeds; the potentials, by blocks.

        Returns sums of w · D², with the chosen seeds, and with each of the candidates in addition:
        (blocks, 1 + candidates).
        """
        X, weights, _ = self.problem
        latest, several = len(chosen) - 1, 1 + len(candidates)
        group = min(SEED_GROUPS, key=lambda size: -several % size)
        points = np.empty((several + -several % group, X.shape[1]), self.precision)
        reach = np.full(len(chosen), -1.0)
        look = len(self.owner) and (self.passing or latest % LOOK_AGAIN == 0)
        open_round(X, chosen, candidates, self.scale, self.share if look else -1.0, self.seeds, points, reach)
        sums = np.empty((-(-len(X) // BLOCK), len(points)))
        grid = cut(len(sums), BLOCK * several * X.shape[1] // 4)
        passed = np.zeros(grid.chunks, np.int64)
        add_up(
            grid, X, weights, self.weighted, self.precision.type(self.scale), points, group, reach,
            latest, self.closest, self.owner, sums, passed,
        )  # fmt: skip
        self.passing = 4 * passed.sum() > 3 * len(X)
        if self.precision == np.float32 and not sums.sum(axis=0).min() > len(X) * SMALLEST:
            return self.again_in_double(chosen, candidates)
        return sums[:, :several]

    def again_in_double(self, chosen: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """What ``run`` returns, from scratch in float64 and so from now on."""
        self.precision, self.scale, self.closest = np.dtype(np.float64), 1.0, np.full(len(self.closest), np.inf)
        self.owner[:] = 0
        for many in range(1, len(chosen)):
            self.run(chosen[:many])
        return self.run(chosen, candidates)

    def draw(self, latest: int, potentials: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        """Draw rows in proportion to w · D², whose sums by blocks are ``potentials``; the latest seed is one of D's."""
        X, weights, _ = self.problem
        rows, seed = np.empty(len(uniforms), np.int64), X[latest : latest + 1].astype(np.float64)
        draw_rows(X, weights, self.weighted, self.scale**2, self.closest, seed, potentials, uniforms, rows)
        return rows
