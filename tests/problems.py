"""Problems made to be awkward, as hypothesis strategies: ties, duplicates, offsets, constant columns, odd weights."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def rows(draw, max_rows=24, max_columns=3, dtypes=(np.float32, np.float64)):
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
def weights(draw, n):
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
def problems(draw, **kwargs):
    """A problem (X, k, sample_weight), k up to the number of rows of positive weight."""
    X = draw(rows(**kwargs))
    w = draw(weights(len(X)))
    present = len(X) if w is None else int((w > 0).sum())
    k = draw(st.one_of(st.integers(1, min(present, 5)), st.just(present)))
    return X, k, w
