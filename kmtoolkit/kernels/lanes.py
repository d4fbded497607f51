"""One row in vectors, wherever it lies: its canonical distances, and what it adds to sums, as Numba intrinsics.

Vectors do what the plain arithmetic does, in the same order, so the results have the same bits.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kmtoolkit.kernels.vectors import INT32, INT64, VECTOR_BYTES, Array, constant, convert, element, shuffle, splat

__all__ = ["CENTER_LANES", "LANES", "add_in_eights", "distance_in_eights", "row_distances"]

CENTER_LANES = VECTOR_BYTES // 8  # centers that row_distances takes at once
LANES = 8  # sums that a canonical distance is made of, on every target


@intrinsic
def row_distances(typing: Any, X: Any, row: Any, features: Any, first: Any, distances: Any) -> Any:
    """Write the canonical squared distances of a row of X (n, d) to centers first to first + CENTER_LANES - 1.

    features (d, a multiple of CENTER_LANES) are the centers, transposed; distances as many, both float64.
    """
    if features.dtype != types.float64:
        return None
    source, _ = element(X.dtype)
    vector = ir.VectorType(ir.DoubleType(), CENTER_LANES)

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        rows, centers, out = (Array(context, b, signature.args[a], args[a]) for a in (0, 2, 4))
        (_, d), (_, k) = rows.shape, centers.shape
        start = b.mul(args[1], d)
        sums = [cgutils.alloca_once(b, vector) for _ in range(LANES)]

        def add_square(feature: Any, total: Any) -> None:
            value = rows.load(b.add(start, feature), source)
            value = value if source == ir.DoubleType() else b.fpext(value, ir.DoubleType())
            center = centers.load(b.add(b.mul(feature, k), args[3]), vector)
            difference = b.fsub(center, splat(b, value, CENTER_LANES))
            b.store(b.fadd(b.load(total), b.fmul(difference, difference)), total)

        whole = b.and_(d, constant(-LANES))
        for total in sums:
            b.store(ir.Constant(vector, [0.0] * CENTER_LANES), total)
        with cgutils.for_range_slice(b, constant(0), whole, constant(LANES), intp=INT64) as (feature, _):
            for lane, total in enumerate(sums):
                add_square(b.add(feature, constant(lane)), total)
        values = [b.load(total) for total in sums]
        while len(values) > 1:
            values = [b.fadd(*values[at : at + 2]) for at in range(0, len(values), 2)]
        b.store(values[0], sums[0])
        with cgutils.for_range_slice(b, whole, d, constant(1), intp=INT64) as (feature, _):
            add_square(feature, sums[0])
        out.store(args[3], b.load(sums[0]))
        return context.get_dummy_value()

    return types.void(X, row, features, first, distances), codegen


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
            before = totals.load(place, vector)
            total = b.fadd(before, values)
            part = b.fsub(total, before)
            rounding = b.fadd(b.fsub(before, b.fsub(total, part)), b.fsub(values, part))
            totals.store(place, total)
            lost.store(place, b.fadd(lost.load(place, vector), rounding))
        return context.get_dummy_value()

    return types.void(X, i, sign, origin, sums, errors, start), codegen
