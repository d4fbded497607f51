"""What the runs of a comparison say: medians, profiles, times to a target, ranks, scaling and Pareto fronts.

Arrays of costs have a row for each entrant and a column for each task (a problem and an objective); infinite is a task
that was not solved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "CriticalDifference", "Scaling", "critical_difference", "median_interval", "pareto_front", "performance_profiles",
    "scaling", "time_to_target",
]  # fmt: skip


def median_interval(
    values: Any, rng: Any = 0, *, resamples: int = 2000, level: float = 0.95
) -> tuple[float, float, float]:
    """The median of a sample, and its bootstrap percentile interval (Efron 1979).

    Parameters
    ----------
    values : array_like of shape (m,)
        The sample; NaN is left out.
    rng : int or Generator
        Where resamples come from.
    resamples : int
        How many there are.
    level : float
        Coverage that is aimed at.

    Returns
    -------
    tuple of float
        Median, lower and upper end; three times NaN if there are no values.

    Examples
    --------
    >>> from kmtoolkit.bench.analysis import median_interval
    >>> median_interval([3.0, 1.0, 2.0])
    (2.0, 1.0, 3.0)
    """
    values = np.asarray(values, np.float64)
    values = np.sort(values[~np.isnan(values)])
    if not len(values):
        return (np.nan, np.nan, np.nan)
    drawn = np.random.default_rng(rng).integers(len(values), size=(resamples, len(values)))
    # Medians of positions, not of values, so that infinite values average to infinite ones and never to NaN.
    middles = np.median(drawn, axis=1)
    low, high = np.quantile(middles, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    return _at(values, (len(values) - 1) / 2), _at(values, low), _at(values, high)


def _at(values: np.ndarray, position: float) -> float:
    below, above = values[int(np.floor(position))], values[int(np.ceil(position))]
    return float(below if below == above else (below + above) / 2)


def performance_profiles(costs: Any) -> tuple[np.ndarray, np.ndarray]:
    """The share of tasks that each entrant solves within a factor of the best (Dolan and Moré 2002).

    Parameters
    ----------
    costs : array_like of shape (entrants, tasks)
        Positive costs; infinite for unsolved tasks. Tasks that nobody solves count as unsolved for all.

    Returns
    -------
    factors : ndarray of shape (m,)
        At which the shares change, from 1 on.
    shares : ndarray of shape (entrants, m)
        Shares of tasks solved within each factor.

    Examples
    --------
    >>> from kmtoolkit.bench.analysis import performance_profiles
    >>> factors, shares = performance_profiles([[1.0, 2.0], [3.0, 1.0]])
    >>> factors, shares[0]
    (array([1., 2., 3.]), array([0.5, 1. , 1. ]))
    """
    ratios = ratios_to_best(costs)
    factors = np.unique(np.append(1.0, ratios[np.isfinite(ratios)]))
    return factors, (ratios[:, :, None] <= factors).mean(axis=1)


def ratios_to_best(costs: Any) -> np.ndarray:
    """Costs over the least of each task; infinite where there is none."""
    costs = np.asarray(costs, np.float64)
    costs = np.where(np.isnan(costs), np.inf, costs)
    best = costs.min(axis=0)
    solved = np.isfinite(costs)
    ratios = np.full(costs.shape, np.inf)
    np.divide(costs, best, out=ratios, where=solved & (best > 0))
    ratios[solved & (costs == best)] = 1.0
    return ratios


def time_to_target(seconds: Sequence[float], objective: Sequence[float], target: float) -> float:
    """When a trace first is at a target or below; infinite if it never is."""
    reached = np.flatnonzero(np.asarray(objective, np.float64) <= target)
    return float(seconds[reached[0]]) if len(reached) else float("inf")


@dataclass(frozen=True)
class CriticalDifference:
    """Mean ranks, and how far apart they must be to differ.

    Attributes
    ----------
    ranks : ndarray of shape (entrants,)
        Mean ranks over tasks; 1 is best, equal costs share a rank.
    statistic, pvalue : float
        Friedman's test that all are the same; NaN with fewer than three entrants or two tasks.
    difference : float
        Nemenyi's critical difference of mean ranks.
    groups : list of tuple of int
        Entrants in order of rank that the test doesn't tell apart, largest groups only.
    """

    ranks: np.ndarray
    statistic: float
    pvalue: float
    difference: float
    groups: list[tuple[int, ...]]


def critical_difference(costs: Any, *, level: float = 0.05) -> CriticalDifference:
    """Friedman's test of ranks over tasks, and Nemenyi's critical difference (Demšar 2006).

    Parameters
    ----------
    costs : array_like of shape (entrants, tasks)
        Costs; infinite for unsolved tasks.
    level : float
        Level of significance.

    Returns
    -------
    CriticalDifference
        Ranks, test, difference and groups.

    Examples
    --------
    >>> from kmtoolkit.bench.analysis import critical_difference
    >>> told = critical_difference([[1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2], [3, 3, 3, 3, 3, 3]])
    >>> told.ranks, round(told.difference, 3), told.groups
    (array([1., 2., 3.]), 1.353, [(0, 1), (1, 2)])
    """
    from scipy import stats

    costs = np.asarray(costs, np.float64)
    entrants, tasks = costs.shape
    ranks = stats.rankdata(np.where(np.isnan(costs), np.inf, costs), axis=0).mean(axis=1)
    statistic = pvalue = np.nan
    if entrants >= 3 and tasks >= 2 and np.ptp(ranks) > 0:
        statistic, pvalue = map(
            float, stats.friedmanchisquare(*np.where(np.isfinite(costs), costs, np.finfo(float).max))
        )
    difference = np.nan
    if entrants >= 2:
        critical = stats.studentized_range.ppf(1 - level, entrants, np.inf) / np.sqrt(2)
        difference = float(critical * np.sqrt(entrants * (entrants + 1) / (6 * tasks)))
    order = np.argsort(ranks, kind="stable")
    groups: list[tuple[int, ...]] = []
    end = 0
    for first in range(entrants):
        last = max(
            i for i in range(first, entrants) if ranks[order[i]] - ranks[order[first]] <= difference or i == first
        )
        if last > first and last >= end:
            groups.append(tuple(int(i) for i in order[first : last + 1]))
            end = last + 1
    return CriticalDifference(ranks, statistic, pvalue, difference, groups)


@dataclass(frozen=True)
class Scaling:
    """A power law: cost = factor · size^exponent.

    Attributes
    ----------
    exponent, factor : float
        Of the least-squares line through logarithms.
    error : float
        Standard error of the exponent; NaN with two sizes.
    """

    exponent: float
    factor: float
    error: float


def scaling(sizes: Any, costs: Any) -> Scaling:
    """Fit a power law to costs that grow with a size.

    Parameters
    ----------
    sizes, costs : array_like of shape (m,)
        Positive; at least two different sizes.

    Returns
    -------
    Scaling
        Exponent, its error, and factor.

    Raises
    ------
    ValueError
        If there are fewer than two different sizes, or something is not positive.

    Examples
    --------
    >>> from kmtoolkit.bench.analysis import scaling
    >>> round(scaling([100, 1000, 10_000], [0.5, 5.0, 50.0]).exponent, 6)
    1.0
    """
    from scipy import stats

    sizes, costs = np.asarray(sizes, np.float64), np.asarray(costs, np.float64)
    keep = np.isfinite(sizes) & np.isfinite(costs)
    sizes, costs = sizes[keep], costs[keep]
    if len(np.unique(sizes)) < 2:
        raise ValueError(f"sizes has {len(np.unique(sizes))} different values; a scaling fit needs at least two")
    if (sizes <= 0).any() or (costs <= 0).any():
        raise ValueError("sizes and costs must be positive to be fitted by a power law")
    line = stats.linregress(np.log(sizes), np.log(costs))
    error = float(line.stderr) if len(sizes) > 2 else np.nan
    return Scaling(float(line.slope), float(np.exp(line.intercept)), error)


def pareto_front(points: Any) -> np.ndarray:
    """Which points no other is as good as in all coordinates and better in one; less is better.

    Parameters
    ----------
    points : array_like of shape (m, p)
        Costs, such as (seconds, objective); points with NaN or infinite costs are on no front.

    Returns
    -------
    ndarray of shape (m,) of bool
        True on the front.

    Examples
    --------
    >>> from kmtoolkit.bench.analysis import pareto_front
    >>> pareto_front([[1, 4], [2, 2], [3, 3], [4, 1]])
    array([ True,  True, False,  True])
    """
    points = np.asarray(points, np.float64)
    finite = np.isfinite(points).all(axis=1)
    as_good = (points[:, None] <= points).all(axis=2)
    better = (points[:, None] < points).any(axis=2)
    return finite & ~(as_good & better & finite[:, None]).any(axis=0)
