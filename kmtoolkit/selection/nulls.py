"""Data without clusters, of the extent and covariance of given rows: what criteria must beat.

Two kinds, because neither is above the other on all criteria: uniform in the box about the principal axes (Tibshirani,
Walther and Hastie, J. R. Statist. Soc. B 63, 2001, section 3), and normal with the same covariance.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kmtoolkit.selection.path import Path, child, fit_path, for_other_rows

__all__ = ["null_paths"]

KINDS = ("uniform", "normal")


def null_paths(path: Path, rows: int, draws: int) -> Iterator[Path]:
    """Paths of ``draws`` data sets of each kind, of so many rows or as many as there are, for the same ks."""
    solver = for_other_rows(path.solver)
    children = child(path.seed, 0).spawn(1 + 2 * draws)
    rng = np.random.default_rng(children[0])
    n = min(rows, len(path.X))
    even = path.weights.min() == path.weights.max()
    if not even:
        taken = path.X[rng.choice(len(path.X), n, p=path.weights / path.mass)]
    elif n < len(path.X):
        taken = path.X[rng.choice(len(path.X), n, replace=False)]
    else:
        taken = path.X
    mean, axes, low, high, spread = _shape(taken.astype(np.float64))
    ks = tuple(k for k in path.ks if k <= n)
    for draw, seed in enumerate(children[1:]):
        rng = np.random.default_rng(seed)
        kind = KINDS[draw % len(KINDS)]
        shape = (n, len(low))
        scores = rng.uniform(low, high, shape) if kind == "uniform" else rng.normal(0.0, spread, shape)
        X = np.ascontiguousarray((mean + scores @ axes).astype(path.X.dtype))
        yield replace(fit_path(X, np.ones(n), ks, solver, seed), null=kind)


def _shape(X: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mean (d,), principal axes (r, d), and along these the range (r,) (r,) and standard deviation (r,) of rows."""
    mean = X.mean(axis=0)
    _, sizes, axes = np.linalg.svd(X - mean, full_matrices=False)
    scores = (X - mean) @ axes.T
    return mean, axes, scores.min(axis=0), scores.max(axis=0), sizes / np.sqrt(len(X))
