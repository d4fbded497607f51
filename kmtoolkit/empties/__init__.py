"""What happens to empty clusters. A handler is called once per empty cluster as ``(problem, state, d, free, rng)``.

d (n,) holds the squared distances of the rows to their centers, free (n,) marks the rows that may move: their
cluster keeps another row, and they do not coincide with their center. The handler returns one such row, which
becomes the center of the empty cluster, or None to leave it empty.
"""

from typing import TYPE_CHECKING, Any

from kmtoolkit.registry import strategies_of

strategies = strategies_of(__name__)
globals().update(strategies)
__all__ = sorted(strategies)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
