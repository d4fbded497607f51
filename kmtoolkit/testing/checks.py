"""The checks of a strategy: all rules of its role, one after the other."""

from typing import Any

from kmtoolkit.registry import Strategy
from kmtoolkit.testing.harness import as_strategy, combinations
from kmtoolkit.testing.rulebook import EXAMPLES, rules

__all__ = ["check_assigner", "check_empty_handler", "check_initializer", "check_updater", "prepared"]


def prepared(role: str, strategy: Any) -> Strategy:
    """The strategy, ready to be tried; ValueError if the package has no partners that fit it."""
    resolved = as_strategy(role, strategy)
    if not combinations(resolved):
        raise ValueError(
            f"{resolved} descends {' or '.join(resolved.row.objectives)}, and no strategy of kmtoolkit does: "
            "it can't be tried; declare the objective by km.pointwise, if that is possible"
        )
    return resolved


def _check(role: str, strategy: Any, examples: int) -> None:
    resolved = prepared(role, strategy)
    for rule in rules(resolved):
        rule.check(resolved, examples=examples)


def check_initializer(strategy: Any, *, examples: int = EXAMPLES) -> None:
    """Check that an initializer keeps all rules of its role.

    Parameters
    ----------
    strategy : str, type, object or callable
        A registered name, a class, a configured object, or a function, jitted or not.
    examples : int
        How many random cases each rule is tried on, after a fixed zoo of awkward ones.

    Raises
    ------
    ConformanceError
        At the first rule that is broken, with the smallest example found and code that reproduces it.
    TypeError, ValueError
        If ``strategy`` is not an initializer.

    Examples
    --------
    >>> from kmtoolkit import testing
    >>> testing.check_initializer("maxmin", examples=5)
    """
    _check("initializer", strategy, examples)


def check_assigner(strategy: Any, *, examples: int = EXAMPLES) -> None:
    """Check that an assigner keeps all rules of its role.

    Parameters
    ----------
    strategy : str, type, object or callable
        A registered name, a class, a configured object, or a function, jitted or not.
    examples : int
        How many random cases each rule is tried on, after a fixed zoo of awkward ones.

    Raises
    ------
    ConformanceError
        At the first rule that is broken, with the smallest example found and code that reproduces it.
    TypeError, ValueError
        If ``strategy`` is not an assigner.

    Examples
    --------
    >>> from kmtoolkit import testing
    >>> def lazy(problem, state):
    ...     state.labels[:] = problem.k
    >>> try:
    ...     testing.check_assigner(lazy)
    ... except testing.ConformanceError as error:
    ...     print(str(error).splitlines()[0])
    assigner 'lazy' breaks the rule returns-what-its-role-returns
    """
    _check("assigner", strategy, examples)


def check_updater(strategy: Any, *, examples: int = EXAMPLES) -> None:
    """Check that an updater keeps all rules of its role.

    Parameters
    ----------
    strategy : str, type, object or callable
        A registered name, a class, a configured object, or a function, jitted or not.
    examples : int
        How many random cases each rule is tried on, after a fixed zoo of awkward ones.

    Raises
    ------
    ConformanceError
        At the first rule that is broken, with the smallest example found and code that reproduces it.
    TypeError, ValueError
        If ``strategy`` is not an updater.

    Examples
    --------
    >>> from kmtoolkit import testing
    >>> testing.check_updater("mean", examples=5)
    """
    _check("updater", strategy, examples)


def check_empty_handler(strategy: Any, *, examples: int = EXAMPLES) -> None:
    """Check that an empty-cluster handler keeps all rules of its role.

    Parameters
    ----------
    strategy : str, type, object or callable
        A registered name, a class, a configured object, or a function, jitted or not.
    examples : int
        How many random cases each rule is tried on, after a fixed zoo of awkward ones.

    Raises
    ------
    ConformanceError
        At the first rule that is broken, with the smallest example found and code that reproduces it.
    TypeError, ValueError
        If ``strategy`` is not an empty-cluster handler.

    Examples
    --------
    >>> from kmtoolkit import testing
    >>> testing.check_empty_handler("farthest", examples=5)
    """
    _check("empty_handler", strategy, examples)
