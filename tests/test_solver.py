"""The Solver: configuration as a value, reproducible restarts, and every reason to stop."""

import copy
import dataclasses
import inspect
import pickle
import signal
import threading
import time

import numpy as np
import pytest
from posing import pose

import kmtoolkit as km
from kmtoolkit.options import next_child

X = km.datasets.iris().X
SOLVERS = [
    km.Solver(),
    km.Solver("random", "dense", "mean", "split", max_iter=7, tol=0, n_init=2, rng=3),
    km.Solver(init=km.initializers.KMeansPlusPlus(trials=1), assign=km.assigners.Dense(), update=km.updaters.mean),
    km.Solver(init=[[1.0, 2.0], [3.0, 4.0]], empty=km.empties.keep),
    km.Solver(rng=np.random.SeedSequence(5, spawn_key=(2,)), threads=1, verify=True, max_seconds=2.5),
    km.Solver(rng=np.random.SeedSequence(0, pool_size=8), tol=0),
    km.Solver(rng=np.random.SeedSequence(np.array([1, 2])), tol=0),
    km.Solver(rng=np.random.default_rng(1), progress=True, on_interrupt="return", callback=print),
]


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_prints_as_the_code_that_makes_it(solver):
    again = eval(repr(solver), {"km": km, "np": np, "print": print})
    assert again == solver
    assert hash(again) == hash(solver)
    assert repr(again) == repr(solver)


def test_equal_solvers_have_equal_hashes():
    pairs = [
        (km.Solver(init=[[1, 2]]), km.Solver(init=[[1.0, 2.0]])),
        (km.Solver(tol=0.0), km.Solver(tol=-0.0)),
        (km.Solver(rng=np.random.SeedSequence(5, pool_size=8)), km.Solver(rng=np.random.SeedSequence(5, pool_size=8))),
    ]
    for a, b in pairs:
        assert a == b
        assert hash(a) == hash(b)
    assert km.Solver(rng=np.random.SeedSequence(5)) != km.Solver(rng=np.random.SeedSequence(5, pool_size=8))


def test_copies_are_equal_and_as_read_only():
    solver = km.Solver(init=X[:3], rng=np.random.SeedSequence([1, 2]))
    for again in (pickle.loads(pickle.dumps(solver)), copy.deepcopy(solver)):
        assert again == solver
        assert not again.init.centers.flags.writeable
        assert again.fit(X, 3).objective == solver.fit(X, 3).objective


def test_solvers_compare_by_value():
    assert km.Solver(tol=0) == km.Solver(tol=0)
    assert km.Solver(tol=0) != km.Solver(tol=1)
    assert km.Solver(rng=np.random.SeedSequence(1)) == km.Solver(rng=np.random.SeedSequence(1))
    assert km.Solver(rng=np.random.SeedSequence(1)) != km.Solver(rng=np.random.SeedSequence(2))
    assert km.Solver(init=X[:2]) == km.Solver(init=X[:2])
    assert km.Solver(init=X[:2]) != km.Solver(init=X[1:3])
    assert km.Solver() != "km.Solver()"


def test_a_solver_is_immutable_and_fitting_does_not_change_it():
    solver = km.Solver(rng=np.random.default_rng(0), n_init=2)
    before = repr(solver)
    with pytest.raises(dataclasses.FrozenInstanceError):
        solver.tol = 1.0
    a, b = solver.fit(X, 3), solver.fit(X, 3)
    assert repr(solver) == before
    assert (a.centers == b.centers).all()
    assert a.trace == b.trace


def test_a_generator_is_copied_and_its_position_counts():
    rng = np.random.default_rng(0)
    first = km.Solver("random", rng=rng).fit(X, 3)
    assert rng.random() == np.random.default_rng(0).random()
    second = km.Solver("random", rng=rng).fit(X, 3)
    assert not np.array_equal(first.runs[0].start, second.runs[0].start)


def test_without_a_seed_fits_differ():
    starts = [km.Solver("random", max_iter=0).fit(X, 3).runs[0].start for _ in range(3)]
    assert not (np.array_equal(starts[0], starts[1]) and np.array_equal(starts[1], starts[2]))


@pytest.mark.parametrize(
    "rng", [7, np.random.SeedSequence(7), np.random.default_rng(7), None], ids=["int", "seed", "generator", "none"]
)
def test_each_restart_is_reproducible_alone(rng):
    options = {"init": "random", "empty": "random", "tol": 0}
    result = km.Solver(**options, n_init=6, rng=rng).fit(X, 5)
    assert len(result.runs) == 6
    assert len({run.objective for run in result.runs}) > 1
    for i, run in enumerate(result.runs):
        alone = km.Solver(**options, rng=run.seed).fit(X, 5)
        assert alone.objective == run.objective
        assert alone.trace == run.trace
        assert (alone.runs[0].start == run.start).all()
        if i == result.best:
            assert (alone.labels == result.labels).all()


def test_restarts_are_the_spawned_children_of_the_seed():
    seed = np.random.SeedSequence(7)
    seed.spawn(2)
    assert next_child(seed).generate_state(4).tolist() == copy.deepcopy(seed).spawn(1)[0].generate_state(4).tolist()
    result = km.Solver("random", n_init=2, rng=seed).fit(X, 3)
    assert seed.n_children_spawned == 2
    for run, child in zip(result.runs, seed.spawn(2), strict=True):
        posed = pose(X, 3)
        assert (run.start == km.initializers.random(posed, np.random.default_rng(child))).all()


def test_the_best_restart_is_returned_the_first_of_equals():
    result = km.Solver("random", n_init=20, rng=0, tol=0).fit(X, 4)
    objectives = [run.objective for run in result.runs]
    assert result.objective == min(objectives)
    assert result.best == objectives.index(min(objectives))
    assert result.trace == result.runs[result.best].trace


def test_more_restarts_extend_fewer():
    few, many = (km.Solver("random", n_init=n, rng=4).fit(X, 4) for n in (2, 5))
    assert [run.objective for run in few.runs] == [run.objective for run in many.runs[:2]]


class TestStopping:
    def test_fixed_point(self):
        result = km.Solver(tol=0, rng=0).fit(X, 3)
        assert (result.status, result.exact_fixed_point) == (km.Status.FIXED_POINT, True)
        assert km.Solver(tol=0).fit(X, 3, init_centers=result).n_iter == 1

    def test_fixed_point_by_rounding(self):
        """Labels that go round because the means of equal rows are rounded: the fit ends, and says so."""
        near, far = 0.11520992135269914, 6.114614052466498
        rows, weights = np.array([near] * 3 + [far] * 3)[:, None], [1e-11, 1e-14, 0.01, 1e-07, 10.0, 0.001]
        result = km.Solver(tol=0, empty="keep", verify=True).fit(
            rows, 4, sample_weight=weights, init_centers=[[far], [near], [far], [far]]
        )
        assert result.status is km.Status.FIXED_POINT
        assert not result.exact_fixed_point
        assert result.trace.moved[-1] > 0
        assert result.trace.is_monotone
        assert "(by rounding)" in result.summary()

    def test_labels_are_repaired_again_from_updated_centers(self):
        """The first repair is undone, because another center moves to the same row; the second one holds."""
        result = km.Solver(tol=0, verify=True).fit(
            [[7.0], [2.0], [7.0], [1.0]], 3, sample_weight=[1, 100, 0.1, 0.01], init_centers=[[10.0], [21.0], [3.0]]
        )
        assert (result.objective, len(result.empty)) == (0, 0)
        assert (result.trace.phase == "repair").sum() == 2
        assert result.exact_fixed_point

    def test_a_repair_undone_by_a_tie_is_followed_by_one_more_iteration(self):
        result = km.Solver("uniform", tol=0, rng=313, verify=True).fit([[3.0], [3.0], [0.0]], 3)
        assert (result.objective, result.exact_fixed_point) == (0, True)

    def test_repairs_of_the_same_labels_end(self):
        """A handler and an updater that undo each other for ever are stopped, and it is said."""

        def first_free(problem, state, d, free, rng):
            return int(np.flatnonzero(free)[0])

        def undone(problem, state):
            state.labels[:] = 0

        result = km.Solver(assign=undone, empty=first_free, tol=0, max_iter=1000).fit(
            [[0.0], [1.0], [5.0]], 2, init_centers=[[2.0], [50.0]]
        )
        assert result.status in (km.Status.FIXED_POINT, km.Status.MAX_ITER)
        assert result.n_iter < 20

    def test_a_pending_repair_outlasts_the_tolerance(self):
        """Centers that rest are no reason to stop while a handler still names rows."""
        asked = []

        def late(problem, state, d, free, rng):
            asked.append(0)
            return int(d.argmax()) if len(asked) == 2 else None

        result = km.Solver(empty=late, tol=1e9).fit(X, 2, init_centers=[X.mean(0), [1e3] * 4])
        assert (result.n_iter, result.status) == (2, km.Status.TOLERANCE)
        assert "repair" in result.trace.phase

    def test_tolerance(self):
        result = km.Solver(tol=10.0, rng=0).fit(X, 3)
        assert (result.status, result.n_iter) == (km.Status.TOLERANCE, 1)
        assert not result.exact_fixed_point

    @pytest.mark.parametrize("max_iter", [0, 1, 2])
    def test_max_iter(self, max_iter):
        result = km.Solver("random", tol=0, rng=1, max_iter=max_iter).fit(X, 5)
        assert (result.status, result.n_iter) == (km.Status.MAX_ITER, max_iter)
        assert len(result.trace) == 1 + 2 * max_iter
        assert (result.labels == result.predict(X)).all()
        assert result.trace.phase[-1] == ("assign" if max_iter else "init")

    def test_time(self):
        def slow(problem, state):
            time.sleep(0.05)
            km.assigners.Dense()(problem, state)

        result = km.Solver("random", assign=slow, tol=0, rng=1, max_seconds=0.12, n_init=50).fit(X, 5)
        assert result.status is km.Status.TIME
        assert len(result.runs) < 50
        assert (result.labels == result.predict(X)).all()

    def test_no_time_at_all_still_gives_a_clustering(self):
        result = km.Solver(tol=0, rng=1, max_seconds=0).fit(X, 5)
        assert (result.status, result.n_iter) == (km.Status.TIME, 0)

    def test_callback(self):
        seen = []

        def stop_at_two(snapshot):
            seen.append(snapshot)
            assert not snapshot.centers.flags.writeable
            assert not snapshot.labels.flags.writeable
            return snapshot.n_iter == 2

        result = km.Solver("random", tol=0, rng=1, callback=stop_at_two, n_init=3).fit(X, 5)
        assert (result.status, result.n_iter, len(result.runs)) == (km.Status.CALLBACK, 2, 1)
        assert [s.n_iter for s in seen] == [0, 1, 2]
        assert [s.objective for s in seen] == pytest.approx(result.trace.objective[[0, 2, 4]])
        assert (seen[-1].labels == result.labels).all()

    def test_the_callback_ends_the_fit_even_at_a_fixed_point(self):
        n_iter = km.Solver("random", tol=0, rng=1).fit(X, 3).n_iter
        solver = km.Solver("random", tol=0, rng=1, n_init=5, callback=lambda s: s.n_iter == n_iter)
        result = solver.fit(X, 3)
        assert (result.status, len(result.runs)) == (km.Status.CALLBACK, 1)

    def test_the_callback_sees_every_restart(self):
        seen = []
        km.Solver("random", rng=1, callback=lambda s: seen.append((s.restart, s.n_iter)), n_init=2).fit(X, 3)
        assert {restart for restart, _ in seen} == {0, 1}

    def test_an_exception_in_the_callback_is_the_callers(self):
        def broken(snapshot):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            km.Solver(callback=broken).fit(X, 3)

    @pytest.mark.alone
    @pytest.mark.parametrize("n_iter", [0, 3])
    def test_interrupt_returns_the_best_so_far(self, n_iter):
        def press_ctrl_c(snapshot):
            if snapshot.n_iter == n_iter:
                signal.raise_signal(signal.SIGINT)

        before = signal.getsignal(signal.SIGINT)
        solver = km.Solver("random", tol=0, rng=1, callback=press_ctrl_c, on_interrupt="return", n_init=4)
        result = solver.fit(X, 6)
        assert (result.status, result.n_iter, len(result.runs)) == (km.Status.INTERRUPTED, n_iter, 1)
        assert (result.labels == result.predict(X)).all()
        assert result.trace.is_monotone
        assert signal.getsignal(signal.SIGINT) is before

    @pytest.mark.alone
    def test_interrupt_raises_by_default(self):
        with pytest.raises(KeyboardInterrupt):
            km.Solver(callback=lambda s: signal.raise_signal(signal.SIGINT)).fit(X, 3)
        assert km.kmeans(X, 3, rng=0, n_init=10).objective == pytest.approx(78.8514414261460)

    def test_fits_in_other_threads_leave_signals_alone(self):
        results = []
        solver = km.Solver(on_interrupt="return", rng=0)
        thread = threading.Thread(target=lambda: results.append(solver.fit(X, 3)))
        thread.start()
        thread.join()
        assert results[0].objective == solver.fit(X, 3).objective


@pytest.mark.compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_chunks_against_numpy(dtype):
    """Enough rows that every sweep is cut, and every merge has several levels."""
    rng = np.random.default_rng(0)
    big = (rng.normal(size=(100_000, 3)) + 5 * rng.integers(0, 4, (100_000, 1))).astype(dtype)
    w, start = rng.integers(1, 5, 100_000).astype(float), big[:7].astype(float)
    centers = start.copy()
    for _ in range(4):
        labels = ((big[:, None].astype(float) - centers) ** 2).sum(-1).argmin(1)
        centers = np.array(
            [np.average(big[labels == j].astype(float), axis=0, weights=w[labels == j]) for j in range(7)]
        )
    distances = ((big[:, None].astype(float) - centers) ** 2).sum(-1)
    result = km.Solver(tol=0, max_iter=4, verify=True).fit(big, 7, sample_weight=w, init_centers=start)
    assert result.centers == pytest.approx(centers, rel=1e-12)
    assert (result.labels == distances.argmin(1)).all()
    assert result.objective == pytest.approx(w @ distances.min(1), rel=1e-12)
    assert (result.sizes == np.bincount(result.labels)).all()


@pytest.mark.compiled
def test_the_number_of_threads_changes_no_bit():
    rng = np.random.default_rng(0)
    big = rng.normal(size=(60_000, 3)) + rng.integers(0, 5, (60_000, 1))
    w = rng.random(60_000)
    one, many, more = (km.Solver(rng=0, threads=t, max_iter=20).fit(big, 9, sample_weight=w) for t in (1, None, 64))
    for other in (many, more):
        assert (one.centers == other.centers).all()
        assert (one.labels == other.labels).all()
        assert one.trace == other.trace


def test_threads_are_limited_during_the_fit_only():
    import numba

    seen = []
    before = numba.get_num_threads()
    km.Solver(threads=1, callback=lambda s: seen.append(numba.get_num_threads())).fit(X, 3)
    assert set(seen) == {1}
    assert numba.get_num_threads() == before


@pytest.mark.parametrize("progress", [False, True])
def test_progress_shows_on_long_fits_only(progress, capsys, monkeypatch):
    from kmtoolkit import progress as module

    km.Solver(progress=progress, rng=0).fit(X, 3)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.0)
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(module, "_rich_status", lambda: None)
    km.Solver(progress=progress, rng=0, n_init=2).fit(X, 3)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("restart 2 of 2, iteration" in captured.err) is progress


def test_kmeans_is_the_recipe():
    w = np.arange(150) % 3
    recipe = km.kmeans(X, 3, sample_weight=w, init="random", rng=5, n_init=3, tol=0)
    solver = km.Solver("random", rng=5, n_init=3, tol=0).fit(X, 3, sample_weight=w)
    assert recipe.objective == solver.objective
    assert (recipe.labels == solver.labels).all()
    assert (km.kmeans(X, 3, init_centers=X[:3]).runs[0].start == X[:3]).all()


def test_options_are_given_by_name():
    kinds = {name: p.kind for name, p in inspect.signature(km.Solver).parameters.items()}
    by_place = [name for name, kind in kinds.items() if kind is not inspect.Parameter.KEYWORD_ONLY]
    assert by_place == ["init", "assign", "update", "empty"]


def test_refused_rows_are_counted_in_every_chunk(thin_slices):
    """An assigner that is not exact proposes the farther center for every third row."""
    big = np.random.default_rng(0).normal(size=(900, 2))
    calls = []

    def third_wrong(problem, state):
        km.assigners.Dense()(problem, state)
        if calls:
            state.labels[::3] = 1 - state.labels[::3]
        calls.append(1)

    start = [[-1.0, 0.0], [1.0, 0.0]]
    trace = (
        km.Solver(assign=third_wrong, update=lambda p, s: None, max_iter=1, tol=0).fit(big, 2, init_centers=start).trace
    )
    assert trace.refused.tolist() == [0, 0, 300]


def test_a_fit_of_nothing_but_zeros_ends():
    """Where no term is left whose rounding could be allowed for."""

    def mean(problem, state):
        state.centers[:] = state.origin + state.sums / state.mass[:, np.newaxis]

    assert km.Solver(update=mean, tol=0).fit(np.zeros((3, 1)), 1).status is km.Status.FIXED_POINT


def test_one_label_that_is_none_is_enough():
    def one_missing(problem, state):
        state.labels[:] = 0
        state.labels[1] = -1

    with pytest.raises(km.StrategyError, match="wrote label -1; labels must be 0 to 2"):
        km.Solver(assign=one_missing).fit(X, 3)


def test_a_trace_that_rises_once_is_not_monotone():
    @km.updater("to-and-fro", monotone=False)
    def to_and_fro(problem, state):
        state.centers[:] *= -1.0

    trace = km.Solver([[1.0], [2.0]], update="to-and-fro", max_iter=4, tol=0).fit([[1.0], [2.0], [3.0]], 2).trace
    assert (np.diff(trace.objective) > 0).any()
    assert (np.diff(trace.objective) < 0).any()
    assert not trace.is_monotone


def test_a_repair_leaves_its_donor_a_row_and_counts_its_distances():
    """Two rows that could be taken, of one cluster, and three clusters to fill."""
    rows, start = [[0.0], [1.0], [10.0], [10.0], [10.0]], [[0.5], [10.0], [99.0], [999.0], [9999.0]]
    trace = km.Solver(start, max_iter=1, tol=0).fit(rows, 5).trace
    repair = trace.phase.tolist().index("repair")
    assert (trace.moved[repair], trace.empty[repair]) == (1, 2)
    assert trace.distances[repair] == 2 * len(rows)
