"""The strategies of the tutorials are short, and right."""

import inspect
import sys
from pathlib import Path

import pytest

from kmtoolkit import testing

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[1] / "docs"
ROLES = {
    "density_biased": "initializer", "nearest_numpy": "assigner", "trimmed_mean": "updater",
    "clipped_squares": "assigner", "mean_of_near": "updater", "nearest_neighbor": "empty_handler",
}  # fmt: skip


@pytest.fixture
def strategies(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_ext")
    monkeypatch.delitem(sys.modules, "tutorial_strategies", raising=False)
    import tutorial_strategies

    return tutorial_strategies


@pytest.mark.parametrize("name", ROLES)
def test_a_strategy_of_fifteen_lines_keeps_the_rules(strategies, name):
    strategy = getattr(strategies, name)
    assert len(inspect.getsource(getattr(strategy, "__wrapped__", strategy)).splitlines()) <= 15
    getattr(testing, f"check_{ROLES[name]}")(strategy, examples=3)


def test_the_template_has_the_same_initializer(strategies):
    template = (DOCS / "plugin_template" / "kmtoolkit_density" / "__init__.py").read_text(encoding="utf-8")
    assert inspect.getsource(strategies.density_biased) in template
