"""The row of each cluster from which the others are least far (Maranzana, IBM Systems Journal 2, 1963).

A center that is better than all rows of its cluster stays; so it does if it is as good as the best, and the objective
never rises. Of equally good rows the first is taken. O(Σ n_j² d) time for clusters of n_j rows, O(n + n_j) memory.
"""

from dataclasses import dataclass

import numpy as np

from kmtoolkit.objectives import OBJECTIVES, SquaredEuclidean
from kmtoolkit.problem import Problem, State, read_only
from kmtoolkit.registry import HARD, updater

BLOCK_NUMBERS = 1 << 20  # divergences that are held at once


@updater("medoid", objective=HARD, scope="rows", reference="Maranzana 1963", cost="O(Σ n_j² d)")
@dataclass(frozen=True)
class Medoid:
    """Move each center to the best row of its cluster.

    Parameters
    ----------
    objective : object
        What divergences are measured by; the Solver tells.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver(assign="euclidean", update="medoid", rng=0).fit([[1.0], [2.0], [9.0]], 1).centers.tolist()
    [[2.0]]
    """

    objective: SquaredEuclidean = OBJECTIVES["squared-euclidean"]

    def under(self, objective: SquaredEuclidean) -> "Medoid":
        """The same under an objective."""
        return Medoid(objective)

    def __call__(self, problem: Problem, state: State) -> None:
        for j in map(int, np.flatnonzero(state.counts)):
            mine = np.flatnonzero(state.labels == j)
            rows, weights = read_only(problem.X[mine]), problem.sample_weight[mine]
            points = rows.astype(np.float64)
            self.objective.project(points)
            least = self.costs(rows, weights, state.centers[j : j + 1])[0]
            for start in range(0, len(points), many := 1 + BLOCK_NUMBERS // len(points)):
                costs = self.costs(rows, weights, points[start : start + many])
                if costs.min() < least:
                    least, state.centers[j] = costs.min(), points[start + costs.argmin()]

    def costs(self, rows: np.ndarray, weights: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Σ w D(x, center) over the rows of a cluster, for each of the centers (m, d): (m,)."""
        return np.array([(weights * apart).sum() for apart in self.objective.between(rows, centers)])
