"""Every row against every center (Lloyd, IEEE Trans. Information Theory 28, 1982, Method I).

Exact by construction: it takes the canonical decision itself, in float64, for float32 and float64 rows alike,
in parallel over chunks of rows. O(n k d) time, O(k) memory per chunk. The oracle of faster assigners.
"""

from dataclasses import dataclass

from kmtoolkit.kernels.squared import nearest
from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import assigner


@assigner("dense", exact=True, reference="Lloyd 1982", cost="O(n k d)")
@dataclass(frozen=True)
class Dense:
    """Compare each row with all centers.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver(assign="dense", rng=0).fit([[1.0], [2.0], [8.0], [9.0]], 2).trace.distances[0].item()
    8
    """

    def __call__(self, problem: Problem, state: State) -> None:
        nearest(problem.X, state.centers, state.labels)

    def distances(self, problem: Problem) -> int:
        """The number of distances a call evaluates."""
        return len(problem.X) * problem.k
