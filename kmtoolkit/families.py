"""All soft objectives by their names."""

from kmtoolkit.mixture import GaussianMixture, HardGaussianMixture
from kmtoolkit.soft import FuzzyCMeans, SoftKMeans, SoftObjective

__all__ = ["SOFT_OBJECTIVES"]

SOFT_OBJECTIVES: dict[str, type[SoftObjective]] = {
    each.name: each for each in (SoftKMeans, FuzzyCMeans, GaussianMixture, HardGaussianMixture)
}
