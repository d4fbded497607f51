"""A comparison from a TOML file, with the line of what is wrong in it."""

import dataclasses
import importlib
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from kmtoolkit.bench.problems import Problem, as_problem
from kmtoolkit.errors import check_choice
from kmtoolkit.registry import ROLES, resolve

__all__ = ["read_config"]

OPTIONS = ("repeats", "max_iter", "tol", "seconds", "memory", "threads", "rng", "checkpoint")
KEYS = ("strategies", "problems", "modules", *OPTIONS)


def read_config(file: Path) -> dict[str, Any]:
    """The arguments of :func:`kmtoolkit.bench.compare` that a file holds.

    Raises
    ------
    ValueError
        If it is no TOML, or something in it is unknown; the line and the nearest match are named.
    OSError
        If it, or a file of rows, can't be read.
    """
    text = file.read_text(encoding="utf-8")
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file}: {error}") from None
    here = Lines(file, text)
    for key in given:
        here.tell(key, check_choice, "a key", key, KEYS)
    modules = given.get("modules", [])
    if not (isinstance(modules, list) and all(isinstance(name, str) for name in modules)):
        raise ValueError(f"{here.at('modules')}: modules is {modules!r}; it must be a list of names of modules")
    for name in modules:
        here.tell(name, import_module, name, file.parent)
    slots = given.get("strategies", {})
    if not isinstance(slots, dict):
        raise ValueError(f"{here.at('strategies')}: strategies is {slots!r}; it must be a table of lists")
    strategies = {}
    for slot, specs in slots.items():
        here.tell(slot, check_choice, "a key of strategies", slot, tuple(ROLES.values()))
        role = next(role for role, argument in ROLES.items() if argument == slot)
        specs = specs if isinstance(specs, list) else [specs]
        strategies[slot] = [here.tell(name_of(spec), strategy, role, spec) for spec in specs]
    problems = given.get("problems", [])
    problems = problems if isinstance(problems, list) else [problems]
    posed = [here.tell(name_of(spec), problem, spec, file.parent) for spec in problems]
    return {"strategies": strategies, "problems": posed, **{name: given[name] for name in OPTIONS if name in given}}


class Lines:
    """Where in a file things stand."""

    def __init__(self, file: Path, text: str) -> None:
        self.file, self.lines = file, text.splitlines()

    def at(self, name: str) -> str:
        """The first line that holds a name: quoted, or as a key."""
        word = re.compile(rf"""["']{re.escape(name)}["']|(?:^|[\[{{,.\s]){re.escape(name)}\s*[\]=.]""")
        for number, line in enumerate(self.lines, 1):
            if word.search(line):
                return f"{self.file}, line {number}"
        return str(self.file)

    def tell(self, name: str, function: Any, *arguments: Any) -> Any:
        """Call a function; if it doesn't like what it is given, say in which line that stands."""
        try:
            return function(*arguments)
        except (TypeError, ValueError, ImportError) as error:
            unknown = re.search(r"has no '([^']+)'", str(error))
            where = self.at(unknown[1]) if unknown else self.at(name)
            raise ValueError(f"{where}: {error}") from error


def import_module(name: str, folder: Path) -> None:
    """Import a module that registers strategies; it may lie beside the file."""
    sys.path.insert(0, str(folder.resolve()))  # it stays, as worker processes look there too
    try:
        importlib.import_module(name)
    except Exception as error:
        raise ValueError(f"importing {name!r} raised {type(error).__name__}: {error}") from error


def name_of(spec: Any) -> str:
    """What a strategy or problem is called in a file."""
    if isinstance(spec, dict):
        return str(spec.get("name", spec.get("problem", spec.get("file", ""))))
    return str(spec)


def strategy(role: str, spec: Any) -> Any:
    """A strategy from a name, or a table of a name and parameters."""
    if isinstance(spec, str):
        resolve(role, spec)
        return spec
    if not (isinstance(spec, dict) and isinstance(spec.get("name"), str)):
        raise TypeError(f"a strategy is {spec!r}; it must be a name, or a table of 'name' and parameters")
    parameters = {key: value for key, value in spec.items() if key != "name"}
    run: Any = resolve(role, spec["name"]).run
    takes = tuple(f.name for f in dataclasses.fields(run) if f.init) if dataclasses.is_dataclass(run) else ()
    for name in parameters:
        if not takes:
            raise ValueError(f"{role.replace('_', ' ')} {spec['name']!r} takes no parameters, but has {name!r}")
        check_choice(f"a parameter of {spec['name']!r}", name, takes)
    return dataclasses.replace(run, **parameters) if parameters else run


def problem(spec: Any, folder: Path) -> Problem:
    """A problem; files are looked for beside the configuration."""
    if isinstance(spec, dict) and isinstance(spec.get("file"), str):
        spec = {**spec, "file": folder / spec["file"]}
    return as_problem(spec)
