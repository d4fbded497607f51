"""Divergences that users declare: lifted to kernels, stored on disk, and never stale."""

import math
import os
import pickle
import subprocess
import sys
import textwrap
from types import FunctionType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import python

import kmtoolkit as km
from kmtoolkit import testing
from kmtoolkit.families import OBJECTIVES
from kmtoolkit.kernels.jit import jit
from kmtoolkit.kernels.lift import fingerprint, lift
from kmtoolkit.testing.domains import brought_into

IRIS = km.datasets.iris().X


@pytest.fixture(autouse=True)
def _objectives_stay_as_they_were(monkeypatch):
    before = OBJECTIVES.copy()
    yield
    OBJECTIVES.clear()
    OBJECTIVES.update(before)


def huber(x, c):
    r = abs(x - c)
    return r * r / 2 if r < 1 else r - 0.5


LIFTED = lift(huber)


@settings(max_examples=30)
@given(problem=testing.problems(), seed=st.integers(0, 99))
def test_the_kernels_agree_with_the_function_in_turn(problem, seed):
    X, k, _ = problem
    centers = np.random.default_rng(seed).choice(X, k).astype(float)
    X.flags.writeable = False
    d = np.zeros((k, len(X)))
    for j, i in np.ndindex(d.shape):
        for f in range(X.shape[1]):
            d[j, i] += huber(float(X[i, f]), centers[j, f])
    labels = np.empty(len(X), np.int32)
    LIFTED.nearest(X, centers, labels)
    assert (labels == d.argmin(axis=0)).all()
    assert (LIFTED.between(X, centers) == d).all()
    assert (LIFTED.distances_to(X, centers, 0) == d[0]).all()
    assert (LIFTED.distances_to(X, centers, labels) == d.min(axis=0)).all()


def test_a_declared_divergence_is_an_assigner_with_its_objective():
    @km.pointwise("test-huber", reference="Huber 1964")
    def declared(x, c):
        r = abs(x - c)
        return r * r / 2 if r < 1 else r - 0.5

    assert "test-huber" in km.available("assigner")["assigner"]
    for assign in (declared, "test-huber"):
        result = km.Solver(assign=assign, update="medoid", rng=0, verify=True).fit(IRIS, 3)
        assert result.objective_name == "test-huber"
        assert (result.predict(IRIS) == result.labels).all()
        assert (pickle.loads(pickle.dumps(result)).predict(IRIS) == result.labels).all()
    assert repr(declared) == "km.pointwise('test-huber')"


def test_a_declared_objective_takes_an_updater_of_its_own():
    @km.pointwise("test-absolute")
    def absolute(x, c):
        return abs(x - c)

    @km.updater("test-median", objective="test-absolute", exact=True, scope="rows")
    def median(problem, state):
        for j in np.flatnonzero(state.counts):
            state.centers[j] = np.median(problem.X[state.labels == j], axis=0)

    ours = km.Solver(assign=absolute, update=median, rng=0, verify=True).fit(IRIS, 3)
    theirs = km.kmedians(IRIS, 3, rng=0)
    assert (ours.labels == theirs.labels).all()
    assert (ours.centers == theirs.centers).all()
    assert ours.objective == theirs.objective


@pytest.mark.slow
def test_domain_of_sum_and_bregman_are_heeded():
    @km.pointwise("test-burg", bregman=True, domain=(0.0, math.inf))
    def burg(x, c):
        return x / c - math.log(x / c) - 1

    ours = km.bregman_kmeans(IRIS, 3, divergence="test-burg", rng=0, verify=True)
    theirs = km.bregman_kmeans(IRIS, 3, divergence="itakura-saito", rng=0)
    assert ours.objective == pytest.approx(theirs.objective, rel=1e-12)
    with pytest.raises(ValueError, match="X has -1.0 at row 0, column 0; entries must be at least 0 for 'test-burg'"):
        km.bregman_kmeans([[-1.0]], 1, divergence=burg)

    @km.pointwise("test-root", of_sum=math.sqrt)
    def root(x, c):
        return (x - c) ** 2

    with pytest.raises(ValueError, match="updaters that fit 'test-root': 'fasterpam', 'medoid'"):
        km.Solver(assign=root)  # whose best centers are not means
    rooted = km.kmedoids(IRIS, 3, metric=root, rng=0)
    assert rooted.objective == km.kmedoids(IRIS, 3, rng=0).objective


@settings(max_examples=30)
@given(problem=testing.problems(), seed=st.integers(0, 99),
       name=st.sampled_from(["generalized-i", "itakura-saito", "logistic"]))  # fmt: skip
def test_lines_change_no_decision(problem, seed, name):
    """Centers that are equal, or a rounding apart, on rows: only the divergence itself can tell them apart."""
    objective, rng = OBJECTIVES[name], np.random.default_rng(seed)
    X, k = brought_into(objective, problem[0]), 6
    X.flags.writeable = False
    near = np.array([[1.0], [1.0], [1 + 2.0**-52], [1 - 2.0**-53], [1 + 1e-9], [3.0]])
    centers = X[rng.integers(len(X), size=k)].astype(float) * near[rng.permutation(k)]
    centers = np.clip(brought_into(objective, centers, centers=True), 1e-12, 1 - 1e-12 if name == "logistic" else None)
    assert (objective.nearest(X, centers) == objective.oracle(X, centers)).all()


def test_lines_are_of_the_sum_itself():
    with pytest.raises(ValueError, match="lines and of_sum are given; lines are of the sum itself"):
        km.pointwise("test-lines", lines=lambda c: (c, c), of_sum=math.sqrt)


def test_wrong_lines_are_found_out():
    wrong = km.pointwise("test-wrong", bregman=True, lines=lambda c: (2 * c, c * c))(square)  # the slope is -2 c
    with pytest.raises(km.StrategyError, match="assigner 'test-wrong' is declared exact, but"):
        km.Solver("random", wrong, rng=0, verify=True).fit(IRIS, 3)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda x, c: x - c,
            "divergence 'test-bad' is -.* from row .* to the center .*; it must be finite and at least 0",
        ),
        (lambda x, c: (x - c) / (x - x), "divergence 'test-bad' is (nan|inf|-inf) from row"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value|divide by zero")
def test_functions_that_are_no_divergences_are_found_out(function, message):
    bad = km.pointwise("test-bad")(function)
    with pytest.raises((ValueError, ZeroDivisionError), match=f"{message}|division"):
        km.Solver("random", bad, "medoid", rng=0).fit([[1.0], [2.0], [4.0]], 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("Bad Name",), ValueError, "name is 'Bad Name'; it must be lower-case words"),
        (("manhattan",), ValueError, "assigner 'manhattan' is registered already"),
        (("squared-euclidean",), ValueError, "'squared-euclidean' is the name of an objective already"),
    ],
)
def test_bad_names(arguments, error, message):
    with pytest.raises(error, match=message):
        km.pointwise(*arguments)(huber)
    assert OBJECTIVES["squared-euclidean"].name == "squared-euclidean"
    assert OBJECTIVES["manhattan"].kernels is not LIFTED


@pytest.mark.parametrize("domain", [(1.0, 0.0), 3, (0.0, math.nan), (0.0,)])
def test_bad_domains(domain):
    with pytest.raises(ValueError, match=r"domain is .*; it must be \(low, high\) with low < high"):
        km.pointwise("test-domain", domain=domain)


def test_what_is_no_function():
    with pytest.raises(TypeError, match="d is 3; it must be a function of two floats, x and c"):
        km.pointwise("test-three")(3)


# what is stored


def with_globals(function, **values):
    return FunctionType(function.__code__, {**function.__globals__, **values}, function.__name__)


def scaled(x, c):
    return SCALE * helper(x, c)  # noqa: F821


def square(x, c):
    return (x - c) ** 2


def documented_square(x, c):
    """The same."""
    return (x - c) ** 2


def quartic(x, c):
    return (x - c) ** 4


@pytest.mark.compiled
def test_fingerprints_change_with_all_that_matters():
    base = with_globals(scaled, SCALE=2.0, helper=square)
    same = with_globals(scaled, SCALE=2.0, helper=square)
    others = [
        with_globals(scaled, SCALE=3.0, helper=square),
        with_globals(scaled, SCALE=2.0, helper=quartic),
        with_globals(scaled, SCALE=2.0, helper=jit(quartic)),
        with_globals(scaled, SCALE=np.array([2.0]), helper=square),
        with_globals(scaled, SCALE=np.array([3.0]), helper=square),
        square,
        quartic,
    ]
    assert fingerprint(base) == fingerprint(same)
    assert fingerprint(square) == fingerprint(documented_square)
    assert len({fingerprint(each) for each in [base, *others]}) == len(others) + 1


def test_fingerprints_of_closures_and_defaults():
    def power(p):
        def d(x, c):
            return abs(x - c) ** p

        return d

    def d(x, c, p=2):
        return abs(x - c) ** p

    e = FunctionType(d.__code__, d.__globals__, d.__name__, (3,))
    assert len({fingerprint(each) for each in (power(1), power(2), d, e)}) == 4
    assert fingerprint(power(2)) == fingerprint(power(2))


def test_a_closure_is_lifted_with_its_value():
    def power(p):
        return lambda x, c: abs(x - c) ** p

    X, center = np.array([[3.0]]), np.array([[1.0]])
    X.flags.writeable = False
    assert [lift(power(p)).distances_to(X, center, 0)[0] for p in (1, 2, 3)] == [2.0, 4.0, 8.0]


@pytest.mark.slow
@pytest.mark.compiled
def test_an_edit_is_never_missed_and_nothing_is_compiled_twice(tmp_path):
    """A module is imported by one process after the other, and edited in between: a helper of its function too."""
    script = textwrap.dedent("""
        import logging, sys
        import numpy as np
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
        from mine import mine
        import kmtoolkit as km
        print(km.Solver("random", mine, "medoid", rng=0).fit([[1.0], [3.0]], 1).objective)
    """)
    module = textwrap.dedent("""
        import kmtoolkit as km
        import numba

        @numba.njit
        def helper(x, c):
            return abs(x - c) ** {power}

        @km.pointwise("mine")
        def mine(x, c):
            return {factor} * helper(x, c)
    """)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}

    def run(**values):
        (tmp_path / "mine.py").write_text(module.format(**values), encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", "-c", script], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return float(done.stdout), "compiling kmtoolkit.kernels.lift" in done.stderr

    assert run(power=1, factor=1.0) == (2.0, True)
    assert run(power=1, factor=1.0) == (2.0, False)
    assert run(power=2, factor=1.0) == (4.0, True)
    assert run(power=2, factor=10.0) == (40.0, True)


@pytest.mark.compiled
def test_kernels_stored_by_different_processes_are_not_linked_in_place_of_each_other(tmp_path):
    """Numba numbers functions within a process, so two of one template may have the same number in the cache."""
    code = """
import json
import numpy as np
from kmtoolkit.kernels.lift import lift

def near(x, c):
    return abs(x - c)

def far(x, c):
    return -abs(x - c)

X, centers = np.linspace(0.0, 1.0, 40_000)[:, np.newaxis], np.array([[0.0], [1.0]])
X.flags.writeable = False
labels = np.empty(len(X), np.int32)
first = []
for function in FUNCTIONS:
    lift(function).nearest(X, centers, labels)
    first.append(int(labels[0]))
print(json.dumps(first))
"""
    for functions, expected in (("(near,)", [0]), ("(far,)", [1]), ("(near, far)", [0, 1])):
        assert python(code.replace("FUNCTIONS", functions), where=tmp_path, NUMBA_CACHE_DIR=tmp_path) == expected
