"""Every row against every center (Lloyd, IEEE Trans. Information Theory 28, 1982, Method I).

Scores in register tiles find the nearest center; where rounding might decide, the canonical function does, in float64
over all centers. So the labels are the canonical ones, for float32 and float64 rows alike, and the rows are worked on
in parallel chunks. O(n k d) time, O(k d) memory, and O(k + d) per chunk.
"""

from dataclasses import dataclass

from kmtoolkit.kernels.closest import closest
from kmtoolkit.problem import Problem, State, Work
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
        closest(problem.X, state.centers, state.labels)

    def work(self, problem: Problem) -> Work:
        """All distances of all rows."""
        n = len(problem.X)
        return Work(distances=n * problem.k, survivors=n, memory=0)
