"""Seeding, tiny fits and prediction of one row beside scikit-learn, in one run.

    python benchmarks/beside_sklearn.py

Medians after a first call, which compiles. Each library has a process of its own for each task, because idle OpenMP
threads of one would spin beside the other's work.
"""

import json
import subprocess
import sys
import time

import numpy as np

SEEDINGS = [(1_000_000, 2, "float64"), (1_000_000, 8, "float64"), (100_000, 32, "float32"), (100_000, 128, "float32")]
TASKS = [f"k-means++ {n} x {d} {dtype} k=100" for n, d, dtype in SEEDINGS]
TASKS += ["fit iris k=3", "fit digits k=10", "predict one row, digits k=10"]


def seeding(ours, n, d, dtype):
    """A function of a seed that seeds uniform rows."""
    X = np.random.default_rng(0).random((n, d)).astype(dtype)
    if not ours:
        from sklearn.cluster import kmeans_plusplus

        return lambda seed: kmeans_plusplus(X, 100, random_state=seed)
    import kmtoolkit as km

    problem, init = km.Problem(X, np.ones(n), 100), km.initializers.KMeansPlusPlus()
    for array in problem[:2]:
        array.flags.writeable = False
    return lambda seed: init(problem, np.random.default_rng(seed))


def fitting(ours, X, k):
    """A function of a seed that fits with defaults."""
    if not ours:
        from sklearn.cluster import KMeans

        return lambda seed: KMeans(k, random_state=seed).fit(X)
    import kmtoolkit as km

    return lambda seed: km.kmeans(X, k, rng=seed)


def seconds(ours, task):
    """The median time of a task."""
    from sklearn.datasets import load_digits, load_iris

    number = TASKS.index(task)
    if number < len(SEEDINGS):
        run, rounds = seeding(ours, *SEEDINGS[number]), 3
    elif "iris" in task:
        run, rounds = fitting(ours, load_iris().data, 3), 100
    else:
        run, rounds = fitting(ours, X := load_digits().data, 10), 100
        if "predict" in task:
            fitted, row = run(0), X[:1]
            run, rounds = (lambda seed: fitted.predict(row)), 2000
    run(0)
    times = []
    for seed in range(rounds):
        began = time.perf_counter()
        run(seed)
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def main():
    """Print a line for each task."""
    if len(sys.argv) > 1:
        print(json.dumps(seconds(sys.argv[1] == "kmtoolkit", sys.argv[2])))
        return
    print(f"{'task':<42} {'kmtoolkit':>13} {'scikit-learn':>13} {'ratio':>6}")
    for task in TASKS:
        ours, theirs = (
            json.loads(subprocess.check_output([sys.executable, __file__, library, task]))
            for library in ("kmtoolkit", "scikit-learn")
        )
        print(f"{task:<42} {1e3 * ours:>10.3f} ms {1e3 * theirs:>10.3f} ms {theirs / ours:>6.2f}")


if __name__ == "__main__":
    main()
