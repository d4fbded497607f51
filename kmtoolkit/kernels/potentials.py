"""What a round of k-means++ does to the rows: the distances to the nearest seed, and the potentials of candidates.

The potential Σ w · min(D², squared distance to a candidate) is kept by blocks of rows. One pass over the rows, in
tiles, does a round; a row whose nearest seed is nearer than any of the round's points can be is passed over.
"""

import numpy as np

from kmtoolkit.kernels.grid import sweep
from kmtoolkit.kernels.jit import inlined, jit, plain_python
from kmtoolkit.kernels.simd import SEED_GROUPS, SEED_VECTORS, pack_rows, potential_tile
from kmtoolkit.kernels.squared import squared_distance
from kmtoolkit.kernels.vectors import VECTOR_BYTES

__all__ = ["BLOCK", "add_up", "draw_rows", "open_round"]

BLOCK = 512  # rows whose potentials are kept as one sum
MOST = 0.75  # share of the rows of a block from which it is quicker to pass over none


@jit
def open_round(X, chosen, candidates, scale, share, seeds, points, reach):
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
def add_up(lo, hi, t, X, weights, weighted, scale, points, group, reach, latest, closest, owner, sums, passed):
    """Lower closest by points[0], seed ``latest``, and add up the potentials with each of points (m, d), in groups.

    sums (blocks, m) of blocks lo:hi of rows are of w · min(closest, squared distance to the point). Rows within
    reach[owner] of their seed are passed over, and counted in passed[t]: it is as near to them as any of the points.
    """
    (n, d), m, precision = X.shape, len(points), points.dtype
    owned, seed, spare = len(owner) > 0, np.int32(latest), VECTOR_BYTES // points.itemsize
    width = SEED_VECTORS * spare  # rows of a tile
    rows, lanes, near, heavy = _tile_room(d + spare, width, m, precision)
    nobody = np.zeros(width, np.int32)
    origin, here, left = np.zeros(d * spare, precision), np.empty(width, np.int64), np.empty(BLOCK, np.int64)
    safe = -1 if plain_python else n - 1 - (spare + d - 2) // d  # the last row that can be loaded in whole vectors
    for block in range(lo, hi):
        lanes[:] = 0.0
        first, last = block * BLOCK, min(block * BLOCK + BLOCK, n)
        many, sums[block] = last - first, 0.0
        if reach[0] >= 0:
            many = _beyond_reach(closest, owner, reach, first, last, left)
            passed[t] += last - first - many
        every = many > MOST * (last - first)
        if every:
            many = last - first
        else:
            sums[block] = _potential_of_others(weights, weighted, closest, left[:many], first, last)
        while many and (last - 1 if every else left[many - 1]) > safe:
            many, last = many - 1, last - 1
            i = last if every else left[many]
            _one_row(X, i, weights[i] if weighted else 1.0, scale, points, latest, closest, owner, sums[block])
        for start in range(0, many, width):
            size = min(width, many - start)
            if every and size == width:
                part = slice(first + start, first + start + width)
                pack_rows(X, first + start, origin, scale, rows, SEED_VECTORS)  # type: ignore[call-arg]
                if weighted:
                    heavy[:] = weights[part]
                mine = owner[part] if owned else nobody
                _add_tile(rows, points, closest[part], mine, seed, heavy, lanes, X, part.stop * d, group)
                continue
            for r in range(width):
                at = start + min(r, size - 1)
                i = here[r] = first + at if every else left[at]
                near[r] = closest[i]
                heavy[r] = (weights[i] if weighted else 1.0) if r < size else 0.0
            pack_rows(X, here, origin, scale, rows, SEED_VECTORS)  # type: ignore[call-arg]
            _add_tile(rows, points, near, nobody, seed, heavy, lanes, X, np.int64(0), group)
            heavy[:] = 1.0
            for r in range(size):
                if near[r] < closest[here[r]]:
                    closest[here[r]] = near[r]
                    if owned:
                        owner[here[r]] = seed
        _add_lanes(lanes, sums[block])


@inlined
def _add_tile(rows, points, closest, owner, seed, weights, lanes, X, ahead, group):
    """``potential_tile``, for whichever of SEED_GROUPS: its size is compiled in."""
    if group == SEED_GROUPS[0]:
        potential_tile(rows, points, closest, owner, seed, weights, lanes, X, ahead, SEED_VECTORS, SEED_GROUPS[0])  # type: ignore[call-arg]
    elif group == SEED_GROUPS[1]:
        potential_tile(rows, points, closest, owner, seed, weights, lanes, X, ahead, SEED_VECTORS, SEED_GROUPS[1])  # type: ignore[call-arg]
    else:
        potential_tile(rows, points, closest, owner, seed, weights, lanes, X, ahead, SEED_VECTORS, SEED_GROUPS[2])  # type: ignore[call-arg]


@jit
def _beyond_reach(closest, owner, reach, first, last, left):
    """Write the rows first to last that are farther from their seed than its reach to ``left``; how many they are."""
    many = 0
    for i in range(first, last):
        left[many] = i
        many += not closest[i] <= reach[owner[i]]
    return many


@jit
def _tile_room(features, width, m, precision):
    """Room for a tile of rows (features, width), potentials (m, width), distances (width,), and weights of 1."""
    rows, lanes = np.zeros((features, width), precision), np.empty((m, width), precision)
    return rows, lanes, np.empty(width, precision), np.ones(width, precision)


@jit
def _potential_of_others(weights, weighted, closest, left, first, last):
    """The sum of w · closest over the rows first to last that are not among ``left``, which is in order."""
    total, next_left = 0.0, 0
    for i in range(first, last):
        if next_left < len(left) and left[next_left] == i:
            next_left += 1
        else:
            total += closest[i] * (weights[i] if weighted else 1.0)
    return total


@jit
def _one_row(X, i, weight, scale, points, latest, closest, owner, sums):
    """The same as a tile of rows, for row i."""
    row = X[i : i + 1].astype(np.float64)
    row *= scale
    for j in range(len(points)):
        distance = squared_distance(points, j, row, np.int64(0))
        if j == 0 and distance < closest[i]:
            closest[i] = distance
            if len(owner):
                owner[i] = latest
        sums[j] += weight * min(closest[i], distance)


@jit
def _add_lanes(lanes, sums):
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
def draw_rows(X, weights, weighted, squared_scale, closest, latest, potentials, uniforms, rows):
    """Write a row for each of the uniforms, in proportion to w · min(closest, distance to latest (1, d))."""
    whole = potentials.sum()
    for u in range(len(uniforms)):
        left, at, rows[u] = uniforms[u] * whole, 0, 0
        for block in range(len(potentials)):
            if potentials[block] > 0:
                at = block
                if left < potentials[block]:
                    break
                left -= potentials[block]
        for i in range(at * BLOCK, min(at * BLOCK + BLOCK, len(X))):
            score = min(closest[i], squared_scale * squared_distance(X, i, latest, np.int64(0)))
            score *= weights[i] if weighted else 1.0
            if score > 0:
                rows[u] = i
                if left < score:
                    break
                left -= score
