"""What LLVM code for vectors is made of: the target's features, arrays by element, shuffles.

What the target has is read from Numba's settings, not from the machine, so that ``NUMBA_CPU_FEATURES`` holds here too.
"""

import copy
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.codegen import get_host_cpu_features

__all__ = [
    "HAS_FMA", "INT32", "INT64", "LINE_BYTES", "MANY_REGISTERS", "VECTOR_BYTES", "Array", "constant", "convert",
    "element", "least_of", "lesser", "literal", "loop", "multiply_add", "shuffle", "splat", "transpose",
    "two_sum",
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
LINE_BYTES = 64  # of a cache line

INT64, INT32 = ir.IntType(64), ir.IntType(32)


def constant(value: int) -> ir.Constant:
    """An int64 as LLVM has it."""
    return ir.Constant(INT64, value)


def loop(b: ir.IRBuilder, start: Any, stop: Any, step: int = 1) -> Any:
    """A loop over int64 indices."""
    return cgutils.for_range_slice(b, start, stop, constant(step), intp=INT64)


def literal(*sizes: Any) -> bool:
    """Whether the types are of constants, known when an intrinsic is compiled."""
    return all(isinstance(size, types.IntegerLiteral) for size in sizes)


def element(dtype: Any) -> tuple[Any, int]:
    """The LLVM type of float32 or float64, and its bytes."""
    return (ir.FloatType(), 4) if dtype == types.float32 else (ir.DoubleType(), 8)


class Array:
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

    def entry(self, number: Any) -> "Array":
        """The entry ``number`` along the first axis."""
        size, view = constant(1), copy.copy(self)
        view.shape = self.shape[1:]
        for axis in view.shape:
            size = self.builder.mul(size, axis)
        view.data = self.builder.gep(self.data, [self.builder.mul(number, size)])
        return view

    def _address(self, offset: Any, kind: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(self.data, [offset]), kind.as_pointer())


def splat(builder: ir.IRBuilder, scalar: Any, lanes: int) -> Any:
    """A vector of ``lanes`` times the scalar."""
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(INT32, 0))
    return shuffle(builder, first, undefined, [0] * lanes)


def shuffle(builder: ir.IRBuilder, a: Any, b: Any, which: list[int]) -> Any:
    """The named elements of a and b, counted through."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(which)), which))


def multiply_add(builder: ir.IRBuilder, a: Any, b: Any, c: Any) -> Any:
    """The vector a · b + c, rounded once where the target can."""
    if not HAS_FMA:
        return builder.fadd(builder.fmul(a, b), c)
    kind = a.type
    name = f"llvm.fma.v{kind.count}f{32 if isinstance(kind.element, ir.FloatType) else 64}"
    return builder.call(
        cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name), [a, b, c]
    )


def convert(builder: ir.IRBuilder, vector: Any, element: Any) -> Any:
    """The vector in another precision."""
    kind = ir.VectorType(element, vector.type.count)
    if kind == vector.type:
        return vector
    return builder.fptrunc(vector, kind) if isinstance(element, ir.FloatType) else builder.fpext(vector, kind)


def transpose(builder: ir.IRBuilder, rows: list[Any]) -> list[Any]:
    """The columns of a square of vectors, by log2 perfect shuffles (Stone, IEEE Trans. Computers C-20, 1971)."""
    lanes, half = len(rows), len(rows) // 2
    low = [at for j in range(half) for at in (j, lanes + j)]
    high = [at + half for at in low]
    for _ in range(lanes.bit_length() - 1):
        pairs = list(zip(rows[:half], rows[half:], strict=True))
        rows = [shuffle(builder, a, b, side) for a, b in pairs for side in (low, high)]
    return rows


def lesser(builder: ir.IRBuilder, one: Any, other: Any) -> Any:
    """Lane by lane, the lesser of two vectors."""
    whole = isinstance(one.type.element, ir.IntType)
    return builder.select(
        builder.icmp_signed("<", one, other) if whole else builder.fcmp_ordered("<", one, other), one, other
    )


def least_of(builder: ir.IRBuilder, vector: Any) -> Any:
    """The least of the lanes of a vector."""
    lanes = vector.type.count
    while lanes > 1:
        lanes //= 2
        low, high = list(range(lanes)), list(range(lanes, 2 * lanes))
        vector = lesser(builder, shuffle(builder, vector, vector, low), shuffle(builder, vector, vector, high))
    return builder.extract_element(vector, ir.Constant(INT32, 0))


def two_sum(builder: ir.IRBuilder, one: Any, other: Any) -> tuple[Any, Any]:
    """Lane by lane, the rounded sum of two vectors and its rounding error (Knuth)."""
    total = builder.fadd(one, other)
    part = builder.fsub(total, one)
    return total, builder.fadd(builder.fsub(one, builder.fsub(total, part)), builder.fsub(other, part))
