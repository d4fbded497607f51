"""Who belongs where. An assigner is called as ``(problem, state)`` and writes ``state.labels``.

One that remembers something between calls is an object with ``init(problem, state) -> memory``, called as
``(problem, state, memory)``.
"""

from kmtoolkit.assigners.auto import Auto
from kmtoolkit.assigners.dense import Dense

__all__ = ["Auto", "Dense"]
