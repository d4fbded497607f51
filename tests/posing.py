"""Problems as strategies see them, made without the door: rows of weight 0 stay."""

import numpy as np

import kmtoolkit as km
from kmtoolkit.problem import read_only


def pose(X, k, weights=None):
    """A problem of read-only rows, for which kernels are compiled already."""
    X = np.ascontiguousarray(X)
    weights = np.ones(len(X)) if weights is None else np.asarray(weights, float)
    return km.Problem(read_only(X), read_only(weights), k)
