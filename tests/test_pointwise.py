"""Divergences that users declare: lifted to kernels, stored on disk, and never stale."""

import functools
import math
import os
import pickle
import subprocess
import sys
import textwrap
from types import FunctionType, ModuleType, SimpleNamespace

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import python

import kmtoolkit as km
from kmtoolkit import testing
from kmtoolkit.families import OBJECTIVES
from kmtoolkit.kernels.jit import inlined, jit
from kmtoolkit.kernels.lift import fingerprint, lift
from kmtoolkit.registry import resolve
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


def test_results_and_assigners_keep_the_divergence_that_they_were_made_with():
    first = km.pointwise("test-cell", replace=True)(huber)
    result = km.kmedoids(IRIS, 3, metric="test-cell", rng=0)
    assert (pickle.loads(pickle.dumps(result)).predict(IRIS) == result.labels).all()
    stored = pickle.dumps(result), pickle.dumps(first)
    far = IRIS[::7] * [1, 5, 1, 1]
    labels, distances = result.predict(far), result.transform(far)
    km.pointwise("test-cell", replace=True)(quartic)
    assert (result.predict(far) == labels).all()
    assert (result.transform(far) == distances).all()
    assert km.kmedoids(IRIS, 3, metric=first, rng=0, verify=True).objective == result.objective
    for each in (*stored, pickle.dumps(result)):
        with pytest.raises(ValueError, match="divergence 'test-cell' is declared by another function here than where"):
            pickle.loads(each)
    assert km.kmedians(IRIS, 3, rng=0).objective_model is None  # whose name stands for it for good


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


@pytest.mark.parametrize("argument", ["lines", "of_sum"])
def test_lines_and_of_sum_are_functions(argument):
    with pytest.raises(TypeError, match=f"{argument} is 3; it must be a function"):
        km.pointwise("test-lines", **{argument: 3})


@pytest.mark.parametrize(
    ("lines", "error", "message"),
    [
        (lambda c: (c[:1], c), ValueError, r"lines returned slopes of shape \(1, 4\) and offsets of shape \(3, 4\)"),
        (lambda c: (c, 0.0), ValueError, r"offsets of shape \(\); they must have that of the centers, \(3, 4\)"),
        (lambda c: c, TypeError, "lines returned ndarray; it must return slopes and offsets, two arrays"),
        (lambda c: None, TypeError, "lines returned NoneType; it must return slopes and offsets"),
    ],
)
def test_lines_of_other_shapes_are_refused(lines, error, message):
    wrong = km.pointwise("test-shapes", bregman=True, lines=lines, replace=True)(square)
    with pytest.raises(error, match=message):
        km.Solver("random", wrong, rng=0).fit(IRIS, 3)


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
        (
            lambda x, c: abs(x - c) + 1,
            r"divergence 'test-bad' is 1.0 from row \(1\) to itself; d\(x, c\) must be 0 where x = c",
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
        ((["x"],), ValueError, r"name is \['x'\]; it must be lower-case words"),
        *(
            ((name,), ValueError, f"'{name}' stands for something else in this package; choose another name")
            for name in (
                *("any", "hard", "bregman", "squared-euclidean", "manhattan", "precomputed", "auto", "hamerly"),
                *("soft-k-means", "gaussian-mixture"),
            )
        ),
    ],
)
@pytest.mark.parametrize("replace", [False, True])
def test_bad_names(arguments, error, message, replace):
    with pytest.raises(error, match=message):
        km.pointwise(*arguments, replace=replace)(huber)
    assert OBJECTIVES["squared-euclidean"].name == "squared-euclidean"
    assert OBJECTIVES["manhattan"].kernels is not LIFTED


@pytest.mark.parametrize("domain", [(1.0, 0.0), 3, (0.0, math.nan), (0.0,), (-1, "x"), ("a", "b")])
def test_bad_domains(domain):
    with pytest.raises(ValueError, match=r"domain is .*; it must be \(low, high\) with low < high"):
        km.pointwise("test-domain", domain=domain)


def test_what_is_no_function():
    for d in (3, functools.partial(huber, c=1.0), type("D", (), {"__call__": huber})()):
        with pytest.raises(TypeError, match="d is .*; it must be a function of two floats, x and c, plain or jitted"):
            km.pointwise("test-three")(d)
    for d in (lambda x: x, lambda x, c, p: x, lambda x, c, *, p=2: x, jit(lambda x: x)):
        with pytest.raises(TypeError, match=r"d takes \(x.*\); it must be a function of two floats, x and c"):
            km.pointwise("test-three")(d)


@pytest.mark.compiled
@pytest.mark.parametrize("d", [lambda x, c: (x, c), lambda x, c: None, lambda x, c: "near", lambda x, c: x + unheard])  # noqa: F821
def test_what_does_not_compile(d):
    with pytest.raises(TypeError, match="divergence 'test-nothing' can't be compiled: d.* must return a float"):
        km.kmedoids(IRIS, 3, metric=km.pointwise("test-nothing", replace=True)(d), rng=0)


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
    base = with_globals(scaled, SCALE=2.0, helper=jit(square))
    same = with_globals(scaled, SCALE=2.0, helper=jit(square))
    others = [
        with_globals(scaled, SCALE=3.0, helper=jit(square)),
        with_globals(scaled, SCALE=2.0, helper=jit(quartic)),
        with_globals(scaled, SCALE=2.0, helper=inlined(quartic)),
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


def module(**contents):
    made = ModuleType("mine")
    vars(made).update(contents)
    return made


def inside(x, c):
    return mine.part.helper(x, c)  # noqa: F821


def picked(x, c):
    return TABLES[0][0] * abs(x - c)  # noqa: F821


def through(where):
    return lambda x, c: where.helper(x, c)


def long(last):
    return np.append(np.zeros(5000), last)  # whose repr is abbreviated


@pytest.mark.compiled
@pytest.mark.parametrize(
    "made",
    [
        lambda f, _: with_globals(inside, mine=module(part=module(helper=jit(f)))),
        lambda f, _: through(module(helper=jit(f))),
        lambda f, _: with_globals(scaled, SCALE=1.0, helper=numba.vectorize(f)),
        lambda _, last: with_globals(picked, TABLES=(long(last), 1.0)),
        lambda _, last: with_globals(picked, TABLES=(((long(last),),),)),
    ],
)
def test_fingerprints_see_through_modules_and_tuples(made):
    assert fingerprint(made(square, 1.0)) == fingerprint(made(square, 1.0))
    assert fingerprint(made(square, 1.0)) != fingerprint(made(quartic, 2.0))


@pytest.mark.compiled
def test_fingerprints_of_what_may_hide_something_never_come_again():
    for helper in (SimpleNamespace(power=2), square):  # Numba may know a plain function by what is declared elsewhere
        function = with_globals(scaled, SCALE=2.0, helper=helper)
        assert fingerprint(function) != fingerprint(function)
        assert fingerprint(function, known=True) == fingerprint(function, known=True)


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["generalized-i", "itakura-saito", "kl", "logistic", "manhattan"])
def test_kernels_of_the_package_are_found_on_disk_again(name):
    function = resolve("assigner", name).run.__wrapped__
    assert fingerprint(function) == fingerprint(function)


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


@pytest.mark.slow
@pytest.mark.compiled
def test_edits_behind_modules_and_tuples_are_not_missed(tmp_path):
    """What one function finds in a module inside a module, in one in its closure, in a tuple, and in a ufunc."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    code = """
import json
import numba
import numpy as np
import package.part, other
from kmtoolkit.kernels.lift import lift

TABLES = (np.append(np.zeros(5000), LAST), 1.0)

@numba.vectorize
def one(x):
    return x * FACTOR

def made(where):
    return lambda x, c: package.part.helper(x) + where.helper(x) + TABLES[0][5000] + one(x) + c

X = np.ones((1, 1))
X.flags.writeable = False
print(json.dumps(lift(made(other)).distances_to(X, np.zeros((1, 1)), 0)[0]))
"""
    values = {"package/part.py": 1, "other.py": 10, "LAST": 100, "FACTOR": 1000}
    for edited in (None, *values):
        if edited:
            values[edited] *= 2
        for name in ("package/part.py", "other.py"):
            source = f"import numba\n\n@numba.njit\ndef helper(x):\n    return x * {values[name]}\n"
            (tmp_path / name).write_text(source, encoding="utf-8")
        script = code.replace("LAST", str(values["LAST"])).replace("FACTOR", str(values["FACTOR"]))
        given = {"NUMBA_CACHE_DIR": tmp_path / "cache", "PYTHONPATH": tmp_path, "PYTHONDONTWRITEBYTECODE": 1}
        assert python(script, where=tmp_path, **given) == sum(values.values())


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
