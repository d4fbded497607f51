"""Where the centers go. An updater is called as ``(problem, state)`` and writes ``state.centers``."""

from kmtoolkit.updaters.mean import mean

__all__ = ["mean"]
