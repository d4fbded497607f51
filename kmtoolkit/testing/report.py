"""What is said of a broken rule: the rule, what was seen, and a program that shows it."""

from typing import Any

import numpy as np

from kmtoolkit.registry import ROLES, Strategy
from kmtoolkit.testing.awkward import Case
from kmtoolkit.testing.harness import Broken, home, usual

__all__ = ["ConformanceError", "report", "snippet"]


class ConformanceError(AssertionError):
    """A strategy breaks a rule of its role; the message has the rule, what was seen, and code that reproduces it."""


def report(rule: str, sentence: str, strategy: Strategy, case: Case, broken: Broken) -> str:
    """The message of a ConformanceError."""
    n, d = case.X.shape
    about = f", {case.name}" if case.name else ""
    lines = [
        f"{strategy} breaks the rule {rule}",
        f"rule: {sentence}",
        f"seen: {broken.seen}",
        f"smallest example found: {n} rows x {d} columns, {case.X.dtype}, k = {case.k}{about}; this code shows it:",
        "",
        *(f"    {line}".rstrip() for line in snippet(strategy, case, broken.code).splitlines()),
    ]
    return "\n".join(lines)


def snippet(strategy: Strategy, case: Case, code: str) -> str:
    """A program that runs ``code`` on the case; it ends in an error if the rule is still broken."""
    imported, strategy_line = _origin(strategy.run)
    shown = ["X", "k", "sample_weight", "init_centers", "seed"]
    data = [""]
    if case.source:
        shown = ["k", "init_centers", "seed"]
        data = [f"from kmtoolkit.testing.awkward import {case.source}", "",
                f"X = {case.source}().X[:, :{case.X.shape[1]}]",
                f"sample_weight = {case.source}().sample_weight"]  # fmt: skip
    data += [f"{name} = {spell(getattr(case, name))}" for name in shown]
    options = ", ".join(f"{name!r}: {value!r}" for name, value in usual(strategy).items())
    return "\n".join([
        "import numpy as np",
        "import kmtoolkit as km",
        *imported,
        *data,
        strategy_line,
        "",
        "def fit(X=X, k=k, sample_weight=sample_weight, init_centers=init_centers, **options):",
        f"    options = {{'{ROLES[strategy.row.role]}': strategy, 'rng': seed, {options}, **options}}",
        "    return km.Solver(**options).fit(X, k, sample_weight=sample_weight, init_centers=init_centers)",
        "",
        code,
    ])  # fmt: skip


def spell(value: Any) -> str:
    """The code of a number, None, or an array."""
    if not isinstance(value, np.ndarray):
        return repr(value)
    dtype = f", np.{value.dtype}" if value.dtype != np.float64 else ""
    return f"np.array({value.tolist()}{dtype})"


def _origin(run: Any) -> tuple[list[str], str]:
    """The imports and the line that make the strategy."""
    owner = run if hasattr(run, "__qualname__") else type(run)
    module, name = home(run), owner.__qualname__
    made = name if owner is run else f"{name}()" if _is_default(run) else repr(run)
    if not module or "<" in name or not made.startswith(name):
        return [], f"# strategy = {made}, which no import can give"
    imported = [] if module == "__main__" else [f"from {module} import {name.partition('.')[0]}"]
    return imported, f"strategy = {made}"


def _is_default(run: Any) -> bool:
    """Whether an object without a repr of its own is what its class makes without arguments."""
    try:
        return type(run).__repr__ is object.__repr__ and bool(vars(type(run)()) == vars(run))
    except (TypeError, ValueError):
        return False
