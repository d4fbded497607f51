"""Where the centers start. An initializer is called as ``(problem, rng)`` and returns centers (k, d)."""

from kmtoolkit.initializers.explicit import Explicit
from kmtoolkit.initializers.kmeans_plus_plus import KMeansPlusPlus
from kmtoolkit.initializers.maxmin import maxmin
from kmtoolkit.initializers.random import random
from kmtoolkit.initializers.random_partition import random_partition
from kmtoolkit.initializers.uniform import uniform

__all__ = ["Explicit", "KMeansPlusPlus", "maxmin", "random", "random_partition", "uniform"]
