"""``pytest --kmtoolkit-check my_package.my_strategy``: one test for each strategy and rule.

pytest loads this module wherever the package is installed, so the kit itself is imported only when it is asked for.
"""

from collections.abc import Iterator
from typing import Any

import pytest

__all__: list[str] = []

OPTION = "--kmtoolkit-check"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("kmtoolkit").addoption(
        OPTION,
        action="append",
        default=[],
        metavar="STRATEGY",
        help="check strategies by the rules of kmtoolkit: a module, module:Name, or a registered name; repeatable",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the tests of the strategies asked for to those collected from files, if there are any."""
    for spec in config.getoption(OPTION):
        items.extend(Checked.from_parent(session, name=spec, nodeid=spec).collect())


class Checked(pytest.Collector):
    """What one ``--kmtoolkit-check`` asks for."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each strategy and each rule that binds it."""
        from kmtoolkit.testing.find import find
        from kmtoolkit.testing.rulebook import rules

        try:
            strategies = find(self.name)
        except (ImportError, TypeError, ValueError) as error:
            raise pytest.UsageError(f"{OPTION}={self.name}: {error}") from error
        for strategy in strategies:
            for rule in rules(strategy):
                name = f"{strategy.row.role}-{strategy.row.name}::{rule.name}"
                yield RuleItem.from_parent(self, name=name, strategy=strategy, rule=rule)


class RuleItem(pytest.Item):
    """One rule, tried on one strategy."""

    def __init__(self, *, strategy: Any, rule: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.strategy, self.rule = strategy, rule

    def runtest(self) -> None:
        """Try the rule."""
        self.rule.check(self.strategy)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The report of a broken rule, without a traceback through the kit."""
        from kmtoolkit.testing.report import ConformanceError

        return (
            str(excinfo.value) if isinstance(excinfo.value, ConformanceError) else super().repr_failure(excinfo, style)
        )

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """The title of a failure."""
        return self.path, None, f"{self.strategy}: {self.rule.sentence}"
