"""The rules that strategies must keep. A rule is a small function; its docstring is the sentence that is shown."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kmtoolkit.registry import ROLES, Row, Strategy
from kmtoolkit.testing.awkward import Case, big, weighted, zoo
from kmtoolkit.testing.harness import cover, fresh
from kmtoolkit.testing.report import ConformanceError, report
from kmtoolkit.testing.search import SHRINKING, smallest

__all__ = ["EXAMPLES", "Rule", "rule", "rules"]

EXAMPLES = 30
MADE: dict[str, Callable[[], Case]] = {
    "big": big,
    "weighted": weighted,
    "repaired": lambda: next(case for case in zoo() if case.name == "three empty clusters"),
}
Judge = Callable[..., None]


@dataclass(frozen=True)
class Rule:
    """Something that every strategy of a role must keep.

    Attributes
    ----------
    name : str
        Lower-case words joined by hyphens.
    sentence : str
        What must hold.
    roles : tuple of str
        The roles it binds.
    """

    name: str
    sentence: str
    roles: tuple[str, ...]
    when: Callable[[Row], bool]
    judge: Judge
    cases: str  # "many": the zoo and a search; "zoo": the zoo; else one case, made for the rule
    partners: bool  # whether the judge is given partners too, from those that cover all

    def binds(self, row: Row) -> bool:
        """Whether a strategy that declares these facts must keep the rule."""
        return row.role in self.roles and self.when(row)

    def check(self, strategy: Strategy, *, examples: int = EXAMPLES, shrinking: int = SHRINKING) -> None:
        """Try the rule on a strategy.

        Parameters
        ----------
        strategy : Strategy
            A resolved strategy.
        examples : int
            How many random cases to try, after those of the zoo.
        shrinking : int
            How many more cases to try, once one breaks the rule, to find a smaller one.

        Raises
        ------
        ConformanceError
            If the rule does not hold, with the smallest example that was found.
        """
        strategy = fresh(strategy)  # what an earlier rule has left in it is not to show in this one
        if self.cases != "many":
            examples = shrinking = 0
        choices = cover(strategy) if self.partners else []

        def judge_with_partners(strategy: Strategy, case: Case) -> None:
            self.judge(strategy, case, choices[case.seed % len(choices)])

        judge = judge_with_partners if self.partners else self.judge
        found = smallest(judge, strategy, self._known(len(choices)), examples, shrinking)
        if found is not None:
            raise ConformanceError(report(self.name, self.sentence, strategy, *found))

    def _known(self, choices: int) -> list[Case]:
        """The cases that are always tried; their seeds reach every choice of partners, also on empty clusters."""
        if self.cases in MADE:
            return [MADE[self.cases]()]
        turns = max(len(zoo()), choices)
        known = [replace(zoo()[turn % len(zoo())], seed=turn) for turn in range(turns)]
        known += [replace(MADE["repaired"](), seed=choice) for choice in range(choices)]
        return sorted(known, key=lambda case: case.size)  # the first that breaks the rule is the smallest


_rules: dict[str, Rule] = {}


def _always(_row: Row) -> bool:
    return True


def rule(
    *roles: str, when: Callable[[Row], bool] = _always, cases: str = "many", partners: bool = False
) -> Callable[[Judge], Judge]:
    """Enter a function ``(strategy, case)`` that raises ``Broken`` as a rule for the given roles.

    With ``partners=True`` it is called as ``(strategy, case, partners)``, and meets each partner that fits.
    """

    def enter(judge: Judge) -> Judge:
        name = judge.__name__.replace("_", "-")
        sentence = str(inspect.getdoc(judge)).splitlines()[0]
        _rules[name] = Rule(name, sentence, roles or tuple(ROLES), when, judge, cases, partners)
        return judge

    return enter


def rules(subject: Any) -> tuple[Rule, ...]:
    """The rules for a role, or those that bind a strategy.

    Parameters
    ----------
    subject : str, Row or Strategy
        A role, such as ``"assigner"``; or a strategy or its row, whose declared facts choose among the rules.

    Returns
    -------
    tuple of Rule
        In the order in which they are tried.

    Raises
    ------
    ValueError
        If there is no such role.

    Examples
    --------
    >>> from kmtoolkit import testing
    >>> testing.rules("updater")[0].sentence
    'It writes only what its role owns, and leaves everything else as it was.'
    """
    if isinstance(subject, str):
        if subject not in ROLES:
            raise ValueError(f"role is {subject!r}; it must be one of {', '.join(ROLES)}")
        return tuple(rule for rule in _rules.values() if subject in rule.roles)
    row = getattr(subject, "row", subject)
    return tuple(rule for rule in _rules.values() if rule.binds(row))
