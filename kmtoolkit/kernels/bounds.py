"""Bounds by the triangle inequality, and how they are rounded.

A bound is kept in float32, in units of about the size of the data: a power of two, so that nothing is lost by it. What
bounds from below is rounded down, what bounds from above up, and a test is strict; so rounding costs work, never a
label. Bounds are of canonical distances, which differ from true ones by a relative (d + 8) 2^-52 at most, and by what
underflow takes.
"""

import math

import numpy as np

from kmtoolkit.kernels.jit import inlined, jit

__all__ = ["MOST", "down", "list_survivors", "slack", "two_farthest", "unit_of", "up", "widen_drifts"]

ROUNDING = 2.0**-23  # twice the unit roundoff of float32
SMALLEST = 2.0**-149  # the least float32
MOST = 1e38  # a bound may be larger, but float32 has no room for it
ALL_SPARED = np.uint64(0x0101010101010101)  # eight booleans
UNDERFLOW = 2.0**-530  # more than a distance loses whose square underflows, in one column


@inlined
def down(value):
    """A float32 that is not above the float64."""
    return np.float32(value - (abs(value) * ROUNDING + SMALLEST))


@inlined
def up(value):
    """A float32 that is not below the float64."""
    return np.float32(value + (abs(value) * ROUNDING + SMALLEST))


@inlined
def slack(d):
    """The relative difference between a true distance over d features and the canonical one, generously."""
    return (d + 8) * 2.0**-52


@jit
def two_farthest(shift):
    """The largest of shift (k,), its index, and the second largest (0 if there is one center only)."""
    first, second, at = 0.0, 0.0, -1
    for j in range(len(shift)):
        if shift[j] > first or at < 0:
            first, second, at = shift[j], first, j
        elif shift[j] > second:
            second = shift[j]
    return first, at, second


@jit
def widen_drifts(shift, unit, d, drift, rounded):
    """Add to drift (k,), in units, how much nearer another center can have come than one's own by a shift (k,).

    rounded (k,) float32 is above drift. A margin, by how much farther all other centers are than one's own, shrinks by
    no more than the shift of one's own center and the largest shift of another.
    """
    first, at, second = two_farthest(shift)
    for j in range(len(shift)):
        way = shift[j] + (second if j == at else first)
        drift[j] += (way * (1 + 2 * slack(d)) + math.sqrt(d) * UNDERFLOW) / unit
        rounded[j] = up(drift[j])


@jit
def list_survivors(labels, keys, rounded, spared, first, survivors):
    """Write first + r to survivors for each row r whose key is not above its center's drift; how many there are.

    labels and keys (rows,), rounded (k,) the drifts; spared, bool, is room for as many rows in whole eights.
    """
    rows, many, eights = len(labels), 0, spared.view(np.uint64)
    spared[rows:] = True
    for r in range(rows):
        spared[r] = keys[r] > rounded[labels[r]]
    for eight in range((rows + 7) // 8):
        if eights[eight] != ALL_SPARED:
            for r in range(8 * eight, 8 * eight + 8):
                survivors[many] = first + r
                many += not spared[r]
    return many


def unit_of(X: np.ndarray, centers: np.ndarray) -> float:
    """A power of two about as large as the rows of X (n, d) and the centers (k, d) are far apart."""
    some = X[:: len(X) // 1024 + 1].astype(np.float64)
    spread = max(float(np.ptp(some, axis=0).max()), float(np.abs(centers - some[0]).max()))
    return math.ldexp(1.0, math.frexp(spread)[1])
