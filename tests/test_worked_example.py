"""Six points, two clusters: the theory's worked example, in full."""

import numpy as np
import pytest
import reference

import kmtoolkit as km

X = np.array([[1, 1], [1, 2], [2, 1], [5, 5], [5, 6], [6, 5]], dtype=float)
ONES = np.ones(6)


def test_one_update_then_a_fixed_point():
    result = km.Solver(tol=0, verify=True).fit(X, 2, init_centers=[(1, 1), (5, 5)])
    assert result.centers == pytest.approx(np.array([(4 / 3, 4 / 3), (16 / 3, 16 / 3)]), rel=1e-15)
    assert result.objective == pytest.approx(8 / 3, rel=1e-15)
    assert (result.n_iter, result.status, result.exact_fixed_point) == (1, km.Status.FIXED_POINT, True)
    assert result.trace.phase.tolist() == ["init", "update", "assign"]
    assert result.trace.objective == pytest.approx([4, 8 / 3, 8 / 3])
    assert result.trace.drop == pytest.approx([0, 4 / 3, 0])


def test_it_is_the_only_fixed_point_with_two_clusters():
    """All 31 partitions into two clusters: in one only is every row nearest to the mean of its own."""
    partitions = list(reference.partitions(6, 2))
    assert len(partitions) == 31
    fixed = []
    for labels in partitions:
        centers = reference.means(X, ONES, labels, np.zeros((2, 2)))
        if (reference.nearest(X, centers) == labels).all():
            fixed.append(reference.objective(X, ONES, centers, labels))
    assert fixed == [pytest.approx(8 / 3)]


@pytest.mark.parametrize("start", [[(1, 1), (1, 2)], [(1, 1), (2, 1)], [(0.9, 1), (1.1, 1)], [(1, 1), (1.0, 1.5)]])
def test_starts_near_one_corner_reach_it(start):
    result = km.Solver(tol=0, empty="keep", verify=True).fit(X, 2, init_centers=start)
    assert result.objective == pytest.approx(8 / 3)
    assert sorted(result.sizes) == [3, 3]


@pytest.mark.parametrize("empty", ["keep", "drop"])
def test_an_empty_cluster_left_alone_costs_most_of_the_objective(empty):
    result = km.Solver(tol=0, empty=empty, verify=True).fit(X, 2, init_centers=[(3, 3), (20, 20)])
    assert result.objective == pytest.approx(152 / 3)
    assert result.status is km.Status.FIXED_POINT
    if empty == "keep":
        assert result.empty.tolist() == [1]
        assert result.centers[1].tolist() == [20, 20]
    else:
        assert (len(result.centers), result.dropped.tolist(), result.empty.tolist()) == (1, [1], [])


@pytest.mark.parametrize("empty", ["farthest", "split", "random"])
@pytest.mark.parametrize("seed", range(5))
def test_every_repairing_handler_recovers(empty, seed):
    result = km.Solver(tol=0, empty=empty, rng=seed, verify=True).fit(X, 2, init_centers=[(3, 3), (20, 20)])
    assert result.objective == pytest.approx(8 / 3)
    assert "repair" in result.trace.phase
    assert len(result.empty) == 0


def test_the_error_handler_stops():
    with pytest.raises(km.EmptyClusterError, match="cluster 1 is empty") as caught:
        km.Solver(empty="error").fit(X, 2, init_centers=[(3, 3), (20, 20)])
    assert caught.value.__notes__ == ["raised by empty handler 'error' in iteration 0"]
