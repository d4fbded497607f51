"""The centers near each center, in lanes, and how much nearer they may have come since a row was compared.

For each center the nearest others are listed in groups of CENTER_LANES, by distance. A list is made anew only when its
center, or one that is not listed, has moved far enough for the list to be incomplete; until then only the coordinates
and distances of those that are listed are brought up to date.

Drifts. A row of cluster a may claim a margin: no other center is as near as its own and the margin. The claim is kept
below reach - 2u as well, where u is the distance to its own center. So a center that is farther from a than ``reach``
is no danger as long as the claim is positive, and only the shifts of those within reach count, not the largest shift
of all. The reach of a center may grow at any time; what it shrinks by is added to the drift.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kmtoolkit.kernels import lanes
from kmtoolkit.kernels.bounds import UNDERFLOW, slack, two_farthest, up
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import inlined, jit, plain_python
from kmtoolkit.kernels.lanes import CENTER_LANES
from kmtoolkit.kernels.squared import in_lanes, row_distances, squared_distance

__all__ = ["Neighbors", "at_least", "at_most", "new_neighbors", "two_nearest", "update"]

NOBODY = 2**31 - 1  # the name of a lane that is free
KEPT, TIGHT = 0.9, 0.97  # a reach is so much of what the list covers: at first, and at most


class Neighbors(NamedTuple):
    """Lists of near centers."""

    names: np.ndarray  # (k · groups, CENTER_LANES) int32: the centers of each list, nearer groups first
    lists: np.ndarray  # (k · groups, d, CENTER_LANES): these centers in lanes
    beyond: np.ndarray  # (k, groups): centers that are not in the first groups, 1 or more, are not nearer than this
    covered: np.ndarray  # (k,): centers that are not listed are not nearer than this
    reach: np.ndarray  # (k,): centers beyond it are out of the question while a claim is positive
    drift: np.ndarray  # (k,): how much claims have shrunk
    rounded: np.ndarray  # (k,) float32: not below it


def new_neighbors(k: int, d: int, most: int) -> Neighbors:
    """Lists, yet empty, of up to ``most`` neighbors of k centers."""
    groups = max(-(-min(most, k - 1) // CENTER_LANES), 1)
    return Neighbors(
        np.full((k * groups, CENTER_LANES), NOBODY, np.int32),
        np.full((k * groups, d, CENTER_LANES), np.inf),
        np.zeros((k, groups)),
        np.full(k, -np.inf),
        np.zeros(k),
        np.zeros(k),
        np.zeros(k, np.float32),
    )


def _plain_two_nearest(X, row, lists, names, first, many):
    """The same as ``lanes.two_nearest``, without vectors."""
    groups = range(first, first + many)
    found = [
        (squared_distance(X, row, lists[group].T, lane), int(names[group, lane]))
        for group in groups
        for lane in range(CENTER_LANES)
    ]
    found.sort()
    return found[0][0], found[1][0], found[0][1]


two_nearest: Callable[..., tuple[float, float, int]] = _plain_two_nearest if plain_python else lanes.two_nearest


@inlined
def at_least(square, d):
    """No true distance over d features is below this if its canonical square is the one given."""
    return math.sqrt(square) * (1 - slack(d)) - math.sqrt(d + 1.0) * UNDERFLOW


@inlined
def at_most(square, d):
    """No true distance over d features is above this if its canonical square is the one given."""
    return math.sqrt(square) * (1 + slack(d)) + math.sqrt(d + 1.0) * UNDERFLOW


def update(neighbors: Neighbors, centers: np.ndarray, shift: np.ndarray, unit: float, remade: int) -> int:
    """Follow the centers (k, d), which have moved by shift (k,); drifts are in the given unit.

    Returns how many lists were made anew; ``remade`` were so in the call before.
    """
    k, d = centers.shape
    listed = neighbors.names.size // k
    grid = cut(k, (listed * (d + 8) + remade * d) // 4)
    tally = np.zeros(grid.chunks, np.int64)
    _update(grid, centers, in_lanes(centers), shift, two_farthest(shift), neighbors, unit, tally)
    return int(tally.sum())


@sweep
def _update(lo, hi, t, centers, features, shift, farthest, neighbors, unit, tally):
    """Bring the lists and the drifts of centers lo:hi up to date; tally[t] counts the lists made anew."""
    k, d = centers.shape
    names, lists, beyond, covered, reach, drift, rounded = neighbors
    groups = beyond.shape[1]
    distances, room = np.empty(features.shape[1]), np.empty(4 * groups * CENTER_LANES)
    candidates, nearness = np.empty(2 * groups * CENTER_LANES, np.int32), np.empty(groups * CENTER_LANES)
    tiny = math.sqrt(d + 1.0) * UNDERFLOW
    for a in range(lo, hi):
        own = names[a * groups : (a + 1) * groups].reshape(-1)
        first, at, second = farthest
        covered[a] -= (shift[a] + (second if a == at else first)) * (1 + 2 * slack(d)) + tiny
        before = reach[a]
        remake = k - 1 <= len(own) or not covered[a] > before
        if remake:
            covered[a] = _make_list(centers, a, features, own, distances, room, candidates)
            tally[t] += 1
        farthest_listed = 0.0
        for m in range(len(own)):
            j, group, lane = own[m], a * groups + m // CENTER_LANES, m % CENTER_LANES
            nearness[m] = np.inf
            if j != NOBODY:
                for f in range(d):
                    lists[group, f, lane] = centers[j, f]
                nearness[m] = at_least(squared_distance(centers, a, centers, np.int64(j)), d)
                farthest_listed = max(farthest_listed, nearness[m])
        least = covered[a]
        for group in range(groups - 1, -1, -1):
            beyond[a, group] = least
            for m in range(group * CENTER_LANES, (group + 1) * CENTER_LANES):
                least = min(least, nearness[m])
        if remake:
            most = min(covered[a], farthest_listed)
            reach[a] = max(KEPT * most, min(before, TIGHT * most))
        way = shift[a]
        for m in range(len(own)):
            if nearness[m] < reach[a]:
                way = max(way, shift[own[m]])
        way = max(way + shift[a], 2 * shift[a] + max(before - reach[a], 0.0))
        drift[a] += (way * (1 + 2 * slack(d)) + 2 * tiny) / unit
        rounded[a] = up(drift[a])


@jit
def _make_list(centers, a, features, own, distances, room, candidates):
    """Write the nearest of the other centers to own (m,), by distance; return what no other is nearer than."""
    k, d = centers.shape
    most, many, limit = len(own), 0, np.inf
    for first in range(0, len(distances), CENTER_LANES):
        row_distances(centers, a, features, first, distances)
    if own[0] != NOBODY:
        limit = 0.0
        for j in own:  # as many as these will be found
            if j != NOBODY:
                limit = max(limit, distances[j])
    for j in range(k):
        if distances[j] <= limit and j != a:
            at = many  # insert it where it belongs
            if many < most:
                many += 1
            else:
                at = most - 1
            while at > 0 and room[at - 1] > distances[j]:
                room[at], candidates[at] = room[at - 1], candidates[at - 1]
                at -= 1
            room[at], candidates[at] = distances[j], j
            if many == most:
                limit = min(limit, room[most - 1])
    own[:many] = candidates[:many]
    own[many:] = NOBODY
    return at_least(room[most - 1], d) if k - 1 > most else np.inf
