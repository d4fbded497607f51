"""Compile, or load, the kernels of every registered strategy for rows of one dtype: ``python warm.py float64``."""

import sys

import numpy as np

import kmtoolkit as km
from kmtoolkit import registry
from kmtoolkit.testing.harness import combinations


def main():
    """Fit with every strategy once: few columns and many, with and without empty clusters."""
    rng = np.random.default_rng(0)
    shapes = [(60, 2, 4), (300, 17, 20)]
    for row in registry.rows():
        strategy = registry.resolve(row.role, row.name)
        for n, d, k in shapes:
            X = rng.normal(size=(n, min(d, row.columns or d))).astype(sys.argv[1])
            start = X[:k].astype(np.float64)
            start[-1] += 100.0
            arguments = {**combinations(strategy)[0], registry.ROLES[row.role]: strategy}
            given = {} if row.role == "initializer" else {"init_centers": start}
            try:
                result = km.Solver(**arguments, rng=0, max_iter=3).fit(X, k, **given)
            except km.EmptyClusterError:
                continue
            result.predict(X)
            result.transform(X)


if __name__ == "__main__":
    main()
