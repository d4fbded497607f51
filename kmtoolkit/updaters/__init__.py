"""Where the centers go. An updater is called as ``(problem, state)`` and writes ``state.centers``."""

from typing import TYPE_CHECKING, Any

from kmtoolkit.registry import strategies_of

strategies = strategies_of(__name__)
globals().update(strategies)
__all__ = sorted(strategies)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
