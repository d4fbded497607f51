"""The Itakura-Saito divergence, for power spectra, whatever their scale (Buzo et al., IEEE Trans. ASSP 28, 1980).

The Bregman divergence of φ(x) = -log x, for values above 0.
"""

import numpy as np

from kmtoolkit.divergences import Domain
from kmtoolkit.kernels.series import excess_of_ratio
from kmtoolkit.pointwise import pointwise


def lines(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and offsets: x / c + log c."""
    return 1 / c, np.log(c)


@pointwise("itakura-saito", bregman=True, domain=Domain(low=0.0, open=True), lines=lines, reference="Buzo et al. 1980")
def itakura_saito(x: float, c: float) -> float:
    """Take the center of the least Σ x / c - log(x / c) - 1.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> solver = km.Solver(assign="itakura-saito", update="mean", rng=0)
    >>> solver.fit([[1.0], [2.0], [9.0]], 1).centers.tolist()
    [[4.0]]
    """
    return excess_of_ratio(x, c, x - c)
