"""Shares of eight rows in lanes, as Numba intrinsics: by cost, which is softmax, and by ratios of distances."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kmtoolkit.kernels.eights import EIGHT, VECTOR, Least, arrays_of, everywhere, line
from kmtoolkit.kernels.elementary import exp_of, log_of
from kmtoolkit.kernels.vectors import INT64, Array, constant, loop, multiply_add, splat, two_sum

__all__ = ["share_by_cost", "share_by_ratio"]

TOGETHER = 16  # shares that are added up by themselves, so that sums of many lose less
EXACT_POWERS = 8.0  # up to which ratios are multiplied


def _sum_over(b: ir.IRBuilder, k: Any, entry: Callable[[Any], Any]) -> Any:
    """The sum of entry(line) over k lines, TOGETHER at a time."""
    whole, some = cgutils.alloca_once(b, VECTOR), cgutils.alloca_once(b, VECTOR)
    b.store(everywhere(0), whole)
    with loop(b, constant(0), k, TOGETHER) as (start, _):
        stop = b.add(start, constant(TOGETHER))
        b.store(everywhere(0), some)
        with loop(b, start, b.select(b.icmp_signed("<", stop, k), stop, k)) as (j, _):
            b.store(b.fadd(b.load(some), entry(line(b, j))), some)
        b.store(b.fadd(b.load(whole), b.load(some)), whole)
    return b.load(whole)


def _add_value(b: ir.IRBuilder, value: Array, terms: list[Any]) -> None:
    """Add F of the rows, and the magnitude of its terms, to the pairs value (2, 2, EIGHT)."""
    for number, term in enumerate(terms):
        at, lost = constant(number * EIGHT), constant((2 + number) * EIGHT)
        total, rounding = two_sum(b, value.load(at, VECTOR), term)
        value.store(at, total)
        value.store(lost, b.fadd(value.load(lost, VECTOR), rounding))


@intrinsic
def share_by_cost(typing: Any, logs: Any, beta: Any, room: Any, many: Any) -> Any:
    """Write π exp(-β distance), relative to the largest of the row, to shares; logs (k,) are log π.

    scale gets what makes them add up to the weights, places the center of the largest, the first of equals. F of the
    rows, -log Σ π exp(-β distance) / β, is added to value.
    """

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        offset, mine = Array(context, b, signature.args[0], args[0]), arrays_of(context, b, signature.args[2], args[2])
        (k,), stiff = offset.shape, splat(b, args[1], EIGHT)
        with loop(b, constant(0), args[3]) as (block, _):
            far, out, row, best = mine.distances.entry(block), mine.shares.entry(block), line(b, block), Least(b, EIGHT)
            low, weight = mine.least.load(row, VECTOR), mine.weights.load(row, VECTOR)
            with loop(b, constant(0), k) as (j, _):  # so much less than the nearest counts a center; from 0 on
                cost = b.fmul(stiff, b.fsub(far.load(line(b, j), VECTOR), low))
                cost = b.fsub(cost, splat(b, offset.load(j, ir.DoubleType()), EIGHT))
                out.store(line(b, j), cost)
                best.look(cost, j)
            mine.places.store(row, b.load(best.place))
            top = b.load(best.least)

            def share(at: Any) -> Any:
                part = exp_of(b, b.fsub(top, out.load(at, VECTOR)))
                out.store(at, part)
                return part

            whole = _sum_over(b, k, share)
            mine.scale.store(row, b.fdiv(weight, whole))
            entropy = b.fdiv(b.fsub(top, log_of(b, whole)), stiff)
            size = b.select(b.fcmp_ordered("<", entropy, everywhere(0)), b.fneg(entropy), entropy)
            size = b.fadd(b.fadd(low, size), b.fdiv(b.fadd(top, everywhere(1)), stiff))
            _add_value(b, mine.value, [b.fmul(weight, b.fadd(low, entropy)), b.fmul(weight, size)])
        return context.get_dummy_value()

    return types.void(logs, beta, room, many), codegen


def _power(b: ir.IRBuilder, ratio: Any, times: Any) -> Any:
    """The ratio to a whole power, by products."""
    total = cgutils.alloca_once(b, VECTOR)
    b.store(ratio, total)
    with loop(b, constant(1), times):
        b.store(b.fmul(b.load(total), ratio), total)
    return b.load(total)


@intrinsic
def share_by_ratio(typing: Any, k: Any, power: Any, room: Any, many: Any) -> Any:
    """Write (least / distance) ** (power + 1) to the first k lines of shares.

    They are in proportion to u ** m, where m = 1 + 1 / power and u, in proportion to distance ** -power, adds up to 1.
    scale gets what makes them u ** m times the weights. A row that lies on centers is shared among these equally. F of
    the rows, Σ u ** m distance, is added to value.
    """

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        mine, power, real = arrays_of(context, b, signature.args[2], args[2]), args[1], ir.DoubleType()
        exponent, above = splat(b, power, EIGHT), splat(b, b.fdiv(ir.Constant(real, 1), power), EIGHT)
        most = ir.Constant(real, EXACT_POWERS)
        times = b.fptosi(b.select(b.fcmp_ordered("<", power, most), power, most), INT64)
        exact = b.fcmp_ordered("==", b.sitofp(times, real), power)
        with loop(b, constant(0), args[3]) as (block, _):
            far, out, row = mine.distances.entry(block), mine.shares.entry(block), line(b, block)
            low, weight = mine.least.load(row, VECTOR), mine.weights.load(row, VECTOR)

            def share(at: Any, power_of: Callable[[Any], Any]) -> Any:
                distance = far.load(at, VECTOR)
                ratio = b.select(b.fcmp_ordered("==", distance, low), everywhere(1), b.fdiv(low, distance))
                part = power_of(ratio)
                out.store(at, b.fmul(part, ratio))
                return part

            def by_product(at: Any) -> Any:
                return share(at, lambda ratio: _power(b, ratio, times))

            def by_logarithm(at: Any) -> Any:
                return share(at, lambda ratio: exp_of(b, b.fmul(log_of(b, ratio), exponent)))

            whole = cgutils.alloca_once(b, VECTOR)
            with b.if_else(exact) as (then, otherwise):
                with then:
                    b.store(_sum_over(b, args[0], by_product), whole)
                with otherwise:
                    b.store(_sum_over(b, args[0], by_logarithm), whole)
            log = b.fmul(above, log_of(b, b.load(whole)))
            held = exp_of(b, b.fneg(log))
            mine.scale.store(row, b.fmul(weight, b.fdiv(held, b.load(whole))))
            term = b.fmul(b.fmul(weight, low), held)
            _add_value(b, mine.value, [term, multiply_add(b, term, log, term)])
        return context.get_dummy_value()

    return types.void(k, power, room, many), codegen
