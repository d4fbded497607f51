"""PCA-Part: the cuts of an oracle, without chance, whatever the place and the size of the data."""

import sys

import numpy as np
import pytest
from posing import pose

import kmtoolkit as km
from kmtoolkit.initializers import pca_part


def centers_of(X, k, weights=None):
    weights = np.ones(len(X)) if weights is None else np.asarray(weights, float)
    return pca_part(pose(X, k, weights), np.random.default_rng(0))


def naive(X, k, weights):
    """The same by eigenvectors of covariance matrices."""

    def moments(rows):
        mean = np.average(X[rows], axis=0, weights=weights[rows])
        scatter = (weights[rows] * (X[rows] - mean).T) @ (X[rows] - mean)
        return mean, scatter

    parts = [np.arange(len(X))]
    while len(parts) < k:
        part = parts.pop(int(np.argmax([np.trace(moments(rows)[1]) for rows in parts])))
        mean, scatter = moments(part)
        above = (X[part] - mean) @ np.linalg.eigh(scatter)[1][:, -1] > 0
        parts += [part[~above], part[above]]
    return np.array([moments(rows)[0] for rows in parts])


def in_order(centers):
    return centers[np.lexsort(centers.T)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
def test_parts_are_those_of_the_eigenvectors(seed, dtype):
    rng = np.random.default_rng(seed)
    turned = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    X = (rng.normal(size=(200, 3)) * [16, 4, 1] @ turned).astype(dtype)
    weights = rng.integers(1, 4, 200).astype(float)
    for k in (1, 2, 3, 4):
        expected = naive(X.astype(float), k, weights)
        assert in_order(centers_of(X, k, weights)) == pytest.approx(in_order(expected), abs=1e-10)


def test_the_part_with_the_largest_cost_is_cut():
    X = np.array([[0.0], [1.0], [2.0], [3.0], [100.0], [110.0]])
    assert centers_of(X, 3)[:, 0].tolist() == [1.5, 100.0, 110.0]
    assert centers_of(X, 3, [30, 30, 30, 30, 1, 1])[:, 0].tolist() == [0.5, 2.5, 105.0]


def test_weights_are_copies():
    rng = np.random.default_rng(3)
    X, weights = rng.normal(size=(60, 3)) * [5, 2, 1], rng.integers(1, 5, 60)
    repeated = np.repeat(X, weights, axis=0)
    for k in (1, 2, 7):
        assert centers_of(X, k, weights) == pytest.approx(centers_of(repeated, k), abs=1e-12)


@pytest.mark.parametrize("offset", [1e6, -1e9])
def test_place_does_not_matter(offset):
    X = np.random.default_rng(4).integers(-(2**20), 2**20, (300, 2)) / 2**20
    assert centers_of(X + offset, 12) - offset == pytest.approx(centers_of(X, 12), abs=1e-6)


@pytest.mark.parametrize("factor", [2.0**400, 2.0**-400])
def test_size_does_not_matter(factor):
    X = np.random.default_rng(5).normal(size=(300, 2))
    assert (centers_of(X * factor, 12) == centers_of(X, 12) * factor).all()


@pytest.mark.parametrize("turn", [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[1, -1], [1, 1]], [[1, 1], [1, -1]]])
def test_the_principal_axis_is_found_though_the_farthest_row_is_not_on_it(turn):
    """Most of the scatter lies along one arm of a cross, and the rows farthest out along the other."""
    cross = np.array([[3.0, 0.0], [-3.0, 0.0]] * 100 + [[0.0, 4.0], [0.0, -4.0]])
    axis = np.array(turn)[0]
    assert np.abs(centers_of(cross @ turn, 2) @ axis).min() > 2.9 * (axis @ axis)


@pytest.mark.parametrize("column", range(4))
def test_parts_ascend_along_the_axis(column):
    """Its largest entry is positive: that is where two parts differ most."""
    X = np.random.default_rng(1).normal(size=(50, 4)) * 2.0**300
    X[:, column] *= 50
    low, high = centers_of(X, 2)[:, column]
    assert low < high


def test_columns_that_move_together_outweigh_the_largest_one():
    rng = np.random.default_rng(6)
    shared = rng.choice([-1.0, 1.0], 400)
    X = np.column_stack([1.2 * rng.choice([-1.0, 1.0], 400), shared, shared, shared])
    assert (np.abs(centers_of(X, 2)[:, 1:]) > 0.9).all()


@pytest.mark.parametrize("value", [0.0, 0.1, 1e150])
def test_rows_that_coincide_leave_one_by_one(value):
    X = np.full((6, 2), value)
    for k in range(1, 7):
        assert (centers_of(X, k) == value).all()
    X[:2] = value / 3 + 1
    for k in (3, 4, 6):
        assert len(np.unique(centers_of(X, k), axis=0)) == 2


def test_rows_that_coincide_have_no_axis_to_be_looked_for(monkeypatch):
    passes, module = [], sys.modules["kmtoolkit.initializers.pca_part"]
    scatter = module._scatter
    monkeypatch.setattr(module, "_scatter", lambda *arguments: passes.append(1) or scatter(*arguments))
    centers_of(np.full((9, 2), 0.1), 4)
    assert len(passes) == 7  # one for each part there was


def test_rows_too_near_for_an_axis_are_parted():
    """Products of differences underflow, though the cost does not yet."""
    X = np.array([[0.0, 2.3e-162], [0.0, -2.3e-162]])
    assert (in_order(centers_of(X, 2)) == in_order(X)).all()


def test_as_many_parts_as_rows():
    X = np.random.default_rng(8).normal(size=(40, 3)) + 1e3
    assert (in_order(centers_of(X, 40)) == in_order(X)).all()


def test_nothing_is_random():
    X = np.random.default_rng(9).normal(size=(50, 2))
    starts = [km.kmeans(X, 5, init="pca-part", rng=seed, max_iter=0).centers for seed in range(3)]
    assert (starts[0] == starts[1]).all()
    assert (starts[0] == starts[2]).all()


@pytest.mark.compiled
@pytest.mark.parametrize("separation", [4, 10])
def test_the_start_is_much_better_than_random_rows(separation):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(20, 4))[rng.integers(20, size=1500)] * separation + rng.normal(size=(1500, 4))

    def start(init):
        return np.mean([km.kmeans(X, 20, init=init, rng=seed, max_iter=0).objective for seed in range(20)])

    assert start("pca-part") < 1.4 * start("k-means++")
    assert start("pca-part") < 0.5 * start("random")
