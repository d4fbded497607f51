"""Register tiles: the vector code that LLVM does not find by itself, as Numba intrinsics.

Rows in lanes: a block of rows lies transposed in memory, one row per lane, so that a vector holds one feature of as
many rows as it has lanes. ``score_tile`` keeps a tile of scores, VECTORS vectors of rows by GROUP centers, in registers
while it runs over the features; the sizes are such that the tile, VECTORS vectors of rows and one broadcast value fill
the registers of the target and no more.

Centers in lanes: ``row_distances`` takes one row, wherever it lies, to as many centers as a vector has lanes, by the
canonical arithmetic.

What the target has is read from Numba's settings, not from the machine, so that ``NUMBA_CPU_FEATURES`` holds here too.
"""

from itertools import chain
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

__all__ = [
    "CENTER_LANES", "GROUP", "LANES", "SEED_GROUP", "SEED_VECTORS", "VECTORS", "VECTOR_BYTES", "pack_rows",
    "potential_tile", "row_distances", "score_tile",
]  # fmt: skip


def _features() -> set[str]:
    """The names of the target's features."""
    given = numba.config.CPU_FEATURES  # type: ignore[attr-defined]
    text = get_host_cpu_features() if given is None else given
    return {word[1:] for word in text.split(",") if word.startswith("+")}


FEATURES = _features()
VECTOR_BYTES = 64 if "avx512f" in FEATURES else 32 if "avx2" in FEATURES else 16
HAS_FMA = bool(FEATURES & {"avx512f", "fma", "neon"})  # elsewhere an FMA is a call, hundreds of times slower
MANY_REGISTERS = bool(FEATURES & {"avx512f", "neon"})  # 32 and not 16
VECTORS, GROUP = (4, 6) if MANY_REGISTERS else (2, 6)
SEED_VECTORS, SEED_GROUP = (2, 4)  # of potential_tile, whose rows take more memory: float64, and read for fewer centers
CENTER_LANES = VECTOR_BYTES // 8  # centers that row_distances takes at once
LANES = 8  # sums that a canonical distance is made of, on every target
SHUFFLED_COLUMNS = 4  # rows of so few columns are transposed as a whole

INT64, INT32 = ir.IntType(64), ir.IntType(32)


def _int(value: int) -> ir.Constant:
    return ir.Constant(INT64, value)


def _literal(*sizes: Any) -> bool:
    return all(isinstance(size, types.IntegerLiteral) for size in sizes)


def _element(dtype: Any) -> tuple[Any, int]:
    """The LLVM type of float32 or float64, and its bytes."""
    return (ir.FloatType(), 4) if dtype == types.float32 else (ir.DoubleType(), 8)


class _Array:
    """The data of a Numba array in LLVM code, addressed by element."""

    def __init__(self, context: Any, builder: ir.IRBuilder, kind: Any, value: Any) -> None:
        array = context.make_array(kind)(context, builder, value)
        self.builder, self.data = builder, array.data
        self.shape = cgutils.unpack_tuple(builder, array.shape)
        self.bytes = kind.dtype.bitwidth // 8

    def load(self, offset: Any, kind: Any) -> Any:
        """A scalar or vector from ``offset`` on."""
        value = self.builder.load(self._address(offset, kind))
        value.align = self.bytes
        return value

    def store(self, offset: Any, value: Any) -> None:
        self.builder.store(value, self._address(offset, value.type)).align = self.bytes

    def prefetch(self, offset: Any) -> None:
        """Ask for what lies at ``offset``, which may be anywhere, to be brought nearer."""
        pointer = self.builder.bitcast(self.builder.gep(self.data, [offset]), ir.IntType(8).as_pointer())
        name, numbers = (
            "llvm.prefetch.p0i8",
            [ir.Constant(INT32, value) for value in (0, 2, 1)],
        )  # to read, into L2, data
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, INT32, INT32, INT32])
        self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), [pointer, *numbers])

    def _address(self, offset: Any, kind: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(self.data, [offset]), kind.as_pointer())


def _splat(builder: ir.IRBuilder, scalar: Any, lanes: int) -> Any:
    """A vector of ``lanes`` times the scalar."""
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(INT32, 0))
    return _shuffle(builder, first, undefined, [0] * lanes)


def _shuffle(builder: ir.IRBuilder, a: Any, b: Any, which: list[int]) -> Any:
    """The named elements of a and b, counted through."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(which)), which))


def _multiply_add(builder: ir.IRBuilder, a: Any, b: Any, c: Any) -> Any:
    """The vector a · b + c, rounded once where the target can."""
    if not HAS_FMA:
        return builder.fadd(builder.fmul(a, b), c)
    kind = a.type
    name = f"llvm.fma.v{kind.count}f{32 if isinstance(kind.element, ir.FloatType) else 64}"
    return builder.call(
        cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name), [a, b, c]
    )


def _convert(builder: ir.IRBuilder, vector: Any, element: Any) -> Any:
    """The vector in another precision."""
    kind = ir.VectorType(element, vector.type.count)
    if kind == vector.type:
        return vector
    return builder.fptrunc(vector, kind) if isinstance(element, ir.FloatType) else builder.fpext(vector, kind)


def _transpose(builder: ir.IRBuilder, rows: list[Any]) -> list[Any]:
    """The columns of a square of vectors, by log2 perfect shuffles (Stone, IEEE Trans. Computers C-20, 1971)."""
    lanes, half = len(rows), len(rows) // 2
    low = [at for j in range(half) for at in (j, lanes + j)]
    high = [at + half for at in low]
    for _ in range(lanes.bit_length() - 1):
        pairs = list(zip(rows[:half], rows[half:], strict=True))
        rows = [_shuffle(builder, a, b, side) for a, b in pairs for side in (low, high)]
    return rows


@intrinsic
def pack_rows(typing: Any, X: Any, first: Any, origin: Any, scale: Any, points: Any, vectors: Any) -> Any:
    """Write (rows first, first + 1, ... of X (n, d) - origin) · scale, transposed, to points (features, rows).

    An array as ``first`` holds the numbers of the rows, one for each lane of the block.
    It loads whole vectors: what lies behind a row is read too, and fills features d and up of points, which have room
    for a multiple of the lanes. origin holds its d values again and again, for as many; its precision is the one of
    the subtraction.
    """
    if not _literal(vectors):
        return None
    (source, _), (exact, _), (target, size) = _element(X.dtype), _element(origin.dtype), _element(points.dtype)
    lanes, width = VECTOR_BYTES // size, vectors.literal_value * (VECTOR_BYTES // size)
    listed = isinstance(first, types.Array)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        numbers = _Array(context, b, signature.args[1], args[1]) if listed else None
        rows, start, block = (_Array(context, b, signature.args[a], args[a]) for a in (0, 2, 4))
        d = rows.shape[1]

        def placed(at: Any, offset: Any, count: int) -> Any:
            """``count`` values of X from ``at`` on, moved and scaled."""
            values = _convert(b, rows.load(at, ir.VectorType(source, count)), exact)
            moved = b.fsub(values, start.load(offset, values.type))
            return _convert(b, b.fmul(moved, _splat(b, args[3], count)), target)

        def number(r: int) -> Any:
            """The row in lane r of this vector."""
            at = b.add(lane, _int(r))
            return numbers.load(at, INT64) if numbers else b.add(args[1], at)

        def squares() -> None:
            """Lanes rows by lanes columns at a time."""
            with cgutils.for_range_slice(b, _int(0), d, _int(lanes), intp=INT64) as (feature, _):
                ats = [b.add(b.mul(number(r), d), feature) for r in range(lanes)]
                for at in ats if not listed else []:
                    rows.prefetch(b.add(at, b.mul(d, _int(width))))  # the same of the next block
                for c, column in enumerate(_transpose(b, [placed(at, feature, lanes) for at in ats])):
                    block.store(b.add(b.mul(b.add(feature, _int(c)), _int(width)), lane), column)

        with cgutils.for_range(b, _int(width // lanes), intp=INT64) as vector:
            lane = b.mul(vector.index, _int(lanes))
            done = b.append_basic_block("packed")
            general = b.append_basic_block("squares")
            few = b.switch(d, general)
            for columns in range(1, 1 if listed else SHUFFLED_COLUMNS + 1):
                case = b.append_basic_block(f"columns{columns}")
                few.add_case(_int(columns), case)
                b.position_at_end(case)
                whole = placed(b.mul(number(0), d), _int(0), lanes * columns)
                for c in range(columns):
                    strided = _shuffle(b, whole, whole, list(range(c, lanes * columns, columns)))
                    block.store(b.add(_int(c * width), lane), strided)
                b.branch(done)
            b.position_at_end(general)
            squares()
            b.branch(done)
            b.position_at_end(done)
        return context.get_dummy_value()

    return types.void(X, first, origin, scale, points, vectors), codegen


@intrinsic
def score_tile(
    typing: Any, points: Any, packed: Any, offset: Any, best: Any, second: Any, which: Any,
    d: Any, first: Any, vectors: Any, group: Any,
) -> Any:  # fmt: skip
    """Score the rows of a block against centers first to first + group - 1, and keep the two best scores.

    points (d or more, rows); packed (groups, d, group) and offset (centers,): the score is x · c + offset. best,
    second and which (rows,) are the two largest scores so far and the center of the best, the first of equals.
    """
    if not _literal(vectors, group):
        return None
    real, size = _element(points.dtype)
    lanes, many, several = VECTOR_BYTES // size, vectors.literal_value, group.literal_value
    integer = ir.IntType(8 * size)
    vector, names = ir.VectorType(real, lanes), ir.VectorType(integer, lanes)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        block, centers, offsets, tops, seconds, owners = (
            _Array(context, b, signature.args[a], args[a]) for a in range(6)
        )
        features, start = args[6], args[7]
        scores = [[cgutils.alloca_once(b, vector) for _ in range(many)] for _ in range(several)]
        for g in range(several):
            offset = _splat(b, offsets.load(b.add(start, _int(g)), real), lanes)
            for v in range(many):
                b.store(offset, scores[g][v])
        with cgutils.for_range(b, features, intp=INT64) as feature:
            at = b.mul(feature.index, _int(many * lanes))
            rows = [block.load(b.add(at, _int(v * lanes)), vector) for v in range(many)]
            at = b.add(b.mul(start, features), b.mul(feature.index, _int(several)))
            for g in range(several):
                value = _splat(b, centers.load(b.add(at, _int(g)), real), lanes)
                for v in range(many):
                    b.store(_multiply_add(b, rows[v], value, b.load(scores[g][v])), scores[g][v])
        number = _splat(b, b.trunc(start, integer) if size == 4 else start, lanes)
        for v in range(many):
            lane = _int(v * lanes)
            top, two, owner = tops.load(lane, vector), seconds.load(lane, vector), owners.load(lane, names)
            for g in range(several):
                score = b.load(scores[g][v])
                better = b.fcmp_ordered(">", score, top)
                loser = b.select(b.fcmp_ordered("<", score, top), score, top)
                two = b.select(b.fcmp_ordered(">", loser, two), loser, two)
                owner = b.select(better, b.add(number, ir.Constant(names, [g] * lanes)), owner)
                top = b.select(better, score, top)
            tops.store(lane, top)
            seconds.store(lane, two)
            owners.store(lane, owner)
        return context.get_dummy_value()

    arguments = (points, packed, offset, best, second, which, d, first, vectors, group)
    return types.void(*arguments), codegen


@intrinsic
def row_distances(typing: Any, X: Any, row: Any, features: Any, first: Any, distances: Any) -> Any:
    """Write the canonical squared distances of a row of X (n, d) to centers first to first + CENTER_LANES - 1.

    features (d, a multiple of CENTER_LANES) are the centers, transposed; distances as many, float64.
    """
    source, _ = _element(X.dtype)
    vector = ir.VectorType(ir.DoubleType(), CENTER_LANES)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        rows, centers, out = (_Array(context, b, signature.args[a], args[a]) for a in (0, 2, 4))
        (_, d), (_, k) = rows.shape, centers.shape
        start = b.mul(args[1], d)
        sums = [cgutils.alloca_once(b, vector) for _ in range(LANES)]

        def add_square(feature: Any, total: Any) -> None:
            value = rows.load(b.add(start, feature), source)
            value = value if source == ir.DoubleType() else b.fpext(value, ir.DoubleType())
            center = centers.load(b.add(b.mul(feature, k), args[3]), vector)
            difference = b.fsub(center, _splat(b, value, CENTER_LANES))
            b.store(b.fadd(b.load(total), b.fmul(difference, difference)), total)

        whole = b.and_(d, _int(-LANES))
        for total in sums:
            b.store(ir.Constant(vector, [0.0] * CENTER_LANES), total)
        with cgutils.for_range_slice(b, _int(0), whole, _int(LANES), intp=INT64) as (feature, _):
            for lane, total in enumerate(sums):
                add_square(b.add(feature, _int(lane)), total)
        values = [b.load(total) for total in sums]
        while len(values) > 1:
            values = [b.fadd(*values[at : at + 2]) for at in range(0, len(values), 2)]
        b.store(values[0], sums[0])
        with cgutils.for_range_slice(b, whole, d, _int(1), intp=INT64) as (feature, _):
            add_square(feature, sums[0])
        out.store(args[3], b.load(sums[0]))
        return context.get_dummy_value()

    return types.void(X, row, features, first, distances), codegen


@intrinsic
def potential_tile(typing: Any, points: Any, centers: Any, closest: Any, weights: Any, sums: Any, vectors: Any) -> Any:
    """Add what a block of rows adds to the potentials of several centers, after the first of them has lowered closest.

    points (d or more, rows of a block), as ``pack_rows`` leaves them; centers (a multiple of SEED_GROUP, d); closest
    and weights (rows,). sums (centers, rows), lane by lane, are of weight · min(closest, squared distance). All are of
    one precision.
    """
    if not _literal(vectors):
        return None
    real, size = _element(points.dtype)
    many, lanes = vectors.literal_value, VECTOR_BYTES // size
    vector = ir.VectorType(real, lanes)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        block, seeds, least, heavy, total = (_Array(context, b, signature.args[a], args[a]) for a in range(5))
        m, d = seeds.shape
        distances = [[cgutils.alloca_once(b, vector) for _ in range(many)] for _ in range(SEED_GROUP)]
        with cgutils.for_range_slice(b, _int(0), m, _int(SEED_GROUP), intp=INT64) as (first, _):
            for distance in chain.from_iterable(distances):
                b.store(ir.Constant(vector, [0.0] * lanes), distance)
            with cgutils.for_range(b, d, intp=INT64) as feature:
                at = b.mul(feature.index, _int(many * lanes))
                rows = [block.load(b.add(at, _int(v * lanes)), vector) for v in range(many)]
                for g, group in enumerate(distances):
                    at = b.add(b.mul(b.add(first, _int(g)), d), feature.index)
                    value = _splat(b, seeds.load(at, real), lanes)
                    for row, distance in zip(rows, group, strict=True):
                        difference = b.fsub(row, value)
                        b.store(_multiply_add(b, difference, difference, b.load(distance)), distance)
            latest = b.icmp_signed("==", first, _int(0))
            for v in range(many):
                lane = _int(v * lanes)
                before, weight, nearest = least.load(lane, vector), heavy.load(lane, vector), b.load(distances[0][v])
                lower = b.and_(_splat(b, latest, lanes), b.fcmp_ordered("<", nearest, before))
                before = b.select(lower, nearest, before)
                some = b.icmp_unsigned("!=", b.bitcast(lower, ir.IntType(lanes)), ir.Constant(ir.IntType(lanes), 0))
                with b.if_then(some):  # what is written must be brought to memory again
                    least.store(lane, before)
                for g in range(SEED_GROUP):
                    to = b.load(distances[g][v])
                    to = b.select(b.fcmp_ordered("<", to, before), to, before)
                    at = b.add(b.mul(b.add(first, _int(g)), _int(many * lanes)), lane)
                    total.store(at, _multiply_add(b, to, weight, total.load(at, vector)))
        return context.get_dummy_value()

    return types.void(points, centers, closest, weights, sums, vectors), codegen
