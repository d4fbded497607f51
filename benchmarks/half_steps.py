"""How long each half-step takes, and what the certificate costs: the books' share of an iteration.

    python benchmarks/half_steps.py

Medians over the iterations of one fit from given centers, JIT warm. Beside it, where scikit-learn is installed, its
Lloyd iteration on the same data from the same centers, run in turn with ours.
"""

import time

import numpy as np

import kmtoolkit as km

WORKLOADS = [  # rows, columns, k, dtype
    (1_000_000, 2, 100, np.float64),
    (200_000, 8, 50, np.float64),
    (100_000, 32, 256, np.float32),
]
ITERATIONS, ROUNDS = 15, 3


def half_steps(X, k, start):
    """Median seconds of an update and of an assign, the books included, and of the bare sweep."""
    sweeps = []

    def timed(problem, state):
        began = time.perf_counter()
        km.assigners.Dense()(problem, state)
        sweeps.append(time.perf_counter() - began)

    trace = km.Solver(assign=timed, tol=0, max_iter=ITERATIONS).fit(X, k, init_centers=start).trace
    seconds = np.diff(trace.seconds, prepend=np.nan)
    return [np.median(seconds[trace.phase == phase]) for phase in ("update", "assign")] + [np.median(sweeps)]


def scikit_learn(X, k, start):
    """Seconds of an iteration of scikit-learn's Lloyd, or nan if it is not installed."""
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        return np.nan
    seconds = []
    for n_iter in (1, 1 + ITERATIONS):
        model = KMeans(k, init=start.astype(X.dtype), n_init=1, tol=0, max_iter=n_iter)
        began = time.perf_counter()
        model.fit(X)
        seconds.append(time.perf_counter() - began)
    return (seconds[1] - seconds[0]) / ITERATIONS


def main():
    """Print one line per workload."""
    rng = np.random.default_rng(0)
    heads = {"rows": 9, "cols": 5, "k": 5, "dtype": 8, "update": 9, "assign": 9, "sweep": 9, "books": 6, "sklearn": 9}
    print(" ".join(f"{head:>{width}}" for head, width in heads.items()))
    for n, d, k, dtype in WORKLOADS:
        X = (rng.normal(size=(n, d)) + 3 * rng.normal(size=(k, d))[rng.integers(k, size=n)]).astype(dtype)
        start = X[rng.choice(n, k, replace=False)].astype(np.float64)
        km.Solver(max_iter=1).fit(X, k, init_centers=start)
        rounds = [(*half_steps(X, k, start), scikit_learn(X, k, start)) for _ in range(ROUNDS)]
        update, assign, sweep, peer = np.median(rounds, axis=0)
        books = (update + assign - sweep) / (update + assign)
        times = " ".join(f"{1e3 * t:>6.2f} ms" for t in (update, assign, sweep))
        print(f"{n:>9} {d:>5} {k:>5} {np.dtype(dtype).name:>8} {times} {books:>6.1%} {1e3 * peer:>6.2f} ms")


if __name__ == "__main__":
    main()
