"""The other end of the race: runs one system, and answers the requests of ``peers.py`` over a pipe.

    python peer_worker.py FILE_DESCRIPTOR ADAPTER VARIANT

It runs in the system's own environment, so it imports NumPy and that system alone. An adapter takes (X, weights, k,
variant) and returns two functions that return (centers, iterations): ``rate(start, n_iter)`` runs that many iterations
from given centers with tolerance 0, and ``solve(seed)`` is the system by its defaults. Iterations may also be None, or
a function that finds out. Conversions of X that a system needs are done by the adapter, and not timed.
"""

import contextlib
import logging
import os
import sys
import tempfile
import time
import traceback
import warnings
from importlib.metadata import version
from multiprocessing.connection import Connection

import numpy as np

SHORTEST = 0.1  # seconds: shorter fits are repeated, and the median is taken
MOST = 200  # fits in one measurement


class Misfit(Exception):
    """A workload that a system does not take."""


def kmtoolkit(X, weights, k, variant):
    """Solve this package's k-means; the variant is the assigner."""
    import kmtoolkit as km

    def rate(start, n_iter):
        solver = km.Solver(assign=variant, tol=0, max_iter=n_iter)
        result = solver.fit(X, k, sample_weight=weights, init_centers=start)
        return result.centers, result.n_iter

    def solve(seed, **limits):
        result = km.kmeans(X, k, sample_weight=weights, assign=variant, rng=seed, **limits)
        return result.centers, result.n_iter

    return rate, solve


def scikit_learn(X, weights, k, variant, KMeans=None):
    """Solve by scikit-learn; the variant is its algorithm."""
    if KMeans is None:
        from sklearn.cluster import KMeans

    def rate(start, n_iter):
        model = KMeans(k, init=start.astype(X.dtype), n_init=1, tol=0, max_iter=n_iter, algorithm=variant)
        model.fit(X, sample_weight=weights)
        return model.cluster_centers_, model.n_iter_

    def solve(seed, **limits):
        model = KMeans(k, random_state=seed, algorithm=variant, **limits).fit(X, sample_weight=weights)
        return model.cluster_centers_, model.n_iter_

    return rate, solve


def intelex(X, weights, k, variant):
    """Solve by scikit-learn-intelex, unless it would hand the work to scikit-learn."""
    from sklearnex.cluster import KMeans

    rate, solve = scikit_learn(X, weights, k, variant, KMeans)
    heard = []
    listener = logging.Handler()
    listener.emit = lambda record: heard.append(record.getMessage())
    logger = logging.getLogger("sklearnex")
    logger.addHandler(listener)
    logger.setLevel("INFO")
    rate(X[:: max(len(X) // (2 * k), 1)][:k], 1)
    logger.removeHandler(listener)
    logger.setLevel("WARNING")
    if any("fallback" in message for message in heard):
        raise Misfit("falls back to scikit-learn")
    return rate, solve


def faiss(X, weights, k, variant):
    """Solve by faiss, on float32 rows and on all of them: by default it samples 256 rows per center."""
    import faiss as library

    library.omp_set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    rows = np.ascontiguousarray(X, np.float32)
    weights = None if weights is None else np.ascontiguousarray(weights, np.float32)
    options = {"min_points_per_centroid": 1, "max_points_per_centroid": len(X)}
    machine = library.Kmeans
    if variant == "SUPER":
        if weights is not None or X.shape[1] < 32 or not hasattr(library, "SuperKmeans"):
            raise Misfit("takes 32 columns or more and no weights, if this version has it")
        machine = library.SuperKmeans
    elif variant != "RANDOM":
        if not hasattr(library, f"ClusteringInitMethod_{variant}"):
            raise Misfit(f"this version has no {variant}")
        options["init_method"] = getattr(library, f"ClusteringInitMethod_{variant}")

    def train(start=None, **more):
        model = machine(X.shape[1], k, **options, **more)
        model.train(rows, weights=weights, init_centroids=start)
        return model.centroids, len(model.obj)

    def rate(start, n_iter):
        return train(start.astype(np.float32), niter=n_iter)

    def solve(seed, max_iter=25):  # 25 is its default
        return train(seed=seed + 1, niter=max_iter)

    return rate, solve


def mlpack(X, weights, k, variant):
    """Solve by mlpack, on float64 rows; the variant is its algorithm."""
    from mlpack import kmeans

    if weights is not None:
        raise Misfit("takes no weights")
    rows = X.astype(np.float64)
    counted = {}

    def fit(n_iter, **more):
        return kmeans(input_=rows, clusters=k, max_iterations=n_iter, algorithm=variant, labels_only=True, **more)

    def rate(start, n_iter):
        centers = start.copy()  # which becomes the memory of the result

        def count():  # it tells its iterations in words only
            if n_iter not in counted:
                words = overheard(lambda: fit(n_iter, initial_centroids=start.copy(), verbose=True))
                counted[n_iter] = words.count("residual")
            return counted[n_iter]

        return fit(n_iter, initial_centroids=centers)["centroid"].copy(), count

    def solve(seed, max_iter=1000):  # 1000 is its default
        return fit(max_iter, seed=seed + 1)["centroid"], None

    return rate, solve


def overheard(action):
    """What ``action`` writes to standard output, by whatever library."""
    sys.stdout.flush()
    before = os.dup(1)
    with tempfile.TemporaryFile() as file:
        try:
            os.dup2(file.fileno(), 1)
            action()
        finally:
            os.dup2(before, 1)
            os.close(before)
        file.seek(0)
        return file.read().decode(errors="replace")


class Bench:
    """What the worker holds between requests, and one method for each kind of them."""

    def __init__(self, adapter, variant):
        self.adapter, self.variant = globals()[adapter], variant
        self.rate = self.solve = self.start = None

    def load(self, X, weights, start):
        """Read the rows of a workload."""
        self.start = np.load(start)
        weights = None if weights is None else np.load(weights)
        self.rate, self.solve = self.adapter(np.load(X), weights, len(self.start), self.variant)
        return {}

    def warm(self, experiment, argument, wholly):
        """Run one iteration, or all of a fit, which compiles what is compiled."""
        if experiment == "rate":
            self.rate(self.start, argument if wholly else 1)
        else:
            self.solve(argument, **({} if wholly else {"max_iter": 1}))
        return {}

    def time(self, experiment, argument, want_centers):
        """Time a fit; ``argument`` is the number of iterations, or the seed."""
        seconds = []
        while sum(seconds) < SHORTEST and len(seconds) < MOST:
            began = time.perf_counter()
            centers, n_iter = self.rate(self.start, argument) if experiment == "rate" else self.solve(argument)
            seconds.append(time.perf_counter() - began)
        n_iter = n_iter() if callable(n_iter) else n_iter
        answer = {"seconds": float(np.median(seconds)), "fits": len(seconds), "n_iter": n_iter}
        if want_centers:  # as bytes: NumPy's pickles differ between its versions
            answer["centers"] = np.ascontiguousarray(centers, np.float64).tobytes()
        return answer

    def versions(self, packages):
        """The versions of those packages that are installed."""
        found = {}
        for package in packages:
            with contextlib.suppress(ImportError):
                found[package] = version(package)
        return {"versions": found}


def main():
    """Answer requests until the pipe closes."""
    pipe = Connection(int(sys.argv[1]))
    warnings.simplefilter("ignore")
    bench = Bench(sys.argv[2], sys.argv[3])
    with contextlib.suppress(EOFError):
        while True:
            request = pipe.recv()
            try:
                answer = getattr(bench, request.pop("do"))(**request)
            except Misfit as misfit:
                answer = {"misfit": str(misfit)}
            except Exception as error:
                traceback.print_exc()
                answer = {"failure": f"{type(error).__name__}: {error}".partition("\n")[0]}
            pipe.send(answer)


if __name__ == "__main__":
    main()
