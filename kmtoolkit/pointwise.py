"""Divergences declared by a few lines: a scalar function becomes an objective, and an assigner that descends it."""

import functools
import math
from collections.abc import Callable
from typing import Any

from kmtoolkit.divergences import Domain, LiftedDivergence
from kmtoolkit.kernels.lift import Lines, as_it_is, lift
from kmtoolkit.objectives import OBJECTIVES
from kmtoolkit.problem import Problem, State, Work
from kmtoolkit.registry import assigner, resolve

__all__ = ["PointwiseAssigner", "pointwise"]


class PointwiseAssigner:
    """Takes the nearest center by a divergence that :func:`pointwise` has lifted.

    Attributes
    ----------
    divergence : LiftedDivergence
        The objective.
    declaration : tuple
        The function and the options of :func:`pointwise`, to declare it again in another process.
    """

    def __init__(self, function: Callable[..., float], divergence: LiftedDivergence, options: dict[str, Any]) -> None:
        functools.update_wrapper(self, getattr(function, "py_func", function))
        self.divergence, self.declaration = divergence, (function, options)

    def __call__(self, problem: Problem, state: State) -> None:
        self.divergence.kernels.nearest(problem.X, state.centers, state.labels)

    def work(self, problem: Problem) -> Work:
        """All distances of all rows."""
        n = len(problem.X)
        return Work(distances=n * problem.k, survivors=n, memory=0)

    def __repr__(self) -> str:
        return f"km.pointwise({self.divergence.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return declared, (self.divergence.name,)


def declared(name: str) -> Any:
    """The assigner of a divergence that was declared; ValueError if it was not, in this process."""
    return resolve("assigner", name).run


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
        Lower-case words joined by hyphens.
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
        Allow a name that is taken; redefining the same function is always allowed.
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
    that it calls and of all values that it refers to. Decisions are canonical: the divergence is added up in float64
    in the order of the columns, and equal ones go to the lower index. O(n k d) time, O(k d) memory, in parallel.

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
    if name in OBJECTIVES and not isinstance(OBJECTIVES[name], LiftedDivergence):
        raise ValueError(f"{name!r} is the name of an objective already; choose another name")
    if not (isinstance(domain, Domain) or (isinstance(domain, tuple) and len(domain) == 2 and domain[0] < domain[1])):
        raise ValueError(f"domain is {domain!r}; it must be (low, high) with low < high")
    if lines is not None and of_sum is not as_it_is:
        raise ValueError("lines and of_sum are given; lines are of the sum itself")
    where = domain if isinstance(domain, Domain) else Domain(float(domain[0]), float(domain[1]))

    def decorate(function: Callable[..., float]) -> PointwiseAssigner:
        if not callable(function):
            raise TypeError(f"d is {function!r}; it must be a function of two floats, x and c")
        divergence = LiftedDivergence(name, lift(function, of_sum, lines), where, bregman)
        register: Any = assigner(
            name, objective=name, exact=True, replace=replace, reference=reference, cost="O(n k d)"
        )
        options = {"bregman": bregman, "domain": domain, "of_sum": of_sum, "lines": lines, "reference": reference}
        strategy = register(PointwiseAssigner(function, divergence, options))
        OBJECTIVES[name] = divergence
        return strategy

    return decorate
