"""The passes of greedy k-means++: what they skip and how they measure must not show in the seeds."""

import numpy as np
import pytest

import kmtoolkit as km
from kmtoolkit.initializers import kmeans_plus_plus as module
from kmtoolkit.problem import admit


def seeds(X, k, rng, weights=None, trials=None):
    return km.initializers.KMeansPlusPlus(trials)(admit(X, k, weights).problem, np.random.default_rng(rng))


def clusters(n, d, dtype=float):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, d)) + 20 * rng.normal(size=(30, d))[rng.integers(30, size=n)]).astype(dtype)


@pytest.mark.compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("d", [1, 3, 5, 17])
def test_rows_that_are_passed_over_change_nothing(d, weighted, dtype, monkeypatch):
    X = clusters(3001, d, dtype)
    weights = np.random.default_rng(1).random(len(X)) if weighted else None
    passed, add_up = [], module.add_up

    def counted(*args):
        add_up(*args)
        passed.append(args[-1].sum())

    monkeypatch.setattr(module, "add_up", counted)
    monkeypatch.setattr(module, "FEW_COLUMNS", 10**6)
    without = seeds(X, 60, 0, weights)
    assert sum(passed) == 0
    monkeypatch.setattr(module, "FEW_COLUMNS", 0)
    monkeypatch.setattr(module, "LOOK_AGAIN", 1)
    np.testing.assert_array_equal(seeds(X, 60, 0, weights), without)
    assert sum(passed) > 20 * len(X)


@pytest.mark.compiled
@pytest.mark.parametrize("trials", [1, 4])
def test_float32_rows_get_the_seeds_of_the_same_rows_in_float64(trials):
    X = clusters(2000, 6, np.float32)
    np.testing.assert_array_equal(seeds(X, 40, 0, trials=trials), seeds(X.astype(float), 40, 0, trials=trials))


@pytest.mark.compiled
@pytest.mark.parametrize("d", [2, 6])
def test_float64_takes_over_where_squares_leave_the_range_of_float32(d, monkeypatch):
    """One row far out, and the others so near to one another that their scaled squares are 0 in float32."""
    X = np.concatenate([[[3e30] * d], np.random.default_rng(0).normal(size=(50, d))]).astype(np.float32)
    again, calls = module._Rounds.again_in_double, []
    monkeypatch.setattr(module._Rounds, "again_in_double", lambda self, *args: (calls.append(1), again(self, *args))[1])
    for trials in (1, 3):
        found = seeds(X, 51, 0, trials=trials)
        assert len(np.unique(found, axis=0)) == 51
        np.testing.assert_array_equal(found, seeds(X.astype(float), 51, 0, trials=trials))
    assert len(calls) == 2


@pytest.mark.parametrize("several", [1, 2, 3, 4, 5, 8, 9])
def test_the_potentials_are_those_of_a_naive_sum(several):
    rng = np.random.default_rng(0)
    for d in (2, 9):
        X, weights = rng.normal(size=(1300, d)), rng.random(1300)
        problem = admit(X, 8, weights).problem
        rounds, chosen = module._Rounds(problem), np.array([5, 900, 17])
        candidates = np.array([3, 3, 700, 1299, 44, 9, 8, 7, 6])[:several]
        for many in (1, 2):
            rounds.run(chosen[:many])
        sums = rounds.run(chosen, candidates)
        closest = ((X[:, np.newaxis] - X[chosen]) ** 2).sum(-1).min(1)
        nearer = [np.minimum(closest, ((X - X[c]) ** 2).sum(1)) for c in (5, *candidates)]
        np.testing.assert_allclose(sums.sum(axis=0), [weights @ D for D in nearer], rtol=1e-12)
        blocks = np.arange(0, 1300, module.BLOCK)
        np.testing.assert_allclose(sums[:, -1], np.add.reduceat(weights * nearer[-1], blocks), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n", "d"), [(1, 8), (6, 9), (15, 28), (512, 28), (600, 129)])
def test_the_last_rows_count_as_all_do(n, d, dtype):
    """They can't be loaded in whole vectors, and are measured one by one."""
    X = np.random.default_rng(n).normal(size=(n, d)).astype(dtype)
    rounds = module._Rounds(admit(X, 1).problem)
    sums = rounds.run(np.array([0]), np.array([n // 2, n - 1])).sum(axis=0) / rounds.scale**2
    D = [((X.astype(float) - X[c]) ** 2).sum(1) for c in (0, n // 2, n - 1)]
    naive = [D[0].sum(), np.minimum(D[0], D[1]).sum(), np.minimum(D[0], D[2]).sum()]
    np.testing.assert_allclose(sums, naive, rtol=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.compiled
def test_rows_are_drawn_in_proportion_within_and_across_blocks():
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(1300, 2)), rng.random(1300)
    rounds = module._Rounds(admit(X, 8, weights).problem)
    potentials = rounds.run(np.array([5]))[:, 0]
    uniforms = (np.arange(20_000) + 0.5) / 20_000
    rows = rounds.draw(5, potentials, uniforms)
    share = weights * ((X - X[5]) ** 2).sum(1)
    expected = 20_000 * share / share.sum()
    assert np.abs(np.bincount(rows, minlength=1300) - expected).max() <= 1 + 1e-6
    assert (np.diff(rows) >= 0).all()
