"""Numbers of very different sizes: the right answer, or an error that says why not."""

import numpy as np
import pytest
import reference
from posing import pose

import kmtoolkit as km
from kmtoolkit.books import Books
from kmtoolkit.objectives import OBJECTIVES
from kmtoolkit.problem import admit


@pytest.mark.parametrize("fill", [1e7, 1e12, 1e16, 1e20])
@pytest.mark.parametrize("share", [0.2, 0.55, 0.9])
def test_a_fill_value_far_away_does_not_blur_the_rest(fill, share):
    """Most rows may lie at one huge value: sums about a common point would lose the digits of the others."""
    rng = np.random.default_rng(0)
    near = np.concatenate([rng.random(30), 5 + rng.random(30)])
    far = int(60 * share / (1 - share))
    X = np.concatenate([near, np.full(far, fill)])[:, None]
    result = km.Solver(tol=0, verify=True).fit(X, 3, init_centers=[[0.2], [5.2], [fill]])
    split = np.repeat([0, 1], 30)
    centers = reference.means(near[:, None], np.ones(60), split, np.zeros((2, 1)))
    assert result.centers[:2] == pytest.approx(centers, rel=1e-14)
    assert result.objective == pytest.approx(reference.objective(near[:, None], np.ones(60), centers, split), rel=1e-12)


@pytest.mark.parametrize("light", [1e-14, 1e-30, 1e-34, 1e-60])
def test_a_cluster_whose_heavy_rows_leave_is_still_exact(light):
    """What stays behind may weigh less than any rounding of what was there."""
    X, start = np.array([[-4.0], [2.0], [-1.1]]), [[0.0], [99.0], [98.0]]
    result = km.Solver(tol=0, verify=True).fit(X, 3, sample_weight=[0.1, 0.7, light], init_centers=start)
    assert sorted(result.centers[:, 0]) == pytest.approx([-4.0, -1.1, 2.0], rel=1e-15)
    assert result.exact_fixed_point


def test_a_fixed_point_is_declared_on_fresh_sums():
    """Rounding left by rows far out must not decide where a cluster rests."""
    X = np.array([[1e150], [1e100], [1.0], [2.0]])
    books = Books(pose(X, 2), np.array([[0.0], [1.0]]), OBJECTIVES["squared-euclidean"], X[[2, 0]])
    for labels in ([0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0]):
        books.state.labels[:] = labels
        books.settle(books.proposed()[0], force=True)
    hash_before = books.hash
    assert books.state.sums[0] == 3  # what is left of 1e150 is too little to be trusted, and was summed afresh
    books.state.sums[0] += 1e-9
    assert books.refresh()
    assert books.state.sums[0] == 3
    assert not books.refresh()
    assert books.hash == hash_before
    assert (books.state.labels == [1, 1, 0, 0]).all()
    assert books.state.counts.tolist() == [2, 2]


def test_rows_far_out_leave_nothing_behind():
    """Two repairs take rows out of a sum that three magnitudes are too many for; the mean of the rest is right."""
    X = [[1e150], [1e100], [1.0], [2.0]]
    result = km.Solver(tol=0).fit(X, 3, init_centers=[[0.0], [1e151], [2e151]])
    assert sorted(result.centers[:, 0]) == [1.5, 1e100, 1e150]
    assert result.objective == 0.5
    assert result.exact_fixed_point


@pytest.mark.parametrize("tiny", [1e-155, 1e-170, 1e-300, 5e-324])
def test_a_column_too_small_to_count_does_no_harm(tiny):
    X = np.array([[0.0, 0], [1, 1], [2, 2], [10, 5], [11, 6]]) * [1.0, tiny]
    result = km.Solver(tol=0, rng=0, verify=True, n_init=3).fit(X, 2)
    assert sorted(result.sizes) == [2, 3]
    assert result.objective == pytest.approx(2.5)


@pytest.mark.parametrize("init", km.available("initializer")["initializer"])
def test_weights_of_all_sizes(init):
    X, w = [[0.0], [1.0], [2.0], [3.0], [9.0]], [1e200, 1e-150, 1e-150, 1.0, 1e-20]
    for seed in range(20):
        result = km.Solver(init, rng=seed, tol=0).fit(X, 3, sample_weight=w)
        assert np.isfinite(result.centers).all(), seed
        assert result.trace.is_monotone, seed
        assert (result.labels == result.predict(X)).all(), seed


def test_split_names_a_free_row_even_if_all_costs_underflow():
    X, w = [[1e-130], [1e-130], [0.0], [1e-155], [-1e-130]], [1, 1, 1e-20, 1e-20, 1]
    start = [[1e-130], [0.5e-155], [-1e-130], [9.0]]
    result = km.Solver(empty="split", tol=0).fit(X, 4, sample_weight=w, init_centers=start)
    assert result.objective == 0
    assert len(result.empty) == 0


@pytest.mark.parametrize("method", ["predict", "transform"])
def test_distances_that_would_overflow_are_refused(method):
    result = km.Solver().fit([[-1.0], [1.0]], 2, init_centers=[[-1.0], [1.0]])
    with pytest.raises(ValueError, match=r"X has values up to 1e\+200, whose squared distances overflow"):
        getattr(result, method)([[0.0], [1e200]])
    assert result.predict([[1e15], [1e150]]).tolist() == [1, 0]  # at 1e150 the two are equally far, but for rounding


def test_absent_rows_do_not_set_the_scale():
    X = [[0.0], [1e-140], [2e-140], [1.0]]
    with pytest.raises(ValueError, match="X spreads over 2e-170"):
        km.Solver(rng=0).fit([[0.0], [1e-170], [2e-170], [1.0]], 2, sample_weight=[1, 1, 1, 0])
    result = km.Solver(rng=0, tol=0).fit(X, 3, sample_weight=[1, 1, 1, 0])
    assert sorted(result.sizes) == [1, 1, 1]


@pytest.mark.parametrize("weight", [1.7e308, 1e306])
def test_a_sum_of_weights_that_overflows_is_refused(weight):
    with pytest.raises(ValueError, match="sample_weight goes up to .* its sum overflows"):
        km.Solver(rng=0).fit(np.arange(100.0)[:, None] * 1e-3, 2, sample_weight=[weight] * 100)


@pytest.mark.parametrize("weight", [5e-324, 1e-320])
def test_weights_that_underflow_are_refused(weight):
    with pytest.raises(ValueError, match="weighted squares underflow"):
        km.Solver(rng=0).fit([[0.0], [1.0], [2.0]], 2, sample_weight=[weight] * 3)


def test_a_cluster_that_loses_outliers_of_several_sizes_keeps_its_mean():
    """Its sums once held 1e51 and 1e34 beside the rows that stay, more than pairs can hold."""
    X = np.r_[np.arange(1.0, 21.0), 2.6303410875825687e34, -6.312208209603037e33, 8.349779503466129e51][:, np.newaxis]
    far = [[0.0], [1e65], [1e65], [1e65]]
    result = km.Solver(tol=1e-4, verify=True, rng=0).fit(X, 4, init_centers=far)
    assert result.centers[result.labels[0], 0] == 10.5
    assert result.objective == 665.0


@pytest.mark.parametrize(
    ("column", "weights", "lossless"),
    [
        ([0.0, 1.0, 255.0], None, True),
        ([0.0, 0.0, 0.0], None, True),
        ([1.0, 1e51, 2.0], None, False),
        ([1.0, 1e20, 2.0], None, False),
        ([0.0, 1.0, 255.0], [1.0, 2.0, 1.0], False),
    ],
)
def test_a_column_is_lossless_if_pairs_hold_all_its_digits(column, weights, lossless):
    door = admit(np.array(column)[:, np.newaxis], 2, weights)
    books = Books(door.problem, np.zeros((2, 1)), OBJECTIVES["squared-euclidean"], door.box)
    assert books.lossless.tolist() == [lossless]


def test_sums_that_fall_to_0_are_summed_afresh_only_if_they_may_have_lost_digits(monkeypatch):
    """A column of pixels or counts that is 0 in all rows of a cluster is common, and cheap."""
    refresh, refreshed = Books.refresh, []
    monkeypatch.setattr(Books, "refresh", lambda self, *marked: (refreshed.append(marked), refresh(self, *marked))[1])
    for large, expected in ((255.0, 0), (1e51, 1)):
        X = np.array([[0.0], [0.0], [1.0], [large]])
        books = Books(pose(X, 2), np.zeros((2, 1)), OBJECTIVES["squared-euclidean"], X[[0, 3]])
        for labels in ([0, 0, 0, 0], [0, 0, 1, 1]):
            books.state.labels[:] = labels
            books.settle(books.proposed()[0], force=True)
        assert len(refreshed) == expected
        assert books.state.sums[0] == 0
