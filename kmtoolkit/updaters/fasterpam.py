"""FasterPAM: medoids swapped with other rows as long as that lowers the objective (Schubert and Rousseeuw 2021).

It moves centers and rows together. A row is tried in place of each medoid at once, by the distances of all rows to
their nearest and second nearest medoid, and is swapped in as soon as that helps. A call ends after k swaps or a pass
over the rows, and the next one goes on behind it; at the end no single swap helps. O(n²) distances a pass of a few;
O(k n) memory, and no n × n matrix if there is none.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kmtoolkit.kernels.swaps import QUIET, SWAPS, finished, open_caches, swap_pass
from kmtoolkit.objectives import OBJECTIVES, SquaredEuclidean
from kmtoolkit.problem import Problem, State, read_only
from kmtoolkit.registry import HARD, updater

BLOCK_NUMBERS = 1 << 22  # distances from candidates that are held at once


@updater("fasterpam", objective=HARD, writes=("centers", "labels"), scope="rows",
         reference="Schubert and Rousseeuw 2021", cost="O(n² d)")  # fmt: skip
@dataclass(frozen=True)
class FasterPAM:
    """Swap medoids with other rows until no swap lowers the objective.

    Parameters
    ----------
    objective : object
        What divergences are measured by; the Solver tells.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = [[1.0], [2.0], [3.0], [50.0], [51.0], [52.0]]
    >>> solver = km.Solver("random", "euclidean", "fasterpam", rng=0)
    >>> sorted(solver.fit(X, 2).centers.ravel().tolist())
    [2.0, 51.0]
    """

    objective: SquaredEuclidean = OBJECTIVES["squared-euclidean"]
    halt: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)  # where the search stands

    def under(self, objective: SquaredEuclidean) -> "FasterPAM":
        """The same under an objective, for one descent."""
        return FasterPAM(objective)

    def __call__(self, problem: Problem, state: State) -> None:
        X, weights, k = problem
        many, first, quiet = 1 + BLOCK_NUMBERS // len(X), 0, 0
        if self.halt and np.array_equal(self.halt[0], state.centers):
            _, first, quiet = self.halt
            if quiet >= len(X):
                return
        to_centers = self.distances(X, state.centers)
        at_rows = to_centers == 0
        caches = open_caches(to_centers, np.where(at_rows.any(axis=1), at_rows.argmax(axis=1), -1), weights)
        caches.tally[QUIET] = quiet
        before, tried = caches.medoids.copy(), 0
        while not finished(caches) and tried < len(X) and caches.tally[SWAPS] < k:
            points = X[first : first + many].astype(np.float64)
            self.objective.project(points)
            swap_pass(caches, self.distances(X, points), first)
            tried += len(points)
            first = first + many if first + many < len(X) else 0
        swapped = np.flatnonzero(caches.medoids != before)
        points = X[caches.medoids[swapped]].astype(np.float64)
        self.objective.project(points)
        state.centers[swapped] = points
        state.labels[:] = caches.nearest
        self.halt[:] = state.centers.copy(), first, int(caches.tally[QUIET])

    def distances(self, X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        """Divergences (m, n) of all rows from some centers, as the kernels take them."""
        return read_only(np.ascontiguousarray(self.objective.between(X, centers)))
