"""How time grows with n, d and k, and how much memory a fit takes beside its rows (Linux).

    python benchmarks/scaling.py [--quick] [--threads 2]

Time of an iteration against one of n, d, k, the others fixed, and the exponent: the slope of a straight line through
the logarithms of the larger half, where fixed costs no longer matter. Memory: how far the resident size rose above what
it was with X and the kernels loaded, in a process of its own.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import kmtoolkit as km

FIXED = {"n": 20_000, "d": 16, "k": 32}
VARIED = {
    "n": [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000],
    "d": [4, 8, 16, 32, 64, 128, 256],
    "k": [4, 8, 16, 32, 64, 128, 256, 512],
}
ITERATIONS, ROUNDS = 5, 3
MEMORY = [(4_000_000, 2, 16), (2_000_000, 8, 16), (1_000_000, 16, 64), (400_000, 64, 256)]  # n, d, k


def seconds_of_iteration(n, d, k, threads):
    """Median seconds of an iteration, and of its assignment, in a fit from given centers to uniform rows."""
    X = np.random.default_rng(0).random((n, d))
    solver = km.Solver(assign="dense", tol=0, max_iter=ITERATIONS, threads=threads)
    whole, assigns = [], []
    for _ in range(ROUNDS):
        trace = solver.fit(X, k, init_centers=X[:k]).trace
        spent = np.diff(trace.seconds, prepend=np.nan)
        update, assign = (np.median(spent[trace.phase == phase]) for phase in ("update", "assign"))
        whole.append(update + assign)
        assigns.append(assign)
    return float(np.median(whole)), float(np.median(assigns))


def exponent(sizes, seconds):
    """Slope of log seconds over log size in the larger half."""
    half = len(sizes) // 2
    return float(np.polyfit(np.log(sizes[half:]), np.log(seconds[half:]), 1)[0])


def resident(field):
    """A size of this process from the kernel's table, in bytes: VmRSS now, VmHWM the highest since the last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def measure_memory(n, d, k, dtype):
    """Print by how many bytes a fit rises above what was there before it."""
    rng = np.random.default_rng(0)
    X = rng.random((n, d), np.float32).astype(dtype)
    solver = km.Solver(max_iter=3, tol=0, rng=0)
    solver.fit(X[: max(4 * k, 1000)], k)  # loads the kernels
    km.Solver(max_iter=1, tol=0).fit(np.zeros((100_000, 1), dtype) + X[:1, :1], 1)  # and starts the threads
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = resident("VmRSS")
    result = solver.fit(X, k)
    print(resident("VmHWM") - before, result.n_iter)


def bytes_beyond(n, d, k, dtype, threads):
    """Peak bytes of a fit beyond its rows, measured in a process of its own."""
    command = [sys.executable, __file__, "--memory-of", f"{n},{d},{k},{dtype}"]
    environment = os.environ | {"NUMBA_NUM_THREADS": str(threads)}
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return int(told.stdout.split()[0])


def show_time(console, quick, threads):
    """A table for each of n, d and k, and its exponents."""
    for name, sizes in VARIED.items():
        sizes = sizes[: 4 if quick else None]
        table = Table(title=", ".join(f"{other} = {FIXED[other]}" for other in FIXED if other != name))
        for head in (name, "ms an iteration", "ms an assignment", "ns for each n d k"):
            table.add_column(head, justify="right")
        times = []
        for size in sizes:
            shape = FIXED | {name: size}
            times.append(seconds_of_iteration(**shape, threads=threads))
            whole, assign = times[-1]
            each = 1e9 * assign / np.prod(list(shape.values()), dtype=float)
            table.add_row(str(size), f"{1e3 * whole:.3f}", f"{1e3 * assign:.3f}", f"{each:.4f}")
        slopes = [exponent(np.array(sizes), np.array(column)) for column in zip(*times, strict=True)]
        table.add_section()
        table.add_row("exponent", *(f"{slope:.2f}" for slope in slopes), "", style="bold")
        console.print(table)


def show_memory(console, quick, threads):
    """Peak memory beyond X."""
    table = Table(title="Peak memory of a fit beyond X, k-means++ included")
    for head in ("n", "d", "k", "dtype", "X MiB", "beyond MiB", "bytes a row"):
        table.add_column(head, justify="right")
    for n, d, k in MEMORY[: 1 if quick else None]:
        for dtype in ("float32", "float64"):
            beyond = bytes_beyond(n, d, k, dtype, threads)
            size = n * d * np.dtype(dtype).itemsize
            cells = (f"{size / 2**20:.1f}", f"{beyond / 2**20:.1f}", f"{beyond / n:.1f}")
            table.add_row(str(n), str(d), str(k), dtype, *cells)
    console.print(table)


def main(
    quick: Annotated[bool, typer.Option("--quick", help="Few and small sizes.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of a fit.", min=1)] = 1,
    memory_of: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Print what grows and how."""
    if memory_of:
        n, d, k, dtype = memory_of.split(",")
        measure_memory(int(n), int(d), int(k), dtype)
        return
    console = Console()
    show_time(console, quick, threads)
    if sys.platform == "linux":
        show_memory(console, quick, threads)
    else:
        console.print("Memory is measured on Linux only.")


if __name__ == "__main__":
    typer.run(main)
