"""The conformance kit: the rules of the four roles, and the awkward data that strategies are tried on.

It needs the extra ``test``. The package itself never imports it.
"""

from typing import TYPE_CHECKING, Any

from kmtoolkit.testing import rules_by_role, rules_compiled, rules_general, rules_random  # noqa: F401  (in order)
from kmtoolkit.testing.awkward import Case, zoo
from kmtoolkit.testing.checks import check_assigner, check_empty_handler, check_initializer, check_updater
from kmtoolkit.testing.report import ConformanceError
from kmtoolkit.testing.rulebook import Rule, rules

if TYPE_CHECKING:
    from kmtoolkit.testing.generate import cases, problems

__all__ = [
    "Case", "ConformanceError", "Rule", "cases", "check_assigner", "check_empty_handler", "check_initializer",
    "check_updater", "problems", "rules", "zoo",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The hypothesis strategies, imported when they are asked for: rules can be listed without hypothesis."""
    if name not in ("cases", "problems"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from kmtoolkit.testing import generate

    return getattr(generate, name)
