"""k-means as matrix factorization: the three forms, the indicator matrix, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import kmtoolkit as km
from kmtoolkit import factorization as f
from kmtoolkit.testing import generate

IRIS = km.datasets.iris().X


@st.composite
def labeled(draw):
    """Rows, and labels of which every one occurs."""
    X = draw(generate.rows(max_rows=30))
    k = draw(st.integers(1, min(5, len(X))))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return X, rng.permutation(np.concatenate([np.arange(k), rng.integers(0, k, len(X) - k)]))


def dense(X, labels):
    """By explicit matrices, points in columns."""
    X = X.astype(np.float64).T
    Z = (labels == np.arange(labels.max() + 1)[:, None]).astype(float)
    return X, X @ Z.T @ np.linalg.inv(Z @ Z.T), Z


@settings(max_examples=150)
@given(labeled())
def test_the_three_forms_are_one(case):
    X, labels = case
    M, Z = f.factorize(labels, X)
    forms = f.sum_of_distances(X, M, Z), f.residual(X, M, Z), f.projection_residual(X, Z)
    rounding = len(X) * (4e-16 * float(np.abs(X).max())) ** 2  # of means, where a cluster is one point
    assert forms[1:] == pytest.approx(forms[:1] * 2, rel=1e-12, abs=rounding)
    columns = f.factorize(labels, X.T, points="columns")
    assert (columns.M.T == M).all()
    assert (columns.Z.T != Z).nnz == 0
    assert f.sum_of_distances(X.T, *columns, points="columns") == forms[0]
    assert f.residual(X.T, *columns, points="columns") == forms[1]
    assert f.projection_residual(X.T, columns.Z, points="columns") == forms[2]


@given(labeled())
def test_the_terms_of_the_proof_agree(case):
    X, labels = case
    M, Z = f.factorize(labels, X)
    for factors in ((M, Z), (M + 1, Z)):  # they do for any centers
        terms = f.trace_terms(X, *factors)
        size = terms.T1 + terms.T3
        assert terms[:3] == pytest.approx(terms[3:], rel=1e-12, abs=1e-13 * size)
        assert pytest.approx(f.residual(X, *factors), rel=1e-9, abs=1e-13 * size) == terms.T4 - 2 * terms.T5 + terms.T6
    assert f.trace_terms(X.T, M.T, Z.T, points="columns") == f.trace_terms(X, M, Z)


@given(labeled())
def test_explicit_matrices_agree(case):
    X, labels = case
    columns, M, Z = dense(X, labels)
    size = float(np.abs(X).max()) + 1
    factors = f.factorize(labels, columns, points="columns")
    assert pytest.approx(M, rel=1e-10, abs=1e-12 * size) == factors.M
    assert (factors.Z.toarray() == Z).all()
    assert (f.check_indicator(factors.Z, points="columns") == np.diag(Z @ Z.T)).all()
    assert f.reconstruct(*factors, points="columns") == pytest.approx(M @ Z, rel=1e-10, abs=1e-12 * size)
    projector = Z.T @ np.linalg.inv(Z @ Z.T) @ Z
    assert f.project(columns, Z, points="columns") == pytest.approx(columns @ projector, rel=1e-10, abs=1e-12 * size)


def test_gradients_are_differences_and_vanish_at_the_means():
    rng = np.random.default_rng(0)
    X, labels, step = rng.normal(size=(20, 3)), rng.permutation(np.arange(20) % 4), 1e-4
    M, Z = f.factorize(labels, X)
    for rows in (X, X + 1e6):
        assert not f.gradient(rows, *f.factorize(labels, rows)).any()
    elsewhere = M + rng.normal(size=M.shape)
    slope = f.gradient(X, elsewhere, Z)
    for at in np.ndindex(M.shape):
        up, down = elsewhere.copy(), elsewhere.copy()
        up[at] += step
        down[at] -= step
        assert slope[at] == pytest.approx((f.residual(X, up, Z) - f.residual(X, down, Z)) / (2 * step), rel=1e-7)
    by_columns = f.gradient(X.T, elsewhere.T, Z.T, points="columns")
    assert by_columns == pytest.approx(slope.T, rel=1e-15)
    assert by_columns == pytest.approx(2 * (elsewhere.T @ (Z.T @ Z).toarray() - X.T @ Z.toarray()), rel=1e-12)


def test_a_result_is_factorized_to_what_it_is():
    result = km.kmeans(IRIS, 3, rng=0, tol=0)
    M, Z = f.factorize(result, IRIS)
    assert pytest.approx(result.centers, rel=1e-14) == M
    assert f.residual(IRIS, M, Z) == pytest.approx(result.objective, rel=1e-13)
    assert (f.check_indicator(Z) == result.sizes).all()
    total = ((IRIS - IRIS.mean(axis=0)) ** 2).sum()
    assert f.explained_variance(IRIS, M, Z) == pytest.approx(1 - result.objective / total, rel=1e-12)
    assert f.explained_variance(IRIS, IRIS.mean(axis=0)[None], np.ones((150, 1))) == pytest.approx(0, abs=1e-14)
    assert f.explained_variance(np.ones((3, 2)), np.ones((1, 2)), np.ones((3, 1))) == 1


def test_single_precision_and_either_order_give_the_same():
    X, labels = IRIS.astype(np.float32), np.arange(150) % 3
    first = f.factorize(labels, X)
    for other in (np.asfortranarray(X), X.astype(np.float64)):
        M, Z = f.factorize(labels, other)
        assert (first.M == M).all()
        assert f.residual(X, *first) == f.residual(other, M, Z)


def test_a_cluster_far_away_takes_no_digits_of_the_others():
    X = np.array([[1e20], [0.1], [0.1], [0.1], [0.3], [7.0]])
    M, Z = f.factorize([0, 1, 1, 1, 2, 2], X)
    assert M.tolist() == [[1e20], [0.1], [3.65]]
    forms = f.sum_of_distances(X, M, Z), f.residual(X, M, Z), f.projection_residual(X, Z)
    assert forms == pytest.approx([2 * 3.35**2] * 3, rel=1e-15)


@pytest.mark.parametrize("X", [[[1.0], [np.inf], [2.0]], [[np.inf], [-np.inf], [2.0]], [[1e308], [1.7e308], [2.0]]])
def test_values_without_a_mean_are_refused(X):
    with pytest.raises(ValueError, match="X has (-?inf at row|values up to)"):
        f.factorize([0, 0, 1], X)


def test_z_is_no_view_of_the_labels():
    result = km.kmeans(IRIS, 3, rng=0)
    before = result.labels.copy()
    f.factorize(result, IRIS).Z.indices[:] = 0
    assert (result.labels == before).all()


def test_places_in_columns_are_those_of_the_caller():
    X = IRIS.T.copy()
    X[2, 7] = np.nan
    with pytest.raises(ValueError, match="X has nan at row 2, column 7"):
        f.factorize(np.zeros(150, int), X, points="columns")


def test_empty_clusters_are_refused_or_left_out():
    labels, X = [0, 0, 3], [[1.0], [3.0], [9.0]]
    with pytest.raises(ValueError, match=r"cluster 1, 2 has no points, so ZZᵀ has no inverse; pass empty='drop'"):
        f.factorize(labels, X)
    M, Z = f.factorize(labels, X, empty="drop")
    assert M.tolist() == [[2.0], [9.0]]
    assert Z.toarray().tolist() == [[1, 0], [1, 0], [0, 1]]
    with pytest.raises(ValueError, match="cluster 3, 4 has no points"):
        f.factorize([0, 1, 2], X, k=5)
    with pytest.raises(ValueError, match="cluster 1 of Z has no points"):
        f.project(X, [[1, 0], [1, 0], [1, 0]])


def test_many_points_take_little_beside_x():
    """Z has one entry a point, and nothing is n × n or dense k × n."""
    n, k = 200_000, 500
    X, labels = np.random.default_rng(0).normal(size=(n, 2)), np.arange(n) % k
    M, Z = f.factorize(labels, X)
    assert Z.nnz == n
    forms = f.sum_of_distances(X, M, Z), f.residual(X, M, Z), f.projection_residual(X, Z)
    assert forms[1:] == pytest.approx(forms[:1] * 2, rel=1e-12)


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        ([0, 1], {}, ValueError, r"labels have shape \(2,\); there must be one for each point, \(3,\)"),
        ([0.0, 1.0, 1.0], {}, TypeError, "labels have dtype float64, and 0.0 at point 0; they must be integers"),
        ([0.0, 1.5, 1.0], {}, TypeError, "labels have dtype float64, and 1.5 at point 1; they must be integers"),
        ([True, False, True], {}, TypeError, "labels have dtype bool, and True at point 0; they must be integers"),
        (["a", "b", "a"], {}, TypeError, "labels has dtype"),
        ([0, -1, 1], {}, ValueError, "labels has -1 at point 1; labels must be 0 to 1"),
        ([0, 1, 2], {"k": 2}, ValueError, "labels has 2 at point 2; labels must be 0 to 1"),
        ([0, 1, 10**6], {}, ValueError, "labels go up to 1000000 for 3 points; number the clusters from 0"),
        ([0, 1, 1], {"k": 2.0}, TypeError, "k is 2.0"),
        ([0, 1, 1], {"empty": "keep"}, ValueError, "empty is 'keep'; it must be 'error' or 'drop'"),
        ([0, 1, 1], {"points": "cols"}, ValueError, "points is 'cols'; it must be 'rows' or 'columns'"),
        ([0, 1, 1], {"X": [[1.0], [np.nan], [2.0]]}, ValueError, "X has nan at row 1, column 0"),
    ],
)
def test_bad_labels_are_named(labels, options, error, message):
    X = options.pop("X", [[1.0], [2.0], [4.0]])
    with pytest.raises(error, match=message):
        f.factorize(labels, X, **options)


@pytest.mark.parametrize(
    ("Z", "message"),
    [
        ([[1, 0], [0, 0.5]], "Z has 0.5 for point 1; entries must be 0 or 1"),
        ([[1, 0], [1, 1]], "Z has 2 ones for point 1; each point must be in one cluster"),
        ([[0, 0], [1, 0]], "Z has 0 ones for point 0"),
        (sparse.csr_array([[0, 1], [0, 2]]), "Z has 2 for point 1"),
        ([1, 0], "Z has 1 dimensions; it must have 2"),
    ],
)
def test_bad_indicators_are_named(Z, message):
    with pytest.raises(ValueError, match=message):
        f.check_indicator(Z)


def test_shapes_that_do_not_fit_are_named():
    X, M, Z = [[1.0], [3.0]], [[2.0]], [[1], [1]]
    with pytest.raises(ValueError, match=r"M has shape \(1, 2\); for this Z and X it must be \(1, 1\)"):
        f.residual(X, [[1.0, 2.0]], Z)
    with pytest.raises(ValueError, match="Z is for 2 points, but X has 3; with points='rows' they are rows"):
        f.residual([*X, [5.0]], M, Z)
    with pytest.raises(ValueError, match="M has inf at row 0, column 0; entries must be finite"):
        f.gradient(X, [[np.inf]], Z)
    explicit = sparse.coo_array(([1, 0, 1], ([0, 0, 1], [0, 1, 1])), shape=(2, 2))
    assert f.check_indicator(explicit).tolist() == [1, 1]
