"""Medians, angles and divergences beside others from the same start, and declared divergences beside loops by hand.

    python benchmarks/divergences.py [--rounds 5]

k-medians beside pyclustering with its C++ core, spherical k-means beside faiss and beside pyclustering's k-means with
cosines, all with the same number of iterations; then one assignment by ``km.pointwise`` beside a Numba sweep written by
hand, and one iteration of each Bregman divergence.
"""

import argparse
import subprocess
import sys
import time
import warnings

import faiss
import numba
import numpy as np
from workloads import CACHE

import kmtoolkit as km
from kmtoolkit.kernels.threads import sharing_threads

ITERATIONS = 10
REST = 0.2  # seconds, in which the threads of the one before fall asleep


def pyclustering():
    """The package pyclustering, installed aside if it is missing; it expects NumPy 1."""
    folder = CACHE / "data" / "pyclustering"
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(folder), "pyclustering"]
        subprocess.run(command, check=True, capture_output=True)
    sys.path.insert(0, str(folder))
    np.warnings = warnings
    from pyclustering.cluster import kmeans, kmedians
    from pyclustering.utils.metric import distance_metric, type_metric

    return kmeans.kmeans, kmedians.kmedians, distance_metric, type_metric


def race(contestants, rounds):
    """Medians of the seconds of functions that take turns, and what they returned."""
    seconds, answers = {name: [] for name in contestants}, {}
    for turn in range(-1, rounds):
        for name in list(contestants)[:: 1 if turn % 2 else -1]:
            time.sleep(REST)
            began = time.perf_counter()
            answers[name] = contestants[name]()
            if turn >= 0:
                seconds[name].append(time.perf_counter() - began)
    return {name: float(np.median(times)) for name, times in seconds.items()}, answers


def blobs(n, d, k, seed=0):
    """Overlapping groups of rows, away from 0."""
    rng = np.random.default_rng(seed)
    return 9 + 2 * rng.normal(size=(k, d))[rng.integers(k, size=n)] + rng.normal(size=(n, d))


def show(task, peer, seconds, ours, theirs):
    """Print a line of the table: times of all iterations, and objectives."""
    a, b = 1e3 * seconds["ours"], 1e3 * seconds["peer"]
    print(f"| {task} | {peer} | {a:.1f} | {b:.1f} | {b / a:.1f} | {ours:.8g} | {theirs:.8g} |", flush=True)


def race_medians(n, d, k, rounds):
    """k-medians from the same start; the peer's objective is that of its medians and their nearest rows."""
    _, kmedians, distance_metric, type_metric = pyclustering()
    X = blobs(n, d, k)
    start, rows = X[:k].copy(), X.tolist()
    options = {"init_centers": start, "max_iter": ITERATIONS, "tol": 0, "empty": "keep"}

    def peer():
        metric = distance_metric(type_metric.MANHATTAN)
        found = kmedians(rows, start.tolist(), 0.0, itermax=ITERATIONS, metric=metric, ccore=True)
        return np.array(found.process().get_medians())

    seconds, answers = race({"ours": lambda: km.kmedians(X, k, **options), "peer": peer}, rounds)
    theirs = km.kmedians(X, k, init_centers=answers["peer"], max_iter=0, empty="keep").objective
    show(f"k-medians {n} × {d}, k = {k}", "pyclustering, C++", seconds, answers["ours"].objective, theirs)


def race_angles(n, d, k, rounds):
    """Spherical k-means from the same start, beside faiss, whose rows are float32 and of length 1 already."""
    X = blobs(n, d, k).astype(np.float32) - 9
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    start = X[:k].copy()
    options = {"max_iter": ITERATIONS, "tol": 0, "empty": "keep"}

    def peer():
        found = faiss.Kmeans(
            d, k, niter=ITERATIONS, spherical=True, max_points_per_centroid=n, min_points_per_centroid=1
        )
        found.train(X, init_centroids=start)
        return found.centroids

    seconds, answers = race(
        {"ours": lambda: km.spherical_kmeans(X, k, init_centers=start, **options), "peer": peer}, rounds
    )
    theirs = km.spherical_kmeans(X, k, init_centers=answers["peer"], max_iter=0).objective
    show(f"spherical {n} × {d}, k = {k}", "faiss", seconds, answers["ours"].objective, theirs)


def race_cosines(n, d, k, rounds):
    """Spherical k-means beside k-means with 1 - cosine for its metric, in pyclustering."""
    kmeans, _, distance_metric, type_metric = pyclustering()
    X = blobs(n, d, k) - 9
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    start = X[:k].copy()

    def peer():
        def by_angle(a, b):
            return 1 - np.sum(np.asarray(a) * b, axis=-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)

        metric = distance_metric(type_metric.USER_DEFINED, func=by_angle)
        found = kmeans(X, start, 0.0, itermax=ITERATIONS, metric=metric)
        return np.array(found.process().get_centers())

    options = {"max_iter": ITERATIONS, "tol": 0, "empty": "keep"}
    seconds, answers = race(
        {"ours": lambda: km.spherical_kmeans(X, k, init_centers=start, **options), "peer": peer}, rounds
    )
    theirs = km.spherical_kmeans(X, k, init_centers=answers["peer"], max_iter=0).objective
    show(f"spherical {n} × {d}, k = {k}", "pyclustering", seconds, answers["ours"].objective, theirs)


def huber(x, c):
    """Half the square near 0, the absolute value away from it."""
    r = abs(x - c)
    return r * r / 2 if r < 1 else r - 0.5


def absolute(x, c):
    """The Manhattan distance's share of a column."""
    return abs(x - c)


def by_hand(scalar):
    """The sweep that somebody would write who knows Numba: rows in parallel, centers transposed for vectors."""
    d = numba.njit(scalar)

    @numba.njit(parallel=True)
    def nearest(X, columns, labels):
        for i in numba.prange(len(X)):
            sums = np.zeros(columns.shape[1])
            for f in range(columns.shape[0]):
                for j in range(columns.shape[1]):
                    sums[j] += d(X[i, f], columns[f, j])
            labels[i] = sums.argmin()

    return nearest


def race_sweeps(n, d, k, rounds):
    """One assignment by a declared divergence beside the sweep by hand."""
    X, labels = blobs(n, d, k), np.empty(n, np.int32)
    centers = X[:k].copy()
    X.flags.writeable = False
    for scalar in (absolute, huber):
        declared = km.pointwise(f"bench-{scalar.__name__}")(scalar).divergence
        sweep, own = by_hand(scalar), np.empty(n, np.int32)
        seconds, _ = race(
            {
                "ours": lambda kernels=declared.kernels, own=own: kernels.nearest(X, centers, own),
                "peer": lambda sweep=sweep: sweep(X, np.ascontiguousarray(centers.T), labels),
            },
            4 * rounds,
        )
        assert (own == labels).all()
        ours, theirs = 1e3 * seconds["ours"], 1e3 * seconds["peer"]
        print(f"| {scalar.__name__} {n} × {d}, k = {k} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} |", flush=True)


def time_divergences(n, d, k, rounds):
    """Milliseconds of an iteration of each Bregman divergence, and of one assignment without lines."""
    X = np.abs(blobs(n, d, k)) + 0.1
    for name in ("squared-euclidean", "generalized-i", "itakura-saito", "logistic", "mahalanobis"):
        rows = X / 32 if name == "logistic" else X
        options = {"divergence": name, "init_centers": rows[:k], "tol": 0, "empty": "keep"}
        contestants = {
            many: lambda many=many, rows=rows, options=options: km.bregman_kmeans(rows, k, max_iter=many, **options)
            for many in (1, ITERATIONS + 1)
        }
        seconds, done = race(contestants, rounds)
        iterations = done[ITERATIONS + 1].n_iter - 1
        each = 1e3 * (seconds[ITERATIONS + 1] - seconds[1]) / iterations
        print(f"| {name} | {each:.1f} |", flush=True)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    rounds = parser.add_argument("--rounds", type=int, default=5) and parser.parse_args().rounds
    with sharing_threads(None):
        print(f"| {ITERATIONS} iterations | peer | kmtoolkit, ms | peer, ms | ratio | our objective | the peer's |")
        print("|---|---|---:|---:|---:|---:|---:|")
        race_medians(20_000, 8, 20, rounds)
        race_medians(100_000, 4, 10, rounds)
        race_cosines(20_000, 8, 20, rounds)
        race_angles(100_000, 16, 20, rounds)
        race_angles(100_000, 64, 100, rounds)
        print("\n| one assignment | km.pointwise, ms | by hand, ms | ratio |\n|---|---:|---:|---:|")
        race_sweeps(200_000, 8, 50, rounds)
        race_sweeps(50_000, 64, 20, rounds)
        print("\n| divergence, 100000 × 16, k = 32 | an iteration, ms |\n|---|---:|")
        time_divergences(100_000, 16, 32, rounds)


if __name__ == "__main__":
    main()
