"""Who belongs where. An assigner is called as ``(problem, state)`` and writes ``state.labels``.

One that remembers something between calls is an object with ``init(problem, state) -> memory``, called as
``(problem, state, memory)``.
"""

from typing import TYPE_CHECKING, Any

from kmtoolkit.assigners.precomputed import Precomputed
from kmtoolkit.registry import strategies_of

strategies = strategies_of(__name__)
globals().update(strategies)
__all__ = sorted([*strategies, Precomputed.__name__])

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
