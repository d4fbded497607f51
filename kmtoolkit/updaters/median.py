"""The weighted median of each cluster, column by column, the minimizer of Σ w‖x - μ‖₁ (Bradley et al., NIPS 1996).

Half of a cluster's weight lies at or below it, half at or above; between two values that are both medians it is the
middle. O(n d) time, O(n) memory. An empty cluster keeps its center.
"""

from kmtoolkit.kernels.medians import medians
from kmtoolkit.problem import Problem, State
from kmtoolkit.registry import updater


@updater("median", objective="manhattan", exact=True, scope="rows", reference="Bradley, Mangasarian and Street 1996",
         cost="O(n d)")  # fmt: skip
def median(problem: Problem, state: State) -> None:
    """Move each center to the median of its cluster.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver(assign="manhattan", update="median", rng=0).fit([[1.0], [2.0], [9.0]], 1).centers.tolist()
    [[2.0]]
    """
    medians(problem.X, problem.sample_weight, state.labels, state.counts, state.centers)
