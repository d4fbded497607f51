"""The registry: what a strategy declares about itself, and how a name, an object or a function becomes one."""

import difflib
import importlib
import pkgutil
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, TypeVar

from kmtoolkit import plugins
from kmtoolkit.families import OBJECTIVES, SOFT_OBJECTIVES

__all__ = [
    "ROLES", "Row", "Strategy", "assigner", "available", "check_partners", "empty_handler", "fit_together",
    "initializer", "resolve", "role_in_words", "roles_of", "rows", "rows_of", "strategies_of", "updater",
]  # fmt: skip

ROLES = {"initializer": "init", "assigner": "assign", "updater": "update", "empty_handler": "empty"}
ANY = "any"
HARD, BREGMAN = "hard", "bregman"  # groups of objectives
PARAMETERS = ("centers", "weights", "covariances", "labels")  # what updaters may write
DIVERGENCES = {  # which seeds are spread by
    "cosine": "squared-euclidean",  # of rows divided by their lengths
    **{name: each.divergence for name, each in SOFT_OBJECTIVES.items()},
}
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Row:
    """The facts about a strategy. Conformance tests, benchmarks, the command line and the docs iterate over rows.

    Attributes
    ----------
    name : str
        Lower-case words joined by hyphens; unique within a role.
    role : str
        ``initializer``, ``assigner``, ``updater`` or ``empty_handler``.
    objective : str or tuple of str
        The objectives it descends, or ``"any"``; ``"hard"`` stands for all that give each row one label, ``"bregman"``
        for those of them whose best centers are means.
    exact : bool
        An assigner that returns the nearest center by the canonical decision, the lowest index among equals; an
        updater whose centers are the minimizer for the labels and depend on nothing else.
    monotone : bool
        Whether it promises never to raise the objective. A fit with a strategy that does not is not certified.
    scope : str
        ``statistics`` if it needs the sums of the clusters only, ``rows`` if it needs their rows.
    weights : bool
        Whether it honors ``sample_weight``.
    sparse : bool
        Whether it takes sparse rows.
    repairs : bool
        Whether an empty-cluster handler fills every cluster that can be filled.
    drops : bool
        Whether empty clusters are removed instead of filled.
    columns : int, optional
        The most columns of X that it takes; any number by default.
    writes : tuple of str
        The arrays of the state that an updater writes. One that writes ``labels`` too moves centers and labels
        together, and must leave each row at its nearest center.
    reference, cost : str
        The source of the idea; time and memory.
    """

    name: str
    role: str
    objective: str | tuple[str, ...] = "squared-euclidean"
    exact: bool = False
    monotone: bool = True
    scope: str = "statistics"
    weights: bool = True
    sparse: bool = False
    repairs: bool = True
    drops: bool = False
    columns: int | None = None
    writes: tuple[str, ...] = ("centers",)
    reference: str = ""
    cost: str = ""

    def __post_init__(self) -> None:
        for fact in ("exact", "monotone", "weights", "sparse", "repairs", "drops"):
            if not isinstance(getattr(self, fact), bool):
                raise TypeError(f"{fact} is {getattr(self, fact)!r}; it must be True or False")
        if self.columns is not None and not (type(self.columns) is int and self.columns > 0):
            raise TypeError(f"columns is {self.columns!r}; it must be a positive int, or None")
        if not (isinstance(self.writes, tuple) and self.writes and set(self.writes) <= set(PARAMETERS)):
            raise ValueError(f"writes is {self.writes!r}; it must be a tuple of some of {', '.join(PARAMETERS)}")
        if self.scope not in ("statistics", "rows"):
            raise ValueError(f"scope is {self.scope!r}; it must be 'statistics' or 'rows'")

    @property
    def soft(self) -> bool:
        """Whether it shares rows among clusters."""
        return set(self.objectives) <= set(SOFT_OBJECTIVES)

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objectives as a tuple, those of ``hard`` and ``bregman`` by their names; ``("any",)`` fits all."""
        names = (self.objective,) if isinstance(self.objective, str) else self.objective
        return tuple(dict.fromkeys(each for name in names for each in _members(name)))


def _members(name: str) -> list[str]:
    """The objectives that a name stands for: all hard ones, those of Bregman's kind, or itself."""
    if name not in (HARD, BREGMAN):
        return [name]
    return [each.name for each in OBJECTIVES.values() if each.bregman or name == HARD]


@dataclass(frozen=True)
class Strategy:
    """A resolved strategy: its row, and the function or object that runs."""

    row: Row
    run: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.run(*args)

    def __str__(self) -> str:
        return f"{self.row.role.replace('_', ' ')} {self.row.name!r}"


_rows: dict[tuple[str, str], Row] = {}
_targets: dict[tuple[str, str], Any] = {}


def _decorator(role: str) -> Callable[..., Callable[[T], T]]:
    def register(name: str, *, replace: bool = False, **facts: Any) -> Callable[[T], T]:
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+|\+\+)*", name):
            raise ValueError(
                f"name is {name!r}; it must be lower-case words joined by hyphens, as in '@km.{role}(\"my-name\")'"
            )
        row = Row(name=name, role=role, **facts)

        def decorate(target: T) -> T:
            key = role, name
            if key in _targets and not (replace or _same_place(_targets[key], target)):
                raise ValueError(f"{role} {name!r} is registered already; choose another name or pass replace=True")
            _rows[key], _targets[key] = row, target
            return target

        return decorate

    register.__name__ = register.__qualname__ = role
    register.__doc__ = f"""Register {role_in_words(role)} under a name: ``@km.{role}("my-name", **facts)``.

    Parameters
    ----------
    name : str
        Lower-case words joined by hyphens.
    replace : bool
        Allow a name that is taken; redefining the same function is always allowed.
    **facts
        The strategy's :class:`~kmtoolkit.registry.Row`, such as ``exact``, ``monotone``, ``objective``, ``reference``.

    Returns
    -------
    callable
        A decorator that returns its function or class unchanged.

    Raises
    ------
    ValueError
        If the name is taken or malformed.
    """
    return register


def role_in_words(role: str) -> str:
    """A role in words."""
    return ("an " if role[0] in "aeiou" else "a ") + role.replace("_", " ")


def _same_place(a: Any, b: Any) -> bool:
    """Whether b redefines a, as when a notebook cell runs again."""
    places = [(getattr(o, "__module__", None), getattr(o, "__qualname__", "<object>")) for o in (a, b)]
    return places[0] == places[1] and "<" not in places[0][1].rpartition(".")[2]


initializer = _decorator("initializer")
assigner = _decorator("assigner")
updater = _decorator("updater")
empty_handler = _decorator("empty_handler")


def strategies_of(package: str) -> dict[str, Any]:
    """Import every module of a package, so that its strategies register; return them by their Python names."""
    for module in pkgutil.iter_modules(sys.modules[package].__path__):
        importlib.import_module(f"{package}.{module.name}")
    return {target.__name__: target for target in _targets.values() if target.__module__.startswith(f"{package}.")}


def rows(role: str | None = None) -> tuple[Row, ...]:
    """The rows of all strategies, or of one role, in order of role and name; imports the packages that declare some.

    A package that can't be imported is reported by a :class:`~kmtoolkit.plugins.PluginWarning`, once, and left out.
    """
    for key, entry in _declared().items():
        if role in (None, key[0]):
            _import_or_report(key, entry)
    order = list(ROLES)
    return tuple(
        row for key, row in sorted(_rows.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
        if role in (None, key[0])
    )  # fmt: skip


def _declared() -> dict[tuple[str, str], EntryPoint]:
    return plugins.declared(tuple(ROLES))


def _import_or_report(key: tuple[str, str], entry: EntryPoint) -> None:
    home = getattr(_targets.get(key), "__module__", "")
    if home.startswith("kmtoolkit.") and not entry.module.startswith("kmtoolkit."):
        plugins.report(entry.name, f"{plugins.origin(entry)} declares {entry.name!r}, which is the name of one of "
                                   "kmtoolkit's own strategies; that one is used")  # fmt: skip
    try:
        _fetch(*key)
    except plugins.PluginError as error:
        plugins.report(entry.name, str(error))


def _fetch(role: str, name: str) -> None:
    """Import the package that declares a strategy, unless it is registered; PluginError if it can't be used."""
    entry = None if (role, name) in _targets else _declared().get((role, name))
    if entry is not None:
        plugins.load(entry)
        if (role, name) not in _targets:
            plugins.refuse(entry, f"loading {entry.value!r} registers nothing under this name; decorate it with "
                                  f'@km.{role}("{name}")')  # fmt: skip


def rows_of(module: str) -> tuple[Row, ...]:
    """The rows of the strategies that a module, or a package with all that has been imported of it, defines."""
    homes = {row: f"{_targets[row.role, row.name].__module__}." for row in rows()}
    return tuple(row for row, home in homes.items() if home.startswith(f"{module}."))


def roles_of(target: Any) -> list[str]:
    """The roles in which a function, a class, or the class of an object is registered."""
    return sorted({role for (role, _), known in _targets.items() if known is target or known is type(target)})


def available(role: str | None = None) -> dict[str, tuple[str, ...]]:
    """The names of the registered strategies, by role, and of those that installed packages declare.

    These packages are not imported.

    Parameters
    ----------
    role : str, optional
        ``initializer``, ``assigner``, ``updater`` or ``empty_handler``; all of them by default.

    Returns
    -------
    dict
        Names by role.

    Raises
    ------
    ValueError
        If there is no such role.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> "k-means++" in km.available("initializer")["initializer"]
    True
    """
    if role is not None and role not in ROLES:
        raise ValueError(f"unknown role {role!r}; roles are {', '.join(ROLES)}")
    declared = [key for key, entry in _declared().items() if not plugins.is_broken(entry)]
    names = sorted({*_targets, *declared})
    return {r: tuple(name for of, name in names if of == r) for r in ROLES if role in (None, r)}


def resolve(role: str, spec: Any) -> Strategy:
    """The strategy that a name, a configured object or a plain function stands for; a resolved one is itself.

    Raises
    ------
    ValueError
        If the name is unknown; the nearest names, or the role it does belong to, are given. If an installed package
        declares the name and can't be used, a :class:`~kmtoolkit.plugins.PluginError`.
    TypeError
        If ``spec`` is none of the three, or a strategy of another role.
    """
    argument = ROLES[role]
    if isinstance(spec, Strategy):
        if spec.row.role != role:
            raise TypeError(f"{argument} is the {spec}, not {role_in_words(role)}; pass it as {ROLES[spec.row.role]}=")
        return spec
    if isinstance(spec, str):
        _fetch(role, spec)
        if (role, spec) not in _targets:
            raise ValueError(f"unknown {role.replace('_', ' ')} {spec!r}{_suggestion(role, spec)}")
        target = _targets[role, spec]
        return Strategy(_rows[role, spec], target() if isinstance(target, type) else target)
    if isinstance(spec, type):
        raise TypeError(f"{argument} is the class {spec.__name__}; pass an object of it: {spec.__name__}()")
    if not callable(spec):
        raise TypeError(
            f"{argument} is {spec!r} of type {type(spec).__name__}; "
            "it must be a name, a configured strategy or a function"
        )
    declared = getattr(spec, "row", None)
    if isinstance(declared, Row) and declared.role == role:
        return Strategy(declared, spec)
    registered = [key for key, target in _targets.items() if target is spec or target is type(spec)]
    for key in registered:
        if key[0] == role:
            return Strategy(_rows[key], spec)
    if registered:
        other = registered[0][0]
        raise TypeError(
            f"{argument} is {role_in_words(other)} ({registered[0][1]!r}), not {role_in_words(role)}; "
            f"pass it as {ROLES[other]}="
        )
    name = getattr(spec, "__name__", type(spec).__name__)
    return Strategy(
        Row(name=name, role=role, objective=ANY if role in ("initializer", "empty_handler") else "squared-euclidean"),
        spec,
    )


def check_partners(assign: Strategy, update: Strategy, others: tuple[Strategy, ...]) -> str:
    """The objective that all strategies descend; raises ValueError naming the partners that would fit."""
    shared = _common(assign.row, update.row)
    if not shared:
        raise ValueError(
            f"{assign} descends {_spell(assign.row)}, but {update} descends {_spell(update.row)}: the objective could "
            f"rise. {_partners(assign.row, 'updater')}; {_partners(update.row, 'assigner')}"
        )
    for other in others:
        served = (
            {*shared, *(DIVERGENCES.get(name, name) for name in shared)} if other.row.role == "initializer" else shared
        )
        if not set(other.row.objectives) & {*served, ANY}:
            raise ValueError(f"{other} serves {_spell(other.row)}, but {assign} descends {_spell(assign.row)}; "
                             f"{_partners(assign.row, other.row.role)}")  # fmt: skip
    return sorted(shared)[0]


def fit_together(assign: Row, update: Row) -> bool:
    """Whether an assigner and an updater descend an objective that is the same."""
    return bool(_common(assign, update))


def _common(a: Row, b: Row) -> set[str]:
    first, second = set(a.objectives), set(b.objectives)
    if ANY in first or ANY in second:
        return (first | second) - {ANY} or {"squared-euclidean"}
    return first & second


def _spell(row: Row) -> str:
    names = (row.objective,) if isinstance(row.objective, str) else row.objective
    return " or ".join(
        {HARD: "any hard objective", BREGMAN: "any Bregman divergence"}.get(name, name) for name in names
    )


def _partners(row: Row, role: str) -> str:
    names = [repr(r.name) for r in rows(role) if set(r.objectives) & {*row.objectives, ANY}]
    return f"{role}s that fit {row.name!r}: {', '.join(names) or 'none'}"


def _suggestion(role: str, name: str) -> str:
    names = available()
    for other in ROLES:
        if name in names[other]:
            return f"; {name!r} is {role_in_words(other)}: pass it as {ROLES[other]}="
    known = names[role]
    near = difflib.get_close_matches(name, known, n=2)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else f"; known are {', '.join(map(repr, known))}"
