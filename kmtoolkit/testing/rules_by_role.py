"""Rules for strategies of one role: what they return, and what they promise by their declared facts."""

import inspect
from typing import Any

import numpy as np

from kmtoolkit.families import OBJECTIVES
from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import ANY, Row, Strategy
from kmtoolkit.testing.awkward import Case
from kmtoolkit.testing.harness import (
    ONE_CALL,
    Broken,
    Wander,
    call,
    combinations,
    compare,
    fit,
    judge_centers,
    rounding,
    settled,
    tied,
    wander,
    watched,
)  # fmt: skip
from kmtoolkit.testing.report import spell
from kmtoolkit.testing.rulebook import rule
from kmtoolkit.testing.rules_general import SAME

_MEASURES = {"squared-euclidean": "squared distance", "cosine": "1 - cosine"}
ONE_UPDATE = ONE_CALL["updater"]
NEAR = "assert np.abs(first.centers - second.centers).max() <= {slack!r}"

FILLS = """
def watched(problem, state, d, free, rng):
    row = strategy(problem, state, d, free, rng)
    assert row is not None or not free.any(), "a row was free, and none was returned"
    return row

fit(empty=watched)
""".strip()

INDEPENDENT = """
def watched(problem, state):
    elsewhere = state._replace(centers=state.centers + 1.0)
    strategy(problem, state)
    strategy(problem, elsewhere)
    live = state.counts > 0
    assert np.array_equal(state.centers[live], elsewhere.centers[live])

fit(update=watched, empty='keep', verify=False)
""".strip()

MEANS = """
labels = fit(max_iter=0, empty='keep').labels
centers = fit(max_iter=1, empty='keep').centers
weights = np.ones(len(X)) if sample_weight is None else sample_weight
for j in np.unique(labels[weights > 0]):
    mine = (labels == j) & (weights > 0)
    first = X[mine][0].astype(np.float64)
    mean = first + np.average(X[mine] - first, axis=0, weights=weights[mine])
    assert np.abs(centers[j] - mean).max() <= {slack!r}, (j, centers[j], mean)
""".strip()


WANDER = f"""
from dataclasses import dataclass
from typing import Any

{inspect.getsource(Wander)}
km.updater("wander", objective="any", monotone=False, replace=True)(Wander)
""".lstrip()


@rule("empty_handler", when=lambda row: row.repairs)
def fills_while_a_row_is_free(strategy: Strategy, case: Case) -> None:
    """A handler declared repairs=True returns a row as long as one is free."""

    def look(run: Any, *arguments: Any) -> Any:
        row = run(*arguments)
        if row is None and arguments[3].any():
            raise Broken(f"it returned None, but row {int(arguments[3].argmax())} is free", FILLS)
        return row

    fit(watched(strategy, look), case)


@rule("assigner", when=lambda row: row.exact)
def takes_the_nearest(strategy: Strategy, case: Case) -> None:
    """At every call of a fit an exact assigner takes the nearest center of each row, the lowest index among equals."""
    partners = [each for each in combinations(strategy) if each["empty"] != "error"]  # which would end fits early
    chosen: dict[str, Any] = partners[case.seed % len(partners)]
    _judge_calls(strategy, case, chosen, "")
    _judge_calls(strategy, case, {**chosen, "update": wander(case.seed)}, WANDER)


def _judge_calls(strategy: Strategy, case: Case, options: dict[str, Any], preamble: str) -> None:
    """Judge the labels of every call of a fit; one that ends after the wrong call shows it."""
    calls = 0

    def look(run: Any, problem: Problem, state: State, *memory: Any) -> Any:
        nonlocal calls
        returned = run(problem, state, *memory)
        if run is strategy.run:  # not its method init
            _judge_labels(strategy, problem, state, preamble + call(**options, max_iter=calls), calls)
            calls += 1
        return returned

    settled(watched(strategy, look), case, **options)


def _judge_labels(strategy: Strategy, problem: Problem, state: State, code: str, iteration: int) -> None:
    name = strategy.row.objectives[0]
    objective = OBJECTIVES["squared-euclidean" if name == ANY else name].of_assigner(strategy.run)
    nearest = objective.oracle(problem.X, state.centers)
    for i in map(int, np.flatnonzero(state.labels != nearest)[:1]):
        label, right = int(state.labels[i]), int(nearest[i])
        if not 0 <= label < problem.k:
            raise Broken(f"row {i} got the label {label} in iteration {iteration}", code)
        far, near = (objective.distances(problem.X[i : i + 1], state.centers, j)[0] for j in (label, right))
        raise Broken(
            f"row {i} got the label {label} ({_MEASURES.get(name, 'divergence')} {far!s}) in iteration {iteration}; "
            f"the nearest is {right} ({near!s})", code,
        )  # fmt: skip


@rule("assigner", when=lambda row: not row.soft)
def tells_every_row_it_moved(strategy: Strategy, case: Case) -> None:
    """If an assigner returns rows after its first call, all rows whose label it changed are among them."""
    options: dict[str, Any] = {"update": wander(case.seed)}
    calls = 0

    def look(run: Any, problem: Problem, state: State, *memory: Any) -> Any:
        nonlocal calls
        before = state.labels.copy()
        returned = run(problem, state, *memory)
        if run is strategy.run:  # not its method init
            moved = np.flatnonzero(state.labels != before)
            untold = moved[~np.isin(moved, returned)] if calls and returned is not None else moved[:0]
            for i in map(int, untold[:1]):
                raise Broken(
                    f"row {i} went from cluster {before[i]} to {state.labels[i]} in iteration {calls}, and is not "
                    f"among the {len(returned)} rows returned", WANDER + call(**options, max_iter=calls),
                )  # fmt: skip
            calls += 1
        return returned

    settled(watched(strategy, look), case, **options)


@rule("assigner", when=lambda row: row.exact)
def single_precision_rows_change_no_label(strategy: Strategy, case: Case) -> None:
    """Rows in float32 give the labels of the same values in float64."""
    single = case.X.astype(np.float32)
    code = SAME.format(first="fit(X=X.astype(np.float32))",
                       second="fit(X=X.astype(np.float32).astype(np.float64))")  # fmt: skip
    first, second = (settled(strategy, case, X=X) for X in (single, single.astype(np.float64)))
    compare(first, second, code, "for the same values in float64")


@rule("updater")
def single_precision_rows_change_no_center(strategy: Strategy, case: Case) -> None:
    """Rows in float32 give the centers of the same values in float64, but for rounding in float64."""
    single = case.X.astype(np.float32)
    first, second = (fit(strategy, case, X=X, **ONE_UPDATE).centers for X in (single, single.astype(np.float64)))
    slack, arguments = rounding(single, first, second), call(**ONE_UPDATE)[4:-1]
    code = "\n".join([
        f"first = fit(X=X.astype(np.float32), {arguments})",
        f"second = fit(X=X.astype(np.float32).astype(np.float64), {arguments})",
        NEAR.format(slack=slack),
    ])  # fmt: skip
    judge_centers(first, second, slack, "for the same values in float64", code)


@rule("updater", when=lambda row: row.weights)
def weighted_rows_are_copies(strategy: Strategy, case: Case) -> None:
    """A row of weight w gives the centers that w copies of it give, but for rounding."""
    copies = _copies(case)
    repeated = np.repeat(case.X, copies, axis=0)
    first = fit(strategy, case, sample_weight=copies, **ONE_UPDATE).centers
    second = fit(strategy, case, X=repeated, sample_weight=None, **ONE_UPDATE).centers
    slack, arguments = rounding(repeated, first, second), call(**ONE_UPDATE)[4:-1]
    code = "\n".join([
        f"copies = {spell(copies)}",
        f"first = fit(sample_weight=copies, {arguments})",
        f"second = fit(X=np.repeat(X, copies, axis=0), sample_weight=None, {arguments})",
        NEAR.format(slack=slack),
    ])  # fmt: skip
    judge_centers(first, second, slack, "for repeated rows", code)


@rule("assigner", when=lambda row: row.weights)
def weighted_rows_are_labeled_as_copies(strategy: Strategy, case: Case) -> None:
    """A row of weight w gets the label that w copies of it get."""
    copies = _copies(case)
    code = "\n".join([
        f"copies = {spell(copies)}",
        "first = fit(sample_weight=copies, max_iter=0).labels",
        "second = fit(X=np.repeat(X, copies, axis=0), sample_weight=None, max_iter=0).labels",
        "assert np.array_equal(np.repeat(first, copies), second)",
    ])  # fmt: skip
    first = settled(strategy, case, sample_weight=copies, max_iter=0)
    second = settled(strategy, case, X=np.repeat(case.X, copies, axis=0), sample_weight=None, max_iter=0)
    if first is None or second is None:
        return
    rows = np.repeat(np.arange(len(copies)), copies)
    for at in np.flatnonzero(first.labels[rows] != second.labels):
        i = int(rows[at])
        if tied(first, case.X, i, (int(first.labels[i]), int(second.labels[at]))):
            continue
        raise Broken(
            f"row {i} of weight {copies[i]} got the label {first.labels[i]}, its copy {second.labels[at]}", code
        )


def _squared(row: Row) -> bool:
    return row.exact and bool({"squared-euclidean", ANY} & set(row.objectives))


@rule("updater", when=_squared)
def minimizes(strategy: Strategy, case: Case) -> None:
    """An exact updater moves each center to the weighted mean of its cluster, but for rounding."""
    labels = fit(strategy, case, **{**ONE_UPDATE, "max_iter": 0}).labels
    centers = fit(strategy, case, **ONE_UPDATE).centers
    weights = np.ones(len(case.X)) if case.sample_weight is None else case.sample_weight
    slack = rounding(case.X, centers)
    for j in map(int, np.unique(labels[weights > 0])):
        mine = (labels == j) & (weights > 0)
        first = case.X[mine][0].astype(np.float64)
        mean = first + np.average(case.X[mine] - first, axis=0, weights=weights[mine])
        if not np.abs(centers[j] - mean).max() <= slack:
            raise Broken(f"center {j} is at {centers[j].tolist()}, the mean of its rows at {mean.tolist()}",
                         MEANS.format(slack=slack))  # fmt: skip


@rule("updater", when=lambda row: row.exact and "centers" in row.writes)
def forgets_the_centers_before(strategy: Strategy, case: Case) -> None:
    """The centers of an exact updater depend on the labels alone, not on where the centers were."""

    def look(run: Any, problem: Problem, state: State) -> None:
        elsewhere = state._replace(centers=state.centers + 1.0)
        returned = run(problem, state)
        run(problem, elsewhere)
        for j in map(int, np.flatnonzero(state.counts > 0)):
            here, there = state.centers[j].tolist(), elsewhere.centers[j].tolist()
            if here != there:
                raise Broken(
                    f"center {j} moved to {here}, and to {there} when all centers began farther by 1", INDEPENDENT
                )
        return returned

    fit(watched(strategy, look), case, empty="keep", verify=False)


def _copies(case: Case) -> np.ndarray:
    """Integer weights (n,) int64 from 0 to 4, positive where the case's are."""
    weights = 1 + np.arange(len(case.X)) % 3 if case.sample_weight is None else np.ceil(case.sample_weight)
    return np.minimum(weights, 4).astype(np.int64)
