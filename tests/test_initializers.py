"""Seeding: sampling laws, distinct rows, and what each strategy is for."""

import numpy as np
import pytest
from scipy import stats

import kmtoolkit as km
from kmtoolkit.registry import resolve
from kmtoolkit.sampling import draw

NAMES = km.available("initializer")["initializer"]
LINE = np.array([[0.0], [1.0], [3.0], [3.0], [7.0], [7.5]])
WEIGHTS = np.array([1.0, 4.0, 0.5, 2.0, 1.0, 3.0])


def problem(X, k, weights=None):
    return km.Problem(np.asarray(X), np.ones(len(X)) if weights is None else np.asarray(weights, float), k)


def seeds(name, X, k, rng, weights=None):
    return resolve("initializer", name)(problem(X, k, weights), rng)


def second_seed_law(X, weights):
    """Probability of each (first, second) pair of rows: w first, then w times squared distance."""
    first = weights / weights.sum()
    law = np.zeros((len(X), len(X)))
    for i in range(len(X)):
        scores = weights * ((X - X[i]) ** 2).sum(1)
        law[i] = first[i] * scores / scores.sum()
    return law


@pytest.mark.compiled
@pytest.mark.parametrize("weights", [np.ones(6), WEIGHTS], ids=["unit", "weighted"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kmeans_plus_plus_draws_by_squared_distance(weights, dtype):
    """Chi-square of 5000 draws of (first, second) against the D² law; rows are told apart by a second column."""
    X = np.column_stack([LINE, np.arange(6) * 1e-3]).astype(dtype)
    law = second_seed_law(X.astype(float), weights)
    init, rng, counts = km.initializers.KMeansPlusPlus(trials=1), np.random.default_rng(0), np.zeros((6, 6))
    posed = problem(X, 2, weights)
    for _ in range(5000):
        a, b = init(posed, rng)
        counts[round(a[1] * 1e3), round(b[1] * 1e3)] += 1
    assert counts[law == 0].sum() == 0
    possible = law > 20 / 5000
    observed = np.append(counts[possible], counts[~possible].sum())
    expected = np.append(law[possible], law[~possible].sum()) * 5000
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_the_greedy_form_keeps_the_candidate_with_the_least_potential():
    """With many trials every candidate is seen, so the second seed is the best row for the first."""
    X = np.random.default_rng(1).normal(size=(30, 2))
    greedy = km.initializers.KMeansPlusPlus(trials=400)
    for seed in range(5):
        a, b = greedy(problem(X, 2), np.random.default_rng(seed))
        closest = ((X - a) ** 2).sum(1)
        potentials = [np.minimum(closest, ((X - x) ** 2).sum(1)).sum() for x in X]
        assert (b == X[np.argmin(potentials)]).all()


def test_the_greedy_form_weighs_the_rows():
    X = np.random.default_rng(1).normal(size=(30, 2))
    weights = 10.0 ** np.random.default_rng(2).integers(-2, 3, 30)
    greedy = km.initializers.KMeansPlusPlus(trials=2000)
    for seed in range(5):
        a, b = greedy(problem(X, 2, weights), np.random.default_rng(seed))
        closest = ((X - a) ** 2).sum(1)
        potentials = [weights @ np.minimum(closest, ((X - x) ** 2).sum(1)) for x in X]
        likely = weights * closest > 1e-2 * (weights * closest).sum()
        best = np.flatnonzero(likely)[np.argmin(np.array(potentials)[likely])]
        assert weights @ np.minimum(closest, ((X - b) ** 2).sum(1)) <= potentials[best]


@pytest.mark.compiled
def test_more_trials_give_a_lower_potential():
    X = np.random.default_rng(2).normal(size=(300, 2))

    def mean_objective(trials):
        init = km.initializers.KMeansPlusPlus(trials=trials)
        return np.mean([km.kmeans(X, 12, init=init, rng=s, max_iter=0).objective for s in range(60)])

    assert mean_objective(None) < 0.95 * mean_objective(1)
    assert (
        km.kmeans(X, 12, init="k-means++", rng=3).runs[0].start
        == km.kmeans(X, 12, init=km.initializers.KMeansPlusPlus(trials=4), rng=3).runs[0].start
    ).all()  # 2 + floor(ln 12)


@pytest.mark.parametrize("trials", [0, -1])
def test_trials_must_be_positive(trials):
    with pytest.raises(ValueError, match=f"trials is {trials}; it must be at least 1"):
        km.initializers.KMeansPlusPlus(trials=trials)


@pytest.mark.parametrize("trials", [1.0, True, "2"])
def test_trials_must_be_an_int(trials):
    with pytest.raises(TypeError, match="trials is .* it must be an int or None"):
        km.initializers.KMeansPlusPlus(trials=trials)


def test_draw_never_takes_a_score_of_zero():
    scores = np.array([0.0, 1e-300, 0.0, 1.0, 0.0, 1e300, 0.0])
    taken = draw(scores, 5_000, np.random.default_rng(0))
    assert set(taken) <= {1, 3, 5}

    class Edge:
        """The extremes a Generator can return."""

        def random(self, size):
            return np.array([0.0, np.nextafter(1.0, 0.0)])

    assert draw(np.array([0.0, 1.0, 2.0, 0.0]), 2, Edge()).tolist() == [1, 2]


@pytest.mark.parametrize("name", ["random", "k-means++", "maxmin", "afk-mc2", "kmeans-parallel"])
def test_seeds_are_different_rows(name):
    """As rows, even when their values coincide: k = n takes every row once."""
    X = np.array([[0.0, 0], [0, 0], [1, 1], [1, 1], [1, 1], [5, 5]])
    for seed in range(20):
        centers = seeds(name, X, 6, np.random.default_rng(seed))
        assert (np.sort(centers, axis=0) == X).all()


def test_random_draws_in_proportion_to_weight():
    rng, counts = np.random.default_rng(0), np.zeros(6)
    X = np.arange(6.0)[:, None]
    for _ in range(12_000):
        counts[int(seeds("random", X, 1, rng, WEIGHTS)[0, 0])] += 1
    assert stats.chisquare(counts, WEIGHTS / WEIGHTS.sum() * 12_000).pvalue > 1e-3


def test_maxmin_takes_the_farthest_row_each_time():
    X = np.array([[0.0], [1.0], [10.0], [4.0], [10.0]])
    for seed in range(10):
        centers = seeds("maxmin", X, 3, np.random.default_rng(seed))[:, 0]
        closest = np.abs(X[:, 0] - centers[0])
        assert centers[1] == X[closest.argmax(), 0]
        closest = np.minimum(closest, np.abs(X[:, 0] - centers[1]))
        assert centers[2] == X[closest.argmax(), 0]


def test_uniform_fills_the_bounding_box():
    X = np.array([[-1.0, 10.0], [1.0, 30.0], [0.0, 20.0]])
    centers = np.vstack([seeds("uniform", X, 3, np.random.default_rng(s)) for s in range(400)])
    for f, (low, high) in enumerate([(-1, 1), (10, 30)]):
        assert stats.kstest(centers[:, f], stats.uniform(low, high - low).cdf).pvalue > 1e-3


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_random_partition_takes_means_of_non_empty_parts(offset):
    X = np.random.default_rng(0).normal(size=(50, 2)) + offset
    w = np.random.default_rng(1).random(50)
    for seed in range(20):
        centers = seeds("random-partition", X, 7, np.random.default_rng(seed), w)
        assert np.isfinite(centers).all()
        assert (np.abs(centers - X.mean(0)) < 3).all()
    whole = seeds("random-partition", X, 1, np.random.default_rng(0), w)[0]
    assert whole == pytest.approx(np.average(X - offset, axis=0, weights=w) + offset, rel=1e-14)
    each = seeds("random-partition", X, 50, np.random.default_rng(0), w)
    assert np.sort(each, axis=0) == pytest.approx(np.sort(X, axis=0), rel=1e-14)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [1, 3, 30])
def test_deterministic_given_rng(name, k):
    X = np.random.default_rng(0).normal(size=(30, 2))
    a, b = (seeds(name, X, k, np.random.default_rng(5)) for _ in range(2))
    assert a.shape == (k, 2)
    assert (a == b).all()
    if k == 3 and name != "pca-part":
        assert not np.array_equal(a, seeds(name, X, k, np.random.default_rng(6)))


def test_explicit_centers_are_copied():
    start = np.array([[0.0], [7.0]])
    solver = km.Solver(init=start)
    start[:] = 99
    assert (solver.fit(LINE, 2).runs[0].start == [[0.0], [7.0]]).all()


def test_explicit_starts_run_once():
    assert len(km.Solver(n_init=5, rng=0).fit(LINE, 2, init_centers=[[0.0], [7.0]]).runs) == 1
    assert len(km.Solver(n_init=5, rng=0).fit(LINE, 2).runs) == 5


def test_a_result_is_a_warm_start():
    first = km.Solver(rng=0, tol=0).fit(LINE, 2)
    again = km.Solver(tol=0).fit(LINE, 2, init_centers=first)
    assert (again.n_iter, again.objective) == (1, first.objective)
    assert (again.runs[0].start == first.centers).all()
    assert (km.Solver(init=first, tol=0).fit(LINE, 2).labels == first.labels).all()
