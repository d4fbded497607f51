"""Divergences declared by a few lines: a scalar function becomes an objective, and an assigner that descends it."""

import functools
import inspect
import math
from collections.abc import Callable
from numbers import Real
from types import FunctionType
from typing import Any

from kmtoolkit.divergences import Domain, LiftedDivergence
from kmtoolkit.families import OBJECTIVES, SOFT_OBJECTIVES
from kmtoolkit.kernels.lift import Lines, as_it_is, lift
from kmtoolkit.problem import Problem, State, Work
from kmtoolkit.registry import ANY, BREGMAN, HARD, Row, assigner, resolve, rows_of

__all__ = ["PointwiseAssigner", "pointwise"]


class PointwiseAssigner:
    """Takes the nearest center by a divergence that :func:`pointwise` has lifted.

    Attributes
    ----------
    divergence : LiftedDivergence
        The objective.
    """

    row: Row

    def __init__(self, function: Callable[..., float], divergence: LiftedDivergence) -> None:
        functools.update_wrapper(self, getattr(function, "py_func", function))
        self.divergence = divergence

    def __call__(self, problem: Problem, state: State) -> None:
        self.divergence.kernels.nearest(problem.X, state.centers, state.labels)

    def work(self, problem: Problem) -> Work:
        """All distances of all rows."""
        n = len(problem.X)
        return Work(distances=n * problem.k, survivors=n, memory=0)

    def __repr__(self) -> str:
        return f"km.pointwise({self.divergence.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return declared, (self.divergence.name, self.divergence)


def declared(name: str, _divergence: LiftedDivergence) -> Any:
    """The assigner of a divergence that was declared; unpickling the divergence refuses another one of that name."""
    return resolve("assigner", name).run


def _as_domain(domain: Any) -> Domain:
    """The domain that is given, or that of an interval."""
    if isinstance(domain, Domain):
        return domain
    if not (isinstance(domain, tuple) and len(domain) == 2 and all(isinstance(end, Real) for end in domain)
            and domain[0] < domain[1]):  # fmt: skip
        raise ValueError(f"domain is {domain!r}; it must be (low, high) with low < high")
    return Domain(float(domain[0]), float(domain[1]))


def _check_function(function: Any) -> None:
    """Refuse what is no function of two numbers, plain or jitted."""
    plain = getattr(function, "py_func", function)
    if not isinstance(plain, FunctionType):
        raise TypeError(f"d is {function!r}; it must be a function of two floats, x and c, plain or jitted")
    signature = inspect.signature(plain)
    named = any(each.kind is inspect.Parameter.KEYWORD_ONLY for each in signature.parameters.values())
    try:
        signature.bind(0.0, 0.0)
    except TypeError:
        named = True
    if named:
        raise TypeError(f"d takes {signature}; it must be a function of two floats, x and c")


def _meant_otherwise() -> set[str]:
    """Names that stand for other objectives, groups of them, or assigners of this package."""
    objectives = {name for name, objective in OBJECTIVES.items() if objective.lasting}
    ours = {row.name for row in rows_of("kmtoolkit") if row.role == "assigner"}
    return {ANY, HARD, BREGMAN} | objectives | ours | set(SOFT_OBJECTIVES)


def pointwise(
    name: str, *, bregman: bool = False, domain: tuple[float, float] | Domain = (-math.inf, math.inf),
    of_sum: Callable[..., float] = as_it_is, lines: Lines | None = None, replace: bool = False, reference: str = "",
) -> Callable[[Callable[..., float]], PointwiseAssigner]:  # fmt: skip
    """Declare a divergence D(x, c) = Σ_f d(x_f, c_f) by its scalar function d, and register it as an assigner.

    The objective of that name is F = Σ w D(x, μ_label). Updaters that fit are ``medoid`` and ``fasterpam``, ``mean``
    if the divergence is of Bregman's kind, and all that declare ``objective=name``.

    Parameters
    ----------
    name : str
        Lower-case words joined by hyphens, that stand for nothing else in this package.
    bregman : bool
        Whether d(x, c) = φ(x) - φ(c) - φ'(c)(x - c) for a convex φ. Then the mean lowers F most, for whatever φ
        (Banerjee et al. 2005).
    domain : (low, high)
        The interval that entries of X must be in. Centers are kept off its finite ends, by 2⁻⁴⁰ of the column's
        largest value, as d may be infinite there.
    of_sum : function, optional
        A function of the sum that never falls as the sum rises, such as ``math.sqrt``.
    lines : function, optional
        Makes assignment faster where d is slow, such as a logarithm. ``lines(c)`` takes an array of centers' values
        and returns slopes and offsets of its shape: d(x, c) is slope · x + offset, and what does not depend on c. For
        a Bregman divergence these are -φ'(c) and c φ'(c) - φ(c). Where rounding might decide, d does.
    replace : bool
        Allow a name that another declaration has taken; redefining the same function is always allowed.
    reference : str
        The source of the idea.

    Returns
    -------
    callable
        A decorator. It takes ``d(x, c)``, of two floats, that returns a float of at least 0, and 0 where x = c: a plain
        function that Numba can compile, or a jitted one. It returns the assigner, which the name stands for too.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule, or the name is taken; ``lines`` does not go with ``of_sum``.

    Notes
    -----
    The scalar function is compiled into kernels, which are stored on disk under a hash of its code, of all functions
    that it calls and of all values that it refers to. Where one of them may hide something, as an object of a class
    may, they are compiled anew in each process. A result keeps the divergence that it was fitted with.

    Decisions are canonical: the divergence is added up in float64 in the order of the columns, and equal ones go to
    the lower index. O(n k d) time, O(k d) memory, in parallel.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> @km.pointwise("huber")
    ... def huber(x, c):
    ...     r = abs(x - c)
    ...     return r * r / 2 if r < 1 else r - 0.5
    >>> km.Solver(assign="huber", update="medoid", rng=0).fit([[1.0], [2.0], [9.0]], 1).centers.tolist()
    [[2.0]]
    """
    where = _as_domain(domain)
    for argument, given in (("of_sum", of_sum), ("lines", as_it_is if lines is None else lines)):
        if not callable(given):
            raise TypeError(f"{argument} is {given!r}; it must be a function")
    if lines is not None and of_sum is not as_it_is:
        raise ValueError("lines and of_sum are given; lines are of the sum itself")
    register: Any = assigner(name, objective=name, exact=True, replace=replace, reference=reference, cost="O(n k d)")

    def decorate(function: Callable[..., float]) -> PointwiseAssigner:
        _check_function(function)
        if name in _meant_otherwise() and not str(function.__module__).startswith("kmtoolkit."):
            raise ValueError(f"{name!r} stands for something else in this package; choose another name")
        divergence = LiftedDivergence(name, lift(function, of_sum, lines, name), where, bregman)
        strategy = register(PointwiseAssigner(function, divergence))
        strategy.row = resolve("assigner", name).row  # which it keeps when the name is declared anew
        OBJECTIVES[name] = divergence
        return strategy

    return decorate
