"""What happens to empty clusters. A handler is called once per empty cluster as ``(problem, state, d, free, rng)``.

d (n,) holds the squared distances of the rows to their centers, free (n,) marks the rows that may move: their
cluster keeps another row, and they do not coincide with their center. The handler returns one such row, which
becomes the center of the empty cluster, or None to leave it empty.
"""

from kmtoolkit.empties.drop import drop
from kmtoolkit.empties.error import error
from kmtoolkit.empties.farthest import farthest
from kmtoolkit.empties.keep import keep
from kmtoolkit.empties.random import random
from kmtoolkit.empties.split import split

__all__ = ["drop", "error", "farthest", "keep", "random", "split"]
