"""k-medoids: optima under swaps and by brute force, given dissimilarities, and what is refused."""

import itertools
import pickle

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import kmtoolkit as km
from kmtoolkit import testing
from kmtoolkit.errors import DescentError, StrategyError

IRIS = km.datasets.iris().X
SMALL = np.random.default_rng(0).normal(size=(12, 2)).round(2)


def loss(D, weights, medoids):
    return float(weights @ D[:, medoids].min(axis=1))


def assert_no_swap_helps(D, weights, medoids):
    own = loss(D, weights, medoids)
    for j, candidate in itertools.product(range(len(medoids)), range(len(D))):
        swapped = medoids.copy()
        swapped[j] = candidate
        assert loss(D, weights, swapped) >= own - 1e-12 * (own + D.max())


@settings(max_examples=30)
@given(problem=testing.problems(max_rows=14, max_columns=2), seed=st.integers(0, 99),
       metric=st.sampled_from(["euclidean", "manhattan", "squared-euclidean"]))  # fmt: skip
def test_no_single_swap_lowers_the_objective(problem, seed, metric):
    X, k, w = problem
    weights = np.ones(len(X)) if w is None else w
    result = km.kmedoids(X, k, metric=metric, sample_weight=w, rng=seed, empty="keep", verify=True)
    D = reference.divergences(metric, X, X)[:, :]
    present = weights > 0
    D, weights = D[np.ix_(present, present)], weights[present]
    medoids = np.flatnonzero(present).searchsorted(result.medoids)
    assert present[result.medoids].all()
    assert result.objective == pytest.approx(loss(D, weights, medoids), rel=1e-9, abs=1e-12 * D.max())
    assert (X[result.medoids] == result.centers).all()
    assert_no_swap_helps(D, weights, medoids)


@pytest.mark.parametrize("method", ["fasterpam", "alternate"])
def test_restarts_find_the_best_of_all_medoids(method):
    D = reference.divergences("euclidean", SMALL, SMALL)
    weights = np.arange(1.0, 13.0)
    best = min(loss(D, weights, list(medoids)) for medoids in itertools.combinations(range(12), 3))
    result = km.kmedoids(SMALL, 3, method=method, sample_weight=weights, n_init=20, rng=0)
    assert result.objective == pytest.approx(best, rel=1e-12)


def test_alternate_takes_the_best_row_of_each_cluster():
    result = km.kmedoids(IRIS, 4, method="alternate", metric="manhattan", rng=0)
    D = reference.divergences("manhattan", IRIS, IRIS)
    for j, medoid in enumerate(result.medoids):
        mine = np.flatnonzero(result.labels == j)
        assert medoid in mine
        assert D[mine, medoid].sum() == pytest.approx(D[np.ix_(mine, mine)].sum(axis=0).min(), rel=1e-12)


# given dissimilarities


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["fasterpam", "alternate"])
def test_a_matrix_gives_what_its_points_give(method, dtype):
    X = np.random.default_rng(3).integers(0, 50, (80, 2)).astype(float)
    D = np.abs(X[:, None] - X[None]).sum(axis=2).astype(dtype)
    options = {"method": method, "init_medoids": [0, 1, 2, 3], "verify": True}
    points = km.kmedoids(X, 4, metric="manhattan", **options)
    matrix = km.kmedoids(D, 4, metric="precomputed", **options)
    assert (points.labels == matrix.labels).all()
    assert (points.medoids == matrix.medoids).all()
    assert points.objective == matrix.objective
    assert (matrix.predict(D) == matrix.labels).all()
    assert (matrix.transform(D) == D[:, matrix.medoids]).all()
    assert (pickle.loads(pickle.dumps(matrix)).predict(D[:5]) == matrix.labels[:5]).all()


def test_the_matrix_need_not_be_symmetric():
    """Entry (i, j) is what it costs that i belongs to j."""
    rng = np.random.default_rng(5)
    D = rng.random((30, 30))
    np.fill_diagonal(D, 0)
    for method in ("fasterpam", "alternate"):
        result = km.kmedoids(D, 3, metric="precomputed", method=method, rng=0, verify=True)
        assert result.objective == pytest.approx(loss(D, np.ones(30), result.medoids), rel=1e-12)
    best = km.kmedoids(D, 3, metric="precomputed", rng=0, n_init=5)
    assert_no_swap_helps(D, np.ones(30), best.medoids)


def test_rows_of_weight_zero_are_no_medoids():
    D = np.abs(np.arange(6.0)[:, None] - np.arange(6.0))
    result = km.kmedoids(D, 1, metric="precomputed", sample_weight=[1, 1, 0, 0, 1, 1], rng=0)
    assert result.medoids[0] in (1, 4)
    assert result.objective == 8.0


# what users declare, and any metric


def test_a_declared_divergence_has_medoids():
    @km.pointwise("test-quartic")
    def quartic(x, c):
        return (x - c) ** 4

    result = km.kmedoids(IRIS, 3, metric="test-quartic", rng=0)
    assert_no_swap_helps(((IRIS[:, None] - IRIS[None]) ** 4).sum(axis=2), np.ones(150), result.medoids)
    assert km.kmedoids(IRIS, 3, metric=quartic, rng=0).objective == result.objective


@pytest.mark.parametrize("metric", ["cosine", "generalized-i", "itakura-saito", "mahalanobis"])
def test_every_divergence_has_medoids(metric):
    result = km.kmedoids(IRIS, 3, metric=metric, rng=0, verify=True)
    assert_no_swap_helps(reference.divergences(metric, IRIS, unit(IRIS) if metric == "cosine" else IRIS),
                         np.ones(150), result.medoids)  # fmt: skip


def unit(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


# bad input

D3 = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]])


def changed(i, j, value):
    D = D3.copy()
    D[i, j] = value
    return D


@pytest.mark.parametrize(
    ("D", "message"),
    [
        (D3[:2], r"the matrix of dissimilarities has shape \(2, 3\); it must be \(n, n\)"),
        (np.empty((0, 0)), r"has shape \(0, 0\)"),
        (changed(0, 2, np.nan), "has nan at row 0, column 2; entries must be finite and at least 0"),
        (changed(2, 1, np.inf), "has inf at row 2, column 1"),
        (changed(1, 0, -1.0), "has -1.0 at row 1, column 0"),
        (changed(1, 1, 0.5), "has 0.5 at row 1, column 1; the diagonal must be 0"),
        ([[0, 1], [1]], "matrix is not a rectangular array"),
    ],
)
def test_bad_matrices_are_named(D, message):
    with pytest.raises((TypeError, ValueError), match=message):
        km.kmedoids(D, 1, metric="precomputed")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"metric": "euclidian"}, ValueError, "unknown metric 'euclidian'; did you mean 'euclidean'?"),
        ({"metric": "hamming"}, ValueError, "unknown metric 'hamming'; known are 'squared-euclidean', "),
        ({"method": "pam"}, ValueError, "method is 'pam'; it must be 'fasterpam' or 'alternate'"),
        ({"init_medoids": [0, 0]}, ValueError, "init_medoids has a row twice"),
        ({"init_medoids": [0, 150]}, ValueError, "init_medoids has 150; rows are 0 to 149"),
        ({"init_medoids": [0.0, 1.0]}, ValueError, "init_medoids is a float64 array of shape"),
        ({"init_medoids": [0]}, ValueError, "it must have 2 integers"),
        (
            {"X": [[0.0], [1], [9], [10]], "init": [[0.5], [9.5]]},
            ValueError,
            "is no row, because the initializer's was none",
        ),
        ({"metric": "itakura-saito", "X": [[0.0], [1.0]]}, ValueError, "X has 0.0 at row 0, column 0"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        km.kmedoids(arguments.pop("X", IRIS), 2, rng=0, **arguments)


def test_rows_that_are_no_indices_are_refused():
    by_matrix = km.assigners.Precomputed(D3)
    for X in ([[0.5], [1.0]], [[3], [0]], [[-1], [0]]):
        with pytest.raises(ValueError, match=r"X must have one column of row indices, 0 to 2, for 'precomputed'"):
            km.Solver("random", by_matrix, "medoid").fit(X, 1)
    with pytest.raises(ValueError, match=r"init_centers has 7.0; for 'precomputed' they must be indices, 0 to 2"):
        km.Solver("random", by_matrix, "medoid").fit([[0], [1]], 1, init_centers=[[7.0]])


# updaters that move rows too


def joint(**facts):
    return km.updater("test-joint", writes=("centers", "labels"), objective="squared-euclidean", **facts)


def test_an_updater_that_moves_rows_is_certified():
    @joint()
    def mean_then_nearest(problem, state):
        km.updaters.mean(problem, state)
        state.labels[:] = ((problem.X[:, None] - state.centers) ** 2).sum(axis=2).argmin(axis=1)

    ours = km.kmeans(IRIS, 3, update="test-joint", init_centers=IRIS[:3], tol=0, verify=True)
    plain = km.kmeans(IRIS, 3, init_centers=IRIS[:3], tol=0)
    assert ours.trace.certified
    assert ours.trace.is_monotone
    assert (ours.labels == plain.labels).all()
    assert ours.trace.moved[ours.trace.phase == "assign"].sum() == 0


def test_an_updater_that_moves_rows_away_is_found_out():
    @joint()
    def shuffle(problem, state):
        state.labels[:] = np.arange(len(problem.X)) % problem.k

    with pytest.raises(DescentError, match="updater 'test-joint' raised the objective"):
        km.kmeans(IRIS, 3, update="test-joint", rng=0)


def test_an_updater_that_writes_no_label_is_found_out():
    @joint()
    def beyond(problem, state):
        state.labels[0] = problem.k

    with pytest.raises(StrategyError, match="updater 'test-joint' wrote a label that is none of 0 to 2"):
        km.kmeans(IRIS, 3, update="test-joint", rng=0)


@pytest.mark.parametrize("stop_at", [1, 2, 5])
def test_a_fit_that_is_stopped_has_labels_and_centers_that_agree(stop_at):
    X = np.random.default_rng(0).normal(size=(400, 2))
    calls = iter(range(100))
    result = km.kmedoids(X, 10, rng=0, callback=lambda now: next(calls) + 1 >= stop_at)
    assert (result.predict(X) == result.labels).all()
    D = reference.divergences("euclidean", X, X)
    assert result.objective == pytest.approx(loss(D, np.ones(400), result.medoids), rel=1e-12)


@pytest.mark.slow
def test_auto_hears_of_rows_that_swaps_have_moved():
    """Bounds that are kept between assignments hold after centers have jumped and rows with them."""
    X = np.random.default_rng(0).normal(size=(300, 16))
    for assign in ("hamerly", "yinyang"):
        result = km.Solver("random", assign, ("fasterpam", "medoid"), rng=0, max_iter=3, verify=True).fit(X, 20)
        assert (result.predict(X) == result.labels).all()
