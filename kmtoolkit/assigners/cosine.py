"""Angles: the center of the largest cosine (Dhillon and Modha, Machine Learning 42, 2001).

Rows come divided by their lengths, and centers have length 1; so the largest cosine is the smallest squared distance,
and ``auto`` finds it by the same bounds.
"""

from dataclasses import dataclass

from kmtoolkit.assigners.auto import Auto
from kmtoolkit.registry import assigner


@assigner("cosine", objective="cosine", exact=True, reference="Dhillon and Modha 2001", cost="O(n k d)")
@dataclass(frozen=True)
class Cosine(Auto):
    """Take the center of the largest cosine.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> solver = km.Solver(assign="cosine", update="spherical-mean", rng=0)
    >>> solver.fit([[1.0, 1.0], [2.0, 2.0], [1.0, -1.0]], 2).objective
    0.0
    """
