"""The assigner for one column: the labels of dense, whatever rounding does, and few rows touched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kmtoolkit as km
from kmtoolkit import testing
from kmtoolkit.assigners import sorted_1d as module
from kmtoolkit.kernels.jit import plain_python
from kmtoolkit.kernels.squared import nearest
from kmtoolkit.problem import State, admit
from kmtoolkit.registry import resolve
from kmtoolkit.testing.awkward import big
from kmtoolkit.testing.harness import combinations
from kmtoolkit.testing.report import snippet

SORTED = resolve("assigner", "sorted-1d").run


def state_of(labels, centers):
    k = len(centers)
    return State(np.array(centers, float).reshape(-1, 1), labels, np.zeros(k, np.int64), np.zeros(k),
                 np.zeros((k, 1)), np.zeros(1), np.zeros(k))  # fmt: skip


def follow(values, *centers, dtype=np.float64):
    """Check every call of one memory against the canonical function; what each call returned."""
    X = np.asarray(values, dtype).reshape(-1, 1)
    problem = admit(X, len(centers[0])).problem
    labels, right, told = np.full(len(X), -1, np.int32), np.empty(len(X), np.int32), []
    memory = SORTED.init(problem, state_of(labels, centers[0]))
    for each in centers:
        state, before = state_of(labels, each), labels.copy()
        rows = SORTED(problem, state, memory)
        nearest(problem.X, state.centers, right)
        np.testing.assert_array_equal(labels, right)
        if rows is not None:
            assert sorted(rows.tolist()) == np.flatnonzero(before != right).tolist()
        told.append((rows, memory.work.survivors))
    return told


def ulps(around, count, dtype=np.float64):
    """The numbers next to one, (2 count + 1,)."""
    numbers = [dtype(around)]
    for _ in range(count):
        numbers = [np.nextafter(numbers[0], dtype(-np.inf)), *numbers, np.nextafter(numbers[-1], dtype(np.inf))]
    return np.array(numbers)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("around", [1e6, -1e6, 1.0, 1e18, 1e-3, 3e-140])
def test_neighboring_numbers(around, dtype):
    """Rows and centers a few last digits apart, in every order of the centers."""
    if dtype == np.float32 and around < 1e-30:
        around = 1e-30
    with np.errstate(over="ignore", under="ignore"):
        X = np.concatenate([ulps(around, 20, dtype), [dtype(0)]])
        places = np.concatenate([ulps(around, 4), X[:41:5].astype(float)])
    rng = np.random.default_rng(3)
    follow(X, *(rng.choice(places, 5) for _ in range(200)), dtype=dtype)


@pytest.mark.parametrize("far", [1e18, 1e60, -1e18, 2.0**53, 2.0**52, 2.0**51, 2.0**50])
def test_centers_that_look_alike_from_afar(far):
    """The row far away must go to the lowest index of all that seem equally near, also if rows alternate."""
    X = np.concatenate([far + np.arange(-9.0, 10) * abs(far) * 2.0**-50, [0.0, 1, 2, 3]])
    rng = np.random.default_rng(5)
    for scale in (1.0, 0.5, 2.0**-10, 4.0):
        follow(X, *(scale * rng.permutation(7)[:4] for _ in range(50)))
    told = follow(X, [1.0, 0.0], [far, 0.0])
    if abs(far) > 2.0**53:
        assert told[0] == (None, len(X))  # the first is dense's
        assert told[1][1] < len(X)


def test_a_call_after_centers_that_looked_alike():
    """That call was one of dense, and the intervals of the call before it are out of date."""
    X = np.linspace(0.0, 10.0, 101)
    apart, alike = [1.0, 5.0, 9.0], [4.0, np.nextafter(4.0, 5.0), 9.0]
    assert follow(X, apart, alike, apart)[1][0] is None


def test_rows_that_alternate():
    """Seen from 2**53, a step of 1 is half a last digit: ties come and go from row to row."""
    X = 2.0**53 + 2.0 * np.arange(64)
    for a, b in ((0.0, 1.0), (1.0, 0.0), (2.0, 1.0), (1.0, 3.0)):
        follow(np.concatenate([-X, X, np.arange(5.0)]), [a, b, -5.0], [a, b, 5.0], [5.0, b, a])


@pytest.mark.parametrize("tiny", [2.0**-530, 2.0**-537, 2.0**-540, 1e-162, 5e-324])
def test_squares_that_underflow(tiny):
    X = np.concatenate([np.arange(-8.0, 9) * tiny, [1.0, -1.0]])
    rng = np.random.default_rng(6)
    follow(X, *(rng.permutation(np.arange(-6.0, 7) / 2)[:4] * tiny for _ in range(100)))


def test_squares_that_underflow_among_gaps_of_every_size():
    """No gap is a rounding of the next, and still a row just below 0 is as near to 2**-538 as to 0."""
    steps = 2.0 ** -np.arange(0, 501, 45)
    X = np.concatenate([-steps, steps, 2.0**-540 * np.arange(-9, 10)])
    for first, second in ((2.0**-538, 0.0), (0.0, 2.0**-538)):
        follow(X, [first, second, *steps, *-steps])


def test_centers_at_one_place_are_no_reason_to_compare_all_rows():
    X = np.random.default_rng(2).random(5000)
    told = follow(X, [0.5, 0.2, 0.5, 0.2, 0.9], [0.2, 0.5, 0.5, 0.9, 0.9])
    assert all(looked < 50 for _, looked in told)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_and_duplicates(dtype):
    rng = np.random.default_rng(8)
    X = rng.integers(-6, 7, 90).astype(dtype)
    follow(X, *(rng.integers(-7, 8, 6) / rng.choice([1, 2]) for _ in range(200)), dtype=dtype)
    follow(X, [2.0, 2.0, 2.0], [-0.0, 0.0, 0.0], [0.0, -0.0, 1.0], dtype=dtype)
    follow([7.0], [3.0], [9.0], dtype=dtype)


@settings(max_examples=30 if plain_python else 200)
@given(st.integers(0, 2**32 - 1))
def test_centers_that_go_anywhere(seed):
    """Rows and centers of many sizes; centers trade places, meet, and leave all rows."""
    rng = np.random.default_rng(seed)
    n, k, size = int(rng.integers(1, 80)), int(rng.integers(1, 9)), rng.choice([0, 1, 30, 80])
    X = rng.normal(size=n) * 2.0 ** rng.integers(-size, size + 1, n)
    X = X[rng.integers(n, size=n)] if rng.random() < 0.3 else X
    k = min(k, n)
    walk = [X[rng.integers(n, size=k)]]
    for _ in range(6):
        step = rng.choice([0.0, 1e-16, 1e-3, 1.0], (k,)) * rng.normal(size=k) * np.abs(walk[-1])
        walk.append(np.where(rng.random(k) < 0.2, X[rng.integers(n, size=k)], walk[-1] + step))
    follow(X, *walk, dtype=rng.choice([np.float32, np.float64]))


@settings(max_examples=30 if plain_python else 150)
@given(problem=testing.problems(max_columns=1), empty=st.sampled_from(["keep", "drop", "random", "farthest", "split"]))
def test_fits_are_those_of_dense(problem, empty):
    X, k, weights = problem
    dense, by_sorting = (
        km.Solver("random", assign, empty=empty, tol=0, rng=0, verify=True).fit(X, k, sample_weight=weights)
        for assign in ("dense", "sorted-1d")
    )
    assert by_sorting.labels.tobytes() == dense.labels.tobytes()
    assert by_sorting.centers.tobytes() == dense.centers.tobytes()
    assert by_sorting.trace.moved.tolist() == dense.trace.moved.tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("different", [3, 200, 9000])
def test_the_rows_are_sorted(different, dtype):
    """Leaves of equal values may be long; those of different ones are short."""
    X = np.random.default_rng(0).integers(different, size=(9000, 1)).astype(dtype)
    memory = SORTED.init(admit(X, 2).problem, state_of(np.zeros(len(X), np.int32), X[:2]))
    assert (np.sort(memory.order) == np.arange(len(X))).all()
    assert (memory.values == np.sort(X, axis=0)).all()
    assert (memory.values == X[memory.order]).all()


@pytest.mark.compiled
def test_unmoved_rows_are_not_touched():
    """Only rows between an old and a new threshold are labeled, and a bisection looks at few."""
    rng = np.random.default_rng(0)
    X, centers = rng.random((50_000, 1)), np.linspace(0, 1, 40)
    told = follow(X, centers, centers + 1e-5, centers + 1e-5, centers + 3e-5)
    assert told[0][0] is None  # all moved
    assert 0 < len(told[1][0]) < 100
    assert len(told[2][0]) == 0
    assert all(looked <= 39 * 17 for _, looked in told)

    problem, labels = admit(X, 40).problem, np.full(len(X), -1, np.int32)
    memory = SORTED.init(problem, state_of(labels, centers))
    SORTED(problem, state_of(labels, centers), memory)
    labels[:] = 77
    rows = SORTED(problem, state_of(labels, centers + 1e-5), memory)
    assert sorted(rows.tolist()) == np.flatnonzero(labels != 77).tolist()


def test_many_moved_rows_are_not_listed():
    X = np.arange(1600.0)
    told = follow(X, [0.0, 1599.0], [200.0, 1599.0], [202.0, 1599.0])
    assert told[1][0] is not None
    assert len(told[1][0]) == 1600 // module.FEW
    assert follow(X, [0.0, 1599.0], [202.0, 1599.0])[1][0] is None


def test_repaired_rows_are_labeled_again():
    X, centers = np.arange(64.0)[:, np.newaxis], [10.0, 30.0, 60.0]
    problem, labels = admit(X, 3).problem, np.full(64, -1, np.int32)
    memory = SORTED.init(problem, state_of(labels, centers))
    for moved_to in (centers, [10.0, 34.0, 60.0]):
        SORTED(problem, state_of(labels, centers), memory)
        right = labels.copy()
        labels[[3, 21, 63]] = 2, 2, 0
        SORTED.relabeled(problem, state_of(labels, centers), memory, np.array([63, 3]))
        SORTED.relabeled(problem, state_of(labels, centers), memory, np.array([21]))
        rows = SORTED(problem, state_of(labels, moved_to), memory)
        nearest(problem.X, state_of(labels, moved_to).centers, right)
        assert (labels == right).all()
        assert rows.tolist() == ([3, 21, 63] if moved_to == centers else [3, 21, 22, 46, 47, 63])
        assert SORTED(problem, state_of(labels, moved_to), memory).tolist() == []


def test_memory_is_that_of_the_sorted_rows():
    for dtype, bytes_ in ((np.float32, 8), (np.float64, 12)):
        trace = km.Solver(assign="sorted-1d", rng=0).fit(np.arange(1000, dtype=dtype)[:, np.newaxis], 5).trace
        assert set(trace.memory[trace.phase != "update"].tolist()) == {1000 * bytes_}


def test_it_takes_one_column():
    X = km.datasets.iris().X
    with pytest.raises(ValueError, match=r"^assigner 'sorted-1d' takes 1 column, but X has 4; use assign='auto'$"):
        km.kmeans(X, 3, assign="sorted-1d")
    with pytest.raises(ValueError, match="takes 1 column, but X has 2"):
        km.kmeans(X[:, :2], 3, assign="sorted-1d")

    @km.updater("test-narrow", columns=2, monotone=False)
    def narrow(problem, state):
        assert problem.X.shape[1] <= 2

    with pytest.raises(ValueError, match=r"^updater 'test-narrow' takes 2 columns, but X has 4; use update='mean'$"):
        km.kmeans(X, 3, update=narrow)
    km.kmeans(X[:, :2], 3, update=narrow)
    km.kmeans(X, 3)


def test_the_kit_gives_a_narrow_strategy_narrow_data():
    seen = set()

    @km.updater("test-narrow", columns=2)
    def narrow(problem, state):
        seen.add(problem.X.shape[1])
        km.updaters.mean(problem, state)

    strategy = resolve("updater", "test-narrow")
    for rule in testing.rules(strategy):
        if rule.name in ("same-bits-again", "compiles-nothing-twice", "same-bits-for-any-number-of-threads"):
            rule.check(strategy, examples=10)
    assert seen == {1, 2}
    assert all(each["assign"] != "sorted-1d" for each in combinations(strategy))  # it would refuse


def test_a_report_on_large_data_gives_the_columns_that_were_used():
    @km.updater("test-narrow", columns=1)
    def narrow(problem, state):
        km.updaters.mean(problem, state)

    strategy = resolve("updater", "test-narrow")
    case = big().suited(strategy.row)
    assert case.X.shape == (20_000, 1)
    assert case.init_centers.shape == (8, 1)
    assert "X = big().X[:, :1]\nsample_weight = big().sample_weight\n" in snippet(strategy, case, "fit()")


@pytest.mark.parametrize("columns", [0, -1, True, 1.0])
def test_columns_are_a_positive_number(columns):
    with pytest.raises(TypeError, match=r"columns is .*; it must be a positive int, or None"):
        km.assigner("test-fact", columns=columns)
