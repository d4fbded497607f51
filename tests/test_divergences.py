"""Medians, angles and Bregman divergences: optima by brute force, limits, and domains."""

import itertools
import pickle

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import kmtoolkit as km
from kmtoolkit import testing
from kmtoolkit.divergences import Domain, LiftedDivergence
from kmtoolkit.families import OBJECTIVES
from kmtoolkit.kernels.lift import lift
from kmtoolkit.pointwise import PointwiseAssigner
from kmtoolkit.registry import Row, Strategy, rows
from kmtoolkit.testing.domains import brought_into

IRIS = km.datasets.iris().X
BREGMAN = ["generalized-i", "kl", "itakura-saito", "logistic", "mahalanobis"]
FIT = {
    "manhattan": km.kmedians,
    "cosine": km.spherical_kmeans,
    **{name: lambda X, k, name=name, **o: km.bregman_kmeans(X, k, divergence=name, **o) for name in BREGMAN},
}


def inside(name, X):
    return brought_into(OBJECTIVES[name], np.asarray(X))


# what is minimized


@pytest.mark.parametrize("name", FIT)
def test_objective_labels_and_transform_are_those_of_the_formula(name):
    X = inside(name, IRIS)
    weights = np.arange(len(X)) % 3.0
    result = FIT[name](X, 4, rng=0, sample_weight=weights, verify=True)
    d = reference.divergences(name, X, result.centers)
    assert result.trace.is_monotone
    assert result.trace.certified
    assert (result.labels == d.argmin(axis=1)).all()
    assert result.objective == pytest.approx(weights @ d.min(axis=1), rel=1e-10)
    assert result.transform(X) == pytest.approx(d, rel=1e-9, abs=1e-14)
    assert (result.predict(X.astype(np.float32)) == d.argmin(axis=1)).mean() > 0.99


def best_partition(X, weights, k, cost):
    """The least Σ of costs of clusters over all partitions into at most k."""
    best = np.inf
    for labels in itertools.product(range(k), repeat=len(X) - 1):
        labels = np.array((0, *labels))
        best = min(best, sum(cost(X[labels == j], weights[labels == j]) for j in np.unique(labels)))
    return best


def l1_cost(rows, weights):
    """The least weighted L1 cost of one center, over all values that rows have, column by column."""
    return sum(min(weights @ np.abs(column - c) for c in column) for column in rows.T)


def angle_cost(rows, weights):
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return weights.sum() - np.linalg.norm(weights @ unit)


def bregman_cost(name):
    def cost(rows, weights):
        mean = np.average(rows, axis=0, weights=weights)
        return float(weights @ reference.divergences(name, rows, mean[None])[:, 0])

    return cost


@pytest.mark.parametrize(
    ("name", "cost"),
    [("manhattan", l1_cost), ("cosine", angle_cost), *((name, bregman_cost(name)) for name in BREGMAN)],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("seed", range(3))
def test_restarts_find_the_optimum_of_all_partitions(name, cost, seed):
    rng = np.random.default_rng(seed)
    X = inside(name, rng.integers(1, 9, (7, 2)).astype(float) / 2)
    weights = rng.integers(1, 4, 7).astype(float)
    result = FIT[name](X, 2, sample_weight=weights, n_init=30, rng=seed, init="random", tol=0)
    assert result.objective == pytest.approx(best_partition(X, weights, 2, cost), rel=1e-9, abs=1e-12)


@settings(max_examples=40)
@given(problem=testing.problems(max_rows=12, max_columns=2), seed=st.integers(0, 99))
def test_medians_are_optimal_in_every_coordinate(problem, seed):
    X, k, w = problem
    result = km.kmedians(X, k, sample_weight=w, rng=seed, tol=0, verify=True, max_iter=20)
    weights = np.ones(len(X)) if w is None else w
    for j in np.flatnonzero(result.sizes):
        mine = (result.labels == j) & (weights > 0)
        for column, center in zip(X[mine].astype(float).T, result.centers[j], strict=True):
            own = weights[mine] @ np.abs(column - center)
            size = weights[mine] @ (np.abs(column) + np.abs(column).max())
            if result.exact_fixed_point:
                assert own <= min(weights[mine] @ np.abs(column - c) for c in column) + 1e-14 * size


# limits between families


def square(x, c):
    return (x - c) * (x - c)


SQUARE = LiftedDivergence("test-square", lift(square), Domain(), bregman=True)
BY_SQUARE = Strategy(
    Row(name="test-square", role="assigner", objective="test-square", exact=True), PointwiseAssigner(square, SQUARE)
)


@settings(max_examples=30)
@given(problem=testing.problems())
def test_bregman_with_the_square_is_k_means(problem):
    X, k, w = problem
    start = X[np.arange(k) % len(X)].astype(float)
    options = {"tol": 0, "empty": "keep", "max_iter": 20}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OBJECTIVES, "test-square", SQUARE)
        ours = km.Solver(assign=BY_SQUARE, **options).fit(X, k, sample_weight=w, init_centers=start)
    k_means = km.kmeans(X, k, sample_weight=w, init_centers=start, **options)
    assert (ours.labels == k_means.labels).all()
    assert (ours.centers == k_means.centers).all()
    assert ours.objective == k_means.objective


def test_mahalanobis_is_k_means_of_whitened_rows():
    precision = np.linalg.inv(np.cov(IRIS.T))
    factor = np.linalg.cholesky(precision)
    start = IRIS[[0, 60, 120]]
    ours = km.bregman_kmeans(IRIS, 3, divergence=km.assigners.Mahalanobis(precision), init_centers=start, tol=0)
    white = km.kmeans(IRIS @ factor, 3, init_centers=start @ factor, tol=0)
    assert (ours.labels == white.labels).all()
    assert ours.objective == pytest.approx(white.objective, rel=1e-12)
    assert ours.centers @ factor == pytest.approx(white.centers, rel=1e-9)
    assert (pickle.loads(pickle.dumps(ours)).predict(IRIS) == ours.labels).all()


def test_spherical_k_means_is_k_means_of_directions_for_small_angles():
    """Where all angles are small, directions lie on a plane."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.full(300, 1e4), rng.normal(size=(300, 2)) + 5 * rng.integers(0, 2, (300, 1))])
    start = X[:4]
    angles = km.spherical_kmeans(X, 4, init_centers=start, tol=0)
    plane = km.kmeans(X, 4, init_centers=start, tol=0)
    assert (angles.labels == plane.labels).all()
    assert angles.objective * 2e8 == pytest.approx(plane.objective, rel=1e-4)


def test_kl_is_generalized_i_for_rows_that_add_up_to_one():
    X = IRIS / IRIS.sum(axis=1, keepdims=True)
    kl, i = (km.bregman_kmeans(X, 3, divergence=name, rng=0) for name in ("kl", "generalized-i"))
    assert (kl.labels == i.labels).all()
    assert kl.objective == i.objective


def test_itakura_saito_does_not_depend_on_scale():
    first, second = (km.bregman_kmeans(X, 3, divergence="itakura-saito", rng=0) for X in (IRIS, IRIS * 1024))
    assert (first.labels == second.labels).all()
    assert first.objective == pytest.approx(second.objective, rel=1e-12)


# seeds


@pytest.mark.parametrize("name", ["manhattan", "generalized-i", "itakura-saito"])
def test_seeds_are_drawn_in_proportion_to_the_divergence(name):
    X, tries = np.array([[1.0], [2.0], [3.0], [9.0]]), 400
    law = np.zeros(4)
    for first in range(4):
        scores = reference.divergences(name, X, X[[first]])[:, 0]
        law += scores / scores.sum() / 4
    seeding = km.initializers.KMeansPlusPlus(trials=1)
    fits = (km.Solver(seeding, name, "medoid", max_iter=0, rng=seed).fit(X, 2) for seed in range(tries))
    starts = [fit.runs[0].start for fit in fits]
    second = np.array([np.flatnonzero(X[:, 0] == start[1, 0])[0] for start in starts])
    counts = np.bincount(second, minlength=4)
    assert ((counts - tries * law) ** 2 / (tries * law)).sum() < 25  # χ² of 3 degrees of freedom


# domains


@pytest.mark.parametrize(
    ("name", "X", "message"),
    [
        ("generalized-i", [[1, 2], [3, -4]], r"X has -4.0 at row 1, column 1; entries must be at least 0 for 'general"),
        ("itakura-saito", [[1, 0], [3, 4]], r"X has 0.0 at row 0, column 1; entries must be above 0 for 'itakura-"),
        ("logistic", [[0, 1], [0.5, 1.5]], r"X has 1.5 at row 1, column 1; entries must be from 0 to 1 for 'logistic'"),
        ("kl", [[0.5, 0.5], [0.5, 0.6]], r"X has a row of sum 1.1, row 1; rows must add up to 1 for 'kl': divide them"),
        ("cosine", [[1, 2], [0, 0]], r"X has a row of zeros, row 1; it has no direction for 'cosine': drop such rows"),
    ],
)
def test_entries_outside_the_domain_are_named(name, X, message):
    with pytest.raises(ValueError, match=message):
        FIT[name](X, 1)
    good = inside(name, np.array(X, float))
    result = FIT[name](good, 1)
    for method in (result.predict, result.transform):
        with pytest.raises(ValueError, match=message):
            method(X)


@pytest.mark.parametrize(
    ("name", "start", "message"),
    [
        ("generalized-i", [[-1.0, 1.0]], "init_centers has -1.0 at row 0, column 0; entries must be at least 0"),
        ("logistic", [[0.5, 2.0]], "init_centers has 2.0 at row 0, column 1; entries must be from 0 to 1"),
        ("cosine", [[0.0, 0.0]], "init_centers has a row of zeros, row 0"),
    ],
)
def test_starts_outside_the_domain_are_named(name, start, message):
    with pytest.raises(ValueError, match=message):
        FIT[name](np.full((3, 2), 0.5), 1, init_centers=start)


@pytest.mark.parametrize("name", ["generalized-i", "logistic", "kl"])
def test_centers_stay_inside_the_domain_and_f_stays_finite(name):
    """Clusters of equal rows on the border have their means there, and other rows are infinitely far from these."""
    X = np.repeat([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 3, axis=0)
    result = FIT[name](X, 2, init_centers=[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], tol=0, verify=True)
    assert (result.centers > 0).all()
    assert np.isfinite(result.transform(X)).all()
    assert np.isfinite(result.trace.objective).all()


def test_a_column_of_zeros_is_no_obstacle():
    X = np.column_stack([np.arange(6.0), np.zeros(6)])
    result = km.bregman_kmeans(X, 2, divergence="generalized-i", rng=0, verify=True)
    assert result.objective == pytest.approx(
        km.bregman_kmeans(X[:, :1], 2, divergence="generalized-i", rng=0).objective
    )


@pytest.mark.parametrize(
    ("precision", "message"),
    [
        ([[1.0, 0.0]], r"precision has shape \(1, 2\); it must be \(d, d\)"),
        ([[1.0, 2.0], [0.0, 1.0]], r"precision is not symmetric: 2.0 at \(0, 1\), 0.0 at \(1, 0\)"),
        ([[1.0, 2.0], [2.0, 1.0]], "precision has the eigenvalue -1; it must be positive definite"),
        ([[np.nan, 0.0], [0.0, 1.0]], "precision has entries that are not finite"),
    ],
)
def test_bad_precision_is_named(precision, message):
    with pytest.raises(ValueError, match=message):
        km.assigners.Mahalanobis(precision)


def test_precision_of_another_number_of_columns():
    with pytest.raises(ValueError, match=r"precision has shape \(2, 2\), but X has 4 columns; it must be \(4, 4\)"):
        km.bregman_kmeans(IRIS, 3, divergence=km.assigners.Mahalanobis(np.eye(2)))


# pairs


@pytest.mark.parametrize(
    ("assign", "update", "message"),
    [
        ("manhattan", "mean", "updaters that fit 'manhattan': 'fasterpam', 'median', 'medoid'"),
        ("cosine", "mean", "updaters that fit 'cosine': 'fasterpam', 'medoid', 'spherical-mean'"),
        ("auto", "median", "assigners that fit 'median': 'manhattan'"),
        ("kl", "median", "descends kl, but updater 'median' descends manhattan: the objective could rise"),
        ("kl", "spherical-mean", "assigners that fit 'spherical-mean': 'cosine'"),
    ],
)
def test_wrong_pairs_are_refused_with_partners_that_fit(assign, update, message):
    with pytest.raises(ValueError, match=message):
        km.Solver(assign=assign, update=update)


@pytest.mark.parametrize(
    ("divergence", "message"),
    [
        (
            "manhattan",
            "divergence is 'manhattan', whose best centers are not means; choose one of 'squared-euclidean', ",
        ),
        ("itakura", "unknown objective 'itakura'; did you mean 'itakura-saito'?"),
    ],
)
def test_divergences_that_are_none_of_bregmans(divergence, message):
    with pytest.raises(ValueError, match=message):
        km.bregman_kmeans(IRIS, 3, divergence=divergence)


def test_every_hard_objective_is_tried_here():
    own = (row for row in rows("assigner") if not row.soft and not row.name.startswith("test-"))
    assert {name for row in own for name in row.objectives} == {"squared-euclidean", "euclidean", *FIT}


def test_a_warm_start_goes_on_from_the_result():
    for name, fit in FIT.items():
        X = inside(name, IRIS)
        first = fit(X, 3, rng=0, tol=0)
        again = fit(X, 3, init_centers=first, tol=0)
        assert again.n_iter == 1, name
        assert again.objective == first.objective, name
