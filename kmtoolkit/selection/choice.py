"""When a criterion names a k, and when it abstains.

A k wins if its score is above that of every other k by the criterion's margin, and above whatever data without clusters
reach at this k (:mod:`kmtoolkit.selection.nulls`) by its floor. Scores are looked at in the order of k: the first
winner is the answer, and a later one replaces it only if it is the k that was scored last. So a longer range changes an
answer only to a newly scored k that wins; it never takes an answer back.
"""

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Choice", "Scores", "decide"]


class Scores(NamedTuple):
    """A criterion's values for each k of a sweep.

    Attributes
    ----------
    values : ndarray of shape (m,), float64
        As the literature defines them; NaN where undefined.
    scores : ndarray of shape (m,), float64
        What is compared: monotone in the values, and the more the better.
    low : ndarray of shape (m,), float64
        The scores less their uncertainty, where it is estimated.
    evidence : ndarray of shape (m,), float64
        What is compared with data without clusters: the scores, or what does not depend on the number of rows.
    reasons : dict of int to str
        Why a value is undefined, by k.
    """

    values: np.ndarray
    scores: np.ndarray
    low: np.ndarray
    evidence: np.ndarray
    reasons: dict[int, str]


class Choice(NamedTuple):
    """What a criterion says about k.

    Attributes
    ----------
    criterion : Criterion
        Which.
    k : int or None
        The number of clusters that it finds; None if it abstains, or finds no more than one.
    reason : str
        Why.
    ks : tuple of int
        What was scored.
    values : ndarray of shape (m,), float64
        The criterion's values, NaN where undefined.
    low : ndarray of shape (m,), float64
        The lower ends of their intervals, as scores: of ``elbow``, the bootstrap's 5 % quantile.
    evidence : ndarray of shape (m,), float64
        What is held against data without clusters.
    ceiling : ndarray of shape (m,), float64
        The most that these reach.
    reasons : dict of int to str
        Why a value is undefined, by k.
    """

    criterion: Any
    k: int | None
    reason: str
    ks: tuple[int, ...]
    values: np.ndarray
    low: np.ndarray
    evidence: np.ndarray
    ceiling: np.ndarray
    reasons: dict[int, str]


def decide(ks: tuple[int, ...], of: Scores, ceiling: np.ndarray, margin: float, floor: float) -> tuple[int | None, str]:
    """The k that wins, or None, and why.

    Parameters
    ----------
    ks : tuple of int
        Rising numbers of clusters, of which 1 stands for no clusters: it needs to win over the others only.
    of : Scores
        Their scores.
    ceiling : ndarray of shape (m,)
        What data without clusters reach.
    margin, floor : float
        By how much the winner must be above other ks, and above the ceiling.

    Returns
    -------
    k : int or None
    reason : str
    """
    scored = np.flatnonzero(np.isfinite(of.scores))
    if len(scored) < 2:
        return None, "fewer than two values to compare"
    answer = -1
    for seen in range(2, len(scored) + 1):
        now = scored[:seen]
        wins = [i for i in now if _wins(i, now, ks, of, ceiling, margin, floor)]
        if wins and (answer < 0 or wins[0] == now[-1]):
            answer = wins[0]
    best = scored[int(of.scores[scored].argmax())]
    if answer < 0 or ks[answer] == 1:
        return None, _why_none(best, scored, ks, of, ceiling, margin, floor)
    end = "; the range ends here, a longer one may say more" if answer == scored[-1] else ""
    if of.low[answer] == of.scores[answer] == ks[answer]:
        return ks[answer], "the greatest of those that reach the mark" + end
    ahead = of.low[answer] - of.scores[scored[scored != answer]].max()
    return ks[answer], (
        f"ahead by {ahead:.3g}" if ahead >= margin else "first to win, and no later one wins over it"
    ) + end


def _why_none(
    best: int, scored: np.ndarray, ks: tuple[int, ...], of: Scores, ceiling: np.ndarray, margin: float, floor: float
) -> str:
    """Why the best of the entries that are scored is no answer."""
    if ks[best] == 1:
        return "one cluster scores best"
    if ceiling[best] == np.inf:
        return f"k = {ks[best]} scores best, but data without clusters have too few rows for it"
    if not of.evidence[best] >= ceiling[best] + floor:
        return f"k = {ks[best]} scores best, but data without clusters reach as much"
    ahead = of.low[best] - of.scores[scored[scored != best]].max()
    return f"k = {ks[best]} is ahead by {ahead:.3g}, less than the margin {margin:g}"


def _wins(
    i: int, now: np.ndarray, ks: tuple[int, ...], of: Scores, ceiling: np.ndarray, margin: float, floor: float
) -> bool:
    """Whether entry i wins among those seen so far."""
    rivals = of.scores[now[now != i]].max()
    above = ks[i] == 1 or of.evidence[i] >= ceiling[i] + floor
    return bool(of.scores[i] > rivals and of.low[i] >= rivals + margin and above)
