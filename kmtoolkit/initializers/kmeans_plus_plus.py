"""Greedy k-means++ (Arthur and Vassilvitskii, SODA 2007, section 2.2; the greedy form in section 7).

The first seed is drawn in proportion to w, each further one in proportion to w · D², D the distance to the
nearest seed so far. The greedy form draws several candidates a round and keeps the one that lowers the
potential Σ w D² most.

One pass over the rows does a round: it lowers D by the seed of the round before, and adds up the potential of each
candidate. A row whose nearest seed is at least 2 D from the new seed and from all candidates is passed over, because
none of them can be nearer (Raff, IJCAI 2021, section 3): the seeds are the same as without. The sums are kept by blocks
of rows, so that a row is drawn by looking at blocks, and then at the rows of one. O(n k d · trials) time, less where
clusters are apart; 12 bytes a row at most.
"""

from dataclasses import dataclass

import numpy as np

from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import inlined, jit, plain_python
from kmtoolkit.kernels.simd import SEED_GROUPS, SEED_VECTORS, VECTOR_BYTES, pack_rows, potential_tile
from kmtoolkit.kernels.squared import squared_distance
from kmtoolkit.problem import Problem
from kmtoolkit.registry import initializer
from kmtoolkit.sampling import draw, seed_scores

BLOCK = 512  # rows whose potentials are kept as one sum
FEW_COLUMNS, MANY_SEEDS = 4, 300  # a distance costs less than a look, and rows are rarely passed over
LOOK_AGAIN = 8  # rounds after which to see again whether rows can be passed over
MOST = 0.75  # share of the rows of a block from which it is quicker to pass over none
NONE = np.empty(0, np.int64)
SMALLEST = 1e-25  # mean D², relative to the size of the rows, below which float32 may lose some to underflow


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
        rounds = _Rounds(problem)
        chosen = np.empty(k, np.int64)
        chosen[:1] = draw(weights, 1, rng)
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
        slack = (X.shape[1] + 8) * 4 * np.finfo(self.precision).eps
        _open_round(
            X, chosen, candidates, self.scale, max(0.25 - slack, 0.0) if look else -1.0, self.seeds, points, reach
        )
        sums = np.empty((-(-len(X) // BLOCK), len(points)))
        grid = cut(len(sums), BLOCK * several * X.shape[1] // 4)
        passed = np.zeros(grid.chunks, np.int64)
        _add_up(
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
        _draw(X, weights, self.weighted, self.scale**2, self.closest, seed, potentials, uniforms, rows)
        return rows


@jit
def _open_round(X, chosen, candidates, scale, share, seeds, points, reach):
    """Write the latest of the chosen rows of X (n, d) and the candidates, scaled, to points (m, d), the last again.

    The latest is added to seeds (k, d) too. If share is not negative, reach (chosen,) gets that share of the squared
    distance of each seed to the nearest of points: a quarter, shortened by more than rounding can make of it.
    """
    latest, several = len(chosen) - 1, 1 + len(candidates)
    exact = np.empty((several, X.shape[1]))
    for j in range(len(points)):
        row = chosen[latest] if j == 0 or several == 1 else candidates[min(j, several - 1) - 1]
        for f in range(X.shape[1]):
            points[j, f] = value = X[row, f] * scale
            if j < several:
                exact[j, f] = value
            if j == 0:
                seeds[latest, f] = value
    for s in range(len(reach) if share >= 0 else 0):
        nearest = np.inf
        for j in range(several):
            nearest = min(nearest, squared_distance(seeds, s, exact, j))
        reach[s] = nearest * share


@sweep
def _add_up(lo, hi, t, X, weights, weighted, scale, points, group, reach, latest, closest, owner, sums, passed):
    """Lower closest by points[0], seed ``latest``, and add up the potentials with each of points (m, d), in groups.

    sums (blocks, m) of blocks lo:hi of rows are of w · min(closest, squared distance to the point). Rows within
    reach[owner] of their seed are passed over, and counted in passed[t]: it is as near to them as any of the points.
    """
    (n, d), m, precision = X.shape, len(points), points.dtype
    owned, seed, spare = len(owner) > 0, np.int32(latest), VECTOR_BYTES // points.itemsize
    width = SEED_VECTORS * spare  # rows of a tile
    rows, lanes, near, heavy = tile_room(d + spare, width, m, precision)
    nobody = np.zeros(width, np.int32)
    origin, here, left = np.zeros(d * spare, precision), np.empty(width, np.int64), np.empty(BLOCK, np.int64)
    safe = -1 if plain_python else n - 1 - (spare + d - 2) // d  # the last row that can be loaded in whole vectors
    for block in range(lo, hi):
        lanes[:] = 0.0
        first, last = block * BLOCK, min(block * BLOCK + BLOCK, n)
        many, sums[block] = last - first, 0.0
        if reach[0] >= 0:
            many = beyond_reach(closest, owner, reach, first, last, left)
            passed[t] += last - first - many
        every = many > MOST * (last - first)
        if every:
            many = last - first
        else:
            sums[block] = potential_of_others(weights, weighted, closest, left[:many], first, last)
        while many and (last - 1 if every else left[many - 1]) > safe:
            many, last = many - 1, last - 1
            i = last if every else left[many]
            one_row(X, i, weights[i] if weighted else 1.0, scale, points, latest, closest, owner, sums[block])
        for start in range(0, many, width):
            size = min(width, many - start)
            if every and size == width:
                part = slice(first + start, first + start + width)
                pack_rows(X, first + start, origin, scale, rows, SEED_VECTORS)  # type: ignore[call-arg]
                if weighted:
                    heavy[:] = weights[part]
                add_tile(
                    rows,
                    points,
                    closest[part],
                    owner[part] if owned else nobody,
                    seed,
                    heavy,
                    lanes,
                    X,
                    (part.stop) * d,
                    group,
                )
                continue
            for r in range(width):
                at = start + min(r, size - 1)
                i = here[r] = first + at if every else left[at]
                near[r] = closest[i]
                heavy[r] = (weights[i] if weighted else 1.0) if r < size else 0.0
            pack_rows(X, here, origin, scale, rows, SEED_VECTORS)  # type: ignore[call-arg]
            add_tile(rows, points, near, nobody, seed, heavy, lanes, X, 0, group)
            heavy[:] = 1.0
            for r in range(size):
                if near[r] < closest[here[r]]:
                    closest[here[r]] = near[r]
                    if owned:
                        owner[here[r]] = seed
        add_lanes(lanes, sums[block])


@inlined
def add_tile(rows, points, closest, owner, seed, weights, lanes, X, ahead, group):
    """``potential_tile``, for whichever of SEED_GROUPS: its size is compiled in."""
    if group == SEED_GROUPS[0]:
        potential_tile(rows, points, closest, owner, seed, weights, lanes, X, ahead, SEED_VECTORS, SEED_GROUPS[0])  # type: ignore[call-arg]
    elif group == SEED_GROUPS[1]:
        potential_tile(rows, points, closest, owner, seed, weights, lanes, X, ahead, SEED_VECTORS, SEED_GROUPS[1])  # type: ignore[call-arg]
    else:
        potential_tile(rows, points, closest, owner, seed, weights, lanes, X, ahead, SEED_VECTORS, SEED_GROUPS[2])  # type: ignore[call-arg]


@jit
def beyond_reach(closest, owner, reach, first, last, left):
    """Write the rows first to last that are farther from their seed than its reach to ``left``; how many they are."""
    many = 0
    for i in range(first, last):
        left[many] = i
        many += not closest[i] <= reach[owner[i]]
    return many


@jit
def tile_room(features, width, m, precision):
    """Room for a tile of rows (features, width), potentials (m, width), distances (width,), and weights of 1."""
    rows, lanes = np.zeros((features, width), precision), np.empty((m, width), precision)
    return rows, lanes, np.empty(width, precision), np.ones(width, precision)


@jit
def potential_of_others(weights, weighted, closest, left, first, last):
    """The sum of w · closest over the rows first to last that are not among ``left``, which is in order."""
    total, next_left = 0.0, 0
    for i in range(first, last):
        if next_left < len(left) and left[next_left] == i:
            next_left += 1
        else:
            total += closest[i] * (weights[i] if weighted else 1.0)
    return total


@jit
def one_row(X, i, weight, scale, points, latest, closest, owner, sums):
    """The same as a tile of rows, for row i."""
    row = X[i : i + 1].astype(np.float64)
    row *= scale
    for j in range(len(points)):
        distance = squared_distance(row, 0, points, j)
        if j == 0 and distance < closest[i]:
            closest[i] = distance
            if len(owner):
                owner[i] = latest
        sums[j] += weight * min(closest[i], distance)


@jit
def add_lanes(lanes, sums):
    """Add the lanes (m, a power of two), halving them by turns, to sums (m,)."""
    half = lanes.shape[1]
    while half > 1:
        half //= 2
        for j in range(len(lanes)):
            for lane in range(half):
                lanes[j, lane] += lanes[j, lane + half]
    for j in range(len(lanes)):
        sums[j] += lanes[j, 0]


@jit
def _draw(X, weights, weighted, squared_scale, closest, latest, potentials, uniforms, rows):
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
            score = min(closest[i], squared_scale * squared_distance(X, i, latest, 0))
            score *= weights[i] if weighted else 1.0
            if score > 0:
                rows[u] = i
                if left < score:
                    break
                left -= score
