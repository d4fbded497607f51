"""Strategies broken on purpose: the right rule catches each, says what it saw, and its snippet reproduces it."""

import contextlib
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import kmtoolkit as km
from kmtoolkit import testing
from kmtoolkit.testing.checks import prepared

pytestmark = pytest.mark.slow


def nearest(problem, state):
    difference = problem.X[:, None].astype(np.float64) - state.centers
    state.labels[:] = np.square(difference).sum(axis=2).argmin(axis=1)


def mean(problem, state):
    live = state.counts > 0
    state.centers[live] = state.origin + state.sums[live] / state.mass[live, None]


def verdict(role, strategy, name, process=False):
    """What the rule says of a strategy that must break it; its snippet, maybe in a new process, ends in an error."""
    resolved = prepared(role, strategy)
    rule = next(rule for rule in testing.rules(resolved) if rule.name == name)
    with pytest.raises(testing.ConformanceError) as caught:
        rule.check(resolved)
    message = str(caught.value)
    assert message.startswith(f"{resolved} breaks the rule {name}\nrule: {rule.sentence}\nseen: ")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    code = textwrap.dedent(message.partition("this code shows it:\n")[2])
    assert "import numpy as np\nimport kmtoolkit as km\n" in code
    right = re.sub(r"^(# )?strategy = .*$", f"strategy = {RIGHT[role]}", code, flags=re.MULTILINE)
    assert right != code
    if process:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert "AssertionError" in done.stderr
    else:
        with pytest.raises((AssertionError, ValueError, numba.errors.TypingError)):
            exec(code, {"strategy": resolved.run, "__name__": "snippet"})
        with contextlib.suppress(km.EmptyClusterError):
            exec(right, {"__name__": "snippet"})
    return message


RIGHT = {
    "initializer": "km.initializers.KMeansPlusPlus()",
    "assigner": "km.assigners.Dense()",
    "updater": "km.updaters.mean",
    "empty_handler": "km.empties.random",
}


def kept(role, strategy, *names):
    """The rules that a strategy must keep all the same."""
    resolved = prepared(role, strategy)
    for rule in testing.rules(resolved):
        if rule.name in names:
            rule.check(resolved)


# writing


def writes_centers(problem, state):
    nearest(problem, state)
    state.centers[0] = 0.0


def writes_centers_by_base(problem, state):
    state.centers.base[:] += 1.0
    nearest(problem, state)


def unlocks_weights(problem, state):
    mean(problem, state)
    state.mass.setflags(write=True)
    state.mass[:] = -1.0


def modifies_X(problem, rng):
    rows = problem.X
    while rows.base is not None and isinstance(rows.base, np.ndarray):
        rows = rows.base
    rows -= 1.0
    return problem.X[: problem.k]


@pytest.mark.parametrize(
    ("role", "strategy", "seen"),
    [
        ("assigner", writes_centers, "ValueError: assignment destination is read-only"),
        ("assigner", writes_centers_by_base, "state.centers[0, 0] was "),
        ("updater", unlocks_weights, "state.mass[0] was "),
        ("initializer", modifies_X, "problem.X[0, 0] was "),
    ],
)
def test_writing_what_is_not_its_own(role, strategy, seen):
    message = verdict(role, strategy, "writes-only-its-own")
    assert seen in message
    assert "smallest example found: 1 rows x 1 columns" in message
    with pytest.raises(testing.ConformanceError, match="writes-only-its-own"):
        getattr(testing, f"check_{role}")(strategy)


class WritesInInit:
    def init(self, problem, state):
        state.labels.base[:] = 0

    def __call__(self, problem, state, memory):
        nearest(problem, state)


def test_opening_a_memory_writes_nothing():
    assert "state.labels[0] was -1, and is 0 after the call" in verdict("assigner", WritesInInit, "writes-only-its-own")


@numba.njit
def jitted_writes_counts(problem, state):
    state.counts[0] = 0


def test_a_jitted_strategy_that_writes_does_not_compile():
    assert "TypingError" in verdict("updater", jitted_writes_counts, "writes-only-its-own")


# returning


def labels_from_one(problem, state):
    nearest(problem, state)
    state.labels[:] += 1


def infinite(problem, rng):
    return np.full((problem.k, problem.X.shape[1]), np.inf)


def taken(problem, state, d, free, rng):
    return int(np.flatnonzero(~free)[0]) if not free.all() else 0


def lazy(problem, state, d, free, rng):
    return None


@pytest.mark.parametrize(
    ("role", "strategy", "seen"),
    [
        ("assigner", labels_from_one, "; labels must be 0 to "),
        ("initializer", infinite, "gave bad centers: centers has inf at row 0, column 0"),
        ("empty_handler", taken, "which is not free; it must return a row with free[row]"),
    ],
)
def test_returning_something_else(role, strategy, seen):
    assert seen in verdict(role, strategy, "returns-what-its-role-returns")
    with pytest.raises(testing.ConformanceError, match="returns-what-its-role-returns"):
        getattr(testing, f"check_{role}")(strategy)


def test_a_handler_that_says_it_repairs_must():
    assert "it returned None, but row " in verdict("empty_handler", lazy, "fills-while-a-row-is-free")
    honest = km.empty_handler("test-lazy", repairs=False)(lazy)
    testing.check_empty_handler(honest, examples=5)


# chance and memory


def own_randomness(problem, rng):
    return problem.X[np.random.permutation(len(problem.X))[: problem.k]]  # noqa: NPY002


def test_randomness_of_its_own():
    message = verdict("initializer", own_randomness, "same-bits-again")
    assert "start[" in message


@dataclass
class WarmStart:
    """Returns the centers of the problem before, if they have the right shape."""

    last: Any = None

    def __call__(self, problem, rng):
        before, self.last = self.last, problem.X[: problem.k].astype(float)
        return before if before is not None and before.shape == self.last.shape else self.last


@dataclass
class Cached:
    """Remembers the first answer for each shape: right again and again on the same problem, wrong on the next."""

    seen: dict = field(default_factory=dict)

    def __call__(self, problem, rng):
        return self.seen.setdefault((problem.X.shape, problem.k), problem.X[: problem.k].astype(float))


@pytest.mark.parametrize("strategy", [WarmStart(), Cached()])
def test_state_kept_between_fits(strategy):
    assert "start[" in verdict("initializer", strategy, "keeps-nothing-between-fits")


# weights


def unweighted_mean(problem, state):
    for j in np.flatnonzero(state.counts):
        state.centers[j] = problem.X[state.labels == j].mean(axis=0, dtype=np.float64)


def unweighted_seeds(problem, rng):
    return problem.X[rng.permutation(len(problem.X))[: problem.k]]


def unweighted_second_seed(problem, rng):
    """The first seed in proportion to the weights, the others to the squared distance alone."""
    X, w, k = problem
    chosen = [rng.choice(len(X), p=w / w.sum())]
    while len(chosen) < k:
        d = np.square(X[:, None] - X[chosen]).sum(axis=2).min(axis=1)
        chosen.append(rng.choice(len(X), p=d / d.sum() if d.any() else None))
    return X[chosen]


def unweighted_row(problem, state, d, free, rng):
    return int(rng.choice(np.flatnonzero(free)))


def heavy_first(problem, state):
    """Nearest center, but rows of weight above 2 go to cluster 0."""
    nearest(problem, state)
    state.labels[problem.sample_weight > 2] = 0


@pytest.mark.parametrize(
    ("role", "strategy", "rule", "seen"),
    [
        ("updater", unweighted_mean, "weighted-rows-are-copies", "for repeated rows at"),
        ("assigner", heavy_first, "weighted-rows-are-labeled-as-copies", "its copy"),
        ("assigner", heavy_first, "scaled-weights-change-nothing", "with weights times 8.0"),
        ("initializer", unweighted_seeds, "weighted-rows-are-drawn-as-copies", "Kolmogorov-Smirnov p = "),
        ("initializer", unweighted_second_seed, "weighted-rows-are-drawn-as-copies", "the sum of two seeds is at"),
        ("empty_handler", unweighted_row, "weighted-rows-are-taken-as-copies", "the row taken is at"),
    ],
)
def test_forgotten_weights(role, strategy, rule, seen):
    assert seen in verdict(role, strategy, rule)


def test_a_strategy_that_says_it_ignores_weights_may():
    km.updater("test-open-mean", weights=False, monotone=False)(unweighted_mean)
    assert not any("weight" in rule.name for rule in testing.rules(prepared("updater", "test-open-mean")))
    testing.check_updater("test-open-mean", examples=5)


# what is promised


def highest_of_equals(problem, state):
    difference = problem.X[:, None].astype(np.float64) - state.centers
    state.labels[:] = problem.k - 1 - np.square(difference).sum(axis=2)[:, ::-1].argmin(axis=1)


def in_single_precision(problem, state):
    difference = problem.X[:, None].astype(np.float32) - state.centers.astype(np.float32)
    state.labels[:] = np.square(difference).sum(axis=2).argmin(axis=1)


class Margins:
    """The margins of the documentation, made exact on grids; subclasses spoil them."""

    def init(self, problem, state):
        return {"margin": np.zeros(len(problem.X)), "labels": state.labels.copy(), "live": np.ones(problem.k, bool)}

    def shift(self, state, memory):
        return state.shift.max()

    def __call__(self, problem, state, memory):
        margin, proposed = memory["margin"], memory["labels"]
        margin -= 2 * self.shift(state, memory) * (1 + 1e-9)
        margin[state.labels != proposed] = 0.0
        rows = np.flatnonzero(margin <= 1e-9 * np.abs(problem.X).max())
        squares = np.square(problem.X[rows, None].astype(float) - state.centers).sum(axis=2)
        state.labels[rows] = squares.argmin(axis=1)
        distances = np.sqrt(np.sort(squares, axis=1))
        margin[rows] = distances[:, 1] - distances[:, 0] if problem.k > 1 else np.inf
        proposed[:] = state.labels
        memory["live"] = np.bincount(state.labels, minlength=problem.k) > 0


class ForgetsShift(Margins):
    def shift(self, state, memory):
        return 0.0


class ForgetsRepairs(Margins):
    """Empty clusters have no rows, so their centers seem not to matter; but a repair moves them."""

    def shift(self, state, memory):
        return state.shift[memory["live"]].max()


class Stale(Margins):
    """Writes what it proposed last for the rows it skips, also if they have been repaired since."""

    def __call__(self, problem, state, memory):
        proposed = memory["labels"].copy()
        super().__call__(problem, state, memory)
        if (proposed >= 0).all():
            same = memory["margin"] > 0
            state.labels[same] = np.where(state.counts[proposed[same]] > 1, proposed[same], state.labels[same])


@pytest.mark.parametrize("strategy", [highest_of_equals, in_single_precision, ForgetsShift, ForgetsRepairs, Stale])
def test_assigners_that_are_not_exact(strategy):
    km.assigner("test-not-exact", exact=True)(strategy)
    message = verdict("assigner", strategy, "takes-the-nearest")
    assert "the nearest is" in message
    with pytest.raises(testing.ConformanceError, match="takes-the-nearest"):
        testing.check_assigner(strategy)


def forgets_the_last(problem, state):
    before = state.labels.copy()
    nearest(problem, state)
    return np.flatnonzero(state.labels != before)[:-1]


class TellsLate:
    """Returns the rows that it moved at the call before: once nothing moves, all have been told."""

    def init(self, problem, state):
        return [np.arange(0)]

    def __call__(self, problem, state, memory):
        before = state.labels.copy()
        nearest(problem, state)
        memory.append(np.flatnonzero(state.labels != before))
        return memory[-2]


@pytest.mark.parametrize("strategy", [forgets_the_last, TellsLate])
def test_assigners_that_do_not_tell_what_they_moved(strategy):
    assert ", and is not among the " in verdict("assigner", strategy, "tells-every-row-it-moved")


def test_an_assigner_may_tell_more_than_it_moved():
    def all_rows(problem, state):
        nearest(problem, state)
        return np.arange(len(problem.X))

    testing.check_assigner(all_rows, examples=5)


def test_a_tie_is_shown_with_few_small_integers():
    km.assigner("test-highest", exact=True)(highest_of_equals)
    message = verdict("assigner", highest_of_equals, "takes-the-nearest")
    assert "1 rows x 1 columns" in message or "2 rows x 1 columns" in message
    assert "got the label 1 (squared distance 0.0)" in message
    assert "the nearest is 0 (0.0)" in message


def overshooting(problem, state):
    before = state.centers.copy()
    mean(problem, state)
    state.centers[:] += 1.5 * (state.centers - before)


def test_an_updater_that_does_not_descend():
    message = verdict("updater", overshooting, "descends-with-every-partner")
    assert "updater 'overshooting' raised the objective by " in message
    kept("updater", overshooting, "returns-what-its-role-returns", "same-bits-again", "weighted-rows-are-copies")


def creeping(problem, state):
    before = state.centers.copy()
    mean(problem, state)
    state.centers[:] += 0.999 * (before - state.centers)


def test_an_updater_that_does_not_end():
    assert "after 2000 iterations the fit had not ended" in verdict("updater", creeping, "descends-with-every-partner")


def inertia(problem, state):
    before = state.centers.copy()
    mean(problem, state)
    state.centers[:] += 0.1 * (before - state.centers)


def test_an_updater_that_says_exact_but_depends_on_the_centers_before():
    km.updater("test-inertia", exact=True)(inertia)
    assert "the mean of its rows at" in verdict("updater", inertia, "minimizes")
    assert "when all centers began farther by 1" in verdict("updater", inertia, "forgets-the-centers-before")


def single_sums(problem, state):
    for j in np.flatnonzero(state.counts):
        mine = state.labels == j
        weights = problem.sample_weight[mine].astype(problem.X.dtype)
        state.centers[j] = (weights[:, None] * problem.X[mine]).sum(axis=0) / weights.sum()


def test_sums_in_single_precision():
    message = verdict("updater", single_sums, "single-precision-rows-change-no-center")
    assert "for the same values in float64 at" in message


# compiled code


def by_threads(problem, state):
    mean(problem, state)
    state.centers[:] += 1e-12 * numba.get_num_threads()


THREADS = """
import test_broken_strategies as broken

message = broken.verdict("updater", broken.by_threads, "same-bits-for-any-number-of-threads")
assert "with 2 threads" in message and "from kmtoolkit.testing.awkward import big" in message, message
"""


def test_an_answer_that_depends_on_the_number_of_threads():
    """In a process of its own: how many threads there can be is settled when Numba is imported."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", THREADS], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def compiles_each_time(problem, state):
    numba.njit(lambda x: x + 1)(1)
    nearest(problem, state)


@numba.njit
def _sum_of(pair):
    return pair[0]


def compiles_by_shape(problem, state):
    _sum_of((0,) * problem.k)
    nearest(problem, state)


@pytest.mark.parametrize("strategy", [compiles_each_time, compiles_by_shape])
def test_compiling_again(strategy):
    assert "was compiled for fit(" in verdict("assigner", strategy, "compiles-nothing-twice", process=True)


@numba.njit
def wraps_around(problem, state):
    """NumPy adds two numbers of one byte in one byte, Numba in eight."""
    small = np.full(len(problem.X), 200, np.uint8)
    for i in range(len(problem.X)):
        state.labels[i] = (small[i] + small[i]) % problem.k


def test_an_answer_that_depends_on_compilation(tmp_path, monkeypatch):
    message = verdict("assigner", wraps_around, "same-without-compilation")
    assert "in plain Python" in message

    (tmp_path / "overflows.py").write_text(
        textwrap.dedent("""
        import numba
        import numpy as np

        @numba.njit
        def kernel(labels, k):
            small = np.full(len(labels), 200, np.uint8)
            for i in range(len(labels)):
                labels[i] = (small[i] + small[i]) % k

        class Overflows:
            def __call__(self, problem, state):
                kernel(state.labels, problem.k)
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    import overflows

    assert "in plain Python" in verdict("assigner", overflows.Overflows, "same-without-compilation")
    del sys.modules["overflows"]


def test_distances_in_single_precision_are_not_exact():
    @km.assigner("by-rounded-distances", exact=True)
    def by_rounded_distances(problem, state):
        squares = np.zeros((len(problem.X), problem.k))
        for f in range(problem.X.shape[1]):
            squares += np.square(problem.X[:, f : f + 1] - state.centers[:, f])
        state.labels[:] = squares.astype(np.float32).argmin(axis=1)

    with pytest.raises(testing.ConformanceError, match="takes-the-nearest"):
        testing.check_assigner("by-rounded-distances")


def test_a_strategy_that_exits_is_broken():
    def exits(problem, state):
        sys.exit(0)

    with pytest.raises(testing.ConformanceError, match="it raised SystemExit: 0"):
        testing.check_updater(exits)


def test_a_strangers_class_that_needs_arguments_is_no_partner():
    @km.updater("needs-arguments")
    class NeedsArguments:
        def __init__(self, step):
            self.step = step

    testing.check_empty_handler("keep", examples=1)


def test_a_sum_in_another_order_is_not_exact():
    """Of eight columns or more the canonical sum takes every eighth; in turn, another center may be the nearest."""

    def in_turn(problem, state):
        squares = np.zeros((len(problem.X), problem.k))
        for f in range(problem.X.shape[1]):
            squares += np.square(problem.X[:, f : f + 1].astype(np.float64) - state.centers[:, f])
        state.labels[:] = squares.argmin(axis=1)

    testing.check_assigner(in_turn)  # which is no fault in itself
    km.assigner("in-turn", exact=True)(in_turn)
    with pytest.raises(testing.ConformanceError, match="takes-the-nearest"):
        testing.check_assigner("in-turn")
