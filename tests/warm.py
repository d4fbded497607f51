"""Compile, or load, the kernels of every registered strategy: ``python warm.py float64 float32``.

It prints the signatures of each kernel that were used, as JSON. What loaded kernels call within is not among them, so
only with an empty cache these are all.
"""

import json
import logging
import sys

import numpy as np

import kmtoolkit as km
from kmtoolkit import registry
from kmtoolkit.kernels.jit import COMPILED
from kmtoolkit.testing.domains import brought_into
from kmtoolkit.testing.harness import combinations

SHAPES = [(60, 1, 4), (60, 3, 4), (700, 9, 12)]  # rows, columns and clusters: without tiles and with


def use(X, k, weights, solver):
    """Fit from seeds, and from a start that leaves a cluster empty; ask the result."""
    X = brought_into(solver._objective, X)
    far = brought_into(solver._objective, np.vstack([X[: k - 1], np.full((1, X.shape[1]), 50.0)]), centers=True)
    for start in (None, far):
        try:
            result = solver.fit(X, k, sample_weight=weights, init_centers=start)
        except km.EmptyClusterError:
            continue
        result.predict(X)
        result.predict(X[:3])
        getattr(result, "transform", np.asarray)(X)


def main(dtypes):
    """Use every strategy, with the first partners that fit it."""
    rng = np.random.default_rng(0)
    for n, d, k in SHAPES:
        X = rng.normal(size=(n, d))
        for row in registry.rows():
            if row.columns is not None and row.columns < d:
                continue
            strategy = registry.resolve(row.role, row.name)
            parts = {**combinations(strategy)[0], registry.ROLES[row.role]: strategy}
            solver = km.Solver(**parts, rng=0, max_iter=5, verify=n < 100)
            for dtype in dtypes:
                for weights in (None, 1.0 + np.arange(n) % 3):
                    use(X.astype(dtype), k, weights, solver)


if __name__ == "__main__":
    logging.basicConfig(level="WARNING")  # a cache that can't be written
    main(sys.argv[1:])
    print(json.dumps([(f"{k.__module__}.{k.__qualname__}", [str(s) for s in k.signatures]) for k in COMPILED]))
