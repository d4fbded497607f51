"""Fuzzy c-means: a row is shared among the centers by ‖x - c‖^(-2 / (m - 1)) (Bezdek 1981, theorem 11.1).

The memberships u that this finds make F = Σ w u^m ‖x - c‖² as small as it can be for the centers. The fuzzifier m says
how soft: as it comes down to 1, memberships become 0 and 1, and the method becomes k-means. They are computed from the
ratio of each distance to the least, by logarithms, so m may be as near to 1 as you like. A row that lies on centers is
shared among these equally. Statistics are weighted with w u^m. O(n k d) time. Memberships are not kept: O(k d) memory a
chunk of rows.
"""

import math
from dataclasses import dataclass

from kmtoolkit.errors import check_real
from kmtoolkit.kernels.soft import share_by_distance
from kmtoolkit.problem import Problem, SoftState, Work
from kmtoolkit.registry import assigner

LARGEST = 330.0  # of log k^m: masses stay far above what is taken for none


@assigner("fuzzy", objective="fuzzy-c-means", reference="Bezdek 1981", cost="O(n k d)")
@dataclass(frozen=True)
class Fuzzy:
    """Share each row among all centers, by a power of the distances.

    Parameters
    ----------
    m : float
        The fuzzifier, above 1; 2 is customary, and the fastest.

    Raises
    ------
    TypeError, ValueError
        If m is not a finite number above 1; in a fit, if k^-m is too small for a float.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = [[0.0], [1.0], [9.0], [10.0]]
    >>> result = km.Solver(assign=km.assigners.Fuzzy(m=2.0), tol=0, rng=0).fit(X, 2)
    >>> sorted(result.centers.round(3).ravel().tolist())
    [0.5, 9.5]
    """

    m: float = 2.0

    def __post_init__(self) -> None:
        check_real("m", self.m, 1, above=True)

    def __call__(self, problem: Problem, state: SoftState) -> tuple[float, float]:
        if self.m * math.log(problem.k) > LARGEST:
            limit = LARGEST / math.log(problem.k)
            raise ValueError(f"m is {self.m} for k = {problem.k}: memberships of 1 / k to the power m vanish; "
                             f"keep m below {limit:.4g}")  # fmt: skip
        return share_by_distance(problem, state, float(self.m))

    def work(self, problem: Problem) -> Work:
        """All distances of all rows."""
        n = len(problem.X)
        return Work(distances=n * problem.k, survivors=n, memory=0)
