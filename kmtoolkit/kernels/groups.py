"""Rows here and there against groups of centers: their bounds, and a register tile, as Numba intrinsics.

Bounds in lanes: a vector holds the bounds of a row against as many groups as it has lanes.

Centers in lanes: a vector holds one feature of as many centers as it has lanes, and the value of a row is broadcast. So
rows are read where they lie, which suits lists of rows that change from group to group. At the end the tile of scores
is transposed, so that each lane finds the best two of a row.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kmtoolkit.kernels.vectors import (
    INT32,
    INT64,
    MANY_REGISTERS,
    VECTOR_BYTES,
    Array,
    constant,
    element,
    least_of,
    lesser,
    literal,
    multiply_add,
    splat,
    transpose,
)

__all__ = ["MULTIPLE", "STEP", "TIMES", "WIDTH", "group_tile", "list_below", "shrink"]

MULTIPLE = VECTOR_BYTES // 4  # bounds of a row are filled up to so many

WIDTH = 16  # centers of a tile
TIMES = 32  # that bounds can be of
STEP = 4  # features that the loop does at once; rows and tiles are filled up with zeros to a multiple
POINTERS = 8  # rows that are read at the same time: each takes a general register
SUMS = 16 if MANY_REGISTERS else 8  # vectors of scores that are kept in registers


@intrinsic
def shrink(typing: Any, lower: Any, stamps: Any, drifts: Any, i: Any, shrunk: Any, r: Any) -> Any:
    """Write the bounds of row i less the drifts since their times to row r of shrunk, and return the least of them.

    lower and shrunk (rows, groups) float32, stamps (rows, groups) uint8, drifts (groups, TIMES) float32;
    groups in whole vectors.
    """
    vector, bytes_ = ir.VectorType(ir.FloatType(), MULTIPLE), ir.VectorType(ir.IntType(8), MULTIPLE)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        bounds, times, ways, out = (Array(context, b, signature.args[a], args[a]) for a in (0, 1, 2, 4))
        groups = bounds.shape[1]
        row, least = b.mul(args[3], groups), cgutils.alloca_once(b, vector)
        b.store(ir.Constant(vector, [float("inf")] * MULTIPLE), least)
        with cgutils.for_range_slice(b, constant(0), groups, constant(MULTIPLE), intp=INT64) as (group, _):
            since = times.load(b.add(row, group), bytes_)
            drift = ir.Constant(vector, ir.Undefined)
            for lane in range(MULTIPLE):
                time = b.zext(b.extract_element(since, ir.Constant(INT32, lane)), INT64)
                at = b.add(b.add(b.mul(group, constant(TIMES)), constant(lane * TIMES)), time)
                drift = b.insert_element(drift, ways.load(at, ir.FloatType()), ir.Constant(INT32, lane))
            value = b.fsub(bounds.load(b.add(row, group), vector), drift)
            out.store(b.add(b.mul(args[5], groups), group), value)
            b.store(lesser(b, value, b.load(least)), least)
        return least_of(b, b.load(least))

    return types.float32(lower, stamps, drifts, i, shrunk, r), codegen


@intrinsic
def list_below(typing: Any, shrunk: Any, r: Any, above: Any, slot: Any, listed: Any, counts: Any) -> Any:
    """Append slot to the lists of the groups whose bound is not above ``above``; return the least of the other bounds.

    Bounds are row r of shrunk (rows, groups) float32; listed (groups, slots) uint32, and counts (groups,), how many
    they are.
    """
    vector, mask = ir.VectorType(ir.FloatType(), MULTIPLE), ir.IntType(MULTIPLE)
    infinite = ir.Constant(vector, [float("inf")] * MULTIPLE)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        bounds, lists, many = (Array(context, b, signature.args[a], args[a]) for a in (0, 4, 5))
        groups = bounds.shape[1]
        least, left = cgutils.alloca_once(b, vector), cgutils.alloca_once(b, mask)
        b.store(infinite, least)
        with cgutils.for_range_slice(b, constant(0), groups, constant(MULTIPLE), intp=INT64) as (group, _):
            value = bounds.load(b.add(b.mul(args[1], groups), group), vector)
            spared = b.fcmp_ordered(">", value, splat(b, args[2], MULTIPLE))
            b.store(lesser(b, b.select(spared, value, infinite), b.load(least)), least)
            b.store(b.not_(b.bitcast(spared, mask)), left)
            head, body, done = (b.append_basic_block(name) for name in ("more", "list", "done"))
            b.branch(head)
            b.position_at_end(head)
            now = b.load(left)
            b.cbranch(b.icmp_unsigned("!=", now, ir.Constant(mask, 0)), body, done)
            b.position_at_end(body)
            g = b.add(group, b.zext(b.cttz(now, ir.Constant(ir.IntType(1), 1)), INT64))
            count = many.load(g, INT64)
            lists.store(b.add(b.mul(g, lists.shape[1]), count), b.trunc(args[3], INT32))
            many.store(g, b.add(count, constant(1)))
            b.store(b.and_(now, b.sub(now, ir.Constant(mask, 1))), left)
            b.branch(head)
            b.position_at_end(done)
        return least_of(b, b.load(least))

    return types.float32(shrunk, r, above, slot, listed, counts), codegen


@intrinsic
def group_tile(
    typing: Any, points: Any, listed: Any, at: Any, tiles: Any, offset: Any, first: Any, several: Any,
    best: Any, second: Any, which: Any, out: Any, width: Any, step: Any,
) -> Any:  # fmt: skip
    """Score as many listed rows as a vector has lanes against ``several`` tiles of centers.

    points (rows, d), d a multiple of STEP, and listed uint32: the rows' numbers from ``at`` on. tiles (tiles, d, WIDTH)
    and offset (tiles · WIDTH,): the score is x · c + offset, and the first of the tiles is ``first``. Written to best,
    second and which, from ``out`` on: the two largest scores of each row, and the place in offset of the largest.
    """
    if not literal(width, step):
        return None
    real, size = element(points.dtype)
    lanes, integer, features = VECTOR_BYTES // size, ir.IntType(8 * size), step.literal_value
    vector, names = ir.VectorType(real, lanes), ir.VectorType(integer, lanes)
    across, strip = width.literal_value // lanes, min(POINTERS, lanes)
    beside = max(1, min(across, SUMS // strip))  # vectors of centers that share a broadcast

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        rows, numbers, centers, offsets, tops, seconds, owners = (
            Array(context, b, signature.args[a], args[a]) for a in (0, 1, 3, 4, 7, 8, 9)
        )
        d = rows.shape[1]
        starts = [b.mul(b.zext(numbers.load(b.add(args[2], constant(r)), INT32), INT64), d) for r in range(lanes)]
        lowest = ir.Constant(vector, [float("-inf")] * lanes)
        top, two = cgutils.alloca_once(b, vector), cgutils.alloca_once(b, vector)
        owner = cgutils.alloca_once(b, names)
        b.store(lowest, top)
        b.store(lowest, two)
        b.store(ir.Constant(names, [0] * lanes), owner)

        def scores(begin: Any, block: Any, column: int) -> list[list[Any]]:
            """For ``beside`` vectors of centers from ``column`` on, the scores of all rows."""
            found: list[list[Any]] = [[] for _ in range(beside)]
            for r in range(0, lanes, strip):
                sums = [[cgutils.alloca_once(b, vector) for _ in range(beside)] for _ in range(strip)]
                for v in range(beside):
                    start = offsets.load(b.add(begin, constant((column + v) * lanes)), vector)
                    for row in sums:
                        b.store(start, row[v])
                with cgutils.for_range_slice(b, constant(0), d, constant(features), intp=INT64) as (feature, _):
                    for f in range(features):
                        place = b.add(feature, constant(f))
                        line = b.add(
                            b.add(block, b.mul(place, constant(width.literal_value))), constant(column * lanes)
                        )
                        means = [centers.load(b.add(line, constant(v * lanes)), vector) for v in range(beside)]
                        for s, row in enumerate(sums):
                            value = splat(b, rows.load(b.add(starts[r + s], place), real), lanes)
                            for v, mean in enumerate(means):
                                b.store(multiply_add(b, mean, value, b.load(row[v])), row[v])
                for row in sums:
                    for v in range(beside):
                        found[v].append(b.load(row[v]))
            return found

        with cgutils.for_range(b, args[6], intp=INT64) as tile:
            number = b.add(args[5], tile.index)
            begin = b.mul(number, constant(width.literal_value))
            block = b.mul(begin, d)
            for column in range(0, across, beside):
                for v, found in enumerate(scores(begin, block, column)):
                    one = b.add(begin, constant((column + v) * lanes))
                    place = splat(b, b.trunc(one, integer) if size == 4 else one, lanes)
                    highest, next_one, name = b.load(top), b.load(two), b.load(owner)
                    for g, score in enumerate(transpose(b, found)):
                        better = b.fcmp_ordered(">", score, highest)
                        loser = b.select(better, highest, score)
                        next_one = b.select(b.fcmp_ordered(">", loser, next_one), loser, next_one)
                        name = b.select(better, b.add(place, ir.Constant(names, [g] * lanes)), name)
                        highest = b.select(better, score, highest)
                    b.store(highest, top)
                    b.store(next_one, two)
                    b.store(name, owner)
        tops.store(args[10], b.load(top))
        seconds.store(args[10], b.load(two))
        owners.store(args[10], b.load(owner))
        return context.get_dummy_value()

    arguments = (points, listed, at, tiles, offset, first, several, best, second, which, out, width, step)
    return types.void(*arguments), codegen
