"""kmtoolkit: k-means and its relatives from interchangeable strategies, with a certificate of descent."""

import logging

from kmtoolkit import agreement, assigners, bench, datasets, empties, factorization, initializers, selection, updaters
from kmtoolkit.agreement import canonical_order
from kmtoolkit.errors import DescentError, EmptyClusterError, StrategyError
from kmtoolkit.medoids import MedoidResult, kmedoids
from kmtoolkit.mixture_result import MixtureResult
from kmtoolkit.options import Snapshot
from kmtoolkit.pointwise import pointwise
from kmtoolkit.problem import MixtureState, Problem, SoftState, State, Work
from kmtoolkit.recipes import fuzzy_cmeans, gaussian_mixture, hard_em, kmeans, soft_kmeans
from kmtoolkit.recipes_by_divergence import bregman_kmeans, kmedians, spherical_kmeans
from kmtoolkit.registry import assigner, available, empty_handler, initializer, updater
from kmtoolkit.result import Result, Run, Status
from kmtoolkit.soft_result import SoftResult
from kmtoolkit.solver import Solver
from kmtoolkit.trace import Trace

__version__ = "0.1.0"
logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "DescentError", "EmptyClusterError", "MedoidResult", "MixtureResult", "MixtureState", "Problem", "Result",
    "Run", "Snapshot", "SoftResult", "SoftState", "Solver", "State", "Status", "StrategyError", "Trace", "Work",
    "agreement", "assigner", "assigners", "available", "bench", "bregman_kmeans", "canonical_order", "datasets",
    "empties", "empty_handler", "factorization", "fuzzy_cmeans", "gaussian_mixture", "hard_em", "initializer",
    "initializers", "kmeans", "kmedians", "kmedoids", "pointwise", "selection", "soft_kmeans", "spherical_kmeans",
    "updater", "updaters",
]  # fmt: skip
