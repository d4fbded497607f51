"""Soft assignments: the responsibilities of rows, and the statistics and the value of F that follow from them.

Rows are taken a few at a time: their canonical distances to all centers, then their responsibilities, which are added
to the sums at once and not kept. Exponentials and logarithms are polynomials over whole arrays, which LLVM turns into
vectors. All is float64. Sums over some hundred rows enter pairs of about twice that precision.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kmtoolkit.kernels import elementary
from kmtoolkit.kernels import lanes as vectors_of_lanes
from kmtoolkit.kernels.arithmetic import EPS, NOISE, add_exact, merge_pairs
from kmtoolkit.kernels.grid import Grid, cut, sweep
from kmtoolkit.kernels.jit import inlined, jit, plain_python
from kmtoolkit.kernels.lanes import CENTER_LANES
from kmtoolkit.kernels.squared import row_distances

__all__ = ["share_by_distance", "share_by_softmax"]

MANY_VECTORS = 16
ROWS = 8  # rows that are worked on together
FOLD = 512  # rows after which sums enter pairs
LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # their sum is log 2; the first has 21 zero bits
MAGIC = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer, which then stands in the last bits
TINY = -708.0  # exp of less is taken to be 0
SERIES = np.array([1 / np.prod(np.arange(1.0, i + 1)) for i in range(13, -1, -1)])  # of exp, the highest power first
ARTANH = np.array([1 / (2.0 * i + 1) for i in range(11, -1, -1)])  # x times the series in x², the highest power first
ONE, ROOT_HALF, MANTISSA = 0x3FF0000000000000, 0x3FE6A09E667F3BCD, 0x000FFFFFFFFFFFFF  # as bits of a float64
MAGIC_BITS, LEAST_NORMAL = 0x4338000000000000, 2.0**-1022
MOST_SUMS = 1 << 22  # numbers in the sums of all chunks


class Gathered(NamedTuple):
    """What chunks of rows add to the statistics; one leading entry a chunk. Centers are in lanes."""

    sums: np.ndarray  # (chunks, d · lanes) float64, and what rounding lost of them
    sums_error: np.ndarray
    mass: np.ndarray  # (chunks, lanes)
    mass_error: np.ndarray
    spread: np.ndarray  # (chunks, lanes)
    spread_error: np.ndarray
    value: np.ndarray  # (chunks, 2): F, and the magnitude of what it was added up from
    value_error: np.ndarray


def _room(n: int, d: int, k: int) -> tuple[Grid, Gathered]:
    """The grid over n rows, and room for their statistics."""
    lanes = _width(k)
    grid = cut(n, lanes * (2 * d + 16), most=max(MOST_SUMS // (lanes * d), 1))
    shapes = (d * lanes, lanes, lanes, 2)
    return grid, Gathered(*(np.zeros((grid.chunks, width)) for width in shapes for _ in range(2)))


def _merge(parts: Gathered, state: Any) -> tuple[float, float]:
    """Write what the chunks have come to to the statistics; F, and how far it may be off by rounding."""
    k, d = state.sums.shape
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    for total, error in pairs:
        merge_pairs(total, error)
    sums, mass, spread, value = (total[0] + error[0] for total, error in pairs)
    state.sums[:] = sums.reshape(d, -1)[:, :k].T
    state.mass[:], state.spread[:] = mass[:k], spread[:k]
    return float(value[0]), (NOISE + (d + 8) * EPS) * float(value[1])


def _width(k: int) -> int:
    """Lanes for k centers: whole vectors, and if there are many an odd number, so that columns share no cache lines."""
    vectors = -(-k // CENTER_LANES)
    return CENTER_LANES * (vectors + (vectors >= MANY_VECTORS and vectors % 2 == 0))


def _lanes_of(centers: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The centers (k, d) in lanes, (d, lanes); those that are not present (k,) are infinitely far away."""
    features = np.full((centers.shape[1], _width(len(centers))), np.inf)
    features[:, : len(centers)] = np.where(present[:, np.newaxis], centers, np.inf).T
    return features


def share_by_softmax(problem: Any, state: Any, beta: float) -> tuple[float, float]:
    """Write labels and statistics of the rows, shared by π exp(-β distance); F, and its rounding."""
    (n, d), k = problem.X.shape, problem.k
    features = _lanes_of(state.centers, state.weights > 0)
    logs = np.full(features.shape[1], -np.inf)
    np.log(state.weights, out=logs[:k], where=state.weights > 0)
    grid, parts = _room(n, d, k)
    _softmax(grid, problem.X, problem.sample_weight, features, logs, beta, state.origin, state.labels, parts)
    return _merge(parts, state)


def share_by_distance(problem: Any, state: Any, m: float) -> tuple[float, float]:
    """Write labels and statistics of the rows, shared by distance ** (-1 / (m - 1)); F, and its rounding."""
    (n, d), k = problem.X.shape, problem.k
    features = _lanes_of(state.centers, np.ones(k, np.bool_))
    grid, parts = _room(n, d, k)
    _shares_of_distances(
        grid, problem.X, problem.sample_weight, features, 1 / (m - 1), state.origin, state.labels, parts
    )
    return _merge(parts, state)


@jit
def exponentials(z, scales, bits, out, size):
    """Write exp of z[:size], none above 0, to out; scales (size,) and bits, the same memory as int64, are room."""
    for at in range(size):
        x = max(z[at], TINY)
        shifted = x * LOG2_E + MAGIC
        scales[at] = shifted
        whole = shifted - MAGIC
        rest = (x - whole * LN2_HIGH) - whole * LN2_LOW
        total = SERIES[0]
        for power in range(1, len(SERIES)):
            total = total * rest + SERIES[power]
        out[at] = total
    for at in range(size):
        bits[at] = (bits[at] + 1023) << 52
    for at in range(size):
        out[at] = out[at] * scales[at] if z[at] >= TINY else 0.0


@jit
def logarithms(values, whole, whole_bits, out, out_bits, size):
    """Write log of values[:size], from 0 to 1, to out; whole (size,) is room, ..._bits the same memory as int64.

    A number is 2**e times one from √½ to √2, and log x = 2 artanh((x - 1) / (x + 1)).
    """
    for at in range(size):
        whole[at] = values[at]
    for at in range(size):
        moved = whole_bits[at] + (ONE - ROOT_HALF)
        out_bits[at] = (moved & MANTISSA) + ROOT_HALF
        whole_bits[at] = (moved >> 52) - 1023 + MAGIC_BITS
    for at in range(size):
        x = (out[at] - 1) / (out[at] + 1)
        square, series = x * x, ARTANH[0]
        for power in range(1, len(ARTANH)):
            series = series * square + ARTANH[power]
        exponent = whole[at] - MAGIC
        logarithm = exponent * LN2_HIGH + (exponent * LN2_LOW + 2 * x * series)
        out[at] = logarithm if values[at] >= LEAST_NORMAL else -np.inf


def _plain_total(values, first, size):
    """The same as ``lanes.total``, without vectors."""
    sums = [float(sum(values[first + lane : first + size : CENTER_LANES])) for lane in range(CENTER_LANES)]
    while len(sums) > 1:
        half = len(sums) // 2
        sums = [sums[at] + sums[half + at] for at in range(half)]
    return sums[0]


total: Callable[..., float] = _plain_total if plain_python else vectors_of_lanes.total


@inlined
def _least(bits):
    """The least of the bits (int64) of numbers from 0 on, which compare as the numbers do."""
    low = bits[0]
    for at in range(len(bits)):
        low = min(low, bits[at])
    return low


@inlined
def _place(bits, least):
    """Where the first of the bits is that are the least."""
    place = np.int64(len(bits))
    for at in range(len(bits)):
        place = min(place, np.int64(at) if bits[at] == least else np.int64(len(bits)))
    return place


def _plain_products(rows, shares, sums, _several):
    """The same as ``lanes.add_products``, without vectors."""
    for r in range(len(rows)):
        sums += np.outer(rows[r], shares[r])


add_products: Callable[..., None] = _plain_products if plain_python else vectors_of_lanes.add_products


@jit
def _take(X, first, many, origin, features, moved, distances):
    """Write rows first to first + many - 1 of X, less the origin, to moved (ROWS, d), and their canonical distances."""
    for r in range(many):
        for f in range(moved.shape[1]):
            moved[r, f] = np.float64(X[first + r, f]) - origin[f]
        for j in range(0, distances.shape[1], CENTER_LANES):
            row_distances(X, first + r, features, j, distances[r])


@jit
def _add_rows(moved, shares, distances, many, fold, mass, spread):
    """Add moved rows (ROWS, d) by their shares (ROWS, lanes) to fold (d, lanes), mass and spread (lanes,)."""
    lanes = shares.shape[1]
    shares[many:] = 0.0
    for r in range(many):
        share, distance = shares[r], distances[r]
        for j in range(lanes):
            mass[j] += share[j]
        for j in range(lanes):
            spread[j] += share[j] * distance[j] if share[j] > 0 else 0.0
    add_products(moved, shares, fold, ROWS)


@jit
def _fold_in(fold, mass, spread, value, parts, t):
    """Add what some hundred rows have come to to the pairs of chunk t, and begin anew."""
    d, lanes = fold.shape
    for f in range(d):
        for j in range(lanes):
            add_exact(parts.sums[t], parts.sums_error[t], f * lanes + j, fold[f, j])
    for j in range(lanes):
        add_exact(parts.mass[t], parts.mass_error[t], j, mass[j])
        add_exact(parts.spread[t], parts.spread_error[t], j, spread[j])
    for j in range(2):
        add_exact(parts.value[t], parts.value_error[t], j, value[j])
    fold[:], mass[:], spread[:], value[:] = 0.0, 0.0, 0.0, 0.0


@sweep
def _softmax(lo, hi, t, X, weights, features, logs, beta, origin, labels, parts):
    """Add the rows lo:hi, shared among centers by π exp(-β distance), to chunk t of parts.

    features (d, lanes) are the centers in lanes, infinite where π is 0; logs (lanes,) are log π. labels (n,) get the
    center with the largest share, the first of equals. F of a row is -log Σ π exp(-β distance) / β.
    """
    d, lanes = features.shape
    fold, mass, spread, value = np.zeros((d, lanes)), np.zeros(lanes), np.zeros(lanes), np.zeros(2)
    moved = np.zeros((ROWS, d))
    distances, costs, shares = np.empty((ROWS, lanes)), np.empty(ROWS * lanes), np.zeros((ROWS, lanes))
    flat, least, folded = distances.reshape(-1), np.empty((2, ROWS)), 0
    as_bits, costs_as_bits, least_as_bits = flat.view(np.int64), costs.view(np.int64), least.view(np.int64)
    for first in range(lo, hi, ROWS):
        many = min(ROWS, hi - first)
        _take(X, first, many, origin, features, moved, distances)
        for r in range(many):
            here = slice(r * lanes, r * lanes + lanes)
            distance, cost, cost_as_bits = distances[r], costs[here], costs_as_bits[here]
            least_as_bits[0, r] = _least(as_bits[here])
            low = least[0, r]
            for j in range(lanes):  # so much less than the nearest center counts a center; from 0 on
                cost[j] = beta * (distance[j] - low) - logs[j]
            least_as_bits[1, r] = _least(cost_as_bits)
            labels[first + r] = _place(cost_as_bits, least_as_bits[1, r])
            low = least[1, r]
            for j in range(lanes):
                cost[j] = low - cost[j]
        elementary.exponentials(costs, shares.reshape(-1), many * lanes)
        for r in range(many):
            whole, weight, share = total(shares.reshape(-1), r * lanes, lanes), weights[first + r], shares[r]
            part = weight / whole
            for j in range(lanes):
                share[j] *= part
            entropy = (least[1, r] - np.log(whole)) / beta
            value[0] += weight * (least[0, r] + entropy)
            value[1] += weight * (least[0, r] + abs(entropy) + (least[1, r] + 1) / beta)
        for j in range(2):  # equal rows would err alike: the value enters a pair at once
            add_exact(parts.value[t], parts.value_error[t], j, value[j])
            value[j] = 0.0
        _add_rows(moved, shares, distances, many, fold, mass, spread)
        folded += many
        if folded >= FOLD or first + many == hi:
            _fold_in(fold, mass, spread, value, parts, t)
            folded = 0


@sweep
def _shares_of_distances(lo, hi, t, X, weights, features, power, origin, labels, parts):
    """Add the rows lo:hi, shared among centers by distance ** -power, to chunk t of parts.

    With u the shares and m = 1 + 1 / power, the statistics are weighted with u ** m, and F of a row is Σ u ** m times
    distance. A row that lies on centers is shared among these equally. labels (n,) get the nearest center.
    """
    d, lanes = features.shape
    fold, mass, spread, value = np.zeros((d, lanes)), np.zeros(lanes), np.zeros(lanes), np.zeros(2)
    moved = np.zeros((ROWS, d))
    distances, logs, shares = np.empty((ROWS, lanes)), np.empty(ROWS * lanes), np.zeros((ROWS, lanes))
    least, folded = np.empty(ROWS), 0
    as_bits, least_as_bits = distances.reshape(-1).view(np.int64), least.view(np.int64)
    fuzzifier = 1 + 1 / power
    for first in range(lo, hi, ROWS):
        many = min(ROWS, hi - first)
        _take(X, first, many, origin, features, moved, distances)
        for r in range(many):
            here, distance, share = slice(r * lanes, r * lanes + lanes), distances[r], shares[r]
            least_as_bits[r] = _least(as_bits[here])
            labels[first + r] = _place(as_bits[here], least_as_bits[r])
            low = least[r]
            if low > 0:
                for j in range(lanes):
                    share[j] = low / distance[j]
            else:
                for j in range(lanes):
                    share[j] = 1.0 if distance[j] == 0 else 0.0
        if power != 1.0:
            elementary.logarithms(shares.reshape(-1), logs, many * lanes)
            for at in range(many * lanes):
                logs[at] *= power
            elementary.exponentials(logs, shares.reshape(-1), many * lanes)
        for r in range(many):
            whole, weight, share = total(shares.reshape(-1), r * lanes, lanes), weights[first + r], shares[r]
            if power == 1.0:
                part = weight / (whole * whole)
                for j in range(lanes):
                    share[j] *= share[j] * part
            else:
                log, taken = logs[r * lanes : r * lanes + lanes], np.log(whole)
                for j in range(lanes):
                    exponent = (log[j] - taken) * fuzzifier
                    log[j] = exponent if exponent < 0 else 0.0
            value[0] += weight * least[r] * whole ** (1 - fuzzifier)
            value[1] += weight * least[r] * whole ** (1 - fuzzifier) * (1 + (fuzzifier - 1) * np.log(whole))
        if power != 1.0:
            elementary.exponentials(logs, shares.reshape(-1), many * lanes)
            for r in range(many):
                share, weight = shares[r], weights[first + r]
                for j in range(lanes):
                    share[j] *= weight
        for j in range(2):  # equal rows would err alike: the value enters a pair at once
            add_exact(parts.value[t], parts.value_error[t], j, value[j])
            value[j] = 0.0
        _add_rows(moved, shares, distances, many, fold, mass, spread)
        folded += many
        if folded >= FOLD or first + many == hi:
            _fold_in(fold, mass, spread, value, parts, t)
            folded = 0
