"""Register tiles: the vector code that LLVM does not find by itself, as Numba intrinsics.

Rows in lanes: a block of rows lies transposed in memory, one row per lane, so that a vector holds one feature of as
many rows as it has lanes. ``score_tile`` keeps a tile of scores, VECTORS vectors of rows by GROUP centers, in registers
while it runs over the features; the sizes are such that the tile, VECTORS vectors of rows and one broadcast value fill
the registers of the target and no more.
"""

from itertools import chain
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kmtoolkit.kernels.vectors import (
    INT32,
    INT64,
    LINE_BYTES,
    MANY_REGISTERS,
    VECTOR_BYTES,
    Array,
    constant,
    convert,
    element,
    literal,
    multiply_add,
    shuffle,
    splat,
    transpose,
)

__all__ = [
    "GROUP", "SEED_GROUPS", "SEED_VECTORS", "VECTORS", "keep_scores", "pack_rows", "potential_tile", "score_tile",
    "squared_lengths",
]  # fmt: skip

VECTORS, GROUP = (4, 6) if MANY_REGISTERS else (2, 6)
SEED_VECTORS, SEED_GROUPS = 2, (3, 4, 5)  # of potential_tile, whose rows may be float64, and whose centers are few
SHUFFLED_COLUMNS = 4  # rows of so few columns are transposed as a whole


@intrinsic
def pack_rows(typing: Any, X: Any, first: Any, origin: Any, scale: Any, points: Any, vectors: Any) -> Any:
    """Write (rows first, first + 1, ... of X (n, d) - origin) · scale, transposed, to points (features, rows).

    An array as ``first`` holds the numbers of the rows, one for each lane of the block.
    It loads whole vectors: what lies behind a row is read too, and fills features d and up of points, which have room
    for a multiple of the lanes. origin holds its d values again and again, for as many; its precision is the one of
    the subtraction.
    """
    if not literal(vectors):
        return None
    (source, _), (exact, _), (target, size) = element(X.dtype), element(origin.dtype), element(points.dtype)
    lanes, width = VECTOR_BYTES // size, vectors.literal_value * (VECTOR_BYTES // size)
    listed = isinstance(first, types.Array)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        numbers = Array(context, b, signature.args[1], args[1]) if listed else None
        rows, start, block = (Array(context, b, signature.args[a], args[a]) for a in (0, 2, 4))
        d = rows.shape[1]

        def placed(at: Any, offset: Any, count: int) -> Any:
            """``count`` values of X from ``at`` on, moved and scaled."""
            values = convert(b, rows.load(at, ir.VectorType(source, count)), exact)
            moved = b.fsub(values, start.load(offset, values.type))
            return convert(b, b.fmul(moved, splat(b, args[3], count)), target)

        def number(r: int) -> Any:
            """The row in lane r of this vector."""
            at = b.add(lane, constant(r))
            return numbers.load(at, INT64) if numbers else b.add(args[1], at)

        def squares() -> None:
            """Lanes rows by lanes columns at a time."""
            with cgutils.for_range_slice(b, constant(0), d, constant(lanes), intp=INT64) as (feature, _):
                ats = [b.add(b.mul(number(r), d), feature) for r in range(lanes)]
                for c, column in enumerate(transpose(b, [placed(at, feature, lanes) for at in ats])):
                    block.store(b.add(b.mul(b.add(feature, constant(c)), constant(width)), lane), column)

        with cgutils.for_range(b, constant(width // lanes), intp=INT64) as vector:
            lane = b.mul(vector.index, constant(lanes))
            done = b.append_basic_block("packed")
            general = b.append_basic_block("squares")
            few = b.switch(d, general)
            for columns in range(1, 1 if listed else SHUFFLED_COLUMNS + 1):
                case = b.append_basic_block(f"columns{columns}")
                few.add_case(constant(columns), case)
                b.position_at_end(case)
                whole = placed(b.mul(number(0), d), constant(0), lanes * columns)
                for c in range(columns):
                    strided = shuffle(b, whole, whole, list(range(c, lanes * columns, columns)))
                    block.store(b.add(constant(c * width), lane), strided)
                b.branch(done)
            b.position_at_end(general)
            squares()
            b.branch(done)
            b.position_at_end(done)
        return context.get_dummy_value()

    return types.void(X, first, origin, scale, points, vectors), codegen


@intrinsic
def squared_lengths(typing: Any, points: Any, squares: Any, d: Any, vectors: Any) -> Any:
    """Write the squared lengths of the rows of a block, points (d or more, rows), to squares (rows,)."""
    if not literal(vectors):
        return None
    real, size = element(points.dtype)
    many, lanes = vectors.literal_value, VECTOR_BYTES // size
    vector = ir.VectorType(real, lanes)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        block, out = (Array(context, b, signature.args[a], args[a]) for a in range(2))
        totals = [cgutils.alloca_once(b, vector) for _ in range(many)]
        for total in totals:
            b.store(ir.Constant(vector, [0.0] * lanes), total)
        with cgutils.for_range(b, args[2], intp=INT64) as feature:
            at = b.mul(feature.index, constant(many * lanes))
            for v, total in enumerate(totals):
                row = block.load(b.add(at, constant(v * lanes)), vector)
                b.store(multiply_add(b, row, row, b.load(total)), total)
        for v, total in enumerate(totals):
            out.store(constant(v * lanes), b.load(total))
        return context.get_dummy_value()

    return types.void(points, squares, d, vectors), codegen


def prefetch_two(b: Any, memory: Array, ahead: Any, step: Any, feature: Any) -> None:
    """Ask for the two lines of memory that are this feature's; arithmetic hides the time they take."""
    for line in range(2):
        at = b.add(b.mul(feature, constant(2)), constant(line))
        memory.prefetch(b.add(ahead, b.mul(at, step)))


def scored(
    b: Any, block: Array, centers: Array, offsets: Array, d: Any, first: Any, shape: tuple[int, int, int], besides: Any
) -> list[list[Any]]:
    """The scores of a block of rows against centers from ``first`` on: for each center, vectors of rows.

    shape says how many centers, vectors, and lanes. besides(feature) adds what is done meanwhile for each feature.
    """
    several, many, lanes = shape
    real = ir.FloatType() if offsets.bytes == 4 else ir.DoubleType()
    vector = ir.VectorType(real, lanes)
    scores = [[cgutils.alloca_once(b, vector) for _ in range(many)] for _ in range(several)]
    for g in range(several):
        offset = splat(b, offsets.load(b.add(first, constant(g)), real), lanes)
        for v in range(many):
            b.store(offset, scores[g][v])
    with cgutils.for_range(b, d, intp=INT64) as feature:
        besides(feature.index)
        at = b.mul(feature.index, constant(many * lanes))
        rows = [block.load(b.add(at, constant(v * lanes)), vector) for v in range(many)]
        at = b.add(b.mul(first, d), b.mul(feature.index, constant(several)))
        for g in range(several):
            value = splat(b, centers.load(b.add(at, constant(g)), real), lanes)
            for v in range(many):
                b.store(multiply_add(b, rows[v], value, b.load(scores[g][v])), scores[g][v])
    return [[b.load(score) for score in row] for row in scores]


@intrinsic
def keep_scores(
    typing: Any, points: Any, packed: Any, offset: Any, scores: Any, d: Any, first: Any, vectors: Any, group: Any
) -> Any:
    """Write the scores of a block of rows against centers first to first + group - 1 to scores (centers, rows).

    The others are as ``score_tile`` takes them.
    """
    if not literal(vectors, group):
        return None
    _, size = element(points.dtype)
    shape = (group.literal_value, vectors.literal_value, VECTOR_BYTES // size)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        block, centers, offsets, out = (Array(context, b, signature.args[a], args[a]) for a in range(4))
        _, many, lanes = shape
        for g, row in enumerate(scored(b, block, centers, offsets, args[4], args[5], shape, lambda _: None)):
            at = b.mul(b.add(args[5], constant(g)), constant(many * lanes))
            for v, score in enumerate(row):
                out.store(b.add(at, constant(v * lanes)), score)
        return context.get_dummy_value()

    return types.void(points, packed, offset, scores, d, first, vectors, group), codegen


@intrinsic
def score_tile(
    typing: Any, points: Any, packed: Any, offset: Any, best: Any, second: Any, which: Any,
    d: Any, first: Any, X: Any, ahead: Any, step: Any, vectors: Any, group: Any,
) -> Any:  # fmt: skip
    """Score the rows of a block against centers first to first + group - 1, and keep the two best scores.

    points (d or more, rows); packed (groups, d, group) and offset (centers,): the score is x · c + offset. best,
    second and which (rows,) are the two largest scores so far and the center of the best, the first of equals.
    Meanwhile lines of X are asked for, two for each feature: ``ahead`` is the first value, ``step`` their distance.
    """
    if not literal(vectors, group):
        return None
    real, size = element(points.dtype)
    lanes, many, several = VECTOR_BYTES // size, vectors.literal_value, group.literal_value
    integer = ir.IntType(8 * size)
    vector, names = ir.VectorType(real, lanes), ir.VectorType(integer, lanes)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        block, centers, offsets, tops, seconds, owners = (
            Array(context, b, signature.args[a], args[a]) for a in range(6)
        )
        features, start, memory = args[6], args[7], Array(context, b, signature.args[8], args[8])
        shape = (several, many, lanes)
        scores = scored(
            b,
            block,
            centers,
            offsets,
            features,
            start,
            shape,
            lambda at: prefetch_two(b, memory, args[9], args[10], at),
        )
        number = splat(b, b.trunc(start, integer) if size == 4 else start, lanes)
        for v in range(many):
            lane = constant(v * lanes)
            top, two, owner = tops.load(lane, vector), seconds.load(lane, vector), owners.load(lane, names)
            for g in range(several):
                score = scores[g][v]
                better = b.fcmp_ordered(">", score, top)
                loser = b.select(b.fcmp_ordered("<", score, top), score, top)
                two = b.select(b.fcmp_ordered(">", loser, two), loser, two)
                owner = b.select(better, b.add(number, ir.Constant(names, [g] * lanes)), owner)
                top = b.select(better, score, top)
            tops.store(lane, top)
            seconds.store(lane, two)
            owners.store(lane, owner)
        return context.get_dummy_value()

    arguments = (points, packed, offset, best, second, which, d, first, X, ahead, step, vectors, group)
    return types.void(*arguments), codegen


@intrinsic
def potential_tile(
    typing: Any, points: Any, centers: Any, closest: Any, owner: Any, seed: Any, weights: Any, sums: Any,
    X: Any, ahead: Any, vectors: Any, group: Any,
) -> Any:  # fmt: skip
    """Add what a block of rows adds to the potentials of several centers, after the first of them has lowered closest.

    points (d or more, rows of a block), as ``pack_rows`` leaves them; centers (a multiple of group, d); closest and
    weights (rows,). Where closest was lowered, seed is put down as the owner (rows,) int32. sums (centers, rows), lane
    by lane, are of weight · min(closest, squared distance). All but the owners are of one precision. Meanwhile X is
    asked for from value ``ahead`` on, two lines for each feature, the size of a block.
    """
    if not literal(vectors, group):
        return None
    real, size = element(points.dtype)
    many, lanes, several = vectors.literal_value, VECTOR_BYTES // size, group.literal_value
    vector, names = ir.VectorType(real, lanes), ir.VectorType(INT32, lanes)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        block, seeds, least, owners, heavy, total = (
            Array(context, b, signature.args[a], args[a]) for a in (0, 1, 2, 3, 5, 6)
        )
        memory, (m, d) = Array(context, b, signature.args[7], args[7]), seeds.shape
        distances = [[cgutils.alloca_once(b, vector) for _ in range(many)] for _ in range(several)]
        with cgutils.for_range_slice(b, constant(0), m, constant(several), intp=INT64) as (first, _):
            for distance in chain.from_iterable(distances):
                b.store(ir.Constant(vector, [0.0] * lanes), distance)
            step = b.select(b.icmp_signed("==", first, constant(0)), constant(LINE_BYTES // memory.bytes), constant(0))
            with cgutils.for_range(b, d, intp=INT64) as feature:
                prefetch_two(b, memory, args[8], step, feature.index)
                at = b.mul(feature.index, constant(many * lanes))
                rows = [block.load(b.add(at, constant(v * lanes)), vector) for v in range(many)]
                for g, group in enumerate(distances):
                    at = b.add(b.mul(b.add(first, constant(g)), d), feature.index)
                    value = splat(b, seeds.load(at, real), lanes)
                    for row, distance in zip(rows, group, strict=True):
                        difference = b.fsub(row, value)
                        b.store(multiply_add(b, difference, difference, b.load(distance)), distance)
            latest = b.icmp_signed("==", first, constant(0))
            for v in range(many):
                lane = constant(v * lanes)
                before, weight, nearest = least.load(lane, vector), heavy.load(lane, vector), b.load(distances[0][v])
                lower = b.and_(splat(b, latest, lanes), b.fcmp_ordered("<", nearest, before))
                before = b.select(lower, nearest, before)
                some = b.icmp_unsigned("!=", b.bitcast(lower, ir.IntType(lanes)), ir.Constant(ir.IntType(lanes), 0))
                with b.if_then(some):  # what is written must be brought to memory again
                    least.store(lane, before)
                    owner = owners.load(lane, names)
                    owners.store(lane, b.select(lower, splat(b, args[4], lanes), owner))
                for g in range(several):
                    to = b.load(distances[g][v])
                    to = b.select(b.fcmp_ordered("<", to, before), to, before)
                    at = b.add(b.mul(b.add(first, constant(g)), constant(many * lanes)), lane)
                    total.store(at, multiply_add(b, to, weight, total.load(at, vector)))
        return context.get_dummy_value()

    return types.void(points, centers, closest, owner, seed, weights, sums, X, ahead, vectors, group), codegen
