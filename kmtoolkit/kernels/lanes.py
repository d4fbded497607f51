"""One row in vectors, wherever it lies: its canonical distances, and what it adds to sums, as Numba intrinsics.

Vectors do what the plain arithmetic does, in the same order, so the results have the same bits.
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
    VECTOR_BYTES,
    Array,
    constant,
    convert,
    element,
    least_of,
    lesser,
    literal,
    loop,
    multiply_add,
    shuffle,
    splat,
    two_sum,
)

__all__ = [
    "CENTER_LANES",
    "LANES",
    "LENGTH_LANES",
    "add_in_eights",
    "add_lengths",
    "distance_in_eights",
    "prefetch_row",
    "row_distances",
    "total",
    "two_nearest",
]

CENTER_LANES = VECTOR_BYTES // 8  # centers that row_distances takes at once
LENGTH_LANES = 2 * CENTER_LANES  # columns that add_lengths takes at once
LANES = 8  # sums that a canonical distance is made of, on every target


@intrinsic
def row_distances(typing: Any, X: Any, row: Any, features: Any, first: Any, distances: Any) -> Any:
    """Write the canonical squared distances of a row of X (n, d) to centers first to first + CENTER_LANES - 1.

    features (d, a multiple of CENTER_LANES) are the centers, transposed; distances as many, both float64.
    """
    if features.dtype != types.float64:
        return None
    source, _ = element(X.dtype)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        rows, centers, out = (Array(context, b, signature.args[a], args[a]) for a in (0, 2, 4))
        out.store(args[3], squares(b, rows, source, args[1], centers, args[3], centers.shape[1]))
        return context.get_dummy_value()

    return types.void(X, row, features, first, distances), codegen


def squares(b: ir.IRBuilder, rows: Array, source: Any, row: Any, centers: Array, at: Any, step: Any) -> Any:
    """The canonical squared distances of a row to CENTER_LANES centers; their features lie at ``at``, step apart."""
    d = rows.shape[1]
    vector, start = ir.VectorType(ir.DoubleType(), CENTER_LANES), b.mul(row, d)
    sums = [cgutils.alloca_once(b, vector) for _ in range(LANES)]

    def add_square(feature: Any, total: Any) -> None:
        value = rows.load(b.add(start, feature), source)
        value = value if source == ir.DoubleType() else b.fpext(value, ir.DoubleType())
        center = centers.load(b.add(b.mul(feature, step), at), vector)
        difference = b.fsub(center, splat(b, value, CENTER_LANES))
        b.store(b.fadd(b.load(total), b.fmul(difference, difference)), total)

    zero, whole = ir.Constant(vector, [0.0] * CENTER_LANES), b.and_(d, constant(-LANES))
    b.store(zero, sums[0])
    with b.if_then(b.icmp_signed("!=", whole, constant(0))):
        for total in sums:
            b.store(zero, total)
        with cgutils.for_range_slice(b, constant(0), whole, constant(LANES), intp=INT64) as (feature, _):
            for lane, total in enumerate(sums):
                add_square(b.add(feature, constant(lane)), total)
        values = [b.load(total) for total in sums]
        while len(values) > 1:
            values = [b.fadd(*values[at : at + 2]) for at in range(0, len(values), 2)]
        b.store(values[0], sums[0])
    with cgutils.for_range_slice(b, whole, d, constant(1), intp=INT64) as (feature, _):
        add_square(feature, sums[0])
    return b.load(sums[0])


@intrinsic
def two_nearest(typing: Any, X: Any, row: Any, lists: Any, names: Any, first: Any, many: Any) -> Any:
    """The two least canonical squared distances of a row of X (n, d) to listed centers, and the name of the nearest.

    lists (groups, d, CENTER_LANES) float64 are centers in lanes, names (groups, CENTER_LANES) int32 are theirs; groups
    first to first + many - 1 are looked at. Of equals it is the lowest name.
    """
    if lists.dtype != types.float64 or names.dtype != types.int32:
        return None
    source, _ = element(X.dtype)
    vector, integers = ir.VectorType(ir.DoubleType(), CENTER_LANES), ir.VectorType(INT32, CENTER_LANES)
    far, none = ir.Constant(vector, [float("inf")] * CENTER_LANES), ir.Constant(integers, [2**31 - 1] * CENTER_LANES)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        rows, centers, labels = (Array(context, b, signature.args[a], args[a]) for a in (0, 2, 3))
        best, second, which = (cgutils.alloca_once(b, kind) for kind in (vector, vector, integers))
        for place, value in ((best, far), (second, far), (which, none)):
            b.store(value, place)
        end = b.add(args[4], args[5])
        with cgutils.for_range_slice(b, args[4], end, constant(1), intp=INT64) as (group, _):
            at = b.mul(group, constant(CENTER_LANES))
            distance = squares(b, rows, source, args[1], centers, b.mul(at, rows.shape[1]), constant(CENTER_LANES))
            name, top, owner = labels.load(at, integers), b.load(best), b.load(which)
            first_of_equals = b.and_(b.fcmp_ordered("==", distance, top), b.icmp_signed("<", name, owner))
            better = b.or_(b.fcmp_ordered("<", distance, top), first_of_equals)
            b.store(lesser(b, b.load(second), b.select(better, top, distance)), second)
            b.store(b.select(better, distance, top), best)
            b.store(b.select(better, name, owner), which)
        top, owner = b.load(best), b.load(which)
        least = least_of(b, top)
        tied = b.fcmp_ordered("==", top, splat(b, least, CENTER_LANES))
        winner = least_of(b, b.select(tied, owner, none))
        mine = b.icmp_signed("==", owner, splat(b, winner, CENTER_LANES))
        runner_up = least_of(b, b.select(mine, b.load(second), top))
        return context.make_tuple(b, signature.return_type, (least, runner_up, b.sext(winner, INT64)))

    answer = types.Tuple((types.float64, types.float64, types.int64))
    return answer(X, row, lists, names, first, many), codegen


@intrinsic
def total(typing: Any, values: Any, first: Any, size: Any) -> Any:
    """The sum of values[first : first + size] (float64), in lanes and then in a tree; size in whole lanes."""
    if values.dtype != types.float64:
        return None

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        source, vector = Array(context, b, signature.args[0], args[0]), ir.VectorType(ir.DoubleType(), CENTER_LANES)
        sums = cgutils.alloca_once_value(b, ir.Constant(vector, [0.0] * CENTER_LANES))
        with cgutils.for_range_slice(b, constant(0), args[2], constant(CENTER_LANES), intp=INT64) as (at, _):
            b.store(b.fadd(b.load(sums), source.load(b.add(args[1], at), vector)), sums)
        return added_up(b, b.load(sums))

    return types.float64(values, first, size), codegen


def added_up(b: ir.IRBuilder, whole: Any) -> Any:
    """The sum of the CENTER_LANES lanes of a vector, in a tree."""
    half = CENTER_LANES // 2
    while half:
        low, high = (shuffle(b, whole, whole, list(range(at, at + half))) for at in (0, half))
        whole, half = b.fadd(low, high), half // 2
    return b.extract_element(whole, ir.Constant(INT32, 0))


@intrinsic
def add_lengths(typing: Any, features: Any, weights: Any, row: Any, start: Any, stop: Any, sums: Any, many: Any) -> Any:
    """Add weights · distance of ``many`` columns of features from columns start to stop to sums (many,).

    features (d, columns) and weights (columns,) are float64; row is the first of the many; start and stop are
    LENGTH_LANES apart, or a multiple.
    """
    if not literal(many) or features.dtype != types.float64:
        return None
    vector, rows, parts = ir.VectorType(ir.DoubleType(), CENTER_LANES), many.literal_value, 2

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        columns, heavy, out = (Array(context, b, signature.args[a], args[a]) for a in (0, 1, 5))
        (d, step), nought = columns.shape, ir.Constant(vector, [0.0] * CENTER_LANES)
        totals = [cgutils.alloca_once(b, vector) for _ in range(rows)]
        squares = [[cgutils.alloca_once(b, vector) for _ in range(parts)] for _ in range(rows)]
        root = cgutils.get_or_insert_function(
            b.module, ir.FunctionType(vector, [vector]), f"llvm.sqrt.v{CENTER_LANES}f64"
        )
        for total in totals:
            b.store(nought, total)
        with loop(b, args[3], args[4], parts * CENTER_LANES) as (at, _):
            for place in chain.from_iterable(squares):
                b.store(nought, place)
            with loop(b, constant(0), d) as (feature, _):
                line = b.mul(feature, step)
                others = [
                    columns.load(b.add(b.add(line, at), constant(v * CENTER_LANES)), vector) for v in range(parts)
                ]
                for r in range(rows):
                    value = columns.load(b.add(b.add(line, args[2]), constant(r)), ir.DoubleType())
                    own = splat(b, value, CENTER_LANES)
                    for other, place in zip(others, squares[r], strict=True):
                        difference = b.fsub(other, own)
                        b.store(multiply_add(b, difference, difference, b.load(place)), place)
            for v in range(parts):
                weight = heavy.load(b.add(at, constant(v * CENTER_LANES)), vector)
                for r in range(rows):
                    b.store(
                        multiply_add(b, b.call(root, [b.load(squares[r][v])]), weight, b.load(totals[r])), totals[r]
                    )
        for r in range(rows):
            before = out.load(constant(r), ir.DoubleType())
            out.store(constant(r), b.fadd(before, added_up(b, b.load(totals[r]))))
        return context.get_dummy_value()

    return types.void(features, weights, row, start, stop, sums, many), codegen


@intrinsic
def prefetch_row(typing: Any, X: Any, i: Any) -> Any:
    """Ask for row i of X (n, d)."""

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        rows = Array(context, b, signature.args[0], args[0])
        d, line = rows.shape[1], constant(LINE_BYTES // rows.bytes)
        with cgutils.for_range_slice(b, constant(0), d, line, intp=INT64) as (at, _):
            rows.prefetch(b.add(b.mul(args[1], d), at))
        return context.get_dummy_value()

    return types.void(X, i), codegen


@intrinsic
def distance_in_eights(typing: Any, X: Any, i: Any, centers: Any, j: Any) -> Any:
    """What the first features, as far as whole LANES go, add to the canonical distance of row i of X to centers[j]."""
    (source, _), (target, _) = element(X.dtype), element(centers.dtype)
    vector = ir.VectorType(ir.DoubleType(), LANES)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        rows, means = (Array(context, b, signature.args[a], args[a]) for a in (0, 2))
        d = rows.shape[1]
        row, mean, sums = b.mul(args[1], d), b.mul(args[3], d), cgutils.alloca_once(b, vector)
        b.store(ir.Constant(vector, [0.0] * LANES), sums)
        whole = b.and_(d, constant(-LANES))
        with cgutils.for_range_slice(b, constant(0), whole, constant(LANES), intp=INT64) as (at, _):
            values = convert(b, rows.load(b.add(row, at), ir.VectorType(source, LANES)), ir.DoubleType())
            center = convert(b, means.load(b.add(mean, at), ir.VectorType(target, LANES)), ir.DoubleType())
            difference = b.fsub(values, center)
            b.store(b.fadd(b.load(sums), b.fmul(difference, difference)), sums)
        total = b.load(sums)
        while total.type.count > 1:
            even = list(range(0, total.type.count, 2))
            odd = [lane + 1 for lane in even]
            total = b.fadd(shuffle(b, total, total, even), shuffle(b, total, total, odd))
        return b.extract_element(total, ir.Constant(INT32, 0))

    return types.float64(X, i, centers, j), codegen


@intrinsic
def add_in_eights(typing: Any, X: Any, i: Any, sign: Any, origin: Any, sums: Any, errors: Any, start: Any) -> Any:
    """Add sign · (x - origin) of row i of X (n, d), as far as whole LANES go, to the pairs from ``start`` on.

    origin (d,); sums and errors (start + d or more,), all float64: the sums, and what rounding lost of them (Knuth's
    two-sum). sign is 1 or -1.
    """
    source, _ = element(X.dtype)
    vector = ir.VectorType(ir.DoubleType(), LANES)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        rows, center, totals, lost = (Array(context, b, signature.args[a], args[a]) for a in (0, 3, 4, 5))
        d, sign = rows.shape[1], splat(b, args[2], LANES)
        row = b.mul(args[1], d)
        whole = b.and_(d, constant(-LANES))
        with cgutils.for_range_slice(b, constant(0), whole, constant(LANES), intp=INT64) as (at, _):
            values = convert(b, rows.load(b.add(row, at), ir.VectorType(source, LANES)), ir.DoubleType())
            values = b.fmul(b.fsub(values, center.load(at, vector)), sign)
            place = b.add(args[6], at)
            total, rounding = two_sum(b, totals.load(place, vector), values)
            totals.store(place, total)
            lost.store(place, b.fadd(lost.load(place, vector), rounding))
        return context.get_dummy_value()

    return types.void(X, i, sign, origin, sums, errors, start), codegen
