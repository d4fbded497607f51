"""How near the dense assigner comes to what the processor can do.

    python benchmarks/roofline.py [--quick] [--threads 2]

Measured in the same run: the peak rate of fused multiply-adds, the memory bandwidth, the BLAS product of the same shape
(X @ centers.T), and an exact assignment sweep inside a fit. A sweep over n rows counts as 2 n d k operations. The peak
is that of independent vector accumulators that stay in registers; it is the best of several numbers of them.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import numba
import numpy as np
import typer
from llvmlite import binding, ir
from numba.core import cgutils
from numba.extending import intrinsic
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

import kmtoolkit as km

ACCUMULATORS = (8, 12, 16, 24)
FLAGS = ("contract",)  # lets the processor fuse where it can; llvm.fma would be a slow call where it can't
GRID_D = (2, 8, 32, 64, 128, 256, 784)
GRID_K = (16, 64, 256, 1024)
SWEEPS = 4
LARGEST_X = 256 << 20  # bytes


def vector_bytes():
    """The width of the processor's vector registers."""
    features = binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


@intrinsic
def chains(typing_context, numbers, turns, count):
    """Run ``count`` independent chains a = a * x + y of vectors in registers; returns a sum, so that all are needed."""
    if not isinstance(count, numba.types.IntegerLiteral):
        return None
    signature = numbers.dtype(numbers, turns, count)

    def generate(context, builder, signature, arguments):
        double = signature.return_type == numba.types.float64
        real = ir.DoubleType() if double else ir.FloatType()
        lanes = vector_bytes() // (8 if double else 4)
        vector = ir.VectorType(real, lanes)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data

        def spread(index):  # a number of the array in all lanes, so that the compiler can't know it
            scalar = builder.load(builder.gep(data, [ir.Constant(ir.IntType(64), index)]))
            value = ir.Constant(vector, ir.Undefined)
            for lane in range(lanes):
                value = builder.insert_element(value, scalar, ir.Constant(ir.IntType(32), lane))
            return value

        x, y = spread(0), spread(1)
        sums = [cgutils.alloca_once_value(builder, spread(2 + i)) for i in range(signature.args[2].literal_value)]
        with cgutils.for_range(builder, arguments[1]):
            for a in sums:
                builder.store(builder.fadd(builder.fmul(builder.load(a), x, FLAGS), y, FLAGS), a)
        total = builder.load(sums[0])
        for a in sums[1:]:
            total = builder.fadd(total, builder.load(a))
        result = builder.extract_element(total, ir.Constant(ir.IntType(32), 0))
        for lane in range(1, lanes):
            result = builder.fadd(result, builder.extract_element(total, ir.Constant(ir.IntType(32), lane)))
        return result

    return signature, generate


def spinner(count):
    """A compiled function that runs so many chains."""

    @numba.njit(nogil=True)
    def spin(numbers, turns):
        return chains(numbers, turns, count)

    return spin


@numba.njit(nogil=True, fastmath={"reassoc", "nsz"})
def read(a, b, c):
    """Read two arrays."""
    total = 0.0
    for i in range(len(a)):
        total += a[i] + b[i]
    c[0] = total


@numba.njit(nogil=True)
def triad(a, b, c):
    """Read two arrays and write one."""
    for i in range(len(a)):
        c[i] = a[i] + 3.0 * b[i]


def best_seconds(work, threads, rounds=5):
    """Least seconds of ``work(t)`` for t in range(threads), on as many Python threads."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
        seconds = []
        for _ in range(rounds):
            began = time.perf_counter()
            list(pool.map(work, range(threads)))
            seconds.append(time.perf_counter() - began)
    return min(seconds)


def peak(dtype, threads):
    """GF/s of multiply-adds on ``threads`` threads, and how many chains gave it."""
    numbers = np.linspace(0.5, 0.9, 2 + max(ACCUMULATORS)).astype(dtype)
    lanes, turns = vector_bytes() // np.dtype(dtype).itemsize, 2_000_000
    rates = {}
    for count in ACCUMULATORS:
        spin = spinner(count)
        seconds = best_seconds(lambda t, spin=spin: spin(numbers, turns), threads)
        rates[count] = 2e-9 * turns * count * lanes * threads / seconds
    best = max(rates, key=rates.get)
    return rates[best], best


def bandwidth(kernel, bytes_each, threads, length=8_000_000):
    """GB/s of a kernel over arrays far larger than the caches."""
    arrays = [[np.ones(length // threads) for _ in range(3)] for _ in range(threads)]
    seconds = best_seconds(lambda t: kernel(*arrays[t]), threads)
    return 1e-9 * bytes_each * (length // threads) * threads / seconds


def sweep(X, start, threads):
    """Median seconds of an assignment by the dense assigner, within a fit."""
    seconds = []

    def timed(problem, state):
        began = time.perf_counter()
        km.assigners.Dense()(problem, state)
        seconds.append(time.perf_counter() - began)

    km.Solver(assign=timed, tol=0, max_iter=SWEEPS, threads=threads).fit(X, len(start), init_centers=start)
    return float(np.median(seconds[1:] or seconds))


def product(X, centers, rounds=3):
    """Median seconds of X @ centers.T by BLAS, in chunks of rows whose scores stay in cache, as k-means would."""
    step = max((1 << 21) // (len(centers) * X.itemsize), 64)
    scores = np.empty((step, len(centers)), X.dtype)
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        for lo in range(0, len(X), step):
            rows = X[lo : lo + step]
            np.matmul(rows, centers.T, out=scores[: len(rows)])
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


def main(
    quick: Annotated[bool, typer.Option("--quick", help="A small grid and little work in each cell.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of everything measured.", min=1)] = 1,
) -> None:
    """Print peaks, bandwidths, and one table for each float type."""
    console = Console()
    work, ds, ks = (2e8, GRID_D[::3], GRID_K[::2]) if quick else (4e9, GRID_D, GRID_K)
    rng = np.random.default_rng(0)
    console.print(f"read {bandwidth(read, 16, threads):.1f} GB/s, triad {bandwidth(triad, 24, threads):.1f} GB/s")
    for dtype in (np.float32, np.float64):
        top, count = peak(dtype, threads)
        name = np.dtype(dtype).name
        console.print(f"{name}: peak {top:.0f} GF/s, {count} accumulators of {8 * vector_bytes()} bits")
        table = Table(title=f"Dense sweep, {name}, threads: {threads}")
        for head in ("d", "k", "rows", "ms", "GF/s", "of peak", "BLAS GF/s", "of BLAS"):
            table.add_column(head, justify="right")
        for d in ds:
            for k in ks:
                n = int(max(min(work / (2 * d * k), LARGEST_X / (d * np.dtype(dtype).itemsize)), 2 * k))
                X = rng.random((n, d), np.float32).astype(dtype)
                start = X[:k].astype(np.float64)
                with threadpool_limits(threads):
                    ours, blas = sweep(X, start, threads), product(X, X[:k].copy())
                rate, theirs = (2e-9 * n * d * k / seconds for seconds in (ours, blas))
                cells = (f"{1e3 * ours:.2f}", f"{rate:.1f}", f"{rate / top:.0%}", f"{theirs:.1f}", f"{blas / ours:.2f}")
                table.add_row(str(d), str(k), str(n), *cells)
        console.print(table)


if __name__ == "__main__":
    typer.run(main)
