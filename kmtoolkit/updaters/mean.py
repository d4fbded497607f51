"""The weighted mean of each cluster, the minimizer of Σ w‖x - μ‖² (Lloyd, IEEE Trans. Information Theory 28, 1982).

So it is of Σ w D(x, μ) for every Bregman divergence D, and of no other (Banerjee et al., JMLR 6, 2005). Rows that are
shared among clusters count by their shares. It reads the statistics, not the rows: O(k d) time, no memory. An empty
cluster keeps its center.
"""

from kmtoolkit.kernels.statistics import means
from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import BREGMAN, updater


@updater("mean", objective=(BREGMAN, "soft-k-means", "fuzzy-c-means", "gaussian-mixture",
                            "hard-gaussian-mixture"), exact=True, reference="Lloyd 1982", cost="O(k d)")  # fmt: skip
def mean(problem: Problem, state: State) -> None:
    """Move each center to the weighted mean of its cluster.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver(update="mean", rng=0).fit([[1.0], [2.0], [8.0], [9.0]], 1).centers.tolist()
    [[5.0]]
    """
    means(state.centers, state.counts, state.mass, state.sums, state.origin)
