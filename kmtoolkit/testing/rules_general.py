"""Rules for strategies of every role."""

from textwrap import indent
from typing import Any

import numpy as np

from kmtoolkit.books import Books
from kmtoolkit.errors import StrategyError
from kmtoolkit.families import SOFT_OBJECTIVES
from kmtoolkit.problem import MixtureState, SoftState, State
from kmtoolkit.registry import ROLES, Row, Strategy, resolve
from kmtoolkit.result import Status
from kmtoolkit.testing.awkward import Case
from kmtoolkit.testing.harness import Broken, call, combinations, compare, fit, fresh, settled, watched
from kmtoolkit.testing.rulebook import rule

ENOUGH = 2000  # iterations of a small problem: more than an updater needs that goes a hundredth of the way

WRITES = """
class Watched:
    def __getattr__(self, name):
        if name == "init" and hasattr(strategy, "init"):
            return lambda *arguments: watch(strategy.init, [], *arguments)
        return getattr(strategy, name)

    def __call__(self, *arguments):
        return watch(strategy, {owned}, *arguments)

def watch(run, owned, problem, *rest):
    arrays = [problem.X, problem.sample_weight, *rest[1:3]]
    if rest and isinstance(rest[0], (km.State, km.SoftState, km.MixtureState)):
        arrays += [array for name, array in rest[0]._asdict().items() if name not in owned]
    arrays = [array for array in arrays if isinstance(array, np.ndarray)]
    before = [array.copy() for array in arrays]
    returned = run(problem, *rest)
    assert all(np.array_equal(*pair) for pair in zip(arrays, before)), "an array was written that is not its own"
    return returned

fit({argument}=Watched())
"""
SAME = """
first, second = {first}, {second}
assert np.array_equal(first.runs[0].start, second.runs[0].start)
assert np.array_equal(first.labels, second.labels) and np.array_equal(first.centers, second.centers)
""".strip()


KEEPS = f"""
import copy

new = copy.deepcopy(strategy)
before, other = fit(), fit(X=(X + X[:1])[::-1] / 2)
fit(X=np.vstack([X, X]), sample_weight=None)
{SAME.format(first="before", second="fit()")}
strategy = new
{SAME.format(first="other", second="fit(X=(X + X[:1])[::-1] / 2)")}
""".strip()


def _arrays(arguments: tuple[Any, ...]) -> dict[str, np.ndarray]:
    """The arrays that a call was given, by name; an assigner's memory is its own affair."""
    problem, *rest = arguments
    found = {"problem.X": problem.X, "problem.sample_weight": problem.sample_weight}
    for argument in rest:
        if isinstance(argument, (State, SoftState, MixtureState)):
            found |= {f"state.{name}": array for name, array in argument._asdict().items()}
    if len(rest) == 4:
        found |= {"d": rest[1], "free": rest[2]}
    return found


def owned_by(row: Row) -> list[str]:
    """The arrays of the state that a strategy may write."""
    if row.role == "updater":
        return list(row.writes)
    if row.role != "assigner":
        return []
    return ["labels", *SOFT_OBJECTIVES[row.objectives[0]].statistics] if row.soft else list(Books.assigned)


@rule()
def writes_only_its_own(strategy: Strategy, case: Case) -> None:
    """It writes only what its role owns, and leaves everything else as it was."""

    def look(run: Any, *arguments: Any) -> Any:
        init = getattr(strategy.run, "init", None)
        owned = {f"state.{name}" for name in names} if run != init else {}  # init of an assigner owns nothing
        arrays = {name: array for name, array in _arrays(arguments).items() if name not in owned}
        before = {name: array.copy() for name, array in arrays.items()}
        returned = run(*arguments)
        for name, array in arrays.items():
            if array.tobytes() != before[name].tobytes():
                at = tuple(map(int, np.argwhere(array != before[name])[0]))
                where = ", ".join(map(str, at))
                raise Broken(f"{name}[{where}] was {before[name][at]!s}, and is {array[at]!s} after the call", code)
        return returned

    names = owned_by(strategy.row)
    code = WRITES.format(owned=names, argument=ROLES[strategy.row.role]).strip()
    try:
        fit(watched(strategy, look), case)
    except Broken:
        raise
    except Exception as error:
        if "read-only" in str(error) or "readonly" in str(error):  # numpy's word, and Numba's
            raise
        # other faults are for other rules to find


@rule()
def returns_what_its_role_returns(strategy: Strategy, case: Case) -> None:
    """It returns, or writes, finite values of the right shape and range; a handler returns one free row or None."""
    fit(strategy, case)


@rule()
def same_bits_again(strategy: Strategy, case: Case) -> None:
    """The same call with the same rng gives the same bits."""
    code = "for _ in range(20):\n" + indent(SAME.format(first="fit()", second="fit()"), "    ")
    first = settled(strategy, case)
    for _ in range(2):
        compare(first, settled(strategy, case), code)


@rule()
def keeps_nothing_between_fits(strategy: Strategy, case: Case) -> None:
    """An object that has been used on other problems gives the same bits as before, and as a new one."""
    used = fresh(strategy)
    same_shape = {"X": (case.X + case.X[:1])[::-1] / 2}  # in the domain of whatever is minimized
    first, other = settled(used, case), settled(used, case, **same_shape)
    settled(used, case, X=np.vstack([case.X, case.X]), sample_weight=None)
    compare(first, settled(used, case), KEEPS, "after other problems")
    compare(other, settled(fresh(strategy), case, **same_shape), KEEPS, "from a new object")


@rule(when=lambda row: row.monotone)
def descends_with_every_partner(strategy: Strategy, case: Case) -> None:
    """Whatever its partners, no half-step raises the objective, the books are right, and the fit ends."""
    partners = combinations(strategy)
    options: dict[str, Any] = {**partners[case.seed % len(partners)], "max_iter": ENOUGH}
    if strategy.row.soft or resolve("assigner", options.get("assign", "auto")).row.soft:
        options["tol"] = 1e-5  # without it, falls get smaller without end
    if case.seed % 2:
        options["init_centers"] = None  # so that the partner's initializer is asked
    code = call(**options)
    try:
        result = settled(strategy, case, **options, strict=True)
    except StrategyError as error:
        raise Broken(str(error), code) from None
    if result is not None and result.status is Status.MAX_ITER:
        raise Broken(f"after {ENOUGH} iterations the fit had not ended", f"assert {code}.n_iter < {ENOUGH}")


@rule(when=lambda row: row.weights)
def scaled_weights_change_nothing(strategy: Strategy, case: Case) -> None:
    """Weights multiplied by a power of two give the same bits."""
    weights = np.ones(len(case.X)) if case.sample_weight is None else case.sample_weight
    first = settled(strategy, case, sample_weight=weights)
    for factor in (8.0, 2.0**-10):
        code = "weights = np.ones(len(X)) if sample_weight is None else sample_weight\n" + SAME.format(
            first="fit(sample_weight=weights)", second=f"fit(sample_weight=weights * {factor})"
        )
        compare(first, settled(strategy, case, sample_weight=weights * factor), code, f"with weights times {factor}")
