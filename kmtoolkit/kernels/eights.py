"""Eight rows in lanes: what soft assignments compute of them, as Numba intrinsics.

Rows are taken in blocks of EIGHT, and transposed, so that a vector holds the same of all rows of a block. Several
blocks at once, ``many``, keep the processor busy: what is done to one follows from itself alone. Where the target's
vectors are shorter, LLVM takes several.
"""

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kmtoolkit.kernels.jit import jit
from kmtoolkit.kernels.lanes import CENTER_LANES, LANES
from kmtoolkit.kernels.vectors import (
    INT32,
    INT64,
    Array,
    constant,
    convert,
    element,
    loop,
    multiply_add,
    shuffle,
    splat,
    transpose,
    two_sum,
)

__all__ = [
    "EIGHT", "INTEGERS", "VECTOR", "Least", "Room", "add_shares", "arrays_of", "empty_into_pairs", "everywhere", "line",
    "room_of", "rows_to_centers", "take_rows", "write_labels",
]  # fmt: skip

EIGHT = 8
LINES, FEWEST, MOST = 128, 2, 8  # centers and features of all blocks, whose room is to stay near; blocks
VECTOR, INTEGERS = ir.VectorType(ir.DoubleType(), EIGHT), ir.VectorType(INT64, EIGHT)
PART = ir.VectorType(ir.DoubleType(), CENTER_LANES)


class Room(NamedTuple):
    """What a chunk works in: blocks of rows, and sums that have not entered pairs yet. k is in whole eights.

    All is float64 but for the places.
    """

    points: np.ndarray  # (blocks, d, EIGHT), a feature a line
    moved: np.ndarray  # (blocks, d, EIGHT), less the origin
    weights: np.ndarray  # (blocks · EIGHT,); 0 where there is no row
    distances: np.ndarray  # (blocks, k, EIGHT), a center a line
    least: np.ndarray  # (blocks · EIGHT,)
    shares: np.ndarray  # (blocks, k, EIGHT)
    scale: np.ndarray  # (blocks · EIGHT,), what shares are to be multiplied with
    places: np.ndarray  # (blocks · EIGHT,) int64, labels
    sums: np.ndarray  # (k / EIGHT, d, EIGHT), a feature of eight centers a line
    mass: np.ndarray  # (k, EIGHT), row by row
    spread: np.ndarray  # (k, EIGHT)
    value: np.ndarray  # (2, 2, EIGHT): F and the magnitude of its terms, row by row; and what rounding lost of them


@jit
def room_of(k, d):
    """Empty room for k centers and d features."""
    blocks, groups = min(max(LINES // (k + d), FEWEST), MOST), (k + EIGHT - 1) // EIGHT
    rows, wide = blocks * EIGHT, groups * EIGHT
    return Room(
        np.zeros((blocks, d, EIGHT)), np.zeros((blocks, d, EIGHT)), np.zeros(rows), np.zeros((blocks, wide, EIGHT)),
        np.zeros(rows), np.zeros((blocks, wide, EIGHT)), np.zeros(rows), np.zeros(rows, np.int64),
        np.zeros((groups, d, EIGHT)), np.zeros((wide, EIGHT)), np.zeros((wide, EIGHT)), np.zeros((2, 2, EIGHT)),
    )  # fmt: skip


def arrays_of(context: Any, b: ir.IRBuilder, kind: Any, record: Any) -> SimpleNamespace:
    """The arrays of a record, by name."""
    return SimpleNamespace(
        **{
            name: Array(context, b, of, b.extract_value(record, at))
            for at, (name, of) in enumerate(zip(kind.fields, kind.types, strict=True))
        }
    )


def everywhere(value: float) -> ir.Constant:
    """A number in all lanes."""
    return ir.Constant(VECTOR, [float(value)] * EIGHT)


def line(b: ir.IRBuilder, number: Any) -> Any:
    """Where a line of EIGHT begins."""
    return b.mul(number, constant(EIGHT))


class Least:
    """The least of several vectors, lane by lane, and which it was, the first of equals."""

    def __init__(self, b: ir.IRBuilder, lanes: int) -> None:
        self.b, self.lanes = b, lanes
        self.least = cgutils.alloca_once(b, ir.VectorType(ir.DoubleType(), lanes))
        self.place = cgutils.alloca_once(b, ir.VectorType(INT64, lanes))
        b.store(ir.Constant(self.least.type.pointee, [np.inf] * lanes), self.least)
        b.store(ir.Constant(self.place.type.pointee, [0] * lanes), self.place)

    def look(self, vector: Any, number: Any) -> None:
        b, least, place = self.b, self.b.load(self.least), self.b.load(self.place)
        lower = b.fcmp_ordered("<", vector, least)
        b.store(b.select(lower, vector, least), self.least)
        b.store(b.select(lower, splat(b, number, self.lanes), place), self.place)


@intrinsic
def take_rows(typing: Any, X: Any, weights: Any, first: Any, last: Any, origin: Any, room: Any, many: Any) -> Any:
    """Take rows from ``first`` on of X (n, d), and their weights; moved by the origin (d,), too.

    Behind row ``last`` it stands for the others, with no weight. Meanwhile the rows that come next are asked for, a
    line for each feature.
    """
    source, _ = element(X.dtype)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        rows, heavy, center = (Array(context, b, signature.args[a], args[a]) for a in (0, 1, 4))
        mine, d, last = arrays_of(context, b, signature.args[5], args[5]), rows.shape[1], args[3]
        whole = b.and_(d, constant(-EIGHT))
        with loop(b, constant(0), args[6]) as (block, _):
            x, moved, top = mine.points.entry(block), mine.moved.entry(block), b.add(args[2], line(b, block))
            ahead, numbers, held = b.mul(b.add(top, line(b, args[6])), d), [], everywhere(0)
            for r in range(EIGHT):
                number = b.add(top, constant(r))
                behind = b.icmp_signed(">", number, last)
                numbers.append(b.mul(b.select(behind, last, number), d))
                weight = heavy.load(b.select(behind, last, number), ir.DoubleType())
                weight = b.select(behind, ir.Constant(ir.DoubleType(), 0), weight)
                held = b.insert_element(held, weight, constant(r))
            mine.weights.store(line(b, block), held)

            def put(feature: Any, values: Any) -> None:
                rows.prefetch(b.add(ahead, line(b, feature)))
                values = convert(b, values, ir.DoubleType())
                x.store(line(b, feature), values)
                moved.store(line(b, feature), b.fsub(values, splat(b, center.load(feature, ir.DoubleType()), EIGHT)))

            with loop(b, constant(0), whole, EIGHT) as (feature, _):
                lines = [rows.load(b.add(start, feature), ir.VectorType(source, EIGHT)) for start in numbers]
                for c, column in enumerate(transpose(b, lines)):
                    put(b.add(feature, constant(c)), column)
            with loop(b, whole, d) as (feature, _):
                column = ir.Constant(ir.VectorType(source, EIGHT), ir.Undefined)
                for r, start in enumerate(numbers):
                    column = b.insert_element(column, rows.load(b.add(start, feature), source), constant(r))
                put(feature, column)
        return context.get_dummy_value()

    return types.void(X, weights, first, last, origin, room, many), codegen


@intrinsic
def write_labels(typing: Any, room: Any, labels: Any, first: Any, last: Any) -> Any:
    """Write the places of rows first to last to labels (n,) int32."""

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        mine, out = arrays_of(context, b, signature.args[0], args[0]), Array(context, b, signature.args[1], args[1])
        size = b.sub(b.add(args[3], constant(1)), args[2])
        whole = b.and_(size, constant(-EIGHT))
        for start, stop, kind in ((constant(0), whole, ir.VectorType(INT32, EIGHT)), (whole, size, INT32)):
            wide, step = (INTEGERS, EIGHT) if kind != INT32 else (INT64, 1)
            with loop(b, start, stop, step) as (row, _):
                out.store(b.add(args[2], row), b.trunc(mine.places.load(row, wide), kind))
        return context.get_dummy_value()

    return types.void(room, labels, first, last), codegen


def _canonical(b: ir.IRBuilder, points: Array, lane: Any, centers: Array, start: Any, d: Any) -> Any:
    """The canonical distances of CENTER_LANES rows, from ``lane`` on, to the center (d,) at ``start``."""
    sums = [cgutils.alloca_once(b, PART) for _ in range(LANES)]
    zero, whole = ir.Constant(PART, [0.0] * CENTER_LANES), b.and_(d, constant(-LANES))

    def add_square(feature: Any, total: Any) -> None:
        middle = splat(b, centers.load(b.add(start, feature), ir.DoubleType()), CENTER_LANES)
        difference = b.fsub(points.load(b.add(line(b, feature), lane), PART), middle)
        b.store(b.fadd(b.load(total), b.fmul(difference, difference)), total)

    b.store(zero, sums[0])
    with b.if_then(b.icmp_signed("!=", whole, constant(0))):
        for total in sums:
            b.store(zero, total)
        with loop(b, constant(0), whole, LANES) as (feature, _):
            for at, total in enumerate(sums):
                add_square(b.add(feature, constant(at)), total)
        values = [b.load(total) for total in sums]
        while len(values) > 1:
            values = [b.fadd(*values[at : at + 2]) for at in range(0, len(values), 2)]
        b.store(values[0], sums[0])
    with loop(b, whole, d) as (feature, _):
        add_square(feature, sums[0])
    return b.load(sums[0])


@intrinsic
def rows_to_centers(typing: Any, centers: Any, room: Any, many: Any) -> Any:
    """Write the canonical squared distances of the rows to centers (k, d), the least, and its place.

    It is the place of the first of equals.
    """

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        means, mine = Array(context, b, signature.args[0], args[0]), arrays_of(context, b, signature.args[1], args[1])
        k, d = means.shape
        with (
            loop(b, constant(0), args[2]) as (block, _),
            loop(b, constant(0), constant(EIGHT), CENTER_LANES) as (lane, _),
        ):
            x, out, best = mine.points.entry(block), mine.distances.entry(block), Least(b, CENTER_LANES)
            with loop(b, constant(0), k) as (j, _):
                distance = _canonical(b, x, lane, means, b.mul(j, d), d)
                out.store(b.add(line(b, j), lane), distance)
                best.look(distance, j)
            row = b.add(line(b, block), lane)
            mine.least.store(row, b.load(best.least))
            mine.places.store(row, b.load(best.place))
        return context.get_dummy_value()

    return types.void(centers, room, many), codegen


@intrinsic
def add_shares(typing: Any, room: Any, many: Any) -> Any:
    """Add the rows by their shares · scale to sums, and these and their products with the distances to the others."""

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        mine = arrays_of(context, b, signature.args[0], args[0])
        with loop(b, constant(0), mine.sums.shape[0]) as (group, _), loop(b, constant(0), args[1]) as (block, _):
            x, far, shares = (array.entry(block) for array in (mine.moved, mine.distances, mine.shares))
            scale, held = mine.scale.load(line(b, block), VECTOR), []
            for j in range(EIGHT):
                at = line(b, b.add(line(b, group), constant(j)))
                share = b.fmul(shares.load(at, VECTOR), scale)
                distance = b.select(b.fcmp_ordered(">", share, everywhere(0)), far.load(at, VECTOR), everywhere(0))
                mine.mass.store(at, b.fadd(mine.mass.load(at, VECTOR), share))
                mine.spread.store(at, multiply_add(b, share, distance, mine.spread.load(at, VECTOR)))
                held.append(share)
            rows, out = transpose(b, held), mine.sums.entry(group)
            for lane in range(0, EIGHT, CENTER_LANES):
                some = [shuffle(b, row, row, list(range(lane, lane + CENTER_LANES))) for row in rows]
                with loop(b, constant(0), x.shape[0]) as (feature, _):
                    at = b.add(line(b, feature), constant(lane))
                    total = out.load(at, PART)
                    for r, share in enumerate(some):
                        number = x.load(b.add(line(b, feature), constant(r)), ir.DoubleType())
                        total = multiply_add(b, splat(b, number, CENTER_LANES), share, total)
                    out.store(at, total)
        return context.get_dummy_value()

    return types.void(room, many), codegen


def _add_to_pairs(b: ir.IRBuilder, total: Array, error: Array, at: Any, values: Any) -> None:
    """Add a number or a vector to pairs."""
    after, rounding = two_sum(b, total.load(at, values.type), values)
    total.store(at, after)
    error.store(at, b.fadd(error.load(at, values.type), rounding))


@intrinsic
def empty_into_pairs(typing: Any, room: Any, parts: Any, chunk: Any) -> Any:
    """Add what the rows have come to to the pairs of a chunk, and begin anew."""

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        mine, out = (arrays_of(context, b, signature.args[a], args[a]) for a in range(2))
        for name, across in (("sums", 1), ("mass", EIGHT), ("spread", EIGHT)):
            source, total, error = (vars(mine)[name], *(vars(out)[n].entry(args[2]) for n in (name, f"{name}_error")))
            with loop(b, constant(0), total.shape[0], EIGHT) as (at, _):
                places = [b.add(b.mul(at, constant(across)), constant(EIGHT * i)) for i in range(across)]
                lines = [source.load(place, VECTOR) for place in places]
                for place in places:
                    source.store(place, everywhere(0))
                lines = transpose(b, lines) if across > 1 else lines
                while len(lines) > 1:
                    lines = [b.fadd(*lines[i : i + 2]) for i in range(0, len(lines), 2)]
                _add_to_pairs(b, total, error, at, lines[0])
        total, error = out.value.entry(args[2]), out.value_error.entry(args[2])
        for at in range(2):
            for row in range(EIGHT):
                for lost in range(2):
                    place = constant((2 * lost + at) * EIGHT + row)
                    _add_to_pairs(b, total, error, constant(at), mine.value.load(place, ir.DoubleType()))
                    mine.value.store(place, ir.Constant(ir.DoubleType(), 0))
        return context.get_dummy_value()

    return types.void(room, parts, chunk), codegen
