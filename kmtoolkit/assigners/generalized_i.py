"""The generalized I-divergence, for counts and other values of at least 0 (Csiszár, Annals of Statistics 19, 1991).

The Bregman divergence of φ(x) = x log x. For rows that add up to 1 it is the Kullback-Leibler divergence, ``kl``.
"""

import numpy as np

from kmtoolkit.divergences import Domain
from kmtoolkit.kernels.series import i_divergence
from kmtoolkit.pointwise import pointwise


def lines(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and offsets: -x log c + c."""
    return -np.log(c), c


@pointwise("generalized-i", bregman=True, domain=Domain(low=0.0), lines=lines, reference="Csiszár 1991")
def generalized_i(x: float, c: float) -> float:
    """Take the center of the least Σ x log(x / c) - x + c.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> solver = km.Solver(assign="generalized-i", update="mean", rng=0)
    >>> solver.fit([[1], [2], [9]], 1).centers.tolist()
    [[4.0]]
    """
    return i_divergence(x, c)
