"""Rows brought into the domain of an objective, each entry or row by itself."""

import math

import numpy as np

from kmtoolkit.divergences import Cosine, Domain, LiftedDivergence
from kmtoolkit.objectives import SquaredEuclidean

__all__ = ["brought_into"]


def brought_into(objective: SquaredEuclidean, X: np.ndarray, *, centers: bool = False) -> np.ndarray:
    """Rows X (n, d), or centers, moved into the domain of an objective; what is inside stays as it is."""
    if isinstance(objective, Cosine):
        zero = (X == 0).all(axis=1, keepdims=True)
        return np.where(zero, np.eye(1, X.shape[1], dtype=X.dtype), X) if zero.any() else X
    if not isinstance(objective, LiftedDivergence):
        return X
    inside = _into_interval(objective.domain, X.astype(np.float64))
    if objective.domain.simplex and not centers:
        sums = inside.sum(axis=1, keepdims=True)
        inside = np.where(sums > 0, inside, 1.0)
        sums = inside.sum(axis=1, keepdims=True)
        inside = np.where(np.abs(sums - 1) > 1e-6, inside / sums, inside)
    return X if np.array_equal(inside, X) else inside.astype(X.dtype)


def _into_interval(domain: Domain, X: np.ndarray) -> np.ndarray:
    """Reflected at the lower end; wrapped around if there is an upper one too."""
    low, high = domain.low, domain.high
    if not math.isfinite(low):
        return X
    X = low + np.abs(X - low)
    if math.isfinite(high):
        X = np.where(high < X, low + (X - low) % (high - low), X)
    return np.where(low == X, low + 1.0, X) if domain.open else X
