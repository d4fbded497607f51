"""Strategies found by what a user writes: a registered name, a module, or a name in a module."""

import importlib
import sys
from operator import attrgetter
from pathlib import Path
from typing import Any

from kmtoolkit import registry
from kmtoolkit.registry import ROLES, Strategy, role_in_words
from kmtoolkit.testing.checks import prepared

__all__ = ["find"]


def find(spec: str, role: str | None = None) -> list[Strategy]:
    """The strategies that ``spec`` stands for.

    Parameters
    ----------
    spec : str
        A registered name; ``module:Name``, a class, an object or a function; or ``module``, all strategies that are
        registered there. Modules are looked for in the working directory too.
    role : str, optional
        The role, where the name alone does not tell.

    Returns
    -------
    list of Strategy
        At least one.

    Raises
    ------
    TypeError, ValueError
        If there is no such strategy, or its role is not known.
    """
    if role is not None and role not in ROLES:
        raise ValueError(f"role is {role!r}; it must be one of {', '.join(ROLES)}")
    named = [row for row in registry.rows(role) if row.name == spec]
    if len(named) > 1:
        raise ValueError(
            f"{spec!r} is the name of {' and of '.join(role_in_words(row.role) for row in named)}; give the role"
        )
    if named:
        return [prepared(named[0].role, spec)]
    module, colon, name = spec.partition(":")
    _import(module, spec)
    if colon:
        return [_in_module(module, name, role)]
    rows = [row for row in registry.rows_of(module) if role in (None, row.role)]
    if not rows:
        raise ValueError(
            f"{module!r} registers no {(role or 'strategy').replace('_', ' ')}; write module:Name for others"
        )
    return [prepared(row.role, row.name) for row in rows]


def _import(module: str, spec: str) -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:
        if not isinstance(error, ImportError):
            raise ValueError(f"importing {module!r} raised {type(error).__name__}: {error}") from error
        known = ", ".join(repr(row.name) for row in registry.rows())
        raise ValueError(
            f"{spec!r} is neither a registered strategy ({known}) nor a module that can be imported: {error}"
        ) from error


def _in_module(module: str, name: str, role: str | None) -> Strategy:
    try:
        found: Any = attrgetter(name)(sys.modules[module])
    except AttributeError:
        raise ValueError(f"module {module!r} has no {name!r}") from None
    roles = [role] if role else registry.roles_of(found)
    if len(roles) != 1:
        why = f"registered as {' and as '.join(map(role_in_words, roles))}" if roles else "not registered"
        raise ValueError(f"{module}:{name} is {why}; give its role, one of {', '.join(ROLES)}")
    return prepared(roles[0], found)
