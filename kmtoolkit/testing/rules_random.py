"""Rules about chance: a row is drawn in proportion to its weight, as its copies would be."""

from typing import Any

import numpy as np
from scipy.stats import ks_2samp

from kmtoolkit.problem import admit
from kmtoolkit.registry import Strategy
from kmtoolkit.testing.awkward import Case
from kmtoolkit.testing.harness import Broken, fit, watched
from kmtoolkit.testing.rulebook import rule

SIGNIFICANT = 1e-6
DRAWS, FITS = 1000, 300
SHARE = 0.1  # of the spread of the rows: how far apart two seeds may lie on the average, because rows are not split

SEEDS = """
from scipy.stats import ks_2samp

def places(X, sample_weight, k):
    problem = km.Problem(X, sample_weight, k)
    return np.array([np.sum(strategy(problem, np.random.default_rng(s))) for s in range({draws})]).round(6)

repeated = np.repeat(X, sample_weight.astype(int), axis=0)
first, second = places(X, sample_weight, 1), places(repeated, np.ones(len(repeated)), 1)
assert ks_2samp(first, second).pvalue >= {significant}
first, second = places(X, sample_weight, 2), places(repeated, np.ones(len(repeated)), 2)
chance = 5 * np.sqrt((first.var() + second.var()) / {draws})
assert abs(first.mean() - second.mean()) <= {share} * X.std() + chance
""".strip()

ROWS = """
from scipy.stats import ks_2samp

def places(**data):
    taken = []

    def watched(problem, state, d, free, rng):
        row = strategy(problem, state, d, free, rng)
        taken.append(np.inf if row is None else problem.X[row, 0])
        return row

    for s in range({draws}):
        fit(**data, empty=watched, rng=s, max_iter=1, verify=False)
    return taken

repeated = np.repeat(X, sample_weight.astype(int), axis=0)
assert ks_2samp(places(), places(X=repeated, sample_weight=None)).pvalue >= {significant}
""".strip()


@rule("initializer", when=lambda row: row.weights, cases="weighted")
def weighted_rows_are_drawn_as_copies(strategy: Strategy, case: Case) -> None:
    """Seeds lie where they would lie if a row of weight w were w rows.

    One seed must follow the same law. Of two seeds only the average place is compared: a row is drawn once, or goes to
    a part as a whole, where its copies are drawn, or go, one by one.
    """
    code = SEEDS.format(draws=DRAWS, significant=SIGNIFICANT, share=SHARE)
    first, second = _places(strategy, case, 1)
    p = ks_2samp(first, second).pvalue
    if p < SIGNIFICANT:
        raise Broken(_spell("the seed", first, second, p), code)
    first, second = _places(strategy, case, 2)
    chance = 5 * np.sqrt((first.var() + second.var()) / DRAWS)
    if not abs(first.mean() - second.mean()) <= SHARE * case.X.std() + chance:
        raise Broken(_spell("the sum of two seeds", first, second), code)


@rule("empty_handler", when=lambda row: row.weights and row.repairs, cases="weighted")
def weighted_rows_are_taken_as_copies(strategy: Strategy, case: Case) -> None:
    """The row taken follows the law that it would follow if a row of weight w were w rows."""
    samples: list[list[float]] = []

    def look(run: Any, problem: Any, *arguments: Any) -> Any:
        row = run(problem, *arguments)
        samples[-1].append(np.inf if row is None else float(problem.X[row, 0]))
        return row

    for data in _twice(case):
        samples.append([])
        for seed in range(FITS):
            fit(watched(strategy, look), case, **data, rng=seed, max_iter=1, verify=False)
    first, second = map(np.array, samples)
    p = ks_2samp(first, second).pvalue
    if p < SIGNIFICANT:
        code = ROWS.format(draws=FITS, significant=SIGNIFICANT)
        raise Broken(_spell("the row taken", first, second, p), code)


def _twice(case: Case) -> tuple[dict[str, Any], dict[str, Any]]:
    """The weighted rows, and their copies."""
    assert case.sample_weight is not None
    repeated = np.repeat(case.X, case.sample_weight.astype(int), axis=0)
    return {"X": case.X, "sample_weight": case.sample_weight}, {"X": repeated, "sample_weight": None}


def _places(strategy: Strategy, case: Case, k: int) -> list[np.ndarray]:
    """Where k seeds lie on the line, added up: of weighted rows, and of their copies."""
    found = []
    for data in _twice(case):
        problem = admit(data["X"], k, data["sample_weight"]).problem
        starts = [strategy(problem, np.random.default_rng(seed)) for seed in range(DRAWS)]
        found.append(np.array([np.sum(start) for start in starts]).round(6))
    return found


def _spell(what: str, first: np.ndarray, second: np.ndarray, p: float | None = None) -> str:
    law = "" if p is None else f" (Kolmogorov-Smirnov p = {p:.0e})"
    return f"{what} is at {first.mean():.4g} on the average with weights, and at {second.mean():.4g} with copies{law}"
