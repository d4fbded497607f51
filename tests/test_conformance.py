"""The strategies of the package keep the rules that the kit has for everyone's."""

import contextlib
import doctest
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import kmtoolkit as km
from kmtoolkit import registry, testing
from kmtoolkit.kernels.jit import plain_python
from kmtoolkit.testing import rules_compiled
from kmtoolkit.testing.awkward import big, weighted
from kmtoolkit.testing.checks import prepared
from kmtoolkit.testing.harness import Broken, combinations, cover, fit

# Divergences that differ from "manhattan" by a scalar function alone, and may be lines.
TWINS = ("euclidean", "generalized-i", "itakura-saito", "kl", "logistic")
OF_TWINS = ("takes-the-nearest", "descends-with-every-partner")

IN_PLAIN_PYTHON = ("k-means++", "dense", "softmax", "mean", "farthest")  # of the others, a rule compares the answers


def marks(row, rule):
    in_plain_python = row.name in IN_PLAIN_PYTHON and not rule.name.startswith("weighted-rows")  # of many fits
    return [] if in_plain_python else [pytest.mark.compiled]


PAIRS = [
    pytest.param(row, rule, id=f"{row.role} {row.name}: {rule.name}", marks=marks(row, rule))
    for row in registry.rows()
    for rule in testing.rules(row)
    if row.name not in TWINS or rule.name in OF_TWINS
]


@pytest.mark.parametrize("examples", [3 if plain_python else 4, pytest.param(20, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize(("row", "rule"), PAIRS)
def test_our_strategies_keep_the_rules(row, rule, examples):
    rule.check(prepared(row.role, row.name), examples=examples)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("row", registry.rows(), ids=lambda row: f"{row.role} {row.name}")
def test_parallel_loops_keep_the_rule_of_threads(row, monkeypatch):
    """The rule runs on Python threads, which spares the compilation of a loop for each sweep."""
    monkeypatch.setattr(rules_compiled, "without_prange", contextlib.nullcontext)
    (rule,) = (rule for rule in testing.rules(row) if rule.name == "same-bits-for-any-number-of-threads")
    rule.check(prepared(row.role, row.name))


@pytest.mark.parametrize("role", registry.ROLES)
def test_every_rule_binds_some_strategy_of_its_role(role):
    rules = testing.rules(role)
    assert len(rules) >= 10
    assert {rule.name for row in registry.rows(role) for rule in testing.rules(row)} == {rule.name for rule in rules}
    assert all(rule.sentence.endswith(".") for rule in rules)


@pytest.mark.parametrize("row", registry.rows(), ids=lambda row: f"{row.role} {row.name}")
def test_every_partner_is_tried(row):
    strategy = prepared(row.role, row.name)
    possible, few = combinations(strategy), cover(strategy)
    partners = {partner for choice in possible for partner in choice.items()}
    assert {partner for choice in few for partner in choice.items()} == partners
    assert all(choice in possible for choice in few)
    assert len(few) <= len(partners)  # each brings one that is new
    assert few[0] == possible[0]

    met = set()
    seen = rule_of("descends-with-every-partner", judge=lambda _, case, choice: met.update(choice.items()))
    seen.check(strategy, examples=0)
    assert met == partners


def test_soft_families_meet_all_initializers():
    initializers = {row.name for row in registry.rows("initializer") if row.monotone and row.columns is None}
    soft = [row for row in registry.rows("assigner") if row.soft]
    assert len(soft) >= 4
    for row in soft:
        assert {choice["init"] for choice in cover(prepared("assigner", row.name))} == initializers


def test_other_rules_see_each_case_of_the_zoo_once():
    names = []
    seen = rule_of("writes-only-its-own", judge=lambda _, case: names.append(case.name))
    seen.check(prepared("updater", "mean"), examples=0)
    assert sorted(names) == sorted(case.name for case in testing.zoo())


@pytest.mark.parametrize("known", [True, False], ids=["found in the zoo", "found by chance"])
@pytest.mark.parametrize("shrinking", [0, 1, 20])
def test_a_search_ends_after_a_number_of_cases(known, shrinking):
    tried = []

    def judge(strategy, case):
        broken = case.X.sum() > 5 and (known or not case.name)
        if tried or broken:
            tried.append(case)
        if broken:
            raise Broken("the rows are too far to the right")

    with pytest.raises(testing.ConformanceError):
        rule_of("writes-only-its-own", judge=judge).check(prepared("updater", "mean"), shrinking=shrinking)
    assert len(tried) == 1 + shrinking


def rule_of(name, **facts):
    """The rule of this name, with other facts."""
    return replace(next(rule for rule in testing.rules("updater") if rule.name == name), **facts)


def test_rules_of_a_role_that_is_none():
    with pytest.raises(ValueError, match="role is 'init'; it must be one of initializer, assigner"):
        testing.rules("init")


# the zoo has what it is made for


def traces(**options):
    return [fit(registry.resolve("assigner", "dense"), case.started(), **options).trace for case in testing.zoo()]


def ties(case):
    """Rows that are equally near to two centers at the start."""
    problem = case.started().problem
    squares = np.square(problem.X[:, None].astype(float) - case.started().init_centers).sum(axis=2)
    return int(((squares == squares.min(axis=1, keepdims=True)).sum(axis=1) > 1).sum())


def test_the_zoo_has_ties_empty_clusters_and_repairs():
    zoo = testing.zoo()
    assert sum(ties(case) > 0 for case in zoo) >= 6
    assert sum(trace.empty[0] > 0 for trace in traces()) >= 6
    assert sum("repair" in trace.phase for trace in traces()) >= 4
    assert any(len(np.unique(case.X, axis=0)) < case.k for case in zoo)
    assert {case.X.dtype for case in zoo} == {np.dtype(np.float32), np.dtype(np.float64)}
    assert any(case.k == 1 for case in zoo)
    assert any(case.k == len(case.X) > 1 for case in zoo)
    assert any(case.sample_weight is not None and (case.sample_weight == 0).any() for case in zoo)


def test_the_zoo_has_refusals():
    """Distances by the expansion ‖x‖² - 2x·c + ‖c‖² cancel far from 0, and propose labels that are not nearer."""

    def expanded(problem, state):
        X, centers = problem.X.astype(np.float64), state.centers
        squares = np.square(X).sum(1)[:, None] - 2 * X @ centers.T + np.square(centers).sum(1)
        state.labels[:] = squares.argmin(axis=1)

    solver = km.Solver(assign=expanded, tol=0, rng=0, max_iter=20)
    results = [solver.fit(c.X, c.k, sample_weight=c.sample_weight, init_centers=c.init_centers) for c in testing.zoo()]
    assert sum(result.trace.refused.sum() > 0 for result in results) >= 1
    testing.check_assigner(expanded)  # not declared exact: the Solver deals with it


def test_every_case_of_the_zoo_can_be_fitted_and_is_named():
    names = [case.name for case in (*testing.zoo(), big(), weighted())]
    assert len(set(names)) == len(names)
    assert all(trace.certified for trace in traces(strict=True))


# what a check takes


def test_a_strategy_may_be_a_name_an_object_a_class_or_a_function():
    dense = registry.resolve("assigner", "dense")
    for strategy in ("dense", km.assigners.Dense(), km.assigners.Dense, dense):
        assert prepared("assigner", strategy) == dense
    assert prepared("updater", km.updaters.mean).row.name == "mean"
    assert testing.check_updater("mean", examples=1) is None


@pytest.mark.parametrize(
    ("strategy", "error", "message"),
    [
        ("dens", ValueError, "unknown assigner 'dens'; did you mean 'dense'?"),
        (3, TypeError, "assign is 3 of type int; it must be a name, a configured strategy or a function"),
        (km.updaters.mean, TypeError, r"assign is an updater \('mean'\), not an assigner"),
        (
            km.initializers.Explicit,
            TypeError,
            "strategy is the class Explicit, which can't be called without arguments",
        ),
    ],
)
def test_bad_arguments_are_named(strategy, error, message):
    with pytest.raises(error, match=message):
        testing.check_assigner(strategy)


def test_a_strategy_without_partners_is_refused():
    @km.updater("test-quartic", objective="quartic")
    def update(problem, state):
        pass

    with pytest.raises(ValueError, match="updater 'test-quartic' descends quartic, and no strategy of kmtoolkit does"):
        testing.check_updater("test-quartic")


def test_a_resolved_strategy_is_taken_as_it_is():
    dense = registry.resolve("assigner", "dense")
    assert registry.resolve("assigner", dense) is dense
    with pytest.raises(TypeError, match="update is the assigner 'dense', not an updater; pass it as assign="):
        km.Solver(update=dense)


# the examples of the documentation are right

PAGE = Path(__file__).parents[1] / "docs" / "writing_a_strategy.md"
EXAMPLES = {
    "spaced_ranks": "initializer", "nearest_by_numpy": "assigner", "nearest_loop": "assigner", "Margins": "assigner",
    "DampedMean": "updater", "trimmed_mean": "updater", "from_biggest": "empty_handler",
}  # fmt: skip


@pytest.fixture
def documented():
    """What the examples of the page define, up to those that are wrong on purpose."""
    right = PAGE.read_text(encoding="utf-8").partition("## What is checked")[0]
    names = {}
    for example in doctest.DocTestParser().get_examples(right):
        if example.exc_msg is None and example.source.startswith(("import", "from", "@", "def")):
            exec(example.source, names)
    return names


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_the_documentation_keep_the_rules(documented, name):
    role = EXAMPLES[name]
    getattr(testing, f"check_{role}")(documented[name], examples=10)
