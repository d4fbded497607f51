"""Seedings that approximate k-means++: the laws they sample from, how many rows they look at, and how good they are.

The chi-square tests have fixed seeds; a right strategy would fail each of them for one seed in 1000.
"""

from itertools import permutations, product

import numpy as np
import pytest
import reference
from posing import pose
from scipy import stats

import kmtoolkit as km
from kmtoolkit.initializers import AfkMc2, KMeansParallel, afk_mc2, kmeans_parallel

pytestmark = pytest.mark.compiled

ROWS = np.array([[0.0, 1.0], [1.0, 0.0], [3.0, 0.5], [3.5, 4.0], [9.0, 2.0]])
WEIGHTS = np.array([1.0, 4.0, 0.5, 2.0, 1.0])
ONES = np.ones(5)


def seeds(init, X, k, rng=0, weights=None):
    weights = np.ones(len(X)) if weights is None else np.asarray(weights, float)
    return init(pose(X, k, weights), np.random.default_rng(rng))


def rows_of(centers, X):
    """Which row each center is."""
    return tuple(int(np.flatnonzero((center == X).all(axis=1))[0]) for center in centers)


def follows(draw, law, draws):
    """Whether so many outcomes of draw(rng) pass a chi-square test against law, a dict of probabilities."""
    rng, outcomes = np.random.default_rng(0), dict.fromkeys(law, 0)
    for _ in range(draws):
        outcomes[draw(rng)] += 1
    likely = [outcome for outcome in law if law[outcome] * draws > 10]
    observed, expected = [outcomes[each] for each in likely], [law[each] * draws for each in likely]
    rest = draws - sum(expected)
    if rest > 1:
        observed, expected = [*observed, draws - sum(observed)], [*expected, rest]
    return stats.chisquare(observed, expected, sum_check=False).pvalue > 1e-3


def law_of_seeds(X, weights, k):
    """The law of k seeds by D² sampling."""
    law = {}
    for rows in permutations(range(len(X)), k):
        law[rows] = np.prod([reference.seed_law(X, weights, rows[:at])[row] for at, row in enumerate(rows)])
    return law


# afk-mc2


@pytest.mark.compiled
@pytest.mark.parametrize(("weights", "dtype"), [(ONES, np.float64), (WEIGHTS, np.float32)])
def test_long_chains_draw_by_squared_distance(weights, dtype):
    X, init = ROWS.astype(dtype), AfkMc2(chain_length=200)
    posed = pose(X, 3, weights)
    assert follows(lambda rng: rows_of(init(posed, rng), X), law_of_seeds(ROWS, weights, 3), 5_000)


@pytest.mark.parametrize(("weights", "length"), [(WEIGHTS, 1), (ONES, 2), (WEIGHTS, 2), (WEIGHTS, 5)])
def test_short_chains_follow_the_law_of_the_markov_chain(weights, length):
    """The second seed after m steps, from the transition matrix; a chain that finds the first seed only draws anew."""
    law = {}
    for first in range(5):
        target = reference.seed_law(ROWS, weights, [first])
        proposal = target / 2 + weights / weights.sum() / 2
        ratio = target / proposal
        moves = proposal * np.minimum(1, ratio / np.where(ratio > 0, ratio, 1e-300)[:, None])
        np.fill_diagonal(moves, 0)
        moves += np.diag(1 - moves.sum(axis=1))
        last = proposal @ np.linalg.matrix_power(moves, length - 1)
        ends = np.where(target > 0, last, 0) + last[target == 0].sum() * target
        law |= {(first, second): weights[first] / weights.sum() * ends[second] for second in range(5)}
    init, posed = AfkMc2(chain_length=length), pose(ROWS, 2, weights)
    assert follows(lambda rng: rows_of(init(posed, rng), ROWS), law, 10_000)


def test_one_pass_over_the_rows_serves_all_chains(monkeypatch):
    """Beside it, each seed looks at the rows of its chain alone."""
    looked = []
    nearest, lower_closest = afk_mc2.nearest, afk_mc2.lower_closest
    monkeypatch.setattr(afk_mc2, "nearest", lambda X, *rest: looked.append(len(X)) or nearest(X, *rest))
    monkeypatch.setattr(afk_mc2, "lower_closest", lambda X, *rest: looked.append(len(X)) or lower_closest(X, *rest))
    seeds(AfkMc2(chain_length=30), np.random.default_rng(0).normal(size=(500, 2)), 6)
    assert looked == [500, 30, 30, 30, 30, 30]


def test_a_chain_that_finds_no_new_row_is_replaced_by_one_draw():
    """Of 2000 rows all but four coincide with two seeds; those are found nevertheless, and then any row will do."""
    rare = [1.01, 1.02, 1.03, 1.04]
    X = np.array([0.0] * 998 + [1.0] * 998 + rare)[:, None]
    for seed in range(10):
        for k in (6, 9):
            assert set(seeds(AfkMc2(chain_length=2), X, k, seed)[:, 0]) == {0.0, 1.0, *rare}


@pytest.mark.parametrize("init", [AfkMc2(), KMeansParallel()])
def test_rows_that_all_coincide(init):
    assert (seeds(init, np.full((7, 2), 0.1), 5) == 0.1).all()


# kmeans-parallel


class Reclustering:
    """Stands for the k-means++ of the candidates, and keeps what it was asked."""

    def __call__(self, problem, rng):
        type(self).problem = problem
        return problem.X[: problem.k].astype(np.float64)


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.setattr(kmeans_parallel, "KMeansPlusPlus", Reclustering)
    return Reclustering


@pytest.mark.parametrize(("weights", "dtype"), [(ONES, np.float64), (WEIGHTS, np.float32)])
def test_rows_become_candidates_independently(asked, weights, dtype):
    """The law of the candidates of two rounds, each row drawn with probability min(1, l w D² / Σ w D²)."""
    X, w, rate = ROWS[:4], weights[:4], 1.5
    law = {}
    for first in range(4):
        for sets in product(product([False, True], repeat=4), repeat=2):
            probability, chosen = w[first] / w.sum(), {first}
            for taken in sets:
                chances = np.minimum(1, rate * reference.seed_law(X, w, chosen)) if len(chosen) < 4 else np.zeros(4)
                probability *= np.prod(np.where(taken, chances, 1 - chances))
                chosen |= set(np.flatnonzero(taken).tolist())
            outcome = first, frozenset(chosen)
            law[outcome] = law.get(outcome, 0) + probability
    init, posed = KMeansParallel(oversampling=rate, rounds=2), pose(X.astype(dtype), 1, w)

    def candidates(rng):
        init(posed, rng)
        rows = rows_of(asked.problem.X, X)
        return rows[0], frozenset(rows)

    assert sum(law.values()) == pytest.approx(1)
    assert follows(candidates, law, 8_000)


@pytest.mark.parametrize("copies", [1, 3])
def test_a_candidate_weighs_what_is_nearest_to_it(asked, copies):
    """Of candidates that coincide one has all the weight, and the others are left out."""
    rng = np.random.default_rng(0)
    X, weights = np.repeat(rng.normal(size=(100, 2)), copies, axis=0), rng.random(100 * copies)
    for seed in range(5):
        seeds(KMeansParallel(), X, 4, seed, weights)
        candidates, mass, k = asked.problem
        assert k == 4
        assert len(np.unique(candidates, axis=0)) == len(candidates) > 10
        assert mass == pytest.approx(np.bincount(reference.nearest(X, candidates), weights), rel=1e-12)


def test_too_few_candidates_are_made_up_by_squared_distance():
    init = KMeansParallel(oversampling=1e-12, rounds=1)
    posed = pose(ROWS, 3, WEIGHTS)
    assert follows(lambda rng: rows_of(init(posed, rng), ROWS), law_of_seeds(ROWS, WEIGHTS, 3), 5_000)


def test_five_rounds_of_twice_as_many_rows_as_seeds(monkeypatch):
    passes = []
    nearest = kmeans_parallel.nearest
    monkeypatch.setattr(kmeans_parallel, "nearest", lambda X, *rest: passes.append(len(X)) or nearest(X, *rest))
    X = np.random.default_rng(0).normal(size=(500, 2))
    default = seeds(KMeansParallel(), X, 7)
    assert passes == [500] * 6  # one for the first candidate
    assert (default == seeds(KMeansParallel(oversampling=14, rounds=5), X, 7)).all()


# both


@pytest.mark.parametrize(
    ("strategy", "arguments", "error", "message"),
    [
        (AfkMc2, {"chain_length": 0}, ValueError, "chain_length is 0; it must be at least 1"),
        (AfkMc2, {"chain_length": 2.0}, TypeError, "chain_length is 2.0 of type float; it must be an int"),
        (AfkMc2, {"chain_length": True}, TypeError, "chain_length is True of type bool; it must be an int"),
        (KMeansParallel, {"rounds": 0}, ValueError, "rounds is 0; it must be at least 1"),
        (KMeansParallel, {"rounds": "5"}, TypeError, "rounds is '5' of type str; it must be an int"),
        (KMeansParallel, {"oversampling": 0}, ValueError, "oversampling is 0; it must be positive and finite"),
        (KMeansParallel, {"oversampling": np.inf}, ValueError, "oversampling is inf; it must be positive and finite"),
        (KMeansParallel, {"oversampling": np.nan}, ValueError, "oversampling is nan; it must be positive and finite"),
        (KMeansParallel, {"oversampling": True}, TypeError, "oversampling is True of type bool; it must be a real"),
        (KMeansParallel, {"oversampling": "2k"}, TypeError, "oversampling is '2k' of type str; it must be a real"),
    ],
)
def test_parameters_are_checked(strategy, arguments, error, message):
    with pytest.raises(error, match=message):
        strategy(**arguments)


@pytest.mark.compiled
def test_seeds_are_about_as_good_as_those_of_kmeans_plus_plus():
    """Mean objective of 40 starts on clusters well apart: candidates reach the greedy form, chains the original one."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(20, 4))[rng.integers(20, size=1500)] * 10 + rng.normal(size=(1500, 4))

    def start(init):
        return np.mean([km.kmeans(X, 20, init=init, rng=seed, max_iter=0).objective for seed in range(40)])

    greedy, original = start("k-means++"), start(km.initializers.KMeansPlusPlus(trials=1))
    assert start("kmeans-parallel") < 1.02 * greedy
    assert start("afk-mc2") < 1.1 * original
    assert start(AfkMc2(chain_length=1)) > 1.5 * original
    assert start("random") > 3 * max(greedy, original)
