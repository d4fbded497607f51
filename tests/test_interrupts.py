"""Ended from outside, at any moment: a fit returns its latest assignment, and nothing is corrupted."""

import itertools
import signal
import sys

import numpy as np
import pytest
import reference
from processes import FIT, python

import kmtoolkit as km
from kmtoolkit.kernels import grid
from kmtoolkit.options import Limits

rng = np.random.default_rng(7)
X = np.round(rng.normal(size=(300, 2)), 1)
W = rng.integers(0, 3, 300).astype(float)
START = np.vstack([X[:6], [[40.0, 40.0], [50.0, 50.0]]])


def strike(monkeypatch, moment):
    """Let the clock of fits with a time limit strike when it is looked at for the moment-th time; count the looks."""
    looks = itertools.count()
    monkeypatch.setattr(Limits, "out_of_time", lambda limits: limits.max_seconds is not None and next(looks) >= moment)
    return looks


def bits(result):
    arrays = result.centers, result.labels, result.sizes, result.trace.objective, result.trace.drop, result.trace.moved
    return [a.tobytes() for a in arrays], result.trace.largest_rise, result.trace.rebuild_error


def test_slices_change_no_bit(monkeypatch):
    solver = km.Solver(rng=0, tol=0)
    monkeypatch.setattr(grid, "OPERATIONS_PER_CHUNK", 64)
    whole = solver.fit(X, 8, sample_weight=W)
    monkeypatch.setattr(grid, "OPERATIONS_PER_SLICE", 64)
    assert bits(solver.fit(X, 8, sample_weight=W)) == bits(whole)


OPTIONS = [
    {"empty": "farthest"},
    {"empty": "drop"},
    {"empty": "keep", "verify": True},
    {"empty": "random", "n_init": 3},
]


@pytest.mark.compiled
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_time_may_be_over_at_any_moment(options, thin_slices, monkeypatch):
    """Wherever the clock strikes, the result is that of a fit with so many iterations, bit for bit."""
    solver = km.Solver("random", tol=0, rng=3, max_seconds=1e9, **options)
    starts = {} if "n_init" in options else {"init_centers": START}
    looks = strike(monkeypatch, np.inf)
    solver.fit(X, 8, sample_weight=W, **starts)
    total = next(looks)
    ended = set()
    for moment in range(0, total, max(total // 25, 1)):
        strike(monkeypatch, moment)
        result = solver.fit(X, 8, sample_weight=W, **starts)
        assert result.status is km.Status.TIME or moment >= total - 2  # a fixed point comes before the clock
        run = result.runs[result.best]
        twin = km.Solver("random", tol=0, rng=run.seed, max_iter=run.n_iter, empty=options["empty"])
        assert bits(result) == bits(twin.fit(X, 8, sample_weight=W, **starts))
        assert (result.labels == result.predict(X)).all()
        assert result.trace.is_monotone
        expected = reference.objective(X[W > 0], W[W > 0], result.centers, result.labels[W > 0])
        assert result.objective == result.trace.objective[-1] == pytest.approx(expected, rel=1e-13)
        ended.add((len(result.runs), result.n_iter))
    assert len(ended) >= 3
    assert total > 100


SOFT = {
    "soft k-means": lambda **o: km.soft_kmeans(X, 8, beta=3.0, sample_weight=W, init_centers=START, **o),
    "annealed": lambda **o: km.soft_kmeans(
        X, 4, beta=4.0, anneal=2.0, sample_weight=W, init_centers=np.zeros((4, 2)), rng=0, **o
    ),
    "fuzzy c-means": lambda **o: km.fuzzy_cmeans(X, 8, m=1.05, sample_weight=W, init_centers=START, **o),
    "mixture": lambda **o: km.gaussian_mixture(
        X, 8, covariance="diag", sample_weight=W, init_centers=START, init_covariances=np.full((8, 2), 0.1), **o
    ),
    "hard EM": lambda **o: km.hard_em(X, 8, sample_weight=W, init_centers=START, **o),
}


@pytest.mark.compiled
@pytest.mark.parametrize("family", SOFT)
def test_a_soft_fit_may_be_abandoned_at_any_moment(family, thin_slices, monkeypatch):
    """Also in a trial: the result is that of a fit with so many iterations, and F belongs to its parameters."""
    fit, options = SOFT[family], {"max_seconds": 1e9, "max_iter": 12 if family == "annealed" else 4, "tol": 1e-3}
    looks = strike(monkeypatch, np.inf)
    whole = fit(**options)
    assert {"annealed": "kick", "soft k-means": "repair", "fuzzy c-means": "update"}.get(
        family, "covariances"
    ) in whole.trace.phase
    total, ended = next(looks), set()
    for moment in range(0, total, max(total // 20, 1)):
        looks = strike(monkeypatch, moment)
        result = fit(**options)
        ended.add(result.n_iter)
        assert result.trace.is_monotone
        assert (result.labels == result.predict(X)).all()
        for name in ("phase", "iteration", "drop", "moved", "refused"):
            column = getattr(result.trace, name)
            assert (column == getattr(whole.trace, name)[: len(column)]).all()
        strike(monkeypatch, np.inf)
        again = km.Solver(assign=assigner_of(result.objective_model), update="mean", max_iter=0).fit(
            X, len(result.centers), sample_weight=W, init_centers=result.centers, **given(result)
        )
        assert again.objective == pytest.approx(result.objective, rel=1e-12)
    assert len(ended) >= 3


def assigner_of(objective):
    """An assigner for a soft objective."""
    if objective.name == "soft-k-means":
        return km.assigners.Softmax(objective.beta)
    if objective.name == "fuzzy-c-means":
        return km.assigners.Fuzzy(objective.m)
    kind = km.assigners.HardGaussian if objective.name.startswith("hard") else km.assigners.Gaussian
    return kind(objective.covariance)


def given(result):
    """The parameters of a result, as a start."""
    named = {"init_weights": result.weights} if "fuzzy" not in result.objective_name else {}
    return named | ({"init_covariances": result.covariances} if isinstance(result, km.MixtureResult) else {})


@pytest.mark.compiled
def test_a_fit_that_is_not_certified_is_taken_back_too(thin_slices, monkeypatch):
    @km.updater("careless", monotone=False)
    def careless(problem, state):
        mean = state.origin + state.sums / np.maximum(state.mass, 1e-9)[:, np.newaxis]
        state.centers[:] += 2.3 * (mean - state.centers)

    solver = km.Solver(X[:5], update="careless", tol=0, max_iter=30, max_seconds=1e9)
    for moment in range(20, 200, 20):
        strike(monkeypatch, moment)
        result = solver.fit(X, 5)
        assert result.status is km.Status.TIME
        assert bits(result) == bits(km.Solver(X[:5], update="careless", tol=0, max_iter=result.n_iter).fit(X, 5))


def test_the_first_assignment_is_always_finished(thin_slices, monkeypatch):
    """There is nothing to return before it."""
    strike(monkeypatch, 0)
    result = km.Solver(rng=0, n_init=5, max_seconds=1e9).fit(X, 4)
    assert (result.status, result.n_iter, len(result.runs)) == (km.Status.TIME, 0, 1)


def pressing_at(n_iter):
    """An assigner that presses Ctrl-C in the middle of iteration n_iter, before its sweep."""

    class Pressing(km.assigners.Dense):
        calls = 0

        def __call__(self, problem, state):
            if Pressing.calls == n_iter:
                signal.raise_signal(signal.SIGINT)
            Pressing.calls += 1
            super().__call__(problem, state)

    return Pressing()


@pytest.mark.parametrize("n_iter", [1, 4])
def test_ctrl_c_inside_a_sweep_returns_the_latest_assignment(n_iter, thin_slices):
    before = signal.getsignal(signal.SIGINT)
    solver = km.Solver("random", tol=0, rng=1, on_interrupt="return", n_init=3)
    result = km.Solver("random", pressing_at(n_iter), tol=0, rng=1, on_interrupt="return", n_init=3).fit(X, 6)
    assert (result.status, result.n_iter, len(result.runs)) == (km.Status.INTERRUPTED, n_iter - 1, 1)
    assert bits(result) == bits(km.Solver("random", tol=0, rng=1, max_iter=n_iter - 1).fit(X, 6))
    assert signal.getsignal(signal.SIGINT) is before
    assert solver.fit(X, 6).status is km.Status.FIXED_POINT


@pytest.mark.parametrize("n_iter", [0, 3])
def test_ctrl_c_in_a_strategy_raises_by_default(n_iter, thin_slices):
    with pytest.raises(KeyboardInterrupt):
        km.Solver(assign=pressing_at(n_iter), rng=1).fit(X, 6)


def test_ctrl_c_before_there_is_anything_to_return():
    def endless(problem, rng):
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not reached")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        km.Solver(endless, rng=1, on_interrupt="return").fit(X, 6)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_after_the_last_iteration_is_told_too(monkeypatch):
    from kmtoolkit import solver

    def pressing(*arguments):
        signal.raise_signal(signal.SIGINT)
        return result(*arguments)

    result = solver._result
    monkeypatch.setattr(solver, "_result", pressing)
    assert km.Solver(rng=1, on_interrupt="return").fit(X, 3).status is km.Status.INTERRUPTED


def test_ctrl_c_stays_ignored_where_it_is():
    """As under nohup."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        result = km.Solver("random", pressing_at(1), tol=0, rng=1, on_interrupt="return").fit(X, 6)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.status is km.Status.FIXED_POINT


def test_what_a_callback_calls_is_not_abandoned(thin_slices, monkeypatch):
    """Though time is over, and predict runs the same sweeps."""
    strike(monkeypatch, 0)
    fitted, told = km.kmeans(X, 4, rng=0), []
    km.Solver(max_seconds=1e9, callback=lambda s: told.append(fitted.predict(X))).fit(X, 4)
    assert [labels.tolist() for labels in told] == [fitted.labels.tolist()]


def test_a_second_ctrl_c_raises_at_once():
    """Even where nothing looks, as in a strategy that never ends."""

    def endless(problem, state):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not reached")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        km.Solver(update=endless, on_interrupt="return", rng=0).fit(X, 3)
    assert signal.getsignal(signal.SIGINT) is before


MOMENTS = (
    FIT
    + """
import json, os, random, signal, threading, time
from kmtoolkit.kernels import grid
grid.OPERATIONS_PER_SLICE = 1 << 18
right = digest()
X = np.random.default_rng(0).normal(size=(9_000, 5))
lasts = min(km.Solver("random", rng=trial, tol=0, max_iter=60).fit(X, 14).trace.seconds[-1] for trial in range(5))
moments, ends, wrong = random.Random(0), [], 0
for trial in range(MANY):
    solver = km.Solver("random", rng=trial, tol=0, max_iter=60, on_interrupt=("raise", "return")[trial % 2])
    timer = threading.Timer(moments.uniform(0, lasts), os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        result = solver.fit(X, 14)
        ends.append("returned" if result.status is km.Status.INTERRUPTED else "finished")
        wrong += not (result.trace.is_monotone and (result.labels == result.predict(X)).all())
        timer.join()
        time.sleep(0.01)
    except KeyboardInterrupt:
        ends[trial:] = ["raised"]
        timer.join()
    if trial % 20 == 0:
        wrong += digest() != right
from kmtoolkit.kernels import threads
import numba
wrong += (threads.workers(), numba.get_num_threads(), len(threads._fits)) != (2, 2, 0)
print(json.dumps([{end: ends.count(end) for end in ("raised", "returned", "finished")}, wrong, digest() == right]))
"""
)


@pytest.mark.compiled
@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends the process")
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
@pytest.mark.parametrize("many", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_ctrl_c_at_random_moments(layer, many):
    ends, wrong, right = python(MOMENTS.replace("MANY", str(many)), NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS=2)
    assert (wrong, right) == (0, True)
    assert sum(ends.values()) == many
    assert ends["raised"] >= many // 4
    assert ends["returned"] > 0 or many < 200  # on a busy machine most signals come before or after the fit
