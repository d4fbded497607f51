"""Differences of logarithms that lose nothing where their arguments are near each other."""

import math

from kmtoolkit.kernels.jit import inlined

__all__ = ["excess_of_ratio", "i_divergence", "logistic_loss"]

NEAR = 0.25
HUGE = 1e300


@inlined
def excess_of_ratio(a, b, difference):
    """The number a / b - 1 - log(a / b), for positive a and b with a difference a - b, to some ulp.

    Near a = b, with t = a / b - 1 and s = t / (2 + t), it is t s - 2 (s³/3 + s⁵/5 + ...), because t - 2 s = t s and
    log(1 + t) = 2 artanh s.
    """
    t = difference / b
    if not abs(t) < NEAR:
        return t - math.log(a / b)
    s = t / (2.0 + t)
    z = s * s
    tail = 1 / 17 + z * (1 / 19 + z * (1 / 21))
    tail = 1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11 + z * (1 / 13 + z * (1 / 15 + z * tail))))))
    return t * s - 2.0 * s * z * tail


@inlined
def i_divergence(x, c):
    """The number x log(x / c) - x + c, for x of at least 0 and c above it."""
    if x <= c / HUGE:
        return c
    return x * excess_of_ratio(c, x, c - x)


@inlined
def logistic_loss(x, c):
    """The number x log(x / c) + (1 - x) log((1 - x) / (1 - c)), for x from 0 to 1 and c between: two I-divergences.

    The second is of 1 - x from 1 - c, whose difference is that of x and c, without the rounding of both.
    """
    if x == 1.0:
        return i_divergence(x, c) + (1.0 - c)
    return i_divergence(x, c) + (1.0 - x) * excess_of_ratio(1.0 - c, 1.0 - x, x - c)
