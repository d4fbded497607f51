"""What ``auto`` chooses, when it changes its mind, and what it tells about it."""

from types import SimpleNamespace

import numpy as np
import pytest

import kmtoolkit as km
from kmtoolkit.assigners import auto
from kmtoolkit.problem import Problem


@pytest.fixture
def no_work_is_little(monkeypatch):
    monkeypatch.setattr(auto, "LITTLE", 0)
    monkeypatch.setitem(auto.BEGIN, "hamerly", 0.0)


def blobs(n, d, k, spread=4.0, seed=0):
    rng = np.random.default_rng(seed)
    return spread * rng.normal(size=(k, d))[rng.integers(k, size=n)] + rng.normal(size=(n, d))


def chosen(n, d, k, limit=1 << 32):
    return auto.prior(Problem(np.empty((n, d)), np.ones(1), k), limit)


@pytest.mark.parametrize(
    ("n", "d", "k", "engine"),
    [
        (150, 4, 3, "dense"),  # little work
        (1_000_000, 2, 1, "dense"),  # one center
        (1_000_000, 1, 8, "sorted-1d"),
        (1_000_000, 1, 256, "sorted-1d"),
        (1_000_000, 2, 100, "tree"),
        (1_000_000, 3, 1000, "tree"),
        (1_000_000, 4, 128, "tree"),
        (100_000, 4, 128, "hamerly"),
        (100_000, 4, 2000, "exponion"),
        (500_000, 8, 50, "hamerly"),
        (20_000, 16, 2000, "yinyang"),
        (100_000, 64, 256, "yinyang"),
    ],
)
def test_the_prior(n, d, k, engine):
    assert chosen(n, d, k)[0] == engine


def test_memory_decides():
    n, d, k = 100_000, 2, 100
    for limit, engine in [(25 * n, "tree"), (25 * n - 1, "hamerly"), (4 * n, "hamerly"), (4 * n - 1, "dense")]:
        assert chosen(n, d, k, limit)[0] == engine


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("n", "d", "k", "engine"),
    [
        (200_000, 1, 150, "sorted-1d"),
        (50_000, 2, 100, "tree"),
        (20_000, 4, 1000, "exponion"),
        (5_000, 64, 400, "yinyang"),
        (20_000, 8, 64, "hamerly"),
    ],
)
def test_memory_limit_is_kept(n, d, k, engine):
    """A byte less than what an engine keeps, and it is another."""
    X = blobs(n, d, k)
    assert chosen(n, d, k)[0] == engine
    kept = km.Solver("uniform", assign=engine, rng=0, max_iter=12, tol=0).fit(X, k).trace.memory.max()
    assert kept >= (9 * n if engine == "yinyang" else 4 * n)
    for limit in (kept - 1, 4 * n - 1):
        assign = km.assigners.Auto(memory_limit=int(limit))
        trace = km.Solver("uniform", assign=assign, rng=0, max_iter=8, tol=0).fit(X, k).trace
        assert engine not in trace.engine
        assert trace.memory.max() <= limit


@pytest.mark.parametrize(
    ("costs", "left_at"),
    [
        ([0.2, 0.3, 1.5, 1.5, 0.2], None),  # a center jumps
        ([1.04, 1.04], 1),  # a little worse, again and again
        ([1.2], 0),
        ([0.0] * 50 + [1.5] * 5, 54),  # what was spared long ago does not count for ever
    ],
)
def test_when_a_method_is_left(costs, left_at):
    problem = Problem(np.zeros((10, 2)), np.ones(10), 2)
    state = SimpleNamespace(shift=np.zeros(2), centers=np.zeros((2, 2)), labels=np.zeros(10, np.int32))
    memory = auto.Memory("hamerly", "", rest=1, wait=2)
    for call, cost in enumerate([1.0, 9.0, *costs]):  # of dense, and of the first call, which tells nothing
        if call == 1:
            memory.use("hamerly", "", problem, state)
        memory.calls += 1
        km.assigners.Auto().judge(problem, state, memory, cost)
        if memory.engine == "dense" and call > 1:
            assert call - 2 == left_at
            assert memory.rest == 4
            return
    assert left_at is None


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"memory_limit": 0}, "memory_limit is 0; it must be at least 1"),
        ({"memory_limit": 1e9}, "memory_limit is 1000000000.0 of type float; it must be an int"),
        ({"timed": 1}, "timed is 1; it must be True or False"),
    ],
)
def test_bad_options(options, error):
    with pytest.raises((TypeError, ValueError), match=error):
        km.assigners.Auto(**options)
    if "memory_limit" in options:
        with pytest.raises((TypeError, ValueError), match=error):
            km.assigners.Yinyang(**options)


@pytest.mark.parametrize("slow", [True, False])
def test_a_tree_is_planted_only_after_the_calls_that_it_costs(slow, no_work_is_little, monkeypatch):
    """Or after fewer, if the centers will be under way for long."""
    monkeypatch.setattr(auto, "SLOW", auto.SLOW if slow else np.inf)
    X = np.random.default_rng(0).random((4000, 2))
    _, _, rest = chosen(*X.shape, 10)
    assert rest > auto.SOON
    rest = auto.SOON if slow else rest
    result = km.Solver("uniform", tol=0, max_iter=rest + 3, rng=3).fit(X, 10)
    engines = result.trace.engine[np.isin(result.trace.phase, ["init", "assign"])].tolist()
    assert engines[:rest] == ["dense"] * rest
    assert set(engines[rest:]) == {"tree"}
    assert [note.split(":")[0] for note in result.notes] == ["dense from call 0", f"tree from call {rest}"]
    assert "calls at most, because tree takes time before it spares any" in result.notes[0]
    assert "assigner    tree from call" in result.summary()


def test_no_tree_is_planted_for_centers_that_come_to_rest(no_work_is_little):
    X = blobs(2000, 2, 5, spread=50.0, seed=1)
    notes = km.Solver("k-means++", tol=0, rng=0).fit(X, 5).notes
    assert [note.split(":")[0] for note in notes] == ["dense from call 0"]


@pytest.mark.compiled
def test_bounds_that_spare_nothing_rest_and_are_tried_again(no_work_is_little):
    """Untimed, so that the shares of rows alone decide."""
    X = np.random.default_rng(0).random((1000, 40))
    options = {"tol": 0, "max_iter": 40, "rng": 0}
    result, same = (km.Solver("uniform", assign=km.assigners.Auto(timed=False), **options).fit(X, 20) for _ in "ab")
    dense = km.Solver("uniform", assign="dense", **options).fit(X, 20)
    assert (result.labels == dense.labels).all()
    assert result.n_iter == dense.n_iter
    engines = result.trace.engine[np.isin(result.trace.phase, ["init", "assign"])].tolist()
    assert engines[:2] == ["dense"] * 2
    assert engines[2:4] == ["hamerly"] * 2
    assert engines[4:8] == ["dense"] * 4
    assert engines[8] == "hamerly"
    assert "of the rows had to be compared again" in result.notes[2]
    assert (result.trace.distances == same.trace.distances).all()


def test_bounds_that_spare_much_stay(no_work_is_little):
    X = blobs(2000, 8, 20, spread=8.0)
    result = km.Solver("uniform", assign=km.assigners.Auto(timed=False), tol=0, rng=3).fit(X, 20)
    engines = result.trace.engine[np.isin(result.trace.phase, ["init", "assign"])]
    assert engines[-1] == "hamerly"
    assert result.trace.survivors[-1] < 0.2 * len(X)


def test_the_clock_decides_by_default(monkeypatch, no_work_is_little):
    """By a clock that stands still no call takes long; by one that runs ever faster, every later call does."""
    X = blobs(1000, 8, 20, spread=8.0)
    for ticks, engines in [(0.0, ["hamerly"] * 4), (1.0, ["hamerly"] * 2 + ["dense"] * 2)]:
        now = [0.0, 0.0]

        def clock(now=now, ticks=ticks):
            now[1] += ticks
            now[0] += now[1]
            return now[0]

        monkeypatch.setattr(auto, "clock", clock)
        trace = km.Solver("uniform", assign=km.assigners.Auto(), tol=0, rng=3, max_iter=6).fit(X, 20).trace
        assert trace.engine[np.isin(trace.phase, ["init", "assign"])].tolist()[:6] == ["dense"] * 2 + engines
