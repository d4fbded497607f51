"""Exact assigners that spare distances go the way of ``dense``: the same labels and centers after every half-step."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kmtoolkit as km
from kmtoolkit import registry, testing
from kmtoolkit.assigners import yinyang
from kmtoolkit.kernels import closest
from kmtoolkit.kernels.jit import most_threads, plain_python
from kmtoolkit.problem import State, admit
from kmtoolkit.testing.generate import starts
from kmtoolkit.testing.harness import watched

ROWS = [
    row
    for row in registry.rows("assigner")
    if row.exact and "squared-euclidean" in row.objectives and row.name != "dense"
]
REMEMBERING = [row for row in ROWS if hasattr(registry.resolve("assigner", row.name).run, "init")]
HANDLERS = ["keep", "drop", "random", "farthest", "split"]
SCALES = [1.0, 1.0, 1e18, 1e60, 1e-130]
every = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
remembering = pytest.mark.parametrize("row", REMEMBERING, ids=lambda row: row.name)
bounded = pytest.mark.parametrize(  # ``auto`` may leave it to dense
    "row", [row for row in REMEMBERING if row.name != "auto"], ids=lambda row: row.name
)


def path(assign, X, k, **options):
    """All that a fit did: labels and centers after every assignment, and the trace."""
    start, weights = options.pop("start", None), options.pop("weights", None)
    steps = []

    def look(snapshot):
        steps.append((snapshot.labels.tobytes(), snapshot.centers.tobytes()))

    solver = km.Solver(**{"assign": assign, "init": "random", "tol": 0, "rng": 0, "callback": look, **options})
    return steps, solver.fit(X, k, sample_weight=weights, init_centers=start)


def check_same_path(row, X, k, **options):
    """The same path as that of dense."""
    X = np.ascontiguousarray(X[:, : row.columns])
    if options.get("start") is not None:
        options["start"] = options["start"][:, : row.columns]
    expected, dense = path("dense", X, k, **options)
    steps, result = path(row.name, X, k, **options)
    for at, (step, right) in enumerate(zip(steps, expected, strict=False)):
        wrong = np.flatnonzero(np.frombuffer(step[0], np.int32) != np.frombuffer(right[0], np.int32))
        assert len(wrong) == 0, f"rows {wrong[:5]} in iteration {at}"
        assert step[1] == right[1], f"centers in iteration {at}"
    for column in ("iteration", "phase", "moved", "refused", "empty", "max_shift", "objective"):
        assert getattr(result.trace, column).tolist() == getattr(dense.trace, column).tolist(), column
    assert (result.n_iter, result.status, len(steps)) == (dense.n_iter, dense.status, len(expected))
    assert (result.labels.tobytes(), result.centers.tobytes()) == (dense.labels.tobytes(), dense.centers.tobytes())
    return result


# few rows, all kinds of them


@st.composite
def fits(draw):
    """X, k, and options of a fit: ties, duplicates, offsets, scales, weights, and starts that leave clusters empty."""
    X, k, weights = draw(testing.problems(max_rows=40, max_columns=draw(st.sampled_from([2, 9]))))
    start, scale = draw(starts(X, k)), draw(st.sampled_from(SCALES))
    if scale != 1.0:
        if abs(np.log10(scale)) > 20:
            X = X.astype(np.float64)
        X = X * X.dtype.type(scale)
        start = None if start is None else start * scale
    empty, seed = draw(st.sampled_from(HANDLERS)), draw(st.integers(0, 99))
    return X, k, dict(start=start, weights=weights, empty=empty, rng=seed, verify=True)


@pytest.mark.parametrize("examples", [8 if plain_python else 40, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "cut_fine", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["as it is", "tiles and chunks"]
)
@every
def test_few_rows(row, cut_fine, examples, monkeypatch, request):
    if cut_fine:
        monkeypatch.setattr(closest, "LEAST_WORK", 0)
        request.getfixturevalue("thin_slices")

    @settings(max_examples=examples)
    @given(fit=fits())
    def check(fit):
        X, k, options = fit
        check_same_path(row, X, k, **options, threads=1)

    check()


@pytest.mark.parametrize("empty", HANDLERS)
@every
def test_the_zoo(row, empty):
    for case in testing.zoo():
        case = case.started()
        check_same_path(
            row, case.X, case.k, start=case.init_centers, weights=case.sample_weight, empty=empty, verify=True
        )


@every
def test_one_two_and_all_clusters(row):
    rng = np.random.default_rng(7)
    X = np.concatenate([rng.integers(0, 3, (60, 3)), rng.normal(size=(60, 3))])
    for k in (1, 2, len(X)):
        for dtype in (np.float32, np.float64):
            check_same_path(row, X.astype(dtype), k, start=X[rng.permutation(len(X))[:k]], empty="keep", verify=True)


# enough rows for chunks, blocks and tiles


def large(seed):
    """X, k, and options of a fit of thousands of rows."""
    rng = np.random.default_rng(seed)
    n, d, k = rng.integers(3000, 9000), int(rng.choice([1, 2, 3, 5, 8, 17, 33])), int(rng.choice([2, 9, 40, 130]))
    kind = ["blobs", "uniform", "grid", "duplicates", "far", "lognormal", "scaled", "tiny"][seed % 8]
    places = rng.normal(size=(k, d)) * rng.choice([1.0, 4.0])
    blobs = places[rng.integers(k, size=n)] + rng.normal(size=(n, d))
    X = {
        "blobs": lambda: blobs,
        "uniform": lambda: rng.random((n, d)),
        "grid": lambda: rng.integers(-3, 4, (n, d)).astype(float),
        "duplicates": lambda: blobs[rng.integers(n // 8, size=n)],
        "far": lambda: blobs + 1e6,
        "lognormal": lambda: rng.lognormal(0, 3, (n, d)),
        "scaled": lambda: blobs * rng.choice([1e18, 1e60]),
        "tiny": lambda: blobs * 1e-140,
    }[kind]()
    if kind not in ("scaled", "tiny") and rng.random() < 0.6:
        X = X.astype(np.float32)
    start = X[rng.permutation(n)[:k]].astype(np.float64)
    if rng.random() < 0.5:  # empty clusters
        start[k // 2 :] += 3 * np.ptp(X)
    weights = rng.integers(0, 3, n) + rng.integers(2, size=n) / 4 if rng.random() < 0.4 else None
    return X, k, dict(start=start, weights=weights, empty=HANDLERS[seed % 5], max_iter=12)


@pytest.mark.compiled
@pytest.mark.parametrize("seeds", [(0, 7), pytest.param(range(30), marks=pytest.mark.slow)], ids=["few", "many"])
@every
def test_thousands_of_rows(row, seeds, monkeypatch):
    for seed in seeds:
        X, k, options = large(seed)
        if seed >= 15 or seed == seeds[-1]:
            request_groups(monkeypatch)
        try:
            check_same_path(row, X, k, **options, threads=1)
        except AssertionError as error:
            error.add_note(f"large({seed})")
            raise


def request_groups(monkeypatch):
    """From now on ``yinyang`` has groups of centers, whether they pay or not."""
    monkeypatch.setattr(yinyang, "FEWEST", 2)
    monkeypatch.setattr(yinyang, "worthwhile", lambda *case: 1.0)


@pytest.mark.compiled
def test_groups_come_when_they_pay():
    rng = np.random.default_rng(2)
    blobs = rng.normal(size=(200, 64))[rng.integers(200, size=8000)] + 0.5 * rng.normal(size=(8000, 64))
    row = next(row for row in ROWS if row.name == "yinyang")
    for X, pay in [(blobs, True), (rng.random((8000, 64)), False)]:
        trace = check_same_path(row, X, 200, init="uniform", max_iter=8).trace
        assigned = np.isin(trace.phase, ["init", "assign"])
        spared = trace.distances[assigned] < 0.9 * 200 * trace.survivors[assigned]
        assert not spared[:2].any()
        assert spared.any() == pay


@pytest.mark.compiled
@pytest.mark.parametrize("given_up", [False, True])
@pytest.mark.parametrize("empty", ["farthest", "drop"])
def test_groups_that_are_used_to_the_end(empty, given_up, monkeypatch):
    """Few rows for each center, so that bounds are often brought to the present; or groups are cut again and again."""
    request_groups(monkeypatch)
    if given_up:
        monkeypatch.setattr(yinyang, "TOO_MANY", 0.01)
    rng = np.random.default_rng(6)
    X = rng.normal(size=(600, 3))
    start = X[:70].copy()
    start[62:] += 100
    row = next(row for row in ROWS if row.name == "yinyang")
    trace = check_same_path(row, X, 70, start=start, empty=empty, max_iter=40, verify=True).trace
    assert trace.memory.max() > 5 * 5 * len(X)
    assert trace.iteration[-1] >= 10  # bounds are brought to the present after eight calls with groups


@pytest.mark.compiled
@every
def test_a_fit_to_the_end(row):
    rng = np.random.default_rng(5)
    X = np.concatenate([rng.normal(size=(6000, 4)), 1e3 + rng.normal(size=(30, 4))])
    result = check_same_path(row, X, 24, start=X[:24].copy(), verify=True, threads=1)
    assert result.status is km.Status.FIXED_POINT


@pytest.mark.slow  # the kit has a rule of its own; this one looks at the counts too
@pytest.mark.compiled
@pytest.mark.skipif(most_threads() == 1, reason="this process has one thread")
@every
def test_the_same_bits_for_any_number_of_threads(row, monkeypatch):
    for seed in (0, 9):  # of either dtype
        if seed == 9:
            request_groups(monkeypatch)
        X, k, options = large(seed)
        X, options["start"] = np.ascontiguousarray(X[:, : row.columns]), options["start"][:, : row.columns]
        assigner = km.assigners.Auto(timed=False) if row.name == "auto" else row.name
        (one, first), (two, second) = (path(assigner, X, k, **options, threads=threads) for threads in (1, 2))
        assert one == two
        assert first.trace == second.trace
        for column in ("distances", "survivors", "memory", "engine"):
            assert getattr(first.trace, column).tolist() == getattr(second.trace, column).tolist()


# what is remembered


def clustered(columns=None, n=20_000, k=16):
    rng = np.random.default_rng(11)
    X = 50.0 * rng.integers(0, 4, (k, 2))[rng.integers(k, size=n)] + rng.normal(size=(n, 2))
    return X[:, :columns].copy(), k, rng.permutation(n)[:k]


def opened(row):
    """A problem, a state of which everything can be written, and the assigner with its memory after one call."""
    X, k, chosen = clustered(row.columns)
    problem, assigner = admit(X, k).problem, registry.resolve("assigner", row.name).run
    state = State(X[chosen], np.full(len(X), -1, np.int32), np.zeros(k, np.int64), np.zeros(k),
                  np.zeros((k, X.shape[1])), np.zeros(X.shape[1]), np.zeros(k))  # fmt: skip
    memory = assigner.init(problem, state)
    assigner(problem, state, memory)
    return problem, state, assigner, memory


@pytest.mark.compiled
@remembering
def test_relabeled_rows_are_compared_again(row):
    problem, state, assigner, memory = opened(row)
    for _ in range(3):  # so that most rows are spared
        assigner(problem, state, memory)
    right = state.labels.copy()
    rows = np.array([19_999, 0, 5000, 4999, 7])
    state.labels[rows] = (right[rows] + 1) % problem.k
    assigner.relabeled(problem, state, memory, rows)
    moved = assigner(problem, state, memory)
    assert (state.labels == right).all()
    assert moved is None or set(rows.tolist()) <= set(moved.tolist())
    again = assigner(problem, state, memory)
    assert again is None or again.tolist() == []


@pytest.mark.compiled
@remembering
def test_moves_are_consumed_at_every_call(row):
    """A center that goes away by small steps and comes back at once takes its rows along and back."""
    problem, state, assigner, memory = opened(row)
    place, right = state.centers[3].copy(), np.empty_like(state.labels)
    for step in [*range(1, 12), 0]:
        before = state.centers.copy()
        state.centers[3] = place + 7.0 * step
        state.shift[:] = np.sqrt(np.square(state.centers - before).sum(axis=1))
        old = state.labels.copy()
        moved = assigner(problem, state, memory)
        closest.closest(problem.X, state.centers, right)
        assert (state.labels == right).all()
        assert moved is None or set(np.flatnonzero(old != right).tolist()) <= set(moved.tolist())


def arrays_in(thing):
    """The arrays that an object holds, at any depth."""
    if isinstance(thing, np.ndarray):
        return [thing]
    inner = thing.values() if isinstance(thing, dict) else thing if isinstance(thing, (list, tuple)) else ()
    return [array for part in (*inner, *getattr(thing, "__dict__", {}).values()) for array in arrays_in(part)]


@pytest.mark.compiled
@bounded
def test_the_memory_told_is_what_the_arrays_hold(row):
    X, k, chosen = clustered(row.columns, n=60_000)
    memories = []

    def look(run, *arguments):
        returned = run(*arguments)
        if run is not strategy.run:
            memories[:] = [returned]
        return returned

    strategy = registry.resolve("assigner", row.name)
    seen = replace(strategy, run=watched(strategy, look).run)
    trace = km.Solver(assign=seen, max_iter=3, tol=0).fit(X, k, init_centers=X[chosen]).trace
    bases = [array if array.base is None else array.base for array in arrays_in(memories)]
    owned = {id(array): array for array in bases if not np.shares_memory(array, X)}
    held = sum(array.nbytes for array in owned.values())
    told = trace.memory[trace.phase == "assign"]
    assert held > 0
    assert (np.abs(told - held) < 0.1 * held).all()


@pytest.mark.compiled
@bounded
def test_few_rows_survive_where_clusters_are_far_apart(row):
    X, k, chosen = clustered(row.columns)
    trace = km.Solver(assign=row.name, tol=0).fit(X, k, init_centers=X[chosen]).trace
    own = trace.phase == "assign"
    assert trace.survivors[own][-1] < len(X) / 4
    assert 0 <= trace.distances[own][-1] < len(X) * k / 4
