"""Soft families beside others from the same start: time, and whether the answers agree.

    python benchmarks/soft.py [--rounds 5]

Soft k-means beside a tuned NumPy, whose distances are one BLAS product and whose exponentials work in place, fuzzy
c-means beside scikit-fuzzy, and Gaussian mixtures beside scikit-learn. All do the same number of iterations from the
same parameters, and take turns. With ``--memory`` it prints instead what EM on 1M x 8, k = 64, takes beyond its data.
"""

import argparse
import resource
import subprocess
import sys
import time
import warnings

import numpy as np
from workloads import CACHE

import kmtoolkit as km

ITERATIONS = 10
OVERLAPPING = 3.0  # deviations that means are apart by, or so: it takes long to converge
REST = 0.2  # seconds, in which the threads of the one before fall asleep


def numpy_soft_kmeans(X, centers, beta, n_iter):
    """Soft k-means with learned weights: what somebody who knows NumPy well would write."""
    k = len(centers)
    squares, logs = np.einsum("ij,ij->i", X, X), np.full(k, -np.log(k))
    room = np.empty((len(X), k))

    def share():
        np.matmul(X, 2 * beta * centers.T, out=room)
        np.add(room, logs - beta * np.einsum("ij,ij->i", centers, centers), out=room)
        top = room.max(axis=1)
        np.subtract(room, top[:, None], out=room)
        np.exp(room, out=room)
        total = room.sum(axis=1)
        np.divide(room, total[:, None], out=room)
        return float((squares - (top + np.log(total)) / beta).sum())

    share()
    for _ in range(n_iter):
        mass = room.sum(axis=0)
        centers = room.T @ X / mass[:, None]
        logs = np.log(mass / mass.sum())
        F = share()
    return centers, F


def skfuzzy():
    """The package scikit-fuzzy, installed aside if it is missing."""
    try:
        import skfuzzy as found
    except ImportError:
        folder = CACHE / "data" / "scikit-fuzzy"
        if not folder.exists():
            command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(folder), "scikit-fuzzy"]
            subprocess.run([*command, "networkx"], check=True, capture_output=True)
        sys.path.insert(0, str(folder))
        import skfuzzy as found
    return found


def scikit_fuzzy(X, centers, m, n_iter):
    """Fuzzy c-means by scikit-fuzzy, from the memberships that belong to the centers."""
    from scipy.spatial.distance import cdist

    u = cdist(centers, X) ** (-2 / (m - 1))
    u /= u.sum(axis=0)
    found = skfuzzy().cmeans(X.T, len(centers), m, error=0, maxiter=n_iter, init=u)
    return found[0], float(found[4][-1])


def race(contestants, rounds):
    """Medians of the seconds of functions that take turns, and what they returned."""
    seconds, answers = {name: [] for name in contestants}, {}
    for function in contestants.values():
        function()
    for turn in range(rounds):
        for name in list(contestants)[:: 1 if turn % 2 else -1]:
            time.sleep(REST)
            began = time.perf_counter()
            answer = contestants[name]()
            seconds[name].append(time.perf_counter() - began)
            answers[name] = getattr(answer, "centers", answer)
    return {name: float(np.median(times)) for name, times in seconds.items()}, answers


def race_iterations(ours, theirs, rounds):
    """Seconds of ITERATIONS iterations of two functions of their number, without those of a start; and the answers."""
    many, one = ({"ours": lambda n=n: ours(n), "peer": lambda n=n: theirs(n)} for n in (ITERATIONS + 1, 1))
    seconds, answers = race(many, rounds)
    starts, _ = race(one, rounds)
    done = ours(ITERATIONS + 1).n_iter - 1  # fewer if it came to a fixed point
    assert done > ITERATIONS / 2
    seconds = {name: seconds[name] - starts[name] for name in seconds}
    return {**seconds, "ours": seconds["ours"] * ITERATIONS / done}, answers


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    if arguments.memory:
        print_memory()
        return
    rounds = arguments.rounds
    print("| task | peer | kmtoolkit, ms an iteration | peer | ratio | centers differ by |")
    print("|---|---|---:|---:|---:|---:|")
    for n, d, k in ((100_000, 16, 16), (100_000, 16, 64), (20_000, 64, 8), (1_000_000, 2, 10), (100_000, 32, 256)):
        race_on(n, d, k, rounds)
    for n, d, k in ((100_000, 16, 16), (20_000, 64, 8)):
        for covariance in ("full", "diag", "tied", "spherical"):
            race_mixtures(n, d, k, covariance, rounds)


def print_memory():
    """Print the peak of anonymous memory in an EM fit, beyond that before it."""
    X = np.random.default_rng(0).normal(size=(1_000_000, 8))
    km.gaussian_mixture(X[:20_000], 64, rng=0, max_iter=1)  # what is compiled or loaded is no part of a fit
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    km.gaussian_mixture(X, 64, rng=0, max_iter=3, tol=0)
    beyond = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6
    print(f"EM on 1M x 8, k = 64: {beyond:.0f} MB beyond X, which has {X.nbytes / 1e6:.0f}")


def mixture_start(n, d, k, covariance):
    """Overlapping clusters, and parameters to start from: their means, and covariances 1.5 times too wide."""
    rng = np.random.default_rng(n + d + k)
    means, labels = OVERLAPPING / np.sqrt(d) * rng.normal(size=(k, d)), rng.integers(k, size=n)
    X = means[labels] + rng.normal(size=(n, d))
    wide = {"full": np.tile(1.5 * np.eye(d), (k, 1, 1)), "tied": 1.5 * np.eye(d), "diag": np.full((k, d), 1.5),
            "spherical": np.full(k, 1.5)}  # fmt: skip
    return X, means + 0.5 * rng.normal(size=(k, d)), wide[covariance]


def race_mixtures(n, d, k, covariance, rounds):
    """Race EM against scikit-learn."""
    from sklearn.mixture import GaussianMixture

    X, start, wide = mixture_start(n, d, k, covariance)
    precisions = np.linalg.inv(wide) if covariance in ("full", "tied") else 1 / wide

    def ours(n_iter):
        return km.gaussian_mixture(X, k, covariance=covariance, floor=1e-9, init_centers=start, init_covariances=wide,
                                   tol=0, max_iter=n_iter)  # fmt: skip

    def theirs(n_iter):
        mixture = GaussianMixture(k, covariance_type=covariance, tol=0, reg_covar=0, max_iter=n_iter, means_init=start,
                                  weights_init=np.full(k, 1 / k), precisions_init=precisions, init_params="random",
                                  random_state=0)  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has not converged
            return mixture.fit(X).means_

    show(f"mixture, {covariance}, {n} × {d}, k = {k}", "scikit-learn", race_iterations(ours, theirs, rounds))


def race_on(n, d, k, rounds):
    """Race on overlapping Gaussian clusters."""
    rng = np.random.default_rng(n + d + k)
    X = OVERLAPPING / np.sqrt(d) * rng.normal(size=(k, d))[rng.integers(k, size=n)] + rng.normal(size=(n, d))
    start, beta = X[:k] + 0.01 * rng.normal(size=(k, d)), 0.5  # scikit-fuzzy divides by 0 at a center
    options = {"init_centers": start, "tol": 0}
    raced = race_iterations(
        lambda n_iter: km.soft_kmeans(X, k, beta=beta, max_iter=n_iter, **options),
        lambda n_iter: numpy_soft_kmeans(X, start, beta, n_iter)[0],
        rounds,
    )
    show(f"soft k-means {n} × {d}, k = {k}", "NumPy", raced)
    for m in (2.0, 1.5) if n * k < 10_000_000 else ():
        raced = race_iterations(
            lambda n_iter, m=m: km.fuzzy_cmeans(X, k, m=m, max_iter=n_iter, **options),
            lambda n_iter, m=m: scikit_fuzzy(X, start, m, n_iter)[0],
            rounds,
        )
        show(f"fuzzy c-means {n} × {d}, k = {k}, m = {m}", "scikit-fuzzy", raced)


def show(task, peer, raced):
    """Print a line of the table."""
    seconds, answers = raced
    ours, theirs = (1e3 * seconds[name] / ITERATIONS for name in ("ours", "peer"))
    apart = np.abs(answers["ours"] - answers["peer"]).max()
    print(f"| {task} | {peer} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.1f} | {apart:.1e} |", flush=True)


if __name__ == "__main__":
    main()
