"""The loop: assign, repair, update by turns, and the objective after each half-step.

The order matters. A descent leaves the loop only after an assignment was settled, so labels, centers and
objective agree at every exit. ``state.shift`` covers repair and update together, because an assigner that keeps
bounds must hear of every move of a center.
"""

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from kmtoolkit.books import Books
from kmtoolkit.errors import RuleBroken, StrategyError
from kmtoolkit.kernels.arithmetic import NOISE
from kmtoolkit.kernels.grid import watched
from kmtoolkit.kernels.jit import does_not_compile
from kmtoolkit.kernels.statistics import magnitude, shifts
from kmtoolkit.objectives import SquaredEuclidean, Step
from kmtoolkit.options import Abandoned, Limits, next_child
from kmtoolkit.problem import Door, Work, as_centers
from kmtoolkit.registry import Strategy
from kmtoolkit.result import Run, Status
from kmtoolkit.soft import SoftKMeans, SoftObjective
from kmtoolkit.soft_books import SoftBooks
from kmtoolkit.trace import Recorder

__all__ = ["Descent", "Parts"]

# The first repair of some labels may start from centers that were not updated for them yet; handlers that draw
# rows may have better luck another time.
REPAIR_TRIES = 3
CONVERGED = (Status.FIXED_POINT, Status.TOLERANCE)


class Parts(NamedTuple):
    """The resolved strategies: one for each role, and of updaters one or more that take turns."""

    init: Strategy
    assign: Strategy
    updates: tuple[Strategy, ...]
    empty: Strategy

    @property
    def all(self) -> tuple[Strategy, ...]:
        """All of them."""
        return self.init, self.assign, *self.updates, self.empty


class Descent:
    """One restart: the descent from one start."""

    def __init__(
        self,
        parts: Parts,
        objective: SquaredEuclidean,
        door: Door,
        seed: np.random.SeedSequence,
        start: dict[str, np.ndarray],
        limits: Limits,
        still: float,
        verify: bool,
    ) -> None:
        self.parts, self.door, self.seed, self.limits, self.verify = parts, door, seed, limits, verify
        self.still = still  # the unrest of an iteration at or below which the fit has converged
        self.certified = all(part.row.monotone for part in parts.all)
        self.recorder = Recorder(self.certified)
        self.n_iter = 0
        self.measured = 0.0  # F from scratch after the latest half-step, where it is asked for
        self.memory: tuple[Any, ...] = ()  # what the assigner keeps, if it does
        self.plan: list[tuple[int, int]] = []  # repairs due
        self.repaired = False  # whether this iteration began with a repair
        self.way = 0.0  # Σ shift² of the centers since the latest assignment
        self.farthest = 0.0  # the largest of those shifts
        self.moved = 0  # rows that the latest assignment moved
        self.updated = Step(0.0)  # what the latest updates did together
        self.seen: set[int] = set()  # hashes of the labels that iterations started from
        self.repairs: Counter[int] = Counter()  # how often labels of that hash were repaired
        self.refreshed: set[int] = set()  # those whose rows were summed afresh
        self.schedule: list[Strategy] = []  # assigners that are to take over, the next one last
        self.annealed = 0  # the iteration after which the assigner took over
        self.kicks: list[np.ndarray] = []  # groups of centers that are to be tried apart
        objective = self.schedule_assigners(objective)
        self.bind(objective)
        start = {name: array.copy() for name, array in start.items()}
        if "centers" not in start:
            start["centers"] = self.initial_centers()
        objective.project(start["centers"])
        self.start = start["centers"].copy()
        self.books: Books | SoftBooks
        if isinstance(objective, SoftObjective):
            self.books = SoftBooks(door.problem, objective, objective.begin(door.problem, door.box, start))
        else:
            self.books = Books(door.problem, start["centers"], objective, door.box)
        self.at_assign = self.books.parameters()  # the parameters of the latest assignment

    @functools.cached_property
    def rng(self) -> np.random.Generator:
        """The restart's own randomness; given centers and a handler that draws nothing need none."""
        return np.random.default_rng(next_child(self.seed))

    def run(self) -> Run:
        """Descend until there is a reason to stop; what Ctrl-C or the clock left unfinished is taken back."""
        self.open_assigner()
        self.assign("init")
        self.limits.settled = True
        try:
            status = self.iterate()
        except Abandoned:
            status = self.take_back()
        with watched(None):
            return self.finish(status)

    def iterate(self) -> Status:
        """THE loop."""
        books, empty = self.books, self.parts.empty
        while True:
            dropped = empty.row.drops and books.compress()
            self.at_assign = books.parameters()
            self.settled = books.objective, tuple(self.schedule), self.parts
            self.recorder.mark()
            if dropped:
                self.open_assigner()
                self.kicks = books.together() if self.kicks and isinstance(books, SoftBooks) else []
            self.plan = books.plan(self.ask_handler, empty.row.repairs)
            if self.kicks:
                self.kick()
                continue
            if status := self.stop():
                if self.schedule and status in CONVERGED:
                    self.anneal()
                    continue
                return status
            self.seen.add(books.hash)
            self.n_iter += 1
            self.repaired = bool(self.plan)
            if self.repaired:
                self.repairs[books.hash] += 1
                step = self.of(self.parts.assign, books.repair, self.plan, self.propose, self.parts.assign.row)
                self.tell_assigner(np.array([row for row, _ in self.plan]))
                self.shift()
                self.add("repair", empty, step, self.farthest)
            self.update()
            self.assign("assign")

    def schedule_assigners(self, objective: SquaredEuclidean) -> SquaredEuclidean:
        """Ask the assigner for those that take over from it, if it has any; the objective to begin with."""
        part = self.parts.assign
        plan = getattr(part.run, "schedule", None)
        if callable(plan) and isinstance(objective, SoftKMeans):
            stages = self.run_of(part, plan, self.door.problem)
            if not (isinstance(stages, (tuple, list)) and stages and all(hasattr(run, "beta") for run in stages)):
                raise self.broken(part, f"has a method schedule that returned {stages!r}; it must return assigners")
            first, *others = stages
            self.schedule = [replace(part, run=run) for run in others[::-1]]
            self.parts = self.parts._replace(assign=replace(part, run=first))
            return objective.of(first)
        return objective

    def bind(self, objective: SquaredEuclidean) -> None:
        """Tell the strategies that ask for it what they are to measure by."""

        def bound(part: Strategy) -> Strategy:
            under = getattr(part.run, "under", None)
            return replace(part, run=under(objective)) if callable(under) else part

        parts = self.parts
        self.parts = parts._replace(init=bound(parts.init), updates=tuple(map(bound, parts.updates)))

    def anneal(self) -> None:
        """Let the next assigner of the schedule take over."""
        books, part = self.books, self.schedule.pop()
        assert isinstance(books, SoftBooks)
        self.parts = self.parts._replace(assign=part)
        self.farthest = 0.0
        self.add("anneal", part, books.stiffen(SoftKMeans.of(part.run)), self.farthest)
        self.open_assigner()
        self.assign("assign")
        self.kicks, self.annealed = books.together(), self.n_iter

    def kick(self) -> None:
        """See whether centers that lie together had better be apart now."""
        books, part = self.books, self.parts.assign
        assert isinstance(books, SoftBooks)
        step = self.of(part, books.kick, self.kicks.pop(), self.rng, self.propose, part.row)
        self.shift()
        self.add("kick", part, step, self.farthest)

    @property
    def rank(self) -> tuple[int, float]:
        """What restarts are compared by: how much of its schedule was left, and F."""
        return len(self.schedule), self.data.objective

    def take_back(self) -> Status:
        """Return to the latest settled assignment, where labels, centers and objective agree."""
        assert self.limits.ended is not None
        self.books.objective, schedule, self.parts = self.settled
        self.schedule = list(schedule)
        self.books.take_back(self.at_assign)
        self.n_iter = self.recorder.rewind()
        self.plan = []
        return self.limits.ended

    def stop(self) -> Status | None:
        """Why to leave the loop here, if there is a reason: labels, centers and objective agree now."""
        books = self.books
        limit = self.limits.reached(self.n_iter, self.recorder.live, books.view())
        if limit in (Status.CALLBACK, Status.INTERRUPTED):
            return limit
        if self.n_iter > self.annealed:
            if self.at_fixed_point() and self.sums_are_fresh():
                return Status.FIXED_POINT
            if not self.plan and books.unrest(self.way) <= self.still:
                return Status.TOLERANCE
        return limit

    def at_fixed_point(self) -> bool:
        """Whether the labels have occurred before, and no repair and no update can change them.

        The same labels are repaired a few times only, so rounding can't make repairs go on for ever; the iteration
        after a repair that came to nothing shows whether anything else moves. An updater that does not jump to the
        minimizer may have further to go from the same labels.
        """
        if isinstance(self.books, SoftBooks):
            return not self.plan and self.books.fall <= 0
        if not self.certified:
            return self.moved == 0 and not self.plan and not self.books.state.shift.any()
        if self.books.hash not in self.seen:
            return False
        if self.plan or self.repaired:
            return bool(self.plan) and self.repairs[self.books.hash] >= REPAIR_TRIES
        exact = all(part.row.exact for part in self.parts.updates)
        return exact or self.updated.drop <= NOISE * self.updated.terms

    def sums_are_fresh(self) -> bool:
        """Whether summing the rows afresh changes nothing; it is done once for the same labels."""
        if self.books.hash in self.refreshed:
            return True
        self.refreshed.add(self.books.hash)
        return not self.books.refresh()

    def initial_centers(self) -> np.ndarray:
        """The initializer's centers, checked."""
        part = self.parts.init
        return self.checked_centers(self.run_of(part, part.run, self.door.problem, self.rng), part)

    def ask_handler(self, d: np.ndarray, free: np.ndarray) -> int | None:
        """The row that the handler names for an empty cluster, checked."""
        part = self.parts.empty
        row = self.run_of(part, part.run, self.books.problem, self.books.view(), d, free, self.rng)
        if row is None:
            return None
        if isinstance(row, (bool, np.bool_)) or not isinstance(row, (int, np.integer)):
            raise self.broken(part, f"returned {row!r}; it must return one row index, or None")
        if not 0 <= row < len(free):
            raise self.broken(part, f"returned row {row}; rows are 0 to {len(free) - 1}")
        if not free[row]:
            raise self.broken(part, f"returned row {row}, which is not free; it must return a row with free[row]")
        return int(row)

    def open_assigner(self) -> None:
        """Let an assigner that remembers start anew."""
        part = self.parts.assign
        self.memory = ()
        remember = getattr(part.run, "init", None)
        if callable(remember):
            self.memory = (self.run_of(part, remember, self.books.problem, self.books.view()),)

    def tell_assigner(self, rows: np.ndarray) -> None:
        """Tell an assigner that remembers which rows (m,) others have moved: they are not where it has put them."""
        part = self.parts.assign
        tell = getattr(part.run, "relabeled", None)
        if callable(tell):
            self.run_of(part, tell, self.books.problem, self.books.view(), *self.memory, rows)

    def propose(self) -> tuple[Any, Work]:
        """Let the assigner write what it owns; what it returns, and the work it tells of."""
        part, books = self.parts.assign, self.books
        told = self.run_of(part, part.run, books.problem, books.view(*books.assigned), *self.memory)
        tell = getattr(part.run, "work", None)
        work = self.run_of(part, tell, books.problem, *self.memory) if callable(tell) else Work()
        if not isinstance(work, Work):
            raise self.broken(part, f"has a method work that returned {work!r}; it must return a km.Work")
        return told, work

    def assign(self, phase: str) -> None:
        """Let the assigner propose, check it, and settle."""
        part = self.parts.assign
        step = self.of(part, self.books.take, *self.propose(), part.row, phase == "init")
        self.moved = step.moved
        with watched(None):  # until at_assign belongs to these labels, they can not be taken back
            self.add(phase, part, step, self.farthest)

    def update(self) -> None:
        """Let the updaters move the parameters, one after the other; check them, and measure the drops."""
        books, self.updated = self.books, Step(0.0)
        for part in self.parts.updates:
            before = books.parameters()
            if self.run_of(part, part.run, books.problem, books.view(*part.row.writes)) is not None:
                wrote = ", ".join(f"state.{name}" for name in part.row.writes)
                raise self.broken(part, f"returned a value; it must write {wrote} and return nothing")
            if not magnitude(books.state.centers) <= self.door.largest:
                self.checked_centers(books.state.centers, part)
            books.objective.project(books.state.centers)
            self.shift()
            if "labels" in part.row.writes:
                self.rejoin(part, before)
                continue
            step = self.of(part, books.updated, before, max(self.recorder.live, 0.0))
            self.updated = Step(self.updated.drop + step.drop, terms=self.updated.terms + step.terms)
            phase = "update" if "centers" in part.row.writes else part.row.writes[0]
            self.add(phase, part, step, self.farthest)

    def rejoin(self, part: Strategy, before: dict[str, np.ndarray]) -> None:
        """Account for an updater that moved centers and labels together: they agree now, as after an assignment."""
        books = self.books
        assert isinstance(books, Books)
        with watched(None):
            step, rows = self.of(part, books.rejoined, before)
            self.updated = Step(self.updated.drop + step.drop, terms=self.updated.terms + step.terms)
            self.add("update", part, step, self.farthest)
            self.at_assign = books.parameters()
            self.recorder.mark()
        self.tell_assigner(rows)

    def shift(self) -> None:
        """See how far the centers have moved since the latest assignment."""
        state = self.books.state
        self.way = shifts(self.at_assign["centers"], state.centers, state.shift)
        self.farthest = float(state.shift.max())

    def add(self, phase: str, part: Strategy, step: Step, farthest: float) -> None:
        """Enter a half-step in the trace; without a certificate, its drop is measured from scratch."""
        books, value = self.books, None
        if not self.certified:
            value = books.value()
            step = step._replace(drop=self.measured - value, noise=0.0)
            self.measured = value
        self.recorder.add(self.n_iter, phase, part, step, books.empty, farthest, value)
        if self.certified and self.verify:
            self.measured = books.check(step, self.measured, f"{part} in iteration {self.n_iter} ({phase})")
        if self.recorder.drifted:
            self.recorder.measure(books.now())

    def finish(self, status: Status) -> Run:
        """Recompute F and rebuild the trace from it."""
        part = self.parts.assign
        self.of(part, self.books.close)
        self.cluster_objectives, value = self.books.cluster_values()
        if part.row.exact and self.verify and len(wrong := self.books.not_nearest()):
            raise self.broken(part, f"is declared exact, but row {wrong[0]} is not at its nearest center")
        tell = getattr(part.run, "notes", None)
        self.notes = tuple(self.run_of(part, tell, *self.memory)) if callable(tell) else ()
        self.exact = status is Status.FIXED_POINT and self.moved == 0 and not self.plan
        trace, parameters = self.recorder.rebuilt(value), self.books.parameters()
        parameters.pop("factors", None)  # which follow from the covariances
        self.data = Run(self.seed, self.start, trace, value, self.n_iter, status, parameters)
        return self.data

    def checked_centers(self, centers: Any, part: Strategy) -> np.ndarray:
        """A strategy's centers as (k, d) float64; StrategyError if they are not that, finite and in range."""
        k = self.books.problem.k if self.n_iter else self.door.problem.k
        try:
            return as_centers(centers, k, self.door.problem.X.shape[1], self.door.largest, "centers")
        except (TypeError, ValueError) as error:
            raise self.broken(part, f"gave bad centers: {error}") from None

    def broken(self, part: Strategy, rule: str) -> StrategyError:
        """The error for a strategy that broke a rule."""
        return StrategyError(f"{part} {rule} (iteration {self.n_iter})")

    def of(self, part: Strategy, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the books, and say which strategy it found to have broken a rule."""
        try:
            return function(*arguments)
        except RuleBroken as rule:
            raise self.broken(part, str(rule)) from None

    def run_of(self, part: Strategy, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a strategy's function; an exception tells which strategy it comes from, and when."""
        try:
            return function(*arguments)
        except Exception as error:
            error.add_note(f"raised by {part} in iteration {self.n_iter}")
            if does_not_compile(error):
                error.add_note("it does not compile; run it undecorated, as plain Python, to see whether the code is "
                               "wrong or only more than Numba understands")  # fmt: skip
            raise
