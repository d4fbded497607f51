"""A strategy at work: fits in which it is the part under test, and everything that it does is seen."""

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from kmtoolkit.errors import EmptyClusterError
from kmtoolkit.families import OBJECTIVES
from kmtoolkit.mixture_result import MixtureResult
from kmtoolkit.objectives import EPS
from kmtoolkit.pointwise import PointwiseAssigner
from kmtoolkit.registry import ANY, HARD, ROLES, Row, Strategy, check_partners, resolve, rows, rows_of
from kmtoolkit.result import Result
from kmtoolkit.solver import Solver
from kmtoolkit.testing.awkward import Case
from kmtoolkit.testing.domains import brought_into

__all__ = [
    "ONE_CALL", "Answer", "Broken", "Wander", "answer", "as_strategy", "call", "combinations", "compare", "fit",
    "fresh", "home", "judge_centers", "rounding", "settled", "tied", "usual", "wander", "watched",
]  # fmt: skip

OPTIONS = {"tol": 0, "max_iter": 20, "verify": True}
ALIKE = ("auto", "dense")  # exact assigners that stand for all as partners
TIED = 1e-9  # relative difference of log densities
ONE_CALL: dict[str, dict[str, Any]] = {  # fits that show what one call does
    "initializer": {"max_iter": 0},
    "assigner": {"max_iter": 0},
    "updater": {"max_iter": 1, "empty": "keep"},
    "empty_handler": {"max_iter": 1},
}


class Broken(Exception):
    """A rule does not hold: what was seen, and code that shows it by means of ``fit`` (see ``report.py``)."""

    def __init__(self, seen: str, code: str = "fit()") -> None:
        super().__init__(seen)
        self.seen, self.code = seen, code


def as_strategy(role: str, spec: Any) -> Strategy:
    """The strategy that a name, an object, a class or a function stands for; a class is called without arguments."""
    if isinstance(spec, type):
        try:
            spec = spec()
        except TypeError as error:
            raise TypeError(
                f"strategy is the class {spec.__name__}, which can't be called without arguments ({error}); "
                f"pass an object of it: {spec.__name__}(...)"
            ) from None
    return resolve(role, spec)


def fit(strategy: Strategy, case: Case, **options: Any) -> Result:
    """Fit the case with the strategy in its place; partners, other options and other data may be given.

    The Solver does not enforce that an assigner is exact, and that an updater descends only with ``strict=True``: each
    rule is to find its own faults.
    """
    strict, row = options.pop("strict", False), strategy.row
    is_updater = row.role == "updater"
    promised = replace(
        row, exact=row.exact and is_updater and strict, monotone=row.monotone and (strict or not is_updater)
    )
    strategy = replace(strategy, row=promised)
    data = {name: options.pop(name, getattr(case, name)) for name in ("X", "k", "sample_weight", "init_centers")}
    data = copy.deepcopy(data)  # whatever the strategy does to it, the case stays as it is
    solver = Solver(**{ROLES[strategy.row.role]: strategy, "rng": case.seed, **usual(strategy), **options})
    data["X"] = brought_into(solver._objective, data["X"])
    if data["init_centers"] is not None:
        data["init_centers"] = brought_into(solver._objective, data["init_centers"], centers=True)
    return solver.fit(data.pop("X"), data.pop("k"), **data)


def usual(strategy: Strategy) -> dict[str, Any]:
    """The options of a fit, with partners for a strategy that the defaults don't fit."""
    defaults = {argument: getattr(Solver, argument) for argument in ROLES.values()}
    defaults.pop(ROLES[strategy.row.role])
    if _fits(strategy, defaults):
        return OPTIONS
    chosen = combinations(strategy)[0]
    return {**{argument: name for argument, name in chosen.items() if name != defaults[argument]}, **OPTIONS}


def call(**arguments: Any) -> str:
    """The code of ``fit(...)`` in a report."""
    shown = {name: getattr(value, "run", value) for name, value in arguments.items()}
    return f"fit({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def settled(strategy: Strategy, case: Case, **options: Any) -> Result | None:
    """The fit; None if the handler ``error`` has ended it, which is its right."""
    try:
        return fit(strategy, case, **options)
    except EmptyClusterError:
        return None


class Answer(NamedTuple):
    """What one call led to."""

    labels: np.ndarray
    centers: np.ndarray


def answer(strategy: Strategy, case: Case) -> Answer | None:
    """What one call of the strategy leads to; None if the handler ``error`` has stopped the fit."""
    result = settled(strategy, case, **ONE_CALL[strategy.row.role])
    return None if result is None else Answer(result.labels, result.centers)


def compare(first: Result | None, second: Result | None, code: str, when: str = "then") -> None:
    """Raise Broken if two fits differ in one bit of their labels or centers."""
    if first is None or second is None:
        if first is not second:
            raise Broken(f"one fit stopped at an empty cluster, the other did not ({when})", code)
        return
    pairs = {
        "start": (first.runs[first.best].start, second.runs[second.best].start),
        "labels": (first.labels, second.labels),
        "centers": (first.centers, second.centers),
    }
    for name, (a, b) in pairs.items():
        if a.shape != b.shape:
            raise Broken(f"{name} has the shape {a.shape}, {when} {b.shape}", code)
        if a.tobytes() != b.tobytes():
            at = tuple(map(int, np.argwhere(a != b)[0])) if (a != b).any() else ()
            where = ", ".join(map(str, at))
            raise Broken(f"{name}[{where}] is {a[at]!s}, {when} {b[at]!s}", code)


def rounding(X: np.ndarray, *centers: np.ndarray) -> float:
    """How far apart two means of rows of X may lie because of rounding, in whatever order they are summed."""
    return 4 * (len(X) + 8) * EPS * max(float(np.abs(array).max()) for array in (X, *centers))


def judge_centers(first: np.ndarray, second: np.ndarray, slack: float, when: str, code: str) -> None:
    """Raise Broken if two sets of centers are farther apart than ``slack``."""
    difference = np.abs(first - second)
    if not difference.max() <= slack:
        j = int(difference.max(axis=1).argmax())
        raise Broken(f"center {j} is at {first[j].tolist()}, {when} at {second[j].tolist()}", code)


def watched(strategy: Strategy, look: Callable[..., Any]) -> Strategy:
    """The strategy with ``look(run, *arguments)`` called in place of each call ``run(*arguments)``."""
    return replace(strategy, run=Watched(strategy.run, look))


class Watched:
    """Stands for a strategy that is watched; it has methods ``init`` and ``under`` only if the strategy has them."""

    def __init__(self, run: Any, look: Callable[..., Any]) -> None:
        self._run, self._look = run, look
        if callable(getattr(run, "init", None)):
            self.init = lambda *arguments: look(run.init, *arguments)

        if callable(getattr(run, "under", None)):
            self.under = lambda objective: Watched(run.under(objective), look)

    def __call__(self, *arguments: Any) -> Any:
        return self._look(self._run, *arguments)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._run, name)


def tied(result: Result, X: np.ndarray, i: int, labels: tuple[int, int]) -> bool:
    """Whether rounding alone tells the two labels of row i apart; only mixtures have no canonical decision."""
    if not isinstance(result, MixtureResult):
        return False
    first, second = result.log_densities(X[i : i + 1])[0, list(labels)]
    return bool(abs(first - second) <= TIED * (1 + abs(first) + abs(second)))


def fresh(strategy: Strategy) -> Strategy:
    """A strategy that has seen nothing yet; functions have no state of their own to copy."""
    is_function = hasattr(strategy.run, "__qualname__")
    return strategy if is_function else replace(strategy, run=copy.deepcopy(strategy.run))


def combinations(strategy: Strategy) -> list[dict[str, str]]:
    """All choices of monotone partners from the package itself that fit the strategy; the defaults come first.

    Partners from elsewhere are left out: they may be wrong, and another strategy would be blamed. Only what
    ``km.pointwise`` has made for the same objective is asked, too. Initializers are all
    tried with squared distances; other objectives, and updaters for all of them, come with one.
    """
    return [dict(partners) for partners in _combinations(strategy.row, rows(), tuple(OBJECTIVES))]


@functools.lru_cache(maxsize=64)
def _combinations(row: Row, _known: tuple[Row, ...], _objectives: tuple[str, ...]) -> tuple[dict[str, str], ...]:
    """The same for a strategy's row, with all that is registered."""
    strategy = Strategy(row, _combinations)
    roles = [role for role in ROLES if role != strategy.row.role]
    defaults = {role: getattr(Solver, argument) for role, argument in ROLES.items()}

    def rank(row: Row) -> tuple[bool, bool, bool]:
        """The default first, and slow ones, which are for all hard objectives, last."""
        return row.name != defaults[row.role], row.objective == HARD, "labels" in row.writes

    lifted = {"assigner": _lifted(row)}
    own = [sorted(dict.fromkeys([*_own(role), *lifted.get(role, ())]), key=rank) for role in roles]
    names = [[row.name for row in each] for each in own]
    chosen = ({ROLES[role]: name for role, name in zip(roles, each, strict=True)} for each in product(*names))
    return tuple(partners for partners in chosen if _fits(strategy, partners))


def _own(role: str) -> list[Row]:
    """The package's monotone strategies of a role; of the exact assigners, which are interchangeable, two will do."""
    rows = [row for row in rows_of("kmtoolkit") if row.role == role and row.monotone and row.columns is None]
    return [row for row in rows if row.name in ALIKE or row.objective != "squared-euclidean" or not row.exact]


def _lifted(row: Row) -> list[Row]:
    """Assigners that ``km.pointwise`` made for a declared objective, in which there is nothing to go wrong."""
    return [
        other for other in rows("assigner") if set(other.objectives) & set(row.objectives)
        and isinstance(resolve("assigner", other.name).run, PointwiseAssigner)
    ]  # fmt: skip


def home(run: Any) -> str:
    """The module that a function, or the class of an object, was defined in; empty if it does not tell."""
    return getattr(run if hasattr(run, "__qualname__") else type(run), "__module__", None) or ""


def _fits(strategy: Strategy, partners: dict[str, str]) -> bool:
    parts = {role: resolve(role, partners[name]) for role, name in ROLES.items() if name in partners}
    parts[strategy.row.role] = strategy
    squared = {"squared-euclidean", ANY} & set(parts["assigner"].row.objectives)
    if (not squared or parts["updater"].row.objective == HARD) and partners.get("init") != Solver.init:
        return False
    try:
        check_partners(parts["assigner"], parts["updater"], (parts["initializer"], parts["empty_handler"]))
    except ValueError:
        return False
    return True


@dataclass
class Wander:
    """Move the centers as no k-means does: one of them, all a little, all to the means, or none."""

    seed: int

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def __call__(self, problem: Any, state: Any) -> None:
        move = self.rng.integers(4)
        if move == 0:
            state.centers[self.rng.integers(problem.k)] = problem.X[self.rng.integers(len(problem.X))]
        elif move == 1:
            state.centers[:] += 0.01 * np.ptp(problem.X) * self.rng.normal(size=state.centers.shape)
        elif move == 2:
            live = state.counts > 0
            state.centers[live] = state.origin + state.sums[live] / state.mass[live, np.newaxis]


def wander(seed: int) -> Strategy:
    """An updater that wanders, registered nowhere: what bounds that are kept between assignments must survive."""
    return Strategy(Row(name="wander", role="updater", objective=ANY, monotone=False), Wander(seed))
