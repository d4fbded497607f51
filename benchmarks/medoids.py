"""Swaps of medoids beside ``kmedoids.fasterpam`` from the same start: time, loss, and whether the medoids agree.

    python benchmarks/medoids.py [--rounds 5] [--problems 300]

The peer runs as it does by default, with all processors and shuffled candidates, and on one, where candidates come in
order, as ours do. Times include the caches; the last column is of the look at the matrix, which the peer does not have.
Afterwards come many small problems, half of them with ties.
"""

import argparse
import os
import time
from importlib.metadata import version

import kmedoids
import numpy as np

from kmtoolkit.kernels import dissimilarities, swaps
from kmtoolkit.kernels.threads import sharing_threads

CASES = ((1_000, 20), (5_000, 50), (10_000, 100))
DIMENSIONS = 8
REST = 0.1  # seconds, in which the threads of the one before fall asleep


def problem(n, k, dtype):
    """Distances (n, n) between rows of k clusters, and rows (k,) to start from."""
    rng = np.random.default_rng(n + k)
    X = 3 * rng.normal(size=(k, DIMENSIONS))[rng.integers(k, size=n)] + rng.normal(size=(n, DIMENSIONS))
    squares = np.zeros((n, n), dtype)
    for column in X.T.astype(dtype):
        squares += np.square(column[:, None] - column)
    return np.sqrt(squares, out=squares), rng.choice(n, k, replace=False)


def ours(distances, medoids, threads=None):
    """The caches after a search over a symmetric matrix."""
    with sharing_threads(threads):
        caches = swaps.open_caches(distances[medoids], medoids, np.ones(len(distances)))
        while not swaps.finished(caches):
            swaps.swap_pass(caches, distances, 0)
    return caches


def peer(distances, medoids, processors=-1):
    """What the peer found from the same start."""
    return kmedoids.fasterpam(distances, medoids.copy(), n_cpu=processors)


def race(contestants, rounds):
    """Medians of the milliseconds of functions that take turns, and what they returned."""
    milliseconds, answers = {name: [] for name in contestants}, {}
    for turn in range(-1, rounds):
        for name in list(contestants)[:: 1 if turn % 2 else -1]:
            time.sleep(REST)
            began = time.perf_counter()
            answers[name] = contestants[name]()
            if turn >= 0:
                milliseconds[name].append(1e3 * (time.perf_counter() - began))
    return {name: float(np.median(times)) for name, times in milliseconds.items()}, answers


def race_on(n, k, dtype, rounds):
    """Print a line of the table."""
    distances, medoids = problem(n, k, dtype)
    found, answers = race(
        {
            "ours": lambda: ours(distances, medoids),
            "ours, 1": lambda: ours(distances, medoids, 1),
            "peer": lambda: peer(distances, medoids),
            "peer, 1": lambda: peer(distances, medoids, 1),
            "look": lambda: dissimilarities.inspect(distances),
        },
        rounds,
    )
    times = " | ".join(f"{found[name]:.2f}" for name in ("ours", "peer", "ours, 1", "peer, 1"))
    ratios = f"{found['ours'] / found['peer']:.2f} | {found['ours, 1'] / found['peer, 1']:.2f}"
    loss = answers["ours"].loss.sum()
    losses = " | ".join(f"{loss / float(answers[name].loss) - 1:+.1e}" for name in ("peer", "peer, 1"))
    agree = np.array_equal(answers["ours"].medoids, answers["peer, 1"].medoids)
    print(
        f"| {n}, {k} | {np.dtype(dtype)} | {times} | {ratios} | {losses} | {agree} | {found['look']:.2f} |", flush=True
    )


def compare_losses(problems, whole):
    """Print how the losses of many small problems compare with the peer's; both try candidates in order.

    Whole distances have exact sums. Otherwise the peer also makes swaps that lower the loss by rounding alone, as of
    the two rows of a cluster of two, and may then come to another optimum.
    """
    rng, same, ratios = np.random.default_rng(0), 0, []
    for turn in range(problems):
        n = int(rng.integers(5, 200))
        k = int(rng.integers(1, min(n, 30)))
        X = rng.normal(size=(n, 3)) if turn % 2 else rng.integers(6, size=(n, 3)).astype(float)
        distances = np.sqrt(np.square(X[:, None] - X).sum(axis=2))
        if whole:
            distances = np.round(1e6 * distances)
        medoids = rng.choice(n, k, replace=False)
        own, other = ours(distances, medoids), peer(distances, medoids, 1)
        same += np.array_equal(own.medoids, other.medoids)
        ratios.append((own.loss.sum() - other.loss) / other.loss if other.loss else 0.0)
    print(f"\n{problems} problems with {'whole' if whole else 'other'} distances: {same} have the same medoids.")
    print(f"Loss relative to the peer's: {min(ratios):+.1e} to {max(ratios):+.1e}, {np.mean(ratios):+.1e} on average.")


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--problems", type=int, default=1000)
    arguments = parser.parse_args()
    print(f"kmedoids {version('kmedoids')}, {os.cpu_count()} processors; medians in ms of {arguments.rounds} rounds\n")
    print(
        "| n, k | dtype | ours | peer | ours, 1 | peer, 1 | ratio | ratio, 1 | loss | loss, 1 | same medoids | look |"
    )
    print("|---|---|" + "---:|" * 10)
    for n, k in CASES:
        for dtype in (np.float32, np.float64):
            race_on(n, k, dtype, arguments.rounds)
    for whole in (True, False):
        compare_losses(arguments.problems, whole)


if __name__ == "__main__":
    main()
