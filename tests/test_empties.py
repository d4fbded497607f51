"""Empty clusters: who refills them, with which row, and what the certificate says."""

import numpy as np
import pytest

import kmtoolkit as km

# A heavy pair around 0, a light far pair around 100, and a close pair around 50.
X = np.array([[-1.0], [1.0], [90.0], [110.0], [49.0], [52.0]])
WEIGHTS = np.array([500.0, 500.0, 1.0, 1.0, 3.0, 3.0])
START = [[0.0], [100.0], [50.0], [1e4]]


def repaired_row(empty, weights=None, X=X, start=START, rng=0):
    seen = []

    def spy(problem, state, d, free, rng):
        row = empty(problem, state, d, free, rng)
        seen.append((row, d.copy(), free.copy()))
        return row

    km.Solver(empty=spy, max_iter=1, rng=rng).fit(X, len(start), sample_weight=weights, init_centers=start)
    return seen


def test_farthest_takes_the_row_farthest_from_its_center():
    (row, d, free), *_ = repaired_row(km.empties.farthest)
    assert row == 2
    assert d.tolist() == [1, 1, 100, 100, 1, 4]
    assert free.all()
    (row, *_), *_ = repaired_row(km.empties.farthest, WEIGHTS)
    assert row == 2  # 500 rows at a distance of 1 are no farther than one of them


def test_split_takes_the_farthest_row_of_the_cluster_with_the_largest_objective():
    (row, *_), *_ = repaired_row(km.empties.split)
    assert row == 2
    (row, *_), *_ = repaired_row(km.empties.split, WEIGHTS)
    assert row == 0
    many = np.array(
        [[-5.0], [-5.0], [5.0], [5.0], [44.0], [56.0]]
    )  # F is 100 and 72; the farthest row is in the second
    assert repaired_row(km.empties.farthest, None, many, [[0.0], [50.0], [1e4]])[0][0] == 4
    assert repaired_row(km.empties.split, None, many, [[0.0], [50.0], [1e4]])[0][0] == 0


@pytest.mark.parametrize("empty", ["farthest", "split"])
def test_a_weight_counts_as_copies_in_repair(empty):
    w = np.array([5, 5, 1, 1, 3, 3])
    solver = km.Solver(empty=empty, tol=0, verify=True)
    weighted = solver.fit(X, 4, sample_weight=w, init_centers=START)
    repeated = solver.fit(np.repeat(X, w, axis=0), 4, init_centers=START)
    assert weighted.objective == pytest.approx(repeated.objective)
    assert (np.repeat(weighted.labels, w) == repeated.labels).all()


def test_random_draws_free_rows_in_proportion_to_weight():
    rows = [repaired_row(km.empties.random, WEIGHTS, rng=s)[0][0] for s in range(300)]
    assert np.mean(np.array(rows) < 2) > 0.95
    assert {repaired_row(km.empties.random, rng=s)[0][0] for s in range(60)} == set(range(6))


def test_each_empty_cluster_asks_once_and_sees_the_rows_planned_before():
    """Distances fall to the planned rows, so two empty clusters do not take neighbors."""
    near = np.array([[0.0], [10.0], [10.1], [-9.0]])
    seen = repaired_row(km.empties.farthest, None, near, [[0.0], [1e3], [2e3]])
    assert [row for row, *_ in seen] == [2, 3]
    assert seen[1][1] == pytest.approx([0, 0.01, 0, 81])
    assert seen[1][2].tolist() == [False, True, False, True]


def test_a_row_is_free_only_if_its_cluster_keeps_another():
    single = np.array([[0.0], [8.0], [9.0]])
    seen = repaired_row(km.empties.farthest, None, single, [[-5.0], [8.6], [1e3]])
    assert seen[0][2].tolist() == [False, True, True]  # row 0 is far from its center, but alone


def test_rows_that_coincide_with_their_center_but_for_rounding_are_not_free():
    """Three copies of 0.1 need no second cluster, whatever their mean rounds to: nothing is repairable."""
    copies = np.full((3, 1), 0.1) + np.array([[0.0], [0.0], [np.spacing(0.1)]])
    result = km.Solver(empty="farthest", tol=0).fit(copies, 2, init_centers=[[0.1], [5.0]])
    assert result.status is km.Status.FIXED_POINT
    assert result.empty.tolist() == [1]


def test_a_handler_may_leave_one_and_fill_another():
    asked = []

    def second_only(problem, state, d, free, rng):
        asked.append(0)
        return int(d.argmax()) if len(asked) == 2 else None

    result = km.Solver(empty=second_only, tol=0, verify=True).fit(X, 3, init_centers=[[50.0], [1e4], [2e4]])
    assert result.trace.empty[:2].tolist() == [2, 1]
    assert result.empty.tolist() == [1]
    assert result.centers[1].tolist() == [1e4]


def test_keep_leaves_the_center_where_it_is():
    result = km.Solver(empty="keep", tol=0).fit(X, 4, init_centers=START)
    assert result.centers[3].tolist() == [1e4]
    assert result.empty.tolist() == [3]
    assert "empty       3" in result.summary()
    assert not (result.trace.phase == "repair").any()


def test_drop_renumbers_in_order_and_reports():
    result = km.Solver(empty="drop", tol=0).fit(X, 5, init_centers=[[0.0], [1e4], [50.0], [2e4], [100.0]])
    assert result.centers[:, 0].tolist() == [0.0, 50.5, 100.0]
    assert result.labels.tolist() == [0, 0, 2, 2, 1, 1]
    assert result.dropped.tolist() == [1, 3]
    assert result.empty.tolist() == []
    assert (result.labels == result.predict(X)).all()
    assert "dropped     1, 3" in result.summary()


def test_drop_starts_the_assigners_memory_anew():
    opened = []

    class Remembering:
        def init(self, problem, state):
            opened.append((problem.k, state.centers.shape[0], state.labels.max()))
            return {"calls": 0}

        def __call__(self, problem, state, memory):
            memory["calls"] += 1
            state.labels[:] = ((problem.X[:, None] - state.centers) ** 2).sum(-1).argmin(1)

    km.Solver(assign=Remembering(), empty="drop", tol=0).fit(X, 4, init_centers=START)
    assert opened == [(4, 4, -1), (3, 3, 2)]


def test_the_objective_falls_by_what_the_repaired_row_cost():
    result = km.Solver(empty="farthest", tol=0, verify=True).fit(X, 4, init_centers=START)
    trace = result.trace
    at = np.flatnonzero(trace.phase == "repair")[0]
    assert trace.drop[at] == 100
    assert trace.moved[at] == 1
    assert (trace.empty[at - 1], trace.empty[at]) == (1, 0)
    assert trace.iteration[at] == 1


def test_shift_covers_repair_and_update():
    """What bound-keeping assigners rely on: each center's whole way since the last assignment."""
    seen = []

    def watching(problem, state):
        if (state.labels >= 0).all():
            seen.append((state.shift.copy(), state.centers.copy()))
        state.labels[:] = ((problem.X[:, None] - state.centers) ** 2).sum(-1).argmin(1)

    km.Solver(assign=watching, empty="farthest", tol=0).fit(X, 4, init_centers=START)
    before = np.array(START)
    for shift, centers in seen:
        assert shift == pytest.approx(np.abs(centers - before)[:, 0])
        before = centers
    assert seen[0][0][3] > 9000
