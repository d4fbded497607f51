"""The assigner to use when you do not want to choose. It is exact, so the choice changes time, never labels.

A prior picks the method that suits n, d and k, and memory: trees find few candidates where columns are few, one bound a
row pays in the middle, a bound for each group of centers where columns and centers are many, and for little work no
bounds at all. A method takes time before it spares any, so ``dense`` works until that is a small part of what has been
spent. Then the method is watched: while a call of it takes longer than one of ``dense``, as early in a fit and on data
without clusters, ``dense`` goes on, and the method is tried again after more and more calls.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter as clock
from typing import Any

import numpy as np

from kmtoolkit.assigners.dense import Dense
from kmtoolkit.assigners.exponion import Exponion
from kmtoolkit.assigners.hamerly import Hamerly
from kmtoolkit.assigners.sorted_1d import Sorted1D
from kmtoolkit.assigners.tree import Tree
from kmtoolkit.assigners.yinyang import Yinyang
from kmtoolkit.errors import check_int
from kmtoolkit.problem import Problem, State, Work
from kmtoolkit.registry import assigner

LITTLE = 1 << 21  # multiply-adds of a dense call below which bounds cost more than they spare
GROUPED = 12_000  # columns times centers from which bounds of groups pay
BEGIN = {"tree": 45.0, "sorted-1d": 70.0, "hamerly": 12.0, "exponion": 15.0}  # nanoseconds a row, on one core, that a
# method takes before it spares any
DENSE = (2.0, 0.07, 0.018)  # nanoseconds a row of a dense call, and more for each center, and for each multiply-add
PATIENCE = 6  # dense calls that a tree or a sort may cost at once; one that costs more waits for so many at most
SOON, SLOW = 4, 0.5  # or for so many, if the centers still move that part of what they moved two calls before
PROBE = 0.2  # of the dense calls before: what trying another method may cost
LOSS, CREDIT = 0.05, 2.0  # dense calls that a method may lose before it is left, and that gains make up for at most
SHORTEST = 1e-9  # seconds that a call takes
SCATTERED = 1.1  # what a distance of a row here and there takes, in units of one of dense
LONGEST_REST = 64  # dense calls before it is tried again; each time twice as many
ENGINES: dict[str, Callable[[], Any]] = {
    "dense": Dense,
    "exponion": Exponion,
    "hamerly": Hamerly,
    "sorted-1d": Sorted1D,
    "tree": Tree,
    "yinyang": Yinyang,
}
WATCHED = ("hamerly", "exponion")  # methods that may be worse than dense for long, and do not see it themselves


@dataclass
class Memory:
    """The method in use, what it keeps, and what was decided so far."""

    prior: str
    why: str
    rest: int = 0  # dense calls to come before the prior's method is used
    engine: str = "dense"
    run: Any = field(default_factory=Dense)
    inner: tuple[Any, ...] = ()
    wait: int = 0  # dense calls before the method was tried the last time
    steps: tuple[float, float] = (math.inf, math.inf)  # how far the centers moved before the last two calls
    calls: int = 0
    entered: int = 0  # the call at which the engine was entered
    gain: float = 0.0  # what the engine has spared since then, in units of dense_cost
    dense_cost: float = math.inf  # of a call, in seconds or distances
    told: Work = field(default_factory=Work)
    notes: list[str] = field(default_factory=list)

    def use(self, engine: str, why: str, problem: Problem, state: State) -> None:
        """Go on with another method."""
        self.engine, self.run, self.entered, self.gain = engine, ENGINES[engine](), self.calls, 0.0
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

    def __post_init__(self) -> None:
        check_int("memory_limit", self.memory_limit, 1)
        if not isinstance(self.timed, bool):
            raise TypeError(f"timed is {self.timed!r}; it must be True or False")

    def init(self, problem: Problem, state: State) -> Memory:
        engine, why, rest = prior(problem, self.memory_limit)
        memory = Memory(engine, why, rest, wait=rest)
        if rest:
            memory.use(
                "dense", f"{rest} calls at most, because {engine} takes time before it spares any", problem, state
            )
        else:
            memory.use(engine, why, problem, state)
        return memory

    def __call__(self, problem: Problem, state: State, memory: Memory) -> np.ndarray | None:
        if memory.rest and memory.prior not in WATCHED:
            step = float(np.sqrt(np.square(state.shift).sum()))
            if memory.calls >= SOON and step > SLOW * memory.steps[0]:
                memory.rest = 0
            memory.steps = memory.steps[1], step
        if memory.engine != memory.prior and memory.rest == 0:
            memory.use(memory.prior, memory.why, problem, state)
        began = clock()
        moved = memory.run(problem, state, *memory.inner)
        cost = clock() - began
        memory.told = memory.run.work(problem, *memory.inner)._replace(engine=memory.engine)
        memory.calls += 1
        self.judge(problem, state, memory, cost if self.timed else float(memory.told.distances))
        return moved

    def judge(self, problem: Problem, state: State, memory: Memory, cost: float) -> None:
        """See whether the method in use is worth its while; its first call compares all rows, and tells nothing."""
        if memory.engine != memory.prior:
            memory.rest -= 1
            memory.dense_cost = min(memory.dense_cost, cost)
        elif memory.engine in WATCHED and memory.calls > memory.entered + 1:
            cost *= 1.0 if self.timed else SCATTERED
            memory.gain = min(memory.gain + 1 - cost / max(memory.dense_cost, SHORTEST), CREDIT)
            if memory.gain < -LOSS:
                share = memory.told.survivors / len(problem.X)
                memory.use("dense", f"{share:.0%} of the rows had to be compared again", problem, state)
                memory.rest = memory.wait = max(memory.wait, min(2 * memory.wait, LONGEST_REST))

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
    """The method that suits n, d and k, why, and how many dense calls should come before it."""
    (n, d), k = problem.X.shape, problem.k
    if k == 1 or n * k * d < LITTLE:
        return "dense", f"a call takes {n * k * d} multiply-adds; bounds would cost more than they spare", 0
    boxes = d <= 3 or (d == 4 and k >= 64 and n >= 4000 * k)
    grouped = 89 + 5 * k / 16 + 8 * d * max(min(32 * k / n, 1), 2 * k / n)  # and centers of 32 calls
    choices = [
        ("sorted-1d", d == 1 and n >= 1000 * k, 12, "one column can be sorted"),
        ("tree", boxes, d * problem.X.itemsize + 9, f"boxes of rows in {d} columns have few candidates"),
        ("exponion", d <= 4 and k >= 1000, 4 + 600 * k * d / n, f"few of {k} centers are near in {d} columns"),
        ("yinyang", d * k >= GROUPED and d >= 16 and k >= 64, grouped, f"groups of {k} centers, {d} columns"),
        ("hamerly", True, 4, f"one bound a row, for {d} columns and k = {k}"),
    ]
    for engine, suits, bytes_a_row, why in choices:
        if suits and n * bytes_a_row <= memory_limit:
            calls = BEGIN.get(engine, 0.0) / (DENSE[0] + k * (DENSE[1] + d * DENSE[2]))
            if engine in WATCHED:
                return engine, why, max(math.ceil(calls / PROBE), 2)
            return engine, why, int(calls) if calls > PATIENCE else 0
    return "dense", f"memory_limit leaves no room for a bound a row, {4 * n} bytes", 0
