"""Where the centers start. An initializer is called as ``(problem, rng)`` and returns centers (k, d)."""

from typing import TYPE_CHECKING, Any

from kmtoolkit.initializers.explicit import Explicit
from kmtoolkit.registry import strategies_of

strategies = strategies_of(__name__)
globals().update(strategies)
__all__ = sorted([*strategies, Explicit.__name__])

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
