"""Fits of the same rows for rising k, each grown from the one before.

A fit for k starts from the centers of the fit before it and further seeds, drawn in proportion to w · D², D the
distance to the nearest center so far, as greedy k-means++ does (Arthur and Vassilvitskii, SODA 2007). Further centers
raise no row's distance, and a fit does not rise from its start, so F does not rise with k.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from kmtoolkit.initializers.explicit import Explicit
from kmtoolkit.kernels import squared
from kmtoolkit.kernels.statistics import are_whole
from kmtoolkit.mixture_result import MixtureResult
from kmtoolkit.objectives import OBJECTIVES
from kmtoolkit.problem import Door, admit
from kmtoolkit.recipes import gaussian_mixture
from kmtoolkit.result import Result
from kmtoolkit.sampling import draw, seed_scores
from kmtoolkit.solver import Solver

__all__ = ["Path", "child", "fit_path", "fits", "for_other_rows", "kmeans_solver"]

TRIALS = 16  # candidates for each further seed
PROBE_ROWS = 8192  # of which they are drawn
SPLITS = 5
EM_TOL = 1e-4
NO_SCATTER = 1e-24  # of the whole: what rounding makes of rows that lie on their centers


class Groups(NamedTuple):
    """Clusters by their means, which centers are once a fit has converged."""

    mass: np.ndarray  # (m,) Σ w of each
    means: np.ndarray  # (m, d)
    spread: np.ndarray  # (m,) mean distance to the mean
    within: float  # Σ w ‖x - mean‖²


@dataclass(frozen=True, eq=False)
class Path:
    """Fits of the same rows for rising k.

    Attributes
    ----------
    X : ndarray of shape (n, d)
        The rows, all of positive weight.
    weights : ndarray of shape (n,), float64
        Their weights.
    ks : tuple of int
        Numbers of clusters, rising.
    results : tuple of Result
        The fit for each k.
    seed : SeedSequence
        What criteria that draw at random start from.
    solver : Solver
        What it was fitted by.
    null : str
        The kind of data without clusters that the rows are, ``uniform`` or ``normal``; empty if they are data.
    """

    X: np.ndarray
    weights: np.ndarray
    ks: tuple[int, ...]
    results: tuple[Result, ...]
    seed: np.random.SeedSequence
    solver: Solver
    null: str = ""

    @cached_property
    def mass(self) -> float:
        """Σ w."""
        return float(self.weights.sum())

    @cached_property
    def copies(self) -> np.ndarray:
        """The weights, if these are whole numbers; those that are shares, made to add up to the number of rows."""
        return self.weights if are_whole(self.weights) else self.weights * (len(self.X) / self.mass)

    @cached_property
    def perfect(self) -> int | None:
        """The least k from which F is 0, but for rounding, if there is one."""
        none_left = self.objective <= NO_SCATTER * self.total
        return self.ks[int(none_left.argmax())] if none_left.any() and self.total > 0 else None

    @cached_property
    def objective(self) -> np.ndarray:
        """F for each k, (len(ks),)."""
        return np.array([result.objective for result in self.results])

    @cached_property
    def total(self) -> float:
        """F of a single cluster."""
        nought = np.zeros(len(self.X), np.int32)
        return float(squared.cluster_totals(self.X, self.weights, self.center[np.newaxis], nought).sum())

    @cached_property
    def center(self) -> np.ndarray:
        """The mean of all rows, (d,)."""
        return np.average(self.X, axis=0, weights=self.weights).astype(np.float64)

    @cached_property
    def scatter(self) -> tuple[np.ndarray, ...]:
        """Squared distances (n,) of the rows to their centers, for each k."""
        return tuple(squared.distances_to(self.X, result.centers, result.labels) for result in self.results)

    @cached_property
    def groups(self) -> tuple[Groups, ...]:
        """The clusters that are not empty, by their means, for each k."""
        found = []
        for result in self.results:
            labels, k = result.labels, len(result.centers)
            mass = np.bincount(labels, self.weights, k)
            members = sparse.csc_array((self.weights, labels, np.arange(len(labels) + 1)), shape=(k, len(labels)))
            means = (members @ self.X) / np.where(mass > 0, mass, 1.0)[:, np.newaxis]
            squares, full = squared.distances_to(self.X, means, labels), mass > 0
            spread = np.bincount(labels, self.weights * np.sqrt(squares), k)[full] / mass[full]
            found.append(Groups(mass[full], means[full], spread, float(self.weights @ squares)))
        return tuple(found)

    @cached_property
    def halves(self) -> tuple[tuple["Path", "Path"], ...]:
        """Paths of the two halves of the rows, split at random SPLITS times; as far as there are rows for them."""
        root, solver = child(self.seed, 2), for_other_rows(self.solver)
        pairs = []
        for seed in root.spawn(SPLITS):
            mixed = np.random.default_rng(seed).permutation(len(self.X))
            middle = len(mixed) // 2
            parts = (np.sort(mixed[:middle]), np.sort(mixed[middle:]))
            ks = tuple(k for k in self.ks if k <= middle)
            one, other = (fit_path(self.X[rows], self.weights[rows], ks, solver, seed) for rows in parts)
            pairs.append((one, other))
        return tuple(pairs)

    @cached_property
    def mixtures(self) -> tuple[MixtureResult, ...]:
        """The isotropic mixture that EM reaches from each fit."""
        return tuple(
            gaussian_mixture(
                self.X,
                k,
                covariance="tied-spherical",
                sample_weight=self.copies,
                init_centers=result.centers,
                tol=EM_TOL,
            )
            for k, result in zip(self.ks, self.results, strict=True)
        )


def kmeans_solver(options: dict[str, Any]) -> Solver:
    """A Solver with these options; raises ValueError if it descends anything but squared distances."""
    solver = Solver(**options)
    if solver._objective.name != "squared-euclidean":
        raise ValueError(f"{solver} descends {solver._objective.name}, but k is chosen by squared distances; leave "
                         "assign and update as they are")  # fmt: skip
    handler = solver._parts.empty.row
    if handler.drops or handler.name == "keep":
        raise ValueError(f"empty is {handler.name!r}, which may leave fewer clusters than k; leave it out, or use a "
                         "handler that repairs")  # fmt: skip
    return solver


def for_other_rows(solver: Solver) -> Solver:
    """The Solver for rows that the caller has not handed in: whatever he gave to follow his fits is left out."""
    init = Solver.init if isinstance(solver.init, Explicit) else solver.init
    given = {"callback": None, "progress": False, "max_seconds": None, "on_interrupt": "raise", "empty": Solver.empty}
    return replace(solver, init=init, **given)


def child(seed: np.random.SeedSequence, *key: int) -> np.random.SeedSequence:
    """A seed for a purpose of its own."""
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *key))


def fit_path(
    X: np.ndarray, weights: np.ndarray, ks: Sequence[int], solver: Solver, seed: np.random.SeedSequence
) -> Path:
    """Fit rows of positive weight for rising ks."""
    results = tuple(result for _, result in fits(admit(X, ks[-1], weights), ks, solver, seed)) if ks else ()
    return Path(X, weights, tuple(ks), results, seed, solver)


def fits(
    door: Door, ks: Sequence[int], solver: Solver, seed: np.random.SeedSequence, *, n_init: int = 0,
    known: dict[int, Result] | None = None,
) -> Iterator[tuple[int, Result]]:  # fmt: skip
    """The fits of admitted rows for rising ks, one after the other; ``known`` ones are taken as they are.

    Random numbers of one k do not depend on the other ks, so those of a path do not depend on how far it goes.
    """
    fitting = _Fitting(door, solver, seed)
    before: Result | None = None
    for k in ks:
        before = known[k] if known and k in known else fitting.fit(k, before, n_init)
        yield k, before


class _Fitting:
    """What the fits of a path have in common."""

    def __init__(self, door: Door, solver: Solver, seed: np.random.SeedSequence) -> None:
        self.solver, self.seed = replace(solver, rng=seed), seed
        self.door = door._replace(
            X=door.problem.X, present=None
        )  # the rows of positive weight, as if there were no others
        X, weights, _ = door.problem
        self.scale = OBJECTIVES["squared-euclidean"].scale(self.door.problem, self.door.box)
        some = np.random.default_rng(child(seed, 4)).permutation(len(X))[:PROBE_ROWS] if len(X) > PROBE_ROWS else None
        self.probe = (X, weights) if some is None else (X[some], weights[some])  # among which seeds are drawn
        self.probed = some

    def fit(self, k: int, before: Result | None, n_init: int) -> Result:
        """The best of a fit that grows from the one before, if there is one, and n_init fresh ones."""
        door = self.door._replace(problem=self.door.problem._replace(k=k))
        found = []
        if before is not None:
            labels = before.labels if self.probed is None else before.labels[self.probed]
            start = grow(*self.probe, before.centers, labels, k, np.random.default_rng(child(self.seed, 3, k)))
            found.append(self.solver._fit(door, start, {}, self.scale))
        if n_init or before is None:
            found.append(replace(self.solver, n_init=max(n_init, 1))._fit(door, None, {}, self.scale))
        best = min(found, key=lambda result: result.objective)
        if len(found) == 1:
            return best
        runs = tuple(run for result in found for run in result.runs)
        return replace(best, runs=runs, best=next(i for i, run in enumerate(runs) if run is best.runs[best.best]))


def grow(
    X: np.ndarray, weights: np.ndarray, centers: np.ndarray, labels: np.ndarray, k: int, rng: np.random.Generator
) -> np.ndarray:
    """Centers (m, d) and further ones on rows, (k, d): of TRIALS candidates each that which lowers F most."""
    closest, chosen = squared.distances_to(X, centers, labels), np.empty(0, np.int64)
    for _ in range(k - len(centers)):
        candidates = draw(seed_scores(weights, closest, chosen), TRIALS, rng)
        best = int(squared.falls(X, weights, closest, X[candidates].astype(np.float64)).argmax())
        chosen = np.append(chosen, candidates[best])
        squared.lower_closest(X, X[chosen[-1:]].astype(np.float64), closest)
    return np.concatenate([centers, X[chosen]])
