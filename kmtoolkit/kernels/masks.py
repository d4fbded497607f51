"""Comparisons in vectors, whose answers are the bits of an integer, as Numba intrinsics.

Where few of many numbers pass a test, a loop over the bits that are set is several times as fast as a branch for each.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from kmtoolkit.kernels.jit import plain_python
from kmtoolkit.kernels.vectors import INT64, VECTOR_BYTES, Array, constant, element

__all__ = ["BITS", "bits_below", "lowest_bit"]

BITS = 64  # of a mask


@intrinsic
def _bits_below(typing: Any, values: Any, limits: Any, start: Any) -> Any:
    """An int64 whose bit b says whether values[start + b] < limits[start + b]; both are (start + BITS or more,)."""
    if not values.layout == limits.layout == "C" or values.dtype != limits.dtype:
        return None
    source, size = element(values.dtype)
    lanes = VECTOR_BYTES // size

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        left, right = (Array(context, b, signature.args[a], args[a]) for a in (0, 1))
        vector, mask = ir.VectorType(source, lanes), constant(0)
        for first in range(0, BITS, lanes):
            at = b.add(args[2], constant(first))
            below = b.fcmp_ordered("<", left.load(at, vector), right.load(at, vector))
            bits = b.zext(b.bitcast(below, ir.IntType(lanes)), INT64)
            mask = b.or_(mask, b.shl(bits, constant(first)))
        return mask

    return types.int64(values, limits, start), codegen


@intrinsic
def _lowest_bit(typing: Any, mask: Any) -> Any:
    """The number of the lowest bit of an int64 that is set; one is."""

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return b.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


def _plain_bits_below(values, limits, start):
    """The same as ``_bits_below``, without vectors."""
    return sum(1 << b for b in range(BITS) if values[start + b] < limits[start + b])


def _plain_lowest_bit(mask):
    """The same as ``_lowest_bit``, without vectors."""
    return (mask & -mask).bit_length() - 1


bits_below: Callable[..., int] = _plain_bits_below if plain_python else _bits_below
lowest_bit: Callable[..., int] = _plain_lowest_bit if plain_python else _lowest_bit
