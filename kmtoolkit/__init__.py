"""kmtoolkit: k-means and its relatives from interchangeable strategies, with a certificate of descent."""

import logging

from kmtoolkit import assigners, datasets, empties, initializers, updaters
from kmtoolkit.errors import DescentError, EmptyClusterError, StrategyError
from kmtoolkit.options import Snapshot
from kmtoolkit.problem import Problem, State, Work
from kmtoolkit.recipes import kmeans
from kmtoolkit.registry import assigner, available, empty_handler, initializer, updater
from kmtoolkit.result import Result, Run, Status
from kmtoolkit.solver import Solver
from kmtoolkit.trace import Trace

__version__ = "0.1.0"
logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "DescentError", "EmptyClusterError", "Problem", "Result", "Run", "Snapshot", "Solver", "State", "Status",
    "StrategyError", "Trace", "Work", "assigner", "assigners", "available", "datasets", "empties", "empty_handler",
    "initializer", "initializers", "kmeans", "updater", "updaters",
]  # fmt: skip
