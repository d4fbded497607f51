"""Soft assignments: the responsibilities of rows, and the statistics and the value of F that follow from them.

Rows are taken eight at a time: their canonical distances to all centers, then their responsibilities, which are added
to the sums at once and not kept. All is float64. Sums over some hundred rows enter pairs of about twice that precision.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kmtoolkit.kernels import eights, shares
from kmtoolkit.kernels.arithmetic import EPS, NOISE, merge_pairs, two_sum
from kmtoolkit.kernels.eights import EIGHT, room_of
from kmtoolkit.kernels.grid import Grid, cut, sweep
from kmtoolkit.kernels.jit import plain_python, read_only
from kmtoolkit.kernels.squared import squared_distance

__all__ = ["share_by_distance", "share_by_softmax"]

FOLD = 512  # rows after which sums enter pairs
THICK = 256  # rows of a slice of a chunk, or more: each begins with empty room
MOST_SUMS = 1 << 22  # numbers in the sums of all chunks


class Gathered(NamedTuple):
    """What chunks of rows add to the statistics; one leading entry a chunk. k is filled up to whole eights."""

    sums: np.ndarray  # (chunks, k · d) float64, in groups of eight centers, and what rounding lost of them
    sums_error: np.ndarray
    mass: np.ndarray  # (chunks, k)
    mass_error: np.ndarray
    spread: np.ndarray  # (chunks, k)
    spread_error: np.ndarray
    value: np.ndarray  # (chunks, 2): F, and the magnitude of what it was added up from
    value_error: np.ndarray


def _gathered(n: int, d: int, k: int) -> tuple[Grid, Gathered]:
    """The grid over n rows, and room for their statistics."""
    k += -k % EIGHT
    grid = cut(n, k * (2 * d + 16), most=max(MOST_SUMS // (k * d), 1), together=THICK)
    return grid, Gathered(*(np.zeros((grid.chunks, width)) for width in (k * d, k, k, 2) for _ in range(2)))


def _merge(parts: Gathered, state: Any) -> tuple[float, float]:
    """Write what the chunks have come to to the statistics; F, and how far it may be off by rounding."""
    k, d = state.sums.shape
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    for total, error in pairs:
        merge_pairs(total, error)
    sums, mass, spread, value = (total[0] + error[0] for total, error in pairs)
    state.sums[:] = sums.reshape(-1, d, EIGHT).transpose(0, 2, 1).reshape(-1, d)[:k]
    state.mass[:], state.spread[:] = mass[:k], spread[:k]
    return float(value[0]), (NOISE + (d + 8) * EPS) * float(value[1])


def share_by_softmax(problem: Any, state: Any, beta: float) -> tuple[float, float]:
    """Write labels and statistics of the rows, shared by π exp(-β distance); F, and its rounding."""
    (n, d), k, present = problem.X.shape, problem.k, state.weights > 0
    centers = np.where(present[:, np.newaxis], state.centers, np.inf)
    logs = np.full(k, -np.inf)
    np.log(state.weights, out=logs, where=present)
    grid, parts = _gathered(n, d, k)
    origin = read_only(state.origin)
    _softmax(grid, problem.X, problem.sample_weight, centers, logs, beta, origin, state.labels, parts)
    return _merge(parts, state)


def share_by_distance(problem: Any, state: Any, m: float) -> tuple[float, float]:
    """Write labels and statistics of the rows, shared by distance ** (-1 / (m - 1)); F, and its rounding."""
    (n, d), k = problem.X.shape, problem.k
    grid, parts = _gathered(n, d, k)
    centers, origin = read_only(state.centers), read_only(state.origin)
    _shares_of_distances(grid, problem.X, problem.sample_weight, centers, 1 / (m - 1), origin, state.labels, parts)
    return _merge(parts, state)


def _blocks(many):
    """Numbers of blocks, and where their rows are."""
    return [(at, slice(EIGHT * at, EIGHT * at + EIGHT)) for at in range(many)]


def _plain_take(X, weights, first, last, origin, room, many):
    """The same as ``eights.take_rows``, without vectors; and so on."""
    for at, here in _blocks(many):
        rows = first + np.arange(EIGHT * at, EIGHT * at + EIGHT)
        room.weights[here] = np.where(rows <= last, weights[np.minimum(rows, last)], 0)
        room.points[at] = X[np.minimum(rows, last)].T
        room.moved[at] = room.points[at] - origin[:, np.newaxis]


def _plain_labels(room, labels, first, last):
    labels[first : last + 1] = room.places[: last + 1 - first]


def _plain_distances(centers, room, many):
    for at, here in _blocks(many):
        rows, out = room.points[at].T.copy(), room.distances[at, : len(centers)]
        out[:] = [[squared_distance(rows, r, centers, j) for r in range(EIGHT)] for j in range(len(centers))]
        room.places[here], room.least[here] = out.argmin(axis=0), out.min(axis=0)


def _plain_by_cost(logs, beta, room, many):
    for at, here in _blocks(many):
        low, weights = room.least[here], room.weights[here]
        costs = beta * (room.distances[at, : len(logs)] - low) - logs[:, np.newaxis]
        top, room.places[here] = costs.min(axis=0), costs.argmin(axis=0)
        shares = room.shares[at, : len(logs)]
        shares[:] = np.exp(top - costs)
        whole = shares.sum(axis=0)
        room.scale[here], entropy = weights / whole, (top - np.log(whole)) / beta
        room.value[0] += weights * np.array([low + entropy, low + abs(entropy) + (top + 1) / beta])


def _plain_by_ratio(k, power, room, many):
    for at, here in _blocks(many):
        low, far, ratios, weights = room.least[here], room.distances[at, :k], np.ones((k, EIGHT)), room.weights[here]
        np.divide(low, far, out=ratios, where=far != low)
        whole = (ratios**power).sum(axis=0)
        room.shares[at, :k], held = ratios ** (power + 1), whole ** (-1 / power)
        room.scale[here] = weights * held / whole
        room.value[0] += weights * low * held * np.array([np.ones(EIGHT), 1 + np.log(whole) / power])


def _plain_add(room, many):
    for at, here in _blocks(many):
        shares = room.shares[at] * room.scale[here]
        room.mass[:] += shares
        room.spread[:] += shares * np.where(shares > 0, room.distances[at], 0)
        room.sums[:] += np.einsum("gjr,fr->gfj", shares.reshape(-1, EIGHT, EIGHT), room.moved[at])


def _plain_empty(room, parts, chunk):
    sums = room.sums.ravel(), room.mass.sum(axis=1), room.spread.sum(axis=1), room.value[0].sum(axis=1)
    for total, error, added in zip(parts[::2], parts[1::2], sums, strict=True):
        total[chunk], rounding = two_sum(total[chunk], added)
        error[chunk] += rounding
    for array in (room.sums, room.mass, room.spread, room.value):
        array[:] = 0


Function = Callable[..., None]
take_rows: Function = _plain_take if plain_python else eights.take_rows
write_labels: Function = _plain_labels if plain_python else eights.write_labels
rows_to_centers: Function = _plain_distances if plain_python else eights.rows_to_centers
share_by_cost: Function = _plain_by_cost if plain_python else shares.share_by_cost
share_by_ratio: Function = _plain_by_ratio if plain_python else shares.share_by_ratio
add_shares: Function = _plain_add if plain_python else eights.add_shares
empty_into_pairs: Function = _plain_empty if plain_python else eights.empty_into_pairs


@sweep
def _softmax(lo, hi, t, X, weights, centers, logs, beta, origin, labels, parts):
    """Add the rows lo:hi, shared among centers by π exp(-β distance), to chunk t of parts.

    centers (k, d) are infinite where π is 0; logs (k,) are log π. labels (n,) get the center with the largest share,
    the first of equals. F of a row is -log Σ π exp(-β distance) / β.
    """
    room, folded = room_of(*centers.shape), 0
    blocks = len(room.points)
    for first in range(lo, hi, EIGHT * blocks):
        many = min(blocks, (hi - first + EIGHT - 1) // EIGHT)
        last = min(first + EIGHT * many, hi) - 1
        take_rows(X, weights, first, hi - 1, origin, room, many)
        rows_to_centers(centers, room, many)
        share_by_cost(logs, beta, room, many)
        write_labels(room, labels, first, last)
        add_shares(room, many)
        folded += EIGHT * many
        if folded >= FOLD or last == hi - 1:
            empty_into_pairs(room, parts, t)
            folded = 0


@sweep
def _shares_of_distances(lo, hi, t, X, weights, centers, power, origin, labels, parts):
    """Add the rows lo:hi, shared among centers (k, d) by distance ** -power, to chunk t of parts.

    With u the shares and m = 1 + 1 / power, the statistics are weighted with u ** m, and F of a row is Σ u ** m times
    distance. A row that lies on centers is shared among these equally. labels (n,) get the nearest center.
    """
    room, folded = room_of(*centers.shape), 0
    blocks = len(room.points)
    for first in range(lo, hi, EIGHT * blocks):
        many = min(blocks, (hi - first + EIGHT - 1) // EIGHT)
        last = min(first + EIGHT * many, hi) - 1
        take_rows(X, weights, first, hi - 1, origin, room, many)
        rows_to_centers(centers, room, many)
        share_by_ratio(len(centers), power, room, many)
        write_labels(room, labels, first, last)
        add_shares(room, many)
        folded += EIGHT * many
        if folded >= FOLD or last == hi - 1:
            empty_into_pairs(room, parts, t)
            folded = 0
