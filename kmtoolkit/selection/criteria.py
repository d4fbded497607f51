"""What can be asked of the fits of a path: criteria by which a k is better than another.

A criterion takes a path and paths of data without clusters, and returns a value for each k. Its ``score`` makes values
comparable, the more the better; its ``margin`` is by how much the score of a winner must exceed that of every other k,
its ``floor`` by how much it must exceed that of data without clusters.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kmtoolkit.agreement import adjusted_rand, pairs
from kmtoolkit.kernels.silhouettes import silhouettes, simplified_silhouettes
from kmtoolkit.kernels.statistics import are_whole
from kmtoolkit.objectives import OBJECTIVES
from kmtoolkit.result import Result
from kmtoolkit.selection.choice import Scores
from kmtoolkit.selection.path import NO_SCATTER, Path, child

__all__ = ["CRITERIA", "Criterion"]

BOOTSTRAPS = 500
GROUPS = 500
QUANTILE = 0.05
STRONG = 0.8  # prediction strength from which clusters are real (Tibshirani and Walther)
ALIKE = 0.98  # Rand index from which clusterings are the same


@dataclass(frozen=True)
class Criterion:
    """A way to score the fits of a path.

    Attributes
    ----------
    name : str
        What it is asked for by.
    short : str
        The head of its column.
    measure : callable
        ``measure(path, nulls)`` is :class:`Scores`, given the paths of data without clusters. It is asked about each
        of these too; ``path.null`` tells their kind.
    margin, floor : float
        By how much a winner must exceed the other ks, and data without clusters, on the scale of scores and evidence.
    reference : str
        Where it comes from.
    cost : str
        Time for one k.
    better : str
        Which values are better: "high" or "low".
    """

    name: str
    short: str
    measure: Callable[[Path, Sequence[Path]], Scores]
    margin: float
    floor: float
    reference: str
    cost: str
    better: str = "high"


CRITERIA: dict[str, Criterion] = {}


def criterion(name: str, short: str, **facts: Any) -> Callable[[Callable[..., Scores]], Callable[..., Scores]]:
    """Register a function as a criterion."""

    def register(measure: Callable[..., Scores]) -> Callable[..., Scores]:
        CRITERIA[name] = Criterion(name, short, measure, **facts)
        return measure

    return register


def scores(
    path: Path, values: Sequence[float] | np.ndarray, score: Callable[[np.ndarray], np.ndarray] = np.asarray, *,
    low: Any = None, evidence: Any = None, reasons: dict[int, str] | None = None, other: str = "not a finite number",
) -> Scores:  # fmt: skip
    """Scores of a criterion.

    Parameters
    ----------
    path : Path
        The fits.
    values : array-like of shape (m,)
        As the literature defines them, for each k; NaN or infinite where undefined.
    score : callable, optional
        What makes them comparable, the more the better; by default they are.
    low, evidence : array-like of shape (m,), optional
        The scores less their uncertainty, and what is held against data without clusters; by default the scores.
    reasons : dict of int to str, optional
        Why a value is undefined, by k.
    other : str
        Why, where ``reasons`` does not say.

    Returns
    -------
    Scores
    """
    given = np.array(values, dtype=np.float64)
    for name, array in (("values", given), ("low", low), ("evidence", evidence)):
        if array is not None and np.shape(array) != (len(path.ks),):
            raise ValueError(f"{name} have shape {np.shape(array)}; there must be one for each k, ({len(path.ks)},)")
    with np.errstate(divide="ignore", invalid="ignore"):
        compared = np.where(np.isfinite(given), score(given), np.nan)
    undefined = {k: other for k, value in zip(path.ks, compared, strict=True) if not np.isfinite(value)}
    given[~np.isfinite(compared)] = np.nan
    return Scores(given, compared, compared if low is None else low, compared if evidence is None else evidence,
                  {k: (reasons or {}).get(k, why) for k, why in undefined.items()})  # fmt: skip


SINGLE = "needs two clusters"
FLAT = "clusters without scatter, or Σ w not above k"


@criterion("elbow", "elbow", margin=1.0, floor=1.0, reference="after Thorndike 1953", cost="O(n d)")
def elbow(path: Path, nulls: Sequence[Path]) -> Scores:
    """How much log F stops falling with log k: the slope before less the slope after.

    Where there are no clusters, F falls like k^(-2 / d), whose slope is the same everywhere. The rows of the bootstrap
    come in GROUPS groups, taken at random; the interval is that of its 5 % quantile.
    """
    rng = np.random.default_rng(child(path.seed, 1))
    groups = rng.permutation(len(path.X)) % min(GROUPS, len(path.X))
    sums = np.array([np.bincount(groups, path.weights * scatter) for scatter in path.scatter])
    draws = rng.multinomial(sums.shape[1], np.full(sums.shape[1], 1 / sums.shape[1]), BOOTSTRAPS)
    values, again = _bends(path.ks, path.objective[np.newaxis])[0], _bends(path.ks, draws @ sums.T)
    low = np.full(len(values), np.nan)
    known = np.isfinite(values)
    low[known] = np.quantile(again[:, known], QUANTILE, axis=0)
    reasons = dict.fromkeys((path.ks[0], path.ks[-1]), "needs a k before and one after")
    return scores(path, values, low=np.fmin(low, values), reasons=reasons, other="F is 0 here or beside it")


def _bends(ks: tuple[int, ...], objective: np.ndarray) -> np.ndarray:
    """The slope of -log F (m, len(ks)) against log k before each k, less that after it."""
    out = np.full(objective.shape, np.nan)
    if len(ks) > 2:
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = -np.diff(np.log(objective), axis=1) / np.diff(np.log(ks))
            out[:, 1:-1] = slopes[:, :-1] - slopes[:, 1:]
    return np.where(np.isfinite(out), out, np.nan)


@criterion("simplified silhouette", "simpl.sil", margin=0.02, floor=0.05,
           reference="Hruschka, de Castro and Campello 2004", cost="O(n k d)")  # fmt: skip
def simplified_silhouette(path: Path, nulls: Sequence[Path]) -> Scores:
    """The mean of (b - a) / max(a, b), with the distances a to the own and b to the next center."""
    values = []
    for result in path.results:
        mass = np.bincount(result.labels, path.weights, len(result.centers))
        sums = simplified_silhouettes(path.X, path.weights, result.centers, result.labels, mass)
        values.append(float(sums.sum()) / path.mass if len(mass) > 1 else math.nan)
    return scores(path, values, reasons=_single(path))


@criterion("silhouette", "silh.", margin=0.02, floor=0.05, reference="Rousseeuw 1987", cost="O(n² d)")
def silhouette(path: Path, nulls: Sequence[Path]) -> Scores:
    """The mean of (b - a) / max(a, b), with the mean distances a to the own and b to the next cluster's rows."""
    values = []
    for k, result in zip(path.ks, path.results, strict=True):
        each = silhouettes(path.X, path.weights, result.labels, k) if k > 1 else np.array([math.nan])
        values.append(float((path.weights / path.mass * each).sum()))
    return scores(path, values, reasons=_single(path))


@criterion("calinski-harabasz", "CH", margin=0.05, floor=0.2, reference="Caliński and Harabasz 1974",
           cost="O(n d)")  # fmt: skip
def calinski_harabasz(path: Path, nulls: Sequence[Path]) -> Scores:
    """The variance between clusters over that within, (B / (k - 1)) / (W / (n - k))."""
    ks, within = np.array(path.ks, dtype=np.float64), np.array([groups.within for groups in path.groups])
    with np.errstate(divide="ignore", invalid="ignore"):
        count = path.copies.sum()
        values = (path.total - within) / (ks - 1) / (within / (count - ks))
        scattered = within > NO_SCATTER * path.total
        values[~((ks > 1) & scattered & np.isfinite(values) & (values > 0))] = np.nan
    return scores(path, values, lambda value: np.log(value / count), reasons=_single(path), other=FLAT)


@criterion("davies-bouldin", "DB", margin=0.05, floor=0.2, reference="Davies and Bouldin 1979", cost="O((n + k²) d)",
           better="low")  # fmt: skip
def davies_bouldin(path: Path, nulls: Sequence[Path]) -> Scores:
    """The mean over clusters of the worst (Sᵢ + Sⱼ) / ‖μᵢ - μⱼ‖, with mean distances S to the means."""
    values = []
    for _, means, spread, _ in path.groups:
        apart = OBJECTIVES["squared-euclidean"].transform(means, means)
        np.fill_diagonal(apart, np.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            worst = ((spread[:, np.newaxis] + spread) / apart).max(axis=1)
        values.append(float(worst.mean()) if len(means) > 1 and worst.any() else math.nan)
    return scores(path, values, lambda value: -np.log(value), reasons=_single(path), other=FLAT)


@criterion(
    "gap", "gap", margin=0.0, floor=0.05, reference="Tibshirani, Walther and Hastie 2001", cost="fits of the references"
)
def gap(path: Path, nulls: Sequence[Path]) -> Scores:
    """The mean of log F of uniform data less log F; its uncertainty is s = sd √(1 + 1 / B) of the paper, twice."""
    uniform = [null for null in nulls if null.null == "uniform" and null is not path]
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.array([np.log(_relative(null, path)) for null in uniform])
        values = expected.mean(axis=0) - np.log(path.objective / path.mass)
        noise = expected.std(axis=0) * np.sqrt(1 + 1 / len(uniform))
        at_one = np.mean([np.log(null.total / null.mass) for null in uniform]) - np.log(path.total / path.mass)
        low = values - 2 * noise
    return scores(path, values, low=low, evidence=values - at_one, other="F is 0, or the references have too few rows")


def _relative(null: Path, path: Path) -> np.ndarray:
    """F of a null path over its mass, for the ks of the path; NaN where it has too few rows."""
    out = np.full(len(path.ks), np.nan)
    out[: len(null.ks)] = null.objective / null.mass
    return out


def _information(path: Path, penalty: float) -> Scores:
    """-2 log L + penalty · parameters of isotropic mixtures started from the fits.

    The evidence is what the clusters tell about a row, in nats: the gain of hard isotropic normals of one variance
    over a single normal, which takes no EM.
    """
    gain = np.array([_gain(path, result) for result in path.results])
    if path.null:
        return scores(path, gain)
    found = [-2 * fit.log_likelihood + penalty * fit.n_parameters for fit in path.mixtures]
    scattered = path.objective > NO_SCATTER * path.total  # elsewhere the likelihood has no limit
    values = np.where(scattered, found, np.nan)
    return scores(path, values, lambda value: -value / 2, evidence=gain, other="clusters without scatter")


def _gain(path: Path, result: Result) -> float:
    """The mean over rows of the log density in hard clusters of one variance, less that in a single cluster."""
    if result.objective <= 0:
        return math.inf
    shares = np.bincount(result.labels, path.weights) / path.mass
    shares = shares[shares > 0]
    return path.X.shape[1] / 2 * math.log(path.total / result.objective) + float(shares @ np.log(shares))


@criterion(
    "bic", "BIC", margin=5.0, floor=0.1, reference="Schwarz 1978; Kass and Raftery 1995", cost="EM", better="low"
)
def bic(path: Path, nulls: Sequence[Path]) -> Scores:
    """-2 log L + p log n of the isotropic mixture that EM reaches from the fit."""
    return _information(path, math.log(path.copies.sum()))


@criterion("aic", "AIC", margin=5.0, floor=0.1, reference="Akaike 1974", cost="EM", better="low")
def aic(path: Path, nulls: Sequence[Path]) -> Scores:
    """-2 log L + 2 p of the isotropic mixture that EM reaches from the fit."""
    return _information(path, 2.0)


@criterion("prediction strength", "PS", margin=0.1, floor=0.1, reference="Tibshirani and Walther 2005",
           cost="fits of halves")  # fmt: skip
def prediction_strength(path: Path, nulls: Sequence[Path]) -> Scores:
    """The share of pairs that are together by the one half and also by the other's centers, in the worst cluster.

    A k is as good as another if both are above STRONG, and then the greater one is taken.
    """
    values = np.full((2 * len(path.halves), len(path.ks)), np.nan)
    for at, (one, other) in enumerate(pair for half in path.halves for pair in (half, half[::-1])):
        for column, (fit, by) in enumerate(zip(one.results, other.results, strict=False)):
            if path.ks[column] > 1:
                values[at, column] = _strength(fit.labels, by.predict(one.X), one.weights)
    return _of_halves(path, values, STRONG, 0.0)


def _strength(labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> float:
    """The least share over clusters of pairs of copies that are predicted to be together."""
    table = np.zeros((labels.max() + 1, predicted.max() + 1))
    np.add.at(table, (labels, predicted), weights)
    whole = are_whole(weights)
    every, together = pairs(table.sum(axis=1), whole), pairs(table, whole).sum(axis=1)
    return float((together[every > 0] / every[every > 0]).min()) if every.any() else math.nan


@criterion(
    "stability", "stab.", margin=0.05, floor=0.1, reference="Ben-Hur, Elisseeff and Guyon 2002", cost="fits of halves"
)
def stability(path: Path, nulls: Sequence[Path]) -> Scores:
    """The adjusted Rand index of the clusterings of all rows by the centers of two halves.

    A k is as good as another if both are above ALIKE, and then the greater one is taken.
    """
    values = np.full((len(path.halves), len(path.ks)), np.nan)
    for at, (one, other) in enumerate(path.halves):
        for column, (first, second) in enumerate(zip(one.results, other.results, strict=False)):
            if path.ks[column] > 1:
                values[at, column] = adjusted_rand(
                    first.predict(path.X), second.predict(path.X), sample_weight=path.weights
                )
    return _of_halves(path, values, ALIKE, 1.0)


def _of_halves(path: Path, values: np.ndarray, enough: float, weak: float) -> Scores:
    """Scores of values (m, len(ks)) from m pairs of halves: their mean, and k itself where that is enough.

    Where it is not, it is compared as it is, but counts ``weak`` times as evidence.
    """
    mean, noise = values.mean(axis=0), values.std(axis=0) / np.sqrt(len(values))
    with np.errstate(invalid="ignore"):
        reached = mean >= enough
    low = np.where(reached, path.ks, mean - noise)
    evidence = mean if path.null else np.where(reached, mean, weak * mean)
    return scores(path, mean, lambda value: np.where(reached, path.ks, value), low=low, evidence=evidence,
                  reasons=_single(path), other="too few rows in a half")  # fmt: skip


def _single(path: Path) -> dict[int, str]:
    return {1: SINGLE} if path.ks[0] == 1 else {}
