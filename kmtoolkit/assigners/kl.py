"""The Kullback-Leibler divergence, for rows that add up to 1 (Dhillon, Mallela and Kumar, JMLR 3, 2003)."""

from kmtoolkit.assigners.generalized_i import lines
from kmtoolkit.divergences import Domain
from kmtoolkit.kernels.series import i_divergence
from kmtoolkit.pointwise import pointwise


@pointwise("kl", bregman=True, domain=Domain(low=0.0, simplex=True), lines=lines,
           reference="Dhillon, Mallela and Kumar 2003")  # fmt: skip
def kl(x: float, c: float) -> float:
    """Take the center of the least Σ x log(x / c); what is beside the logarithm adds up to 0 over a row.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> solver = km.Solver(assign="kl", update="mean", rng=0)
    >>> solver.fit([[0.25, 0.75], [0.75, 0.25]], 1).centers.tolist()
    [[0.5, 0.5]]
    """
    return i_divergence(x, c)
