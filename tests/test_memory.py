"""Memory beside the rows: what the documentation promises."""

import tracemalloc

import numpy as np
import pytest

import kmtoolkit as km

pytestmark = [pytest.mark.compiled, pytest.mark.alone]
N = 200_000


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_em_keeps_no_responsibilities(covariance):
    """Beside the rows a mixture has some bytes a row, and sums of k d² numbers a chunk: not n k."""
    X, k = np.random.default_rng(0).normal(size=(N, 4)), 32
    fit = {"covariance": covariance, "init": "random", "rng": 0, "max_iter": 2}
    km.gaussian_mixture(X, k, **fit)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        km.gaussian_mixture(X, k, **fit)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 40 * N + 5_000_000 < 8 * N * k / 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("assign", ["dense", "hamerly", "tree"])
def test_a_fit_takes_at_most_24_bytes_a_row(assign, dtype, weighted):
    """And a little more than what the assigner says that it keeps."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 2)).astype(dtype)
    weights = rng.random(N) if weighted else None
    solver = km.Solver(assign=assign, rng=0, max_iter=10)
    kept = int(solver.fit(X, 8, sample_weight=weights).trace.memory.max())
    assert (kept > 0) == (assign != "dense")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        solver.fit(X, 8, sample_weight=weights)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 24 * N + 1.2 * kept + 500_000
