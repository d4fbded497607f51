"""Swaps of medoids: the search of FasterPAM (Schubert and Rousseeuw, Information Systems 101, 2021).

The loss is the weighted sum of the distances from the rows to their nearest medoids. For each row the nearest and the
second nearest medoid are kept, and for each medoid what the loss would rise by without it. With these, one pass over
the distances to a candidate says what its swap with each of the medoids would do to the loss. Candidates come in the
order of the rows, again and again, and a swap is made as soon as it is found to lower the loss; the search ends when
no row is left that could take the place of a medoid.

All that is kept is a function of the medoids alone, so rounding doesn't pile up from swap to swap.
"""

from typing import NamedTuple

import numpy as np

from kmtoolkit.kernels.arithmetic import NOISE, two_sum
from kmtoolkit.kernels.grid import OPERATIONS_PER_SLICE, cut, look, sweep
from kmtoolkit.kernels.jit import inlined, jit
from kmtoolkit.kernels.masks import BITS, bits_below, lowest_bit
from kmtoolkit.kernels.threads import workers

__all__ = ["QUIET", "SWAPS", "Caches", "finished", "open_caches", "swap_pass"]

QUIET, SWAPS = 0, 1  # entries of Caches.tally
WORTH_THREADS = 1 << 19  # distances of a batch of candidates that is tried by several threads


class Caches(NamedTuple):
    """Where a search stands."""

    weights: np.ndarray  # (n,) float64 of the rows
    medoids: np.ndarray  # (k,) int64 numbers of the rows that are medoids, -1 for one that is no row
    to_medoids: np.ndarray  # (k, n) distances from each row to each medoid, in the precision of the candidates'
    nearest: np.ndarray  # (n,) int32, the lowest among equals
    second: np.ndarray  # (n,) int32, the nearest of the others, likewise; k if there is none
    nearest_distance: np.ndarray  # (n,) like to_medoids
    second_distance: np.ndarray  # (n,) like to_medoids; infinite if there is none
    removal_loss: np.ndarray  # (k,) float64, what the loss would rise by without the medoid
    loss: np.ndarray  # (2,) float64: the loss, and what rounding lost of it
    tally: np.ndarray  # (2,) int64: candidates since the last swap, swaps


def open_caches(to_medoids: np.ndarray, medoids: np.ndarray, weights: np.ndarray) -> Caches:
    """Caches for medoids (k,), from a copy of the finite distances (k, n) to them, float32 or float64.

    The copy is all that is kept of size k · n; nothing is of size n².
    """
    to_medoids = np.array(to_medoids, order="C")
    k, n = to_medoids.shape
    caches = Caches(
        weights=np.ascontiguousarray(weights, np.float64),
        medoids=np.array(medoids, np.int64),
        to_medoids=to_medoids,
        nearest=np.zeros(n, np.int32),
        second=np.zeros(n, np.int32),
        nearest_distance=np.zeros(n, to_medoids.dtype),
        second_distance=np.zeros(n, to_medoids.dtype),
        removal_loss=np.zeros(k),
        loss=np.zeros(2),
        tally=np.zeros(2, np.int64),
    )
    _find_two_nearest(caches)
    _add_up(caches)
    return caches


def finished(caches: Caches) -> bool:
    """Whether every row has been a candidate since the last swap: then no swap of two lowers the loss."""
    return bool(caches.tally[QUIET] >= len(caches.weights))


def swap_pass(caches: Caches, block: np.ndarray, first: int) -> int:
    """Try the rows first, first + 1, ... as medoids, in turn, until the search is finished or the block is done.

    block (b, n), C-contiguous and of the dtype of ``to_medoids``, holds in row c the distances from all rows to row
    first + c. Returns how many swaps were made. What is ``watched`` may end a pass at any candidate; the caches are
    in order then.

    While swaps are frequent one thread tries one candidate after the other. When they have become rare, a batch of
    candidates is tried by several threads, and the first that lowers the loss is taken: it is the one that would have
    been found in turn. The rarer they are, the larger is a batch, so that little is tried in vain.
    """
    block = block.view()
    block.flags.writeable = False  # kernels are compiled once then, also for blocks that can't be written to
    many, n = block.shape
    swaps_before, at = int(caches.tally[SWAPS]), 0
    rare = 2 * WORTH_THREADS // n + 2 if workers() > 1 else n  # candidates without a swap, before threads are worth it
    changes, removed = np.empty(many), np.empty(many, np.int64)
    while at < many and not finished(caches):
        quiet = int(caches.tally[QUIET])
        batch = min(quiet // 2, many - at, n - quiet)
        if quiet >= rare and batch * n >= WORTH_THREADS:
            _try_batch(cut(batch, n), caches, block[at : at + batch], first + at, changes, removed)
            at += _take_first(caches, block[at : at + batch], first + at, changes, removed)
        else:
            stop = min(many, at + max(OPERATIONS_PER_SLICE // n, 1))
            at = _try_in_turn(caches, block, first, at, stop, rare if quiet < rare < n else n)
            look()
    return int(caches.tally[SWAPS]) - swaps_before


@jit
def _try_in_turn(caches, block, first, at, stop, patience):
    """Try candidates at, at + 1, ... of the block, up to ``stop`` or to so many without a swap; the next candidate."""
    losses = np.empty(len(caches.medoids))
    while at < stop and caches.tally[QUIET] < patience:
        change, medoid = _best_removal(caches, block[at], first + at, losses)
        _take(caches, block[at], first + at, change, medoid)
        at += 1
    return at


@sweep
def _try_batch(lo, hi, t, caches, block, first, changes, removed):
    """What candidates lo:hi of the block change the loss by, and instead of which medoid: changes, removed (b,)."""
    losses = np.empty(len(caches.medoids))
    for c in range(lo, hi):
        changes[c], removed[c] = _best_removal(caches, block[c], first + c, losses)


@jit
def _take_first(caches, block, first, changes, removed):
    """Make the first swap of the block that lowers the loss; the number of candidates that are done with then."""
    for c in range(len(block)):
        if _take(caches, block[c], first + c, changes[c], removed[c]):
            return c + 1
    return len(block)


@inlined
def _closer(distances, limits, start):
    """A mask of the rows start to start + BITS - 1, as far as there are, whose distances are below their limits."""
    if start + BITS <= len(distances):
        return bits_below(distances, limits, start)
    mask = 0
    for o in range(start, len(distances)):
        if distances[o] < limits[o]:
            mask |= 1 << (o - start)
    return mask


@jit
def _best_removal(caches, distances, candidate, losses):
    """What the candidate at these distances (n,) changes the loss by, and instead of which medoid; losses is (k,) room.

    Of equal medoids it is the lowest. A medoid is no candidate: it changes the loss by 0.
    """
    for j in range(len(losses)):
        losses[j] = caches.removal_loss[j]
        if caches.medoids[j] == candidate:
            return 0.0, 0
    if len(losses) == 1:
        return _change_of_only(caches, distances), 0
    gain = 0.0
    for start in range(0, len(distances), BITS):
        mask = _closer(distances, caches.second_distance, start)
        while mask != 0:
            o = start + lowest_bit(mask)
            mask &= mask - 1
            weight, distance = caches.weights[o], np.float64(distances[o])
            near, second = np.float64(caches.nearest_distance[o]), np.float64(caches.second_distance[o])
            gain += weight * (near - min(distance, near))
            losses[caches.nearest[o]] -= weight * (second - max(distance, near))
    best = 0
    for j in range(1, len(losses)):
        if losses[j] < losses[best]:
            best = j
    return losses[best] - gain, best


@jit
def _change_of_only(caches, distances):
    """What the candidate changes the loss by if it takes the place of the only medoid; not above 0 is all that counts.

    Sums only rise, so most candidates are given up after a part of the rows.
    """
    total, loss = 0.0, caches.loss[0]
    for start in range(0, len(distances), BITS):
        for o in range(start, min(start + BITS, len(distances))):
            total += caches.weights[o] * np.float64(distances[o])
        if total > loss:
            break
    return total - loss


@jit
def _take(caches, distances, candidate, change, medoid):
    """Count the candidate, and swap it for the medoid if that lowers the loss, by more than rounding could make of it.

    The change was found by plain sums. Where it is negative the drop is summed anew, without rounding, so that the
    loss falls with every swap, and no medoids can come again.
    """
    caches.tally[QUIET] += 1
    if not (change < 0 and _lowers_loss(caches, distances, medoid)):
        return False
    caches.medoids[medoid] = candidate
    _update_two_nearest(distances, medoid, *caches[2:7])
    _add_up(caches)
    caches.tally[QUIET] = 0
    caches.tally[SWAPS] += 1
    return True


@jit
def _lowers_loss(caches, distances, medoid):
    """Whether the loss falls when a medoid at these distances (n,) takes the place of this one.

    Differences and products are rounded, to the size of the terms; their sum is kept as a pair, and loses nothing.
    """
    drop, lost, terms = 0.0, 0.0, 0.0
    for o in range(len(distances)):
        before = caches.nearest_distance[o]
        after = min(distances[o], caches.second_distance[o] if caches.nearest[o] == medoid else before)
        if after != before:
            term = caches.weights[o] * (np.float64(before) - np.float64(after))
            drop, rounding = two_sum(drop, term)
            lost += rounding
            terms += abs(term)
    return drop + lost > NOISE * terms


@inlined
def _precedes(distance, medoid, other_distance, other):
    """Whether a medoid is nearer than another one, or as near and lower."""
    return distance < other_distance or (distance == other_distance and medoid < other)


@jit
def _update_two_nearest(distances, medoid, to_medoids, nearest, second, near, far):
    """Write distances (n,) to to_medoids[medoid], and bring the nearest two medoids of each row up to date.

    near and far (n,) are the distances to these two. Only if the medoid was one of them and is no longer are the others
    looked at.
    """
    for o in range(len(distances)):
        distance, first, other = distances[o], nearest[o], second[o]
        to_medoids[medoid, o] = distance
        if first == medoid and not _precedes(distance, medoid, far[o], other):
            nearest[o], near[o] = other, far[o]
            second[o] = _second_of_row(to_medoids, o, other)
            far[o] = to_medoids[second[o], o]
        elif first == medoid:
            near[o] = distance
        elif _precedes(distance, medoid, near[o], first):
            second[o], far[o] = first, near[o]
            nearest[o], near[o] = medoid, distance
        elif other == medoid and distance > far[o]:
            second[o] = _second_of_row(to_medoids, o, first)
            far[o] = to_medoids[second[o], o]
        elif other == medoid or _precedes(distance, medoid, far[o], other):
            second[o], far[o] = medoid, distance


@jit
def _second_of_row(to_medoids, o, nearest):
    """The second nearest medoid of row o, of two or more, the lowest among equals."""
    best = 1 if nearest == 0 else 0
    for j in range(best + 1, len(to_medoids)):
        if j != nearest and to_medoids[j, o] < to_medoids[best, o]:
            best = j
    return best


@jit
def _find_two_nearest(caches):
    """Find the nearest two medoids of each row."""
    k, n = caches.to_medoids.shape
    near, second = caches.nearest_distance, caches.second_distance
    for o in range(n):
        near[o], second[o] = caches.to_medoids[0, o], np.inf
        caches.nearest[o], caches.second[o] = 0, k
    for j in range(1, k):
        for o in range(n):
            distance = caches.to_medoids[j, o]
            if distance < near[o]:
                second[o], caches.second[o] = near[o], caches.nearest[o]
                near[o], caches.nearest[o] = distance, j
            elif distance < second[o]:
                second[o], caches.second[o] = distance, j


@jit
def _add_up(caches):
    """Sum up the loss and what it would rise by without each medoid."""
    total, lost = 0.0, 0.0
    for j in range(len(caches.removal_loss)):
        caches.removal_loss[j] = 0.0
    for o in range(len(caches.weights)):
        weight, near = caches.weights[o], np.float64(caches.nearest_distance[o])
        total, rounding = two_sum(total, weight * near)
        lost += rounding
        caches.removal_loss[caches.nearest[o]] += weight * (np.float64(caches.second_distance[o]) - near)
    caches.loss[0], caches.loss[1] = two_sum(total, lost)
