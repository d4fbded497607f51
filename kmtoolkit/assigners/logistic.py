"""The logistic loss, for values from 0 to 1, such as yes and no (Banerjee et al., JMLR 6, 2005, table 1).

The Bregman divergence of φ(x) = x log x + (1 - x) log(1 - x): what it costs to code x by the probability c.
"""

import numpy as np

from kmtoolkit.divergences import Domain
from kmtoolkit.kernels.series import logistic_loss
from kmtoolkit.pointwise import pointwise


def lines(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and offsets: -x log c - (1 - x) log(1 - c)."""
    return np.log1p(-c) - np.log(c), -np.log1p(-c)


@pointwise("logistic", bregman=True, domain=Domain(low=0.0, high=1.0), lines=lines, reference="Banerjee et al. 2005")
def logistic(x: float, c: float) -> float:
    """Take the center of the least Σ x log(x / c) + (1 - x) log((1 - x) / (1 - c)).

    Examples
    --------
    >>> import kmtoolkit as km
    >>> solver = km.Solver(assign="logistic", update="mean", rng=0)
    >>> solver.fit([[0], [1], [1], [0]], 1).centers.tolist()
    [[0.5]]
    """
    return logistic_loss(x, c)
