"""Every bad input: an error that names argument, value and rule, before anything is compiled."""

import re
from decimal import Decimal

import numba
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import kmtoolkit as km

X = km.datasets.iris().X


def holed(value, row, column):
    bad = X.copy()
    bad[row, column] = value
    return bad


def masked():
    return np.ma.MaskedArray(X, mask=np.arange(X.size).reshape(X.shape) == 9)


FIT = [
    ("X", dict(X=holed(np.nan, 7, 2)), ValueError, "X has nan at row 7, column 2; values must be finite"),
    ("X", dict(X=holed(-np.inf, 149, 3)), ValueError, "X has -inf at row 149, column 3"),
    ("X", dict(X=holed(np.inf, 0, 0).astype(np.float32)), ValueError, "X has inf at row 0, column 0"),
    ("X", dict(X=np.full((70_000, 2), 1.0) * np.where(np.arange(70_000) == 66_000, np.nan, 1)[:, None], k=1),
     ValueError, "X has nan at row 66000, column 0"),
    ("X", dict(X=np.empty((0, 4))), ValueError, "X has shape (0, 4); it must have at least one row and one column"),
    ("X", dict(X=np.empty((4, 0))), ValueError, "X has shape (4, 0)"),
    ("X", dict(X=X[:, 0]), ValueError, "X has 1 dimensions; it must have 2, rows by columns; use X.reshape(-1, 1)"),
    ("X", dict(X=X[None]), ValueError, "X has 3 dimensions"),
    ("X", dict(X=5.0), ValueError, "X has 0 dimensions"),
    ("X", dict(X=X.astype(object)), TypeError, "X has dtype object; it must be real numbers"),
    ("X", dict(X=X.astype(str)), TypeError, "X has dtype <U32; it must be real numbers"),
    ("X", dict(X=X.astype("M8[s]")), TypeError, "X has dtype datetime64[s]"),
    ("X", dict(X=X.astype(complex)), TypeError, "X has dtype complex128"),
    ("X", dict(X=None), TypeError, "X has dtype object"),
    ("X", dict(X=[[1.0, 2.0], [3.0]], k=1), ValueError, "X is not a rectangular array of numbers"),
    ("X", dict(X=pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]})), TypeError, "select or convert the numeric"),
    ("X", dict(X=scipy.sparse.csr_array(X)), TypeError, "X is a sparse csr_array; pass a dense array, such as X.toarray()"),
    ("X", dict(X=masked()), ValueError, "X has masked entries, the first at index (2, 1); fill or drop them"),
    ("X", dict(X=X * 1e160), ValueError, "weighted squares overflow float64; keep values below"),
    ("X", dict(X=X * 1e-160), ValueError, "weighted squares underflow float64; scale X or sample_weight by a power of two"),
    ("X", dict(X=np.array([[np.finfo(float).max], [-np.finfo(float).max]]), k=1), ValueError, "overflow float64"),
    ("k", dict(k=0), ValueError, "k is 0; it must be at least 1"),
    ("k", dict(k=-3), ValueError, "k is -3; it must be at least 1"),
    ("k", dict(k=3.0), TypeError, "k is 3.0 of type float; it must be an int"),
    ("k", dict(k=True), TypeError, "k is True of type bool; it must be an int"),
    ("k", dict(k=np.bool_(True)), TypeError, "it must be an int"),
    ("k", dict(k="3"), TypeError, "k is '3' of type str"),
    ("k", dict(k=None), TypeError, "k is None"),
    ("k", dict(k=151), ValueError, "k is 151, but X has only 150 rows"),
    ("k", dict(k=3, sample_weight=[1.0, 1.0] + [0.0] * 148), ValueError, "only 2 rows have a positive sample_weight"),
    ("sample_weight", dict(sample_weight=np.arange(150.0) - 1), ValueError, "sample_weight is -1.0 at row 0; weights must not be negative"),
    ("sample_weight", dict(sample_weight=np.where(np.arange(150) == 4, np.nan, 1)), ValueError, "sample_weight has nan at row 4;"),
    ("sample_weight", dict(sample_weight=np.full(150, np.inf)), ValueError, "sample_weight has inf at row 0;"),
    ("sample_weight", dict(sample_weight=np.zeros(150)), ValueError, "sample_weight is 0 everywhere"),
    ("sample_weight", dict(sample_weight=np.ones(149)), ValueError, "sample_weight has shape (149,); it must have one weight a row, (150,)"),
    ("sample_weight", dict(sample_weight=np.ones((150, 1))), ValueError, "sample_weight has shape (150, 1)"),
    ("sample_weight", dict(sample_weight=pd.Series([1, None] * 75, dtype="Int64")), ValueError, "sample_weight has nan at row 1;"),
    ("sample_weight", dict(sample_weight=pd.Series(["a"] * 150)), TypeError, "sample_weight has dtype"),
    ("sample_weight", dict(sample_weight=["a"] * 150), TypeError, "sample_weight has dtype <U1"),
    ("sample_weight", dict(sample_weight=np.full(150, 1e306)), ValueError, "sample_weight goes up to 1e+306, and its sum overflows; scale it"),
    ("sample_weight", dict(sample_weight=np.full(150, 1e-300)), ValueError, "underflow float64"),
    ("init_centers", dict(init_centers=X[:2]), ValueError, "init_centers has shape (2, 4); it must be (k, d) = (3, 4)"),
    ("init_centers", dict(init_centers=X[:3, :2]), ValueError, "init_centers has shape (3, 2)"),
    ("init_centers", dict(init_centers=holed(np.nan, 1, 2)[:3]), ValueError, "init_centers has nan at row 1, column 2"),
    ("init_centers", dict(init_centers=X[:3] * 1e200), ValueError, "init_centers has values up to"),
    ("init_centers", dict(init_centers="k-means++"), TypeError, "init_centers has dtype <U9"),
]  # fmt: skip

SOLVER = [
    ("init", dict(init=np.ma.array([[1.0, 2.0], [3, 4]], mask=[[0, 1], [0, 0]])), ValueError, "init has masked entries, the first at index (0, 1)"),
    ("init", dict(init=[[1], [1, 2]]), ValueError, "init is not a rectangular array of numbers"),
    ("init", dict(init="kmeans++"), ValueError, "unknown initializer 'kmeans++'; did you mean 'k-means++' or 'k-means'?"),
    ("assign", dict(assign="dens"), ValueError, "unknown assigner 'dens'; did you mean 'dense'?"),
    ("assign", dict(assign="zzz"), ValueError, "unknown assigner 'zzz'; known are 'auto', "),
    ("assign", dict(assign="hamerli"), ValueError, "unknown assigner 'hamerli'; did you mean 'hamerly'"),
    ("assign", dict(assign="mean"), ValueError, "unknown assigner 'mean'; 'mean' is an updater: pass it as update="),
    ("update", dict(update="meen"), ValueError, "unknown updater 'meen'; did you mean 'mean' or 'median'?"),
    ("empty", dict(empty="farthets"), ValueError, "unknown empty handler 'farthets'; did you mean 'farthest'?"),
    ("update", dict(update=km.assigners.Dense()), TypeError, "update is an assigner ('dense'), not an updater; pass it as assign="),
    ("assign", dict(assign=km.updaters.mean), TypeError, "assign is an updater ('mean'), not an assigner; pass it as update="),
    ("assign", dict(assign=km.assigners.Dense), TypeError, "assign is the class Dense; pass an object of it: Dense()"),
    ("assign", dict(assign=5), TypeError, "assign is 5 of type int; it must be a name, a configured strategy or a function"),
    ("empty", dict(empty=None), TypeError, "empty is None of type NoneType"),
    ("init", dict(init=None), TypeError, "init is None of type NoneType"),
    ("rng", dict(rng="0"), TypeError, "rng is '0' of type str; it must be None, an int, a SeedSequence or a Generator"),
    ("rng", dict(rng=1.5), TypeError, "rng is 1.5 of type float"),
    ("rng", dict(rng=True), TypeError, "rng is True of type bool"),
    ("rng", dict(rng=np.random.RandomState(0)), TypeError, "of type RandomState"),
    ("rng", dict(rng=-1), ValueError, "rng is -1; a seed must not be negative"),
    ("tol", dict(tol=-1e-9), ValueError, "tol is -1e-09; it must be finite and not negative"),
    ("tol", dict(tol=np.nan), ValueError, "tol is nan; it must be finite"),
    ("tol", dict(tol="0"), TypeError, "tol is '0' of type str; it must be a real number"),
    ("tol", dict(tol=Decimal(1)), TypeError, "tol is Decimal('1')"),
    ("max_iter", dict(max_iter=-1), ValueError, "max_iter is -1; it must be at least 0"),
    ("max_iter", dict(max_iter=10.0), TypeError, "max_iter is 10.0 of type float; it must be an int"),
    ("n_init", dict(n_init=0), ValueError, "n_init is 0; it must be at least 1"),
    ("n_init", dict(n_init="auto"), TypeError, "n_init is 'auto'"),
    ("max_seconds", dict(max_seconds=-1), ValueError, "max_seconds is -1; it must be finite and not negative"),
    ("max_seconds", dict(max_seconds=np.inf), ValueError, "max_seconds is inf"),
    ("threads", dict(threads=0), ValueError, "threads is 0; it must be at least 1"),
    ("threads", dict(threads=2.0), TypeError, "threads is 2.0 of type float"),
    ("callback", dict(callback=1), TypeError, "callback is 1; it must be callable, or None"),
    ("verify", dict(verify=1), TypeError, "verify is 1; it must be True or False"),
    ("progress", dict(progress="yes"), TypeError, "progress is 'yes'; it must be True or False"),
    ("on_interrupt", dict(on_interrupt="stop"), ValueError, "on_interrupt is 'stop'; it must be 'raise' or 'return'"),
]  # fmt: skip


@pytest.fixture
def no_compilation(monkeypatch):
    """Any call of a kernel fails: errors must come first."""
    from numba.core.dispatcher import Dispatcher

    def forbidden(self, sig):
        raise AssertionError(f"compiled {self}")

    def call(*args, **kwargs):
        raise AssertionError("called a kernel")

    from kmtoolkit import objectives

    monkeypatch.setattr(Dispatcher, "compile", forbidden)
    for name in ("nearest", "distances_to", "settle"):
        monkeypatch.setattr(objectives.squared, name, call)
    monkeypatch.setattr(objectives, "column_variances", call)


@pytest.mark.parametrize(("argument", "change", "error", "message"), FIT)
def test_fit(argument, change, error, message, no_compilation):
    arguments = {"X": X, "k": 3} | change
    with pytest.raises(error, match=re.escape(message)) as caught:
        km.Solver(rng=0).fit(arguments.pop("X"), arguments.pop("k"), **arguments)
    assert argument in str(caught.value)


@pytest.mark.parametrize(("argument", "change", "error", "message"), SOLVER)
def test_solver(argument, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        km.Solver(**change)
    with pytest.raises(error, match=re.escape(message)):
        km.kmeans(X, 3, **change)


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="max_iters"):
        km.kmeans(X, 3, max_iters=5)


@pytest.mark.parametrize("method", ["predict", "transform"])
def test_predict_checks_its_rows(method):
    result = km.kmeans(X, 3, rng=0)
    call = getattr(result, method)
    with pytest.raises(ValueError, match="X has 3 columns, but the centers have 4; pass the columns of the fit"):
        call(X[:, :3])
    with pytest.raises(ValueError, match="X has nan at row 1, column 1"):
        call(holed(np.nan, 1, 1))
    with pytest.raises(ValueError, match="X has 1 dimensions"):
        call(X[0])


def test_partners_with_different_objectives():
    @km.updater("test-quartic", objective="quartic")
    def update(problem, state):
        raise AssertionError

    with pytest.raises(ValueError, match=r"'dense' descends squared-euclidean, but updater 'test-quartic' descends quartic"
                       r".*updaters that fit 'dense': .*'mean'.*assigners that fit 'test-quartic'"):  # fmt: skip
        km.Solver(assign="dense", update=update)

    @km.assigner("test-nearest", objective="quartic")
    def nearest(problem, state):
        raise AssertionError

    with pytest.raises(ValueError, match="initializer 'maxmin' serves squared-euclidean, but .* descends quartic"):
        km.Solver("maxmin", assign=nearest, update=update)
    with pytest.raises(ValueError, match="unknown objective 'quartic'; known are squared-euclidean"):
        km.Solver("random", assign=nearest, update=update)


STRATEGIES = [
    ("assign", lambda p, s: s.labels.fill(p.k), r"wrote label 3; labels must be 0 to 2 \(iteration 0\)"),
    ("assign", lambda p, s: None, r"wrote label -1; labels must be 0 to 2 \(iteration 0\)"),
    ("assign", lambda p, s: [], "returned a list; it must return nothing, or a 1-D integer array of rows it moved"),
    (
        "update",
        lambda p, s: s.centers.fill(np.nan),
        r"gave bad centers: centers has nan at row 0, column 0.*\(iteration 1\)",
    ),
    (
        "update",
        lambda p, s: s.centers.fill(1e300),
        r"gave bad centers: centers has values up to 1e\+300.*\(iteration 1\)",
    ),
    ("update", lambda p, s: s.centers.copy(), "returned a value; it must write state.centers and return nothing"),
    ("init", lambda p, rng: p.X[: p.k - 1], r"gave bad centers: centers has shape \(2, 4\).*\(iteration 0\)"),
    ("init", lambda p, rng: p.X[: p.k] * np.inf, r"gave bad centers: centers has inf at row 0.*\(iteration 0\)"),
    ("init", lambda p, rng: None, r"gave bad centers: centers has dtype object.*\(iteration 0\)"),
    ("empty", lambda p, s, d, free, rng: 1.0, r"returned 1.0; it must return one row index, or None \(iteration 0\)"),
    ("empty", lambda p, s, d, free, rng: 150, r"returned row 150; rows are 0 to 149 \(iteration 0\)"),
    (
        "empty",
        lambda p, s, d, free, rng: int(np.flatnonzero(~free)[0]),
        r"returned row \d+, which is not free; it must return a row with free",
    ),
]


@pytest.mark.parametrize(("role", "strategy", "message"), STRATEGIES)
def test_broken_strategies_are_named(role, strategy, message):
    """Labels out of range, bad centers, wrong shapes: the error names strategy, iteration and rule."""
    start = None if role == "init" else np.vstack([X[:2], [[1e3] * 4]])
    with pytest.raises(km.StrategyError, match=rf"'<lambda>' {message}"):
        km.Solver(**{role: strategy}, rng=0).fit(np.vstack([X, X[:1]])[:150], 3, init_centers=start)


@pytest.mark.parametrize(("role", "strategy"), [
    ("assign", lambda p, s: s.centers.fill(0)), ("update", lambda p, s: s.labels.fill(0)),
    ("assign", lambda p, s: s.sums.fill(0)), ("update", lambda p, s: s.sums.fill(0)),
    ("assign", lambda p, s: p.X.fill(0)), ("update", lambda p, s: p.sample_weight.fill(0)),
    ("init", lambda p, rng: p.X.fill(0)), ("empty", lambda p, s, d, free, rng: d.fill(0)),
    ("empty", lambda p, s, d, free, rng: s.centers.fill(0)),
])  # fmt: skip
def test_a_strategy_can_write_only_what_its_role_owns(role, strategy):
    before = X.copy()
    start = None if role == "init" else np.vstack([X[:2], [[1e3] * 4]])
    with pytest.raises(ValueError, match="read-only") as caught:
        km.Solver(**{role: strategy}, rng=0).fit(X, 3, init_centers=start)
    assert "'<lambda>' in iteration" in caught.value.__notes__[0]
    assert (before == X).all()


@pytest.mark.compiled
def test_a_jitted_strategy_that_writes_what_it_does_not_own_does_not_compile():
    @numba.njit
    def assign(problem, state):
        state.labels[:] = 0
        state.centers[0, 0] = 1.0

    with pytest.raises(numba.core.errors.TypingError, match="[Rr]ead.?only") as caught:
        km.Solver(assign=assign, rng=0).fit(X, 3)
    assert caught.value.__notes__[0] == "raised by assigner 'assign' in iteration 0"
    assert "run it undecorated" in caught.value.__notes__[1]
