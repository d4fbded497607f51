"""Centers of a short k-means fit, where soft families and mixtures do well to start (Bishop, PRML, 2006, p. 438).

k-means++ seeds, and a few iterations of Lloyd from there, by the books that k-means itself keeps. Soft fits take many
more iterations from seeds, which are rows, and mixtures find worse maxima. O(n k d) time an iteration, O(n) memory.
"""

from dataclasses import dataclass

import numpy as np

from kmtoolkit.books import Books
from kmtoolkit.errors import check_int
from kmtoolkit.initializers.kmeans_plus_plus import KMeansPlusPlus
from kmtoolkit.kernels.statistics import means
from kmtoolkit.objectives import OBJECTIVES
from kmtoolkit.problem import Problem
from kmtoolkit.registry import initializer


@initializer("k-means", reference="Bishop 2006", cost="O(n k d)")
@dataclass(frozen=True)
class KMeans:
    """Start where k-means comes to in a few iterations.

    Parameters
    ----------
    iterations : int
        The most iterations; they end when no row moves.

    Raises
    ------
    TypeError, ValueError
        If iterations is not an int of at least 1.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> start = km.soft_kmeans([[1.0], [2.0], [8.0], [9.0]], 2, beta=1.0, init="k-means", max_iter=0, rng=0)
    >>> sorted(start.centers.ravel().tolist())
    [1.5, 8.5]
    """

    iterations: int = 20

    def __post_init__(self) -> None:
        check_int("iterations", self.iterations, 1)

    def __call__(self, problem: Problem, rng: np.random.Generator) -> np.ndarray:
        objective, X = OBJECTIVES["squared-euclidean"], problem.X
        books = Books(problem, KMeansPlusPlus()(problem, rng), objective, np.array([X.min(axis=0), X.max(axis=0)]))
        state, seen = books.state, books.view("centers")
        for _ in range(self.iterations):
            state.labels[:] = objective.nearest(X, state.centers)
            if not books.settle(books.proposed()[0]).moved:
                break
            means(seen.centers, seen.counts, seen.mass, seen.sums, seen.origin)
        return state.centers
