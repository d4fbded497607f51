"""Changes of the data that must not change the answer."""

from itertools import pairwise

import numpy as np
import pytest
import reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import kmtoolkit as km
from kmtoolkit import testing
from kmtoolkit.kernels.jit import plain_python
from kmtoolkit.testing.generate import rows

SOLVER = km.Solver(empty="keep", tol=0, max_iter=10_000)


@st.composite
def decided_problems(draw):
    """A problem with integer weights and explicit centers whose decisions all have margins above rounding."""
    X = draw(rows(max_rows=16))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = rng.integers(1, 4, len(X)).astype(float)
    k = draw(st.integers(1, min(len(X), 4)))
    start = X[rng.permutation(len(X))[:k]].astype(float)
    *_, margin = reference.lloyd(X, weights, start)
    assume(margin > 1e-9)
    return X, weights, k, start, rng


def fit(X, k, weights, start):
    return SOLVER.fit(X, k, sample_weight=weights, init_centers=start)


def same_path(a, b, rel=1e-12):
    """Same n_iter, and the same objectives but for rounding."""
    assert a.n_iter == b.n_iter
    assert a.status is b.status
    noise = 1e-24 * max(np.abs(a.centers).max(), np.abs(b.centers).max()) ** 2 * len(a.labels)
    assert a.objective == pytest.approx(b.objective, rel=rel, abs=float(noise))


@settings(max_examples=150)
@given(decided_problems())
def test_integer_weights_are_repeated_rows(problem):
    X, weights, k, start, _ = problem
    counts = weights.astype(int)
    weighted = fit(X, k, weights, start)
    repeated = fit(np.repeat(X, counts, axis=0), k, None, start)
    same_path(weighted, repeated)
    assert (np.repeat(weighted.labels, counts) == repeated.labels).all()


@settings(max_examples=150)
@given(decided_problems())
def test_row_order_does_not_matter(problem):
    X, weights, k, start, rng = problem
    order = rng.permutation(len(X))
    straight, permuted = fit(X, k, weights, start), fit(X[order], k, weights[order], start)
    same_path(straight, permuted)
    assert (straight.labels[order] == permuted.labels).all()


@settings(max_examples=150)
@given(decided_problems(), st.sampled_from([1.0, -4.0, 1024.0, 2.0**20]))
def test_an_exact_translation_does_not_matter(problem, t):
    X, weights, k, start, _ = problem
    moved = X + X.dtype.type(t)
    assume((moved.astype(float) - t == X.astype(float)).all() and (start + t - t == start).all())
    here, there = fit(X, k, weights, start), fit(moved, k, weights, start + t)
    same_path(here, there, rel=1e-12 + 1e-15 * abs(t) / max(float(np.ptp(X)), 1e-9))
    assert (here.labels == there.labels).all()


@pytest.mark.parametrize(
    ("dtype", "size"), [(np.float64, 1e140), (np.float64, 1e-140), (np.float32, 1e18), (np.float32, 1e-18)]
)
@settings(max_examples=60)
@given(decided_problems())
def test_scaling_by_a_power_of_two_changes_no_bit(dtype, size, problem):
    X, weights, k, start, _ = problem
    X, start = X.astype(np.float32).astype(dtype), start.astype(np.float32).astype(float)
    measure = float(np.abs(X).max() if size > 1 else np.ptp(X)) or 1.0
    factor = 2.0 ** int(np.log2(size / measure))
    big = X * dtype(factor)
    assume((big / dtype(factor) == X).all())
    plain, scaled = fit(X, k, weights, start), fit(big, k, weights, start * factor)
    assert plain.n_iter == scaled.n_iter
    assert (plain.labels == scaled.labels).all()
    assert (plain.centers * factor == scaled.centers).all()
    assert scaled.objective / factor / factor == pytest.approx(plain.objective, rel=1e-12, abs=1e-27 * measure**2)


@pytest.mark.parametrize("init", km.available("initializer")["initializer"])
@pytest.mark.parametrize("empty", ["farthest", "split", "random", "keep", "drop"])
@settings(max_examples=4 if plain_python else 15)
@given(problem=testing.problems(), seed=st.integers(0, 2**16))
def test_rows_of_weight_zero_are_absent(init, empty, problem, seed):
    """In seeding, tol, repair and everywhere else: the same bits as without them."""
    X, k, w = problem
    w = np.ones(len(X)) if w is None else w
    far = np.vstack([X, X[:1] * 3 + X.dtype.type(1000)])
    solver = km.Solver(init, empty=empty, rng=seed, tol=1e-3)
    with_absent = solver.fit(far, k, sample_weight=np.append(w, 0.0))
    without = solver.fit(X[w > 0], k, sample_weight=w[w > 0])
    assert (with_absent.centers == without.centers).all()
    assert with_absent.trace == without.trace
    assert (with_absent.labels[:-1][w > 0] == without.labels).all()
    assert (with_absent.labels == with_absent.predict(far)).all()
    assert (with_absent.sizes == without.sizes).all()


def test_tol_means_a_share_of_the_weighted_variance():
    """The fit stops in the first iteration whose summed squared shift is at most tol times the mean variance."""
    X = km.datasets.iris().X
    w = np.random.default_rng(0).integers(1, 5, len(X)).astype(float)
    start = X[:3]
    variance = np.average((X - np.average(X, axis=0, weights=w)) ** 2, axis=0, weights=w).mean()
    centers = [start]
    solvers = [km.Solver(tol=0, max_iter=n_iter) for n_iter in range(1, 6)]
    centers += [solver.fit(X, 3, sample_weight=w, init_centers=start).centers for solver in solvers]
    shifts = [((b - a) ** 2).sum() / variance for a, b in pairwise(centers)]
    assert shifts == sorted(shifts, reverse=True)
    for n_iter, shift in enumerate(shifts, start=1):
        stopped = km.Solver(tol=shift * 1.0001).fit(X, 3, sample_weight=w, init_centers=start)
        assert (stopped.status, stopped.n_iter) == (km.Status.TOLERANCE, n_iter)
        later = km.Solver(tol=shift * 0.9999).fit(X, 3, sample_weight=w, init_centers=start)
        assert later.n_iter > n_iter
