"""Fair benchmarks of combinations: :func:`compare` runs them, :class:`Comparison` says what came of it."""

from kmtoolkit.bench import analysis, problems
from kmtoolkit.bench.comparison import Comparison
from kmtoolkit.bench.door import compare
from kmtoolkit.bench.entrants import System
from kmtoolkit.bench.problems import Problem

__all__ = ["Comparison", "Problem", "System", "analysis", "compare", "problems"]
