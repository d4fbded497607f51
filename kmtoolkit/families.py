"""All objectives by their names, but for those that :func:`~kmtoolkit.pointwise` adds."""

import numpy as np

from kmtoolkit.dissimilarities import GivenDissimilarity, Mahalanobis
from kmtoolkit.divergences import Cosine
from kmtoolkit.mixture import GaussianMixture, HardGaussianMixture
from kmtoolkit.objectives import OBJECTIVES
from kmtoolkit.soft import FuzzyCMeans, SoftKMeans, SoftObjective

__all__ = ["OBJECTIVES", "SOFT_OBJECTIVES"]

OBJECTIVES |= {each.name: each for each in (Cosine(), Mahalanobis(), GivenDissimilarity(*np.empty((2, 0, 0))))}

SOFT_OBJECTIVES: dict[str, type[SoftObjective]] = {
    each.name: each for each in (SoftKMeans, FuzzyCMeans, GaussianMixture, HardGaussianMixture)
}
