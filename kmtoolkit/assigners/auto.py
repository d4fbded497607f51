"""The assigner to use when you do not want to choose. It is exact, so the choice changes time, never labels.

A prior picks the method that suits n, d and k, and memory: trees find few candidates where columns are few, one bound a
row pays in the middle, a bound for each group of centers where columns and centers are many, and for little work no
bounds at all. Then what it does is watched: while comparing rows anew takes as long as comparing all, as early in a fit
and on data without clusters, ``dense`` does the work, and the method is tried again after 4, 8, 16, ... calls.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter as clock
from typing import Any

import numpy as np

from kmtoolkit.assigners.dense import Dense
from kmtoolkit.assigners.hamerly import Hamerly
from kmtoolkit.assigners.sorted_1d import Sorted1D
from kmtoolkit.assigners.tree import Tree
from kmtoolkit.assigners.yinyang import Yinyang
from kmtoolkit.problem import Problem, State, Work
from kmtoolkit.registry import assigner

LITTLE = 1 << 21  # multiply-adds of a dense call below which bounds cost more than they spare
TREE_COLUMNS = 3
GROUPED = 12_000  # columns times centers from which bounds of groups pay
BEGIN = {"tree": 45.0, "sorted-1d": 70.0}  # nanoseconds a row that the first call takes more, on one core
DENSE = (2.0, 0.04)  # nanoseconds a row of a dense call over few columns, and more for each multiply-add
PATIENCE = 8  # dense calls that a method may cost to begin with; one that costs more waits for so many
FULL_PASS = 1.1  # a first call with bounds, in units of a dense one
WORTH = 0.95  # of a dense call: what a call with bounds may cost
FIRST_REST, LONGEST_REST = 4, 64  # dense calls before bounds are tried again
ENGINES: dict[str, Callable[[], Any]] = {
    "dense": Dense,
    "hamerly": Hamerly,
    "sorted-1d": Sorted1D,
    "tree": Tree,
    "yinyang": Yinyang,
}
BOUNDED = ("hamerly",)  # methods that may be worse than dense, and do not see it themselves


@dataclass
class Memory:
    """The method in use, what it keeps, and what was decided so far."""

    prior: str
    rest: int = 0  # dense calls to come before the prior's method is used
    engine: str = "dense"
    run: Any = field(default_factory=Dense)
    inner: tuple[Any, ...] = ()
    wait: int = FIRST_REST
    calls: int = 0
    entered: int = 0  # the call at which the engine was entered
    dense_cost: float = 0.0  # of a call, in seconds or distances
    told: Work = field(default_factory=Work)
    notes: list[str] = field(default_factory=list)

    def use(self, engine: str, why: str, problem: Problem, state: State) -> None:
        """Go on with another method."""
        self.engine, self.run, self.entered = engine, ENGINES[engine](), self.calls
        remember = getattr(self.run, "init", None)
        self.inner = (remember(problem, state),) if remember else ()
        self.notes.append(f"{engine} from call {self.calls}: {why}")


@assigner("auto", exact=True, reference="Lloyd 1982; Hamerly 2010", cost="O(n k d) at most")
@dataclass(frozen=True)
class Auto:
    """Choose an exact assigner for the data, and change it when another is faster.

    Parameters
    ----------
    timed : bool
        Judge a method by the clock. If False, by the share of rows it compares: then ``trace.distances`` is the same
        for every run.
    memory_limit : int
        Bytes that may be kept between calls, beyond X.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> result = km.kmeans(km.datasets.iris().X, 3, assign="auto", rng=0)
    >>> result.notes
    ('dense from call 0: a call takes 1800 multiply-adds; bounds would cost more than they spare',)
    """

    timed: bool = True
    memory_limit: int = 1 << 32

    def init(self, problem: Problem, state: State) -> Memory:
        engine, why, rest = prior(problem, self.memory_limit)
        memory = Memory(engine, rest)
        if rest:
            memory.use("dense", f"{rest} calls cost less than {engine} does to begin with", problem, state)
        else:
            memory.use(engine, why, problem, state)
        return memory

    def __call__(self, problem: Problem, state: State, memory: Memory) -> np.ndarray | None:
        if memory.engine != memory.prior and memory.rest == 0:
            memory.use(memory.prior, prior(problem, self.memory_limit)[1], problem, state)
        began = clock()
        moved = memory.run(problem, state, *memory.inner)
        cost = clock() - began
        memory.told = memory.run.work(problem, *memory.inner)._replace(engine=memory.engine)
        memory.calls += 1
        self.judge(problem, state, memory, cost if self.timed else memory.told.distances)
        return moved

    def judge(self, problem: Problem, state: State, memory: Memory, cost: float) -> None:
        """See whether the method in use is worth its while."""
        if memory.engine != memory.prior:
            memory.rest -= 1
        elif memory.engine in BOUNDED:
            if memory.calls == memory.entered + 1:
                memory.dense_cost = cost / FULL_PASS if self.timed else len(problem.X) * problem.k
            elif cost > WORTH * memory.dense_cost:
                share = memory.told.survivors / len(problem.X)
                memory.use("dense", f"{share:.0%} of the rows had to be compared again", problem, state)
                memory.rest, memory.wait = memory.wait, min(2 * memory.wait, LONGEST_REST)
            else:
                memory.wait = FIRST_REST

    def relabeled(self, problem: Problem, state: State, memory: Memory, rows: np.ndarray) -> None:
        """Tell the method in use."""
        if tell := getattr(memory.run, "relabeled", None):
            tell(problem, state, *memory.inner, rows)

    def work(self, problem: Problem, memory: Memory) -> Work:
        """What the method in use tells."""
        return memory.told

    def notes(self, memory: Memory) -> list[str]:
        """What was decided, and why."""
        return memory.notes


def prior(problem: Problem, memory_limit: int) -> tuple[str, str, int]:
    """The method that suits n, d and k, why, and after how many dense calls it pays to begin with it."""
    (n, d), k = problem.X.shape, problem.k
    operations = n * k * d
    if k == 1 or operations < LITTLE:
        return "dense", f"a call takes {operations} multiply-adds; bounds would cost more than they spare", 0
    choices = [
        ("sorted-1d", d == 1, 12, "one column can be sorted"),
        ("tree", d <= TREE_COLUMNS, d * problem.X.itemsize + 9, f"boxes of rows in {d} columns have few candidates"),
        (
            "yinyang",
            d * k >= GROUPED and d >= 16 and k >= 64,
            9 + 5 * (k / 16 + 16),
            f"groups of {k} centers in {d} columns",
        ),
        ("hamerly", True, 4, f"one bound a row, for {d} columns and k = {k}"),
    ]
    for engine, suits, bytes_a_row, why in choices:
        if suits and n * bytes_a_row <= memory_limit:
            calls = int(BEGIN.get(engine, 0.0) / (DENSE[0] + DENSE[1] * k * d))
            return engine, why, calls if calls > PATIENCE else 0
    return "dense", f"memory_limit leaves no room for a bound a row, {4 * n} bytes", 0
