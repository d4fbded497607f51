"""Soft k-means: a row is shared among the centers by π exp(-β‖x - μ‖²) (MacKay, ITILA, 2003, section 20.3).

The stiffness β says how soft: as it grows, shares become 0 and 1, and the method becomes k-means. For the shares r that
this finds, F = Σ w r (‖x - μ‖² + log(r / π) / β) is as small as it can be: -Σ w log Σ π exp(-β‖x - μ‖²) / β.
A schedule that raises β bit by bit leads to lower minima (deterministic annealing; Rose, Proc. IEEE 86, 1998).
The shares are computed relative to the nearest center, so neither a large β nor far rows overflow; a share below
exp(-708) is 0. O(n k d) time. Shares are not kept: O(k d) memory a chunk of rows.
"""

import math
from dataclasses import dataclass, replace

from kmtoolkit.errors import check_real
from kmtoolkit.kernels.soft import share_by_softmax
from kmtoolkit.problem import Problem, SoftState, Work
from kmtoolkit.registry import assigner
from kmtoolkit.soft import largest_variance

MOST_RAISES = 10_000  # of β


@assigner("softmax", objective="soft-k-means", reference="MacKay 2003, chapter 20", cost="O(n k d)")
@dataclass(frozen=True)
class Softmax:
    """Share each row among all centers, by a softmax of the squared distances.

    Parameters
    ----------
    beta : float
        The stiffness β > 0, in units of 1 / X²: with a Gaussian of variance σ² in mind, 1 / (2σ²).
    anneal : float, optional
        A factor above 1 by which β is raised whenever the fit has converged, from 1 / (2 λ) up to ``beta``, with λ the
        largest eigenvalue of the covariance of the rows; by default, β is the same throughout.

    Raises
    ------
    TypeError, ValueError
        If beta is not a finite number above 0, or anneal not one above 1.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = [[0.0], [1.0], [9.0], [10.0]]
    >>> result = km.Solver(assign=km.assigners.Softmax(beta=2.0), rng=0).fit(X, 2)
    >>> sorted(result.centers.round(6).ravel().tolist())
    [0.5, 9.5]
    """

    beta: float = 1.0
    anneal: float | None = None

    def __post_init__(self) -> None:
        check_real("beta", self.beta, above=True)
        if self.anneal is not None:
            check_real("anneal", self.anneal, 1, above=True)

    def schedule(self, problem: Problem) -> "tuple[Softmax, ...]":
        """The assigners that take over from one another; the first as soft as lets centers come apart (Rose 1998)."""
        if self.anneal is None:
            return (self,)
        variance, last = largest_variance(problem), math.log(self.beta)
        first = -math.log(2) - math.log(variance) if variance > 0 else last
        raises = math.ceil(max(last - first, 0.0) / math.log(self.anneal))
        if raises > MOST_RAISES:
            raise ValueError(f"anneal is {self.anneal}, by which β would be raised {raises} times; "
                             f"take a larger factor, so that {MOST_RAISES} do")  # fmt: skip
        betas = (*(math.exp(first + i * math.log(self.anneal)) for i in range(raises)), self.beta)
        return tuple(replace(self, beta=float(beta), anneal=None) for beta in betas)

    def __call__(self, problem: Problem, state: SoftState) -> tuple[float, float]:
        return share_by_softmax(problem, state, float(self.beta))

    def work(self, problem: Problem) -> Work:
        """All distances of all rows."""
        n = len(problem.X)
        return Work(distances=n * problem.k, survivors=n, memory=0)
