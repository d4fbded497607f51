"""The registry: one row a strategy, and names, objects and functions as strategies."""

import functools
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import reference

import kmtoolkit as km
from kmtoolkit import registry

X = km.datasets.iris().X


def test_available_names_every_role():
    names = km.available()
    assert list(names) == ["initializer", "assigner", "updater", "empty_handler"]
    assert {"k-means++", "maxmin", "random", "random-partition", "uniform"} <= set(names["initializer"])
    assert {"auto", "dense"} <= set(names["assigner"])
    assert {"drop", "error", "farthest", "keep", "random", "split"} <= set(names["empty_handler"])
    assert set(km.available("updater")["updater"]) >= {"mean", "weights", "covariances"}
    with pytest.raises(ValueError, match="unknown role 'init'; roles are initializer, assigner"):
        km.available("init")


def test_rows_state_facts_and_sources():
    for row in registry.rows():
        if not row.name.startswith("test-"):
            assert row.cost.startswith("O(")
            assert row.reference
            assert row.scope in ("statistics", "rows")
            assert row.weights


def numpy_nearest(problem, state):
    state.labels[:] = ((problem.X[:, None] - state.centers) ** 2).sum(-1).argmin(1)


def test_a_strategy_is_a_name_an_object_or_a_function():
    registered = km.assigner("test-numpy")(numpy_nearest)
    assert registered is numpy_nearest
    start = X[:3]
    expected = km.Solver(tol=0).fit(X, 3, init_centers=start)
    for assign in ("dense", km.assigners.Dense(), "test-numpy", numpy_nearest, lambda p, s: numpy_nearest(p, s)):
        result = km.Solver(assign=assign, tol=0, verify=True).fit(X, 3, init_centers=start)
        assert (result.labels == expected.labels).all()
        assert result.objective == expected.objective


def test_a_class_is_registered_with_its_parameters():
    @km.updater("test-damped")
    @dataclass(frozen=True)
    class Damped:
        step: float = 0.5

        def __call__(self, problem, state):
            live = state.counts > 0
            mean = state.origin + state.sums[live] / state.mass[live, None]
            state.centers[live] += self.step * (mean - state.centers[live])

    half, near = (
        km.Solver(update=u, tol=0, max_iter=1).fit(X, 3, init_centers=X[:3]) for u in ("test-damped", Damped(0.9))
    )
    full = km.Solver(tol=0, max_iter=1).fit(X, 3, init_centers=X[:3])
    assert half.centers == pytest.approx((X[:3] + full.centers) / 2)
    assert near.centers == pytest.approx(0.1 * X[:3] + 0.9 * full.centers)
    assert "Damped(step=0.9)" in repr(km.Solver(update=Damped(0.9)))


def test_an_assigner_with_memory():
    """The memory is made by init, comes back at each call, and belongs to one descent."""

    class Counting:
        def __init__(self):
            self.memories = []

        def init(self, problem, state):
            assert (state.labels == -1).all()
            self.memories.append([])
            return self.memories[-1]

        def __call__(self, problem, state, memory):
            memory.append(state.shift.max())
            numpy_nearest(problem, state)

        def work(self, problem, memory):
            return km.Work(distances=1000 + len(memory))

    counting = Counting()
    result = km.Solver("random", assign=counting, n_init=2, rng=0, tol=0).fit(X, 3)
    assert [len(memory) for memory in counting.memories] == [run.n_iter + 1 for run in result.runs]
    told = result.trace.distances[np.isin(result.trace.phase, ["init", "assign"])]
    assert told.tolist() == [1001 + i for i in range(result.n_iter + 1)]
    assert counting.memories[result.best][1:] == pytest.approx(result.trace.max_shift[2::2])


def test_names_are_taken_once():
    km.empty_handler("test-taken")(lambda *arguments: None)

    def another(problem, state, d, free, rng):
        return None

    with pytest.raises(
        ValueError, match="empty_handler 'test-taken' is registered already; choose another name or pass"
    ):
        km.empty_handler("test-taken")(another)
    km.empty_handler("test-taken", replace=True)(another)
    km.empty_handler("test-taken")(another)


def test_objects_and_lambdas_do_not_replace_each_other_silently():
    for target in (lambda: functools.partial(numpy_nearest), lambda: lambda problem, state: None):
        km.assigner("test-object", replace=True)(target())
        with pytest.raises(ValueError, match="registered already"):
            km.assigner("test-object")(target())


@pytest.mark.parametrize(
    ("fact", "value", "error"), [("exact", "no", TypeError), ("scope", "all", ValueError), ("columns", "1", TypeError)]
)
def test_facts_are_checked(fact, value, error):
    with pytest.raises(error, match=f"{fact} is '{value}'; it must be"):
        km.assigner("test-fact", **{fact: value})


@pytest.mark.parametrize("name", ["", "Dense", "my assigner", "my_assigner", 5, "-x"])
def test_names_are_words_with_hyphens(name):
    with pytest.raises(ValueError, match="it must be lower-case words joined by hyphens"):
        km.assigner(name)


def test_unknown_facts_are_refused():
    with pytest.raises(TypeError, match="exakt"):
        km.assigner("test-typo", exakt=True)


def test_an_exception_in_a_strategy_says_where_it_comes_from():
    def broken(problem, state):
        raise ZeroDivisionError("my own mistake")

    with pytest.raises(ZeroDivisionError, match="my own mistake") as caught:
        km.Solver(update=broken).fit(X, 3)
    assert caught.value.__notes__ == ["raised by updater 'broken' in iteration 1"]


def test_a_fit_within_a_strategy_keeps_its_own_errors():
    def rising(problem, state):
        state.centers[:] += 1.0

    def nested(problem, rng):
        return km.kmeans(problem.X, problem.k, update=rising, init="random", rng=0, tol=0).centers

    with pytest.raises(km.DescentError, match="updater 'rising' raised the objective") as caught:
        km.Solver(nested).fit(X, 3)
    assert caught.value.__notes__ == ["raised by initializer 'nested' in iteration 0"]


def test_strategies_see_a_problem_without_absent_rows():
    seen = []

    def spy(problem, state):
        seen.append((problem, state))
        numpy_nearest(problem, state)

    w = np.where(np.arange(150) < 140, 2.0, 0.0)
    km.Solver(assign=spy, rng=0, max_iter=1).fit(X.astype(np.float32), 3, sample_weight=w)
    problem, state = seen[-1]
    assert (problem.X.shape, problem.X.dtype, problem.k) == ((140, 4), np.float32, 3)
    assert problem.sample_weight.tolist() == [2.0] * 140
    assert (state.centers.dtype, state.labels.dtype, state.counts.dtype) == (np.float64, np.int32, np.int64)
    means = reference.means(problem.X, problem.sample_weight, state.labels, state.centers)
    assert state.origin + state.sums / state.mass[:, None] == pytest.approx(means, rel=1e-12)


def test_a_new_strategy_touches_one_file_only(tmp_path):
    """A file dropped into its package is registered, exported and listed by the command line."""
    shutil.copytree(Path(km.__file__).parent, tmp_path / "kmtoolkit", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "kmtoolkit" / "updaters" / "first_row.py").write_text(
        "from kmtoolkit.registry import updater\n\n"
        '@updater("first-row", monotone=False, cost="O(1)", reference="a test")\n'
        "def first_row(problem, state):\n    state.centers[0] = problem.X[0]\n"
    )
    code = "import kmtoolkit as km; from kmtoolkit.cli import main; print(km.updaters.first_row.__name__); main()"
    ran = subprocess.run([sys.executable, "-c", code, "list"], capture_output=True, text=True, cwd=tmp_path)
    assert ran.stdout.startswith("first_row"), ran.stderr
    assert "first-row" in ran.stdout
