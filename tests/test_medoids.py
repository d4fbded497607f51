"""k-medoids: optima under swaps and by brute force, given dissimilarities, and what is refused."""

import itertools
import pickle
import tracemalloc

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import kmtoolkit as km
from kmtoolkit import testing
from kmtoolkit.errors import DescentError, StrategyError
from kmtoolkit.updaters import fasterpam

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


def test_points_need_no_matrix_of_all_pairs(monkeypatch):
    X = np.random.default_rng(1).normal(size=(200, 2))
    whole = km.kmedoids(X, 3, rng=0)
    monkeypatch.setattr(fasterpam, "BLOCK_NUMBERS", 4096)
    tracemalloc.start()
    try:
        blocks = km.kmedoids(X, 3, rng=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (blocks.medoids == whole.medoids).all()
    assert peak < 200 * 200 * 8


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


def test_a_point_at_no_distance_from_a_medoid_can_take_its_place():
    D = np.array([[0.0, 0.0, 9.0], [1.0, 0.0, 9.0], [1.0, 5.0, 0.0]])
    assert km.kmedoids(D, 1, metric="precomputed", init_medoids=[1]).medoids.tolist() == [0]


def test_rows_of_weight_zero_are_no_medoids():
    D = np.abs(np.arange(6.0)[:, None] - np.arange(6.0))
    result = km.kmedoids(D, 1, metric="precomputed", sample_weight=[1, 1, 0, 0, 1, 1], rng=0)
    assert result.medoids[0] in (1, 4)
    assert result.objective == 8.0


@pytest.mark.parametrize("metric", ["precomputed", "euclidean"])
def test_no_fit_starts_from_a_row_of_weight_zero(metric):
    D = np.array([[0.0, 2.0, 1.0], [2.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    with pytest.raises(ValueError, match="init_medoids has 2, but sample_weight is 0 at row 2; such rows are absent"):
        km.kmedoids(D, 1, metric=metric, init_medoids=[2], sample_weight=[1, 1, 0])


def test_no_fit_ends_at_a_row_of_weight_zero():
    D = np.array([[0.0, 2.0, 1.0], [2.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    with pytest.raises(ValueError, match=r"center 0 is row 2, which has weight 0, .* give init_medoids"):
        km.kmedoids(D, 1, metric="precomputed", init=[[2.0]], sample_weight=[1, 1, 0])


@pytest.mark.parametrize("init", ["uniform", km.initializers.uniform])
def test_between_dissimilarities_nothing_is_drawn(init):
    with pytest.raises(ValueError, match="init is 'uniform', but between dissimilarities there are no points to draw"):
        km.kmedoids(D3, 1, metric="precomputed", init=init, rng=0)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine", "generalized-i"])
@pytest.mark.parametrize("init", ["random", "k-means++"])
def test_what_is_recommended_to_start_from_rows_works(init, metric):
    """The message about centers that are no rows names these."""
    for method in ("fasterpam", "alternate"):
        assert len(np.unique(km.kmedoids(IRIS, 3, metric=metric, method=method, init=init, rng=0).medoids)) == 3


@pytest.mark.parametrize(("value", "heaviest"), [(1.7e308, 1.0), (1e300, 1e20), (2.0**1016, 1.0)])
@pytest.mark.parametrize("method", ["fasterpam", "alternate"])
def test_matrices_whose_sums_overflow_are_refused(method, value, heaviest):
    D, weights = np.full((20, 20), value), np.full(20, heaviest)
    np.fill_diagonal(D, 0)
    with pytest.raises(ValueError, match=r"the matrix of dissimilarities has values up to .* weighted sums overflow"):
        km.kmedoids(D, 2, metric="precomputed", method=method, sample_weight=weights, rng=0)


@pytest.mark.parametrize("method", ["fasterpam", "alternate"])
def test_matrices_whose_sums_nearly_overflow_are_not(method):
    D = np.full((16, 16), 2.0**1016)
    np.fill_diagonal(D, 0)
    result = km.kmedoids(D, 2, metric="precomputed", method=method, rng=0, verify=True)
    assert result.objective == 14 * 2.0**1016


@pytest.mark.parametrize(
    ("D", "message"),
    [
        ([1.0, 2.0, 0.0], r"X has shape \(3,\); it must be \(m, 3\): dissimilarities of m points from the 3 of"),
        ([[1.0, 2.0]], r"X has shape \(1, 2\)"),
        (np.empty((0, 3)), r"X has shape \(0, 3\)"),
        ([[1, 2, 3], [1, -2, 3]], "X has -2.0 at row 1, column 1; dissimilarities must be finite and at least 0"),
        ([[1.0, 2.0, np.nan]], "X has nan at row 0, column 2; dissimilarities must be"),
        ([[np.inf, 2.0, 3.0]], "X has inf at row 0, column 0"),
        ([["a", "b", "c"]], "X has dtype"),
    ],
)
def test_dissimilarities_of_other_points_are_checked(D, message):
    result = km.kmedoids(D3, 2, metric="precomputed", init_medoids=[0, 2])
    for method in (result.predict, result.transform):
        with pytest.raises((TypeError, ValueError), match=message):
            method(D)


def test_dissimilarities_of_other_points_are_no_coordinates():
    """Any finite ones will do: none is squared, and no center is compared with them."""
    result = km.kmedoids(D3, 2, metric="precomputed", init_medoids=[0, 2])
    D = np.array([[1e200, 5.0, 1.7e308], [3.0, 0.0, 2.0]])
    assert result.transform(D).tolist() == [[1e200, 1.7e308], [3.0, 2.0]]
    assert result.predict(D).tolist() == [0, 1]
    assert result.predict([[3, 0, 2]]).tolist() == [1]


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


@pytest.mark.parametrize(("metric", "scale"), [("generalized-i", 1.0), ("logistic", 0.2), ("generalized-i", 1e6)])
def test_a_medoid_on_the_border_of_the_domain_is_a_row(metric, scale):
    X = np.array([[0.0, 0], [5, 1], [3, 0], [0, 4]]) * scale
    result = km.kmedoids(X, 4, metric=metric, rng=0, verify=True)
    assert sorted(result.medoids) == [0, 1, 2, 3]
    assert (result.labels[result.medoids] == np.arange(4)).all()


def test_a_center_that_is_another_by_the_smaller_columns_is_no_row():
    X = np.array([[1e12, 1.0], [1e12, 2.0], [1e12, 3.0]])
    with pytest.raises(ValueError, match=r"center 0 is no row, .* use init='random' or 'k-means\+\+', or give"):
        km.kmedoids(X, 1, init=[[1e12, 2.5]], max_iter=0)
    with pytest.raises(ValueError, match="center 0 is no row"):
        km.kmedoids(X - [1e12, 0], 1, init=[[1e12, 2.0]], max_iter=0)


def test_a_medoid_may_belong_to_another_by_a_divergence_that_is_no_metric():
    @km.pointwise("test-coarse", bregman=False)
    def coarse(x, c):
        return max(abs(x - c) - 1.0, 0.0)

    for twin in (1.5, 0.5 + 1e-12):
        X = [[-0.5 - 1e-13], [0.5 - 1e-13], [twin]]
        result = km.kmedoids(X, 2, metric=coarse, init_medoids=[0, 1], max_iter=0)
        assert result.labels.tolist() == [0, 0, 1]
        assert result.medoids.tolist() == [0, 1]


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
        ({"method": ["pam"]}, ValueError, r"method is \['pam'\]; it must be 'fasterpam' or 'alternate'"),
        ({"metric": np.eye(2)}, TypeError, "(?s)metric is array.* of type ndarray; it must be a name or an assigner"),
        ({"metric": None}, TypeError, "metric is None of type NoneType; it must be a name or an assigner"),
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
