"""Strategies that installed packages declare, found in their metadata and imported when they are first asked for."""

import logging
import warnings
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import NoReturn

__all__ = ["GROUP", "PluginError", "PluginWarning", "declared", "is_broken", "load", "origin", "refuse", "report"]

GROUP = "kmtoolkit.strategies"

logger = logging.getLogger("kmtoolkit")


class PluginError(ValueError):
    """A strategy that an installed package declares can't be used; the message names the package and the reason."""


class PluginWarning(UserWarning):
    """An installed package declares a strategy that can't be used; said once, and the strategy is left out."""


_broken: dict[str, str] = {}  # why, by the name of the entry point
_told: set[str] = set()


@cache
def declared(roles: tuple[str, ...]) -> dict[tuple[str, str], EntryPoint]:
    """Entry points by role and name; of packages that declare the same, the first by name counts."""
    found: dict[tuple[str, str], EntryPoint] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (origin(entry), entry.name)):
        role, _, name = entry.name.partition(".")
        if role not in roles or not name:
            report(entry.name, f"{origin(entry)} declares {entry.name!r} under [{GROUP}]; "
                               f"names are role.name, and roles are {', '.join(roles)}")  # fmt: skip
        elif (role, name) in found:
            first = found[role, name]
            report(f"{entry.name} of {origin(entry)}", f"{origin(entry)} and {origin(first)} both declare "
                   f"{entry.name!r}; that of {origin(first)} is used. Uninstall one of them")  # fmt: skip
        else:
            found[role, name] = entry
    return found


def origin(entry: EntryPoint) -> str:
    """The package that declares an entry point, with its version."""
    return f"package {entry.dist.name!r} {entry.dist.version}" if entry.dist else "an unnamed package"


def load(entry: EntryPoint) -> None:
    """Import the module that registers a strategy; if that fails, it is not tried again.

    Raises
    ------
    PluginError
        If the import fails, now or before.
    """
    if entry.name not in _broken:
        try:
            entry.load()
            return
        except (Exception, SystemExit) as error:
            logger.debug("loading %s", entry.value, exc_info=True)
            refuse(entry, f"loading {entry.value!r} raised {type(error).__name__}: {error}", error)
    raise PluginError(_broken[entry.name])


def refuse(entry: EntryPoint, reason: str, error: BaseException | None = None) -> NoReturn:
    """Remember why an entry point can't be used, and say so.

    Raises
    ------
    PluginError
        Always.
    """
    role, _, name = entry.name.partition(".")
    _broken[entry.name] = f"{role.replace('_', ' ')} {name!r} of {origin(entry)} can't be used: {reason}"
    raise PluginError(_broken[entry.name]) from error


def is_broken(entry: EntryPoint) -> bool:
    """Whether an entry point has been tried, and can't be used."""
    return entry.name in _broken


def report(key: str, message: str) -> None:
    """Warn, but only once."""
    if key not in _told:
        _told.add(key)
        warnings.warn(message, PluginWarning, stacklevel=2)
