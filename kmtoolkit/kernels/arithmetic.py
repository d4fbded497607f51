"""Sums and products that lose nothing: error-free transformations and the binary tree."""

from kmtoolkit.kernels.jit import inlined, jit

__all__ = ["EPS", "NOISE", "add_exact", "merge_pairs", "two_product", "two_sum"]

EPS = 2.0**-52
NOISE = 16 * EPS  # rounding allowed for, relative to the magnitude of the terms
SPLITTER = 134217729.0  # 2**27 + 1 halves a float64


@jit
def two_sum(a, b):
    """The rounded sum of two floats and its rounding error (Knuth, TAOCP 2, section 4.2.2)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@jit
def two_product(a, b):
    """The rounded product of two floats and its rounding error (Dekker, Numerische Mathematik 18, 1971)."""
    product = a * b
    if a == 1.0:
        return product, 0.0
    high = a * SPLITTER
    a_high = high - (high - a)
    a_low = a - a_high
    high = b * SPLITTER
    b_high = high - (high - b)
    b_low = b - b_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error if error - error == 0.0 else 0.0  # a factor too large to be split


@inlined
def add_exact(total, error, at, value):
    """Add a float to the pair total[at] + error[at], which together carry twice the precision."""
    total[at], rounding = two_sum(total[at], value)
    error[at] += rounding


@jit
def merge_pairs(total, error):
    """Sum the chunks (rows) of total (chunks, m) and error (chunks, m) into row 0, in a binary tree."""
    chunks, m = total.shape
    step = 1
    while step < chunks:
        for t in range(0, chunks - step, 2 * step):
            for j in range(m):
                add_exact(total[t], error[t], j, total[t + step, j])
                error[t, j] += error[t + step, j]
        step *= 2
