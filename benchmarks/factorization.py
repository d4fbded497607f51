"""Factors of a clustering beside one assignment of its rows.

python benchmarks/factorization.py [--rounds 9]
"""

import argparse
import time

import numpy as np

import kmtoolkit as km
from kmtoolkit.kernels.closest import closest
from kmtoolkit.kernels.threads import sharing_threads

REST = 0.1  # seconds, in which threads fall asleep


def race_on(n, d, k, rounds):
    """Print a line of the table: medians of functions that take turns."""
    rng = np.random.default_rng(n + d + k)
    X = rng.normal(size=(n, d))
    centers, labels = X[:k].copy(), np.empty(n, np.int32)
    X.flags.writeable = False
    closest(X, centers, labels)
    M, Z = km.factorization.factorize(labels, X)
    contestants = {
        "sweep": lambda: closest(X, centers, labels),
        "factorize": lambda: km.factorization.factorize(labels, X),
        "residual": lambda: km.factorization.residual(X, M, Z),
        "sum": lambda: km.factorization.sum_of_distances(X, M, Z),
        "projection": lambda: km.factorization.projection_residual(X, Z),
    }
    times = {name: [] for name in contestants}
    with sharing_threads(None):
        for turn in range(-1, rounds):
            for name, function in contestants.items():
                time.sleep(REST)
                began = time.perf_counter()
                function()
                if turn >= 0:
                    times[name].append(1e3 * (time.perf_counter() - began))
    found = {name: float(np.median(each)) for name, each in times.items()}
    shown = " | ".join(f"{found[name]:.1f}" for name in contestants)
    print(f"| {n} × {d}, k = {k} | {shown} | {found['factorize'] / found['sweep']:.2f} |", flush=True)


def main():
    """Print the table, in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print("| rows | one assignment, ms | factorize | ‖X - MZ‖² | Σ z‖x - μ‖² | ‖X - XP‖² | factorize / assignment |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for n, d, k in ((1_000_000, 8, 50), (1_000_000, 32, 100), (100_000, 8, 50)):
        race_on(n, d, k, rounds)


if __name__ == "__main__":
    main()
