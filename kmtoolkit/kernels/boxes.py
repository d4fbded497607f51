"""Boxes and the rows in them against centers, in vectors: what a search in a tree spends its time on.

Distances to rows are the canonical ones for fewer than LANES columns: one square after the other.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kmtoolkit.kernels.jit import plain_python
from kmtoolkit.kernels.vectors import INT32, INT64, VECTOR_BYTES, Array, constant, convert, element, splat

__all__ = ["BOX_LANES", "ROOM", "candidates_of_box", "nearest_of_few"]

DOUBLE = ir.DoubleType()
BOX_LANES = VECTOR_BYTES // 8  # centers, or rows, in a vector
VECTORS = 4  # of rows that are compared together
ROOM = VECTORS * BOX_LANES  # so many values may be read and written where the last row is
TAG = 2**20 - 1  # bits of a distance that make room for a center's number


@intrinsic
def _candidates_of_box(
    typing: Any, centers: Any, m: Any, low: Any, high: Any, box: Any, rounding: Any, underflow: Any, kept: Any
) -> Any:
    """See ``_plain_candidates_of_box``."""
    vector, integers = ir.VectorType(DOUBLE, BOX_LANES), ir.VectorType(INT64, BOX_LANES)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        lines, bottom, top, out = (Array(context, b, signature.args[a], args[a]) for a in (0, 2, 3, 7))
        d, room = lines.shape
        count, corner_of = args[1], b.mul(args[4], d)
        iota = ir.Constant(integers, list(range(BOX_LANES)))

        def sweep() -> Any:
            return cgutils.for_range_slice(b, constant(0), count, constant(BOX_LANES), intp=INT64)

        def numbers(first: Any) -> Any:
            return b.add(splat(b, first, BOX_LANES), iota)

        def scalars(feature: Any) -> tuple[Any, Any]:
            at = b.add(corner_of, feature)
            return bottom.load(at, DOUBLE), top.load(at, DOUBLE)

        total, best = cgutils.alloca_once(b, vector), cgutils.alloca_once(b, integers)
        b.store(ir.Constant(integers, [2**63 - 1] * BOX_LANES), best)
        with sweep() as (first, _):
            b.store(ir.Constant(vector, [0.0] * BOX_LANES), total)
            with cgutils.for_range(b, d, intp=INT64) as feature:
                lo, hi = scalars(feature.index)
                middle = b.fmul(b.fadd(lo, hi), ir.Constant(DOUBLE, 0.5))
                line = lines.load(b.add(b.mul(feature.index, room), first), vector)
                difference = b.fsub(line, splat(b, middle, BOX_LANES))
                b.store(b.fadd(b.load(total), b.fmul(difference, difference)), total)
            # distances rise as the integers of their bits do, and the last bits can tell whose they are
            bits = b.and_(b.bitcast(b.load(total), integers), ir.Constant(integers, [~TAG] * BOX_LANES))
            bits, before = b.or_(bits, numbers(first)), b.load(best)
            valid = b.icmp_signed("<", numbers(first), splat(b, count, BOX_LANES))
            better = b.and_(valid, b.icmp_signed("<", bits, before))
            b.store(b.select(better, bits, before), best)
        least = b.load(best)
        least = [b.extract_element(least, ir.Constant(INT32, lane)) for lane in range(BOX_LANES)]
        while len(least) > 1:
            pairs = zip(least[::2], least[1::2], strict=True)
            least = [b.select(b.icmp_signed("<", x, y), x, y) for x, y in pairs]
        own = b.and_(least[0], constant(TAG))

        reach = cgutils.alloca_once_value(b, ir.Constant(DOUBLE, 0.0))
        with cgutils.for_range(b, d, intp=INT64) as feature:
            lo, hi = scalars(feature.index)
            center = lines.load(b.add(b.mul(feature.index, room), own), DOUBLE)
            squares = [b.fmul(x, x) for x in (b.fsub(center, lo), b.fsub(center, hi))]
            farther = b.select(b.fcmp_ordered(">", *squares), *squares)
            b.store(b.fadd(b.load(reach), farther), reach)

        few, falls = cgutils.alloca_once_value(b, constant(0)), cgutils.alloca_once(b, vector)
        with sweep() as (first, _):
            b.store(ir.Constant(vector, [0.0] * BOX_LANES), falls)
            b.store(splat(b, b.load(reach), BOX_LANES), total)
            with cgutils.for_range(b, d, intp=INT64) as feature:
                at = b.mul(feature.index, room)
                lo, hi, center = (
                    splat(b, x, BOX_LANES) for x in (*scalars(feature.index), lines.load(b.add(at, own), DOUBLE))
                )
                line = lines.load(b.add(at, first), vector)
                to_lo, to_hi, ahead = b.fsub(line, lo), b.fsub(line, hi), b.fsub(line, center)
                up = b.fcmp_ordered(">", ahead, ir.Constant(vector, [0.0] * BOX_LANES))
                corner = b.fadd(b.select(up, to_hi, to_lo), b.fsub(center, b.select(up, hi, lo)))
                b.store(b.fadd(b.load(falls), b.fmul(ahead, corner)), falls)
                squares = [b.fmul(x, x) for x in (to_lo, to_hi)]
                farther = b.select(b.fcmp_ordered(">", *squares), *squares)
                b.store(b.fadd(b.load(total), farther), total)
            needed = b.fadd(b.fmul(splat(b, args[5], BOX_LANES), b.load(total)), splat(b, args[6], BOX_LANES))
            stays = b.not_(b.fcmp_ordered(">", b.load(falls), needed))
            stays = b.and_(stays, b.icmp_signed("<", numbers(first), splat(b, count, BOX_LANES)))
            mask = b.zext(b.bitcast(stays, ir.IntType(BOX_LANES)), INT64)
            for lane in range(BOX_LANES):
                at = b.load(few)
                out.store(at, b.trunc(b.add(first, constant(lane)), INT32))
                b.store(b.add(at, b.and_(b.lshr(mask, constant(lane)), constant(1))), few)
        return b.load(few)

    return types.int64(centers, types.int64, low, high, types.int64, types.float64, types.float64, kept), codegen


def _plain_candidates_of_box(centers, m, low, high, box, rounding, underflow, kept):
    """Write to kept the places of those of m centers that may be the nearest to some point of a box; their number.

    centers (d, a multiple of BOX_LANES), low and high (boxes, d) float64, kept (m + BOX_LANES or more,) int32. The
    center nearest to the middle of the box is set against each of the others: if it is nearer to the corner that lies
    farthest towards the other, it is nearer to all of the box. rounding is relative to squared distances, underflow
    absolute.
    """
    lines, low, high = centers[:, :m], low[box][:, np.newaxis], high[box][:, np.newaxis]
    own = lines[:, [np.square(lines - (low + high) / 2).sum(axis=0).argmin()]]
    corner = np.where(lines > own, high, low)
    falls = ((lines - own) * ((lines - corner) + (own - corner))).sum(axis=0)
    reaches = np.maximum(np.square(lines - low), np.square(lines - high)).sum(axis=0)
    reach = np.maximum(np.square(own - low), np.square(own - high)).sum()
    places = np.flatnonzero(~(falls > rounding * (reaches + reach) + underflow))
    kept[: len(places)] = places
    return len(places)


@intrinsic
def _nearest_of_few(
    typing: Any, points: Any, start: Any, many: Any, centers: Any, few: Any, numbers: Any, before: Any, nearest: Any
) -> Any:
    """See ``_plain_nearest_of_few``."""
    source, _ = element(points.dtype)
    vector, names = ir.VectorType(DOUBLE, BOX_LANES), ir.VectorType(INT64, BOX_LANES)
    short = ir.VectorType(INT32, BOX_LANES)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        rows, lines, codes, old, out = (Array(context, b, signature.args[a], args[a]) for a in (0, 3, 5, 6, 7))
        (d, n), (_, room) = rows.shape, lines.shape
        totals, least = ([cgutils.alloca_once(b, vector) for _ in range(VECTORS)] for _ in range(2))
        owners = [cgutils.alloca_once(b, names) for _ in range(VECTORS)]
        bits = ir.IntType(BOX_LANES)
        changes = cgutils.alloca_once_value(b, ir.Constant(bits, 0))
        with cgutils.for_range_slice(b, constant(0), args[2], constant(ROOM), intp=INT64) as (first, _):
            for v in range(VECTORS):
                b.store(ir.Constant(vector, [float("inf")] * BOX_LANES), least[v])
                b.store(ir.Constant(names, [0] * BOX_LANES), owners[v])
            with cgutils.for_range(b, args[4], intp=INT64) as candidate:
                for total in totals:
                    b.store(ir.Constant(vector, [0.0] * BOX_LANES), total)
                with cgutils.for_range(b, d, intp=INT64) as feature:
                    at = b.add(b.mul(feature.index, room), candidate.index)
                    center = splat(b, lines.load(at, DOUBLE), BOX_LANES)
                    at = b.add(b.mul(feature.index, n), b.add(args[1], first))
                    for v, total in enumerate(totals):
                        row = rows.load(b.add(at, constant(v * BOX_LANES)), ir.VectorType(source, BOX_LANES))
                        difference = b.fsub(convert(b, row, DOUBLE), center)
                        b.store(b.fadd(b.load(total), b.fmul(difference, difference)), total)
                number = splat(b, b.sext(codes.load(candidate.index, INT32), INT64), BOX_LANES)
                for total, low, owner in zip(totals, least, owners, strict=True):
                    distance, before = b.load(total), b.load(low)
                    nearer = b.fcmp_ordered("<", distance, before)
                    b.store(b.select(nearer, distance, before), low)
                    b.store(b.select(nearer, number, b.load(owner)), owner)
            for v, owner in enumerate(owners):
                at = b.add(first, constant(v * BOX_LANES))
                names_now = b.trunc(b.load(owner), short)
                out.store(at, names_now)
                differs = b.icmp_signed("!=", names_now, old.load(b.add(args[1], at), short))
                places = b.add(splat(b, at, BOX_LANES), ir.Constant(names, list(range(BOX_LANES))))
                differs = b.and_(differs, b.icmp_signed("<", places, splat(b, args[2], BOX_LANES)))
                b.store(b.or_(b.load(changes), b.bitcast(differs, bits)), changes)
        return b.icmp_unsigned("!=", b.load(changes), ir.Constant(bits, 0))

    arguments = (points, types.int64, types.int64, centers, types.int64, numbers, before, nearest)
    return types.boolean(*arguments), codegen


def _plain_nearest_of_few(points, start, many, centers, few, numbers, before, nearest):
    """Write the nearest of few centers of ``many`` rows from place ``start`` on; whether any of them is new.

    points (d, rows and ROOM more), centers (d, few or more), numbers (few or more,) int32, rising; before (as many as
    points,) the numbers so far, nearest (many and ROOM more,) int32.
    """
    rows = points[:, start : start + many].astype(np.float64)
    squares = np.zeros((few, many))
    for f in range(len(rows)):
        squares += np.square(rows[f] - centers[f, :few, np.newaxis])
    nearest[:many] = numbers[squares.argmin(axis=0)]
    return bool((nearest[:many] != before[start : start + many]).any())


candidates_of_box: Callable[..., int] = _plain_candidates_of_box if plain_python else _candidates_of_box
nearest_of_few: Callable[..., bool] = _plain_nearest_of_few if plain_python else _nearest_of_few
