"""Rows in lanes: what mixtures compute of a block of rows for one component, as Numba intrinsics.

Blocks are transposed: ``points`` (wide, block) has a feature a line, so that vectors hold the same feature of
neighboring rows. ``wide`` is the number of features in whole fours, ``size`` the rows that count, in whole ``STEP``s;
what lies beyond the last row or feature is finite, and has no weight. All is float64. Sums over the rows of a block
enter pairs of twice the precision at once.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.core.types import void
from numba.extending import intrinsic

from kmtoolkit.kernels import lanes
from kmtoolkit.kernels.jit import plain_python
from kmtoolkit.kernels.lanes import CENTER_LANES
from kmtoolkit.kernels.vectors import (
    MANY_REGISTERS,
    Array,
    constant,
    loop,
    multiply_add,
    splat,
    transpose,
    two_sum,
)

__all__ = ["DOWN", "FOUR", "STEP", "add_moments", "add_products", "corners", "standardize", "total", "whiten"]

FOUR = 4  # features that are worked on together
DOWN = 4 if MANY_REGISTERS else 2  # and those that they are multiplied with
VECTORS = 4 if MANY_REGISTERS else 2  # of rows that are worked on together
STEP = VECTORS * CENTER_LANES
VECTOR = ir.VectorType(ir.DoubleType(), CENTER_LANES)
NONE = ir.Constant(VECTOR, [0.0] * CENTER_LANES)


def corners(wide: int) -> list[tuple[int, int]]:
    """The tiles of DOWN by FOUR products that cover the lower triangle, by their first line and column, in order."""
    return [(line, column) for line in range(0, wide, DOWN) for column in range(0, line + DOWN, FOUR)]


def _number(b: ir.IRBuilder, array: Array, at: Any) -> Any:
    """One float64 in all lanes."""
    return splat(b, array.load(at, ir.DoubleType()), CENTER_LANES)


def _zeros(b: ir.IRBuilder, many: int) -> list[Any]:
    """Room for sums, which are 0 from here on."""
    room = [cgutils.alloca_once(b, VECTOR) for _ in range(many)]
    for place in room:
        b.store(NONE, place)
    return room


def _add_to_pairs(b: ir.IRBuilder, sums: list[Any], at: Any, total: Array, error: Array) -> None:
    """Add the lanes of each vector up, and the sums to the pairs from ``at`` on."""
    for group in range(0, len(sums), CENTER_LANES):
        lanes = transpose(b, [b.load(place) for place in sums[group : group + CENTER_LANES]])
        while len(lanes) > 1:
            lanes = [b.fadd(*lanes[i : i + 2]) for i in range(0, len(lanes), 2)]
        place = b.add(at, constant(group))
        after, rounding = two_sum(b, total.load(place, VECTOR), lanes[0])
        total.store(place, after)
        error.store(place, b.fadd(error.load(place, VECTOR), rounding))


@intrinsic
def _whiten(typing: Any, points: Any, size: Any, center: Any, factor: Any, z: Any, squares: Any) -> Any:
    """Write the squared lengths of factor · (x - center) to squares (block,).

    factor (wide, wide) is lower triangular, with zeros above; z (wide, block) is room.
    """

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        x, mean, lower, moved, out = (Array(context, b, signature.args[a], args[a]) for a in (0, 2, 3, 4, 5))
        wide, block = x.shape
        zero = constant(0)
        with loop(b, zero, args[1], STEP) as (row, _):
            places = [b.add(row, constant(v * CENTER_LANES)) for v in range(VECTORS)]
            with loop(b, zero, wide, 1) as (feature, _):
                middle, line = _number(b, mean, feature), b.mul(feature, block)
                for place in places:
                    at = b.add(line, place)
                    moved.store(at, b.fsub(x.load(at, VECTOR), middle))
            lengths = _zeros(b, VECTORS)
            with loop(b, zero, wide, FOUR) as (top, _):
                sums = _zeros(b, FOUR * VECTORS)
                with loop(b, zero, b.add(top, constant(FOUR)), 1) as (feature, _):
                    line = b.mul(feature, block)
                    values = [moved.load(b.add(line, place), VECTOR) for place in places]
                    for f in range(FOUR):
                        entry = _number(b, lower, b.add(b.mul(b.add(top, constant(f)), wide), feature))
                        for value, total in zip(values, sums[f * VECTORS : (f + 1) * VECTORS], strict=True):
                            b.store(multiply_add(b, value, entry, b.load(total)), total)
                for at, total in enumerate(sums):
                    whole, length = b.load(total), lengths[at % VECTORS]
                    b.store(multiply_add(b, whole, whole, b.load(length)), length)
            for place, length in zip(places, lengths, strict=True):
                out.store(place, b.load(length))
        return context.get_dummy_value()

    return void(points, size, center, factor, z, squares), codegen


@intrinsic
def _standardize(typing: Any, points: Any, size: Any, center: Any, factor: Any, squares: Any) -> Any:
    """Write the squared lengths of factor · (x - center), feature by feature, to squares (block,); factor (wide,)."""

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        x, mean, scale, out = (Array(context, b, signature.args[a], args[a]) for a in (0, 2, 3, 4))
        wide, block = x.shape
        with loop(b, constant(0), args[1], STEP) as (row, _):
            lengths = _zeros(b, VECTORS)
            with loop(b, constant(0), wide, 1) as (feature, _):
                middle, entry, line = _number(b, mean, feature), _number(b, scale, feature), b.mul(feature, block)
                for v, length in enumerate(lengths):
                    at = b.add(b.add(line, row), constant(v * CENTER_LANES))
                    value = b.fmul(b.fsub(x.load(at, VECTOR), middle), entry)
                    b.store(multiply_add(b, value, value, b.load(length)), length)
            for v, length in enumerate(lengths):
                out.store(b.add(row, constant(v * CENTER_LANES)), b.load(length))
        return context.get_dummy_value()

    return void(points, size, center, factor, squares), codegen


@intrinsic
def _moments(
    typing: Any, points: Any, size: Any, center: Any, shares: Any, z: Any, total: Any, error: Any
) -> Any:  # fmt: skip
    """Add Σ share · z and Σ share · z² of each feature to pairs, z = x - center, which is written to z (wide, block).

    total and error (2 wide,) have four features' sums, then the sums of their squares, and so on.
    """

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        x, mean, parts, moved, pairs, errors = (
            Array(context, b, signature.args[a], args[a]) for a in (0, 2, 3, 4, 5, 6)
        )
        wide, block = x.shape
        with loop(b, constant(0), wide, FOUR) as (top, _):
            features = [b.add(top, constant(f)) for f in range(FOUR)]
            middles = [_number(b, mean, feature) for feature in features]
            lines = [b.mul(feature, block) for feature in features]
            sums = _zeros(b, 2 * FOUR)
            with loop(b, constant(0), args[1], CENTER_LANES) as (row, _):
                share = parts.load(row, VECTOR)
                for f, (middle, line) in enumerate(zip(middles, lines, strict=True)):
                    at = b.add(line, row)
                    value = b.fsub(x.load(at, VECTOR), middle)
                    moved.store(at, value)
                    weighted = b.fmul(value, share)
                    b.store(b.fadd(b.load(sums[f]), weighted), sums[f])
                    b.store(multiply_add(b, weighted, value, b.load(sums[FOUR + f])), sums[FOUR + f])
            _add_to_pairs(b, sums, b.mul(top, constant(2)), pairs, errors)
        return context.get_dummy_value()

    return void(points, size, center, shares, z, total, error), codegen


@intrinsic
def _products(typing: Any, z: Any, size: Any, shares: Any, total: Any, error: Any) -> Any:
    """Add Σ share · z zᵀ to pairs, in tiles as ``corners`` has them, each line after line; z (wide, block)."""

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        x, parts, pairs, errors = (Array(context, b, signature.args[a], args[a]) for a in (0, 2, 3, 4))
        wide, block = x.shape
        tile = cgutils.alloca_once_value(b, constant(0))
        b.store(constant(0), tile)
        with (
            loop(b, constant(0), wide, DOWN) as (line, _),
            loop(b, constant(0), b.add(line, constant(DOWN)), FOUR) as (column, _),
        ):
            left = [b.mul(b.add(line, constant(f)), block) for f in range(DOWN)]
            right = [b.mul(b.add(column, constant(f)), block) for f in range(FOUR)]
            sums = _zeros(b, DOWN * FOUR)
            with loop(b, constant(0), args[1], CENTER_LANES) as (row, _):
                share = parts.load(row, VECTOR)
                values = [x.load(b.add(at, row), VECTOR) for at in right]
                for f, at in enumerate(left):
                    weighted = b.fmul(x.load(b.add(at, row), VECTOR), share)
                    for g, value in enumerate(values):
                        place = sums[f * FOUR + g]
                        b.store(multiply_add(b, weighted, value, b.load(place)), place)
            at = b.load(tile)
            _add_to_pairs(b, sums, at, pairs, errors)
            b.store(b.add(at, constant(DOWN * FOUR)), tile)
        return context.get_dummy_value()

    return void(z, size, shares, total, error), codegen


def _plain_total(values, first, size):
    """The same as ``lanes.total``, without vectors."""
    sums = [float(sum(values[first + lane : first + size : CENTER_LANES])) for lane in range(CENTER_LANES)]
    while len(sums) > 1:
        half = len(sums) // 2
        sums = [sums[at] + sums[half + at] for at in range(half)]
    return sums[0]


def _plain_whiten(points: Any, size: int, center: Any, factor: Any, z: Any, squares: Any) -> None:
    z[:, :size] = points[:, :size] - center[:, np.newaxis]
    squares[:size] = np.square(factor @ z[:, :size]).sum(axis=0)


def _plain_standardize(points: Any, size: int, center: Any, factor: Any, squares: Any) -> None:
    z = (points[:, :size] - center[:, np.newaxis]) * factor[:, np.newaxis]
    squares[:size] = np.square(z).sum(axis=0)


def _plain_moments(points: Any, size: int, center: Any, shares: Any, z: Any, total: Any, error: Any) -> None:
    z[:, :size] = points[:, :size] - center[:, np.newaxis]
    sums = np.stack([z[:, :size] @ shares[:size], np.square(z[:, :size]) @ shares[:size]])
    total += sums.reshape(2, -1, FOUR).transpose(1, 0, 2).ravel()


def _plain_products(z: Any, size: int, shares: Any, total: Any, error: Any) -> None:
    whole = (z[:, :size] * shares[:size]) @ z[:, :size].T
    total += np.concatenate([whole[i : i + DOWN, j : j + FOUR].ravel() for i, j in corners(len(z))])


total: Callable[..., float] = _plain_total if plain_python else lanes.total
whiten: Callable[..., None] = _plain_whiten if plain_python else _whiten
standardize: Callable[..., None] = _plain_standardize if plain_python else _standardize
add_moments: Callable[..., None] = _plain_moments if plain_python else _moments
add_products: Callable[..., None] = _plain_products if plain_python else _products
