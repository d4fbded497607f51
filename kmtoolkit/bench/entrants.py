"""Who takes part: every combination of strategies that fits together, and systems from elsewhere."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kmtoolkit.errors import check_choice
from kmtoolkit.options import spell
from kmtoolkit.registry import ROLES, Strategy, check_partners, resolve
from kmtoolkit.solver import Solver

__all__ = ["Entrant", "Misfit", "System", "entrants"]

SLOTS = tuple(ROLES.values())  # init, assign, update, empty


@dataclass(frozen=True)
class System:
    """A system from elsewhere, by a function that clusters with it.

    Attributes
    ----------
    name : str
        Unique in a comparison.
    fit : callable
        ``fit(X, k, *, centers, sample_weight, max_iter, tol, threads, seed)`` returns its centers (k, d), or
        ``(centers, iterations)``. ``centers`` are the start that the strategies of this repeat have, too.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> def means_of_start(X, k, *, centers, **options):
    ...     return centers
    >>> km.bench.System("nothing", means_of_start).name
    'nothing'
    """

    name: str
    fit: Callable[..., Any]

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and self.name.strip()):
            raise TypeError(f"name is {self.name!r}; it must be a string that names the system")
        if not callable(self.fit):
            raise TypeError(f"fit is {self.fit!r}; it must be a function of (X, k, *, centers, ...)")


@dataclass(frozen=True)
class Entrant:
    """One way to cluster: four strategies, or an initializer and a system."""

    labels: dict[str, str]  # by slot, and "system"
    parts: dict[str, Strategy]
    objective: str
    system: System | None = None

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return " × ".join(label for label in self.labels.values() if label)


@dataclass(frozen=True)
class Misfit:
    """A combination that is not run, and why."""

    labels: dict[str, str]
    reason: str


def entrants(strategies: Mapping[str, Any], systems: Iterable[System]) -> tuple[list[Entrant], list[Misfit]]:
    """The combinations that fit together, and those that don't.

    Raises
    ------
    TypeError, ValueError
        If a slot or a strategy is unknown, two are called the same, or nothing fits.
    """
    slots = {slot: _resolved(slot, given) for slot, given in _complete(strategies).items()}
    found, misfits = [], []
    for chosen in itertools.product(*(slots[slot].items() for slot in SLOTS)):
        labels = dict(zip(SLOTS, (label for label, _ in chosen), strict=True)) | {"system": ""}
        parts = dict(zip(SLOTS, (part for _, part in chosen), strict=True))
        try:
            objective = check_partners(parts["assign"], parts["update"], (parts["init"], parts["empty"]))
            found.append(Entrant(labels, parts, objective))
        except ValueError as error:
            misfits.append(Misfit(labels, str(error)))
    systems = list(systems)
    for system in systems:
        if not isinstance(system, System):
            raise TypeError(f"systems has {system!r}; it must hold km.bench.System objects")
        for label, part in slots["init"].items():
            labels = dict.fromkeys(SLOTS, "") | {"init": label, "system": system.name}
            if set(part.row.objectives) & {"squared-euclidean", "any"}:
                found.append(Entrant(labels, {"init": part}, "squared-euclidean", system))
            else:
                misfits.append(Misfit(labels, f"{part} does not serve squared-euclidean, which systems are given"))
    if len({system.name for system in systems}) < len(systems):
        raise ValueError("two systems have the same name; give each its own")
    if not found:
        raise ValueError(f"no combination of strategies fits together: {misfits[0].reason}")
    return found, misfits


def _complete(strategies: Mapping[str, Any]) -> dict[str, list[Any]]:
    """A list for every slot; what is not given is the Solver's default."""
    if not isinstance(strategies, Mapping):
        raise TypeError(f"strategies is {strategies!r}; it must be a dict of lists by {', '.join(SLOTS)}")
    for slot in strategies:
        check_choice("a key of strategies", slot, SLOTS)
    lists = {}
    for slot in SLOTS:
        given = strategies.get(slot, [getattr(Solver, slot)])
        lists[slot] = list(given) if isinstance(given, (list, tuple)) else [given]
        if not lists[slot]:
            raise ValueError(f"strategies has no {slot}; name at least one, or leave {slot!r} out for the default")
    return lists


def _resolved(slot: str, given: list[Any]) -> dict[str, Strategy]:
    role = next(role for role, argument in ROLES.items() if argument == slot)
    parts: dict[str, Strategy] = {}
    for spec in given:
        part = resolve(role, spec)
        label = _label(spec, part)
        if label in parts:
            raise ValueError(f"strategies has two called {label!r} in {slot}; give each once, under its own name")
        parts[label] = part
    return parts


def _label(spec: Any, part: Strategy) -> str:
    """The registered name, with the parameters that differ from their defaults."""
    if isinstance(spec, (str, Strategy)) or not dataclasses.is_dataclass(part.run):
        return part.row.name
    changed = [
        f"{f.name}={spell(getattr(part.run, f.name))}" for f in dataclasses.fields(part.run)
        if f.init and f.repr and not _is_default(f, getattr(part.run, f.name))
    ]  # fmt: skip
    return part.row.name + (f"({', '.join(changed)})" if changed else "")


def _is_default(field: Any, value: Any) -> bool:
    return field.default is not dataclasses.MISSING and bool(value == field.default)
