"""Exponentials and logarithms in whole vectors, by polynomials, as Numba intrinsics.

All is float64. They are within 2 ulp of the right ones, and an entry's does not depend on where it stands.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kmtoolkit.kernels.jit import jit, plain_python
from kmtoolkit.kernels.lanes import CENTER_LANES
from kmtoolkit.kernels.vectors import INT64, Array, constant, multiply_add

__all__ = ["exp_of", "exponentials", "log_of", "logarithms"]


def _economized(series: np.ndarray, reach: float, many: int) -> list[float]:
    """The first ``many`` coefficients of a power series, changed so that they stand for all of it on ±reach.

    What is left out is small there as a sum of Chebyshev polynomials, not of powers (Lanczos, J. Math. Phys. 17, 1938).
    """
    chebyshev = np.polynomial.chebyshev
    powers = reach ** np.arange(len(series))
    left_out = chebyshev.poly2cheb(series * powers)
    left_out[:many] = 0
    return list((series - chebyshev.cheb2poly(left_out) / powers)[:many])


LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # their sum is log 2; the first has 21 zero bits
MAGIC = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer, which then stands in the last bits
MAGIC_BITS = 0x4338000000000000
TINY, LEAST_NORMAL = -708.0, 2.0**-1022  # exp of less is taken to be 0, log of less to be -inf
ONE, ROOT_HALF, MANTISSA = 0x3FF0000000000000, 0x3FE6A09E667F3BCD, 0x000FFFFFFFFFFFFF  # as bits of a float64
EXP = _economized(np.array([1 / np.prod(np.arange(1.0, i + 1)) for i in range(16)]), np.log(2) / 2, 12)
ARTANH = _economized(np.array([2 / (2.0 * i + 3) for i in range(16)]), (np.sqrt(2) - 1) ** 4, 8)  # without 2 x, by x³


def _polynomial(b: ir.IRBuilder, x: Any, coefficients: list[float]) -> Any:
    """A polynomial of a vector; the coefficient of the lowest power comes first."""
    total = _all(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = multiply_add(b, total, x, _all(x, coefficient))
    return total


def _all(vector: Any, value: float) -> ir.Constant:
    """A constant vector like another."""
    return ir.Constant(vector.type, [float(value)] * vector.type.count)


def exp_of(b: ir.IRBuilder, x: Any) -> Any:
    """Exp of a vector of float64, none above 0; it is 2**e times that of a number from -½ log 2 to ½ log 2."""
    integers = ir.VectorType(INT64, x.type.count)
    shifted = multiply_add(b, x, _all(x, LOG2_E), _all(x, MAGIC))
    whole = b.fsub(shifted, _all(x, MAGIC))
    rest = multiply_add(b, whole, _all(x, -LN2_LOW), multiply_add(b, whole, _all(x, -LN2_HIGH), x))
    power = b.shl(b.bitcast(shifted, integers), ir.Constant(integers, [52] * x.type.count))
    exponential = b.bitcast(b.add(b.bitcast(_polynomial(b, rest, EXP), integers), power), x.type)
    return b.select(b.fcmp_ordered(">=", x, _all(x, TINY)), exponential, _all(x, 0.0))


def log_of(b: ir.IRBuilder, x: Any) -> Any:
    """Log of a vector of float64, none negative or infinite.

    A number is 2**e (1 + f), from √½ to √2 without the power. With s = f / (2 + f), log (1 + f) = 2 artanh s, which is
    f - s (f - ...) where little is lost by rounding (as in fdlibm).
    """
    integers = ir.VectorType(INT64, x.type.count)

    def bits(value: int) -> ir.Constant:
        return ir.Constant(integers, [value] * x.type.count)

    moved = b.add(b.bitcast(x, integers), bits(ONE - ROOT_HALF))
    exponent = b.add(b.lshr(moved, bits(52)), bits(MAGIC_BITS - 1023))
    exponent = b.fsub(b.bitcast(exponent, x.type), _all(x, MAGIC))
    f = b.fsub(b.bitcast(b.add(b.and_(moved, bits(MANTISSA)), bits(ROOT_HALF)), x.type), _all(x, 1.0))
    s = b.fdiv(f, b.fadd(f, _all(x, 2.0)))
    square, half = b.fmul(s, s), b.fmul(b.fmul(f, f), _all(x, 0.5))
    tail = multiply_add(b, square, _polynomial(b, square, ARTANH), half)
    tail = multiply_add(b, s, tail, b.fmul(exponent, _all(x, LN2_LOW)))
    logarithm = multiply_add(b, exponent, _all(x, LN2_HIGH), b.fsub(f, b.fsub(half, tail)))
    return b.select(b.fcmp_ordered(">=", x, _all(x, LEAST_NORMAL)), logarithm, _all(x, -np.inf))


def _over_vectors(function: Callable[..., Any]) -> Callable[..., None]:
    """An intrinsic that writes the function of values[:size] to out."""

    @intrinsic
    def over_vectors(typing: Any, values: Any, out: Any, size: Any) -> Any:
        if values.dtype != types.float64 or out.dtype != types.float64:
            return None

        def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
            source, target = (Array(context, b, signature.args[a], args[a]) for a in range(2))
            vector = ir.VectorType(ir.DoubleType(), CENTER_LANES)
            with cgutils.for_range_slice(b, constant(0), args[2], constant(CENTER_LANES), intp=INT64) as (at, _):
                target.store(at, function(b, source.load(at, vector)))
            return context.get_dummy_value()

        return types.void(values, out, size), codegen

    return over_vectors


def _plain_exponentials(z, out, size):
    """The same as ``exponentials``, by NumPy."""
    out[:size] = np.where(z[:size] >= TINY, np.exp(z[:size]), 0.0)


def _plain_logarithms(values, out, size):
    """The same as ``logarithms``, by NumPy."""
    out[:size] = np.where(values[:size] >= LEAST_NORMAL, np.log(np.maximum(values[:size], LEAST_NORMAL)), -np.inf)


_exponentials = _plain_exponentials if plain_python else _over_vectors(exp_of)
_logarithms = _plain_logarithms if plain_python else _over_vectors(log_of)


@jit
def exponentials(z, out, size):
    """Write exp of z[:size], none above 0, to out, which may be z; size is a multiple of CENTER_LANES."""
    _exponentials(z, out, size)


@jit
def logarithms(values, out, size):
    """Write log of values[:size], none negative or infinite, to out, which may be values; size as for exponentials."""
    _logarithms(values, out, size)
