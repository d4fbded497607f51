"""Awkward problems and cases without end, as hypothesis strategies; they shrink to few rows of small integers."""

import numpy as np
from hypothesis import strategies as st

from kmtoolkit.testing.awkward import Case

__all__ = ["cases", "problems", "rows", "weights"]


@st.composite
def rows(draw, max_rows=24, max_columns=3, dtypes=(np.float32, np.float64)):  # type: ignore[no-untyped-def]
    """An array (n, d): an integer grid, duplicates, or reals, maybe far from 0 and with a constant column."""
    n, d = draw(st.integers(1, max_rows)), draw(st.integers(1, max_columns))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    kind = draw(st.sampled_from(["grid", "duplicates", "normal", "blobs", "lognormal"]))
    X = {
        "grid": lambda: rng.integers(-2, 3, (n, d)).astype(float),
        "duplicates": lambda: rng.normal(size=(max(n // 4, 1), d))[rng.integers(max(n // 4, 1), size=n)],
        "normal": lambda: rng.normal(size=(n, d)),
        "blobs": lambda: rng.integers(0, 4, (n, 1)) * 50.0 + rng.normal(size=(n, d)) * 0.01,
        "lognormal": lambda: rng.lognormal(0, 6, (n, d)),
    }[kind]()
    if draw(st.booleans()):
        X[:, draw(st.integers(0, d - 1))] = draw(st.sampled_from([0.0, 0.1, 7.0]))
    X += draw(st.sampled_from([0.0, 0.0, 1.0, 1e6]))
    return X.astype(draw(st.sampled_from(dtypes)))


@st.composite
def weights(draw, n):  # type: ignore[no-untyped-def]
    """None, or weights (n,) of which at least one is positive: ones, integers with zeros, reals of many sizes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["none", "integers", "reals", "sizes"]))
    if kind == "none":
        return None
    w = {
        "integers": lambda: rng.integers(0, 4, n).astype(float),
        "reals": lambda: rng.random(n),
        "sizes": lambda: 10.0 ** rng.integers(-16, 4, n),
    }[kind]()
    w[rng.integers(n)] = 1.0
    return w


@st.composite
def problems(draw, **kwargs):  # type: ignore[no-untyped-def]
    """A problem (X, k, sample_weight), k up to the number of rows of positive weight."""
    X = draw(rows(**kwargs))
    w = draw(weights(len(X)))
    present = len(X) if w is None else int((w > 0).sum())
    k = draw(st.one_of(st.integers(1, min(present, 5)), st.just(present)))
    return X, k, w


@st.composite
def grids(draw):  # type: ignore[no-untyped-def]
    """A case (X, k, sample_weight) of small integers, each drawn by itself, so that it shrinks entry by entry."""
    n, d = draw(st.integers(1, 8)), draw(st.integers(1, 2))
    numbers = draw(st.lists(st.integers(-4, 4), min_size=n * d, max_size=n * d))
    w = draw(st.one_of(st.none(), st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any)))
    w = None if w is None else np.array(w, dtype=np.float64)
    k = draw(st.integers(1, min(4, n if w is None else int((w > 0).sum()))))
    return np.array(numbers, dtype=np.float64).reshape(n, d), k, w


@st.composite
def starts(draw, X, k):  # type: ignore[no-untyped-def]
    """None, or centers (k, d): small integers, or rows of which some are moved far away, so that clusters are empty."""
    kind = draw(st.sampled_from(["none", "integers", "far"]))
    if kind == "none":
        return None
    if kind == "integers":
        numbers = draw(st.lists(st.integers(-4, 4), min_size=k * X.shape[1], max_size=k * X.shape[1]))
        return np.array(numbers, dtype=np.float64).reshape(k, -1)
    centers = X[np.arange(k) % len(X)].astype(np.float64)
    centers[draw(st.integers(0, k)) :] += 4 * (1 + float(np.abs(X).max()))
    return centers


@st.composite
def cases(draw):  # type: ignore[no-untyped-def]
    """A :class:`~kmtoolkit.testing.Case`: a grid of small integers, or an awkward problem, with or without a start."""
    X, k, w = draw(st.one_of(grids(), problems(max_rows=16)))
    return Case(X, k, w, draw(starts(X, k)), draw(st.integers(0, 255)))
