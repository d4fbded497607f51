"""Sphinx meets the registry: tables of strategies, their module docstrings, and a check that nothing is missing."""

import sys
from collections.abc import Iterable
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

import kmtoolkit as km
from kmtoolkit import registry

logger = logging.getLogger(__name__)
HOMES = ("initializers", "assigners", "updaters", "empties")
FLAGS = ("exact", "monotone", "weights", "sparse", "repairs", "drops")
MODULES = ("agreement", "bench", "datasets", "factorization", "selection")
HEAD = ("name", "objective", "facts", "scope", "cost", "source")


def public_name(row: registry.Row) -> str:
    """The dotted name under which the target of a row is public, such as ``kmtoolkit.updaters.mean``."""
    run = registry.resolve(row.role, row.name).run
    target: Any = run if hasattr(run, "__qualname__") else type(run)
    return ".".join(["kmtoolkit", target.__module__.split(".")[1], target.__qualname__])


def facts(row: registry.Row) -> list[str]:
    """The cells of a row's line in the table, after the name."""
    flags = [flag for flag in FLAGS if getattr(row, flag) and (flag not in FLAGS[4:] or row.role == "empty_handler")]
    flags += [] if row.columns is None else [f"columns ≤ {row.columns}"]
    return [" or ".join(row.objectives), ", ".join(flags), row.scope, row.cost, row.reference]


class Strategies(Directive):
    """``strategies:: role`` becomes the table of the registered strategies of that role."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build the table; each name links to its page."""
        lines: list[list[nodes.Node]] = [[nodes.Text(text) for text in HEAD]]
        own = [row for row in registry.rows_of("kmtoolkit") if row.role == self.arguments[0]]  # none that pages define
        for row in own:
            name, label = public_name(row), nodes.literal("", row.name)
            where = {"refdomain": "py", "reftype": "obj", "reftarget": name, "refexplicit": True, "refwarn": True}
            link = pending_xref("", label, **where)
            lines.append([link, *map(nodes.Text, facts(row))])
        return [table(lines)]


class Criteria(Directive):
    """``criteria::`` becomes the table of the criteria by which k is chosen."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        lines = [
            (row.name, row.short, row.better, f"{row.margin:g}", f"{row.floor:g}", row.cost, row.reference)
            for row in km.selection.CRITERIA.values()
        ]
        head = ("name", "column", "better", "margin", "floor", "cost of a k", "source")
        return [table([nodes.Text(text) for text in line] for line in (head, *lines))]


def table(lines: Iterable[list[nodes.Node]]) -> nodes.table:
    """A table of cells, whose first line is its head."""
    head, *body = (nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in line)) for line in lines)
    columns = [nodes.colspec(colwidth=1) for _ in head.children]
    group = nodes.tgroup("", *columns, nodes.thead("", head), nodes.tbody("", *body), cols=len(columns))
    return nodes.table("", group, classes=["strategies"])


def with_module_docstring(_app: Sphinx, _what: str, _name: str, obj: Any, _options: Any, lines: list[str]) -> None:
    """Add to the docstring of a strategy that of its module: the idea, its source and its cost."""
    home = getattr(obj, "__module__", None) or ""
    if not home.startswith(tuple(f"kmtoolkit.{name}." for name in HOMES)) or not hasattr(obj, "__qualname__"):
        return
    if "." in obj.__qualname__:  # a method
        return
    end = lines.index("") if "" in lines else len(lines)
    lines[end:end] = ["", *(sys.modules[home].__doc__ or "").strip().splitlines(), ""]


def check_complete(_app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of public names that no page documents."""
    documented = env.get_domain("py").objects  # type: ignore[attr-defined]
    names = {f"kmtoolkit.{name}" for name in km.__all__ if name not in (*HOMES, *MODULES)}
    names |= {f"kmtoolkit.{home}.{name}" for home in (*HOMES, *MODULES) for name in getattr(km, home).__all__}
    for name in sorted(names - set(documented)):
        logger.warning("%s is public, but the reference lacks it", name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the above with Sphinx."""
    app.add_directive("strategies", Strategies)
    app.add_directive("criteria", Criteria)
    app.connect("autodoc-process-docstring", with_module_docstring, priority=100)  # before numpydoc
    app.connect("env-check-consistency", check_complete)
    return {"parallel_read_safe": True}
